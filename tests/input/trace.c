/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Trace readers and the recorder: what is written comes back, and whatever is cut off or spoilt is noticed. */
#include "checker.h"

#include <errno.h>
#include <lzma.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "input/synth/random.h"
#include "input/trace/trace.h"

struct buffer {
    uint8_t at[1 << 16];
    size_t bytes;
};

static int open_memory(struct ev_source **s, const void *at, size_t bytes, const char *name, char *why, size_t n) {
    FILE *f = fmemopen((void *)at, bytes, "rb");

    assert_non_null(f);
    return trace_open_file(s, f, name, why, n);
}

/* Reads all; negative with a message, whether it failed at the start or later. */
static int read_all(const void *at, size_t bytes, const char *name, struct checker *c, char *why, size_t n) {
    struct ev_source *s;
    int err;

    memset(c, 0, sizeof(*c));
    why[0] = '\0';
    err = open_memory(&s, at, bytes, name, why, n);
    if (!err)
        err = check_source(s, c, why, n);
    assert_true(err <= 0);
    assert_int_equal(err < 0, why[0] != '\0');
    return err;
}

static void expect_message(const char *why, const char *part) {
    if (!strstr(why, part))
        fail_msg("'%s' lacks '%s'", why, part);
}

/* -- ChampSim -- */

static void put64(uint8_t *at, uint64_t v) {
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static void champsim_record(struct buffer *b, uint64_t ip, uint64_t load, uint64_t store, uint8_t reads,
                            uint8_t writes) {
    uint8_t *r = b->at + b->bytes;

    memset(r, 0, 64);
    put64(r, ip);
    r[10] = writes;
    r[12] = reads;
    put64(r + 16, store);
    put64(r + 32, load);
    b->bytes += 64;
}

/* Five instructions, two loads (the second with the first one's value), one store, three regions. */
static void champsim_sample(struct buffer *b) {
    b->bytes = 0;
    champsim_record(b, 0x401000, 0, 0, 0, 3);
    champsim_record(b, 0x401004, 0x7f0000001238, 0, 3, 5);
    champsim_record(b, 0x401008, 0x7f0000200000, 0, 5, 7);
    champsim_record(b, 0x40100c, 0, 0x7f0000200010, 7, 0);
    champsim_record(b, 0x402000, 0, 0, 0, 0);
}

static void champsim_becomes_words(void **state) {
    static const uint64_t expected[] = {
        0x400000, 0x7f0000000000, 0x7f0000200000, /* regions, in order of first touch */
    };
    struct buffer b;
    struct ev_source *s;
    const struct ev_block *block;
    char why[512];
    unsigned region = 0;
    uint64_t words[16];
    unsigned n = 0;

    (void)state;
    champsim_sample(&b);
    assert_int_equal(open_memory(&s, b.at, b.bytes, "x", why, sizeof(why)), 0);
    assert_int_equal(s->next(s, &block), 1);
    for (uint32_t i = 0; i < block->words; i++) {
        if ((block->word[i] & EV_KIND_MASK) != EV_EVENT) {
            words[n++] = block->word[i];
            continue;
        }
        assert_int_equal(block->word[i + 1], expected[region++]);
        i += 6;
    }
    assert_int_equal(region, 3);
    assert_int_equal(n, 7);
    assert_int_equal(words[0], ev_fetch(0x401000, 2));
    assert_int_equal(words[1], ev_load(0x7f0000001238, 0));
    assert_int_equal(words[2], ev_fetch(0x401008, 1));
    assert_int_equal(words[3], ev_load(0x7f0000200000, 0) | EV_DEPENDENT);
    assert_int_equal(words[4], ev_fetch(0x40100c, 1));
    assert_int_equal(words[5], ev_store(0x7f0000200010, 0));
    assert_int_equal(words[6], ev_fetch(0x402000, 1));
    s->release(s, block);
    assert_int_equal(s->next(s, &block), 0);
    s->close(s);
}

static void champsim_notices_what_is_wrong(void **state) {
    struct buffer b;
    struct checker c;
    char why[512];

    (void)state;
    champsim_sample(&b);
    for (size_t n = 1; n < b.bytes; n++) {
        int err = read_all(b.at, n, "a.champsim", &c, why, sizeof(why));

        assert_int_equal(err, n % 64 ? -EPIPE : 0);
        assert_int_equal(c.instructions, n / 64); /* what is whole is delivered */
    }
    b.at[2 * 64 + 8] = 2;
    assert_int_equal(read_all(b.at, b.bytes, "a.champsim", &c, why, sizeof(why)), -EILSEQ);
    expect_message(why, "record 3 (byte 128): the branch mark 0x2");
    champsim_sample(&b);
    b.at[64 + 39] = 0xff;
    assert_int_equal(read_all(b.at, b.bytes, "a.champsim", &c, why, sizeof(why)), -EILSEQ);
    expect_message(why, "record 2 (byte 64): the data's address");
}

/* -- lackey -- */

static const char lackey_text[] = "==12== Lackey, an example Valgrind tool\n"
                                  "==12== \n"
                                  "I  0401ab70,3\n"
                                  "I  0401ab73,5\n"
                                  " S 1fff000628,8\n"
                                  "I  0401b770,1\n"
                                  " M 0421d3c0,4\n"
                                  " L 1fff1ffffe,10\n" /* crosses into the next region */
                                  "\n"
                                  " L 1fff000000,512\n"
                                  "==12== Exit code:       0\n";

static void lackey_becomes_words(void **state) {
    struct checker c;
    struct ev_source *s;
    char why[512];

    (void)state;
    assert_int_equal(read_all(lackey_text, strlen(lackey_text), "x", &c, why, sizeof(why)), 0);
    assert_int_equal(c.instructions, 3);
    assert_int_equal(c.stores, 2);
    assert_int_equal(c.loads, 1 + 1 + 4); /* 512 bytes are four accesses */
    assert_int_equal(c.vmas, 4);
    memset(&c, 0, sizeof(c));
    assert_int_equal(open_memory(&s, lackey_text, strlen(lackey_text), "x", why, sizeof(why)), 0);
    s->want_pc = true;
    assert_int_equal(check_source(s, &c, why, sizeof(why)), 0);
    assert_int_equal(c.pcs, c.loads + c.stores);
}

static void lackey_notices_what_is_wrong(void **state) {
    static const struct {
        const char *text, *part;
    } wrong[] = {
        {"==1== x\nI  04,3\nhello\n", "x.lackey:3: not a line of lackey's"},
        {"I  04,3\n L 1000\n", "x.lackey:2:"},
        {"I  04,3\n L 1000,\n", "x.lackey:2:"},
        {"I  04,3\n L 1000,0\n", "x.lackey:2:"},
        {"I  04,3\n L 1000,4097\n", "x.lackey:2:"},
        {"I  04,3\n L 1000,99999999999999999999\n", "x.lackey:2:"},
        {"I  04,3\n L 11111111111111111,8\n", "x.lackey:2:"},
        {"I  04,3\n L ffffffffffffffff,8\n", "x.lackey:2:"},
        {"I  04,3\n L 10g0,8\n", "x.lackey:2:"},
        {"I  04,3\n L 1000,8", "x.lackey:2: truncated"},
    };
    struct checker c;
    char why[512], line[6000];

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(read_all(wrong[i].text, strlen(wrong[i].text), "x.lackey", &c, why, sizeof(why)) < 0);
        expect_message(why, wrong[i].part);
        assert_int_equal(c.instructions, 1);
    }
    memset(line, 'I', sizeof(line));
    memcpy(line, "I  04,3\n", 8);
    assert_true(read_all(line, sizeof(line), "x.lackey", &c, why, sizeof(why)) < 0);
    expect_message(why, "longer than 4096");
    for (size_t n = 1; n < strlen(lackey_text); n++) {
        int err = read_all(lackey_text, n, "x.lackey", &c, why, sizeof(why));

        assert_int_equal(err < 0, lackey_text[n - 1] != '\n');
    }
}

/* -- compression -- */

static size_t pack_gzip(const struct buffer *from, struct buffer *to) {
    z_stream z = {.next_in = (uint8_t *)from->at,
                  .avail_in = (uInt)from->bytes,
                  .next_out = to->at,
                  .avail_out = sizeof(to->at)};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static size_t pack_xz(const struct buffer *from, struct buffer *to) {
    size_t n = 0;

    assert_int_equal(
        lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, from->at, from->bytes, to->at, &n, sizeof(to->at)),
        LZMA_OK);
    return n;
}

static size_t pack_zstd(const struct buffer *from, struct buffer *to) {
    return ZSTD_compress(to->at, sizeof(to->at), from->at, from->bytes, 3);
}

static void compressed_traces_are_read(void **state) {
    static size_t (*const pack[])(const struct buffer *, struct buffer *) = {pack_gzip, pack_xz, pack_zstd};
    struct buffer *b = calloc(2, sizeof(*b));
    struct checker plain, c;
    char why[512];

    (void)state;
    champsim_sample(b);
    assert_int_equal(read_all(b->at, b->bytes, "x", &plain, why, sizeof(why)), 0);
    for (int i = 0; i < 3; i++) {
        b[1].bytes = pack[i](b, &b[1]);
        assert_int_equal(read_all(b[1].at, b[1].bytes, "x", &c, why, sizeof(why)), 0);
        assert_int_equal(c.hash, plain.hash);
        memcpy(b[1].at + b[1].bytes, b[1].at, b[1].bytes); /* two members one after the other */
        assert_int_equal(read_all(b[1].at, 2 * b[1].bytes, "x", &c, why, sizeof(why)), 0);
        assert_int_equal(c.instructions, 2 * plain.instructions);
        for (size_t n = 0; n < b[1].bytes; n++)
            assert_true(read_all(b[1].at, n, "x.champsim", &c, why, sizeof(why)) < 0);
    }
    free(b);
}

/* -- our own -- */

static char path[] = "/tmp/emt-trace-test-XXXXXX";

static void load_file(const char *from, struct buffer *b) {
    FILE *f = fopen(from, "rb");

    assert_non_null(f);
    b->bytes = fread(b->at, 1, sizeof(b->at), f);
    assert_true(b->bytes < sizeof(b->at));
    fclose(f);
}

/* Records a workload; the words' hash. */
static uint64_t record(const char *spec, bool pcs, bool cut_short) {
    struct checker c = {.threads = 1};
    struct ev_source *s;
    struct recorder *r;
    const struct ev_block *b;
    char why[512];

    assert_int_equal(workload_open(&s, spec, why, sizeof(why)), 0);
    s->want_pc = pcs;
    assert_int_equal(recorder_open(&r, path, spec, why, sizeof(why)), 0);
    while (s->next(s, &b) > 0) {
        check_block(&c, b, pcs);
        assert_int_equal(recorder_write(r, b, why, sizeof(why)), 0);
        s->release(s, b);
    }
    s->close(s);
    free(c.vma);
    assert_int_equal(recorder_close(r, cut_short, why, sizeof(why)), 0);
    return c.hash;
}

static void recordings_come_back(void **state) {
    (void)state;
    for (const char *const *name = workload_names(); *name; name++)
        for (int pcs = 0; pcs < 2; pcs++) {
            char spec[64], why[512];
            struct checker c = {0}, without = {0};
            struct ev_source *s;
            uint64_t hash;

            snprintf(spec, sizeof(spec), "%s:bytes=300G,accesses=20000,threads=3", *name);
            hash = record(spec, pcs, false);
            assert_int_equal(trace_open(&s, path, why, sizeof(why)), 0);
            assert_non_null(strstr(s->what, spec));
            s->want_pc = pcs;
            assert_int_equal(check_source(s, &c, why, sizeof(why)), 0);
            assert_int_equal(c.hash, hash);
            /* PCs that nobody wants are left out. */
            assert_int_equal(trace_open(&s, path, why, sizeof(why)), 0);
            assert_int_equal(check_source(s, &without, why, sizeof(why)), 0);
            assert_int_equal(without.words, c.words - c.pcs);
            assert_int_equal(without.loads + without.stores, c.loads + c.stores);
        }
}

static void extreme_words_come_back(void **state) {
    struct ev_block *b = calloc(1, sizeof(*b));
    const struct ev_block *read;
    struct recorder *r;
    struct ev_source *s;
    char why[512];
    uint64_t x = 1;

    (void)state;
    b->process = 77;
    b->thread = 0xffffffff;
    while (b->words + 8 <= EV_BLOCK_WORDS) {
        uint64_t word = random_next(&x);

        if ((word & EV_KIND_MASK) == EV_EVENT) {
            unsigned event = EV_MMAP + word % 3;

            word = ev_event(event, ev_operand_count[event]) | (word & 0x7c) | word >> 23 << 23;
            b->word[b->words++] = word;
            for (unsigned i = 0; i < ev_operand_count[event]; i++)
                b->word[b->words++] = random_next(&x);
            continue;
        }
        b->word[b->words++] = word;
        if ((word & EV_KIND_MASK) <= EV_STORE && word & EV_HAS_PC)
            b->word[b->words++] = random_next(&x);
    }
    assert_int_equal(recorder_open(&r, path, "", why, sizeof(why)), 0);
    assert_int_equal(recorder_write(r, b, why, sizeof(why)), 0);
    assert_int_equal(recorder_close(r, false, why, sizeof(why)), 0);
    assert_int_equal(trace_open(&s, path, why, sizeof(why)), 0);
    s->want_pc = true;
    assert_int_equal(s->next(s, &read), 1);
    assert_int_equal(read->process, b->process);
    assert_int_equal(read->thread, b->thread);
    assert_int_equal(read->words, b->words);
    assert_memory_equal(read->word, b->word, b->words * 8);
    s->release(s, read);
    assert_int_equal(s->next(s, &read), 0);
    s->close(s);
    free(b);
}

static void every_cut_and_every_spoilt_byte_is_noticed(void **state) {
    struct buffer *b = calloc(1, sizeof(*b));
    struct checker c;
    char why[512];

    (void)state;
    record("gups:bytes=1M,init=0,accesses=300,threads=2", true, false);
    load_file(path, b);
    assert_int_equal(read_all(b->at, b->bytes, "x.emt", &c, why, sizeof(why)), 0);
    for (size_t n = 0; n < b->bytes; n++) {
        assert_true(read_all(b->at, n, "x.emt", &c, why, sizeof(why)) < 0);
        expect_message(why, n ? "truncated" : "empty");
    }
    for (size_t n = 0; n < b->bytes; n++) {
        b->at[n] ^= 0x10;
        assert_true(read_all(b->at, b->bytes, "x.emt", &c, why, sizeof(why)) < 0);
        b->at[n] ^= 0x10;
    }
    b->at[b->bytes] = 0;
    assert_true(read_all(b->at, b->bytes + 1, "x.emt", &c, why, sizeof(why)) < 0);
    expect_message(why, "follows the trailer");
    b->at[8] = 2;
    assert_int_equal(read_all(b->at, b->bytes, "x.emt", &c, why, sizeof(why)), -ENOTSUP);
    expect_message(why, "version 2");
    free(b);
}

static void a_cut_short_recording_says_so(void **state) {
    struct ev_source *s;
    struct checker c = {0};
    char why[512];

    (void)state;
    record("gups:bytes=1M,init=0,accesses=300", false, true);
    assert_int_equal(trace_open(&s, path, why, sizeof(why)), 0);
    assert_non_null(strstr(s->what, "cut short when recorded"));
    assert_int_equal(check_source(s, &c, why, sizeof(why)), 0);
}

/* Writes until it fails: the first message, and what close says then. */
static void fill_up(const char *to, char *first, char *last, size_t bytes) {
    struct ev_source *s;
    struct recorder *r;
    const struct ev_block *b;
    char why[512];
    int err = 0;

    first[0] = '\0';
    assert_int_equal(recorder_open(&r, to, "x", why, sizeof(why)), 0);
    assert_int_equal(workload_open(&s, "gups:bytes=1T,accesses=1M", why, sizeof(why)), 0);
    while (!err && s->next(s, &b) > 0) {
        err = recorder_write(r, b, first, bytes);
        s->release(s, b);
    }
    s->close(s);
    assert_true(err < 0);
    assert_int_equal(recorder_close(r, false, last, bytes), err);
}

static void a_full_disk_is_reported_once(void **state) {
    struct rlimit old, small;
    char first[512], last[512];

    (void)state;
    fill_up("/dev/full", first, last, sizeof(first));
    expect_message(first, "cannot write /dev/full: No space left on device");
    assert_string_equal(last, "");
    assert_int_equal(access("/dev/full", F_OK), 0);

    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    fill_up(path, first, last, sizeof(first));
    setrlimit(RLIMIT_FSIZE, &old);
    expect_message(first, "File too large; the partial file was removed");
    assert_string_equal(last, "");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_small_recording_on_a_full_disk_fails_at_the_end(void **state) {
    struct recorder *r;
    char why[512];

    (void)state;
    assert_int_equal(recorder_open(&r, "/dev/full", "x", why, sizeof(why)), 0);
    assert_int_equal(recorder_close(r, false, why, sizeof(why)), -ENOSPC);
    expect_message(why, "No space left on device");
}

static void what_cannot_be_opened_is_explained(void **state) {
    static const struct {
        const char *path, *part;
    } wrong[] = {
        {"/nonexistent/x.emt", "cannot open /nonexistent/x.emt: No such file"},
        {"/tmp", "Is a directory"},
        {"/dev/null", "the file is empty"},
    };
    static const char text[] = "hello, world\n";
    struct ev_source *s;
    struct recorder *r;
    struct checker c;
    char why[512];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(trace_open(&s, wrong[i].path, why, sizeof(why)) < 0);
        expect_message(why, wrong[i].part);
    }
    assert_true(read_all(text, strlen(text), "x", &c, why, sizeof(why)) < 0);
    expect_message(why, "not a trace that emt knows");
    assert_true(read_all(text, strlen(text), "x.emt.gz", &c, why, sizeof(why)) < 0);
    expect_message(why, "truncated: the header");
    assert_true(recorder_open(&r, "/nonexistent/x.emt", "x", why, sizeof(why)) < 0);
    expect_message(why, "cannot create /nonexistent/x.emt: No such file");
}

static int make_path(void **state) {
    int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int remove_path(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(champsim_becomes_words),
        cmocka_unit_test(champsim_notices_what_is_wrong),
        cmocka_unit_test(lackey_becomes_words),
        cmocka_unit_test(lackey_notices_what_is_wrong),
        cmocka_unit_test(compressed_traces_are_read),
        cmocka_unit_test(recordings_come_back),
        cmocka_unit_test(extreme_words_come_back),
        cmocka_unit_test(every_cut_and_every_spoilt_byte_is_noticed),
        cmocka_unit_test(a_cut_short_recording_says_so),
        cmocka_unit_test(a_full_disk_is_reported_once),
        cmocka_unit_test(a_small_recording_on_a_full_disk_fails_at_the_end),
        cmocka_unit_test(what_cannot_be_opened_is_explained),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
