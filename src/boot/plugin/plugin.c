/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What QEMU-EMT calls while a measured guest runs. Loaded by it; holds the models (boot/measure.h) and the kernel
 * profile (boot/profile.h), and writes the results when the guest ends.
 *
 *     translation of a block ──> which instructions call back, and with what
 *     each block   ──> fetch, mode, function          each load, store ──> access
 *     events of QEMU-EMT (CR3, INVLPG, ...)           CALL, RET, IRET  ──> profile
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "boot/measure.h"
#include "boot/profile.h"
#include "core/mm.h"
#include "emt/hardware.h"
#include "input/live/qemu_abi.h"
#include "machine/settings.h"
#include "qemu/files/target/i386/emt/emt-plugin.h"
#include "report/report.h"

EXPORTED int qemu_plugin_version = 1;

/* QEMU 7.2's plugin API, as far as user mode's plugin does without it. */
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int op, void *counter, uint64_t addend);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, on_block_fn, int registers, void *udata);

#define CR3_KEEP      (1ull << 63)
#define CR3_PCID      0xfffull
#define CR3_ADDRESS   0xffffffffff000ull
#define CR4_LA57      (1ull << 12)
#define CR4_PCIDE     (1ull << 17)
#define ACCESS_R      1
#define ACCESS_W      2
#define WHOLE_COMMAND "command"    /* the region that the guest's init marks */
#define RAM_LOOK_PA   (1ull << 20) /* behind the holes of a PC's first MiB */

/* A block of translated code. Kept for good: QEMU may run it again at any time. */
struct block {
    uint64_t va;
    unsigned function;
    bool kernel;
};

/* QEMU's callbacks carry no context of ours for all that we need: one plugin, one guest, one state. */
static struct {
    struct measure *measure;
    struct profile *profile; /* NULL: off */
    struct emt_config cfg;
    uint64_t retired; /* added to by translated code */
    bool known[CFG_MAX_CORES];
    bool failed;
    bool active; /* from the beginning of the first region to the end of the command: booting is not modelled */
    char json[PATH_MAX], table[PATH_MAX], folded[PATH_MAX], symbols[PATH_MAX], input[256], command[512];
    unsigned cpus;
} guest;

static void complain(const char *what) {
    if (!guest.failed)
        fprintf(stderr, "emt: measuring: %s\n", what);
    guest.failed = true;
}

/* ---- address spaces ---- */

/* The guest's memory, once, as soon as there is some. */
static bool have_models(void) {
    char why[256];
    uint64_t bytes;
    void *host;

    if (guest.measure || guest.failed)
        return guest.measure != NULL;
    if (!qemu_emt_ram(RAM_LOOK_PA, &host, &bytes)) {
        complain("the guest has no memory at 1 MiB");
        return false;
    }
    if (measure_new(&guest.measure, &guest.cfg, guest.cpus, (uint8_t *)host - RAM_LOOK_PA, bytes + RAM_LOOK_PA, why,
                    sizeof(why)))
        complain(why);
    return guest.measure != NULL;
}

static void load_root(unsigned cpu, bool kept) {
    struct qemu_emt_cpu state;
    struct measure_root root = {.kept = kept};

    qemu_emt_cpu_state(cpu, &state);
    guest.known[cpu] = state.arch != NULL;
    if (!have_models())
        return;
    if (state.arch) {
        root.arch = emt_arch_find(state.arch);
        root.asid = state.cr4 & CR4_PCIDE ? state.cr3 & CR3_PCID : 0;
        memcpy(root.root.word, state.root, sizeof(root.root.word));
    }
    if (state.split) {
        root.upper = emt_arch_find(state.cr4 & CR4_LA57 ? "radix5" : "radix4");
        root.upper_root.word[0] = state.upper & CR3_ADDRESS;
    }
    int err = measure_root(guest.measure, cpu, &root);
    if (err)
        complain(err == -ENOTSUP ? "a conventional kernel half beside hashed tables is not modelled"
                                 : "out of memory for the models");
}

static void on_cr3(unsigned cpu, uint64_t value) {
    struct qemu_emt_cpu state;

    qemu_emt_cpu_state(cpu, &state);
    if (!have_models())
        return;
    if (!(value & CR3_KEEP))
        measure_flush(guest.measure, cpu, MEASURE_ASID, state.cr4 & CR4_PCIDE ? value & CR3_PCID : 0, 0);
    load_root(cpu, value & CR3_KEEP);
}

static uint16_t current_asid(unsigned cpu) {
    struct qemu_emt_cpu state;

    qemu_emt_cpu_state(cpu, &state);
    return state.cr4 & CR4_PCIDE ? state.cr3 & CR3_PCID : 0;
}

static void on_mark(uint64_t what, const char *text) {
    char name[EMT_MARK_BYTES + 1] = "";

    memcpy(name, text, EMT_MARK_BYTES);
    if (what == EMT_MARK_BEGIN && !guest.active) {
        memset(guest.known, 0, sizeof(guest.known)); /* each CPU's registers are looked up at its next block */
        guest.active = have_models();
    }
    if (!guest.active)
        return;
    if (what == EMT_MARK_BEGIN) {
        measure_begin(guest.measure, name, guest.retired);
        if (guest.profile)
            profile_reset(guest.profile);
    } else if (what == EMT_MARK_END) {
        struct result_profile profile = {0};

        if (guest.profile)
            profile_operations(guest.profile, &profile);
        if (!measure_end(guest.measure, name, guest.retired, &profile)) {
            free(profile.stacks);
        } else if (guest.profile && guest.folded[0]) {
            FILE *f = fopen(guest.folded, "we");
            if (!f || profile_folded(guest.profile, f))
                complain("the folded stacks cannot be written");
            if (f)
                fclose(f);
        }
        guest.active = strcmp(name, WHOLE_COMMAND) != 0;
    }
}

static void on_event(unsigned cpu, enum qemu_emt_event what, uint64_t a, uint64_t b, uint64_t c) {
    static const enum measure_flush invpcid[] = {MEASURE_PAGE, MEASURE_ASID, MEASURE_ALL, MEASURE_NOT_GLOBAL};

    if (cpu >= guest.cpus || guest.failed)
        return;
    if (what == QEMU_EMT_MARK)
        on_mark(a, (const char *)(uintptr_t)b);
    if (!guest.active || !guest.known[cpu])
        return;
    switch (what) {
    case QEMU_EMT_CR3:
        on_cr3(cpu, a);
        break;
    case QEMU_EMT_ROOT:
        load_root(cpu, true);
        break;
    case QEMU_EMT_INVLPG:
        measure_flush(guest.measure, cpu, MEASURE_PAGE, current_asid(cpu), a);
        break;
    case QEMU_EMT_INVPCID:
        if (a < 4)
            measure_flush(guest.measure, cpu, invpcid[a], (uint16_t)b, c);
        break;
    case QEMU_EMT_FLUSH:
        measure_flush(guest.measure, cpu, MEASURE_ALL, 0, 0);
        guest.known[cpu] = false; /* paging may have been switched on or off */
        break;
    case QEMU_EMT_FAULT:
        measure_fault(guest.measure, cpu, a, (unsigned)c);
        break;
    case QEMU_EMT_MARK:
        break;
    }
}

/* ---- what runs ---- */

static void on_block(unsigned cpu, void *udata) {
    const struct block *b = udata;

    if (!guest.active)
        return;
    if (!guest.known[cpu])
        load_root(cpu, true);
    measure_block(guest.measure, cpu, b->va, b->kernel, guest.retired);
    if (guest.profile)
        profile_block(guest.profile, cpu, b->kernel, b->function, guest.retired);
}

static void on_access(unsigned cpu, uint32_t info, uint64_t va, void *udata) {
    (void)udata;
    if (guest.active && guest.known[cpu])
        measure_access(guest.measure, cpu, va, 1u << qemu_plugin_mem_size_shift(info),
                       qemu_plugin_mem_is_store(info));
}

static void on_call(unsigned cpu, uint32_t info, uint64_t va, void *udata) {
    (void)info, (void)udata;
    profile_call(guest.profile, cpu, va);
}

static void on_return(unsigned cpu, uint32_t info, uint64_t va, void *udata) {
    (void)info, (void)udata;
    profile_return(guest.profile, cpu, va);
}

static void on_iret(unsigned cpu, void *udata) {
    (void)udata;
    profile_iret(guest.profile, cpu);
}

/* What leaves a function, from its bytes (SDM vol. 2): prefixes, then CALL, RET or IRET. */
static enum profile_step step_of(const uint8_t *byte, size_t bytes) {
    size_t i = 0;

    while (i < bytes && (byte[i] == 0x66 || byte[i] == 0x67 || byte[i] == 0xf2 || byte[i] == 0xf3 ||
                         byte[i] == 0x2e || byte[i] == 0x3e || (byte[i] & 0xf0) == 0x40))
        i++;
    if (i == bytes)
        return PROFILE_GO;
    if (byte[i] == 0xe8 || (byte[i] == 0xff && i + 1 < bytes && (byte[i + 1] >> 3 & 7) == 2))
        return PROFILE_CALL;
    if (byte[i] == 0xc3 || byte[i] == 0xc2)
        return PROFILE_RETURN;
    return byte[i] == 0xcf ? PROFILE_IRET : PROFILE_GO;
}

static void follow(struct qemu_plugin_insn *insn) {
    switch (step_of(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn))) {
    case PROFILE_CALL:
        qemu_plugin_register_vcpu_mem_cb(insn, on_call, PLUGIN_NO_REGISTERS, ACCESS_W, NULL);
        break;
    case PROFILE_RETURN:
        qemu_plugin_register_vcpu_mem_cb(insn, on_return, PLUGIN_NO_REGISTERS, ACCESS_R, NULL);
        break;
    case PROFILE_IRET:
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_iret, PLUGIN_NO_REGISTERS, NULL);
        break;
    case PROFILE_GO:
        break;
    }
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb) {
    const size_t n = qemu_plugin_tb_n_insns(tb);
    struct block *b = malloc(sizeof(*b));

    (void)id;
    if (!b) {
        complain("out of memory");
        return;
    }
    b->va = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    b->kernel = b->va >> 63;
    b->function = b->kernel && guest.profile ? profile_function(guest.profile, b->va) : 0;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, PLUGIN_NO_REGISTERS, b);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        qemu_plugin_register_vcpu_insn_exec_inline(insn, PLUGIN_INLINE_ADD_U64, &guest.retired, 1);
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, PLUGIN_NO_REGISTERS, PLUGIN_LOADS_AND_STORES, NULL);
        if (guest.profile && b->kernel && i + 1 == n)
            follow(insn);
    }
}

/* ---- beginning and end ---- */

static void write_results(struct emt_result *all, unsigned n) {
    const struct emt_result *list[MEASURE_REGIONS];
    char why[512];

    for (unsigned i = 0; i < n; i++) {
        const bool whole = !all[i].label[0] || strcmp(all[i].label, WHOLE_COMMAND) == 0;

        snprintf(all[i].input, sizeof(all[i].input), whole ? "%.200s" : "%.200s [%s]", guest.input, all[i].label);
        snprintf(all[i].command, sizeof(all[i].command), "%s", guest.command);
        list[i] = &all[i];
    }
    if (guest.json[0] && report_json(guest.json, list, n, why, sizeof(why)))
        complain(why);
    FILE *f = fopen(guest.table, "we");
    if (!f) {
        complain("the table cannot be written");
        return;
    }
    report_terminal(f, list, n, false);
    fclose(f);
}

static void on_exit_of_guest(uint64_t id, void *udata) {
    struct emt_result *all;
    unsigned n;

    (void)id, (void)udata;
    qemu_emt_set_hook(NULL);
    if (!guest.measure || guest.failed)
        return;
    all = measure_results(guest.measure, &n, guest.retired);
    if (all)
        write_results(all, n);
    else
        complain("out of memory for the results");
    for (unsigned i = 0; all && i < n; i++)
        free(all[i].guest.profile.stacks);
    free(all);
}

/* The run's description: lines of name=value, as cmd_boot wrote them. */
static int read_description(const char *path, const char **set, unsigned *nset, char *machine, size_t machine_bytes,
                            bool *profile) {
    FILE *f = fopen(path, "re");
    char line[PATH_MAX + 64];

    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = '\0';
        if (strcmp(line, "machine") == 0)
            snprintf(machine, machine_bytes, "%s", value);
        else if (strcmp(line, "set") == 0 && *nset < 64)
            set[(*nset)++] = strdup(value);
        else if (strcmp(line, "json") == 0)
            snprintf(guest.json, sizeof(guest.json), "%s", value);
        else if (strcmp(line, "table") == 0)
            snprintf(guest.table, sizeof(guest.table), "%s", value);
        else if (strcmp(line, "folded") == 0)
            snprintf(guest.folded, sizeof(guest.folded), "%s", value);
        else if (strcmp(line, "symbols") == 0)
            snprintf(guest.symbols, sizeof(guest.symbols), "%s", value);
        else if (strcmp(line, "input") == 0)
            snprintf(guest.input, sizeof(guest.input), "%s", value);
        else if (strcmp(line, "command") == 0)
            snprintf(guest.command, sizeof(guest.command), "%s", value);
        else if (strcmp(line, "cpus") == 0)
            guest.cpus = (unsigned)atoi(value);
        else if (strcmp(line, "profile") == 0)
            *profile = value[0] == '1';
    }
    if (!f)
        return -errno;
    fclose(f);
    return 0;
}

EXPORTED int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    const char *set[64];
    char machine[PATH_MAX] = "default", why[1024] = "";
    unsigned nset = 0;
    bool profile = false;

    (void)info;
    if (argc < 1 || strncmp(argv[0], "run=", 4) != 0 ||
        read_description(argv[0] + 4, set, &nset, machine, sizeof(machine), &profile))
        return -1;
    settings_defaults(&guest.cfg);
    int err = settings_load(&guest.cfg, machine, why, sizeof(why));
    if (!err)
        err = settings_apply(&guest.cfg, set, nset, why, sizeof(why));
    if (!err && profile)
        err = profile_new(&guest.profile, guest.symbols, guest.cpus, why, sizeof(why));
    for (unsigned i = 0; i < nset; i++)
        free((char *)set[i]);
    if (err) {
        fprintf(stderr, "emt: %s\n", why);
        return -1;
    }
    qemu_emt_set_hook(on_event);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_guest, NULL);
    return 0;
}
