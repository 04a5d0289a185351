/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A machine: cores with their MMUs and caches, memory, an OS and an architecture, put together from a description.
 * It is fed with blocks (input/event.h) and ends in a result. One machine belongs to one thread.
 */
#ifndef EMT_MACHINE_MACHINE_H
#define EMT_MACHINE_MACHINE_H

#include "input/event.h"
#include "machine/config.h"
#include "report/result.h"

struct machine;

/* On error *why gets a line for the user. -EINVAL, -ENOMEM, -ENOENT (unknown architecture). */
int machine_new(struct machine **out, const struct emt_config *cfg, char *why, size_t why_bytes);
void machine_free(struct machine *);

/* Simulate a block. `first`, `count`: skip that many accesses (the OS still sees them), stop after so many; see
   machine_window(). <0: -EBADMSG for a malformed block. */
int machine_feed(struct machine *, const struct ev_block *);
/* Statistics start after `skip` accesses (0: at once) and the machine is done after `limit` more (0: never). */
void machine_window(struct machine *, uint64_t skip, uint64_t limit);
/* The limit is reached: further blocks are ignored. */
bool machine_done(const struct machine *);
/* Why the machine ended before its limit (out of memory), or NULL. */
const char *machine_trouble(const struct machine *);
/* A part of it looks at the PCs of loads and stores: blocks should carry them (struct ev_source.want_pc). */
bool machine_wants_pc(const struct machine *);
uint64_t machine_accesses(const struct machine *);
/* Fill *r but for input, command, cut_short and exit_status. */
void machine_result(struct machine *, struct emt_result *r);

/* The figures of data caches; NULL: there are none. Of use without a machine as well. */
struct cache_system;
void machine_cache_results(const struct cache_system *caches, struct emt_result *r);

#endif
