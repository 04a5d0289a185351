/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the files of the plugin share: the state of one emulated process, and how its threads fill blocks. */
#ifndef EMT_INPUT_LIVE_PLUGIN_H
#define EMT_INPUT_LIVE_PLUGIN_H

#include <pthread.h>
#include <stdatomic.h>

#include "input/event.h"
#include "input/live/ring.h"

#define VCPUS_MAX 65536u

/*
 * Behind this many words a block counts as full. What one callback appends (an event with its
 * operands, a page, a load and a store) fits in the rest, so that nothing is cut in two.
 */
#define ITEM_WORDS_MAX   64u
#define BLOCK_FULL_WORDS (EV_BLOCK_WORDS - ITEM_WORDS_MAX)

/* A guest thread. QEMU numbers them (vcpu) within the process and uses the number of an ended one again. */
struct vcpu {
    pthread_mutex_t lock; /* who holds it may publish this thread's words and change its block */
    bool live;
    uint32_t thread;          /* number over all processes */
    uint64_t last_rep;        /* address of the repeated string instruction that ran last */
    struct ev_block *scratch; /* takes the words nobody wants */

    /* The system call under way. */
    uint64_t argument[6];
    uint64_t file_dev, file_ino, file_bytes;
    bool has_file, in_mapping_call;
    struct ring_process *child;
};

/* A System V segment in the address space: shmdt names its address only. */
struct attachment {
    struct attachment *next;
    uint64_t start, bytes;
};

/* One plugin, one process: QEMU's callbacks bring no context of ours, so it is a variable of the plugin. */
struct process {
    struct ring *ring;
    struct ring_process *self;
    bool started;        /* the initial image has been described */
    _Atomic bool silent; /* not observed (any more) */
    bool ended;
    unsigned vcpus; /* highest number in use so far, plus 1 */
    _Atomic unsigned live_vcpus;
    _Atomic bool parallel; /* there is, or is about to be, more than one thread; QEMU translates anew then */
    struct vcpu *vcpu[VCPUS_MAX];
    /* Held from entry to return of each call that changes mappings, so that events have the order of the changes.
     */
    pthread_mutex_t mapping;
    uint64_t guest_base;
    uint64_t heap_end;
    struct attachment *attachments;
    uint64_t file_bytes[RING_FILES]; /* size last announced */
};
extern struct process self;

/* How far a thread has come. One line of the host's cache for each. */
struct progress {
    _Alignas(64) uint64_t retired; /* instructions, in place for EV_RETIRED_MASK */
    uint64_t page;                 /* that the words so far say it is fetched from; 0: not told */
};
extern struct progress progress[VCPUS_MAX];

/* The block that each thread fills. Written only when it is exchanged: the threads share these lines at no cost. */
extern struct ev_block *open_block[VCPUS_MAX];

static inline void set_words(struct ev_block *b, uint32_t words) {
    /* after the words themselves: another thread, or the consumer when we are killed, may read up to here */
    __atomic_store_n(&b->words, words, __ATOMIC_RELEASE);
}

/* Publishes what the thread has written and gives it an empty block. */
void vcpu_publish(unsigned vcpu);
/* Publishes what all threads but this one have written so far; they go on writing meanwhile. */
void others_publish(unsigned vcpu);
/* Appends an event; the operands are as many as ev_operand_count says. */
void emit(unsigned vcpu, enum ev_event event, const uint64_t *operands);
#define EMIT(vcpu, event, ...) emit(vcpu, event, (const uint64_t[]){__VA_ARGS__})
/* After fork, in the child: a process of its own with one thread; unobserved when `entry` is NULL. */
void process_is_child(unsigned vcpu, struct ring_process *entry);
/* The thread that runs a system call on this host thread. */
extern __thread unsigned calling_vcpu;

/* calls.c: QEMU's callbacks around system calls */
void on_call(uint64_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
             uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
void on_return(uint64_t id, unsigned vcpu, int64_t number, int64_t result);
/* The file's number, announced to the consumer; 0 when it has none. */
uint64_t announce_file(unsigned vcpu, uint64_t dev, uint64_t ino, uint64_t bytes);

#endif
