#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Turns files into C arrays: embed.py OUT.c NAME=FILE... gives web_NAME and web_NAME_bytes (web.h)."""
import sys


def content(path):
    """The file, without the pointer to a source map: browsers would look for it beside the report."""
    with open(path, "rb") as f:
        lines = f.read().splitlines(keepends=True)
    return b"".join(l for l in lines if not l.startswith(b"//# sourceMappingURL="))


with open(sys.argv[1], "w") as out:
    out.write('#include "report/web.h"\n')
    for argument in sys.argv[2:]:
        name, path = argument.split("=", 1)
        data = content(path)
        out.write(f"const unsigned web_{name}_bytes = {len(data)};\n")
        out.write(f"const unsigned char web_{name}[] = {{\n")
        for i in range(0, len(data), 32):
            out.write(",".join(str(b) for b in data[i:i + 32]) + ",\n")
        out.write("0};\n")
