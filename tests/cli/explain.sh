#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# emt explain: the walk of 0x5c8315cc2016 (indices 0xb9, 0x0c, 0xae, 0xc2, offset 0x016) and the number of references.
. "$(dirname "$0")/lib.sh"

"$emt" explain --mmu radix4 0x5c8315cc2016 >"$tmp/walk"
for line in 'PML4 .*0x0b9' 'PDPT .*0x00c' 'PD .*0x0ae' 'PT .*0x0c2' 'offset 0x016'; do
    grep -Eq "$line" "$tmp/walk"
    ok "radix4 shows $line" $?
done
while read -r mmu page refs; do
    "$emt" explain --mmu "$mmu" --page "$page" 0x5c8315cc2016 | grep -Eq "^  $refs references? in $refs steps?"
    ok "$mmu, $page: $refs references" $?
done <<END
radix4 4K 4
radix4 2M 3
radix4 1G 2
radix5 4K 5
radix5 2M 4
radix5 1G 3
END
while read -r guest host refs; do
    "$emt" explain --guest "$guest" --host "$host" 0x5c8315cc2016 >"$tmp/grid"
    grep -Eq "^  $refs references: " "$tmp/grid" && grep -Eq "^ *$refs +host " "$tmp/grid"
    ok "$guest on $host: $refs references" $?
done <<END
radix4 radix4 24
radix5 radix5 35
radix4 radix5 29
fpt:l4l3-l2l1 fpt:l4l3-l2l1 8
END
"$emt" explain --guest radix4 --host radix4 --page 2M --host-page 2M 0x5c8315cc2016 | grep -q '^  15 references'
ok '2M in 2M: 15 references' $?
grep -Eq '^  \(the page\) +7 +8$' "$tmp/grid"
ok 'the grid ends with the page' $?
# References of a group stand side by side.
"$emt" explain --mmu ecpt 0x5c8315cc2016 | grep -Eq '^ +│ a 0x[0-9a-f]+ │ b 0x[0-9a-f]+ │ c 0x[0-9a-f]+ │'
ok 'ecpt: three ways side by side' $?
finish
