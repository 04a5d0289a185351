#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Same input and seed: the same bytes, for any number of simulating threads; and basic functions only changes no
# result of the hardware.
. "$(dirname "$0")/lib.sh"

for workload in gups:bytes=64M,accesses=300000,seed=7 bfs:bytes=32M,accesses=300000,seed=7,threads=3; do
    for threads in 1 2 4; do
        "$emt" compare --quiet --mmu radix4,radix5 --vary os.thp.enabled=never,always --set core.count=2 \
            --threads $threads --json "$tmp/$threads.json" --workload "$workload"
        ok "$workload runs with $threads threads" $?
        # The command line is part of the result; it names the number of threads.
        grep -v '"command"' "$tmp/$threads.json" >"$tmp/$threads.plain"
    done
    cmp "$tmp/1.plain" "$tmp/2.plain" && cmp "$tmp/1.plain" "$tmp/4.plain"
    ok "$workload: the same JSON with 1, 2 and 4 threads" $?
    [ "$(stat -c %s "$tmp/1.plain")" -gt 5000 ]
    ok "$workload: there is something to compare" $?
done
finish
