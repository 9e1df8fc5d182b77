"""Servers for charts on 127.0.0.1: `charts.py FOLDER PORT` is a registry at /v2/ that keeps what is pushed in memory, and beside it
serves the folder's files:

/...            as they are
/private/...    with the password me:secret
/moved/...      by a redirect to localhost, which is another host: no password may follow
/hub/...        Artifact Hub's search
The registry wants a bearer token for repositories whose name begins with "token/", a password for "private/", gives two tags a page, and
answers with another blob for "bad/"."""
import base64, hashlib, http.server, json, os, re, sys

FOLDER, PORT = sys.argv[1], int(sys.argv[2])
BASE = "http://127.0.0.1:%d" % PORT
LOGIN = "Basic " + base64.b64encode(b"me:secret").decode()
BLOBS, MANIFESTS, UPLOADS = {}, {}, {}
HUB = {"data": [{"id": "bitnami/web", "artifactHub": {"packageUrl": "https://hub.test/web"},
                 "attributes": {"description": "A web server", "repo": {"name": "bitnami", "url": "https://charts.test"}},
                 "relationships": {"latestChartVersion": {"data": {"version": "1.2.3", "app_version": "4.5"}}}}]}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code, message):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode())

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def serve_file(self, path):
        path = os.path.join(FOLDER, path.lstrip("/"))
        if not os.path.isfile(path):
            return self.answer(404, b"not found")
        self.answer(200, open(path, "rb").read(), "application/octet-stream")

    def allowed(self, name):
        has = self.headers.get("Authorization")
        if name.startswith("token/") and has != "Bearer let-me-in":
            self.answer(401, b"{}", WWW_Authenticate='Bearer realm="%s/token",service="test",scope="repository:%s:pull"' % (BASE, name))
        elif name.startswith("private/") and has != LOGIN:
            self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', WWW_Authenticate='Basic realm="test"')
        else:
            return True
        return False

    def do_GET(self):
        path, _, query = self.path.partition("?")
        data = self.body()
        if path == "/token":
            if self.headers.get("Authorization") not in (None, LOGIN):
                return self.error(401, "UNAUTHORIZED", "wrong password")
            return self.answer(200, b'{"token":"let-me-in"}')
        if path == "/hub/api/chartsvc/v1/charts/search":
            return self.answer(200, json.dumps(HUB if "web" in query else {"data": []}).encode())
        if path == "/v2/":
            if self.headers.get("Authorization") != LOGIN:
                return self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
                                   WWW_Authenticate='Basic realm="test"')
            return self.answer(200, b"{}")
        if path.startswith("/v2/"):
            return self.registry(path, query, data)
        if path.startswith("/private/"):
            if self.headers.get("Authorization") != LOGIN:
                return self.answer(401, b"")
            return self.serve_file(path[9:])
        if path.startswith("/moved/"):
            return self.answer(302, Location="http://localhost:%d/open%s" % (PORT, path[6:]))
        if path.startswith("/open/"):
            if "Authorization" in self.headers:
                return self.answer(400, b"a password came along")
            return self.serve_file(path[6:])
        self.serve_file(path)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET

    def registry(self, path, query, data):
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags)/(.*)", path)
        if not found:
            return self.answer(404, b"{}")
        name, kind, what = found.groups()
        if not self.allowed(name):
            return
        if kind == "tags":
            tags = sorted(t for n, t in MANIFESTS if n == name and ":" not in t)
            if not tags:
                return self.error(404, "NAME_UNKNOWN", "repository name not known to registry")
            last = re.search("last=([^&]*)", query)
            start = tags.index(last.group(1)) + 1 if last else 0
            page = tags[start:start + 2]
            more = {"Link": '</v2/%s/tags/list?n=2&last=%s>; rel="next"' % (name, page[-1])} if start + 2 < len(tags) else {}
            return self.answer(200, json.dumps({"name": name, "tags": page}).encode(), **more)
        if kind == "manifests" and self.command == "PUT":
            MANIFESTS[name, what] = MANIFESTS[name, digest(data)] = (data, self.headers["Content-Type"])
            return self.answer(201, Location=path, Docker_Content_Digest=digest(data))
        if kind == "manifests":
            if (name, what) not in MANIFESTS:
                return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            body, mime = MANIFESTS[name, what]
            return self.answer(200, body, mime, Docker_Content_Digest=digest(body))
        if what.startswith("uploads/") and self.command == "POST":
            return self.answer(202, Location="/v2/%s/blobs/uploads/1?state=x" % name)
        if what.startswith("uploads/"):
            want = re.search("digest=([^&]*)", query).group(1).replace("%3A", ":")
            if digest(data) != want:
                return self.error(400, "DIGEST_INVALID", "digest does not match")
            BLOBS[name, want] = data
            return self.answer(201, Location=path, Docker_Content_Digest=want)
        if (name, what) not in BLOBS:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        body = BLOBS[name, what]
        if name.startswith("bad/"):
            body = body[:-1] + b"?"
        self.answer(200, body, "application/octet-stream", Docker_Content_Digest=what)


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
