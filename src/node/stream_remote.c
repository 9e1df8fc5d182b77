#include "node/stream_remote_impl.h"

#include "doc/val.h"

enum { SIZE_MAX_TEXT = 256 };

static const char *const websocket_protocols[] = {"v5.channel.k8s.io",        "v4.channel.k8s.io",
                                                  "v4.base64.channel.k8s.io", "channel.k8s.io",
                                                  "base64.channel.k8s.io",    NULL};
static const char *const spdy_protocols[] = {"v4.channel.k8s.io", "v3.channel.k8s.io",
                                             "v2.channel.k8s.io", "channel.k8s.io", NULL};
const struct carrier_offer remote_offer = {websocket_protocols, spdy_protocols};

void remote_init(struct remote *r, const struct remote_ops *ops, struct loop *loop,
                 const struct remote_want *want, const struct remote_events *events, void *arg)
{
    r->ops = ops;
    r->loop = loop;
    r->want = *want;
    r->events = events;
    r->arg = arg;
}

void remote_done(struct remote *r)
{
    buf_done(&r->sizes);
}

struct remote *remote_open(struct http_exchange *x, const struct carrier_choice *choice,
                           const struct remote_want *want, const struct remote_events *events,
                           void *arg)
{
    return choice->websocket ? remote_ws_open(x, choice, want, events, arg)
                             : remote_spdy_open(x, choice, want, events, arg);
}

size_t remote_write(struct remote *r, enum remote_channel channel, struct str bytes)
{
    return r->over || !bytes.n ? 0 : r->ops->write(r, channel, bytes);
}

void remote_consumed(struct remote *r, size_t n)
{
    if (!r->over)
        r->ops->consumed(r, n);
}

/* One `{"Width":80,"Height":24}` after another, cut anywhere. */
void remote_resize(struct remote *r, struct str bytes)
{
    for (size_t i = 0; i < bytes.n && !r->over; i++) {
        if (r->sizes.n < SIZE_MAX_TEXT)
            buf_putc(&r->sizes, bytes.p[i]);
        if (bytes.p[i] != '}')
            continue;
        struct doc doc;
        struct err err;
        val *size;
        doc_init(&doc);
        if (doc_parse_json(&doc, str_trim(buf_str(&r->sizes)), &size, &err) == 0) {
            int64_t columns = VAL_INT(size, "Width"), rows = VAL_INT(size, "Height");
            if (columns > 0 && rows > 0 && columns <= UINT16_MAX && rows <= UINT16_MAX)
                r->events->resize(r->arg, (int)columns, (int)rows);
        }
        doc_done(&doc);
        buf_clear(&r->sizes);
    }
}

/* metav1.Status of how it went, as the kubelet's remote command server writes it. */
static void put_status(struct buf *b, int exit_code, const struct err *failed)
{
    struct doc doc;
    doc_init(&doc);
    val *status = val_new_obj(&doc);
    val_set(&doc, status, "metadata", val_new_obj(&doc));
    val_set_z(&doc, status, "status", exit_code || failed ? "Failure" : "Success");
    if (failed) {
        val_set_z(&doc, status, "message", failed->message);
        val_set_z(&doc, status, "reason", failed->reason ? failed->reason : "InternalError");
        val_set_int(&doc, status, "code", failed->code);
    } else if (exit_code) {
        val *details = val_new_obj(&doc), *causes = val_new_arr(&doc), *cause = val_new_obj(&doc);
        val_set(&doc, status, "message",
                val_new_strf(&doc, "command terminated with non-zero exit code: exit status %d",
                             exit_code));
        val_set_z(&doc, status, "reason", "NonZeroExitCode");
        val_set_z(&doc, cause, "reason", "ExitCode");
        val_set(&doc, cause, "message", val_new_strf(&doc, "%d", exit_code));
        yyjson_mut_arr_append(causes, cause);
        val_set(&doc, details, "causes", causes);
        val_set(&doc, status, "details", details);
    }
    val_write_json(status, b);
    doc_done(&doc);
}

void remote_finish(struct remote *r, int exit_code, const struct err *err)
{
    struct buf b = {0};
    if (r->over)
        return;
    if (r->status_json)
        put_status(&b, exit_code, err);
    else if (err)
        buf_puts(&b, err->message);
    else if (exit_code)
        buf_printf(&b, "command terminated with non-zero exit code: exit status %d", exit_code);
    if (b.n)
        r->ops->write(r, REMOTE_ERROR, buf_str(&b));
    buf_done(&b);
    r->ops->finish(r);
}

void remote_abandon(struct remote *r)
{
    if (!r->over)
        r->ops->finish(r);
}
