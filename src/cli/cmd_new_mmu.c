/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * emt new-mmu: begins an architecture in emt's source tree. Copies src/check/skeleton to src/mmu/NAME under the new
 * name, and adds it to the registry and to the build.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/mm.h"

#define SKELETON  "src/check/skeleton"
#define REGISTRY  "src/core/registry.c"
#define BUILD     "src/mmu/meson.build"
#define LIST      "static const struct emt_arch *const architectures[] = {"
#define NAME_MOST 20

static const char *const files[] = {"format.h", "driver.c", "walker.c", "README.md"};
#define FILES (sizeof(files) / sizeof(files[0]))

static void help(FILE *out) {
    fprintf(
        out,
        "usage: emt new-mmu NAME\n\n"
        "Begins an architecture: writes src/mmu/NAME with format.h, driver.c, walker.c and README.md, and adds\n"
        "it to " REGISTRY " and " BUILD ". It builds, and emt check NAME tells what to write first;\n"
        "docs/writing-an-mmu.md leads on from there. To be called at the top of emt's source tree.\n");
}

static char *read_all(const char *path) {
    FILE *in = fopen(path, "r");
    char *text = in ? calloc(1, 1 << 20) : NULL;
    size_t n = text ? fread(text, 1, (1 << 20) - 1, in) : 0;

    if (in && (ferror(in) || n == (1 << 20) - 1)) {
        free(text);
        text = NULL;
    }
    if (in)
        fclose(in);
    return text;
}

/* Write beside it and rename: there is the old file or the new one. */
static int write_all(const char *path, const char *text) {
    char beside[512];

    snprintf(beside, sizeof(beside), "%s.new", path);
    FILE *out = fopen(beside, "w");
    int bad = !out || fputs(text, out) < 0;
    if (out)
        bad |= fclose(out) != 0;
    if (!bad && rename(beside, path) == 0)
        return 0;
    int err = errno;
    unlink(beside);
    return cli_error(CLI_FAILED, "new-mmu: %s cannot be written: %s", path, strerror(err));
}

/* Every "skeleton" becomes the name, every "SKELETON" the name in capitals. */
static char *renamed(const char *text, const char *name) {
    static const char old[] = "skeleton", upper[] = "SKELETON";
    const size_t length = sizeof(old) - 1;
    char *out, *to;

    to = out = calloc(1, strlen(text) * NAME_MOST + 1);
    while (out && *text) {
        const bool capitals = strncmp(text, upper, length) == 0;
        if (!capitals && strncmp(text, old, length) != 0) {
            *to++ = *text++;
            continue;
        }
        for (const char *p = name; *p; p++)
            *to++ = capitals ? (char)toupper((unsigned char)*p) : *p;
        text += length;
    }
    return out;
}

static int copy_files(const char *name) {
    int status = CLI_OK;

    for (unsigned i = 0; !status && i < FILES; i++) {
        char from[512], to[512];
        snprintf(from, sizeof(from), SKELETON "/%s", files[i]);
        snprintf(to, sizeof(to), "src/mmu/%s/%s", name, files[i]);
        char *text = read_all(from), *mine = text ? renamed(text, name) : NULL;
        status = mine ? write_all(to, mine) : cli_error(CLI_FAILED, "new-mmu: %s cannot be read", from);
        if (!status)
            printf("  %s\n", to);
        free(text);
        free(mine);
    }
    return status;
}

/* `text` with one line before and one behind the list's first line. */
static int register_it(char *text, const char *name) {
    char *list = strstr(text, LIST "\n");
    const size_t room = strlen(text) + 256;
    char *now = calloc(1, room);

    if (!now)
        return cli_error(CLI_FAILED, "new-mmu: %s", strerror(ENOMEM));
    const char *end = strstr(list, "};");
    snprintf(now, room, "%.*sextern const struct emt_arch emt_%s;\n\n%.*s    &emt_%s,\n%s", (int)(list - text),
             text, name, (int)(end - list), list, name, end);
    int status = write_all(REGISTRY, now);
    if (!status)
        printf("  " REGISTRY ": + extern const struct emt_arch emt_%s;\n"
               "  " REGISTRY ": +     &emt_%s,\n",
               name, name);
    free(now);
    return status;
}

static int build_it(const char *text, const char *name) {
    char line[128], *now = calloc(1, strlen(text) + sizeof(line));

    if (!now)
        return cli_error(CLI_FAILED, "new-mmu: %s", strerror(ENOMEM));
    snprintf(line, sizeof(line), "lib_sources += files('%s/driver.c', '%s/walker.c')\n", name, name);
    strcat(strcpy(now, text), line);
    int status = write_all(BUILD, now);
    if (!status)
        printf("  " BUILD ": + %s", line);
    free(now);
    return status;
}

static int check_name(const char *name) {
    const size_t n = strlen(name);

    if (n < 2 || n > NAME_MOST || !islower((unsigned char)name[0]) ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n)
        return cli_error(CLI_USAGE, "new-mmu: '%s': a name is 2 to %d of a-z, 0-9 and _, a letter first", name,
                         NAME_MOST);
    if (emt_arch_find(name) || strcmp(name, "skeleton") == 0)
        return cli_error(CLI_USAGE, "new-mmu: there is an architecture '%s' already", name);
    return CLI_OK;
}

static int create(const char *name) {
    char folder[64], *registry = read_all(REGISTRY), *build = read_all(BUILD);
    int status = CLI_OK;

    snprintf(folder, sizeof(folder), "src/mmu/%s", name);
    if (!registry || !build || access(SKELETON, R_OK))
        status = cli_error(CLI_USAGE, "new-mmu: this is not the top of emt's source tree: no " REGISTRY ", " BUILD
                                      " and " SKELETON " here");
    else if (!strstr(registry, LIST "\n"))
        status =
            cli_error(CLI_FAILED, "new-mmu: " REGISTRY " has no line '" LIST "': add the architecture by hand");
    else if (mkdir(folder, 0777))
        status = cli_error(CLI_FAILED, "new-mmu: %s: %s", folder, strerror(errno));
    if (!status)
        status = copy_files(name);
    if (!status)
        status = register_it(registry, name);
    if (!status)
        status = build_it(build, name);
    if (!status)
        printf("\nBuild it, and then: emt check %s\n", name);
    free(registry);
    free(build);
    return status;
}

int cmd_new_mmu(int argc, char **argv) {
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        help(stdout);
        return CLI_OK;
    }
    if (argc != 2 || argv[1][0] == '-')
        return cli_error(CLI_USAGE, "new-mmu: one name; see emt new-mmu --help");
    int status = check_name(argv[1]);
    return status ? status : create(argv[1]);
}
