#!/bin/bash
# Three servers without a state of their own on an etcd cluster of three; members and servers die, the work of the controllers moves on.
# And: everything kept is backed up while it changes, restored and moved; what a server says when etcd does not do as it should.
. "$(dirname "$0")/lib.sh"
for ETCD in "$(command -v etcd)" "$ROOT/build/peers/etcd" "$ROOT/build/peers/etcd-server/usr/bin/etcd"; do [ ! -x "$ETCD" ] || break; done
[ -x "$ETCD" ] || skip_all "no etcd on the PATH or in build/peers"
declare -A member server
names=(a b c) peer=() client=() urls= cluster=
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
declare -A address=([a]=192.0.2.1 [b]=192.0.2.2 [c]=192.0.2.3) # told to others; nobody goes there
server_start() { # server_start NAME: on an address of its own, with the cluster's keys
    if [ ! -d "$DIR/$1" ]; then
        mkdir -p "$DIR/$1/pki"
        [ ! -d "$DIR/a/pki" ] || [ "$1" = a ] || cp -a "$DIR"/a/pki/{ca.crt,ca.key,sa.key,sa.pub} "$DIR/$1/pki/"
    fi
    local number=$(printf %d "'$1") ranges=()
    [ "$1" != a ] || ranges=(--service-cidr 10.198.0.0/16 --pod-cidr 10.199.0.0/16) # the others take them over
    "$TUTTI" server --data-dir "$DIR/$1" --listen "127.0.0.$number:$PORT" --advertise-address "${address[$1]}" --store "etcd=$urls" "${ranges[@]}" >>"$DIR/$1.log" 2>&1 &
    server[$1]=$!
    disown $!
}
kill_all() {
    for pid in "${member[@]}" "${server[@]}" ${lonely:-}; do kill -9 "$pid" 2>/dev/null; done
}
trap 'kill_all' EXIT
on() { # on NAME kubectl…: through one server
    local config=$DIR/$1/admin.kubeconfig
    shift
    kubectl --cache-dir="$DIR/kube-cache" --kubeconfig "$config" "$@"
}
is_ready() { [ "$(on "$1" get --raw /readyz 2>/dev/null)" = ok ]; }
PORT=$(free_port)
for i in 0 1 2; do member_start $i; done
server_start a
check "the first server is ready" until_ok 30 is_ready a
refuse "a server with keys of its own is told so" "another certificate authority" \
    timeout 20 "$TUTTI" server --data-dir "$DIR/stranger" --listen "127.0.0.1:$(free_port)" --store "etcd=$urls"
server_start b
server_start c
check "the second server is ready" until_ok 30 is_ready b
check "the third server is ready" until_ok 30 is_ready c

check "one server writes" on a create configmap shared --from-literal=from=a
expect "another has it at once" "a" on b get configmap shared -o 'jsonpath={.data.from}'
check "the other changes it" on b patch configmap shared --type merge -p '{"data":{"from":"b"}}'
expect "the first has that at once" "b" on a get configmap shared -o 'jsonpath={.data.from}'
version_on() { on "$1" get configmap shared -o 'jsonpath={.metadata.resourceVersion}'; }
same_version() { [ "$(version_on a)" = "$(version_on b)" ] && [ "$(version_on b)" = "$(version_on c)" ]; }
check "all give it the same resource version" same_version
endpoints_are() { [ "$(on "$1" get endpoints kubernetes -o 'jsonpath={.subsets[*].addresses[*].ip}')" = "$2" ]; }
check "the Service kubernetes has all three" until_ok 20 endpoints_are b "192.0.2.1 192.0.2.2 192.0.2.3"

leader() { # the server that holds the Lease, by the letter of its log
    local holder=$(on "$1" -n kube-system get lease "${2:-kube-controller-manager}" -o 'jsonpath={.spec.holderIdentity}') name
    for name in "${names[@]}"; do [ -n "$holder" ] && grep -q "became leader identity=$holder" "$DIR/$name.log" && echo "$name"; done
}
has_leader() { [ -n "$(leader "$1")" ]; }
check "one server leads" until_ok 20 has_leader a
first=$(leader a)
check "the scheduler with it" test "$first" = "$(leader a kube-scheduler)"
others=(${names[*]/$first/})
works() { # works NAME: a Deployment gets its ReplicaSet
    on "${others[0]}" create deployment "$1" --image=none >/dev/null 2>&1
    until_ok 30 has_set "$1"
}
has_set() { on "${others[0]}" get replicasets -l "app=$1" -o name | grep -q .; }
check "the controllers work" works before

: >"$DIR/acknowledged"
write_on() { # write_on SERVER: configmaps, each noted when it was acknowledged
    for ((n = 0; ; n++)); do
        on "$1" create configmap "$1-$n" --request-timeout=30s >/dev/null 2>&1 && echo "$1-$n" >>"$DIR/acknowledged"
    done
}
writers=()
for name in "${names[@]}"; do
    write_on "$name" &
    writers+=($!)
done
kill -9 "${server[$first]}"
for i in 0 1 2; do
    kill -9 "${member[$i]}"
    sleep 1
    member_start $i
    sleep 1.5
done
moved() { has_leader "${others[0]}" && [ "$(leader "${others[0]}")" != "$first" ]; }
check "another leads when the first was killed" until_ok 40 moved
second=$(leader "${others[0]}")
check "and the controllers work" works after
check "the Service kubernetes has the other two" until_ok 40 endpoints_are "${others[0]}" "${address[${others[0]}]} ${address[${others[1]}]}"
cp "$DIR/acknowledged" "$DIR/before-backup"
expect "everything is backed up while it changes" "objects are in" "$TUTTI" store backup --from "etcd=$urls" "$DIR/backup"
server_start "$first"
check "the killed server is back" until_ok 30 is_ready "$first"
kill "${server[$second]}"
handed_on() { has_leader "$first" && [ "$(leader "$first")" != "$second" ]; }
check "a leader that stops hands on at once" until_ok 10 handed_on
server_start "$second"
check "and is back" until_ok 30 is_ready "$second"
kill "${writers[@]}" 2>/dev/null
wait "${writers[@]}" 2>/dev/null
nothing_lost() { # nothing_lost SERVER
    on "$1" get configmaps -o name | sed 's,configmap/,,' | sort >"$DIR/there"
    sort "${2:-$DIR/acknowledged}" | comm -23 - "$DIR/there" >"$DIR/lost"
    echo "$(wc -l <"$DIR/acknowledged") acknowledged, $(wc -l <"$DIR/lost") lost"
    [ -s "$DIR/acknowledged" ] && [ ! -s "$DIR/lost" ]
}
for name in "${names[@]}"; do check "no acknowledged write is lost on $name" nothing_lost "$name"; done

kill "${server[@]}"
gone() { ! kill -0 "$1" 2>/dev/null; }
for name in "${names[@]}"; do check "$name stops" until_ok 15 gone "${server[$name]}"; done
mkdir -p "$DIR/own/pki" && cp -a "$DIR"/a/pki/{ca.crt,ca.key,sa.key,sa.pub} "$DIR/own/pki/" && cp "$DIR/a/cluster.json" "$DIR/own/"
expect "the backup is restored into a store of its own" "objects restored" "$TUTTI" store restore --to "lmdb=$DIR/own" "$DIR/backup"
refuse "which then is not empty" "not empty" "$TUTTI" store restore --to "lmdb=$DIR/own" "$DIR/backup"
"$TUTTI" server --data-dir "$DIR/own" --listen "127.0.0.1:$(free_port)" >>"$DIR/own.log" 2>&1 &
server[own]=$!
disown $!
check "a server serves it" until_ok 30 is_ready own
check "with all that was there before" nothing_lost own "$DIR/before-backup"
kill "${server[own]}"
check "and stops" until_ok 15 gone "${server[own]}"
expect "the cluster moves to a store of its own" "objects copied" "$TUTTI" store migrate --from "etcd=$urls" --to "lmdb=$DIR/moved"
expect "and back, under another prefix" "objects copied" "$TUTTI" store migrate --from "lmdb=$DIR/moved" --to "etcd=$urls" --etcd-prefix /again/
head -c 1000 "$DIR/backup" >"$DIR/cut"
refuse "a cut backup is refused" "damaged" "$TUTTI" store restore --to "lmdb=$DIR/third" "$DIR/cut"
for pid in "${member[@]}"; do kill -9 "$pid"; done

# --- an etcd that does not do as it should ---
(
    cd "$DIR" || exit
    ext() { printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n'; }
    for ca in good bad; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $ca.key -out $ca.crt -subj "/CN=$ca" -days 2; done
    for name in etcd user; do
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj "/CN=$name"
        openssl x509 -req -in $name.csr -CA good.crt -CAkey good.key -CAcreateserial -out $name.crt -days 2 -extfile <(ext)
    done
) >"$DIR/openssl.log" 2>&1
at=https://127.0.0.1:$(free_port) peers=http://127.0.0.1:$(free_port)
"$ETCD" --name one --data-dir "$DIR/one" --listen-client-urls "$at" --advertise-client-urls "$at" --listen-peer-urls "$peers" --initial-advertise-peer-urls "$peers" \
    --initial-cluster "one=$peers" --cert-file "$DIR/etcd.crt" --key-file "$DIR/etcd.key" --client-cert-auth --trusted-ca-file "$DIR/good.crt" \
    --quota-backend-bytes 8388608 --log-level error >>"$DIR/one.log" 2>&1 &
lonely=$!
disown $!
own=(--etcd-certfile "$DIR/user.crt" --etcd-keyfile "$DIR/user.key")
tries=()
try() { # try NAME OPTIONS…: a server that will not start, beside others, for each waits some time for its etcd
    local name=$1
    shift
    "$TUTTI" server --data-dir "$DIR/$name" --listen "127.0.0.1:$(free_port)" "$@" >"$DIR/$name.said" 2>&1 &
    tries+=($!)
}
try nobody --store "etcd=http://127.0.0.1:$(free_port)"
try stranger --store "etcd=$at" --etcd-cafile "$DIR/bad.crt" "${own[@]}"
try unknown --store "etcd=$at" --etcd-cafile "$DIR/good.crt"
try keyless --store "etcd=$at" --etcd-cafile "$DIR/good.crt" --etcd-certfile "$DIR/user.crt" --etcd-keyfile "$DIR/none"
"$TUTTI" server --data-dir "$DIR/full" --listen "127.0.0.1:$PORT" --service-cidr 10.200.0.0/16 --pod-cidr 10.201.0.0/16 --store "etcd=$at" --etcd-cafile "$DIR/good.crt" "${own[@]}" >>"$DIR/full.log" 2>&1 &
server[full]=$!
disown $!
check "with the right certificates it serves" until_ok 30 is_ready full
head -c 900000 /dev/zero | tr '\0' x >"$DIR/much"
fill() { for ((n = 0; n < 20; n++)); do on full create configmap "much-$n" --from-file="$DIR/much" --request-timeout=20s || return; done; }
refuse "a full etcd says so" "database space exceeded" fill
check "what is there is read on" on full get configmap much-0 -o name
wait "${tries[@]}"
kill -9 "$lonely"
says_etcd() { [[ $(on full get --raw /readyz 2>&1) = *'[-]etcd failed'* ]]; }
check "without its etcd it is not ready" until_ok 15 says_etcd
kill "${server[full]}"
check "and stops all the same" until_ok 9 gone "${server[full]}"
expect "an etcd that is not there" "Connection refused" cat "$DIR/nobody.said"
expect "an etcd of another authority" "failed to verify certificate" cat "$DIR/stranger.said"
expect "an etcd that asks for a certificate" "certificate required" cat "$DIR/unknown.said"
expect "a key that is not there" "No such file" cat "$DIR/keyless.said"
kill_all
trap - EXIT
finish
