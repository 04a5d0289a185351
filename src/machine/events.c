/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* OS events of the input become calls of the simulated OS. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "machine/machine_private.h"

static void note(struct machine *m, struct os_process *p, uint64_t va, uint64_t bytes, const char *what) {
    if (m->checker)
        checker_note(m->checker, machine_asid(m, p), va, bytes, what, m->accesses);
}

/* No core runs p any more: it is about to lose its address space. */
static void leave_cores(struct machine *m, const struct os_process *p) {
    for (unsigned i = 0; i < m->cfg.core.count; i++)
        if (m->core[i].running == p)
            m->core[i].running = NULL;
}

static int end_process(struct machine *m, struct os_process *p) {
    machine_take_picture(m, p);
    leave_cores(m, p);
    os_exit(p);
    return 0;
}

static int fork_process(struct machine *m, struct os_process *p, uint64_t child_id) {
    struct os_process *child;

    if (child_id > UINT32_MAX || os_process_find(m->os, (uint32_t)child_id))
        return -EBADMSG;
    note(m, p, 0, ~0ull, "fork");
    m->processes++;
    return os_fork(p, (uint32_t)child_id, &child);
}

static int map(struct machine *m, struct os_process *p, const uint64_t *op) {
    uint64_t addr = op[0];

    note(m, p, op[0], op[1], "mmap");
    return os_mmap(p, &addr, op[1], (int)op[2], (int)(op[3] & ~(uint64_t)MAP_FIXED_NOREPLACE) | MAP_FIXED, op[4],
                   op[5]);
}

static int remap(struct machine *m, struct os_process *p, const uint64_t *op) {
    uint64_t addr = op[2];
    int flags = (int)op[4] & ~(MREMAP_FIXED | MREMAP_MAYMOVE);

    note(m, p, op[0], op[1], "mremap");
    note(m, p, op[2], op[3], "mremap");
    if (op[2] != op[0])
        flags |= MREMAP_FIXED | MREMAP_MAYMOVE;
    return os_mremap(p, op[0], op[1], &addr, op[3], flags);
}

static int call(struct machine *m, struct os_process *p, enum ev_event event, const uint64_t *op) {
    switch (event) {
    case EV_MMAP:
        return map(m, p, op);
    case EV_MUNMAP:
        note(m, p, op[0], op[1], "munmap");
        return os_munmap(p, op[0], op[1]);
    case EV_MPROTECT:
        note(m, p, op[0], op[1], "mprotect");
        return os_mprotect(p, op[0], op[1], (int)op[2]);
    case EV_MREMAP:
        return remap(m, p, op);
    case EV_BRK:
        note(m, p, op[0], 0, "brk");
        return os_brk(p, op[0]);
    case EV_MADVISE:
        note(m, p, op[0], op[1], "madvise");
        return os_madvise(p, op[0], op[1], (int)op[2]);
    case EV_STACK:
        return os_stack(p, op[0], op[1]);
    case EV_FILE:
        return os_file(m->os, op[0], op[1]);
    case EV_FORK:
        return fork_process(m, p, op[0]);
    case EV_EXEC:
        m->left_by_exec++;
        return end_process(m, p);
    case EV_EXIT:
        return end_process(m, p);
    case EV_THREAD:
    case EV_MARK:
    default:
        return 0;
    }
}

int machine_event(struct machine *m, struct os_process *p, enum ev_event event, const uint64_t *operand) {
    int err = call(m, p, event, operand);

    if (err == -ENOMEM && !m->trouble[0]) {
        snprintf(m->trouble, sizeof(m->trouble),
                 "the simulated machine ran out of memory in a system call; give it more with memory.bytes");
        __atomic_store_n(&m->done, true, __ATOMIC_RELAXED);
    }
    /* A call that the program made with success but that our OS refuses is left out; the accesses to what it would
       have mapped are then counted as unknown. A block that makes no sense is an error of the input. */
    return err == -EBADMSG ? err : 0;
}
