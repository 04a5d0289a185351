/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The OS as a whole: made and freed, its files, and pictures of its memory. */
#include <stdlib.h>
#include <string.h>

#include "os/contiguity.h"
#include "os/reclaim.h"

const char *const os_op_name[OS_OPS] = {
    [OS_FAULT_ANON] = "fault_anon",
    [OS_FAULT_HUGE] = "fault_huge",
    [OS_FAULT_ZERO] = "fault_zero",
    [OS_FAULT_FILE] = "fault_file",
    [OS_FAULT_COW] = "fault_cow",
    [OS_FAULT_SWAP] = "fault_swap",
    [OS_FAULT_SPURIOUS] = "fault_spurious",
    [OS_FAULT_BAD] = "fault_bad",
    [OS_MMAP] = "mmap",
    [OS_MUNMAP] = "munmap",
    [OS_MPROTECT] = "mprotect",
    [OS_MREMAP] = "mremap",
    [OS_BRK] = "brk",
    [OS_MADVISE] = "madvise",
    [OS_FORK] = "fork",
    [OS_EXIT] = "exit",
    [OS_EXEC] = "exec",
    [OS_KHUGEPAGED] = "khugepaged",
    [OS_RANGER] = "ranger",
    [OS_SHOOTDOWN] = "shootdown",
    [OS_SWITCH] = "switch",
    [OS_KSWAPD] = "kswapd",
    [OS_RECLAIM] = "reclaim",
    [OS_BALLOON] = "balloon",
    [OS_TLB_REFILL] = "tlb_refill",
};

const char *const os_use_name[OS_USES] = {"free", "4K", "2M", "1G", "file", "table", "occupied"};

/* ---- frames for tables ---- */

static uint64_t table_frame_alloc(void *ctx, unsigned order) {
    struct os *os = ctx;
    uint64_t pfn = order > FRAMES_MAX_ORDER
                       ? frames_alloc_large(os->frames, order, os->node, OS_USE_TABLE)
                       : frames_alloc(os->frames, order, os->node, FRAME_UNMOVABLE, OS_USE_TABLE);

    account_cost(os, OS_COST_FRAME_ALLOC, 1);
    if (pfn == FRAME_NONE)
        return EMT_NO_PA;
    os->table_frames += 1ull << order;
    return pfn << EMT_PAGE_SHIFT;
}

static void table_frame_free(void *ctx, uint64_t pa, unsigned order) {
    struct os *os = ctx;

    account_cost(os, OS_COST_FRAME_FREE, 1);
    os->table_frames -= 1ull << order;
    if (order > FRAMES_MAX_ORDER)
        frames_free_large(os->frames, pa >> EMT_PAGE_SHIFT, order);
    else
        frames_free(os->frames, pa >> EMT_PAGE_SHIFT);
}

/* ---- life ---- */

static void set_limits(struct os *os) {
    uint64_t sizes = os->caps.page_sizes & (os->caps.page_sizes - 1); /* without the smallest */
    unsigned bits = os->caps.va_bits - 1 < 56 ? os->caps.va_bits - 1u : 56;
    uint64_t classic = 1ull << 47, below;

    os->huge_bytes = sizes & -sizes;
    if (os->huge_bytes)
        os->huge_order = emt_log2(os->huge_bytes) - EMT_PAGE_SHIFT;
    if (os->huge_order > FRAMES_MAX_ORDER)
        os->huge_bytes = os->huge_order = 0;
    os->asid_limit = os->caps.asid_bits && os->caps.asid_bits < 16 ? 1u << os->caps.asid_bits : 65536;
    os->user_top = (1ull << bits) - PAGE;
    /* Below the stack's room: at least 128 MiB, at most five sixths of all (Linux's mmap_base). */
    classic = min_u64(classic - PAGE, os->user_top);
    below = min_u64(max_u64(round_up(os->cfg.os.stack_bytes, PAGE), 128ull << 20), classic / 6 * 5);
    os->mmap_top = round_down(classic - below - VMA_GUARD_BYTES, PAGE);
}

int os_new(struct os **out, const struct emt_config *cfg, struct emt_tsvc *svc) {
    struct os *os = calloc(1, sizeof(*os));

    if (!os)
        return -ENOMEM;
    os->cfg = *cfg;
    os->svc = svc;
    os->host = svc->host;
    os->zero_pfn = os->huge_zero_pfn = FRAME_NONE;
    os->node = 0;
    emt_tsvc_caps(svc, &os->caps);
    set_limits(os);
    int err = frames_new(&os->frames, cfg);
    if (err) {
        free(os);
        return err;
    }
    err = placement_init(os) ? -ENOMEM : reclaim_new(os);
    if (err) {
        os_free(os);
        return err;
    }
    os->pending = malloc(ZAP_BYTES / PAGE * sizeof(*os->pending));
    if (!os->pending) {
        os_free(os);
        return -ENOMEM;
    }
    os->host->os = os;
    os->host->frame_alloc = table_frame_alloc;
    os->host->frame_free = table_frame_free;
    os->booted = emt_tsvc_boot(svc) == 0;
    if (cfg->memory.fragmented > 0)
        frames_fragment(os->frames, cfg->memory.fragmented, cfg->memory.occupied, cfg->memory.fragment_bytes,
                        cfg->memory.seed);
    os->boot_clusters = contig_clusters(os);
    os->reserved_frames = frames_total(os->frames) - frames_free_total(os->frames) - os->table_frames;
    *out = os;
    return 0;
}

static void free_cached(void *ctx, struct os_file *f, uint64_t page, uint64_t pfn) {
    file_set_page(f, page, FILE_NONE); /* has its leaf: cannot fail */
    page_free(ctx, pfn);
}

static void free_swapped(void *ctx, struct os_file *f, uint64_t page, uint64_t value) {
    file_set_page(f, page, FILE_NONE);
    swap_drop(ctx, value & ~FILE_SWAP);
}

void os_file_put(struct os *os, struct os_file *f) {
    if (--f->refs)
        return;
    file_each_page(f, 0, ~0ull, free_cached, os);
    file_each_swapped(f, 0, ~0ull, free_swapped, os);
    disk_forget(os, f, 0);
    filecache_delete(&os->files, f);
}

void os_free(struct os *os) {
    if (!os)
        return;
    while (os->nprocess)
        os_exit(os->process[os->nprocess - 1]);
    while (os->files.first)
        os_file_put(os, os->files.first);
    if (os->booted)
        emt_tsvc_shutdown(os->svc);
    reclaim_free(os);
    frames_free_all(os->frames);
    sizes_free(os->boot_clusters);
    free(os->files.by_id);
    free(os->process);
    free(os->pending);
    free(os->content);
    free(os);
}

const struct os_stats *os_stats_of(const struct os *os) {
    return &os->stats;
}

void os_reset_stats(struct os *os) {
    struct os_stats old = os->stats;

    os->stats = (struct os_stats){.resident_peak_bytes = old.resident_peak_bytes,
                                  .reclaim.swap_used_bytes = old.reclaim.swap_used_bytes,
                                  .reclaim.swap_peak_bytes = old.reclaim.swap_peak_bytes};
    memcpy(os->stats.mapped_bytes, old.mapped_bytes, sizeof(old.mapped_bytes));
    if (os->reclaim) /* the clock begins again */
        os->reclaim->swap_device.free_at = os->reclaim->file_device.free_at = 0;
}

/* ---- files ---- */

/* Remove the mappings of cached pages in [start, end) of a private VMA; private copies stay. */
static int zap_cached(struct os_process *p, uint64_t start, uint64_t end) {
    struct os *os = p->os;
    struct emt_cursor c;
    uint64_t done = 0;
    int err = emt_cursor_open(&c, &p->tdb, start, end, NULL);

    if (err)
        return err;
    while (!err && emt_cursor_next(&c)) {
        uint64_t pfn = tobj(os, &c.obj, EMT_ATTR_PFN);

        if (!tobj(os, &c.obj, EMT_ATTR_PRESENT) || frames_of(os->frames, pfn)->use != OS_USE_FILE)
            continue; /* a copy, in memory or in swap */
        err = emt_cursor_erase(&c);
        if (err)
            break;
        page_put(os, pfn, PAGE); /* the cache keeps it until after the flush */
        done++;
    }
    emt_cursor_close(&c);
    page_count_mapped(os, PAGE, -(int64_t)done);
    account_cost(os, OS_COST_PAGE_REMOVE, done);
    return err;
}

int os_file_drop(struct os *os, struct os_file *f, uint64_t first, uint64_t end, bool private_too) {
    int err = 0;

    for (uint64_t i = 0; i < os->nprocess && !err; i++) {
        struct os_process *p = os->process[i];

        for (struct vma *v = p->vmas.first; v && !err; v = v->next) {
            uint64_t lo = vma_page(v, v->start), hi = lo + ((v->end - v->start) >> EMT_PAGE_SHIFT);

            if (v->file != f || hi <= first || lo >= end)
                continue;
            uint64_t from = v->start + (max_u64(first, lo) - lo) * PAGE,
                     to = v->start + (min_u64(end, hi) - lo) * PAGE;
            err = vma_private(v) && !private_too ? zap_cached(p, from, to) : page_zap(p, from, to);
        }
    }
    if (!err)
        file_each_page(f, first, end, free_cached, os);
    if (!err)
        file_each_swapped(f, first, end, free_swapped, os);
    return err;
}

int os_file(struct os *os, uint64_t file, uint64_t bytes) {
    struct os_file *f = file ? filecache_find(&os->files, file) : NULL;

    if (!file || bytes >> 60)
        return -EINVAL;
    if (!f)
        return filecache_new(&os->files, file, bytes) ? 0 : -ENOMEM;
    uint64_t end = round_up(bytes, PAGE) >> EMT_PAGE_SHIFT;
    bool shorter = bytes < f->bytes;
    f->bytes = bytes;
    /* Truncation takes private copies too; a page that is cut in the middle stays. */
    if (!shorter)
        return 0;
    int err = os_file_drop(os, f, end, ~0ull, true);
    if (!err) {
        file_forget(f, end);
        disk_forget(os, f, end);
    }
    return err;
}

/* ---- pictures ---- */

void os_memory_map(const struct os *os, struct os_cell *cells, unsigned n) {
    frames_map(os->frames, cells, n);
}

void os_free_blocks(const struct os *os, uint64_t count[11]) {
    frames_free_blocks(os->frames, count);
}

unsigned os_places(const struct os *os, struct os_places out[EMT_PLACE_GROUPS]) {
    struct emt_place_group group[EMT_PLACE_GROUPS];
    const unsigned n = emt_tsvc_place_groups(os->svc, group);

    for (unsigned i = 0; i < n; i++) {
        const struct emt_place_group *g = &group[i];
        out[i] = (struct os_places){.group = *g};
        for (uint64_t k = 0; k < g->groups; k++)
            out[i].used[g->frames - frames_free_in(os->frames, g->pfn + k * g->every, g->frames)]++;
    }
    return n;
}

double os_fragmentation(const struct os *os, unsigned order) {
    return frames_fragmentation(os->frames, order);
}
