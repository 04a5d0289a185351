/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* An OS on an architecture and a little memory, without hardware, for unit tests. */
#ifndef EMT_TESTS_OS_WORLD_H
#define EMT_TESTS_OS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "os/internal.h"

#define MIB  (1ull << 20)
#define RW   (ABI_PROT_READ | ABI_PROT_WRITE)
#define ANON (ABI_MAP_PRIVATE | ABI_MAP_ANONYMOUS)
#define AT   0x10000000ull

struct os_world {
    const struct emt_arch *arch; /* NULL: radix4 */
    struct emt_config cfg;
    struct emt_host host;
    struct emt_tsvc svc;
    struct os *os;
    struct os_process *p;
};

/* Change w.cfg between these two. */
static inline void world_init(struct os_world *w, uint64_t memory_bytes) {
    *w = (struct os_world){0};
    w->cfg.core.count = 1;
    w->cfg.core.fault_cycles = 1000;
    w->cfg.core.switch_cycles = 200;
    w->cfg.memory.bytes = memory_bytes;
    w->cfg.memory.nodes = 1;
    w->cfg.os.zero_page = true;
    w->cfg.os.fault_around_pages = 16;
    w->cfg.os.stack_bytes = 8 * MIB;
    w->cfg.os.thp_on_fault = true;
    w->cfg.os.scan_every_instructions = 1000;
    w->cfg.os.scan_pages = 4096;
    w->cfg.os.max_ptes_none = 511;
    for (unsigned i = 0; i < os_cost_count; i++)
        w->cfg.os.cost[i] = os_cost_table[i].instructions;
}

static inline void world_start(struct os_world *w) {
    assert_int_equal(emt_host_init(&w->host, w->cfg.memory.bytes), 0);
    assert_int_equal(
        emt_tsvc_init(&w->svc, w->arch ? w->arch : emt_arch_find("radix4"), &w->host, w->cfg.basic_only), 0);
    assert_int_equal(os_new(&w->os, &w->cfg, &w->svc), 0);
    os_track_content(w->os);
    assert_int_equal(os_process_new(w->os, 1, &w->p), 0);
}

static inline void world_end(struct os_world *w) {
    assert_int_equal(os_verify(w->os), 0);
    os_free(w->os);
    assert_int_equal(w->host.table_bytes, 0);
    emt_tsvc_fini(&w->svc);
    emt_host_fini(&w->host);
}

/* mmap at a fixed address, which must work. */
static inline void world_map(struct os_process *p, uint64_t at, uint64_t bytes, int prot, int flags,
                             uint64_t file) {
    uint64_t addr = at;

    assert_int_equal(os_mmap(p, &addr, bytes, prot, flags | ABI_MAP_FIXED, file, 0), 0);
    assert_int_equal(addr, at);
}

/* Touch each page; returns the number of faults. */
static inline uint64_t world_touch(struct os_process *p, uint64_t at, uint64_t bytes, unsigned type) {
    uint64_t faults = 0;

    for (uint64_t va = at; va < at + bytes; va += EMT_PAGE_BYTES) {
        struct emt_tobj o;
        if (emt_tdb_find(&p->tdb, va, &o) || (type == EMT_STORE && !tobj(p->os, &o, EMT_ATTR_WRITE))) {
            assert_int_equal(os_fault(p, 0, va, type, 0), 0);
            faults++;
        }
    }
    return faults;
}

static inline uint64_t calls(const struct os_world *w, enum os_op op) {
    return os_stats_of(w->os)->op[op].calls;
}

#endif
