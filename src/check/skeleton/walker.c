/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of skeleton: finds the entry of an address in the tables' bytes.
 *
 *     root->word[0] ──> your tables ──> page
 */
#include "emt/driver.h"
#include "mmu/skeleton/format.h"

/* What an error code says about the access itself (SDM vol. 3, 4.7); the bit P is the caller's. */
static int fault(const struct emt_access *a, struct emt_walk *out, uint32_t code) {
    const bool fetch = a->type == EMT_FETCH && (a->nx || a->smep);

    out->fault = true;
    out->code =
        code | (a->type == EMT_STORE ? EMT_PF_WRITE : 0) | (a->user ? EMT_PF_USER : 0) | (fetch ? EMT_PF_FETCH : 0);
    return 0;
}

/*
 * Read entries by port->fetch(); reads passed in one call are made in parallel. Then, in this order:
 *   nothing there, or not present:  fault(a, out, 0)
 *   a right is missing:             fault(a, out, EMT_PF_PRESENT)
 *   else                            set A, and D for a store, by port->update(); if that says false, somebody has
 *                                   changed the entry: read it again. Not in a peek. Then fill *out.
 */
static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    (void)arch;
    (void)root;
    (void)port;
    *out = (struct emt_walk){.va = a->va & -EMT_PAGE_BYTES, .bytes = EMT_PAGE_BYTES};
    return fault(a, out, 0);
}

extern const struct emt_walker_ops skeleton_walker;
const struct emt_walker_ops skeleton_walker = {.walk = walk};
