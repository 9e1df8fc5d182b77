/* Create, update and patch: from what a client sent to one atomic write
 * (k8s.io/apiserver/pkg/registry/generic/registry/store.go, registry/rest/create.go, update.go). */
#include "api/admission/admission.h"
#include "api/call.h"
#include "api/core.h"
#include "api/crd/crd.h"
#include "api/raw.h"
#include "doc/patch.h"

enum { GENERATED_TRIES = 8 };

/* --- the write itself --- */
static void add_extra(struct call *c)
{
    for (size_t i = 0; i < c->ctx.extra_count && c->write.op_count < ARRAY_LEN(c->ops); i++)
        c->ops[c->write.op_count++] = c->ctx.extra_ops[i];
    c->ctx.extra_count = 0;
}

int write_set_put(struct call *c, const struct kind *k, const val *obj, int64_t expect,
                  struct err *err)
{
    enum { MAX_OBJECT = 3 * 1024 * 1024 / 2 };
    int64_t at;
    if (admission_usage(c, k, obj, err) != 0)
        return -1;
    if (c->custom)
        k = crd_store_form(c, &obj);
    struct bytes *json = meta_encode(c, k, obj, &at);
    if (json->n > MAX_OBJECT) {
        bytes_unref(json);
        return err_set(err, 413, "RequestEntityTooLarge", "etcdserver: request is too large");
    }
    c->ops[0] = (struct store_op){STORE_PUT, c->key, json, at, expect};
    c->write.op_count = 1;
    add_extra(c);
    return 0;
}

void write_set_delete(struct call *c, int64_t expect)
{
    struct err never; /* what goes only gives back */
    admission_usage(c, c->kind, NULL, &never);
    c->ops[0] = (struct store_op){STORE_DELETE, c->key, NULL, -1, expect};
    c->write.op_count = 1;
    add_extra(c);
}

enum call_next write_submit(struct call *c, call_fn *after)
{
    c->after = after;
    return CALL_COMMIT;
}

/* What the object would be: the stored form with the old revision, or without any. */
static enum call_next reply_dry(struct call *c, int status, int64_t revision)
{
    struct buf b = {0};
    struct str json = bytes_str(c->ops[0].value);
    size_t at = (size_t)c->ops[0].revision_at;
    if (revision > 0) {
        buf_append(&b, json.p, at);
        buf_put_i64(&b, revision);
        buf_put(&b, str_from(json, at));
    } else {
        struct str member = STR(",\"resourceVersion\":\"");
        buf_append(&b, json.p, at - member.n);
        buf_put(&b, str_from(json, at + 1));
    }
    enum call_next next = call_reply_object(c, status, buf_str(&b));
    buf_done(&b);
    return next;
}

enum call_next write_failed(struct call *c)
{
    struct err err = c->write.err;
    return call_fail(c, &err);
}

/* --- defaults and validation of what is to be stored --- */
/* What the schema knows, but for metadata: meta.c says that in upstream's words. */
static void validate_schema(struct call *c, const val *obj, val *causes)
{
    val *found = val_new_arr(&c->doc);
    schema_validate(c->kind->k->schema, obj, "", &c->doc, found);
    VAL_FOR (found, cause)
        if (!str_starts(VAL_STR(cause, "field"), STR("metadata")))
            val_push(causes, val_copy(&c->doc, cause));
}

static int validate(struct call *c, const val *obj, const val *old, struct err *err)
{
    const struct strategy *s = c->kind->s;
    val *causes = val_new_arr(&c->doc);
    if (!old) {
        validate_schema(c, obj, causes);
        if (s->validate) /* says it better where both find the same */
            s->validate(&c->ctx, obj, causes);
        if (!val_len(causes))
            meta_validate(c, obj, causes);
    } else {
        meta_validate_update(c, obj, old, causes);
        bool status = c->ctx.subresource && strcmp(c->ctx.subresource, "status") == 0;
        if (status) {
            if (s->validate_status)
                s->validate_status(&c->ctx, obj, old, causes);
        } else {
            validate_schema(c, obj, causes);
            if (s->validate_update)
                s->validate_update(&c->ctx, obj, old, causes);
        }
    }
    return val_len(causes) ? fail_invalid(c, VAL_STR(obj, "metadata", "name"), causes, err) : 0;
}

/* The namespace must be there and stay as it is until the write: upstream's NamespaceLifecycle. */
static int check_lifecycle(struct call *c, struct str name, struct err *err)
{
    if (!c->kind->k->namespaced)
        return 0;
    struct str ns = c->route.ns;
    struct str key = kind_key(&c->arena, "", "namespaces", (struct str){0}, ns);
    struct store_kv kv;
    if (store_get(c->snap, key, &kv) != 1) {
        c->details = (struct call_details){.set = true, .name = ns, .kind = STR("namespaces")};
        return err_set(err, 404, "NotFound", "namespaces \"%.*s\" not found", STR_ARG(ns));
    }
    if (raw_path(kv.value, "metadata.deletionTimestamp").p) {
        fail_forbidden(c, name, err,
                       "unable to create new content in namespace %.*s because it is being "
                       "terminated",
                       STR_ARG(ns));
        c->details.causes = val_new_arr(&c->doc);
        cause_add(&c->doc, c->details.causes, "NamespaceTerminating", "metadata.namespace",
                  "namespace %.*s is being terminated", STR_ARG(ns));
        return -1;
    }
    strategy_add_op(&c->ctx, STORE_CHECK, key, NULL, kv.mod_rev);
    return 0;
}

/* --- create --- */
int write_created(struct call *c, val *obj, struct err *err)
{
    const struct strategy *s = c->kind->s;
    meta_wipe(obj);
    if (meta_check_namespace(c, obj, err) != 0)
        return -1;
    meta_dedup_owners(c, obj);
    if (check_lifecycle(c, VAL_STR(obj, "metadata", "name"), err) != 0)
        return -1;
    meta_fill_create(c, obj);
    struct str name = arena_dup(&c->arena, VAL_STR(obj, "metadata", "name"));
    c->ctx.name = name;
    if (s->defaults)
        s->defaults(&c->ctx, obj);
    if (s->has_status && !s->status_on_create)
        val_del(obj, "status");
    apply_track_create(c, obj);
    if (admission_mutate(c, obj, err) != 0)
        return -1;
    if (s->prepare_create && s->prepare_create(&c->ctx, obj, err) != 0)
        return -1;
    schema_normalize(c->kind->k->schema, &c->doc, obj);
    if (validate(c, obj, NULL, err) != 0 || admission_validate(c, obj, NULL, err) != 0)
        return -1;
    if (c->managed)
        val_set(&c->doc, val_get(obj, "metadata"), "managedFields", val_copy(&c->doc, c->managed));
    c->key = kind_key(&c->arena, c->kind->k->group, c->kind->k->resource,
                      c->kind->k->namespaced ? c->route.ns : (struct str){0}, name);
    if (write_set_put(c, c->kind, obj, STORE_ABSENT, err) != 0)
        return -1;
    if (!c->options.dry_run)
        return 0;
    struct store_kv kv;
    return store_get(c->snap, c->key, &kv) == 1 ? fail_exists(c, name, false, err) : 0;
}

static enum call_next created(struct call *c)
{
    if (c->write.result == STORE_OK)
        return call_reply_object(c, 201, bytes_str(c->write.first_value));
    if (c->write.result == STORE_FAILED)
        return write_failed(c);
    struct str name = c->ctx.name;
    bool generated = c->state != NULL;
    if (c->write.failed_op != 0 || (generated && c->tries < GENERATED_TRIES))
        return call_again(c);
    struct err err;
    fail_exists(c, name, generated, &err);
    return call_fail(c, &err);
}

enum call_next write_create(struct call *c, val *obj, struct err *err)
{
    if (write_created(c, obj, err) != 0)
        return call_fail(c, err);
    return c->options.dry_run ? reply_dry(c, 201, 0) : write_submit(c, created);
}

enum call_next handle_create(struct call *c)
{
    struct err err = {0};
    val *obj;
    if (body_decode(c, c->kind->k->schema, c->kind->api_version, str_of(c->kind->k->kind), &obj,
                    &err) != 0 ||
        call_begin(c, &err) != 0)
        return call_fail(c, &err);
    static const char generated[] = "generated";
    bool named = VAL_STR(obj, "metadata", "name").n != 0;
    c->state = named ? NULL : (void *)generated;
    return write_create(c, obj, &err);
}

/* --- update --- */
static void keep(struct call *c, val *obj, const val *old, const char *member)
{
    const val *v = val_get(old, member);
    if (v)
        val_set(&c->doc, obj, member, val_copy(&c->doc, v));
    else
        val_del(obj, member);
}

/* Everything outside metadata and status. */
static bool spec_changed(const val *obj, const val *old)
{
    for (int pass = 0; pass < 2; pass++) {
        VAL_EACH (pass ? old : obj, key, v) {
            struct str k = val_str(key);
            if (str_is(k, "metadata") || str_is(k, "status"))
                continue;
            const val *other = val_get_str(pass ? obj : old, k);
            if (!other ? !val_is_null(v) : !val_eq(v, other))
                return true;
        }
    }
    return false;
}

static bool annotations_changed(const val *obj, const val *old)
{
    const val *now = VAL_PATH(obj, "metadata", "annotations");
    const val *was = VAL_PATH(old, "metadata", "annotations");
    return now && was ? !val_eq(now, was) : val_len(now) != val_len(was);
}

/* [{}] is how a client says that nobody shall own anything. */
static bool is_emptied(const val *managed)
{
    return val_len(managed) == 1 && val_is_obj(val_at(managed, 0)) &&
           val_len(val_at(managed, 0)) == 0;
}

/* What a client sends back, as it was or changed on purpose (kubectl moves from client-side to
 * server-side apply so), counts when it makes sense. */
static bool are_owners(const val *managed)
{
    VAL_FOR (managed, entry) {
        struct str operation = VAL_STR(entry, "operation");
        if (!(str_is(operation, "Apply") || str_is(operation, "Update")) ||
            !VAL_STR(entry, "apiVersion").n || !str_is(VAL_STR(entry, "fieldsType"), "FieldsV1") ||
            !val_is_obj(val_get(entry, "fieldsV1")))
            return false;
    }
    return val_len(managed) > 0;
}

static void keep_metadata(struct call *c, val *obj, const val *old)
{
    val *now = val_ensure_obj(&c->doc, obj, "metadata");
    const val *was = val_get(old, "metadata");
    keep(c, now, was, "generation");
    keep(c, now, was, "creationTimestamp");
    if (!VAL_STR(now, "uid").n)
        keep(c, now, was, "uid");
    if (!VAL_STR(now, "name").n)
        keep(c, now, was, "name");
    if (val_get(was, "deletionTimestamp"))
        keep(c, now, was, "deletionTimestamp");
    if (!val_get(now, "deletionGracePeriodSeconds"))
        keep(c, now, was, "deletionGracePeriodSeconds");
    if (is_emptied(val_get(now, "managedFields")))
        val_del(now, "managedFields");
    else if (!are_owners(val_get(now, "managedFields")))
        keep(c, now, was, "managedFields");
    keep(c, now, was, "resourceVersion");
    val_del(now, "selfLink");
}

/* Through /status only status changes, and of most kinds what people set in metadata. */
static void keep_all_but_status(struct call *c, val *obj, const val *old)
{
    static const char *const open[] = {"status", "metadata"};
    size_t kept = c->kind->s->status_alone ? 1 : 2, n = 0;
    val *copies[ARRAY_LEN(open)] = {NULL};
    for (size_t i = 0; i < kept; i++) {
        const val *v = val_get(obj, open[i]);
        copies[i] = v ? val_copy(&c->doc, v) : NULL;
    }
    struct str keys[64];
    VAL_EACH (obj, key, v) {
        (void)v;
        if (n < ARRAY_LEN(keys))
            keys[n++] = val_str(key);
    }
    for (size_t i = 0; i < n; i++)
        val_del_str(obj, keys[i]);
    VAL_EACH (old, key, v)
        val_set_str(&c->doc, obj, val_str(key), val_copy(&c->doc, v));
    for (size_t i = 0; i < kept; i++)
        if (copies[i])
            val_set(&c->doc, obj, open[i], copies[i]);
        else
            val_del(obj, open[i]);
}

static bool goes_now(const struct call *c, const val *obj, const val *old)
{
    return val_get(val_get(old, "metadata"), "deletionTimestamp") &&
           VAL_INT(old, "metadata", "deletionGracePeriodSeconds") == 0 &&
           !meta_has_finalizers(c->kind, obj);
}

int write_changed(struct call *c, val *obj, const val *old, int64_t mod_rev, struct err *err)
{
    const struct strategy *s = c->kind->s;
    bool status = c->ctx.subresource && strcmp(c->ctx.subresource, "status") == 0;
    if (meta_check_namespace(c, obj, err) != 0)
        return -1;
    meta_dedup_owners(c, obj);
    c->ctx.name = c->route.name;
    if (status)
        keep_all_but_status(c, obj, old);
    keep_metadata(c, obj, old);
    if (s->defaults)
        s->defaults(&c->ctx, obj);
    if (status) {
        if (s->prepare_status && s->prepare_status(&c->ctx, obj, old, err) != 0)
            return -1;
    } else {
        if (s->has_status)
            keep(c, obj, old, "status");
        if (s->prepare_update && s->prepare_update(&c->ctx, obj, old, err) != 0)
            return -1;
    }
    /* From here on obj and old have one form and can be compared. */
    schema_normalize(c->kind->k->schema, &c->doc, obj);
    if (!status && s->spec_generation &&
        (spec_changed(obj, old) || (s->annotation_generation && annotations_changed(obj, old))))
        val_set_int(&c->doc, val_get(obj, "metadata"), "generation",
                    VAL_INT(old, "metadata", "generation") + 1);
    if (validate(c, obj, old, err) != 0 || admission_validate(c, obj, old, err) != 0)
        return -1;
    if (c->managed)
        val_set(&c->doc, val_get(obj, "metadata"), "managedFields", val_copy(&c->doc, c->managed));
    else
        apply_track_update(c, obj, old);
    if (goes_now(c, obj, old)) {
        if (s->removed && s->removed(&c->ctx, old, err) != 0)
            return -1;
        write_set_delete(c, mod_rev);
        return 0;
    }
    if (c->ctx.extra_count == 0 && val_eq(obj, old) && !(c->custom && crd_is_outdated(c)))
        return 1;
    return write_set_put(c, c->kind, obj, mod_rev, err);
}

static enum call_next changed(struct call *c)
{
    if (c->write.result == STORE_CONFLICT)
        return call_again(c);
    if (c->write.result == STORE_FAILED)
        return write_failed(c);
    if (c->stored) /* the update let it go */
        return call_reply_object(c, 200, bytes_str(c->stored));
    return call_reply_object(c, 200, bytes_str(c->write.first_value));
}

enum call_next write_finish(struct call *c, int rc, const val *old, val *obj, const struct err *err)
{
    if (rc < 0)
        return call_fail(c, err);
    if (rc == 1)
        return call_reply_val(c, 200, old);
    bool put = c->ops[0].type == STORE_PUT;
    if (!put) {
        struct buf b = {0};
        val_write_json(obj, &b);
        c->stored = bytes_new(buf_str(&b));
        buf_done(&b);
    }
    if (!c->options.dry_run)
        return write_submit(c, changed);
    if (!put)
        return call_reply_object(c, 200, bytes_str(c->stored));
    return reply_dry(c, 200, c->ops[0].expect);
}

/* The object under the route's name: 1 found, 0 missing, -1 error. */
int write_load(struct call *c, struct store_kv *kv, val **ret, struct err *err)
{
    c->key = kind_key(&c->arena, c->kind->k->group, c->kind->k->resource,
                      c->kind->k->namespaced ? c->route.ns : (struct str){0}, c->route.name);
    int rc = store_get(c->snap, c->key, kv);
    if (rc != 1)
        return rc;
    return meta_load(c, kv, ret, err) == 0 ? 1 : -1;
}

static int check_name(struct call *c, val *obj, struct err *err)
{
    val *meta = val_ensure_obj(&c->doc, obj, "metadata");
    struct str name = VAL_STR(meta, "name");
    if (!name.n)
        val_set_s(&c->doc, meta, "name", c->route.name);
    else if (!str_eq(name, c->route.name))
        return err_bad(err,
                       "the name of the object (%.*s) does not match the name on the URL (%.*s)",
                       STR_ARG(name), STR_ARG(c->route.name));
    return 0;
}

#define MODIFIED                                                                                   \
    "the object has been modified; please apply your changes to the latest version and try again"

/* uid and resourceVersion in the object are preconditions. */
int write_preconditions(struct call *c, const val *obj, const val *old, struct err *err)
{
    struct str uid = VAL_STR(obj, "metadata", "uid"),
               rv = VAL_STR(obj, "metadata", "resourceVersion");
    struct str old_uid = VAL_STR(old, "metadata", "uid");
    if (uid.n && !str_eq(uid, old_uid))
        return fail_conflict(c, c->route.name, err,
                             "Precondition failed: UID in precondition: %.*s, UID in object meta: "
                             "%.*s",
                             STR_ARG(uid), STR_ARG(old_uid));
    uint64_t number = 0;
    if (rv.n && !str_to_u64(rv, &number)) {
        val *causes = val_new_arr(&c->doc);
        cause_add(&c->doc, causes, "FieldValueInvalid", "metadata.resourceVersion",
                  "Invalid value: \"%.*s\": strconv.ParseUint: parsing \"%.*s\": invalid syntax",
                  STR_ARG(rv), STR_ARG(rv));
        return fail_invalid(c, c->route.name, causes, err);
    }
    if (!number && !c->kind->s->unconditional_update) {
        val *causes = val_new_arr(&c->doc);
        cause_add(&c->doc, causes, "FieldValueInvalid", "metadata.resourceVersion",
                  "Invalid value: 0: must be specified for an update");
        return fail_invalid(c, c->route.name, causes, err);
    }
    if (number && !str_eq(rv, VAL_STR(old, "metadata", "resourceVersion")))
        return fail_conflict(c, c->route.name, err, "%s", MODIFIED);
    return 0;
}

enum call_next handle_update(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    val *obj, *old;
    if (body_decode(c, c->kind->k->schema, c->kind->api_version, str_of(c->kind->k->kind), &obj,
                    &err) != 0 ||
        check_name(c, obj, &err) != 0 || call_begin(c, &err) != 0)
        return call_fail(c, &err);
    int found = write_load(c, &kv, &old, &err);
    if (found < 0)
        return call_fail(c, &err);
    if (!found && !(c->kind->s->create_on_update && !c->route.subresource.n))
        return call_fail(c, (fail_not_found(c, c->route.name, &err), &err));
    if (!found)
        return write_create(c, obj, &err);
    if (write_preconditions(c, obj, old, &err) != 0)
        return call_fail(c, &err);
    int rc = write_changed(c, obj, old, kv.mod_rev, &err);
    return write_finish(c, rc, old, obj, &err);
}

/* --- patch --- */
static int parse_patch(struct call *c, val **ret, struct err *err)
{
    if (doc_parse_json(&c->doc, c->body, ret, err) != 0)
        return err_bad(err, "error decoding patch: %s",
                       (char *)arena_z(&c->arena, str_of(err->message)));
    return 0;
}

/* Applies the body to current; the answer is a new tree. */
int write_patch(struct call *c, const struct schema *s, const val *current, val **ret,
                struct err *err)
{
    struct str type, rest;
    str_cut(c->content_type, ';', &type, &rest);
    val *patch;
    bool json = str_is(type, "application/json-patch+json");
    bool merge = str_is(type, "application/merge-patch+json");
    bool strategic = str_is(type, "application/strategic-merge-patch+json");
    if (c->custom && strategic)
        return err_set(err, 415, "UnsupportedMediaType",
                       "the body of the request was in an unknown format - accepted media types "
                       "include: application/json-patch+json, application/merge-patch+json, "
                       "application/apply-patch+yaml");
    if (!json && !merge && !strategic)
        return err_set(err, 415, "UnsupportedMediaType",
                       "the body of the request was in an unknown format - accepted media types "
                       "include: application/json-patch+json, application/merge-patch+json, "
                       "application/strategic-merge-patch+json, application/apply-patch+yaml");
    if (parse_patch(c, &patch, err) != 0)
        return -1;
    if (json)
        return patch_json(&c->doc, current, patch, ret, err);
    if (!val_is_obj(patch))
        return err_bad(err,
                       "json: cannot unmarshal %s into Go value of type map[string]interface "
                       "{}",
                       val_type_name(patch));
    if (strategic && s)
        return patch_strategic(&c->doc, s, current, patch, ret, err);
    *ret = patch_merge(&c->doc, current, patch);
    return 0;
}

/* What a patch made is decoded like a body, but its faults are those of the patch: 422. */
static int check_patched(struct call *c, val *obj, struct err *err)
{
    struct buf strict = {0};
    struct err inner = {0};
    if (!val_is_obj(obj))
        return err_bad(err, "the patch does not leave an object");
    const char *why = NULL;
    if (schema_check(c->kind->k->schema, &c->doc, obj, &strict, &inner) != 0)
        why = inner.message;
    else if (body_strict(c, c->kind->api_version, str_of(c->kind->k->kind), buf_str(&strict),
                         &inner) != 0) {
        ssize_t at = str_find(str_of(inner.message), STR("strict decoding error"));
        why = at >= 0 ? inner.message + at : inner.message;
    }
    buf_done(&strict);
    if (!why) {
        schema_default(c->kind->k->schema, &c->doc, obj);
        return 0;
    }
    c->details.set = true;
    c->details.causes = val_new_arr(&c->doc);
    struct buf text = {0}, quoted = {0};
    val_write_json(obj, &text);
    val_write_json(val_new_str(&c->doc, buf_str(&text)), &quoted);
    cause_add(&c->doc, c->details.causes, "FieldValueInvalid", "patch", "Invalid value: %s: %s",
              buf_z(&quoted), why);
    err_set(err, 422, "Invalid", " \"\" is invalid: patch: Invalid value: %.400s: %s",
            buf_z(&quoted), why);
    buf_done(&text);
    buf_done(&quoted);
    return -1;
}

enum call_next handle_patch(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    val *obj, *old;
    if (str_starts(c->content_type, STR("application/apply-patch+yaml"))) {
        c->handler = handle_apply;
        return handle_apply(c);
    }
    if (call_begin(c, &err) != 0)
        return call_fail(c, &err);
    int found = write_load(c, &kv, &old, &err);
    if (found < 0)
        return call_fail(c, &err);
    if (!found)
        return call_fail(c, (fail_not_found(c, c->route.name, &err), &err));
    if (write_patch(c, c->kind->k->schema, old, &obj, &err) != 0 ||
        check_patched(c, obj, &err) != 0 || check_name(c, obj, &err) != 0)
        return call_fail(c, &err);
    /* What the patch says of uid and resourceVersion is a precondition as well. */
    if (write_preconditions(c, obj, old, &err) != 0)
        return call_fail(c, &err);
    int rc = write_changed(c, obj, old, kv.mod_rev, &err);
    return write_finish(c, rc, old, obj, &err);
}
