/* action_own.c: whose objects they are: the label and the annotations by which Helm knows a
 * release's own. */
#include "release/action_impl.h"

#define MANAGED_BY "app.kubernetes.io/managed-by"
#define RELEASE_NAME "meta.helm.sh/release-name"
#define RELEASE_NAMESPACE "meta.helm.sh/release-namespace"

int action_own(struct action *x, struct objects *o, const struct release *r)
{
    for (size_t i = 0; i < o->n; i++) {
        struct doc d;
        struct err err;
        val *v;
        struct buf json = {0};
        doc_init(&d);
        int rc = doc_parse_json(&d, o->items[i].json, &v, &err);
        if (rc == 0) {
            val *metadata = val_ensure_obj(&d, v, "metadata");
            val_set_z(&d, val_ensure_obj(&d, metadata, "labels"), MANAGED_BY, "Helm");
            val *annotations = val_ensure_obj(&d, metadata, "annotations");
            val_set_s(&d, annotations, RELEASE_NAME, r->name);
            val_set_s(&d, annotations, RELEASE_NAMESPACE, r->namespace);
            val_write_json(v, &json);
            o->items[i].json = arena_dup(x->cx->arena, buf_str(&json));
        }
        buf_done(&json);
        doc_done(&d);
        if (rc != 0)
            return chart_fail(x->cx, "%s", err.message);
    }
    return 0;
}

static void require(const val *map, const char *key, struct str want, const char *what,
                    struct buf *problems)
{
    const val *v = val_get(map, key);
    struct str got = val_str(v);
    if (v && str_eq(got, want))
        return;
    buf_printf(problems, "; %s validation error: ", what);
    if (!v)
        buf_printf(problems, "missing key \"%s\": must be set to \"%.*s\"", key, STR_ARG(want));
    else
        buf_printf(problems, "key \"%s\" must equal \"%.*s\": current value is \"%.*s\"", key,
                   STR_ARG(want), STR_ARG(got));
}

static int check_owner(struct action *x, const struct object *o, struct str live,
                       const struct release *r)
{
    struct doc d;
    struct err err;
    val *v = NULL;
    struct buf problems = {0};
    doc_init(&d);
    int rc = doc_parse_json(&d, live, &v, &err);
    if (rc != 0) {
        chart_fail(x->cx, "%s", err.message);
    } else {
        const val *annotations = VAL_PATH(v, "metadata", "annotations");
        require(VAL_PATH(v, "metadata", "labels"), MANAGED_BY, STR("Helm"), "label", &problems);
        require(annotations, RELEASE_NAME, r->name, "annotation", &problems);
        require(annotations, RELEASE_NAMESPACE, r->namespace, "annotation", &problems);
        if (problems.n)
            rc = chart_fail(x->cx,
                            "%.*s \"%.*s\" in namespace \"%.*s\" exists and cannot be imported "
                            "into the current release: invalid ownership metadata%.*s",
                            STR_ARG(o->kind), STR_ARG(o->name), STR_ARG(o->namespace),
                            STR_ARG(buf_str(&problems)));
    }
    buf_done(&problems);
    doc_done(&d);
    return rc;
}

int action_existing(struct action *x, const struct objects *o, const struct release *r, bool take,
                    struct objects *ret)
{
    *ret = (struct objects){0};
    for (size_t i = 0; i < o->n; i++) {
        const struct object *one = &o->items[i];
        struct str live;
        if (cluster_get(x->cluster, one, &live) != 0)
            return chart_wrap(x->cx,
                              "could not get information about the resource %.*s \"%.*s\" in "
                              "namespace \"%.*s\"",
                              STR_ARG(one->kind), STR_ARG(one->name), STR_ARG(one->namespace));
        if (live.n == 0)
            continue;
        if (!take && check_owner(x, one, live, r) != 0)
            return -1;
        objects_add(x->cx->arena, ret, one);
    }
    return 0;
}
