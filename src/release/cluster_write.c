/* cluster_write.c: creating, changing and deleting a release's objects. */
#include "release/cluster_impl.h"

#include "doc/patch.h"

#define MANAGER "fieldManager=helm"

enum { CONFLICT_TRIES = 5 };

struct failures {
    struct buf text; /* "\t* one\n" each */
    size_t n;
    bool exists; /* the first one is that the object exists */
};

/* hashicorp/go-multierror's form. */
static int fail_listed(struct cluster *c, struct failures *f)
{
    if (f->n == 0)
        return 0;
    chart_fail(c->cx, "%zu error%s occurred:\n%.*s\n", f->n, f->n > 1 ? "s" : "",
               STR_ARG(buf_str(&f->text)));
    buf_done(&f->text);
    return f->exists ? CLUSTER_EXISTS : -1;
}

static void note(struct cluster *c, struct failures *f)
{
    buf_printf(&f->text, "\t* %.*s\n", STR_ARG(c->cx->error));
    f->n++;
}

/* --- reading --- */
int cluster_get(struct cluster *c, const struct object *o, struct str *ret_json)
{
    struct client_request r = {.method = "GET", .path = o->path};
    struct answer a;
    *ret_json = (struct str){0};
    if (o->name.n == 0)
        return chart_fail(c->cx, "resource name may not be empty");
    if (cluster_call(c, &r, &a) != 0)
        return a.code == 404 ? 0 : -1;
    *ret_json = arena_dup(c->cx->arena, bytes_str(a.body));
    bytes_unref(a.body);
    return 0;
}

/* --- creating --- */

/* The server may have named it. */
static void take_name(struct cluster *c, struct object *o, struct str json)
{
    struct doc d;
    struct err err;
    val *v = NULL;
    doc_init(&d);
    if (o->name.n == 0 && doc_parse_json(&d, json, &v, &err) == 0) {
        o->name = arena_dup(c->cx->arena, VAL_STR(v, "metadata", "name"));
        o->path = arena_printf(c->cx->arena, "%.*s/%.*s", STR_ARG(o->collection), STR_ARG(o->name));
    }
    doc_done(&d);
}

static int create(struct cluster *c, struct object *o, struct answer *ret)
{
    struct client_request r = {.method = "POST",
                               .path = o->collection,
                               .query = STR(MANAGER),
                               .content_type = STR("application/json"),
                               .body = o->json};
    if (cluster_call(c, &r, ret) != 0)
        return -1;
    take_name(c, o, bytes_str(ret->body));
    bytes_unref(ret->body);
    return 0;
}

int cluster_create(struct cluster *c, struct objects *o)
{
    struct failures f = {0};
    if (o->n == 0)
        return chart_fail(c->cx, "no objects visited");
    for (size_t i = 0; i < o->n; i++) {
        struct answer a;
        if (cluster_check_interrupt(c) != 0) {
            buf_done(&f.text);
            return -1;
        }
        if (create(c, &o->items[i], &a) == 0)
            continue;
        if (f.n == 0)
            f.exists = strcmp(a.reason, "AlreadyExists") == 0;
        note(c, &f);
    }
    return fail_listed(c, &f);
}

/* --- changing --- */

/* What brings the live object to `after`; an empty object: nothing does. */
static int make_patch(struct cluster *c, const struct object *after, struct str before,
                      struct str live, bool two_way, struct str *ret_type, struct buf *ret)
{
    struct doc d;
    struct err err;
    val *b, *n, *l, *patch = NULL;
    const struct schema *s = schema_of_kind(after->api_version, after->kind);
    doc_init(&d);
    int rc = doc_parse_json(&d, before, &b, &err);
    rc = rc ? rc : doc_parse_json(&d, after->json, &n, &err);
    rc = rc ? rc : doc_parse_json(&d, live, &l, &err);
    *ret_type =
        s ? STR("application/strategic-merge-patch+json") : STR("application/merge-patch+json");
    if (rc == 0 && s)
        rc = patch_three_way_strategic(&d, s, b, n, l, &patch, &err);
    else if (rc == 0 && two_way)
        patch = patch_two_way_merge(&d, b, n);
    else if (rc == 0)
        rc = patch_three_way_merge(&d, b, n, l, &patch, &err);
    if (rc)
        chart_fail(c->cx, "failed to create patch: %s", err.message);
    else
        val_write_json(patch, ret);
    doc_done(&d);
    return rc;
}

static int patch(struct cluster *c, const struct object *after, struct str before, struct str live,
                 bool two_way)
{
    struct client_request r = {.method = "PATCH", .path = after->path, .query = STR(MANAGER)};
    struct answer a = {0};
    struct buf body = {0};
    if (make_patch(c, after, before, live, two_way, &r.content_type, &body) != 0)
        return -1;
    int rc = 0;
    r.body = buf_str(&body);
    if (!str_is(r.body, "{}"))
        rc = cluster_call(c, &r, &a);
    buf_done(&body);
    bytes_unref(a.body);
    if (rc)
        chart_wrap(c->cx, "cannot patch \"%.*s\" with kind %.*s", STR_ARG(after->name),
                   STR_ARG(after->kind));
    return rc;
}

static int put(struct cluster *c, const struct object *after, struct str live, struct answer *ret)
{
    struct client_request r = {.method = "PUT",
                               .path = after->path,
                               .query = STR(MANAGER),
                               .content_type = STR("application/json")};
    struct buf body = {0};
    struct doc d;
    struct err err;
    val *v, *l;
    doc_init(&d);
    int rc = doc_parse_json(&d, after->json, &v, &err) || doc_parse_json(&d, live, &l, &err)
                 ? chart_fail(c->cx, "%s", err.message)
                 : 0;
    if (rc == 0) {
        val *metadata = val_ensure_obj(&d, v, "metadata");
        if (VAL_STR(metadata, "resourceVersion").n == 0)
            val_set_s(&d, metadata, "resourceVersion", VAL_STR(l, "metadata", "resourceVersion"));
        val_write_json(v, &body);
        r.body = buf_str(&body);
        rc = cluster_call(c, &r, ret);
        bytes_unref(ret->body);
    }
    doc_done(&d);
    buf_done(&body);
    return rc;
}

/* --force: the object as a whole, over whatever version is there; a controller that wrote its
 * status meanwhile is no reason to fail. */
static int replace(struct cluster *c, const struct object *after, struct str live)
{
    struct answer a = {0};
    int rc = put(c, after, live, &a);
    for (int i = 1; i < CONFLICT_TRIES && rc != 0 && a.code == 409; i++) {
        if (cluster_get(c, after, &live) != 0 || live.n == 0)
            break;
        rc = put(c, after, live, &a);
    }
    return rc ? chart_wrap(c->cx, "failed to replace object") : 0;
}

/* Returns 1 when the object itself could not be changed: the others are still tried. */
static int update_one(struct cluster *c, const struct objects *before, struct object *after,
                      unsigned flags, struct updated *ret)
{
    struct arena *arena = c->cx->arena;
    struct answer a;
    struct str live;
    if (cluster_check_interrupt(c) != 0)
        return -1;
    if (cluster_get(c, after, &live) != 0)
        return chart_wrap(c->cx, "could not get information about the resource");
    if (live.n == 0) {
        int rc = create(c, after, &a);
        objects_add(arena, &ret->created, after);
        return rc ? chart_wrap(c->cx, "failed to create resource") : 0;
    }
    const struct object *known = objects_find(before, after);
    struct str base = known ? known->json : live;
    objects_add(arena, &ret->updated, after);
    int rc = flags & CLUSTER_FORCE ? replace(c, after, live)
                                   : patch(c, after, base, live, flags & CLUSTER_TWO_WAY);
    return rc ? 1 : 0;
}

static bool is_kept(struct str json)
{
    struct doc d;
    struct err err;
    val *v = NULL;
    doc_init(&d);
    bool kept = doc_parse_json(&d, json, &v, &err) == 0 &&
                str_is(VAL_STR(v, "metadata", "annotations", "helm.sh/resource-policy"), "keep");
    doc_done(&d);
    return kept;
}

static int delete_one(struct cluster *c, const struct object *o, const char *policy);

/* What the new manifest no longer has; failures are passed over, as in Helm. */
static void delete_dropped(struct cluster *c, const struct objects *before,
                           const struct objects *after)
{
    for (size_t i = 0; i < before->n; i++) {
        const struct object *o = &before->items[i];
        struct str live;
        if (objects_find(after, o) || cluster_get(c, o, &live) != 0 || live.n == 0)
            continue;
        if (!is_kept(live))
            delete_one(c, o, "Background");
    }
}

int cluster_update(struct cluster *c, const struct objects *before, struct objects *after,
                   unsigned flags, struct updated *ret)
{
    struct buf errors = {0};
    *ret = (struct updated){0};
    int rc = 0;
    for (size_t i = 0; i < after->n && rc >= 0; i++) {
        rc = update_one(c, before, &after->items[i], flags, ret);
        if (rc > 0)
            buf_printf(&errors, "%s%.*s", errors.n ? " && " : "", STR_ARG(c->cx->error));
    }
    if (rc >= 0 && errors.n)
        rc = chart_fail(c->cx, "%.*s", STR_ARG(buf_str(&errors)));
    buf_done(&errors);
    if (rc == 0)
        delete_dropped(c, before, after);
    return rc;
}

/* --- deleting --- */
static int delete_one(struct cluster *c, const struct object *o, const char *policy)
{
    struct answer a = {0};
    struct buf body = {0};
    buf_printf(&body,
               "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"%s\"}",
               policy);
    struct client_request r = {.method = "DELETE",
                               .path = o->path,
                               .content_type = STR("application/json"),
                               .body = buf_str(&body)};
    int rc = o->name.n ? 0 : chart_fail(c->cx, "resource name may not be empty");
    for (int i = 0; i < CONFLICT_TRIES && rc == 0; i++) {
        rc = cluster_call(c, &r, &a);
        if (rc == 0 || a.code != 409)
            break;
        rc = 0;
    }
    bytes_unref(a.body);
    buf_done(&body);
    return rc && a.code == 404 ? 0 : rc;
}

int cluster_delete(struct cluster *c, const struct objects *o, const char *cascade,
                   struct chart_strs *ret_errors)
{
    const char *policy = strcmp(cascade, "foreground") == 0 ? "Foreground"
                         : strcmp(cascade, "orphan") == 0   ? "Orphan"
                                                            : "Background";
    struct str *errors = arena_alloc(c->cx->arena, (o->n + 1) * sizeof *errors);
    *ret_errors = (struct chart_strs){errors, 0};
    if (o->n == 0)
        errors[ret_errors->n++] = STR("object not found, skipping delete: no objects visited");
    for (size_t i = 0; i < o->n; i++)
        if (delete_one(c, &o->items[i], policy) != 0)
            errors[ret_errors->n++] = c->cx->error;
    return ret_errors->n ? -1 : 0;
}
