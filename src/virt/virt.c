/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The host under a guest: made and ended, what is behind the guest's memory, and what follows when that changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/abi.h"
#include "virt/virt_private.h"

#define VM_PROCESS 1

const char *const virt_op_name[VIRT_OPS] = {
    [VIRT_VIOLATION] = "violation",
    [VIRT_SHADOW_FAULT] = "shadow_fault",
    [VIRT_TABLE_WRITE] = "table_write",
    [VIRT_INVALIDATE] = "invalidate",
    [VIRT_ROOT] = "root",
    [VIRT_SYNC] = "sync",
    [VIRT_KICK] = "kick",
    [VIRT_BALLOON] = "balloon",
};

/* ---- the account ---- */

struct virt_account virt_begin(struct virt *v, enum virt_op op) {
    const struct emt_host *h = &v->host;

    v->stats.op[op].calls++;
    return (struct virt_account){op, h->table_reads - v->inner.reads, h->table_writes - v->inner.writes,
                                 h->stall_cycles - v->inner.stalls, h->work_instructions - v->inner.work};
}

void virt_end(struct virt *v, const struct virt_account *a, uint64_t instructions) {
    const struct emt_host *h = &v->host;
    struct os_op_stats *s = &v->stats.op[a->op];

    s->table_reads += h->table_reads - v->inner.reads - a->reads;
    s->table_writes += h->table_writes - v->inner.writes - a->writes;
    s->stall_cycles += h->stall_cycles - v->inner.stalls - a->stalls;
    s->instructions += instructions + (h->work_instructions - v->inner.work - a->work);
}

double virt_cycles(const struct virt *v) {
    double sum = 0;

    for (unsigned op = 0; op < VIRT_OPS; op++) {
        const struct os_op_stats *s = &v->stats.op[op];

        sum += op == VIRT_SYNC ? 0 : (double)s->calls * v->cfg.virt.exit_cycles;
        sum += (double)s->instructions * v->cfg.os.cpi + (double)s->stall_cycles + (double)s->extra_cycles;
    }
    return sum;
}

int virt_out_of_memory(struct virt *v) {
    v->trouble = "the host ran out of memory; give it more with host.memory.bytes";
    return -ENOMEM;
}

/* ---- what is behind the guest's memory ---- */

uint64_t virt_word_access(struct virt *v, uint64_t hpa, bool write) {
    struct cache_core *caches = v->core[*v->current].caches;

    if (!caches)
        return 0;
    uint32_t cycles = cache_access(caches, hpa, write, CACHE_OS).cycles;
    return cycles > v->cfg.l1d.hit_cycles ? cycles - v->cfg.l1d.hit_cycles : 0;
}

int virt_host_fault(struct virt *v, uint64_t gpa, unsigned type, bool exits) {
    const struct emt_host *h = &v->host;
    struct virt_inner before = {h->table_reads, h->table_writes, h->stall_cycles, h->work_instructions};
    uint32_t code = EMT_PF_USER | (type == EMT_STORE ? EMT_PF_WRITE : type == EMT_FETCH ? EMT_PF_FETCH : 0);

    v->stats.op[VIRT_VIOLATION].calls += exits;
    int err = os_fault(v->vm, *v->current, gpa, type, code);
    v->memo[(gpa >> EMT_PAGE_SHIFT) % VIRT_MEMO_SLOTS].epoch = 0;
    v->inner.reads += h->table_reads - before.reads;
    v->inner.writes += h->table_writes - before.writes;
    v->inner.stalls += h->stall_cycles - before.stalls;
    v->inner.work += h->work_instructions - before.work;
    if (err == -ENOMEM || err == -ESRCH) /* the host's OOM killer may have chosen the virtual machine */
        return virt_out_of_memory(v);
    if (err && !v->trouble)
        v->trouble = "the guest used an address outside of its memory: a bug of its architecture, or of emt";
    return err;
}

/* The host's object that answers for gpa, without a trace in counters and caches. `write`: it becomes dirty. */
static int find_object(struct virt *v, uint64_t gpa, bool write, struct emt_tobj *o) {
    struct emt_host saved = v->host;
    struct emt_tdb *tdb = os_process_tdb(v->vm);
    uint64_t page = gpa & ~(EMT_PAGE_BYTES - 1);

    v->host.table_access = NULL;
    emt_range_lock(tdb, page, EMT_PAGE_BYTES);
    int err = emt_tdb_find(tdb, gpa, o);
    if (!err && write && !emt_tobj_set(&v->svc, o, EMT_ATTR_DIRTY, 1))
        err = emt_tdb_update(tdb, o);
    emt_range_unlock(tdb, page, EMT_PAGE_BYTES);
    v->host.table_access = saved.table_access;
    v->host.table_reads = saved.table_reads;
    v->host.table_writes = saved.table_writes + write; /* the checker asks whether a table has changed */
    v->host.work_instructions = saved.work_instructions;
    return err;
}

static int look_up(struct virt *v, uint64_t gpa, bool write, struct emt_walk *out) {
    struct emt_tobj o;
    int err = find_object(v, gpa, write, &o);

    if (err || !emt_tobj_get(&v->svc, &o, EMT_ATTR_PRESENT) || !emt_tobj_get(&v->svc, &o, EMT_ATTR_USER))
        return -ENOENT;
    *out = (struct emt_walk){.va = o.va,
                             .pa = emt_tobj_get(&v->svc, &o, EMT_ATTR_PFN) << EMT_PAGE_SHIFT,
                             .bytes = o.bytes,
                             .write = emt_tobj_get(&v->svc, &o, EMT_ATTR_WRITE),
                             .exec = emt_tobj_get(&v->svc, &o, EMT_ATTR_EXEC),
                             .accessed = true,
                             .contig = emt_tobj_get(&v->svc, &o, EMT_ATTR_CONTIG),
                             .dirty = write || emt_tobj_get(&v->svc, &o, EMT_ATTR_DIRTY)};
    return 0;
}

int virt_find(struct virt *v, uint64_t gpa, struct emt_walk *out) {
    struct virt_memo *m = &v->memo[(gpa >> EMT_PAGE_SHIFT) % VIRT_MEMO_SLOTS];

    if (m->epoch == v->epoch && m->page.va <= gpa && gpa - m->page.va < m->page.bytes) {
        *out = m->page;
        return 0;
    }
    int err = look_up(v, gpa, false, out);
    if (!err)
        *m = (struct virt_memo){v->epoch, *out};
    return err;
}

int virt_back(struct virt *v, uint64_t gpa, unsigned type, bool exits, struct emt_walk *page) {
    /* A fault may map a page of zeroes first, or split a huge page: never more than a few. */
    for (unsigned tries = 0; tries < 4; tries++) {
        bool there = !virt_find(v, gpa, page) && (type != EMT_STORE || page->write);

        if (there && (type != EMT_STORE || page->dirty))
            return 0;
        if (there) { /* whoever writes here has the host's D bit set, as hardware would */
            v->memo[(gpa >> EMT_PAGE_SHIFT) % VIRT_MEMO_SLOTS].epoch = 0;
            return look_up(v, gpa, true, page);
        }
        int err = virt_host_fault(v, gpa, type, exits);
        if (err)
            return err;
    }
    if (!v->trouble)
        v->trouble = "the host does not back a page of the guest: a bug of its architecture, or of emt";
    return -EFAULT;
}

uint64_t virt_table_access(struct virt *v, uint64_t gpa, bool write) {
    struct emt_walk page;

    if (write && virt_shadowed(v))
        shadow_write(v, gpa, false);
    int err = virt_back(v, gpa, write ? EMT_STORE : EMT_LOAD, true, &page);
    shadow_settle(v);
    return err ? 0 : page.pa + (gpa - page.va);
}

void virt_touch(struct virt *v, uint64_t gpa, uint64_t bytes, bool write) {
    struct emt_walk page;

    if (write && virt_shadowed(v))
        for (uint64_t at = gpa; at < gpa + bytes; at += EMT_PAGE_BYTES)
            shadow_write(v, at, true);
    for (uint64_t at = gpa, end = gpa + bytes; at < end; at = page.va + page.bytes) {
        if (virt_back(v, at, write ? EMT_STORE : EMT_LOAD, true, &page))
            break;
    }
    shadow_settle(v);
}

/* ---- what the host asks of the hardware ---- */

static uint64_t host_table_access(void *hw, uint64_t hpa, bool write) {
    return virt_word_access(hw, hpa, write);
}

/* The other virtual CPUs leave the guest, and flush before they come back. */
static void kick_others(struct virt *v) {
    unsigned others = v->cfg.core.count - 1;

    os_charge_cycles(v->os, OS_OPS, v->cfg.core.invlpg_cycles);
    if (!others)
        return;
    v->stats.op[VIRT_KICK].calls += others;
    os_charge_cycles(v->os, OS_SHOOTDOWN,
                     v->cfg.core.ipi_cycles + (uint64_t)others * v->cfg.core.ipi_target_cycles);
}

/* As INVEPT does: all that was made of guest-physical addresses, since nobody knows which entries those are. */
static void drop_combined(struct virt *v) {
    static const struct emt_flush all = {.kind = EMT_FLUSH_ALL, .tables = true};

    for (unsigned i = 0; i < v->cfg.core.count; i++) {
        if (!v->core[i].second)
            continue;
        mmu_flush(v->core[i].mmu, 0, &all);
        mmu_flush(v->core[i].second, 0, &all);
    }
}

static void host_flush(void *hw, const struct emt_flush *f) {
    struct virt *v = hw;

    if (f->tdb && f->tdb != os_process_tdb(v->vm)) { /* a shadow table's */
        for (unsigned i = 0; i < v->cfg.core.count; i++)
            mmu_flush(v->core[i].mmu, f->tdb->asid, f);
        return;
    }
    v->epoch++;
    v->stats.host_changes++;
    if (virt_shadowed(v))
        shadow_host_changed(v, f->kind == EMT_FLUSH_RANGE ? f->va : 0,
                            f->kind == EMT_FLUSH_RANGE ? f->bytes : ~0ull);
    drop_combined(v);
    kick_others(v);
}

static struct mmu *host_walker(struct virt *v, unsigned cpu) {
    return virt_shadowed(v) ? v->core[cpu].mmu : v->core[cpu].second;
}

static void host_load_root(void *hw, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    mmu_load_root(host_walker(hw, cpu), asid, root);
}

static void host_update_root(void *hw, unsigned cpu, const struct emt_root *root) {
    mmu_update_root(host_walker(hw, cpu), root);
}

/* ---- making and ending ---- */

static int make_host(struct virt *v, char *why, size_t bytes) {
    uint64_t at = 0;
    int err = emt_host_init(&v->host, v->cfg.memory.bytes);

    if (err) {
        snprintf(why, bytes,
                 "this system does not give out %llu GiB of address space for the host's memory; make "
                 "host.memory.bytes smaller",
                 (unsigned long long)(v->cfg.memory.bytes >> 30));
        return err;
    }
    err = emt_tsvc_init(&v->svc, v->arch, &v->host, v->cfg.basic_only);
    if (!err)
        err = os_new(&v->os, &v->cfg, &v->svc);
    if (!err)
        err = os_process_new(v->os, VM_PROCESS, &v->vm);
    if (err) {
        snprintf(why, bytes, "no memory for the host");
        return err;
    }
    err = os_mmap(v->vm, &at, v->guest_cfg.memory.bytes, ABI_PROT_MASK,
                  ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS | ABI_MAP_FIXED, 0, 0);
    if (err)
        snprintf(why, bytes,
                 "a process of the host (%s) has no room for the guest's memory; make guest.memory.bytes "
                 "smaller",
                 v->arch->name);
    return err;
}

static int check_arch(const struct virt *v, char *why, size_t bytes) {
    struct emt_caps caps;

    emt_tsvc_caps(&v->svc, &caps);
    if (!virt_shadowed(v) || !caps.places)
        return 0;
    snprintf(why, bytes,
             "virt.mode is shadow, but %s decides which frames back an address: a shadow table has to show "
             "frames that were chosen for another; use nested",
             v->arch->name);
    return -EINVAL;
}

int virt_new(struct virt **out, const struct virt_parts *parts, char *why, size_t why_bytes) {
    struct virt *v = calloc(1, sizeof(*v));
    int err = -ENOENT;

    *out = NULL;
    if (!v) {
        snprintf(why, why_bytes, "out of memory for a machine");
        return -ENOMEM;
    }
    v->guest_cfg = *parts->guest;
    v->cfg = *parts->host;
    v->cfg.core.fault_cycles = 0; /* the exit takes the place of the exception */
    /* What a code of a mosaic page or a line of the guest's table says are guest frames; entries hold the host's.
     */
    for (uint32_t i = 0; i < v->guest_cfg.ntlb; i++) {
        v->guest_cfg.tlb[i].mosaic = false;
        v->guest_cfg.tlb[i].coalesce = 1;
    }
    v->memory = parts->memory;
    v->current = parts->current;
    v->guest_arch = emt_arch_find(v->guest_cfg.mmu);
    v->arch = emt_arch_find(v->cfg.mmu);
    v->epoch = 1;
    if (!v->arch || !v->guest_arch)
        snprintf(why, why_bytes, "there is no architecture '%s'; see emt list mmus",
                 v->arch ? v->guest_cfg.mmu : v->cfg.mmu);
    else
        err = make_host(v, why, why_bytes);
    if (!err)
        err = check_arch(v, why, why_bytes);
    if (!err && virt_shadowed(v)) {
        err = shadow_init(v);
        if (err)
            snprintf(why, why_bytes, "out of memory for shadow tables");
    }
    if (err) {
        virt_free(v);
        return err;
    }
    *out = v;
    return 0;
}

void virt_free(struct virt *v) {
    if (!v)
        return;
    v->host.table_access = NULL;
    v->host.flush = NULL;
    v->host.load_root = NULL;
    v->host.update_root = NULL;
    shadow_fini(v);
    os_free(v->os);
    for (unsigned i = 0; i < v->cfg.core.count; i++)
        mmu_free(v->core[i].second);
    if (v->svc.arch)
        emt_tsvc_fini(&v->svc);
    if (v->host.phys)
        emt_host_fini(&v->host);
    free(v->balloon);
    free(v);
}

int virt_add_core(struct virt *v, unsigned core, struct mmu *mmu, struct cache_core *caches) {
    v->core[core].mmu = mmu;
    v->core[core].caches = caches;
    return virt_shadowed(v) ? 0 : nested_add_core(v, core);
}

int virt_start(struct virt *v) {
    v->host.hw = v;
    v->host.table_access = host_table_access;
    v->host.flush = host_flush;
    v->host.load_root = host_load_root;
    v->host.update_root = host_update_root;
    int err = virt_shadowed(v) ? 0 : nested_start(v);
    os_reset_stats(v->os);
    return err;
}

const struct emt_config *virt_walked_config(const struct virt *v) {
    return virt_shadowed(v) ? &v->cfg : &v->guest_cfg;
}

const struct emt_arch *virt_walked_arch(const struct virt *v) {
    return virt_shadowed(v) ? v->arch : v->guest_arch;
}

struct emt_host *virt_walked_memory(struct virt *v) {
    return virt_shadowed(v) ? &v->host : v->memory;
}

/* ---- faults and truth ---- */

int virt_fault(struct virt *v, uint64_t va, unsigned type, uint32_t fault) {
    int err = 1;

    if (virt_shadowed(v)) {
        err = shadow_fault(v, va, type);
    } else if (fault & MMU_VIOLATION) {
        struct mmu_violation what = mmu_violation(v->core[*v->current].mmu);

        err = virt_host_fault(v, what.pa, what.type, true);
    }
    shadow_settle(v);
    return err;
}

int virt_truth(void *virt, struct mmu *m, uint64_t va, struct emt_walk *out) {
    struct virt *v = virt;

    return virt_shadowed(v) ? shadow_truth(v, m, va, out) : mmu_peek(m, va, EMT_LOAD, out);
}

uint64_t virt_truth_writes(void *virt) {
    const struct virt *v = virt;

    return v->memory->table_writes + v->host.table_writes;
}

/* ---- results ---- */

const struct virt_stats *virt_stats_of(const struct virt *v) {
    return &v->stats;
}

void virt_reset_stats(struct virt *v) {
    v->stats = (struct virt_stats){0};
    os_reset_stats(v->os);
    for (unsigned i = 0; i < v->cfg.core.count; i++)
        if (v->core[i].second)
            mmu_reset_stats(v->core[i].second);
}

struct os *virt_os(struct virt *v) {
    return v->os;
}

struct os_process *virt_process(struct virt *v) {
    return v->vm;
}

const struct emt_host *virt_memory(const struct virt *v) {
    return &v->host;
}

const struct emt_config *virt_config(const struct virt *v) {
    return &v->cfg;
}

const struct mmu *virt_second(const struct virt *v, unsigned core) {
    return v->core[core].second;
}

const char *virt_trouble(const struct virt *v) {
    return v->trouble;
}
