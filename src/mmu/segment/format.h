/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Direct segments ("Efficient Virtual Memory for Big Memory Servers", ISCA'13): radix/format.h, and three registers
 * (one more here, for what the paper's primary region has in common anyway).
 *
 *   word 0   CR3, as radix has it
 *   word 1   BASE     first virtual byte; a multiple of 4 KiB
 *   word 2   LIMIT    byte behind the last; BASE == LIMIT: there is no segment
 *   word 3   OFFSET   physical - virtual address, modulo 2^64
 *   word 4   rights of all its pages, as a present leaf of level 1 says them. The paper's region is always of
 *            read-write user data; here it may also be executable, global or of another cache mode
 *
 *   63                 12 11     0
 *  | virtual page number | offset |      BASE <= va < LIMIT: pa = va + OFFSET, no TLB, no walk
 *
 * Nothing of it lies in memory: it belongs to what the operating system saves and restores for a process.
 */
#ifndef EMT_MMU_SEGMENT_FORMAT_H
#define EMT_MMU_SEGMENT_FORMAT_H

#include "mmu/radix/format.h"

enum { SEGMENT_BASE = 1, SEGMENT_LIMIT, SEGMENT_OFFSET, SEGMENT_RIGHTS };

#endif
