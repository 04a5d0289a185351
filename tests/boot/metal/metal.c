/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every architecture that QEMU-EMT offers, switched on as docs/hardware-interface.md says: its own driver writes
 * tables into this machine's memory, and the processor's walker must find there what the driver means: frames,
 * rights, page sizes, faults, A and D. Once with SPLIT, below a conventional upper half in which this program runs,
 * and, where the architecture has 2 MiB pages, once with all addresses its own, this program's too.
 *
 *   command line: nothing, or stop=NAME: map, say what, and wait for a monitor to look
 *   console (-debugcon): "ok NAME ..." or "FAIL ..."; exit (-device isa-debug-exit): 0 or 1
 */
#include "metal.h"
#include "qemu/files/target/i386/emt/arch.h"

#define DENSE   40
#define SPARSE  24
#define GROWTH  3000 /* pages that make tables grow while they are in use */
#define PAGES   (DENSE + SPARSE + 1)
#define HUGE    (1ull << 21)
#define HUGE_VA 0x0000123440000000ull
#define GROW_VA 0x0000200000000000ull
#define VOID_VA 0x0000700000000000ull
#define RET     0xc3c3c3c3c3c3c3c3ull

extern uint8_t boot_pml4[], image_end[];
extern uint64_t multiboot_info;
void init_exceptions(void);
void metal_main(void);

struct page {
    uint64_t va, pa, bytes;
    bool write, exec;
};

static struct test {
    const struct emt_arch *arch;
    const struct emt_driver_ops *driver;
    struct emt_host host;
    struct emt_tsvc svc;
    struct emt_tdb tdb;
    struct emt_caps caps;
    bool split;
    unsigned refills;
    struct page page[PAGES];
    unsigned pages;
} test;

static bool failed;

/* false, and says so with the address, when a thing is not as it must be. */
static bool expect(bool good, const char *what, uint64_t va, uint64_t got) {
    if (!good) {
        say("FAIL %s%s: %s, address %x: %x\n", test.arch ? test.arch->name : "registers",
            test.arch && !test.split ? " (whole)" : "", what, va, got);
        failed = true;
    }
    return good;
}

/* ---- registers ---- */

/* Does QEMU-EMT offer the registry's architecture under number n, by name and properties? */
static void check_cpuid(unsigned number, const struct emt_arch *arch) {
    uint32_t a, b, c, d, piece[4 * EMT_CPUID_NAMES];
    const struct emt_caps caps = emt_arch_caps(arch);

    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(EMT_CPUID_LEAF), "c"(number));
    expect((a & 0xff) == caps.va_bits, "CPUID: bits of virtual addresses", number, a);
    expect(b == (uint32_t)caps.page_sizes, "CPUID: page sizes", number, b);
    expect(c == EMT_ROOT_WORDS, "CPUID: root words", number, c);
    for (unsigned k = 0; k < EMT_CPUID_NAMES; k++) {
        uint32_t *p = &piece[4 * k];
        __asm__ volatile("cpuid"
                         : "=a"(p[0]), "=b"(p[1]), "=c"(p[2]), "=d"(p[3])
                         : "a"(EMT_CPUID_LEAF), "c"(number | (k + 1) << 16));
    }
    char *name = (char *)piece;
    name[sizeof(piece) - 1] = 0;
    unsigned i = 0;
    for (; arch->name[i] && arch->name[i] == name[i]; i++)
        ;
    expect(arch->name[i] == name[i], "CPUID: the name differs from its place", number, i);
}

static bool is_gp(struct fault f) {
    return f.vector == VECTOR_GP && f.code == 0;
}

/* What must raise #GP(0) and change nothing. */
static void check_registers(unsigned architectures) {
    static _Alignas(4096) uint64_t descriptor[512];
    const uint64_t pa = (uint64_t)descriptor - WINDOW, before = read_cr3();
    const struct emt_root root = {{0}};

    expect(is_gp(try_msr(EMT_MSR_CTL, architectures + 1)), "EMT_CTL takes a number that is none", 0, 0);
    expect(is_gp(try_msr(EMT_MSR_CTL, EMT_CTL_SPLIT << 1)), "EMT_CTL takes a reserved bit", 0, 0);
    expect(is_gp(try_msr(EMT_MSR_STATUS, 0)), "EMT_STATUS can be written", 0, 0);
    expect(is_gp(try_msr(EMT_MSR_RELOAD, 0)), "EMT_RELOAD without an architecture", 0, 0);
    write_msr(EMT_MSR_CTL, 1 | EMT_CTL_SPLIT);
    expect(read_msr(EMT_MSR_CTL) == (1 | EMT_CTL_SPLIT), "EMT_CTL", 0, read_msr(EMT_MSR_CTL));
    expect(read_msr(EMT_MSR_STATUS) == 0, "EMT_STATUS before MOV to CR3", 0, read_msr(EMT_MSR_STATUS));
    expect(is_gp(try_cr3(pa)), "MOV to CR3 takes what is no descriptor", 0, 0);
    emt_root_encode(descriptor, 2, 1, 0, &root);
    expect(is_gp(try_cr3(pa)), "MOV to CR3 takes another architecture's descriptor", 0, 0);
    expect(read_cr3() == before && read_msr(EMT_MSR_STATUS) == 0, "a refused MOV to CR3 changes something", 0, 0);
    write_msr(EMT_MSR_CTL, 0);
}

/* ---- mapping ---- */

static bool map(uint64_t va, uint64_t bytes, unsigned prot, uint64_t frame, struct page *out) {
    const uint64_t frames = bytes >> EMT_PAGE_SHIFT;
    struct emt_place place = {.kind = EMT_PLACE_ANY};
    struct emt_tobj o;

    if (frame == NO_FRAME && test.driver->place) {
        const struct emt_place_query q = {
            .va = va, .bytes = bytes, .asid = test.tdb.asid, .node = -1, .free_frames = frames_free};

        test.driver->place(&test.tdb, &q, &place);
        for (unsigned r = 0; r < place.runs && frame == NO_FRAME; r++)
            for (uint64_t i = 0; i + frames <= place.run[r].frames && frame == NO_FRAME; i += frames)
                frame = frame_take(place.run[r].pfn + i, emt_log2(frames));
    }
    if (frame == NO_FRAME && place.kind != EMT_PLACE_REQUIRE)
        frame = frame_take(NO_FRAME, emt_log2(frames));
    if (!expect(frame != NO_FRAME, "no frame", va, 0))
        return false;
    int err = test.driver->tobj_init(&test.svc, &o, va, frame, bytes, prot);
    if (!err)
        err = test.driver->tdb_update(&test.tdb, &o);
    *out = (struct page){va, frame << EMT_PAGE_SHIFT, bytes, prot & EMT_PROT_WRITE, prot & EMT_PROT_EXEC};
    return expect(!err, "tdb_update", va, (uint64_t)-err);
}

/* Different in each frame. */
static uint64_t pattern(uint64_t pa) {
    return pa * 0x9e3779b97f4a7c15ull;
}

static void fill(const struct page *p) {
    for (uint64_t i = 0; i < p->bytes; i += EMT_PAGE_BYTES) {
        *(uint64_t *)at(p->pa + i) = pattern(p->pa + i);
        *(uint64_t *)at(p->pa + i + 8) = RET;
    }
}

static bool map_pages(void) {
    test.pages = 0;
    for (unsigned i = 0; i < DENSE + SPARSE; i++) {
        const uint64_t va = i < DENSE
                                ? 0x0000010000000000ull + i * EMT_PAGE_BYTES
                                : (0x0000000000400000ull + (i - DENSE) * 0x000003a1b2c47000ull) & 0x7fffffffffff;
        const unsigned prot = (i % 3 ? EMT_PROT_WRITE : 0) | (i % 2 ? EMT_PROT_EXEC : 0);

        if (!map(va, EMT_PAGE_BYTES, prot, NO_FRAME, &test.page[test.pages]))
            return false;
        fill(&test.page[test.pages++]);
    }
    if (test.caps.page_sizes & HUGE) {
        if (!map(HUGE_VA, HUGE, EMT_PROT_WRITE, NO_FRAME, &test.page[test.pages]))
            return false;
        fill(&test.page[test.pages++]);
    }
    return true;
}

/* This program's own addresses. */
static bool map_window(void) {
    for (uint64_t pa = 0; pa < FRAMES << EMT_PAGE_SHIFT; pa += HUGE) {
        struct page p;

        if (!map(WINDOW + pa, HUGE, EMT_PROT_WRITE | EMT_PROT_EXEC | EMT_PROT_GLOBAL, pa >> EMT_PAGE_SHIFT, &p))
            return false;
    }
    return true;
}

/* ---- looking ---- */

/* Where hardware's tables are a cache of others, software makes it find what is there. */
static bool refilled(struct fault f, uint64_t va) {
    if (f.vector != VECTOR_PF || !test.driver->tdb_refill || test.driver->tdb_refill(&test.tdb, va))
        return false;
    test.refills++;
    return true;
}

static struct fault load(uint64_t va, uint64_t *value) {
    struct fault f = try_load(va, value);
    return refilled(f, va) ? try_load(va, value) : f;
}

static struct fault store(uint64_t va, uint64_t value) {
    struct fault f = try_store(va, value);
    return refilled(f, va) ? try_store(va, value) : f;
}

static bool is_pf(struct fault f, uint64_t va, uint64_t code) {
    return f.vector == VECTOR_PF && f.va == va && f.code == code;
}

static void check_void(uint64_t va) {
    uint64_t got = 0;

    expect(is_pf(load(va, &got), va, 0), "a load of nothing", va, got);
    expect(is_pf(store(va, 1), va, EMT_PF_WRITE), "a store to nothing", va, 0);
}

static void check_page(const struct page *p) {
    uint64_t got;

    for (uint64_t i = 0; i < p->bytes; i += 37 * EMT_PAGE_BYTES) {
        got = 0;
        if (!expect(!load(p->va + i, &got).vector, "a load faults", p->va + i, 0) ||
            !expect(got == pattern(p->pa + i), "a load reads another frame", p->va + i, got))
            return;
    }
    struct fault f = store(p->va + 16, p->va);
    if (p->write) {
        expect(!f.vector, "a store faults", p->va, f.code);
        got = *(uint64_t *)at(p->pa + 16);
        expect(got == p->va, "a store went elsewhere", p->va, got);
    } else {
        expect(is_pf(f, p->va + 16, EMT_PF_PRESENT | EMT_PF_WRITE), "a store to a read-only page", p->va, f.code);
    }
    f = try_call(p->va + 8);
    if (p->exec)
        expect(!f.vector, "a call faults", p->va, f.code);
    else
        expect(is_pf(f, p->va + 8, EMT_PF_PRESENT | EMT_PF_FETCH), "a call of a page without rights", p->va,
               f.code);
}

/* What the processor has left in the tables, by the driver's own reading. */
static void check_marks(const struct page *p) {
    struct emt_tobj o;

    if (!expect(test.driver->tdb_find(&test.tdb, p->va, &o) == 0, "tdb_find", p->va, 0))
        return;
    if (!test.caps.accessed_dirty || test.caps.ranges)
        return; /* hardware that uses a range sets no A and no D */
    expect(test.driver->tobj_get(&o, EMT_ATTR_ACCESSED), "A is not set", p->va, o.raw[0]);
    expect(test.driver->tobj_get(&o, EMT_ATTR_DIRTY) == p->write, "D", p->va, o.raw[0]);
}

static void remove(uint64_t va, uint64_t bytes) {
    const struct emt_flush f = {EMT_FLUSH_RANGE, &test.tdb, va, bytes, bytes, true};
    struct emt_tobj old;

    expect(test.driver->tdb_remove(&test.tdb, va, &old) == 0, "tdb_remove", va, 0);
    test.driver->tsvc_flush(&test.svc, &f);
}

/* Tables grow while the processor walks them: new roots go through EMT_RELOAD. */
static void grow(void) {
    struct page p;

    for (unsigned i = 0; i < GROWTH && !failed; i++)
        if (map(GROW_VA + i * EMT_PAGE_BYTES, EMT_PAGE_BYTES, EMT_PROT_WRITE, NO_FRAME, &p)) {
            uint64_t got = 0;

            fill(&p);
            load(p.va, &got);
            expect(got == pattern(p.pa), "while tables grow", p.va, got);
        }
    for (unsigned i = 0; i < test.pages; i++) {
        uint64_t got = 0;

        load(test.page[i].va, &got);
        expect(got == pattern(test.page[i].pa), "after tables have grown", test.page[i].va, got);
    }
}

/* ---- an architecture ---- */

static void switch_to(struct emt_tdb *tdb) {
    write_msr(EMT_MSR_CTL, tdb ? test.host.number | (test.split ? EMT_CTL_SPLIT : 0) : 0);
    if (tdb)
        test.driver->tsvc_switch(&test.svc, 0, tdb);
    else
        write_cr3((uint64_t)boot_pml4 - WINDOW);
    test.svc.current[0] = tdb;
    expect(read_msr(EMT_MSR_STATUS) == read_msr(EMT_MSR_CTL), "EMT_STATUS", 0, read_msr(EMT_MSR_STATUS));
}

static bool start(unsigned number, const struct emt_arch *arch, bool split) {
    host_reset(((uint64_t)image_end - WINDOW + EMT_PAGE_BYTES - 1) >> EMT_PAGE_SHIFT);
    test = (struct test){.arch = arch, .driver = arch->driver, .host = {.number = number}, .split = split};
    test.svc = (struct emt_tsvc){.arch = arch, .host = &test.host};
    test.tdb = (struct emt_tdb){.svc = &test.svc, .asid = 1};
    if (!expect(arch->driver->tsvc_init(&test.svc) == 0, "tsvc_init", 0, 0))
        return false;
    if (arch->driver->tsvc_boot)
        arch->driver->tsvc_boot(&test.svc);
    arch->driver->tsvc_caps(&test.svc, &test.caps);
    return expect(arch->driver->tdb_create(&test.tdb) == 0, "tdb_create", 0, 0) && map_pages() &&
           (split || map_window());
}

static void prove(unsigned number, const struct emt_arch *arch, bool split) {
    if (!start(number, arch, split))
        return;
    switch_to(&test.tdb);
    check_void(VOID_VA);
    for (unsigned i = 0; i < test.pages && !failed; i++)
        check_page(&test.page[i]);
    for (unsigned i = 0; i < test.pages && !failed; i++)
        check_marks(&test.page[i]);
    if (!failed)
        grow();
    for (unsigned i = 0; i < test.pages && !failed; i += 2) {
        remove(test.page[i].va, test.page[i].bytes);
        check_void(test.page[i].va);
    }
    for (unsigned i = 1; i < test.pages && !failed; i += 2) {
        uint64_t got = 0;

        load(test.page[i].va, &got);
        expect(got == pattern(test.page[i].pa), "beside removed pages", test.page[i].va, got);
    }
    switch_to(NULL);
    if (!failed)
        say("ok %s%s: %u pages, %u refills, %u reloads\n", arch->name, split ? "" : " (whole)", test.pages + GROWTH,
            test.refills, test.host.reloads);
}

/* Map, and wait for somebody to look by monitor and debugger. */
static void wait_in(unsigned number, const struct emt_arch *arch) {
    if (!start(number, arch, true))
        return;
    switch_to(&test.tdb);
    for (unsigned i = 0; i < test.pages; i++) {
        const struct page *p = &test.page[i];
        uint64_t got;

        load(p->va, &got);
        if (p->write)
            store(p->va + 16, 1);
        say("page %x %x %x %s %s %x\n", p->va, p->pa, p->bytes, p->write ? "w" : "-", p->exec ? "x" : "-", got);
    }
    say("ready\n");
    for (;;)
        __asm__ volatile("hlt");
}

/* "stop=NAME" in the loader's command line (multiboot: at offset 16 of its information), or NULL. */
static const char *command_line(void) {
    const uint32_t *info = at(multiboot_info);
    const char *text = info[0] & 4 ? at(info[4]) : "";

    for (; *text; text++)
        if (memcmp(text, "stop=", 5) == 0)
            return text + 5;
    return NULL;
}

void metal_main(void) {
    const char *stop = command_line();
    uint32_t magic, n, version, zero;
    unsigned known;
    const struct emt_arch *const *all = emt_arch_all(&known);

    init_exceptions();
    __asm__ volatile("cpuid" : "=a"(magic), "=b"(n), "=c"(version), "=d"(zero) : "a"(EMT_CPUID_LEAF), "c"(0));
    expect(magic == EMT_CPUID_MAGIC && version == EMT_CPUID_VERSION && !zero, "CPUID: no EMT", 0, magic);
    expect(n == known, "CPUID: another number of architectures", 0, n);
    for (unsigned i = 0; i < known && !failed; i++)
        check_cpuid(i + 1, all[i]);
    if (!failed)
        check_registers(n);
    for (unsigned i = 0; i < known && !failed; i++) {
        const struct emt_caps caps = emt_arch_caps(all[i]);

        if (stop) {
            if (strcmp(stop, all[i]->name) == 0)
                wait_in(i + 1, all[i]);
            continue;
        }
        prove(i + 1, all[i], true);
        if ((caps.page_sizes & HUGE) && !all[i]->driver->tdb_refill && !failed)
            prove(i + 1, all[i], false);
    }
    for (;;)
        out8(0x501, failed || stop);
}
