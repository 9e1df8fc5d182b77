#include "api/admission/admission.h"

#include "api/core.h"
#include "api/raw.h"

bool admission_is(const struct call *c, const char *group, const char *resource)
{
    return strcmp(c->kind->k->resource, resource) == 0 && strcmp(c->kind->k->group, group) == 0;
}

int admission_forbid(struct call *c, const val *obj, struct err *err, const char *format, ...)
{
    struct str name = VAL_STR(obj, "metadata", "name");
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    if (!name.n)
        name = VAL_STR(obj, "metadata", "generateName");
    err_set(err, 403, "Forbidden", "%.*s \"%.*s\" is forbidden: %s",
            STR_ARG(c->kind->group_resource), STR_ARG(name), buf_z(&b));
    buf_done(&b);
    return -1;
}

/* --- walking --- */
void admission_walk_open(struct admission_walk *w, struct call *c, const char *group,
                         const char *resource, struct str ns)
{
    struct str start = arena_printf(&c->arena, "/registry/%s/%s/%.*s%s", *group ? group : "core",
                                    resource, STR_ARG(ns), ns.n ? "/" : "");
    struct str end = arena_printf(&c->arena, "%.*s%c", (int)start.n - 1, start.p, '/' + 1);
    w->c = c;
    w->it = store_range(c->snap, start, end);
}

val *admission_walk_next(struct admission_walk *w)
{
    struct store_kv kv;
    struct err ignored;
    val *v;
    while (store_next(w->it, &kv))
        if (doc_parse_json(&w->c->doc, kv.value, &v, &ignored) == 0)
            return v;
    return NULL;
}

void admission_walk_close(struct admission_walk *w)
{
    store_iter_free(w->it);
}

/* --- the default class of something: annotated, the newest wins, then the name --- */
static struct str default_class(struct call *c, const char *group, const char *resource,
                                const char *const *annotations)
{
    struct admission_walk w;
    const val *best = NULL;
    admission_walk_open(&w, c, group, resource, (struct str){0});
    for (const val *v; (v = admission_walk_next(&w));) {
        bool is = false;
        for (const char *const *a = annotations; *a; a++)
            is |= str_is(VAL_STR(v, "metadata", "annotations", *a), "true");
        if (is && (!best || str_cmp(VAL_STR(v, "metadata", "creationTimestamp"),
                                    VAL_STR(best, "metadata", "creationTimestamp")) > 0))
            best = v;
    }
    admission_walk_close(&w);
    return VAL_STR(best, "metadata", "name");
}

/* DefaultStorageClass */
static void mutate_claim(struct call *c, val *claim)
{
    static const char *const annotations[] = {"storageclass.kubernetes.io/is-default-class",
                                              "storageclass.beta.kubernetes.io/is-default-class",
                                              NULL};
    val *spec = val_ensure_obj(&c->doc, claim, "spec");
    if (!val_is_null(val_get(spec, "storageClassName")) ||
        VAL_PATH(claim, "metadata", "annotations", "volume.beta.kubernetes.io/storage-class"))
        return;
    struct str name = default_class(c, "storage.k8s.io", "storageclasses", annotations);
    if (name.n)
        val_set_s(&c->doc, spec, "storageClassName", name);
}

/* DefaultIngressClass */
static void mutate_ingress(struct call *c, val *ingress)
{
    static const char *const annotations[] = {"ingressclass.kubernetes.io/is-default-class", NULL};
    val *spec = val_ensure_obj(&c->doc, ingress, "spec");
    if (!val_is_null(val_get(spec, "ingressClassName")) ||
        VAL_PATH(ingress, "metadata", "annotations", "kubernetes.io/ingress.class"))
        return;
    struct str name = default_class(c, "networking.k8s.io", "ingressclasses", annotations);
    if (name.n)
        val_set_s(&c->doc, spec, "ingressClassName", name);
}

/* StorageObjectInUseProtection: the object stays until its last user is gone. */
static void protect(struct call *c, val *obj, const char *finalizer)
{
    val *list = val_ensure_arr(&c->doc, val_ensure_obj(&c->doc, obj, "metadata"), "finalizers");
    VAL_FOR (list, f) {
        if (str_is(val_str(f), finalizer))
            return;
    }
    val_push(list, val_new_z(&c->doc, finalizer));
}

/* TaintNodesByCondition: no pod comes before the node's controller has seen it ready. */
static void mutate_node(struct call *c, val *node)
{
    val *taints = val_ensure_arr(&c->doc, val_ensure_obj(&c->doc, node, "spec"), "taints");
    VAL_FOR (taints, t) {
        if (str_is(VAL_STR(t, "key"), "node.kubernetes.io/not-ready") &&
            str_is(VAL_STR(t, "effect"), "NoSchedule"))
            return;
    }
    val *taint = val_new_obj(&c->doc);
    val_set_z(&c->doc, taint, "key", "node.kubernetes.io/not-ready");
    val_set_z(&c->doc, taint, "effect", "NoSchedule");
    val_push(taints, taint);
}

/* --- pods --- */
/* RuntimeClass: its overhead and where it runs become the pod's. */
static int mutate_runtime(struct call *c, val *pod, struct err *err)
{
    struct doc *d = &c->doc;
    val *spec = val_ensure_obj(d, pod, "spec");
    struct str name = VAL_STR(spec, "runtimeClassName");
    const val *given = val_get(spec, "overhead");
    if (!name.n)
        return val_len(given) ? admission_forbid(c, pod, err,
                                                 "pod rejected: Pod Overhead set without "
                                                 "corresponding RuntimeClass defined Overhead")
                              : 0;
    const val *class =
        strategy_lookup(&c->ctx, "node.k8s.io", "runtimeclasses", (struct str){0}, name);
    if (!class)
        return admission_forbid(c, pod, err, "pod rejected: RuntimeClass \"%.*s\" not found",
                                STR_ARG(name));
    const val *overhead = VAL_PATH(class, "overhead", "podFixed");
    if (val_len(given) && (!overhead || !val_eq(given, overhead)))
        return admission_forbid(c, pod, err,
                                "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined "
                                "Overhead");
    if (val_len(overhead))
        val_set(d, spec, "overhead", val_copy(d, overhead));
    VAL_EACH (VAL_PATH(class, "scheduling", "nodeSelector"), key, value) {
        val *selector = val_ensure_obj(d, spec, "nodeSelector");
        struct str has = val_str(val_get_str(selector, val_str(key)));
        if (has.n && !str_eq(has, val_str(value)))
            return admission_forbid(c, pod, err,
                                    "conflict: runtimeClass.scheduling.nodeSelector[%.*s] = %.*s; "
                                    "pod.spec.nodeSelector[%.*s] = %.*s",
                                    STR_ARG(val_str(key)), STR_ARG(val_str(value)),
                                    STR_ARG(val_str(key)), STR_ARG(has));
        val_set_str(d, selector, val_str(key), val_copy(d, value));
    }
    VAL_FOR (VAL_PATH(class, "scheduling", "tolerations"), t) {
        val_push(val_ensure_arr(d, spec, "tolerations"), val_copy(d, t));
    }
    return 0;
}

/* Priority: the class that stands where a pod names none, the lowest of those that say so. */
static void mutate_priority(struct call *c, val *pod)
{
    val *spec = val_ensure_obj(&c->doc, pod, "spec");
    struct str start = STR("/registry/scheduling.k8s.io/priorityclasses/"), best = {0};
    int64_t lowest = 0;
    struct store_kv kv;
    if (VAL_STR(spec, "priorityClassName").n)
        return;
    struct store_iter *it =
        store_range(c->snap, start, STR("/registry/scheduling.k8s.io/priorityclasses0"));
    while (store_next(it, &kv)) {
        int64_t value = 0;
        if (!str_is(raw_member(kv.value, "globalDefault"), "true"))
            continue;
        str_to_i64(raw_member(kv.value, "value"), &value);
        if (best.n && value >= lowest)
            continue;
        best = arena_dup(&c->arena, str_from(kv.key, start.n));
        lowest = value;
    }
    store_iter_free(it);
    if (best.n)
        val_set_s(&c->doc, spec, "priorityClassName", best);
}

static int validate_priority_class(struct call *c, const val *class, struct err *err)
{
    int rc = 0;
    struct admission_walk w;
    if (!VAL_BOOL(class, "globalDefault"))
        return 0;
    admission_walk_open(&w, c, "scheduling.k8s.io", "priorityclasses", (struct str){0});
    for (const val *v; rc == 0 && (v = admission_walk_next(&w));) {
        struct str name = VAL_STR(v, "metadata", "name");
        if (VAL_BOOL(v, "globalDefault") && !str_eq(name, VAL_STR(class, "metadata", "name")))
            rc = admission_forbid(c, class, err,
                                  "PriorityClass %.*s is already marked as default. Only one "
                                  "default can exist",
                                  STR_ARG(name));
    }
    admission_walk_close(&w);
    return rc;
}

/* --- the plugins, in upstream's order --- */
int admission_mutate(struct call *c, val *obj, struct err *err)
{
    if (admission_is(c, "", "pods")) {
        limits_mutate(c, obj);
        mutate_priority(c, obj);
        return mutate_runtime(c, obj, err);
    }
    if (admission_is(c, "", "nodes"))
        mutate_node(c, obj);
    else if (admission_is(c, "", "persistentvolumes"))
        protect(c, obj, "kubernetes.io/pv-protection");
    else if (admission_is(c, "networking.k8s.io", "ingresses"))
        mutate_ingress(c, obj);
    else if (admission_is(c, "", "persistentvolumeclaims")) {
        protect(c, obj, "kubernetes.io/pvc-protection");
        mutate_claim(c, obj);
    }
    return 0;
}

int admission_validate(struct call *c, const val *obj, const val *old, struct err *err)
{
    if (limits_validate(c, obj, err) || node_restrict(c, obj, old, err) ||
        security_validate(c, obj, old, err))
        return -1;
    if (admission_is(c, "scheduling.k8s.io", "priorityclasses"))
        return validate_priority_class(c, obj, err);
    return 0;
}

int admission_delete(struct call *c, const val *old, struct err *err)
{
    return node_restrict_delete(c, old, err);
}
