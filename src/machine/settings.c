/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table of settings. Each row is a setting's whole truth: the YAML reader, --set, `emt list settings`, shell
 * completion and docs/machine-files.md are made from it. The source column tells where a default comes from.
 */
#include "machine/settings.h"
#include "machine/settings_private.h"

_Static_assert(sizeof(enum cfg_replacement) == 4 && sizeof(enum cfg_thp) == 4 &&
                   sizeof(enum cfg_mmu_cache_kind) == 4 && sizeof(enum cfg_predictor) == 4 &&
                   sizeof(enum cfg_placement) == 4 && sizeof(enum cfg_reclaim) == 4 &&
                   sizeof(enum cfg_device) == 4 && sizeof(enum cfg_readahead) == 4 &&
                   sizeof(enum cfg_virt_mode) == 4 && sizeof(enum cfg_parallel_reads) == 4,
               "enums are stored as 32 bits");

static const struct setting_word replacements[] = {
    {"lru", CFG_LRU}, {"plru", CFG_PLRU}, {"random", CFG_RANDOM}, {0}};
static const struct setting_word pages[] = {{"4K", CFG_PAGE_4K}, {"2M", CFG_PAGE_2M}, {"1G", CFG_PAGE_1G}, {0}};
static const struct setting_word holds[] = {{"data", CFG_TLB_DATA}, {"instruction", CFG_TLB_INSTRUCTION}, {0}};
static const struct setting_word parallel_reads[] = {{"slowest", CFG_SLOWEST}, {"answer", CFG_ANSWER}, {0}};
static const struct setting_word mmu_cache_kinds[] = {
    {"psc", CFG_PSC}, {"pwc", CFG_PWC}, {"utc", CFG_UTC}, {"none", CFG_NO_MMU_CACHES}, {0}};
static const struct setting_word predictors[] = {{"none", CFG_NO_PREDICTOR}, {"spot", CFG_SPOT}, {0}};
static const struct setting_word virt_modes[] = {
    {"none", CFG_NATIVE}, {"nested", CFG_NESTED}, {"shadow", CFG_SHADOW}, {0}};
static const struct setting_word thps[] = {
    {"never", CFG_THP_NEVER}, {"madvise", CFG_THP_MADVISE}, {"always", CFG_THP_ALWAYS}, {0}};

static const struct setting_word placements[] = {{"default", CFG_PLACEMENT_DEFAULT},
                                                 {"ca", CFG_PLACEMENT_CA},
                                                 {"eager", CFG_PLACEMENT_EAGER},
                                                 {"ranger", CFG_PLACEMENT_RANGER},
                                                 {0}};
static const struct setting_word policies[] = {
    {"none", CFG_RECLAIM_NONE},       {"auto", CFG_RECLAIM_AUTO},
    {"lru", CFG_RECLAIM_LRU},         {"generations", CFG_RECLAIM_GENERATIONS},
    {"horizon", CFG_RECLAIM_HORIZON}, {0}};
static const struct setting_word devices[] = {{"hdd", CFG_DEVICE_HDD},       {"ssd", CFG_DEVICE_SSD},
                                              {"optane", CFG_DEVICE_OPTANE}, {"cxl", CFG_DEVICE_CXL},
                                              {"ram", CFG_DEVICE_RAM},       {0}};
static const struct setting_word readaheads[] = {
    {"auto", CFG_READAHEAD_AUTO}, {"cluster", CFG_READAHEAD_CLUSTER}, {"vma", CFG_READAHEAD_VMA}, {0}};

#define AT(field)        offsetof(struct emt_config, field)
#define TLB(field)       offsetof(struct cfg_tlb, field)
#define MMU_CACHE(field) offsetof(struct cfg_mmu_cache, field)
#define ASSUMED          "assumed"
#define LINUX            "Linux 6.1"
#define DMT              "DMT, ASPLOS'24"
#define NESTED           "nested radix of nested ECPT, ASPLOS'22"
#define EMT              "EMT's artifact, OSDI'25"
#define SPOT             "SpOT, ISCA'20, as Virtuoso quotes it"

/* path, type, unit, min, max, default, its source, meaning, offset, words */
#define BOOL(path, fallback, source, meaning, at)                                                                  \
    { path, SETTING_BOOL, "", "", "", fallback, source, meaning, at, NULL }
#define U32(path, unit, min, max, fallback, source, meaning, at)                                                   \
    { path, SETTING_U32, unit, min, max, fallback, source, meaning, at, NULL }
#define U64(path, unit, min, max, fallback, source, meaning, at)                                                   \
    { path, SETTING_U64, unit, min, max, fallback, source, meaning, at, NULL }
#define BYTES(path, min, max, fallback, source, meaning, at)                                                       \
    { path, SETTING_BYTES, "", min, max, fallback, source, meaning, at, NULL }
#define NUMBER(path, unit, min, max, fallback, source, meaning, at)                                                \
    { path, SETTING_NUMBER, unit, min, max, fallback, source, meaning, at, NULL }
#define WORD(path, fallback, source, meaning, at, words)                                                           \
    { path, SETTING_ENUM, "", "", "", fallback, source, meaning, at, words }
#define SET(path, fallback, source, meaning, at, words)                                                            \
    { path, SETTING_SET, "", "", "", fallback, source, meaning, at, words }

#define MAX_U64 "18446744073709551615"

/* The three data caches have the same six rows. */
#define CACHE(path, field, cycles, shared_by_default, what)                                                        \
    BYTES(path ".bytes", "0", "16G", "0", "", "size of the " what " of a core, or of all when shared; 0: absent",  \
          AT(field.bytes)),                                                                                        \
        U32(path ".ways", "ways", "1", "1024", "8", ASSUMED, "associativity", AT(field.ways)),                     \
        U32(path ".line_bytes", "bytes", "16", "1024", "64", "", "line size; the same in all data caches",         \
            AT(field.line_bytes)),                                                                                 \
        U32(path ".hit_cycles", "cycles", "0", "100000", cycles, DMT, "round trip of a hit",                       \
            AT(field.hit_cycles)),                                                                                 \
        WORD(path ".replacement", "lru", ASSUMED, "who is evicted", AT(field.replacement), replacements),          \
        BOOL(path ".shared", shared_by_default, "", "one for all cores", AT(field.shared))

/* Swap and files have a device each. */
#define DEVICE(path, field, preset, what)                                                                          \
    WORD(path ".device", preset, ASSUMED, what ": its latency and bandwidth", AT(field.device), devices),          \
        U32(path ".read_ns", "ns", "0", "4000000000", "0", "", "latency of a read; 0: the device's",               \
            AT(field.read_ns)),                                                                                    \
        U32(path ".write_ns", "ns", "0", "4000000000", "0", "", "latency of a write; 0: the device's",             \
            AT(field.write_ns)),                                                                                   \
        U32(path ".seek_ns", "ns", "0", "4000000000", "0", "",                                                     \
            "of a request elsewhere than the last; 0: the device's", AT(field.seek_ns)),                           \
        U32(path ".read_mb_s", "MB/s", "0", "4000000000", "0", "", "bandwidth of reads; 0: the device's",          \
            AT(field.read_mb_s)),                                                                                  \
        U32(path ".write_mb_s", "MB/s", "0", "4000000000", "0", "", "bandwidth of writes; 0: the device's",        \
            AT(field.write_mb_s)),                                                                                 \
        NUMBER(path ".error_rate", "", "0", "1", "0", "", "share of requests that fail, by `seed`",                \
               AT(field.error_rate))

/* clang-format off */
const struct setting setting_table[] = {
    {"mmu.name", SETTING_NAME, "", "", "", "radix4", "", "the architecture (`emt list mmus`); --mmu sets it", AT(mmu), NULL},
    BOOL("mmu.basic_only", "false", "", "run the MMU driver with its basic functions alone", AT(basic_only)),
    BOOL("mmu.software_tlb", "false", "", "a TLB miss traps and software walks the tables; there are no MMU caches", AT(software_tlb)),
    U32("mmu.software_tlb_cycles", "cycles", "0", "1000000", "50", ASSUMED, "entry and return of that trap", AT(software_tlb_cycles)),
    U32("mmu.software_tlb_instructions", "instructions", "0", "1000000", "6", ASSUMED ": 10 with one read, a short MIPS handler", "of the handler for each miss", AT(software_tlb_instructions)),
    U32("mmu.software_tlb_ref_instructions", "instructions", "0", "1000000", "4", ASSUMED ": find, load, test, branch", "of the handler for each access to a table", AT(software_tlb_ref_instructions)),
    WORD("mmu.parallel_reads", "slowest", "", "which one of reads made together a walk waits for: the slowest, or the one with the answer", AT(parallel_reads), parallel_reads),
    U32("mmu.range_tlb.entries", "entries", "0", "65536", "32", "RMM, ISCA'15", "fully associative, asked with level 2; of architectures with ranges (rmm, anchor); 0: none", AT(range_tlb_entries)),
    U32("mmu.range_tlb.ways", "ways", "0", "65536", "0", "RMM, ISCA'15", "associativity, where ranges lie in blocks that can choose sets (anchor); 0: full", AT(range_tlb_ways)),
    U32("mmu.range_tlb.hit_cycles", "cycles", "0", "10000", "7", "RMM, ISCA'15; 8 in HTC, ISCA'17", "added to an access that hits there", AT(range_tlb_cycles)),
    WORD("mmu.predictor", "none", "", "guesses translations that no TLB has: spot (CA paging and SpOT, ISCA'20)", AT(predictor), predictors),
    U32("mmu.spot.entries", "entries", "1", "1048576", "32", SPOT, "of SpOT's table, which is asked by the PC of a load or store", AT(spot.entries)),
    U32("mmu.spot.ways", "ways", "0", "1048576", "4", SPOT, "associativity; 0: full", AT(spot.ways)),
    U32("mmu.spot.max", "", "1", "255", "3", SPOT ": 2 bits", "highest confidence of an entry", AT(spot.max)),
    U32("mmu.spot.initial", "", "0", "255", "1", SPOT, "confidence of a new entry", AT(spot.initial)),
    U32("mmu.spot.predict", "", "1", "255", "2", SPOT, "least confidence that makes a guess", AT(spot.predict)),
    U32("mmu.spot.flush_cycles", "cycles", "0", "100000", "20", ASSUMED ": as a mispredicted branch; Skylake 15 to 20 (Agner Fog)", "pipeline flush of a wrong guess, beyond its walk", AT(spot.flush_cycles)),
    BOOL("mmu.spot.contiguous_only", "true", SPOT, "learn only from pages whose contiguity bit is set", AT(spot.contiguous_only)),

    U32("core.count", "cores", "1", "64", "1", "", "cores; each has its own MMU", AT(core.count)),
    U32("core.frequency_mhz", "MHz", "1", "100000", "2000", "Xeon Gold 6138, base clock: DMT, ASPLOS'24", "clock, to give seconds for cycles", AT(core.frequency_mhz)),
    NUMBER("core.base_cpi", "cycles per instruction", "0.01", "100", "0.5", EMT, "with no miss at all", AT(core.base_cpi)),
    U32("core.rob_instructions", "instructions", "0", "65536", "224", ASSUMED, "data misses this close to an earlier one overlap with it", AT(core.rob_instructions)),
    NUMBER("core.data_overlap", "", "0", "1", "0.7", ASSUMED, "share of a data miss in another one's shadow that is hidden", AT(core.data_overlap)),
    NUMBER("core.data_hidden", "", "0", "1", "0.2", ASSUMED, "share of each isolated data miss that out-of-order work hides", AT(core.data_hidden)),
    NUMBER("core.walk_hidden", "", "0", "1", "0.2", ASSUMED, "share of each page walk that out-of-order work hides", AT(core.walk_hidden)),
    U32("core.fault_cycles", "cycles", "0", "1000000", "710", "440 in + 270 out, Xeon E5 v3: lastweek.io/notes/xperf", "entry and return of an exception", AT(core.fault_cycles)),
    U32("core.ipi_cycles", "cycles", "0", "10000000", "4000", ASSUMED ": 2 us; Amit, ATC'17: \"microseconds\"", "initiator's wait for one shootdown by all targets", AT(core.ipi_cycles)),
    U32("core.ipi_target_cycles", "cycles", "0", "10000000", "1000", ASSUMED, "what each target of a shootdown loses", AT(core.ipi_target_cycles)),
    U32("core.invlpg_cycles", "cycles", "0", "1000000", "200", ASSUMED ": 100 ns, as Linux's authors assumed in 2012", "one single-address invalidation", AT(core.invlpg_cycles)),
    U32("core.switch_cycles", "cycles", "0", "1000000", "200", ASSUMED, "load of the root register", AT(core.switch_cycles)),

    U32("tlb.*.level", "", "1", "2", "1", "", "all TLBs of a level are looked up in parallel", TLB(level)),
    SET("tlb.*.holds", "data", "", "which accesses use it", TLB(holds), holds),
    SET("tlb.*.pages", "4K", "", "page sizes it holds", TLB(pages), pages),
    U32("tlb.*.entries", "entries", "1", "1048576", "", "", "number of entries; has no default, must be given", TLB(entries)),
    U32("tlb.*.ways", "ways", "0", "1048576", "0", "", "associativity; 0: full", TLB(ways)),
    WORD("tlb.*.replacement", "lru", "", "who is evicted", TLB(replacement), replacements),
    U32("tlb.*.hit_cycles", "cycles", "0", "10000", "0", "", "added to an access that hits here and in no level above", TLB(hit_cycles)),
    BOOL("tlb.*.shared", "false", "", "one for all cores (level 2 only)", TLB(shared)),
    U32("tlb.*.coalesce", "pages", "1", "8", "1", "", "neighbours of 4K that one entry may hold, contiguous in memory too (CoLT-SA, MICRO'12): 1, 2, 4 or 8", TLB(coalesce)),
    BOOL("tlb.*.mosaic", "true", "Mosaic, ASPLOS'23", "with an architecture of mosaic pages, an entry is one of them; false: one page", TLB(mosaic)),
    BOOL("tlb.*.inclusive", "false", "", "an eviction drops the entry from level 1 too (level 2 only)", TLB(inclusive)),

    U32("mmu_caches.hit_cycles", "cycles", "0", "10000", "1", EMT, "one parallel lookup of all of them; with pwc, one of a level", AT(mmu_cache_cycles)),
    WORD("mmu_caches.kind", "psc", "Intel", "of upper levels: psc Intel's, pwc AMD's, utc one structure for all levels, or none", AT(mmu_cache_kind), mmu_cache_kinds),
    U32("mmu_caches.*.entries", "entries", "0", "1048576", "0", "", "0: absent; names are the architecture's, or pwc, utc; others are ignored", MMU_CACHE(entries)),
    U32("mmu_caches.*.ways", "ways", "0", "1048576", "0", "", "associativity; 0: full", MMU_CACHE(ways)),
    WORD("mmu_caches.*.replacement", "lru", "", "who is evicted", MMU_CACHE(replacement), replacements),

    BOOL("caches.enabled", "false", "", "simulate data caches; without, data cost nothing and walks flat_ref_cycles", AT(caches_enabled)),
    U32("caches.walk_level", "", "1", "2", "2", EMT, "cache level where the walker's reads enter", AT(walk_level)),
    U32("caches.flat_ref_cycles", "cycles", "0", "1000000", "50", ASSUMED, "one read of a walk without data caches", AT(flat_ref_cycles)),
    CACHE("caches.l1d", l1d, "4", "false", "first level"),
    CACHE("caches.l2", l2, "14", "false", "second level"),
    CACHE("caches.llc", llc, "54", "true", "last level"),

    BYTES("memory.bytes", "16M", "64T", "64G", "", "physical memory of all nodes together", AT(memory.bytes)),
    NUMBER("memory.ratio", "", "0", "1000", "0", "", "memory.bytes as a multiple of the data of a --workload, in whole 4 MiB, at least 16 MiB; 0: as memory.bytes says", AT(memory.ratio)),
    U32("memory.nodes", "nodes", "1", "8", "1", "", "NUMA nodes of equal size; core c is on node c * nodes / cores", AT(memory.nodes)),
    U32("memory.local_cycles", "cycles", "0", "1000000", "200", DMT, "memory of the core's own node, on top of the last level's lookup", AT(memory.local_cycles)),
    U32("memory.remote_cycles", "cycles", "0", "1000000", "300", ASSUMED ": 1.5 x local; Intel MLC on E7-4800: 1.47", "memory of another node", AT(memory.remote_cycles)),
    NUMBER("memory.fragmented", "", "0", "1", "0", "", "unusable free space index at 2 MiB made beforehand", AT(memory.fragmented)),
    BYTES("memory.fragment_bytes", "2M", "1T", "2M", "", "fragmentation comes in aligned pieces of this size: between them free memory stays whole", AT(memory.fragment_bytes)),
    NUMBER("memory.occupied", "", "0", "1", "0.5", ASSUMED, "share of memory the fragmentation may take away", AT(memory.occupied)),
    NUMBER("memory.unmovable", "", "0", "1", "0.015625", ASSUMED, "share kept free of mosaic pages, for page tables and what else cannot move; other architectures do not ask", AT(memory.unmovable)),
    U64("memory.seed", "", "0", MAX_U64, "1", "", "seed of the fragmentation", AT(memory.seed)),

    WORD("os.thp.enabled", "always", "Debian 12's kernel", "transparent huge pages: never, on madvise(), or always", AT(os.thp), thps),
    BOOL("os.thp.fault", "true", LINUX, "make them on a page fault", AT(os.thp_on_fault)),
    BOOL("os.thp.khugepaged", "true", LINUX, "make them by a background scan", AT(os.khugepaged)),
    U64("os.thp.scan_every_instructions", "instructions", "1", MAX_U64, "100000000", ASSUMED ": Linux waits 10 s; scaled to short runs", "pause between scans", AT(os.scan_every_instructions)),
    U32("os.thp.scan_pages", "pages", "1", "4294967295", "4096", LINUX, "4 KiB pages looked at in one scan", AT(os.scan_pages)),
    U32("os.thp.max_ptes_none", "pages", "0", "511", "511", LINUX, "unmapped pages a collapse may fill", AT(os.max_ptes_none)),
    BOOL("os.zero_page", "true", LINUX, "read faults map one shared page of zeros", AT(os.zero_page)),
    U32("os.fault_around_pages", "pages", "1", "512", "16", LINUX ": 64 KiB", "page-cache pages mapped by one file fault", AT(os.fault_around_pages)),
    BOOL("os.asids", "true", LINUX, "tag TLB entries by process (PCID)", AT(os.asids)),
    U32("os.flush_ceiling", "pages", "0", "4294967295", "33", LINUX, "more pages than this: flush the whole address space", AT(os.flush_ceiling)),
    BYTES("os.stack_bytes", "4K", "1T", "8M", LINUX, "how far a stack may grow", AT(os.stack_bytes)),
    WORD("os.placement", "default", LINUX, "which frames: the buddy allocator's, ca (ISCA'20), eager (RMM), or ranger (ISCA'19)", AT(os.placement), placements),
    U32("os.contig_pages", "pages", "0", "4294967295", "32", "Virtuoso's model of SpOT, quoting ISCA'20", "runs of so many mark their entries as contiguous under a placement policy; 0: never", AT(os.contig_pages)),
    U32("os.ca.split_order", "", "0", "10", "10", "ours; the artifact of ISCA'20 has 9", "largest free block that a 4 KiB page may take its target frame from", AT(os.ca_split_order)),
    U32("os.ca.replace_order", "", "0", "10", "9", "artifact of ISCA'20", "smallest fault, log2 of its 4 KiB frames, that places the rest of its VMA anew when its target is busy", AT(os.ca_replace_order)),
    U32("os.eager.max_order", "", "0", "24", "12", "Virtuoso's model of RMM", "largest block that eager paging asks for, log2 of its 4 KiB frames", AT(os.eager_max_order)),
    U64("os.ranger.every_instructions", "instructions", "1", MAX_U64, "50000000", ASSUMED ": 5 s, scaled as os.thp.scan_every_instructions", "pause of translation ranger's daemon", AT(os.ranger_every_instructions)),
    U32("os.ranger.pages", "pages", "1", "4294967295", "262144", ASSUMED, "entries that it looks at in one waking", AT(os.ranger_pages)),
    U64("os.contiguity_every", "accesses", "0", MAX_U64, "0", "", "look at contiguity after so many loads and stores, again and again; 0: at the end only", AT(os.contiguity_every)),
    WORD("os.reclaim.policy", "auto", LINUX, "who leaves when memory is short: lru active and inactive lists, generations MGLRU, horizon for restricted frames (ASPLOS'23), auto horizon or lru, none", AT(os.reclaim.policy), policies),
    U32("os.reclaim.swappiness", "", "0", "200", "60", LINUX, "how gladly private memory goes rather than file pages; 0: only when it must", AT(os.reclaim.swappiness)),
    BYTES("os.reclaim.min_free_bytes", "0", "1T", "0", LINUX ": 4 x square root of the KiB of memory", "free memory below which a fault reclaims; 0: Linux's formula", AT(os.reclaim.min_free_bytes)),
    U32("os.reclaim.watermark_scale", "1/10000", "1", "1000", "10", LINUX, "of memory: between the watermarks of kswapd", AT(os.reclaim.watermark_scale)),
    U64("os.reclaim.scan_every_instructions", "instructions", "1", MAX_U64, "10000000", ASSUMED ": Mosaic's daemon waits 1 s; scaled to short runs", "horizon: pause between scans of accessed bits", AT(os.reclaim.scan_every_instructions)),
    BYTES("os.swap.bytes", "0", "8T", "0", "", "size of the swap device; 0: none, private memory stays", AT(os.swap.bytes)),
    DEVICE("os.swap", os.swap.timing, "ssd", "what swap is on"),
    WORD("os.swap.readahead", "auto", LINUX, "reading ahead: cluster of neighbouring slots, vma neighbouring addresses, auto: cluster where seeks cost", AT(os.swap.readahead), readaheads),
    U32("os.swap.readahead_pages", "pages", "0", "64", "8", LINUX ": page-cluster 3", "window of reading ahead; 0: none; none on cxl and ram", AT(os.swap.readahead_pages)),
    DEVICE("os.file", os.file.timing, "ssd", "what files are on"),
    BOOL("os.file.cold", "false", "", "the first read of a file's page takes time; without, only that of a page reclaimed before", AT(os.file.cold)),
    BYTES("os.limit.bytes", "0", "64T", "0", "", "memory that os.limit.process and its children may use, tables not included; 0: no limit", AT(os.limit_bytes)),
    U32("os.limit.process", "", "1", "4294967295", "1", "", "the process with the limit; 1 is the first", AT(os.limit_process)),
    NUMBER("os.cpi", "cycles per instruction", "0.01", "100", "1", ASSUMED, "of OS instructions, without stalls for tables", AT(os.cpi)),
    U32("os.cost.*", "instructions", "0", "1000000000", "", "", "one OS routine, table accesses not included", AT(os.cost)),

    WORD("virt.mode", "none", "", "a hypervisor below the OS: none, nested (two-dimensional walks) or shadow (shadow tables)", AT(virt.mode), virt_modes),
    U32("virt.exit_cycles", "cycles", "0", "10000000", "3760", "hypercall in KVM, 1.88 us at 2 GHz: DMT, ASPLOS'24", "a VM exit, its handling and the entry; what host and shadow tables take comes on top", AT(virt.exit_cycles)),
    U32("virt.nested_tlb.entries", "entries", "0", "1048576", "24", NESTED, "TLB of guest-physical addresses; 0: absent", AT(virt.nested_tlb_entries)),
    U32("virt.nested_tlb.ways", "ways", "0", "1048576", "0", NESTED, "associativity; 0: full", AT(virt.nested_tlb_ways)),
    U32("virt.nested_tlb.hit_cycles", "cycles", "0", "10000", "4", NESTED, "a hit in it", AT(virt.nested_tlb_cycles)),
    U32("virt.shadow.fill_instructions", "instructions", "0", "1000000", "500", ASSUMED ": as a fault and page_add of the OS", "the hypervisor makes one shadow entry", AT(virt.fill_instructions)),
    U32("virt.shadow.sync_instructions", "instructions", "0", "1000000", "30", ASSUMED ": as os.cost.scan_page", "it compares one shadow entry with the guest's", AT(virt.sync_instructions)),
    U32("virt.shadow.emulate_instructions", "instructions", "0", "1000000", "1000", ASSUMED ": decode, check, write", "it emulates a write to a protected table", AT(virt.emulate_instructions)),
    BYTES("virt.balloon.bytes", "0", "64T", "0", "", "memory that the guest gives back and gets again each time; 0: none", AT(virt.balloon_bytes)),
    U64("virt.balloon.every_instructions", "instructions", "1", MAX_U64, "10000000", ASSUMED, "pause between two times", AT(virt.balloon_every_instructions)),

    BOOL("check.translations", "false", "", "compare what TLBs return with what the tables say", AT(check_translations)),
    U64("seed", "", "0", MAX_U64, "1", "", "seed of random replacement", AT(seed)),
};
/* clang-format on */
const unsigned setting_count = sizeof setting_table / sizeof *setting_table;
