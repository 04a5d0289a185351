/* SPDX-License-Identifier: GPL-2.0-only */
/* emt/host.h on bare metal: one CPU, frames by first fit, and the registers of docs/hardware-interface.md. */
#include "metal.h"

static uint8_t used[FRAMES];
static uint32_t notes[FRAMES];
extern uint8_t boot_pml4[];

void *memset(void *to, int value, size_t n) {
    uint8_t *p = to;
    __asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(value) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t n) {
    uint8_t *p = to;
    __asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n)::"memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a, *y = b;
    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

int strcmp(const char *a, const char *b) {
    for (; *a && *a == *b; a++, b++)
        ;
    return (uint8_t)*a - (uint8_t)*b;
}

/* ---- frames ---- */

void host_reset(uint64_t first) {
    for (uint64_t i = 0; i < FRAMES; i++)
        used[i] = i < first;
}

unsigned frames_free(void *ctx, uint64_t pfn, unsigned n) {
    unsigned count = 0;

    for (uint64_t i = pfn; i < pfn + n && i < FRAMES; i++)
        count += !used[i];
    return count;
}

static bool take(uint64_t pfn, unsigned order) {
    if (pfn + (1ull << order) > FRAMES || frames_free(NULL, pfn, 1u << order) != 1u << order)
        return false;
    memset(&used[pfn], 1, 1ul << order);
    return true;
}

uint64_t frame_take(uint64_t wanted, unsigned order) {
    if (wanted != NO_FRAME)
        return take(wanted, order) ? wanted : NO_FRAME;
    for (uint64_t pfn = FRAMES - (1ull << order); pfn; pfn -= 1ull << order)
        if (take(pfn, order))
            return pfn;
    return NO_FRAME;
}

static uint64_t take_low(unsigned order) {
    for (uint64_t pfn = 0; pfn < FRAMES; pfn += 1ull << order)
        if (take(pfn, order))
            return pfn;
    return NO_FRAME;
}

uint64_t emt_table_alloc(struct emt_tdb *tdb, unsigned order) {
    const uint64_t pfn = take_low(order);

    if (pfn == NO_FRAME)
        return EMT_NO_PA;
    memset(at(pfn << EMT_PAGE_SHIFT), 0, EMT_PAGE_BYTES << order);
    tdb->table_bytes += EMT_PAGE_BYTES << order;
    return pfn << EMT_PAGE_SHIFT;
}

/* Not used again before the next architecture's turn: so no flush is too late. */
void emt_table_free(struct emt_tdb *tdb, uint64_t pa, unsigned order) {
    tdb->table_bytes -= EMT_PAGE_BYTES << order;
}

uint64_t emt_host_frames(const struct emt_host *host) {
    return FRAMES;
}

uint64_t emt_host_unmovable(const struct emt_host *host) {
    return UNMOVABLE;
}

uint32_t *emt_table_note(struct emt_host *host, uint64_t pa) {
    return &notes[pa >> EMT_PAGE_SHIFT];
}

void *emt_state_alloc(struct emt_host *host, size_t bytes) {
    unsigned order = 0;

    while (EMT_PAGE_BYTES << order < bytes)
        order++;
    const uint64_t pfn = take_low(order);
    return pfn == NO_FRAME ? NULL : memset(at(pfn << EMT_PAGE_SHIFT), 0, EMT_PAGE_BYTES << order);
}

void emt_state_free(struct emt_host *host, void *state) {
}

/* ---- words of tables ---- */

uint64_t emt_table_read(struct emt_host *host, uint64_t pa) {
    return __atomic_load_n((uint64_t *)at(pa), __ATOMIC_ACQUIRE);
}

void emt_table_write(struct emt_host *host, uint64_t pa, uint64_t value) {
    __atomic_store_n((uint64_t *)at(pa), value, __ATOMIC_RELEASE);
}

uint64_t emt_table_cmpxchg(struct emt_host *host, uint64_t pa, uint64_t expected, uint64_t desired) {
    __atomic_compare_exchange_n((uint64_t *)at(pa), &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return expected;
}

void emt_host_work(struct emt_host *host, unsigned instructions) {
}

void emt_lock(uint32_t *lock) {
}

void emt_unlock(uint32_t *lock) {
}

/* ---- the processor ---- */

void emt_host_flush(struct emt_host *host, const struct emt_flush *f) {
    if (f->kind != EMT_FLUSH_RANGE || f->bytes > 64 * EMT_PAGE_BYTES) {
        if (read_msr(EMT_MSR_STATUS) == (read_msr(EMT_MSR_CTL)))
            write_cr3(read_cr3());
        return;
    }
    for (uint64_t va = f->va; va < f->va + f->bytes; va += EMT_PAGE_BYTES)
        invlpg(va);
}

/* A new descriptor, since the old one may be in use. */
void emt_host_load_root(struct emt_host *host, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    static _Alignas(4096) uint64_t descriptor[2][512];
    uint64_t *d = descriptor[host->next_descriptor++ & 1];

    emt_root_encode(d, host->number, EMT_ROOT_WORDS, (uint64_t)boot_pml4 - WINDOW, root);
    write_cr3((uint64_t)d - WINDOW);
}

void emt_host_update_root(struct emt_host *host, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    uint64_t *d = at(read_cr3() & ~0xfffull);

    emt_root_encode(d, host->number, EMT_ROOT_WORDS, d[EMT_ROOT_DESC_UPPER], root);
    write_msr(EMT_MSR_RELOAD, 0);
    host->reloads++;
}
