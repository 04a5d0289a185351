/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of a hashed page table in groups: read the two lines of the primary group, of all page sizes in
 * use at once; then the secondary groups; then it is the OS's turn.
 */
#include "emt/driver.h"
#include "mmu/htab/format.h"
#include "mmu/x86/access.h"

#define LINES_PER_GROUP 2u

static const char *const names[2][HTAB_SIZES] = {{"primary 4K", "primary 2M", "primary 1G"},
                                                 {"secondary 4K", "secondary 2M", "secondary 1G"}};

static void prepare(struct emt_fetch *f, const struct emt_root *root, uint64_t va, unsigned size, bool secondary) {
    const uint64_t group = htab_group(root->word[0], htab_hash((uint16_t)root->word[1], va, size), secondary);

    for (unsigned line = 0; line < LINES_PER_GROUP; line++)
        f[line] = (struct emt_fetch){
            .pa = group + sizeof(f->data) * line,
            .words = HTAB_LINE_WORDS,
            .level = (uint8_t)(size + 1),
            .table = names[secondary][size],
            .index = (group - (root->word[0] & ~(EMT_PAGE_BYTES - 1))) / HTAB_GROUP_BYTES,
        };
}

/* One of the two steps. 1: nothing found; 2: the PTE changed while it was being used. */
static int step(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, bool secondary, struct emt_walk *out) {
    struct emt_fetch f[HTAB_SIZES * LINES_PER_GROUP];
    unsigned n = 0;

    for (unsigned size = 0; size < HTAB_SIZES; size++)
        if (root->word[2] >> size & 1) {
            prepare(&f[n], root, a->va, size, secondary);
            n += LINES_PER_GROUP;
        }
    int err = n ? port->fetch(port, f, n) : 0;
    if (err < 0)
        return err;
    for (unsigned i = 0; i < n; i++) {
        const unsigned size = f[i].level - 1u;
        const uint64_t tag = htab_tag((uint16_t)root->word[1], a->va, size) | (secondary ? HTAB_SECONDARY : 0);
        for (unsigned w = 0; w < HTAB_LINE_WORDS; w += 2)
            if (f[i].data[w] == tag && f[i].data[w + 1])
                return 2 * x86_use_leaf(arch, a, port, f[i].pa + sizeof(uint64_t) * (w + 1), f[i].data[w + 1],
                                        f[i].data[w + 1], size + 1, out);
    }
    return 1;
}

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    int state;

    do {
        *out = (struct emt_walk){.va = a->va};
        if (!radix_canonical(a->va, HTAB_LEVELS))
            return x86_fault(out, 0);
        state = step(arch, root, a, port, false, out);
        if (state == 1)
            state = step(arch, root, a, port, true, out);
    } while (state == 2);
    return state == 1 ? x86_fault(out, x86_access_code(a)) : state;
}

extern const struct emt_walker_ops htab_walker;

const struct emt_walker_ops htab_walker = {.walk = walk};
