/* NodeRestriction: a node changes its own objects and those of the pods that are bound to it. */
#include "api/admission/admission.h"
#include "api/authz/authz.h"

static struct str node_of(const struct call *c)
{
    return authz_node_of(&c->user);
}

static int own_name(struct call *c, const val *obj, const char *what, struct err *err)
{
    struct str name = VAL_STR(obj, "metadata", "name");
    return str_eq(name, node_of(c))
               ? 0
               : admission_forbid(c, obj, err,
                                  "can only access %s with the same name as the "
                                  "requesting node",
                                  what);
}

/* Labels in the project's own domains that a node may give itself. */
static bool label_allowed(struct str key)
{
    static const char *const names[] = {"kubernetes.io/hostname",
                                        "kubernetes.io/os",
                                        "kubernetes.io/arch",
                                        "beta.kubernetes.io/os",
                                        "beta.kubernetes.io/arch",
                                        "beta.kubernetes.io/instance-type",
                                        "node.kubernetes.io/instance-type",
                                        "failure-domain.beta.kubernetes.io/zone",
                                        "failure-domain.beta.kubernetes.io/region",
                                        "topology.kubernetes.io/zone",
                                        "topology.kubernetes.io/region"};
    struct str domain, rest;
    if (!str_cut(key, '/', &domain, &rest))
        return true;
    if (!str_is(domain, "kubernetes.io") && !str_ends(domain, STR(".kubernetes.io")) &&
        !str_is(domain, "k8s.io") && !str_ends(domain, STR(".k8s.io")))
        return true;
    if (str_is(domain, "kubelet.kubernetes.io") || str_is(domain, "node.kubernetes.io") ||
        str_ends(domain, STR(".kubelet.kubernetes.io")) ||
        str_ends(domain, STR(".node.kubernetes.io")))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(key, names[i]))
            return true;
    return false;
}

static void changed_labels(const val *now, const val *was, struct buf *b)
{
    VAL_EACH (now, key, value) {
        const val *before = val_get_str(was, val_str(key));
        if (!label_allowed(val_str(key)) && !(before && val_eq(before, value)))
            buf_printf(b, "%s%.*s", b->n ? ", " : "", STR_ARG(val_str(key)));
    }
}

static int check_labels(struct call *c, const val *obj, const val *old, struct err *err)
{
    const val *now = VAL_PATH(obj, "metadata", "labels"),
              *was = VAL_PATH(old, "metadata", "labels");
    struct buf b = {0};
    int rc = 0;
    changed_labels(now, was, &b);
    VAL_EACH (was, key, value) {
        (void)value;
        if (!val_get_str(now, val_str(key)) && !label_allowed(val_str(key)))
            buf_printf(&b, "%s%.*s", b.n ? ", " : "", STR_ARG(val_str(key)));
    }
    struct str node = node_of(c);
    if (b.n && old)
        rc = admission_forbid(c, obj, err, "is not allowed to modify labels: %s", buf_z(&b));
    else if (b.n)
        rc = admission_forbid(c, obj, err,
                              "node \"%.*s\" is not allowed to set the following labels: %s",
                              STR_ARG(node), buf_z(&b));
    buf_done(&b);
    return rc;
}

static bool differs(const val *obj, const val *old, const char *part, const char *member)
{
    const val *a = VAL_PATH(obj, part, member), *b = VAL_PATH(old, part, member);
    return val_len(a) || val_len(b) ? !a || !b || !val_eq(a, b) : false;
}

static int restrict_node(struct call *c, const val *obj, const val *old, struct err *err)
{
    struct str node = node_of(c), name = VAL_STR(obj, "metadata", "name");
    if (!str_eq(name, node))
        return admission_forbid(c, obj, err, "node \"%.*s\" is not allowed to modify node \"%.*s\"",
                                STR_ARG(node), STR_ARG(name));
    if (c->route.subresource.n)
        return 0;
    if (check_labels(c, obj, old, err))
        return -1;
    if (!old && val_len(VAL_PATH(obj, "metadata", "ownerReferences")))
        return admission_forbid(c, obj, err, "node \"%.*s\" is not allowed to set ownerReferences",
                                STR_ARG(node));
    if (old && differs(obj, old, "metadata", "ownerReferences"))
        return admission_forbid(
            c, obj, err, "node \"%.*s\" is not allowed to modify ownerReferences", STR_ARG(node));
    if (old && differs(obj, old, "spec", "taints"))
        return admission_forbid(c, obj, err, "node \"%.*s\" is not allowed to modify taints",
                                STR_ARG(node));
    return 0;
}

/* A mirror pod stands for one that the node has from its own disk; it may refer to nothing. */
static int restrict_mirror(struct call *c, const val *pod, struct err *err)
{
    struct str node = node_of(c);
    const val *spec = val_get(pod, "spec"), *owners = VAL_PATH(pod, "metadata", "ownerReferences");
    const char *what = NULL;
    if (val_len(owners) != 1 || !str_is(VAL_STR(val_at(owners, 0), "kind"), "Node") ||
        !str_eq(VAL_STR(val_at(owners, 0), "name"), node))
        return admission_forbid(c, pod, err,
                                "node \"%.*s\" can only create pods with an owner reference set to "
                                "itself",
                                STR_ARG(node));
    if (VAL_STR(spec, "serviceAccountName").n)
        what = "a service account";
    VAL_FOR (val_get(spec, "volumes"), v) {
        if (val_get(v, "secret"))
            what = "secrets";
        else if (val_get(v, "configMap"))
            what = "configmaps";
        else if (val_get(v, "persistentVolumeClaim"))
            what = "persistentvolumeclaims";
        else if (val_get(v, "projected"))
            what = "projected volumes";
    }
    return what ? admission_forbid(c, pod, err,
                                   "node \"%.*s\" can not create pods that reference %s",
                                   STR_ARG(node), what)
                : 0;
}

int node_restrict(struct call *c, const val *obj, const val *old, struct err *err)
{
    if (!node_of(c).n)
        return 0;
    if (admission_is(c, "", "nodes"))
        return restrict_node(c, obj, old, err);
    if (admission_is(c, "coordination.k8s.io", "leases"))
        return own_name(c, obj, "node lease", err);
    if (admission_is(c, "storage.k8s.io", "csinodes"))
        return own_name(c, obj, "CSINode", err);
    if (admission_is(c, "", "pods") && !old)
        return restrict_mirror(c, obj, err);
    return 0;
}

int node_restrict_delete(struct call *c, const val *old, struct err *err)
{
    struct str node = node_of(c);
    if (!node.n || !admission_is(c, "", "pods") || str_eq(VAL_STR(old, "spec", "nodeName"), node))
        return 0;
    bool evict = str_is(c->route.subresource, "eviction");
    return admission_forbid(c, old, err,
                            "node \"%.*s\" can only %s pods with spec.nodeName set to itself",
                            STR_ARG(node), evict ? "evict" : "delete");
}
