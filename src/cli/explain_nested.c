/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * emt explain --guest A --host B: the two-dimensional walk. The guest's walker reads through a port that first lets
 * the host's walker translate each address; every read gets a number, in the order in which a cold machine makes
 * them.
 *
 *                host >  PML4  PDPT    PD    PT   guest
 *       guest's PML4        1     2     3     4       5
 *       guest's PDPT        6     7     8     9      10
 *                                 ...
 *           the page       21    22    23    24
 *
 * A row is a read of the guest's walker, a column the n-th read of the host's for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/explain.h"

/* Guest-physical memory: tables from 1 MiB, the page at 1 GiB. The host puts each page of it so far above its own.
 */
#define GUEST_MEMORY_BYTES (4ull << 30)
#define GUEST_PAGE_PA      (1ull << 30)
#define HOST_MEMORY_BYTES  (16ull << 30)
#define HOST_OFFSET        (8ull << 30)

#define MAX_READS 256
#define MAX_ROWS  64

struct read {
    bool guest;
    unsigned row, column; /* column: of the host's reads for this row */
    const char *table;
    uint64_t index, pa, gpa, word;
    unsigned bytes;
};

struct nested {
    struct explain_space guest, host;
    uint64_t host_page_bytes;
    struct read read[MAX_READS];
    unsigned reads, rows, columns;
    unsigned column; /* where the host's walker stands in this row */
    const char *row_name[MAX_ROWS];
};

struct nested_port {
    struct emt_port port;
    struct nested *n;
};

static int keep(struct nested *n, struct read r) {
    if (n->reads == MAX_READS || n->rows >= MAX_ROWS)
        return -ENOSPC;
    n->read[n->reads++] = r;
    return 0;
}

/* ---- the host's walker ---- */

static int host_fetch(struct emt_port *port, struct emt_fetch *f, unsigned count) {
    struct nested *n = ((struct nested_port *)port)->n;
    int err = 0;

    for (unsigned i = 0; i < count && !err; i++) {
        if (f[i].pa + 8ull * f[i].words > n->host.host.phys_bytes)
            return -EFAULT;
        emt_host_read_line(&n->host.host, f[i].pa, f[i].words, f[i].data);
        err = keep(n, (struct read){.row = n->rows,
                                    .column = n->column++,
                                    .table = f[i].table,
                                    .index = f[i].index,
                                    .pa = f[i].pa,
                                    .word = f[i].data[0],
                                    .bytes = 8u * f[i].words});
    }
    if (n->column > n->columns)
        n->columns = n->column;
    return err;
}

static bool exchange(struct emt_host *host, uint64_t pa, uint64_t expected, uint64_t desired) {
    return __atomic_compare_exchange_n(emt_host_word(host, pa), &expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static bool host_update(struct emt_port *port, uint64_t pa, uint64_t expected, uint64_t desired) {
    return exchange(&((struct nested_port *)port)->n->host.host, pa, expected, desired);
}

/* The host backs what the guest uses before it is used: nothing here shall fault. */
static int back(struct nested *n, uint64_t gpa) {
    uint64_t base = gpa & ~(n->host_page_bytes - 1);
    struct emt_tobj o;

    emt_range_lock(&n->host.tdb, gpa & ~(EMT_PAGE_BYTES - 1), EMT_PAGE_BYTES);
    int err = emt_tdb_find(&n->host.tdb, gpa, &o);
    if (err)
        err = explain_map(&n->host, base, base + HOST_OFFSET, n->host_page_bytes);
    emt_range_unlock(&n->host.tdb, gpa & ~(EMT_PAGE_BYTES - 1), EMT_PAGE_BYTES);
    return err;
}

/* A row of the grid: all of the host's walk for one guest-physical address. */
static int translate(struct nested *n, uint64_t gpa, const char *name, uint64_t *hpa) {
    struct nested_port port = {.port = {.fetch = host_fetch, .update = host_update}, .n = n};
    struct emt_access access = {.va = gpa, .type = EMT_LOAD, .user = true, .write_protect = true, .nx = true};
    const struct emt_arch *arch = n->host.arch;
    struct emt_root root;
    struct emt_walk w;
    int err = back(n, gpa);

    if (err)
        return err;
    if (n->rows == MAX_ROWS)
        return -ENOSPC;
    n->row_name[n->rows] = name;
    n->column = 0;
    emt_tdb_root(&n->host.tdb, &root);
    err = arch->walker->walk(arch, &root, &access, &port.port, &w);
    if (err || w.fault)
        return err ? err : -EFAULT;
    *hpa = w.pa + (gpa - w.va);
    return 0;
}

/* ---- the guest's walker ---- */

static int guest_fetch(struct emt_port *port, struct emt_fetch *f, unsigned count) {
    struct nested *n = ((struct nested_port *)port)->n;

    for (unsigned i = 0; i < count; i++) {
        uint64_t hpa;

        if (f[i].pa + 8ull * f[i].words > n->guest.host.phys_bytes)
            return -EFAULT;
        int err = translate(n, f[i].pa, f[i].table, &hpa);
        if (err)
            return err;
        emt_host_read_line(&n->guest.host, f[i].pa, f[i].words, f[i].data);
        err = keep(n, (struct read){.guest = true,
                                    .row = n->rows,
                                    .table = f[i].table,
                                    .index = f[i].index,
                                    .gpa = f[i].pa,
                                    .pa = hpa,
                                    .word = f[i].data[0],
                                    .bytes = 8u * f[i].words});
        if (err)
            return err;
        n->rows++;
    }
    return 0;
}

static bool guest_update(struct emt_port *port, uint64_t pa, uint64_t expected, uint64_t desired) {
    return exchange(&((struct nested_port *)port)->n->guest.host, pa, expected, desired);
}

/* ---- the picture ---- */

/* The table that all rows read in this column, or "". */
static const char *column_name(const struct nested *n, unsigned column) {
    const char *name = NULL;

    for (unsigned i = 0; i < n->reads; i++) {
        const struct read *r = &n->read[i];

        if (r->guest || r->column != column)
            continue;
        if (name && name != r->table)
            return "";
        name = r->table;
    }
    return name ? name : "";
}

static void put_grid(const struct nested *n) {
    printf("\n  %-22s", "guest reads   host >");
    for (unsigned c = 0; c < n->columns; c++)
        printf(" %9.9s", column_name(n, c));
    printf("     guest\n");
    for (unsigned row = 0, i = 0; row < n->rows; row++) {
        unsigned used = 0;

        printf("  %-22.22s", n->row_name[row]);
        for (; i < n->reads && n->read[i].row == row && !n->read[i].guest; i++, used++)
            printf(" %9u", i + 1);
        if (i < n->reads && n->read[i].row == row && n->read[i].guest)
            printf("%*s %9u", (int)(10 * (n->columns - used)), "", ++i);
        putchar('\n');
    }
    putchar('\n');
}

static void put_reads(const struct nested *n) {
    for (unsigned i = 0; i < n->reads; i++) {
        const struct read *r = &n->read[i];

        printf("  %3u  %-5s %-12s index 0x%03" PRIx64 "  read %2u bytes at ", i + 1, r->guest ? "guest" : "host",
               r->table, r->index, r->bytes);
        if (r->guest)
            printf("gPA 0x%09" PRIx64 " = ", r->gpa);
        printf("hPA 0x%09" PRIx64 "  0x%016" PRIx64 "\n", r->pa, r->word);
    }
}

static int walk(struct nested *n, uint64_t va, uint64_t guest_page) {
    struct nested_port port = {.port = {.fetch = guest_fetch, .update = guest_update}, .n = n};
    struct emt_access access = {.va = va, .type = EMT_LOAD, .user = true, .write_protect = true, .nx = true};
    const struct emt_arch *arch = n->guest.arch;
    unsigned guest_reads = 0;
    struct emt_root root;
    struct emt_walk w;
    uint64_t hpa;

    emt_tdb_root(&n->guest.tdb, &root);
    int err = arch->walker->walk(arch, &root, &access, &port.port, &w);
    if (!err && !w.fault)
        err = translate(n, w.pa + (va - w.va), "(the page)", &hpa);
    if (err || w.fault)
        return cli_error(CLI_FAILED, "explain: the walk failed (%s)",
                         err == -ENOSPC ? "too many references" : "fault");
    n->rows++;
    printf("%s on %s: a cold two-dimensional walk for 0x%" PRIx64 ", in a page of %s, in pages of %s of the host\n",
           arch->name, n->host.arch->name, va, explain_size(guest_page), explain_size(n->host_page_bytes));
    put_grid(n);
    put_reads(n);
    for (unsigned i = 0; i < n->reads; i++)
        guest_reads += n->read[i].guest;
    printf("\n  gVA 0x%" PRIx64 " = gPA 0x%09" PRIx64 " = hPA 0x%09" PRIx64 "\n", va, w.pa + (va - w.va), hpa);
    printf("  %u references: %u of the guest's tables, %u of the host's; a TLB entry of %s holds the result\n",
           n->reads, guest_reads, n->reads - guest_reads,
           explain_size(w.bytes < n->host_page_bytes ? w.bytes : n->host_page_bytes));
    return CLI_OK;
}

static int map_and_walk(struct nested *n, uint64_t va, uint64_t guest_page) {
    if (!explain_canonical(&n->guest, va))
        return CLI_USAGE;
    if (explain_map(&n->guest, va & ~(guest_page - 1), GUEST_PAGE_PA, guest_page))
        return cli_error(CLI_USAGE, "explain: --page: %s has no pages of %s", n->guest.arch->name,
                         explain_size(guest_page));
    if (back(n, GUEST_PAGE_PA))
        return cli_error(CLI_USAGE, "explain: --host-page: %s has no pages of %s", n->host.arch->name,
                         explain_size(n->host_page_bytes));
    return walk(n, va, guest_page);
}

int explain_nested(const struct emt_arch *guest, const struct emt_arch *host, uint64_t va, uint64_t guest_page,
                   uint64_t host_page) {
    struct nested *n = calloc(1, sizeof(*n));
    int status;

    if (!n)
        return cli_error(CLI_FAILED, "explain: out of memory");
    n->host_page_bytes = host_page;
    status = explain_open(&n->guest, guest, GUEST_MEMORY_BYTES, GUEST_PAGE_PA);
    if (!status) {
        status = explain_open(&n->host, host, HOST_MEMORY_BYTES, HOST_OFFSET);
        if (!status) {
            status = map_and_walk(n, va, guest_page);
            explain_close(&n->host);
        }
        explain_close(&n->guest);
    }
    free(n);
    return status;
}
