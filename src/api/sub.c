/* Subresources that change or answer without being objects of their own: scale, and those that a
 * strategy serves (binding, finalize, token, …). And kinds that are only answered. */
#include "api/admission/admission.h"
#include "api/call.h"
#include "api/core.h"

/* The type of a subresource's body, where it is not the parent's. */
struct sub_body {
    const char *sub, *api_version, *kind, *schema;
};

static const struct sub_body bodies[] = {
    {"binding", "v1", "Binding", "io.k8s.api.core.v1.Binding"},
    {"token", "authentication.k8s.io/v1", "TokenRequest",
     "io.k8s.api.authentication.v1.TokenRequest"},
    {"scale", "autoscaling/v1", "Scale", "io.k8s.api.autoscaling.v1.Scale"},
};

static int decode_body(struct call *c, val **ret, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        if (str_is(c->route.subresource, bodies[i].sub))
            return body_decode(c, schema_find(str_of(bodies[i].schema)),
                               str_of(bodies[i].api_version), str_of(bodies[i].kind), ret, err);
    return body_decode(c, c->kind->k->schema, c->kind->api_version, str_of(c->kind->k->kind), ret,
                       err);
}

static int load(struct call *c, struct store_kv *kv, val **ret, struct err *err)
{
    if (call_begin(c, err) != 0)
        return -1;
    int found = write_load(c, kv, ret, err);
    if (found == 0)
        return fail_not_found(c, c->route.name, err);
    return found == 1 ? 0 : -1;
}

/* --- scale --- */
val *scale_new(struct call *c, const val *obj)
{
    static const char *const members[] = {"name", "namespace", "uid", "resourceVersion",
                                          "creationTimestamp"};
    struct doc *d = &c->doc;
    val *v = val_new_obj(d);
    val_set_z(d, v, "kind", "Scale");
    val_set_z(d, v, "apiVersion", "autoscaling/v1");
    val *meta = val_ensure_obj(d, v, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const val *m = VAL_PATH(obj, "metadata", members[i]);
        if (m)
            val_set(d, meta, members[i], val_copy(d, m));
    }
    return v;
}

static val *scale_of(struct call *c, const val *obj)
{
    struct doc *d = &c->doc;
    val *v = scale_new(c, obj);
    val *spec = val_ensure_obj(d, v, "spec");
    int64_t replicas = VAL_INT(obj, "spec", "replicas");
    if (replicas)
        val_set_int(d, spec, "replicas", replicas);
    val *status = val_ensure_obj(d, v, "status");
    val_set_int(d, status, "replicas", VAL_INT(obj, "status", "replicas"));

    struct selector selector;
    struct err ignored;
    const val *labels = VAL_PATH(obj, "spec", "selector");
    if (labels && str_is(VAL_STR(obj, "kind"), "ReplicationController")) { /* a plain map */
        val *wrapped = val_new_obj(d);
        val_set(d, wrapped, "matchLabels", val_copy(d, labels));
        labels = wrapped;
    }
    if (labels && selector_from_object(&c->arena, labels, &selector, &ignored) == 0) {
        struct buf b = {0};
        selector_write(&selector, &b);
        val_set_s(d, status, "selector", buf_str(&b));
        buf_done(&b);
    }
    return v;
}

static enum call_next reply_scale(struct call *c, struct str json)
{
    struct err err;
    val *obj;
    if (doc_parse_json(&c->doc, json, &obj, &err) != 0)
        return call_fail(c, &err);
    return call_reply_val(c, 200, scale_of(c, obj));
}

static enum call_next scaled(struct call *c)
{
    if (c->write.result == STORE_CONFLICT)
        return call_again(c);
    if (c->write.result == STORE_FAILED)
        return write_failed(c);
    return reply_scale(c, bytes_str(c->write.first_value));
}

static int check_scale(struct call *c, const val *scale, struct err *err)
{
    int64_t replicas = VAL_INT(scale, "spec", "replicas");
    if (replicas >= 0)
        return 0;
    val *causes = val_new_arr(&c->doc);
    cause_add(&c->doc, causes, "FieldValueInvalid", "spec.replicas",
              "Invalid value: %lld: must be greater than or equal to 0", (long long)replicas);
    fail_invalid(c, c->route.name, causes, err);
    c->details.group = STR("autoscaling");
    c->details.kind = STR("Scale");
    return err_set(err, 422, "Invalid",
                   "Scale.autoscaling \"%.*s\" is invalid: spec.replicas: Invalid value: %lld: "
                   "must be greater than or equal to 0",
                   STR_ARG(c->route.name), (long long)replicas);
}

enum call_next handle_scale(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    val *old, *scale;
    if (load(c, &kv, &old, &err) != 0)
        return call_fail(c, &err);
    val *current = scale_of(c, old);
    if (strcmp(c->route.verb, "get") == 0)
        return call_reply_val(c, 200, current);
    bool patch = strcmp(c->route.verb, "patch") == 0;
    const struct schema *s = schema_find(STR("io.k8s.api.autoscaling.v1.Scale"));
    int rc = patch ? write_patch(c, s, current, &scale, &err) : decode_body(c, &scale, &err);
    if (rc == 0 && patch && s)
        rc = schema_check(s, &c->doc, scale, &(struct buf){0}, &err);
    if (rc == 0)
        rc = check_scale(c, scale, &err);
    struct str rv = VAL_STR(scale, "metadata", "resourceVersion");
    if (rc == 0 && rv.n && !str_eq(rv, VAL_STR(old, "metadata", "resourceVersion")))
        rc = fail_conflict(c, c->route.name, &err,
                           "the object has been modified; please apply your changes to the latest "
                           "version and try again");
    if (rc != 0)
        return call_fail(c, &err);
    val *obj = val_copy(&c->doc, old);
    val_set_int(&c->doc, val_ensure_obj(&c->doc, obj, "spec"), "replicas",
                VAL_INT(scale, "spec", "replicas"));
    c->ctx.subresource = NULL; /* to the kind it is an update of its spec */
    rc = write_changed(c, obj, old, kv.mod_rev, &err);
    if (rc < 0)
        return call_fail(c, &err);
    if (rc == 1 || c->options.dry_run)
        return call_reply_val(c, 200, scale_of(c, obj));
    return write_submit(c, scaled);
}

/* --- subresources of a strategy that change the stored object --- */
static enum call_next sub_changed(struct call *c)
{
    if (c->write.result == STORE_CONFLICT)
        return call_again(c);
    if (c->write.result == STORE_FAILED)
        return write_failed(c);
    if (strcmp(c->route.verb, "create") == 0)
        return call_reply_success(c, 201);
    struct bytes *answer = c->stored ? c->stored : c->write.first_value;
    return call_reply_object(c, 200, bytes_str(answer));
}

static int sub_body(struct call *c, const val *old, val **ret, struct err *err)
{
    if (strcmp(c->route.verb, "patch") != 0)
        return decode_body(c, ret, err);
    if (write_patch(c, c->kind->k->schema, old, ret, err) != 0)
        return -1;
    struct buf strict = {0};
    int rc = schema_check(c->kind->k->schema, &c->doc, *ret, &strict, err);
    if (rc == 0)
        rc = body_strict(c, c->kind->api_version, str_of(c->kind->k->kind), buf_str(&strict), err);
    buf_done(&strict);
    if (rc == 0)
        schema_default(c->kind->k->schema, &c->doc, *ret);
    return rc;
}

enum call_next handle_change_sub(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    val *old, *body;
    if (load(c, &kv, &old, &err) != 0 || sub_body(c, old, &body, &err) != 0)
        return call_fail(c, &err);
    bool own = str_eq(VAL_STR(body, "kind"), str_of(c->kind->k->kind));
    if (own && write_preconditions(c, body, old, &err) != 0)
        return call_fail(c, &err);
    val *obj = val_copy(&c->doc, old);
    if (c->kind->s->change_sub(&c->ctx, obj, body, &err) != 0 ||
        admission_validate(c, obj, old, &err) != 0)
        return call_fail(c, &err);
    bool gone = VAL_STR(old, "metadata", "deletionTimestamp").n &&
                VAL_INT(old, "metadata", "deletionGracePeriodSeconds") == 0 &&
                !meta_has_finalizers(c->kind, obj);
    if (gone) {
        struct buf b = {0};
        val_write_json(obj, &b);
        c->stored = bytes_new(buf_str(&b));
        buf_done(&b);
        if (c->kind->s->removed && c->kind->s->removed(&c->ctx, obj, &err) != 0)
            return call_fail(c, &err);
        write_set_delete(c, kv.mod_rev);
    } else if (write_set_put(c, c->kind, obj, kv.mod_rev, &err) != 0) {
        return call_fail(c, &err);
    }
    if (c->options.dry_run)
        return call_reply_val(c, 200, obj);
    return write_submit(c, sub_changed);
}

/* --- answered, not stored --- */
enum call_next handle_post_sub(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    val *old, *body;
    if (load(c, &kv, &old, &err) != 0 || decode_body(c, &body, &err) != 0 ||
        c->kind->s->post_sub(&c->ctx, body, old, &err) != 0)
        return call_fail(c, &err);
    return call_reply_val(c, 201, body);
}

enum call_next handle_review(struct call *c)
{
    struct err err = {0};
    val *obj;
    if (decode_body(c, &obj, &err) != 0 || call_begin(c, &err) != 0 ||
        c->kind->s->review(&c->ctx, obj, &err) != 0)
        return call_fail(c, &err);
    return call_reply_val(c, 201, obj);
}
