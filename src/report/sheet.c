/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Rows and columns for people; see sheet.h. The table below says where each figure comes from. */
#include "report/sheet.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const json_t *at(const json_t *value, const char *path) {
    while (value && *path) {
        size_t bytes = strcspn(path, ".");
        char key[64];

        if (bytes >= sizeof(key))
            return NULL;
        memcpy(key, path, bytes);
        key[bytes] = '\0';
        value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10)) : json_object_get(value, key);
        path += bytes + (path[bytes] == '.');
    }
    return value;
}

double result_number(const json_t *result, const char *path) {
    const json_t *value = at(result, path);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *result_text(const json_t *result, const char *path) {
    const char *text = json_string_value(at(result, path));

    return text ? text : "";
}

/* value = path * scale / per */
struct spec {
    const char *group, *label, *path, *per;
    double scale;
    enum unit unit;
    enum sheet_better better;
    bool unless_zero; /* left out when 0 in all results */
    const char *help;
    const char *needs; /* no value where this path is absent */
};

/* clang-format off: one row of the sheet in one or two lines */
static const struct spec specs[] = {
    {"Run", "instructions", "instructions", NULL, 1, UNIT_COUNT, BETTER_NEITHER, false,
     "instructions of the program that were simulated"},
    {"Run", "loads and stores", "accesses", NULL, 1, UNIT_COUNT, BETTER_NEITHER, false,
     "the program's accesses to memory"},
    {"Run", "IPC", "ipc", NULL, 1, UNIT_FIXED, BETTER_MORE, false,
     "the program's instructions by all cycles, the operating system's included"},

    {"Cycles", "total", "cycles.total", NULL, 1, UNIT_COUNT, BETTER_LESS, false, "the four below together"},
    {"Cycles", "user", "cycles.user", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "the program's instructions, had nothing missed"},
    {"Cycles", "data stalls", "cycles.data", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "waiting for the program's own data"},
    {"Cycles", "translation", "cycles.translation", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "waiting for TLBs and walks"},
    {"Cycles", "OS", "cycles.os", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "the operating system's memory management"},

    {"Translation", "L1 TLB miss/kinst", "tlb.0.misses", "instructions", 1000, UNIT_FIXED, BETTER_LESS, false,
     "misses of the first-level TLBs in 1000 instructions"},
    {"Translation", "L2 TLB miss/kinst", "tlb.1.misses", "instructions", 1000, UNIT_FIXED, BETTER_LESS, false,
     "misses of the second-level TLBs in 1000 instructions"},
    {"Translation", "walks", "walks.count", NULL, 1, UNIT_COUNT, BETTER_LESS, false, "walks of the tables"},
    {"Translation", "references/walk", "walks.refs_per_walk", NULL, 1, UNIT_FIXED, BETTER_LESS, false,
     "reads of the tables in one walk"},
    {"Translation", "cycles/walk", "walks.cycles_per_walk", NULL, 1, UNIT_CYCLES, BETTER_LESS, false,
     "mean latency of a walk"},
    {"Translation", "walk p50, cycles", "walks.latency.p50", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "half of the walks take no longer"},
    {"Translation", "walk p99, cycles", "walks.latency.p99", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "99 of 100 walks take no longer"},
    {"Translation", "refs from memory", "walks.refs_served.memory", "walks.refs", 1, UNIT_PERCENT, BETTER_LESS,
     false, "share of walk references that no cache served", .needs = "caches.0"},

    {"Translation", "range TLB hits", "ranges.hits", "tlb.1.misses", 1, UNIT_PERCENT, BETTER_MORE, true,
     "share of the second level's misses that the range TLB answered"},
    {"Translation", "by the segment", "ranges.segment_hits", "accesses", 1, UNIT_PERCENT, BETTER_MORE, true,
     "share of loads and stores that a direct segment translated"},
    {"Translation", "guessed", "prediction.guesses", "walks.count", 1, UNIT_PERCENT, BETTER_MORE, true,
     "share of walks whose result was guessed, so that nobody waited"},
    {"Translation", "guessed wrong", "prediction.wrong", "prediction.guesses", 1, UNIT_PERCENT, BETTER_LESS, true,
     "share of the guesses that cost a pipeline flush"},

    {"Operating system", "page faults", "os.faults.total", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "all kinds together"},
    {"Operating system", "  anonymous", "os.faults.anon", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "a base page of private memory"},
    {"Operating system", "  huge page", "os.faults.huge", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "a huge page of private memory"},
    {"Operating system", "  zero page", "os.faults.zero", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "a read of memory that was never written"},
    {"Operating system", "  file", "os.faults.file", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "a page of the page cache"},
    {"Operating system", "  copy on write", "os.faults.cow", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "a write to a shared page of private memory"},
    {"Operating system", "  from swap", "os.faults.swap", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "a page of private memory that was in swap"},
    {"Operating system", "  spurious", "os.faults.spurious", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "already resolved when it was taken"},
    {"Operating system", "  bad", "os.faults.bad", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "no mapping, or one that forbids the access"},
    {"Operating system", "OS instructions", "os.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "instructions of the operating system's memory management"},
    {"Operating system", "tables at the end", "os.table_bytes", NULL, 1, UNIT_BYTES, BETTER_LESS, false,
     "memory that the translation tables take"},
    {"Operating system", "tables, peak", "os.table_bytes_peak", NULL, 1, UNIT_BYTES, BETTER_LESS, false,
     "the most that they took"},
    {"Operating system", "shootdowns", "os.by_operation.shootdown.calls", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "TLB shootdowns on other cores"},

    {"Reclaim", "pages reclaimed", "os.reclaim.reclaimed", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "taken from memory, private and of files"},
    {"Reclaim", "  swapped out", "os.reclaim.swapped_out", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "pages written to swap"},
    {"Reclaim", "  swapped in", "os.reclaim.swapped_in", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "pages read from swap, ahead included"},
    {"Reclaim", "  written back", "os.reclaim.written_back", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "dirty pages of files written so that they could go"},
    {"Reclaim", "  refaults", "os.reclaim.refaults", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "reclaimed pages that came back"},
    {"Reclaim", "  pages looked at", "os.reclaim.scanned", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "by reclaim, to take or to keep them"},
    {"Reclaim", "  conflicts", "os.reclaim.conflicts", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "allocations that found no free frame among the page's candidates"},
    {"Reclaim", "  ghosts evicted", "os.reclaim.ghosts_evicted", NULL, 1, UNIT_COUNT, BETTER_NEITHER, true,
     "pages that left because Horizon LRU had passed them"},
    {"Reclaim", "  device busy, cycles", "os.reclaim.swap_device.busy_cycles", NULL, 1, UNIT_COUNT, BETTER_LESS,
     true, "the swap device's time"},
    {"Reclaim", "  waits, cycles", "os.reclaim.swap_device.wait_cycles", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "time in which programs waited for the swap device; part of OS cycles"},
    {"Reclaim", "  OOM kills", "os.reclaim.oom_kills", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "programs that were killed because there was no memory left"},

    {"Virtual machine", "references, guest", "virt.nested.guest_refs", "walks.count", 1, UNIT_FIXED, BETTER_LESS,
     false, "reads of the guest's tables in one walk"},
    {"Virtual machine", "references, host", "virt.nested.host_refs", "walks.count", 1, UNIT_FIXED, BETTER_LESS,
     false, "reads of the host's tables in one walk"},
    {"Virtual machine", "nested TLB miss/walk", "virt.nested.tlb.misses", "walks.count", 1, UNIT_FIXED, BETTER_LESS,
     true, "walks of the host's tables in one walk"},
    {"Virtual machine", "splintered pages", "virt.nested.splintered", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "guest pages of which a TLB got a piece only, as the host's page is smaller"},
    {"Virtual machine", "shadow entries", "virt.shadow.fills", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "entries of shadow tables that the hypervisor made"},
    {"Virtual machine", "VM exits", "virt.exits.total", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "times that the guest was left, all reasons together"},
    {"Virtual machine", "  violations", "virt.exits.violation.calls", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "the host had no frame there, or none that may be written"},
    {"Virtual machine", "  shadow faults", "virt.exits.shadow_fault.calls", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "page faults: the guest's own, and entries that shadow tables lack"},
    {"Virtual machine", "  table writes", "virt.exits.table_write.calls", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "writes of the guest to tables that are protected"},
    {"Virtual machine", "  invalidations", "virt.exits.invalidate.calls", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "INVLPG of the guest"},
    {"Virtual machine", "  root loads", "virt.exits.root.calls", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "loads of the root register, and whole flushes"},
    {"Virtual machine", "  kicks", "virt.exits.kick.calls", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "other virtual CPUs, to flush after a change in the host"},
    {"Virtual machine", "  balloon", "virt.exits.balloon.calls", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "pages given back by the guest"},
    {"Virtual machine", "cycles, exits", "virt.cycles.exits", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "VM exits and the hypervisor's work in them; part of OS"},
    {"Virtual machine", "cycles, host OS", "virt.cycles.host_os", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "the host's memory management; part of OS"},
    {"Virtual machine", "host page faults", "virt.host.faults.total", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "faults of the host's OS for memory of the guest"},
    {"Virtual machine", "host changes", "virt.host.changes", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "times that the host changed mappings of the guest's memory, and all that showed them was flushed"},
    {"Virtual machine", "host swapped out", "virt.host.reclaim.swapped_out", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "pages of guest memory that the host wrote to swap"},
    {"Virtual machine", "host tables, peak", "virt.host.table_bytes_peak", NULL, 1, UNIT_BYTES, BETTER_LESS, false,
     "memory that the host's tables took, shadow tables included"},
    {"Virtual machine", "host in 4K pages", "virt.host.mapped_bytes.4K", NULL, 1, UNIT_BYTES, BETTER_NEITHER, true,
     "guest memory mapped at the end by 4 KiB pages of the host"},
    {"Virtual machine", "host in 2M pages", "virt.host.mapped_bytes.2M", NULL, 1, UNIT_BYTES, BETTER_NEITHER, true,
     "guest memory mapped at the end by 2 MiB pages of the host"},

    {"Memory", "resident, peak", "memory.resident_peak_bytes", NULL, 1, UNIT_BYTES, BETTER_LESS, false,
     "memory that the programs had mapped at most"},
    {"Memory", "in 4K pages", "memory.mapped_bytes.4K", NULL, 1, UNIT_BYTES, BETTER_NEITHER, true,
     "mapped at the end by 4 KiB pages"},
    {"Memory", "in 2M pages", "memory.mapped_bytes.2M", NULL, 1, UNIT_BYTES, BETTER_NEITHER, true,
     "mapped at the end by 2 MiB pages"},
    {"Memory", "in 1G pages", "memory.mapped_bytes.1G", NULL, 1, UNIT_BYTES, BETTER_NEITHER, true,
     "mapped at the end by 1 GiB pages"},
    {"Memory", "runs for 99 %", "memory.contiguity.runs_99", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "contiguous runs that cover 99 % of what is resident"},
    {"Memory", "offsets for 99 %", "memory.contiguity.mappings.offset.1", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "offsets of virtual to physical that cover 99 %: what SpOT predicts by"},
    {"Memory", "anchors for 99 %", "memory.contiguity.mappings.anchor.1", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "entries of hybrid coalescing that cover 99 %, at the best anchor distance"},
    {"Memory", "ideal for 99 %", "memory.contiguity.mappings.ideal.1", NULL, 1, UNIT_COUNT, BETTER_NEITHER, false,
     "runs for 99 % that an offline best fit would have reached"},
    {"Memory", "longest run", "memory.contiguity.longest_bytes", NULL, 1, UNIT_BYTES, BETTER_MORE, false,
     "the longest virtually and physically contiguous run"},
    {"Memory", "moved by ranger", "os.placement.migrated_bytes", NULL, 1, UNIT_BYTES, BETTER_LESS, true,
     "copied to other frames by translation ranger; exchanges come on top"},
    {"Memory", "exchanged by ranger", "os.placement.exchanged_bytes", NULL, 1, UNIT_BYTES, BETTER_LESS, true,
     "exchanged with other frames by translation ranger"},
    {"Memory", "placed at mmap", "os.placement.eager_bytes", NULL, 1, UNIT_BYTES, BETTER_LESS, true,
     "allocated by eager paging before anything was touched"},
    {"Memory", "fragmentation", "memory.fragmentation", NULL, 1, UNIT_FIXED, BETTER_LESS, false,
     "share of free memory in blocks too small for a 2 MiB page"},

    {"Guest's kernel", "page faults", "guest.page_faults.user", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "raised by user mode"},
    {"Guest's kernel", "  in kernel mode", "guest.page_faults.kernel", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "raised by the kernel itself, such as when it copies to a user's page"},
    {"Guest's kernel", "walks", "guest.kernel.walks.count", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "walks for the kernel's own accesses"},
    {"Guest's kernel", "references/walk", "guest.kernel.walks.refs_per_walk", NULL, 1, UNIT_FIXED, BETTER_LESS, false,
     "reads of the tables in one of them"},
    {"Guest's kernel", "base cycles", "guest.kernel.cycles.base", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "the kernel's instructions, had nothing missed"},
    {"Guest's kernel", "data stalls", "guest.kernel.cycles.data", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "waiting for the kernel's own data"},
    {"Guest's kernel", "translation", "guest.kernel.cycles.translation", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "waiting for TLBs and walks"},
    {"Guest's kernel", "writes to CR3", "guest.address_spaces.cr3_writes", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "changes of the address space"},
    {"Guest's kernel", "single flushes", "guest.address_spaces.page_flushes", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "INVLPG, and INVPCID of one address"},
    {"Guest's kernel", "flushes of a PCID", "guest.address_spaces.pcid_flushes", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "a write to CR3 that keeps nothing, or INVPCID"},
    {"Guest's kernel", "whole flushes", "guest.address_spaces.full_flushes", NULL, 1, UNIT_COUNT, BETTER_LESS, false,
     "of everything, global entries too"},
    {"Kernel instructions", "page faults", "guest.profile.operations.page_fault.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, while it resolved page faults"},
    {"Kernel instructions", "mmap, brk", "guest.profile.operations.mmap.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, in mmap, brk and mremap"},
    {"Kernel instructions", "munmap", "guest.profile.operations.munmap.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, in munmap"},
    {"Kernel instructions", "fork, clone", "guest.profile.operations.fork.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, while it made processes and threads"},
    {"Kernel instructions", "exec", "guest.profile.operations.exec.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, in execve"},
    {"Kernel instructions", "exit", "guest.profile.operations.exit.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, while processes ended"},
    {"Kernel instructions", "khugepaged", "guest.profile.operations.khugepaged.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, in the daemon that makes huge pages"},
    {"Kernel instructions", "reclaim", "guest.profile.operations.reclaim.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, while it reclaimed memory"},
    {"Kernel instructions", "other", "guest.profile.operations.other.instructions", NULL, 1, UNIT_COUNT, BETTER_LESS, true,
     "exact, in everything else"},
};
/* clang-format on */

#define SPECS (sizeof(specs) / sizeof(specs[0]))

/* What the built-in operating system tells, and a guest with a kernel of its own does not. */
static bool is_built_in(const struct spec *spec) {
    return strncmp(spec->path, "memory.", 7) == 0 ||
           (strncmp(spec->path, "os.", 3) == 0 && strcmp(spec->path, "os.instructions") != 0);
}

/* Fills row->value; false when no result has a value, or none but zeros in a row that may go. */
static bool fill(struct sheet_row *row, const struct spec *spec, const json_t *results) {
    bool any = false;

    for (size_t c = 0; c < json_array_size(results); c++) {
        const json_t *result = json_array_get(results, c);
        double v = result_number(result, spec->path) * spec->scale;

        if (spec->per) {
            double by = result_number(result, spec->per);

            v = by > 0 ? v / by : NAN;
        }
        if (spec->needs && !at(result, spec->needs))
            v = NAN;
        if (is_built_in(spec) && at(result, "guest"))
            v = NAN;
        row->value[c] = v;
        any |= isfinite(v) && !(spec->unless_zero && v == 0);
    }
    row->group = spec->group;
    row->label = spec->label;
    row->help = spec->help;
    row->unit = spec->unit;
    row->better = spec->better;
    return any;
}

/* ---- columns ---- */

static void differs(char *text, size_t bytes, const char *what, const char *value) {
    size_t used = strlen(text);

    snprintf(text + used, bytes - used, "%s%s=%s", used ? " " : "", what, value);
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* What each column has different from the first one; "mmu.name" has its own place. */
static void name_columns(struct sheet *s, const json_t *results) {
    static const char *const outer[] = {"machine", "input"};
    const json_t *first = json_array_get(results, 0);

    for (unsigned c = 0; c < s->columns; c++) {
        json_t *result = json_array_get(results, c);
        struct sheet_column *column = &s->column[c];
        const char *path;
        json_t *value;

        const char *below = result_text(result, "virt.host_mmu");

        snprintf(column->mmu, sizeof(column->mmu), "%.31s%s%.31s", text_of(result, "mmu"), *below ? " on " : "",
                 below);
        for (unsigned i = 0; i < 2; i++)
            if (strcmp(text_of(result, outer[i]), text_of(first, outer[i])) != 0)
                differs(column->differs, sizeof(column->differs), outer[i], text_of(result, outer[i]));
        json_object_foreach(json_object_get(result, "settings"), path, value) {
            const char *there = text_of(json_object_get(first, "settings"), path);

            if (strcmp(path, "mmu.name") != 0 && json_is_string(value) &&
                strcmp(json_string_value(value), there) != 0)
                differs(column->differs, sizeof(column->differs), path, json_string_value(value));
        }
    }
}

int sheet_new(struct sheet *s, const json_t *results) {
    *s = (struct sheet){.columns = (unsigned)json_array_size(results)};
    s->column = calloc(s->columns + 1, sizeof(*s->column));
    s->row = calloc(SPECS, sizeof(*s->row));
    if (!s->column || !s->row)
        goto no_memory;
    name_columns(s, results);
    for (unsigned i = 0; i < SPECS; i++) {
        struct sheet_row *row = &s->row[s->rows];

        if (!row->value)
            row->value = calloc(s->columns + 1, sizeof(*row->value));
        if (!row->value)
            goto no_memory;
        s->rows += fill(row, &specs[i], results);
    }
    return 0;
no_memory:
    sheet_free(s);
    return -ENOMEM;
}

void sheet_free(struct sheet *s) {
    for (unsigned i = 0; s->row && i < SPECS; i++)
        free(s->row[i].value);
    free(s->row);
    free(s->column);
    *s = (struct sheet){0};
}

double sheet_ratio(const struct sheet_row *row, unsigned column) {
    double base = row->value[0], v = row->value[column];

    if (column == 0 || row->better == BETTER_NEITHER || !(base > 0) || !isfinite(v))
        return NAN;
    return v / base;
}
