/* SPDX-License-Identifier: GPL-2.0-only */
/* The architectures that are compiled in: src/core/registry.c's list. */
#ifndef TARGET_I386_EMT_ARCH_H
#define TARGET_I386_EMT_ARCH_H

#include "emt/driver.h"

extern const struct emt_arch emt_radix4, emt_radix5;
const struct emt_arch *const *emt_arch_all(unsigned *n);

/* By the number that CPUID tells: its place in the list, from 1. NULL: there is none. */
static inline const struct emt_arch *emt_arch_of(unsigned number)
{
    unsigned n;
    const struct emt_arch *const *all = emt_arch_all(&n);

    return number >= 1 && number <= n ? all[number - 1] : NULL;
}

/* Its driver comes along for what it says of the hardware; nothing else of it is called. */
static inline struct emt_caps emt_arch_caps(const struct emt_arch *arch)
{
    struct emt_tsvc service = { .arch = arch };
    struct emt_caps caps;

    arch->driver->tsvc_caps(&service, &caps);
    return caps;
}

/* A tree numbers its levels from the leaves, and an entry of level n stands for 4 KiB << 9 (n - 1). */
static inline bool emt_arch_is_tree(const struct emt_arch *arch)
{
    const struct emt_walker_ops *w = arch->walker;

    return w->ncaches >= 1 && w->caches[0].key_shift == 21 && w->caches[0].upper;
}

#endif
