/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The peer for our speed: a TCG plugin that does nothing but count loads and stores, in a callback for each, and
 * prints the counts at the end. With QEMU 7.2 (version 1 of the plugin interface).
 */
#include <stdio.h>

#include "input/live/qemu_abi.h"

EXPORTED int qemu_plugin_version = 1;

static uint64_t loads, stores;

static void count(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    (void)vcpu;
    (void)va;
    (void)udata;
    if (info & INFO_WRITE)
        stores++;
    else
        loads++;
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), count, PLUGIN_NO_REGISTERS,
                                         PLUGIN_LOADS_AND_STORES, NULL);
}

static void on_exit_of_program(uint64_t id, void *udata) {
    (void)id;
    (void)udata;
    fprintf(stderr, "loads %llu stores %llu\n", (unsigned long long)loads, (unsigned long long)stores);
}

EXPORTED int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_program, NULL);
    return 0;
}
