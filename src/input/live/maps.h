/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The memory of a program before its first instruction: what the emulator, in the kernel's place, has set up. */
#ifndef EMT_INPUT_LIVE_MAPS_H
#define EMT_INPUT_LIVE_MAPS_H

#include <sys/stat.h>

#include "input/live/elf.h"

/* One ELF file in memory. */
struct image_file {
    struct elf_program elf;
    struct stat st;
    uint64_t bias; /* guest address = address in the file + bias */
    bool found;
};

struct image {
    struct image_file program, interpreter; /* interpreter.found is false for a static program */
    uint64_t stack_low, stack_end;          /* page of the stack pointer at entry; end, exclusive; 0: not found */
    uint64_t descriptors;                   /* page with the emulated CPU's segment descriptors; 0: not found */
    uint64_t vdso, vdso_bytes;              /* 0: none */
};

/*
 * Finds out where the program and its parts are in this process. `guest_base` is the host address of guest
 * address 0. False when a part was not found; what was found is filled in all the same.
 */
bool image_find(struct image *out, const char *program, uint64_t guest_base);

#endif
