# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Runs and prints bench/contiguity: see there."""
import json
import os
import subprocess
import sys
import time

POLICIES = ("default", "eager", "ranger", "ca")
DEGREES = ("0", "0.25", "0.5", "0.75")
KINDS = {"native": (), "virtual": ("--guest", "radix4", "--host", "radix4", "--set", "host.memory.seed=2")}
GIB = 1 << 30

# name, what it is called, bytes of its data, how it is made. Memory is six times as large, so that at 75 % there still
# are enough free 2 MiB blocks. Data are touched with one store a page (init=2): more would not change where pages lie.
WORKLOADS = [
    ("gups-1g", "gups 1 GiB", 1, "gups:bytes=1G,init=2"),
    ("gups-random", "gups 1 GiB, first touched at random", 1, "gups:bytes=1G,init=0"),
    ("xsbench", "xsbench 5.5 GiB", 5.5, "xsbench:init=2"),
    ("hashjoin", "hashjoin 8 GiB", 8, "hashjoin:bytes=8G,init=2"),
    ("btree", "btree 16 GiB", 16, "btree:bytes=16G,init=2"),
    ("zipf", "zipf 64 GiB", 64, "zipf:bytes=64G,init=2"),
    ("gups-256g", "gups 256 GiB", 256, "gups:bytes=256G,init=2"),
    ("gups-1t", "gups 1 TiB", 1024, "gups:bytes=1T,init=2"),
]
LINES = os.path.join("{folder}", "lines")
PROGRAMS = [
    ("bfs-live", "bfs, live", "1G", ["build/bench/bfs", "15", "1"]),
    ("python3-live", "python3, live", "1G",
     ["/usr/bin/python3", "-c", "d = {i: str(i) for i in range(50000)}; print(len(d))"]),
    ("sort-live", "sort, live", "1G", ["sort", "-o", "/dev/null", LINES]),
]

# A first read maps a huge page of zeros, and the first write splits it: programs that initialise their memory by
# writing are what the papers measured, so os.zero_page is off. Nothing runs out: reclaim's lists would only take time.
SETTINGS = ["os.zero_page=false", "os.thp.enabled=always", "os.ranger.pages=100000000", "caches.enabled=false",
            "os.reclaim.policy=none"]


def inputs(folder):
    """(name, title, settings, input, whether policies go one by one) of each row."""
    for name, title, gib, workload in WORKLOADS:
        # The daemon of ranger wakes some sixteen times while data are touched (four instructions a page), and twice behind.
        every = max(2_000_000, int(gib * GIB) // 4096 // 4)
        accesses = max(500_000, every // 2)
        settings = [f"memory.bytes={int(gib * 6 * 1024)}M", f"os.ranger.every_instructions={every}"]
        yield name, title, settings, ["--workload", f"{workload},accesses={accesses}"], gib >= 64
    for name, title, memory, program in PROGRAMS:
        settings = [f"memory.bytes={memory}", "os.ranger.every_instructions=2000000"]
        yield name, title, settings, ["--"] + [part.replace("{folder}", folder) for part in program], False


def jobs(folder, rows, threads, extra):
    """(file, what to say, command) of each run."""
    for name, title, settings, source, apart in inputs(folder):
        for kind, sides in KINDS.items():
            for degree in DEGREES:
                for policies in [[p] for p in POLICIES] if apart else [list(POLICIES)]:
                    tag = "" if len(policies) > 1 else "." + policies[0]
                    run = f"{name}.{kind}.{degree}{tag}"
                    if rows and not any(run.startswith(r) for r in rows):
                        continue
                    command = [os.environ["EMT"], "contiguity", "--quiet", "--threads", threads, *sides]
                    for s in SETTINGS + settings + [f"memory.fragmented={degree}"]:
                        command += ["--set", s]
                    file = os.path.join(folder, run + ".json")
                    command += ["--vary", "os.placement=" + ",".join(policies), *extra, "--json", file + ".part"]
                    yield file, f"{title}, {kind}, fragmented {degree}{tag.replace('.', ', ')}", command + source


def prepare(folder):
    os.makedirs(folder, exist_ok=True)
    lines = LINES.replace("{folder}", folder)
    if not os.path.exists(lines):
        with open(lines, "w", encoding="ascii") as f:
            f.writelines(f"{i * 7919 % 100000} line\n" for i in range(100000))


def measure(todo):
    begun = time.monotonic()
    for done, (file, what, command) in enumerate(todo):
        took = time.monotonic() - begun
        left = f", {took / done * (len(todo) - done) / 60:.0f} min left if the rest is like it" if done else ""
        print(f"[{done + 1}/{len(todo)}] {what}{left}", file=sys.stderr, flush=True)
        run = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if not os.path.exists(file + ".part"):
            sys.exit(f"bench/contiguity: {' '.join(command)}\n{run.stderr}")
        os.rename(file + ".part", file)


def results(folder, name, kind, degree):
    """By policy; what is missing is not there."""
    found = {}
    for tag in [""] + ["." + p for p in POLICIES]:
        file = os.path.join(folder, f"{name}.{kind}.{degree}{tag}.json")
        if os.path.exists(file):
            with open(file, encoding="utf-8") as f:
                for r in json.load(f)["results"]:
                    found[r["settings"]["os.placement"]] = r
    return found


def size(n):
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if n < 1000 or unit == "TiB":
            return f"{n:.3g} {unit}"
        n /= 1024


def cell(found):
    def mappings(policy, view):
        r = found.get(policy)
        if not r:
            return "-"
        return "cut short" if r["cut_short"] else str(r["memory"]["contiguity"]["mappings"][view][1])

    if not found:
        return "-"
    ours = [mappings(p, "range") for p in POLICIES]
    ours[-1] = f"**{ours[-1]}**"
    return ", ".join(ours + [mappings(next(iter(found)), "ideal")])


def table(folder, rows, kind):
    print(f"\n{kind}: default, eager, ranger, **ca**, ideal\n")
    print("| input | resident | 0 | 0.25 | 0.5 | 0.75 | eager: more than needed | ranger: moved, at 0.5 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, title, *_ in inputs(folder):
        if rows and not any(name.startswith(r) or r.startswith(name) for r in rows):
            continue
        all_degrees = [results(folder, name, kind, d) for d in DEGREES]
        if not any(all_degrees):
            continue
        whole = all_degrees[0]
        resident = {p: r["memory"]["contiguity"]["resident_bytes"] for p, r in whole.items()}
        more = size(max(0, resident["eager"] - resident["default"])) if {"eager", "default"} <= resident.keys() else "-"
        moved = all_degrees[2].get("ranger")
        moved = moved and size(moved["os"]["placement"]["migrated_bytes"] + moved["os"]["placement"]["exchanged_bytes"])
        print(f"| {title} | {size(resident['default']) if 'default' in resident else '-'} | " +
              " | ".join(cell(found) for found in all_degrees) + f" | {more} | {moved or '-'} |")


def main(arguments):
    extra = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, extra = arguments[:at], arguments[at + 1:]
    folder, threads, only_print, rows = "build/contiguity", "1", False, []
    rest = iter(arguments)
    for a in rest:
        if a == "-o":
            folder = next(rest, folder)
        elif a == "-j":
            threads = next(rest, threads)
        elif a == "-n":
            only_print = True
        else:
            rows.append(a)
    names = [name for name, *_ in inputs(folder)]
    for r in rows:
        if not any(n.startswith(r) or r.startswith(n) for n in names):
            sys.exit(f"bench/contiguity: no row begins with {r}; there are: {' '.join(names)}")
    prepare(folder)
    if not only_print:
        measure([j for j in jobs(folder, rows, threads, extra) if not os.path.exists(j[0])])
    for kind in KINDS:
        table(folder, rows, kind)


if __name__ == "__main__":
    main(sys.argv[1:])
