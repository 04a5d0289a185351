/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Trace readers. Each takes over the stream, also when it fails.
 *
 * ChampSim's and lackey's formats know nothing of the program's mappings, so their readers make them up: each
 * region of 2 MiB is announced as a private anonymous mapping, readable, writable and executable, just before it is
 * first touched.
 */
#ifndef EMT_TRACE_TRACE_H
#define EMT_TRACE_TRACE_H

#include <stdbool.h>

#include "input/input.h"
#include "input/pool.h"
#include "input/trace/stream.h"

typedef int trace_opener(struct ev_source **out, struct stream *in, char *why, size_t bytes);
trace_opener champsim_open, lackey_open, native_open;

/* Is the begin of the data of this format? champsim: it may be, the format has no mark. */
bool native_is(const uint8_t *at, size_t have);
bool lackey_is(const uint8_t *at, size_t have);
bool champsim_is(const uint8_t *at, size_t have);

/* What trace_open() does, for any stdio file; takes over f. */
int trace_open_file(struct ev_source **out, FILE *f, const char *name, char *why, size_t bytes);

/* -- what the readers of foreign formats share -- */

/* The most words that one record may put into a block. */
#define FOREIGN_RECORD_WORDS 256

struct foreign {
    struct ev_source pub;
    struct stream *in;
    struct block_pool *pool;
    /* Puts the next record or line into the block: 1, 0 at the end, negative with pub.error set. */
    int (*record)(struct foreign *);
    uint64_t records; /* records or lines read */
    uint64_t *at;     /* where the next word goes */
    int pending;      /* an error to return after the block before it */
    bool ended;
    uint64_t run_first, run_last; /* instructions not yet put: one fetch word */
    unsigned run;
    uint64_t *region; /* 2 MiB regions that were announced, number + 1; open addressing, at most half full */
    uint64_t region_mask, regions;
    uint64_t recent[256];
    bool no_memory;
    uint64_t pc;        /* lackey: of the latest instruction */
    uint64_t loaded[4]; /* ChampSim: registers that the latest load wrote, as a bit set */
};

/* Allocates; `kind` is for messages ("a ChampSim trace"). */
int foreign_open(struct ev_source **out, struct stream *in, int (*record)(struct foreign *), char *why,
                 size_t bytes);
/* False: not an address of x86-64's user half (5 levels: below 2^56). */
static inline bool foreign_valid(uint64_t va) {
    return va < 1ull << 56;
}
void foreign_instruction(struct foreign *, uint64_t pc);
/* One access of any size up to 4096 bytes, as one word or, above 128 bytes, several. */
void foreign_access(struct foreign *, bool store, uint64_t va, unsigned size_bytes, bool dependent, uint64_t pc);

#endif
