/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the launcher and the plugin must know of a program's ELF file. */
#ifndef EMT_INPUT_LIVE_ELF_H
#define EMT_INPUT_LIVE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS 32
#define ELF_PATH     1024

struct elf_segment {
    uint64_t va, file_offset, file_bytes, memory_bytes;
    int prot; /* PROT_ values */
};

struct elf_program {
    unsigned segments;
    struct elf_segment segment[ELF_SEGMENTS]; /* PT_LOAD, in the file's order */
    uint64_t entry, headers_va;               /* of the program headers, before relocation; 0: not loaded */
    char interpreter[ELF_PATH];               /* empty: a static program */
};

/*
 * Reads the headers of an x86-64 program. On error a negative errno value (-ENOEXEC: not one that can run here),
 * and a line for the user in `why`.
 */
int elf_read(const char *path, struct elf_program *out, char *why, size_t bytes);

#endif
