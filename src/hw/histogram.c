/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading a histogram: hw/histogram.h. */
#include "hw/histogram.h"

uint64_t hw_bucket_low(unsigned bucket) {
    if (bucket < 16)
        return bucket;
    return (uint64_t)(16 + bucket % 16) << (bucket / 16 - 1);
}

void hw_histogram_merge(struct hw_histogram *into, const struct hw_histogram *from) {
    into->count += from->count;
    into->sum += from->sum;
    for (unsigned i = 0; i < HW_HISTOGRAM_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}

uint64_t hw_percentile(const struct hw_histogram *h, double percent) {
    if (h->count == 0)
        return 0;
    double wanted = percent / 100.0 * (double)h->count;
    uint64_t rank = (uint64_t)wanted;
    if ((double)rank < wanted || rank == 0)
        rank++;
    uint64_t seen = 0;
    unsigned i = 0;
    for (; i < HW_HISTOGRAM_BUCKETS - 1; i++) {
        seen += h->bucket[i];
        if (seen >= rank)
            break;
    }
    return hw_bucket_low(i);
}
