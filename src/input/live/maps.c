/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Finds the initial image from inside the emulator's process, with nothing but the kernel's interfaces: the ELF
 * files are recognised in /proc/self/maps by device and inode, the stack by the auxiliary vector at its top, whose
 * AT_PHDR must name the program's headers.
 *
 *      low                                                                         high
 *      | ... free ... | argc | argv.. | 0 | envp.. | 0 | auxv.. | strings ...        |
 *                     ^ stack pointer at entry         ^ (3, address of the program headers)
 */
#include "input/live/maps.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#define PAGE 4096u
#define STACK_TOP_BYTES                                                                                            \
    (6u << 20) /* arguments and environment are at most 6 MiB: 3/4 of the default stack limit                      \
                */
#define AUXV_PAIRS_MAX 64u

struct mapping {
    uint64_t start, end, offset, inode;
    dev_t dev;
    bool readable, writable, private;
};

typedef bool (*mapping_fn)(const struct mapping *, void *context);

/* Calls fn for each line of /proc/self/maps until it returns true; false: it never did. */
static bool each_mapping(mapping_fn fn, void *context) {
    FILE *f = fopen("/proc/self/maps", "re");
    if (!f)
        return false;
    char line[4608];
    bool done = false;
    while (!done && fgets(line, sizeof(line), f)) {
        struct mapping m;
        char rights[5];
        unsigned major, minor;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64, &m.start, &m.end, rights,
                   &m.offset, &major, &minor, &m.inode) != 7)
            continue;
        m.dev = makedev(major, minor);
        m.readable = rights[0] == 'r';
        m.writable = rights[1] == 'w';
        m.private = rights[3] == 'p';
        done = fn(&m, context);
    }
    fclose(f);
    return done;
}

struct file_search {
    const struct stat *st;
    uint64_t offset, start;
};

static bool is_start_of_file(const struct mapping *m, void *context) {
    struct file_search *s = context;
    if (m->inode != s->st->st_ino || m->offset != s->offset)
        return false;
    s->start = m->start;
    return true;
}

static bool find_file(struct image_file *f, const char *path, uint64_t guest_base) {
    char why[256];
    if (elf_read(path, &f->elf, why, sizeof(why)) != 0 || stat(path, &f->st) != 0)
        return false;
    const struct elf_segment *first = &f->elf.segment[0];
    struct file_search s = {.st = &f->st, .offset = first->file_offset & -(uint64_t)PAGE};
    if (!each_mapping(is_start_of_file, &s))
        return false;
    f->bias = s.start - guest_base - (first->va & -(uint64_t)PAGE);
    f->found = true;
    return true;
}

struct stack_search {
    struct image *image;
    uint64_t guest_base, headers; /* the program headers' guest address */
};

/* Below the auxiliary vector: the environment, the arguments and their number, where the stack pointer is. */
static const uint64_t *stack_pointer(const uint64_t *auxv, const uint64_t *lowest) {
    const uint64_t *p = auxv;
    for (int list = 0; list < 2; list++) {
        uint64_t entries = 0;
        if (p - 2 < lowest || *--p != 0)
            return auxv;
        while (p - 1 > lowest && p[-1] != 0 && !(list == 1 && p[-1] == entries)) {
            p--;
            entries++;
        }
    }
    return p - 1;
}

static bool is_stack(const struct mapping *m, void *context) {
    struct stack_search *s = context;
    if (!m->readable || !m->writable || !m->private || m->inode != 0)
        return false;
    uint64_t bytes = m->end - m->start < STACK_TOP_BYTES ? m->end - m->start : STACK_TOP_BYTES;
    const uint64_t *low = (const uint64_t *)(uintptr_t)(m->end - bytes), *end = (const uint64_t *)(uintptr_t)m->end;
    for (const uint64_t *p = end - 2; p > low; p--) {
        if (p[0] != AT_PHDR || p[1] != s->headers)
            continue;
        const uint64_t *auxv = p;
        while (auxv - 2 > low && p - auxv < 2 * (int)AUXV_PAIRS_MAX && auxv[-2] != 0 && auxv[-2] < 64 &&
               auxv[-1] != 0)
            auxv -= 2; /* entries before AT_PHDR; the environment's end, 0, stops it */
        const uint64_t *sp = stack_pointer(auxv, low);
        s->image->stack_low = ((uint64_t)(uintptr_t)sp - s->guest_base) & -(uint64_t)PAGE;
        s->image->stack_end = m->end - s->guest_base;
        for (unsigned i = 0; i < AUXV_PAIRS_MAX && auxv + 2 * i + 1 < end && auxv[2 * i] != AT_NULL; i++)
            if (auxv[2 * i] == AT_SYSINFO_EHDR)
                s->image->vdso = auxv[2 * i + 1];
        return true;
    }
    return false;
}

/* The extent of the vdso that newer emulators have, from its own headers. */
static void measure_vdso(struct image *image, uint64_t guest_base) {
    if (image->vdso == 0)
        return;
    const Elf64_Ehdr *h = (const void *)(uintptr_t)(image->vdso + guest_base);
    const Elf64_Phdr *p = (const void *)((const char *)h + h->e_phoff);
    for (unsigned i = 0; i < h->e_phnum; i++)
        if (p[i].p_type == PT_LOAD && p[i].p_vaddr + p[i].p_memsz > image->vdso_bytes)
            image->vdso_bytes = (p[i].p_vaddr + p[i].p_memsz + PAGE - 1) & -(uint64_t)PAGE;
}

/*
 * The emulator keeps its CPU's global descriptor table in the program's address space, and reads it when a signal
 * handler returns. It is a page of zeros but for user data and code, entries 5 and 6 (Linux's __USER_DS and
 * __USER_CS).
 */
static bool has_descriptors(const struct mapping *m, void *context) {
    struct stack_search *s = context;
    if (!m->readable || !m->writable || !m->private || m->inode != 0 || m->end - m->start > 16 * PAGE)
        return false;
    for (uint64_t page = m->start; page < m->end; page += PAGE) {
        const uint64_t *entry = (const uint64_t *)(uintptr_t)page;
        bool match = entry[5] != 0 && entry[6] != 0;
        for (unsigned i = 0; i < PAGE / sizeof(*entry) && match; i++)
            match = i == 5 || i == 6 || entry[i] == 0;
        if (match) {
            s->image->descriptors = page - s->guest_base;
            return true;
        }
    }
    return false;
}

bool image_find(struct image *out, const char *program, uint64_t guest_base) {
    memset(out, 0, sizeof(*out));
    if (!find_file(&out->program, program, guest_base))
        return false;
    bool all = true;
    if (out->program.elf.interpreter[0])
        all = find_file(&out->interpreter, out->program.elf.interpreter, guest_base);
    struct stack_search s = {out, guest_base, out->program.elf.headers_va + out->program.bias};
    all = each_mapping(is_stack, &s) && all;
    each_mapping(has_descriptors, &s);
    measure_vdso(out, guest_base);
    return all;
}
