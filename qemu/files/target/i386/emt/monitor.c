/* SPDX-License-Identifier: GPL-2.0-only */
/* `info tlb` and `info mem` by the walker that translates. */
#include "qemu/osdep.h"
#include "cpu.h"
#include "monitor/monitor.h"
#include "emt.h"
#include "emt/hardware.h"

typedef void (*see_fn)(void *ctx, const EmtPage *page);

/* Every page of both halves, in order of addresses. */
static void each_page(Monitor *mon, CPUX86State *env, see_fn see, void *ctx)
{
    for (int half = 0; half < 2; half++) {
        const unsigned bits = emt_va_bits(env, half ? ~0ull : 0);
        uint64_t va = half ? ~0ull << (bits - 1) : 0;
        const uint64_t last = half ? ~0ull : (1ull << (bits - 1)) - 1;
        const char *unlisted = emt_not_listed(env, va);

        if (unlisted) {
            monitor_printf(mon, "%s half: the tables of %s have no order of addresses to step through; "
                           "gva2gpa ADDRESS translates one\n", half ? "upper" : "lower", unlisted);
            continue;
        }
        for (;;) {
            EmtPage page;
            const bool found = emt_peek(env, va, &page);
            const uint64_t bytes = found ? page.bytes : page.void_bytes;
            const uint64_t next = (va | (bytes - 1)) + 1;

            if (found) {
                see(ctx, &page);
            }
            if (next == 0 || next > last) {
                break;
            }
            va = next;
        }
    }
}

static void print_page(void *ctx, const EmtPage *p)
{
    monitor_printf(ctx, TARGET_FMT_plx ": " TARGET_FMT_plx " %c%c%c%c%c%c%c%c\n", p->page_vaddr, p->page_paddr,
                   p->exec ? '-' : 'X', p->global ? 'G' : '-', p->bytes > EMT_PAGE_BYTES ? 'P' : '-',
                   p->dirty ? 'D' : '-', p->cache_mode & 2 ? 'C' : '-', p->cache_mode & 1 ? 'T' : '-',
                   p->user ? 'U' : '-', p->write ? 'W' : '-');
}

void emt_info_tlb(Monitor *mon, CPUX86State *env)
{
    each_page(mon, env, print_page, mon);
}

typedef struct Run {
    Monitor *mon;
    uint64_t start, bytes; /* bytes == 0: none */
    bool user, write;
} Run;

static void end_run(Run *r)
{
    if (r->bytes) {
        monitor_printf(r->mon, TARGET_FMT_plx "-" TARGET_FMT_plx " " TARGET_FMT_plx " %cr%c\n", r->start,
                       r->start + r->bytes, r->bytes, r->user ? 'u' : '-', r->write ? 'w' : '-');
    }
    r->bytes = 0;
}

static void add_page(void *ctx, const EmtPage *p)
{
    Run *r = ctx;

    if (r->bytes && (r->start + r->bytes != p->page_vaddr || r->user != p->user || r->write != p->write)) {
        end_run(r);
    }
    if (!r->bytes) {
        *r = (Run) { .mon = r->mon, .start = p->page_vaddr, .user = p->user, .write = p->write };
    }
    r->bytes += p->bytes;
}

void emt_info_mem(Monitor *mon, CPUX86State *env)
{
    Run run = { .mon = mon };

    each_page(mon, env, add_page, &run);
    end_run(&run);
}
