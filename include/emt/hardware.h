/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A processor with memory-translation architectures, as its software sees it: CPUID leaves, MSRs, and the root
 * descriptor to which CR3 points. docs/hardware-interface.md is the manual; QEMU-EMT is such a processor.
 *
 *     CR3 ──> +----------------------------------+ 0
 *             | signature | words | architecture |
 *             | upper: a CR3 of the upper half   | 8
 *             | reserved, 0 (6 words)            | 16
 *             | root words, 52                   | 64
 *             | reserved, 0 (4 words)            | 480
 *             +----------------------------------+ 512
 */
#ifndef EMT_HARDWARE_H
#define EMT_HARDWARE_H

#include "emt/driver.h"

/* ---- CPUID ---- */

/* ECX = 0: EAX = EMT_CPUID_MAGIC, EBX = how many architectures, ECX = version, EDX = 0. ECX = n | piece << 16: of
   architecture n, piece 0: its properties; pieces 1..EMT_CPUID_NAMES: 16 characters of its name, zero padded. */
#define EMT_CPUID_LEAF    0x454d5400u
#define EMT_CPUID_MAGIC   0x21544d45u /* "EMT!" */
#define EMT_CPUID_VERSION 1u
#define EMT_CPUID_NAMES   3u
/* A marker for who measures; does nothing else. EBX: 1 begin, 2 end; RSI, RDI, R8, R9: a name, zero padded. */
#define EMT_CPUID_MARK 0x454d5401u
#define EMT_MARK_BEGIN 1u
#define EMT_MARK_END   2u
#define EMT_MARK_BYTES 32u

/* Properties, EAX of piece 0. EBX: log2 of page sizes, a bit each; ECX: root words in use; EDX: 0. */
#define EMT_CPUID_VA_BITS_FIRST 0
#define EMT_CPUID_PA_BITS_FIRST 8
#define EMT_CPUID_CONVENTIONAL  0x10000u /* its tables are those of the processor without EMT */

/* ---- MSRs ---- */

#define EMT_MSR_CTL    0x454d5400u /* takes effect with the next MOV to CR3 */
#define EMT_MSR_STATUS 0x454d5401u /* what is in effect; read only */
#define EMT_MSR_RELOAD 0x454d5402u /* write 0: read the root descriptor again, drop nothing */

#define EMT_CTL_ARCH  0xffffull  /* number of the architecture, 0: conventional paging */
#define EMT_CTL_SPLIT 0x10000ull /* addresses with bit 63 are translated by `upper`, conventionally */

/* ---- the root descriptor ---- */

#define EMT_ROOT_DESC_WORDS     64
#define EMT_ROOT_DESC_SIGNATURE 0x52544d45u /* "EMTR" in memory, in bits 63..32 of word 0 */
#define EMT_ROOT_DESC_UPPER     1
#define EMT_ROOT_DESC_FIRST     8
_Static_assert(EMT_ROOT_DESC_FIRST + EMT_ROOT_WORDS <= EMT_ROOT_DESC_WORDS, "the root words fit");

/* Fill a descriptor; `words`: how many root words count. */
static inline void emt_root_encode(uint64_t desc[EMT_ROOT_DESC_WORDS], unsigned arch, unsigned words,
                                   uint64_t upper, const struct emt_root *root) {
    for (unsigned i = 0; i < EMT_ROOT_DESC_WORDS; i++)
        desc[i] = 0;
    desc[0] = (uint64_t)EMT_ROOT_DESC_SIGNATURE << 32 | (uint64_t)(words & 0xffff) << 16 | (arch & 0xffff);
    desc[EMT_ROOT_DESC_UPPER] = upper;
    for (unsigned i = 0; i < words && i < EMT_ROOT_WORDS; i++)
        desc[EMT_ROOT_DESC_FIRST + i] = root->word[i];
}

/* -EINVAL: no descriptor of this architecture, or one that says something of which we know nothing. */
static inline int emt_root_decode(const uint64_t desc[EMT_ROOT_DESC_WORDS], unsigned arch, uint64_t *upper,
                                  struct emt_root *root) {
    const unsigned words = desc[0] >> 16 & 0xffff;

    if (desc[0] >> 32 != EMT_ROOT_DESC_SIGNATURE || (desc[0] & 0xffff) != arch || words > EMT_ROOT_WORDS)
        return -EINVAL;
    for (unsigned i = EMT_ROOT_DESC_UPPER + 1; i < EMT_ROOT_DESC_FIRST; i++)
        if (desc[i])
            return -EINVAL;
    for (unsigned i = EMT_ROOT_DESC_FIRST + words; i < EMT_ROOT_DESC_WORDS; i++)
        if (desc[i])
            return -EINVAL;
    *upper = desc[EMT_ROOT_DESC_UPPER];
    for (unsigned i = 0; i < EMT_ROOT_WORDS; i++)
        root->word[i] = i < words ? desc[EMT_ROOT_DESC_FIRST + i] : 0;
    return 0;
}

#endif
