/* What only a pod's own node can answer: logs, exec, attach, port-forward, and the node's own paths
 * below nodes/NAME/proxy. The request goes on to the agent over HTTPS with the server's client
 * certificate; streams are copied, upgraded connections joined byte by byte, and a slow end stops
 * the fast one (pkg/registry/core/pod/strategy.go, pkg/kubelet/server). */
#include "api/core.h"
#include "api/raw.h"

enum { HIGH_WATER = 1024 * 1024, DEFAULT_PORT = 10250, MAX_ERROR_BODY = 50000, WAIT_MS = 30000 };

/* --- connections to agents, kept for the next request --- */
struct relay_pool {
    struct api_loop *at;
    struct map clients; /* "origin name" -> http_client */
};

struct relay_pool *relay_pool_new(struct api_loop *at)
{
    struct relay_pool *p = NEW(struct relay_pool);
    p->at = at;
    return p;
}

void relay_pool_free(struct relay_pool *p)
{
    if (!p)
        return;
    for (struct map_entry *e = NULL; (e = map_next(&p->clients, e));)
        http_client_free(e->value);
    map_done(&p->clients);
    free(p);
}

/* An agent: its address, and the node name that its certificate must carry (addresses change). */
struct peer {
    struct str origin, name;
};

static int find_client(struct relay_pool *p, const struct peer *peer, struct http_client **ret,
                       struct err *err)
{
    struct arena a = {0};
    struct str key = arena_printf(&a, "%.*s %.*s", STR_ARG(peer->origin), STR_ARG(peer->name));
    struct http_client *client = map_get(&p->clients, key);
    if (!client) {
        struct http_client_config config = {.origin = arena_z(&a, peer->origin),
                                            .server_name = arena_z(&a, peer->name),
                                            .tls = p->at->api->kubelet_tls,
                                            .http1_only = true,
                                            .max_conns = 10000};
        if (http_client_new(p->at->loop, &config, &client, err) == 0)
            map_set(&p->clients, key, client);
    }
    arena_done(&a);
    *ret = client;
    return client ? 0 : -1;
}

/* --- where to --- */
static int find_peer(struct call *c, struct str node_name, struct peer *ret, struct err *err)
{
    const val *node = strategy_lookup(&c->ctx, "", "nodes", (struct str){0}, node_name);
    if (!node)
        return err_internal(err, "nodes \"%.*s\" not found", STR_ARG(node_name));
    if (!c->api->kubelet_tls)
        return err_internal(err, "this server has no credentials for agents");
    struct str address = {0};
    VAL_FOR (VAL_PATH(node, "status", "addresses"), a)
        if (str_is(VAL_STR(a, "type"), "InternalIP") && !address.n)
            address = VAL_STR(a, "address");
    if (!address.n)
        return err_internal(err, "no preferred addresses found; known addresses: []");
    int64_t port = VAL_INT(node, "status", "daemonEndpoints", "kubeletEndpoint", "Port");
    bool v6 = str_find_char(address, ':') >= 0;
    ret->name = node_name;
    ret->origin = arena_printf(&c->arena, "https://%s%.*s%s:%lld", v6 ? "[" : "", STR_ARG(address),
                               v6 ? "]" : "", (long long)(port ? port : DEFAULT_PORT));
    return 0;
}

static void put_names(const val *containers, struct buf *b)
{
    size_t n = 0;
    VAL_FOR (containers, container)
        buf_printf(b, "%s%.*s", n++ ? " " : "", STR_ARG(VAL_STR(container, "name")));
}

static bool has_container(const val *spec, struct str name)
{
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        VAL_FOR (val_get(spec, lists[i]), container)
            if (str_eq(VAL_STR(container, "name"), name))
                return true;
    return false;
}

static int pick_container(struct call *c, const val *pod, struct str *ret, struct err *err)
{
    const val *spec = val_get(pod, "spec"), *containers = val_get(spec, "containers");
    struct str name = url_query_get(&c->route.query, "container");
    if (name.n) {
        *ret = name;
        return has_container(spec, name) ? 0
                                         : err_bad(err, "container %.*s is not valid for pod %.*s",
                                                   STR_ARG(name), STR_ARG(c->route.name));
    }
    if (val_len(containers) == 1) {
        *ret = VAL_STR(val_at(containers, 0), "name");
        return 0;
    }
    struct buf b = {0};
    put_names(containers, &b);
    buf_putc(&b, ']');
    if (val_len(val_get(spec, "initContainers"))) {
        buf_puts(&b, " or one of the init containers: [");
        put_names(val_get(spec, "initContainers"), &b);
        buf_putc(&b, ']');
    }
    err_bad(err, "a container name must be specified for pod %.*s, choose one of: [%s",
            STR_ARG(c->route.name), buf_z(&b));
    buf_done(&b);
    return -1;
}

/* The client's options under the names that the agent knows. */
static void put_query(struct call *c, struct buf *b)
{
    static const struct {
        const char *client, *agent;
        bool flag;
    } names[] = {
        {"stdin", "input", true},          {"stdout", "output", true},
        {"stderr", "error", true},         {"tty", "tty", true},
        {"command", "command", false},     {"follow", "follow", false},
        {"previous", "previous", false},   {"sinceSeconds", "sinceSeconds", false},
        {"sinceTime", "sinceTime", false}, {"timestamps", "timestamps", false},
        {"tailLines", "tailLines", false}, {"limitBytes", "limitBytes", false},
        {"stream", "stream", false},       {"ports", "port", false},
    };
    size_t n = 0;
    for (size_t i = 0; i < c->route.query.count; i++) {
        const struct url_param *p = &c->route.query.params[i];
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            if (!str_is(p->key, names[k].client))
                continue;
            if (names[k].flag && !route_flag(&c->route, names[k].client))
                continue;
            buf_printf(b, "%c%s=", n++ ? '&' : '?', names[k].agent);
            if (names[k].flag)
                buf_putc(b, '1');
            else
                url_encode(b, p->value);
        }
    }
}

static const char *agent_path(struct str sub)
{
    if (str_is(sub, "log"))
        return "containerLogs";
    if (str_is(sub, "exec"))
        return "exec";
    return str_is(sub, "attach") ? "attach" : "portForward";
}

/* 0 and an origin, 0 and none (nothing to relay: a log of a pod that is nowhere yet), or -1. */
static int plan_pod(struct call *c, struct peer *ret, struct buf *target, struct err *err)
{
    struct str sub = c->route.subresource, container = {0};
    const val *pod = strategy_lookup(&c->ctx, "", "pods", c->route.ns, c->route.name);
    if (!pod)
        return fail_not_found(c, c->route.name, err);
    bool forward = str_is(sub, "portforward"), log = str_is(sub, "log");
    if (!forward && pick_container(c, pod, &container, err) != 0)
        return -1;
    struct str node = VAL_STR(pod, "spec", "nodeName");
    *ret = (struct peer){0};
    if (!node.n)
        return log ? 0
                   : err_bad(err, "pod %.*s does not have a host assigned", STR_ARG(c->route.name));
    if (find_peer(c, node, ret, err) != 0)
        return -1;
    buf_printf(target, "/%s/%.*s/%.*s", agent_path(sub), STR_ARG(c->route.ns),
               STR_ARG(c->route.name));
    if (container.n)
        buf_printf(target, "/%.*s", STR_ARG(container));
    put_query(c, target);
    return 0;
}

/* The decoded rest of the path, encoded again: no byte of it may end the request line. */
static void put_path(struct str rest, struct buf *b)
{
    struct str part;
    bool ends = str_ends(rest, STR("/"));
    while (str_next(&rest, '/', &part)) {
        buf_putc(b, '/');
        url_encode(b, part);
    }
    if (ends || !b->n)
        buf_putc(b, '/');
}

static int plan_node(struct call *c, struct peer *ret, struct buf *target, struct err *err)
{
    if (find_peer(c, c->route.name, ret, err) != 0)
        return -1;
    put_path(c->route.rest, target);
    if (c->request->query.n)
        buf_printf(target, "?%.*s", STR_ARG(c->request->query));
    return 0;
}

/* --- one relayed request --- */
struct relay {
    struct call *call;
    struct http_exchange *x; /* NULL when the client went away */
    struct http_call *out;
    struct http_tunnel *near, *far;
    struct buf error; /* the agent's body when it refused */
    int status;
    bool started;
};

static void relay_free(struct relay *r)
{
    buf_done(&r->error);
    call_free(r->call);
    free(r);
}

/* joined tunnels */
static void near_data(void *arg, struct str bytes)
{
    struct relay *r = arg;
    if (r->far && http_tunnel_write(r->far, bytes) > HIGH_WATER)
        http_tunnel_pause(r->near, true);
}

static void far_data(void *arg, struct str bytes)
{
    struct relay *r = arg;
    if (r->near && http_tunnel_write(r->near, bytes) > HIGH_WATER)
        http_tunnel_pause(r->far, true);
}

static void near_drained(void *arg)
{
    struct relay *r = arg;
    if (r->far)
        http_tunnel_pause(r->far, false);
}

static void far_drained(void *arg)
{
    struct relay *r = arg;
    if (r->near)
        http_tunnel_pause(r->near, false);
}

static void near_closed(void *arg)
{
    struct relay *r = arg;
    r->near = NULL;
    if (r->far)
        http_tunnel_close(r->far);
    relay_free(r);
}

static void far_closed(void *arg)
{
    struct relay *r = arg;
    r->far = NULL;
    if (r->near)
        http_tunnel_close(r->near);
    relay_free(r);
}

static void join(struct relay *r)
{
    static const char *const names[] = {"upgrade", "connection", "sec-websocket-accept",
                                        "sec-websocket-protocol", "x-stream-protocol-version"};
    struct http_header headers[ARRAY_LEN(names)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str value = http_call_header(r->out, names[i]);
        if (value.n)
            headers[n++] = (struct http_header){str_of(names[i]), value};
    }
    struct http_exchange *x = r->x;
    r->x = NULL;
    r->near = http_upgrade(x, headers, n,
                           &(struct http_tunnel_events){near_data, near_drained, near_closed, r});
    struct http_call *out = r->out;
    r->out = NULL;
    if (!r->near) {
        http_call_cancel(out);
        http_abort(x);
        relay_free(r);
        return;
    }
    r->far =
        http_call_tunnel(out, &(struct http_tunnel_events){far_data, far_drained, far_closed, r});
}

static void start_answer(struct relay *r, int status)
{
    struct http_header headers[2];
    size_t n = 0;
    struct str type = http_call_header(r->out, "content-type");
    headers[n++] = (struct http_header){STR("content-type"), type.n ? type : STR("text/plain")};
    http_start(r->x, status, headers, n);
    r->started = true;
}

static void on_headers(void *arg, struct http_call *out, int status)
{
    struct relay *r = arg;
    r->out = out;
    r->status = status;
    if (status == 101) {
        join(r);
        return;
    }
    bool node = str_is(r->call->route.subresource, "proxy");
    if (r->x && (node || (status >= 200 && status <= 206)))
        start_answer(r, status);
}

static void on_data(void *arg, struct str bytes)
{
    struct relay *r = arg;
    if (!r->started) {
        if (r->error.n < MAX_ERROR_BODY)
            buf_put(&r->error, str_head(bytes, MAX_ERROR_BODY));
        return;
    }
    struct bytes *chunk = bytes_new(bytes);
    if (r->x && http_write(r->x, chunk) > HIGH_WATER)
        http_call_pause(r->out, true);
    bytes_unref(chunk);
}

/* What the agent said in plain text becomes a Status, as upstream's response checker has it. */
static void refuse(struct relay *r, const struct err *why)
{
    struct err err;
    struct str text = str_trim(buf_str(&r->error));
    if (why)
        err_internal(&err, "error dialing backend: %s", why->message);
    else if (r->status == 400)
        err_bad(&err, "%.*s", STR_ARG(text));
    else if (r->status == 500)
        err_internal(&err, "%.*s", STR_ARG(text));
    else
        err_set(&err, r->status, NULL, "%.*s", STR_ARG(text));
    struct call *c = r->call;
    call_fail(c, &err);
    struct http_header type = {STR("content-type"), STR("application/json")};
    http_respond(r->x, c->status, &type, 1, c->reply);
    r->x = NULL;
}

static void on_done(void *arg, int status, struct str body, const struct err *err)
{
    struct relay *r = arg;
    (void)body;
    r->out = NULL;
    if (r->x && r->started && !err)
        http_end(r->x);
    else if (r->x && r->started)
        http_abort(r->x);
    else if (r->x) {
        r->status = status ? status : r->status;
        refuse(r, err);
    }
    relay_free(r);
}

static void client_gone(void *arg)
{
    struct relay *r = arg;
    r->x = NULL;
    if (r->out)
        http_call_cancel(r->out);
    relay_free(r);
}

static void client_drained(void *arg)
{
    struct relay *r = arg;
    if (r->out)
        http_call_pause(r->out, false);
}

static bool wants_upgrade(const struct http_request *r)
{
    return http_request_header(r, "upgrade").n != 0;
}

static size_t forward_headers(const struct http_request *request, struct http_header *headers,
                              size_t max)
{
    static const char *const names[] = {"connection",
                                        "upgrade",
                                        "sec-websocket-key",
                                        "sec-websocket-version",
                                        "sec-websocket-protocol",
                                        "content-type",
                                        "accept"};
    size_t n = 0;
    for (size_t i = 0; i < request->header_count && n < max; i++) {
        const struct http_header *h = &request->headers[i];
        bool wanted = str_is(h->name, "x-stream-protocol-version");
        for (size_t k = 0; k < ARRAY_LEN(names) && !wanted; k++)
            wanted = str_is(h->name, names[k]);
        if (wanted)
            headers[n++] = *h;
    }
    return n;
}

static enum call_next relay_start(struct call *c, struct http_client *client, struct str target)
{
    struct http_header headers[32];
    struct relay *r = NEW(struct relay);
    r->call = c;
    r->x = c->x;
    struct http_call_config config = {
        .method = arena_z(&c->arena, c->method),
        .target = target,
        .headers = headers,
        .header_count = forward_headers(c->request, headers, ARRAY_LEN(headers)),
        .body = c->body,
        .timeout_ms = WAIT_MS,
        .stream = true,
        .upgrade = wants_upgrade(c->request),
        .headers_done = on_headers,
        .data = on_data,
        .done = on_done,
        .arg = r,
    };
    http_watch(c->x, &(struct http_watch){client_gone, client_drained, r});
    c->x = NULL;
    c->request = NULL;
    metrics_count(c);
    r->out = http_call_start(client, &config);
    return CALL_TAKEN;
}

enum call_next handle_relay(struct call *c)
{
    struct err err = {0};
    struct buf target = {0};
    struct peer peer;
    struct http_client *client;
    bool node = str_is(c->route.subresource, "proxy"), log = str_is(c->route.subresource, "log");
    if (!c->x || !c->request)
        return call_fail(c, (err_bad(&err, "this needs a connection of its own"), &err));
    if (!node && !log && !wants_upgrade(c->request))
        return call_fail(c, (err_bad(&err, "Upgrade request required"), &err));
    int rc = call_begin(c, &err);
    if (rc == 0)
        rc = node ? plan_node(c, &peer, &target, &err) : plan_pod(c, &peer, &target, &err);
    call_end(c);
    enum call_next next;
    if (rc == 0 && peer.origin.n)
        rc = find_client(c->at->relays, &peer, &client, &err);
    if (rc != 0)
        next = call_fail(c, &err);
    else if (!peer.origin.n)
        next = call_reply_text(c, 200, "text/plain", (struct str){0});
    else
        next = relay_start(c, client, buf_str(&target));
    buf_done(&target);
    return next;
}
