# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Sourced by qemu/build, linux/build and linux/image: where things are kept, and how sources come from the distribution.
#
#   $EMT_CACHE (or $XDG_CACHE_HOME/emt, or ~/.cache/emt)
#     sources/     what the distribution gave: source packages, never changed
#     work/        trees in which something is built
#     qemu-KEY/  linux-KEY/  busybox-KEY/     results; KEY is a hash of all that went in
#     apt/         a package list of our own: the user's is not touched

. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# Nothing fails without a word.
trap 'echo "emt: ${BASH_SOURCE[0]}, line $LINENO: failed" >&2' ERR
cache=${EMT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emt}
mkdir -p "$cache/sources" "$cache/work" 2>/dev/null || fail "$cache cannot be written; name another folder in EMT_CACHE"

packages_boot='flex|command -v flex|building the kernel
bison|command -v bison|building the kernel
bc|command -v bc|building the kernel
make|command -v make|building the kernel
libelf-dev|test -f /usr/include/gelf.h|building the kernel
xz-utils|command -v xz|unpacking sources
dpkg-dev|command -v dpkg-source|unpacking sources
cpio|command -v cpio|making the guest
libc6-dev|test -f /usr/lib/x86_64-linux-gnu/libc.a|making the guest
gcc|command -v gcc|the compiler
ninja-build|command -v ninja|building QEMU
pkg-config|command -v pkg-config|building QEMU
python3|command -v python3|building QEMU
libglib2.0-dev|pkg-config --exists glib-2.0|building QEMU
libpixman-1-dev|pkg-config --exists pixman-1|building QEMU
libfdt-dev|test -f /usr/include/libfdt.h|building QEMU
zlib1g-dev|pkg-config --exists zlib|building QEMU'

# A hash of the contents and names of files and folders of ours, wherever our tree lies.
hash_of() { find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sed "s|  $top/|  |" | sha256sum | cut -c1-16; }
# The same of a large tree that a user names: by names, sizes and times.
hash_of_tree() { find "$1" -type f -not -path '*/.git/*' -printf '%P %s %T@\n' | LC_ALL=C sort | sha256sum | cut -c1-16; }

# copy_into FROM TO: the files of FROM lie over those of TO; one that stays the same keeps its time.
copy_into() {
    (cd "$1" && find . -type f) | while read -r f; do
        cmp -s "$1/$f" "$2/$f" || { mkdir -p "$2/$(dirname "$f")" && cp "$1/$f" "$2/$f"; }
    done
}
# sync_into FROM TO: the same, and what is in TO afterwards is what is in FROM.
sync_into() {
    copy_into "$1" "$2"
    (cd "$2" && find . -type f) | while read -r f; do [ -f "$1/$f" ] || rm "$2/$f"; done
}

# room DIR MIB WHAT: or say how much there is.
room() {
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 {print $4}')
    [ "$free" -ge "$2" ] || fail "$3 needs $2 MiB in $1, where $free MiB are free; make room, or name another folder in EMT_CACHE"
}

# One process at a time builds something; others wait for it.
lock() {
    exec 9>"$cache/$1.lock"
    flock -n 9 || { say "waiting for another emt that builds $1"; flock 9; }
}

# apt with a list of our own: of the mirrors that the user's sources name for Debian 12, or Debian's own.
apt_private() {
    local dir=$cache/apt
    "$@" -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Get::List-Cleanup=0 \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=2 "${apt_args[@]}"
}

apt_lists() {
    local dir=$cache/apt key=/usr/share/keyrings/debian-archive-keyring.gpg
    command -v apt-get >/dev/null || fail "this is no Debian: name source trees with --qemu-source and --linux-source"
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    [ -f "$dir/sources.list" ] && [ -n "$(find "$dir/sources.list" -mmin -60)" ] && return
    local mirrors
    mirrors=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
        awk '$2 == "bookworm" || $2 == "bookworm-security"' | sort -u)
    [ -n "$mirrors" ] || mirrors='http://deb.debian.org/debian bookworm
http://deb.debian.org/debian-security bookworm-security'
    while read -r uri release; do
        printf 'deb [signed-by=%s] %s %s main\ndeb-src [signed-by=%s] %s %s main\n' "$key" "$uri" "$release" "$key" "$uri" "$release"
    done <<<"$mirrors" >"$dir/sources.list.new"
    mv "$dir/sources.list.new" "$dir/sources.list"
    say "reading the distribution's package lists (once; the system's own are not touched)"
    local apt_args=(update -q -o APT::Update::Error-Mode=any)
    if ! apt_private apt-get >"$dir/update.log" 2>&1; then
        rm -f "$dir/sources.list"
        fail "no package lists: $(grep -m1 -E '^(E|W):' "$dir/update.log" | cut -c4-160); is there a network? Without one, name source trees with --qemu-source and --linux-source"
    fi
}

# fetch DIR source|download PACKAGE: into sources/DIR.
fetch() {
    local to=$cache/sources/$1
    apt_lists
    rm -rf "$to.new"
    mkdir -p "$to.new"
    say "downloading $3"
    local apt_args=(-q "$2" "$3")
    [ "$2" = source ] && apt_args=(-q source --download-only "$3")
    (cd "$to.new" && apt_private apt-get >"$cache/apt/fetch.log" 2>&1) ||
        { rm -rf "$to.new"; fail "$3 cannot be downloaded: $(grep -m1 -E '^(E|W):' "$cache/apt/fetch.log" | cut -c4-160)"; }
    mv "$to.new" "$to"
}

# progress LOG COMMAND...: run it with output to LOG; on a terminal, show its last line.
progress() {
    local log=$1 status=0 tail
    shift
    if [ -t 2 ]; then
        "$@" >"$log" 2>&1 &
        local child=$!
        while kill -0 "$child" 2>/dev/null; do
            tail=$(tail -n 1 "$log" 2>/dev/null | cut -c1-$((${COLUMNS:-80} - 2)))
            printf '\r\033[K%s' "$tail" >&2
            sleep 0.5
        done
        printf '\r\033[K' >&2
        wait "$child" || status=$?
    else
        "$@" >"$log" 2>&1 || status=$?
    fi
    [ "$status" -eq 0 ] || { grep -E -m5 '(error|Error|undefined reference|No space|rejected|FAILED)' "$log" >&2 || true; fail "it failed; all of it is in $log"; }
}

jobs=${EMT_JOBS:-$(nproc)}
if command -v ccache >/dev/null; then
    ccache=ccache\ 
    export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$cache
else
    ccache=
fi
