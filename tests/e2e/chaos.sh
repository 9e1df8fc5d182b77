#!/bin/bash
# kill -9 of server and agent at random moments while writes go on: no acknowledged write is lost, no pod restarts, everything converges.
#   KILLS (default 50)
. "$(dirname "$0")/lib.sh"
need_root
KILLS=${KILLS:-50}
must "starts" start
must "images are imported" image busybox
k create deployment steady --image=busybox:tutti --replicas=3 -- sleep 100000 >/dev/null
check "pods run" k rollout status deploy/steady --timeout=60s
ids() { k get pods -l app=steady -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.status.containerStatuses[0].containerID}{" "}{.status.containerStatuses[0].restartCount}{"\n"}{end}' | sort; }
ids >"$DIR/before"
cat >"$DIR/writer.py" <<'PY'
"""Creates and updates ConfigMaps over one TLS connection after the other; writes down what was acknowledged. Ends when `stop` is there."""
import base64, json, os, re, ssl, sys, http.client, time
kubeconfig, stop, out = sys.argv[1:4]
text = open(kubeconfig).read()
def data(key): return base64.b64decode(re.search(key + r': "?([A-Za-z0-9+/=]+)', text).group(1))
host = re.search(r"server: \"?https://([^\s\"]+)", text).group(1)
for key, name in (("certificate-authority-data", "ca"), ("client-certificate-data", "crt"), ("client-key-data", "key")):
    open(out + "." + name, "wb").write(data(key))
context = ssl.create_default_context(cafile=out + ".ca")
context.load_cert_chain(out + ".crt", out + ".key")
log, n, connection = open(out, "w"), 0, None
while not os.path.exists(stop):
    n += 1
    name, path = "chaos-%d" % (n // 2), "/api/v1/namespaces/default/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(n)}}
    method, url = ("POST", path) if n % 2 == 0 else ("PUT", path + "/" + name)
    if n == 1: continue
    try:
        if connection is None: connection = http.client.HTTPSConnection(host, timeout=5, context=context)
        connection.request(method, url, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status in (200, 201): print(name, n, file=log, flush=True)
    except Exception:
        connection = None
        time.sleep(0.02)
PY
python3 "$DIR/writer.py" "$KUBECONFIG" "$DIR/stop" "$DIR/acked" >"$DIR/writer.err" 2>&1 &
WRITER=$!
child() { pgrep -P "$UP_PID" -f "tutti $1 " | head -n 1; }
killed=0 tries=0
while [ $killed -lt "$KILLS" ] && [ $((tries += 1)) -lt 1000 ]; do
    sleep "0.$((RANDOM % 7 + 1))"
    role=server
    [ $((RANDOM % 2)) = 0 ] && role=agent
    pid=$(child $role)
    [ -n "$pid" ] && kill -9 "$pid" && killed=$((killed + 1))
done
touch "$DIR/stop"
wait $WRITER
check "killed $killed times" test $killed -eq "$KILLS"
check "the server is back" until_ok 30 kubectl get --raw /readyz
compare() {
    k get cm -o json | python3 -c '
import json, sys
have = {c["metadata"]["name"]: int(c["data"]["n"]) for c in json.load(sys.stdin)["items"] if c["metadata"]["name"].startswith("chaos-")}
acked = {}
for line in open(sys.argv[1]):
    name, n = line.split()
    acked[name] = int(n)
lost = [name for name, n in acked.items() if have.get(name, -1) < n]
print("acknowledged", len(acked), "lost", lost)
sys.exit(1 if lost or len(acked) < 20 else 0)' "$DIR/acked"
}
check "no acknowledged write is lost" compare
same() { ids >"$DIR/after"; cmp "$DIR/before" "$DIR/after"; }
check "no pod restarted" until_ok 30 same
node_ready() { [ "$(k get nodes -o jsonpath='{.items[0].status.conditions[?(@.type=="Ready")].status}')" = True ]; }
check "the node is ready" until_ok 30 node_ready
check "the cluster still works" k scale deploy steady --replicas=4
check "and converges" k rollout status deploy/steady --timeout=60s
finish
