#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Is each piece of code that a page quotes still in the file it was quoted from? And is the tutorial still short?"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
page = (root / "docs/writing-an-mmu.md").read_text()
quotes = re.findall(r"<!-- quoted: (\S+) -->\n```c\n(.*?)\n```", page, re.S)
bad = 0
for path, code in quotes:
    if code not in (root / path).read_text():
        print(f"docs/writing-an-mmu.md quotes {path}, which no longer has:\n{code}\n")
        bad += 1
if len(quotes) < 7:
    print(f"only {len(quotes)} quotes found")
    bad += 1

lines = 0
for name in ("format.h", "driver.c", "walker.c"):
    text = re.sub(r"/\*.*?\*/", "", (root / "tests/check/tutorial" / name).read_text(), flags=re.S)
    lines += sum(1 for line in text.split("\n") if line.strip())
if lines >= 300 or f"{lines} lines" not in page:
    print(f"the tutorial has {lines} lines: less than 300 are promised, and the page must say how many")
    bad += 1
print(f"{len(quotes)} quotes, {lines} lines, {bad} wrong")
sys.exit(bad != 0)
