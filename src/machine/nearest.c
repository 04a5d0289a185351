/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * "Did you mean ...?": the candidate at the smallest Damerau-Levenshtein distance (optimal string alignment:
 * insert, delete, replace, swap neighbours). Case does not count, and - and _ are alike. Of equals the first wins.
 */
#include <string.h>

#include "machine/settings.h"

#define LONGEST 64

static unsigned min2(unsigned a, unsigned b) {
    return a < b ? a : b;
}

static char fold(char c) {
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '_' ? '-' : c;
}

/* Three rows of the classic table are enough: the one before last is for swaps. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb) {
    unsigned row[3][LONGEST + 1];

    for (size_t j = 0; j <= nb; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = row[i % 3], *before = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            char x = fold(a[i - 1]), y = fold(b[j - 1]);
            now[j] = min2(before[j - 1] + (x != y), 1 + min2(before[j], now[j - 1]));
            if (i > 1 && j > 1 && x == fold(b[j - 2]) && fold(a[i - 2]) == y)
                now[j] = min2(now[j], older[j - 2] + 1);
        }
    }
    return row[na % 3][nb];
}

const char *settings_nearest(const char *word, const char *const *candidates, unsigned n) {
    const char *best = NULL;
    size_t length = strlen(word);
    unsigned best_distance;

    if (length == 0 || length > LONGEST)
        return NULL;
    /* A third of the word may be wrong; more is a guess that would mislead. */
    best_distance = (unsigned)(length == 2 ? 1 : length / 3) + 1;
    for (unsigned i = 0; i < n; i++) {
        size_t nb = strlen(candidates[i]);
        unsigned d = nb > LONGEST ? ~0u : distance(word, length, candidates[i], nb);
        if (d < best_distance) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}
