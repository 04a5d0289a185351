/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Nested tables: the second dimension of a core's walks is an MMU like any other (hw/mmu.c), with the host's
 * architecture and MMU caches, the VM process's root, and one TLB, the nested TLB, as its second level: so that a
 * hit costs its cycles.
 */
#include <string.h>

#include "virt/virt_private.h"

static void describe(struct virt *v) {
    struct emt_config *cfg = &v->second_cfg;

    *cfg = v->cfg;
    memset(cfg->tlb, 0, sizeof(cfg->tlb));
    cfg->ntlb = v->cfg.virt.nested_tlb_entries ? 1 : 0;
    cfg->tlb[0] = (struct cfg_tlb){.name = "nested",
                                   .level = 2,
                                   .holds = CFG_TLB_DATA | CFG_TLB_INSTRUCTION,
                                   .pages = CFG_PAGE_4K | CFG_PAGE_2M | CFG_PAGE_1G,
                                   .entries = v->cfg.virt.nested_tlb_entries,
                                   .ways = v->cfg.virt.nested_tlb_ways,
                                   .hit_cycles = v->cfg.virt.nested_tlb_cycles};
    cfg->seed += 1u << 20; /* apart from the seeds of the first dimension's structures */
}

int nested_add_core(struct virt *v, unsigned core) {
    struct virt_core *c = &v->core[core];

    if (core == 0)
        describe(v);
    int err = mmu_new(&c->second, core, &v->second_cfg, v->arch, &v->host, NULL, c->caches);
    if (!err)
        mmu_set_second(c->mmu, c->second);
    return err;
}

int nested_start(struct virt *v) {
    int err = 0;

    for (unsigned i = 0; !err && i < v->cfg.core.count; i++)
        err = os_switch(v->vm, i);
    return err;
}
