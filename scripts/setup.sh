# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Sourced by ./demo, ./check and bench/*: makes sure that what a job needs is installed, and builds.
# Nothing is done when there is nothing to do.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'emt: %s\n' "$*" >&2; exit 1; }

# What each Debian package is for. The check says whether it is there already, however it came.
#   package | check | why
packages_build='gcc|command -v gcc|the compiler
meson|command -v meson|the build
ninja-build|command -v ninja|the build
pkg-config|command -v pkg-config|finding the libraries
libcmocka-dev|pkg-config --exists cmocka|the tests
libyaml-dev|pkg-config --exists yaml-0.1|machine files
libjansson-dev|pkg-config --exists jansson|results in JSON
libzstd-dev|pkg-config --exists libzstd|traces
liblzma-dev|pkg-config --exists liblzma|traces
zlib1g-dev|pkg-config --exists zlib|traces
qemu-user|command -v qemu-x86_64|running live programs
npm|command -v npm|the chart library of the HTML report'
packages_demo='sqlite3|command -v sqlite3|the program that the demo runs'
packages_check='clang|command -v clang|the fuzzers
libclang-rt-dev|ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a|the fuzzers
sqlite3|command -v sqlite3|a live test
python3|command -v python3|a live test
redis-server|command -v redis-server|a live test
redis-tools|command -v redis-benchmark|a live test'
packages_bench='valgrind|command -v valgrind|the peer of the speed measurements
time|test -x /usr/bin/time|measuring memory
python3|command -v python3|reading the results'

# need GROUP...: install what is missing of the named groups.
need() {
    local group line package check why missing=()
    for group in "$@"; do
        local list="packages_$group"
        while IFS='|' read -r package check why; do
            eval "$check" >/dev/null 2>&1 || { missing+=("$package"); say "missing: $package ($why)"; }
        done <<<"${!list}"
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null ||
        fail "this is no Debian or Ubuntu: install by hand what these packages hold, then start again: ${missing[*]}"
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "root is needed to install; run as root: apt-get install ${missing[*]}"
        root=(sudo)
        say "installing with sudo: ${missing[*]}"
    else
        say "installing: ${missing[*]}"
    fi
    "${root[@]}" apt-get update -q >/dev/null ||
        say "apt-get update failed; trying with the package lists that are here"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "${missing[@]}" \
        >/dev/null || fail "apt-get could not install: ${missing[*]}"
}

# The chart library, pinned by package-lock.json.
node_modules() {
    [ "$top/node_modules/.package-lock.json" -nt "$top/package-lock.json" ] && return
    say "fetching the chart library (npm ci)"
    (cd "$top" && npm ci --silent --no-audit --no-fund) || fail "npm ci failed in $top; see its message above"
    touch "$top/node_modules/.package-lock.json"
}

# build DIR [MESON OPTIONS...]
build() {
    local dir=$1
    shift
    if [ ! -f "$dir/build.ninja" ]; then
        meson setup "$dir" "$top" "$@" >"$top/.setup.log" 2>&1 || { cat "$top/.setup.log" >&2; fail "meson setup $dir failed"; }
        rm -f "$top/.setup.log"
    fi
    ninja -C "$dir" >"$dir/ninja.log" 2>&1 || { tail -n 40 "$dir/ninja.log" >&2; fail "the build failed: $dir/ninja.log"; }
}
