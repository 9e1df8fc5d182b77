/* action_apply.c: what install, upgrade and rollback do around the change of the objects. */
#include "release/action_impl.h"

#include "doc/selector.h"

int action_wait(struct action *x, const struct objects *o, bool wait, bool jobs, int64_t timeout_ms)
{
    return wait ? cluster_wait(x->cluster, o, jobs ? WAIT_JOBS : 0, timeout_ms) : 0;
}

int action_clean_up(struct action *x, const struct objects *created, const char *what,
                    struct str error)
{
    struct chart_strs errors;
    if (cluster_delete(x->cluster, created, "background", &errors) == 0) {
        x->cx->error = error;
        return 0;
    }
    return chart_fail(x->cx,
                      "an error occurred while cleaning up resources. original %s error: %.*s: "
                      "unable to cleanup resources: %.*s",
                      what, STR_ARG(error), STR_ARG(action_join(x->cx->arena, &errors, ", ")));
}

/* --- --recreate-pods --- */

/* The selector of a kind that has pods, as text; false: it has none. */
static bool pods_of(struct action *x, const struct object *o, struct str *ret)
{
    static const char *const kinds[] = {
        "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Deployment", "Job",
        "Service"};
    struct doc d;
    struct err err;
    struct selector selector = {0};
    struct buf b = {0};
    val *v = NULL;
    bool has = false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        has = has || str_is(o->kind, kinds[i]);
    doc_init(&d);
    has = has && doc_parse_json(&d, o->json, &v, &err) == 0;
    val *spec = VAL_PATH(v, "spec", "selector");
    if (has && (str_is(o->kind, "Service") || str_is(o->kind, "ReplicationController"))) {
        has = val_len(spec) > 0;
        VAL_EACH (spec, key, member)
            buf_printf(&b, "%s%.*s=%.*s", b.n ? "," : "", STR_ARG(val_str(key)),
                       STR_ARG(val_str(member)));
    } else if (has) {
        has = spec && selector_from_object(x->cx->arena, spec, &selector, &err) == 0;
        selector_write(&selector, &b);
    }
    *ret = arena_dup(x->cx->arena, buf_str(&b));
    buf_done(&b);
    doc_done(&d);
    return has;
}

static void delete_pods(struct action *x, struct str namespace, struct str selector)
{
    struct objects pods;
    struct chart_strs errors;
    if (cluster_pods(x->cluster, namespace, selector, &pods) == 0 && pods.n)
        cluster_delete(x->cluster, &pods, "background", &errors);
}

void action_recreate(struct action *x, const struct objects *updated)
{
    struct str selector;
    for (size_t i = 0; i < updated->n; i++)
        if (pods_of(x, &updated->items[i], &selector))
            delete_pods(x, updated->items[i].namespace, selector);
}
