/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The TCG plugin: turns what a program does into words in shared memory, and nothing else.
 *
 *      translation of a block:  its fetch words are computed once; callbacks are attached
 *      the block runs:          the fetch words are appended
 *      a load or a store:       one word is appended (two with the PC)
 *      the block is full:       it is published, and an empty one taken
 */
#include "input/live/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emt/types.h"
#include "input/live/decode.h"
#include "input/live/maps.h"
#include "input/live/qemu_abi.h"

#define PAGE        4096u
#define ARENA_BYTES (1u << 20)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define COUNT_MASK ((uint64_t)(EV_FETCH_MAX - 1) << 2) /* of a fetch word: instructions - 1 */

EXPORTED int qemu_plugin_version = PLUGIN_ABI;

struct process self;
struct ev_block *open_block[VCPUS_MAX];
struct fetching fetching[VCPUS_MAX];
__thread unsigned calling_vcpu;

/* What runs when a translated block runs, for blocks of more than one word. */
struct block_words {
    uint32_t words;
    uint64_t rep; /* address of the repeated string instruction it ends with, 0: none */
    uint64_t word[];
};

/* Memory of the block_words; thrown away with QEMU's translations. Translation is under a lock of QEMU's. */
struct arena {
    struct arena *older;
    size_t used;
    char bytes[ARENA_BYTES];
};
static struct arena *arena;

/* -- blocks -- */

static struct ev_block *scratch_of(struct vcpu *v) {
    if (!v->scratch)
        v->scratch = malloc(sizeof(*v->scratch));
    if (!v->scratch) {
        fprintf(stderr, "emt: no memory for a thread of the program\n");
        abort();
    }
    v->scratch->words = 0;
    return v->scratch;
}

/* An empty block, or memory that nobody reads when there is none, or nobody wants it. */
static struct ev_block *next_block(struct vcpu *v) {
    if (!atomic_load(&self.silent) && !atomic_load(&self.ring->detached)) {
        struct ev_block *b = ring_take(self.ring, self.self, v->thread);
        if (b)
            return b;
        atomic_fetch_add(&self.ring->unobserved_threads, 1);
    }
    return scratch_of(v);
}

/* No fetch word of the block may be raised any more; what is pending goes with the last one, if it fits there. */
static void settle_fetches(struct fetching *f) {
    if (f->last != &f->none && (*f->last & COUNT_MASK) + f->pending <= f->limit) {
        *f->last += f->pending;
        f->pending = 0;
    }
    f->last = &f->none;
}

void vcpu_publish(unsigned vcpu) {
    struct vcpu *v = self.vcpu[vcpu];
    pthread_mutex_lock(&v->lock);
    struct ev_block *b = open_block[vcpu];
    settle_fetches(&fetching[vcpu]);
    if (b == v->scratch) {
        open_block[vcpu] = next_block(v);
    } else {
        struct ring_slot *slot = ring_slot_of(self.ring, b);
        uint32_t first = slot->first;
        if (b->words > first) {
            memmove(b->word, b->word + first, (b->words - first) * sizeof(b->word[0]));
            slot->first = 0;
            b->words -= first;
            ring_publish(self.ring, b);
            open_block[vcpu] = next_block(v);
        }
    }
    pthread_mutex_unlock(&v->lock);
}

/* The words of another thread since the last time, in a block of their own: it cannot be made to wait for us. */
static void publish_copy(unsigned vcpu) {
    struct vcpu *v = self.vcpu[vcpu];
    pthread_mutex_lock(&v->lock);
    struct ev_block *b = open_block[vcpu];
    if (v->live && b != v->scratch) {
        struct ring_slot *slot = ring_slot_of(self.ring, b);
        uint32_t first = slot->first, words = __atomic_load_n(&b->words, __ATOMIC_ACQUIRE);
        struct ev_block *copy = words > first ? ring_take(self.ring, self.self, v->thread) : NULL;
        if (copy) {
            memcpy(copy->word, b->word + first, (words - first) * sizeof(b->word[0]));
            copy->words = words - first;
            slot->first = words;
            ring_publish(self.ring, copy);
        }
    }
    pthread_mutex_unlock(&v->lock);
}

void others_publish(unsigned vcpu) {
    if (atomic_load(&self.silent) || atomic_load(&self.live_vcpus) < 2)
        return;
    for (unsigned i = 0; i < self.vcpus; i++)
        if (i != vcpu && self.vcpu[i])
            publish_copy(i);
}

void emit(unsigned vcpu, enum ev_event event, const uint64_t *operands) {
    struct ev_block *b = open_block[vcpu];
    uint32_t n = b->words, count = ev_operand_count[event];
    b->word[n++] = ev_event(event, count);
    for (uint32_t i = 0; i < count; i++)
        b->word[n++] = operands[i];
    set_words(b, n);
    if (n >= BLOCK_FULL_WORDS)
        vcpu_publish(vcpu);
}

/* -- what runs for each access and each block -- */

static __attribute__((noinline, cold)) void block_full(unsigned vcpu) {
    vcpu_publish(vcpu);
}

static inline __attribute__((always_inline)) void append_access(unsigned vcpu, uint32_t info, uint64_t va,
                                                                bool with_pc, uint64_t pc) {
    struct ev_block *b = open_block[vcpu];
    uint32_t n = b->words;
    uint64_t word = va << EV_ADDRESS_SHIFT | (uint64_t)(info >> INFO_SIZE_SHIFT & INFO_SIZE_MASK) << EV_SIZE_SHIFT |
                    (info >> INFO_WRITE_SHIFT & 1) | (with_pc ? EV_HAS_PC : 0);
    if (UNLIKELY((info & (INFO_READ | INFO_WRITE)) == (INFO_READ | INFO_WRITE))) {
        b->word[n++] = word & ~(uint64_t)EV_STORE; /* read, then written */
        if (with_pc)
            b->word[n++] = pc;
    }
    b->word[n++] = word;
    if (with_pc)
        b->word[n++] = pc;
    set_words(b, n);
    if (UNLIKELY(n >= BLOCK_FULL_WORDS))
        block_full(vcpu);
}

static void on_access(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    (void)udata;
    append_access(vcpu, info, va, false, 0);
}

static void on_access_with_pc(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    append_access(vcpu, info, va, true, (uint64_t)(uintptr_t)udata);
}

/* A new fetch word, or several when more instructions are pending than one can tell. */
static __attribute__((noinline)) void new_fetch(unsigned vcpu, uint64_t word) {
    struct fetching *f = &fetching[vcpu];
    struct ev_block *b = open_block[vcpu];
    uint64_t instructions = ((word & COUNT_MASK) + f->pending) / 4 + 1;
    f->pending = 0;
    for (;;) {
        uint64_t told = instructions < EV_FETCH_MAX ? instructions : EV_FETCH_MAX;
        uint32_t n = b->words;
        b->word[n] = (word & ~COUNT_MASK) | (told - 1) << 2;
        f->last = &b->word[n];
        set_words(b, n + 1);
        instructions -= told;
        if (instructions == 0)
            return;
        if (n + 1 >= BLOCK_FULL_WORDS) {
            vcpu_publish(vcpu);
            b = open_block[vcpu];
        }
    }
}

/* One fetch word: raises the last one where that says the same. */
static inline __attribute__((always_inline)) bool append_fetch(unsigned vcpu, uint64_t word) {
    struct fetching *f = &fetching[vcpu];
    uint64_t before = *f->last, count = (before & COUNT_MASK) + (word & COUNT_MASK) + f->pending + 4;
    if ((before ^ word) >> (EV_ADDRESS_SHIFT + EMT_PAGE_SHIFT) == 0 && count <= f->limit) {
        *f->last = (before & ~COUNT_MASK) | count;
        f->pending = 0;
        return false;
    }
    new_fetch(vcpu, word);
    return true;
}

/*
 * The block's only fetch word, and its first access, in one call instead of two: half of all blocks or more. Only
 * for an instruction that surely makes one access.
 */
static void on_block_and_access(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    append_fetch(vcpu, (uint64_t)(uintptr_t)udata);
    append_access(vcpu, info, va, false, 0);
}

/* The usual block: one fetch word, which is the callback's argument itself. */
static void on_block_of_one_word(unsigned vcpu, void *udata) {
    if (append_fetch(vcpu, (uint64_t)(uintptr_t)udata) && UNLIKELY(open_block[vcpu]->words >= BLOCK_FULL_WORDS))
        block_full(vcpu);
}

static void on_block(unsigned vcpu, void *udata) {
    const struct block_words *w = udata;
    struct ev_block *b = open_block[vcpu];
    uint32_t n = b->words;
    for (uint32_t i = 0; i < w->words; i++)
        b->word[n + i] = w->word[i];
    set_words(b, n + w->words);
    if (UNLIKELY(n + w->words >= BLOCK_FULL_WORDS))
        block_full(vcpu);
}

/* A block that ends with a repeated string instruction: its next rounds are not instructions of their own. */
static void on_block_before_rounds(unsigned vcpu, void *udata) {
    self.vcpu[vcpu]->last_rep = ((const struct block_words *)udata)->rep;
    on_block(vcpu, udata);
}

/* A block that is just one: QEMU 7.2 runs it once a round. */
static void on_round(unsigned vcpu, void *udata) {
    const struct block_words *w = udata;
    if (self.vcpu[vcpu]->last_rep != w->rep)
        on_block_before_rounds(vcpu, udata);
}

/* -- the initial image -- */

static void emit_file_in_memory(unsigned vcpu, const struct image_file *f) {
    uint64_t file = announce_file(vcpu, f->st.st_dev, f->st.st_ino, (uint64_t)f->st.st_size);
    for (unsigned i = 0; i < f->elf.segments; i++) {
        const struct elf_segment *s = &f->elf.segment[i];
        uint64_t start = (s->va + f->bias) & -(uint64_t)PAGE, data_end = s->va + f->bias + s->file_bytes;
        uint64_t file_end = (data_end + PAGE - 1) & -(uint64_t)PAGE;
        uint64_t end = (s->va + f->bias + s->memory_bytes + PAGE - 1) & -(uint64_t)PAGE;
        const uint64_t private = 0x02, fixed = 0x10, anonymous = 0x20; /* MAP_ values */
        if (s->file_bytes > 0)
            EMIT(vcpu, EV_MMAP, start, file_end - start, (uint64_t)s->prot, private | fixed, file,
                 s->file_offset & -(uint64_t)PAGE);
        else
            file_end = start;
        if (end > file_end)
            EMIT(vcpu, EV_MMAP, file_end, end - file_end, (uint64_t)s->prot, private | fixed | anonymous, 0, 0);
        if (s->file_bytes > 0 && s->memory_bytes > s->file_bytes && data_end % PAGE != 0) {
            /* the loader clears the rest of the last page of the file */
            struct ev_block *b = open_block[vcpu];
            b->word[b->words] = ev_store(data_end & ~(uint64_t)7, 3);
            set_words(b, b->words + 1);
        }
    }
}

static void emit_image(unsigned vcpu, const struct image *image) {
    if (image->program.found)
        emit_file_in_memory(vcpu, &image->program);
    if (image->interpreter.found)
        emit_file_in_memory(vcpu, &image->interpreter);
    if (image->descriptors != 0)
        EMIT(vcpu, EV_MMAP, image->descriptors, PAGE, 1 /* r-- */, 0x22, 0, 0);
    if (image->vdso_bytes > 0)
        EMIT(vcpu, EV_MMAP, image->vdso, image->vdso_bytes, 5 /* r-x */, 0x22 /* private, anonymous */, 0, 0);
    if (image->stack_end == 0)
        return;
    EMIT(vcpu, EV_STACK, image->stack_low, image->stack_end);
    for (uint64_t page = image->stack_end - PAGE; page >= image->stack_low; page -= PAGE) {
        /* arguments, environment and auxiliary vector, which the kernel writes */
        struct ev_block *b = open_block[vcpu];
        b->word[b->words] = ev_store(page, 3);
        set_words(b, b->words + 1);
        if (b->words >= BLOCK_FULL_WORDS)
            vcpu_publish(vcpu);
    }
}

static void start(struct qemu_plugin_tb *tb) {
    struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
    uintptr_t host = (uintptr_t)qemu_plugin_insn_haddr(first);
    struct image image;
    self.started = true;
    self.guest_base = host ? host - qemu_plugin_insn_vaddr(first) : 0;
    if (!image_find(&image, self.ring->program, self.guest_base))
        atomic_store(&self.ring->image_incomplete, 1);
    emit_image(0, &image);
}

/* -- translation -- */

static struct block_words *arena_take(uint32_t words) {
    size_t bytes = sizeof(struct block_words) + words * sizeof(uint64_t);
    if (!arena || arena->used + bytes > ARENA_BYTES) {
        struct arena *a = malloc(sizeof(*a));
        if (!a) {
            fprintf(stderr, "emt: no memory for the translation of the program\n");
            abort();
        }
        a->older = arena;
        a->used = 0;
        arena = a;
    }
    struct block_words *w = (struct block_words *)(arena->bytes + arena->used);
    arena->used += bytes;
    return w;
}

/* QEMU threw all translations away, with every thread stopped. */
static void on_flush(uint64_t id) {
    (void)id;
    while (arena) {
        struct arena *older = arena->older;
        free(arena);
        arena = older;
    }
}

static bool is_repeated_string(const struct qemu_plugin_insn *insn) {
    const uint8_t *byte = qemu_plugin_insn_haddr(insn);
    size_t bytes = qemu_plugin_insn_size(insn);
    bool repeat = false;
    for (size_t i = 0; byte && i < bytes; i++) {
        uint8_t b = byte[i];
        if (b == 0xf2 || b == 0xf3)
            repeat = true;
        else if ((b & 0xfe) == 0x66 || (b & 0xe7) == 0x26 || (b & 0xfe) == 0x64 || (b & 0xf0) == 0x40)
            continue; /* the other prefixes: sizes, segments, REX */
        else
            return repeat && ((b >= 0xa4 && b <= 0xa7) || (b >= 0xaa && b <= 0xaf));
    }
    return false;
}

/* The fetch words of a block: one for each run of instructions in one page. */
static uint32_t fetch_words(const struct qemu_plugin_tb *tb, size_t instructions, uint64_t *word) {
    uint32_t words = 0, count = 0;
    uint64_t first = 0;
    for (size_t i = 0; i < instructions; i++) {
        uint64_t pc = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i));
        if (count == EV_FETCH_MAX || (count > 0 && (pc ^ first) / PAGE != 0)) {
            word[words++] = ev_fetch(first, count);
            count = 0;
        }
        if (count++ == 0)
            first = pc;
    }
    if (count > 0)
        word[words++] = ev_fetch(first, count);
    return words;
}

/*
 * The instruction with which the fetch word can be appended: the first that touches memory, if just once. *none: no
 * instruction touches memory at all.
 */
static struct qemu_plugin_insn *sole_first_access(const struct qemu_plugin_tb *tb, size_t instructions,
                                                  bool *none) {
    *none = false;
    for (size_t i = 0; i < instructions; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *byte = qemu_plugin_insn_haddr(insn);
        enum decode_accesses n = byte ? decode_accesses(byte, qemu_plugin_insn_size(insn)) : DECODE_UNKNOWN;
        if (n != DECODE_NONE)
            return n == DECODE_ONE ? insn : NULL;
    }
    *none = true;
    return NULL;
}

/* Let QEMU itself count the block's instructions, where that is exact. */
static bool count_inline(struct qemu_plugin_tb *tb, size_t instructions) {
#if PLUGIN_ABI < 2
    if (!atomic_load(&self.parallel)) {
        qemu_plugin_register_vcpu_tb_exec_inline(tb, PLUGIN_INLINE_ADD_U64, &fetching[0].pending, 4 * instructions);
        return true;
    }
#else
    (void)tb;
    (void)instructions;
#endif
    return false;
}

/* A block that is one fetch word. Returns the instruction whose access has its callback already, or NULL. */
static struct qemu_plugin_insn *attach_one_word(struct qemu_plugin_tb *tb, size_t instructions, uint64_t word) {
    bool no_access;
    struct qemu_plugin_insn *insn = sole_first_access(tb, instructions, &no_access);
    void *udata = (void *)(uintptr_t)word;
    if (insn && !self.ring->want_pc)
        qemu_plugin_register_vcpu_mem_cb(insn, on_block_and_access, PLUGIN_NO_REGISTERS, PLUGIN_LOADS_AND_STORES,
                                         udata);
    else if (!no_access || !count_inline(tb, instructions))
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block_of_one_word, PLUGIN_NO_REGISTERS, udata);
    return self.ring->want_pc ? NULL : insn;
}

/* Attaches the fetch words; returns the instruction whose access has its callback already, or NULL. */
static struct qemu_plugin_insn *attach_to_block(struct qemu_plugin_tb *tb, size_t instructions) {
    uint64_t word[ITEM_WORDS_MAX];
    uint32_t words = fetch_words(tb, instructions, word);
    const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, instructions - 1);
    bool rep = is_repeated_string(last);
    if (words == 1 && !rep)
        return attach_one_word(tb, instructions, word[0]);
    struct block_words *w = arena_take(words);
    w->words = words;
    w->rep = rep ? qemu_plugin_insn_vaddr(last) : 0;
    memcpy(w->word, word, words * sizeof(word[0]));
    on_block_fn run = !rep ? on_block : instructions == 1 ? on_round : on_block_before_rounds;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, run, PLUGIN_NO_REGISTERS, w);
    return NULL;
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    size_t instructions = qemu_plugin_tb_n_insns(tb);
    if (instructions == 0 || atomic_load(&self.silent) || atomic_load(&self.ring->detached))
        return;
    if (!self.started)
        start(tb);
    const struct qemu_plugin_insn *done = attach_to_block(tb, instructions);
    for (size_t i = 0; i < instructions; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        if (insn == done)
            continue;
        on_access_fn access = self.ring->want_pc ? on_access_with_pc : on_access;
        void *pc = (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn);
        qemu_plugin_register_vcpu_mem_cb(insn, access, PLUGIN_NO_REGISTERS, PLUGIN_LOADS_AND_STORES,
                                         self.ring->want_pc ? pc : NULL);
    }
}

/* -- threads and processes -- */

/* A new guest thread: this runs in its creator, before it starts. */
static void on_vcpu_start(uint64_t id, unsigned vcpu) {
    (void)id;
    if (vcpu >= VCPUS_MAX) {
        fprintf(stderr, "emt: the program has more than %u threads\n", VCPUS_MAX);
        abort();
    }
    struct vcpu *v = self.vcpu[vcpu];
    if (!v) {
        v = calloc(1, sizeof(*v));
        if (!v)
            abort();
        pthread_mutex_init(&v->lock, NULL);
    }
    bool first = self.vcpus == 0;
    v->thread = ring_thread_number(self.ring);
    v->last_rep = 0;
    /* A second thread may publish the words of the first one: none of them is raised any more. */
    if (!first)
        atomic_store(&self.parallel, true);
    for (unsigned i = 0; !first && i < self.vcpus; i++)
        fetching[i].limit = 0;
    fetching[vcpu].last = &fetching[vcpu].none;
    fetching[vcpu].limit = first ? COUNT_MASK : 0;
    open_block[vcpu] = next_block(v);
    v->live = true;
    self.vcpu[vcpu] = v;
    if (vcpu >= self.vcpus)
        self.vcpus = vcpu + 1;
    atomic_fetch_add(&self.live_vcpus, 1);
    if (first) {
        self.self->thread = v->thread;
    } else {
        EMIT(calling_vcpu, EV_THREAD, v->thread);
        vcpu_publish(calling_vcpu);
    }
}

static void on_vcpu_exit(uint64_t id, unsigned vcpu) {
    (void)id;
    vcpu_publish(vcpu);
    struct vcpu *v = self.vcpu[vcpu];
    pthread_mutex_lock(&v->lock);
    v->live = false;
    if (open_block[vcpu] != v->scratch)
        ring_release(self.ring, open_block[vcpu]);
    open_block[vcpu] = scratch_of(v);
    pthread_mutex_unlock(&v->lock);
    atomic_fetch_sub(&self.live_vcpus, 1);
}

void process_is_child(unsigned vcpu, struct ring_process *entry) {
    pthread_mutex_init(&self.mapping, NULL);
    for (unsigned i = 0; i < self.vcpus; i++) {
        if (!self.vcpu[i])
            continue;
        pthread_mutex_init(&self.vcpu[i]->lock, NULL);
        self.vcpu[i]->live = i == vcpu;
    }
    atomic_store(&self.live_vcpus, 1);
    self.self = entry;
    if (entry)
        self.vcpu[vcpu]->thread = entry->thread;
    else
        atomic_store(&self.silent, true);
    open_block[vcpu] = next_block(self.vcpu[vcpu]);
}

/* The process ends by itself. QEMU has taken the callbacks out of all threads before. */
static void on_exit_of_process(uint64_t id, void *udata) {
    (void)id;
    (void)udata;
    if (self.ended || atomic_load(&self.silent) || self.vcpus == 0)
        return;
    self.ended = true;
    others_publish(calling_vcpu);
    if (!self.self->borrows)
        emit(calling_vcpu, EV_EXIT, NULL);
    vcpu_publish(calling_vcpu);
    atomic_store(&self.silent, true);
    atomic_store(&self.self->state, RING_ENDED);
    ring_hurry(self.ring);
}

/* Does `info` look as qemu_abi.h says? */
static bool info_is_as_expected(void) {
    for (uint32_t size = 0; size < 5; size++)
        if (qemu_plugin_mem_size_shift(size << INFO_SIZE_SHIFT | INFO_READ) != size)
            return false;
    return qemu_plugin_mem_is_store(INFO_WRITE) && !qemu_plugin_mem_is_store(INFO_READ);
}

EXPORTED int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    int fd = -1;
    for (int i = 0; i < argc; i++)
        if (sscanf(argv[i], "fd=%d", &fd) == 1)
            break;
    if (fd < 0 || ring_attach(&self.ring, fd) != 0) {
        fprintf(stderr, "emt: this plugin is started by emt itself: emt run -- PROGRAM\n");
        return -1;
    }
    close(fd); /* the program must not see it */
    if (!info_is_as_expected()) {
        fprintf(stderr, "emt: this QEMU describes memory accesses in a way unknown to emt; "
                        "QEMU 7.2 to 10.0 are known\n");
        return -1;
    }
    self.self = ring_new_process(self.ring);
    if (!self.self)
        return -1;
    self.self->number = ring_process_number(self.ring);
    self.self->pid = getpid();
    atomic_store(&self.self->state, RING_RUNNING);
    pthread_mutex_init(&self.mapping, NULL);
    qemu_plugin_register_vcpu_init_cb(id, on_vcpu_start);
    qemu_plugin_register_vcpu_exit_cb(id, on_vcpu_exit);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_call);
    qemu_plugin_register_vcpu_syscall_ret_cb(id, on_return);
    qemu_plugin_register_flush_cb(id, on_flush);
    qemu_plugin_register_atexit_cb(id, on_exit_of_process, NULL);
    atomic_store(&self.ring->installed, 1);
    return 0;
}
