/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A machine's description, as read from machines/NAME.yaml and changed by --set. One table (settings.c) names each
 * field with its path, type, unit, range and meaning; this is where the values land. Plain data: copied freely.
 */
#ifndef EMT_MACHINE_CONFIG_H
#define EMT_MACHINE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define CFG_NAME       32
#define CFG_TLBS       12
#define CFG_MMU_CACHES 12
#define CFG_NODES      8
#define CFG_MAX_CORES  64

enum cfg_replacement { CFG_LRU, CFG_PLRU, CFG_RANDOM };

/* mmu.parallel_reads: of reads that a walker makes together, which one the walk waits for */
enum cfg_parallel_reads { CFG_SLOWEST, CFG_ANSWER };

/* mmu_caches.kind; the rules of each are in hw/mmu_caches.c */
enum cfg_mmu_cache_kind { CFG_PSC, CFG_PWC, CFG_UTC, CFG_NO_MMU_CACHES };

/* virt.mode */
enum cfg_virt_mode { CFG_NATIVE, CFG_NESTED, CFG_SHADOW };

/* The two sides of a virtual machine; CFG_SIDE_TEXT: room for the settings of one that are its own. */
enum cfg_side { CFG_GUEST, CFG_HOST, CFG_SIDES };
#define CFG_SIDE_TEXT 1024

/* Page sizes a TLB holds, as a mask. */
#define CFG_PAGE_4K 1u
#define CFG_PAGE_2M 2u
#define CFG_PAGE_1G 4u

#define CFG_TLB_DATA        1u
#define CFG_TLB_INSTRUCTION 2u

/* tlb.NAME.* : all TLBs of one level are looked up in parallel. */
struct cfg_tlb {
    char name[CFG_NAME];
    uint32_t level; /* 1 or 2 */
    uint32_t holds; /* CFG_TLB_ mask: which accesses use it */
    uint32_t pages; /* CFG_PAGE_ mask */
    uint32_t entries;
    uint32_t ways; /* 0: fully associative */
    enum cfg_replacement replacement;
    uint32_t hit_cycles; /* added to an access that hits here and in no level above */
    bool shared;         /* one for all cores (level 2 only) */
    uint32_t coalesce;   /* pages of 4 KiB that an entry may hold: 1, 2, 4 or 8 */
    bool mosaic;         /* with an architecture of mosaic pages, an entry is one of them */
    bool inclusive;      /* evicting an entry here drops it from level 1 too (level 2 only) */
};

/* mmu_caches.NAME.* : sizes for the caches an architecture brings; a name it does not bring is ignored. */
struct cfg_mmu_cache {
    char name[CFG_NAME];
    uint32_t entries; /* 0: absent */
    uint32_t ways;    /* 0: fully associative */
    enum cfg_replacement replacement;
};

/* caches.l1d, .l2, .llc; hit_cycles is the round trip. bytes 0: absent */
struct cfg_cache {
    uint64_t bytes;
    uint32_t ways, line_bytes;
    uint32_t hit_cycles;
    enum cfg_replacement replacement;
    bool shared; /* between cores */
};

/* mmu.predictor: who guesses a translation that no TLB has. hw/spot.h */
enum cfg_predictor { CFG_NO_PREDICTOR, CFG_SPOT };

/* mmu.spot.* */
struct cfg_spot {
    uint32_t entries, ways;         /* ways 0: fully associative */
    uint32_t max, initial, predict; /* confidence: its highest value, that of a new entry, the least that guesses */
    uint32_t flush_cycles;          /* of a wrong guess, beyond the walk */
    bool contiguous_only;           /* fill from pages that are marked contiguous */
};

/* os.placement: os/placement.h */
enum cfg_placement { CFG_PLACEMENT_DEFAULT, CFG_PLACEMENT_CA, CFG_PLACEMENT_EAGER, CFG_PLACEMENT_RANGER };

enum cfg_thp { CFG_THP_NEVER, CFG_THP_MADVISE, CFG_THP_ALWAYS };

/* os.reclaim.policy; auto: horizon where an architecture restricts frames, else lru */
enum cfg_reclaim {
    CFG_RECLAIM_NONE,
    CFG_RECLAIM_AUTO,
    CFG_RECLAIM_LRU,
    CFG_RECLAIM_GENERATIONS,
    CFG_RECLAIM_HORIZON
};

/* os.swap.device, os.file.device: presets, in os/device.c */
enum cfg_device { CFG_DEVICE_HDD, CFG_DEVICE_SSD, CFG_DEVICE_OPTANE, CFG_DEVICE_CXL, CFG_DEVICE_RAM };

enum cfg_readahead { CFG_READAHEAD_AUTO, CFG_READAHEAD_CLUSTER, CFG_READAHEAD_VMA };

/* os.swap.*, os.file.*: a block device; 0: as its preset says */
struct cfg_device_timing {
    enum cfg_device device;
    uint32_t read_ns, write_ns; /* latency of a request, its transfer not included; requests overlap in it */
    uint32_t seek_ns;           /* of a request that does not follow on the last one; nothing overlaps with it */
    uint32_t read_mb_s, write_mb_s;
    double error_rate; /* 0..1: of requests that fail */
};

/* os.cost.NAME: instructions of one OS routine, table accesses not included. The list is in os/costs.h. */
#define CFG_COSTS 48

struct emt_config {
    char name[CFG_NAME];
    char about[256];
    /* Provenance for people, a line each: where the figures come from; and the paths of settings whose value nobody
       published. A value given in a file or by --set is no longer assumed unless the file says so. */
    char sources[1024];
    char assumed[2048];

    char mmu[CFG_NAME]; /* architecture; --mmu */
    bool basic_only;    /* mmu.basic_only */

    /* mmu.software_tlb: a miss traps, and software walks. Cycles of the trap; instructions of its handler for each
       miss and for each read or write of a table. */
    bool software_tlb;
    uint32_t software_tlb_cycles, software_tlb_instructions, software_tlb_ref_instructions;

    enum cfg_parallel_reads parallel_reads; /* mmu.parallel_reads */

    uint32_t range_tlb_entries, range_tlb_ways,
        range_tlb_cycles;         /* mmu.range_tlb.*; of architectures that have ranges */
    enum cfg_predictor predictor; /* mmu.predictor */
    struct cfg_spot spot;

    struct {
        uint32_t count;
        uint32_t frequency_mhz;
        double base_cpi;            /* cycles per instruction with no miss at all */
        uint32_t rob_instructions;  /* data misses this close to an earlier one overlap with it */
        double data_overlap;        /* 0..1: how much of a miss in another one's shadow is hidden */
        double data_hidden;         /* 0..1: part of each isolated miss hidden by out-of-order work */
        double walk_hidden;         /* 0..1: part of each walk hidden likewise */
        uint32_t fault_cycles;      /* exception entry and return, the pipeline included */
        uint32_t ipi_cycles;        /* initiator's wait for one shootdown, all targets acknowledged */
        uint32_t ipi_target_cycles; /* what each target loses */
        uint32_t invlpg_cycles;     /* one single-address invalidation */
        uint32_t switch_cycles;     /* load of the root register */
    } core;

    struct cfg_tlb tlb[CFG_TLBS];
    uint32_t ntlb;

    struct cfg_mmu_cache mmu_cache[CFG_MMU_CACHES];
    uint32_t nmmu_cache;
    uint32_t mmu_cache_cycles; /* mmu_caches.hit_cycles: one parallel lookup of all; with CFG_PWC, one of a level */
    enum cfg_mmu_cache_kind mmu_cache_kind;

    bool caches_enabled; /* caches.enabled */
    struct cfg_cache l1d, l2, llc;
    uint32_t walk_level;      /* caches.walk_level: walker's reads enter here: 1 or 2 */
    uint32_t flat_ref_cycles; /* caches.flat_ref_cycles: one walk reference without data caches */

    struct {
        uint64_t bytes;        /* memory.bytes, all nodes together */
        double ratio;          /* memory.ratio: of a workload's footprint; 0: memory.bytes */
        uint32_t nodes;        /* NUMA nodes of equal size; core c belongs to node c * nodes / count */
        uint32_t local_cycles; /* on top of the LLC's lookup */
        uint32_t remote_cycles;
        double unmovable;  /* memory.unmovable 0..1: share kept for what cannot move, where frames are restricted */
        double fragmented; /* memory.fragmented 0..1: unusable free space index at order 9 made beforehand */
        uint64_t fragment_bytes; /* memory.fragment_bytes: ... in aligned pieces of so many bytes */
        double occupied;         /* memory.occupied 0..1: share of memory the fragmentation takes away, at most */
        uint64_t seed;
    } memory;

    struct {
        enum cfg_thp thp;                   /* os.thp.enabled */
        bool thp_on_fault;                  /* os.thp.fault */
        bool khugepaged;                    /* os.thp.khugepaged */
        uint64_t scan_every_instructions;   /* os.thp.scan_every_instructions */
        uint32_t scan_pages;                /* os.thp.scan_pages: 4 KiB pages looked at per scan */
        uint32_t max_ptes_none;             /* os.thp.max_ptes_none */
        bool zero_page;                     /* os.zero_page: read faults map one shared page */
        uint32_t fault_around_pages;        /* os.fault_around_pages: page-cache pages mapped on a file fault */
        bool asids;                         /* os.asids: tag TLBs by process (PCID) */
        uint32_t flush_ceiling;             /* os.flush_ceiling: more pages than this: flush the whole ASID */
        uint64_t stack_bytes;               /* os.stack_bytes: how far a stack may grow */
        enum cfg_placement placement;       /* os.placement */
        uint32_t contig_pages;              /* os.contig_pages: least run that EMT_ATTR_CONTIG marks; 0: none */
        uint32_t ca_split_order;            /* os.ca.split_order */
        uint32_t ca_replace_order;          /* os.ca.replace_order */
        uint32_t eager_max_order;           /* os.eager.max_order */
        uint64_t ranger_every_instructions; /* os.ranger.every_instructions */
        uint32_t ranger_pages;              /* os.ranger.pages: objects looked at in one waking */
        uint64_t contiguity_every; /* os.contiguity_every: accesses between two looks at it; 0: at the end */
        uint32_t cost[CFG_COSTS];  /* os.cost.NAME, instructions; indices of enum os_cost */
        struct {
            enum cfg_reclaim policy;          /* os.reclaim.policy */
            uint32_t swappiness;              /* os.reclaim.swappiness */
            uint64_t min_free_bytes;          /* os.reclaim.min_free_bytes; 0: by Linux's formula */
            uint32_t watermark_scale;         /* os.reclaim.watermark_scale: 1/10000 of memory */
            uint64_t scan_every_instructions; /* os.reclaim.scan_every_instructions: of Horizon LRU's daemon */
        } reclaim;
        struct {
            uint64_t bytes; /* os.swap.bytes; 0: none */
            struct cfg_device_timing timing;
            enum cfg_readahead readahead; /* os.swap.readahead */
            uint32_t readahead_pages;     /* os.swap.readahead_pages; 0: none */
        } swap;
        struct {
            struct cfg_device_timing timing;
            bool cold; /* os.file.cold: the first read of a file's page takes time as well */
        } file;
        uint64_t limit_bytes;   /* os.limit.bytes; 0: none */
        uint32_t limit_process; /* os.limit.process: this process and its children */
        double cpi;             /* os.cpi: cycles per OS instruction, table stalls not included */
    } os;

    struct {
        enum cfg_virt_mode mode;                                             /* virt.mode */
        uint32_t exit_cycles;                                                /* virt.exit_cycles */
        uint32_t fill_instructions, sync_instructions, emulate_instructions; /* virt.shadow.NAME */
        uint32_t nested_tlb_entries, nested_tlb_ways, nested_tlb_cycles;     /* virt.nested_tlb.NAME */
        uint64_t balloon_bytes, balloon_every_instructions;                  /* virt.balloon.NAME */
    } virt;
    /* guest.PATH, host.PATH: lines "path=value", ordered by path, on top of what holds for both sides; see
       settings_side() */
    char side[CFG_SIDES][CFG_SIDE_TEXT];

    bool check_translations; /* check.translations */
    uint64_t seed;           /* random replacement */
};

#endif
