/* Deletion: preconditions, grace, finalizers and what is left of the object until they are done
 * (k8s.io/apiserver/pkg/registry/rest/delete.go, registry/generic/registry/store.go). */
#include "api/admission/admission.h"
#include "api/call.h"
#include "api/core.h"
#include "doc/time.h"

/* --- options --- */
static int decode_options(struct call *c, val **ret, struct err *err)
{
    *ret = NULL;
    if (!c->body.n)
        return 0;
    const struct schema *s = schema_find(STR("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"));
    /* Clients send it as v1 or in the group of what they delete. */
    struct doc probe;
    doc_init(&probe);
    struct str version = STR("v1"), kind, raw, proto_version;
    val *v = NULL;
    struct err ignored;
    if (str_starts(c->content_type, STR("application/vnd.kubernetes.protobuf"))) {
        if (schema_proto_type(c->body, &proto_version, &kind, &raw, &ignored) == 0 &&
            proto_version.n)
            version = arena_dup(&c->arena, proto_version);
    } else if (doc_parse_json(&probe, c->body, &v, &ignored) == 0 && VAL_STR(v, "apiVersion").n) {
        version = arena_dup(&c->arena, VAL_STR(v, "apiVersion"));
    }
    doc_done(&probe);
    return body_decode(c, s, version, STR("DeleteOptions"), ret, err);
}

static void query_options(struct call *c, val *options)
{
    int64_t grace;
    struct str policy = url_query_get(&c->route.query, "propagationPolicy");
    if (str_to_i64(url_query_get(&c->route.query, "gracePeriodSeconds"), &grace))
        val_set_int(&c->doc, options, "gracePeriodSeconds", grace);
    if (policy.n)
        val_set_s(&c->doc, options, "propagationPolicy", policy);
    if (url_query_has(&c->route.query, "orphanDependents"))
        val_set_bool(&c->doc, options, "orphanDependents",
                     route_flag(&c->route, "orphanDependents"));
}

static int parse_options(struct call *c, val **ret, struct err *err)
{
    val *options;
    if (decode_options(c, &options, err) != 0)
        return -1;
    if (!options) {
        options = val_new_obj(&c->doc);
        query_options(c, options);
    }
    struct str policy = VAL_STR(options, "propagationPolicy");
    if (policy.n && !str_is(policy, "Foreground") && !str_is(policy, "Background") &&
        !str_is(policy, "Orphan")) {
        c->details.set = true;
        c->details.group = STR("meta.k8s.io");
        c->details.kind = STR("DeleteOptions");
        return err_set(err, 422, "Invalid",
                       "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported "
                       "value: \"%.*s\": supported values: \"Foreground\", \"Background\", "
                       "\"Orphan\", \"nil\"",
                       STR_ARG(policy));
    }
    if (val_len(val_get(options, "dryRun")))
        c->options.dry_run = c->ctx.dry_run = true;
    *ret = options;
    return 0;
}

static int check_preconditions(struct call *c, const val *obj, const val *options, struct err *err)
{
    struct str uid = VAL_STR(options, "preconditions", "uid");
    struct str rv = VAL_STR(options, "preconditions", "resourceVersion");
    struct str name = VAL_STR(obj, "metadata", "name");
    struct str old_uid = VAL_STR(obj, "metadata", "uid");
    struct str old_rv = VAL_STR(obj, "metadata", "resourceVersion");
    if (uid.n && !str_eq(uid, old_uid))
        return fail_conflict(c, name, err,
                             "the UID in the precondition (%.*s) does not match the UID in record "
                             "(%.*s). The object might have been deleted and then recreated",
                             STR_ARG(uid), STR_ARG(old_uid));
    if (rv.n && !str_eq(rv, old_rv))
        return fail_conflict(c, name, err,
                             "the ResourceVersion in the precondition (%.*s) does not match the "
                             "ResourceVersion in record (%.*s). The object might have been "
                             "modified",
                             STR_ARG(rv), STR_ARG(old_rv));
    return 0;
}

/* --- finalizers of the garbage collector --- */
static bool has(const val *list, const char *text)
{
    VAL_FOR (list, item)
        if (str_is(val_str(item), text))
            return true;
    return false;
}

static void remove_text(val *list, const char *text)
{
    for (size_t i = 0; i < val_len(list);)
        if (str_is(val_str(val_at(list, i)), text))
            val_remove_at(list, i);
        else
            i++;
}

/* Options over what the object has; by default dependents are deleted in the background. */
static bool set_gc_finalizers(struct call *c, val *obj, const val *options)
{
    val *finalizers = VAL_PATH(obj, "metadata", "finalizers");
    bool orphan = has(finalizers, "orphan"), foreground = has(finalizers, "foregroundDeletion");
    bool was_orphan = orphan, was_foreground = foreground;
    struct str policy = VAL_STR(options, "propagationPolicy");
    const val *orphan_flag = val_get(options, "orphanDependents");
    if (val_is_bool(orphan_flag)) {
        orphan = val_bool(orphan_flag);
        foreground = false;
    } else if (policy.n) {
        orphan = str_is(policy, "Orphan");
        foreground = str_is(policy, "Foreground");
    }
    if (orphan == was_orphan && foreground == was_foreground)
        return false;
    val *meta = val_ensure_obj(&c->doc, obj, "metadata");
    finalizers = val_ensure_arr(&c->doc, meta, "finalizers");
    remove_text(finalizers, "orphan");
    remove_text(finalizers, "foregroundDeletion");
    if (orphan)
        val_push(finalizers, val_new_z(&c->doc, "orphan"));
    if (foreground)
        val_push(finalizers, val_new_z(&c->doc, "foregroundDeletion"));
    if (!val_len(finalizers))
        val_del(meta, "finalizers");
    return true;
}

/* --- grace --- */
enum graceful { GRACE_NONE, GRACE_MARKED, GRACE_PENDING };

static void set_deletion(struct call *c, val *obj, int64_t due_ns, int64_t seconds)
{
    char text[TIME_TEXT];
    val *meta = val_get(obj, "metadata");
    bool first = !val_get(meta, "deletionTimestamp");
    time_write(due_ns, text);
    val_set_z(&c->doc, meta, "deletionTimestamp", text);
    val_set_int(&c->doc, meta, "deletionGracePeriodSeconds", seconds);
    int64_t generation = VAL_INT(meta, "generation");
    if (first && generation > 0)
        val_set_int(&c->doc, meta, "generation", generation + 1);
}

/* An object on its way out: its grace can only become shorter. */
static enum graceful shorten(struct call *c, val *obj, const val *options)
{
    const int64_t second = 1000000000;
    int64_t had = VAL_INT(obj, "metadata", "deletionGracePeriodSeconds");
    const val *asked = val_get(options, "gracePeriodSeconds");
    if (had == 0)
        return GRACE_NONE;
    int64_t wanted = val_int(asked) < 0 ? 1 : val_int(asked), due, now = wall_ns(c->api->world);
    if (!val_is_num(asked) || wanted >= had)
        return GRACE_PENDING;
    struct err ignored;
    if (time_parse(VAL_STR(obj, "metadata", "deletionTimestamp"), &due, &ignored) != 0)
        due = now;
    due += (wanted - had) * second;
    if (due < now) {
        due = now;
        if (wanted != 0)
            wanted = 1;
    }
    set_deletion(c, obj, due, wanted);
    return wanted ? GRACE_MARKED : GRACE_NONE;
}

static int apply_grace(struct call *c, val *obj, const val *options, enum graceful *ret,
                       struct err *err)
{
    const struct strategy *s = c->kind->s;
    *ret = GRACE_NONE;
    if (!s->grace)
        return 0;
    if (VAL_STR(obj, "metadata", "deletionTimestamp").n) {
        *ret = shorten(c, obj, options);
        return 0;
    }
    int64_t seconds = s->grace(&c->ctx, obj, options, err);
    if (seconds < 0)
        return -1;
    if (seconds > 0) {
        set_deletion(c, obj, wall_ns(c->api->world) + seconds * 1000000000, seconds);
        *ret = GRACE_MARKED;
    }
    return 0;
}

static int check_immortal(struct call *c, struct str name, struct err *err)
{
    static const char *const immortal[] = {"default", "kube-system", "kube-public"};
    if (*c->kind->k->group || strcmp(c->kind->k->resource, "namespaces") != 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(immortal); i++)
        if (str_is(name, immortal[i]))
            return fail_forbidden(c, name, err, "this namespace may not be deleted");
    return 0;
}

int delete_prepare(struct call *c, const struct store_kv *kv, val *old, const val *options,
                   struct err *err)
{
    const struct strategy *s = c->kind->s;
    enum graceful grace;
    if (check_immortal(c, VAL_STR(old, "metadata", "name"), err) != 0 ||
        check_preconditions(c, old, options, err) != 0 || admission_delete(c, old, err) != 0)
        return -1;
    val *before = val_copy(&c->doc, old);
    if (apply_grace(c, old, options, &grace, err) != 0)
        return -1;
    if (grace == GRACE_PENDING)
        return 1;
    set_gc_finalizers(c, old, options);
    bool stays = meta_has_finalizers(c->kind, old);
    if (stays && grace == GRACE_NONE) {
        int64_t due, now = wall_ns(c->api->world);
        struct err ignored;
        if (time_parse(VAL_STR(old, "metadata", "deletionTimestamp"), &due, &ignored) != 0 ||
            due > now)
            due = now;
        set_deletion(c, old, due, 0);
        if (s->held) /* a namespace has no grace, not even none */
            val_del(val_get(old, "metadata"), "deletionGracePeriodSeconds");
    }
    if (!stays && grace == GRACE_NONE) {
        if (s->removed && s->removed(&c->ctx, before, err) != 0)
            return -1;
        write_set_delete(c, kv->mod_rev);
        return 0;
    }
    if (val_eq(before, old))
        return 1;
    return write_set_put(c, c->kind, old, kv->mod_rev, err);
}

/* --- one --- */
struct deletion {
    struct str uid, name;
    bool gone; /* the write removes it */
};

static enum call_next reply_success(struct call *c, const struct deletion *d)
{
    struct doc *doc = &c->doc;
    val *v = val_new_obj(doc), *details;
    val_set_z(doc, v, "kind", "Status");
    val_set_z(doc, v, "apiVersion", "v1");
    val_ensure_obj(doc, v, "metadata");
    val_set_z(doc, v, "status", "Success");
    details = val_ensure_obj(doc, v, "details");
    val_set_s(doc, details, "name", d->name);
    if (c->route.group.n)
        val_set_s(doc, details, "group", c->route.group);
    val_set_s(doc, details, "kind", c->route.resource);
    val_set_s(doc, details, "uid", d->uid);
    return call_reply_val(c, 200, v);
}

static enum call_next deleted(struct call *c)
{
    struct deletion *d = c->state;
    if (c->write.result == STORE_CONFLICT)
        return call_again(c);
    if (c->write.result == STORE_FAILED)
        return write_failed(c);
    if (!d->gone)
        return call_reply_object(c, 200, bytes_str(c->write.first_value));
    if (c->stored)
        return call_reply_object(c, 200, bytes_str(c->stored));
    return reply_success(c, d);
}

/* What is answered of an object that went at once: what has grace tells that it had none. */
static struct bytes *last_words(struct call *c, val *old, struct bytes *before)
{
    if (!c->kind->s->grace || VAL_STR(old, "metadata", "deletionTimestamp").n)
        return bytes_ref(before);
    struct buf b = {0};
    set_deletion(c, old, wall_ns(c->api->world), 0);
    val_write_json(old, &b);
    struct bytes *said = bytes_new(buf_str(&b));
    buf_done(&b);
    return said;
}

static enum call_next delete_one(struct call *c, const val *options)
{
    struct err err = {0};
    struct store_kv kv;
    val *old;
    int found = write_load(c, &kv, &old, &err);
    if (found < 0)
        return call_fail(c, &err);
    if (!found)
        return call_fail(c, (fail_not_found(c, c->route.name, &err), &err));
    struct deletion *d = ARENA_NEW(&c->arena, struct deletion);
    d->uid = arena_dup(&c->arena, VAL_STR(old, "metadata", "uid"));
    d->name = c->route.name;
    c->state = d;
    c->ctx.dry_run = c->options.dry_run;
    struct bytes *before = bytes_new(kv.value);
    int rc = delete_prepare(c, &kv, old, options, &err);
    if (rc == 0) {
        d->gone = c->ops[0].type == STORE_DELETE;
        if (d->gone && c->kind->s->return_deleted)
            c->stored = last_words(c, old, before);
    }
    enum call_next next;
    if (rc < 0)
        next = call_fail(c, &err);
    else if (rc == 1 || c->options.dry_run)
        next = d->gone && !c->stored ? reply_success(c, d)
                                     : call_reply_object(c, 200, bytes_str(before));
    else
        next = write_submit(c, deleted);
    bytes_unref(before);
    return next;
}

enum call_next handle_delete(struct call *c)
{
    struct err err = {0};
    val *options;
    if (call_begin(c, &err) != 0 || parse_options(c, &options, &err) != 0)
        return call_fail(c, &err);
    return delete_one(c, options);
}

/* --- many: one write after the other, so that each is judged by its own state --- */
struct sweep {
    struct str *keys;
    size_t count, at, mark;
    struct buf items; /* those deleted; from mark on: the one whose write is under way */
    val *options;
};

static enum call_next sweep_step(struct call *c);

static enum call_next swept(struct call *c)
{
    struct sweep *s = c->state;
    if (c->write.result == STORE_FAILED) {
        buf_done(&s->items);
        return write_failed(c);
    }
    if (c->write.result == STORE_CONFLICT && call_may_retry(c)) {
        s->items.n = s->mark;
        return sweep_step(c);
    }
    s->at++;
    c->tries = 0;
    return sweep_step(c);
}

static enum call_next sweep_done(struct call *c)
{
    struct sweep *s = c->state;
    struct buf b = {0};
    buf_printf(&b,
               "{\"kind\":\"%s\",\"apiVersion\":\"%.*s\",\"metadata\":{\"resourceVersion\":\"%"
               "lld\"},\"items\":[",
               c->kind->k->list_kind, STR_ARG(c->kind->api_version),
               (long long)store_revision(c->api->config.store));
    buf_put(&b, buf_str(&s->items));
    buf_puts(&b, "]}");
    c->form = FORM_OBJECT;
    enum call_next next = call_reply_object(c, 200, buf_str(&b));
    buf_done(&b);
    buf_done(&s->items);
    return next;
}

static enum call_next sweep_fail(struct call *c, const struct err *err)
{
    struct sweep *s = c->state;
    buf_done(&s->items);
    return call_fail(c, err);
}

/* The trees of finished objects are of no more use. */
static void forget_trees(struct call *c, struct sweep *s)
{
    struct doc fresh;
    doc_init(&fresh);
    s->options = val_copy(&fresh, s->options);
    c->warnings = val_copy(&fresh, c->warnings);
    doc_done(&c->doc);
    c->doc = fresh;
}

static enum call_next sweep_step(struct call *c)
{
    struct sweep *s = c->state;
    struct err err = {0};
    for (; s->at < s->count; s->at++) {
        struct store_kv kv;
        val *old;
        struct str ns, name;
        forget_trees(c, s);
        if (call_begin(c, &err) != 0)
            return sweep_fail(c, &err);
        c->key = s->keys[s->at];
        if (store_get(c->snap, c->key, &kv) != 1)
            continue;
        kind_split_key(c->kind, c->key, &ns, &name);
        c->ctx.ns = ns;
        c->ctx.name = name;
        if (meta_load(c, &kv, &old, &err) != 0)
            return sweep_fail(c, &err);
        s->mark = s->items.n;
        buf_puts(&s->items, s->mark ? "," : "");
        buf_put(&s->items, kv.value);
        int rc = delete_prepare(c, &kv, old, s->options, &err);
        if (rc < 0)
            return sweep_fail(c, &err);
        if (rc == 1 || c->options.dry_run)
            continue;
        return write_submit(c, swept);
    }
    return sweep_done(c);
}

static struct str sweep_prefix(struct call *c)
{
    if (c->kind->k->namespaced && c->route.ns.n)
        return arena_printf(&c->arena, "%.*s%.*s/", STR_ARG(c->kind->prefix), STR_ARG(c->route.ns));
    return c->kind->prefix;
}

enum call_next handle_delete_collection(struct call *c)
{
    struct err err = {0};
    struct selection selection;
    struct sweep *s = ARENA_NEW(&c->arena, struct sweep);
    c->state = s;
    if (call_begin(c, &err) != 0 || selection_parse(c, &selection, &err) != 0 ||
        parse_options(c, &s->options, &err) != 0)
        return call_fail(c, &err);
    struct str prefix = sweep_prefix(c);
    struct str end = arena_printf(&c->arena, "%.*s%c", (int)prefix.n - 1, prefix.p, '/' + 1);
    struct store_iter *it = store_range(c->snap, prefix, end);
    struct store_kv kv;
    size_t cap = 0;
    struct str *keys = NULL;
    while (store_next(it, &kv)) {
        if (!selection_match(&selection, c->kind, kv.key, kv.value))
            continue;
        if (s->count == cap) {
            cap = cap ? cap * 2 : 64;
            keys = mem_realloc_array(keys, cap, sizeof(*keys));
        }
        keys[s->count++] = arena_dup(&c->arena, kv.key);
    }
    store_iter_free(it);
    s->keys = arena_alloc(&c->arena, s->count * sizeof(*keys) + 1);
    if (s->count)
        memcpy(s->keys, keys, s->count * sizeof(*keys));
    free(keys);
    return sweep_step(c);
}
