/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* All synthetic workloads, one file each. */
#ifndef EMT_SYNTH_WORKLOADS_H
#define EMT_SYNTH_WORKLOADS_H

#include "input/synth/synth.h"

extern const struct workload workload_gups, workload_stream, workload_chase, workload_zipf, workload_bfs,
    workload_pagerank, workload_hashjoin, workload_btree, workload_xsbench;

#endif
