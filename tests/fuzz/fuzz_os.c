/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* libFuzzer target: sequences of OS calls against the model of contents (tests/os/oracle.h). The first byte chooses
   the machine. */
#include <stdlib.h>

#include "os/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint64_t memory_bytes[] = {256 << 20, 24 << 20, 12 << 20, 8 << 20};

    if (!size)
        return 0;
    const struct oracle_setup setup = {
        .arch = data[0] & 1 ? "radix5" : "radix4",
        .basic_only = data[0] & 2,
        .zero_page = data[0] & 4,
        .thp = data[0] & 8     ? CFG_THP_ALWAYS
               : data[0] & 128 ? CFG_THP_MADVISE
                               : CFG_THP_NEVER,
        .memory_bytes = memory_bytes[data[0] >> 4 & 3],
        .nodes = 1 + (data[0] >> 6 & 1),
        .fault_around_pages = data[0] & 64 ? 1 : 16,
        .verify_every = 64,
    };
    if (oracle_run(&setup, data + 1, size - 1, NULL))
        abort();
    return 0;
}
