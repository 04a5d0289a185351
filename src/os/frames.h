/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Physical memory in 4 KiB frames: a binary buddy allocator with NUMA nodes, free lists per order and mobility (as
 * Linux groups pages: 2 MiB page blocks are movable or unmovable, and fall back to each other), and a record for
 * each frame. Host memory: a small descriptor for each 2 MiB block ever touched, and frame records only for a block
 * that is in use in smaller pieces, so that terabytes of huge pages cost little (how: os/frames_private.h).
 *
 * Orders are 0..10 (4 KiB to 4 MiB, Linux's MAX_ORDER). Deterministic: the same calls give the same frames.
 */
#ifndef EMT_OS_FRAMES_H
#define EMT_OS_FRAMES_H

#include "machine/config.h"
#include "os/os.h"

#define FRAME_NONE        (~0ull)
#define FRAMES_MAX_ORDER  10
#define FRAMES_HUGE_ORDER 9

enum frame_mobility { FRAME_MOVABLE, FRAME_UNMOVABLE, FRAME_MOBILITIES };

/*
 * The record of an allocated frame, or of the first frame of a larger allocation. Who maps it is found through
 * `owner`: for private memory a key of the OS, for file pages file and page.
 */
struct frame {
    uint64_t owner;
    uint32_t maps;  /* translation objects that map it (a huge one counts once) */
    uint16_t flags; /* FRAME_ bits, of the OS */
    uint8_t use;    /* enum os_use */
    uint8_t order;  /* of this allocation */
};
_Static_assert(sizeof(struct frame) == 16, "100 million of these must stay cheap");

struct contig;
struct frames;

/* Each node gets bytes / nodes, rounded down to 4 MiB; a line on stderr says what is lost by that. -EINVAL after a
   line on stderr: less than 4 MiB for a node, more than 64 TiB, or a bad number of nodes. -ENOMEM. */
int frames_new(struct frames **out, const struct emt_config *cfg);
void frames_free_all(struct frames *);

/* 2^order frames aligned to their size; node -1: any (from 0 on), else preferred, then the others by distance.
   FRAME_NONE when there are none. The record is zero but for use and order. */
uint64_t frames_alloc(struct frames *, unsigned order, int node, enum frame_mobility, enum os_use use);
/* Exactly these frames, when all are free; FRAME_NONE otherwise. For placement. */
uint64_t frames_alloc_at(struct frames *, uint64_t pfn, unsigned order, enum frame_mobility, enum os_use use);
/* The same; what is left of the piece that they were part of is given out last, since its frames are likely to be
   asked for in the same way. */
uint64_t frames_alloc_target(struct frames *, uint64_t pfn, unsigned order, enum frame_mobility, enum os_use use);
/* 2^order frames, order > FRAMES_MAX_ORDER, side by side and aligned to their size, for tables that must be
   contiguous: a scan for whole free blocks of order 10, on the preferred node first, as Linux's
   alloc_contig_range(), but nothing is moved out of the way. Each block is an allocation of its own. FRAME_NONE. */
uint64_t frames_alloc_large(struct frames *, unsigned order, int node, enum os_use use);
void frames_free_large(struct frames *, uint64_t pfn, unsigned order);
/* pfn is the first frame of an allocation; anything else is a bug of the caller (assertion). */
void frames_free(struct frames *, uint64_t pfn);
/* Only for speed: pfn, an allocation's first frame, will be freed soon. To be called with each step in turn, a few
   others' steps between. */
#define FRAMES_SOON_STEPS 4
void frames_soon(const struct frames *, uint64_t pfn, unsigned step);
/* An allocation of 2^order frames becomes 2^order single ones, each with the record of the first. 0. */
int frames_split(struct frames *, uint64_t pfn);
/* The record of an allocation's first frame; NULL when no allocation begins at pfn. It stays where it is until the
   allocation is freed or split. */
struct frame *frames_of(const struct frames *, uint64_t pfn);
/* First frame of the allocation that holds pfn; FRAME_NONE when pfn is free. */
uint64_t frames_head(const struct frames *, uint64_t pfn);
/* Free frames among [pfn, pfn + n); and in all. */
unsigned frames_free_in(const struct frames *, uint64_t pfn, unsigned n);
uint64_t frames_free_total(const struct frames *);
uint64_t frames_total(const struct frames *);
/* Order of the free piece that holds pfn; -1: it is not free. */
int frames_free_order(const struct frames *, uint64_t pfn);
/* The first of 2^order movable frames on one node, aligned to their size and free, but not taken: what
   frames_alloc() would give; beyond FRAMES_MAX_ORDER, where a contiguity map is kept, the lowest. FRAME_NONE. */
uint64_t frames_peek(const struct frames *, unsigned order, int node);
/* Keep the contiguity map of each node (os/contig.h) from now on, before the first allocation. -ENOMEM. */
int frames_contig(struct frames *);
/* Its blocks are of order 10, counted from the node's beginning; NULL: none is kept. */
struct contig *frames_contig_of(const struct frames *, int node);
/* First frame of a node; its number of frames. */
uint64_t frames_node_start(const struct frames *, int node);
uint64_t frames_node_frames(const struct frames *);
int frames_node(const struct frames *, uint64_t pfn);

void frames_free_blocks(const struct frames *, uint64_t count[FRAMES_MAX_ORDER + 1]);
/* Unusable free space index (M. Gorman): share of free memory that is in blocks smaller than 2^order, 0..1; 1 when
   nothing is free. */
double frames_fragmentation(const struct frames *, unsigned order);
/* Calls `each` with the length of every maximal run of free frames, in order of address. false: one of them did. */
bool frames_clusters(const struct frames *, bool (*each)(void *ctx, uint64_t frames), void *ctx);
/* `n` cells of equal size over all memory, each with its bytes by use. */
void frames_map(const struct frames *, struct os_cell *cells, unsigned n);
/* Occupy frames, from a seed, until the index at order 9 is `degree`, taking at most `occupied` of all memory.
   Whole pieces of `piece_bytes` one after the other; at most 2 MiB: single blocks. Returns the degree reached: within half a 2 MiB block of `degree` if `occupied` allowed it. */
double frames_fragment(struct frames *, double degree, double occupied, uint64_t piece_bytes, uint64_t seed);
/* Lists, bitmaps and counts agree; 0, or negative after a line on stderr. */
int frames_verify(const struct frames *);

#endif
