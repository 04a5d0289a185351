/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* TLBs of any geometry. */
#ifndef EMT_HW_TLB_H
#define EMT_HW_TLB_H
#endif
