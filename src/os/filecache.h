/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Files and their page cache. A file is a number and a size; its data are never looked at. Memory that is shared
 * without a file is a file without a number (shmem), which lives as long as VMAs refer to it.
 *
 * Index of a file's pages: a hash of leaves, 512 pages each, so that a page costs 8 bytes and a hole nothing.
 */
#ifndef EMT_OS_FILECACHE_H
#define EMT_OS_FILECACHE_H

#include <stdbool.h>
#include <stdint.h>

#define FILE_NONE       (~0ull)      /* not in the cache */
#define FILE_HOLE       (~0ull - 1)  /* not in the cache, and reads as zeroes: MADV_REMOVE */
#define FILE_EVICTED    (1ull << 63) /* with 32 bits of reclaim's: was in the cache, and is in the file */
#define FILE_SWAP       (1ull << 62) /* with a slot: shared memory without a file, swapped out */
#define FILE_MAX_CACHED FILE_SWAP    /* a frame number is below */

/* What is known of a page that is not in the cache. */
static inline bool file_is_swap(uint64_t value) {
    return value >> 62 == 1;
}
static inline bool file_is_evicted(uint64_t value) {
    return value >> 62 == 2;
}

struct file_leaf {
    uint64_t chunk; /* page >> 9 */
    uint64_t *slot; /* NULL: this place of the hash is free */
};

struct os_file {
    uint64_t id;     /* 0: shmem */
    uint64_t serial; /* in order of creation, for the owner key of frames */
    uint64_t bytes;
    uint64_t refs; /* VMAs, plus one for a numbered file */
    uint64_t cached_pages;
    bool placed; /* place_offset: page - frame, where CA paging puts its pages */
    int64_t place_offset;
    struct file_leaf *leaf;
    uint64_t leaf_room, leaves;
    struct os_file *prev, *next;
};

struct filecache {
    struct os_file *first;  /* all, newest first */
    struct os_file **by_id; /* numbered files in ascending order */
    uint64_t nfiles, room;
    uint64_t serial;
};

/* The numbered file, or NULL. */
struct os_file *filecache_find(const struct filecache *fc, uint64_t id);
/* A new file with one reference; id 0: shmem. NULL: out of memory. */
struct os_file *filecache_new(struct filecache *fc, uint64_t id, uint64_t bytes);
/* Forget a file whose frames are gone. */
void filecache_delete(struct filecache *fc, struct os_file *f);

/* Frame number, FILE_NONE or FILE_HOLE. */
uint64_t file_page(const struct os_file *f, uint64_t page);
/* Set it. -ENOMEM, only for a page whose leaf does not exist yet. */
int file_set_page(struct os_file *f, uint64_t page, uint64_t value);
/* Nothing is known of the pages from `first` on, holes included. Cached ones must be gone already. */
void file_forget(struct os_file *f, uint64_t first);
/* Call `each` for the cached pages in [first, end), in no particular order but a fixed one. */
void file_each_page(struct os_file *f, uint64_t first, uint64_t end,
                    void (*each)(void *ctx, struct os_file *f, uint64_t page, uint64_t pfn), void *ctx);
/* The same for what lies in swap; `value` says where (FILE_SWAP). */
void file_each_swapped(struct os_file *f, uint64_t first, uint64_t end,
                       void (*each)(void *ctx, struct os_file *f, uint64_t page, uint64_t value), void *ctx);

#endif
