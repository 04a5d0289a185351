/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Block devices: see device.h. */
#include "os/device.h"

#include <string.h>

/* What a block layer lets wait: 128 requests (Linux's nr_requests for one hardware queue) of 4 KiB on the SSD
   below take 270 us. Assumed. */
#define DEVICE_QUEUE_NS 270000

const struct device_preset device_presets[] = {
    [CFG_DEVICE_HDD] = {"hdd",
                        {.read_ns = 0, .write_ns = 0, .seek_ns = 11560000, .read_mb_s = 230, .write_mb_s = 230},
                        false,
                        "WD Ultrastar DC HC310's specification: seek 7.4 ms + half a revolution 4.16 ms; assumed: "
                        "230 MB/s, writes seek as reads do"},
    [CFG_DEVICE_SSD] = {"ssd",
                        {.read_ns = 77900, .write_ns = 20000, .read_mb_s = 2700, .write_mb_s = 1900},
                        false,
                        "read 77.9 us: Intel P3700, 4 KiB at queue depth 1, AnandTech 2017; assumed: the rest"},
    [CFG_DEVICE_OPTANE] =
        {"optane",
         {.read_ns = 8900, .write_ns = 10000, .read_mb_s = 2400, .write_mb_s = 2000},
         false,
         "Intel P4800X: 8.9 us read, AnandTech 2017; below 10 us write, 2400 and 2000 MB/s, Intel"},
    [CFG_DEVICE_CXL] = {"cxl",
                        {.read_ns = 284, .write_ns = 284, .read_mb_s = 38400, .write_mb_s = 38400},
                        true,
                        "284 ns: CXL-DMSim (arXiv 2411.02282), ASIC; 38.4 GB/s: device A of Sun et al., MICRO'23"},
    [CFG_DEVICE_RAM] = {"ram",
                        {.read_ns = 80, .write_ns = 80, .read_mb_s = 38400, .write_mb_s = 38400},
                        true,
                        "a ramdisk: 80 ns, as Virtuoso models DDR5-4800; one channel of it, 4800 MT/s x 8 bytes"},
};

static uint32_t either(uint32_t given, uint32_t preset) {
    return given ? given : preset;
}

void device_init(struct device *d, const struct cfg_device_timing *cfg, uint32_t mhz, uint64_t seed,
                 struct os_device_stats *stats) {
    const struct cfg_device_timing *p = &device_presets[cfg->device].timing;

    *d = (struct device){.timing = *cfg, .mhz = mhz ? mhz : 1000, .random = seed, .stats = stats};
    d->timing.read_ns = either(cfg->read_ns, p->read_ns);
    d->timing.write_ns = either(cfg->write_ns, p->write_ns);
    d->timing.seek_ns = either(cfg->seek_ns, p->seek_ns);
    d->timing.read_mb_s = either(cfg->read_mb_s, p->read_mb_s);
    d->timing.write_mb_s = either(cfg->write_mb_s, p->write_mb_s);
}

/* splitmix64 (S. Vigna) */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

bool device_fails(struct device *d) {
    bool fails =
        d->timing.error_rate > 0 && (double)(next_random(&d->random) >> 11) * 0x1p-53 < d->timing.error_rate;

    d->stats->errors += fails;
    return fails;
}

static uint64_t cycles(const struct device *d, uint64_t ns) {
    return ns * d->mhz / 1000;
}

uint64_t device_io(struct device *d, uint64_t now, uint64_t at, unsigned pages, bool write) {
    const struct cfg_device_timing *t = &d->timing;
    uint64_t bytes = (uint64_t)pages << EMT_PAGE_SHIFT;
    uint64_t seek = t->seek_ns && at != d->next_page ? cycles(d, t->seek_ns) : 0;
    uint64_t busy = seek + bytes * d->mhz / (write ? t->write_mb_s : t->read_mb_s);
    uint64_t start = now > d->free_at ? now : d->free_at, wait;

    d->free_at = start + busy;
    d->next_page = at + pages;
    *(write ? &d->stats->writes : &d->stats->reads) += 1;
    *(write ? &d->stats->write_bytes : &d->stats->read_bytes) += bytes;
    d->stats->busy_cycles += busy;
    if (write) {
        uint64_t queue = cycles(d, DEVICE_QUEUE_NS) + busy;
        wait = d->free_at - now > queue ? d->free_at - now - queue : 0;
    } else {
        wait = d->free_at + cycles(d, t->read_ns) - now;
    }
    d->stats->wait_cycles += wait;
    return wait;
}
