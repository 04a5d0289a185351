/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Virtual machines to test: made from settings, fed with words, looked at from inside. */
#ifndef EMT_TESTS_VIRT_WORLD_H
#define EMT_TESTS_VIRT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/machine_private.h"
#include "machine/settings.h"

#define AREA 0x7f0000000000ull
#define PAGE 4096ull
#define MIB  (1ull << 20)

#define WORLD_SETTINGS 24

struct world {
    struct machine *m;
    struct ev_block *b;
};

/* Small machines with the checker on and small pages; `more` settings, ended by NULL, come on top. */
static inline void world_open(struct world *w, const char *guest, const char *host, const char *mode,
                              const char *const *more) {
    static const char *const base[] = {"check.translations=true", "memory.bytes=128M", "os.thp.enabled=never"};
    struct emt_config *cfg = calloc(1, sizeof(*cfg));
    const char *list[WORLD_SETTINGS];
    char words[3][64], why[1024] = "";
    unsigned n = 0;

    for (; n < sizeof(base) / sizeof(base[0]); n++)
        list[n] = base[n];
    snprintf(words[0], sizeof(words[0]), "virt.mode=%s", mode);
    snprintf(words[1], sizeof(words[1]), "host.mmu.name=%s", host);
    snprintf(words[2], sizeof(words[2]), "guest.mmu.name=%s", guest);
    for (unsigned i = 0; i < 3; i++)
        list[n++] = words[i];
    for (unsigned i = 0; more && more[i]; i++)
        list[n++] = more[i];
    settings_defaults(cfg);
    if (settings_load(cfg, "skylake-sp", why, sizeof(why)) || settings_apply(cfg, list, n, why, sizeof(why)) ||
        machine_new(&w->m, cfg, why, sizeof(why)))
        fail_msg("%s on %s: %s", guest, host, why);
    free(cfg);
    w->b = calloc(1, sizeof(*w->b));
    w->b->process = 1;
}

static inline void world_close(struct world *w) {
    machine_free(w->m);
    free(w->b);
}

static inline void put(struct world *w, uint64_t word) {
    w->b->word[w->b->words++] = word;
}

/* What was put is simulated. */
static inline void run(struct world *w) {
    assert_int_equal(machine_feed(w->m, w->b), 0);
    assert_null(machine_trouble(w->m));
    w->b->words = 0;
}

static inline void put_event(struct world *w, enum ev_event event, unsigned n, const uint64_t *operand) {
    put(w, ev_event(event, n));
    for (unsigned i = 0; i < n; i++)
        put(w, operand[i]);
}

static inline void put_mmap(struct world *w, uint64_t addr, uint64_t bytes) {
    put_event(
        w, EV_MMAP, 6,
        (const uint64_t[]){addr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0, 0});
}

static inline struct emt_result *result_of(struct world *w) {
    struct emt_result *r = calloc(1, sizeof(*r));

    machine_result(w->m, r);
    return r;
}

/* The host takes frames away from the guest's memory, as reclaim or a balloon would. */
static inline void host_drops(struct world *w, uint64_t gpa, uint64_t bytes) {
    assert_int_equal(os_madvise(virt_process(w->m->virt), gpa, bytes, MADV_DONTNEED), 0);
    virt_tick(w->m->virt, w->m->os, 0);
}

#endif
