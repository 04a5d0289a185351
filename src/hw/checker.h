/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The translation checker: compares what a TLB or a walk answered with what the tables say at that moment.
 *
 * A finding is: another physical address; an entry for what the tables no longer map; an entry that allows a store,
 * a fetch, or user mode's access where the tables do not; an entry that is dirty while the page's D bit is 0.
 * Not a finding, since hardware may do so: an entry that allows less than the tables (permissions are raised
 * lazily, at the cost of a spurious fault), a cached entry whose A bit was cleared (Linux does not flush for that),
 * and a fault.
 *
 * The journal. A finding names the last change of the page's mapping, so the machine notes each OS operation. Small
 * changes (up to 16 pages) go to a table by page, where a newer page takes the place of an older one that falls
 * on the same slot (65536 slots); large ones to a ring of the last 4096. What was displaced is counted, and a
 * finding whose page has no note then says so.
 */
#ifndef EMT_HW_CHECKER_H
#define EMT_HW_CHECKER_H

#include "hw/mmu.h"

struct checker;
struct result_checker; /* report/result.h */

/* -ENOMEM. One serves all cores of a machine. */
int checker_new(struct checker **out);
void checker_free(struct checker *);

/*
 * Where the truth is, when it is not what the MMU's own tables say at that moment: two dimensions, of which the MMU
 * sees a copy (shadow tables) or whose tables change apart from each other. look: as mmu_peek(). writes: changes
 * with each write to a table of either.
 */
struct checker_truth {
    int (*look)(void *ctx, struct mmu *, uint64_t va, struct emt_walk *out);
    uint64_t (*writes)(void *ctx);
    void *ctx;
};
void checker_set_truth(struct checker *, const struct checker_truth *);

/*
 * After mmu_translate() (or the inline path) answered an access at va of address space `asid`, which is the MMU's
 * current one. Returns true when all is well; false: a finding, counted, the first one kept in words.
 *
 * Cheap when the page was compared before and no table was written since (host->table_writes): call it each time.
 */
bool checker_check(struct checker *, struct mmu *, uint16_t asid, uint64_t va, unsigned type,
                   const struct mmu_translation *);

/* The mapping of [va, va + bytes) changed. `what` is a constant string ("munmap"); `when`: an instruction count. */
void checker_note(struct checker *, uint16_t asid, uint64_t va, uint64_t bytes, const char *what, uint64_t when);
/* Tables were changed other than by emt_table_write() and compare-exchange, or its counter was reset. */
void checker_forget(struct checker *);

/* Sets checked, wrong and first[]. */
void checker_result(const struct checker *, struct result_checker *);
/* The latest finding in words; "" when there was none. */
const char *checker_last_finding(const struct checker *);

#endif
