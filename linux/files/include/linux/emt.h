/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extensible memory translation: what architecture-neutral memory management may know of an MMU.
 *
 * Three words, from "EMT: An OS Framework for New Memory Translation Architectures" (OSDI'25):
 *
 *   translation object (tobj)    one mapping with its attributes. Of a base page it is a pte_t, of a huge
 *                                page a pmd_t, of a giant page a pud_t; pte_young(), pmd_write() and
 *                                their like are pure functions of such a value.
 *   translation database (tdb)   all translation objects of an address space, and the tables that the
 *                                hardware reads them from. It belongs to an mm_struct.
 *   translation service (tsvc)   the MMU: it makes, switches and drops databases, and flushes.
 *
 * Code that includes this header and <linux/emt_poison.h> knows of no page table levels. It sees a
 * database as a sequence of *runs*:
 *
 *      addr                                                                            end
 *       |<------ void ------>|<- run: bases ->|<- run: huge ->|<-- void -->|<- giant ->|
 *                             [0][1][2] ... [n]  one object                 one object
 *                             pte_t, one lock    pmd_t, its lock            pud_t, its lock
 *
 * A run is as large as a huge page (RUN_SIZE), or what of it lies within the range. It is void, or one
 * huge object, or base objects, which lie in an array, pte++ by pte++, under one lock. So each walk is an outer
 * loop over runs, which is the driver's, and an inner one over an array, which is nobody's:
 *
 *	struct tdb_cursor c = TDB_CURSOR(mm, addr, end);
 *
 *	while (tdb_cursor_next(&c)) {
 *		if (c.giant || pmd_trans_huge(*c.run))
 *			...
 *		pte = tdb_base_lock(mm, c.run, c.addr, &ptl);
 *		for (addr = c.addr; addr != c.next; addr += PAGE_SIZE, pte++)
 *			...
 *		tdb_base_unlock(pte, ptl);
 *	}
 *
 * The pmd_t that a run points to is the run's *word*: it says which of the three the run is, and is the huge
 * object itself. Where it lies is the driver's affair: radix has it in a page directory; flattened tables
 * without a page directory keep it beside the table. It is changed only through functions of this header and of
 * <linux/pgtable.h> (set_pmd_at(), pmdp_huge_get_and_clear(), ...), which a driver replaces.
 *
 * Which driver is a matter of the configuration, and its functions are inlined: a call through a pointer
 * on each fault is what nobody would accept for an interface that most machines do not need.
 */
#ifndef _LINUX_EMT_H
#define _LINUX_EMT_H

#include <linux/mm.h>
#include <linux/pgtable.h>

#include <asm/pgalloc.h>

/**
 * struct tdb_cursor - a place in a range of a translation database
 * @mm:    whose database.
 * @addr:  first address of the range's part that the cursor stands on.
 * @next:  first address behind it. The user does not change it, except by tdb_cursor_retry().
 * @end:   first address behind the range. Not zero, and behind the first one.
 * @run:   the run around @addr; NULL: there is none, but a giant object, or nothing.
 * @giant: the object around @addr that is larger than a run; only when @run is NULL.
 *
 * The caller holds what keeps tables of the range from being freed: the mmap_lock, or the lock of an
 * anon_vma or a mapping through which it came. With tdb_cursor_peek() it is enough that interrupts are off.
 * What a run is may change as long as its lock is not held; see tdb_run_unstable().
 *
 * A cursor lies in registers once the compiler is done with it. Do not take its address elsewhere.
 */
struct tdb_cursor {
	struct mm_struct *mm;
	unsigned long addr, next, end;
	pmd_t *run;
	pud_t *giant;
};

#define TDB_CURSOR(_mm, _start, _end)					\
	{ .mm = (_mm), .addr = (_start), .next = (_start), .end = (_end) }

/* ---- runs ---- */

#define RUN_SIZE	PMD_SIZE
#define RUN_MASK	PMD_MASK

/* The end of the run around addr, or of the range. */
static __always_inline unsigned long run_addr_end(unsigned long addr, unsigned long end)
{
	return pmd_addr_end(addr, end);
}

/* ---- the driver ---- */

#ifdef CONFIG_EMT_RADIX
#include <linux/emt_radix.h>
#else
#include <asm/emt.h>
#endif

/*
 * A driver has these, inline where it matters:
 *
 * pmd_t *tdb_find(struct mm_struct *mm, unsigned long addr)
 *	The run around @addr, whatever its word says. NULL: the address is in a larger void, or in a giant
 *	object. Never allocates. Locks as struct tdb_cursor says.
 *
 * pmd_t *tdb_peek(struct mm_struct *mm, unsigned long addr, pud_t **giant)
 *	The same without a lock, interrupts off: reads each entry once and repairs nothing. *@giant as
 *	in struct tdb_cursor.
 *
 * pmd_t *tdb_alloc(struct mm_struct *mm, unsigned long addr)
 *	The run around @addr; makes the tables that it takes. NULL: no memory. Void when new.
 *
 * bool __tdb_cursor_seek(struct tdb_cursor *c, unsigned long addr)
 *	Let the cursor stand at @addr: sets all but @mm and @end. True: on a run or a giant object.
 *	False: on a void, and @next is where it ends, as far as is known, or @end.
 *
 * bool tdb_same_table(unsigned long a, unsigned long b)
 *	True: when there is a run at @a, then the words of the runs at @a and @b lie in one array.
 *
 * void tdb_free_range(struct mmu_gather *tlb, unsigned long addr, unsigned long end,
 *		       unsigned long floor, unsigned long ceiling)
 *	Objects of [@addr, @end) are gone. Free the tables that serve nothing outside of it, but do not
 *	touch any that may serve something below @floor or from @ceiling on.
 *
 * int tdb_create(struct mm_struct *mm), void tdb_destroy(struct mm_struct *mm)
 *	With the mm. tdb_destroy() is called when nothing is in the database, and no CPU uses it.
 */

/**
 * tdb_cursor_step - go to what is next in the range, a void included
 * @c: the cursor
 *
 * Context: as struct tdb_cursor says.
 * Return: false when there is nothing left. Otherwise [@c->addr, @c->next) is a void if neither @c->run nor
 * @c->giant are set. A run may be void as well.
 */
static __always_inline bool tdb_cursor_step(struct tdb_cursor *c)
{
	const unsigned long addr = c->next;

	if (addr == c->end)
		return false;
	/* A run is left at its end, so the neighbour is the next word. */
	if (c->run && tdb_same_table(addr - 1, addr)) {
		c->run++;
		c->addr = addr;
		c->next = run_addr_end(addr, c->end);
		return true;
	}
	__tdb_cursor_seek(c, addr);
	return true;
}

/**
 * tdb_cursor_next - go to the next run or giant object of the range
 * @c: the cursor
 *
 * Steps over voids that are larger than a run at the pace that the driver's tables allow. The run's word
 * may say that it is void: test it as the caller's locks demand.
 *
 * Context: as struct tdb_cursor says.
 * Return: false when there is none left.
 */
static __always_inline bool tdb_cursor_next(struct tdb_cursor *c)
{
	while (tdb_cursor_step(c))
		if (likely(c->run) || c->giant)
			return true;
	return false;
}

/**
 * tdb_cursor_retry - look at the same place again
 * @c: the cursor
 *
 * For the next tdb_cursor_next(), after what was there has been taken apart.
 */
static __always_inline void tdb_cursor_retry(struct tdb_cursor *c)
{
	c->next = c->addr;
	c->run = NULL;
}

/**
 * tdb_cursor_alloc - let a cursor stand on the run around an address
 * @c: the cursor
 * @addr: not below where it stands
 *
 * Makes the run, void, when there is none. For copies into another database: a neighbour
 * costs no descent.
 *
 * Context: may sleep. The mmap_lock.
 * Return: the run, or NULL: no memory.
 */
static __always_inline pmd_t *tdb_cursor_alloc(struct tdb_cursor *c, unsigned long addr)
{
	if (c->run && tdb_same_table(c->addr, addr))
		c->run += (addr >> PMD_SHIFT) - (c->addr >> PMD_SHIFT);
	else
		c->run = tdb_alloc(c->mm, addr);
	c->addr = addr;
	return c->run;
}

/**
 * tdb_cursor_peek - tdb_cursor_next() without locks, which ends at the first void
 * @c: the cursor
 *
 * Context: interrupts are off from the first call until the last use of what the cursor points to. Whoever
 * frees a table waits for that.
 * Return: false at the end of the range, or at a void.
 */
static __always_inline bool tdb_cursor_peek(struct tdb_cursor *c)
{
	const unsigned long addr = c->next;

	if (addr == c->end)
		return false;
	if (c->run && tdb_same_table(addr - 1, addr))
		c->run++;
	else
		c->run = tdb_peek(c->mm, addr, &c->giant);
	c->addr = addr;
	if (c->run)
		c->next = run_addr_end(addr, c->end);
	else if (c->giant)
		c->next = pud_addr_end(addr, c->end);
	else
		return false;
	return true;
}

/* ---- customizable functions: a driver may define each of them, and these are the defaults ---- */

/*
 * What a run's word says. On a value: run_void(), neither object nor array; run_bad(), nonsense. On a
 * pointer, without a lock: tdb_run_void_or_bad(), and tdb_run_unstable(), which is true unless the run is
 * now base objects and stays so as long as the caller holds the mmap_lock or the lock of a mapping.
 */
static __always_inline bool run_void(pmd_t word)
{
	return pmd_none(word);
}

static __always_inline bool run_bad(pmd_t word)
{
	return pmd_bad(word);
}

static __always_inline int tdb_run_void_or_bad(pmd_t *run)
{
	return pmd_none_or_clear_bad(run);
}

static __always_inline int tdb_run_void_or_huge_or_bad(pmd_t *run)
{
	return pmd_none_or_trans_huge_or_clear_bad(run);
}

static __always_inline int tdb_run_unstable(pmd_t *run)
{
	return pmd_trans_unstable(run);
}

static __always_inline void tdb_run_clear(pmd_t *run)
{
	pmd_clear(run);
}

static __always_inline void tdb_run_clear_bad(pmd_t *run)
{
	pmd_clear_bad(run);
}

/*
 * The lock of a run's word. tdb_run_lock() takes it and returns it. Lock order: the run's, then that of its
 * base objects; they may be the same.
 */
static __always_inline spinlock_t *tdb_run_ptl(struct mm_struct *mm, pmd_t *run)
{
	return pmd_lockptr(mm, run);
}

static __always_inline spinlock_t *tdb_run_lock(struct mm_struct *mm, pmd_t *run)
{
	return pmd_lock(mm, run);
}

/*
 * Base objects of a run. Its word must say that it has some. tdb_base_map() gives the object of an address without
 * its lock, tdb_base_lock() with. Pointers are valid from the object to the run's end.
 */
static __always_inline pte_t *tdb_base_map(pmd_t *run, unsigned long addr)
{
	return pte_offset_map(run, addr);
}

static __always_inline void tdb_base_unmap(pte_t *pte)
{
	pte_unmap(pte);
}

static __always_inline spinlock_t *tdb_base_ptl(struct mm_struct *mm, pmd_t *run)
{
	return pte_lockptr(mm, run);
}

static __always_inline pte_t *tdb_base_lock(struct mm_struct *mm, pmd_t *run, unsigned long addr,
					    spinlock_t **ptlp)
{
	return pte_offset_map_lock(mm, run, addr, ptlp);
}

static __always_inline void tdb_base_unlock(pte_t *pte, spinlock_t *ptl)
{
	pte_unmap_unlock(pte, ptl);
}

/*
 * tdb_base_alloc() gives base objects, all empty, to a run that is void; it does nothing when it is not, and returns
 * nonzero when there is no memory. It may sleep.
 */
#ifndef tdb_base_alloc
static __always_inline int tdb_base_alloc(struct mm_struct *mm, pmd_t *run)
{
	return pte_alloc(mm, run);
}
#endif

static __always_inline pte_t *tdb_base_alloc_map(struct mm_struct *mm, pmd_t *run, unsigned long addr)
{
	return tdb_base_alloc(mm, run) ? NULL : tdb_base_map(run, addr);
}

static __always_inline pte_t *tdb_base_alloc_lock(struct mm_struct *mm, pmd_t *run, unsigned long addr,
						  spinlock_t **ptlp)
{
	return tdb_base_alloc(mm, run) ? NULL : tdb_base_lock(mm, run, addr, ptlp);
}

/*
 * Arrays of base objects that do not belong to a run: pte_alloc_one() makes one before locks are taken.
 * tdb_base_install() takes the lock and gives it to a run, if that is void: the pointer is cleared when the array was
 * taken, and otherwise the caller has it still. tdb_base_populate() does the same under the run's lock, to a run
 * that is void. tdb_base_table() is of a word.
 */
#ifndef tdb_base_install
#define tdb_base_install(mm, run, table)	pmd_install(mm, run, table)
#endif

static __always_inline void tdb_base_populate(struct mm_struct *mm, pmd_t *run, pgtable_t table)
{
	pmd_populate(mm, run, table);
}

static __always_inline pgtable_t tdb_base_table(pmd_t word)
{
	return pmd_pgtable(word);
}

/*
 * Objects larger than a run: only some drivers have them, and TDB_GIANTS says whether at compile time.
 * giant_void() is of a value. tdb_giant_alloc() gives the place where one may stand, and tdb_giant_alloc_run()
 * the run there instead; it may meet a giant that was faster, and tdb_giant_unstable() says so.
 */
#ifndef TDB_GIANTS
#define TDB_GIANTS			0
#define giant_void(giant)		true
#define tdb_giant_unstable(giant)	0
static inline pud_t *tdb_giant_alloc(struct mm_struct *mm, unsigned long addr)
{
	return NULL;
}

static inline pmd_t *tdb_giant_alloc_run(struct mm_struct *mm, pud_t *giant, unsigned long addr)
{
	return NULL;
}
#endif

/*
 * Moves. tdb_move() may move all objects of [from, from + len) to [to, to + len) at once, and returns how many bytes
 * it has moved, or 0: run by run then. Called with the locks of rmap, and only when tdb_move_possible() says so,
 * which knows nothing but addresses.
 */
#ifndef tdb_move_possible
#define tdb_move_possible(from, to, len)	false
#define tdb_move(vma, from, to, len)		0ul
#endif

/* The run around an address of the kernel's half, or NULL. */
pmd_t *tdb_find_kernel(unsigned long addr);

/**
 * tdb_huge_possible - may a huge object stand in a run?
 * @mm: whose database
 * @run: the run
 *
 * The answer is a property of the tables, not of the VMA, and stays as long as the run is there. Where it is no,
 * faults, khugepaged, file mappings, fork and mremap use base pages.
 */
#ifndef tdb_huge_possible
#define tdb_huge_possible(mm, run)		true
#endif

/**
 * tdb_base_movable - may the array of base objects go from one run to another?
 * @from: the run that has it
 * @to: a run that is void
 *
 * With tdb_run_clear() and tdb_base_populate(), both locks being held.
 */
#ifndef tdb_base_movable
#define tdb_base_movable(from, to)		true
#endif

#endif /* _LINUX_EMT_H */
