#!/bin/bash
# The tour: what a person does with kubectl on a fresh cluster, on real containers.
. "$(dirname "$0")/lib.sh"
need_root
must "starts" start
must "images are imported" image nginx redis busybox demo

# --- deploy, expose, scale
check "create deployment" k create deployment web --image=nginx:tutti --port=80
check "rollout status" k rollout status deploy/web --timeout=30s
expect "get shows it" "1/1" k get deploy web
check "expose" k expose deployment web --port=80
IP=$(k get svc web -o jsonpath='{.spec.clusterIP}')
expect "curl through the ClusterIP" "nginx" curl -s -m 5 "http://$IP/"
check "scale to 10" k scale deploy web --replicas=10
check "all ten are ready" k rollout status deploy/web --timeout=60s
expect "ten endpoints" "10" sh -c "kubectl get endpointslice -l kubernetes.io/service-name=web -o json | python3 -c 'import json,sys; print(sum(len(s[\"endpoints\"]) for s in json.load(sys.stdin)[\"items\"]))'"

# --- the demo answers with its pod's name: each replica is reached
check "demo deployment" k create deployment demo --image=demo:tutti --port=8080 --replicas=3
check "demo service" k expose deployment demo --port=80 --target-port=8080
check "demo is ready" k rollout status deploy/demo --timeout=30s
DEMO=$(k get svc demo -o jsonpath='{.spec.clusterIP}')
each_replica() {
    for _ in $(seq 60); do curl -s -m 2 "http://$DEMO/"; done | grep -oE 'demo-[a-z0-9]+-[a-z0-9]+' | sort -u | wc -l
}
expect "the ClusterIP reaches each replica" "3" each_replica
check "a client pod" k run client --image=busybox:tutti --restart=Never -- sleep 3600
check "the client is ready" k wait --for=condition=Ready pod/client --timeout=20s
by_name() {
    k exec client -- sh -c 'for i in $(seq 40); do wget -q -O - http://demo.default.svc.cluster.local/; done' | grep -oE 'demo-[a-z0-9]+-[a-z0-9]+' | sort -u | wc -l
}
expect "by DNS name from another pod, each replica" "3" by_name
expect "a short name resolves" "nginx" k exec client -- wget -q -O - http://web/

# --- update, history, undo
check "set image" k set image deploy/web nginx=redis:tutti
check "the rolling update ends" k rollout status deploy/web --timeout=60s
expect "history has two revisions" "2 " k rollout history deploy/web
check "undo" k rollout undo deploy/web
check "the undo ends" k rollout status deploy/web --timeout=60s
expect "the old image is back" "nginx:tutti" k get deploy web -o jsonpath='{.spec.template.spec.containers[0].image}'
expect "describe tells the events" "ScalingReplicaSet" k describe deploy web
expect "get -w streams" "web" timeout 3 kubectl get pods -w --output-watch-events

# --- inside a pod
POD=$(k get pod -l app=web -o name | head -n 1)
expect "exec" "uid=0" k exec client -- id
expect "exec with standard input" "through" sh -c "echo through | kubectl exec -i client -- cat"
refuse "exec gives the exit code" "exit code 7" k exec client -- sh -c 'exit 7'
expect "logs" "/demo] /" k logs --tail=50 -l app=demo --prefix
k run talker --image=busybox:tutti --restart=Never -- sh -c 'for i in 1 2 3 4 5 6; do echo line $i; sleep 0.5; done' >/dev/null
k wait --for=jsonpath='{.status.phase}'=Running pod/talker --timeout=20s >/dev/null
expect "logs -f to the end" "line 6" timeout 15 kubectl logs -f talker
expect "logs --tail" "line 6" k logs --tail=1 talker
echo "copied $$" >"$DIR/file"
check "cp into a pod" k cp "$DIR/file" client:/tmp/file
expect "and it is there" "copied $$" k exec client -- cat /tmp/file
check "cp out of a pod" k cp client:/tmp/file "$DIR/file.back"
expect "and it is the same" "copied $$" cat "$DIR/file.back"
FORWARD=$(free_port)
kubectl port-forward "$POD" "$FORWARD:80" >"$DIR/forward.out" 2>&1 &
FORWARD_PID=$!
until_ok 10 grep -q Forwarding "$DIR/forward.out"
expect "port-forward" "nginx" curl -s -m 5 "http://127.0.0.1:$FORWARD/"
kill $FORWARD_PID

# --- two instances side by side, and what a restart keeps
uids() { k get pods -o jsonpath='{range .items[*]}{.metadata.uid}{.status.containerStatuses[*].containerID}{"\n"}{end}' | sort; }
uids >"$DIR/before"
stop
check "a second start" start
uids >"$DIR/after"
check "finds every pod and container as it was" cmp "$DIR/before" "$DIR/after"

check "delete a deployment" k delete deploy web --timeout=30s
no_pods() { [ -z "$(k get pods -l app=web -o name)" ]; }
check "its pods go" until_ok 40 no_pods
check "delete the rest" k delete deploy,svc,pod --all --timeout=60s
expect "nothing is left" "No resources found" k get pods
stop
check "reset" "$TUTTI" reset --data-dir "$DIR/data"
left() { grep -c "$DIR" /proc/self/mountinfo; }
expect "reset leaves no mount" "0" left
finish
