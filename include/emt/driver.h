/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How to write a memory-translation architecture.
 *
 *   translation object (tobj)    one mapping, whatever its size, with its attributes
 *   translation database (tdb)   the objects of one address space, and the tables that hardware reads
 *   translation service (tsvc)   the MMU of the system: creates, switches, flushes
 *   driver                       the OS side: implements this interface and writes the tables
 *   walker                       the hardware side: reads those same bytes
 *
 * The words and the split are those of "EMT: An OS Framework for New Memory Translation Architectures"
 * (OSDI'25, sections 3 and 4). An architecture is a folder src/mmu/NAME with format.h, driver.c, walker.c and
 * README.md, and one line in src/core/registry.c.
 *
 * Conventions. Addresses and lengths are in bytes, a frame number (PFN) counts 4 KiB frames. Functions
 * return 0 or a negative errno value. "The caller holds R" means: has a cursor open, or called
 * emt_range_lock(), over a range that contains all the addresses passed; two holders never overlap.
 * Walkers hold nothing and may run at any moment: every store that a driver makes must leave tables from
 * which a walker finds the old or the new translation, never a third one.
 */
#ifndef EMT_DRIVER_H
#define EMT_DRIVER_H

#include "emt/types.h"

struct emt_host; /* what is around a driver: emt/host.h */

/* ---- translation objects --------------------------------------------------------------------------- */

/* Attributes of a translation object. A flag's value is 0 or 1. */
enum emt_attr {
    EMT_ATTR_PRESENT,  /* hardware may use it */
    EMT_ATTR_PFN,      /* first 4 KiB frame */
    EMT_ATTR_WRITE,    /* may be written */
    EMT_ATTR_EXEC,     /* may be executed */
    EMT_ATTR_USER,     /* user mode may use it */
    EMT_ATTR_GLOBAL,   /* belongs to every address space: survives an ASID flush */
    EMT_ATTR_ACCESSED, /* was used since last cleared */
    EMT_ATTR_DIRTY,    /* was written since last cleared */
    EMT_ATTR_CACHE,    /* cache mode, an index 0..7 (x86: PAT:PCD:PWT) */
    EMT_ATTR_PKEY,     /* protection key 0..15 */
    EMT_ATTR_SOFT,     /* bits that belong to the OS; as many as emt_caps.soft_bits says */
    EMT_ATTR_CONTIG, /* belongs to a large run, contiguous in virtual and physical memory: a hint that hardware may
                        use (CA paging and SpOT, ISCA'20). Which run is large enough is the OS's to say. */
    EMT_ATTR_SWAP,   /* swap entry of an object that is not present: type << 50 | offset; 0: none.
                        Setting it makes the object not present. */
    EMT_ATTR_COUNT
};

/* What tobj_init() takes: permissions of a new object. Everything that is present may be read. */
#define EMT_PROT_WRITE  0x1u
#define EMT_PROT_EXEC   0x2u
#define EMT_PROT_USER   0x4u
#define EMT_PROT_GLOBAL 0x8u

/* A copy of one translation object. The owner is whoever holds the struct; it points to nothing. */
struct emt_tobj {
    uint64_t va;     /* first byte */
    uint64_t bytes;  /* length: a page size, or any multiple of 4 KiB where the architecture has ranges */
    uint64_t raw[2]; /* the entry as the tables hold it: only the driver looks inside */
};

/* ---- service and database -------------------------------------------------------------------------- */

#define EMT_MAX_CPUS   64
#define EMT_ROOT_WORDS 52

/* What the hardware can do, as far as an OS asks. */
struct emt_caps {
    uint64_t page_sizes; /* bit n set: pages of 2^n bytes */
    uint8_t va_bits;     /* virtual address bits, sign extended above */
    uint8_t pa_bits;     /* physical address bits */
    uint8_t asid_bits;   /* 0: no ASIDs, every switch flushes */
    uint8_t soft_bits;   /* bits an OS may keep in EMT_ATTR_SOFT */
    bool accessed_dirty; /* hardware sets A and D */
    bool global;         /* has global entries */
    bool ranges;         /* hardware also knows ranges of any length, which the driver makes of pages: emt_range */
    bool places;         /* restricts frames: ask emt_tdb_place() before each allocation */
};

/* What the hardware's root registers get on a switch. Radix uses word[0] as CR3. */
struct emt_root {
    uint64_t word[EMT_ROOT_WORDS];
};

struct emt_arch;

struct emt_tsvc {
    const struct emt_arch *arch;
    struct emt_host *host;
    bool basic_only; /* ignore every customization: only basic functions and the defaults are used */
    struct emt_tdb *current[EMT_MAX_CPUS];
    void *priv; /* the driver's own, from emt_state_alloc() */
};

struct emt_tdb {
    struct emt_tsvc *svc;
    uint16_t asid;        /* chosen by the OS before tdb_create() */
    uint64_t table_bytes; /* now in tables; kept by emt_table_alloc() and emt_table_free() */
    uint64_t word[4];     /* the driver's own */
    void *priv;           /* the driver's own, from emt_state_alloc() */
    uint32_t lock;        /* the default range lock: one for the whole database */
};

/* Which cached translations must go. */
enum emt_flush_kind {
    EMT_FLUSH_RANGE, /* [va, va + bytes) of one address space */
    EMT_FLUSH_ASID,  /* everything of one address space but global entries */
    EMT_FLUSH_ALL    /* everything, global entries too */
};

struct emt_flush {
    enum emt_flush_kind kind;
    struct emt_tdb *tdb; /* NULL with EMT_FLUSH_ALL */
    uint64_t va, bytes;
    uint64_t stride; /* smallest object in the range, in bytes: how many single invalidations it takes */
    bool tables;     /* tables were freed or moved: caches of the upper levels must go too */
};

/*
 * Flushes that are still owed. Filled by cursors and range operations, paid by emt_gather_flush(). Empty when
 * lo >= hi. Table frames freed meanwhile are kept by the host until the flush is done.
 */
struct emt_gather {
    uint64_t lo, hi, stride;
    bool tables;
};

/* ---- cursor ----------------------------------------------------------------------------------------- */

/*
 * A cursor over a locked range (the shape of CortenMM's transactions, SOSP'25, and of Linux's
 * page_vma_mapped_walk): open locks [start, end), next and seek move, set and erase change the object under the
 * cursor and remember what must be flushed, close flushes once and unlocks.
 *
 *     struct emt_cursor c;
 *     if ((err = emt_cursor_open(&c, tdb, start, end))) return err;
 *     while (emt_cursor_next(&c))
 *         if ((err = emt_cursor_erase(&c))) break;
 *     emt_cursor_close(&c);
 */
struct emt_cursor {
    struct emt_tdb *tdb;
    uint64_t start, end;
    uint64_t va;         /* next address to look at */
    struct emt_tobj obj; /* the object under the cursor, or, when there is none, the void around it */
    bool found;          /* obj is an object (present, or a swap entry) */
    bool owns_gather;
    struct emt_gather *gather, own;
    uint64_t drv[6]; /* the driver's own: where it stands in its tables; zero after open */
};

/* ---- placement -------------------------------------------------------------------------------------- */

/*
 * Which frames may, or should, back an address? The frame allocator asks, the architecture or the policy
 * answers with runs of candidate frames in order of preference, the allocator decides. (The order may depend on how
 * many frames of a run `free_frames` calls free: whoever keeps pages that could leave at once may count those too.)
 */
#define EMT_PLACE_RUNS 16

struct emt_place_query {
    uint64_t va, bytes;
    uint16_t asid;
    int node;                                                     /* NUMA node wanted, -1: any */
    unsigned (*free_frames)(void *ctx, uint64_t pfn, unsigned n); /* how many of n frames are free */
    void *ctx;
};

struct emt_place {
    enum { EMT_PLACE_ANY, EMT_PLACE_PREFER, EMT_PLACE_REQUIRE } kind;
    unsigned runs;
    unsigned turn; /* within a run, begin with piece number `turn` modulo their number: neighbours that all took the
                      first would all lie in the same sets of data caches */
    struct {
        uint64_t pfn, frames; /* any free, aligned piece of [pfn, pfn + frames) will do */
    } run[EMT_PLACE_RUNS];
};

/*
 * Where place() restricts pages to groups of frames: a kind of group, for statistics and for what theory expects of
 * it. A page hashes to `choices` groups, each in a part of its own (an equal share of all, one after the other),
 * and goes to the one with the fewest frames in use, of equal ones to the last; when all are full, to the next
 * kind.
 */
#define EMT_PLACE_GROUPS       2
#define EMT_PLACE_GROUP_FRAMES 64
#define EMT_PLACE_CHOICES      8

struct emt_place_group {
    const char *name;       /* "front yards" */
    uint64_t pfn, groups;   /* the first frame of the first; how many there are */
    unsigned frames, every; /* of a group; from one's first frame to the next one's */
    unsigned choices;
};

/* ---- the driver ------------------------------------------------------------------------------------- */

typedef void (*emt_gone_fn)(void *ctx, const struct emt_tobj *old);

/*
 * Called by range_copy for each object of the source: may change *src (an OS write-protects it for
 * copy-on-write) and fills *dst; returns 1 to copy, 0 to skip, or a negative errno value to stop.
 */
typedef int (*emt_copy_fn)(void *ctx, struct emt_tobj *src, struct emt_tobj *dst);

/* Called by range_age for each present object that was accessed or dirty since last time. */
typedef void (*emt_aged_fn)(void *ctx, const struct emt_tobj *old, unsigned ad);

#define EMT_AGE_ACCESSED 1u
#define EMT_AGE_DIRTY    2u

/* A figure of the driver's own: "fallbacks", 12. The name is a constant string of lower-case words. */
struct emt_stat {
    const char *name;
    uint64_t value;
};
#define EMT_STATS 8

struct emt_driver_ops {
    /* -- basic: translation objects. Pure functions of their arguments. -- */

    /* One attribute. What the architecture cannot say reads as 0. */
    uint64_t (*tobj_get)(const struct emt_tobj *, enum emt_attr);
    /* -EINVAL: the architecture cannot say this value. */
    int (*tobj_set)(struct emt_tobj *, enum emt_attr, uint64_t value);
    /* A new present object, not accessed, not dirty. -EINVAL: size not supported, or va or pfn misaligned. */
    int (*tobj_init)(const struct emt_tsvc *, struct emt_tobj *, uint64_t va, uint64_t pfn, uint64_t bytes,
                     unsigned prot);
    /* Same frame, size and attributes, A and D aside. */
    bool (*tobj_same)(const struct emt_tobj *, const struct emt_tobj *);

    /* -- basic: database. -- */

    /* tdb->svc and ->asid are set. -ENOMEM leaves nothing behind. */
    int (*tdb_create)(struct emt_tdb *);
    /* Frees all tables. No CPU uses it, nothing of it is cached any more. */
    void (*tdb_destroy)(struct emt_tdb *);
    /* The object that answers for va (present or swap entry). -ENOENT: none, and *out tells the aligned void
       around va as far as it is known, at least one base page. Caller holds R. */
    int (*tdb_find)(struct emt_tdb *, uint64_t va, struct emt_tobj *out);
    /* Insert, or replace the object at exactly this va and size. -EEXIST: objects of another size are in the
       way. -ENOMEM: nothing changed. Caller holds R, and flushes. */
    int (*tdb_update)(struct emt_tdb *, const struct emt_tobj *);
    /*
     * Remove the object that answers for va and return it. -ENOENT. A and D of *old are final. Caller holds R, and
     * flushes before the frame is used again. There is always a way back: once a flush has returned what removals
     * freed, tdb_update() of what they removed, the last first, needs no memory but that.
     */
    int (*tdb_remove)(struct emt_tdb *, uint64_t va, struct emt_tobj *old);
    /* Read and clear A and/or D (EMT_AGE_ mask) in one atomic step; returns which were set, or -ENOENT. */
    int (*tdb_test_clear)(struct emt_tdb *, uint64_t va, unsigned mask);
    /*
     * Hardware found nothing for va, where an object is: of tables that are a cache of others, and of TLBs that
     * software fills. Make it find the object; -ENOENT: there is none, or it is not present. NULL when tables hold
     * all that databases hold. Never customized away: it is part of the architecture. Caller holds R.
     */
    int (*tdb_refill)(struct emt_tdb *, uint64_t va);
    /* What the root registers get. */
    void (*tdb_root)(const struct emt_tdb *, struct emt_root *);

    /* -- basic: service. -- */

    int (*tsvc_init)(struct emt_tsvc *);
    void (*tsvc_fini)(struct emt_tsvc *);
    void (*tsvc_caps)(const struct emt_tsvc *, struct emt_caps *);
    /* Make tdb the address space of this CPU; NULL: none. */
    int (*tsvc_switch)(struct emt_tsvc *, unsigned cpu, struct emt_tdb *);
    /* Drop cached translations; all have gone when it returns. */
    void (*tsvc_flush)(struct emt_tsvc *, const struct emt_flush *);

    /* -- customizable: each may be NULL, and then the architecture-neutral default is used. -- */

    /* cursor: default looks up each address anew. Caller holds R from open to close. */
    int (*cursor_open)(struct emt_cursor *);
    /* As tdb_find(c->va) into c->obj, but may start where c->drv[] says. */
    int (*cursor_find)(struct emt_cursor *);
    /* As tdb_update() and tdb_remove() at the object under the cursor. */
    int (*cursor_set)(struct emt_cursor *, const struct emt_tobj *);
    int (*cursor_erase)(struct emt_cursor *, struct emt_tobj *old);
    void (*cursor_close)(struct emt_cursor *);

    /* range: caller holds R. Default: a cursor. Objects that cross an end must be split before. */
    int (*range_unmap)(struct emt_tdb *, uint64_t va, uint64_t bytes, emt_gone_fn, void *ctx, struct emt_gather *);
    /* -ENOMEM: each object has its old rights or the new ones. */
    int (*range_protect)(struct emt_tdb *, uint64_t va, uint64_t bytes, unsigned prot, struct emt_gather *);
    int (*range_copy)(struct emt_tdb *dst, struct emt_tdb *src, uint64_t va, uint64_t bytes, emt_copy_fn, void *ctx,
                      struct emt_gather *src_gather);
    int (*range_move)(struct emt_tdb *, uint64_t from, uint64_t to, uint64_t bytes, struct emt_gather *);
    int (*range_age)(struct emt_tdb *, uint64_t va, uint64_t bytes, unsigned mask, emt_aged_fn, void *ctx,
                     struct emt_gather *);
    /* true: no object at all in the range. */
    bool (*range_void)(struct emt_tdb *, uint64_t va, uint64_t bytes);

    /* lock: default is one lock for the whole database. */
    void (*range_lock)(struct emt_tdb *, uint64_t va, uint64_t bytes);
    void (*range_unlock)(struct emt_tdb *, uint64_t va, uint64_t bytes);

    /* huge pages. Caller holds R over the whole huge page. */
    /* May an object of this size stand here? Default: the size is one of emt_caps and va is aligned. */
    bool (*huge_possible)(struct emt_tdb *, uint64_t va, uint64_t bytes);
    /* Replace all that is in huge->va.. by *huge. Default: remove each, then update. */
    int (*huge_collapse)(struct emt_tdb *, const struct emt_tobj *huge, struct emt_gather *);
    /* Replace the object at va by objects of `bytes`, attributes, A and D included. Default: remove, then update
       each; on -ENOMEM the huge object is back. */
    int (*huge_split)(struct emt_tdb *, uint64_t va, uint64_t bytes, struct emt_gather *);

    /* flush: default is tsvc_flush() over the range, or over the ASID when that is cheaper. */
    void (*gather_flush)(struct emt_tdb *, struct emt_gather *);

    /* placement: default EMT_PLACE_ANY. Never customized away: where hardware restricts frames it must be asked. */
    void (*place)(struct emt_tdb *, const struct emt_place_query *, struct emt_place *);
    /* The groups that it answers with, in order of preference; returns how many kinds. Default: 0. */
    unsigned (*place_groups)(const struct emt_tsvc *, struct emt_place_group out[EMT_PLACE_GROUPS]);

    /*
     * service: frames can be allocated from boot to shutdown. At boot no memory is in use: the time to take large
     * pieces that all databases share. Default: nothing. When boot fails, or does not happen, tdb_create() takes
     * what it needs; shutdown follows only on a boot that returned 0.
     */
    int (*tsvc_boot)(struct emt_tsvc *);
    void (*tsvc_shutdown)(struct emt_tsvc *);

    /* accounting: what the driver counts of itself, for the results' reader; returns how many. Default: nothing. */
    unsigned (*stats)(const struct emt_tsvc *, struct emt_stat out[EMT_STATS]);
    /* accounting: bytes of tables that serve this database. Default: tdb->table_bytes. */
    uint64_t (*table_bytes)(const struct emt_tdb *);
};

/* ---- the walker ------------------------------------------------------------------------------------- */

enum emt_access_type { EMT_LOAD, EMT_STORE, EMT_FETCH };

/* One access as the walker sees it; the control bits are x86's (SDM vol. 3, 4.6). */
struct emt_access {
    uint64_t va;
    uint8_t type;                            /* enum emt_access_type */
    bool user;                               /* at CPL 3, or a user-mode-like implicit access */
    bool write_protect, smep, smap, nx, pke; /* CR0.WP, CR4.SMEP, CR4.SMAP, EFER.NXE, CR4.PKE */
    uint32_t pkru;
    bool peek; /* look only: set no A and D, use and fill no cache */
};

/* x86 page-fault error code (SDM vol. 3, 4.7), which every architecture here uses. */
#define EMT_PF_PRESENT 0x01u
#define EMT_PF_WRITE   0x02u
#define EMT_PF_USER    0x04u
#define EMT_PF_RSVD    0x08u
#define EMT_PF_FETCH   0x10u
#define EMT_PF_PK      0x20u

/* What a walk found. */
struct emt_walk {
    bool fault;
    uint32_t code;          /* EMT_PF_ bits when fault */
    uint64_t va, pa, bytes; /* the page: first byte virtual and physical, and size */
    bool write, exec, user, global, dirty;
    bool contig;    /* EMT_ATTR_CONTIG of its object */
    bool accessed;  /* of a peek: A of its entry */
    uint64_t entry; /* where the word lies that answered, if it was read together with others; 0: not said */
    uint8_t cache_mode, pkey;
};

/* One read of physical memory by the walker; reads passed together are made in parallel. */
struct emt_fetch {
    uint64_t pa;       /* aligned to 8 * words */
    uint8_t words;     /* 1..8 words of 8 bytes: at most a 64-byte line */
    uint8_t level;     /* for statistics: 1 is the leaf level of a tree */
    const char *table; /* for people: "PML4", "PTE way 2", ... a constant string */
    uint64_t index;    /* for people: which entry of that table */
    bool background;   /* off the critical path: occupies the caches and is counted, nobody waits for it */
    uint64_t data[8];  /* out */
};

/*
 * What one walk learns of the neighbours of a page, where tables name frames in so few bits that a TLB entry holds
 * those of several pages: a table of contents (mosaic pages, ASPLOS'23). The codes are the architecture's;
 * emt_walker_ops.toc_frame makes frames of them.
 */
#define EMT_TOC_PAGES 64
struct emt_toc {
    uint64_t va;    /* of the first of emt_walker_ops.toc_pages pages */
    uint64_t valid; /* bit i: page i is mapped and accessed, with the attributes of the page that was walked for */
    uint64_t dirty; /* bit i: and it is dirty */
    uint8_t code[EMT_TOC_PAGES];
};

/*
 * A stretch of addresses that is contiguous in physical memory too, and which hardware translates by one rule: an
 * entry of a range table, a segment's registers. Pages that lie in it say the same, each of them; `dirty`: each of
 * them is. Hardware that uses a range sets no A and no D.
 */
struct emt_range {
    uint64_t va, last; /* first and last byte; last < va: there is none */
    uint64_t pa;       /* of the first byte */
    bool write, exec, user, global, dirty;
    uint8_t cache_mode, pkey;
};

/*
 * The walker's port to the outside. The hardware model owns it; the callbacks charge the time.
 * fetch:  reads n things at once; the walk waits for the slowest. <0: no such memory.
 * update: an atomic compare-exchange of one word (A and D bits); false: it had changed, walk again.
 * cache_get, cache_put: MMU caches that the architecture brings (emt_walker_ops.caches), by their number there.
 * Lookups between two fetches are parallel. NULL when there are none, or for a peek. `value` has as many words as
 * the cache's values.
 * toc: for the walker to fill when it finds one; the owner clears `valid` before. NULL: nobody wants to know.
 * range_put: the walk has met a range around the address; for a range TLB. NULL when there is none.
 */
struct emt_port {
    int (*fetch)(struct emt_port *, struct emt_fetch *, unsigned n);
    bool (*update)(struct emt_port *, uint64_t pa, uint64_t expected, uint64_t desired);
    bool (*cache_get)(struct emt_port *, unsigned cache, uint64_t key, uint64_t value[2]);
    void (*cache_put)(struct emt_port *, unsigned cache, uint64_t key, const uint64_t value[2]);
    struct emt_toc *toc;
    void (*range_put)(struct emt_port *, const struct emt_range *);
};

/* An MMU cache that an architecture brings. The machine's description gives its size (mmu_caches.NAME). */
struct emt_mmu_cache {
    const char *name;  /* "pde", "cwc-pmd", ... */
    uint8_t key_shift; /* key == va >> key_shift: what a flush of an address must drop */
    /* Caches an upper level: dropped by a flush with `tables`, and, on x86, by INVLPG. Cache number n keeps entries
       that are fetched one by one with level n + 2, and cache_put() follows its entry's fetch: so mmu_caches.kind
       can put another organisation behind the number. */
    bool upper;
    uint8_t words; /* of a value, up to EMT_MMU_CACHE_WORDS; 0: two */
};
#define EMT_MMU_CACHE_WORDS 5

/* Words that cache_get() and cache_put() of this cache copy. */
static inline unsigned emt_mmu_cache_words(const struct emt_mmu_cache *c) {
    return c->words ? c->words : 2;
}

struct emt_walker_ops {
    /* Translate one access. Returns 0 with *out filled, a fault included; negative: the tables led outside of
       memory. */
    int (*walk)(const struct emt_arch *, const struct emt_root *, const struct emt_access *, struct emt_port *,
                struct emt_walk *out);
    const struct emt_mmu_cache *caches;
    unsigned ncaches;
    /* Where walks find a table of contents: for how many pages, a power of two up to EMT_TOC_PAGES; and the
       physical address of the page at va, from its code. Both NULL elsewhere. */
    unsigned (*toc_pages)(const struct emt_arch *);
    uint64_t (*toc_frame)(const struct emt_arch *, const struct emt_root *, uint64_t va, unsigned code);
    /* Pages of 4 KiB, an aligned group around the address, whose entries are in the line that a walk reads last; 0:
       neighbours are elsewhere. For TLBs that coalesce. */
    uint8_t line_pages;
    bool ranges; /* calls range_put: the machine may have a range TLB (mmu.range_tlb) */
    /* Ranges that lie in aligned blocks of 2^n bytes: n, by which a range TLB may choose sets. NULL: of any place.
     */
    unsigned (*range_shift)(const struct emt_root *);
    /* What registers alone translate, before any TLB; for loads and stores. NULL: nothing. */
    void (*segment)(const struct emt_root *, struct emt_range *out);
};

/* ---- the registry's entry --------------------------------------------------------------------------- */

struct emt_arch {
    const char *name;    /* "radix4" */
    const char *summary; /* one line for `emt list mmus` */
    const struct emt_driver_ops *driver;
    const struct emt_walker_ops *walker;
    /* One source, several architectures: radix keeps its number of levels in param[0]. param[1] is everybody's: the
       bits of a physical address, which an emulated processor overrules by its own. */
    uint64_t param[5];
};

#endif
