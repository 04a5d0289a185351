/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The model of contents behind oracle.h, and the world that it runs in. Each call of oracle_calls.c is made in
 * both.
 */
#ifndef EMT_TESTS_OS_ORACLE_MODEL_H
#define EMT_TESTS_OS_ORACLE_MODEL_H

#include "oracle.h"
#include "os/reclaim.h"

#define ARENA     0x40000000ull /* aligned to 1 GiB */
#define PAGES     2048u         /* 8 MiB: four huge pages */
#define HEAP      1700u         /* where each process's heap begins */
#define PROCESSES 4
#define FILES     3
#define TLB       64

/* What several processes may share: a file, or shared anonymous memory. */
struct object {
    uint64_t content[2 * PAGES]; /* as the page cache shows it */
    uint64_t pages;              /* beyond: SIGBUS */
    uint64_t file;               /* 0: anonymous */
    struct object *next;
};

struct page {
    bool mapped, shared, own; /* own: `content` is private to this page */
    bool lazy;                /* MADV_FREE: may be zeroes as well, until the next store */
    bool dontfork, wipe;
    int prot;
    struct object *object; /* NULL: private anonymous */
    uint64_t index;        /* page of the object */
    uint64_t content;
};

struct process {
    struct os_process *p;
    uint32_t brk; /* page */
    struct page page[PAGES];
};

struct tlb_entry {
    const struct emt_tdb *tdb; /* NULL: empty */
    struct os_process *p;
    uint64_t va, pfn;
    bool write;
};

struct world {
    const struct oracle_setup *setup;
    struct emt_host host;
    struct emt_tsvc svc;
    struct emt_config cfg;
    struct os *os;
    struct process process[PROCESSES];
    struct object *objects;
    struct object *file[FILES];
    struct tlb_entry tlb[TLB];
    uint32_t next_id;
    uint64_t next_content, now, fail_at;
    uint64_t boot_tables; /* frames that the service keeps from boot to shutdown */
    const uint8_t *at, *end;
    struct oracle_counts counts;
    bool bad;
};

static inline uint64_t va_of(unsigned page) {
    return ARENA + (uint64_t)page * PAGE;
}

/* Something is not as it must be: one line on stderr, and w->bad. `pr` may be NULL. */
void model_fail(struct world *w, const struct process *pr, unsigned page, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* For host->flush, and after each call: would a TLB that only flushes clear be stale? */
void model_on_flush(void *hw, const struct emt_flush *f);
void model_tlb_check(struct world *w);

/* What the page must show. */
uint64_t model_content(const struct page *pg);
void model_forget(struct page *pg);
void model_forget_range(struct process *pr, unsigned first, unsigned count);
/* A call ran out of memory half way, or did what it could: which of its effects are there? */
void model_resync(struct world *w, struct process *pr, unsigned first, unsigned count);
struct object *model_object(struct world *w, uint64_t file, uint64_t pages);
/* An empty process, with its heap. */
void model_start(struct process *pr);

/* One access in both worlds. */
void model_store(struct world *w, struct process *pr, unsigned i);
void model_load(struct world *w, struct process *pr, unsigned i);
/* Everything that is mapped shows what it must, without a fault; private contents are there. */
void model_check(struct world *w);

/* oracle_calls.c: the next bytes as one call. */
void model_call(struct world *w);

#endif
