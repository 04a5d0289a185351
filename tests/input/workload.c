/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Synthetic workloads: each against what can be said of it in a closed form, and all against the rules of a source.
 */
#include "checker.h"

#include <math.h>

#include "input/synth/graph.h"
#include "input/synth/synth.h"
#include "input/synth/zipf_sampler.h"

/* Mappings in the order of announcement: image, text, stack, then the workload's regions. */
enum { REGION = 3 };

static void every_workload_keeps_the_rules(void **state) {
    static const char *const sizes[] = {"bytes=4M", "bytes=4M,threads=5", "bytes=300G", "bytes=64T,threads=3"};

    (void)state;
    for (const char *const *name = workload_names(); *name; name++)
        for (unsigned i = 0; i < 4; i++)
            for (int pcs = 0; pcs < 2; pcs++) {
                char spec[128], other[128];
                struct checker a, b;

                snprintf(spec, sizeof(spec), "%s:%s,accesses=30001,init=0,seed=7", *name, sizes[i]);
                snprintf(other, sizeof(other), "%s:%s,accesses=30001,init=0,seed=8", *name, sizes[i]);
                a = check_workload(spec, pcs, NULL, NULL);
                b = check_workload(spec, pcs, NULL, NULL);
                assert_int_equal(a.loads + a.stores, 30001);
                assert_true(a.instructions > 30001 / 2);
                assert_int_equal(a.pcs, pcs ? 30001 : 0);
                assert_int_equal(a.hash, b.hash);
                b = check_workload(other, pcs, NULL, NULL);
                assert_true(!strcmp(*name, "stream") || a.hash != b.hash);
            }
}

static void init_writes_every_line_once(void **state) {
    struct checker c = check_workload("gups:bytes=1M,accesses=10,init=1,threads=3", false, NULL, NULL);

    (void)state;
    assert_int_equal(c.stores, 5 + (1 << 20) / 64);
    assert_int_equal(c.loads, 5);
}

static void madvise_and_threads_are_announced(void **state) {
    struct ev_source *s;
    const struct ev_block *b;
    char why[256];
    unsigned advices = 0, threads = 0;

    (void)state;
    assert_int_equal(workload_open(&s, "stream:bytes=3M,madvise=1,threads=4", why, sizeof(why)), 0);
    assert_int_equal(s->next(s, &b), 1);
    for (uint32_t i = 0; i < b->words; i += 1 + ev_operands(b->word[i])) {
        advices += ev_kind_of(b->word[i]) == EV_MADVISE && b->word[i + 3] == MADV_HUGEPAGE;
        threads += ev_kind_of(b->word[i]) == EV_THREAD;
    }
    assert_int_equal(advices, 3);
    assert_int_equal(threads, 3);
    s->release(s, b);
    s->close(s);
}

static void permutations_are_bijective(void **state) {
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 100, 255, 256, 257, 1000, 4096, 99991};

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *seen = calloc(sizes[i], 1);
        struct perm p;

        perm_init(&p, sizes[i], 3 + i);
        for (uint64_t k = 0; k < sizes[i]; k++) {
            uint64_t to = perm_forward(&p, k);

            assert_true(to < sizes[i] && !seen[to]);
            seen[to] = 1;
            assert_int_equal(perm_inverse(&p, to), k);
        }
        free(seen);
    }
}

struct pages {
    uint8_t touched[4096];
    unsigned distinct;
    uint64_t base;
};

static void count_page(struct checker *c, uint64_t word, uint64_t pc, unsigned vma) {
    struct pages *p = c->ctx;
    uint64_t page = (ev_address(word) - c->vma[vma].base) >> 12;

    (void)pc;
    assert_int_equal(vma, REGION);
    p->distinct += !p->touched[page];
    p->touched[page] = 1;
}

static void gups_touches_exactly_its_pages(void **state) {
    struct pages p = {.distinct = 0};
    struct checker c = check_workload("gups:bytes=16M,pages=777,accesses=50000,threads=2", false, count_page, &p);

    (void)state;
    assert_int_equal(p.distinct, 777);
    assert_int_equal(c.stores, 777 + 25000);
    assert_int_equal(c.loads, 25000);
    c = check_workload("gups:bytes=64K,accesses=0,init=0,write=0", false, NULL, NULL);
    assert_int_equal(c.loads, 4 * 65536 / 8);
    assert_int_equal(c.stores, 0);
}

static void follow_stream(struct checker *c, uint64_t word, uint64_t pc, unsigned vma) {
    uint64_t *count = c->ctx, n = *count / 3;
    static const unsigned array[] = {1, 2, 0}; /* triad: b, c, a */

    (void)pc;
    assert_int_equal(vma, REGION + array[*count % 3]);
    assert_int_equal(ev_address(word), c->vma[vma].base + 8 * n);
    ++*count;
}

static void stream_is_sequential(void **state) {
    uint64_t count = 0;
    struct checker c = check_workload("stream:bytes=240000,accesses=0,init=0", true, follow_stream, &count);

    (void)state;
    assert_int_equal(c.loads, 20000);
    assert_int_equal(c.stores, 10000);
    assert_int_equal(c.instructions, 70000);
    c = check_workload("stream:bytes=240000,accesses=0,init=0,kernel=all,threads=3", true, NULL, NULL);
    assert_int_equal(c.loads, 60000);
    assert_int_equal(c.stores, 40000);
}

struct nodes {
    uint8_t visits[70000];
    uint64_t node_bytes;
};

static void count_node(struct checker *c, uint64_t word, uint64_t pc, unsigned vma) {
    struct nodes *n = c->ctx;
    uint64_t at = ev_address(word) - c->vma[vma].base;

    (void)pc;
    assert_int_equal(at % n->node_bytes, 0);
    assert_true(at / n->node_bytes < 70000);
    n->visits[at / n->node_bytes]++;
}

static void chase_visits_every_node_once(void **state) {
    struct nodes *n = calloc(1, sizeof(*n));
    struct checker c;

    (void)state;
    n->node_bytes = 128;
    c = check_workload("chase:bytes=1280128,node=128,accesses=0,init=0,threads=3", false, count_node, n);
    assert_int_equal(c.loads, 10001);
    assert_int_equal(c.dependent, 10001);
    for (unsigned i = 0; i < 10001; i++)
        assert_int_equal(n->visits[i], 1);
    c = check_workload("chase:bytes=1280128,node=128,accesses=20002,init=0", false, count_node, n);
    for (unsigned i = 0; i < 10001; i++)
        assert_int_equal(n->visits[i], 3);
    free(n);
}

/* Chi-square of 200,000 samples over n ranks: mean n-1, standard deviation sqrt(2(n-1)); five of these are allowed.
 */
static void zipf_matches_theory(void **state) {
    static const double thetas[] = {0, 0.5, 0.99, 1, 1 + 1e-10, 1.5, 2};
    enum { N = 300, SAMPLES = 200000 };

    (void)state;
    for (unsigned t = 0; t < sizeof(thetas) / sizeof(thetas[0]); t++) {
        unsigned count[N + 1] = {0}, cells = 0;
        uint64_t rng = 42;
        double sum = 0, chi = 0, rest = 0, rest_seen = 0;
        struct zipf z;

        zipf_init(&z, N, thetas[t]);
        for (int i = 0; i < SAMPLES; i++) {
            uint64_t k = zipf_next(&z, &rng);

            assert_in_range(k, 1, N);
            count[k]++;
        }
        for (int k = 1; k <= N; k++)
            sum += pow(k, -thetas[t]);
        for (int k = 1; k <= N; k++) {
            double expected = SAMPLES * pow(k, -thetas[t]) / sum;

            if (expected < 10) { /* too rare for a cell of its own */
                rest += expected;
                rest_seen += count[k];
                continue;
            }
            chi += (count[k] - expected) * (count[k] - expected) / expected;
            cells++;
        }
        if (rest >= 10)
            chi += (rest_seen - rest) * (rest_seen - rest) / rest;
        assert_true(chi < cells + 5 * sqrt(2.0 * cells));
        assert_true(chi > cells - 5 * sqrt(2.0 * cells));
    }
}

/* A billion ranks: the share of the first thousand, against the sum by Euler and Maclaurin. */
static void zipf_holds_for_a_billion(void **state) {
    const double theta = 0.99, n = 1e9;
    double head = 0, all = 0, expected, seen = 0;
    uint64_t rng = 5;
    struct zipf z;

    (void)state;
    for (int k = 1; k <= 100000; k++) {
        all += pow(k, -theta);
        if (k == 1000)
            head = all;
    }
    all += (pow(n, 1 - theta) - pow(1e5, 1 - theta)) / (1 - theta) + (pow(n, -theta) - pow(1e5, -theta)) / 2;
    expected = head / all;
    zipf_init(&z, 1000000000, theta);
    for (int i = 0; i < 400000; i++)
        seen += zipf_next(&z, &rng) <= 1000;
    seen /= 400000;
    assert_true(fabs(seen - expected) < 5 * sqrt(expected * (1 - expected) / 400000));
}

struct lookups {
    uint64_t loads, node; /* of the present lookup; node: address of the last one */
    unsigned nodes;
    uint64_t lookups;
};

enum { FANOUT = 16, LEVELS = 3, NODE = 16 * FANOUT };

static void follow_lookup(struct checker *c, uint64_t word, uint64_t pc, unsigned vma) {
    static const uint64_t level_base[LEVELS + 1] = {0, 1, 17, 273}; /* 1, 16, 256 nodes */
    struct lookups *l = c->ctx;
    uint64_t at = ev_address(word) - c->vma[vma].base, node = at / NODE;

    (void)pc;
    if (l->loads++ % 5 == 0) {
        assert_in_range(node, level_base[l->nodes], level_base[l->nodes + 1] - 1);
        l->node = node;
        l->nodes++;
    }
    assert_int_equal(node, l->node);
    assert_int_equal(at % NODE >= 8 * FANOUT, l->loads % 5 == 0); /* four keys, then a child */
    if (l->loads == 5 * LEVELS) {
        assert_int_equal(l->nodes, LEVELS);
        l->loads = l->nodes = 0;
        l->lookups++;
    }
}

static void btree_visits_one_node_a_level(void **state) {
    struct lookups l = {0};

    (void)state;
    check_workload("btree:keys=4096,fanout=16,accesses=0,init=0", false, follow_lookup, &l);
    assert_int_equal(l.lookups, 4096);
}

static void procedural_lists_are_disjoint(void **state) {
    struct graph g;
    uint64_t end = 0, ones = 0, drawn = 0;

    (void)state;
    assert_int_equal(graph_init(&g, GRAPH_STORED_SCALE + 3, 1), 0);
    assert_null(g.first);
    for (uint64_t u = 0; u < g.vertices; u += u < 200000 ? 1 : 4097) {
        struct graph_list list = graph_open(&g, perm_forward(&g.label, u)), again = list;

        assert_int_equal(list.number, u);
        assert_true(list.first >= end && list.first + list.degree <= g.edges);
        end = list.first + list.degree;
        for (uint64_t j = 0; j < list.degree && j < 4; j++) {
            uint64_t label = graph_next(&g, &list);

            assert_true(label < g.vertices);
            assert_int_equal(label, graph_next(&g, &again));
            if (u == 0)
                continue;
            ones += (unsigned)__builtin_popcountll(perm_inverse(&g.label, label));
            drawn += g.scale;
        }
    }
    /* A one follows a zero in 0.25, a one in 0.2083 of all bits. */
    assert_true((double)ones / (double)drawn > 0.20 && (double)ones / (double)drawn < 0.25);
    /* Vertex 0: (A + B)^scale of all edges. */
    assert_true(fabs((double)graph_open(&g, perm_forward(&g.label, 0)).degree / (double)g.edges - pow(0.76, 23)) <
                1e-6);
    graph_free(&g);
}

struct search {
    uint64_t in[4]; /* accesses of vertex, edge, parent, queue */
    uint64_t parent_stores;
    uint8_t found[65536];
};

static void count_search(struct checker *c, uint64_t word, uint64_t pc, unsigned vma) {
    struct search *s = c->ctx;
    uint64_t at = ev_address(word) - c->vma[vma].base;

    (void)pc;
    s->in[vma - REGION]++;
    if (vma - REGION == 2 && (word & EV_KIND_MASK) == EV_STORE) {
        assert_int_equal(s->found[at / 4]++, 0); /* each vertex is found once */
        s->parent_stores++;
    }
}

static void bfs_is_a_search(void **state) {
    uint64_t degrees = 0;
    struct graph g;

    (void)state;
    for (int threads = 1; threads <= 4; threads += 3) {
        struct search *s = calloc(1, sizeof(*s));
        char spec[64];

        snprintf(spec, sizeof(spec), "bfs:scale=12,seed=9,accesses=0,init=0,threads=%d", threads);
        check_workload(spec, false, count_search, s);
        assert_int_equal(graph_init(&g, 12, 9), 0);
        degrees = 0;
        for (uint64_t v = 0; v < g.vertices; v++) {
            struct graph_list list = graph_open(&g, v);

            if (!s->found[v])
                continue;
            degrees += list.degree;
            for (uint64_t j = list.degree; j; j--) /* what a found one leads to is found */
                assert_true(s->found[graph_next(&g, &list)]);
        }
        assert_true(s->parent_stores > 1000);
        assert_int_equal(s->in[0], 2 * s->parent_stores);
        assert_int_equal(s->in[1], degrees);
        assert_int_equal(s->in[2], degrees + s->parent_stores);
        assert_int_equal(s->in[3], 2 * s->parent_stores);
        graph_free(&g);
        free(s);
    }
}

static void count_region(struct checker *c, uint64_t word, uint64_t pc, unsigned vma) {
    (void)word, (void)pc;
    ((uint64_t *)c->ctx)[vma]++;
}

static void pagerank_reads_every_edge_in_each_iteration(void **state) {
    uint64_t in[REGION + 4] = {0};
    const uint64_t v = 1 << 10, e = v * 32;

    (void)state;
    check_workload("pagerank:scale=10,accesses=0,init=0,iterations=3,threads=2", false, count_region, in);
    assert_int_equal(in[REGION], 3 * 3 * v);
    assert_int_equal(in[REGION + 1], 3 * e);
    assert_int_equal(in[REGION + 2], 3 * (e + v));
    assert_int_equal(in[REGION + 3], 3 * 2 * v);
}

struct join {
    uint8_t slots[4096];
    uint64_t tuples, probes;
};

static void follow_join(struct checker *c, uint64_t word, uint64_t pc, unsigned vma) {
    struct join *j = c->ctx;
    uint64_t at = ev_address(word) - c->vma[vma].base;

    (void)pc;
    if (vma == REGION + 2 && (word & EV_KIND_MASK) == EV_STORE && ev_size_bytes(word) == 16) {
        assert_true(at % 64 == 8 || at % 64 == 24);
        assert_int_equal(j->slots[at / 64 * 2 + (at % 64 == 24)]++, 0);
        j->tuples++;
    }
    j->probes += vma == REGION + 1;
}

static void hashjoin_fills_each_slot_once(void **state) {
    struct join j = {.tuples = 0};

    (void)state;
    /* 64 + 2 * 16 * (1 + 4) bytes for two tuples of R */
    check_workload("hashjoin:bytes=224000,accesses=0,init=0,threads=3", false, follow_join, &j);
    assert_int_equal(j.tuples, 2000);
    assert_int_equal(j.probes, 8000);
}

static void xsbench_reads_two_points_a_nuclide(void **state) {
    uint64_t in[REGION + 4] = {0};

    (void)state;
    check_workload("xsbench:gridpoints=100,nuclides=68,lookups=500,accesses=0,init=0", false, count_region, in);
    assert_in_range(in[REGION], 500 * 12, 500 * 13); /* log2(6800) = 12.7 */
    assert_int_equal(in[REGION + 2], 12 * in[REGION + 1]);
    assert_int_equal(in[REGION + 3], 2 * in[REGION + 1]);
    /* Mean nuclides a lookup: by XSBench's shares, 34 of the small reactor's fuel. */
    assert_in_range(in[REGION + 1], 500 * 10, 500 * 20);
}

static void wrong_specs_are_explained(void **state) {
    static const struct {
        const char *spec, *part;
    } wrong[] = {
        {"gupps", "nearest is 'gups'"},
        {"", "no workload"},
        {"gups:byte=1M", "nearest is 'bytes'"},
        {"gups:bytes", "needs a value"},
        {"gups:bytes=12Q", "from 64K to 64T"},
        {"gups:bytes=65T", "from 64K to 64T"},
        {"gups:accesses=-1", "from 0 to 1P"},
        {"gups:accesses=1.0000001M", "whole number"},
        {"gups:accesses=99999999999999999999", "whole number"},
        {"gups:threads=65", "from 1 to 64"},
        {"gups:seed=1,seed=1", "twice"},
        {"gups:bytes=1M,pages=257", "only 256 pages"},
        {"stream:kernel=quad", "must be one of copy scale add triad all"},
        {"zipf:theta=x", "a number"},
        {"zipf:theta=nan", "a number"},
        {"btree:keys=5,bytes=1M", "not both"},
        {"bfs:scale=41", "from 6 to 40"},
        {"bfs:scale=40", "more than 64T"},
        {"xsbench:bytes=64K", "grid points"},
        {"chase:node=9", "multiple of 8"},
    };
    struct ev_source *s;
    char why[256];

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(workload_open(&s, wrong[i].spec, why, sizeof(why)) < 0);
        if (!strstr(why, wrong[i].part))
            fail_msg("%s: '%s'", wrong[i].spec, why);
    }
}

static void the_list_is_in_the_docs(void **state) {
    char *text, *docs = calloc(1, 1 << 16);
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);

    (void)state;
    workload_list(f);
    fclose(f);
    for (const char *const *name = workload_names(); *name; name++)
        assert_non_null(strstr(text, *name));
    f = fopen(SOURCE_ROOT "/docs/workloads.md", "r");
    assert_non_null(f);
    assert_true(fread(docs, 1, (1 << 16) - 1, f) > 0);
    fclose(f);
    if (!strstr(docs, text))
        fail_msg("docs/workloads.md: put the output of `emt list workloads` there again");
    free(docs);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_workload_keeps_the_rules),
        cmocka_unit_test(init_writes_every_line_once),
        cmocka_unit_test(madvise_and_threads_are_announced),
        cmocka_unit_test(permutations_are_bijective),
        cmocka_unit_test(gups_touches_exactly_its_pages),
        cmocka_unit_test(stream_is_sequential),
        cmocka_unit_test(chase_visits_every_node_once),
        cmocka_unit_test(zipf_matches_theory),
        cmocka_unit_test(zipf_holds_for_a_billion),
        cmocka_unit_test(btree_visits_one_node_a_level),
        cmocka_unit_test(procedural_lists_are_disjoint),
        cmocka_unit_test(bfs_is_a_search),
        cmocka_unit_test(pagerank_reads_every_edge_in_each_iteration),
        cmocka_unit_test(hashjoin_fills_each_slot_once),
        cmocka_unit_test(xsbench_reads_two_points_a_nuclide),
        cmocka_unit_test(wrong_specs_are_explained),
        cmocka_unit_test(the_list_is_in_the_docs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
