#!/bin/bash
# Pulling from a v2 registry over HTTP on loopback: tokens, redirects, digests, policies, and what a missing image says.
. "$(dirname "$0")/lib.sh"
need_root
must "starts" start
[ -f "$ROOT/build/images/demo.tar" ] || "$ROOT/tools/images/build" demo >/dev/null
mkdir "$DIR/layout" && tar -C "$DIR/layout" -xf "$ROOT/build/images/demo.tar"
cat >"$DIR/registry.py" <<'PY'
"""A registry of one OCI layout: wants a bearer token, sends blobs by a redirect, and can corrupt one ("/bad/")."""
import http.server, json, os, sys
layout, port = sys.argv[1], int(sys.argv[2])
index = json.load(open(os.path.join(layout, "index.json")))
def blob(digest): return open(os.path.join(layout, "blobs", *digest.split(":")), "rb").read()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def answer(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        for name, value in headers.items(): self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/token": return self.answer(200, b'{"token":"let-me-in"}')
        if path.startswith("/raw/"):
            if "Authorization" in self.headers: return self.answer(400, b"{}")  # a token must not follow a redirect
            body = blob(path.split("/")[-1])
            return self.answer(200, body[:-1] + b"X" if "/bad/" in path else body, "application/octet-stream")
        if self.headers.get("Authorization") != "Bearer let-me-in":
            return self.answer(401, b"{}", WWW_Authenticate='Bearer realm="http://127.0.0.1:%d/token",service="test",scope="repository:x:pull"' % port)
        parts = path.split("/")
        if path == "/v2/": return self.answer(200, b"{}")
        if parts[-2] == "manifests":
            if parts[2] == "missing": return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
            entry = index["manifests"][0]
            digest = parts[-1] if ":" in parts[-1] else entry["digest"]
            return self.answer(200, blob(digest), entry["mediaType"], Docker_Content_Digest=digest)
        if parts[-2] == "blobs": return self.answer(307, Location="http://localhost:%d/raw/%s/%s" % (port, parts[2], parts[-1]))
        self.answer(404, b"{}")
    do_HEAD = do_GET
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
PY
REGISTRY=$(free_port)
python3 "$DIR/registry.py" "$DIR/layout" "$REGISTRY" &
REGISTRY_PID=$!
until_ok 5 curl -s "http://127.0.0.1:$REGISTRY/token"
pod() { k run "$1" --image="127.0.0.1:$REGISTRY/$2" --restart=Never --image-pull-policy="${3:-IfNotPresent}" >/dev/null; }
waiting() { k get pod "$1" -o jsonpath='{.status.containerStatuses[0].state.waiting.reason}'; }
pod pulled good/demo:1
check "an image is pulled and runs" k wait --for=condition=Ready pod/pulled --timeout=30s
expect "and an event says so" "Successfully pulled image" k describe pod pulled
pod again good/demo:1 Never
check "it is there for the policy Never" k wait --for=condition=Ready pod/again --timeout=20s
pod absent missing/demo:1
failing() { [[ $(waiting "$1") =~ ErrImagePull|ImagePullBackOff ]]; }
check "a missing image" until_ok 20 failing absent
expect "its event" "Failed to pull image" k describe pod absent
pod never other/demo:1 Never
needs() { [ "$(waiting never)" = ErrImageNeverPull ]; }
check "Never without the image" until_ok 20 needs
# Layers that the first pull has already brought are not fetched again, so corruption is tried on an empty store.
k delete pod --all --timeout=30s >/dev/null
stop
"$TUTTI" reset --data-dir "$DIR/data" >/dev/null
rm -rf "$DIR/data"
PORT=
check "starts afresh" start
pod corrupt bad/demo:1
check "a layer with another digest is refused" until_ok 20 failing corrupt
kill $REGISTRY_PID
finish
