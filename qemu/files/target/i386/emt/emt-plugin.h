/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What QEMU-EMT tells a plugin beyond QEMU's plugin API: changes of address spaces, invalidations, page faults and
 * markers, and the registers by which a walker translates. Included by QEMU and by the plugin.
 */
#ifndef QEMU_EMT_PLUGIN_H
#define QEMU_EMT_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>

enum qemu_emt_event {
    QEMU_EMT_CR3,     /* a: the value written, with bit 63 (keep what is cached); the new root is in effect */
    QEMU_EMT_ROOT,    /* root words were read again; nothing is dropped */
    QEMU_EMT_INVLPG,  /* a: address */
    QEMU_EMT_INVPCID, /* a: type 0..3, b: PCID, c: address */
    QEMU_EMT_FLUSH,   /* everything goes, global pages too */
    QEMU_EMT_FAULT,   /* a: address, b: error code; the exception is about to be delivered */
    QEMU_EMT_MARK,    /* a: EMT_MARK_BEGIN or _END, b: pointer to EMT_MARK_BYTES of name */
};

typedef void (*qemu_emt_event_fn)(unsigned cpu, enum qemu_emt_event what, uint64_t a, uint64_t b, uint64_t c);

struct qemu_emt_cpu {
    uint64_t cr0, cr3, cr4, efer;
    uint32_t pkru;
    uint32_t cpl;
    unsigned phys_bits;
    bool split;       /* the upper half is translated by `upper`, conventionally */
    const char *arch; /* of src/core/registry.c; NULL: no long-mode paging at the moment */
    uint64_t upper;
    uint64_t root[52];
};

/* One listener; called on the thread of the CPU concerned. NULL: nobody. */
void qemu_emt_set_hook(qemu_emt_event_fn hook);
/* Registers of a CPU, to be asked on its own thread. */
void qemu_emt_cpu_state(unsigned cpu, struct qemu_emt_cpu *out);
/* The piece of guest memory that starts at physical address pa; false: there is none. */
bool qemu_emt_ram(uint64_t pa, void **host, uint64_t *bytes);
/* Where the CPU's current instruction is; only inside of an event. */
uint64_t qemu_emt_pc(unsigned cpu);

#endif
