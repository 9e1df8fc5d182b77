/* The HTTP server of a node against an agent whose containers are processes of this machine, and
 * the reading of container logs. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <arpa/inet.h>

#include "base/file.h"
#include "net/spdy.h"
#include "net/ws.h"
#include "net_util.h"
#include "node/stream_crilog.h"
#include "streams_fake.h"
#include "test.h"

enum { WAIT_MS = 20000, TEXT = 7 /* in place of a channel: text messages as they came */ };

/* --- logs as text --- */

#define T1 "2026-01-02T03:04:01.000000000Z"
#define T2 "2026-01-02T03:04:02.000000000Z"
#define T3 "2026-01-02T03:04:03.000000000Z"

static void put_file(const char *folder, const char *name, const char *text)
{
    struct buf path = {0};
    struct err err;
    buf_printf(&path, "%s/%s", folder, name);
    CHECK_OK(file_write(path.p, str_of(text), 0600, &err), &err);
    buf_done(&path);
}

static char *new_folder(void)
{
    char template[] = "/tmp/streams-test-XXXXXX";
    CHECK(mkdtemp(template) != NULL);
    return mem_strdup(template);
}

static void drop_folder(char *folder)
{
    file_remove_tree(folder, NULL);
    free(folder);
}

static struct crilog *open_log(const char *folder, struct crilog_options options)
{
    char path[4096];
    struct crilog *l;
    struct err err;
    snprintf(path, sizeof(path), "%s/1.log", folder);
    CHECK_OK(crilog_open(path, &options, &l, &err), &err);
    return l;
}

TEST(a_log_is_read_by_its_options)
{
    static const struct {
        struct crilog_options options;
        const char *want;
    } cases[] = {
        {{.tail = -1, .limit = -1}, "one\ntwo\nlong line\nthree\n"},
        {{.tail = -1, .limit = -1, .timestamps = true},
         T1 " one\n" T1 " two\n" T2 " long line\n" T3 " three\n"},
        {{.tail = 0, .limit = -1}, ""},
        {{.tail = 1, .limit = -1}, "three\n"},
        {{.tail = 2, .limit = -1}, "long line\nthree\n"},
        {{.tail = 3, .limit = -1}, "two\nlong line\nthree\n"},
        {{.tail = 4, .limit = -1}, "one\ntwo\nlong line\nthree\n"},
        {{.tail = 400, .limit = -1}, "one\ntwo\nlong line\nthree\n"},
        {{.tail = -1, .limit = 5}, "one\nt"},
        {{.tail = -1, .limit = 4}, "one\n"},
        {{.tail = -1, .limit = -1, .no_stdout = true}, "two\n"},
        {{.tail = -1, .limit = -1, .no_stderr = true}, "one\nlong line\nthree\n"},
        {{.tail = -1, .limit = -1, .since_ns = 1767323042000000000}, "long line\nthree\n"},
        {{.tail = 1, .limit = 2, .since_ns = 1767323043000000000}, "th"},
    };
    char *folder = new_folder();
    put_file(folder, "1.log.1", T1 " stdout F one\n");
    put_file(folder, "1.log",
             T1 " stderr F two\n" T2 " stdout P long \nno record\n" T2 " stdout F line\n" T3
                " stdout F three\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct crilog *l = open_log(folder, cases[i].options);
        struct buf out = {0};
        while (crilog_read(l, &out, 3) == CRILOG_MORE)
            ;
        CHECK_STR(buf_str(&out), cases[i].want);
        buf_done(&out);
        crilog_free(l);
    }
    drop_folder(folder);
}

TEST(a_reader_follows_through_rotations)
{
    char *folder = new_folder(), from[4096], to[4096];
    struct buf out = {0};
    put_file(folder, "1.log", T1 " stdout F one\n");
    struct crilog *l = open_log(folder, (struct crilog_options){.tail = -1, .limit = -1});
    CHECK_INT(crilog_read(l, &out, 1000), CRILOG_END);
    CHECK(!crilog_grew(l));
    snprintf(from, sizeof(from), "%s/1.log", folder);
    int fd = open(from, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(write(fd, T1 " stdout F two\n" T1 " std", 78) == 78 && crilog_grew(l));
    CHECK_INT(crilog_read(l, &out, 1000), CRILOG_END);
    CHECK(write(fd, "out F three\n", 12) == 12);
    close(fd);
    for (int i = 2; i > 0; i--) {
        snprintf(to, sizeof(to), "%s/1.log.%d", folder, i);
        snprintf(from, sizeof(from), i == 1 ? "%s/1.log" : "%s/1.log.1", folder);
        rename(from, to);
    }
    put_file(folder, "1.log", T1 " stdout F four\n");
    snprintf(from, sizeof(from), "%s/1.log.1", folder);
    snprintf(to, sizeof(to), "%s/1.log.2", folder);
    rename(from, to);
    snprintf(from, sizeof(from), "%s/1.log", folder);
    snprintf(to, sizeof(to), "%s/1.log.1", folder);
    rename(from, to);
    CHECK(crilog_grew(l));
    put_file(folder, "1.log", T1 " stdout F five\n");
    do
        CHECK_INT(crilog_read(l, &out, 1000), CRILOG_END);
    while (crilog_grew(l));
    CHECK_STR(buf_str(&out), "one\ntwo\nthree\nfour\nfive\n");
    buf_done(&out);
    crilog_free(l);
    drop_folder(folder);
}

/* --- the server, and a client of it --- */

struct node {
    char *folder;
    struct agent agent;
    struct streams *streams;
    struct test_ca ca;
    struct loop *loop;
    struct tls *tls;
    struct http_client *http;
};

static void node_start(struct node *n, const char *organization)
{
    struct err err;
    struct buf ca = {0}, cert = {0}, key = {0};
    char path[4096];
    *n = (struct node){.folder = new_folder()};
    n->agent = (struct agent){.folder = n->folder, .running = true};
    snprintf(path, sizeof(path), "%s/pki", n->folder);
    CHECK_OK(file_mkdirs(path, 0700, &err), &err);
    ca_new(&n->ca);
    ca_pem(&n->ca, &ca);
    put_file(path, "ca.crt", buf_z(&ca));
    ca_issue(&n->ca, "system:node:n", "system:nodes", true, &cert, &key);
    put_file(path, "node-serving.crt", buf_z(&cert));
    put_file(path, "node-serving.key", buf_z(&key));
    buf_clear(&cert);
    buf_clear(&key);
    if (organization)
        ca_issue(&n->ca, "someone", organization, false, &cert, &key);
    struct streams_config config = {
        .data_dir = n->folder, .node_name = "n", .node_ip = "127.0.0.1", .agent = &n->agent};
    CHECK_OK(streams_start(&config, &n->streams, &err), &err);
    CHECK_OK(loop_new(&n->loop, &err), &err);
    CHECK_OK(tls_new(&(struct tls_config){.cert_pem = buf_str(&cert),
                                          .key_pem = buf_str(&key),
                                          .insecure = true},
                     &n->tls, &err),
             &err);
    snprintf(path, sizeof(path), "https://127.0.0.1:%d", streams_port(n->streams));
    CHECK_OK(http_client_new(
                 n->loop,
                 &(struct http_client_config){.origin = path, .tls = n->tls, .http1_only = true},
                 &n->http, &err),
             &err);
    buf_done(&ca);
    buf_done(&cert);
    buf_done(&key);
}

static void node_stop(struct node *n)
{
    http_client_free(n->http);
    loop_free(n->loop);
    streams_stop(n->streams);
    tls_free(n->tls);
    ca_done(&n->ca);
    drop_folder(n->folder);
}

struct call {
    struct node *node;
    int status;
    struct buf body;
    struct http_call *http;
    struct http_tunnel *tunnel;
    struct ws ws;
    struct spdy *spdy;
    struct buf streams[8];  /* by channel, or by id / 2 */
    size_t ends, want_ends; /* of SPDY streams */
    size_t want_bytes;      /* of the body or of channel 1, for the loop to stop */
    bool closed;
};

static void call_done(void *arg, int status, struct str body, const struct err *err)
{
    struct call *c = arg;
    (void)err;
    c->status = status;
    buf_put(&c->body, body);
    loop_stop(c->node->loop);
}

static void get(struct node *n, const char *target, int want_status, const char *want)
{
    struct call c = {.node = n};
    http_call_start(n->http,
                    &(struct http_call_config){
                        .method = "GET", .target = str_of(target), .done = call_done, .arg = &c});
    CHECK(run_for(n->loop, WAIT_MS));
    CHECK_STR(buf_str(&c.body), want);
    CHECK_INT(c.status, want_status);
    buf_done(&c.body);
}

static void stream_data(void *arg, struct str bytes)
{
    struct call *c = arg;
    buf_put(&c->body, bytes);
    if (c->want_bytes && c->body.n >= c->want_bytes)
        loop_stop(c->node->loop);
}

TEST(only_the_masters_come_in)
{
    static const struct {
        const char *organization;
        int status;
        const char *want;
    } cases[] = {
        {NULL, 401, "Unauthorized"},
        {"system:nodes", 403,
         "Forbidden (user=someone, verb=get, resource=nodes, subresource=proxy)"},
        {"system:nodes,system:masters", 200, "ok"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct node n;
        node_start(&n, cases[i].organization);
        get(&n, "/healthz", cases[i].status, cases[i].want);
        node_stop(&n);
    }
}

TEST(requests_are_answered_in_upstreams_words)
{
    static const struct {
        const char *target;
        int status;
        const char *want;
    } cases[] = {
        {"/pods", 200, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[]}"},
        {"/nothing", 404, "404 page not found"},
        {"/containerLogs/default/web/c", 200, "one\ntwo\n"},
        {"/containerLogs/default/web/c?tailLines=1&timestamps=true", 200, T2 " two\n"},
        {"/containerLogs/default/web/c?limitBytes=2", 200, "on"},
        {"/containerLogs/default/web/c?limitBytes=0", 422, "{\"message\": \"Invalid request.\"}"},
        {"/containerLogs/default/web/c?tailLines=-1", 422, "{\"message\": \"Invalid request.\"}"},
        {"/containerLogs/default/web/c?sinceTime=now", 400,
         "{\"message\": \"Unable to decode query.\"}"},
        {"/containerLogs/default/web/c?previous=true", 400,
         "previous terminated container \"c\" in pod \"web\" not found"},
        {"/containerLogs/default/nope/c", 404, "pods \"nope\" not found"},
        {"/containerLogs/default/web/x", 400, "container x is not valid for pod web"},
        {"/containerLogs/default/web", 404, "404 page not found"},
        {"/exec/default/web/c?command=true&output=1", 400,
         "you must specify an upgrade: Upgrade request required"},
        {"/exec/default/web/c?command=true", 400,
         "you must specify at least 1 of stdin, stdout, stderr"},
        {"/exec/default/web/c?output=1", 400, "you must specify at least one command"},
    };
    struct node n;
    node_start(&n, "system:masters");
    put_file(n.folder, "1.log", T1 " stdout F one\n" T2 " stdout F two\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        get(&n, cases[i].target, cases[i].status, cases[i].want);
    node_stop(&n);
}

TEST(a_follower_gets_what_is_added_until_the_container_ends)
{
    struct node n;
    struct call c = {.node = &n, .want_bytes = 4};
    node_start(&n, "system:masters");
    put_file(n.folder, "1.log", T1 " stdout F one\n");
    http_call_start(n.http, &(struct http_call_config){
                                .method = "GET",
                                .target = STR("/containerLogs/default/web/c?follow=true"),
                                .stream = true,
                                .data = stream_data,
                                .done = call_done,
                                .arg = &c});
    CHECK(run_for(n.loop, WAIT_MS));
    char path[4096];
    snprintf(path, sizeof(path), "%s/1.log", n.folder);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(write(fd, T1 " stdout F two\n", 44) == 44);
    c.want_bytes = 8;
    CHECK(run_for(n.loop, WAIT_MS));
    CHECK(write(fd, T1 " stdout F end\n", 44) == 44);
    close(fd);
    __atomic_store_n(&n.agent.running, false, __ATOMIC_SEQ_CST);
    c.want_bytes = 0;
    CHECK(run_for(n.loop, WAIT_MS));
    CHECK_STR(buf_str(&c.body), "one\ntwo\nend\n");
    buf_done(&c.body);
    node_stop(&n);
}

/* --- upgraded connections --- */

static void ws_message(void *arg, enum ws_opcode op, struct str payload)
{
    struct call *c = arg;
    if (op == WS_BINARY && payload.n && (unsigned char)payload.p[0] < ARRAY_LEN(c->streams))
        buf_put(&c->streams[(unsigned char)payload.p[0]], str_from(payload, 1));
    if (op == WS_TEXT)
        buf_put(&c->streams[TEXT], payload);
    if (c->want_bytes && c->streams[1].n >= c->want_bytes)
        loop_stop(c->node->loop);
}

static void spdy_data(void *arg, uint32_t id, struct str piece)
{
    struct call *c = arg;
    if (id / 2 < ARRAY_LEN(c->streams))
        buf_put(&c->streams[id / 2], piece);
}

static void spdy_end(void *arg, uint32_t id)
{
    struct call *c = arg;
    (void)id;
    if (++c->ends == c->want_ends)
        loop_stop(c->node->loop);
}

static void tunnel_data(void *arg, struct str bytes)
{
    struct call *c = arg;
    struct buf out = {0};
    struct err err;
    int rc = c->spdy ? spdy_feed(c->spdy, bytes, &out, &err) : ws_feed(&c->ws, bytes, &out, &err);
    CHECK_OK(rc, &err);
    if (out.n)
        http_tunnel_write(c->tunnel, buf_str(&out));
    buf_done(&out);
}

static void tunnel_closed(void *arg)
{
    struct call *c = arg;
    c->closed = true;
    c->tunnel = NULL;
    loop_stop(c->node->loop);
}

static void upgraded(void *arg, struct http_call *http, int status)
{
    struct call *c = arg;
    c->status = status;
    if (status != 101)
        return;
    c->tunnel =
        http_call_tunnel(http, &(struct http_tunnel_events){tunnel_data, NULL, tunnel_closed, c});
    loop_stop(c->node->loop);
}

/* protocol: a WebSocket subprotocol, or NULL for SPDY. */
static void upgrade(struct call *c, struct node *n, const char *target, const char *protocol)
{
    static const struct spdy_events events = {.data = spdy_data, .end = spdy_end};
    const struct http_header websocket[] = {
        {STR("connection"), STR("Upgrade")},
        {STR("upgrade"), STR("websocket")},
        {STR("sec-websocket-version"), STR("13")},
        {STR("sec-websocket-key"), STR("dGhlIHNhbXBsZSBub25jZQ==")},
        {STR("sec-websocket-protocol"), str_of(protocol)},
    };
    const struct http_header spdy[] = {
        {STR("connection"), STR("Upgrade")},
        {STR("upgrade"), STR("SPDY/3.1")},
        {STR("x-stream-protocol-version"),
         strstr(target, "portForward") ? STR("portforward.k8s.io") : STR("v4.channel.k8s.io")},
    };
    *c = (struct call){.node = n};
    ws_init(&c->ws, false, 1 << 20, ws_message, c);
    if (!protocol)
        c->spdy = spdy_new(false, &events, c);
    http_call_start(n->http, &(struct http_call_config){.method = "POST",
                                                        .target = str_of(target),
                                                        .headers = protocol ? websocket : spdy,
                                                        .header_count = protocol ? 5 : 3,
                                                        .upgrade = true,
                                                        .headers_done = upgraded,
                                                        .done = call_done,
                                                        .arg = c});
    CHECK(run_for(n->loop, WAIT_MS));
    CHECK_INT(c->status, 101);
}

static void call_free(struct call *c)
{
    if (c->tunnel)
        http_tunnel_close(c->tunnel);
    for (size_t i = 0; i < ARRAY_LEN(c->streams); i++)
        buf_done(&c->streams[i]);
    ws_done(&c->ws);
    spdy_free(c->spdy);
    buf_done(&c->body);
}

static void say(struct call *c, struct str message)
{
    struct buf out = {0};
    ws_write(&c->ws, WS_BINARY, message, &out);
    http_tunnel_write(c->tunnel, buf_str(&out));
    buf_done(&out);
}

static const char success[] = "{\"metadata\":{},\"status\":\"Success\"}";
static const char exit_3[] =
    "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit "
    "code: exit status 3\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":"
    "\"ExitCode\",\"message\":\"3\"}]}}";

TEST(exec_over_a_websocket)
{
    struct node n;
    struct call c;
    node_start(&n, "system:masters");
    upgrade(&c, &n,
            "/exec/default/web/c?command=sh&command=-c&command=echo%20out%3Becho%20err%20%3E%262"
            "%3Bexit%203&output=1&error=1",
            "v5.channel.k8s.io");
    CHECK(run_for(n.loop, WAIT_MS) && c.closed);
    CHECK_STR(buf_str(&c.streams[1]), "out\n");
    CHECK_STR(buf_str(&c.streams[2]), "err\n");
    CHECK_STR(buf_str(&c.streams[3]), exit_3);
    call_free(&c);
    node_stop(&n);
}

TEST(input_ends_when_the_client_closes_its_channel)
{
    struct node n;
    struct call c;
    node_start(&n, "system:masters");
    upgrade(&c, &n, "/exec/default/web/0-1/c?command=cat&stdin=true&stdout=true",
            "v5.channel.k8s.io");
    say(&c, STR("\0hello "));
    say(&c, STR("\0world"));
    say(&c, STR("\xff\0"));
    CHECK(run_for(n.loop, WAIT_MS) && c.closed);
    CHECK_STR(buf_str(&c.streams[1]), "hello world");
    CHECK_STR(buf_str(&c.streams[3]), success);
    call_free(&c);
    node_stop(&n);
}

TEST(a_terminal_has_the_clients_size)
{
    struct node n;
    struct call c;
    node_start(&n, "system:masters");
    upgrade(&c, &n,
            "/exec/default/web/c?command=sh&command=-c&command=read%20x%3Bstty%20size&input=1"
            "&output=1&tty=1",
            "v4.channel.k8s.io");
    say(&c, STR("\4{\"Width\":101,\"Height\":31}"));
    say(&c, STR("\0\n"));
    CHECK(run_for(n.loop, WAIT_MS) && c.closed);
    CHECK_STR(buf_str(&c.streams[1]), "\r\n31 101\r\n");
    CHECK_STR(buf_str(&c.streams[3]), success);
    call_free(&c);
    node_stop(&n);
}

TEST(an_old_client_speaks_base64)
{
    struct node n;
    struct call c;
    struct buf out = {0};
    node_start(&n, "system:masters");
    upgrade(&c, &n, "/exec/default/web/c?command=head&command=-c&command=2&input=1&output=1",
            "base64.channel.k8s.io");
    ws_write(&c.ws, WS_TEXT, STR("0aGk="), &out);
    http_tunnel_write(c.tunnel, buf_str(&out));
    CHECK(run_for(n.loop, WAIT_MS) && c.closed);
    CHECK_STR(buf_str(&c.streams[TEXT]), "1"
                                         "1aGk=");
    buf_done(&out);
    call_free(&c);
    node_stop(&n);
}

/* Its command would run for ever; stopping the server waits for it. */
TEST(a_client_that_goes_away_ends_its_command)
{
    struct node n;
    struct call c;
    node_start(&n, "system:masters");
    upgrade(&c, &n,
            "/exec/default/web/c?command=sh&command=-c&command=echo%20x%3Bexec%20sleep%201000"
            "&output=1",
            "v5.channel.k8s.io");
    c.want_bytes = 2;
    CHECK(run_for(n.loop, WAIT_MS) && !c.closed);
    call_free(&c);
    node_stop(&n);
}

TEST(attach_speaks_with_the_containers_shim)
{
    struct node n;
    struct call c;
    node_start(&n, "system:masters");
    upgrade(&c, &n, "/attach/default/web/c?input=1&output=1&error=1", "v5.channel.k8s.io");
    say(&c, STR("\0hello"));
    say(&c, STR("\4{\"Width\":80,\"Height\":24}"));
    say(&c, STR("\xff\0"));
    CHECK(run_for(n.loop, WAIT_MS) && c.closed);
    CHECK_STR(buf_str(&c.streams[1]), "hello");
    CHECK_STR(buf_str(&c.streams[2]), "80 24");
    CHECK_STR(buf_str(&c.streams[3]), success);
    call_free(&c);
    node_stop(&n);
}

static void open_stream(struct call *c, uint32_t id, const char *type, const char *request)
{
    struct buf out = {0};
    const struct http_header headers[] = {{STR("streamtype"), str_of(type)},
                                          {STR("requestid"), str_of(request)},
                                          {STR("port"), buf_str(&c->body)}};
    spdy_write_stream(c->spdy, id, headers, c->body.n ? 3 : 1, false, &out);
    http_tunnel_write(c->tunnel, buf_str(&out));
    buf_done(&out);
}

static void send_stream(struct call *c, uint32_t id, struct str bytes, bool fin)
{
    struct buf out = {0};
    spdy_write_data(id, bytes, fin, &out);
    http_tunnel_write(c->tunnel, buf_str(&out));
    buf_done(&out);
}

TEST(exec_over_spdy)
{
    struct node n;
    struct call c;
    node_start(&n, "system:masters");
    upgrade(&c, &n,
            "/exec/default/web/c?command=sh&command=-c&command=cat%3Bexit%203&input=1&output=1",
            NULL);
    open_stream(&c, 1, "error", "");
    open_stream(&c, 3, "stdin", "");
    open_stream(&c, 5, "stdout", "");
    send_stream(&c, 3, STR("through"), true);
    CHECK(run_for(n.loop, WAIT_MS) && c.closed);
    CHECK_STR(buf_str(&c.streams[2]), "through");
    CHECK_STR(buf_str(&c.streams[0]), exit_3);
    call_free(&c);
    node_stop(&n);
}

/* A client that tells its windows gets no more than they let through. */
TEST(the_windows_of_a_client_are_kept)
{
    static const char settings[] = "\x80\x03\x00\x04\x00\x00\x00\x0c\x00\x00\x00\x01"
                                   "\x00\x00\x00\x07\x00\x00\x03\xe8";
    struct node n;
    struct call c;
    node_start(&n, "system:masters");
    upgrade(&c, &n,
            "/exec/default/web/c?command=head&command=-c&command=300000&command=%2Fdev%2Fzero"
            "&output=1",
            NULL);
    http_tunnel_write(c.tunnel, (struct str){settings, sizeof(settings) - 1});
    open_stream(&c, 1, "error", "");
    open_stream(&c, 3, "stdout", "");
    CHECK(!run_for(n.loop, 300));
    CHECK_INT(c.streams[1].n, 1000);
    struct buf out = {0};
    spdy_write_window(3, 500, &out);
    http_tunnel_write(c.tunnel, buf_str(&out));
    CHECK(!run_for(n.loop, 300));
    CHECK_INT(c.streams[1].n, 1500);
    buf_clear(&out);
    spdy_write_window(3, 1000000, &out);
    http_tunnel_write(c.tunnel, buf_str(&out));
    CHECK(run_for(n.loop, WAIT_MS) && c.closed);
    CHECK_INT(c.streams[1].n, 300000);
    CHECK_STR(buf_str(&c.streams[0]), success);
    buf_done(&out);
    call_free(&c);
    node_stop(&n);
}

/* --- port-forward --- */

/* Sends back all that comes, to one client. */
static void *echo(void *arg)
{
    static __thread char bytes[65536];
    int fd = accept(*(int *)arg, NULL, NULL);
    for (ssize_t got; (got = recv(fd, bytes, sizeof(bytes), 0)) > 0;)
        for (ssize_t at = 0, put; at < got; at += put)
            if ((put = send(fd, bytes + at, (size_t)(got - at), MSG_NOSIGNAL)) <= 0)
                break;
    close(fd);
    return NULL;
}

static int listen_somewhere(int *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 8) == 0 &&
          getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

TEST(port_forward_carries_bytes_both_ways_and_half_closes)
{
    enum { SIZE = 5000000 };
    struct node n;
    struct call c;
    int port, listener = listen_somewhere(&port);
    pthread_t thread;
    pthread_create(&thread, NULL, echo, &listener);
    node_start(&n, "system:masters");
    upgrade(&c, &n, "/portForward/default/web", NULL);
    buf_printf(&c.body, "%d", port);
    open_stream(&c, 1, "error", "0");
    send_stream(&c, 1, STR(""), true);
    open_stream(&c, 3, "data", "0");
    struct buf big = {0};
    for (uint32_t i = 0; big.n < SIZE; i++)
        buf_append(&big, &i, sizeof(i));
    send_stream(&c, 3, buf_str(&big), true);
    c.want_ends = 2;
    CHECK(run_for(n.loop, WAIT_MS) && !c.closed);
    CHECK(str_eq(buf_str(&c.streams[1]), buf_str(&big)));
    CHECK_STR(buf_str(&c.streams[0]), "");
    buf_done(&big);
    call_free(&c);
    pthread_join(thread, NULL);
    close(listener);
    node_stop(&n);
}

TEST(port_forward_tells_that_nobody_listens)
{
    struct node n;
    struct call c;
    int port, listener = listen_somewhere(&port);
    close(listener);
    node_start(&n, "system:masters");
    upgrade(&c, &n, "/portForward/default/web", NULL);
    buf_printf(&c.body, "%d", port);
    open_stream(&c, 1, "data", "7");
    open_stream(&c, 3, "error", "7");
    c.want_ends = 1;
    CHECK(run_for(n.loop, WAIT_MS) && !c.closed);
    CHECK(str_find(buf_str(&c.streams[1]),
                   STR("to pod web, uid 0-1: failed to connect to localhost:")) > 0);
    CHECK(str_find(buf_str(&c.streams[1]), STR("connect: Connection refused")) > 0);
    call_free(&c);
    node_stop(&n);
}
