/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the readers of foreign formats share: blocks, fetch words for runs of instructions, and mappings made up on
 * first touch.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "input/synth/random.h"
#include "input/trace/trace.h"

#define REGION_SHIFT    21
#define INSTRUCTION_MAX 15 /* bytes: Intel SDM vol. 2, 2.3.11 */
#define LOG2_ACCESS_MAX 7u

static uint64_t *region_slot(const struct foreign *f, uint64_t region) {
    uint64_t i = mix64(region) & f->region_mask;

    while (f->region[i] && f->region[i] != region + 1)
        i = (i + 1) & f->region_mask;
    return &f->region[i];
}

static bool grow(struct foreign *f) {
    uint64_t *old = f->region, old_slots = old ? f->region_mask + 1 : 0;

    f->region = calloc(old_slots ? 2 * old_slots : 1024, sizeof(*f->region));
    if (!f->region) {
        f->region = old;
        return false;
    }
    f->region_mask = (old_slots ? 2 * old_slots : 1024) - 1;
    for (uint64_t i = 0; i < old_slots; i++)
        if (old[i])
            *region_slot(f, old[i] - 1) = old[i];
    free(old);
    return true;
}

/* Announces the region of an address that is touched for the first time. */
static void touch(struct foreign *f, uint64_t va) {
    uint64_t region = va >> REGION_SHIFT, *slot;
    uint64_t *recent = &f->recent[region % (sizeof(f->recent) / sizeof(f->recent[0]))];

    if (*recent == region + 1)
        return;
    if (2 * (f->regions + 1) > f->region_mask && !grow(f)) {
        f->no_memory = true;
        return;
    }
    slot = region_slot(f, region);
    *recent = region + 1;
    if (*slot)
        return;
    *slot = region + 1;
    f->regions++;
    *f->at++ = ev_event(EV_MMAP, ev_operand_count[EV_MMAP]);
    *f->at++ = region << REGION_SHIFT;
    *f->at++ = 1ull << REGION_SHIFT;
    *f->at++ = PROT_READ | PROT_WRITE | PROT_EXEC;
    *f->at++ = MAP_PRIVATE | MAP_ANONYMOUS;
    *f->at++ = 0;
    *f->at++ = 0;
}

static void end_run(struct foreign *f) {
    if (f->run)
        *f->at++ = ev_fetch(f->run_first, f->run);
    f->run = 0;
}

/* An instruction continues the run when it may follow its last one in the same page. */
void foreign_instruction(struct foreign *f, uint64_t pc) {
    if (f->run && (f->run == EV_FETCH_MAX || pc >> 12 != f->run_first >> 12 || pc <= f->run_last ||
                   pc > f->run_last + INSTRUCTION_MAX))
        end_run(f);
    if (!f->run) {
        touch(f, pc);
        f->run_first = pc;
    }
    f->run_last = pc;
    f->run++;
}

/* The largest power of two not above the size; the next one where that is needed to reach the same last page. */
static unsigned log2_size(uint64_t va, unsigned bytes) {
    unsigned shift = 31 - (unsigned)__builtin_clz(bytes);

    if (shift < LOG2_ACCESS_MAX && (va + bytes - 1) >> 12 != (va + (1u << shift) - 1) >> 12)
        shift++;
    return shift;
}

void foreign_access(struct foreign *f, bool store, uint64_t va, unsigned size_bytes, bool dependent, uint64_t pc) {
    end_run(f);
    while (size_bytes) {
        unsigned piece = size_bytes < 1u << LOG2_ACCESS_MAX ? size_bytes : 1u << LOG2_ACCESS_MAX;
        unsigned shift = log2_size(va, piece);

        touch(f, va);
        touch(f, va + (1u << shift) - 1);
        *f->at++ = (store ? ev_store(va, shift) : ev_load(va, shift)) | (dependent ? EV_DEPENDENT : 0) |
                   (f->pub.want_pc ? EV_HAS_PC : 0);
        if (f->pub.want_pc)
            *f->at++ = pc;
        va += piece;
        size_bytes -= piece;
    }
}

static int foreign_next(struct ev_source *pub, const struct ev_block **out) {
    struct foreign *f = (struct foreign *)pub;
    struct ev_block *block;
    int err = 1;

    if (f->pending || f->ended)
        return f->pending;
    block = block_pool_get(f->pool);
    f->at = block ? block->word : NULL;
    while (block && err > 0 && !f->no_memory && f->at + FOREIGN_RECORD_WORDS <= block->word + EV_BLOCK_WORDS)
        err = f->record(f);
    if (!block || f->no_memory) {
        snprintf(pub->error, sizeof(pub->error), "%s: out of memory", pub->what);
        err = -ENOMEM;
    }
    if (!block)
        return f->pending = err;
    if (err <= 0) {
        end_run(f);
        f->ended = true;
        f->pending = err;
    }
    block->words = (uint32_t)(f->at - block->word);
    if (!block->words) {
        block_pool_put(f->pool, block);
        return f->pending;
    }
    *out = block;
    return 1;
}

static void foreign_release(struct ev_source *pub, const struct ev_block *block) {
    block_pool_put(((struct foreign *)pub)->pool, block);
}

static void foreign_close(struct ev_source *pub) {
    struct foreign *f = (struct foreign *)pub;

    block_pool_free(f->pool);
    stream_close(f->in);
    free(f->region);
    free(f);
}

static double foreign_progress(const struct ev_source *pub) {
    return stream_progress(((const struct foreign *)pub)->in);
}

int foreign_open(struct ev_source **out, struct stream *in, int (*record)(struct foreign *), char *why,
                 size_t bytes) {
    struct foreign *f = calloc(1, sizeof(*f));

    if (f)
        f->pool = block_pool_new();
    if (!f || !f->pool) {
        snprintf(why, bytes, "%s: out of memory", stream_name(in));
        stream_close(in);
        free(f);
        return -ENOMEM;
    }
    f->in = in;
    f->record = record;
    f->pub = (struct ev_source){.next = foreign_next,
                                .release = foreign_release,
                                .close = foreign_close,
                                .progress = foreign_progress,
                                .what = stream_name(in)};
    *out = &f->pub;
    return 0;
}
