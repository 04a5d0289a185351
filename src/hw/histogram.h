/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A histogram of latencies: exact below 32, above it 16 buckets to each power of two, so that a bucket's lowest
 * value is never more than 1/16 below the value counted. Integers only: the same on every machine.
 *
 *     value      0 1 ... 15 | 16 17 ... 31 | 32,33 34,35 ... 62,63 | 64..67 ...
 *     bucket     0 1 ... 15 | 16 17 ... 31 | 32    33    ... 47    | 48     ...
 */
#ifndef EMT_HW_HISTOGRAM_H
#define EMT_HW_HISTOGRAM_H

#include <stdint.h>

#define HW_HISTOGRAM_BUCKETS (16 * 24)

struct hw_histogram {
    uint64_t count, sum;
    uint64_t bucket[HW_HISTOGRAM_BUCKETS]; /* the last one also holds all that is larger */
};

static inline unsigned hw_bucket_of(uint64_t value) {
    if (value < 16)
        return (unsigned)value;
    unsigned log2 = 63 - (unsigned)__builtin_clzll(value);
    unsigned bucket = (log2 - 3) * 16 + (unsigned)(value >> (log2 - 4) & 15);
    return bucket < HW_HISTOGRAM_BUCKETS ? bucket : HW_HISTOGRAM_BUCKETS - 1;
}

static inline void hw_histogram_add(struct hw_histogram *h, uint64_t value) {
    h->count++;
    h->sum += value;
    h->bucket[hw_bucket_of(value)]++;
}

/* Lowest value that falls into a bucket. */
uint64_t hw_bucket_low(unsigned bucket);
/* into += from. */
void hw_histogram_merge(struct hw_histogram *into, const struct hw_histogram *from);
/* Lowest value of the bucket with the ceil(percent / 100 * count)-th smallest value; 0 when empty. */
uint64_t hw_percentile(const struct hw_histogram *h, double percent);

#endif
