/* What every namespace has from its first moment on: the ServiceAccount "default" and the ConfigMap
 * "kube-root-ca.crt". Upstream: pkg/controller/serviceaccount and certificates/rootcacertpublisher.
 */
#include "control/control.h"
#include "control/meta.h"

static val *named(struct view *v, struct str ns, const char *name)
{
    val *obj = val_new_obj(v->doc), *meta = val_ensure_obj(v->doc, obj, "metadata");
    val_set_z(v->doc, meta, "name", name);
    val_set_s(v->doc, meta, "namespace", ns);
    return obj;
}

static bool is_active(const struct item *ns)
{
    return ns && !ns->deleted;
}

static struct str key_in(struct view *v, struct str ns, const char *name)
{
    return arena_printf(v->arena, "%.*s/%s", STR_ARG(ns), name);
}

/* A namespace is marked when it comes, and when its object goes. */
static void mark_for(struct marks *m, const struct change *c, enum kind kind, const char *name)
{
    const struct item *i = change_item(c);
    if (c->kind == KIND_NAMESPACES && c->now)
        mark_key(m, i->name);
    else if (c->kind == kind && str_is(i->name, name))
        mark_key(m, i->ns);
}

/* --- the account --- */

static void reconcile_account(struct view *v, struct str key, struct actions *a)
{
    if (!is_active(view_item(v, KIND_NAMESPACES, key)) ||
        view_item(v, KIND_SERVICEACCOUNTS, key_in(v, key, "default")))
        return;
    act_create(a, KIND_SERVICEACCOUNTS, named(v, key, "default"));
}

static void account_changed(struct marks *m, const struct change *c)
{
    if (c->kind != KIND_SERVICEACCOUNTS || !c->now)
        mark_for(m, c, KIND_SERVICEACCOUNTS, "default");
}

const struct controller controller_serviceaccount = {
    .name = "serviceaccount",
    .component = "service-account-controller",
    .reconcile = reconcile_account,
    .changed = account_changed,
};

/* --- the root certificate --- */

#define ROOT_CA "kube-root-ca.crt"

static void reconcile_root_ca(struct view *v, struct str key, struct actions *a)
{
    struct str pem = v->config->ca_pem;
    if (!pem.n || !is_active(view_item(v, KIND_NAMESPACES, key)))
        return;
    val *map = view_get(v, KIND_CONFIGMAPS, key_in(v, key, ROOT_CA));
    if (map && val_len(val_get(map, "data")) == 1 && str_eq(VAL_STR(map, "data", "ca.crt"), pem))
        return;
    bool fresh = !map;
    if (fresh)
        map = named(v, key, ROOT_CA);
    val *data = val_new_obj(v->doc);
    val_set_s(v->doc, data, "ca.crt", pem);
    val_set(v->doc, map, "data", data);
    val *notes = val_ensure_obj(v->doc, val_get(map, "metadata"), "annotations");
    val_set_z(v->doc, notes, "kubernetes.io/description",
              "Contains a CA bundle that can be used to verify the kube-apiserver when using "
              "internal endpoints such as the internal service IP or "
              "kubernetes.default.svc. No other usage is guaranteed across distributions of "
              "Kubernetes clusters.");
    if (fresh)
        act_create(a, KIND_CONFIGMAPS, map);
    else
        act_update(a, KIND_CONFIGMAPS, map, NULL);
}

static void root_ca_changed(struct marks *m, const struct change *c)
{
    mark_for(m, c, KIND_CONFIGMAPS, ROOT_CA);
}

const struct controller controller_root_ca = {
    .name = "root-ca",
    .component = "root-ca-cert-publisher",
    .reconcile = reconcile_root_ca,
    .changed = root_ca_changed,
};
