/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What services of x86-64's kind share: mmu/x86/service.h. */
#include "mmu/x86/service.h"

#include "emt/host.h"
#include "mmu/radix/format.h"

int x86_tsvc_init(struct emt_tsvc *svc) {
    (void)svc;
    return 0;
}

void x86_tsvc_fini(struct emt_tsvc *svc) {
    (void)svc;
}

void x86_tsvc_caps(const struct emt_tsvc *svc, struct emt_caps *caps) {
    *caps = (struct emt_caps){.page_sizes = radix_bytes(1) | radix_bytes(2) | radix_bytes(3),
                              .va_bits = (uint8_t)radix_va_bits((unsigned)svc->arch->param[0]),
                              .pa_bits = (uint8_t)svc->arch->param[1],
                              .asid_bits = RADIX_PCID_BITS,
                              .soft_bits = RADIX_SOFT_BITS,
                              .accessed_dirty = true,
                              .global = true};
}

int x86_tsvc_switch(struct emt_tsvc *svc, unsigned cpu, struct emt_tdb *tdb) {
    struct emt_root root = {.word = {0}};

    if (tdb)
        svc->arch->driver->tdb_root(tdb, &root);
    emt_host_load_root(svc->host, cpu, tdb ? tdb->asid : 0, &root);
    return 0;
}

void x86_tsvc_flush(struct emt_tsvc *svc, const struct emt_flush *flush) {
    emt_host_flush(svc->host, flush);
}
