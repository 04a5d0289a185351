#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A kernel that forgets its TLB flushes is found: flush_tlb_mm_range() of the running guest is made a RET, by gdb's protocol.

forget.py EMT SYSTEM_MAP STALE CPUS    STALE: tests/boot/stale.c, static
"""
import json
import os
import socket
import subprocess
import sys
import tempfile

TIME_LIMIT_S = 400
FUNCTION = "flush_tlb_mm_range"
RET = "c3"


def address_of(system_map):
    for line in open(system_map):
        va, _, name = line.split()
        if name == FUNCTION:
            return int(va, 16)
    sys.exit(f"FAIL {system_map} has no {FUNCTION}")


def packet(body):
    return f"${body}#{sum(body.encode()) & 255:02x}".encode()


def write_guest(path, address, data):
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(TIME_LIMIT_S)
        wire.connect(path)
        wire.sendall(b"+" + packet(f"M{address:x},{len(data) // 2:x}:{data}"))
        text = b""
        while b"$OK#" not in text:
            got = wire.recv(4096)
            if not got or b"$E" in got:
                sys.exit(f"FAIL the gdb stub does not write: {got}")
            text += got
        wire.sendall(b"+" + packet("D") + b"+")
        wire.recv(4096)


def run(emt, system_map, stale, cpus, forget):
    with tempfile.TemporaryDirectory() as work:
        gdb, result = work + "/gdb", work + "/r.json"
        process = subprocess.Popen(
            [emt, "boot", "--measure", "--quiet", "--smp", cpus, "--set", "check.translations=true", "--json", result,
             "--gdb", gdb, "--time", str(TIME_LIMIT_S), "--add", stale + ":/stale", "--", "/stale", "40"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            sys.exit("FAIL the guest does not run")
        if forget:
            write_guest(gdb, address_of(system_map), RET)
        said, _ = process.communicate("go\n")
        if process.returncode:
            sys.exit(f"FAIL status {process.returncode}")
        with open(result) as f:
            (r,) = json.load(f)["results"]
        return said.strip(), r["checker"]


def main():
    emt, system_map, stale, cpus = sys.argv[1:]
    said, checker = run(emt, system_map, stale, cpus, forget=False)
    print("the kernel as it is:", said, "-", json.dumps(checker))
    if checker["wrong"]:
        sys.exit("FAIL a false alarm")
    said, checker = run(emt, system_map, stale, cpus, forget=True)
    print(f"without {FUNCTION}():", said, "-", json.dumps(checker))
    if not checker["wrong"]:
        sys.exit("FAIL the missing flushes are not found")
    print("ok")


main()
