/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stacks followed by their calls and returns: boot/profile.h. */
#include "boot/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STACK_SHIFT 14  /* Linux x86-64: THREAD_SIZE is 16 KiB, and stacks are aligned to it */
#define MAX_DEPTH   192 /* deeper calls are charged to the caller */
#define MAX_STACKS  65536
#define MAX_NESTED  16 /* exceptions in exceptions */
#define MAX_CPUS    64

struct symbol {
    uint64_t va;
    char *name;
};

/* A function reached by one way: a path from the root. */
struct node {
    uint32_t parent, function;
    uint64_t instructions, entries;
};

struct frame {
    uint64_t slot;
    uint32_t callee, caller; /* nodes */
};

struct stack {
    uint64_t id; /* 0: free */
    unsigned depth;
    struct frame *frame;
};

struct cpu {
    uint32_t node; /* where it is; ROOT: user mode */
    enum profile_step step;
    uint64_t slot;
    uint32_t interrupted[MAX_NESTED];
    unsigned nested;
};

struct profile {
    struct symbol *symbol;
    unsigned symbols;
    struct node *node;
    uint32_t nodes, node_room;
    uint32_t *child; /* hash of (parent, function) to node; 0: free */
    uint32_t child_room;
    struct stack stack[MAX_STACKS];
    struct cpu cpu[MAX_CPUS];
    unsigned running;
    uint64_t retired;
};

#define ROOT 1u /* node 0 is none */

/* ---- symbols ---- */

static int by_address(const void *a, const void *b) {
    const struct symbol *x = a, *y = b;

    return x->va < y->va ? -1 : x->va > y->va;
}

static int add_symbol(struct profile *p, uint64_t va, const char *name) {
    if (p->symbols % 4096 == 0) {
        void *more = realloc(p->symbol, (p->symbols + 4096) * sizeof(*p->symbol));
        if (!more)
            return -ENOMEM;
        p->symbol = more;
    }
    p->symbol[p->symbols] = (struct symbol){va, strdup(name)};
    return p->symbol[p->symbols++].name ? 0 : -ENOMEM;
}

/* Text symbols; of several at one address the first stays. */
static int read_symbols(struct profile *p, const char *path) {
    FILE *f = fopen(path, "re");
    char line[512], name[256], kind;
    unsigned long long va;
    int err = f ? add_symbol(p, 0, "[unknown]") : -errno;

    while (!err && fgets(line, sizeof(line), f))
        if (sscanf(line, "%llx %c %255s", &va, &kind, name) == 3 && (kind == 't' || kind == 'T' || kind == 'W'))
            err = add_symbol(p, va, name);
    if (f)
        fclose(f);
    if (err)
        return err;
    qsort(p->symbol, p->symbols, sizeof(*p->symbol), by_address);
    return p->symbols > 1 ? 0 : -EINVAL;
}

unsigned profile_function(const struct profile *p, uint64_t va) {
    unsigned low = 0, high = p->symbols;

    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;
        if (p->symbol[middle].va <= va)
            low = middle;
        else
            high = middle;
    }
    while (low > 0 && p->symbol[low - 1].va == p->symbol[low].va)
        low--;
    return low;
}

const char *profile_name(const struct profile *p, unsigned function) {
    return p->symbol[function].name;
}

/* ---- nodes ---- */

static uint32_t hash(const struct profile *p, uint32_t parent, uint32_t function) {
    /* 2^64 / golden ratio (Knuth) */
    return (uint32_t)(((uint64_t)parent << 32 | function) * 0x9e3779b97f4a7c15u >> 32) & (p->child_room - 1);
}

static void enter_child(struct profile *p, uint32_t node) {
    uint32_t i = hash(p, p->node[node].parent, p->node[node].function);

    while (p->child[i])
        i = (i + 1) & (p->child_room - 1);
    p->child[i] = node;
}

static int grow(struct profile *p) {
    uint32_t room = p->node_room ? 2 * p->node_room : 16384;
    struct node *node = realloc(p->node, room * sizeof(*node));
    uint32_t *child = calloc(2ul * room, sizeof(*child));

    if (node)
        p->node = node;
    if (!node || !child) {
        free(child);
        return -ENOMEM;
    }
    free(p->child);
    p->child = child;
    p->node_room = room;
    p->child_room = 2 * room;
    for (uint32_t i = ROOT + 1; i < p->nodes; i++)
        enter_child(p, i);
    return 0;
}

/* The node of `function` called from `parent`; without memory the parent itself. */
static uint32_t child_of(struct profile *p, uint32_t parent, uint32_t function) {
    uint32_t i = hash(p, parent, function);

    for (; p->child[i]; i = (i + 1) & (p->child_room - 1))
        if (p->node[p->child[i]].parent == parent && p->node[p->child[i]].function == function)
            return p->child[i];
    if (p->nodes == p->node_room && grow(p))
        return parent;
    p->node[p->nodes] = (struct node){.parent = parent, .function = function};
    enter_child(p, p->nodes);
    return p->nodes++;
}

/* ---- stacks ---- */

static struct stack *stack_of(struct profile *p, uint64_t slot) {
    const uint64_t id = slot >> STACK_SHIFT;
    uint32_t i = (uint32_t)(id * 0x9e3779b97f4a7c15u >> 48);

    for (unsigned tries = 0; tries < MAX_STACKS; tries++, i = (i + 1) % MAX_STACKS) {
        struct stack *s = &p->stack[i];

        if (s->id == id)
            return s;
        if (!s->id) {
            s->frame = calloc(MAX_DEPTH, sizeof(*s->frame));
            if (!s->frame)
                return NULL;
            s->id = id;
            return s;
        }
    }
    return NULL;
}

/* Frames at or below a slot have ended: what pushes there now is above them in time. */
static const struct frame *pop(struct stack *s, uint64_t slot) {
    const struct frame *last = NULL;

    while (s->depth && s->frame[s->depth - 1].slot <= slot)
        last = &s->frame[--s->depth];
    return last;
}

static bool is_entry(const struct profile *p, unsigned function) {
    return strncmp(p->symbol[function].name, "asm_", 4) == 0;
}

/* Where a return leads. */
static uint32_t returned_to(struct profile *p, uint64_t slot, unsigned function) {
    struct stack *s = stack_of(p, slot);
    const struct frame *f = s ? pop(s, slot) : NULL;
    uint32_t node = f ? f->caller : s && s->depth ? s->frame[s->depth - 1].callee : ROOT;

    if (node != ROOT && p->node[node].function == function)
        return node;
    /* Another function than the one that called: lost, or a return that was made by hand. */
    return child_of(p, node == ROOT ? ROOT : p->node[node].parent, function);
}

static uint32_t called(struct profile *p, uint32_t caller, uint64_t slot, unsigned function) {
    struct stack *s = stack_of(p, slot);
    uint32_t callee;

    if (!s)
        return caller;
    pop(s, slot);
    if (s->depth == MAX_DEPTH)
        return caller;
    callee = child_of(p, caller, function);
    p->node[callee].entries++;
    s->frame[s->depth++] = (struct frame){slot, callee, caller};
    return callee;
}

/* Neither call nor return: on in the function, a jump to another, or an exception. */
static uint32_t went_on(struct profile *p, struct cpu *c, unsigned function) {
    uint32_t node = c->node;

    if (node != ROOT && p->node[node].function == function)
        return node;
    if (node == ROOT || is_entry(p, function)) {
        if (node != ROOT && c->nested < MAX_NESTED)
            c->interrupted[c->nested++] = node;
        node = child_of(p, node, function);
    } else {
        node = child_of(p, p->node[node].parent, function);
    }
    p->node[node].entries++;
    return node;
}

void profile_call(struct profile *p, unsigned cpu, uint64_t slot) {
    p->cpu[cpu].step = PROFILE_CALL;
    p->cpu[cpu].slot = slot;
}

void profile_return(struct profile *p, unsigned cpu, uint64_t slot) {
    p->cpu[cpu].step = PROFILE_RETURN;
    p->cpu[cpu].slot = slot;
}

void profile_iret(struct profile *p, unsigned cpu) {
    p->cpu[cpu].step = PROFILE_IRET;
}

static uint32_t next_node(struct profile *p, struct cpu *c, unsigned function) {
    switch (c->step) {
    case PROFILE_CALL:
        return called(p, c->node, c->slot, function);
    case PROFILE_RETURN:
        return returned_to(p, c->slot, function);
    case PROFILE_IRET:
        if (c->nested)
            c->node = c->interrupted[--c->nested];
        break;
    case PROFILE_GO:
        break;
    }
    return went_on(p, c, function);
}

void profile_block(struct profile *p, unsigned cpu, bool kernel, unsigned function, uint64_t retired) {
    struct cpu *c = &p->cpu[cpu];

    p->node[p->cpu[p->running].node].instructions += retired - p->retired;
    p->retired = retired;
    p->running = cpu;
    if (!kernel) {
        c->node = ROOT;
        c->nested = 0;
    } else {
        c->node = next_node(p, c, function);
    }
    c->step = PROFILE_GO;
}

/* ---- results ---- */

/* The innermost of these on a stack says what it was for. */
static const struct {
    const char *function;
    enum result_operation operation;
} groups[] = {
    {"exc_page_fault", RESULT_PAGE_FAULT}, {"asm_exc_page_fault", RESULT_PAGE_FAULT},
    {"__x64_sys_mmap", RESULT_MMAP},       {"__x64_sys_brk", RESULT_MMAP},
    {"__x64_sys_mremap", RESULT_MMAP},     {"vm_mmap_pgoff", RESULT_MMAP},
    {"__x64_sys_munmap", RESULT_MUNMAP},   {"__x64_sys_fork", RESULT_FORK},
    {"__x64_sys_vfork", RESULT_FORK},      {"__x64_sys_clone", RESULT_FORK},
    {"__x64_sys_clone3", RESULT_FORK},     {"kernel_clone", RESULT_FORK},
    {"__x64_sys_execve", RESULT_EXEC},     {"__x64_sys_execveat", RESULT_EXEC},
    {"kernel_execve", RESULT_EXEC},        {"do_exit", RESULT_EXIT},
    {"__x64_sys_exit_group", RESULT_EXIT}, {"__x64_sys_exit", RESULT_EXIT},
    {"khugepaged", RESULT_KHUGEPAGED},     {"kswapd", RESULT_RECLAIM},
    {"try_to_free_pages", RESULT_RECLAIM}, {"try_to_free_mem_cgroup_pages", RESULT_RECLAIM},
    {"node_reclaim", RESULT_RECLAIM},
};

static int group_of_name(const char *name) {
    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (strcmp(groups[i].function, name) == 0)
            return (int)groups[i].operation;
    return -1;
}

static enum result_operation operation_of(const struct profile *p, uint32_t node) {
    for (; node > ROOT; node = p->node[node].parent) {
        int group = group_of_name(p->symbol[p->node[node].function].name);
        if (group >= 0)
            return (enum result_operation)group;
    }
    return RESULT_OTHER;
}

struct share {
    uint64_t instructions;
    unsigned function;
};

static int by_share(const void *a, const void *b) {
    const struct share *x = a, *y = b;

    if (x->instructions != y->instructions)
        return x->instructions < y->instructions ? 1 : -1;
    return x->function < y->function ? -1 : x->function > y->function;
}

static void print_path(const struct profile *p, uint32_t node, FILE *f) {
    if (p->node[node].parent > ROOT) {
        print_path(p, p->node[node].parent, f);
        fputc(';', f);
    }
    fputs(p->symbol[p->node[node].function].name, f);
}

/* Those with at least so many instructions. */
static void print_stacks(const struct profile *p, uint64_t least, FILE *f) {
    for (uint32_t i = ROOT + 1; i < p->nodes; i++) {
        if (!p->node[i].instructions || p->node[i].instructions < least)
            continue;
        print_path(p, i, f);
        fprintf(f, " %llu\n", (unsigned long long)p->node[i].instructions);
    }
}

int profile_folded(const struct profile *p, FILE *f) {
    print_stacks(p, 0, f);
    return ferror(f) ? -EIO : 0;
}

static char *large_stacks(const struct profile *p, uint64_t all) {
    char *text = NULL;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);

    if (!f)
        return NULL;
    print_stacks(p, all / RESULT_STACK_SHARE, f);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

void profile_operations(const struct profile *p, struct result_profile *out) {
    uint64_t all = 0;
    struct share *share = calloc(p->symbols, sizeof(*share));

    *out = (struct result_profile){.on = true};
    for (uint32_t i = ROOT + 1; i < p->nodes; i++) {
        const struct node *n = &p->node[i];
        const enum result_operation operation = operation_of(p, i);
        const int own = group_of_name(p->symbol[n->function].name);

        out->instructions[operation] += n->instructions;
        /* Entered from elsewhere: exc_page_fault in asm_exc_page_fault is one fault. */
        if (own >= 0 && operation_of(p, n->parent) != (enum result_operation)own)
            out->entries[own] += n->entries;
        if (share)
            share[n->function].instructions += n->instructions;
    }
    for (unsigned i = 0; share && i < p->symbols; i++)
        share[i].function = i;
    if (share)
        qsort(share, p->symbols, sizeof(*share), by_share);
    for (unsigned i = 0; share && i < RESULT_FUNCTIONS && i < p->symbols && share[i].instructions; i++) {
        snprintf(out->function[i].name, sizeof(out->function[i].name), "%.63s", p->symbol[share[i].function].name);
        out->function[out->functions++].instructions = share[i].instructions;
    }
    free(share);
    for (unsigned i = 0; i < RESULT_OPERATIONS; i++)
        all += out->instructions[i];
    out->stacks = large_stacks(p, all);
}

void profile_reset(struct profile *p) {
    for (uint32_t i = 0; i < p->nodes; i++)
        p->node[i].instructions = p->node[i].entries = 0;
}

/* ---- making and ending ---- */

int profile_new(struct profile **out, const char *system_map, unsigned cpus, char *why, size_t why_bytes) {
    struct profile *p = cpus <= MAX_CPUS ? calloc(1, sizeof(*p)) : NULL;
    int err = p ? read_symbols(p, system_map) : -ENOMEM;

    *out = NULL;
    if (!err)
        err = grow(p);
    if (err) {
        snprintf(why, why_bytes, "%s: no kernel symbols: %s", system_map, strerror(-err));
        profile_free(p);
        return err;
    }
    p->nodes = ROOT + 1;
    memset(p->node, 0, 2 * sizeof(*p->node));
    for (unsigned i = 0; i < MAX_CPUS; i++)
        p->cpu[i].node = ROOT;
    *out = p;
    return 0;
}

void profile_free(struct profile *p) {
    if (!p)
        return;
    for (unsigned i = 0; i < p->symbols; i++)
        free(p->symbol[i].name);
    for (unsigned i = 0; i < MAX_STACKS; i++)
        free(p->stack[i].frame);
    free(p->symbol);
    free(p->node);
    free(p->child);
    free(p);
}
