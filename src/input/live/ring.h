/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The shared memory between the simulator (consumer) and the emulated processes (producers).
 *
 *      +--------------------------------+----------+----------+-- ... --+------------+
 *      | struct ring: lists, processes, | block 0  | block 1  |         | block 4095 |   a sparse memfd
 *      | file numbers                   | 64 KiB   |          |         |            |
 *      +--------------------------------+----------+----------+-- ... --+------------+
 *
 *      FREE --take--> WRITING --publish--> PUBLISHED --next--> READING --release--> FREE
 *
 * A block's state is the truth; the FIFO and the free list are made from it again when a process was
 * killed while it held the (robust) lock. A producer waits while too many blocks are on their way, but never
 * for ever: it looks from time to time whether the consumer still lives, and goes on unobserved if not.
 */
#ifndef EMT_INPUT_LIVE_RING_H
#define EMT_INPUT_LIVE_RING_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "input/event.h"

#define RING_BLOCKS                                                                                                \
    4096u /* open ones (one for each thread) and those on their way; pages untouched cost nothing                  \
           */
#define RING_IN_FLIGHT 256u   /* published and not yet released at most: 16 MiB */
#define RING_LOW       192u   /* so few that waiting producers are woken: not for each block */
#define RING_BATCH     16u    /* so many published that a waiting consumer is woken before its time */
#define RING_PROCESSES 4096u  /* simulated at the same time */
#define RING_FILES     32768u /* distinct files mapped; power of two */
#define RING_PATH      4096u

enum ring_block_state { RING_FREE, RING_WRITING, RING_PUBLISHED, RING_READING };

struct ring_slot {
    _Atomic uint32_t state; /* enum ring_block_state */
    uint32_t owner;         /* index in process[] while WRITING */
    uint32_t first;         /* words before this one were published already, in a copy */
    uint32_t reserved;
    uint64_t sequence; /* order of publication */
};

enum ring_process_state {
    RING_NO_PROCESS,
    RING_FORKING, /* its parent has not announced it yet */
    RING_RUNNING,
    RING_EXECING, /* in execve: either comes back or continues natively */
    RING_ENDED,   /* said so itself: all its blocks are published */
};

struct ring_process {
    _Atomic uint32_t state; /* enum ring_process_state */
    pid_t pid;
    uint32_t number; /* of its address space: that of its parent for a vfork child */
    uint32_t thread; /* number of its first thread */
    bool borrows;    /* a vfork child: the address space stays when it ends */
    char exec[31];   /* last component of the path given to execve */
};

struct ring_file {
    uint64_t dev, ino;
    uint32_t number; /* 1, 2, ... in order of appearance; 0: no entry */
    uint32_t reserved;
};

struct ring {
    /* Set by the consumer before the start. */
    uint32_t layout; /* sizeof(struct ring): both sides must agree */
    pid_t consumer;
    bool want_pc;
    bool ignore_children;
    char program[RING_PATH]; /* the ELF file that the emulator loads */

    _Atomic uint32_t installed; /* the plugin has been loaded */
    _Atomic uint32_t detached;  /* nobody reads any more: stop observing */

    pthread_mutex_t lock; /* robust; covers the lists, numbers and files below */
    _Atomic uint32_t published_futex, room_futex;
    _Atomic uint32_t consumer_waits, producers_wait;
    _Atomic uint32_t in_flight;
    _Atomic uint32_t fifo_count; /* read without the lock as a hint */
    uint32_t fifo_head;
    uint32_t free_count;
    uint32_t next_process, next_thread, next_file;
    _Atomic uint32_t unobserved_threads, unobserved_processes, unnumbered_files;
    _Atomic uint32_t execing; /* processes that may be in state RING_EXECING: the consumer looks at them often */
    _Atomic uint32_t image_incomplete; /* a part of the initial image was not found */
    uint64_t sequence;
    uint16_t fifo[RING_BLOCKS];
    uint16_t free[RING_BLOCKS];
    struct ring_slot slot[RING_BLOCKS];
    struct ring_process process[RING_PROCESSES];
    struct ring_file file[RING_FILES];
};

#define RING_BLOCKS_OFFSET ((sizeof(struct ring) + 65535) / 65536 * 65536)
#define RING_BYTES         (RING_BLOCKS_OFFSET + RING_BLOCKS * sizeof(struct ev_block))

/* Consumer: makes the memory; *fd is close-on-exec. Negative errno value on error. */
int ring_create(struct ring **out, int *fd);
/* Producer: maps it; does not close fd. */
int ring_attach(struct ring **out, int fd);
void ring_unmap(struct ring *);

/* -- producers -- */
/* An empty block for this thread of the process; NULL when none is left. */
struct ev_block *ring_take(struct ring *, const struct ring_process *, uint32_t thread);
/* Gives the block to the consumer, or drops it when nobody reads. May wait. */
void ring_publish(struct ring *, struct ev_block *);
/* An unused entry, now in state RING_FORKING; NULL when too many processes are alive. */
struct ring_process *ring_new_process(struct ring *);
/* Numbers in order of appearance: processes from 1, threads from 0. */
uint32_t ring_process_number(struct ring *);
uint32_t ring_thread_number(struct ring *);
/* The number of a file, unique over all processes; 0: not known and not to be added, or the table is full. */
uint32_t ring_file_number(struct ring *, uint64_t dev, uint64_t ino, bool add);
struct ring_slot *ring_slot_of(struct ring *, const struct ev_block *);
/* The process has ended or is a zombie. */
bool ring_pid_gone(pid_t);

/* -- consumer -- */
/* The oldest published block, or NULL after timeout_ms without one. */
struct ev_block *ring_next(struct ring *, int timeout_ms);
/* Any thread. */
void ring_release(struct ring *, const struct ev_block *);
/* Takes back the open blocks of a process that is gone, and publishes what is in them if `publish`. */
void ring_recover(struct ring *, const struct ring_process *, bool publish);
/* Publishes without waiting for room: for the consumer's own blocks. */
void ring_append(struct ring *, struct ev_block *);
/* Wakes the consumer although few blocks wait for it. */
void ring_hurry(struct ring *);
/* Nobody will read any more: producers go on unobserved. Safe in a signal handler. */
void ring_detach(struct ring *);

#endif
