/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The reader of machine files. libyaml makes a document of nodes that know their line and column; this walks it
 * with the table of settings in hand. Each value's place is kept, so that what the checks find later has one too.
 *
 * Besides settings a file has: name, about, base (a machine to start from), sources and assumed.
 *
 * Aliases (*x) are nodes with several parents. Depth and visits are limited, so that files which expand to billions
 * of nodes, or contain themselves, end in a message.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "machine/settings.h"
#include "machine/settings_private.h"

#define MAX_VISITS 20000
#define MAX_DEPTH  16
#define MAX_BASES  8

struct origin {
    char path[SETTING_PATH];
    char *file; /* of loader.file[] */
    size_t line, column;
};

struct loader {
    struct emt_config *cfg;
    char *why;
    size_t why_bytes;
    struct origin *origin;
    unsigned norigin, room;
    char *file[MAX_BASES]; /* the file asked for, its base, the base's base, ... */
    dev_t device[MAX_BASES];
    ino_t inode[MAX_BASES];
    unsigned nfile;
};

/* One file that is being read. */
struct reader {
    struct loader *ld;
    char *file;
    yaml_document_t doc;
    unsigned visits;
};

static const char *const file_keys[] = {"name", "about", "base", "sources", "assumed"};
#define FILE_KEYS (sizeof file_keys / sizeof *file_keys)

/* ---- messages and places --------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static int fail_at(struct reader *r, size_t line, size_t column,
                                                         const char *format, ...) {
    va_list args;
    size_t n = (size_t)snprintf(r->ld->why, r->ld->why_bytes, "%s:%zu:%zu: ", r->file, line, column);

    va_start(args, format);
    if (n < r->ld->why_bytes)
        vsnprintf(r->ld->why + n, r->ld->why_bytes - n, format, args);
    va_end(args);
    return -EINVAL;
}

#define FAIL(r, node, ...) fail_at(r, (node)->start_mark.line + 1, (node)->start_mark.column + 1, __VA_ARGS__)

static int remember(struct reader *r, const char *path, const yaml_node_t *node) {
    struct loader *ld = r->ld;
    struct origin *o;

    if (ld->norigin == ld->room) {
        unsigned room = ld->room ? 2 * ld->room : 64;
        o = realloc(ld->origin, room * sizeof *o);
        if (!o) {
            snprintf(ld->why, ld->why_bytes, "%s: out of memory", r->file);
            return -ENOMEM;
        }
        ld->origin = o;
        ld->room = room;
    }
    o = &ld->origin[ld->norigin++];
    snprintf(o->path, sizeof o->path, "%s", path);
    o->file = r->file;
    o->line = node->start_mark.line + 1;
    o->column = node->start_mark.column + 1;
    return 0;
}

/* Latest place of the path, or of the nearest group above it that a file names. */
static const struct origin *origin_of(const struct loader *ld, const char *path) {
    char part[SETTING_PATH];

    snprintf(part, sizeof part, "%s", path);
    for (;;) {
        char *dot;
        for (unsigned i = ld->norigin; i-- > 0;)
            if (!strcmp(ld->origin[i].path, part))
                return &ld->origin[i];
        dot = strrchr(part, '.');
        if (dot)
            *dot = '\0';
        else if (*part)
            *part = '\0';
        else
            return NULL;
    }
}

/* ---- nodes ----------------------------------------------------------------------------------------------- */

static const char *kind_of(const yaml_node_t *node) {
    return node->type == YAML_SEQUENCE_NODE ? "a list" : node->type == YAML_MAPPING_NODE ? "a mapping" : "a value";
}

/* Every node passes here, once for each way that leads to it. */
static int visit(struct reader *r, int id, yaml_node_t **node) {
    static const char *const tags[] = {YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
    bool plain = false;

    *node = yaml_document_get_node(&r->doc, id);
    if (++r->visits > MAX_VISITS)
        return FAIL(r, *node, "the file has more than %d values, aliases included", MAX_VISITS);
    for (unsigned i = 0; i < 3; i++)
        plain |= !strcmp((const char *)(*node)->tag, tags[i]);
    if (!plain)
        return FAIL(r, *node, "machine files have no tags (such as !x); remove it");
    if ((*node)->type == YAML_SCALAR_NODE &&
        strlen((const char *)(*node)->data.scalar.value) != (*node)->data.scalar.length)
        return FAIL(r, *node, "the value contains a NUL character");
    return 0;
}

static const char *text_of(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

static bool is_none(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE && !strcmp(text_of(node), "none");
}

/* Free text is one line: reports and dumps show it as such. */
static bool one_line(const char *s) {
    for (const unsigned char *c = (const unsigned char *)s; *c; c++)
        if (*c < 0x20 || *c == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0) ||
            (c[0] == 0xe2 && c[1] == 0x80 && (c[2] & 0xfe) == 0xa8))
            return false;
    return true;
}

static int read_text(struct reader *r, const char *key, const yaml_node_t *node, char *out, size_t bytes) {
    size_t n;

    if (node->type != YAML_SCALAR_NODE)
        return FAIL(r, node, "%s is %s; expected a text", key, kind_of(node));
    n = strlen(text_of(node));
    if (n >= bytes || !one_line(text_of(node)))
        return FAIL(r, node, "%s must be one line of at most %zu bytes", key, bytes - 1);
    memset(out, 0, bytes);
    memcpy(out, text_of(node), n);
    return 0;
}

static int read_lines(struct reader *r, const char *key, const yaml_node_t *node, char *list, size_t bytes,
                      int (*accept)(struct reader *, const yaml_node_t *)) {
    char line[512];

    if (node->type != YAML_SEQUENCE_NODE)
        return FAIL(r, node, "%s is %s; expected a list", key, kind_of(node));
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        yaml_node_t *item;
        int err = visit(r, *i, &item);
        if (!err)
            err = read_text(r, key, item, line, sizeof line);
        if (!err && accept)
            err = accept(r, item);
        if (err)
            return err;
        setting_lines_remove(list, line); /* once is enough */
        if (*line && setting_lines_add(list, bytes, line))
            return FAIL(r, item, "%s has more than %zu bytes of text", key, bytes - 1);
    }
    return 0;
}

static int accept_assumed(struct reader *r, const yaml_node_t *node) {
    char why[512];

    if (setting_field(r->ld->cfg, text_of(node), NULL))
        return 0;
    setting_unknown(r->ld->cfg, text_of(node), why, sizeof why);
    return FAIL(r, node, "assumed: %s", why);
}

/* ---- settings -------------------------------------------------------------------------------------------- */

/* [4K, 2M] becomes 4K,2M; each item is checked by itself, for its own place. */
static int read_list_value(struct reader *r, const struct setting *s, const char *path, const yaml_node_t *node,
                           void *field) {
    char expected[160], why[512];
    uint32_t all = 0;

    setting_expected(s, expected, sizeof expected);
    if (s->type != SETTING_SET || node->data.sequence.items.start == node->data.sequence.items.top)
        return FAIL(r, node, "%s is %s; expected %s", path, s->type == SETTING_SET ? "an empty list" : "a list",
                    expected);
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        yaml_node_t *item;
        uint32_t one = 0;
        int err = visit(r, *i, &item);
        if (err)
            return err;
        if (item->type != YAML_SCALAR_NODE)
            return FAIL(r, item, "%s has %s in its list; expected %s", path, kind_of(item), expected);
        if (setting_parse(s, path, text_of(item), &one, why, sizeof why))
            return FAIL(r, item, "%s", why);
        all |= one;
    }
    memcpy(field, &all, sizeof all);
    return 0;
}

static int read_value(struct reader *r, const char *path, const yaml_node_t *key, const yaml_node_t *node) {
    char expected[160], why[512];
    const struct setting *s;
    void *field = setting_field(r->ld->cfg, path, &s);

    if (!field) { /* os.cost.NAME */
        setting_unknown(r->ld->cfg, path, why, sizeof why);
        return FAIL(r, key, "%s", why);
    }
    setting_lines_remove(r->ld->cfg->assumed, path);
    if (node->type == YAML_SEQUENCE_NODE) {
        int err = read_list_value(r, s, path, node, field);
        return err ? err : remember(r, path, node);
    }
    if (node->type != YAML_SCALAR_NODE) {
        setting_expected(s, expected, sizeof expected);
        return FAIL(r, node, "%s is %s; expected %s", path, kind_of(node), expected);
    }
    if (setting_parse(s, path, text_of(node), field, why, sizeof why))
        return FAIL(r, node, "%s", why);
    return remember(r, path, node);
}

static bool good_name(const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t n = strlen(name);

    return n && n < CFG_NAME && !name[strspn(name, letters)] && name[0] != '-' && name[0] != '_';
}

/* The entry of a map that path names comes into being, or goes. 1: gone, nothing below to read. */
static int read_entry(struct reader *r, const char *path, const yaml_node_t *key, const yaml_node_t *node) {
    const struct setting_map *map = setting_map_of(path);
    struct emt_config *cfg = r->ld->cfg;
    char name[CFG_NAME];

    if (!map)
        return 0;
    if (!strcmp(map->path, path)) {
        if (is_none(node))
            setting_map_remove(cfg, map, NULL);
        return is_none(node);
    }
    if (!good_name(text_of(key)))
        return FAIL(r, key,
                    "a name in %s has at most %d letters, digits, - and _, and begins with a letter or digit",
                    map->path, CFG_NAME - 1);
    if (!setting_map_name(path, name))
        return 0;
    if (is_none(node)) {
        setting_map_remove(cfg, map, name);
        return 1;
    }
    if (!setting_map_entry(cfg, map, name) && setting_map_add(cfg, map, name))
        return FAIL(r, key, "%s is one too many; there is room for %u in %s", path, map->capacity, map->path);
    return 0;
}

static int read_group(struct reader *r, const char *path, const yaml_node_t *group);

/* file_keys of the root, which read_file() takes in their own order */
static bool is_file_key(const char *group, const char *key) {
    for (unsigned i = 0; !*group && i < FILE_KEYS; i++)
        if (!strcmp(key, file_keys[i]))
            return true;
    return false;
}

static int unknown_key(struct reader *r, const char *group, const char *path, const yaml_node_t *key) {
    struct setting_names names;
    const char *near = *group ? NULL : settings_nearest(text_of(key), file_keys, FILE_KEYS);
    char why[640], shown[SETTING_VALUE];

    setting_children(r->ld->cfg, group, &names);
    if (near && !settings_nearest(text_of(key), names.name, names.n))
        return FAIL(r, key, "unknown setting %s; did you mean %s?", setting_quote(path, strlen(path), shown), near);
    setting_unknown(r->ld->cfg, path, why, sizeof why);
    return FAIL(r, key, "%s", why);
}

/* guest: and host: hold settings as the root does; what they say is text (settings_sides.c). */
static int read_side(struct reader *r, enum cfg_side side, const char *path, const yaml_node_t *key,
                     const yaml_node_t *node) {
    char below[SETTING_PATH], why[640];
    const char *rest;
    int err = 0;

    if (node->type == YAML_SEQUENCE_NODE)
        return FAIL(r, node, "%s is a list; no setting of a side is", path);
    if (node->type == YAML_SCALAR_NODE) {
        setting_side_of(path, &rest);
        if (setting_side_set(r->ld->cfg, side, rest, text_of(node), why, sizeof why))
            return FAIL(r, key, "%s", why);
        return remember(r, path, node);
    }
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; !err && p < node->data.mapping.pairs.top; p++) {
        yaml_node_t *k, *value;
        err = visit(r, p->key, &k);
        if (!err)
            err = visit(r, p->value, &value);
        if (err)
            return err;
        if (k->type != YAML_SCALAR_NODE || strchr(text_of(k), '.') ||
            (size_t)snprintf(below, sizeof below, "%s.%s", path, text_of(k)) >= sizeof below)
            return FAIL(r, k, "%s: this is no key; a key is one name, without dots", path);
        err = read_side(r, side, below, k, value);
    }
    return err;
}

static int read_pair(struct reader *r, const char *group, const yaml_node_t *key, const yaml_node_t *node) {
    char path[SETTING_PATH], shown[SETTING_VALUE];
    const char *rest;
    int err;

    if ((size_t)snprintf(path, sizeof path, "%s%s%s", group, *group ? "." : "", text_of(key)) >= sizeof path ||
        strchr(text_of(key), '.') || !*text_of(key))
        return FAIL(r, key, "%s%s\"%s\" is no key; a key is one name, without dots", group, *group ? ": " : "",
                    setting_quote(text_of(key), strlen(text_of(key)), shown));
    if (is_file_key(group, text_of(key)))
        return 0;
    if (!*group && setting_side_of(path, &rest) < CFG_SIDES)
        return read_side(r, setting_side_of(path, &rest), path, key, node);
    if (!setting_is_group(path)) {
        /* Only below a map may `*` stand for any name. */
        if (!setting_find(path))
            return unknown_key(r, group, path, key);
        return read_value(r, path, key, node);
    }
    err = read_entry(r, path, key, node);
    if (err)
        return err < 0 ? err : remember(r, path, node);
    if (node->type != YAML_MAPPING_NODE)
        return FAIL(r, node, "%s is %s; expected a group of settings%s", path, kind_of(node),
                    setting_map_of(path) ? ", or none to remove it" : "");
    err = remember(r, path, key);
    return err ? err : read_group(r, path, node);
}

/* Paths have at most three segments, so this recurses no deeper. */
static int read_group(struct reader *r, const char *path, const yaml_node_t *group) {
    const yaml_node_pair_t *first = group->data.mapping.pairs.start, *end = group->data.mapping.pairs.top;
    char shown[SETTING_VALUE];

    for (const yaml_node_pair_t *p = first; p < end; p++) {
        yaml_node_t *key, *node;
        int err = visit(r, p->key, &key);
        if (!err)
            err = visit(r, p->value, &node);
        if (err)
            return err;
        if (key->type != YAML_SCALAR_NODE)
            return FAIL(r, key, "%s is no key; a key is one name", kind_of(key));
        /* Earlier keys were right, and right keys are few, so this ends soon. */
        for (const yaml_node_pair_t *q = first; q < p; q++) {
            const yaml_node_t *other = yaml_document_get_node(&r->doc, q->key);
            if (!strcmp(text_of(other), text_of(key)))
                return FAIL(r, key, "%s%s%s is there twice; the first is at line %zu", path, *path ? "." : "",
                            setting_quote(text_of(key), strlen(text_of(key)), shown), other->start_mark.line + 1);
        }
        err = read_pair(r, path, key, node);
        if (err)
            return err;
    }
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------------------- */

static int load_file(struct loader *ld, const char *machine);

static yaml_node_t *root_value(struct reader *r, const yaml_node_t *root, const char *key) {
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key);
        if (k->type == YAML_SCALAR_NODE && !strcmp(text_of(k), key))
            return yaml_document_get_node(&r->doc, p->value);
    }
    return NULL;
}

/* A path is relative to the file that names it; a name is looked up. */
static int read_base(struct reader *r, const yaml_node_t *node) {
    char base[512], path[1024], why[768];
    const char *slash = strrchr(r->file, '/');
    char *found;
    unsigned opened;
    int err = read_text(r, "base", node, base, sizeof base);

    if (err)
        return err;
    if (r->ld->nfile == MAX_BASES)
        return FAIL(r, node, "base: more than %d machines, one based on the other", MAX_BASES);
    if (strchr(base, '/') && *base != '/' && slash)
        snprintf(path, sizeof path, "%.*s/%s", (int)(slash - r->file), r->file, base);
    else
        snprintf(path, sizeof path, "%s", base);
    err = setting_machine_path(path, &found, why, sizeof why);
    if (err) {
        FAIL(r, node, "base: %s", why);
        return err;
    }
    opened = r->ld->nfile;
    err = load_file(r->ld, found);
    if (err == -ELOOP) {
        err = FAIL(r, node, "base: %s is based on itself", base);
    } else if (err && r->ld->nfile == opened) { /* it could not be read: what it contains has its own place */
        snprintf(why, sizeof why, "%s", r->ld->why);
        FAIL(r, node, "base: %s", why);
    }
    free(found);
    return err;
}

static int read_file_keys(struct reader *r, const yaml_node_t *root) {
    struct emt_config *cfg = r->ld->cfg;
    yaml_node_t *node = root_value(r, root, "name");
    int err = 0;

    if (node)
        err = read_text(r, "name", node, cfg->name, sizeof cfg->name);
    node = root_value(r, root, "about");
    if (!err && node)
        err = read_text(r, "about", node, cfg->about, sizeof cfg->about);
    node = root_value(r, root, "sources");
    if (!err && node)
        err = read_lines(r, "sources", node, cfg->sources, sizeof cfg->sources, NULL);
    node = root_value(r, root, "assumed");
    if (!err && node)
        err = read_lines(r, "assumed", node, cfg->assumed, sizeof cfg->assumed, accept_assumed);
    return err;
}

/* NAME of folder/NAME.yaml */
static void name_after_file(struct emt_config *cfg, const char *file) {
    const char *slash = strrchr(file, '/'), *stem = slash ? slash + 1 : file;
    const char *dot = strrchr(stem, '.');
    size_t n = dot && dot > stem ? (size_t)(dot - stem) : strlen(stem);

    memset(cfg->name, 0, sizeof cfg->name);
    memcpy(cfg->name, stem, n < sizeof cfg->name ? n : sizeof cfg->name - 1);
    for (char *c = cfg->name; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
}

static int read_root(struct reader *r) {
    yaml_node_t *root = yaml_document_get_root_node(&r->doc), *base;
    int err;

    if (!root)
        return fail_at(r, 1, 1, "the file is empty; a machine file is a mapping of settings");
    if (root->type != YAML_MAPPING_NODE)
        return FAIL(r, root, "the file is %s; a machine file is a mapping of settings", kind_of(root));
    base = root_value(r, root, "base");
    if (base && (err = read_base(r, base)))
        return err;
    name_after_file(r->ld->cfg, r->file);
    err = remember(r, "", root);
    if (!err)
        err = read_group(r, "", root);
    return err ? err : read_file_keys(r, root);
}

static int yaml_failed(struct reader *r, const yaml_parser_t *parser, const char *text) {
    size_t line = parser->problem_mark.line + 1, column = parser->problem_mark.column + 1;

    if (parser->error == YAML_MEMORY_ERROR) {
        snprintf(r->ld->why, r->ld->why_bytes, "%s: out of memory", r->file);
        return -ENOMEM;
    }
    if (parser->error == YAML_READER_ERROR) { /* bytes that are no text: has an offset instead of a mark */
        line = column = 1;
        for (size_t i = 0; i < parser->problem_offset; i++) {
            column = text[i] == '\n' ? 1 : column + 1;
            line += text[i] == '\n';
        }
    }
    return fail_at(r, line, column, "not YAML: %s", parser->problem ? parser->problem : "unreadable");
}

/*
 * Before a document is made of it: libyaml needs quadratic time for deep nesting (more than ten minutes for half a
 * megabyte of brackets), so nesting and the number of values end here, while it reads event by event.
 */
static int look_through(struct reader *r, const char *text, size_t bytes) {
    yaml_parser_t parser;
    yaml_event_t event;
    bool end = false;
    unsigned depth = 0, values = 0;
    int err = 0;

    if (!yaml_parser_initialize(&parser)) {
        snprintf(r->ld->why, r->ld->why_bytes, "%s: out of memory", r->file);
        return -ENOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    while (!err && !end) {
        if (!yaml_parser_parse(&parser, &event)) {
            err = yaml_failed(r, &parser, text);
            break;
        }
        values++;
        depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
        depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        end = event.type == YAML_STREAM_END_EVENT;
        if (depth > MAX_DEPTH)
            err = FAIL(r, &event, "nested more than %d deep", MAX_DEPTH);
        else if (values > MAX_VISITS)
            err = FAIL(r, &event, "the file has more than %d values, aliases included", MAX_VISITS);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return err;
}

static int read_text_of_file(struct loader *ld, char *file, const char *text, size_t bytes) {
    struct reader r = {.ld = ld, .file = file};
    yaml_parser_t parser;
    yaml_document_t more;
    const yaml_node_t *second;
    int err = look_through(&r, text, bytes);

    if (err)
        return err;
    if (!yaml_parser_initialize(&parser)) {
        snprintf(ld->why, ld->why_bytes, "%s: out of memory", file);
        return -ENOMEM;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
    if (!yaml_parser_load(&parser, &r.doc)) {
        err = yaml_failed(&r, &parser, text);
        yaml_parser_delete(&parser);
        return err;
    }
    err = read_root(&r);
    if (!err && yaml_document_get_root_node(&r.doc)) {
        if (!yaml_parser_load(&parser, &more)) {
            err = yaml_failed(&r, &parser, text);
        } else {
            second = yaml_document_get_root_node(&more);
            if (second)
                err = FAIL(&r, second, "a second document; a machine file is one");
            yaml_document_delete(&more);
        }
    }
    yaml_document_delete(&r.doc);
    yaml_parser_delete(&parser);
    return err;
}

/* Takes part in the chain of bases from here on. */
static char *enter_file(struct loader *ld, const char *path) {
    char *file = strdup(path);
    struct stat st = {0};

    if (!file) {
        snprintf(ld->why, ld->why_bytes, "out of memory");
        return NULL;
    }
    if (stat(path, &st))
        st.st_ino = 0;
    ld->device[ld->nfile] = st.st_dev;
    ld->inode[ld->nfile] = st.st_ino;
    ld->file[ld->nfile++] = file;
    return file;
}

static bool is_open(const struct loader *ld, const char *path) {
    struct stat st;

    if (stat(path, &st))
        return false;
    for (unsigned i = 0; i < ld->nfile; i++)
        if (ld->device[i] == st.st_dev && ld->inode[i] == st.st_ino)
            return true;
    return false;
}

/* -ELOOP, without a message, when this file is already being read. */
static int load_file(struct loader *ld, const char *path) {
    char *text, *file;
    size_t bytes;
    int err;

    if (is_open(ld, path))
        return -ELOOP;
    err = setting_read_file(path, &text, &bytes, ld->why, ld->why_bytes);
    if (err)
        return err;
    file = enter_file(ld, path);
    err = file ? read_text_of_file(ld, file, text, bytes) : -ENOMEM;
    free(text);
    return err;
}

static unsigned depth_of(const struct loader *ld, const struct origin *o) {
    unsigned i = 0;

    while (i < ld->nfile && ld->file[i] != o->file)
        i++;
    return i;
}

/* Where to look: the file asked for comes before its bases, and there the most guilty value. */
static const struct origin *blamed(const struct loader *ld, const struct setting_problem *p) {
    const struct origin *best = NULL;

    for (unsigned i = 0; i < 3; i++) {
        const struct origin *o = *p->path[i] ? origin_of(ld, p->path[i]) : NULL;
        if (o && (!best || (depth_of(ld, o) < depth_of(ld, best) && !strcmp(o->path, p->path[i]))))
            best = o;
    }
    return best;
}

/* The checks that need more than one value, with the place of the one that is to blame. */
static int check_loaded(struct loader *ld) {
    struct setting_problem p;
    const struct origin *o;
    int err = setting_check(ld->cfg, &p);

    if (!err)
        return 0;
    o = blamed(ld, &p);
    snprintf(ld->why, ld->why_bytes, "%s:%zu:%zu: %s", o ? o->file : ld->file[0], o ? o->line : 1,
             o ? o->column : 1, p.text);
    return err;
}

static void loader_fini(struct loader *ld) {
    for (unsigned i = 0; i < ld->nfile; i++)
        free(ld->file[i]);
    free(ld->origin);
}

int settings_load(struct emt_config *cfg, const char *machine, char *why, size_t why_bytes) {
    struct loader ld = {.cfg = cfg, .why = why, .why_bytes = why_bytes};
    char *path;
    int err = setting_machine_path(machine, &path, why, why_bytes);

    if (err)
        return err;
    settings_defaults(cfg);
    err = load_file(&ld, path);
    if (!err)
        err = check_loaded(&ld);
    loader_fini(&ld);
    free(path);
    return err;
}

int settings_load_memory(struct emt_config *cfg, const char *text, size_t bytes, const char *file, char *why,
                         size_t why_bytes) {
    struct loader ld = {.cfg = cfg, .why = why, .why_bytes = why_bytes};
    char *name = enter_file(&ld, file);
    int err;

    settings_defaults(cfg);
    err = name ? read_text_of_file(&ld, name, text, bytes) : -ENOMEM;
    if (!err)
        err = check_loaded(&ld);
    loader_fini(&ld);
    return err;
}
