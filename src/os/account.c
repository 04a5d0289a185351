/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The account of OS work: see account.h. */
#include "os/account.h"

#include "os/internal.h"

void account_begin(struct os *os, enum os_op op) {
    const struct emt_host *h = os->host;

    os->account = (struct account){.running = true,
                                   .op = op,
                                   .reads = h->table_reads,
                                   .writes = h->table_writes,
                                   .stalls = h->stall_cycles,
                                   .work = h->work_instructions};
}

void account_as(struct os *os, enum os_op op) {
    os->account.op = op;
}

void account_cost(struct os *os, enum os_cost cost, uint64_t times) {
    os->account.instructions += os->cfg.os.cost[cost] * times;
}

void account_end(struct os *os) {
    const struct emt_host *h = os->host;
    struct account *a = &os->account;
    struct os_op_stats *s = &os->stats.op[a->op];

    s->calls++;
    s->instructions += a->instructions + (h->work_instructions - a->work);
    s->table_reads += h->table_reads - a->reads;
    s->table_writes += h->table_writes - a->writes;
    s->stall_cycles += h->stall_cycles - a->stalls;
    a->running = false;
}

uint64_t account_writes(const struct os *os) {
    return os->host->table_writes - os->account.writes;
}

void os_charge_cycles(struct os *os, enum os_op op, uint64_t cycles) {
    if (op == OS_OPS)
        op = os->account.op;
    os->stats.op[op].extra_cycles += cycles;
    if (op == OS_SHOOTDOWN) {
        os->stats.op[op].calls++;
        os->stats.op[op].instructions += os->cfg.os.cost[OS_COST_SHOOTDOWN];
    }
}
