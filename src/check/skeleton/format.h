/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The tables of skeleton, as they lie in memory. Draw an entry here, name each field once, and let the compiler
 * check that the fields fill it. The driver writes these bits, the walker reads them, and they share nothing else.
 *
 *      63                                                                             0
 *     +--------------------------------------------------------------------------------+
 *     |                                   your entry                                   |
 *     +--------------------------------------------------------------------------------+
 */
#ifndef EMT_SKELETON_FORMAT_H
#define EMT_SKELETON_FORMAT_H

#include "emt/types.h"

#define SKELETON_VA_BITS 48 /* sign extended above */
#define SKELETON_PA_BITS 46

#endif
