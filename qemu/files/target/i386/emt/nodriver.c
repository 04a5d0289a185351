/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * emt/host.h for a processor: it has no operating system, so no driver ever runs here. Drivers are linked for what
 * they say of their hardware; whoever called anything else of them would end here.
 */
#include "emt/host.h"

void __attribute__((noreturn)) emt_no_driver_here(void);

uint64_t emt_table_alloc(struct emt_tdb *tdb, unsigned order)
{
    (void)tdb, (void)order;
    emt_no_driver_here();
}

void emt_table_free(struct emt_tdb *tdb, uint64_t pa, unsigned order)
{
    (void)tdb, (void)pa, (void)order;
    emt_no_driver_here();
}

uint64_t emt_host_frames(const struct emt_host *host)
{
    (void)host;
    emt_no_driver_here();
}

uint64_t emt_table_read(struct emt_host *host, uint64_t pa)
{
    (void)host, (void)pa;
    emt_no_driver_here();
}

void emt_table_write(struct emt_host *host, uint64_t pa, uint64_t value)
{
    (void)host, (void)pa, (void)value;
    emt_no_driver_here();
}

uint64_t emt_table_cmpxchg(struct emt_host *host, uint64_t pa, uint64_t expected, uint64_t desired)
{
    (void)host, (void)pa, (void)expected, (void)desired;
    emt_no_driver_here();
}

uint32_t *emt_table_note(struct emt_host *host, uint64_t pa)
{
    (void)host, (void)pa;
    emt_no_driver_here();
}

void *emt_state_alloc(struct emt_host *host, size_t bytes)
{
    (void)host, (void)bytes;
    emt_no_driver_here();
}

void emt_state_free(struct emt_host *host, void *state)
{
    (void)host, (void)state;
    emt_no_driver_here();
}

void emt_host_flush(struct emt_host *host, const struct emt_flush *flush)
{
    (void)host, (void)flush;
    emt_no_driver_here();
}

void emt_host_load_root(struct emt_host *host, unsigned cpu, uint16_t asid, const struct emt_root *root)
{
    (void)host, (void)cpu, (void)asid, (void)root;
    emt_no_driver_here();
}

void emt_host_update_root(struct emt_host *host, unsigned cpu, uint16_t asid, const struct emt_root *root)
{
    (void)host, (void)cpu, (void)asid, (void)root;
    emt_no_driver_here();
}

void emt_host_work(struct emt_host *host, unsigned instructions)
{
    (void)host, (void)instructions;
    emt_no_driver_here();
}

uint64_t emt_host_unmovable(const struct emt_host *host)
{
    (void)host;
    emt_no_driver_here();
}

void emt_lock(uint32_t *lock)
{
    (void)lock;
    emt_no_driver_here();
}

void emt_unlock(uint32_t *lock)
{
    (void)lock;
    emt_no_driver_here();
}
