/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The ring of ring.h: lists of blocks under one robust lock, and futexes to wait on. */
#include "input/live/ring.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "input/live/packed.h"

#define PRODUCER_WAIT_MS 100

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout) {
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen, int timeout_ms) {
    struct timespec t = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    futex(word, FUTEX_WAIT, seen, &t);
}

static void futex_wake(_Atomic uint32_t *word) {
    atomic_fetch_add(word, 1);
    futex(word, FUTEX_WAKE, INT32_MAX, NULL);
}

static struct ev_block *block_at(struct ring *r, unsigned i) {
    return (struct ev_block *)((char *)r + RING_BLOCKS_OFFSET) + i;
}

static unsigned index_of(struct ring *r, const struct ev_block *b) {
    return (unsigned)(b - block_at(r, 0));
}

struct ring_slot *ring_slot_of(struct ring *r, const struct ev_block *b) {
    return &r->slot[index_of(r, b)];
}

/* The lists, made from the states of the blocks: a process died in the middle of changing them. */
static void rebuild(struct ring *r) {
    r->free_count = 0;
    r->fifo_head = 0;
    uint32_t published = 0, in_flight = 0;
    for (unsigned i = RING_BLOCKS; i-- > 0;) {
        uint32_t state = atomic_load(&r->slot[i].state);
        if (state == RING_FREE)
            r->free[r->free_count++] = (uint16_t)i;
        if (state == RING_READING)
            in_flight++;
        if (state != RING_PUBLISHED)
            continue;
        uint32_t at = published++; /* insertion by sequence: rare, and few are published */
        for (; at > 0 && r->slot[r->fifo[at - 1]].sequence > r->slot[i].sequence; at--)
            r->fifo[at] = r->fifo[at - 1];
        r->fifo[at] = (uint16_t)i;
    }
    atomic_store(&r->fifo_count, published);
    atomic_store(&r->in_flight, in_flight + published);
}

static void lock(struct ring *r) {
    if (pthread_mutex_lock(&r->lock) == EOWNERDEAD) {
        rebuild(r);
        pthread_mutex_consistent(&r->lock);
    }
}

static void unlock(struct ring *r) {
    pthread_mutex_unlock(&r->lock);
}

int ring_create(struct ring **out, int *fd) {
    int memory = memfd_create("emt-ring", MFD_CLOEXEC);
    if (memory < 0)
        return -errno;
    int error = 0;
    struct ring *r = MAP_FAILED;
    if (ftruncate(memory, (off_t)RING_BYTES) != 0 ||
        (r = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory, 0)) == MAP_FAILED) {
        error = -errno;
        close(memory);
        return error;
    }
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&r->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    r->layout = sizeof(struct ring);
    r->consumer = getpid();
    rebuild(r);
    *out = r;
    *fd = memory;
    return 0;
}

int ring_attach(struct ring **out, int fd) {
    struct ring *r = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (r == MAP_FAILED)
        return -errno;
    if (r->layout != sizeof(struct ring)) {
        munmap(r, RING_BYTES);
        return -EINVAL;
    }
    *out = r;
    return 0;
}

void ring_unmap(struct ring *r) {
    munmap(r, RING_BYTES);
}

bool ring_pid_gone(pid_t pid) {
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return true;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = 0;
    const char *state = strrchr(text, ')'); /* pid (name) state ...: the name may hold brackets itself */
    return !state || state[1] == 0 || state[2] == 'Z' || state[2] == 'X';
}

/* -- producers -- */

struct ev_block *ring_take(struct ring *r, const struct ring_process *p, uint32_t thread) {
    lock(r);
    if (r->free_count == 0) {
        unlock(r);
        return NULL;
    }
    unsigned i = r->free[r->free_count - 1];
    struct ring_slot *slot = &r->slot[i];
    struct ev_block *b = block_at(r, i);
    slot->owner = (uint32_t)(p - r->process);
    slot->first = 0;
    b->process = p->number;
    b->thread = thread;
    b->words = 0;
    b->packed = 1;
    b->retired_from = b->retired_to = 0;
    atomic_store(&slot->state, RING_WRITING);
    r->free_count--;
    unlock(r);
    return b;
}

/* Waits until few enough blocks are on their way; false when nobody reads any more. */
static bool wait_for_room(struct ring *r) {
    while (atomic_load(&r->in_flight) >= RING_IN_FLIGHT && !atomic_load(&r->detached)) {
        uint32_t seen = atomic_load(&r->room_futex);
        atomic_fetch_add(&r->producers_wait, 1);
        if (atomic_load(&r->in_flight) >= RING_IN_FLIGHT)
            futex_wait(&r->room_futex, seen, PRODUCER_WAIT_MS);
        atomic_fetch_sub(&r->producers_wait, 1);
        if (atomic_load(&r->in_flight) >= RING_IN_FLIGHT && ring_pid_gone(r->consumer))
            atomic_store(&r->detached, 1);
    }
    return !atomic_load(&r->detached);
}

static void append_published(struct ring *r, unsigned i) {
    r->slot[i].sequence = ++r->sequence;
    atomic_store(&r->slot[i].state, RING_PUBLISHED);
    uint32_t count = atomic_load(&r->fifo_count);
    r->fifo[(r->fifo_head + count) % RING_BLOCKS] = (uint16_t)i;
    atomic_fetch_add(&r->in_flight, 1);
    atomic_store(&r->fifo_count, count + 1);
}

void ring_publish(struct ring *r, struct ev_block *b) {
    if (!wait_for_room(r)) {
        ring_release(r, b);
        return;
    }
    lock(r);
    append_published(r, index_of(r, b));
    unlock(r);
    if (atomic_load(&r->consumer_waits) && atomic_load(&r->fifo_count) >= RING_BATCH)
        futex_wake(&r->published_futex);
}

void ring_hurry(struct ring *r) {
    futex_wake(&r->published_futex);
}

struct ring_process *ring_new_process(struct ring *r) {
    struct ring_process *found = NULL;
    lock(r);
    for (unsigned i = 0; i < RING_PROCESSES && !found; i++) {
        struct ring_process *p = &r->process[i];
        if (atomic_load(&p->state) != RING_NO_PROCESS)
            continue;
        memset(p, 0, sizeof(*p));
        p->pid = getpid(); /* until the child is there: its fate is that of its parent */
        atomic_store(&p->state, RING_FORKING);
        found = p;
    }
    unlock(r);
    if (!found)
        atomic_fetch_add(&r->unobserved_processes, 1);
    return found;
}

uint32_t ring_process_number(struct ring *r) {
    lock(r);
    uint32_t number = ++r->next_process;
    unlock(r);
    return number;
}

uint32_t ring_thread_number(struct ring *r) {
    lock(r);
    uint32_t number = r->next_thread++;
    unlock(r);
    return number;
}

uint32_t ring_file_number(struct ring *r, uint64_t dev, uint64_t ino, bool add) {
    uint64_t h = (ino * 0x9e3779b97f4a7c15u ^ dev) * 0xbf58476d1ce4e5b9u; /* splitmix64's multipliers */
    uint32_t number = 0;
    lock(r);
    for (unsigned probe = 0; probe < RING_FILES; probe++) {
        struct ring_file *f = &r->file[((h >> 40) + probe) & (RING_FILES - 1)];
        if (f->number == 0 && add && r->next_file < RING_FILES / 4 * 3) {
            f->dev = dev;
            f->ino = ino;
            f->number = ++r->next_file;
        }
        if (f->number == 0)
            break;
        if (f->dev == dev && f->ino == ino) {
            number = f->number;
            break;
        }
    }
    if (number == 0 && add)
        atomic_fetch_add(&r->unnumbered_files, 1);
    unlock(r);
    return number;
}

/* -- consumer -- */

static struct ev_block *pop(struct ring *r) {
    struct ev_block *b = NULL;
    lock(r);
    uint32_t count = atomic_load(&r->fifo_count);
    if (count > 0) {
        unsigned i = r->fifo[r->fifo_head];
        atomic_store(&r->slot[i].state, RING_READING);
        r->fifo_head = (r->fifo_head + 1) % RING_BLOCKS;
        atomic_store(&r->fifo_count, count - 1);
        b = block_at(r, i);
    }
    unlock(r);
    return b;
}

struct ev_block *ring_next(struct ring *r, int timeout_ms) {
    struct ev_block *b = pop(r);
    if (b || timeout_ms == 0)
        return b;
    uint32_t seen = atomic_load(&r->published_futex);
    atomic_store(&r->consumer_waits, 1);
    if (atomic_load(&r->fifo_count) == 0 && !atomic_load(&r->detached))
        futex_wait(&r->published_futex, seen, timeout_ms);
    atomic_store(&r->consumer_waits, 0);
    return pop(r);
}

void ring_release(struct ring *r, const struct ev_block *b) {
    unsigned i = index_of(r, b);
    lock(r);
    if (atomic_load(&r->slot[i].state) == RING_READING)
        atomic_fetch_sub(&r->in_flight, 1);
    atomic_store(&r->slot[i].state, RING_FREE);
    r->free[r->free_count++] = (uint16_t)i;
    unlock(r);
    if (atomic_load(&r->producers_wait) && atomic_load(&r->in_flight) <= RING_LOW)
        futex_wake(&r->room_futex);
}

void ring_append(struct ring *r, struct ev_block *b) {
    lock(r);
    append_published(r, index_of(r, b));
    unlock(r);
}

void ring_recover(struct ring *r, const struct ring_process *p, bool publish) {
    lock(r);
    for (unsigned i = 0; i < RING_BLOCKS; i++) {
        struct ring_slot *slot = &r->slot[i];
        if (atomic_load(&slot->state) != RING_WRITING || slot->owner != p - r->process)
            continue;
        struct ev_block *b = block_at(r, i);
        uint32_t first = slot->first;
        if (publish && b->words <= EV_BLOCK_WORDS && first < b->words) {
            memmove(b->word, b->word + first, (b->words - first) * sizeof(b->word[0]));
            b->words -= first;
            b->retired_to = packed_retired(b);
            append_published(r, i);
        } else {
            atomic_store(&slot->state, RING_FREE);
            r->free[r->free_count++] = (uint16_t)i;
        }
    }
    unlock(r);
}

void ring_detach(struct ring *r) {
    atomic_store(&r->detached, 1);
    futex_wake(&r->room_futex);
    futex_wake(&r->published_futex);
}
