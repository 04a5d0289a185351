#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# emt new-mmu: what it writes is registered, builds, and fails the kit with a word about what to write first.
#   new_mmu.sh EMT SOURCE-ROOT CC LIBRARY...
set -euo pipefail
emt=$(realpath "$1") root=$2 cc=$3
shift 3
libraries=()
for library; do
    case $library in -*) libraries+=("$library") ;; *) libraries+=("$(realpath "$library")") ;; esac
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/src/core" "$dir/src/mmu" "$dir/src/check"
cp "$root/src/core/registry.c" "$dir/src/core/"
cp "$root/src/mmu/meson.build" "$dir/src/mmu/"
cp -r "$root/src/check/skeleton" "$dir/src/check/"
cd "$dir"

fail() { echo "new_mmu.sh: $*" >&2; exit 1; }

"$emt" new-mmu mine >said || fail "new-mmu failed"
grep -q 'emt check mine' said || fail "it does not say what to do next"
grep -q '^extern const struct emt_arch emt_mine;' src/core/registry.c || fail "not declared"
grep -q '^    &emt_mine,' src/core/registry.c || fail "not in the list"
grep -q "'mine/driver.c', 'mine/walker.c'" src/mmu/meson.build || fail "not built"
[ "$(diff "$root/src/core/registry.c" src/core/registry.c | grep -c '^<')" = 0 ] || fail "the registry lost lines"
grep -rqi skeleton src/mmu/mine && fail "the old name is left"

# Calls that make no sense leave all as it is.
for name in mine radix4 '../x' X 9a a averyveryverylongnameindeed skeleton; do
    "$emt" new-mmu "$name" 2>error && fail "'$name' was taken"
    [ "$(wc -l <error)" = 1 ] || fail "'$name': not one line of error"
done
(cd / && "$emt" new-mmu other 2>/dev/null) && fail "outside of the tree it must not work"

flags=(-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$dir/src" -I"$root/include" -I"$root/src")
$cc "${flags[@]}" -DARCH=emt_mine -o kit "$root/tests/check/tutorial.c" src/mmu/mine/*.c "${libraries[@]}" || fail "it does not build"
./kit 2000 >found && fail "the kit passes a skeleton"
grep -q 'tdb_create returns -ENOTSUP' found || fail "the first finding is not about tdb_create"
# One step further: the next one.
sed -i '/^static int tdb_create/,/^}/s/return -ENOTSUP/return (tdb->word[0] = emt_table_alloc(tdb, 0)) == EMT_NO_PA ? -ENOMEM : 0/' \
    src/mmu/mine/driver.c
sed -i '/^static void tdb_destroy/,/^}/s/(void)tdb;/emt_table_free(tdb, tdb->word[0], 0);/' src/mmu/mine/driver.c
$cc "${flags[@]}" -DARCH=emt_mine -o kit "$root/tests/check/tutorial.c" src/mmu/mine/*.c "${libraries[@]}" || fail "it does not build"
./kit 2000 >found && fail "the kit passes half a skeleton"
grep -q 'tobj_init of a page of 4 KiB.*ENOTSUP' found || fail "the second finding is not about tobj_init"
echo ok
