/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which operation of the OS pays for instructions, table accesses and stalls: everything between begin and end. */
#ifndef EMT_OS_ACCOUNT_H
#define EMT_OS_ACCOUNT_H

#include "os/costs.h"
#include "os/os.h"

struct account {
    bool running;
    enum os_op op;
    uint64_t instructions;                /* since begin */
    uint64_t extra;                       /* cycles that are no instructions, since begin */
    uint64_t reads, writes, stalls, work; /* the host's counters at begin */
};

void account_begin(struct os *os, enum os_op op);
/* What is running turned out to be `op`. */
void account_as(struct os *os, enum os_op op);
void account_cost(struct os *os, enum os_cost cost, uint64_t times);
void account_end(struct os *os);
/* What the account has come to by now; and back to that, as if nothing had been done in between. For another
   operation within this one, and for attempts that are made again. */
void account_save(const struct os *os, struct account *saved);
void account_restore(struct os *os, const struct account *saved);
/* Table words written since begin: how many entries a range operation changed. */
uint64_t account_writes(const struct os *os);

#endif
