/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Doubly linked lists of frames: see lru.h. */
#include "os/lru.h"

void lru_add(union lru_entry *e, struct lru_list *l, uint64_t pfn, uint64_t pages) {
    uint32_t me = (uint32_t)pfn + 1;

    lru_at(e, pfn)->link.next = l->first;
    lru_at(e, pfn)->link.prev = 0;
    if (l->first)
        lru_at(e, l->first - 1)->link.prev = me;
    else
        l->last = me;
    l->first = me;
    l->pages += pages;
}

void lru_add_tail(union lru_entry *e, struct lru_list *l, uint64_t pfn, uint64_t pages) {
    uint32_t me = (uint32_t)pfn + 1;

    lru_at(e, pfn)->link.prev = l->last;
    lru_at(e, pfn)->link.next = 0;
    if (l->last)
        lru_at(e, l->last - 1)->link.next = me;
    else
        l->first = me;
    l->last = me;
    l->pages += pages;
}

void lru_del(union lru_entry *e, struct lru_list *l, uint64_t pfn, uint64_t pages) {
    uint32_t next = lru_at(e, pfn)->link.next, prev = lru_at(e, pfn)->link.prev;

    if (prev)
        lru_at(e, prev - 1)->link.next = next;
    else
        l->first = next;
    if (next)
        lru_at(e, next - 1)->link.prev = prev;
    else
        l->last = prev;
    l->pages -= pages;
}
