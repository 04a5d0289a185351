/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The hash function of hashed and inverted tables: MurmurHash3's 64-bit finaliser (A. Appleby, public domain). */
#ifndef EMT_MMU_X86_HASH_H
#define EMT_MMU_X86_HASH_H

#include "emt/types.h"

/* Instructions that an OS spends on it: three shifts, three exclusive ors, two products with their constants. */
#define X86_HASH_INSTRUCTIONS 10

static inline uint64_t x86_hash(uint64_t key) {
    key = (key ^ key >> 33) * 0xff51afd7ed558ccdull;
    key = (key ^ key >> 33) * 0xc4ceb9fe1a85ec53ull;
    return key ^ key >> 33;
}

#endif
