/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Checks that a file is an x86-64 Linux program, and reads its segments (System V ABI, chapters 4 and 5). */
#include "input/live/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *machine_name(unsigned machine, char *text, size_t bytes) {
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_AARCH64, "aarch64"},     {EM_ARM, "32-bit Arm"},      {EM_RISCV, "RISC-V"},
                 {EM_PPC64, "POWER (ppc64)"}, {EM_PPC, "PowerPC"},         {EM_S390, "s390x"},
                 {EM_MIPS, "MIPS"},           {EM_LOONGARCH, "LoongArch"}, {EM_SPARCV9, "SPARC V9"},
                 {EM_IA_64, "Itanium"},       {EM_386, "32-bit x86"},      {EM_ALPHA, "Alpha"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].machine == machine)
            return names[i].name;
    snprintf(text, bytes, "another processor (ELF machine %u)", machine);
    return text;
}

static int refuse(char *why, size_t bytes, const char *path, const char *what) {
    snprintf(why, bytes, "%s: %s", path, what);
    return -ENOEXEC;
}

static int check_header(const Elf64_Ehdr *h, size_t got, const char *path, char *why, size_t bytes) {
    char text[64], what[160];
    if (got < EI_NIDENT || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(why, bytes, path, "not a program: neither an ELF file nor a #! script");
    if (h->e_ident[EI_DATA] != ELFDATA2LSB)
        return refuse(why, bytes, path, "a big-endian program; only x86-64 programs can be run");
    if (got < sizeof(Elf32_Ehdr))
        return refuse(why, bytes, path, "a truncated ELF file: its header is not complete");
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_machine != EM_X86_64) {
        if (h->e_ident[EI_CLASS] == ELFCLASS32 && h->e_machine == EM_X86_64)
            return refuse(why, bytes, path, "an x32 program; only 64-bit x86-64 programs can be run");
        snprintf(what, sizeof(what), "a program for %s; only 64-bit x86-64 programs can be run",
                 machine_name(h->e_machine, text, sizeof(text)));
        return refuse(why, bytes, path, what);
    }
    if (got < sizeof(*h))
        return refuse(why, bytes, path, "a truncated ELF file: its header is not complete");
    if (h->e_type == ET_REL)
        return refuse(why, bytes, path, "an object file, not yet linked to a program");
    if (h->e_type == ET_CORE)
        return refuse(why, bytes, path, "a core dump, not a program");
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return refuse(why, bytes, path, "an ELF file, but not a program");
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0)
        return refuse(why, bytes, path, "an ELF file without program headers: not a program");
    return 0;
}

static int read_segments(int fd, const Elf64_Ehdr *h, uint64_t file_bytes, struct elf_program *out) {
    for (unsigned i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;
        if (pread(fd, &p, sizeof(p), (off_t)(h->e_phoff + i * sizeof(p))) != (ssize_t)sizeof(p))
            return -EIO;
        if (p.p_type != PT_LOAD && p.p_type != PT_INTERP)
            continue;
        if (p.p_offset > file_bytes || p.p_filesz > file_bytes - p.p_offset)
            return -EIO;
        if (p.p_type == PT_INTERP) {
            if (p.p_filesz == 0 || p.p_filesz > sizeof(out->interpreter) ||
                pread(fd, out->interpreter, p.p_filesz, (off_t)p.p_offset) != (ssize_t)p.p_filesz)
                return -EIO;
            out->interpreter[p.p_filesz - 1] = 0;
            continue;
        }
        if (out->segments == ELF_SEGMENTS)
            return -E2BIG;
        if (h->e_phoff >= p.p_offset && h->e_phoff < p.p_offset + p.p_filesz)
            out->headers_va = p.p_vaddr + h->e_phoff - p.p_offset;
        out->segment[out->segments++] = (struct elf_segment){
            .va = p.p_vaddr,
            .file_offset = p.p_offset,
            .file_bytes = p.p_filesz,
            .memory_bytes = p.p_memsz,
            .prot = (p.p_flags & PF_R ? PROT_READ : 0) | (p.p_flags & PF_W ? PROT_WRITE : 0) |
                    (p.p_flags & PF_X ? PROT_EXEC : 0),
        };
    }
    return 0;
}

int elf_read(const char *path, struct elf_program *out, char *why, size_t bytes) {
    Elf64_Ehdr h = {0};
    struct stat st;
    memset(out, 0, sizeof(*out));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int error = -errno;
        snprintf(why, bytes, "%s: cannot be read: %s", path, strerror(-error));
        if (fd >= 0)
            close(fd);
        return error;
    }
    ssize_t got = pread(fd, &h, sizeof(h), 0);
    int error = check_header(&h, got < 0 ? 0 : (size_t)got, path, why, bytes);
    if (error == 0) {
        out->entry = h.e_entry;
        error = read_segments(fd, &h, (uint64_t)st.st_size, out);
        if (error == -E2BIG)
            error = refuse(why, bytes, path, "an ELF file with more than 32 segments to load");
        else if (error)
            error = refuse(why, bytes, path, "a truncated or damaged ELF file");
        else if (h.e_type == ET_DYN && !out->interpreter[0] && h.e_entry == 0)
            error = refuse(why, bytes, path, "a shared library, not a program");
        else if (out->segments == 0)
            error = refuse(why, bytes, path, "an ELF file with nothing to load: not a program");
    }
    close(fd);
    return error;
}
