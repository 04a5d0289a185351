/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * struct emt_result to JSON. Keys come in the order in which they stand here, integers are exact, doubles have 12
 * digits and nothing depends on when or where it ran: the same run gives the same bytes.
 */
#include "report/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hw/histogram.h"
#include "machine/settings.h"
#include "os/costs.h"
#include "report/output.h"
#include "report/report.h"

/* ---- values ---- */

/* JSON integers are signed 64-bit here: what no counter reaches stays at the end of the range. */
static json_int_t whole(uint64_t x) {
    return x > INT64_MAX ? INT64_MAX : (json_int_t)x;
}

/* There is no NaN or infinity in JSON: what has no value is null. */
static json_t *real(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *ratio(double a, double b) {
    return b > 0 ? real(a / b) : json_null();
}

/* JSON is UTF-8, a command line need not be: a character cut at the end goes, other stray bytes become '?'. */
static json_t *text(const char *s) {
    size_t bytes = strlen(s);
    json_t *value = NULL;
    char *copy;

    for (unsigned cut = 0; !value && cut < 4 && cut <= bytes; cut++)
        value = json_stringn(s, bytes - cut);
    if (value)
        return value;
    copy = strdup(s);
    for (char *p = copy; p && *p; p++)
        if (*p & 0x80)
            *p = '?';
    value = copy ? json_string(copy) : NULL;
    free(copy);
    return value;
}

/* ---- hardware ---- */

static json_t *latency(const struct hw_histogram *h) {
    json_t *buckets = json_array();

    for (unsigned i = 0; i < HW_HISTOGRAM_BUCKETS; i++) {
        uint64_t from = hw_bucket_low(i), to = hw_bucket_low(i + 1) - 1;

        if (h->bucket[i] && json_array_append_new(buckets, json_pack("{s:I,s:I,s:I}", "from", whole(from), "to",
                                                                     whole(to), "count", whole(h->bucket[i]))) != 0)
            return json_decref(buckets), NULL;
    }
    return json_pack("{s:I,s:I,s:I,s:I,s:o}", "count", whole(h->count), "sum", whole(h->sum), "p50",
                     whole(hw_percentile(h, 50)), "p99", whole(hw_percentile(h, 99)), "buckets", buckets);
}

/* An access that misses a level is counted in one of its TLBs (hw/mmu.c): sums over a level are exact. */
static json_t *tlb_level(const struct emt_result *r, uint32_t level) {
    json_t *structures = json_array();
    uint64_t hits = 0, misses = 0;

    for (uint32_t i = 0; i < r->ntlb; i++) {
        const struct result_tlb *t = &r->tlb[i];

        if (t->level != level)
            continue;
        hits += t->hits;
        misses += t->misses;
        if (json_array_append_new(structures,
                                  json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:I}", "name", text(t->name), "entries",
                                            whole(t->entries), "ways", whole(t->ways), "hits", whole(t->hits),
                                            "misses", whole(t->misses), "sub_misses", whole(t->sub_misses),
                                            "evictions", whole(t->evictions))) != 0)
            return json_decref(structures), NULL;
    }
    return json_pack("{s:I,s:I,s:I,s:o}", "level", whole(level), "hits", whole(hits), "misses", whole(misses),
                     "structures", structures);
}

static json_t *tlb(const struct emt_result *r) {
    json_t *levels = json_array();
    uint32_t last = 0;

    for (uint32_t i = 0; i < r->ntlb; i++)
        last = r->tlb[i].level > last ? r->tlb[i].level : last;
    for (uint32_t level = 1; level <= last; level++)
        if (json_array_append_new(levels, tlb_level(r, level)) != 0)
            return json_decref(levels), NULL;
    return levels;
}

static json_t *mmu_caches(const struct result_mmu_cache *list, uint32_t n) {
    json_t *all = json_array();

    for (uint32_t i = 0; i < n; i++) {
        const struct result_mmu_cache *c = &list[i];

        if (json_array_append_new(all, json_pack("{s:o,s:I,s:I,s:I}", "name", text(c->name), "entries",
                                                 whole(c->entries), "hits", whole(c->hits), "misses",
                                                 whole(c->misses))) != 0)
            return json_decref(all), NULL;
    }
    return all;
}

static json_t *driver(const struct emt_result *r) {
    json_t *all = json_object();

    for (uint32_t i = 0; i < r->ndriver; i++)
        if (json_object_set_new(all, r->driver[i].name, json_integer(whole(r->driver[i].value))) != 0)
            return json_decref(all), NULL;
    return all;
}

static json_t *walks(const struct mmu_stats *m) {
    const uint64_t *served = m->walk_refs_served;

    return json_pack("{s:I,s:I,s:o,s:I,s:o,s:I,s:{s:I,s:I,s:I,s:I},s:I,s:o}", "count", whole(m->walks), "refs",
                     whole(m->walk_refs), "refs_per_walk", ratio((double)m->walk_refs, (double)m->walks), "cycles",
                     whole(m->walk_cycles), "cycles_per_walk", ratio((double)m->walk_cycles, (double)m->walks),
                     "faults", whole(m->walk_faults), "refs_served", "l1", whole(served[0]), "l2", whole(served[1]),
                     "llc", whole(served[2]), "memory", whole(served[3]), "handler_instructions",
                     whole(m->handler_instructions), "latency", latency(&m->walk_latency));
}

/* What a predictor did; all 0 without one. */
static json_t *prediction(const struct mmu_stats *m) {
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "guesses",
                     whole(m->guess_right + m->guess_wrong + m->guess_fault), "right", whole(m->guess_right),
                     "wrong", whole(m->guess_wrong), "fault", whole(m->guess_fault), "none", whole(m->guess_none),
                     "hidden_cycles", whole(m->hidden_cycles));
}

/* What was translated by ranges instead of pages; all 0 in architectures without. */
static json_t *ranges(const struct emt_result *r) {
    return json_pack("{s:I,s:I,s:I,s:I}", "hits", whole(r->mmu.range_hits), "misses", whole(r->mmu.range_misses),
                     "fills", whole(r->mmu.range_fills), "segment_hits", whole(r->segment_hits));
}

static json_t *caches(const struct emt_result *r) {
    json_t *all = json_array();

    for (uint32_t i = 0; i < r->ncache; i++) {
        const struct result_cache *c = &r->cache[i];

        if (json_array_append_new(all,
                                  json_pack("{s:o,s:{s:I,s:I},s:{s:I,s:I},s:{s:I,s:I}}", "name", text(c->name),
                                            "data", "hits", whole(c->data_hits), "misses", whole(c->data_misses),
                                            "walk", "hits", whole(c->walk_hits), "misses", whole(c->walk_misses),
                                            "os", "hits", whole(c->os_hits), "misses", whole(c->os_misses))) != 0)
            return json_decref(all), NULL;
    }
    return all;
}

/* ---- operating system ---- */

/* The description of the OS that programs see. */
static const struct emt_config *side(const struct emt_result *r) {
    return r->virt.mode == CFG_NATIVE ? &r->cfg : &r->virt.guest;
}

static json_t *operation(const struct os_op_stats *s, double instructions, double cpi, double more) {
    double cycles = instructions * cpi + (double)s->stall_cycles + (double)s->extra_cycles + more;

    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "calls", whole(s->calls), "instructions",
                     whole(s->instructions), "table_reads", whole(s->table_reads), "table_writes",
                     whole(s->table_writes), "stall_cycles", whole(s->stall_cycles), "extra_cycles",
                     whole(s->extra_cycles), "cycles", real(cycles));
}

static json_t *by_operation(const struct os_stats *os, double cpi) {
    json_t *all = json_object();

    for (unsigned i = 0; i < OS_OPS; i++) {
        const struct os_op_stats *s = &os->op[i];
        double instructions = i == OS_TLB_REFILL ? 0 : (double)s->instructions; /* their time is translation */

        if (json_object_set_new(all, os_op_name[i], operation(s, instructions, cpi, 0)) != 0)
            return json_decref(all), NULL;
    }
    return all;
}

static json_t *faults(const struct os_stats *s) {
    static const struct {
        const char *name;
        enum os_op op;
    } kind[] = {{"anon", OS_FAULT_ANON},         {"huge", OS_FAULT_HUGE}, {"zero", OS_FAULT_ZERO},
                {"file", OS_FAULT_FILE},         {"cow", OS_FAULT_COW},   {"swap", OS_FAULT_SWAP},
                {"spurious", OS_FAULT_SPURIOUS}, {"bad", OS_FAULT_BAD}};
    json_t *all = json_object();
    uint64_t total = 0;

    for (unsigned i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
        total += s->op[kind[i].op].calls;
        if (json_object_set_new(all, kind[i].name, json_integer(whole(s->op[kind[i].op].calls))) != 0)
            return json_decref(all), NULL;
    }
    if (json_object_set_new(all, "total", json_integer(whole(total))) != 0)
        return json_decref(all), NULL;
    return all;
}

static json_t *device(const struct os_device_stats *d) {
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "reads", whole(d->reads), "writes", whole(d->writes),
                     "read_bytes", whole(d->read_bytes), "write_bytes", whole(d->write_bytes), "busy_cycles",
                     whole(d->busy_cycles), "wait_cycles", whole(d->wait_cycles), "errors", whole(d->errors));
}

static json_t *reclaim(const struct os_reclaim_stats *s) {
    const struct {
        const char *name;
        uint64_t value;
    } figure[] = {{"kswapd", s->kswapd},
                  {"direct", s->direct},
                  {"scanned", s->scanned},
                  {"rotated", s->rotated},
                  {"reclaimed", s->reclaimed},
                  {"reclaimed_anon", s->reclaimed_anon},
                  {"reclaimed_file", s->reclaimed_file},
                  {"refaults", s->refaults},
                  {"activated", s->activated},
                  {"written_back", s->written_back},
                  {"discarded", s->discarded},
                  {"swapped_out", s->swapped_out},
                  {"swapped_in", s->swapped_in},
                  {"swap_cached", s->swap_cached},
                  {"read_ahead", s->read_ahead},
                  {"read_ahead_used", s->read_ahead_used},
                  {"swap_used_bytes", s->swap_used_bytes},
                  {"swap_peak_bytes", s->swap_peak_bytes},
                  {"limit_hits", s->limit_hits},
                  {"conflicts", s->conflicts},
                  {"ghosts_evicted", s->ghosts_evicted},
                  {"oom_kills", s->oom_kills}};
    json_t *all = json_pack("{s:o,s:o}", "swap_device", device(&s->swap), "file_device", device(&s->file));

    for (unsigned i = 0; i < sizeof(figure) / sizeof(figure[0]); i++)
        if (json_object_set_new(all, figure[i].name, json_integer(whole(figure[i].value))) != 0)
            return json_decref(all), NULL;
    return all;
}

/* How many instruction costs are estimates: those whose table says so and which nobody has set otherwise. */
static int cost_estimates(const struct emt_config *cfg) {
    int n = 0;

    for (unsigned i = 0; i < os_cost_count; i++)
        n += cfg->os.cost[i] == os_cost_table[i].instructions &&
             strncmp(os_cost_table[i].source, "estimate", 8) == 0;
    return n;
}

static json_t *placement(const struct os_place_stats *s) {
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "hits", whole(s->hits), "busy",
                     whole(s->busy), "outside", whole(s->outside), "other_node", whole(s->other_node), "placements",
                     whole(s->placements), "replaced", whole(s->replaced), "no_cluster", whole(s->no_cluster),
                     "eager_bytes", whole(s->eager_bytes), "migrated_bytes", whole(s->migrated_bytes),
                     "exchanged_bytes", whole(s->exchanged_bytes), "unmovable_pages", whole(s->unmovable_pages));
}

static json_t *os(const struct emt_result *r) {
    const struct os_stats *s = &r->os;

    return json_pack("{s:o,s:I,s:o,s:I,s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "faults", faults(s),
                     "instructions", whole(r->os_instructions), "cycles", real(r->cycles_os), "table_bytes",
                     whole(r->table_bytes), "table_bytes_peak", whole(r->table_bytes_peak), "by_operation",
                     by_operation(&r->os, side(r)->os.cpi), "zeroed_bytes", whole(s->pages_zeroed_bytes),
                     "copied_bytes", whole(s->pages_copied_bytes), "huge_splits", whole(s->huge_splits),
                     "huge_collapses", whole(s->huge_collapses), "huge_fallbacks", whole(s->huge_fallbacks),
                     "out_of_memory", whole(s->out_of_memory), "segv", whole(s->segv), "cost_figures",
                     whole(os_cost_count), "cost_estimates", (json_int_t)cost_estimates(&r->cfg), "placement",
                     placement(&s->place), "reclaim", reclaim(&s->reclaim));
}

/* ---- memory ---- */

/* Equal neighbours become one entry, uses of 0 bytes are left out: a picture of an empty memory is one line. */
static json_t *memory_map(const struct emt_result *r) {
    json_t *runs = json_array();

    for (unsigned i = 0, next; i < RESULT_CELLS; i = next) {
        json_t *run = json_object();
        int bad;

        for (next = i + 1; next < RESULT_CELLS; next++)
            if (memcmp(&r->cell[next], &r->cell[i], sizeof(r->cell[i])) != 0)
                break;
        bad = json_object_set_new(run, "cells", json_integer(next - i));
        for (unsigned use = 0; use < OS_USES; use++)
            if (r->cell[i].bytes[use])
                bad |= json_object_set_new(run, os_use_name[use], json_integer(whole(r->cell[i].bytes[use])));
        if (json_array_append_new(runs, run) != 0 || bad)
            return json_decref(runs), NULL;
    }
    return runs;
}

static json_t *numbers(const uint64_t *value, unsigned n) {
    json_t *all = json_array();

    for (unsigned i = 0; i < n; i++)
        if (json_array_append_new(all, json_integer(whole(value[i]))) != 0)
            return json_decref(all), NULL;
    return all;
}

/* For each view the mappings that cover 90, 99 and 100 %; null where they are not known. */
static json_t *mappings(const struct os_contiguity *c) {
    json_t *all = json_object();

    for (unsigned v = 0; v < OS_VIEWS; v++) {
        bool known = !c->resident_bytes || c->mappings[v][0];

        if (json_object_set_new(all, os_view_name[v], known ? numbers(c->mappings[v], OS_SHARES) : json_null()) !=
            0)
            return json_decref(all), NULL;
    }
    return all;
}

/* Physical memory coloured by run; equal neighbours become one entry. */
static json_t *run_map(const struct emt_result *r) {
    json_t *runs = json_array();

    for (unsigned i = 0, next; i < RESULT_CELLS; i = next) {
        for (next = i + 1; next < RESULT_CELLS && r->run_of_cell[next] == r->run_of_cell[i]; next++)
            ;
        if (json_array_append_new(
                runs, json_pack("{s:i,s:i}", "cells", (int)(next - i), "run", (int)r->run_of_cell[i])) != 0)
            return json_decref(runs), NULL;
    }
    return runs;
}

static json_t *samples(const struct emt_result *r) {
    json_t *all = json_array();

    for (unsigned i = 0; i < r->nsample; i++) {
        const struct result_sample *s = &r->sample[i];

        if (json_array_append_new(all,
                                  json_pack("{s:I,s:I,s:I,s:o}", "accesses", whole(s->accesses), "resident_bytes",
                                            whole(s->resident_bytes), "longest_bytes", whole(s->longest_bytes),
                                            "ranges", numbers(s->ranges, OS_SHARES))) != 0)
            return json_decref(all), NULL;
    }
    return all;
}

static json_t *contiguity(const struct emt_result *r) {
    const struct os_contiguity *c = &r->contiguity;
    unsigned longest = 0;

    while (longest < OS_LONGEST && c->longest[longest])
        longest++;
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:o,s:I,s:o,s:o,s:o}", "resident_bytes", whole(c->resident_bytes),
                     "runs", whole(c->runs), "runs_99", whole(c->runs_99), "longest_bytes", whole(c->longest_bytes),
                     "touched_bytes", whole(c->touched_bytes), "mappings", mappings(c), "anchor_pages",
                     whole(c->anchor_pages), "longest", numbers(c->longest, longest), "map", run_map(r),
                     "over_time", samples(r));
}

/* Groups of frames by how many of them are in use; [] where pages may lie anywhere. */
static json_t *places(const struct emt_result *r) {
    json_t *all = json_array();

    for (unsigned i = 0; i < r->nplaces; i++) {
        const struct emt_place_group *g = &r->places[i].found.group;
        json_t *expected = json_array();
        int bad = 0;

        for (unsigned used = 0; used <= g->frames; used++)
            bad |= json_array_append_new(expected, real(r->places[i].expected[used]));
        if (json_array_append_new(
                all, json_pack("{s:s,s:I,s:i,s:i,s:o,s:o}", "name", g->name, "groups", whole(g->groups), "frames",
                               (int)g->frames, "choices", (int)g->choices, "used",
                               numbers(r->places[i].found.used, g->frames + 1), "expected", expected)) != 0 ||
            bad)
            return json_decref(all), NULL;
    }
    return all;
}

static json_t *memory(const struct emt_result *r) {
    const uint64_t *mapped = r->os.mapped_bytes;
    json_t *blocks = json_array();
    int bad = 0;

    for (unsigned i = 0; i < sizeof(r->free_blocks) / sizeof(r->free_blocks[0]); i++)
        bad |= json_array_append_new(blocks, json_integer(whole(r->free_blocks[i])));
    if (bad)
        return json_decref(blocks), NULL;
    return json_pack("{s:I,s:{s:I,s:I,s:I},s:I,s:o,s:o,s:o,s:o,s:o}", "bytes", whole(side(r)->memory.bytes),
                     "mapped_bytes", "4K", whole(mapped[0]), "2M", whole(mapped[1]), "1G", whole(mapped[2]),
                     "resident_peak_bytes", whole(r->os.resident_peak_bytes), "fragmentation",
                     real(r->fragmentation), "free_blocks", blocks, "contiguity", contiguity(r), "places",
                     places(r), "map", memory_map(r));
}

/* ---- below a guest ---- */

static json_t *exits(const struct result_virt *v) {
    json_t *all = json_object();
    uint64_t total = 0;

    for (unsigned i = 0; i < VIRT_OPS; i++) {
        const struct os_op_stats *s = &v->stats.op[i];
        uint64_t left = i == VIRT_SYNC ? 0 : s->calls;

        total += left;
        if (json_object_set_new(all, virt_op_name[i],
                                operation(s, (double)s->instructions, v->host.os.cpi,
                                          (double)left * v->host.virt.exit_cycles)) != 0)
            return json_decref(all), NULL;
    }
    if (json_object_set_new(all, "total", json_integer(whole(total))) != 0)
        return json_decref(all), NULL;
    return all;
}

static json_t *nested(const struct emt_result *r) {
    const struct result_virt *v = &r->virt;
    const struct result_tlb *t = &v->nested_tlb;

    if (v->mode != CFG_NESTED)
        return json_null();
    return json_pack("{s:I,s:I,s:I,s:I,s:{s:I,s:I,s:I,s:I},s:o,s:o}", "guest_refs", whole(v->guest_refs),
                     "host_refs", whole(v->second.walk_refs), "violations", whole(r->mmu.violations), "splintered",
                     whole(r->mmu.splintered), "tlb", "entries", whole(t->entries), "hits", whole(t->hits),
                     "misses", whole(t->misses), "evictions", whole(t->evictions), "mmu_caches",
                     mmu_caches(v->mmu_cache, v->nmmu_cache), "walks", walks(&v->second));
}

static json_t *shadow(const struct result_virt *v) {
    if (v->mode != CFG_SHADOW)
        return json_null();
    return json_pack("{s:I,s:I,s:I,s:I}", "guest_faults", whole(v->stats.guest_faults), "fills",
                     whole(v->stats.shadow_fills), "drops", whole(v->stats.shadow_drops), "unsyncs",
                     whole(v->stats.unsyncs));
}

static json_t *host(const struct result_virt *v) {
    const struct os_contiguity *c = &v->contiguity;
    const uint64_t *mapped = v->os.mapped_bytes;

    return json_pack(
        "{s:o,s:o,s:I,s:o,s:I,s:I,s:o,s:I,s:{s:I,s:I,s:I},s:I,s:o,s:{s:I,s:I,s:I,s:I},s:I,s:I,s:o,s:o}", "mmu",
        text(v->host.mmu), "faults", faults(&v->os), "instructions", whole(v->os_instructions), "cycles",
        real(v->cycles_host_os), "table_bytes", whole(v->table_bytes), "table_bytes_peak",
        whole(v->table_bytes_peak), "by_operation", by_operation(&v->os, v->host.os.cpi), "bytes",
        whole(v->host.memory.bytes), "mapped_bytes", "4K", whole(mapped[0]), "2M", whole(mapped[1]), "1G",
        whole(mapped[2]), "resident_peak_bytes", whole(v->os.resident_peak_bytes), "fragmentation",
        real(v->fragmentation), "contiguity", "resident_bytes", whole(c->resident_bytes), "runs", whole(c->runs),
        "runs_99", whole(c->runs_99), "longest_bytes", whole(c->longest_bytes), "changes",
        whole(v->stats.host_changes), "balloon_pages", whole(v->stats.balloon_pages), "placement",
        placement(&v->os.place), "reclaim", reclaim(&v->os.reclaim));
}

/* null for a machine without a hypervisor. */
static json_t *virt(const struct emt_result *r) {
    static const char *const mode[] = {[CFG_NESTED] = "nested", [CFG_SHADOW] = "shadow"};
    const struct result_virt *v = &r->virt;

    if (v->mode == CFG_NATIVE)
        return json_null();
    return json_pack("{s:s,s:o,s:o,s:{s:o,s:o,s:o},s:o,s:o,s:o,s:o}", "mode", mode[v->mode], "guest",
                     text(v->guest.mmu), "host_mmu", text(v->host.mmu), "cycles", "guest_os",
                     real(v->cycles_guest_os), "exits", real(v->cycles_exits), "host_os", real(v->cycles_host_os),
                     "exits", exits(v), "nested", nested(r), "shadow", shadow(v), "host", host(v));
}

/* ---- a measured guest's kernel ---- */

static const char *const operation_name[RESULT_OPERATIONS] = {"page_fault", "mmap",       "munmap",  "fork", "exec",
                                                              "exit",       "khugepaged", "reclaim", "other"};

/* Lines of "a;b;c count" as pairs. */
static json_t *stacks(const char *folded) {
    json_t *all = json_array();

    for (const char *line = folded; line && *line; line = strchr(line, '\n') + 1) {
        size_t bytes = strcspn(line, " ");

        if (json_array_append_new(all,
                                  json_pack("[s#,I]", line, (int)bytes, whole(strtoull(line + bytes, NULL, 10)))))
            return json_decref(all), NULL;
    }
    return all;
}

static json_t *profile(const struct result_profile *p) {
    json_t *operations = json_object(), *functions = json_array();
    int bad = 0;

    if (!p->on)
        return json_decref(operations), json_decref(functions), json_null();
    for (unsigned i = 0; i < RESULT_OPERATIONS; i++)
        bad |= json_object_set_new(
            operations, operation_name[i],
            json_pack("{s:I,s:I}", "instructions", whole(p->instructions[i]), "entries", whole(p->entries[i])));
    for (unsigned i = 0; i < p->functions; i++)
        bad |= json_array_append_new(functions, json_pack("{s:o,s:I}", "name", text(p->function[i].name),
                                                          "instructions", whole(p->function[i].instructions)));
    if (bad)
        return json_decref(operations), json_decref(functions), NULL;
    return json_pack("{s:o,s:o,s:o}", "operations", operations, "functions", functions, "stacks",
                     stacks(p->stacks));
}

/* Only of a guest: other results have no such key. */
static json_t *guest(const struct result_guest *g) {
    if (!g->on)
        return json_object();
    return json_pack(
        "{s:{s:{s:I,s:I,s:I,s:I,s:[{s:I,s:I},{s:I,s:I}],s:{s:I,s:I,s:o,s:I},s:{s:o,s:o,s:o}},s:{s:I,s:I},"
        "s:{s:I,s:I,s:I,s:I,s:I},s:I,s:o}}",
        "guest", "kernel", "instructions", whole(g->instructions), "loads", whole(g->loads), "stores",
        whole(g->stores), "fetches", whole(g->fetches), "tlb", "hits", whole(g->tlb_hits[0]), "misses",
        whole(g->tlb_misses[0]), "hits", whole(g->tlb_hits[1]), "misses", whole(g->tlb_misses[1]), "walks", "count",
        whole(g->walks), "refs", whole(g->walk_refs), "refs_per_walk",
        ratio((double)g->walk_refs, (double)g->walks), "cycles", whole(g->walk_cycles), "cycles", "base",
        real(g->cycles_base), "data", real(g->cycles_data), "translation", real(g->cycles_translation),
        "page_faults", "user", whole(g->page_faults[0]), "kernel", whole(g->page_faults[1]), "address_spaces",
        "cr3_writes", whole(g->root_loads), "cr3_kept", whole(g->roots_kept), "page_flushes",
        whole(g->page_flushes), "pcid_flushes", whole(g->asid_flushes), "full_flushes", whole(g->full_flushes),
        "suspicions", whole(g->suspicions), "profile", profile(&g->profile));
}

/* ---- a result ---- */

static void add_setting(void *settings, const char *path, const char *value) {
    json_object_set_new(settings, path, text(value));
}

static json_t *settings(const struct emt_config *cfg) {
    json_t *all = json_object();

    settings_each(cfg, add_setting, all);
    return all;
}

/* Text in lines, as the configuration keeps sources and assumed values. */
static json_t *lines(const char *all) {
    json_t *list = json_array();

    while (*all) {
        size_t bytes = strcspn(all, "\n");

        if (json_array_append_new(list, json_stringn(all, bytes)) != 0)
            return json_decref(list), NULL;
        all += bytes + (all[bytes] == '\n');
    }
    return list;
}

static json_t *checker(const struct result_checker *c) {
    return json_pack("{s:b,s:I,s:I,s:o}", "on", c->on, "checked", whole(c->checked), "wrong", whole(c->wrong),
                     "first", c->wrong ? text(c->first) : json_null());
}

/* Takes over `part`. */
static int add(json_t *object, json_t *part) {
    int err = part ? json_object_update(object, part) : -1;

    json_decref(part);
    return err;
}

static json_t *result(const struct emt_result *r) {
    json_t *o = json_object();
    int bad;

    bad = add(o, json_pack("{s:o,s:o,s:o,s:o,s:o,s:b,s:o,s:i,s:o,s:o,s:o}", "mmu", text(side(r)->mmu), "machine",
                           text(r->cfg.name), "about", text(r->cfg.about), "input", text(r->input), "command",
                           text(r->command), "cut_short", r->cut_short, "why_cut",
                           r->cut_short ? text(r->why_cut) : json_null(), "exit_status", r->exit_status, "settings",
                           settings(&r->cfg), "assumed", lines(r->cfg.assumed), "sources", lines(r->cfg.sources)));
    bad |= add(o, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "instructions", whole(r->instructions),
                            "accesses", whole(r->loads + r->stores), "loads", whole(r->loads), "stores",
                            whole(r->stores), "fetches", whole(r->fetches), "unknown_accesses",
                            whole(r->unknown_accesses), "processes", whole(r->processes), "threads",
                            whole(r->threads), "left_by_exec", whole(r->left_by_exec)));
    bad |= add(o, json_pack("{s:{s:o,s:o,s:o,s:o,s:o},s:o}", "cycles", "total", real(r->cycles_total), "user",
                            real(r->cycles_user), "data", real(r->cycles_data), "translation",
                            real(r->cycles_translation), "os", real(r->cycles_os), "ipc",
                            r->cycles_total > 0 ? real(r->ipc) : json_null()));
    bad |= add(o, json_pack("{s:o}", "driver", driver(r)));
    bad |= add(o, json_pack("{s:o,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o}", "tlb", tlb(r), "tlb_cycles",
                            whole(r->mmu.tlb_cycles), "tlb_invalidations", whole(r->mmu.invalidations),
                            "tlb_flushes", whole(r->mmu.flushes), "mmu_caches",
                            mmu_caches(r->mmu_cache, r->nmmu_cache), "walks", walks(&r->mmu), "prediction",
                            prediction(&r->mmu), "ranges", ranges(r), "caches", caches(r)));
    bad |= add(o, json_pack("{s:o,s:o,s:o,s:o}", "os", os(r), "virt", virt(r), "memory", memory(r), "checker",
                            checker(&r->checker)));
    bad |= add(o, guest(&r->guest));
    if (!bad)
        return o;
    json_decref(o);
    return NULL;
}

json_t *result_document(const struct emt_result *const *results, unsigned n) {
    json_t *all = json_array();

    for (unsigned i = 0; i < n; i++)
        if (json_array_append_new(all, result(results[i])) != 0)
            return json_decref(all), NULL;
    return json_pack("{s:s,s:s,s:o}", "schema", RESULT_SCHEMA, "emt", EMT_VERSION, "results", all);
}

int report_json(const char *path, const struct emt_result *const *results, unsigned n, char *why, size_t bytes) {
    json_t *document = result_document(results, n);
    struct output out;
    int err;

    if (!document) {
        snprintf(why, bytes, "cannot write %s: out of memory", path);
        return -ENOMEM;
    }
    err = output_open(&out, path, why, bytes);
    if (!err) {
        int flags = JSON_INDENT(1) | JSON_REAL_PRECISION(RESULT_REAL_DIGITS);

        /* A failed write shows in ferror(), which output_close() asks. */
        if (json_dumpf(document, out.file, flags) != 0 && !ferror(out.file)) {
            snprintf(why, bytes, "cannot write %s: out of memory", path);
            err = -ENOMEM;
        }
        fputc('\n', out.file);
        err = output_close(&out, err, why, bytes);
    }
    json_decref(document);
    return err;
}
