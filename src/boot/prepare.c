/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Calls the scripts that get, patch and build; each prints one line: where the result is. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot/boot.h"
#include "boot/paths.h"
#include "cli/cli.h"

#define SCRIPT_WORDS     6
#define HOST_SPARE_BYTES (256ull << 20) /* assumed: what the emulator needs beside the guest's memory */

/* Run argv; what it prints on standard output goes to out (bytes > 0) without the last newline. An exit status. */
static int run(char *const argv[], char *out, size_t bytes) {
    int fd[2];
    size_t have = 0;
    ssize_t got;
    int status;

    if (pipe2(fd, O_CLOEXEC))
        return cli_error(CLI_FAILED, "boot: no pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0) {
        close(fd[0]);
        close(fd[1]);
        return cli_error(CLI_FAILED, "boot: no process: %s", strerror(errno));
    }
    if (pid == 0) {
        dup2(fd[1], STDOUT_FILENO);
        execv(argv[0], argv);
        fprintf(stderr, "emt: %s: %s\n", argv[0], strerror(errno));
        _exit(CLI_FAILED);
    }
    close(fd[1]);
    while (have + 1 < bytes && (got = read(fd[0], out + have, bytes - 1 - have)) > 0)
        have += (size_t)got;
    close(fd[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    out[have] = '\0';
    out[strcspn(out, "\n")] = '\0';
    /* The script has said why. */
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CLI_OK : CLI_FAILED;
}

/* `words`: NULL ends them. */
static int script(const char *name, const char *const *words, char *out, size_t bytes) {
    char path[PATH_MAX];
    char *argv[SCRIPT_WORDS + 2] = {path};

    snprintf(path, sizeof(path), "%s/%s", EMT_BOOT_TREE, name);
    if (access(path, X_OK) != 0)
        return cli_error(CLI_FAILED, "boot: %s: %s; emt boot builds from emt's own source tree", path,
                         strerror(errno));
    for (unsigned i = 0; i < SCRIPT_WORDS && words[i]; i++)
        argv[i + 1] = (char *)words[i];
    return run(argv, out, bytes);
}

static int build_qemu(const struct boot_options *opt, char *out, size_t bytes) {
    const char *words[] = {opt->qemu_source ? "--source" : NULL, opt->qemu_source, NULL};

    return script("qemu/build", words, out, bytes);
}

static int build_linux(const struct boot_options *opt, char *out, size_t bytes) {
    const char *words[SCRIPT_WORDS + 1] = {"--kernel", opt->kernel == BOOT_EMT ? "emt" : "vanilla", "--mmu", opt->mmu,
                                           opt->linux_source ? "--source" : NULL, opt->linux_source};

    return script("linux/build", words, out, bytes);
}

/* The command's words, each ended by a 0, as the guest's init reads them. */
static int write_words(const char *path, char **words) {
    FILE *f = fopen(path, "we");
    bool bad = !f;

    for (; !bad && words && *words; words++)
        bad = fwrite(*words, strlen(*words) + 1, 1, f) != 1;
    if (f)
        bad |= fclose(f) != 0;
    return bad ? cli_error(CLI_FAILED, "boot: %s cannot be written: %s", path, strerror(errno)) : CLI_OK;
}

static int make_image(const struct boot_options *opt, struct boot_parts *parts) {
    char tool[PATH_MAX], words[PATH_MAX], nothing[16];
    char add[2 * PATH_MAX];
    char *argv[BOOT_MAX_ADDS + 4];
    unsigned n = 0;

    snprintf(tool, sizeof(tool), "%s/linux/image", EMT_BOOT_TREE);
    if ((size_t)snprintf(parts->image, sizeof(parts->image), "%s/guest.cpio", parts->run) >= sizeof(parts->image) ||
        (size_t)snprintf(words, sizeof(words), "%s/argv", parts->run) >= sizeof(words))
        return cli_error(CLI_FAILED, "boot: the path of %s is too long", parts->run);
    argv[n++] = tool;
    argv[n++] = parts->image;
    for (unsigned i = 0; i < opt->nadd; i++)
        argv[n++] = (char *)opt->add[i];
    if (opt->command) {
        int status = write_words(words, opt->command);

        if (status)
            return status;
        snprintf(add, sizeof(add), "%s:/emt/argv", words);
        argv[n++] = add;
    }
    argv[n] = NULL;
    return run(argv, nothing, sizeof(nothing));
}

static int make_run_folder(struct boot_parts *parts) {
    const char *tmp = getenv("TMPDIR");

    snprintf(parts->run, sizeof(parts->run), "%s/emt-boot.XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (!mkdtemp(parts->run)) {
        int status = cli_error(CLI_FAILED, "boot: no folder %s: %s", parts->run, strerror(errno));

        parts->run[0] = '\0';
        return status;
    }
    return CLI_OK;
}

int boot_check_memory(uint64_t wanted_bytes, uint64_t free_bytes) {
    if (wanted_bytes + HOST_SPARE_BYTES <= free_bytes)
        return CLI_OK;
    return cli_error(CLI_FAILED, "--memory %lluM: that and the emulator need %llu MiB, and %llu MiB are free here",
                     (unsigned long long)(wanted_bytes >> 20),
                     (unsigned long long)((wanted_bytes + HOST_SPARE_BYTES) >> 20),
                     (unsigned long long)(free_bytes >> 20));
}

/* MemAvailable; all there is when the kernel does not say. */
static uint64_t host_free_bytes(void) {
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kib = ~0ull >> 10;

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib << 10;
}

int boot_prepare(const struct boot_options *opt, struct boot_parts *parts) {
    char folder[PATH_MAX - 32];
    int status = boot_check_memory(opt->memory_bytes, host_free_bytes());

    *parts = (struct boot_parts){.run = ""};
    if (!status)
        status = build_qemu(opt, folder, sizeof(folder));
    if (status)
        return status;
    snprintf(parts->firmware, sizeof(parts->firmware), "%s", folder);
    snprintf(parts->qemu, sizeof(parts->qemu), "%s/qemu-system-x86_64", folder);
    status = build_linux(opt, folder, sizeof(folder));
    if (status)
        return status;
    snprintf(parts->kernel, sizeof(parts->kernel), "%s/bzImage", folder);
    snprintf(parts->symbols, sizeof(parts->symbols), "%s/System.map", folder);
    status = make_run_folder(parts);
    return status ? status : make_image(opt, parts);
}

static int discard(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void boot_discard(struct boot_parts *parts) {
    if (parts->run[0])
        nftw(parts->run, discard, 8, FTW_DEPTH | FTW_PHYS);
    parts->run[0] = '\0';
}
