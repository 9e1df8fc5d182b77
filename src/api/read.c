/* Get and list: bytes copied out of a snapshot (k8s.io/apiserver/pkg/endpoints/handlers/get.go,
 * pkg/storage: resourceVersion, resourceVersionMatch, limit and continue). */
#include "api/call.h"
#include "api/core.h"
#include "api/digest.h"
#include "api/list.h"
#include "api/proto.h"
#include "api/raw.h"
#include "api/token64.h"

enum call_next handle_get(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    if (call_begin(c, &err) != 0)
        return call_fail(c, &err);
    c->key = kind_key(&c->arena, c->kind->k->group, c->kind->k->resource,
                      c->kind->k->namespaced ? c->route.ns : (struct str){0}, c->route.name);
    if (store_get(c->snap, c->key, &kv) != 1)
        return call_fail(c, (fail_not_found(c, c->route.name, &err), &err));
    return call_reply_object(c, 200, kv.value);
}

/* --- list --- */
static const char expired_token[] =
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list.";

/* left: how many items follow at that revision, so that the next page need not count; 0: not told.
 */
static void put_token(const struct list_plan *p, struct str start, int64_t revision, int64_t left,
                      struct buf *b)
{
    struct doc d;
    struct buf json = {0};
    doc_init(&d);
    val *v = val_new_obj(&d);
    val_set_z(&d, v, "v", "meta.k8s.io/v1");
    val_set_int(&d, v, "rv", revision);
    val_set_s(&d, v, "start", str_from(start, p->prefix.n));
    if (left)
        val_set_int(&d, v, "left", left);
    val_write_json(v, &json);
    token64_write(buf_str(&json), b);
    buf_done(&json);
    doc_done(&d);
}

static int read_token(struct call *c, struct list_plan *p, struct str token, struct err *err)
{
    struct str json, start;
    struct err ignored;
    val *v;
    if (!token64_read(&c->arena, token, &json) ||
        doc_parse_json(&c->doc, json, &v, &ignored) != 0 || !val_is_obj(v))
        return err_bad(err, "continue key is not valid: illegal base64 data");
    if (!str_is(VAL_STR(v, "v"), "meta.k8s.io/v1"))
        return err_bad(err,
                       "continue key is not valid: server does not recognize this encoded "
                       "version %.*s",
                       STR_ARG(VAL_STR(v, "v")));
    start = VAL_STR(v, "start");
    if (VAL_INT(v, "rv") == 0)
        return err_bad(err, "continue key is not valid: incorrect encoded start resourceVersion "
                            "(version meta.k8s.io/v1)");
    if (!start.n || str_find(start, STR("../")) >= 0)
        return err_bad(err, "continue key is not valid: encoded start key empty (version "
                            "meta.k8s.io/v1)");
    struct buf b = {0};
    buf_put(&b, p->prefix);
    buf_put(&b, start);
    p->start = arena_dup(&c->arena, buf_str(&b));
    buf_done(&b);
    p->revision = VAL_INT(v, "rv");
    if (p->revision < 0)
        p->revision = 0; /* a token for "go on with what is there now" */
    else if (VAL_INT(v, "left") > 0)
        p->left = VAL_INT(v, "left");
    p->continued = true;
    return 0;
}

/* Not yet there: upstream waits three seconds and then says so; here it is said at once. */
static int fail_too_large(struct call *c, int64_t asked, int64_t current, struct err *err)
{
    c->details = (struct call_details){.set = true, .retry_after = 1};
    c->details.causes = val_new_arr(&c->doc);
    cause_add(&c->doc, c->details.causes, "ResourceVersionTooLarge", "",
              "Too large resource version");
    return err_set(err, 504, "Timeout", "Timeout: Too large resource version: %lld, current: %lld",
                   (long long)asked, (long long)current);
}

static int plan_revision(struct call *c, struct list_plan *p, struct err *err)
{
    const struct url_query *q = &c->route.query;
    struct str rv = url_query_get(q, "resourceVersion");
    struct str match = url_query_get(q, "resourceVersionMatch");
    struct str token = url_query_get(q, "continue");
    uint64_t revision = 0;
    if (match.n && !rv.n)
        return err_set(err, 422, "Invalid",
                       "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: "
                       "resourceVersionMatch is forbidden unless resourceVersion is provided");
    if (match.n && !str_is(match, "Exact") && !str_is(match, "NotOlderThan"))
        return err_set(err, 422, "Invalid",
                       "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported "
                       "value: \"%.*s\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
                       STR_ARG(match));
    if (token.n && rv.n && !str_is(rv, "0"))
        return err_bad(err, "specifying resource version is not allowed when using continue");
    if (rv.n && !str_to_u64(rv, &revision))
        return err_bad(err,
                       "Invalid value: \"%.*s\": strconv.ParseUint: parsing \"%.*s\": invalid "
                       "syntax",
                       STR_ARG(rv), STR_ARG(rv));
    if (str_is(match, "Exact") && revision == 0)
        return err_set(err, 422, "Invalid",
                       "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: "
                       "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    if (token.n)
        return read_token(c, p, token, err);
    int64_t current = store_revision(c->api->config.store);
    if ((int64_t)revision > current)
        return fail_too_large(c, (int64_t)revision, current, err);
    /* A limit without a match means Exact, as etcd has it. */
    if (revision && (str_is(match, "Exact") || (!match.n && p->limit)))
        p->revision = (int64_t)revision;
    return 0;
}

void list_narrow(struct call *c, struct list_plan *p)
{
    if (!c->kind->k->namespaced || !c->route.ns.n || !p->selection.name.n)
        return;
    struct str key =
        arena_printf(&c->arena, "%.*s%.*s", STR_ARG(p->start), STR_ARG(p->selection.name));
    p->start = key;
    p->end = (struct str){key.p, key.n + 1}; /* with its NUL */
}

static int plan(struct call *c, struct list_plan *p, struct err *err)
{
    *p = (struct list_plan){0};
    bool one_ns = c->kind->k->namespaced && c->route.ns.n;
    p->prefix = c->kind->prefix;
    struct str scope =
        one_ns ? arena_printf(&c->arena, "%.*s%.*s/", STR_ARG(p->prefix), STR_ARG(c->route.ns))
               : p->prefix;
    p->start = scope;
    p->end = arena_printf(&c->arena, "%.*s%c", (int)scope.n - 1, scope.p, '/' + 1);
    struct str limit = url_query_get(&c->route.query, "limit");
    if (limit.n && !str_to_u64(limit, &p->limit))
        return err_bad(err, "strconv.ParseInt: parsing \"%.*s\": invalid syntax", STR_ARG(limit));
    if (selection_parse(c, &p->selection, err) != 0 || plan_revision(c, p, err) != 0)
        return -1;
    if (p->continued && (str_cmp(p->start, scope) < 0 || str_cmp(p->start, p->end) >= 0))
        return err_bad(err, "continue key is not valid: the key is outside of the list");
    if (!p->continued)
        list_narrow(c, p);
    return 0;
}

/* In the list's own form an item goes without the kind and apiVersion that the list has said, but
 * for custom resources, which have no other type. */
void list_put_item(struct call *c, struct str json, struct buf *b)
{
    if (c->form == FORM_METADATA) {
        metadata_only(json, b);
    } else if (!c->custom && str_starts(json, c->kind->head)) {
        buf_putc(b, '{');
        buf_put(b, str_from(json, c->kind->head.n));
    } else {
        buf_put(b, json);
    }
}

void list_put_head(struct call *c, struct str meta, struct buf *b)
{
    if (c->form == FORM_METADATA)
        buf_puts(b, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\"");
    else
        buf_printf(b, "{\"kind\":\"%s\",\"apiVersion\":\"%.*s\"", c->kind->k->list_kind,
                   STR_ARG(c->kind->api_version));
    buf_puts(b, ",\"metadata\":");
    buf_put(b, meta);
    buf_puts(b, ",\"items\":[");
}

void list_walk_begin(struct list_walk *w, const struct list_plan *p, const struct kind *k,
                     struct store_snap *snap, struct str start)
{
    *w = (struct list_walk){.p = p, .k = k, .snap = snap};
    if (!p->keys)
        w->it = store_range(snap, start, p->end);
    else
        while (w->next < p->key_count && str_cmp(p->keys[w->next], start) < 0)
            w->next++;
}

static bool step(struct list_walk *w, struct store_kv *ret)
{
    if (w->it)
        return store_next(w->it, ret);
    while (w->next < w->p->key_count)
        if (store_get(w->snap, w->p->keys[w->next++], ret) == 1)
            return true;
    return false;
}

bool list_walk_next(struct list_walk *w, struct store_kv *ret)
{
    while (step(w, ret)) {
        ret->value = kind_view(w->k, ret->value, &w->room);
        if (selection_match(&w->p->selection, w->k, ret->key, ret->value))
            return true;
    }
    return false;
}

void list_walk_end(struct list_walk *w)
{
    store_iter_free(w->it);
    buf_done(&w->room);
}

struct page {
    struct buf items;
    struct table table;
    size_t count;
    struct str last; /* key of the last item, in the arena */
    bool more;
};

static int put_proto(struct call *c, struct page *page, struct str json, struct err *err)
{
    if (c->form == FORM_OBJECT)
        return proto_put_item(json, &page->items, err);
    struct buf meta = {0};
    metadata_only(json, &meta);
    int rc = proto_put_item(buf_str(&meta), &page->items, err);
    buf_done(&meta);
    return rc;
}

static int put_one(struct call *c, struct page *page, struct str json, struct err *err)
{
    if (c->form == FORM_TABLE)
        return table_row(&page->table, json, err);
    if (c->proto)
        return put_proto(c, page, json, err);
    if (page->count)
        buf_putc(&page->items, ',');
    list_put_item(c, json, &page->items);
    return 0;
}

static int collect(struct call *c, const struct list_plan *p, struct page *page, struct err *err)
{
    struct list_walk walk;
    struct store_kv kv;
    struct buf last = {0};
    int rc = 0;
    list_walk_begin(&walk, p, c->kind, c->snap, p->start);
    while (rc == 0 && list_walk_next(&walk, &kv)) {
        if (p->limit && page->count == p->limit) {
            page->more = true;
            break;
        }
        rc = put_one(c, page, kv.value, err);
        page->count++;
        if (p->limit) {
            buf_clear(&last);
            buf_put(&last, kv.key);
        }
    }
    list_walk_end(&walk);
    page->last = arena_dup(&c->arena, buf_str(&last));
    buf_done(&last);
    return rc;
}

/* How many items follow the page; 0: not known, as something selects among them. */
static int64_t count_left(struct call *c, const struct list_plan *p, const struct page *page)
{
    if (!p->selection.any)
        return 0;
    int64_t all = p->left ? p->left : store_count(c->snap, p->start, p->end);
    int64_t left = all - (int64_t)page->count;
    return left > 0 ? left : 0;
}

static void put_list_meta(struct call *c, const struct list_plan *p, const struct page *page,
                          struct buf *b)
{
    int64_t revision = store_snap_revision(c->snap);
    buf_printf(b, "{\"resourceVersion\":\"%lld\"", (long long)revision);
    if (page->more) {
        struct buf next = {0};
        buf_put(&next, page->last);
        buf_putc(&next, '\0');
        buf_puts(b, ",\"continue\":\"");
        int64_t left = count_left(c, p, page);
        put_token(p, buf_str(&next), revision, left, b);
        buf_putc(b, '"');
        if (left)
            buf_printf(b, ",\"remainingItemCount\":%lld", (long long)left);
        buf_done(&next);
    }
    buf_putc(b, '}');
}

/* Too old: for a page, with a token that goes on with what is there now. */
static enum call_next reply_expired(struct call *c, const struct list_plan *p,
                                    const struct err *why)
{
    if (!p->continued || why->code != 410)
        return call_fail(c, why);
    struct err err;
    err_set(&err, 410, "Expired", "%s", expired_token);
    struct buf token = {0}, b = {0};
    put_token(p, p->start, -1, 0, &token);
    status_write(c, &err, &b);
    ssize_t at = str_find(buf_str(&b), STR("\"metadata\":{}"));
    struct buf out = {0};
    buf_append(&out, b.p, (size_t)at);
    buf_printf(&out, "\"metadata\":{\"continue\":\"%s\"}", buf_z(&token));
    buf_put(&out, str_from(buf_str(&b), (size_t)at + strlen("\"metadata\":{}")));
    call_reply(c, 410, bytes_new(buf_str(&out)));
    buf_done(&token);
    buf_done(&b);
    buf_done(&out);
    return CALL_DONE;
}

static enum call_next reply_proto(struct call *c, struct str meta, const struct page *page)
{
    struct buf head = {0}, b = {0};
    struct err err;
    list_put_head(c, meta, &head);
    buf_puts(&head, "]}");
    c->reply_type = PROTO_TYPE;
    enum call_next next = proto_put_list(buf_str(&head), buf_str(&page->items), &b, &err) == 0
                              ? call_reply(c, 200, bytes_new(buf_str(&b)))
                              : call_fail(c, &err);
    buf_done(&head);
    buf_done(&b);
    return next;
}

static enum call_next reply_list(struct call *c, const struct list_plan *p, struct page *page)
{
    struct buf b = {0}, meta = {0};
    put_list_meta(c, p, page, &meta);
    if (c->proto) {
        enum call_next next = reply_proto(c, buf_str(&meta), page);
        buf_done(&meta);
        return next;
    }
    if (c->form == FORM_TABLE) {
        struct table t;
        table_begin(&t, c, c->kind, &b, buf_str(&meta));
        buf_put(&b, buf_str(&page->items));
        table_end(&t);
    } else {
        buf_reserve(&b, page->items.n + meta.n + 256);
        list_put_head(c, buf_str(&meta), &b);
        buf_put(&b, buf_str(&page->items));
        buf_puts(&b, "]}");
    }
    enum call_form form = c->form;
    c->form = FORM_OBJECT;
    enum call_next next = call_reply_object(c, 200, buf_str(&b));
    c->form = form;
    buf_done(&b);
    buf_done(&meta);
    return next;
}

enum call_next handle_list(struct call *c)
{
    struct err err = {0};
    struct list_plan p;
    struct page page = {0};
    if (plan(c, &p, &err) != 0)
        return call_fail(c, &err);
    if (store_snap_begin(c->api->config.store, p.revision, &c->snap, &err) != 0) {
        if (err.code == 410 && !p.continued)
            err_set(&err, 410, "Expired", "The resourceVersion for the provided list is too old.");
        return reply_expired(c, &p, &err);
    }
    digest_pick(c, &p, &c->arena);
    call_fill_ctx(c, &c->ctx, c->snap);
    if (c->x && !p.limit && !c->yaml && !c->proto && c->form != FORM_TABLE)
        return list_stream(c, &p);
    page.table = (struct table){.c = c, .k = c->kind, .out = &page.items, .ctx = c->ctx};
    enum call_next next =
        collect(c, &p, &page, &err) == 0 ? reply_list(c, &p, &page) : call_fail(c, &err);
    buf_done(&page.items);
    return next;
}
