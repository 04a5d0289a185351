/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Packed blocks (input/event.h) for readers that do not take them. */
#ifndef EMT_INPUT_LIVE_PACKED_H
#define EMT_INPUT_LIVE_PACKED_H

#include "input/event.h"

struct unpacker;

struct unpacker *unpacker_new(void); /* NULL: out of memory */
void unpacker_free(struct unpacker *);
/* The next block to unpack, which must stay until it is. -ENOMEM. */
int unpacker_begin(struct unpacker *, const struct ev_block *packed);
/* Some more of it, as plain words in *out. false: nothing was left. */
bool unpacker_next(struct unpacker *, struct ev_block *out);

/* What the thread has retired after a block's last load or store: as near as the words alone tell. */
uint64_t packed_retired(const struct ev_block *);

#endif
