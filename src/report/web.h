/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Files that the command carries in itself, put there by embed.py at build time. */
#ifndef EMT_REPORT_WEB_H
#define EMT_REPORT_WEB_H

extern const unsigned char web_page[], web_css[], web_js[], web_chart[], web_schema[];
extern const unsigned web_page_bytes, web_css_bytes, web_js_bytes, web_chart_bytes, web_schema_bytes;

#endif
