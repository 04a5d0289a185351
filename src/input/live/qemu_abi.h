/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What we use of the binary interface between QEMU and a TCG plugin. Debian's qemu-user ships no header for it;
 * these declarations state its facts for versions 1 (QEMU 7.2 and 8) and 2 and up (9 and newer): where the versions
 * differ we use what they share. In user mode a "vcpu" is a guest thread.
 */
#ifndef EMT_INPUT_LIVE_QEMU_ABI_H
#define EMT_INPUT_LIVE_QEMU_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORTED __attribute__((visibility("default")))

/* What QEMU looks up in a plugin. */
extern EXPORTED int qemu_plugin_version;
EXPORTED int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

/* Translated blocks and instructions: handles, valid inside the translation callback. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;

typedef void (*on_translation_fn)(uint64_t id, struct qemu_plugin_tb *);
typedef void (*on_block_fn)(unsigned vcpu, void *udata);
/* `info` describes the access: see the functions below. */
typedef void (*on_access_fn)(unsigned vcpu, uint32_t info, uint64_t va, void *udata);
typedef void (*on_vcpu_fn)(uint64_t id, unsigned vcpu);
typedef void (*on_call_fn)(uint64_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                           uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
typedef void (*on_return_fn)(uint64_t id, unsigned vcpu, int64_t number, int64_t result);
typedef void (*on_exit_fn)(uint64_t id, void *udata);

enum { PLUGIN_NO_REGISTERS = 0 };         /* the callback touches no guest register */
enum { PLUGIN_LOADS_AND_STORES = 1 | 2 }; /* which accesses call back */

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, on_translation_fn);
void qemu_plugin_register_vcpu_init_cb(uint64_t id, on_vcpu_fn);
void qemu_plugin_register_vcpu_exit_cb(uint64_t id, on_vcpu_fn);
void qemu_plugin_register_vcpu_syscall_cb(uint64_t id, on_call_fn);
void qemu_plugin_register_vcpu_syscall_ret_cb(uint64_t id, on_return_fn);
void qemu_plugin_register_atexit_cb(uint64_t id, on_exit_fn, void *udata);

void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, on_block_fn, int registers, void *udata);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, on_access_fn, int registers, int which,
                                      void *udata);

#if PLUGIN_ABI < 2 /* gone in 2, which has scoreboards */
/* No callback but an addition in the translated code; not atomic. */
enum { PLUGIN_INLINE_ADD_U64 = 0 };
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int op, void *counter, uint64_t addend);
#endif

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
/* Where the instruction's bytes are in the emulator's own address space; may be NULL. */
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);

unsigned qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);

/*
 * The layout of `info`, which calls for every access would be too slow to ask for. plugin.c checks it against the
 * functions above when it is loaded.
 *
 *      17 16        7 6    4 3   0
 *     +-----+--------+------+-----+
 *     | W R |  ...   | lg2  | ... |    W and R: an atomic read-modify-write
 *     +-----+--------+------+-----+
 */
#define INFO_SIZE_SHIFT  4
#define INFO_SIZE_MASK   7u
#define INFO_READ        0x10000u
#define INFO_WRITE       0x20000u
#define INFO_WRITE_SHIFT 17

#endif
