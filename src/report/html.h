/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The HTML page of results that were read and checked (report/read.h). */
#ifndef EMT_REPORT_HTML_H
#define EMT_REPORT_HTML_H

#include <jansson.h>
#include <stdio.h>

/* `results`: the objects of one or several documents; `emt`: the version that wrote them. 0 or -ENOMEM; errors of
   writing are left in ferror(out). */
int report_page(FILE *out, const json_t *results, const char *emt);

#endif
