/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The random words of the tabulation hash, made by the compiler: word i of table b is the upper half of number
 * 256 b + i of splitmix64 (Steele, Lea, Flood, OOPSLA'14) from 0.
 */
#include "mmu/mosaic/hash.h"

#define STEP(n) (((n) + 1) * 0x9e3779b97f4a7c15ull)
#define MIX1(z) (((z) ^ (z) >> 30) * 0xbf58476d1ce4e5b9ull)
#define MIX2(z) (((z) ^ (z) >> 27) * 0x94d049bb133111ebull)
#define MIX3(z) ((z) ^ (z) >> 31)
#define WORD(n) (uint32_t)(MIX3(MIX2(MIX1(STEP(n)))) >> 32)
#define W4(n)   WORD(n), WORD((n) + 1), WORD((n) + 2), WORD((n) + 3)
#define W16(n)  W4(n), W4((n) + 4), W4((n) + 8), W4((n) + 12)
#define W64(n)  W16(n), W16((n) + 16), W16((n) + 32), W16((n) + 48)
#define TABLE(b)                                                                                                   \
    { W64((b)*256ull), W64((b)*256ull + 64), W64((b)*256ull + 128), W64((b)*256ull + 192) }

const mosaic_tables mosaic_random = {TABLE(0), TABLE(1), TABLE(2), TABLE(3), TABLE(4), TABLE(5), TABLE(6)};
