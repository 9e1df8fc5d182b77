/* storage_kube.c: records as Secrets or ConfigMaps, one object a revision. */
#include "client/status.h"
#include "net/url.h"
#include "release/storage_internal.h"
#include "template/gobase.h"

enum {
    PAGE = 100,             /* objects of a list that are asked for at once */
    MAX_ANSWER = 200 << 20, /* bytes of such a page */
    MAX_PAGES = 10000,      /* a server that never comes to an end is none */
    MAX_LABELS = 1024,      /* of an object */
};

static bool is_secrets(const struct storage *s)
{
    return s->driver == &storage_secrets;
}

static const struct resource *resource(const struct storage *s)
{
    return is_secrets(s) ? &RES_SECRETS : &RES_CONFIGMAPS;
}

/* "create: failed to create: …" */
static int fail(struct storage *s, const struct err *err, const char *doing, const char *failed)
{
    chart_fail(s->cx, "%s", err->message);
    return s->driver->wraps ? chart_wrap(s->cx, "%s: failed to %s", doing, failed) : -1;
}

/* --- objects --- */
static val *to_object(struct storage *s, struct doc *d, const struct storage_record *r)
{
    val *object = val_new_obj(d), *labels = val_new_obj(d);
    val_set_z(d, object, "apiVersion", "v1");
    val_set_z(d, object, "kind", is_secrets(s) ? "Secret" : "ConfigMap");
    val *meta = val_ensure_obj(d, object, "metadata");
    val_set_s(d, meta, "name", r->key);
    for (size_t i = 0; i < vmap_len(r->labels); i++)
        val_set_str(d, labels, r->labels->entries[i].key,
                    val_new_str(d, value_text(r->labels->entries[i].value)));
    val_set(d, meta, "labels", labels);
    val *data = val_ensure_obj(d, object, "data");
    if (!is_secrets(s)) {
        val_set_s(d, data, "release", r->text);
        return object;
    }
    struct buf base64 = {0};
    gobase64_write(&base64, r->text);
    val_set_s(d, data, "release", buf_str(&base64));
    buf_done(&base64);
    val_set_z(d, object, "type", "helm.sh/release.v1");
    return object;
}

static struct vmap *labels_of(struct storage *s, const val *object)
{
    const val *labels = VAL_PATH(object, "metadata", "labels");
    if (val_len(labels) > MAX_LABELS)
        return NULL;
    struct vmap *m = vmap_new(s->cx->arena, val_len(labels));
    VAL_EACH (labels, key, label)
        vmap_set(m, arena_dup(s->cx->arena, val_str(key)),
                 value_str(arena_dup(s->cx->arena, val_str(label))));
    return m;
}

static int call_each(struct storage *s, const val *object, storage_each *each, void *arg)
{
    struct buf plain = {0};
    size_t ignored;
    struct storage_record r = {VAL_STR(object, "metadata", "name"),
                               VAL_STR(object, "metadata", "namespace"), labels_of(s, object),
                               VAL_STR(object, "data", "release")};
    if (is_secrets(s)) { /* a broken text is found by release_decode */
        gobase64_decode(&plain, r.text, &ignored);
        r.text = buf_str(&plain);
    }
    int rc = each(arg, &r);
    buf_done(&plain);
    return rc;
}

/* --- calls --- */
/* Asks and parses; the client's own calls stop at the size of a request. */
static int ask(struct storage *s, struct str path, struct str query, struct doc *d, val **ret,
               struct err *err)
{
    struct client_request request = {.method = "GET", .path = path, .query = query};
    struct client_response response = {0};
    int rc = client_do(s->client, &request, &response, err);
    if (rc == 0 && (response.status < 200 || response.status > 299))
        rc = status_err(response.status, bytes_str(response.body), err);
    if (rc == 0)
        rc = doc_parse_json_max(d, bytes_str(response.body), MAX_ANSWER, ret, err);
    bytes_unref(response.body);
    return rc;
}

static int create(struct storage *s, const struct storage_record *r)
{
    struct doc d;
    struct err err;
    doc_init(&d);
    int rc = client_create(s->client, resource(s), arena_z(s->cx->arena, s->namespace),
                           to_object(s, &d, r), NULL, NULL, &err);
    doc_done(&d);
    if (rc == 0)
        return STORAGE_OK;
    return err.code == 409 ? storage_fail_exists(s) : fail(s, &err, "create", "create");
}

static int update(struct storage *s, const struct storage_record *r)
{
    struct doc d;
    struct err err;
    doc_init(&d);
    int rc =
        client_update(s->client, resource(s), arena_z(s->cx->arena, s->namespace),
                      arena_z(s->cx->arena, r->key), NULL, to_object(s, &d, r), NULL, NULL, &err);
    doc_done(&d);
    if (rc == 0)
        return STORAGE_OK;
    fail(s, &err, "update", "update");
    return err.code == 404 ? STORAGE_NOT_FOUND : STORAGE_FAILED;
}

static int remove_record(struct storage *s, struct str key)
{
    struct err err;
    if (client_delete(s->client, resource(s), arena_z(s->cx->arena, s->namespace),
                      arena_z(s->cx->arena, key), NULL, &err) == 0)
        return STORAGE_OK;
    return err.code == 404 ? storage_fail_not_found(s) : chart_fail(s->cx, "%s", err.message);
}

static int get(struct storage *s, struct str key, storage_each *each, void *arg)
{
    struct doc d;
    struct err err;
    struct buf path = {0};
    val *object;
    int code = STORAGE_OK;
    doc_init(&d);
    resource_path(resource(s), arena_z(s->cx->arena, s->namespace), arena_z(s->cx->arena, key),
                  NULL, &path);
    if (ask(s, buf_str(&path), (struct str){0}, &d, &object, &err) != 0)
        code = err.code == 404 ? storage_fail_not_found(s)
                               : fail(s, &err, "get",
                                      arena_printf(s->cx->arena, "get \"%.*s\"", STR_ARG(key)).p);
    else if (call_each(s, object, each, arg) != 0)
        code = STORAGE_FAILED;
    buf_done(&path);
    doc_done(&d);
    return code;
}

/* One page; *next becomes the token of the one behind, empty at the end. */
static int list_page(struct storage *s, struct str selector, struct buf *next, storage_each *each,
                     void *arg, struct err *err)
{
    struct doc d;
    struct buf path = {0}, query = {0};
    val *list;
    resource_path(resource(s), arena_z(s->cx->arena, s->namespace), NULL, NULL, &path);
    buf_printf(&query, "limit=%d&labelSelector=", PAGE);
    url_encode(&query, selector);
    if (next->n) {
        buf_puts(&query, "&continue=");
        url_encode(&query, buf_str(next));
    }
    doc_init(&d);
    int rc = ask(s, buf_str(&path), buf_str(&query), &d, &list, err);
    buf_clear(next);
    if (rc == 0) {
        buf_put(next, VAL_STR(list, "metadata", "continue"));
        VAL_FOR (val_get(list, "items"), object)
            if (rc == 0 && call_each(s, object, each, arg) != 0)
                rc = err_internal(err, "%.*s", STR_ARG(s->cx->error));
    }
    doc_done(&d);
    buf_done(&path);
    buf_done(&query);
    return rc;
}

static int list(struct storage *s, struct str selector, const char *doing, storage_each *each,
                void *arg)
{
    struct buf next = {0};
    struct err err;
    int rc;
    size_t pages = 0;
    do
        rc = list_page(s, selector, &next, each, arg, &err);
    while (rc == 0 && next.n && ++pages < MAX_PAGES);
    buf_done(&next);
    if (rc == 0)
        return STORAGE_OK;
    return fail(s, &err, doing, strcmp(doing, "list") == 0 ? "list" : "query with labels");
}

const struct storage_driver storage_secrets = {create, update, remove_record, get, list, true};
const struct storage_driver storage_configmaps = {create, update, remove_record, get, list, false};
