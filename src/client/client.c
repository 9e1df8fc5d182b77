#include "client/client.h"
#include "client/status.h"

struct client {
    struct client_transport transport;
    void *self;
};

struct client *client_new(const struct client_transport *transport, void *self)
{
    struct client *c = NEW(struct client);
    c->transport = *transport;
    c->self = self;
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    if (c->transport.free)
        c->transport.free(c->self);
    free(c);
}

int client_do(struct client *c, const struct client_request *r, struct client_response *ret,
              struct err *err)
{
    return c->transport.call(c->self, r, ret, err);
}

int client_stream_open(struct client *c, const struct client_request *r,
                       const struct client_stream_events *events, struct client_stream **ret,
                       struct err *err)
{
    return c->transport.stream(c->self, r, events, ret, err);
}

void client_stream_close(struct client *c, struct client_stream *s)
{
    c->transport.stream_close(c->self, s);
}

/* A call about one object, or a collection when name is NULL. */
struct call {
    const char *method;
    const struct resource *r;
    const char *ns, *name, *sub;
    const char *content_type;
    const val *body; /* NULL: none */
};

static int run(struct client *c, const struct call *call, struct doc *d, val **ret, struct err *err)
{
    struct buf path = {0}, body = {0};
    resource_path(call->r, call->ns, call->name, call->sub, &path);
    if (call->body)
        val_write_json(call->body, &body);
    struct client_request request = {
        .method = call->method,
        .path = buf_str(&path),
        .content_type = str_of(call->body ? call->content_type : NULL),
        .body = buf_str(&body),
    };
    struct client_response response = {0};
    int rc = client_do(c, &request, &response, err);
    buf_done(&path);
    buf_done(&body);
    if (rc == 0 && (response.status < 200 || response.status > 299))
        rc = status_err(response.status, bytes_str(response.body), err);
    val *v = NULL;
    if (rc == 0 && ret)
        rc = doc_parse_json(d, bytes_str(response.body), &v, err);
    if (rc == 0 && ret)
        *ret = v;
    bytes_unref(response.body);
    return rc;
}

static const char json_type[] = "application/json";

int client_get(struct client *c, const struct resource *r, const char *ns, const char *name,
               struct doc *d, val **ret, struct err *err)
{
    struct call call = {"GET", r, ns, name, NULL, NULL, NULL};
    return run(c, &call, d, ret, err);
}

int client_create(struct client *c, const struct resource *r, const char *ns, const val *object,
                  struct doc *d, val **ret, struct err *err)
{
    struct call call = {"POST", r, ns, NULL, NULL, json_type, object};
    return run(c, &call, d, ret, err);
}

int client_update(struct client *c, const struct resource *r, const char *ns, const char *name,
                  const char *sub, const val *object, struct doc *d, val **ret, struct err *err)
{
    struct call call = {"PUT", r, ns, name, sub, json_type, object};
    return run(c, &call, d, ret, err);
}

int client_post_sub(struct client *c, const struct resource *r, const char *ns, const char *name,
                    const char *sub, const val *object, struct doc *d, val **ret, struct err *err)
{
    struct call call = {"POST", r, ns, name, sub, json_type, object};
    return run(c, &call, d, ret, err);
}

int client_patch(struct client *c, const struct resource *r, const char *ns, const char *name,
                 const char *sub, enum client_patch type, const val *patch, struct doc *d,
                 val **ret, struct err *err)
{
    static const char *const types[] = {
        [CLIENT_PATCH_MERGE] = "application/merge-patch+json",
        [CLIENT_PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
        [CLIENT_PATCH_JSON] = "application/json-patch+json",
    };
    struct call call = {"PATCH", r, ns, name, sub, types[type], patch};
    return run(c, &call, d, ret, err);
}

int client_delete(struct client *c, const struct resource *r, const char *ns, const char *name,
                  const val *options, struct err *err)
{
    struct call call = {"DELETE", r, ns, name, NULL, json_type, options};
    return run(c, &call, NULL, NULL, err);
}
