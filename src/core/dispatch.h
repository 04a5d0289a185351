/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which function answers: the driver's customization, or NULL for the default. */
#ifndef EMT_CORE_DISPATCH_H
#define EMT_CORE_DISPATCH_H

#include "core/mm.h"

/* A basic function: every driver has it. */
#define BASIC(svc, name) ((svc)->arch->driver->name)
/* A customizable one: NULL means the default. */
#define CUSTOM(svc, name) ((svc)->basic_only ? NULL : (svc)->arch->driver->name)

/* Remember a flush that is owed, with the smallest object it concerns. */
void emt_gather_object(struct emt_gather *g, const struct emt_tobj *o);

#endif
