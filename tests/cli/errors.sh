#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Bad input gets one clear line and a status other than 0: each kind that the command can meet.
. "$(dirname "$0")/lib.sh"

# -- the command line --
says 2 'usage: emt COMMAND' "$emt"
says 2 "there is no command 'rnu'; did you mean 'run'" "$emt" rnu
says 2 'there is no option --machne; did you mean --machine' "$emt" run --machne x -- true
says 2 '\-\-limit needs a value' "$emt" run --limit
says 2 '\-\-limit lots: a number of accesses is wanted' "$emt" run --limit lots --workload gups
says 2 'no input; give one of' "$emt" run
says 2 'more than one input' "$emt" run --workload gups -- true
says 2 "what is 'ls'\? A program goes behind --" "$emt" run ls
says 2 'there is no such architecture; did you mean radix4' "$emt" run --mmu radix44 --workload gups
says 2 'compare: no --mmu' "$emt" compare --workload gups
says 2 'one machine only' "$emt" run --mmu radix4,radix5 --workload gups
says 2 '\-\-threads 0: a number from 1 to 256' "$emt" run --threads 0 --workload gups
says 2 "children some: it is 'simulate' or 'ignore'" "$emt" run --children some -- true
says 2 'path=value,value' "$emt" compare --mmu radix4 --vary os.thp.enabled --workload gups

# -- machines and settings --
says 2 "skylake-sp" "$emt" run --machine skylake --workload gups
says 2 'tlb.l2.ways' "$emt" run --set tlb.l2.ways=7 --workload gups
says 2 'core.base_cpi' "$emt" run --set core.base_cpu=1 --workload gups
says 2 'os.thp.enabled' "$emt" run --set os.thp.enabled=sometimes --workload gups
says 2 'memory.unmovable is 1 of 64 MiB' "$emt" run --quiet --mmu mosaic:4 --set memory.bytes=64M --set memory.unmovable=1 --workload gups:bytes=1M
says 2 'memory.bytes' "$emt" run --set memory.bytes=lots --workload gups
printf 'base: skylake-sp\ncore:\n  count: many\n' >"$tmp/type.yaml"
says 2 'type.yaml:3:10: ' "$emt" run --machine "$tmp/type.yaml" --workload gups
printf 'base: skylake-sp\ntlb:\n  l2:\n    entries: 1000\n    ways: 12\n' >"$tmp/geometry.yaml"
says 2 'geometry.yaml:[45]:[0-9]+: .*996.*1008' "$emt" run --machine "$tmp/geometry.yaml" --workload gups
printf 'base: [\n' >"$tmp/syntax.yaml"
says 2 'syntax.yaml:[0-9]+:[0-9]+: ' "$emt" run --machine "$tmp/syntax.yaml" --workload gups
says 2 'nowhere.yaml' "$emt" run --machine "$tmp/nowhere.yaml" --workload gups

# -- workloads and traces --
says 2 'gups' "$emt" run --workload gup
says 2 'bytes' "$emt" run --workload gups:byte=1G
says 2 'nothing.xz' "$emt" run --trace "$tmp/nothing.xz"
: >"$tmp/empty.emt"
says 2 'empty' "$emt" run --trace "$tmp/empty.emt"
"$emt" record --quiet -o "$tmp/good.emt" --workload gups:bytes=1M,accesses=20000 2>"$tmp/err"
ok 'a workload is recorded' $?
head -c $(($(stat -c %s "$tmp/good.emt") / 2)) "$tmp/good.emt" >"$tmp/half.emt"
says 1 'half.emt.*(truncated|ends)' "$emt" run --quiet --trace "$tmp/half.emt"
cp "$tmp/good.emt" "$tmp/bad.emt"
printf '\xff\xfe\xfd' | dd of="$tmp/bad.emt" bs=1 seek=$(($(stat -c %s "$tmp/good.emt") / 2)) conv=notrunc 2>/dev/null
says 1 'bad.emt.*(corrupt|checksum|damaged)' "$emt" run --quiet --trace "$tmp/bad.emt"
head -c 100 /dev/zero | tr '\0' 'x' >"$tmp/junk.champsim"
says 1 'junk' "$emt" run --quiet --trace "$tmp/junk.champsim"
says 1 'full|space' "$emt" record -o /dev/full --workload gups:bytes=16M,accesses=3M
says 2 'record: no -o FILE' "$emt" record --workload gups

# -- outputs --
says 1 'nowhere/r.json' "$emt" run --quiet --json "$tmp/nowhere/r.json" --workload gups:bytes=1M,accesses=1000
says 1 'full|space' "$emt" run --quiet --json /dev/full --workload gups:bytes=1M,accesses=1000
says 1 'nothing.json' "$emt" report -o "$tmp/r.html" "$tmp/nothing.json"
echo '{"schema": "other"}' >"$tmp/other.json"
says 1 'other.json' "$emt" report -o "$tmp/r.html" "$tmp/other.json"
echo '{"schema": ' >"$tmp/broken.json"
says 1 'broken.json' "$emt" report -o "$tmp/r.html" "$tmp/broken.json"
ok 'no half report is left behind' "$([ ! -e "$tmp/r.html" ]; echo $?)"
says 2 'report: no -o FILE.html' "$emt" report x.json

# -- explain --
says 2 "is no address" "$emt" explain hello
says 2 'must equal it' "$emt" explain 0x8000000000000000
says 2 '\-\-page 3K: it is 4K, 2M or 1G' "$emt" explain --page 3K 0x1000
says 2 'did you mean machines' "$emt" list machine

says 2 'has --guest A and --host B' "$emt" explain --guest radix4 0x1000
says 2 '\-\-host ecptt: there is no such architecture' "$emt" explain --guest radix4 --host ecptt 0x1000

# -- virtual machines --
says 2 'needs the host.s architecture too' "$emt" run --guest radix4 --workload gups
says 2 "no architecture 'ecptt'" "$emt" run --host ecptt --workload gups
says 2 'one machine only' "$emt" run --host radix4,ecpt --workload gups
says 2 'host: unknown setting os.cpu; did you mean os.cpi' "$emt" run --host radix4 --set host.os.cpu=1 --workload gups
says 2 'has no sides' "$emt" run --host radix4 --set guest.core.count=2 --workload gups
says 1 'host.memory.bytes' "$emt" run --quiet --host radix4 --set host.memory.bytes=16M --workload gups:bytes=64M,accesses=100000

# -- live programs --
if command -v qemu-x86_64 >/dev/null; then
    says 2 'no-such-program' "$emt" run -- no-such-program
    says 2 'folder|directory' "$emt" run -- /tmp
    head -c 200 /bin/true >"$tmp/cut"
    chmod +x "$tmp/cut"
    says 2 'cut' "$emt" run -- "$tmp/cut"
    cp /bin/true "$tmp/arm"
    printf '\xb7\x00' | dd of="$tmp/arm" bs=1 seek=18 conv=notrunc 2>/dev/null
    says 2 'aarch64' "$emt" run -- "$tmp/arm"
    cp /bin/true "$tmp/x32"
    printf '\x01' | dd of="$tmp/x32" bs=1 seek=4 conv=notrunc 2>/dev/null
    printf '\x03' | dd of="$tmp/x32" bs=1 seek=18 conv=notrunc 2>/dev/null
    says 2 '32-bit' "$emt" run -- "$tmp/x32"
    echo 'just text' >"$tmp/text"
    chmod +x "$tmp/text"
    says 2 'text' "$emt" run -- "$tmp/text"
    cp /bin/true "$tmp/denied"
    chmod -x "$tmp/denied"
    says 2 'denied.*permi|permi.*denied|execut' "$emt" run -- "$tmp/denied"
    says 139 'signal 11' "$emt" run -- sh -c 'kill -SEGV $$'
    says 3 'radix4' "$emt" run -- sh -c 'exit 3'
    says 2 'qemu' "$emt" run --qemu /nonexistent/qemu -- true
fi
finish
