#!/bin/bash
# Two instances on one machine: neither sees the other's pods, addresses or rules.
. "$(dirname "$0")/lib.sh"
need_root
must "the first starts" start
must "images are imported" image demo
FIRST_DIR=$DIR FIRST_PID=$UP_PID FIRST_CONFIG=$KUBECONFIG
DIR=$DIR/second PORT=
mkdir "$DIR"
check "the second starts beside it" start
must "images are imported" image demo
SECOND_PID=$UP_PID SECOND_CONFIG=$KUBECONFIG
for config in "$FIRST_CONFIG" "$SECOND_CONFIG"; do
    export KUBECONFIG=$config
    k create deployment demo --image=demo:tutti --port=8080 >/dev/null
    k expose deployment demo --port=80 --target-port=8080 >/dev/null
    check "its pods run" k rollout status deploy/demo --timeout=60s
    IP=$(k get svc demo -o jsonpath='{.spec.clusterIP}')
    expect "its service at $IP answers" "demo-" curl -s -m 5 "http://$IP/"
    expect "it has its own pod only" "1" sh -c 'kubectl get pods -o name | wc -l'
done
ranges() { grep -h serviceCIDR "$FIRST_DIR/data/cluster.json" "$DIR/data/cluster.json" | sort -u | wc -l; }
expect "the address ranges differ" "2" ranges
kill "$SECOND_PID" && wait "$SECOND_PID"
check "the second is reset" "$TUTTI" reset --data-dir "$DIR/data"
export KUBECONFIG=$FIRST_CONFIG
IP=$(k get svc demo -o jsonpath='{.spec.clusterIP}')
expect "the first goes on" "demo-" curl -s -m 5 "http://$IP/"
DIR=$FIRST_DIR UP_PID=$FIRST_PID
finish
