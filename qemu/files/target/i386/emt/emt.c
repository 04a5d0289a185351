/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of the interface: CPUID leaves, MSRs, CR3 with PCIDs and root descriptors; and what a plugin asks.
 * docs/hardware-interface.md says what they mean.
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/helper-proto.h"
#include "exec/exec-all.h"
#include "exec/address-spaces.h"
#include "tcg/helper-tcg.h"
#include "emt.h"
#include "emt/hardware.h"
#include "arch.h"

#define CR3_KEEP (1ull << 63) /* MOV to CR3 with PCIDs: what is cached of the new one stays */
#define CR3_PCID 0xfffull

/* ---- CPUID ---- */

static unsigned architectures(void)
{
    unsigned n;

    emt_arch_all(&n);
    return n;
}

static void name_piece(const struct emt_arch *arch, unsigned piece, uint32_t out[4])
{
    const size_t length = strlen(arch->name), first = 16 * (piece - 1);

    if (first < length) {
        memcpy(out, arch->name + first, MIN(16, length - first));
    }
}

bool emt_cpuid(CPUX86State *env, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const unsigned piece = sub >> 16;
    const struct emt_arch *arch = emt_arch_of(sub & 0xffff);

    memset(out, 0, 4 * sizeof(out[0]));
    if (leaf == EMT_CPUID_MARK) {
        uint64_t name[EMT_MARK_BYTES / 8] = {
            env->regs[R_ESI], env->regs[R_EDI], env->regs[R_R8], env->regs[R_R9]
        };

        out[0] = EMT_CPUID_MAGIC;
        emt_event(env, QEMU_EMT_MARK, (uint32_t)env->regs[R_EBX], (uintptr_t)name, 0);
        return true;
    }
    if (leaf != EMT_CPUID_LEAF) {
        return false;
    }
    if (sub == 0) {
        out[0] = EMT_CPUID_MAGIC;
        out[1] = architectures();
        out[2] = EMT_CPUID_VERSION;
    } else if (arch && piece == 0) {
        const struct emt_caps caps = emt_arch_caps(arch);

        out[0] = caps.va_bits << EMT_CPUID_VA_BITS_FIRST |
                 env_archcpu(env)->phys_bits << EMT_CPUID_PA_BITS_FIRST |
                 (arch == &emt_radix4 || arch == &emt_radix5 ? EMT_CPUID_CONVENTIONAL : 0);
        out[1] = (uint32_t)caps.page_sizes;
        out[2] = EMT_ROOT_WORDS;
    } else if (arch && piece <= EMT_CPUID_NAMES) {
        name_piece(arch, piece, out);
    }
    return true;
}

/* ---- root descriptors ---- */

/* Read the descriptor under cr3 into the registers that walkers see. false: it is none. */
static bool load_root(CPUX86State *env, uint64_t cr3, uint64_t ctl)
{
    uint64_t desc[EMT_ROOT_DESC_WORDS];
    struct emt_root root;
    uint64_t upper;

    for (unsigned i = 0; i < EMT_ROOT_DESC_WORDS; i++) {
        desc[i] = x86_ldq_phys(env_cpu(env), (cr3 & PG_ADDRESS_MASK) + 8 * i);
    }
    if (emt_root_decode(desc, ctl & EMT_CTL_ARCH, &upper, &root)) {
        return false;
    }
    memcpy(env->emt_root, root.word, sizeof(env->emt_root));
    env->emt_upper = upper;
    return true;
}

void emt_write_cr3(CPUX86State *env, target_ulong value, uintptr_t ra)
{
    const bool pcids = env->cr[4] & CR4_PCIDE_MASK;
    const bool keep = pcids && (value & CR3_KEEP);
    const target_ulong cr3 = pcids ? value & ~CR3_KEEP : value;

    if ((env->efer & MSR_EFER_LMA) && cr3 >> env_archcpu(env)->phys_bits) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    if (env->efer & MSR_EFER_LMA) {
        if ((env->emt_ctl & EMT_CTL_ARCH) && !load_root(env, cr3, env->emt_ctl)) {
            raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
        }
        env->emt_status = env->emt_ctl & EMT_CTL_ARCH ? env->emt_ctl : 0;
    }
    /* QEMU's own TLB knows no PCIDs: all goes. */
    cpu_x86_update_cr3(env, cr3);
    emt_event(env, QEMU_EMT_CR3, cr3 | (keep ? CR3_KEEP : 0), 0, 0);
}

void emt_flushed_all(CPUX86State *env)
{
    emt_event(env, QEMU_EMT_FLUSH, 0, 0, 0);
}

/* ---- MSRs ---- */

static void write_ctl(CPUX86State *env, uint64_t value, uintptr_t ra)
{
    if ((value & ~(EMT_CTL_ARCH | EMT_CTL_SPLIT)) || (value & EMT_CTL_ARCH) > architectures()) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    env->emt_ctl = value;
}

static void reload(CPUX86State *env, uint64_t value, uintptr_t ra)
{
    if (value || !env->emt_status || !load_root(env, env->cr[3], env->emt_status)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    emt_event(env, QEMU_EMT_ROOT, 0, 0, 0);
}

bool emt_write_msr(CPUX86State *env, uint32_t index, uint64_t value, uintptr_t ra)
{
    switch (index) {
    case EMT_MSR_CTL:
        write_ctl(env, value, ra);
        return true;
    case EMT_MSR_STATUS:
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    case EMT_MSR_RELOAD:
        reload(env, value, ra);
        return true;
    }
    return false;
}

bool emt_read_msr(CPUX86State *env, uint32_t index, uint64_t *value)
{
    switch (index) {
    case EMT_MSR_CTL:
        *value = env->emt_ctl;
        return true;
    case EMT_MSR_STATUS:
        *value = env->emt_status;
        return true;
    case EMT_MSR_RELOAD:
        *value = 0;
        return true;
    }
    return false;
}

/* ---- invalidations ---- */

void helper_flush_page(CPUX86State *env, target_ulong addr)
{
    tlb_flush_page(env_cpu(env), addr);
    emt_event(env, QEMU_EMT_INVLPG, addr, 0, 0);
}

/* INVPCID (SDM vol. 2). Of all PCIDs QEMU's TLB holds the current one alone. */
void helper_invpcid(CPUX86State *env, target_ulong type, uint64_t pcid, uint64_t addr)
{
    const uint64_t current = env->cr[4] & CR4_PCIDE_MASK ? env->cr[3] & CR3_PCID : 0;
    const int64_t sign = (int64_t)addr >> (env->cr[4] & CR4_LA57_MASK ? 56 : 47);
    const bool no_pcids = !(env->cr[4] & CR4_PCIDE_MASK);

    if (type > 3 || (type < 2 && ((pcid & ~CR3_PCID) || (no_pcids && pcid))) ||
        (type == 0 && sign != 0 && sign != -1)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, GETPC());
    }
    if (type == 0 && pcid == current) {
        tlb_flush_page(env_cpu(env), addr);
    } else if (type >= 2 || (type == 1 && pcid == current)) {
        tlb_flush(env_cpu(env));
    }
    emt_event(env, QEMU_EMT_INVPCID, type, pcid, addr);
}

/* nodriver.c: nothing of a driver that touches tables is ever called. */
void emt_no_driver_here(void);

void emt_no_driver_here(void)
{
    g_assert_not_reached();
}

/* ---- what a plugin asks ---- */

qemu_emt_event_fn emt_event_hook;

void qemu_emt_set_hook(qemu_emt_event_fn hook)
{
    emt_event_hook = hook;
}

void qemu_emt_cpu_state(unsigned cpu, struct qemu_emt_cpu *out)
{
    CPUX86State *env = qemu_get_cpu(cpu)->env_ptr;
    const struct emt_arch *arch = emt_arch_of(env->emt_status & EMT_CTL_ARCH);

    *out = (struct qemu_emt_cpu) {
        .cr0 = env->cr[0], .cr3 = env->cr[3], .cr4 = env->cr[4], .efer = env->efer,
        .pkru = env->pkru, .cpl = env->hflags & HF_CPL_MASK, .phys_bits = env_archcpu(env)->phys_bits,
        .split = env->emt_status & EMT_CTL_SPLIT, .upper = env->emt_upper,
    };
    if (!(env->hflags & HF_LMA_MASK) || !(env->cr[0] & CR0_PG_MASK)) {
        return;
    }
    if (arch) {
        memcpy(out->root, env->emt_root, sizeof(out->root));
    } else {
        arch = env->cr[4] & CR4_LA57_MASK ? &emt_radix5 : &emt_radix4;
        out->root[0] = env->cr[3] & PG_ADDRESS_MASK;
    }
    out->arch = arch->name;
}

uint64_t qemu_emt_pc(unsigned cpu)
{
    CPUX86State *env = qemu_get_cpu(cpu)->env_ptr;

    return env->eip + env->segs[R_CS].base;
}

bool qemu_emt_ram(uint64_t pa, void **host, uint64_t *bytes)
{
    MemoryRegionSection s = memory_region_find(get_system_memory(), pa, UINT64_MAX >> 1);
    bool ram = s.mr && memory_region_is_ram(s.mr) && !memory_region_is_rom(s.mr);

    if (ram) {
        *host = (uint8_t *)memory_region_get_ram_ptr(s.mr) + s.offset_within_region;
        *bytes = int128_get64(s.size);
    }
    if (s.mr) {
        memory_region_unref(s.mr);
    }
    return ram;
}
