/* SPDX-License-Identifier: GPL-2.0-only */
/* emt-mark begin|end NAME: bounds a region; on a machine that is not measured it does nothing. */
#include <stdio.h>
#include <string.h>

#include "mark.h"

int main(int argc, char **argv) {
    const uint32_t what = argc == 3 && strcmp(argv[1], "begin") == 0 ? EMT_MARK_BEGIN
                          : argc == 3 && strcmp(argv[1], "end") == 0 ? EMT_MARK_END
                                                                     : 0;

    if (!what || strlen(argv[2]) >= EMT_MARK_BYTES) {
        fprintf(stderr, "usage: emt-mark begin|end NAME      NAME: up to %u characters\n", EMT_MARK_BYTES - 1);
        return 2;
    }
    emt_mark(what, argv[2]);
    return 0;
}
