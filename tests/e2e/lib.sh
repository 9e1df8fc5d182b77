# lib.sh: what the end-to-end scripts share. Each script sources it, starts its own tutti in a folder of its own, and ends with `finish`.
#
#   check NAME COMMAND…      one test: passes when the command does; its output is shown when it fails
#   must NAME COMMAND…       the same; the script ends when it fails
#   expect NAME WANT COMMAND…  one test: the command's output must contain WANT
#   refuse NAME WANT COMMAND…  one test: the command must fail and say WANT
#   until_ok SECONDS COMMAND…  repeats until it passes
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TUTTI=${TUTTI:-$ROOT/build/tutti}
DIR=$(mktemp -d "${TMPDIR:-/var/tmp}/tutti-e2e-XXXXXX")
passed=0 failed=0 skipped=0
UP_PID=

report() { # report NAME CODE FILE
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok $1"
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        tail -n 20 "$3" | sed 's/^/    /'
    fi
}
check() {
    local name=$1
    shift
    "$@" >"$DIR/out" 2>&1
    report "$name" $? "$DIR/out"
}
must() { # a check without which the rest makes no sense
    check "$@"
    [ $failed -eq 0 ] || finish
}
expect() {
    local name=$1 want=$2
    shift 2
    "$@" >"$DIR/out" 2>&1
    grep -qF -- "$want" "$DIR/out"
    local code=$?
    [ $code -eq 0 ] || echo "(wanted: $want)" >>"$DIR/out"
    report "$name" $code "$DIR/out"
}
refuse() {
    local name=$1 want=$2
    shift 2
    if "$@" >"$DIR/out" 2>&1; then
        echo "(it did not fail)" >>"$DIR/out"
        report "$name" 1 "$DIR/out"
        return
    fi
    grep -qF -- "$want" "$DIR/out"
    local code=$?
    [ $code -eq 0 ] || echo "(wanted: $want)" >>"$DIR/out"
    report "$name" $code "$DIR/out"
}
until_ok() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { "$@"; return 1; }
        sleep 0.1
    done
}
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
skip_all() { # skip_all WHY
    echo "skipped: $1"
    rm -rf "$DIR"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}
need_root() {
    [ "$(id -u)" = 0 ] || skip_all "needs root"
    command -v crun >/dev/null || skip_all "needs crun"
}
# start [OPTIONS…]: tutti up over $DIR/data on a free port, kubectl pointed at it.
start() {
    PORT=${PORT:-$(free_port)}
    "$TUTTI" up --data-dir "$DIR/data" --listen "127.0.0.1:$PORT" "$@" >"$DIR/up.out" 2>&1 &
    UP_PID=$!
    export KUBECONFIG=$DIR/data/admin.kubeconfig
    until_ok 30 grep -q 'Point kubectl' "$DIR/up.out" || { cat "$DIR/up.out"; tail -n 30 "$DIR/data/tutti.log"; return 1; }
}
stop() {
    [ -n "$UP_PID" ] && kill "$UP_PID" 2>/dev/null && wait "$UP_PID"
    UP_PID=
}
k() { kubectl --cache-dir="$DIR/kube-cache" "$@"; }
image() { # image NAME…: builds what is missing and imports it
    for name; do
        [ -f "$ROOT/build/images/$name.tar" ] || "$ROOT/tools/images/build" "$name" >"$DIR/image.log" 2>&1 || { cat "$DIR/image.log"; return 1; }
        "$TUTTI" image import --data-dir "$DIR/data" "$ROOT/build/images/$name.tar" >/dev/null || return 1
    done
}
finish() {
    stop
    if [ $failed -gt 0 ] && [ -f "$DIR/data/tutti.log" ]; then
        echo "--- the end of tutti.log"
        tail -n 30 "$DIR/data/tutti.log"
    fi
    [ ! -d "$DIR/data" ] || "$TUTTI" reset --data-dir "$DIR/data" >/dev/null 2>&1
    rm -rf "$DIR"
    if [ $skipped -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
    [ $failed -eq 0 ]
    exit
}
trap 'failed=1; stop; "$TUTTI" reset --data-dir "$DIR/data" >/dev/null 2>&1; rm -rf "$DIR"; echo "$passed passed, 1 failed"; exit 1' INT TERM
