# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The table of bench/mosaic/tlb: misses by those of the conventional TLB, published and ours."""
import json
import sys

# ASPLOS'23, figure 6: misses (millions; XSBench thousands) by associativity: vanilla, arity 4, 8, 16, 32, 64.
PUBLISHED = {
    "Graph500": {1: (107, 20, 11, 6, 3, 2), 2: (97, 18, 10, 6, 3, 2), 4: (73, 18, 10, 6, 3, 2), 8: (40, 18, 10, 6, 3, 2),
                 0: (12, 18, 9, 5, 3, 2)},
    "BTree": {1: (343, 227, 220, 186, 174, 153), 2: (297, 199, 187, 166, 150, 137), 4: (287, 194, 178, 162, 146, 135),
              8: (282, 191, 176, 160, 146, 133), 0: (245, 183, 172, 154, 138, 124)},
    "GUPS": {1: (76, 73, 78, 71, 70, 69), 2: (74, 70, 69, 68, 67, 66), 4: (72, 70, 68, 68, 67, 66), 8: (72, 70, 68, 68, 67, 66),
             0: (53, 70, 69, 68, 67, 66)},
    "XSBench": {1: (1246, 833, 745, 729, 684, 635), 2: (940, 706, 614, 611, 519, 512), 4: (938, 688, 649, 683, 503, 510),
                8: (937, 725, 755, 582, 515, 505), 0: (817, 718, 641, 574, 530, 510)},
}
ARITIES = (4, 8, 16, 32, 64)


def misses(result):
    return next(t for t in result["tlb"][0]["structures"] if t["name"] == "l1d")


def name_of(result):
    return result["settings"]["mmu.name"]


def load(folder, name):
    results = json.load(open(f"{folder}/{name}.json"))["results"]
    for r in results:
        if r["cut_short"] and r["why_cut"] != "--limit reached":
            sys.exit(f"{name}: cut short: {r['why_cut']}")
    return results


def by_ways(folder, programs):
    """Of associativities and arities those that were run."""
    print(f"{'program':9} {'ways':>4} {'accesses':>10} {'misses':>9}" + "".join(f"  arity {a:2}: theirs ours" for a in ARITIES))
    for name in programs:
        results = load(folder, name)
        table = {}
        for r in results:
            t = misses(r)
            arch = name_of(r)
            table[(t["ways"], 1 if arch == "radix4" else int(arch.split(":")[1]))] = t
        accesses = results[0]["accesses"]
        for ways, theirs in PUBLISHED[name].items():
            if (ways, 1) not in table:
                continue
            base = table[(ways, 1)]["misses"]
            row = f"{name:9} {ways or 'full':>4} {accesses:10} {base:9}"
            for i, a in enumerate(ARITIES):
                ours = f"{table[(ways, a)]['misses'] / base:5.3f}" if (ways, a) in table else "    -"
                row += f"           {theirs[i + 1] / theirs[0]:6.2f} {ours}"
            print(row)


def by_bits(folder, programs):
    print("Fully associative; a conventional TLB of as many bits beside each arity of 1024 entries.")
    print(f"{'program':9}" + "".join(f"  arity {a:2} / conventional" for a in ARITIES))
    for name in programs:
        mosaic, plain = {}, []
        for r in load(folder, name):
            t = misses(r)
            if name_of(r) == "radix4":
                plain.append((t["entries"], t["misses"]))
            elif t["entries"] == 1024:
                mosaic[int(name_of(r).split(":")[1])] = t["misses"]
        plain.sort()
        print(f"{name:9}" + "".join(f"  {mosaic[a]:8} / {m:8} {mosaic[a] / m:5.2f}" for a, (_, m) in zip(ARITIES, plain)))


(by_bits if sys.argv[2] == "bits" else by_ways)(sys.argv[1], sys.argv[3:])
