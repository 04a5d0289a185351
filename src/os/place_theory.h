/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What theory expects of pages that hash to groups of frames (struct emt_place_group) and never leave: a
 * differential equation for each kind of group, part and number of frames in use.
 *
 * With y[j][i] the share of groups of part j that have at least i frames in use, a page goes to a group of part j
 * with exactly i of them if the groups that it has in later parts have more, and those in earlier parts not fewer:
 *
 *     dy[j][i+1] = choices * (y[j][i] - y[j][i+1]) * product of y[earlier][i] and y[later][i+1]
 *
 * (M. Mitzenmacher, B. Voecking: "The Asymptotics of Selecting the Shortest of Two, Improved", 1999). One choice is
 * Poisson's distribution. What finds all its groups full comes to the next kind.
 */
#ifndef EMT_OS_PLACE_THEORY_H
#define EMT_OS_PLACE_THEORY_H

#include "emt/driver.h"

struct place_theory {
    unsigned kinds;
    struct emt_place_group group[EMT_PLACE_GROUPS];
    double y[EMT_PLACE_GROUPS][EMT_PLACE_CHOICES][EMT_PLACE_GROUP_FRAMES + 2];
};

/* All groups are empty. */
void place_theory_init(struct place_theory *, const struct emt_place_group *, unsigned kinds);
/* So many pages (far less than 1) come for each group of the first kind; returns how many of them find no place. */
double place_theory_pour(struct place_theory *, double pages);
/* Of groups of one kind, the share that has exactly i frames in use: share[0] to share[frames]. */
void place_theory_shares(const struct place_theory *, unsigned kind, double *share);

#endif
