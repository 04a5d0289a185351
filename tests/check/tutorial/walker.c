/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The hardware side of the tutorial's hashed page table: read lines until the page, or an unused entry, is found.
 */
#include "emt/driver.h"
#include "format.h"

static int fault(const struct emt_access *a, struct emt_walk *out, uint32_t code) {
    const bool fetch = a->type == EMT_FETCH && (a->nx || a->smep);

    out->fault = true;
    out->code =
        code | (a->type == EMT_STORE ? EMT_PF_WRITE : 0) | (a->user ? EMT_PF_USER : 0) | (fetch ? EMT_PF_FETCH : 0);
    return 0;
}

static bool denied(const struct emt_access *a, uint64_t entry) {
    if (a->user && !(entry & HASH_U))
        return true;
    if (!a->user && entry & HASH_U && (a->type == EMT_FETCH ? a->smep : a->smap))
        return true;
    if (a->type == EMT_STORE)
        return !(entry & HASH_W) && (a->user || a->write_protect);
    return a->type == EMT_FETCH && a->nx && !(entry & HASH_X);
}

/* The entry of the page and where it lies; 0: there is none. */
static int search(uint64_t root, const struct emt_access *a, struct emt_port *port, uint64_t *entry, uint64_t *pa) {
    const uint64_t first = hash_line(root, a->va);

    *entry = 0;
    for (uint64_t n = 0; n < hash_lines(root); n++) {
        struct emt_fetch f = {.pa = hash_line_pa(root, first + n),
                              .words = HASH_LINE_WORDS,
                              .level = 1,
                              .table = "hash line",
                              .index = (first + n) & (hash_lines(root) - 1)};
        int err = port->fetch(port, &f, 1);
        if (err < 0)
            return err;
        for (unsigned i = 0; i < HASH_LINE_WORDS; i++) {
            if (f.data[i] == 0)
                return 0;
            if ((f.data[i] & HASH_KEY_MASK) != hash_key(a->va))
                continue;
            *entry = f.data[i];
            *pa = f.pa + 8 * i;
            return 0;
        }
    }
    return 0;
}

static int walk(const struct emt_arch *arch, const struct emt_root *root, const struct emt_access *a,
                struct emt_port *port, struct emt_walk *out) {
    uint64_t entry, used, pa = 0;

    (void)arch;
    *out = (struct emt_walk){.va = a->va & -EMT_PAGE_BYTES, .bytes = EMT_PAGE_BYTES};
    if (!hash_canonical(a->va))
        return fault(a, out, 0);
    do { /* until A and D are set in what was read: somebody may have changed it */
        int err = search(root->word[0], a, port, &entry, &pa);
        if (err)
            return err;
        if (!(entry & HASH_P))
            return fault(a, out, 0);
        if (denied(a, entry))
            return fault(a, out, EMT_PF_PRESENT);
        used = a->peek ? entry : entry | HASH_A | (a->type == EMT_STORE ? HASH_D : 0);
    } while (used != entry && !port->update(port, pa, entry, used));
    out->pa = entry >> HASH_PFN_SHIFT << EMT_PAGE_SHIFT;
    out->write = entry & HASH_W;
    out->exec = entry & HASH_X;
    out->user = entry & HASH_U;
    out->dirty = used & HASH_D;
    return 0;
}

extern const struct emt_walker_ops tutorial_walker;
const struct emt_walker_ops tutorial_walker = {.walk = walk};
