/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Synthetic workloads: what one consists of, and how it emits words. To add one: a file with a `struct workload`,
 * and a line in workload.c's registry; its table of keys drives parsing, `emt list workloads` and the messages.
 *
 *      spec text --workload.c--> struct synth --source.c--> blocks of words
 *                                   |  setup(): regions, state      |  first block: text, stack, regions, threads
 *                                   '- fill(): the loop itself      |  then the first touch of the regions (init=1)
 *                                                                   '  then fill() for each thread in turn
 */
#ifndef EMT_SYNTH_SYNTH_H
#define EMT_SYNTH_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/event.h"
#include "input/synth/random.h"

#define SYNTH_THREADS_MAX 64
#define SYNTH_REGIONS_MAX 8
#define SYNTH_KEYS_MAX    16

/* Where a program of Linux lies (x86-64, not position independent, which would cut the space for data in two; no
   randomisation). */
#define SYNTH_IMAGE      0x400000ull
#define SYNTH_TEXT       (SYNTH_IMAGE + 0x1000)
#define SYNTH_TEXT_BYTES 0x4000ull
#define SYNTH_STACK_END  0x7ffffffff000ull
#define SYNTH_STACK      (SYNTH_STACK_END - 0x21000) /* 132 KiB, as Linux maps at exec */
#define SYNTH_MMAP_TOP   0x7ffff7c00000ull           /* regions grow down from here */

/* Code of loop n of a workload, and the address of its i-th instruction (4 bytes each: the usual mean). */
#define LOOP(n)    (SYNTH_TEXT + 0x100 + (n)*0x100ull)
#define INSN(n, i) (LOOP(n) + (i)*4ull)

/* The keys that every workload has; its own ones follow from KEY_OWN. */
enum { KEY_BYTES, KEY_ACCESSES, KEY_SEED, KEY_THREADS, KEY_INIT, KEY_MADVISE, KEY_OWN };

enum key_kind { KIND_BYTES, KIND_COUNT, KIND_REAL, KIND_CHOICE };

struct workload_key {
    const char *name;
    enum key_kind kind;
    double min, max;            /* inclusive */
    double fallback;            /* the default */
    const char *const *choices; /* KIND_CHOICE: NULL-terminated; the value is the index */
    const char *fallback_text;  /* shown instead of the number, for a default that depends on others */
    const char *about;
};

struct synth;

/* Where fill() puts words. Copy it into a local variable in hot loops, and back. */
struct synth_out {
    uint64_t *at, *end;
    uint64_t accesses;
    uint64_t pc; /* EV_HAS_PC or 0 */
};

enum synth_state {
    SYNTH_MORE, /* the block is full (or the thread gave all it has for now) */
    SYNTH_IDLE, /* waits for other threads; nothing more in this block */
    SYNTH_END,  /* only when `once`: this thread's part of the algorithm is done */
};

struct workload {
    const char *name, *about;
    const char *end; /* what accesses=0 runs to */
    const struct workload_key *keys;
    unsigned key_count;
    double bytes, bytes_min;      /* default of KEY_BYTES and its least value */
    int (*setup)(struct synth *); /* 0, or negative with a line in s->why */
    /* An initialisation that cannot be left out, before that of the regions: true when this thread has done its
       part; called again for another block otherwise. May be NULL. */
    bool (*init)(struct synth *, unsigned thread, struct synth_out *);
    enum synth_state (*fill)(struct synth *, unsigned thread, struct synth_out *);
    void (*teardown)(struct synth *); /* what `state` holds; `state` itself is freed by the caller; may be NULL */
};

struct synth_region {
    uint64_t base, bytes;
    bool init; /* written in the init phase */
};

struct synth {
    const struct workload *workload;
    struct {
        uint64_t u;
        double f;
        bool given;
    } key[SYNTH_KEYS_MAX];
    unsigned threads;
    bool once; /* accesses=0: until the algorithm's end */
    struct synth_region region[SYNTH_REGIONS_MAX];
    unsigned regions;
    uint64_t mmap_top;
    uint64_t rng[SYNTH_THREADS_MAX];
    void *state;
    char why[256];
};

/* A new region of at least `bytes`, page aligned (2 MiB aligned from 2 MiB on, as Linux since 6.7 does for
   anonymous memory); returns its base. */
uint64_t synth_region(struct synth *, uint64_t bytes, bool init);

/* Part `thread` of `n` things: [*first, *end). */
static inline void synth_slice(uint64_t n, unsigned thread, unsigned threads, uint64_t *first, uint64_t *end) {
    *first = (uint64_t)((unsigned __int128)n * thread / threads);
    *end = (uint64_t)((unsigned __int128)n * (thread + 1) / threads);
}

static inline bool out_room(const struct synth_out *o, unsigned words) {
    return (size_t)(o->end - o->at) >= words;
}
static inline void out_fetch(struct synth_out *o, uint64_t pc, unsigned instructions) {
    *o->at++ = ev_fetch(pc, instructions);
}
static inline void out_access(struct synth_out *o, uint64_t word, uint64_t pc) {
    *o->at++ = word | o->pc;
    if (o->pc)
        *o->at++ = pc;
    o->accesses++;
}
static inline void out_load(struct synth_out *o, uint64_t va, unsigned log2_bytes, uint64_t pc) {
    out_access(o, ev_load(va, log2_bytes), pc);
}
static inline void out_load_dependent(struct synth_out *o, uint64_t va, unsigned log2_bytes, uint64_t pc) {
    out_access(o, ev_load(va, log2_bytes) | EV_DEPENDENT, pc);
}
static inline void out_store(struct synth_out *o, uint64_t va, unsigned log2_bytes, uint64_t pc) {
    out_access(o, ev_store(va, log2_bytes), pc);
}

/* workload.c: parse a spec; negative with a line in why. source.c: blocks from it (takes over s on success). */
int synth_parse(struct synth *s, const char *spec, char *why, size_t bytes);
int synth_source(struct ev_source **out, struct synth *s, const char *spec, char *why, size_t bytes);
void synth_free(struct synth *s);

#endif
