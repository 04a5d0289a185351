/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Services of MMUs with x86-64's capabilities and root registers that the operating system loads by itself: what
 * drivers of whatever tables share. Functions of emt_driver_ops, of the same names.
 */
#ifndef EMT_MMU_X86_SERVICE_H
#define EMT_MMU_X86_SERVICE_H

#include "emt/driver.h"

/* Services without state of their own. */
int x86_tsvc_init(struct emt_tsvc *svc);
void x86_tsvc_fini(struct emt_tsvc *svc);
/* With the levels and the bits of a physical address that emt_arch.param[] has (mmu/x86/object.h). */
void x86_tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps);
/* Load what tdb_root says; without an address space, zeros: all registers say that there are no tables. */
int x86_tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb);
void x86_tsvc_flush(struct emt_tsvc *svc, const struct emt_flush *flush);

#endif
