/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What emt explain is made of: an otherwise empty address space, in memory whose frames follow each other. */
#ifndef EMT_CLI_EXPLAIN_H
#define EMT_CLI_EXPLAIN_H

#include "core/mm.h"

struct explain_space {
    const struct emt_arch *arch;
    struct emt_host host;
    struct emt_tsvc svc;
    struct emt_tdb tdb;
    uint64_t next_table, limit; /* where tables go */
};

/* Tables grow from 1 MiB to `limit` of a memory of so many bytes. 0, or an exit status after a message. */
int explain_open(struct explain_space *s, const struct emt_arch *arch, uint64_t memory_bytes, uint64_t limit);
void explain_close(struct explain_space *s);
/* One page, writable by user mode, at pa unless the architecture wants it elsewhere. -EINVAL: there are none of
 * this size; -ENOMEM. */
int explain_map(struct explain_space *s, uint64_t va, uint64_t pa, uint64_t bytes);
/* Is va an address of this architecture? A message when it is not. */
bool explain_canonical(const struct explain_space *s, uint64_t va);
/* "4 KiB" */
const char *explain_size(uint64_t page_bytes);

/* emt explain --guest A --host B: an exit status. */
int explain_nested(const struct emt_arch *guest, const struct emt_arch *host, uint64_t va, uint64_t guest_page,
                   uint64_t host_page);

#endif
