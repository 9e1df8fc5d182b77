/* The server behind real connections: certificates, ETags, long lists, watches, and what it relays
 * to an agent. Everything runs on one loop; each test asks and waits for what it needs. */
#include <stdlib.h>
#include <zlib.h>

#include "api/raw.h"
#include "base/file.h"
#include "net/http.h"
#include "server.h"

enum { PATIENCE_MS = 10000 };

struct world_under_test {
    char dir[64];
    struct pki pki;
    struct server server;
    struct loop *loop;
    struct api_loop *at;
    struct http_server *http, *agent;
    struct tls *server_tls, *client_tls, *agent_tls;
    struct http_client *client;
    struct loop_timer patience;
};

/* One request of the test. */
struct asked {
    struct world_under_test *w;
    struct http_call *call;
    struct http_tunnel *tunnel;
    int status;
    char etag[64];
    struct buf body;
    const char *until; /* stop waiting when this was received; NULL: at the end */
    bool done, slow;
    struct loop_timer wake;
};

static void lost_patience(struct loop_timer *t)
{
    loop_stop(CONTAINER_OF(t, struct world_under_test, patience)->loop);
}

static void wait_for(struct world_under_test *w)
{
    loop_timer_set(w->loop, &w->patience, PATIENCE_MS, lost_patience);
    loop_run(w->loop);
    loop_timer_clear(w->loop, &w->patience);
}

/* --- the agent --- */
static void echo_data(void *arg, struct str bytes)
{
    struct http_tunnel **t = arg;
    http_tunnel_write(*t, bytes);
}

static void echo_closed(void *arg)
{
    free(arg);
}

static void agent_handler(void *arg, struct http_exchange *x, const struct http_request *r)
{
    (void)arg;
    struct http_header type = {STR("content-type"), STR("text/plain")};
    if (!r->peer || !r->peer->verified ||
        strcmp(r->peer->common_name, "kube-apiserver-kubelet-client") != 0) {
        http_respond(x, 401, &type, 1, NULL);
    } else if (str_is(r->path, "/containerLogs/default/p/c")) {
        struct bytes *line = bytes_new(r->query.n ? r->query : STR("no options"));
        http_start(x, 200, &type, 1);
        http_write(x, line);
        http_end(x);
        bytes_unref(line);
    } else if (str_is(r->path, "/exec/default/p/c")) {
        struct http_header headers[] = {{STR("upgrade"), STR("websocket")},
                                        {STR("connection"), STR("Upgrade")}};
        struct http_tunnel **t = mem_zalloc(sizeof(*t));
        *t = http_upgrade(x, headers, 2,
                          &(struct http_tunnel_events){echo_data, NULL, echo_closed, t});
    } else {
        struct bytes *text = bytes_new(STR("container \"c\" is waiting to start"));
        http_respond(x, 400, &type, 1, text);
        bytes_unref(text);
    }
}

/* --- setting up --- */
static struct tls *make_tls(struct str cert, struct str key, struct str ca, bool server)
{
    struct err err;
    struct tls *tls;
    struct tls_config config = {.cert_pem = cert, .key_pem = key, .ca_pem = ca, .server = server};
    CHECK_OK(tls_new(&config, &tls, &err), &err);
    return tls;
}

static void set_up(struct world_under_test *w)
{
    struct err err;
    *w = (struct world_under_test){0};
    strcpy(w->dir, "/tmp/tutti-api-pki-XXXXXX");
    CHECK(mkdtemp(w->dir));
    struct pki_config pki = {.dir = w->dir, .listen = "127.0.0.1:0", .node_name = "n1"};
    CHECK_OK(pki_ensure(&pki, &w->pki, &err), &err);
    server_start_pki(&w->server, &w->pki);
    CHECK_OK(loop_new(&w->loop, &err), &err);
    CHECK_OK(api_attach(w->server.api, w->loop, &w->at, &err), &err);
    const struct pki *p = &w->pki;
    w->server_tls = make_tls(p->server_cert, p->server_key, p->ca_cert, true);
    w->client_tls = make_tls(p->kubelet_client_cert, p->kubelet_client_key, p->ca_cert, false);
    w->agent_tls = make_tls(p->node_serving_cert, p->node_serving_key, p->ca_cert, true);
    struct http_server_config http = {
        .listen = "127.0.0.1:0", .tls = w->server_tls, .handler = api_http_handler, .arg = w->at};
    struct http_server_config agent = {
        .listen = "127.0.0.1:0", .tls = w->agent_tls, .handler = agent_handler};
    CHECK_OK(http_server_new(w->loop, &http, &w->http, &err), &err);
    CHECK_OK(http_server_new(w->loop, &agent, &w->agent, &err), &err);
    char origin[64];
    snprintf(origin, sizeof(origin), "https://127.0.0.1:%d", http_server_port(w->http));
    struct http_client_config client = {.origin = origin, .tls = w->client_tls, .http1_only = true};
    CHECK_OK(http_client_new(w->loop, &client, &w->client, &err), &err);
}

static void tear_down(struct world_under_test *w)
{
    struct err err;
    http_client_free(w->client);
    http_server_free(w->http);
    api_detach(w->at);
    http_server_free(w->agent);
    tls_free(w->server_tls);
    tls_free(w->client_tls);
    tls_free(w->agent_tls);
    loop_free(w->loop);
    server_stop(&w->server);
    pki_done(&w->pki);
    CHECK_OK(file_remove_tree(w->dir, &err), &err);
}

static void make_pod(struct world_under_test *w)
{
    char node[512];
    snprintf(
        node, sizeof(node),
        "{\"metadata\":{\"name\":\"n1\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
        "\"address\":\"127.0.0.1\"}],\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":%d}}}}",
        http_server_port(w->agent));
    EXPECT(&w->server, {"POST", "/api/v1/nodes", NULL, JSON, node, 201, "kubeletEndpoint"},
           {"POST", "/api/v1/namespaces/default/serviceaccounts", NULL, JSON,
            "{\"metadata\":{\"name\":\"default\"}}", 201, NULL},
           {"POST", "/api/v1/namespaces/default/pods", NULL, JSON,
            "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{"
            "\"name\":\"c\",\"image\":\"x\"}]}}",
            201, NULL});
}

/* --- asking --- */
static void on_headers(void *arg, struct http_call *call, int status)
{
    struct asked *a = arg;
    a->status = status;
    struct str etag = str_head(http_call_header(call, "etag"), sizeof(a->etag) - 1);
    if (etag.n)
        memcpy(a->etag, etag.p, etag.n);
}

static void read_on(struct loop_timer *t)
{
    http_call_pause(CONTAINER_OF(t, struct asked, wake)->call, false);
}

static void on_data(void *arg, struct str bytes)
{
    struct asked *a = arg;
    buf_put(&a->body, bytes);
    if (a->slow) { /* let the server's side fill up once */
        a->slow = false;
        http_call_pause(a->call, true);
        loop_timer_set(a->w->loop, &a->wake, 200, read_on);
    }
    if (a->until && str_find(buf_str(&a->body), str_of(a->until)) >= 0)
        loop_stop(a->w->loop);
}

static void on_done(void *arg, int status, struct str body, const struct err *err)
{
    struct asked *a = arg;
    (void)body;
    (void)err;
    a->status = status;
    a->done = true;
    a->call = NULL;
    loop_stop(a->w->loop);
}

static void ask(struct world_under_test *w, struct asked *a, const char *target,
                const struct http_header *headers, size_t header_count)
{
    struct http_call_config config = {.method = "GET",
                                      .target = str_of(target),
                                      .headers = headers,
                                      .header_count = header_count,
                                      .stream = true,
                                      .headers_done = on_headers,
                                      .data = on_data,
                                      .done = on_done,
                                      .arg = a};
    a->w = w;
    a->call = http_call_start(w->client, &config);
    wait_for(w);
}

TEST(discovery_is_cached_by_etag)
{
    static const char *const paths[] = {"/apis", "/openapi/v3"};
    struct world_under_test w;
    set_up(&w);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct asked first = {0}, again = {0};
        struct http_header accept = {STR("accept"),
                                     STR("application/json;g=apidiscovery.k8s.io;v=v2;as="
                                         "APIGroupDiscoveryList,application/json")};
        ask(&w, &first, paths[i], &accept, 1);
        CHECK_INT(first.status, 200);
        CHECK(first.etag[0] == '"');
        struct http_header headers[] = {accept, {STR("if-none-match"), str_of(first.etag)}};
        ask(&w, &again, paths[i], headers, 2);
        CHECK_INT(again.status, 304);
        CHECK_INT(again.body.n, 0);
        buf_done(&first.body);
        buf_done(&again.body);
    }
    tear_down(&w);
}

TEST(long_lists_reach_slow_readers_whole)
{
    enum { COUNT = 300, SIZE = 20000 };
    struct world_under_test w;
    struct buf body = {0};
    set_up(&w);
    for (int i = 0; i < COUNT; i++) {
        buf_clear(&body);
        buf_printf(&body, "{\"metadata\":{\"name\":\"c%03d\"},\"data\":{\"k\":\"", i);
        for (int k = 0; k < SIZE; k++)
            buf_putc(&body, 'x');
        buf_puts(&body, "\"}}");
        struct ask create = {
            "POST", "/api/v1/namespaces/default/configmaps", NULL, JSON, buf_z(&body), NULL};
        struct answer a = server_ask(&w.server, &create);
        CHECK_INT(a.status, 201);
        bytes_unref(a.body);
    }
    struct asked a = {.slow = true};
    ask(&w, &a, "/api/v1/configmaps", NULL, 0);
    CHECK(a.done);
    CHECK_INT(a.status, 200);
    struct str items = raw_member(buf_str(&a.body), "items");
    size_t seen = 0;
    for (ssize_t at; (at = str_find(items, STR("{\"metadata\":{\"name\":\"c"))) >= 0; seen++)
        items = str_from(items, (size_t)at + SIZE);
    CHECK_INT(seen, COUNT);
    CHECK(str_ends(buf_str(&a.body), STR("\"}}]}")));
    buf_done(&a.body);
    buf_done(&body);
    tear_down(&w);
}

static void unzip(struct str packed, struct buf *b)
{
    z_stream z = {.next_in = (Bytef *)packed.p, .avail_in = (uInt)packed.n};
    int rc = inflateInit2(&z, 15 + 16);
    while (rc == Z_OK) {
        z.next_out = (Bytef *)buf_reserve(b, 65536);
        z.avail_out = 65536;
        rc = inflate(&z, Z_NO_FLUSH);
        b->n += 65536 - z.avail_out;
    }
    inflateEnd(&z);
    CHECK_INT(rc, Z_STREAM_END);
}

TEST(long_answers_are_compressed_for_those_who_ask)
{
    struct http_header gzip = {STR("accept-encoding"), STR("deflate, gzip")};
    struct world_under_test w;
    struct buf plain = {0}, big = {0};
    set_up(&w);
    buf_puts(&big, "{\"metadata\":{\"name\":\"big\"},\"data\":{\"k\":\"");
    for (int i = 0; i < 200000; i++)
        buf_putc(&big, (char)('a' + i % 23));
    buf_puts(&big, "\"}}");
    struct ask create = {"POST", "/api/v1/namespaces/default/configmaps", NULL, JSON, buf_z(&big),
                         NULL};
    for (int i = 0; i < 8; i++) {
        struct answer made = server_ask(&w.server, &create);
        CHECK_INT(made.status, 201);
        bytes_unref(made.body);
        big.p[strlen("{\"metadata\":{\"name\":\"b")] = (char)('a' + i);
    }
    static const struct {
        const char *path;
        bool packed;
    } paths[] = {{"/api/v1/configmaps", true},
                 {"/api/v1/configmaps?limit=5", true},
                 {"/api/v1/namespaces/default/configmaps/big", true},
                 {"/api/v1/namespaces", false}};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct asked raw = {0}, packed = {0};
        ask(&w, &raw, paths[i].path, NULL, 0);
        ask(&w, &packed, paths[i].path, &gzip, 1);
        CHECK_INT(packed.status, 200);
        if (paths[i].packed) {
            CHECK(packed.body.n * 20 < raw.body.n);
            buf_clear(&plain);
            unzip(buf_str(&packed.body), &plain);
        } else {
            buf_clear(&plain);
            buf_put(&plain, buf_str(&packed.body));
        }
        CHECK_INT(plain.n, raw.body.n);
        CHECK(memcmp(plain.p, raw.body.p, plain.n) == 0);
        buf_done(&raw.body);
        buf_done(&packed.body);
    }
    buf_done(&plain);
    buf_done(&big);
    tear_down(&w);
}

#define NAMESPACES(scope, verb)                                                                    \
    "group=\"\",resource=\"namespaces\",scope=\"" scope "\",subresource=\"\",verb=\"" verb         \
    "\",version=\"v1\"} 1\n"

TEST(requests_are_counted_and_timed)
{
    static const char *const lines[] = {
        "apiserver_request_total{code=\"200\",component=\"apiserver\",dry_run=\"\"," NAMESPACES(
            "cluster", "LIST"),
        "apiserver_request_total{code=\"404\",component=\"apiserver\",dry_run=\"\"," NAMESPACES(
            "resource", "GET"),
        "apiserver_request_duration_seconds_count{component=\"apiserver\",dry_run=\"\"," NAMESPACES(
            "cluster", "LIST"),
        "apiserver_longrunning_requests{component=\"apiserver\"," NAMESPACES("cluster", "WATCH"),
        "# TYPE apiserver_request_duration_seconds histogram\n",
        "apiserver_response_sizes_count{component=\"apiserver\"," NAMESPACES("cluster", "LIST"),
        "apiserver_storage_objects{resource=\"namespaces\"} ",
        "apiserver_current_inflight_requests{request_kind=\"mutating\"} 0\n",
        "\nprocess_resident_memory_bytes ",
    };
    struct world_under_test w;
    set_up(&w);
    struct asked list = {0}, none = {0}, watch = {.until = "\"name\":\"kube-system\""};
    ask(&w, &list, "/api/v1/namespaces", NULL, 0);
    ask(&w, &none, "/api/v1/namespaces/none", NULL, 0);
    ask(&w, &watch, "/api/v1/namespaces?watch=true", NULL, 0);
    CHECK_INT(list.status, 200);
    CHECK_INT(none.status, 404);
    struct answer a = server_ask(&w.server, &(struct ask){.method = "GET", .path = "/metrics"});
    CHECK_INT(a.status, 200);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (str_find(bytes_str(a.body), str_of(lines[i])) < 0)
            test_fail(__FILE__, __LINE__, "no %s in %.*s", lines[i], STR_ARG(bytes_str(a.body)));
    bytes_unref(a.body);
    http_call_cancel(watch.call);
    buf_done(&list.body);
    buf_done(&none.body);
    buf_done(&watch.body);
    tear_down(&w);
}

TEST(watches_in_protobuf)
{
    struct http_header accept = {STR("accept"), STR("application/vnd.kubernetes.protobuf")};
    struct world_under_test w;
    set_up(&w);
    struct asked a = {.until = "kube-system"};
    ask(&w, &a, "/api/v1/namespaces?watch=true", &accept, 1);
    CHECK_INT(a.status, 200);
    CHECK(a.body.n > 10);
    size_t n = (size_t)(unsigned char)a.body.p[2] << 8 | (unsigned char)a.body.p[3];
    CHECK(a.body.p[0] == 0 && a.body.p[1] == 0 && n > 10 && n + 4 <= a.body.n);
    CHECK_STR(str_head(str_from(buf_str(&a.body), 4), 7), "\n\x05"
                                                          "ADDED");
    CHECK(str_find(buf_str(&a.body), STR("k8s")) > 0);
    http_call_cancel(a.call);
    buf_done(&a.body);
    tear_down(&w);
}

TEST(watches_over_http)
{
    struct world_under_test w;
    set_up(&w);
    struct asked a = {.until = "\"name\":\"kube-system\""};
    ask(&w, &a, "/api/v1/namespaces?watch=true", NULL, 0);
    CHECK_INT(a.status, 200);
    CHECK(!a.done);
    CHECK(str_starts(buf_str(&a.body), STR("{\"type\":\"ADDED\",\"object\":{\"kind\":"
                                           "\"Namespace\"")));
    http_call_cancel(a.call);
    buf_done(&a.body);
    tear_down(&w);
}

TEST(logs_come_from_the_agent)
{
    struct world_under_test w;
    set_up(&w);
    make_pod(&w);
    struct asked a = {0}, wrong = {0};
    ask(&w, &a, "/api/v1/namespaces/default/pods/p/log?follow=true&tailLines=5", NULL, 0);
    CHECK_INT(a.status, 200);
    CHECK_STR(buf_str(&a.body), "follow=true&tailLines=5");
    ask(&w, &wrong, "/api/v1/namespaces/default/pods/p/log?container=d", NULL, 0);
    CHECK_INT(wrong.status, 400);
    CHECK(str_find(buf_str(&wrong.body), STR("container d is not valid for pod p")) >= 0);
    buf_done(&a.body);
    buf_done(&wrong.body);
    tear_down(&w);
}

TEST(nodes_proxy_passes_status_and_body)
{
    struct world_under_test w;
    set_up(&w);
    make_pod(&w);
    struct asked a = {0};
    ask(&w, &a, "/api/v1/nodes/n1/proxy/metrics/none", NULL, 0);
    CHECK_INT(a.status, 400);
    CHECK_STR(buf_str(&a.body), "container \"c\" is waiting to start");
    buf_done(&a.body);
    tear_down(&w);
}

/* --- upgraded connections --- */
static void tunnel_data(void *arg, struct str bytes)
{
    on_data(arg, bytes);
}

static void tunnel_closed(void *arg)
{
    struct asked *a = arg;
    a->tunnel = NULL;
    loop_stop(a->w->loop);
}

static void upgraded(void *arg, struct http_call *call, int status)
{
    struct asked *a = arg;
    a->status = status;
    if (status != 101)
        return;
    a->call = NULL;
    a->tunnel =
        http_call_tunnel(call, &(struct http_tunnel_events){tunnel_data, NULL, tunnel_closed, a});
    http_tunnel_write(a->tunnel, STR("ping"));
}

TEST(exec_joins_the_client_and_the_agent)
{
    struct world_under_test w;
    set_up(&w);
    make_pod(&w);
    struct http_header headers[] = {{STR("connection"), STR("Upgrade")},
                                    {STR("upgrade"), STR("websocket")},
                                    {STR("sec-websocket-version"), STR("13")}};
    struct asked a = {.w = &w, .until = "ping"};
    struct http_call_config config = {
        .method = "GET",
        .target = STR("/api/v1/namespaces/default/pods/p/exec?command=ls&stdout=true"),
        .headers = headers,
        .header_count = 3,
        .upgrade = true,
        .stream = true,
        .headers_done = upgraded,
        .data = on_data,
        .done = on_done,
        .arg = &a};
    a.call = http_call_start(w.client, &config);
    wait_for(&w);
    CHECK_INT(a.status, 101);
    CHECK_STR(buf_str(&a.body), "ping");
    http_tunnel_close(a.tunnel);
    buf_done(&a.body);

    struct asked plain = {0};
    ask(&w, &plain, "/api/v1/namespaces/default/pods/p/exec?command=ls", NULL, 0);
    CHECK_INT(plain.status, 400);
    CHECK(str_find(buf_str(&plain.body), STR("Upgrade request required")) >= 0);
    buf_done(&plain.body);
    tear_down(&w);
}
