/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Flattened page tables: radix/format.h, but two of the bits that x86-64 leaves to the OS are FOLD (tree/node.h).
 *
 *           63  62..59  58..57  56..52  51 ......... 12  11..9   8   7   6   5   4    3   2   1   0
 *   link   | - |   -   | FOLD  |   -   | node          |   -   | - | 0 | - | A |PCD |PWT |US |RW | 1 |
 *   leaf   |NX |  PK   | FOLD  | soft  | as radix: 1 GiB, 2 MiB, 4 KiB, none                         |
 *   swap   | as radix                                                              | 0  | FOLD | 0   |
 *   CR3    | 63..62: FOLD of the root    | root          | PCID                                        |
 *
 *   FOLD of a link   levels folded into the node that it leads to: 0, 1 or 2 (2 MiB, 1 GiB)
 *   FOLD of a leaf   0, or levels that this page is above its node: it stands here in 512 copies for each
 *
 * Two bits, as the paper has it ("Every Walk's a Hit", ASPLOS'22). EMT's driver for Linux has one: bit 58 of an
 * entry and bit 63 of CR3.
 */
#ifndef EMT_MMU_FPT_FORMAT_H
#define EMT_MMU_FPT_FORMAT_H

#include "mmu/tree/walk.h"

/* The OS keeps what FOLD leaves. */
#define FPT_SOFT_BITS (RADIX_SOFT_BITS - TREE_FOLD_WIDTH)

#endif
