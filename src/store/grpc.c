#include "store/grpc.h"

#include <endian.h>
#include <stdio.h>

enum { HEAD = 5 };

struct grpc_call {
    struct grpc_config config;
    struct http_call *http;
    struct buf in; /* of a stream: what is not yet a whole message */
    bool in_data, cancelled;
};

static void put_message(struct buf *b, struct str message)
{
    uint32_t n = htobe32((uint32_t)message.n);
    buf_putc(b, 0);
    buf_append(b, &n, sizeof(n));
    buf_put(b, message);
}

/* 1: a message was taken, 0: it is not all there, -1: it is too large or compressed. */
static int take_message(struct str *s, size_t max, struct str *ret)
{
    uint32_t n;
    if (s->n < HEAD)
        return 0;
    memcpy(&n, s->p + 1, sizeof(n));
    n = be32toh(n);
    if (s->p[0] || n > max)
        return -1;
    if (s->n - HEAD < n)
        return 0;
    *ret = (struct str){s->p + HEAD, n};
    *s = str_from(*s, HEAD + n);
    return 1;
}

static void free_call(struct grpc_call *call)
{
    buf_done(&call->in);
    free(call);
}

static void end_call(struct grpc_call *call, int code, struct str message, const char *why)
{
    struct grpc_config config = call->config;
    free_call(call);
    config.done(config.arg, code, message, why);
}

void grpc_cancel(struct grpc_call *call)
{
    if (!call)
        return;
    http_call_cancel(call->http);
    call->cancelled = true;
    if (!call->in_data)
        free_call(call);
}

static void on_data(void *arg, struct str bytes)
{
    struct grpc_call *call = arg;
    buf_put(&call->in, bytes);
    struct str rest = buf_str(&call->in), message;
    int got;
    call->in_data = true;
    while ((got = take_message(&rest, call->config.max_message, &message)) > 0) {
        call->config.on_message(call->config.arg, message);
        if (call->cancelled) {
            free_call(call);
            return;
        }
    }
    call->in_data = false;
    if (got < 0) {
        http_call_cancel(call->http);
        end_call(call, GRPC_NO_ANSWER, (struct str){0}, "grpc: a message that cannot be read");
        return;
    }
    buf_remove_front(&call->in, call->in.n - rest.n);
}

static struct str status_field(struct grpc_call *call, const char *name)
{
    struct str v = http_call_trailer(call->http, name);
    return v.n ? v : http_call_header(call->http, name); /* an answer without a body */
}

static void on_done(void *arg, int status, struct str body, const struct err *err)
{
    struct grpc_call *call = arg;
    struct str message = {0};
    char why[512];
    int64_t code;
    if (err) {
        end_call(call, GRPC_NO_ANSWER, message, err->message);
        return;
    }
    if (!str_to_i64(status_field(call, "grpc-status"), &code)) {
        snprintf(why, sizeof(why), "grpc: HTTP status %d without a gRPC status", status);
        end_call(call, GRPC_NO_ANSWER, message, why);
        return;
    }
    if (code != GRPC_OK) {
        snprintf(why, sizeof(why), "%.*s", STR_ARG(status_field(call, "grpc-message")));
        end_call(call, (int)code, message, why);
        return;
    }
    if (!call->config.on_message && take_message(&body, call->config.max_message, &message) <= 0) {
        end_call(call, GRPC_NO_ANSWER, message, "grpc: an answer that cannot be read");
        return;
    }
    end_call(call, GRPC_OK, message, "the stream ended");
}

struct grpc_call *grpc_start(struct http_client *c, const struct grpc_config *config)
{
    struct http_header headers[4] = {
        {STR("content-type"), STR("application/grpc")},
        {STR("te"), STR("trailers")},
        {STR("user-agent"), STR("tutti/" TUTTI_VERSION)},
        {STR("hasleader"), STR("true")},
    };
    struct grpc_call *call = NEW(struct grpc_call);
    call->config = *config;
    struct buf body = {0};
    put_message(&body, config->message);
    struct http_call_config http = {
        .method = "POST",
        .target = str_of(config->method),
        .headers = headers,
        .header_count = config->need_leader ? 4 : 3,
        .body = buf_str(&body),
        .timeout_ms = config->timeout_ms,
        .max_body = config->max_message + HEAD,
        .stream = config->on_message,
        .stream_body = config->on_message,
        .data = on_data,
        .done = on_done,
        .arg = call,
    };
    call->http = http_call_start(c, &http);
    buf_done(&body);
    return call;
}

void grpc_send(struct grpc_call *call, struct str message)
{
    struct buf b = {0};
    put_message(&b, message);
    http_call_send(call->http, buf_str(&b));
    buf_done(&b);
}
