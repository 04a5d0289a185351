/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What every input turns into: blocks of 64-bit words, each block from one thread of one process.
 *
 *      63                                      7 6      5     4  2 1 0
 *     +-----------------------------------------+------+----+-----+---+
 *     | virtual address, bits 56..0             | dep  | pc | lg2 |k=0| load       dep: address comes from the
 *     | virtual address                         | dep  | pc | lg2 |k=1| store           load just before
 *     | address of the first instruction        |    count - 1    |k=2| fetch      pc: the next word is the PC
 *     | operands (8)     | event (8)            |                 |k=3| event      lg2: log2 of size in bytes
 *     +-----------------------------------------+-----------------+---+
 *
 * A fetch word stands for 1 to 32 instructions that run one after the other in one 4 KiB page, the first of them at
 * this address; the loads and stores up to the next fetch word are theirs. An event word is followed by its
 * operands, one word each.
 *
 * The blocks of a live program may be packed (ev_block.packed), so that its emulator has next to nothing to do:
 *
 *      63                          17 16       6    5   4  2 1 0
 *     +------------------------------+----------+----+-----+---+
 *     | virtual address, bits 46..0  | retired  | pc | lg2 |k=0| load       retired: instructions that the thread
 *     | virtual address              | retired  | pc | lg2 |k=1| store      has retired so far, modulo 2048
 *     | first byte of a page         |          |          |k=2| what follows is fetched from this page
 *     | as above                                           |k=3| event
 *
 * The block's retired_from and retired_to make good what the modulus loses.
 */
#ifndef EMT_INPUT_EVENT_H
#define EMT_INPUT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum ev_kind { EV_LOAD = 0, EV_STORE = 1, EV_FETCH = 2, EV_EVENT = 3 };

#define EV_KIND_MASK     3u
#define EV_SIZE_SHIFT    2
#define EV_HAS_PC        0x20u
#define EV_DEPENDENT     0x40u
#define EV_ADDRESS_SHIFT 7
#define EV_FETCH_MAX     32u

#define EV_PACKED_SHIFT  17
#define EV_RETIRED_SHIFT 6
#define EV_RETIRED_MASK  0x1ffc0u

/* OS events and their operands. Protections and flags are Linux's PROT_ and MAP_ values (x86-64). */
enum ev_event {
    EV_NONE,
    EV_MMAP,     /* addr, bytes, prot, flags, file (0: none), file offset in bytes; succeeded at addr */
    EV_MUNMAP,   /* addr, bytes */
    EV_MPROTECT, /* addr, bytes, prot */
    EV_MREMAP,   /* old addr, old bytes, new addr, new bytes, flags */
    EV_BRK,      /* new end of the heap; the first one sets its start as well */
    EV_MADVISE,  /* addr, bytes, advice */
    EV_STACK,    /* lowest address in use, end (exclusive): a VMA that grows down */
    EV_FILE,     /* file, bytes: a file's number and size, before its first mmap or when it changed */
    EV_FORK,     /* child process: a copy of this block's process; shares nothing but what is shared */
    EV_THREAD,   /* new thread of this process */
    EV_EXEC,     /* this process dropped its address space */
    EV_EXIT,     /* this process ended */
    EV_MARK,     /* id: a region of interest begins (id > 0) or ends (0) */
    EV_COUNT
};

static inline uint64_t ev_load(uint64_t va, unsigned log2_bytes) {
    return va << EV_ADDRESS_SHIFT | log2_bytes << EV_SIZE_SHIFT | EV_LOAD;
}
static inline uint64_t ev_store(uint64_t va, unsigned log2_bytes) {
    return va << EV_ADDRESS_SHIFT | log2_bytes << EV_SIZE_SHIFT | EV_STORE;
}
static inline uint64_t ev_fetch(uint64_t pc, unsigned instructions) {
    return pc << EV_ADDRESS_SHIFT | (uint64_t)(instructions - 1) << 2 | EV_FETCH;
}
static inline uint64_t ev_event(enum ev_event event, unsigned operands) {
    return (uint64_t)operands << 15 | (uint64_t)event << EV_ADDRESS_SHIFT | EV_EVENT;
}
static inline uint64_t ev_address(uint64_t word) {
    return (uint64_t)((int64_t)word >> EV_ADDRESS_SHIFT);
}
static inline unsigned ev_size_bytes(uint64_t word) {
    return 1u << (word >> EV_SIZE_SHIFT & 7);
}
static inline unsigned ev_instructions(uint64_t word) {
    return (unsigned)(word >> 2 & 31) + 1;
}
static inline enum ev_event ev_kind_of(uint64_t word) {
    return (enum ev_event)(word >> EV_ADDRESS_SHIFT & 0xff);
}
static inline unsigned ev_operands(uint64_t word) {
    return (unsigned)(word >> 15 & 0xff);
}

/* Of packed words: loads, stores and fetches. */
static inline uint64_t ev_packed_address(uint64_t word) {
    return word >> EV_PACKED_SHIFT;
}
/* Instructions between `retired`, a full count, and this load or store. */
static inline uint64_t ev_retired_since(uint64_t word, uint64_t retired) {
    return ((word >> EV_RETIRED_SHIFT) - retired) & (EV_RETIRED_MASK >> EV_RETIRED_SHIFT);
}

/* Number of operands of each event kind. */
extern const uint8_t ev_operand_count[EV_COUNT];

/* A block holds whole items only: an event and its operands, an access and its PC, are never cut in two. */
#define EV_BLOCK_WORDS 8184

struct ev_block {
    uint32_t process; /* 1, 2, ... in order of appearance */
    uint32_t thread;  /* 0, 1, ... over all processes, in order of appearance */
    uint32_t words;
    uint32_t packed;                   /* 1: the words are packed */
    uint64_t retired_from, retired_to; /* of a packed block: what the thread had retired before it, and after */
    uint32_t reserved[8];
    uint64_t word[EV_BLOCK_WORDS];
};

/*
 * Where blocks come from: a live program, a synthetic workload, a trace. next() returns 1 with a block that stays
 * valid until it is given back, 0 at the end, or a negative errno value after describing the error in `error`.
 */
struct ev_source {
    int (*next)(struct ev_source *, const struct ev_block **);
    void (*release)(struct ev_source *, const struct ev_block *); /* any thread may call it */
    void (*close)(struct ev_source *);
    /* How much of the input is done, 0..1; negative: not known. */
    double (*progress)(const struct ev_source *);
    const char *what; /* for people: "sqlite3", "gups:bytes=1T", "trace.xz" */
    /* Set by the consumer before the first next(): */
    bool want_pc;     /* loads and stores carry their PC */
    bool take_packed; /* blocks may be packed */
    int exit_status;  /* of a live program, after the end; 128 + n for signal n, as a shell says it; else 0 */
    char error[512];
    unsigned left_by_exec; /* processes of a live program that went on natively after execve: not simulated */
    char note[512];        /* after the end: what the user should know of the run, one line; empty: nothing */
};

#endif
