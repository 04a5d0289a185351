/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How many loads and stores an x86-64 instruction makes, as far as that is plain from its first bytes. */
#ifndef EMT_INPUT_LIVE_DECODE_H
#define EMT_INPUT_LIVE_DECODE_H

#include <stddef.h>
#include <stdint.h>

enum decode_accesses { DECODE_NONE, DECODE_ONE, DECODE_UNKNOWN };

/* Never wrong, but often "unknown": read-modify-writes, 16-byte accesses, anything rare. */
enum decode_accesses decode_accesses(const uint8_t *byte, size_t bytes);

#endif
