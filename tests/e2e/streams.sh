#!/bin/bash
# Streams: logs, exec, attach, cp and port-forward by kubectl, over WebSocket and over SPDY.
. "$(dirname "$0")/lib.sh"
need_root
must "starts" start
must "images are imported" image busybox
head -c 20000000 /dev/urandom >"$DIR/big"
SUM=$(sha256sum <"$DIR/big")

run() { # run NAME SCRIPT [OPTIONS…]: a pod that runs it
    local name=$1 script=$2
    shift 2
    k run "$name" --image=busybox:tutti --restart=Never "$@" -- sh -c "$script" >/dev/null
}
run box 'httpd -p 8080 -h /tmp; for i in 1 2 3 4 5; do echo "line $i"; done; echo "to stderr" >&2; printf "no end"; sleep 1000'
run slow 'for i in 1 2 3 4 5 6; do echo "tick $i"; sleep 0.3; done'
k create -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: again}
spec:
  restartPolicy: Always
  containers:
  - name: c
    image: busybox:tutti
    command: [sh, -c, "echo run; sleep 2; exit 1"]
---
apiVersion: v1
kind: Pod
metadata: {name: echoer}
spec:
  containers:
  - name: c
    image: busybox:tutti
    stdin: true
    command: [sh, -c, 'while read -r line; do echo "said $line"; done; echo over']
YAML
must "the pods run" k wait --for=condition=Ready pod/box pod/echoer --timeout=30s

# --- logs
expect "a follower sees a container to its end" "tick 6" timeout 20 kubectl logs -f slow
lines() { kubectl logs "$@" | tr '\n' ','; }
expect "logs have both streams" "line 5,to stderr" lines box
expect "--tail gives the last lines" "tick 5,tick 6," lines slow --tail=2
check "--tail=0 gives none" sh -c '! kubectl logs slow --tail=0 | grep .'
stamped() { kubectl logs slow --timestamps --tail=1 | grep -cE '^[0-9]{4}-[0-9-]+T[0-9:]+\.[0-9]{9}Z tick 6$'; }
expect "--timestamps" "1" stamped
check "--since=1s leaves older lines out" sh -c 'sleep 1.5; ! kubectl logs box --since=1s | grep line'
expect "--since=1h keeps them" "line 1" k logs box --since=1h
limited() { kubectl logs slow --limit-bytes=10 | wc -c; }
expect "--limit-bytes" "10" limited
until_ok 20 sh -c "kubectl logs again --previous | grep -q run"
expect "--previous" "run" k logs again --previous
refuse "--previous without one" 'previous terminated container "box" in pod "box" not found' k logs box --previous
refuse "a container that the pod does not have" "container nope is not valid for pod box" k logs box -c nope

with_tty() { # with_tty COMMAND: under a terminal of 31 rows and 101 columns
    script -qec "stty rows 31 cols 101; $1" /dev/null </dev/null
}
gone() { ! k exec box -- ps | grep -q "$1"; }

both_ways() { # the same over one of the protocols
    local by=$1
    expect "$by: exec" "hello" k exec box -- echo hello
    expect "$by: standard error is apart" "apart" sh -c 'kubectl exec box -- sh -c "echo apart >&2" 2>&1 >/dev/null'
    refuse "$by: the exit code is the command's" "command terminated with exit code 42" k exec box -- sh -c 'exit 42'
    expect "$by: exec -i ends with its input" "3" sh -c 'printf "a\nb\nc\n" | kubectl exec -i box -- wc -l'
    expect "$by: a terminal has the client's size" "31 101" with_tty "kubectl exec -it box -- sh -c 'sleep 0.3; stty size'"
    expect "$by: a terminal gives the exit code" "code 5" with_tty "kubectl exec -it box -- sh -c 'exit 5'; echo code \$?"
    check "$by: a slow reader stops the sender" sh -c 'head -c 8000000 /dev/zero | timeout 20 kubectl exec -i box -- sh -c "sleep 1; wc -c" | grep -qx 8000000'
    timeout 2 kubectl exec box -- sleep 4711 >/dev/null 2>&1
    check "$by: a client that goes away takes its command along" until_ok 5 gone "sleep 4711"

    check "$by: cp of 20 MB into a pod" k cp "$DIR/big" "box:/tmp/big.$by"
    expect "$by: and it is the same" "$SUM" k exec -i box -- sh -c "sha256sum < /tmp/big.$by"
    check "$by: cp out of a pod" k cp "box:/tmp/big.$by" "$DIR/back.$by"
    expect "$by: and it is the same again" "$SUM" sh -c "sha256sum < $DIR/back.$by"

    expect "$by: attach" "said hello" sh -c '(echo hello; sleep 1) | timeout 3 kubectl attach -i echoer'

    local port
    port=$(free_port)
    rm -f "$DIR/forward"
    kubectl port-forward pod/box "$port:8080" >"$DIR/forward" 2>&1 &
    local forward=$!
    until_ok 10 grep -q "Forwarding from 127.0.0.1" "$DIR/forward"
    expect "$by: port-forward of 20 MB" "$SUM" sh -c "curl -s -m 20 http://127.0.0.1:$port/big.$by | sha256sum"
    parallel() {
        local pids=
        for i in 1 2 3 4 5 6 7 8; do
            curl -s -m 30 "http://127.0.0.1:$port/big.$by" | sha256sum >"$DIR/sum.$i" &
            pids="$pids $!"
        done
        wait $pids
        cat "$DIR"/sum.? | grep -cxF "$SUM"
    }
    expect "$by: eight connections at once" "8" parallel
    kill "$forward"
    wait "$forward" 2>/dev/null

    rm -f "$DIR/forward"
    kubectl port-forward pod/box "$port:81" >"$DIR/forward" 2>&1 &
    forward=$!
    until_ok 10 grep -q "Forwarding from 127.0.0.1" "$DIR/forward"
    curl -s -m 5 "http://127.0.0.1:$port/" >/dev/null
    check "$by: a port where nobody listens is told" until_ok 5 grep -q "error forwarding port 81 to pod box, uid .*onnection refused" "$DIR/forward"
    kill "$forward" 2>/dev/null
    wait "$forward" 2>/dev/null
}
both_ways websocket
export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false KUBECTL_PORT_FORWARD_WEBSOCKETS=false
both_ways spdy
finish
