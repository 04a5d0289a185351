/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included last by each file that has been converted to <linux/emt.h>. Such a file knows of no page table levels, and
 * under a driver other than radix the compiler sees to it: using one of these names is an error. (Under radix they are
 * what the interface's functions are made of; the same file has been through the other compiler.)
 *
 * An inline function that was defined before may use them: it belongs to the interface, or to the architecture.
 */
#ifndef CONFIG_EMT_RADIX

/* A macro must go before its name can; those that the interface is made of are inside of functions. */
#undef pgd_offset
#undef pgd_offset_k
#undef pgd_offset_gate
#undef pgd_none
#undef pgd_bad
#undef pgd_present
#undef pgd_none_or_clear_bad
#undef pgd_addr_end
#undef p4d_offset
#undef p4d_none
#undef p4d_bad
#undef p4d_present
#undef p4d_none_or_clear_bad
#undef p4d_addr_end
#undef p4d_alloc
#undef p4d_offset_lockless
#undef pud_offset
#undef pud_none
#undef pud_bad
#undef pud_none_or_clear_bad
#undef pud_addr_end
#undef pud_alloc
#undef pud_offset_lockless
#undef pmd_offset
#undef pmd_offset_lockless
#undef pmd_off
#undef pmd_off_k
#undef pmd_alloc
#undef mm_find_pmd
#undef free_pgd_range
#undef pgd_alloc
#undef pgd_free
#undef pud_populate
#undef p4d_populate
#undef pgd_populate
#undef pud_clear
#undef p4d_clear
#undef pgd_clear
#undef pmd_none
#undef pmd_bad
#undef pmd_none_or_clear_bad
#undef pmd_none_or_trans_huge_or_clear_bad
#undef pmd_trans_unstable
#undef pmd_addr_end
#undef pmd_clear
#undef pmd_clear_bad
#undef pmd_populate
#undef pmd_install
#undef pmd_pgtable
#undef pmd_lock
#undef pmd_lockptr
#undef pte_offset_map
#undef pte_offset_map_lock
#undef pte_offset_kernel
#undef pte_unmap_unlock
#undef pte_lockptr
#undef pte_alloc
#undef __pte_alloc
#undef pte_alloc_map
#undef pte_alloc_map_lock

/* Descents. */
#pragma GCC poison pgd_offset pgd_offset_k pgd_offset_gate pgd_none pgd_bad pgd_present pgd_none_or_clear_bad pgd_addr_end
#pragma GCC poison p4d_offset p4d_none p4d_bad p4d_present p4d_none_or_clear_bad p4d_addr_end p4d_alloc p4d_offset_lockless
#pragma GCC poison pud_offset pud_none pud_bad pud_none_or_clear_bad pud_addr_end pud_alloc pud_offset_lockless
#pragma GCC poison pmd_offset pmd_offset_lockless pmd_off pmd_off_k pmd_alloc mm_find_pmd free_pgd_range
#pragma GCC poison pgd_alloc pgd_free pud_populate p4d_populate pgd_populate pud_clear p4d_clear pgd_clear

/* What a run is. */
#pragma GCC poison pmd_none pmd_bad pmd_none_or_clear_bad pmd_none_or_trans_huge_or_clear_bad pmd_trans_unstable
#pragma GCC poison pmd_addr_end pmd_clear pmd_clear_bad pmd_populate pmd_install pmd_pgtable
#pragma GCC poison pmd_lock pmd_lockptr

/* Its base objects. */
#pragma GCC poison pte_offset_map pte_offset_map_lock pte_offset_kernel pte_unmap_unlock pte_lockptr
#pragma GCC poison pte_alloc __pte_alloc pte_alloc_map pte_alloc_map_lock

#endif
