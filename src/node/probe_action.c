#include "node/probe_action.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/fetch.h"

enum { MAX_OUTPUT = 10 * 1024, MAX_HEADERS = 64 };

/* --- preparing --- */

static char *z(struct str s)
{
    return mem_strndup(s.p ? s.p : "", s.n);
}

static int resolve_port(struct container *c, const val *port)
{
    int64_t number;
    if (!val_is_str(port))
        return (int)val_int(port);
    VAL_FOR (val_get(container_spec(c), "ports"), p)
        if (str_eq(VAL_STR(p, "name"), val_str(port)))
            return (int)VAL_INT(p, "containerPort");
    return str_to_i64(val_str(port), &number) ? (int)number : 0;
}

static int prepare_exec(struct container *c, const val *exec, struct action *a, struct err *err)
{
    struct buf b = {0};
    const val *command = val_get(exec, "command");
    a->kind = ACTION_EXEC;
    snprintf(a->id, sizeof(a->id), "%s", c->now.id);
    VAL_FOR (command, word)
        buf_printf(&b, "%s%.*s", b.n ? " " : "", STR_ARG(val_str(word)));
    a->command = buf_take(&b);
    return runtime_process(a->runtime, a->id, command, false, &a->doc, &a->process, err);
}

static void prepare_http(const val *http, struct action *a)
{
    struct buf url = {0};
    struct str scheme = VAL_STR(http, "scheme"), path = VAL_STR(http, "path");
    bool v6 = strchr(a->host, ':');
    a->kind = ACTION_HTTP;
    buf_printf(&url, v6 ? "%s://[%s]:%d" : "%s://%s:%d", str_is(scheme, "HTTPS") ? "https" : "http",
               a->host, a->port);
    if (!path.n || path.p[0] != '/')
        buf_putc(&url, '/');
    buf_put(&url, path);
    a->url = buf_take(&url);
    a->headers = mem_realloc_array(NULL, MAX_HEADERS + 2, sizeof(char *));
    VAL_FOR (val_get(http, "httpHeaders"), h) {
        struct buf line = {0};
        struct str value = VAL_STR(h, "value");
        if (a->header_count == MAX_HEADERS)
            break;
        buf_printf(&line, value.n ? "%.*s: %.*s" : "%.*s;%.*s", STR_ARG(VAL_STR(h, "name")),
                   STR_ARG(value));
        a->headers[a->header_count++] = buf_take(&line);
    }
}

int action_prepare(struct container *c, const val *handler, struct action *ret, struct err *err)
{
    const val *exec = val_get(handler, "exec"), *http = val_get(handler, "httpGet"),
              *tcp = val_get(handler, "tcpSocket"), *grpc = val_get(handler, "grpc");
    const val *net = http ? http : tcp ? tcp : grpc;
    struct pod *p = c->pod;
    *ret = (struct action){.kind = ACTION_NONE, .runtime = &p->agent->runtime};
    if (exec)
        return prepare_exec(c, exec, ret, err);
    if (!net)
        return err_bad(err, "missing handler");
    ret->port = resolve_port(c, val_get(net, "port"));
    if (ret->port < 1 || ret->port > 65535)
        return err_bad(err, "invalid port number: %d", ret->port);
    struct str host = VAL_STR(net, "host");
    ret->host = host.n ? z(host) : mem_strdup(p->addrs.count ? p->addrs.ip[0] : "127.0.0.1");
    if (http)
        prepare_http(http, ret);
    else if (tcp)
        ret->kind = ACTION_TCP;
    else {
        struct buf url = {0};
        ret->kind = ACTION_GRPC;
        buf_printf(&url,
                   strchr(ret->host, ':') ? "http://[%s]:%d/grpc.health.v1.Health/Check"
                                          : "http://%s:%d/grpc.health.v1.Health/Check",
                   ret->host, ret->port);
        ret->url = buf_take(&url);
        ret->service = z(VAL_STR(grpc, "service"));
    }
    return 0;
}

void action_done(struct action *a)
{
    for (size_t i = 0; i < a->header_count; i++)
        free(a->headers[i]);
    free(a->headers);
    free(a->command);
    free(a->url);
    free(a->host);
    free(a->service);
    doc_done(&a->doc);
    *a = (struct action){.kind = ACTION_NONE};
}

/* --- doing --- */

static int run_exec(const struct action *a, int64_t timeout_ms, struct buf *message)
{
    struct err err = {0};
    int code;
    if (runtime_exec_wait(a->runtime, a->id, a->process, timeout_ms, MAX_OUTPUT, message, &code,
                          &err)) {
        buf_puts(message, err.message);
        return -1;
    }
    if (code == -1) {
        buf_clear(message);
        buf_printf(message, "command timed out: \"%s\" timed out after %lldms", a->command,
                   (long long)timeout_ms);
    }
    return code != 0;
}

static int run_tcp(const struct action *a, int64_t timeout_ms, struct buf *message)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char port[16];
    int failed = 0;
    socklen_t n = sizeof(failed);
    snprintf(port, sizeof(port), "%d", a->port);
    if (getaddrinfo(a->host, port, &hints, &found)) {
        buf_printf(message, "dial tcp: lookup %s: no such host", a->host);
        return 1;
    }
    CLEANUP(fd_closep)
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        failed = errno;
    else if (connect(fd, found->ai_addr, found->ai_addrlen) && errno != EINPROGRESS)
        failed = errno;
    freeaddrinfo(found);
    if (!failed) {
        struct pollfd wait = {fd, POLLOUT, 0};
        if (poll(&wait, 1, (int)timeout_ms) != 1) {
            buf_printf(message, "dial tcp %s:%d: i/o timeout", a->host, a->port);
            return 1;
        }
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n);
    }
    if (failed)
        buf_printf(message, "dial tcp %s:%d: connect: %s", a->host, a->port,
                   failed == ECONNREFUSED ? "connection refused" : strerror(failed));
    return failed != 0;
}

/* As much of an answer as a message shows. */
struct collected {
    struct buf *body;
    bool full;
};

static int collect(void *arg, struct str piece)
{
    struct collected *c = arg;
    size_t room = MAX_OUTPUT - c->body->n;
    buf_put(c->body, str_head(piece, room));
    c->full = piece.n >= room;
    return c->full ? -1 : 0;
}

/* One request over a connection of its own; *ret_status is 0 when there was no answer. */
static int request(const struct fetch_options *options, const struct fetch_request *r,
                   struct buf *body, int *ret_status, struct err *err)
{
    struct fetcher *f;
    struct fetch_answer answer = {0};
    struct collected collected = {body, false};
    struct fetch_request own = *r;
    own.sink = collect;
    own.arg = &collected;
    own.max_redirects = -1;
    *ret_status = 0;
    if (fetcher_new(options, &f, err) < 0)
        return -1;
    int result = fetch(f, &own, &answer, err);
    if (result == 0 || collected.full)
        *ret_status = answer.status;
    fetch_answer_done(&answer);
    fetcher_free(f);
    return *ret_status ? 0 : result;
}

/* Redirects to other places count as success, as upstream has it; those on the same host are told
 * from them by nobody who probes, so they do, too. */
static int run_http(const struct action *a, int64_t timeout_ms, struct buf *message)
{
    struct http_header *headers = mem_zalloc((a->header_count + 2) * sizeof(*headers));
    size_t n = 0;
    bool agent = false, accept = false;
    int status;
    struct err err;
    for (; n < a->header_count; n++) {
        str_cut(str_of(a->headers[n]), ':', &headers[n].name, &headers[n].value);
        headers[n].value = str_trim(headers[n].value);
        agent |= str_eq_nocase(headers[n].name, STR("user-agent"));
        accept |= str_eq_nocase(headers[n].name, STR("accept"));
    }
    if (!agent)
        headers[n++] = (struct http_header){STR("User-Agent"), STR("kube-probe/1.34")};
    if (!accept)
        headers[n++] = (struct http_header){STR("Accept"), STR("*/*")};
    int result = request(
        &(struct fetch_options){
            .insecure = true, .direct = true, .user_agent = "", .connect_ms = timeout_ms},
        &(struct fetch_request){
            .url = str_of(a->url), .headers = headers, .header_count = n, .timeout_ms = timeout_ms},
        message, &status, &err);
    free(headers);
    buf_clear(message);
    if (result < 0) {
        buf_puts(message, err.message);
        return 1;
    }
    if (status >= 200 && status < 400)
        return 0;
    buf_printf(message, "HTTP probe failed with statuscode: %d", status);
    return 1;
}

/* HealthCheckRequest {service = 1} in a length-prefixed message. */
static void grpc_request(const char *service, struct buf *b)
{
    size_t n = strlen(service) < 120 ? strlen(service) : 120, size = n ? n + 2 : 0;
    const char head[5] = {0, 0, 0, 0, (char)size};
    buf_append(b, head, 5);
    if (n) {
        buf_putc(b, 0x0a);
        buf_putc(b, (char)n);
        buf_append(b, service, n);
    }
}

static int run_grpc(const struct action *a, int64_t timeout_ms, struct buf *message)
{
    static const struct http_header headers[] = {
        {STR_INIT("Content-Type"), STR_INIT("application/grpc")},
        {STR_INIT("TE"), STR_INIT("trailers")}};
    struct buf body = {0}, answer = {0};
    struct err err;
    int status;
    grpc_request(a->service, &body);
    int result = request(&(struct fetch_options){.direct = true,
                                                 .http2_prior = true,
                                                 .user_agent = "kube-probe/1.34",
                                                 .connect_ms = timeout_ms},
                         &(struct fetch_request){.method = "POST",
                                                 .url = str_of(a->url),
                                                 .headers = headers,
                                                 .header_count = ARRAY_LEN(headers),
                                                 .body = buf_str(&body),
                                                 .timeout_ms = timeout_ms},
                         &answer, &status, &err);
    /* HealthCheckResponse {status = 1}: 1 is SERVING. */
    bool serving = answer.n >= 7 && answer.p[5] == 0x08 && answer.p[6] == 1;
    if (result < 0 && err.code == 504)
        buf_printf(message, "timeout: failed to connect service \"%s:%d\" within %lldms", a->host,
                   a->port, (long long)timeout_ms);
    else if (result < 0)
        buf_printf(message, "error: failed to connect: %s", err.message);
    else if (!serving)
        buf_printf(message, "service unhealthy (responded with \"%s\")",
                   answer.n >= 7 && answer.p[6] == 2 ? "NOT_SERVING" : "UNKNOWN");
    buf_done(&body);
    buf_done(&answer);
    return result < 0 || !serving;
}

int action_run(const struct action *a, int64_t timeout_ms, struct buf *message)
{
    switch (a->kind) {
    case ACTION_EXEC:
        return run_exec(a, timeout_ms, message);
    case ACTION_HTTP:
        return run_http(a, timeout_ms, message);
    case ACTION_TCP:
        return run_tcp(a, timeout_ms, message);
    case ACTION_GRPC:
        return run_grpc(a, timeout_ms, message);
    default:
        return -1;
    }
}
