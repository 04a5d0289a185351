/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One operation of a sequence, and its readable form. An operation means something in every state, so that any part
 * of a sequence is a sequence too: that is what makes shrinking possible.
 *
 *     map db=0 va=0x7f0000001000 bytes=0x1000 pfn=0x80012 write=1 user=1
 */
#ifndef EMT_CHECK_OP_H
#define EMT_CHECK_OP_H

#include <stdio.h>

#include "check/oracle.h"

enum op_kind {
    OP_MAP,        /* tdb_update */
    OP_SET,        /* through a cursor */
    OP_REMOVE,     /* tdb_remove */
    OP_ERASE,      /* through a cursor */
    OP_UNMAP,      /* range */
    OP_PROTECT,    /* range */
    OP_COPY,       /* range, of db into db2 */
    OP_MOVE,       /* range, to `to` */
    OP_AGE,        /* range */
    OP_VOID,       /* range */
    OP_ITERATE,    /* range, changing some of the objects by the way; `seed` decides which and how */
    OP_TEST_CLEAR, /* one object */
    OP_COLLAPSE,
    OP_SPLIT,
    OP_ACCESS, /* the walker, with A and D */
    OP_SWITCH, /* cpu 0 to db */
    OP_RENEW,  /* destroy the database, create another */
    OP_SCARCE, /* from now on 2^mask contiguous frames are not to be had, nor more; mask 0: all are again */
    OP_KINDS
};

struct op {
    uint8_t kind; /* enum op_kind */
    uint8_t db, db2;
    uint8_t mask;     /* age, test_clear: EMT_AGE_ bits */
    uint8_t type;     /* access: enum emt_access_type */
    uint8_t control;  /* access: OP_USER and others */
    uint32_t pkru;    /* access */
    uint64_t to;      /* move */
    uint64_t seed;    /* iterate */
    struct object at; /* va and bytes of all; the object of map, set, collapse; the permissions of protect */
};

#define OP_USER 0x01u
#define OP_WP   0x02u
#define OP_SMEP 0x04u
#define OP_SMAP 0x08u
#define OP_NX   0x10u
#define OP_PKE  0x20u

const char *op_name(unsigned kind);
void op_print(FILE *out, const struct op *op);
/* Parse a line of op_print(). Empty lines and those that begin with # give 0; 1: an operation; -EINVAL: *why. */
int op_parse(const char *line, struct op *op, char why[128]);

#endif
