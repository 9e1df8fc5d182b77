#!/bin/bash
# A rolling update under load, through the ClusterIP: no request is lost.
. "$(dirname "$0")/lib.sh"
need_root
must "starts" start
must "images are imported" image demo
k create -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: demo}
spec:
  replicas: 4
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
      - name: demo
        image: demo:tutti
        env: [{name: VERSION, value: "1"}]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 2}}}
YAML
k expose deploy demo --port=80 --target-port=8080 >/dev/null
check "version 1 is out" k rollout status deploy/demo --timeout=60s
IP=$(k get svc demo -o jsonpath='{.spec.clusterIP}')
cat >"$DIR/load.py" <<'PY'
"""Four clients, a new connection for each request, until the file `stop` is there. Prints requests, failures and the versions seen."""
import http.client, os, sys, threading
host, stop = sys.argv[1], sys.argv[2]
seen, failed, lock = {}, [], threading.Lock()
def run():
    while not os.path.exists(stop):
        try:
            c = http.client.HTTPConnection(host, 80, timeout=5)
            c.request("GET", "/")
            r = c.getresponse()
            body = r.read().decode()
            c.close()
            key = body.split("version=")[1].split()[0] if r.status == 200 else "status %d" % r.status
            with lock:
                seen[key] = seen.get(key, 0) + 1
                if r.status != 200: failed.append(key)
        except Exception as e:
            with lock: failed.append(repr(e))
threads = [threading.Thread(target=run) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print("requests", sum(seen.values()), "seen", seen, "failed", len(failed), failed[:5])
sys.exit(1 if failed or len(seen) < 2 else 0)
PY
python3 "$DIR/load.py" "$IP" "$DIR/stop" >"$DIR/load.out" 2>&1 &
LOAD=$!
sleep 1
check "update" k set env deploy/demo VERSION=2
check "the rolling update ends" k rollout status deploy/demo --timeout=90s
sleep 1
touch "$DIR/stop"
wait $LOAD
report "no request was lost ($(cat "$DIR/load.out"))" $? "$DIR/load.out"
finish
