/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flattened page tables, the driver of <linux/emt.h> for x86-64's user space. What is inlined is here, the rest in
 * mm/emt/fpt.c; the format, and the tree of nodes, are those of emt's src/mmu/fpt and src/mmu/tree
 * (mm/emt/lib).
 *
 * Where nodes hold page directory entries, alone or flattened with the level above, the word of a run is such an entry,
 * and its base objects are an ordinary page table:
 *
 *	fpt:l3l2   PML4 -> [PDPT+PD] -> PT	fpt:l4l3   [PML4+PDPT] -> PD -> PT
 *
 * Where the PD is flattened with the PT (fpt:l4l3-l2l1) there is no such entry: each 4 KiB of the node is
 * what would have been a page table. The words of its 512 runs then lie in a page that the hardware does not know (the
 * node's *side page*, struct page of the node's first frame, pmd_huge_pte), and say either nothing, or which 4
 * KiB of the node they are. A huge object would have to stand there in 512 copies: tdb_huge_possible() says no.
 */
#ifndef _ASM_X86_EMT_H
#define _ASM_X86_EMT_H

#include "mmu/tree/node.h"

#define FPT_LEVELS	4

pmd_t *__fpt_alloc(struct mm_struct *mm, unsigned long addr);
int __fpt_base_alloc(struct mm_struct *mm, pmd_t *run);
void __fpt_base_install(struct mm_struct *mm, pmd_t *run, pgtable_t *table);
void fpt_free_range(struct mmu_gather *tlb, unsigned long addr, unsigned long end,
		    unsigned long floor, unsigned long ceiling);
int tdb_create(struct mm_struct *mm);
void tdb_destroy(struct mm_struct *mm);

/* The service, for arch/x86: at boot, on each processor, and what CR3 has besides the pgd's address. */
void fpt_init(void);
void fpt_init_cpu(void);
unsigned long fpt_cr3_offset(void);
void emt_reload_cr3(void);

static __always_inline bool tdb_same_table(unsigned long a, unsigned long b)
{
	return !((a ^ b) & PUD_MASK);
}

static __always_inline struct page *fpt_side_page(u64 node)
{
	return READ_ONCE(pfn_to_page(tree_node_pa(node) >> PAGE_SHIFT)->pmd_huge_pte);
}

/* Does the word lie in a side page? pt_mm of other pages of words is NULL: mm/emt/fpt.c sees to it. */
static __always_inline bool fpt_beside(pmd_t *run)
{
	return virt_to_page(run)->pt_mm;
}

/*
 * One descent. Invariant: `node` is the node of `level` on the way to addr, and a node's level is that of its
 * entries. *shift: of the void, when the run is not there.
 */
static __always_inline pmd_t *fpt_descend(struct mm_struct *mm, unsigned long addr, unsigned int *shift)
{
	u64 node = mm->context.emt_root;
	unsigned int level = FPT_LEVELS - tree_fold(node);

	*shift = PGDIR_SHIFT;
	if (unlikely(!node || addr >= TASK_SIZE_MAX))
		return NULL;
	while (level > 2) {
		u64 entry = READ_ONCE(*(u64 *)__va(tree_slot_pa(node, addr, level)));

		if (!radix_is_table(entry, level)) {
			*shift = radix_shift(level);
			return NULL;
		}
		node = tree_node_of(entry);
		level -= 1 + tree_fold(node);
	}
	if (level == 2)
		return __va(tree_slot_pa(node, addr, level));
	return (pmd_t *)page_address(fpt_side_page(node)) + pmd_index(addr);
}

static __always_inline bool __tdb_cursor_seek(struct tdb_cursor *c, unsigned long addr)
{
	unsigned int shift;
	unsigned long next;

	c->addr = addr;
	c->giant = NULL;
	c->run = fpt_descend(c->mm, addr, &shift);
	if (likely(c->run)) {
		c->next = run_addr_end(addr, c->end);
		return true;
	}
	next = (addr | ((1ul << shift) - 1)) + 1;
	c->next = next - 1 < c->end - 1 ? next : c->end;
	return false;
}

static __always_inline pmd_t *tdb_find(struct mm_struct *mm, unsigned long addr)
{
	unsigned int shift;

	return fpt_descend(mm, addr, &shift);
}

pmd_t *tdb_find_kernel(unsigned long addr);

static __always_inline pmd_t *tdb_peek(struct mm_struct *mm, unsigned long addr, pud_t **giant)
{
	*giant = NULL;
	if (unlikely(addr >= TASK_SIZE_MAX))
		return tdb_find_kernel(addr);
	return tdb_find(mm, addr);
}

static __always_inline pmd_t *tdb_alloc(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *run = tdb_find(mm, addr);

	return likely(run) ? run : __fpt_alloc(mm, addr);
}

#define tdb_free_range(tlb, addr, end, floor, ceiling)	fpt_free_range(tlb, addr, end, floor, ceiling)

/* ---- base objects, which may be part of a node ---- */

#define tdb_base_alloc tdb_base_alloc
static __always_inline int tdb_base_alloc(struct mm_struct *mm, pmd_t *run)
{
	return unlikely(pmd_none(*run)) && __fpt_base_alloc(mm, run);
}

#define tdb_base_install(mm, run, table)	__fpt_base_install(mm, run, table)

#define tdb_huge_possible(mm, run)		(!fpt_beside(run))
#define tdb_base_movable(from, to)		(!fpt_beside(from) && !fpt_beside(to))

#endif /* _ASM_X86_EMT_H */
