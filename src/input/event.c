/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How many operands each OS event has. */
#include "input/event.h"

const uint8_t ev_operand_count[EV_COUNT] = {
    [EV_MMAP] = 6,    [EV_MUNMAP] = 2, [EV_MPROTECT] = 3, [EV_MREMAP] = 5, [EV_BRK] = 1,
    [EV_MADVISE] = 3, [EV_STACK] = 2,  [EV_FILE] = 2,     [EV_FORK] = 1,   [EV_THREAD] = 1,
    [EV_EXEC] = 0,    [EV_EXIT] = 0,   [EV_MARK] = 1,
};
