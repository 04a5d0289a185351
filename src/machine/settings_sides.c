/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The two sides of a virtual machine. A setting without prefix holds for the guest and the host; guest.PATH and
 * host.PATH change one of them. They are kept as text, ordered by path, and applied to a copy of the description
 * when the machine is made: so any setting that has sides can have one, and the table of settings has each once.
 */
#include <stdio.h>
#include <string.h>

#include "machine/settings.h"
#include "machine/settings_private.h"

const char *const setting_side_name[CFG_SIDES] = {[CFG_GUEST] = "guest", [CFG_HOST] = "host"};

/* What each side has: its architecture and MMU caches, its memory, its OS. All else is one machine's. */
static const char *const sided[] = {"mmu.name", "mmu.basic_only", "mmu_caches", "memory", "os"};

enum cfg_side setting_side_of(const char *path, const char **rest) {
    for (enum cfg_side side = 0; side < CFG_SIDES; side++) {
        size_t n = strlen(setting_side_name[side]);

        if (strncmp(path, setting_side_name[side], n) == 0 && (path[n] == '.' || !path[n])) {
            *rest = path + n + (path[n] == '.');
            return side;
        }
    }
    return CFG_SIDES;
}

static bool has_sides(const char *path) {
    for (unsigned i = 0; i < sizeof sided / sizeof *sided; i++) {
        size_t n = strlen(sided[i]);

        if (strncmp(path, sided[i], n) == 0 && (path[n] == '.' || !path[n]))
            return true;
    }
    return false;
}

/* All lines of a side, on a description that has them without prefix. */
static int apply(struct emt_config *cfg, const char *lines, char *why, size_t bytes) {
    char line[CFG_SIDE_TEXT];

    while (*lines) {
        size_t n = strcspn(lines, "\n"), equals = strcspn(lines, "=");

        memcpy(line, lines, n);
        line[n] = '\0';
        line[equals] = '\0';
        int err = setting_assign(cfg, line, line + equals + 1, why, bytes);
        if (err)
            return err;
        lines += n + (lines[n] == '\n');
    }
    return 0;
}

int settings_side(const struct emt_config *cfg, enum cfg_side side, struct emt_config *out, char *why,
                  size_t why_bytes) {
    char text[512];

    *out = *cfg;
    int err = apply(out, cfg->side[side], text, sizeof text);
    if (err)
        snprintf(why, why_bytes, "%s: %s", setting_side_name[side], text);
    return err;
}

/* Put "path=value" where it belongs, in place of an earlier value. -ENOSPC. */
static int keep(char *lines, const char *path, const char *value) {
    char all[CFG_SIDE_TEXT] = "";
    size_t used = 0, n = strlen(path);
    bool done = false;

    for (const char *at = lines; *at || !done;) {
        size_t line = strcspn(at, "\n"), key = strcspn(at, "=");
        int order = *at ? memcmp(path, at, n < key ? n : key) : -1;

        order = order ? order : n < key ? -1 : n > key;
        if (!done && order <= 0) {
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s=%s", used ? "\n" : "", path, value);
            done = true;
            if (order == 0)
                at += line + (at[line] == '\n');
        } else {
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%.*s", used ? "\n" : "", (int)line, at);
            at += line + (at[line] == '\n');
        }
        if (used >= sizeof all)
            return -ENOSPC;
    }
    memcpy(lines, all, sizeof all); /* equal descriptions have equal bytes */
    return 0;
}

int setting_side_set(struct emt_config *cfg, enum cfg_side side, const char *rest, const char *value, char *why,
                     size_t bytes) {
    struct emt_config scratch;
    char text[512], shown[SETTING_VALUE];

    if (!*rest) {
        snprintf(why, bytes, "%s is a side of a virtual machine; give one of its settings, such as %s.os.cpi",
                 setting_side_name[side], setting_side_name[side]);
        return -EINVAL;
    }
    int err = settings_side(cfg, side, &scratch, why, bytes);
    if (!err) {
        err = setting_assign(&scratch, rest, value, text, sizeof text);
        if (err)
            snprintf(why, bytes, "%s: %s", setting_side_name[side], text);
    }
    if (err)
        return err;
    if (!has_sides(rest)) {
        snprintf(why, bytes,
                 "%s has no sides: it is the machine's; only mmu.name, mmu.basic_only, mmu_caches, "
                 "memory and os differ between guest and host",
                 setting_quote(rest, strlen(rest), shown));
        return -EINVAL;
    }
    err = keep(cfg->side[side], rest, value);
    if (err)
        snprintf(why, bytes, "%s has more than %d bytes of settings of its own", setting_side_name[side],
                 CFG_SIDE_TEXT);
    return err;
}
