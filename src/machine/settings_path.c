/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From a path to its place in struct emt_config.
 *
 *     core.base_cpi       one field
 *     tlb.l2.ways         a field of an entry of a named map; the entry is found by its name
 *     os.cost.syscall     an element of a fixed array; the names are those of os/costs.h
 */
#include <stdio.h>
#include <string.h>

#include "machine/settings.h"
#include "machine/settings_private.h"
#include "os/costs.h"

#define COSTS "os.cost"

static const struct setting_map maps[] = {
    {"tlb", offsetof(struct emt_config, tlb), sizeof(struct cfg_tlb), offsetof(struct emt_config, ntlb), CFG_TLBS},
    {"mmu_caches", offsetof(struct emt_config, mmu_cache), sizeof(struct cfg_mmu_cache),
     offsetof(struct emt_config, nmmu_cache), CFG_MMU_CACHES},
};
_Static_assert(OS_COSTS <= CFG_COSTS, "struct emt_config has room for each cost");
_Static_assert(offsetof(struct cfg_tlb, name) == 0 && offsetof(struct cfg_mmu_cache, name) == 0,
               "an entry of a map begins with its name");

const char *setting_path_rest(const char *pattern, const char *path) {
    while (*path) {
        size_t n = strcspn(path, "."), m = strcspn(pattern, ".");
        bool any = m == 1 && *pattern == '*' && n > 0;

        if (!any && (n != m || memcmp(path, pattern, n)))
            return NULL;
        path += n;
        pattern += m;
        if (!*path)
            break;
        if (!*pattern || !path[1])
            return NULL;
        path++;
        pattern++;
    }
    return pattern;
}

const struct setting *setting_find(const char *path) {
    for (unsigned i = 0; i < setting_count; i++) {
        const char *rest = setting_path_rest(setting_table[i].path, path);
        if (rest && !*rest)
            return &setting_table[i];
    }
    return NULL;
}

bool setting_is_group(const char *path) {
    if (setting_find(path)) /* mmu_caches.hit_cycles stands beside the entries of mmu_caches.* */
        return false;
    for (unsigned i = 0; i < setting_count; i++) {
        const char *rest = setting_path_rest(setting_table[i].path, path);
        if (rest && *rest == '.')
            return true;
    }
    return false;
}

/* ---- named maps ------------------------------------------------------------------------------------------ */

const struct setting_map *setting_map_of(const char *path) {
    for (unsigned i = 0; i < sizeof maps / sizeof *maps; i++) {
        size_t n = strlen(maps[i].path);
        if (!strncmp(path, maps[i].path, n) && (path[n] == '.' || !path[n]))
            return &maps[i];
    }
    return NULL;
}

bool setting_map_name(const char *path, char name[CFG_NAME]) {
    const struct setting_map *map = setting_map_of(path);
    size_t n;

    if (!map || !path[strlen(map->path)])
        return false;
    path += strlen(map->path) + 1;
    n = strcspn(path, ".");
    if (n == 0 || n >= CFG_NAME)
        return false;
    memcpy(name, path, n);
    name[n] = '\0';
    return true;
}

static uint32_t *count_of(struct emt_config *cfg, const struct setting_map *map) {
    return (uint32_t *)((char *)cfg + map->count_offset);
}

uint32_t setting_map_count(const struct emt_config *cfg, const struct setting_map *map) {
    return *(const uint32_t *)((const char *)cfg + map->count_offset);
}

const char *setting_map_entry_name(const struct emt_config *cfg, const struct setting_map *map, uint32_t i) {
    return (const char *)cfg + map->offset + i * map->stride;
}

void *setting_map_entry(struct emt_config *cfg, const struct setting_map *map, const char *name) {
    for (uint32_t i = 0; i < setting_map_count(cfg, map); i++) {
        char *entry = (char *)cfg + map->offset + i * map->stride;
        if (!strcmp(entry, name))
            return entry;
    }
    return NULL;
}

static void set_default(const struct setting *s, void *field) {
    char why[256];

    if (*s->fallback)
        setting_parse(s, s->path, s->fallback, field, why, sizeof why);
}

int setting_map_add(struct emt_config *cfg, const struct setting_map *map, const char *name) {
    uint32_t *count = count_of(cfg, map);
    char *entry = (char *)cfg + map->offset + *count * map->stride;

    if (*count == map->capacity)
        return -ENOSPC;
    memset(entry, 0, map->stride);
    memcpy(entry, name, strlen(name));
    for (unsigned i = 0; i < setting_count; i++) {
        const char *rest = setting_path_rest(setting_table[i].path, map->path);
        if (rest && rest[0] == '.' && rest[1] == '*')
            set_default(&setting_table[i], entry + setting_table[i].offset);
    }
    ++*count;
    return 0;
}

/* Forget the assumed values of what is removed. */
static void forget_below(char *assumed, const char *map, const char *name) {
    char prefix[SETTING_PATH], line[SETTING_PATH];
    size_t n = (size_t)snprintf(prefix, sizeof prefix, "%s.%s.", map, name);

    for (char *at = assumed; *at;) {
        size_t length = strcspn(at, "\n");
        if (length >= sizeof line || strncmp(at, prefix, n)) {
            at += length + (at[length] == '\n');
            continue;
        }
        memcpy(line, at, length);
        line[length] = '\0';
        setting_lines_remove(assumed, line);
    }
}

int setting_map_remove(struct emt_config *cfg, const struct setting_map *map, const char *name) {
    uint32_t *count = count_of(cfg, map);
    char *first = (char *)cfg + map->offset, *entry;
    size_t behind;

    if (!name) {
        while (*count)
            setting_map_remove(cfg, map, setting_map_entry_name(cfg, map, *count - 1));
        return 0;
    }
    entry = setting_map_entry(cfg, map, name);
    if (!entry)
        return -ENOENT;
    forget_below(cfg->assumed, map->path, name);
    behind = (size_t)(first + *count * map->stride - (entry + map->stride));
    memmove(entry, entry + map->stride, behind);
    memset(entry + behind, 0, map->stride); /* equal descriptions have equal bytes */
    --*count;
    return 0;
}

/* ---- fields ---------------------------------------------------------------------------------------------- */

static uint32_t *cost_field(struct emt_config *cfg, const char *name) {
    for (unsigned i = 0; i < os_cost_count; i++)
        if (!strcmp(os_cost_table[i].name, name))
            return &cfg->os.cost[i];
    return NULL;
}

void *setting_field(struct emt_config *cfg, const char *path, const struct setting **row) {
    const struct setting *s = setting_find(path);
    const struct setting_map *map = setting_map_of(path);
    char name[CFG_NAME], *entry;

    if (!s)
        return NULL;
    if (row)
        *row = s;
    if (!strncmp(path, COSTS ".", sizeof COSTS))
        return cost_field(cfg, path + sizeof COSTS);
    if (!map || !strchr(s->path, '*'))
        return (char *)cfg + s->offset;
    if (!setting_map_name(path, name))
        return NULL;
    entry = setting_map_entry(cfg, map, name);
    return entry ? entry + s->offset : NULL;
}

void settings_defaults(struct emt_config *cfg) {
    memset(cfg, 0, sizeof *cfg);
    memcpy(cfg->name, "none", 5);
    for (unsigned i = 0; i < setting_count; i++) {
        const struct setting *s = &setting_table[i];
        if (strchr(s->path, '*'))
            continue;
        set_default(s, (char *)cfg + s->offset);
        if (!strncmp(s->source, "assumed", 7))
            setting_lines_add(cfg->assumed, sizeof cfg->assumed, s->path);
    }
    for (unsigned i = 0; i < os_cost_count; i++)
        cfg->os.cost[i] = os_cost_table[i].instructions;
}

/* ---- "did you mean" -------------------------------------------------------------------------------------- */

static void add_name(struct setting_names *names, const char *name, size_t length) {
    char *at = names->store[names->n];

    if (names->n == SETTING_CHILDREN || length >= CFG_NAME)
        return;
    memcpy(at, name, length);
    at[length] = '\0';
    for (unsigned i = 0; i < names->n; i++)
        if (!strcmp(names->name[i], at))
            return;
    names->name[names->n++] = at;
}

void setting_children(const struct emt_config *cfg, const char *group, struct setting_names *names) {
    const struct setting_map *map = setting_map_of(group);

    names->n = 0;
    for (unsigned i = 0; i < setting_count; i++) {
        const char *rest = setting_path_rest(setting_table[i].path, group);
        if (!rest || (*group && *rest != '.'))
            continue;
        rest += *group ? 1 : 0;
        if (*rest != '*')
            add_name(names, rest, strcspn(rest, "."));
    }
    for (enum cfg_side side = 0; !*group && side < CFG_SIDES; side++)
        add_name(names, setting_side_name[side], strlen(setting_side_name[side]));
    for (unsigned i = 0; !strcmp(group, COSTS) && i < os_cost_count; i++)
        add_name(names, os_cost_table[i].name, strlen(os_cost_table[i].name));
    for (uint32_t i = 0; map && !strcmp(group, map->path) && i < setting_map_count(cfg, map); i++)
        add_name(names, setting_map_entry_name(cfg, map, i), strlen(setting_map_entry_name(cfg, map, i)));
}

/* Length of the longest part of path, cut at a dot, that is a group this machine has. */
static size_t known_part(const struct emt_config *cfg, const char *path) {
    char part[SETTING_PATH];
    size_t known = 0;

    for (size_t n = strcspn(path, "."); path[n] && n < sizeof part; n += 1 + strcspn(path + n + 1, ".")) {
        char name[CFG_NAME];
        const struct setting_map *map;

        memcpy(part, path, n);
        part[n] = '\0';
        map = setting_map_of(part);
        if (!setting_is_group(part) ||
            (map && setting_map_name(part, name) && !setting_map_entry((struct emt_config *)cfg, map, name)))
            break;
        known = n;
    }
    return known;
}

static void list_names(const struct setting_names *names, char *out, size_t bytes) {
    size_t n = 0;

    *out = '\0';
    for (unsigned i = 0; i < names->n && n < bytes; i++)
        n += (size_t)snprintf(out + n, bytes - n, "%s%s", i ? ", " : "", names->name[i]);
}

/* Only the entries of a map, not the settings beside them. */
static void keep_entries(const struct emt_config *cfg, const struct setting_map *map, struct setting_names *names) {
    unsigned n = 0;

    for (unsigned i = 0; i < names->n; i++)
        if (setting_map_entry((struct emt_config *)cfg, map, names->name[i]))
            names->name[n++] = names->name[i];
    names->n = n;
}

void setting_unknown(const struct emt_config *cfg, const char *path, char *why, size_t bytes) {
    struct setting_names names;
    char group[SETTING_PATH], word[SETTING_PATH], list[320], shown[SETTING_VALUE];
    size_t known = known_part(cfg, path);
    const char *rest = path + known + (known ? 1 : 0), *near, *kind = "setting";
    const struct setting_map *map;
    bool named;
    size_t n;

    snprintf(group, sizeof group, "%.*s", (int)known, path);
    snprintf(word, sizeof word, "%.*s", (int)strcspn(rest, "."), rest);
    setting_children(cfg, group, &names);
    map = setting_map_of(group);
    named = map && !strcmp(map->path, group);
    if (named && (strchr(rest, '.') || map->path[0] == 't')) {
        kind = map->path[0] == 't' ? "TLB" : "MMU cache";
        keep_entries(cfg, map, &names);
    }
    list_names(&names, list, sizeof list);
    near = settings_nearest(word, names.name, names.n);
    setting_quote(path, strlen(path), shown);
    n = (size_t)snprintf(why, bytes, "unknown %s %s", kind, shown);
    if (near && n < bytes)
        n += (size_t)snprintf(why + n, bytes - n, "; did you mean %s%s%s%.60s?", group, *group ? "." : "", near,
                              rest + strcspn(rest, "."));
    /* Names that the machine chose are worth a list even so. */
    if (n < bytes && (!near || named))
        snprintf(why + n, bytes - n, "%s %s there are: %s", near ? " In" : "; in", *group ? group : "a machine",
                 names.n ? list : "none");
}

/* ---- lists of lines -------------------------------------------------------------------------------------- */

int setting_lines_add(char *list, size_t bytes, const char *line) {
    size_t n = strlen(list);

    if (n + (n > 0) + strlen(line) + 1 > bytes)
        return -ENOSPC;
    snprintf(list + n, bytes - n, "%s%s", n ? "\n" : "", line);
    return 0;
}

void setting_lines_remove(char *list, const char *line) {
    size_t n = strlen(line), total = strlen(list);

    for (char *at = list; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        char *from = at, *to = at + n;
        if (strncmp(at, line, n) || (*to && *to != '\n'))
            continue;
        if (*to)
            to++;
        else if (from > list)
            from--;
        memmove(from, to, (size_t)(list + total - to) + 1);
        memset(list + total - (to - from), 0, (size_t)(to - from));
        return;
    }
}
