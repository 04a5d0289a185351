/* SPDX-License-Identifier: GPL-2.0-only */
/* One CPUID instruction that tells who measures this machine where a region begins and ends (emt/hardware.h). */
#ifndef EMT_GUEST_MARK_H
#define EMT_GUEST_MARK_H

#include <string.h>

#include "emt/hardware.h"

static inline void emt_mark(uint32_t what, const char *text) {
    uint64_t name[EMT_MARK_BYTES / 8] = {0};
    const size_t bytes = strlen(text);

    memcpy(name, text, bytes < sizeof(name) ? bytes : sizeof(name) - 1);
    register uint64_t r8 __asm__("r8") = name[2];
    register uint64_t r9 __asm__("r9") = name[3];
    uint32_t eax = EMT_CPUID_MARK, ebx = what, ecx = 0, edx;
    __asm__ volatile("cpuid"
                     : "+a"(eax), "+b"(ebx), "+c"(ecx), "=d"(edx)
                     : "S"(name[0]), "D"(name[1]), "r"(r8), "r"(r9)
                     : "memory");
}

#endif
