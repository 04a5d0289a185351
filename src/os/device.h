/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A block device as far as time goes: one queue, a pipe of some bandwidth behind it, and a latency that requests
 * overlap in.
 *
 *     request   |--- waits for the pipe ---|-- seek --|-- bytes / bandwidth --|-- latency --| done
 *                                          |<------ the device is busy ------>|
 *
 * A seek is due when a request does not begin where the last one ended. Whoever reads waits until it is done; a
 * write is waited for only when more than DEVICE_QUEUE_NS of work is queued: the queue is full.
 */
#ifndef EMT_OS_DEVICE_H
#define EMT_OS_DEVICE_H

#include "machine/config.h"
#include "os/os.h"

struct device {
    struct cfg_device_timing timing; /* with the preset's figures in it */
    uint32_t mhz;                    /* of the core whose cycles we count in */
    uint64_t free_at;                /* cycle at which the pipe has nothing to do */
    uint64_t next_page;              /* behind the last request */
    uint64_t random;                 /* state of the generator of errors */
    struct os_device_stats *stats;
};

struct device_preset {
    const char *name;
    struct cfg_device_timing timing;
    bool immediate; /* as fast as memory: reading ahead does not pay, and Linux does not */
    const char *source;
};
extern const struct device_preset device_presets[]; /* by enum cfg_device */

void device_init(struct device *d, const struct cfg_device_timing *cfg, uint32_t mhz, uint64_t seed,
                 struct os_device_stats *stats);
/* Does a request fail? Asked once for each request. */
bool device_fails(struct device *d);
/* A request of `pages` 4 KiB pages at page `at`, issued at cycle `now`. Returns how long its issuer waits, in
   cycles. */
uint64_t device_io(struct device *d, uint64_t now, uint64_t at, unsigned pages, bool write);

#endif
