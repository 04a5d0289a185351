#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The monitor and the gdb stub look at tables of an architecture that is in effect: do they see what its driver wrote?

monitor.py QEMU FIRMWARE METAL ARCH    METAL: what tests/boot/metal/build has made
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

TIME_LIMIT_S = 120


class Monitor:
    """QEMU's human monitor on a pair of pipes."""

    def __init__(self, process):
        self.process = process
        self.read()

    def read(self):
        text = b""
        while not text.endswith(b"(qemu) "):
            byte = os.read(self.process.stdout.fileno(), 65536)
            if not byte:
                sys.exit("the emulator has ended: " + text.decode(errors="replace"))
            text += byte
        return text.decode().replace("\r", "")

    def ask(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        lines = self.read().split("\n")
        return [line for line in lines[1:-1] if line]


def gdb_read(path, address, length):
    """Memory by the gdb stub's remote protocol: packet m."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(TIME_LIMIT_S)
        wire.connect(path)
        body = f"m{address:x},{length:x}"
        wire.sendall(f"+${body}#{sum(body.encode()) & 255:02x}".encode())
        text = b""
        # What stopped the machine comes in packets of its own.
        while not (packets := re.findall(rb"\$([^#T]*)#..", text)):
            text += wire.recv(4096)
        wire.sendall(b"+$D#44+")
        answer = packets[0].decode()
        return None if answer.startswith("E") else bytes.fromhex(answer)


def wait_for_pages(path):
    """What the program says that it has mapped: lists of (va, pa, bytes, write, exec, first word)."""
    end = time.time() + TIME_LIMIT_S
    while time.time() < end:
        text = open(path).read() if os.path.exists(path) else ""
        if "FAIL" in text:
            sys.exit(text)
        if text.endswith("ready\n"):
            pages = [line.split()[1:] for line in text.split("\n") if line.startswith("page ")]
            return [(int(p[0], 16), int(p[1], 16), int(p[2], 16), p[3] == "w", p[4] == "x", int(p[5], 16)) for p in pages]
        time.sleep(0.1)
    sys.exit("the program does not get ready")


def check(good, what):
    if not good:
        sys.exit("FAIL " + what)


def check_lists(monitor, pages):
    """info tlb and info mem of a tree. The lower half is the architecture's; what lies above is conventional."""
    seen = {}
    for line in monitor.ask("info tlb"):
        va, pa, flags = re.match(r"([0-9a-f]{16}): ([0-9a-f]{16}) (.{8})$", line).groups()
        if int(va, 16) < 1 << 63:
            seen[int(va, 16)] = (int(pa, 16), flags)
    wanted = {}
    for va, pa, size, write, execute, _ in pages:
        flags = ("-" if execute else "X") + "-" + ("P" if size > 4096 else "-") + ("D---W" if write else "-----")
        wanted[va] = (pa, flags)
    check(seen == wanted, f"info tlb: {sorted(set(seen.items()) ^ set(wanted.items()))[:4]}")
    runs = []
    for va, _, size, write, _, _ in sorted(pages):
        if runs and runs[-1][1:] == [va, write]:
            runs[-1][1] = va + size
        else:
            runs.append([va, va + size, write])
    wanted = [f"{a:016x}-{b:016x} {b - a:016x} -r{'w' if w else '-'}" for a, b, w in runs]
    seen = [line for line in monitor.ask("info mem") if int(line[0], 16) < 8]
    check(seen == wanted, f"info mem: {sorted(set(seen) ^ set(wanted))[:4]}")


def look(monitor, gdb, arch, pages):
    monitor.ask("stop")
    lists = monitor.ask("info mem")
    if lists[0].startswith("lower half: the tables of " + arch):
        check(not arch.startswith(("radix", "fpt")), "the monitor does not list a tree")
    else:
        check_lists(monitor, pages)
    for va, pa, _, _, _, word in pages:
        check(monitor.ask(f"gva2gpa {va:#x}") == [f"gpa: {pa:#x}"], f"gva2gpa {va:#x}")
    for va, _, _, _, _, word in pages:
        check(gdb_read(gdb, va, 8) == word.to_bytes(8, "little"), f"gdb m{va:#x}")
    check(monitor.ask("gva2gpa 0x700000000000") == ["Unmapped"], "gva2gpa of nothing")
    check(gdb_read(gdb, 0x700000000000, 8) is None, "gdb of nothing")
    return len(pages)


def main():
    qemu, firmware, metal, arch = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        console, gdb = work + "/console", work + "/gdb"
        process = subprocess.Popen(
            [qemu, "-L", firmware, "-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc,hpet=off", "-cpu",
             "max", "-m", "512M", "-kernel", metal, "-append", "stop=" + arch, "-debugcon", "file:" + console,
             "-device", "isa-debug-exit", "-monitor", "stdio", "-gdb", f"unix:{gdb},server=on,wait=off"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            monitor = Monitor(process)
            print("ok", arch, look(monitor, gdb, arch, wait_for_pages(console)), "pages")
        finally:
            process.kill()
            process.wait()


main()
