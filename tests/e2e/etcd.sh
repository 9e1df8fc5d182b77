#!/bin/bash
# Servers without a state of their own on an etcd cluster of three; members and servers die. And: everything kept is backed up, restored and moved.
. "$(dirname "$0")/lib.sh"
ETCD=$(command -v etcd || echo "$ROOT/build/peers/etcd")
[ -x "$ETCD" ] || skip_all "no etcd on the PATH or at build/peers/etcd"
declare -A member server
peer=() client=() urls= cluster=
for i in 0 1 2; do
    peer[i]=$(free_port) client[i]=$(free_port)
    urls=$urls${urls:+,}http://127.0.0.1:${client[i]} cluster=$cluster${cluster:+,}m$i=http://127.0.0.1:${peer[i]}
done
member_start() {
    "$ETCD" --name "m$1" --data-dir "$DIR/m$1" --listen-client-urls "http://127.0.0.1:${client[$1]}" --advertise-client-urls "http://127.0.0.1:${client[$1]}" \
        --listen-peer-urls "http://127.0.0.1:${peer[$1]}" --initial-advertise-peer-urls "http://127.0.0.1:${peer[$1]}" --initial-cluster "$cluster" --log-level warn \
        >>"$DIR/m$1.log" 2>&1 &
    member[$1]=$!
    disown $!
}
server_start() { # server_start NAME PORT
    [ -d "$DIR/$1" ] || { mkdir "$DIR/$1" && { [ ! -d "$DIR/a/pki" ] || cp -a "$DIR/a/pki" "$DIR/$1/pki"; }; } # one cluster, one authority
    "$TUTTI" server --data-dir "$DIR/$1" --listen "127.0.0.1:$2" --store "etcd=$urls" >>"$DIR/$1.log" 2>&1 &
    server[$1]=$!
    disown $!
}
kill_all() {
    for pid in "${member[@]}" "${server[@]}"; do kill -9 "$pid" 2>/dev/null; done
}
trap 'kill_all' EXIT
on() { # on NAME kubectl…: through one server
    local config=$DIR/$1/admin.kubeconfig
    shift
    kubectl --cache-dir="$DIR/kube-cache" --kubeconfig "$config" "$@"
}
for i in 0 1 2; do member_start $i; done
A=$(free_port) B=$(free_port)
server_start a "$A"
check "the first server is ready" until_ok 30 on a get --raw /readyz
server_start b "$B"
check "the second server is ready" until_ok 30 on b get --raw /readyz

check "one server writes" on a create configmap shared --from-literal=from=a
expect "the other has it at once" "a" on b get configmap shared -o 'jsonpath={.data.from}'
check "the other changes it" on b patch configmap shared --type merge -p '{"data":{"from":"b"}}'
expect "the first has that at once" "b" on a get configmap shared -o 'jsonpath={.data.from}'
same_version() { [ "$(on a get configmap shared -o 'jsonpath={.metadata.resourceVersion}')" = "$(on b get configmap shared -o 'jsonpath={.metadata.resourceVersion}')" ]; }
check "both give it the same resource version" same_version

: >"$DIR/acknowledged"
write_on() { # write_on SERVER: configmaps, each noted when it was acknowledged
    for ((n = 0; ; n++)); do
        on "$1" create configmap "$1-$n" --request-timeout=30s >/dev/null 2>&1 && echo "$1-$n" >>"$DIR/acknowledged"
    done
}
write_on a & wa=$!
write_on b & wb=$!
for i in 0 1 2; do
    sleep 1
    kill -9 "${member[$i]}"
    sleep 2
    member_start $i
    sleep 2
done
kill -9 "${server[b]}"
sleep 1
server_start b "$B"
check "a killed server is back" until_ok 30 on b get --raw /readyz
sleep 1
kill $wa $wb 2>/dev/null
wait $wa $wb 2>/dev/null
nothing_lost() { # nothing_lost SERVER
    on "$1" get configmaps -o name | sed 's,configmap/,,' | sort >"$DIR/there"
    sort "$DIR/acknowledged" | comm -23 - "$DIR/there" >"$DIR/lost"
    echo "$(wc -l <"$DIR/acknowledged") acknowledged, $(wc -l <"$DIR/lost") lost"
    [ -s "$DIR/acknowledged" ] && [ ! -s "$DIR/lost" ]
}
check "no acknowledged write is lost on the first server" nothing_lost a
check "nor on the second" nothing_lost b

expect "everything is backed up from the cluster" "objects are in" "$TUTTI" store backup --from "etcd=$urls" "$DIR/backup"
kill "${server[a]}" "${server[b]}"
gone() { ! kill -0 "$1" 2>/dev/null; }
check "the servers stop" until_ok 15 gone "${server[a]}" && until_ok 15 gone "${server[b]}"
expect "and restored into a store of its own" "objects restored" "$TUTTI" store restore --to "lmdb=$DIR/own" "$DIR/backup"
refuse "which then is not empty" "not empty" "$TUTTI" store restore --to "lmdb=$DIR/own" "$DIR/backup"
expect "the cluster moves to a store of its own" "objects copied" "$TUTTI" store migrate --from "etcd=$urls" --to "lmdb=$DIR/moved"
expect "and back, under another prefix" "objects copied" "$TUTTI" store migrate --from "lmdb=$DIR/moved" --to "etcd=$urls" --etcd-prefix /again/
head -c 1000 "$DIR/backup" >"$DIR/cut"
refuse "a cut backup is refused" "damaged" "$TUTTI" store restore --to "lmdb=$DIR/third" "$DIR/cut"
kill_all
trap - EXIT
finish
