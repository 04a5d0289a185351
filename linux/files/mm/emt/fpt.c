// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flattened page tables: what of the driver is not inlined (arch/x86/include/asm/emt.h). Nodes, their format and which
 * levels are flattened are emt's own sources under lib/; here they get Linux's memory, locks, accounting, and
 * processors.
 *
 * Locks. Words and base objects have the locks that page tables have: a spinlock in the struct page of each 4 KiB of
 * words or of base objects, whatever the size of the node. Nodes come under a mutex of the database, and go when
 * nobody can walk to them: under the mmap_lock for writing, with the VMA hidden from rmap. Who walks
 * without a lock has interrupts off, and the flush before a node is freed waits for that.
 */
#include <linux/emt.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include <asm/io.h>
#include <asm/mmu_context.h>
#include <asm/msr.h>
#include <asm/pgalloc.h>
#include <asm/tlb.h>
#include <asm/tlbflush.h>

#include "../internal.h"

/* A field of the library has this name. */
#pragma push_macro("current")
#undef current
#include "emt/hardware.h"
#include "emt/host.h"
#include "mmu/fpt/format.h"
#include "mmu/tree/tree.h"
#pragma pop_macro("current")

extern const struct emt_arch emt_fpt_l4l3_l2l1, emt_fpt_l3l2, emt_fpt_l4l3;

/* A database as the library knows it, and what Linux adds. */
struct fpt_tdb {
	struct emt_tdb tdb;
	struct mm_struct *mm;
	struct mutex lock; /* nodes come */
};

static struct emt_tsvc fpt_service __ro_after_init;
static u64 fpt_control __ro_after_init; /* EMT_MSR_CTL; 0: not in use yet */

/* ---- what the library needs from around it ---- */

static struct fpt_tdb *fpt_of(struct emt_tdb *tdb)
{
	return container_of(tdb, struct fpt_tdb, tdb);
}

/* Large nodes are wanted, not needed: nothing is reclaimed or compacted for them. */
uint64_t emt_table_alloc(struct emt_tdb *tdb, unsigned int order)
{
	gfp_t gfp = GFP_PGTABLE_USER;
	struct page *page;
	unsigned int i;

	if (order)
		gfp = (gfp & ~__GFP_RECLAIM) | __GFP_NOWARN | __GFP_NORETRY;
	page = alloc_pages(gfp, order);
	if (!page)
		return EMT_NO_PA;
	for (i = 0; i < 1u << order; i++)
		page[i].pt_mm = NULL;
	tdb->table_bytes += PAGE_SIZE << order;
	atomic_long_add(PAGE_SIZE << order, &fpt_of(tdb)->mm->pgtables_bytes);
	return page_to_phys(page);
}

static void account_free(struct emt_tdb *tdb, unsigned int order)
{
	tdb->table_bytes -= PAGE_SIZE << order;
	atomic_long_sub(PAGE_SIZE << order, &fpt_of(tdb)->mm->pgtables_bytes);
}

void emt_table_free(struct emt_tdb *tdb, uint64_t pa, unsigned int order)
{
	account_free(tdb, order);
	__free_pages(pfn_to_page(pa >> PAGE_SHIFT), order);
}

/* Only the library counts in it, and only while it makes a node. */
uint32_t *emt_table_note(struct emt_host *host, uint64_t pa)
{
	return (uint32_t *)&pfn_to_page(pa >> PAGE_SHIFT)->pt_frag_refcount;
}

void *emt_state_alloc(struct emt_host *host, size_t bytes)
{
	return kzalloc(bytes, GFP_KERNEL);
}

void emt_state_free(struct emt_host *host, void *state)
{
	kfree(state);
}

uint64_t emt_host_frames(const struct emt_host *host)
{
	return max_pfn;
}

uint64_t emt_host_unmovable(const struct emt_host *host)
{
	return 0;
}

/*
 * The library flushes and switches where it does so on its own account. Here Linux does: its
 * mmu_gather, and switch_mm().
 */
void emt_host_flush(struct emt_host *host, const struct emt_flush *flush)
{
	WARN_ON_ONCE(1);
}

void emt_host_load_root(struct emt_host *host, unsigned int cpu, uint16_t asid, const struct emt_root *root)
{
	WARN_ON_ONCE(1);
}

void emt_host_update_root(struct emt_host *host, unsigned int cpu, uint16_t asid, const struct emt_root *root)
{
	WARN_ON_ONCE(1);
}

/* ---- nodes ---- */

static struct page *node_page(u64 node)
{
	return pfn_to_page(tree_node_pa(node) >> PAGE_SHIFT);
}

/* Of large nodes that are not roots: architectures here flatten one level besides the root's. */
static unsigned int fpt_large_level(void)
{
	const u64 folds = fpt_service.arch->param[2];

	return folds & 1 << 2 ? 1 : 2;
}

/* The words of a node of `level`: none, the node itself, or its side page. */
static struct page *node_words(u64 node, unsigned int level)
{
	return level == 2 ? node_page(node) : level == 1 ? fpt_side_page(node) : NULL;
}

static unsigned int node_word_pages(u64 node, unsigned int level)
{
	return level == 2 ? 1u << tree_order(node) : 1;
}

/* Undo of node_ctor(), of the first `words` pages of words and `bases` pages of base objects. */
static void node_undo(u64 node, unsigned int level, unsigned int words, unsigned int bases)
{
	struct page *page = node_words(node, level);

	while (bases)
		pgtable_pte_page_dtor(node_page(node) + --bases);
	while (words)
		pgtable_pmd_page_dtor(page + --words);
	if (level == 1 && page) {
		page->pt_mm = NULL;
		node_page(node)->pmd_huge_pte = NULL;
		__free_page(page);
	}
}

static void node_dtor(u64 node, unsigned int level)
{
	if (level <= 2)
		node_undo(node, level, node_word_pages(node, level), level == 1 ? 1u << tree_order(node) : 0);
}

/* Locks for the words, and where they are beside the node, for its base objects too. */
static bool node_ctor(u64 node, unsigned int level)
{
	unsigned int words = 0, bases = 0;
	struct page *page;

	if (level > 2)
		return true;
	if (level == 1) {
		page = alloc_page(GFP_PGTABLE_USER);
		if (!page)
			return false;
		node_page(node)->pmd_huge_pte = page;
	}
	for (page = node_words(node, level); words < node_word_pages(node, level); words++)
		if (!pgtable_pmd_page_ctor(page + words))
			goto undo;
	/* fpt_beside(), and the way back to the node. Now: the constructor has a count in this word. */
	if (level == 1)
		fpt_side_page(node)->pt_mm = (struct mm_struct *)node_page(node);
	for (; level == 1 && bases < 1u << tree_order(node); bases++)
		if (!pgtable_pte_page_ctor(node_page(node) + bases))
			goto undo;
	return true;
undo:
	node_undo(node, level, words, bases);
	return false;
}

/*
 * Make the nodes on the way to addr. A node is complete before the one store that links it, and whoever descends
 * beside us sees it or does not.
 */
pmd_t *__fpt_alloc(struct mm_struct *mm, unsigned long addr)
{
	struct fpt_tdb *t = mm->context.emt_tdb;
	unsigned int level, below;
	u64 node, next, link;
	pmd_t *run = NULL;

	if (WARN_ON_ONCE(!t || addr >= TASK_SIZE_MAX))
		return NULL;
	mutex_lock(&t->lock);
	node = mm->context.emt_root;
	for (level = FPT_LEVELS - tree_fold(node); level > 2; level = below, node = next) {
		const u64 slot = tree_slot_pa(node, addr, level), entry = emt_table_read(NULL, slot);

		if (radix_is_table(entry, level)) {
			next = tree_node_of(entry);
			below = level - 1 - tree_fold(next);
			continue;
		}
		next = tree_new_node(&t->tdb, level - 1, 1);
		if (next == EMT_NO_PA)
			goto out;
		below = level - 1 - tree_fold(next);
		if (!node_ctor(next, below)) {
			tree_free_node(&t->tdb, next);
			goto out;
		}
		link = tree_link(next);
		emt_table_write(NULL, slot, link);
	}
	run = tdb_find(mm, addr);
out:
	mutex_unlock(&t->lock);
	return run;
}

/* ---- base objects ---- */

/* The 4 KiB of a node that are the base objects of a run whose word lies beside it. */
static struct page *base_page(pmd_t *run)
{
	return (struct page *)virt_to_page(run)->pt_mm + ((unsigned long)run & ~PAGE_MASK) / sizeof(*run);
}

/* Give a void run its base objects. An array that somebody brought is left to him where the node has its own. */
void __fpt_base_install(struct mm_struct *mm, pmd_t *run, pgtable_t *table)
{
	spinlock_t *ptl;

	if (!fpt_beside(run)) {
		pmd_install(mm, run, table);
		return;
	}
	ptl = pmd_lock(mm, run);
	if (pmd_none(*run)) {
		mm_inc_nr_ptes(mm);
		pmd_populate(mm, run, base_page(run));
	}
	spin_unlock(ptl);
}

int __fpt_base_alloc(struct mm_struct *mm, pmd_t *run)
{
	if (!fpt_beside(run))
		return __pte_alloc(mm, run);
	__fpt_base_install(mm, run, NULL);
	return 0;
}

/* ---- tables that go ---- */

struct fpt_free {
	struct mmu_gather *tlb;
	struct emt_tdb *tdb;
	unsigned long floor, ceiling;
	struct list_head large; /* nodes that are larger than what a gather takes */
};

/* May what covers 2^shift bytes around addr go, of which [addr, end) has just become empty? */
static bool may_go(const struct fpt_free *f, unsigned long addr, unsigned long end, unsigned int shift)
{
	const unsigned long mask = ~0ul << shift;

	if ((addr & mask) < f->floor)
		return false;
	if (f->ceiling && !(f->ceiling & mask))
		return false;
	return end - 1 <= (f->ceiling & mask) - 1;
}

/* The array of base objects of each run in [addr, end): all within one page of words. */
static void free_bases(struct fpt_free *f, pmd_t *run, unsigned long addr, unsigned long end)
{
	unsigned long next;

	do {
		pgtable_t table;

		next = pmd_addr_end(addr, end);
		if (pmd_none_or_clear_bad(run))
			continue;
		table = pmd_pgtable(*run);
		pmd_clear(run);
		if (!fpt_beside(run))
			pte_free_tlb(f->tlb, table, addr);
		mm_dec_nr_ptes(f->tlb->mm);
	} while (run++, addr = next, addr != end);
}

/* It has been unlinked; processors may still walk it until the flush. */
static void free_node(struct fpt_free *f, u64 node, unsigned int level, unsigned long addr)
{
	struct page *page = node_page(node);

	account_free(f->tdb, tree_order(node));
	tlb_flush_pud_range(f->tlb, addr, PAGE_SIZE);
	f->tlb->freed_tables = 1;
	if (tree_order(node)) {
		/* Its side page stays with it, whoever looks for a word without a lock. */
		list_add(&page[1].lru, &f->large);
		return;
	}
	node_dtor(node, level);
	tlb_remove_page(f->tlb, page);
}

/* Depth: the number of levels. */
static void free_below(struct fpt_free *f, u64 node, unsigned int level, unsigned long addr, unsigned long end)
{
	const unsigned int shift = level == 1 ? PMD_SHIFT : radix_shift(level);
	unsigned long next;

	for (; addr != end; addr = next) {
		unsigned int below;
		u64 slot, entry, child;

		if (level <= 2) {
			/* As far as one page of words goes. */
			next = pud_addr_end(addr, end);
			free_bases(f, level == 2 ? __va(tree_slot_pa(node, addr, 2)) :
				   (pmd_t *)page_address(fpt_side_page(node)) + pmd_index(addr), addr, next);
			continue;
		}
		next = (addr | ((1ul << shift) - 1)) + 1;
		if (next - 1 > end - 1)
			next = end;
		slot = tree_slot_pa(node, addr, level);
		entry = emt_table_read(NULL, slot);
		if (!radix_is_table(entry, level))
			continue;
		child = tree_node_of(entry);
		below = level - 1 - tree_fold(child);
		free_below(f, child, below, addr, next);
		if (!may_go(f, addr, next, shift))
			continue;
		emt_table_write(NULL, slot, 0);
		free_node(f, child, below, addr);
	}
}

/* Large nodes, which all have the same level. */
static void free_large(struct fpt_free *f)
{
	struct page *page, *more;

	if (list_empty(&f->large))
		return;
	/* Each processor that may still walk them, or walks with interrupts off, has answered when this returns. */
	flush_tlb_mm_range(f->tlb->mm, 0, TLB_FLUSH_ALL, PAGE_SHIFT, true);
	list_for_each_entry_safe(page, more, &f->large, lru) {
		struct page *first = page - 1;
		const unsigned int level = fpt_large_level();

		list_del(&page->lru);
		page->_pt_pad_1 = 0;
		page->pmd_huge_pte = NULL; /* lru lay over both */
		node_dtor(page_to_phys(first) | 1, level);
		__free_pages(first, RADIX_INDEX_BITS);
	}
}

void fpt_free_range(struct mmu_gather *tlb, unsigned long addr, unsigned long end,
		    unsigned long floor, unsigned long ceiling)
{
	struct fpt_tdb *t = tlb->mm->context.emt_tdb;
	const u64 root = tlb->mm->context.emt_root;
	struct fpt_free f = { .tlb = tlb, .floor = floor, .ceiling = ceiling };

	/* What of the range concerns whole runs, as free_pgd_range() has it. */
	addr &= PMD_MASK;
	if (addr < floor) {
		addr += PMD_SIZE;
		if (!addr)
			return;
	}
	if (ceiling) {
		ceiling &= PMD_MASK;
		if (!ceiling)
			return;
	}
	if (end - 1 > ceiling - 1)
		end -= PMD_SIZE;
	if (addr > end - 1)
		return;
	tlb_change_page_size(tlb, PAGE_SIZE);
	f.tdb = &t->tdb;
	INIT_LIST_HEAD(&f.large);
	free_below(&f, root, FPT_LEVELS - tree_fold(root), addr, end);
	free_large(&f);
}

/* ---- databases ---- */

static u64 *root_descriptor(pgd_t *pgd)
{
	return (u64 *)((unsigned long)pgd + PAGE_SIZE);
}

static void describe(pgd_t *pgd, const struct emt_root *root)
{
	emt_root_encode(root_descriptor(pgd), fpt_control & EMT_CTL_ARCH, 1, __pa(pgd), root);
}

/* The upper half is that of mm->pgd, whose lower half stays empty. */
int tdb_create(struct mm_struct *mm)
{
	struct emt_root root = {};
	struct fpt_tdb *t;

	mm->context.emt_tdb = NULL;
	mm->context.emt_root = 0;
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	t->mm = mm;
	t->tdb.svc = &fpt_service;
	mutex_init(&t->lock);
	if (fpt_service.arch->driver->tdb_create(&t->tdb)) {
		kfree(t);
		return -ENOMEM;
	}
	/* A database of its own costs what a pgd does: not counted as the process's tables. */
	atomic_long_set(&mm->pgtables_bytes, 0);
	fpt_service.arch->driver->tdb_root(&t->tdb, &root);
	describe(mm->pgd, &root);
	mm->context.emt_tdb = t;
	mm->context.emt_root = t->tdb.word[TREE_ROOT];
	return 0;
}

void tdb_destroy(struct mm_struct *mm)
{
	struct fpt_tdb *t = mm->context.emt_tdb;

	if (!t)
		return;
	mm->context.emt_tdb = NULL;
	mm->context.emt_root = 0;
	atomic_long_add(PAGE_SIZE << tree_order(t->tdb.word[TREE_ROOT]), &mm->pgtables_bytes);
	fpt_service.arch->driver->tdb_destroy(&t->tdb);
	kfree(t);
}

/* ---- the service ---- */

/* On each processor, before it loads CR3 the first time that counts: from then on CR3 is a descriptor's. */
void fpt_init_cpu(void)
{
	if (fpt_control)
		wrmsrl(EMT_MSR_CTL, fpt_control);
}

unsigned long fpt_cr3_offset(void)
{
	return fpt_control ? PAGE_SIZE : 0;
}

/* The number under which the processor knows an architecture; 0: it does not. */
static unsigned int __init arch_number(const char *name)
{
	u32 max, r[4], version;
	unsigned int n, piece;

	cpuid_count(EMT_CPUID_LEAF, 0, &r[0], &max, &version, &r[3]);
	if (r[0] != EMT_CPUID_MAGIC || version != EMT_CPUID_VERSION)
		return 0;
	for (n = 1; n <= max; n++) {
		char text[16 * EMT_CPUID_NAMES + 1] = "";

		for (piece = 1; piece <= EMT_CPUID_NAMES; piece++) {
			cpuid_count(EMT_CPUID_LEAF, n | piece << 16, &r[0], &r[1], &r[2], &r[3]);
			memcpy(text + 16 * (piece - 1), r, 16);
		}
		if (!strcmp(text, name))
			return n;
	}
	return 0;
}

static const struct emt_arch *const fpt_all[] __initconst = {
	&emt_fpt_l3l2, &emt_fpt_l4l3, &emt_fpt_l4l3_l2l1
};

static char fpt_wanted[16 * EMT_CPUID_NAMES + 1] __initdata = CONFIG_EMT_FPT_ARCH;

/* emt=fpt:l4l3 */
static int __init fpt_setup(char *name)
{
	if (!name || strscpy(fpt_wanted, name, sizeof(fpt_wanted)) < 0)
		return -EINVAL;
	return 0;
}
early_param("emt", fpt_setup);

/* Before the first mm is made, on the boot processor. */
void __init fpt_init(void)
{
	const struct emt_root none = { .word = { __pa_symbol(empty_zero_page) } };
	unsigned int i, n = arch_number(fpt_wanted);

	for (i = 0; i < ARRAY_SIZE(fpt_all); i++)
		if (!strcmp(fpt_all[i]->name, fpt_wanted))
			fpt_service.arch = fpt_all[i];
	if (!fpt_service.arch)
		panic("EMT: this kernel has no driver for %s", fpt_wanted);
	if (!n)
		panic("EMT: the processor does not have %s", fpt_wanted);
	if (fpt_service.arch->driver->tsvc_init(&fpt_service))
		panic("EMT: no memory");
	fpt_control = n | EMT_CTL_SPLIT;
	describe(init_mm.pgd, &none);
	fpt_init_cpu();
	emt_reload_cr3();
	pr_info("EMT: user space is translated by %s, the processor's architecture %u\n", fpt_service.arch->name, n);
}

#ifdef CONFIG_DEBUG_FS
#include <linux/debugfs.h>
#include <linux/seq_file.h>

static int stats_show(struct seq_file *m, void *unused)
{
	struct emt_stat s[EMT_STATS];
	unsigned int i, n = fpt_service.arch->driver->stats(&fpt_service, s);

	for (i = 0; i < n; i++)
		seq_printf(m, "%s %llu\n", s[i].name, s[i].value);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int __init fpt_debugfs(void)
{
	debugfs_create_file("emt", 0444, NULL, NULL, &stats_fops);
	return 0;
}
late_initcall(fpt_debugfs);
#endif
