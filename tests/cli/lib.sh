# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# For tests of the command: sourced with $1 = path of emt.
set -u
emt=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
number=0

# ok DESCRIPTION CONDITION-STATUS
ok() {
    number=$((number + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        bad=1
    fi
}

# says STATUS 'REGEX' COMMAND...: exits with STATUS, and one line of its standard error matches REGEX.
says() {
    local status=$1 regex=$2 got
    shift 2
    "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    got=$?
    local good=0
    [ "$got" -eq "$status" ] || good=1
    grep -Eq -- "$regex" "$tmp/err" || good=1
    ok "$(basename "$1") ${*:2}: $regex" $good
    if [ $good -ne 0 ]; then
        echo "# status $got, wanted $status; standard error:"
        sed 's/^/#   /' "$tmp/err" | head -5
    fi
}

finish() {
    echo "1..$number"
    exit $bad
}
