/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Walkers in other threads while the driver changes tables: threads.c tells what they may and must find. */
#ifndef EMT_CHECK_THREADS_H
#define EMT_CHECK_THREADS_H

#include "check/program.h"

/* out->stats.walks: walks that ran beside. */
void threads_run(const struct emt_arch *arch, const struct traits *t, uint64_t seed, uint64_t ops, bool basic_only,
                 bool isolate, struct verdict *out);

#endif
