/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What random sequences do not come to: each attribute's values, and objects cut into very many pieces. */
#ifndef EMT_CHECK_DIRECTED_H
#define EMT_CHECK_DIRECTED_H

#include "check/program.h"

void directed_run(const struct emt_arch *arch, const struct traits *t, uint64_t seed, bool isolate,
                  struct verdict *out);

#endif
