/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU-EMT: where the emulated x86 MMU translates, a walker of src/mmu does it. What the rest of QEMU calls.
 *
 *     excp_helper.c, helper.c, monitor.c ──> emt_translate(), emt_peek() ──> walk.c ──> src/mmu/NAME/walker.c
 *     misc_helper.c, cpu.c               ──> emt_write_cr3(), MSRs, CPUID ──> emt.c
 *     all of them                        ──> emt_event() ──> a plugin, if one listens (emt-plugin.h)
 */
#ifndef TARGET_I386_EMT_H
#define TARGET_I386_EMT_H

#include "cpu.h"
#include "exec/memattrs.h"
#include "emt-plugin.h"
/* src/mmu's own; declared and not included: its names and QEMU's meet in walk.c and emt.c only. */
struct emt_arch;

typedef struct EmtPage {
    hwaddr paddr; /* of the very byte */
    int prot;     /* PAGE_ */
    uint64_t bytes;
    int error_code; /* of the page fault, when there is one */
    bool non_canonical;
    /* for people */
    hwaddr page_paddr;
    uint64_t page_vaddr, void_bytes;
    bool write, exec, user, global, dirty;
    uint8_t cache_mode;
} EmtPage;

/* Does an EMT walker translate at the moment? */
static inline bool emt_walks(CPUX86State *env)
{
    return (env->hflags & HF_LMA_MASK) && (env->cr[0] & CR0_PG_MASK) && !(env->hflags2 & HF2_NPT_MASK) &&
           (env->emt_status || env_archcpu(env)->emt_paging);
}

/* Translate an access for the TLB; sets A and D. false: page->error_code. */
bool emt_translate(CPUX86State *env, vaddr addr, MMUAccessType type, int mmu_idx, int pg_mode, EmtPage *page);
/* Look only, from any thread; false: nothing there, and page->void_bytes is the aligned void around addr as far as
   the walker's reads tell. */
bool emt_peek(CPUX86State *env, vaddr addr, EmtPage *page);
/* Bits of a virtual address in effect for this address. */
unsigned emt_va_bits(CPUX86State *env, vaddr addr);
/* The architecture that translates this address, when it cannot be stepped through from void to void; else NULL. */
const char *emt_not_listed(CPUX86State *env, vaddr addr);

/* MOV to CR3 by the guest: PCIDs, and the root descriptor when an architecture is (or comes) into effect. */
void emt_write_cr3(CPUX86State *env, target_ulong value, uintptr_t ra);
/* false: not ours. */
bool emt_write_msr(CPUX86State *env, uint32_t index, uint64_t value, uintptr_t ra);
bool emt_read_msr(CPUX86State *env, uint32_t index, uint64_t *value);
bool emt_cpuid(CPUX86State *env, uint32_t leaf, uint32_t sub, uint32_t out[4]);
/* All that a processor caches of translations goes, global pages too: a control bit changed. */
void emt_flushed_all(CPUX86State *env);

extern qemu_emt_event_fn emt_event_hook;

static inline void emt_event(CPUX86State *env, enum qemu_emt_event what, uint64_t a, uint64_t b, uint64_t c)
{
    if (unlikely(emt_event_hook)) {
        emt_event_hook(env_cpu(env)->cpu_index, what, a, b, c);
    }
}

struct Monitor;
void emt_info_tlb(struct Monitor *mon, CPUX86State *env);
void emt_info_mem(struct Monitor *mon, CPUX86State *env);

#endif
