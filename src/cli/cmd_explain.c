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
#include "cli/explain.h"
#include "machine/settings.h"

static void help(FILE *out) {
    fprintf(out, "usage: emt explain [--mmu A] [--page 4K|2M|1G] VA\n"
                 "       emt explain --guest A --host B [--page 4K|2M|1G] [--host-page 4K|2M|1G] VA\n\n"
                 "Shows every step of a cold walk for the virtual address VA: table, index, address, bytes read.\n"
                 "  --mmu A           the architecture (emt list mmus); default radix4\n"
                 "  --page SIZE       the size of the page that VA lies in; default 4K\n"
                 "  --guest A --host B\n"
                 "                    a virtual machine's two-dimensional walk, every reference numbered\n"
                 "  --host-page SIZE  the size of the host's pages behind the guest's memory; default 4K\n\n"
                 "As in:  emt explain --mmu radix4 0x5c8315cc2016\n"
                 "        emt explain --guest radix4 --host radix4 0x5c8315cc2016\n");
}

/* Enough memory for the tables of one address space and one page of any size. */
#define MEMORY_BYTES (4ull << 30)
#define PAGE_PA      (1ull << 30) /* where the page lies; tables grow from 1 MiB */

struct explain {
    struct explain_space space;
    uint64_t va, page_bytes;
    unsigned reads, steps, behind;
    struct emt_range range; /* that the walk told of, or the registers */
};

/* Where hardware knows ranges: so many pages in a row, that there is one. */
#define RANGE_PAGES 64

/* ---- a space ---- */

static uint64_t table_frame(void *os, unsigned order) {
    struct explain_space *s = os;
    uint64_t bytes = EMT_PAGE_BYTES << order;
    uint64_t pa = (s->next_table + bytes - 1) & ~(bytes - 1);

    s->next_table = pa + bytes;
    return s->next_table <= s->limit ? pa : EMT_NO_PA;
}

static void table_frame_back(void *os, uint64_t pa, unsigned order) {
    (void)os;
    (void)pa;
    (void)order;
}

int explain_open(struct explain_space *s, const struct emt_arch *arch, uint64_t memory_bytes, uint64_t limit) {
    *s = (struct explain_space){.arch = arch, .next_table = 1 << 20, .limit = limit};
    if (emt_host_init(&s->host, memory_bytes))
        return cli_error(CLI_FAILED, "explain: no address space for %llu GiB of simulated memory",
                         (unsigned long long)(memory_bytes >> 30));
    s->host.frame_alloc = table_frame;
    s->host.frame_free = table_frame_back;
    s->host.os = s;
    int err = emt_tsvc_init(&s->svc, arch, &s->host, false);
    if (!err) {
        err = emt_tdb_create(&s->tdb, &s->svc, 1);
        if (!err)
            return CLI_OK;
        emt_tsvc_fini(&s->svc);
    }
    emt_host_fini(&s->host);
    return cli_error(CLI_FAILED, "explain: no memory for the tables of %s", arch->name);
}

void explain_close(struct explain_space *s) {
    emt_tdb_destroy(&s->tdb);
    emt_tsvc_fini(&s->svc);
    emt_host_fini(&s->host);
}

static unsigned all_free(void *ctx, uint64_t pfn, unsigned n) {
    (void)ctx;
    (void)pfn;
    return n;
}

/* Where the page lies: the architecture may want it somewhere. */
static uint64_t frame_for(struct explain_space *s, uint64_t va, uint64_t pa, uint64_t bytes) {
    struct emt_place_query q = {.va = va, .bytes = bytes, .asid = s->tdb.asid, .node = -1, .free_frames = all_free};
    struct emt_place place;

    emt_tdb_place(&s->tdb, &q, &place);
    return place.kind != EMT_PLACE_ANY && place.runs ? place.run[0].pfn : pa >> EMT_PAGE_SHIFT;
}

int explain_map(struct explain_space *s, uint64_t va, uint64_t pa, uint64_t bytes) {
    unsigned prot = EMT_PROT_WRITE | EMT_PROT_EXEC | EMT_PROT_USER;
    struct emt_tobj o;
    int err = emt_tobj_init(&s->svc, &o, va, frame_for(s, va, pa, bytes), bytes, prot);

    return err ? err : emt_tdb_update(&s->tdb, &o);
}

bool explain_canonical(const struct explain_space *s, uint64_t va) {
    struct emt_caps caps;

    emt_tsvc_caps(&s->svc, &caps);
    unsigned unused = 64u - caps.va_bits;
    if ((uint64_t)((int64_t)(va << unused) >> unused) == va)
        return true;
    cli_error(CLI_USAGE,
              "explain: 0x%" PRIx64
              " is no address of %s: it has %u address bits, and all above bit %u must equal it",
              va, s->arch->name, caps.va_bits, caps.va_bits - 1u);
    return false;
}

const char *explain_size(uint64_t page_bytes) {
    return page_bytes == 1ull << 30 ? "1 GiB" : page_bytes == 1ull << 21 ? "2 MiB" : "4 KiB";
}

struct explain_port {
    struct emt_port port;
    struct explain *e;
};

/* A group once more, side by side: the references that are made at the same time. */
static void draw_group(const struct emt_fetch *f, unsigned n) {
    printf("       ");
    for (unsigned i = 0; i < n; i++)
        printf("│ %c 0x%03" PRIx64 " ", (char)('a' + i), f[i].index);
    printf("│  in parallel\n");
}

static int fetch(struct emt_port *port, struct emt_fetch *f, unsigned n) {
    struct explain *e = ((struct explain_port *)port)->e;

    e->steps += !f[0].background;
    for (unsigned i = 0; i < n; i++) {
        if (f[i].pa + 8ull * f[i].words > e->space.host.phys_bytes)
            return -EFAULT;
        for (unsigned w = 0; w < f[i].words; w++)
            f[i].data[w] = *emt_host_word(&e->space.host, f[i].pa + 8ull * w);
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
    if (n > 1 && !f[0].background)
        draw_group(f, n);
    return 0;
}

static bool update(struct emt_port *port, uint64_t pa, uint64_t expected, uint64_t desired) {
    struct explain *e = ((struct explain_port *)port)->e;
    uint64_t *word = emt_host_word(&e->space.host, pa);

    printf("       set accessed/dirty at 0x%09" PRIx64 ": 0x%016" PRIx64 "\n", pa, desired);
    return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
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
        err = emt_tobj_init(&e->space.svc, &o, va + at, (PAGE_PA + at) >> EMT_PAGE_SHIFT, EMT_PAGE_BYTES,
                            EMT_PROT_WRITE | EMT_PROT_USER);
        if (!err)
            err = emt_tobj_set(&e->space.svc, &o, EMT_ATTR_ACCESSED, 1);
        if (!err)
            err = emt_tobj_set(&e->space.svc, &o, EMT_ATTR_DIRTY, 1);
        if (!err)
            err = emt_tdb_update(&e->space.tdb, &o);
    }
    return err;
}

/* What registers answer, without a walk. */
static void explain_segment(struct explain *e, const struct emt_root *root) {
    if (!e->space.arch->walker->segment)
        return;
    e->space.arch->walker->segment(root, &e->range);
    if (e->va < e->range.va || e->va > e->range.last)
        return;
    draw_range(e, "segment");
    printf("            by registers, while the L1 TLB is looked up: no TLB entry, no walk\n\n"
           "  What the walk would do, were it outside of the segment:\n");
}

static int map_page(struct explain *e) {
    struct emt_caps caps;

    emt_tsvc_caps(&e->space.svc, &caps);
    if (caps.ranges && e->page_bytes == EMT_PAGE_BYTES)
        return map_range(e);
    return explain_map(&e->space, e->va & ~(e->page_bytes - 1), PAGE_PA, e->page_bytes);
}

static int walk(struct explain *e) {
    struct explain_port port = {.port = {.fetch = fetch, .update = update, .range_put = range_put}, .e = e};
    struct emt_access access = {.va = e->va, .type = EMT_LOAD, .user = true, .write_protect = true, .nx = true};
    const struct emt_arch *arch = e->space.arch;
    struct emt_root root;
    struct emt_walk w;

    emt_tdb_root(&e->space.tdb, &root);
    printf("%s: a cold walk for 0x%" PRIx64 ", in a page of %s\n", arch->name, e->va, explain_size(e->page_bytes));
    printf("  root register 0x%" PRIx64 "\n", root.word[0]);
    e->range.va = 1;
    explain_segment(e, &root);
    int err = arch->walker->walk(arch, &root, &access, &port.port, &w);
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
           e->range.last >= e->range.va ? "these pages" : "this page", emt_tdb_table_bytes(&e->space.tdb) >> 10);
    if (e->behind) {
        draw_range(e, "range");
        printf("            for the range TLB, found with %u reads in the background\n", e->behind);
    }
    return 0;
}

static int explain(struct explain *e, const struct emt_arch *arch) {
    int status = explain_open(&e->space, arch, MEMORY_BYTES, PAGE_PA);

    if (status)
        return status;
    status = CLI_USAGE;
    if (explain_canonical(&e->space, e->va)) {
        int err = map_page(e);

        if (err == -EINVAL)
            cli_error(CLI_USAGE, "explain: %s has no pages of this size", arch->name);
        else if (!err && !walk(e))
            status = CLI_OK;
    }
    explain_close(&e->space);
    return status;
}

static int parse_page(const char *option, const char *text, uint64_t *bytes) {
    if (settings_parse_bytes(text, bytes) == 0 &&
        (*bytes == 1ull << 12 || *bytes == 1ull << 21 || *bytes == 1ull << 30))
        return 0;
    cli_error(CLI_USAGE, "explain: %s %s: it is 4K, 2M or 1G", option, text);
    return -EINVAL;
}

static int parse_arch(const char *option, const char *text, const struct emt_arch **arch) {
    *arch = emt_arch_find(text);
    return *arch ? 0 : cli_error(-ENOENT, "%s %s: there is no such architecture; see emt list mmus", option, text);
}

/* What the words of the command line choose. */
struct choice {
    const struct emt_arch *mmu, *guest, *host;
    uint64_t page_bytes, host_page_bytes;
    const char *va;
};

/* An option with its value; 1: it is none. */
static int take_option(struct choice *c, const char *option, const char *value) {
    if (strcmp(option, "--mmu") == 0)
        return parse_arch(option, value, &c->mmu);
    if (strcmp(option, "--guest") == 0)
        return parse_arch(option, value, &c->guest);
    if (strcmp(option, "--host") == 0)
        return parse_arch(option, value, &c->host);
    if (strcmp(option, "--page") == 0)
        return parse_page(option, value, &c->page_bytes);
    if (strcmp(option, "--host-page") == 0)
        return parse_page(option, value, &c->host_page_bytes);
    return 1;
}

static int take_words(struct choice *c, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        int err = argv[i][0] == '-' && i + 1 < argc ? take_option(c, argv[i], argv[i + 1]) : 1;

        if (err < 0)
            return err;
        if (err == 0)
            i++;
        else if (argv[i][0] == '-' || c->va)
            return cli_error(-EINVAL, "explain: what is '%s'? See emt explain --help", argv[i]);
        else
            c->va = argv[i];
    }
    if (!c->va)
        return cli_error(-EINVAL, "explain: no address; as in emt explain 0x5c8315cc2016");
    if (!c->guest != !c->host || (c->guest && c->mmu))
        return cli_error(-EINVAL, "explain: a virtual machine has --guest A and --host B, and no --mmu");
    return 0;
}

int cmd_explain(int argc, char **argv) {
    struct choice c = {.page_bytes = EMT_PAGE_BYTES, .host_page_bytes = EMT_PAGE_BYTES};
    struct explain e = {0};
    char *end;

    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help(stdout);
            return CLI_OK;
        }
    if (take_words(&c, argc, argv))
        return CLI_USAGE;
    errno = 0;
    e.va = strtoull(c.va, &end, 0);
    e.page_bytes = c.page_bytes;
    if (errno || *end || end == c.va || c.va[0] == '-')
        return cli_error(CLI_USAGE, "explain: '%s' is no address; a number such as 0x5c8315cc2016 is wanted", c.va);
    if (c.guest)
        return explain_nested(c.guest, c.host, e.va, c.page_bytes, c.host_page_bytes);
    return explain(&e, c.mmu ? c.mmu : emt_arch_find("radix4"));
}
