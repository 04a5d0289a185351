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
    s->extra_cycles += a->extra;
    a->running = false;
}

/* Counters of the host only grow: what was counted until now is kept as a difference. */
void account_save(const struct os *os, struct account *saved) {
    const struct emt_host *h = os->host;

    *saved = os->account;
    saved->reads = h->table_reads - saved->reads;
    saved->writes = h->table_writes - saved->writes;
    saved->stalls = h->stall_cycles - saved->stalls;
    saved->work = h->work_instructions - saved->work;
}

void account_restore(struct os *os, const struct account *saved) {
    const struct emt_host *h = os->host;
    struct account *a = &os->account;

    *a = *saved;
    a->reads = h->table_reads - saved->reads;
    a->writes = h->table_writes - saved->writes;
    a->stalls = h->stall_cycles - saved->stalls;
    a->work = h->work_instructions - saved->work;
}

uint64_t account_writes(const struct os *os) {
    return os->host->table_writes - os->account.writes;
}

void os_charge_cycles(struct os *os, enum os_op op, uint64_t cycles) {
    if (op == OS_OPS && os->account.running) {
        os->account.extra += cycles; /* the operation may yet turn out to be another one */
        return;
    }
    if (op == OS_OPS)
        op = os->account.op;
    os->stats.op[op].extra_cycles += cycles;
    if (op == OS_SHOOTDOWN) {
        os->stats.op[op].calls++;
        os->stats.op[op].instructions += os->cfg.os.cost[OS_COST_SHOOTDOWN];
    }
}
