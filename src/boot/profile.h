/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where a kernel's instructions go: exactly, by function and stack, from the kernel's own symbols.
 *
 * Stacks are followed, not sampled: a call pushes its return address at some address of some stack, and the return
 * that reads it from there ends the call, whatever has run meanwhile.
 *
 *     stack (16 KiB aligned)      frames: slot ──> callee, caller
 *     task 1: [do_syscall_64][__x64_sys_mmap]...         <── one of them is where a CPU is
 *     task 2: [...]
 *
 * So a context switch is a return that reads from another stack. Exceptions and interrupts, which push without a
 * call, begin with a function whose name starts with asm_, and end with IRET. A jump into another function (a tail
 * call) replaces the function on top.
 */
#ifndef EMT_BOOT_PROFILE_H
#define EMT_BOOT_PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report/guest.h"

struct profile;

enum profile_step { PROFILE_GO, PROFILE_CALL, PROFILE_RETURN, PROFILE_IRET };

/* Functions from a System.map. -errno with a line in why. */
int profile_new(struct profile **out, const char *system_map, unsigned cpus, char *why, size_t why_bytes);
void profile_free(struct profile *);
/* The function that holds va: a number for profile_block(). */
unsigned profile_function(const struct profile *, uint64_t va);
const char *profile_name(const struct profile *, unsigned function);

/* A CPU makes a call or a return: the stack slot that it writes or reads. */
void profile_call(struct profile *, unsigned cpu, uint64_t slot);
void profile_return(struct profile *, unsigned cpu, uint64_t slot);
void profile_iret(struct profile *, unsigned cpu);
/* A block begins; instructions since the last one belong to where that was. `kernel` false: user mode. */
void profile_block(struct profile *, unsigned cpu, bool kernel, unsigned function, uint64_t retired);

void profile_reset(struct profile *);
/* Instructions by group of operations (the caller frees out->stacks); and all stacks, "a;b;c count" a line. */
void profile_operations(const struct profile *, struct result_profile *out);
int profile_folded(const struct profile *, FILE *f);

#endif
