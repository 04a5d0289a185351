/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * libemt embedded: a loop that strides through 64 MiB, and what its translation costs with small and with huge
 * pages. Build:  cc embed.c $(pkg-config --cflags --libs emt)
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include <emt/emt.h>

static int measure(const char *thp) {
    char setting[64], why[256];
    uint64_t addr = 0, bytes = 64 << 20, cycles = 0, faults = 0;
    struct emt_answer answer;
    int err;

    snprintf(setting, sizeof(setting), "os.thp.enabled=%s", thp);
    struct emt *emt = emt_new("skylake-sp", "radix4", (const char *[]){setting, NULL}, why, sizeof(why));
    if (!emt) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    err = emt_mmap(emt, 1, &addr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (uint64_t i = 0; !err && i < 1000000; i++) {
        uint64_t va = addr + i * 8200 % bytes;

        err = emt_access(emt, 1, 0, va, 8, EMT_KIND_STORE, &answer);
        cycles += answer.translation_cycles;
        faults += answer.faults;
        emt_retire(emt, 0, 4);
    }
    if (err)
        fprintf(stderr, "%s\n", emt_error(emt));
    else
        printf("huge pages %-6s  %5.2f translation cycles an access, %" PRIu64 " page faults\n", thp,
               (double)cycles / 1000000, faults);
    emt_free(emt);
    return err != 0;
}

int main(void) {
    return measure("never") || measure("always");
}
