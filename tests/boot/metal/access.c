/* SPDX-License-Identifier: GPL-2.0-only */
/* Accesses that may fault, and the console. */
#include <stdarg.h>

#include "metal.h"

/* What start.S has pushed. */
struct frame {
    uint64_t saved[9], vector, code, rip, cs, flags, rsp, ss;
};

struct gate {
    uint16_t low, selector, type, middle;
    uint32_t high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3, 6.14.1");

extern const struct {
    uint64_t vector;
    uint64_t entry;
} exception_entries[];

static struct gate idt[32];
static struct fault last;
static uint64_t resume_at, resume_sp; /* 0: an exception is an error of ours */

void init_exceptions(void);
void init_exceptions(void) {
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) table = {sizeof(idt) - 1, (uint64_t)idt};

    for (unsigned i = 0; exception_entries[i].entry; i++) {
        const uint64_t to = exception_entries[i].entry;

        idt[exception_entries[i].vector] =
            (struct gate){(uint16_t)to, 8, 0x8e00, (uint16_t)(to >> 16), (uint32_t)(to >> 32), 0};
    }
    __asm__ volatile("lidt %0" ::"m"(table));
}

void on_exception(struct frame *f);
void on_exception(struct frame *f) {
    uint64_t cr2;

    __asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
    if (!resume_at) {
        say("FAIL unexpected exception %u, code %x, at %x, address %x\n", (unsigned)f->vector, f->code, f->rip,
            cr2);
        for (;;)
            out8(0x501, 1);
    }
    last = (struct fault){(unsigned)f->vector, f->code, cr2};
    f->rip = resume_at;
    f->rsp = resume_sp;
}

/* One instruction, or a call; on an exception the next statement runs all the same. */
#define TRY(instruction, ...)                                                                                      \
    do {                                                                                                           \
        last = (struct fault){0};                                                                                  \
        __asm__ volatile("leaq 1f(%%rip), %%r10\n\tmovq %%r10, %[at]\n\tmovq %%rsp, %[sp]\n\t" instruction         \
                         "\n1:\tmovq $0, %[at]"                                                                    \
                         : [at] "+m"(resume_at), [sp] "+m"(resume_sp)                                              \
                         : __VA_ARGS__                                                                             \
                         : "memory", "r10", "r11");                                                                \
    } while (0)

struct fault try_load(uint64_t va, uint64_t *value) {
    TRY("movq (%[va]), %%r11\n\tmovq %%r11, (%[to])", [va] "r"(va), [to] "r"(value));
    return last;
}

struct fault try_store(uint64_t va, uint64_t value) {
    TRY("movq %[v], (%[va])", [va] "r"(va), [v] "r"(value));
    return last;
}

/* What is called is a RET. */
struct fault try_call(uint64_t va) {
    TRY("call *%[va]", [va] "r"(va));
    return last;
}

struct fault try_msr(uint32_t index, uint64_t value) {
    TRY("wrmsr", "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
    return last;
}

struct fault try_cr3(uint64_t value) {
    TRY("movq %[v], %%cr3", [v] "r"(value));
    return last;
}

/* ---- the console: port E9h, -debugcon ---- */

static void hexadecimal(uint64_t v) {
    bool begun = false;

    for (int shift = 60; shift >= 0; shift -= 4) {
        const unsigned digit = v >> shift & 15;

        begun |= digit || !shift;
        if (begun)
            out8(0xe9, "0123456789abcdef"[digit]);
    }
}

static void decimal(unsigned v) {
    if (v >= 10)
        decimal(v / 10);
    out8(0xe9, '0' + v % 10);
}

void say(const char *format, ...) {
    va_list args;

    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            out8(0xe9, *format);
            continue;
        }
        format++;
        if (*format == 's')
            for (const char *s = va_arg(args, const char *); *s; s++)
                out8(0xe9, *s);
        else if (*format == 'u')
            decimal(va_arg(args, unsigned));
        else
            hexadecimal(va_arg(args, uint64_t));
    }
    va_end(args);
}
