/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Inside of struct machine: shared by its making (machine.c), its inner loop (feed.c), OS events (events.c) and its
   result (machine_result.c). */
#ifndef EMT_MACHINE_MACHINE_PRIVATE_H
#define EMT_MACHINE_MACHINE_PRIVATE_H

#include "hw/checker.h"
#include "hw/core_timing.h"
#include "hw/mmu_private.h"
#include "machine/machine.h"
#include "virt/virt.h"

struct core {
    struct mmu *mmu;
    struct cache_core *caches; /* NULL when there are no data caches */
    struct core_timing timing;
    struct os_process *running;
    uint64_t instructions;
    uint64_t walks_of_block;    /* of the last one that it was fed */
    const uint64_t *expect_end; /* of the present one, if what walks will read is asked for ahead; else NULL */
    uint64_t code_page;         /* from which it fetched last; CODE_NOWHERE: look it up again */
};

#define CODE_NOWHERE (~0ull)

/* What the last translation that took the slow path cost. */
struct slow_path {
    uint32_t cycles, faults;
};

/* What the memory picture shows: taken when the first process exits, or at the end. */
struct machine_picture {
    bool taken;
    struct os_cell cell[RESULT_CELLS];
    struct os_contiguity contiguity;
    uint8_t run_of_cell[RESULT_CELLS];
    uint64_t free_blocks[11];
    double fragmentation;
    struct result_places places[EMT_PLACE_GROUPS];
    uint32_t nplaces;
};

struct machine {
    struct emt_config cfg;  /* of the OS that programs see: of a virtual machine, the guest's side */
    struct emt_config told; /* as it was described */
    struct virt *virt;      /* NULL: native */
    uint16_t asid_offset;   /* from the OS's ASIDs to those that hardware uses */
    const struct emt_arch *arch;
    struct emt_host host;
    struct emt_tsvc svc;
    struct os *os;
    struct mmu_shared *mmu_shared;
    struct cache_system *caches;
    struct checker *checker; /* NULL: off */
    struct core core[CFG_MAX_CORES];
    unsigned current; /* core whose access is being simulated: OS work is done there */

    uint64_t stores, fetches;     /* since statistics began */
    uint64_t accesses_before;     /* loads and stores before statistics began */
    uint64_t instructions_before; /* of all cores, when statistics began */
    uint64_t unknown_accesses, processes, threads, left_by_exec;

    uint64_t accesses; /* loads and stores since the very start */
    uint64_t stop_at;  /* value of `accesses` at which something happens */
    uint64_t skip, limit;
    bool counting;    /* statistics have begun */
    bool map_unknown; /* memory that no mapping was seen for is mapped on first use, and counted */
    struct slow_path slow;
    bool done;      /* read by other threads: __atomic */
    uint64_t shown; /* accesses, for the progress line: __atomic */
    char trouble[256];

    struct machine_picture picture;

    /* Contiguity over time; when the list is full, every second one goes and the distance doubles. */
    struct result_sample sample[RESULT_SAMPLES];
    uint32_t nsample;
    uint64_t next_sample, sample_every; /* accesses; next_sample ~0: none */
};

/* The process as hardware and checker call it. */
static inline uint16_t machine_asid(const struct machine *m, struct os_process *p) {
    return (uint16_t)(os_process_tdb(p)->asid + m->asid_offset);
}

/* feed.c: a translation that the hint did not answer, faults included; m->slow says what it took. Not 0: the access
   ends in a signal (-EFAULT, -EFBIG) or the machine is out of memory (-ENOMEM). */
int machine_slow(struct machine *m, struct core *c, uint64_t va, unsigned type, uint64_t *pa);
/* feed.c: for emt_access(): count one access; send it through the data caches, if there are any. */
void machine_count(struct machine *m, unsigned type);
void machine_data(struct machine *m, uint64_t pa, unsigned type);
/* events.c: one OS event with its operands. <0: it makes no sense. */
int machine_event(struct machine *m, struct os_process *p, enum ev_event event, const uint64_t *operand);
/* feed.c: let this process run on this thread's core; a process not seen before is new. -ENOMEM. */
int machine_dispatch(struct machine *m, uint32_t process, uint32_t thread);
/* machine.c */
uint64_t machine_now(void *machine);
/* One access of the OS to a table, at an address of memory. */
uint64_t machine_table_cycles(struct machine *m, uint64_t pa, bool write);
/* A flush by the OS: `local`, single invalidations on the current core (0: all at once), and interrupts of others.
 */
void machine_charge_flush(struct machine *m, const struct emt_flush *f, unsigned local);
/* machine_virt.c: m->cfg from m->told; the host, once m->host is there; who answers the guest's OS. */
int machine_virt_sides(struct machine *m, char *why, size_t why_bytes);
int machine_virt_new(struct machine *m, char *why, size_t why_bytes);
void machine_virt_connect(struct machine *m);
/* Retired by all cores since the very start: the clock of os_tick(). */
uint64_t machine_instructions(const struct machine *m);
void machine_begin_counting(struct machine *m);
void machine_take_sample(struct machine *m);
void machine_take_picture(struct machine *m, struct os_process *p);

#endif
