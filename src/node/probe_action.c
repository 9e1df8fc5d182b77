#include "node/probe_action.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

static size_t collect(char *p, size_t size, size_t n, void *arg)
{
    struct buf *b = arg;
    size_t room = b->n < MAX_OUTPUT ? MAX_OUTPUT - b->n : 0;
    buf_append(b, p, n * size < room ? n * size : room);
    return n * size;
}

static CURL *new_request(const char *url, int64_t timeout_ms, struct buf *body)
{
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 4096L);
    return curl;
}

static void explain(const struct action *a, CURLcode code, struct buf *message)
{
    buf_clear(message);
    buf_printf(message, "Get \"%s\": ", a->url);
    if (code == CURLE_OPERATION_TIMEDOUT)
        buf_puts(message,
                 "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    else if (code == CURLE_COULDNT_CONNECT)
        buf_printf(message, "dial tcp %s:%d: connect: connection refused", a->host, a->port);
    else if (code == CURLE_GOT_NOTHING)
        buf_puts(message, "EOF");
    else
        buf_puts(message, curl_easy_strerror(code));
}

/* Redirects to other places count as success, as upstream has it; those on the same host are told
 * from them by nobody who probes, so they do, too. */
static int run_http(const struct action *a, int64_t timeout_ms, struct buf *message)
{
    struct curl_slist *headers = NULL;
    CURL *curl = new_request(a->url, timeout_ms, message);
    bool agent = false, accept = false;
    long status = 0;
    for (size_t i = 0; i < a->header_count; i++) {
        headers = curl_slist_append(headers, a->headers[i]);
        agent |= strncasecmp(a->headers[i], "user-agent", 10) == 0;
        accept |= strncasecmp(a->headers[i], "accept", 6) == 0;
    }
    if (!agent)
        headers = curl_slist_append(headers, "User-Agent: kube-probe/1.34");
    if (!accept)
        headers = curl_slist_append(headers, "Accept: */*");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) {
        explain(a, code, message);
        return 1;
    }
    buf_clear(message);
    if (status >= 200 && status < 400)
        return 0;
    buf_printf(message, "HTTP probe failed with statuscode: %ld", status);
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
    struct buf body = {0}, answer = {0};
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/grpc");
    headers = curl_slist_append(headers, "TE: trailers");
    grpc_request(a->service, &body);
    CURL *curl = new_request(a->url, timeout_ms, &answer);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.n);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p);
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    /* HealthCheckResponse {status = 1}: 1 is SERVING. */
    bool serving = answer.n >= 7 && answer.p[5] == 0x08 && answer.p[6] == 1;
    if (code == CURLE_OPERATION_TIMEDOUT)
        buf_printf(message, "timeout: failed to connect service \"%s:%d\" within %lldms", a->host,
                   a->port, (long long)timeout_ms);
    else if (code != CURLE_OK)
        buf_printf(message, "error: failed to connect: %s", curl_easy_strerror(code));
    else if (!serving)
        buf_printf(message, "service unhealthy (responded with \"%s\")",
                   answer.n >= 7 && answer.p[6] == 2 ? "NOT_SERVING" : "UNKNOWN");
    buf_done(&body);
    buf_done(&answer);
    return code != CURLE_OK || !serving;
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
