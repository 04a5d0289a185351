/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Random OS calls against a model of contents: see oracle.h. */
#include "oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hw/replacement.h"
#include "oracle_model.h"

static void configure(struct world *w) {
    struct emt_config *c = &w->cfg;

    c->core.count = 2;
    c->memory.bytes = w->setup->memory_bytes;
    c->memory.nodes = w->setup->nodes;
    c->os.thp = w->setup->thp;
    c->os.thp_on_fault = c->os.khugepaged = true;
    c->os.scan_every_instructions = 1000;
    c->os.scan_pages = 1024;
    c->os.max_ptes_none = 511;
    c->os.zero_page = w->setup->zero_page;
    c->os.fault_around_pages = w->setup->fault_around_pages;
    c->os.stack_bytes = 8 << 20;
    c->os.placement = w->setup->placement;
    c->os.contig_pages = 8;
    c->os.ca_split_order = 10;
    c->os.ca_replace_order = 9;
    c->os.eager_max_order = 12;
    c->os.ranger_every_instructions = 2000;
    c->os.ranger_pages = 4000;
    c->os.reclaim.policy = w->setup->reclaim;
    c->os.reclaim.swappiness = 60;
    c->os.reclaim.watermark_scale = 10;
    c->os.reclaim.scan_every_instructions = 1000;
    c->os.swap.bytes = w->setup->swap_bytes;
    c->os.swap.timing.device = w->setup->device;
    c->os.swap.readahead_pages = 8;
    c->os.limit_bytes = w->setup->limit_bytes;
    c->os.limit_process = 1;
    c->core.frequency_mhz = 2000;
    for (unsigned i = 0; i < os_cost_count; i++)
        c->os.cost[i] = os_cost_table[i].instructions;
}

static bool open_world(struct world *w) {
    static const unsigned pages[FILES] = {600, 64, 11};

    configure(w);
    if (emt_host_init(&w->host, w->setup->memory_bytes))
        return false;
    w->host.unmovable_frames = emt_host_frames(&w->host) / 16; /* tables of mosaic pages need a place */
    if (emt_tsvc_init(&w->svc, w->setup->own_arch ? w->setup->own_arch : emt_arch_find(w->setup->arch), &w->host,
                      w->setup->basic_only) ||
        os_new(&w->os, &w->cfg, &w->svc))
        return false;
    w->boot_tables = w->os->table_frames;
    w->host.flush = model_on_flush;
    w->host.hw = w;
    os_track_content(w->os);
    os_fail_io(w->os, w->setup->fail_every, w->setup->fail_every);
    for (unsigned i = 0; i < FILES; i++) {
        w->file[i] = model_object(w, i + 1, pages[i]);
        os_file(w->os, i + 1, pages[i] * PAGE - 100);
    }
    w->next_id = 2;
    if (os_process_new(w->os, 1, &w->process[0].p))
        return false;
    model_start(&w->process[0]);
    return true;
}

static void close_world(struct world *w) {
    const struct os_stats *s = os_stats_of(w->os);

    w->counts.huge_faults = s->op[OS_FAULT_HUGE].calls;
    w->counts.splits = s->huge_splits;
    w->counts.collapses = s->huge_collapses;
    w->counts.copies = s->pages_copied_bytes / PAGE;
    w->counts.placed = s->place.hits;
    w->counts.moved = s->place.migrated_bytes + s->place.exchanged_bytes;
    w->counts.swapped_out = s->reclaim.swapped_out;
    w->counts.swapped_in = s->reclaim.swapped_in;
    w->counts.refaults = s->reclaim.refaults;
    w->counts.written_back = s->reclaim.written_back;
    w->counts.discarded = s->reclaim.discarded;
    w->counts.conflicts = s->reclaim.conflicts;
    w->counts.ghosts = s->reclaim.ghosts_evicted;
    for (unsigned n = 0; n < PROCESSES; n++)
        if (w->process[n].p)
            os_exit(w->process[n].p);
    if (!w->bad && (os_verify(w->os) || w->os->table_frames != w->boot_tables))
        model_fail(w, NULL, 0, "after all processes ended %" PRIu64 " table frames remain",
                   w->os->table_frames - w->boot_tables);
    os_free(w->os);
    emt_tsvc_fini(&w->svc);
    emt_host_fini(&w->host);
    while (w->objects) {
        struct object *o = w->objects;
        w->objects = o->next;
        free(o);
    }
}

/* Whom the OOM killer has ended is waited for; the first one comes again. */
static void bury(struct world *w) {
    for (unsigned n = 0; n < PROCESSES; n++) {
        struct process *pr = &w->process[n];

        if (!pr->p || !pr->p->killed)
            continue;
        w->counts.killed++;
        os_exit(pr->p);
        pr->p = NULL;
        if (n == 0 && os_process_new(w->os, w->next_id++, &pr->p))
            abort();
        if (n == 0)
            model_start(pr);
    }
}

void oracle_calls_of(uint64_t seed, uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(hw_random(&seed) >> 32);
}

int oracle_run(const struct oracle_setup *setup, const uint8_t *bytes, size_t n, struct oracle_counts *counts) {
    struct world *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    w->setup = setup;
    w->at = bytes;
    w->end = bytes + n;
    if (!open_world(w)) {
        fprintf(stderr, "oracle: cannot set up\n");
        abort();
    }
    while (w->at < w->end && !w->bad) {
        w->host.fail_at = w->fail_at;
        w->fail_at = 0;
        model_call(w);
        w->host.fail_at = 0;
        w->counts.calls++;
        bury(w);
        if (!w->bad)
            model_tlb_check(w);
        if (!w->bad && w->counts.calls % setup->verify_every == 0)
            model_check(w);
    }
    if (!w->bad)
        model_check(w);
    for (unsigned k = 0; k < PROCESSES; k++)
        for (unsigned i = 0; i < PAGES && w->process[k].p && !w->bad; i++)
            model_load(w, &w->process[k], i);
    bury(w);
    if (!w->bad)
        model_check(w);
    bool bad = w->bad;
    close_world(w);
    bad |= w->bad;
    if (counts)
        *counts = w->counts;
    free(w);
    return bad ? -1 : 0;
}
