/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Integer types and error numbers for the three hosts of an architecture's source: the simulator,
 * a kernel and an emulator. A freestanding build (-ffreestanding -nostdinc -DEMT_FREESTANDING) sees no
 * header but those of this folder.
 */
#ifndef EMT_TYPES_H
#define EMT_TYPES_H

#if defined(__KERNEL__)
#include <linux/errno.h>
#include <linux/types.h>
#elif defined(EMT_FREESTANDING)
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __SIZE_TYPE__ size_t;
#define bool _Bool
#define true 1
#define false 0
#define NULL    ((void *)0)
#define ENOENT  2
#define EAGAIN  11
#define ENOMEM  12
#define EFAULT  14
#define EEXIST  17
#define EINVAL  22
#define ENOTSUP 95
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

/* The smallest page of every architecture here, and the two larger ones of x86-64. */
#define EMT_PAGE_SHIFT 12
#define EMT_PAGE_BYTES (1ull << EMT_PAGE_SHIFT)
#define EMT_SHIFT_4K   12
#define EMT_SHIFT_2M   21
#define EMT_SHIFT_1G   30

/* No such physical address: what a table allocation returns when memory is exhausted. */
#define EMT_NO_PA (~0ull)

#endif
