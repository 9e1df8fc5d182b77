#include "api/call.h"

#include <unistd.h>

#include "api/core.h"
#include "api/crd/crd.h"
#include "api/gzip.h"

/* So long a write is tried again, as upstream's quota admission and its clients wait. */
static const int64_t RETRY_NS = (int64_t)30 * 1000000000;

static void take_turn(struct loop_msg *m);

struct call *call_new(struct api *api)
{
    struct call *c = NEW(struct call);
    c->api = api;
    c->began_ns = metrics_now_ns();
    c->user.arena = &c->arena;
    doc_init(&c->doc);
    c->warnings = val_new_arr(&c->doc);
    atomic_fetch_add(&api->inflight, 1);
    return c;
}

static void drop_ops(struct call *c)
{
    for (size_t i = 0; i < c->write.op_count; i++)
        bytes_unref(c->ops[i].value);
    c->write.op_count = 0;
    for (size_t i = 0; i < c->ctx.extra_count; i++)
        bytes_unref(c->ctx.extra_ops[i].value);
    c->ctx.extra_count = 0;
    bytes_unref(c->write.first_value);
    c->write.first_value = NULL;
}

void call_free(struct call *c)
{
    if (!c)
        return;
    call_end(c);
    drop_ops(c);
    bytes_unref(c->stored);
    bytes_unref(c->reply);
    crd_unref(c->custom ? c->custom->crd : NULL);
    doc_done(&c->doc);
    arena_done(&c->arena);
    atomic_fetch_sub(&c->api->inflight, 1);
    free(c);
}

void call_fill_ctx(struct call *c, struct strategy_ctx *ctx, struct store_snap *snap)
{
    const struct route *r = &c->route;
    *ctx = (struct strategy_ctx){
        .api = c->api,
        .kind = c->kind ? c->kind->k : NULL,
        .d = &c->doc,
        .arena = &c->arena,
        .snap = snap,
        .world = c->api->world,
        .config = &c->api->strategy,
        .user = &c->user,
        .ns = r->ns,
        .name = r->name,
        .subresource = r->subresource.n ? arena_z(&c->arena, r->subresource) : NULL,
        .dry_run = c->options.dry_run,
        .warnings = c->warnings,
    };
}

int call_begin(struct call *c, struct err *err)
{
    call_end(c);
    drop_ops(c);
    bytes_unref(c->stored);
    c->stored = NULL;
    c->managed = NULL;
    if (store_snap_begin(c->api->config.store, 0, &c->snap, err) != 0)
        return -1;
    call_fill_ctx(c, &c->ctx, c->snap);
    c->write = (struct store_write){.ops = c->ops};
    return 0;
}

void call_end(struct call *c)
{
    store_snap_end(c->snap);
    c->snap = NULL;
    c->ctx.snap = NULL;
}

void call_header(struct call *c, const char *name, struct str value)
{
    if (c->header_count < ARRAY_LEN(c->headers))
        c->headers[c->header_count++] =
            (struct http_header){str_of(name), arena_dup(&c->arena, value)};
}

void call_warn(struct call *c, const char *format, ...)
{
    if (val_len(c->warnings) >= CALL_MAX_WARNINGS)
        return;
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    val_push(c->warnings, val_new_str(&c->doc, buf_str(&b)));
    buf_done(&b);
}

/* The definition may be what changed. false: it is gone. */
static bool renew_custom(struct call *c)
{
    const struct route *r = &c->route;
    struct crd_version *now = crd_find(c->api, r->group, r->version, r->resource);
    if (!now)
        return false;
    crd_unref(c->custom->crd);
    c->custom = now;
    c->kind = &now->kind;
    c->details = (struct call_details){0}; /* may speak of the old one */
    return true;
}

bool call_may_retry(struct call *c)
{
    return ++c->tries < CALL_MAX_TRIES || metrics_now_ns() - c->began_ns < RETRY_NS;
}

/* The turnstile: whether another call is on its way through. */
static bool must_wait(struct call *c)
{
    struct api_loop *at = c->at;
    if (!at || c->write.failed_op == 0 || at->turn == c)
        return false;
    if (!at->turn) {
        at->turn = c;
        return false;
    }
    list_add_tail(&at->turnstile, &c->suspended);
    return true;
}

static void pass_turn(struct call *c)
{
    struct api_loop *at = c->at;
    if (!at || at->turn != c)
        return;
    at->turn = NULL;
    if (list_empty(&at->turnstile))
        return;
    struct call *next = CONTAINER_OF(at->turnstile.next, struct call, suspended);
    list_del(&next->suspended);
    at->turn = next;
    next->msg.fn = take_turn;
    list_add_tail(&at->suspended, &next->suspended);
    loop_post(at->loop, &next->msg);
}

enum call_next call_again(struct call *c)
{
    if (c->custom && !renew_custom(c))
        return call_reply_not_found_page(c);
    if (call_may_retry(c))
        return must_wait(c) ? CALL_TAKEN : c->handler(c);
    struct err err;
    fail_conflict(c, c->route.name, &err,
                  "the object is being changed too often; please try again later");
    return call_fail(c, &err);
}

/* --- who may do what --- */
static int fail_unauthorized_user(struct call *c, const struct authz_attributes *a,
                                  struct str reason, struct err *err)
{
    struct buf b = {0};
    buf_printf(&b, "User \"%.*s\" cannot %.*s ", STR_ARG(c->user.name), STR_ARG(a->verb));
    if (!a->resource_request)
        buf_printf(&b, "path \"%.*s\"", STR_ARG(a->path));
    else {
        buf_printf(&b, "resource \"%.*s%s%.*s\" in API group \"%.*s\" ", STR_ARG(a->resource),
                   a->subresource.n ? "/" : "", STR_ARG(a->subresource), STR_ARG(a->group));
        if (a->ns.n)
            buf_printf(&b, "in the namespace \"%.*s\"", STR_ARG(a->ns));
        else
            buf_puts(&b, "at the cluster scope");
    }
    if (reason.n)
        buf_printf(&b, ": %.*s", STR_ARG(reason));
    fail_forbidden(c, a->name, err, "%s", buf_z(&b));
    buf_done(&b);
    return -1;
}

/* A list or watch of one name is a question about that object. */
static void authorize_fields(struct call *c, struct authz_attributes *a)
{
    struct str text = url_query_get(&c->route.query, "fieldSelector");
    struct selector *fields = ARENA_NEW(&c->arena, struct selector);
    struct err ignored;
    if (!text.n || !a->resource_request || a->name.n ||
        selector_parse_fields(&c->arena, text, fields, &ignored) != 0)
        return;
    a->fields = fields;
    for (size_t i = 0; i < fields->count; i++)
        if (fields->requirements[i].op == SELECT_EQUALS &&
            str_is(fields->requirements[i].key, "metadata.name"))
            a->name = fields->requirements[i].values[0];
}

static int authorize(struct call *c, struct err *err)
{
    const struct route *r = &c->route;
    struct authz_attributes a = {
        .api = c->api,
        .verb = str_of(r->verb),
        .resource_request = r->resource_request,
        .group = r->group,
        .version = r->version,
        .resource = r->resource,
        .subresource = r->subresource,
        .ns = r->ns,
        .name = r->name,
        .path = r->path,
    };
    struct str reason = {0};
    authorize_fields(c, &a);
    if (authz_check(&c->user, &a, &reason) == 1)
        return 0;
    return fail_unauthorized_user(c, &a, reason, err);
}

/* --- which handler --- */
static bool is_relayed(const struct call *c)
{
    struct str sub = c->route.subresource;
    if (*c->kind->k->group)
        return false;
    if (strcmp(c->kind->k->resource, "pods") == 0)
        return str_is(sub, "log") || str_is(sub, "exec") || str_is(sub, "attach") ||
               str_is(sub, "portforward");
    return strcmp(c->kind->k->resource, "nodes") == 0 && str_is(sub, "proxy");
}

static call_fn *subresource_handler(const struct call *c)
{
    struct str sub = c->route.subresource;
    const char *verb = c->route.verb;
    bool change = strcmp(verb, "update") == 0 || strcmp(verb, "patch") == 0;
    if (is_relayed(c))
        return handle_relay;
    if (str_is(sub, "status")) {
        if (strcmp(verb, "get") == 0)
            return handle_get;
        return strcmp(verb, "update") == 0  ? handle_update
               : strcmp(verb, "patch") == 0 ? handle_patch
                                            : NULL;
    }
    if (str_is(sub, "scale"))
        return !change && strcmp(verb, "get") != 0 ? NULL
               : c->custom                         ? crd_handle_scale
                                                   : handle_scale;
    if (str_is(sub, "eviction"))
        return strcmp(verb, "create") == 0 ? handle_eviction : NULL;
    if (str_is(sub, "proxy"))
        return NULL;
    if (strcmp(verb, "get") == 0) /* views of the whole object */
        return str_is(sub, "ephemeralcontainers") || str_is(sub, "resize") ||
                       str_is(sub, "approval")
                   ? handle_get
                   : NULL;
    if (strcmp(verb, "create") == 0 && c->kind->s->post_sub)
        return handle_post_sub;
    if ((change || strcmp(verb, "create") == 0) && c->kind->s->change_sub)
        return handle_change_sub;
    return NULL;
}

static call_fn *find_handler(const struct call *c)
{
    static const struct {
        const char *verb;
        call_fn *fn;
    } handlers[] = {
        {"get", handle_get},       {"list", handle_list},
        {"watch", handle_watch},   {"create", handle_create},
        {"update", handle_update}, {"patch", handle_patch},
        {"delete", handle_delete}, {"deletecollection", handle_delete_collection},
    };
    if (c->route.subresource.n)
        return subresource_handler(c);
    const char *verb = c->route.verb;
    if (!c->kind->stored)
        return strcmp(verb, "create") == 0 && c->kind->s->review ? handle_review : NULL;
    bool named = c->route.name.n != 0;
    bool watched_name = named && strcmp(verb, "watch") == 0;
    bool wants_name =
        strcmp(verb, "update") == 0 || strcmp(verb, "patch") == 0 || strcmp(verb, "get") == 0;
    if ((wants_name && !named) || (strcmp(verb, "create") == 0 && named))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (strcmp(handlers[i].verb, verb) == 0)
            return named && !wants_name && !watched_name && strcmp(verb, "delete") != 0
                       ? NULL
                       : handlers[i].fn;
    return NULL;
}

/* A namespaced resource without its namespace can be listed and watched only. */
static bool scope_fits(const struct call *c)
{
    const struct route *r = &c->route;
    if (!c->kind->k->namespaced)
        return r->ns.n == 0 || str_is(STR("namespaces"), c->kind->k->resource);
    if (r->ns.n)
        return true;
    return strcmp(r->verb, "list") == 0 || strcmp(r->verb, "watch") == 0 ||
           (strcmp(r->verb, "create") == 0 && !c->kind->stored);
}

static void find_custom(struct call *c)
{
    const struct route *r = &c->route;
    c->custom = crd_find(c->api, r->group, r->version, r->resource);
    if (!c->custom)
        return;
    c->kind = &c->custom->kind;
    if (c->custom->warning)
        call_warn(c, "%s", c->custom->warning);
}

static enum call_next run(struct call *c, struct str path, struct str query)
{
    struct err err = {0};
    if (route_parse(&c->arena, c->method, path, query, &c->route, &err) != 0)
        return call_fail(c, &err);
    if (c->request && authn_request(c->api, c->request, &c->user, &err) != 0)
        return call_fail(c, &err);
    if (authorize(c, &err) != 0)
        return call_fail(c, &err);
    if (!c->route.resource_request)
        return handle_root(c);
    if (!c->route.core && !c->route.groups)
        return call_reply_not_found_page(c);

    c->kind = kinds_find(&c->api->kinds, c->route.group, c->route.version, c->route.resource);
    if (!c->kind && c->route.groups)
        find_custom(c);
    if (!c->kind || !scope_fits(c))
        return call_reply_not_found_page(c);
    if (c->route.subresource.n && !kind_has_subresource(c->kind, c->route.subresource))
        return call_reply_not_found_page(c);
    c->handler = find_handler(c);
    if (!c->handler)
        return call_fail(c, (fail_method(c, &err), &err));
    if (c->handler != handle_relay &&
        (negotiate_accept(c, &err) != 0 || options_parse(c, &err) != 0))
        return call_fail(c, &err);
    return recent_begin(c);
}

/* --- going on --- */
static void answer(struct call *c)
{
    pass_turn(c);
    call_end(c);
    answer_encode(c);
    metrics_count(c);
    if (c->done) {
        c->done(c);
        return;
    }
    if (c->x) {
        struct http_header headers[ARRAY_LEN(c->headers) + CALL_MAX_WARNINGS + 2];
        size_t n = 0;
        headers[n++] = (struct http_header){
            STR("content-type"), str_of(c->reply_type ? c->reply_type : "application/json")};
        headers[n++] = (struct http_header){STR("cache-control"), STR("no-cache, private")};
        for (size_t i = 0; i < c->header_count; i++)
            headers[n++] = c->headers[i];
        VAL_FOR (c->warnings, w) {
            struct buf b = {0};
            val_write_json(w, &b);
            if (n < ARRAY_LEN(headers))
                headers[n++] = (struct http_header){STR("warning"),
                                                    arena_printf(&c->arena, "299 - %s", buf_z(&b))};
            buf_done(&b);
        }
        struct http_exchange *x = c->x;
        c->x = NULL;
        http_respond(x, c->status, headers, n, c->reply);
    }
    call_free(c);
}

static void go_on(struct call *c, enum call_next next);

static void resume(struct loop_msg *m)
{
    struct call *c = CONTAINER_OF(m, struct call, msg);
    list_del(&c->suspended);
    go_on(c, c->after(c));
}

/* On the committer's thread. */
static void wake_up(struct call *c)
{
    struct api_loop *at = c->at;
    loop_post(at->loop, &c->msg);
    atomic_fetch_sub(&at->committing, 1); /* the last that is done to the loop */
}

static void take_turn(struct loop_msg *m)
{
    struct call *c = CONTAINER_OF(m, struct call, msg);
    list_del(&c->suspended);
    go_on(c, c->handler(c));
}

static void committed(struct store_write *w)
{
    wake_up(CONTAINER_OF(w, struct call, write));
}

static void passed(struct store_barrier *b)
{
    wake_up(CONTAINER_OF(b, struct call, barrier));
}

static void abandon(struct list *calls)
{
    LIST_FOR (calls, it) {
        struct call *c = CONTAINER_OF(it, struct call, suspended);
        list_del(&c->suspended);
        if (c->x)
            http_abort(c->x);
        call_free(c);
    }
}

void calls_abandon(struct api_loop *at)
{
    while (atomic_load(&at->committing))
        usleep(1000);
    abandon(&at->suspended);
    abandon(&at->turnstile);
}

static void suspend(struct call *c, enum call_next next)
{
    struct store *s = c->api->config.store;
    c->msg.fn = resume;
    c->write.done = committed;
    c->barrier.done = passed;
    list_add_tail(&c->at->suspended, &c->suspended);
    atomic_fetch_add(&c->at->committing, 1);
    if (next == CALL_COMMIT)
        store_submit(s, &c->write);
    else if (store_barrier(s, &c->barrier))
        wake_up(c);
}

static void go_on(struct call *c, enum call_next next)
{
    for (;;) {
        if (next == CALL_DONE && recent_confirm(c))
            next = CALL_BARRIER;
        if (next == CALL_DONE) {
            answer(c);
            return;
        }
        if (next == CALL_TAKEN)
            return;
        call_end(c);
        c->recent = true;
        if (c->at) {
            suspend(c, next);
            return;
        }
        if (next == CALL_COMMIT)
            store_commit(c->api->config.store, &c->write);
        else
            store_barrier_until(c->api->config.store, &c->barrier);
        next = c->after(c);
    }
}

/* In process the caller set user, method, body and route's texts itself. */
void call_serve(struct call *c)
{
    struct str path = c->route.path, query = c->key;
    c->key = (struct str){0};
    go_on(c, run(c, path, query));
}

void api_http_handler(void *arg, struct http_exchange *x, const struct http_request *r)
{
    struct api_loop *at = arg;
    struct call *c = call_new(at->api);
    c->at = at;
    c->x = x;
    c->request = r;
    c->method = arena_dup(&c->arena, r->method);
    c->body = r->body;
    c->content_type = arena_dup(&c->arena, http_request_header(r, "content-type"));
    c->accept = arena_dup(&c->arena, http_request_header(r, "accept"));
    c->gzip = gzip_accepted(http_request_header(r, "accept-encoding"));
    c->agent = arena_dup(&c->arena, http_request_header(r, "user-agent"));
    c->route.path = arena_dup(&c->arena, r->path);
    c->key = arena_dup(&c->arena, r->query);
    call_serve(c);
}
