/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A machine in which the OS that programs see is a guest: what it asks of its hardware goes through virt/. */
#include <stdlib.h>

#include "machine/machine_private.h"
#include "machine/settings.h"

/* The guest's tables lie in memory of the host: the time of a word is that of the host frame behind it. */
static uint64_t table_access(void *hw, uint64_t gpa, bool write) {
    struct machine *m = hw;

    return machine_table_cycles(m, virt_table_access(m->virt, gpa, write), write);
}

static void touch(void *hw, uint64_t gpa, uint64_t bytes, bool write) {
    virt_touch(((struct machine *)hw)->virt, gpa, bytes, write);
}

/* ---- shadow tables: what would change hardware's state is the hypervisor's to do ---- */

static void shadow_flush(void *hw, const struct emt_flush *f) {
    struct machine *m = hw;

    machine_charge_flush(m, f, virt_flush(m->virt, f->tdb ? f->tdb->asid : 0, f));
}

static void shadow_load_root(void *hw, unsigned cpu, uint16_t asid, const struct emt_root *root) {
    virt_load_root(((struct machine *)hw)->virt, cpu, asid, root);
}

static void shadow_update_root(void *hw, unsigned cpu, const struct emt_root *root) {
    virt_update_root(((struct machine *)hw)->virt, cpu, root);
}

/* ---- making ---- */

int machine_virt_sides(struct machine *m, char *why, size_t why_bytes) {
    return settings_side(&m->told, CFG_GUEST, &m->cfg, why, why_bytes);
}

int machine_virt_new(struct machine *m, char *why, size_t why_bytes) {
    struct emt_config *host = malloc(sizeof(*host));
    struct virt_parts parts = {.guest = &m->cfg, .host = host, .memory = &m->host, .current = &m->current};
    int err = host ? settings_side(&m->told, CFG_HOST, host, why, why_bytes) : -ENOMEM;

    if (!err)
        err = virt_new(&m->virt, &parts, why, why_bytes);
    free(host);
    return err;
}

void machine_virt_connect(struct machine *m) {
    m->host.table_access = table_access;
    m->host.touch = touch;
    os_set_clock(virt_os(m->virt), machine_now, m);
    if (m->told.virt.mode != CFG_SHADOW)
        return; /* hardware has the guest's own root, and what it flushes is the guest's */
    m->host.flush = shadow_flush;
    m->host.load_root = shadow_load_root;
    m->host.update_root = shadow_update_root;
    m->asid_offset = VIRT_SHADOW_ASIDS;
}
