#!/bin/bash
# The API server alone: kubectl's verbs, and what bad input gets for an answer.
. "$(dirname "$0")/lib.sh"
must "starts" start --no-agent
raw() { # raw METHOD PATH [curl options…]: body, then the status on a line of its own
    local method=$1 path=$2
    shift 2
    curl -s -m 10 --cacert "$DIR/ca" --cert "$DIR/crt" --key "$DIR/key" -X "$method" "https://127.0.0.1:$PORT$path" -w '\n%{http_code}\n' "$@"
}
part() { grep -o "$1: .*" "$KUBECONFIG" | head -n 1 | sed "s/$1: //; s/\"//g" | base64 -d; }
part certificate-authority-data >"$DIR/ca"
part client-certificate-data >"$DIR/crt"
(umask 077; part client-key-data >"$DIR/key")
CMS=/api/v1/namespaces/default/configmaps
JSON='Content-Type: application/json'

# --- objects
expect "version" "v1.34" k version
expect "api-resources" "deployments " k api-resources
expect "explain" "maxSurge" k explain deployment.spec.strategy.rollingUpdate
check "create configmap" k create configmap cm --from-literal=a=1
expect "get -o yaml" 'a: "1"' k get cm cm -o yaml
refuse "create again" 'configmaps "cm" already exists' k create configmap cm
check "apply" k apply -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied"},"data":{"a":"1","b":"1"}}'
check "apply a change" k apply -f - <<<'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied"},"data":{"a":"2"}}'
expect "what the manifest dropped is gone" '{"a":"2"}' k get cm applied -o jsonpath='{.data}'
expect "dry run shows" '"9"' k patch cm cm --dry-run=server -o json -p '{"data":{"a":"9"}}'
expect "and changes nothing" '{"a":"1"}' k get cm cm -o jsonpath='{.data}'
check "label" k label cm cm color=red
expect "label selector" "cm" k get cm -l 'color in (red,blue),!gone' -o name
expect "field selector" "configmap/cm" k get cm --field-selector metadata.name=cm -o name
check "json patch" k patch cm cm --type=json -p '[{"op":"add","path":"/data/b","value":"2"}]'
refuse "a json patch that cannot be applied" "the server rejected our request due to an error in our request" k patch cm cm --type=json -p '[{"op":"remove","path":"/data/nope"}]'
check "a deployment" k create deployment web --image=web:1 --replicas=2
until_ok 10 sh -c '[ "$(kubectl get pods -l app=web -o name | wc -l)" = 2 ]'
expect "its pods appear" "pod/web-" k get pods -l app=web -o name
expect "a chunked list" "pod/web-" k get pods --chunk-size=1 -o name
check "wait" k wait --for=jsonpath='{.status.replicas}'=2 deploy/web --timeout=10s
check "foreground deletion" k delete deploy web --cascade=foreground --timeout=20s
expect "nothing is left of it" "No resources found" k get pods,rs
claim() { k create -f - <<<'{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data","namespace":"'"$1"'"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}'; }
check "a claim that nobody uses" claim default
check "goes at once" k delete pvc data --timeout=10s
check "a claim" claim default
check "and a pod that uses it" k create -f - <<<'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"user"},"spec":{"nodeName":"elsewhere","containers":[{"name":"c","image":"x"}],"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data"}}]}}'
refuse "it stays as long as the pod" "timed out waiting" k delete pvc data --timeout=1s
check "the pod is forced to go" k delete pod user --grace-period=0 --force
check "and the claim follows" k wait --for=delete pvc/data --timeout=10s
check "create namespace" k create namespace short
check "a claim in it" claim short
check "delete namespace" k delete namespace short --timeout=20s
expect "can-i" "yes" k auth can-i create pods
expect "whoami" "kubernetes-admin" k auth whoami

# --- bad input: an error in upstream's words, and the server lives
refuse "unknown kind of object" 'no matches for kind "Nope"' k create -f - <<<'{"apiVersion":"v1","kind":"Nope","metadata":{"name":"x"}}'
expect "strict: unknown field" 'strict decoding error: unknown field \"dat\"' raw POST "$CMS?fieldValidation=Strict" -H "$JSON" -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"dat":1}'
expect "strict: duplicate field" 'duplicate field \"data.a\"' raw POST "$CMS?fieldValidation=Strict" -H "$JSON" -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1","a":"2"}}'
expect "malformed JSON" 400 raw POST "$CMS" -H "$JSON" -d '{"apiVersion":'
expect "malformed JSON, upstream's words" "couldn't get version/kind; json parse error: unexpected end of JSON input" raw POST "$CMS" -H "$JSON" -d '{"apiVersion":'
expect "malformed YAML" 400 raw POST "$CMS" -H 'Content-Type: application/yaml' -d $'a: [1\nb: "'
expect "a wrong type" 'cannot unmarshal' raw POST "$CMS" -H "$JSON" -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":1}}'
expect "a huge number" 400 raw POST /apis/apps/v1/namespaces/default/deployments -H "$JSON" -d '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"},"spec":{"replicas":99999999999999999999}}'
expect "an unknown media type" 415 raw POST "$CMS" -H 'Content-Type: text/plain' -d 'x'
expect "an unacceptable answer" 406 raw GET "$CMS" -H 'Accept: text/html;q=0'
expect "a huge body" 413 sh -c "head -c 4000000 /dev/zero | tr '\\0' x | curl -s -m 20 --cacert $DIR/ca --cert $DIR/crt --key $DIR/key -H '$JSON' --data-binary @- -w '%{http_code}' https://127.0.0.1:$PORT$CMS"
expect "a deep body" 400 sh -c "python3 -c 'print(\"{\\\"a\\\":\" * 100000)' | curl -s -m 20 --cacert $DIR/ca --cert $DIR/crt --key $DIR/key -H '$JSON' --data-binary @- -w '%{http_code}' https://127.0.0.1:$PORT$CMS"
expect "a bad name" 'a lowercase RFC 1123 subdomain must consist of' raw POST "$CMS" -H "$JSON" -d '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"Bad_Name"}}'
expect "a bad selector" 'unable to parse requirement' raw GET "$CMS?labelSelector=a%20b%20c"
bomb() { # 200 MB of zeros in 200 KB: a body that only a careless server unpacks
    head -c 200000000 /dev/zero | gzip -9 | raw POST "$CMS" -H "$JSON" -H 'Content-Encoding: gzip' --data-binary @-
}
expect "a compressed bomb" 400 bomb
expect "a deep YAML body" 400 sh -c "python3 -c 'print(\"a: \" + \"[\" * 100000)' | curl -s -m 20 --cacert $DIR/ca --cert $DIR/crt --key $DIR/key -H 'Content-Type: application/yaml' --data-binary @- -w '%{http_code}' https://127.0.0.1:$PORT$CMS"
crowd() { # 200 creations at once under a quota: none is told of a conflict, all are counted
    k create quota crowd --hard=count/configmaps=1000 || return 1
    local i
    for i in $(seq 200); do
        [ "$i" = 1 ] || echo next
        printf 'url = "https://127.0.0.1:%s%s"\nrequest = POST\ncacert = "%s"\ncert = "%s"\nkey = "%s"\nheader = "%s"\n' "$PORT" "$CMS" "$DIR/ca" "$DIR/crt" "$DIR/key" "$JSON"
        printf 'data = "{\\"metadata\\":{\\"name\\":\\"crowd%s\\"}}"\noutput = /dev/null\nwrite-out = "%%{http_code}\\n"\n' "$i"
    done >"$DIR/crowd"
    [ "$(curl -s --parallel --parallel-max 200 --parallel-immediate -K "$DIR/crowd" 2>/dev/null | sort | uniq -c | tr -s ' ')" = " 200 201" ] || return 1
    local n used
    n=$(k get cm -o name | wc -l)
    used=$(k get quota crowd -o jsonpath='{.status.used.count/configmaps}')
    echo "$n configmaps, $used counted"
    [ "$n" = "$used" ]
}
check "a crowd under a quota" crowd
expect "a path that leaves" 404 raw GET "/api/v1/namespaces/default/configmaps/..%2f..%2fsecrets"
expect "a bad token" 401 curl -s -k -m 5 -H 'Authorization: Bearer nonsense' -w '%{http_code}' "https://127.0.0.1:$PORT$CMS"
expect "nobody may list secrets" 'system:anonymous\" cannot list resource \"secrets\"' curl -s -k -m 5 "https://127.0.0.1:$PORT/api/v1/secrets"
slow() { # three clients that stop in the middle of their request; others are served meanwhile
    python3 - "$PORT" <<'PY' &
import socket, ssl, sys, time
context = ssl._create_unverified_context()
socks = []
for text in (b"GET /api", b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", b""):
    s = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    s.send(text) if text else None
    socks.append(s)
time.sleep(3)
PY
    local python=$!
    sleep 0.3
    for _ in $(seq 20); do [ "$(curl -sk -m 2 "https://127.0.0.1:$PORT/readyz")" = ok ] || return 1; done
    wait $python
}
check "slow clients hold nobody up" slow
expect "it lives" "ok" curl -sk "https://127.0.0.1:$PORT/readyz"
server_starts() { grep -c 'server: ready' "$DIR/data/tutti.log"; }
expect "and was never restarted" "1" server_starts
finish
