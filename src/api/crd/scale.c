/* The scale subresource of a custom resource: replicas and selector at the paths that its
 * definition names (k8s.io/apiextensions-apiserver/pkg/registry/customresource/etcd.go). */
#include "api/call.h"
#include "api/core.h"
#include "api/crd/crd.h"

static val *scale_of(struct call *c, const val *obj)
{
    struct doc *d = &c->doc;
    val *v = scale_new(c, obj);
    int64_t replicas = val_int(crd_path_get(&c->custom->spec_replicas, obj));
    val *spec = val_ensure_obj(d, v, "spec"), *status = val_ensure_obj(d, v, "status");
    if (replicas)
        val_set_int(d, spec, "replicas", replicas);
    val_set_int(d, status, "replicas", val_int(crd_path_get(&c->custom->status_replicas, obj)));
    struct str selector = c->custom->selector.count
                              ? val_str(crd_path_get(&c->custom->selector, obj))
                              : (struct str){0};
    if (selector.n)
        val_set_s(d, status, "selector", selector);
    return v;
}

static enum call_next scaled(struct call *c)
{
    struct err err;
    val *obj;
    if (c->write.result == STORE_CONFLICT)
        return call_again(c);
    if (c->write.result == STORE_FAILED)
        return write_failed(c);
    if (doc_parse_json(&c->doc, bytes_str(c->write.first_value), &obj, &err) != 0)
        return call_fail(c, &err);
    return call_reply_val(c, 200, scale_of(c, obj));
}

static int read_scale(struct call *c, const val *current, val **ret, struct err *err)
{
    const struct schema *s = schema_find(STR("io.k8s.api.autoscaling.v1.Scale"));
    if (strcmp(c->route.verb, "patch") != 0)
        return body_decode(c, s, STR("autoscaling/v1"), STR("Scale"), ret, err);
    if (write_patch(c, s, current, ret, err) != 0)
        return -1;
    return schema_check(s, &c->doc, *ret, NULL, err);
}

static int check_scale(struct call *c, const val *scale, const val *old, struct err *err)
{
    int64_t replicas = VAL_INT(scale, "spec", "replicas");
    struct str rv = VAL_STR(scale, "metadata", "resourceVersion");
    struct str name = VAL_STR(scale, "metadata", "name");
    if (name.n && !str_eq(name, c->route.name))
        return err_bad(err,
                       "the name of the object (%.*s) does not match the name on the URL (%.*s)",
                       STR_ARG(name), STR_ARG(c->route.name));
    if (replicas < 0) {
        val *causes = val_new_arr(&c->doc);
        cause_add(&c->doc, causes, "FieldValueInvalid", c->custom->spec_replicas_text,
                  "Invalid value: %lld: should be a non-negative integer", (long long)replicas);
        return fail_invalid(c, c->route.name, causes, err);
    }
    if (rv.n && !str_eq(rv, VAL_STR(old, "metadata", "resourceVersion")))
        return fail_conflict(c, c->route.name, err,
                             "the object has been modified; please apply your changes to the "
                             "latest version and try again");
    return 0;
}

enum call_next crd_handle_scale(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    val *old, *scale;
    if (call_begin(c, &err) != 0)
        return call_fail(c, &err);
    int found = write_load(c, &kv, &old, &err);
    if (found == 0)
        fail_not_found(c, c->route.name, &err);
    if (found != 1)
        return call_fail(c, &err);
    val *current = scale_of(c, old);
    if (strcmp(c->route.verb, "get") == 0)
        return call_reply_val(c, 200, current);
    if (read_scale(c, current, &scale, &err) != 0 || check_scale(c, scale, old, &err) != 0)
        return call_fail(c, &err);
    val *obj = val_copy(&c->doc, old);
    crd_path_set(&c->custom->spec_replicas, &c->doc, obj,
                 val_new_int(&c->doc, VAL_INT(scale, "spec", "replicas")));
    c->ctx.subresource = NULL; /* to the kind it is an update of its spec */
    int rc = write_changed(c, obj, old, kv.mod_rev, &err);
    if (rc < 0)
        return call_fail(c, &err);
    if (rc == 1 || c->options.dry_run)
        return call_reply_val(c, 200, scale_of(c, obj));
    return write_submit(c, scaled);
}
