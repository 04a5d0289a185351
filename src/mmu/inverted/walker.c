/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The hardware side of an inverted page table: hash, read the anchor, follow the chain. With several page sizes in
 * use it follows a chain for each, all at once.
 */
#include "emt/driver.h"
#include "mmu/inverted/format.h"
#include "mmu/x86/access.h"

static const char *const names[INVERTED_SIZES] = {"4K chain", "2M chain", "1G chain"};

struct chain {
    unsigned size, length;
    uint64_t tag, anchor, at; /* at: what is read next */
};

enum verdict { ON, END, FOUND, ANEW };

/* How often a walk begins anew for an object that is just being taken away, or replaced by one nearer to the
 * anchor. */
#define PATIENCE 16

static enum verdict look(const struct emt_root *root, struct chain *c, const struct emt_fetch *f, unsigned tries) {
    if (c->at == c->anchor) {
        c->at = f->data[0];
        return c->at ? ON : END;
    }
    if (f->data[INVERTED_TAG] == c->tag)
        return f->data[INVERTED_PTE] ? FOUND : tries < PATIENCE ? ANEW : END;
    /* Taken out of the chain while we came here? */
    if (!(f->data[INVERTED_TAG] & 1) || inverted_anchor_pa(root->word[0], f->data[INVERTED_TAG]) != c->anchor)
        return ANEW;
    c->at = f->data[INVERTED_NEXT];
    return c->at ? ON : END;
}

/* 1: begin anew. Each such turn needs somebody else's store. */
static int follow(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                  struct emt_port *port, struct chain *chain, unsigned n, unsigned tries, struct emt_walk *out) {
    while (n) {
        struct emt_fetch f[INVERTED_SIZES];
        unsigned left = 0;

        for (unsigned i = 0; i < n; i++) {
            const bool anchor = chain[i].at == chain[i].anchor;
            f[i] = (struct emt_fetch){.pa = chain[i].at,
                                      .words = anchor ? 1 : INVERTED_WORDS,
                                      .level = (uint8_t)inverted_level(chain[i].size),
                                      .table = anchor ? "anchors" : names[chain[i].size],
                                      .index = anchor ? (chain[i].at - (root->word[0] & ~(EMT_PAGE_BYTES - 1))) / 8
                                                      : chain[i].length++};
        }
        int err = port->fetch(port, f, n);
        if (err < 0)
            return err;
        for (unsigned i = 0; i < n; i++) {
            const enum verdict v = look(root, &chain[i], &f[i], tries);
            if (v == ANEW)
                return 1;
            if (v == FOUND)
                return x86_use_leaf(arch, a, port, f[i].pa + sizeof(uint64_t) * INVERTED_PTE,
                                    f[i].data[INVERTED_PTE], f[i].data[INVERTED_PTE], inverted_level(chain[i].size),
                                    out);
            if (v == ON)
                chain[left++] = chain[i];
        }
        n = left;
    }
    return x86_fault(out, x86_access_code(a));
}

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    unsigned tries = 0;
    int again;

    do {
        struct chain chain[INVERTED_SIZES];
        unsigned n = 0;

        *out = (struct emt_walk){.va = a->va};
        if (!radix_canonical(a->va, INVERTED_LEVELS))
            return x86_fault(out, 0);
        for (unsigned size = 0; size < INVERTED_SIZES; size++) {
            if (!(root->word[2] >> size & 1))
                continue;
            const uint64_t tag = inverted_tag((uint16_t)root->word[1], a->va, size),
                           anchor = inverted_anchor_pa(root->word[0], tag);
            chain[n++] = (struct chain){.size = size, .tag = tag, .anchor = anchor, .at = anchor};
        }
        again = follow(arch, root, a, port, chain, n, tries++, out);
    } while (again > 0);
    return again;
}

extern const struct emt_walker_ops inverted_walker;

const struct emt_walker_ops inverted_walker = {.walk = walk};
