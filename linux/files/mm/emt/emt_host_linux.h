/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux as the host of an architecture's sources (lib/include/emt/host.h): tables lie in the kernel's linear
 * mapping. A struct emt_host holds nothing, since there is one memory.
 */
#ifndef MM_EMT_HOST_LINUX_H
#define MM_EMT_HOST_LINUX_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/string.h>

#include <asm/page.h>

uint64_t emt_table_alloc(struct emt_tdb *tdb, unsigned int order);
void emt_table_free(struct emt_tdb *tdb, uint64_t pa, unsigned int order);
uint32_t *emt_table_note(struct emt_host *host, uint64_t pa);
void *emt_state_alloc(struct emt_host *host, size_t bytes);
void emt_state_free(struct emt_host *host, void *state);
uint64_t emt_host_frames(const struct emt_host *host);
uint64_t emt_host_unmovable(const struct emt_host *host);
void emt_host_flush(struct emt_host *host, const struct emt_flush *flush);
void emt_host_load_root(struct emt_host *host, unsigned int cpu, uint16_t asid, const struct emt_root *root);
void emt_host_update_root(struct emt_host *host, unsigned int cpu, uint16_t asid, const struct emt_root *root);

static inline u64 *emt_table_word(uint64_t pa)
{
	return __va(pa);
}

static inline uint64_t emt_table_read(struct emt_host *host, uint64_t pa)
{
	return smp_load_acquire(emt_table_word(pa));
}

static inline void emt_table_write(struct emt_host *host, uint64_t pa, uint64_t value)
{
	smp_store_release(emt_table_word(pa), value);
}

static inline uint64_t emt_table_cmpxchg(struct emt_host *host, uint64_t pa, uint64_t expected, uint64_t desired)
{
	return cmpxchg(emt_table_word(pa), expected, desired);
}

static inline void emt_host_work(struct emt_host *host, unsigned int instructions)
{
}

/* Databases are locked by who calls: fpt.c. */
static inline void emt_lock(uint32_t *lock)
{
}

static inline void emt_unlock(uint32_t *lock)
{
}

#endif /* MM_EMT_HOST_LINUX_H */
