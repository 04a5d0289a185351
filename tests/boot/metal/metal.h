/* SPDX-License-Identifier: GPL-2.0-only */
/* A machine without an operating system: its memory, its instructions, its console. */
#ifndef METAL_H
#define METAL_H

#include "emt/hardware.h"
#include "emt/host.h"

#define WINDOW    0xffffffff80000000ull /* the first GiB of physical memory is here */
#define FRAMES    (512ull << 20 >> EMT_PAGE_SHIFT)
#define UNMOVABLE (128ull << 20 >> EMT_PAGE_SHIFT) /* the first frames are for tables */
#define NO_FRAME  (~0ull)
#define VECTOR_GP 13
#define VECTOR_PF 14

static inline void *at(uint64_t pa) {
    return (void *)(WINDOW + pa);
}

/* ---- host.c ---- */

/* Which architecture's number emt_host_load_root() puts into a descriptor. */
struct emt_host {
    unsigned number;
    unsigned reloads; /* EMT_RELOAD was written */
    uint64_t next_descriptor;
};

/* All frames free again, but for those below `first`. */
void host_reset(uint64_t first);
/* A frame, or a piece of 2^order: the one named when it is free (wanted), else any from the top. */
uint64_t frame_take(uint64_t wanted, unsigned order);
unsigned frames_free(void *ctx, uint64_t pfn, unsigned n);

/* ---- instructions ---- */

static inline void out8(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
static inline uint64_t read_cr3(void) {
    uint64_t v;
    __asm__ volatile("movq %%cr3, %0" : "=r"(v));
    return v;
}
static inline void write_cr3(uint64_t v) {
    __asm__ volatile("movq %0, %%cr3" ::"r"(v) : "memory");
}
static inline void invlpg(uint64_t va) {
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}
static inline uint64_t read_msr(uint32_t index) {
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}
static inline void write_msr(uint32_t index, uint64_t v) {
    __asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* ---- an access that may fault: metal.c ---- */

struct fault {
    unsigned vector; /* 0: none */
    uint64_t code, va;
};

struct fault try_load(uint64_t va, uint64_t *value);
struct fault try_store(uint64_t va, uint64_t value);
struct fault try_call(uint64_t va);
struct fault try_msr(uint32_t index, uint64_t value);
struct fault try_cr3(uint64_t value);

/* "text %s %u %x": strings, unsigned ints, 64-bit hexadecimal. */
void say(const char *format, ...);

/* ---- host.c, as gcc and the registry expect them ---- */
void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
int strcmp(const char *a, const char *b);

#endif
