/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The command `emt`: finds the sub-command and hands over. */
int main(void) {
    return 0;
}
