/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * libemt: a simulated MMU and operating-system memory manager to embed.
 *
 * A simulator of cores calls emt_access() for each load, store and fetch and gets the physical address and what the
 * translation cost; libemt keeps the page tables, takes the page faults and counts the OS's work. docs/embedding.md
 * leads through examples/embed.c.
 *
 * Errors are negative errno values; what went wrong stands in emt_error(). An emt and all that is reached through
 * it belong to one thread at a time; different ones are independent. Addresses and lengths are in bytes.
 */
#ifndef EMT_EMT_H
#define EMT_EMT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMT_API __attribute__((visibility("default")))

struct emt; /* one simulated machine; owned by who made it */

/* What emt_access() says of one access. */
struct emt_answer {
    uint64_t pa;                 /* physical address of its first byte */
    uint32_t translation_cycles; /* beyond a hit in a first-level TLB, faults not included */
    uint32_t faults;             /* page faults that the OS resolved on the way */
    uint32_t os_cycles;          /* what these cost */
};

/* A kind of access. */
enum emt_kind { EMT_KIND_LOAD, EMT_KIND_STORE, EMT_KIND_FETCH };

/*
 * A machine from a description: `machine` is a name (emt list machines) or the path of a YAML file, NULL is the
 * default; `mmu` an architecture (emt list mmus); `settings` any number of "path=value" (emt list settings), ended
 * by NULL, or NULL. NULL on error, with a line in `why` (may be NULL).
 */
EMT_API struct emt *emt_new(const char *machine, const char *mmu, const char *const settings[], char *why,
                            size_t why_bytes);
EMT_API void emt_free(struct emt *emt);
/* The last error in words; "" when there was none. Valid until the next call. */
EMT_API const char *emt_error(const struct emt *emt);

/*
 * The program's system calls, for address space number `process` (made when first named). prot, flags and advice
 * are Linux's values. emt_mmap: with *addr 0 and without MAP_FIXED the OS chooses; *addr is where the mapping is.
 */
EMT_API int emt_mmap(struct emt *emt, uint32_t process, uint64_t *addr, uint64_t bytes, int prot, int flags);
EMT_API int emt_munmap(struct emt *emt, uint32_t process, uint64_t addr, uint64_t bytes);
EMT_API int emt_mprotect(struct emt *emt, uint32_t process, uint64_t addr, uint64_t bytes, int prot);
EMT_API int emt_madvise(struct emt *emt, uint32_t process, uint64_t addr, uint64_t bytes, int advice);
EMT_API int emt_fork(struct emt *emt, uint32_t process, uint32_t child);
EMT_API int emt_exit(struct emt *emt, uint32_t process);

/*
 * One access of `bytes` bytes (1 to 64) by `thread`, which runs on core thread % core.count; it may cross a page.
 * With caches.enabled the embedder's data goes through libemt's caches too; set it to false when it has its own.
 * -EFAULT: no mapping, or it forbids this access. -EFBIG: beyond the end of a file. -ENOMEM: out of simulated
 * memory.
 */
EMT_API int emt_access(struct emt *emt, uint32_t process, uint32_t thread, uint64_t va, unsigned bytes,
                       enum emt_kind kind, struct emt_answer *answer);
/* The PC of the loads and stores that emt_access() is called for from now on; 0: not known. Only a machine with a
 * predictor (mmu.predictor) looks at it. */
EMT_API void emt_pc(struct emt *emt, uint64_t pc);
/* The thread's core retired so many instructions: the time of background work and of user cycles. */
EMT_API int emt_retire(struct emt *emt, uint32_t thread, uint64_t instructions);

/* The results so far as JSON (docs/results.md). free() it. NULL when memory ran out. */
EMT_API char *emt_results_json(struct emt *emt);

#ifdef __cplusplus
}
#endif

#endif
