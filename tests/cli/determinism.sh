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
    done
    cmp "$tmp/1.json" "$tmp/2.json" && cmp "$tmp/1.json" "$tmp/4.json"
    ok "$workload: the same JSON with 1, 2 and 4 threads" $?
    [ "$(stat -c %s "$tmp/1.json")" -gt 5000 ]
    ok "$workload: there is something to compare" $?
done
for threads in 1 3; do
    "$emt" compare --quiet --guest radix4,ecpt --host radix4,fpt:l3l2 --vary virt.mode=nested,shadow --set core.count=2 \
        --set virt.balloon.bytes=4M --threads $threads --json "$tmp/v$threads.json" \
        --workload gups:bytes=32M,accesses=200000,seed=7,threads=2
    ok "virtual machines run with $threads threads" $?
done
cmp "$tmp/v1.json" "$tmp/v3.json"
ok "virtual machines: the same JSON with 1 and 3 threads" $?
finish
