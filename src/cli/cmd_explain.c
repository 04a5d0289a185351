/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * emt explain: a cold walk, step by step. Maps one page in an otherwise empty address space through the driver and
 * lets the architecture's own walker find it; the port prints what it reads.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/mm.h"
#include "machine/settings.h"

static void help(FILE *out) {
    fprintf(out, "usage: emt explain [--mmu A] [--page 4K|2M|1G] VA\n\n"
                 "Shows every step of a cold walk for the virtual address VA: table, index, address, bytes read.\n"
                 "  --mmu A       the architecture (emt list mmus); default radix4\n"
                 "  --page SIZE   the size of the page that VA lies in; default 4K\n\n"
                 "As in:  emt explain --mmu radix4 0x5c8315cc2016\n");
}

/* Enough memory for the tables of one address space and one page of any size. */
#define MEMORY_BYTES (4ull << 30)
#define PAGE_PA      (1ull << 30) /* where the page lies; tables grow from 1 MiB */

struct explain {
    const struct emt_arch *arch;
    uint64_t va, page_bytes;
    struct emt_host host;
    struct emt_tsvc svc;
    struct emt_tdb tdb;
    uint64_t next_table;
    unsigned reads, steps, behind;
    struct emt_range range; /* that the walk told of, or the registers */
};

/* Where hardware knows ranges: so many pages in a row, that there is one. */
#define RANGE_PAGES 64

static uint64_t table_frame(void *os, unsigned order) {
    struct explain *e = os;
    uint64_t bytes = EMT_PAGE_BYTES << order;
    uint64_t pa = (e->next_table + bytes - 1) & ~(bytes - 1);

    e->next_table = pa + bytes;
    return e->next_table <= PAGE_PA ? pa : EMT_NO_PA;
}

static void table_frame_back(void *os, uint64_t pa, unsigned order) {
    (void)os;
    (void)pa;
    (void)order;
}

struct explain_port {
    struct emt_port port;
    struct explain *e;
};

static int fetch(struct emt_port *port, struct emt_fetch *f, unsigned n) {
    struct explain *e = ((struct explain_port *)port)->e;

    e->steps += !f[0].background;
    for (unsigned i = 0; i < n; i++) {
        if (f[i].pa + 8ull * f[i].words > e->host.phys_bytes)
            return -EFAULT;
        for (unsigned w = 0; w < f[i].words; w++)
            f[i].data[w] = *emt_host_word(&e->host, f[i].pa + 8ull * w);
        if (f[i].background)
            printf("   ..  %-12s index 0x%03" PRIx64 " (%3" PRIu64 ")  read %2u bytes at 0x%09" PRIx64
                   "  in the background\n",
                   f[i].table, f[i].index, f[i].index, 8u * f[i].words, f[i].pa);
        else
            printf("  %2u%c  %-12s index 0x%03" PRIx64 " (%3" PRIu64 ")  read %2u bytes at 0x%09" PRIx64
                   "  0x%016" PRIx64 "\n",
                   e->steps, n > 1 ? (char)('a' + i) : ' ', f[i].table, f[i].index, f[i].index, 8u * f[i].words,
                   f[i].pa, f[i].data[0]);
        e->reads += !f[i].background;
        e->behind += f[i].background;
    }
    return 0;
}

static bool update(struct emt_port *port, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct explain *e = ((struct explain_port *)port)->e;
    uint64_t *word = emt_host_word(&e->host, pa);

    printf("       set accessed/dirty at 0x%09" PRIx64 ": 0x%016" PRIx64 "\n", pa, desired);
    return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static unsigned all_free(void *ctx, uint64_t pfn, unsigned n) {
    (void)ctx;
    (void)pfn;
    return n;
}

/* Where the page lies: the architecture may want it somewhere. */
static uint64_t frame_for(struct explain *e, uint64_t va) {
    struct emt_place_query q = {
        .va = va, .bytes = e->page_bytes, .asid = e->tdb.asid, .node = -1, .free_frames = all_free};
    struct emt_place place;

    emt_tdb_place(&e->tdb, &q, &place);
    return place.kind != EMT_PLACE_ANY && place.runs ? place.run[0].pfn : PAGE_PA >> EMT_PAGE_SHIFT;
}

static void range_put(struct emt_port *port, const struct emt_range *range) {
    ((struct explain_port *)port)->e->range = *range;
}

/*
 *     range     0x5c8315c80000 ............ 0x5c8315cbffff      64 pages of 4 KiB
 *                     | + offset
 *     memory    0x040000000    ............ 0x04003ffff
 */
static void draw_range(const struct explain *e, const char *what) {
    const struct emt_range *r = &e->range;

    printf("\n  %-9s 0x%012" PRIx64 " ........ 0x%012" PRIx64 "    %" PRIu64 " pages of 4 KiB, r%s%s%s%s\n", what,
           r->va, r->last, (r->last - r->va + 1) >> EMT_PAGE_SHIFT, r->write ? "w" : "", r->exec ? "x" : "",
           r->user ? " user" : "", r->dirty ? " dirty" : "");
    printf("                  | + offset 0x%016" PRIx64 "\n", r->pa - r->va);
    printf("  memory    0x%012" PRIx64 " ........ 0x%012" PRIx64 "\n", r->pa, r->pa + (r->last - r->va));
    printf("            0x%" PRIx64 " + offset = physical address 0x%09" PRIx64 "\n", e->va,
           e->va + (r->pa - r->va));
}

/* Pages in a row that hold the page of VA, as a range. */
static int map_range(struct explain *e) {
    const uint64_t bytes = RANGE_PAGES * EMT_PAGE_BYTES, va = e->va & -bytes;
    struct emt_tobj o;
    int err = 0;

    for (uint64_t at = 0; at < bytes && !err; at += EMT_PAGE_BYTES) {
        err = emt_tobj_init(&e->svc, &o, va + at, (PAGE_PA + at) >> EMT_PAGE_SHIFT, EMT_PAGE_BYTES,
                            EMT_PROT_WRITE | EMT_PROT_USER);
        if (!err)
            err = emt_tobj_set(&e->svc, &o, EMT_ATTR_ACCESSED, 1);
        if (!err)
            err = emt_tobj_set(&e->svc, &o, EMT_ATTR_DIRTY, 1);
        if (!err)
            err = emt_tdb_update(&e->tdb, &o);
    }
    return err;
}

/* What registers answer, without a walk. */
static void explain_segment(struct explain *e, const struct emt_root *root) {
    if (!e->arch->walker->segment)
        return;
    e->arch->walker->segment(root, &e->range);
    if (e->va < e->range.va || e->va > e->range.last)
        return;
    draw_range(e, "segment");
    printf("            by registers, while the L1 TLB is looked up: no TLB entry, no walk\n\n"
           "  What the walk would do, were it outside of the segment:\n");
}

static int map_page(struct explain *e) {
    struct emt_tobj o;
    struct emt_caps caps;
    uint64_t va = e->va & ~(e->page_bytes - 1);

    emt_tsvc_caps(&e->svc, &caps);
    if (caps.ranges && e->page_bytes == EMT_PAGE_BYTES)
        return map_range(e);
    int err = emt_tobj_init(&e->svc, &o, va, frame_for(e, va), e->page_bytes, EMT_PROT_WRITE | EMT_PROT_USER);

    return err ? err : emt_tdb_update(&e->tdb, &o);
}

static int walk(struct explain *e) {
    struct explain_port port = {.port = {.fetch = fetch, .update = update, .range_put = range_put}, .e = e};
    struct emt_access access = {.va = e->va, .type = EMT_LOAD, .user = true, .write_protect = true, .nx = true};
    struct emt_root root;
    struct emt_walk w;

    emt_tdb_root(&e->tdb, &root);
    printf("%s: a cold walk for 0x%" PRIx64 ", in a page of %s\n", e->arch->name, e->va,
           e->page_bytes == 1ull << 30   ? "1 GiB"
           : e->page_bytes == 1ull << 21 ? "2 MiB"
                                         : "4 KiB");
    printf("  root register 0x%" PRIx64 "\n", root.word[0]);
    e->range.va = 1;
    explain_segment(e, &root);
    int err = e->arch->walker->walk(e->arch, &root, &access, &port.port, &w);
    if (err)
        return err;
    if (w.fault) {
        printf("  page fault, error code 0x%x\n", w.code);
        return 0;
    }
    uint64_t offset = e->va & (w.bytes - 1);
    printf("  page at 0x%09" PRIx64 " + offset 0x%03" PRIx64 " = physical address 0x%09" PRIx64 "\n", w.pa, offset,
           w.pa + offset);
    printf("  %u reference%s in %u step%s; the tables of %s take %" PRIu64 " KiB\n", e->reads,
           e->reads == 1 ? "" : "s", e->steps, e->steps == 1 ? "" : "s",
           e->range.last >= e->range.va ? "these pages" : "this page", emt_tdb_table_bytes(&e->tdb) >> 10);
    if (e->behind) {
        draw_range(e, "range");
        printf("            for the range TLB, found with %u reads in the background\n", e->behind);
    }
    return 0;
}

static bool canonical(const struct explain *e) {
    struct emt_caps caps;

    emt_tsvc_caps(&e->svc, &caps);
    unsigned unused = 64u - caps.va_bits;
    if ((uint64_t)((int64_t)(e->va << unused) >> unused) == e->va)
        return true;
    cli_error(CLI_USAGE,
              "explain: 0x%" PRIx64
              " is no address of %s: it has %u address bits, and all above bit %u must equal it",
              e->va, e->arch->name, caps.va_bits, caps.va_bits - 1u);
    return false;
}

static int explain(struct explain *e) {
    int err = emt_host_init(&e->host, MEMORY_BYTES);

    if (err)
        return cli_error(CLI_FAILED, "explain: no address space for 4 GiB of simulated memory");
    e->host.frame_alloc = table_frame;
    e->host.frame_free = table_frame_back;
    e->host.os = e;
    e->next_table = 1 << 20;
    err = emt_tsvc_init(&e->svc, e->arch, &e->host, false);
    if (!err && canonical(e)) {
        err = emt_tdb_create(&e->tdb, &e->svc, 1);
        if (!err) {
            err = map_page(e);
            if (err == -EINVAL)
                cli_error(CLI_USAGE, "explain: %s has no pages of this size", e->arch->name);
            else if (!err)
                err = walk(e);
            emt_tdb_destroy(&e->tdb);
        }
        emt_tsvc_fini(&e->svc);
    } else if (!err) {
        emt_tsvc_fini(&e->svc);
        err = -EINVAL;
    }
    emt_host_fini(&e->host);
    return err ? CLI_USAGE : CLI_OK;
}

static int parse_page(const char *text, uint64_t *bytes) {
    if (settings_parse_bytes(text, bytes) == 0 &&
        (*bytes == 1ull << 12 || *bytes == 1ull << 21 || *bytes == 1ull << 30))
        return 0;
    cli_error(CLI_USAGE, "explain: --page %s: it is 4K, 2M or 1G", text);
    return -EINVAL;
}

int cmd_explain(int argc, char **argv) {
    struct explain e = {.arch = emt_arch_find("radix4"), .page_bytes = EMT_PAGE_BYTES};
    const char *va = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help(stdout);
            return CLI_OK;
        }
        if (strcmp(argv[i], "--mmu") == 0 && i + 1 < argc) {
            e.arch = emt_arch_find(argv[++i]);
            if (!e.arch)
                return cli_error(CLI_USAGE, "--mmu %s: there is no such architecture; see emt list mmus", argv[i]);
        } else if (strcmp(argv[i], "--page") == 0 && i + 1 < argc) {
            if (parse_page(argv[++i], &e.page_bytes))
                return CLI_USAGE;
        } else if (argv[i][0] == '-' || va) {
            return cli_error(CLI_USAGE, "explain: what is '%s'? See emt explain --help", argv[i]);
        } else {
            va = argv[i];
        }
    }
    if (!va)
        return cli_error(CLI_USAGE, "explain: no address; as in emt explain 0x5c8315cc2016");
    char *end;
    errno = 0;
    e.va = strtoull(va, &end, 0);
    if (errno || *end || end == va || va[0] == '-')
        return cli_error(CLI_USAGE, "explain: '%s' is no address; a number such as 0x5c8315cc2016 is wanted", va);
    return explain(&e);
}
