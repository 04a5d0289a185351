/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The port of a walker to an emulated processor: it reads and updates guest memory as the processor's other
 * accesses do, atomically against other CPUs. A look from outside (monitor, gdb) has a port that changes nothing.
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "exec/cpu_ldst.h"
#include "emt.h"
#include "emt/hardware.h"
#include "arch.h"

typedef struct Port {
    struct emt_port ops; /* first: the walker's pointer is ours */
    CPUX86State *env;
    uint8_t last_level; /* of the last read, for the size of a void */
} Port;

/* ---- guest memory ---- */

/* Where a physical address is in our memory; NULL: it is no RAM. */
static uint64_t *host_word(CPUX86State *env, hwaddr pa, MMUAccessType type)
{
    CPUTLBEntryFull *full;
    void *host = NULL;

    probe_access_full(env, pa, type, MMU_PHYS_IDX, true, &host, &full, 0);
    return host;
}

/* What hardware reads in one piece: read until two readings agree. */
static void read_line(const uint64_t *from, unsigned words, uint64_t *to)
{
    bool same = words == 1;

    for (unsigned i = 0; i < words; i++) {
        to[i] = le64_to_cpu(qatomic_load_acquire(&from[i]));
    }
    while (!same) {
        same = true;
        for (unsigned i = 0; i < words; i++) {
            uint64_t again = le64_to_cpu(qatomic_load_acquire(&from[i]));

            same &= again == to[i];
            to[i] = again;
        }
    }
}

static int port_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n)
{
    Port *p = container_of(ops, Port, ops);

    for (unsigned i = 0; i < n; i++) {
        uint64_t *host = host_word(p->env, f[i].pa, MMU_DATA_LOAD);

        if (host) {
            read_line(host, f[i].words, f[i].data);
            continue;
        }
        for (unsigned w = 0; w < f[i].words; w++) {
            f[i].data[w] = cpu_ldq_mmuidx_ra(p->env, f[i].pa + 8 * w, MMU_PHYS_IDX, 0);
        }
    }
    return 0;
}

static bool port_update(struct emt_port *ops, uint64_t pa, uint64_t expected, uint64_t desired)
{
    Port *p = container_of(ops, Port, ops);
    uint64_t *host = host_word(p->env, pa, MMU_DATA_STORE);
    uint64_t old;

    if (host) {
        uint64_t before = cpu_to_le64(expected);

        return qatomic_cmpxchg(host, before, cpu_to_le64(desired)) == before;
    }
    /* No RAM: no other CPU may come between the two accesses. */
    start_exclusive();
    old = cpu_ldq_mmuidx_ra(p->env, pa, MMU_PHYS_IDX, 0);
    if (old == expected) {
        cpu_stq_mmuidx_ra(p->env, pa, desired, MMU_PHYS_IDX, 0);
    }
    end_exclusive();
    return old == expected;
}

static int peek_fetch(struct emt_port *ops, struct emt_fetch *f, unsigned n)
{
    Port *p = container_of(ops, Port, ops);

    for (unsigned i = 0; i < n; i++) {
        for (unsigned w = 0; w < f[i].words; w++) {
            f[i].data[w] = x86_ldq_phys(env_cpu(p->env), f[i].pa + 8 * w);
        }
        p->last_level = f[i].level;
    }
    return 0;
}

/* ---- a walk ---- */

/* The walker and root that translate addr, with this processor's number of physical address bits. */
static struct emt_arch choose(CPUX86State *env, vaddr addr, struct emt_root *root)
{
    const unsigned number = env->emt_status & EMT_CTL_ARCH;
    const bool upper = (env->emt_status & EMT_CTL_SPLIT) && addr >> 63;
    struct emt_arch arch;

    if (number && !upper) {
        memcpy(root->word, env->emt_root, sizeof(root->word));
        arch = *emt_arch_of(number);
    } else {
        root->word[0] = (upper ? env->emt_upper : env->cr[3]) & PG_ADDRESS_MASK;
        arch = env->cr[4] & CR4_LA57_MASK ? emt_radix5 : emt_radix4;
    }
    arch.param[1] = env_archcpu(env)->phys_bits;
    return arch;
}

unsigned emt_va_bits(CPUX86State *env, vaddr addr)
{
    struct emt_root root;
    struct emt_arch arch = choose(env, addr, &root);

    return emt_arch_caps(&arch).va_bits;
}

const char *emt_not_listed(CPUX86State *env, vaddr addr)
{
    struct emt_root root;
    struct emt_arch arch = choose(env, addr, &root);

    return emt_arch_is_tree(&arch) ? NULL : arch.name;
}

static bool canonical(const struct emt_arch *arch, vaddr addr)
{
    int64_t above = (int64_t)addr >> (emt_arch_caps(arch).va_bits - 1);

    return above == 0 || above == -1;
}

static struct emt_access access_of(CPUX86State *env, vaddr addr, MMUAccessType type, int mmu_idx, int pg_mode)
{
    return (struct emt_access){
        .va = addr,
        .type = type == MMU_DATA_STORE ? EMT_STORE : type == MMU_INST_FETCH ? EMT_FETCH : EMT_LOAD,
        .user = is_mmu_index_user(mmu_idx),
        .write_protect = pg_mode & PG_MODE_WP,
        .smep = pg_mode & PG_MODE_SMEP,
        .smap = is_mmu_index_smap(mmu_idx),
        .nx = pg_mode & PG_MODE_NXE,
        .pke = pg_mode & PG_MODE_PKE,
        .pkru = env->pkru,
    };
}

/* All that later accesses of this mode may do by a TLB entry; a clean page waits for its first store. */
static int prot_of(const struct emt_walk *w, const struct emt_access *a)
{
    const bool wp = a->user || a->write_protect;
    int prot = 0;

    if (!(a->smap && w->user && !a->user)) {
        prot |= PAGE_READ;
        if (w->dirty && (w->write || !wp)) {
            prot |= PAGE_WRITE;
        }
    }
    if (w->exec && (a->user || !(a->smep && w->user))) {
        prot |= PAGE_EXEC;
    }
    if (a->pke && w->user) {
        if (a->pkru >> (2 * w->pkey) & 1) {
            prot &= ~(PAGE_READ | PAGE_WRITE);
        } else if ((a->pkru >> (2 * w->pkey) & 2) && wp) {
            prot &= ~PAGE_WRITE;
        }
    }
    return prot;
}

static void fill_page(EmtPage *page, const struct emt_walk *w, vaddr addr)
{
    page->paddr = w->pa + (addr - w->va);
    page->bytes = w->bytes;
    page->page_paddr = w->pa;
    page->page_vaddr = w->va;
    page->write = w->write;
    page->exec = w->exec;
    page->user = w->user;
    page->global = w->global;
    page->dirty = w->dirty;
    page->cache_mode = w->cache_mode;
}

bool emt_translate(CPUX86State *env, vaddr addr, MMUAccessType type, int mmu_idx, int pg_mode, EmtPage *page)
{
    struct emt_root root = { };
    const struct emt_arch arch = choose(env, addr, &root);
    const struct emt_access access = access_of(env, addr, type, mmu_idx, pg_mode);
    Port port = { .ops = { .fetch = port_fetch, .update = port_update }, .env = env };
    struct emt_walk walk;

    *page = (EmtPage) { };
    if (!canonical(&arch, addr)) {
        page->non_canonical = true;
        return false;
    }
    if (arch.walker->walk(&arch, &root, &access, &port.ops, &walk) < 0) {
        page->error_code = PG_ERROR_RSVD_MASK | PG_ERROR_P_MASK;
        return false;
    }
    if (walk.fault) {
        page->error_code = walk.code; /* the bits are those of x86 */
        return false;
    }
    fill_page(page, &walk, addr);
    page->prot = prot_of(&walk, &access);
    return true;
}

bool emt_peek(CPUX86State *env, vaddr addr, EmtPage *page)
{
    struct emt_root root = { };
    const struct emt_arch arch = choose(env, addr, &root);
    /* A supervisor that may read everything. */
    const struct emt_access access = {
        .va = addr, .type = EMT_LOAD, .nx = env->efer & MSR_EFER_NXE, .peek = true,
    };
    Port port = { .ops = { .fetch = peek_fetch }, .env = env };
    struct emt_walk walk;

    *page = (EmtPage) { .void_bytes = EMT_PAGE_BYTES };
    if (!canonical(&arch, addr)) {
        page->non_canonical = true;
        return false;
    }
    if (arch.walker->walk(&arch, &root, &access, &port.ops, &walk) < 0 || walk.fault) {
        /* In a tree, an entry of the level at which the walk ended; elsewhere one page. */
        if (emt_arch_is_tree(&arch) && port.last_level) {
            page->void_bytes = EMT_PAGE_BYTES << 9 * (port.last_level - 1);
        }
        return false;
    }
    fill_page(page, &walk, addr);
    return true;
}
