/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The one list of architectures. A new one is a folder in src/mmu and a line here. */
#include <string.h>

#include "core/mm.h"

extern const struct emt_arch emt_radix4, emt_radix5;
extern const struct emt_arch emt_ecpt, emt_ecpt_2way, emt_ecpt_murmur, emt_ecpt_x2, emt_ecpt_paper;
extern const struct emt_arch emt_fpt_l4l3_l2l1, emt_fpt_l3l2, emt_fpt_l4l3, emt_fpt5_l5l4_l3l2, emt_fpt5_l4l3_l2l1;
extern const struct emt_arch emt_hashed, emt_inverted, emt_inverted_hat2x, emt_inverted_hat_half, emt_htab;
extern const struct emt_arch emt_mosaic_4, emt_mosaic_8, emt_mosaic_16, emt_mosaic_32, emt_mosaic_64;
extern const struct emt_arch emt_mosaic_4_hashed, emt_mosaic_32_hashed;
extern const struct emt_arch emt_rmm, emt_segment, emt_anchor;

/* clang-format off */
static const struct emt_arch *const architectures[] = {
    &emt_radix4,
    &emt_radix5,
    &emt_ecpt,
    &emt_ecpt_2way,
    &emt_ecpt_murmur,
    &emt_ecpt_x2,
    &emt_ecpt_paper,
    &emt_fpt_l4l3_l2l1,
    &emt_fpt_l3l2,
    &emt_fpt_l4l3,
    &emt_fpt5_l5l4_l3l2,
    &emt_fpt5_l4l3_l2l1,
    &emt_hashed,
    &emt_inverted,
    &emt_inverted_hat2x,
    &emt_inverted_hat_half,
    &emt_htab,
    &emt_mosaic_4,
    &emt_mosaic_8,
    &emt_mosaic_16,
    &emt_mosaic_32,
    &emt_mosaic_64,
    &emt_mosaic_4_hashed,
    &emt_mosaic_32_hashed,
    &emt_rmm,
    &emt_segment,
    &emt_anchor,
};
/* clang-format on */

const struct emt_arch *const *emt_arch_all(unsigned *n) {
    *n = sizeof(architectures) / sizeof(architectures[0]);
    return architectures;
}

const struct emt_arch *emt_arch_find(const char *name) {
    unsigned n;
    const struct emt_arch *const *all = emt_arch_all(&n);

    for (unsigned i = 0; i < n; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
