/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The radix driver of <linux/emt.h>: Linux's own page tables of up to five levels. The word of a run is the entry
 * of a page directory, and its base objects are the page table below.
 */
#ifndef _LINUX_EMT_RADIX_H
#define _LINUX_EMT_RADIX_H

#include <linux/huge_mm.h>

static __always_inline bool tdb_same_table(unsigned long a, unsigned long b)
{
	return !((a ^ b) & PUD_MASK);
}

static __always_inline bool radix_is_giant(pud_t pud)
{
	return unlikely(pud_trans_huge(pud) || pud_devmap(pud));
}

/*
 * One descent. A void is as large as what the empty entry stands for; entries that make no sense are reported
 * and cleared, as they have always been.
 */
static __always_inline bool __tdb_cursor_seek(struct tdb_cursor *c, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(c->mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	c->addr = addr;
	c->run = NULL;
	c->giant = NULL;
	if (pgd_none_or_clear_bad(pgd)) {
		c->next = pgd_addr_end(addr, c->end);
		return false;
	}
	p4d = p4d_offset(pgd, addr);
	if (p4d_none_or_clear_bad(p4d)) {
		c->next = p4d_addr_end(addr, c->end);
		return false;
	}
	pud = pud_offset(p4d, addr);
	if (radix_is_giant(*pud)) {
		c->giant = pud;
		c->next = pud_addr_end(addr, c->end);
		return true;
	}
	if (pud_none_or_clear_bad(pud)) {
		c->next = pud_addr_end(addr, c->end);
		return false;
	}
	c->run = pmd_offset(pud, addr);
	c->next = run_addr_end(addr, c->end);
	return true;
}

static __always_inline pmd_t *tdb_find(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (!pgd_present(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (!p4d_present(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (!pud_present(*pud) || unlikely(pud_leaf(*pud)))
		return NULL;
	return pmd_offset(pud, addr);
}

static __always_inline pmd_t *tdb_peek(struct mm_struct *mm, unsigned long addr, pud_t **giant)
{
	pgd_t *pgdp = pgd_offset(mm, addr), pgd = READ_ONCE(*pgdp);
	p4d_t *p4dp, p4d;
	pud_t *pudp, pud;

	*giant = NULL;
	if (pgd_none(pgd))
		return NULL;
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d))
		return NULL;
	pudp = pud_offset_lockless(p4dp, p4d, addr);
	pud = READ_ONCE(*pudp);
	if (unlikely(!pud_present(pud)))
		return NULL;
	if (unlikely(pud_leaf(pud) || pud_devmap(pud))) {
		*giant = pudp;
		return NULL;
	}
	return pmd_offset_lockless(pudp, pud, addr);
}

static __always_inline pmd_t *tdb_alloc(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d = p4d_alloc(mm, pgd, addr);
	pud_t *pud;

	if (!p4d)
		return NULL;
	pud = pud_alloc(mm, p4d, addr);
	if (!pud)
		return NULL;
	return pmd_alloc(mm, pud, addr);
}

/* ---- objects larger than a run ---- */

#define TDB_GIANTS	1
#define giant_void(pud)			pud_none(pud)
#define tdb_giant_unstable(giant)	pud_trans_unstable(giant)

static __always_inline pud_t *tdb_giant_alloc(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d = p4d_alloc(mm, pgd, addr);

	return p4d ? pud_alloc(mm, p4d, addr) : NULL;
}

static __always_inline pmd_t *tdb_giant_alloc_run(struct mm_struct *mm, pud_t *giant, unsigned long addr)
{
	return pmd_alloc(mm, giant, addr);
}

/* ---- moves: a whole page middle directory at once ---- */

#define tdb_move_possible(from, to, len)	(!(((from) | (to)) & ~PUD_MASK) && (len) >= PUD_SIZE)
#define tdb_move(vma, from, to, len)		radix_move(vma, from, to)

unsigned long radix_move(struct vm_area_struct *vma, unsigned long from, unsigned long to);

/* ---- tables that come and go ---- */

#define tdb_free_range(tlb, addr, end, floor, ceiling)	free_pgd_range(tlb, addr, end, floor, ceiling)

/* Tables come and go with mm->pgd. */
static inline int tdb_create(struct mm_struct *mm)
{
	return 0;
}

static inline void tdb_destroy(struct mm_struct *mm)
{
}

#endif /* _LINUX_EMT_RADIX_H */
