/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The calls of programs and their edge cases: what they return, and which VMAs they leave. */
#include "os_world.h"

#include <stdio.h>
#include <string.h>

/* "start-end:prot" of each VMA in pages from AT, as one string. */
static const char *layout(struct os_process *p) {
    static char text[1024];
    size_t n = 0;

    text[0] = 0;
    for (const struct vma *v = p->vmas.first; v; v = v->next)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%llu-%llu:%u", n ? " " : "",
                              (unsigned long long)((v->start - AT) / PAGE),
                              (unsigned long long)((v->end - AT) / PAGE), v->prot);
    return text;
}

static void mmap_errors(void **state) {
    static const struct {
        uint64_t addr, bytes;
        int flags;
        uint64_t file, offset;
        int want;
    } rows[] = {
        {AT, 0, ANON, 0, 0, -EINVAL},                                     /* no length */
        {AT, PAGE, ABI_MAP_ANONYMOUS, 0, 0, -EINVAL},                     /* neither shared nor private */
        {AT + 1, PAGE, ANON | ABI_MAP_FIXED, 0, 0, -EINVAL},              /* not aligned */
        {AT, PAGE, ABI_MAP_PRIVATE, 1, 1, -EINVAL},                       /* offset not aligned */
        {AT, PAGE, ABI_MAP_PRIVATE, 0, 0, -EBADF},                        /* no file */
        {AT, PAGE, ABI_MAP_PRIVATE, 99, 0, -EBADF},                       /* no such file */
        {0, 1ull << 47, ANON, 0, 0, -ENOMEM},                             /* larger than the address space */
        {0, ~0ull, ANON, 0, 0, -ENOMEM},                                  /* would wrap */
        {(1ull << 47) - PAGE, PAGE, ANON | ABI_MAP_FIXED, 0, 0, -ENOMEM}, /* the last page is the kernel's */
        {1ull << 60, PAGE, ANON | ABI_MAP_FIXED, 0, 0, -ENOMEM},          /* beyond */
        {AT, PAGE, ANON | ABI_MAP_FIXED_NOREPLACE, 0, 0, -EEXIST},        /* taken */
        {AT, PAGE, ANON | ABI_MAP_HUGETLB, 0, 0, -EINVAL},                /* not a huge page long */
        {AT, PAGE, ABI_MAP_SHARED, 1, ~0ull << 12, -EOVERFLOW},           /* offset wraps */
        {(1ull << 47) - 2 * PAGE, PAGE, ANON | ABI_MAP_FIXED, 0, 0, 0},   /* the last page programs may have */
        {AT, PAGE, ANON | ABI_MAP_FIXED, 0, 0, 0},                        /* replaces */
        {AT + 16 * PAGE, 1, ABI_MAP_SHARED_VALIDATE, 1, 0, 0},            /* rounded up */
    };
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    assert_int_equal(os_file(w.os, 1, PAGE), 0);
    assert_int_equal(os_file(w.os, 0, PAGE), -EINVAL);
    world_map(w.p, AT, PAGE, RW, ANON, 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t addr = rows[i].addr;
        int got = os_mmap(w.p, &addr, rows[i].bytes, RW, rows[i].flags, rows[i].file, rows[i].offset);
        if (got != rows[i].want)
            fail_msg("row %u: %d, expected %d", i, got, rows[i].want);
        assert_int_equal(os_verify(w.os), 0);
    }
    world_end(&w);
}

static void mmap_chooses(void **state) {
    struct os_world w;
    uint64_t a = 0, b = 0, c = 0, hint = AT, top = (1ull << 47) - PAGE;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    assert_int_equal(os_mmap(w.p, &a, 4 * PAGE, RW, ANON, 0, 0), 0);
    assert_int_equal(os_mmap(w.p, &b, 3 * PAGE, ABI_PROT_READ, ANON, 0, 0), 0);
    assert_int_equal(b, a - 3 * PAGE); /* top down */
    assert_true(a < top - 128 * MIB);  /* the stack has room */
    assert_int_equal(os_munmap(w.p, a, PAGE), 0);
    assert_int_equal(os_mmap(w.p, &c, PAGE, RW, ANON, 0, 0), 0);
    assert_int_equal(c, a); /* the highest hole that fits */
    assert_int_equal(os_mmap(w.p, &hint, PAGE, RW, ANON, 0, 0), 0);
    assert_int_equal(hint, AT);
    assert_int_equal(os_mmap(w.p, &hint, PAGE, RW, ANON, 0, 0), 0);
    assert_int_equal(hint, b - PAGE); /* taken: chosen anew */
    world_end(&w);
}

static void vmas_merge_and_split(void **state) {
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    world_map(w.p, AT, 4 * PAGE, RW, ANON, 0);
    world_map(w.p, AT + 8 * PAGE, 4 * PAGE, RW, ANON, 0);
    assert_string_equal(layout(w.p), "0-4:3 8-12:3");
    world_map(w.p, AT + 4 * PAGE, 4 * PAGE, RW, ANON, 0);
    assert_string_equal(layout(w.p), "0-12:3");
    assert_int_equal(os_mprotect(w.p, AT + 2 * PAGE, 3 * PAGE, ABI_PROT_READ), 0);
    assert_string_equal(layout(w.p), "0-2:3 2-5:1 5-12:3");
    assert_int_equal(os_munmap(w.p, AT + 6 * PAGE, PAGE), 0);
    assert_string_equal(layout(w.p), "0-2:3 2-5:1 5-6:3 7-12:3");
    assert_int_equal(os_mprotect(w.p, AT + 2 * PAGE, 3 * PAGE, RW), 0);
    assert_string_equal(layout(w.p), "0-6:3 7-12:3");
    assert_int_equal(os_madvise(w.p, AT + PAGE, PAGE, ABI_MADV_HUGEPAGE), 0);
    assert_string_equal(layout(w.p), "0-1:3 1-2:3 2-6:3 7-12:3");
    assert_int_equal(os_madvise(w.p, AT, 6 * PAGE, ABI_MADV_HUGEPAGE), 0);
    assert_string_equal(layout(w.p), "0-6:3 7-12:3");
    /* A hole: what comes before it is done. */
    assert_int_equal(os_mprotect(w.p, AT + 5 * PAGE, 3 * PAGE, 0), -ENOMEM);
    assert_string_equal(layout(w.p), "0-5:3 5-6:0 7-12:3");
    assert_int_equal(os_madvise(w.p, AT + 5 * PAGE, 3 * PAGE, ABI_MADV_DONTNEED), -ENOMEM);
    assert_int_equal(os_madvise(w.p, AT, PAGE, 12345), -EINVAL);
    assert_int_equal(os_munmap(w.p, AT + 1, PAGE), -EINVAL);
    assert_int_equal(os_munmap(w.p, AT, 0), -EINVAL);
    assert_int_equal(os_munmap(w.p, AT + 20 * PAGE, PAGE), 0); /* nothing there is no error */
    world_end(&w);
}

static void heap(void **state) {
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    assert_int_equal(os_brk(w.p, AT + 100), 0); /* sets the start: AT + PAGE */
    assert_int_equal(os_brk(w.p, AT + 4 * PAGE), 0);
    assert_string_equal(layout(w.p), "1-4:3");
    assert_int_equal(os_store(w.p, AT + 3 * PAGE, 7), 0);
    assert_int_equal(os_brk(w.p, AT + 2 * PAGE), 0);
    assert_string_equal(layout(w.p), "1-2:3");
    assert_int_equal(os_brk(w.p, AT), -ENOMEM);
    world_map(w.p, AT + 8 * PAGE, PAGE, ABI_PROT_READ, ANON, 0);
    assert_int_equal(os_brk(w.p, AT + 9 * PAGE), -ENOMEM);
    assert_int_equal(os_brk(w.p, AT + 8 * PAGE), 0);
    assert_string_equal(layout(w.p), "1-8:3 8-9:1");
    world_end(&w);
}

static void stack_grows(void **state) {
    const uint64_t end = AT + 64 * MIB;
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    w.cfg.os.stack_bytes = MIB;
    world_start(&w);
    assert_int_equal(os_stack(w.p, end - 2 * PAGE + 5, end), 0);
    assert_int_equal(os_stack(w.p, end - PAGE, end), 0); /* known already */
    assert_int_equal(os_fault(w.p, 0, end - 10 * PAGE, EMT_STORE, 0), 0);
    assert_int_equal(w.p->vmas.first->start, end - 10 * PAGE);
    assert_int_equal(os_fault(w.p, 0, end - MIB, EMT_STORE, 0), 0);
    assert_int_equal(os_fault(w.p, 0, end - MIB - 1, EMT_STORE, 0), -EFAULT); /* the limit */
    world_end(&w);

    world_init(&w, 64 * MIB);
    world_start(&w);
    assert_int_equal(os_stack(w.p, end - 2 * PAGE, end), 0);
    world_map(w.p, end - 4 * MIB, PAGE, RW, ANON, 0);
    assert_int_equal(os_fault(w.p, 0, end - 4 * MIB + PAGE + VMA_GUARD_BYTES, EMT_STORE, 0), 0);
    assert_int_equal(os_fault(w.p, 0, end - 4 * MIB + VMA_GUARD_BYTES, EMT_STORE, 0), -EFAULT); /* the guard gap */
    assert_int_equal(os_stats_of(w.os)->segv, 1);
    world_end(&w);
}

static void mremap_moves(void **state) {
    struct os_world w;
    uint64_t addr = 0, content;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    world_map(w.p, AT, 4 * PAGE, RW, ANON, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(os_store(w.p, AT + i * PAGE, i + 1), 0);
    assert_int_equal(os_mremap(w.p, AT, 4 * PAGE, &addr, 8 * PAGE, 0), 0); /* grows in place */
    assert_int_equal(addr, AT);
    assert_string_equal(layout(w.p), "0-8:3");
    world_map(w.p, AT + 8 * PAGE, PAGE, ABI_PROT_READ, ANON, 0);
    assert_int_equal(os_mremap(w.p, AT, 8 * PAGE, &addr, 9 * PAGE, 0), -ENOMEM);
    uint64_t copied = os_stats_of(w.os)->pages_copied_bytes;
    assert_int_equal(os_mremap(w.p, AT, 8 * PAGE, &addr, 9 * PAGE, ABI_MREMAP_MAYMOVE), 0);
    assert_int_not_equal(addr, AT);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(os_content(w.p, addr + i * PAGE, &content), 0);
        assert_int_equal(content, i + 1);
    }
    assert_int_equal(os_stats_of(w.os)->pages_copied_bytes, copied); /* entries move, data do not */
    assert_int_equal(os_content(w.p, AT, &content), -EFAULT);

    uint64_t to = AT + 32 * PAGE;
    assert_int_equal(
        os_mremap(w.p, addr, 2 * PAGE, &to, 2 * PAGE, ABI_MREMAP_MAYMOVE | ABI_MREMAP_FIXED | ABI_MREMAP_DONTUNMAP),
        0);
    assert_int_equal(os_content(w.p, to, &content), 0);
    assert_int_equal(content, 1);
    assert_int_equal(os_fault(w.p, 0, addr, EMT_LOAD, 0), 0); /* still a VMA, empty */
    assert_int_equal(os_content(w.p, addr, &content), 0);
    assert_int_equal(content, 0);

    static const struct {
        uint64_t old, old_bytes, to, bytes;
        int flags, want;
    } rows[] = {
        {AT + 1, PAGE, 0, PAGE, 0, -EINVAL},
        {AT + 32 * PAGE, PAGE, 0, 0, 0, -EINVAL},
        {AT + 32 * PAGE, PAGE, AT, PAGE, ABI_MREMAP_FIXED, -EINVAL},
        {AT + 32 * PAGE, PAGE, 0, PAGE, ABI_MREMAP_DONTUNMAP, -EINVAL},
        {AT + 32 * PAGE, PAGE, 0, PAGE, 8, -EINVAL},
        {AT + 32 * PAGE, 2 * PAGE, AT + 33 * PAGE, 2 * PAGE, 3, -EINVAL}, /* overlap */
        {AT + 32 * PAGE, 3 * PAGE, 0, 4 * PAGE, 1, -EFAULT},              /* beyond the VMA */
        {AT + 50 * PAGE, PAGE, 0, PAGE, 1, -EFAULT},                      /* no VMA */
        {AT + 32 * PAGE, 0, 0, PAGE, 1, -EINVAL},                         /* a duplicate of private memory */
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        addr = rows[i].to;
        int got = os_mremap(w.p, rows[i].old, rows[i].old_bytes, &addr, rows[i].bytes, rows[i].flags);
        if (got != rows[i].want)
            fail_msg("row %u: %d, expected %d", i, got, rows[i].want);
    }
    world_end(&w);
}

static void shared_memory(void **state) {
    struct os_process *child;
    struct os_world w;
    uint64_t addr = 0, content;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    world_map(w.p, AT, 4 * PAGE, RW, ABI_MAP_SHARED | ABI_MAP_ANONYMOUS, 0);
    assert_int_equal(os_store(w.p, AT, 11), 0);
    assert_int_equal(os_fork(w.p, 2, &child), 0);
    assert_int_equal(os_store(child, AT + PAGE, 12), 0);
    assert_int_equal(os_fault(w.p, 0, AT + PAGE, EMT_LOAD, 0), 0);
    assert_int_equal(os_content(w.p, AT + PAGE, &content), 0);
    assert_int_equal(content, 12);
    assert_int_equal(os_mremap(w.p, AT, 0, &addr, 4 * PAGE, ABI_MREMAP_MAYMOVE), 0); /* a second view */
    assert_int_equal(os_store(w.p, addr, 13), 0);
    assert_int_equal(os_fault(child, 0, AT, EMT_LOAD, 0), 0);
    assert_int_equal(os_content(child, AT, &content), 0);
    assert_int_equal(content, 13);
    assert_int_equal(os_madvise(w.p, AT, PAGE, ABI_MADV_REMOVE), 0);
    assert_int_equal(os_content(child, AT, &content), -EFAULT);
    assert_int_equal(os_fault(child, 0, AT, EMT_LOAD, 0), 0);
    assert_int_equal(os_content(child, AT, &content), 0);
    assert_int_equal(content, 0);
    os_exit(w.p);
    assert_int_equal(os_content(child, AT + PAGE, &content), 0);
    os_exit(child);
    assert_int_equal(w.os->user_frames, 0); /* the last one out frees it */
    world_end(&w);
}

static void many_vmas(void **state) {
    enum { N = 20000 };
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    for (unsigned i = 0; i < N; i++) { /* alternate protections: nothing merges */
        uint64_t addr = 0;
        assert_int_equal(os_mmap(w.p, &addr, PAGE, i & 1 ? RW : ABI_PROT_READ, ANON, 0, 0), 0);
    }
    assert_int_equal(w.p->vmas.count, N);
    assert_int_equal(vma_verify(&w.p->vmas), 0);
    uint64_t low = w.p->vmas.first->start;
    for (unsigned i = 0; i < N; i += 2)
        assert_int_equal(os_munmap(w.p, low + i * PAGE, PAGE), 0);
    assert_int_equal(w.p->vmas.count, N / 2);
    world_end(&w);
}

static void processes(void **state) {
    struct os_process *q;
    struct os_world w;

    (void)state;
    world_init(&w, 64 * MIB);
    world_start(&w);
    assert_int_equal(os_process_new(w.os, 1, &q), -EEXIST);
    assert_int_equal(os_fork(w.p, 1, &q), -EEXIST);
    assert_ptr_equal(os_process_find(w.os, 1), w.p);
    assert_null(os_process_find(w.os, 2));
    for (uint32_t id = 2; id < 6000; id++) { /* address-space numbers are used again */
        assert_int_equal(os_process_new(w.os, id, &q), 0);
        assert_int_equal(os_switch(q, 0), 0);
        os_exit(q);
    }
    assert_null(emt_tsvc_current(&w.svc, 0));
    int err = 0;
    for (uint32_t id = 2; id < 5000 && !err; id++)
        err = os_process_new(w.os, id, &q);
    assert_int_equal(err, -EAGAIN); /* 4,095 at a time: 12 bits, 0 not used */
    assert_int_equal(w.os->nprocess, 4095);
    world_end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mmap_errors),   cmocka_unit_test(mmap_chooses), cmocka_unit_test(vmas_merge_and_split),
        cmocka_unit_test(heap),          cmocka_unit_test(stack_grows),  cmocka_unit_test(mremap_moves),
        cmocka_unit_test(shared_memory), cmocka_unit_test(many_vmas),    cmocka_unit_test(processes),
    };
    return cmocka_run_group_tests_name("os/calls", tests, NULL, NULL);
}
