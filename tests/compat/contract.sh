#!/bin/bash
# contract.sh [record]: what kubectl's verbs get for answers.
#
# Each verb runs with -v=10 against a server with two simulated nodes; of every request the log tells method, path, status and the shape of
# the answer (contract.py). contract.txt has what kube-apiserver 1.34.4 answered; `record` writes it anew from $KUBECONFIG's server, which
# must have a node fake-00000.
. "$(dirname "$0")/../e2e/lib.sh"
here=$ROOT/tests/compat
export PATH=$ROOT/build/peers:$PATH
kubectl version --client 2>/dev/null | grep -q 'Client Version: v1\.34\.' || skip_all "needs kubectl 1.34 in build/peers or on PATH: others send other requests"
if [ "${1:-}" != record ]; then
    start --no-agent --service-cidr 10.96.0.0/16 --pod-cidr 10.244.0.0/16 || finish
    "$TUTTI" simulate --nodes 2 --prefix fake-0000 --kubeconfig "$KUBECONFIG" >"$DIR/nodes.out" 2>&1 &
    nodes=$!
fi
until_ok 20 kubectl get node fake-00000 >/dev/null
log=$DIR/log
mkdir "$log"
at=100
N="-n contract"
verb() { # verb NAME ARGS…: kubectl, its log kept under the name
    at=$((at + 1))
    timeout "${T:-20}" kubectl -v=10 --cache-dir="$DIR/cache" "${@:2}" >"$log/$at-$1.out" 2>"$log/$at-$1.log" </dev/null
    echo "$?" >"$log/$at-$1.rc"
}
manifest() { # manifest REPLICAS
    cat <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: contract}
spec:
  replicas: $1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "registry.local/pause:1", ports: [{containerPort: 80}]}]}
Y
}
manifest 2 >"$DIR/two.yaml"
manifest 3 >"$DIR/three.yaml"

verb create-ns create namespace contract
until_ok 10 kubectl $N get sa default
verb version version
verb api-versions api-versions
verb apply-create apply -f "$DIR/two.yaml"
until_ok 20 sh -c '[ "$(kubectl -n contract get deploy web -o jsonpath={.status.availableReplicas})" = 2 ]'
verb get-pods $N get pods
verb get-deploy $N get deploy
verb get-nodes get nodes
verb get-json $N get deploy web -o json
verb get-missing $N get pod nope
verb get-unknown $N get nopes
verb get-chunk $N get pods --chunk-size=1
verb get-selector $N get pods -l app=web --field-selector=status.phase=Running
verb get-bad-selector $N get pods --field-selector=spec.nope=1
verb diff diff -f "$DIR/three.yaml"
verb apply-update apply -f "$DIR/three.yaml"
verb apply-ssa apply --server-side -f "$DIR/two.yaml"
verb apply-ssa-force apply --server-side --force-conflicts -f "$DIR/two.yaml"
verb apply-dryrun apply --dry-run=server -f "$DIR/three.yaml"
verb replace replace -f "$DIR/two.yaml"
verb patch-strategic $N patch deploy web -p '{"spec":{"revisionHistoryLimit":5}}'
verb patch-merge $N patch deploy web --type=merge -p '{"spec":{"revisionHistoryLimit":6}}'
verb patch-json $N patch deploy web --type=json -p '[{"op":"replace","path":"/spec/revisionHistoryLimit","value":7}]'
verb patch-json-bad $N patch deploy web --type=json -p '[{"op":"remove","path":"/spec/nope"}]'
verb patch-invalid $N patch deploy web -p '{"spec":{"replicas":-1}}'
verb patch-scale $N patch deploy web --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'
verb label $N label deploy web x=y
verb annotate $N annotate deploy web x=y
verb set-image $N set image deploy/web c=registry.local/pause:2
verb scale $N scale deploy/web --replicas=4
verb autoscale $N autoscale deploy/web --min=1 --max=3
verb rollout-restart $N rollout restart deploy/web
verb rollout-pause $N rollout pause deploy/web
verb rollout-resume $N rollout resume deploy/web
verb expose $N expose deploy web --port=80
verb create-cm $N create configmap cm --from-literal=a=b
verb create-again $N create configmap cm --from-literal=a=b
verb create-secret $N create secret generic s --from-literal=a=b
verb create-job $N create job j --image=registry.local/pause:1
verb create-cronjob $N create cronjob cj --image=registry.local/pause:1 --schedule='0 0 1 1 *'
verb create-role $N create role r --verb=get --resource=pods
verb create-rolebinding $N create rolebinding r --role=r --serviceaccount=contract:default
verb create-quota $N create quota q --hard=pods=50
verb create-pdb $N create pdb p --selector=app=web --min-available=1
verb create-ingress $N create ingress i --rule=a.example/=web:80
verb create-priorityclass create priorityclass contract --value=5
verb create-token $N create token default
verb create-bad-name $N create configmap Bad_Name
verb run $N run one --image=registry.local/pause:1
verb get-tables $N get deploy,rs,svc,endpoints,cm,secret,sa,role,rolebinding,quota,pdb,ingress,job,cronjob,hpa
verb can-i $N auth can-i create pods
verb as-forbidden $N get secrets --as=system:serviceaccount:contract:default
verb whoami auth whoami
verb readyz get --raw /readyz
verb raw-missing get --raw /apis/nope
verb cordon cordon fake-00000
verb uncordon uncordon fake-00000
verb taint taint node fake-00000 a=b:NoSchedule
verb untaint taint node fake-00000 a-
verb csr get csr
verb delete-missing $N delete cm nope
verb delete-cm $N delete cm cm
verb delete-force $N delete pod one --force --grace-period=0 --wait=false
verb delete-orphan $N delete deploy web --cascade=orphan --wait=false
verb delete-priorityclass delete priorityclass contract
verb delete-ns delete ns contract --wait=false

python3 "$here/contract.py" "$log" >"$DIR/got"
if [ "${1:-}" = record ]; then
    cp "$DIR/got" "$here/contract.txt"
    rm -rf "$DIR"
    exit
fi
kill $nodes
wait $nodes 2>/dev/null
of() { awk -v n="# $2" '$0 == n { on = 1; next } /^# / { on = 0 } on' "$1"; }
while IFS= read -r name; do
    diff <(of "$here/contract.txt" "$name") <(of "$DIR/got" "$name") >"$DIR/out"
    report "$name" $? "$DIR/out"
done < <(sed -n 's/^# //p' "$here/contract.txt")
finish
