/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Shadow tables: for each address space of the guest a database of the host's architecture, from gVA to hPA, which
 * is all that hardware walks. The hypervisor makes an entry when hardware misses it:
 *
 *     fault ─> exit ─> walk the guest's tables in software ─ guest faults too ──> the guest's own fault
 *                        │ gPA, rights
 *                        v
 *                      the host's page behind it ─> entry: both rights, the smaller size ─> the guest goes on
 *
 * How it stays right. An entry must not show more than guest and host together say, from the next flush of the
 * guest, or the next change of the host, on:
 *   - a guest flushes after it takes something away, as it must on any processor. Each INVLPG and each load of the
 * root is an exit, in which the entries concerned are compared with the guest's tables, and go when they differ.
 *   - tables that were used are protected. The first write to one that holds leaves is an exit and makes it
 * writable
 *     ("unsync", as KVM does); a full synchronization protects it again. A write to an upper one is emulated each
 * time.
 *   - a store is allowed once the guest's entry is dirty: the exit of the first one sets its D bit.
 *   - a change in the host takes the entries that show the frames (shadow_pages.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "virt/virt_private.h"

#define MAX_TABLES 64

int shadow_init(struct virt *v) {
    return shadow_pages_init(v);
}

void shadow_fini(struct virt *v) {
    while (v->shadow.spaces) {
        struct shadow_space *space = v->shadow.spaces;

        v->shadow.spaces = space->next;
        emt_tdb_destroy(&space->tdb);
        free(space);
    }
    shadow_pages_fini(v);
}

static struct shadow_space *find_space(struct virt *v, uint16_t asid) {
    struct shadow_space *space = v->shadow.spaces;

    while (space && space->asid != asid)
        space = space->next;
    return space;
}

static struct shadow_space *get_space(struct virt *v, uint16_t asid) {
    struct shadow_space *space = find_space(v, asid);
    struct emt_caps caps;

    if (space)
        return space;
    emt_tsvc_caps(&v->svc, &caps);
    if (caps.asid_bits && (asid + VIRT_SHADOW_ASIDS) >> caps.asid_bits) {
        v->trouble = "the guest has more address spaces than the host's architecture has ASIDs";
        return NULL;
    }
    space = calloc(1, sizeof(*space));
    if (!space || emt_tdb_create(&space->tdb, &v->svc, (uint16_t)(asid + VIRT_SHADOW_ASIDS))) {
        free(space);
        virt_out_of_memory(v);
        return NULL;
    }
    space->asid = asid;
    space->next = v->shadow.spaces;
    v->shadow.spaces = space;
    return space;
}

/* ---- what guest and host say together ---- */

/* Without a trace. Not 0: one of them says nothing. *gpa: of va. */
static int look(struct virt *v, const struct shadow_space *space, uint64_t va, struct emt_walk *w, uint64_t *gpa) {
    struct emt_walk h;
    int err = mmu_peek_tables(v->guest_arch, v->memory, &space->root, va, EMT_LOAD, w);

    if (err || w->fault)
        return -ENOENT;
    *gpa = w->pa + (va - w->va);
    err = virt_find(v, *gpa, &h);
    if (!err)
        mmu_compose(w, va, &h);
    return err;
}

int shadow_truth(struct virt *v, struct mmu *m, uint64_t va, struct emt_walk *out) {
    const struct shadow_space *space = v->core[*v->current].space;
    uint64_t gpa;

    (void)m;
    return space ? look(v, space, va, out, &gpa) : -ENOENT;
}

/* ---- synchronization ---- */

static void drop_object(struct virt *v, struct emt_cursor *c) {
    if (!emt_cursor_erase(c))
        v->stats.shadow_drops++;
}

static bool still_true(struct virt *v, const struct shadow_space *space, const struct emt_tobj *o) {
    const struct emt_tsvc *svc = &v->svc;
    uint64_t pa = emt_tobj_get(svc, o, EMT_ATTR_PFN) << EMT_PAGE_SHIFT, gpa;
    struct emt_walk w;

    if (look(v, space, o->va, &w, &gpa))
        return false;
    return w.pa + (o->va - w.va) == pa && w.va + w.bytes - o->va >= o->bytes &&
           (!emt_tobj_get(svc, o, EMT_ATTR_WRITE) || (w.write && w.dirty)) &&
           (!emt_tobj_get(svc, o, EMT_ATTR_EXEC) || w.exec);
}

/* Entries in [start, end) that are no longer true go, or all of them; returns how many were looked at. */
static uint64_t compare(struct virt *v, struct shadow_space *space, uint64_t start, uint64_t end, bool all) {
    struct emt_cursor c;
    uint64_t n = 0;

    if (emt_cursor_open(&c, &space->tdb, start, end, NULL))
        return 0;
    for (; emt_cursor_next(&c); n++)
        if (all || !still_true(v, space, &c.obj))
            drop_object(v, &c);
    emt_cursor_close(&c);
    return n;
}

static uint64_t top(const struct virt *v) {
    struct emt_caps caps;

    emt_tsvc_caps(&v->svc, &caps);
    return (1ull << (caps.va_bits - 1)) - EMT_PAGE_BYTES;
}

static void synchronize(struct virt *v, struct shadow_space *space, bool all) {
    struct virt_account a = virt_begin(v, VIRT_SYNC);
    uint64_t n = compare(v, space, 0, top(v), all);

    shadow_protect(v);
    virt_end(v, &a, n * v->cfg.virt.sync_instructions);
}

/* ---- what the guest does ---- */

void virt_load_root(struct virt *v, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    struct virt_account a = virt_begin(v, VIRT_ROOT);
    struct shadow_space *space = asid ? get_space(v, asid) : NULL; /* 0: none from now on */

    if (space)
        space->root = *root;
    v->core[cpu].space = space;
    emt_tsvc_switch(&v->svc, cpu, space ? &space->tdb : NULL);
    virt_end(v, &a, 0);
    if (space && !v->guest_cfg.os.asids)
        synchronize(v, space, false);
}

void virt_update_root(struct virt *v, unsigned cpu, const struct emt_root *root) {
    struct virt_account a = virt_begin(v, VIRT_ROOT);

    if (v->core[cpu].space)
        v->core[cpu].space->root = *root;
    virt_end(v, &a, 0);
}

/* What hardware has cached of the guest's address space goes too, as the guest asked for. */
static void flush_hardware(struct virt *v, uint16_t asid, const struct emt_flush *f) {
    for (unsigned i = 0; i < v->cfg.core.count; i++)
        mmu_flush(v->core[i].mmu, (uint16_t)(asid + VIRT_SHADOW_ASIDS), f);
}

static unsigned flush_range(struct virt *v, uint16_t asid, const struct emt_flush *f) {
    uint64_t stride = f->stride ? f->stride : EMT_PAGE_BYTES;
    uint64_t n = (f->bytes - 1) / stride + 1, end = f->va + f->bytes;
    struct shadow_space *space = find_space(v, asid);
    struct virt_account a = virt_begin(v, VIRT_INVALIDATE);

    v->stats.op[VIRT_INVALIDATE].calls += n - 1; /* one exit for each instruction */
    if (space) {
        uint64_t limit = top(v), looked = 0;

        if (end > limit || end < f->va)
            end = limit;
        if (f->va < end)
            looked = compare(v, space, f->va, end, false);
        virt_end(v, &a, looked * v->cfg.virt.sync_instructions);
    } else {
        virt_end(v, &a, 0);
    }
    flush_hardware(v, asid, f);
    return n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
}

unsigned virt_flush(struct virt *v, uint16_t asid, const struct emt_flush *f) {
    bool range = f->kind == EMT_FLUSH_RANGE;

    if (range && !f->bytes)
        return 0;
    if (range && (f->bytes - 1) / (f->stride ? f->stride : EMT_PAGE_BYTES) < v->guest_cfg.os.flush_ceiling)
        return flush_range(v, asid, f);
    struct virt_account a = virt_begin(v, VIRT_ROOT);
    virt_end(v, &a, 0);
    for (struct shadow_space *space = v->shadow.spaces; space; space = space->next)
        if (f->kind == EMT_FLUSH_ALL || space->asid == asid)
            synchronize(v, space, f->tables && f->kind == EMT_FLUSH_ASID);
    flush_hardware(v, asid, &(struct emt_flush){.kind = range ? EMT_FLUSH_ASID : f->kind, .tables = f->tables});
    return 0;
}

/* ---- a fault of the hardware ---- */

/* The hypervisor's own walk of the guest's tables. */
struct software_walk {
    struct emt_port port;
    struct virt *v;
    unsigned tables; /* those that it read */
    struct {
        uint64_t frame;
        unsigned level;
    } table[MAX_TABLES];
};

static int software_fetch(struct emt_port *port, struct emt_fetch *f, unsigned n) {
    struct software_walk *w = (struct software_walk *)port;
    struct virt *v = w->v;

    for (unsigned i = 0; i < n; i++) {
        struct emt_walk page;

        if (f[i].pa + 8ull * f[i].words > v->memory->phys_bytes)
            return -EFAULT;
        int err = virt_back(v, f[i].pa, EMT_LOAD, false, &page);
        if (err)
            return err;
        v->host.table_reads++;
        v->host.stall_cycles += virt_word_access(v, page.pa + (f[i].pa - page.va), false);
        emt_host_read_line(v->memory, f[i].pa, f[i].words, f[i].data);
        if (w->tables < MAX_TABLES) {
            w->table[w->tables].frame = f[i].pa >> EMT_PAGE_SHIFT;
            w->table[w->tables++].level = f[i].level;
        }
    }
    return 0;
}

/* A and D of the guest's entries are set by who walks for it. */
static bool software_update(struct emt_port *port, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct virt *v = ((struct software_walk *)port)->v;
    struct emt_walk page;

    if (pa + 8 > v->memory->phys_bytes || virt_back(v, pa, EMT_STORE, false, &page))
        return false;
    v->host.table_writes++;
    v->host.stall_cycles += virt_word_access(v, page.pa + (pa - page.va), true);
    return __atomic_compare_exchange_n(emt_host_word(v->memory, pa), &expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void protect_tables(struct virt *v, const struct software_walk *w) {
    for (unsigned i = 0; i < w->tables; i++) {
        uint8_t *table = &v->shadow.table[w->table[i].frame];

        if (w->table[i].level > 1)
            *table = SHADOW_UPPER;
        else if (*table != SHADOW_UNSYNC)
            *table = SHADOW_LEAF;
    }
}

/* The largest object around va that shows no more than `w`. */
static int make_object(struct virt *v, struct shadow_space *space, uint64_t va, const struct emt_walk *w,
                       struct emt_tobj *o) {
    unsigned prot = EMT_PROT_USER | (w->write && w->dirty ? EMT_PROT_WRITE : 0) | (w->exec ? EMT_PROT_EXEC : 0);
    struct emt_caps caps;
    int err = -EINVAL;

    emt_tsvc_caps(&v->svc, &caps);
    for (uint64_t sizes = caps.page_sizes; sizes && err; sizes &= ~(1ull << (63 - __builtin_clzll(sizes)))) {
        uint64_t bytes = 1ull << (63 - __builtin_clzll(sizes)), first = va & -bytes;

        if (first < w->va || first + bytes > w->va + w->bytes || ((w->pa + (first - w->va)) & (bytes - 1)) ||
            (bytes > EMT_PAGE_BYTES && !emt_huge_possible(&space->tdb, first, bytes)))
            continue;
        err = emt_tobj_init(&v->svc, o, first, (w->pa + (first - w->va)) >> EMT_PAGE_SHIFT, bytes, prot);
    }
    if (err)
        return err;
    emt_tobj_set(&v->svc, o, EMT_ATTR_ACCESSED, 1);
    emt_tobj_set(&v->svc, o, EMT_ATTR_CONTIG, w->contig); /* only a hint: it may not be there */
    if (prot & EMT_PROT_WRITE)
        emt_tobj_set(&v->svc, o, EMT_ATTR_DIRTY, 1);
    return 0;
}

/* Put it in place of whatever is there. */
static int put_object(struct shadow_space *space, const struct emt_tobj *o) {
    uint64_t start = o->va, end = o->va + o->bytes;
    struct emt_cursor c;
    int err = emt_cursor_open(&c, &space->tdb, start, end, NULL);

    if (err)
        return err;
    bool other = emt_cursor_seek(&c, o->va) && (c.obj.va != o->va || c.obj.bytes != o->bytes);
    err = other ? -EEXIST : emt_cursor_set(&c, o);
    if (other && c.obj.va < start)
        start = c.obj.va;
    if (other && c.obj.va + c.obj.bytes > end)
        end = c.obj.va + c.obj.bytes;
    emt_cursor_close(&c);
    if (err != -EEXIST)
        return err;
    err = emt_cursor_open(&c, &space->tdb, start, end, NULL);
    if (err)
        return err;
    while (!err && emt_cursor_next(&c))
        err = emt_cursor_erase(&c);
    if (!err)
        err = emt_cursor_seek(&c, o->va) ? -EEXIST : emt_cursor_set(&c, o);
    emt_cursor_close(&c);
    return err;
}

static int fill(struct virt *v, struct shadow_space *space, uint64_t va, unsigned type, struct emt_walk *w) {
    uint64_t gpa = w->pa + (va - w->va);
    struct emt_walk h;
    struct emt_tobj o;
    int err = virt_back(v, gpa, type, false, &h);

    if (err)
        return err;
    mmu_compose(w, va, &h);
    err = make_object(v, space, va, w, &o);
    if (!err)
        err = shadow_use_add(v, space, o.va, gpa - (va - o.va), o.bytes);
    if (!err)
        err = put_object(space, &o);
    if (err == -ENOMEM)
        return virt_out_of_memory(v);
    if (err)
        v->trouble =
            "a shadow table cannot hold what guest and host say: a bug of the host's architecture, or of emt";
    v->stats.shadow_fills += !err;
    return err;
}

int shadow_fault(struct virt *v, uint64_t va, unsigned type) {
    struct shadow_space *space = v->core[*v->current].space;
    struct software_walk walk = {.port = {.fetch = software_fetch, .update = software_update}, .v = v};
    struct emt_access access = mmu_access_of(va, type);
    struct virt_account a = virt_begin(v, VIRT_SHADOW_FAULT);
    struct emt_walk w = {.fault = true};
    int err = space ? v->guest_arch->walker->walk(v->guest_arch, &space->root, &access, &walk.port, &w) : 0;

    if (v->trouble)
        err = -ENOMEM;
    else if (err < 0 || w.fault)
        err = 1;
    else
        err = fill(v, space, va, type, &w);
    protect_tables(v, &walk);
    v->stats.guest_faults += err == 1;
    virt_end(v, &a, err == 0 ? v->cfg.virt.fill_instructions : 0);
    return err;
}

/* ---- changes of the host ---- */

/* The entry at use->va goes, if there still is one. */
static void drop_use(struct virt *v, const struct shadow_use *use) {
    struct emt_tdb *tdb = &use->space->tdb;
    struct emt_cursor c;
    struct emt_tobj o;

    emt_range_lock(tdb, use->va, EMT_PAGE_BYTES);
    bool found = emt_tdb_find(tdb, use->va, &o) == 0;
    emt_range_unlock(tdb, use->va, EMT_PAGE_BYTES);
    if (!found || emt_cursor_open(&c, tdb, o.va, o.va + o.bytes, NULL))
        return;
    if (emt_cursor_seek(&c, o.va))
        drop_object(v, &c);
    emt_cursor_close(&c);
}

void shadow_settle(struct virt *v) {
    struct shadow *s = &v->shadow;
    struct shadow_use use;

    for (unsigned i = 0; i < s->npending; i++)
        while (shadow_use_take(v, s->pending[i].gpa, s->pending[i].bytes, &use))
            drop_use(v, &use);
    s->npending = 0;
}
