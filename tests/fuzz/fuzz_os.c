/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* libFuzzer target: sequences of OS calls against the model of contents (tests/os/oracle.h). The first byte chooses
   the machine, the second one whether its memory is short and what is done about that. */
#include <stdlib.h>

#include "os/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint64_t memory_bytes[] = {256 << 20, 24 << 20, 12 << 20, 8 << 20};

    static const char *const arch[] = {"radix4", "radix5", "ecpt", "mosaic:4"};

    if (size < 2)
        return 0;
    bool pressure = data[1] & 1;
    const struct oracle_setup setup = {
        .arch = pressure      ? arch[data[1] >> 1 & 3]
                : data[0] & 1 ? "radix5"
                              : "radix4",
        .basic_only = data[0] & 2,
        .zero_page = data[0] & 4,
        .thp = data[0] & 8     ? CFG_THP_ALWAYS
               : data[0] & 128 ? CFG_THP_MADVISE
                               : CFG_THP_NEVER,
        .memory_bytes = pressure ? 8 << 20 : memory_bytes[data[0] >> 4 & 3],
        .reclaim = !pressure     ? CFG_RECLAIM_NONE
                   : data[1] & 8 ? CFG_RECLAIM_GENERATIONS
                                 : CFG_RECLAIM_AUTO,
        .swap_bytes = data[1] & 16 ? 2 << 20 : 128 << 20,
        .device = data[1] & 32 ? CFG_DEVICE_CXL : CFG_DEVICE_HDD,
        .fail_every = data[1] & 64 ? 5 : 0,
        .limit_bytes = data[1] & 128 ? 2 << 20 : 0,
        .nodes = 1 + (data[0] >> 6 & 1),
        .fault_around_pages = data[0] & 64 ? 1 : 16,
        .verify_every = 64,
    };
    if (oracle_run(&setup, data + 2, size - 2, NULL))
        abort();
    return 0;
}
