/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The TCG plugin: turns what a program does into words in shared memory, and nothing else.
 *
 *      translation of a block:  counting and callbacks are attached
 *      the block runs:          its instructions are counted, by QEMU's own code where that is exact
 *      a load or a store:       one word is appended (two with the PC), with the low bits of the count
 *      the first of a block:    ... after the page that it is fetched from, when that has changed
 *      the block is full:       it is published, and an empty one taken
 *
 * All that is known when a block is translated is in the callbacks' arguments: what they do for each access decides
 * how fast a live run can be at best.
 */
#include "input/live/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "emt/types.h"
#include "input/live/decode.h"
#include "input/live/maps.h"
#include "input/live/packed.h"
#include "input/live/qemu_abi.h"

#define PAGE        4096u
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

EXPORTED int qemu_plugin_version = PLUGIN_ABI;

struct process self;
struct ev_block *open_block[VCPUS_MAX];
struct progress progress[VCPUS_MAX];
__thread unsigned calling_vcpu;

/* -- blocks -- */

/*
 * A word that goes past the caches, where the host can do that. The simulator's CPU was the last to have the
 * block's memory: an ordinary store waits until that CPU gives up each line, which takes the emulator longer than
 * all else that we do (bfs 16: 1.7 s instead of 0.9 s). These stores become visible in any order, so they are for a
 * thread that is alone: nobody reads its words before vcpu_publish(), which waits for them.
 */
static inline void put_past_caches(uint64_t *at, uint64_t word) {
#if defined(__SSE2__)
    _mm_stream_si64((long long *)at, (long long)word);
#else
    *at = word;
#endif
}

static inline void wait_for_puts(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

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

/* An empty block for a thread that goes on where it is. */
static void open_next(unsigned vcpu) {
    open_block[vcpu] = next_block(self.vcpu[vcpu]);
    open_block[vcpu]->retired_from = progress[vcpu].retired >> EV_RETIRED_SHIFT;
}

void vcpu_publish(unsigned vcpu) {
    struct vcpu *v = self.vcpu[vcpu];
    pthread_mutex_lock(&v->lock);
    struct ev_block *b = open_block[vcpu];
    if (b == v->scratch) {
        open_next(vcpu);
    } else {
        struct ring_slot *slot = ring_slot_of(self.ring, b);
        uint32_t first = slot->first;
        if (b->words > first) {
            memmove(b->word, b->word + first, (b->words - first) * sizeof(b->word[0]));
            slot->first = 0;
            b->words -= first;
            b->retired_to = progress[vcpu].retired >> EV_RETIRED_SHIFT;
            wait_for_puts();
            ring_publish(self.ring, b);
            open_next(vcpu);
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
            copy->retired_from = b->retired_from;
            copy->retired_to = b->retired_from = packed_retired(copy); /* the thread counts on meanwhile */
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
    progress[vcpu].page = 0; /* a flush may follow: the page is fetched from anew */
    if (n >= BLOCK_FULL_WORDS)
        vcpu_publish(vcpu);
}

static void emit_store(unsigned vcpu, uint64_t va, unsigned log2_bytes) {
    struct ev_block *b = open_block[vcpu];
    b->word[b->words] =
        va << EV_PACKED_SHIFT | (progress[vcpu].retired & EV_RETIRED_MASK) | log2_bytes << EV_SIZE_SHIFT | EV_STORE;
    set_words(b, b->words + 1);
    if (b->words >= BLOCK_FULL_WORDS)
        vcpu_publish(vcpu);
}

/* -- what runs for each access and each block -- */

static __attribute__((noinline, cold)) void block_full(unsigned vcpu) {
    vcpu_publish(vcpu);
}

static inline void count_retired(unsigned vcpu, uint64_t instructions) {
    progress[vcpu].retired += instructions << EV_RETIRED_SHIFT;
}

/* The code that runs is in another page than before. */
static __attribute__((noinline)) void new_page(unsigned vcpu, uint64_t page) {
    struct ev_block *b = open_block[vcpu];
    progress[vcpu].page = page;
    b->word[b->words] = page << EV_PACKED_SHIFT | EV_FETCH;
    set_words(b, b->words + 1); /* the access that follows looks whether it is full now */
}

/* The word of a load or store of the only thread. */
static inline __attribute__((always_inline)) void append_alone(uint64_t word) {
    struct ev_block *b = open_block[0];
    uint32_t n = b->words;
    put_past_caches(&b->word[n++], word | (progress[0].retired & EV_RETIRED_MASK));
    set_words(b, n);
    if (UNLIKELY(n >= BLOCK_FULL_WORDS))
        block_full(0);
}

static inline __attribute__((always_inline)) void append(unsigned vcpu, uint64_t word, bool with_pc, uint64_t pc) {
    struct ev_block *b = open_block[vcpu];
    uint32_t n = b->words;
    b->word[n++] = word | (progress[vcpu].retired & EV_RETIRED_MASK) | (with_pc ? EV_HAS_PC : 0);
    if (with_pc)
        b->word[n++] = pc;
    set_words(b, n);
    if (UNLIKELY(n >= BLOCK_FULL_WORDS))
        block_full(vcpu);
}

/* `info` of one load or one store, and its address, as a word. */
static inline __attribute__((always_inline)) uint64_t access_word(uint32_t info, uint64_t va) {
    return va << EV_PACKED_SHIFT | (info >> (INFO_SIZE_SHIFT - EV_SIZE_SHIFT) & INFO_SIZE_MASK << EV_SIZE_SHIFT) |
           info >> INFO_WRITE_SHIFT;
}

/* The argument of the callbacks below: the page of the instruction's first byte, and, in its low bits, how many
   instructions are to be counted. */
static inline __attribute__((always_inline)) void begin(unsigned vcpu, void *udata, bool count) {
    uint64_t page = (uint64_t)(uintptr_t)udata;
    if (count) {
        count_retired(vcpu, page & (PAGE - 1));
        page &= ~(uint64_t)(PAGE - 1);
    }
    if (UNLIKELY(progress[vcpu].page != page))
        new_page(vcpu, page);
}

/* One thread: its number is 0, and QEMU's code counts. */
static void on_access(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    (void)vcpu;
    (void)udata;
    append_alone(access_word(info, va));
}

static void on_first_access(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    (void)vcpu;
    begin(0, udata, false);
    append_alone(access_word(info, va));
}

/* Any number of threads. */
static void on_thread_access(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    (void)udata;
    append(vcpu, access_word(info, va), false, 0);
}

static void on_thread_first_access(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    begin(vcpu, udata, true);
    append(vcpu, access_word(info, va), false, 0);
}

/* An instruction that may read and write in one step. */
static void on_atomic(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    begin(vcpu, udata, true);
    if ((info & (INFO_READ | INFO_WRITE)) == (INFO_READ | INFO_WRITE))
        append(vcpu, access_word(info & ~INFO_WRITE, va), false, 0);
    append(vcpu, access_word(info, va), false, 0);
}

static void on_access_with_pc(unsigned vcpu, uint32_t info, uint64_t va, void *udata) {
    uint64_t pc = (uint64_t)(uintptr_t)udata;
    begin(vcpu, (void *)(uintptr_t)(pc & ~(uint64_t)(PAGE - 1)), false);
    if ((info & (INFO_READ | INFO_WRITE)) == (INFO_READ | INFO_WRITE))
        append(vcpu, access_word(info & ~INFO_WRITE, va), true, pc);
    append(vcpu, access_word(info, va), true, pc);
}

/* `udata`: how many instructions the block has. */
static void on_block(unsigned vcpu, void *udata) {
    count_retired(vcpu, (uint64_t)(uintptr_t)udata);
}

/* A block that ends with a repeated string instruction, at this address: its next rounds are not instructions of
   their own. The address is in the bits above the number of instructions. */
static void on_block_before_rounds(unsigned vcpu, void *udata) {
    uint64_t rep = (uint64_t)(uintptr_t)udata;
    self.vcpu[vcpu]->last_rep = rep / PAGE;
    count_retired(vcpu, rep % PAGE);
}

/* A block that is just one: QEMU 7.2 runs it once a round. */
static void on_round(unsigned vcpu, void *udata) {
    if (self.vcpu[vcpu]->last_rep != (uint64_t)(uintptr_t)udata / PAGE)
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
            emit_store(vcpu, data_end & ~(uint64_t)7, 3);
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
    /* arguments, environment and auxiliary vector, which the kernel writes */
    for (uint64_t page = image->stack_end - PAGE; page >= image->stack_low; page -= PAGE)
        emit_store(vcpu, page, 3);
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

/* With the lock prefix, or xchg: only these read and write in one step. */
static bool is_atomic(const struct qemu_plugin_insn *insn) {
    const uint8_t *byte = qemu_plugin_insn_haddr(insn);
    size_t bytes = qemu_plugin_insn_size(insn), i = 0;
    if (!byte)
        return true;
    for (; i < bytes; i++) {
        if (byte[i] == 0xf0)
            return true;
        bool prefix = (byte[i] & 0xfe) == 0x66 || (byte[i] & 0xe7) == 0x26 || (byte[i] & 0xfe) == 0x64 ||
                      (byte[i] & 0xf0) == 0x40 || (byte[i] & 0xfe) == 0xf2;
        if (!prefix)
            break;
    }
    return i < bytes && (byte[i] & 0xfe) == 0x86;
}

static enum decode_accesses accesses_of(const struct qemu_plugin_insn *insn) {
    const uint8_t *byte = qemu_plugin_insn_haddr(insn);
    return byte ? decode_accesses(byte, qemu_plugin_insn_size(insn)) : DECODE_UNKNOWN;
}

static uint64_t page_of(const struct qemu_plugin_insn *insn) {
    return qemu_plugin_insn_vaddr(insn) & ~(uint64_t)(PAGE - 1);
}

/*
 * The instruction whose access can count the block's instructions as well: the first that touches memory, if just
 * once, and not as one of a string. NULL: none.
 */
static struct qemu_plugin_insn *sole_first_access(const struct qemu_plugin_tb *tb, size_t instructions) {
    for (size_t i = 0; i < instructions; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        enum decode_accesses n = accesses_of(insn);
        if (n != DECODE_NONE)
            return n == DECODE_ONE ? insn : NULL;
    }
    return NULL;
}

/* Attaches the counting of the block's instructions, unless the callback of the access that is returned does it. */
static const struct qemu_plugin_insn *attach_count(struct qemu_plugin_tb *tb, size_t instructions, bool threads) {
    const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, instructions - 1);
    if (is_repeated_string(last)) {
        uint64_t udata = qemu_plugin_insn_vaddr(last) * PAGE + instructions;
        qemu_plugin_register_vcpu_tb_exec_cb(tb, instructions == 1 ? on_round : on_block_before_rounds,
                                             PLUGIN_NO_REGISTERS, (void *)(uintptr_t)udata);
        return NULL;
    }
#if PLUGIN_ABI < 2
    if (!threads) {
        qemu_plugin_register_vcpu_tb_exec_inline(tb, PLUGIN_INLINE_ADD_U64, &progress[0].retired,
                                                 instructions << EV_RETIRED_SHIFT);
        return NULL;
    }
#else
    (void)threads;
#endif
    const struct qemu_plugin_insn *counts = self.ring->want_pc ? NULL : sole_first_access(tb, instructions);
    if (!counts)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, PLUGIN_NO_REGISTERS, (void *)(uintptr_t)instructions);
    return counts;
}

/* Attaches a callback to each instruction that may touch memory. */
static void on_translation(uint64_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    size_t instructions = qemu_plugin_tb_n_insns(tb);
    if (instructions == 0 || instructions >= PAGE || atomic_load(&self.silent) || atomic_load(&self.ring->detached))
        return;
    if (!self.started)
        start(tb);
    bool threads = PLUGIN_ABI >= 2 || atomic_load(&self.parallel);
    const struct qemu_plugin_insn *counts = attach_count(tb, instructions, threads);
    uint64_t page = 0; /* that surely has been told of when the next instruction runs; 0: none */
    for (size_t i = 0; i < instructions; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t udata = page_of(insn);
        bool first = page != udata;
        on_access_fn access = threads ? on_thread_access : on_access;
        if (self.ring->want_pc) {
            access = on_access_with_pc;
            udata = qemu_plugin_insn_vaddr(insn);
        } else if (is_atomic(insn)) {
            access = on_atomic;
        } else if (first) {
            access = threads ? on_thread_first_access : on_first_access;
            udata += insn == counts ? instructions : 0;
            if (accesses_of(insn) == DECODE_ONE)
                page = page_of(insn);
        }
        qemu_plugin_register_vcpu_mem_cb(insn, access, PLUGIN_NO_REGISTERS, PLUGIN_LOADS_AND_STORES,
                                         (void *)(uintptr_t)udata);
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
    if (!first)
        atomic_store(&self.parallel, true);
    progress[vcpu] = (struct progress){0};
    self.vcpu[vcpu] = v;
    open_next(vcpu);
    v->live = true;
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
    progress[vcpu].page = 0;
    open_next(vcpu);
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
    qemu_plugin_register_atexit_cb(id, on_exit_of_process, NULL);
    atomic_store(&self.ring->installed, 1);
    return 0;
}
