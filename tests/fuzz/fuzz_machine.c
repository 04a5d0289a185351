/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * libFuzzer target over the reader of machine files. Besides not crashing: a refusal is one line, and what is
 * accepted passes the checks and reads back equal from its own dump.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what) {
    if (ok)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct emt_config cfg, again;
    char why[1024] = "", *text = NULL;
    size_t bytes;
    FILE *f;

    if (settings_load_memory(&cfg, (const char *)data, size, "fuzz.yaml", why, sizeof why)) {
        must(*why && !strchr(why, '\n'), "a refusal without its line");
        return 0;
    }
    must(!settings_check(&cfg, why, sizeof why), "loaded, but does not pass the checks");
    f = open_memstream(&text, &bytes);
    settings_dump(&cfg, f);
    fclose(f);
    must(!settings_load_memory(&again, text, bytes, "dump.yaml", why, sizeof why), why);
    must(!memcmp(&cfg, &again, sizeof cfg), "the dump reads back different");
    free(text);
    return 0;
}
