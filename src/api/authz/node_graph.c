#include "api/authz/node_graph.h"

#include "api/authz/feed.h"
#include "api/raw.h"
#include "base/map.h"
#include "base/mem.h"

#define PODS "/registry/core/pods/"

enum { MANY = 64 };

struct node {
    struct map refs; /* "KIND/NAMESPACE/NAME" → count */
};

struct node_graph {
    struct feed feed;
    pthread_mutex_t lock;
    int64_t revision;
    struct map nodes;
};

/* --- counting --- */
struct counting {
    struct node_graph *graph;
    struct node *node;
    struct str ns;
    int64_t by; /* 1 or -1 */
};

static struct str ref_key(char *room, size_t size, enum node_ref kind, struct str ns,
                          struct str name)
{
    int n = snprintf(room, size, "%c/%.*s/%.*s", kind, STR_ARG(ns), STR_ARG(name));
    return n > 0 && (size_t)n < size ? (struct str){room, (size_t)n} : (struct str){0};
}

static void count(const struct counting *c, enum node_ref kind, struct str name)
{
    char room[600];
    struct str key = ref_key(room, sizeof(room), kind, c->ns, name);
    if (!name.n || !key.n)
        return;
    int64_t n = (int64_t)(intptr_t)map_get(&c->node->refs, key) + c->by;
    if (n > 0)
        map_set(&c->node->refs, key, (void *)(intptr_t)n);
    else
        map_del(&c->node->refs, key);
}

static void count_env(const struct counting *c, const val *container)
{
    VAL_FOR (val_get(container, "env"), e) {
        count(c, NODE_REF_SECRET, VAL_STR(e, "valueFrom", "secretKeyRef", "name"));
        count(c, NODE_REF_CONFIGMAP, VAL_STR(e, "valueFrom", "configMapKeyRef", "name"));
    }
    VAL_FOR (val_get(container, "envFrom"), e) {
        count(c, NODE_REF_SECRET, VAL_STR(e, "secretRef", "name"));
        count(c, NODE_REF_CONFIGMAP, VAL_STR(e, "configMapRef", "name"));
    }
}

static void count_volume(const struct counting *c, const val *pod, const val *volume)
{
    static const char *const drivers[] = {"azureFile", "cephfs",     "cinder",
                                          "csi",       "flexVolume", "iscsi",
                                          "rbd",       "scaleIO",    "storageos"};
    count(c, NODE_REF_SECRET, VAL_STR(volume, "secret", "secretName"));
    count(c, NODE_REF_CONFIGMAP, VAL_STR(volume, "configMap", "name"));
    count(c, NODE_REF_CLAIM, VAL_STR(volume, "persistentVolumeClaim", "claimName"));
    VAL_FOR (VAL_PATH(volume, "projected", "sources"), s) {
        count(c, NODE_REF_SECRET, VAL_STR(s, "secret", "name"));
        count(c, NODE_REF_CONFIGMAP, VAL_STR(s, "configMap", "name"));
    }
    if (val_get(volume, "ephemeral")) {
        char claim[512];
        snprintf(claim, sizeof(claim), "%.*s-%.*s", STR_ARG(VAL_STR(pod, "metadata", "name")),
                 STR_ARG(VAL_STR(volume, "name")));
        count(c, NODE_REF_CLAIM, str_of(claim));
    }
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        const val *source = val_get(volume, drivers[i]);
        count(c, NODE_REF_SECRET, VAL_STR(source, "secretRef", "name"));
        count(c, NODE_REF_SECRET, VAL_STR(source, "nodePublishSecretRef", "name"));
        count(c, NODE_REF_SECRET, VAL_STR(source, "secretName"));
    }
}

static void count_pod(const struct counting *c, const val *pod)
{
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    const val *spec = val_get(pod, "spec");
    count(c, NODE_REF_ACCOUNT, VAL_STR(spec, "serviceAccountName"));
    VAL_FOR (val_get(spec, "imagePullSecrets"), s) {
        count(c, NODE_REF_SECRET, VAL_STR(s, "name"));
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        VAL_FOR (val_get(spec, lists[i]), container) {
            count_env(c, container);
        }
    }
    VAL_FOR (val_get(spec, "volumes"), volume) {
        count_volume(c, pod, volume);
    }
    VAL_FOR (val_get(spec, "resourceClaims"), claim) {
        count(c, NODE_REF_RESOURCE_CLAIM, VAL_STR(claim, "resourceClaimName"));
    }
    VAL_FOR (VAL_PATH(pod, "status", "resourceClaimStatuses"), claim) {
        count(c, NODE_REF_RESOURCE_CLAIM, VAL_STR(claim, "resourceClaimName"));
    }
}

/* json: a pod that is bound. A mirror pod is the node's own word and grants nothing. */
static void add_pod(struct node_graph *g, struct str json, int64_t by)
{
    struct doc d;
    struct err ignored;
    val *pod;
    doc_init(&d);
    if (doc_parse_json(&d, json, &pod, &ignored) == 0 &&
        !VAL_PATH(pod, "metadata", "annotations", "kubernetes.io/config.mirror")) {
        struct str name = VAL_STR(pod, "spec", "nodeName");
        struct node *node = map_get(&g->nodes, name);
        if (!node && by > 0) {
            node = NEW(struct node);
            map_set(&g->nodes, name, node);
        }
        struct counting c = {g, node, VAL_STR(pod, "metadata", "namespace"), by};
        if (node)
            count_pod(&c, pod);
        if (node && !node->refs.count) {
            map_del(&g->nodes, name);
            map_done(&node->refs);
            free(node);
        }
    }
    doc_done(&d);
}

/* --- following the pods --- */
static bool is_bound(struct str json)
{
    return json.n && raw_text(raw_path(json, "spec.nodeName")).n;
}

/* What a pod refers to is settled when it is bound, but for ephemeral containers and claims that
 * are made for it. */
static bool same_refs(struct str now, struct str was)
{
    static const char *const paths[] = {"spec.ephemeralContainers", "status.resourceClaimStatuses"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (!str_eq(raw_path(now, paths[i]), raw_path(was, paths[i])))
            return false;
    return true;
}

static void follow(struct node_graph *g, const struct store_event *e)
{
    struct str now = bytes_str(e->value), was = bytes_str(e->prev);
    bool bound = is_bound(now), bound_before = is_bound(was);
    if (bound && bound_before && same_refs(now, was))
        return;
    if (bound)
        add_pod(g, now, 1);
    if (bound_before)
        add_pod(g, was, -1);
}

/* With the lock. */
static void catch_up(struct node_graph *g)
{
    struct store_batch **batches;
    size_t n = feed_take(&g->feed, &batches);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < batches[i]->count; k++) {
            const struct store_event *e = &batches[i]->events[k];
            if (e->revision > g->revision && feed_concerns(&g->feed, e))
                follow(g, e);
        }
        store_batch_unref(batches[i]);
    }
    free(batches);
}

void node_graph_tend(struct node_graph *g)
{
    if (feed_waiting(&g->feed) < MANY || pthread_mutex_trylock(&g->lock) != 0)
        return;
    catch_up(g);
    pthread_mutex_unlock(&g->lock);
}

bool node_graph_has(struct node_graph *g, struct str node, enum node_ref kind, struct str ns,
                    struct str name)
{
    char room[600];
    struct str key = ref_key(room, sizeof(room), kind, ns, name);
    pthread_mutex_lock(&g->lock);
    if (feed_waiting(&g->feed))
        catch_up(g);
    struct node *n = map_get(&g->nodes, node);
    bool has = n && key.n && map_get(&n->refs, key);
    pthread_mutex_unlock(&g->lock);
    return has;
}

int node_graph_new(struct store *store, struct node_graph **ret, struct err *err)
{
    struct node_graph *g = NEW(struct node_graph);
    struct store_snap *snap;
    struct store_kv kv;
    pthread_mutex_init(&g->lock, NULL);
    g->feed.prefixes[0] = STR(PODS);
    feed_open(&g->feed, store, &g->revision);
    if (store_snap_begin(store, 0, &snap, err) != 0) {
        node_graph_free(g);
        return -1;
    }
    g->revision = store_snap_revision(snap);
    struct store_iter *it = store_range(snap, STR(PODS), STR("/registry/core/pods0"));
    while (store_next(it, &kv))
        if (is_bound(kv.value))
            add_pod(g, kv.value, 1);
    store_iter_free(it);
    store_snap_end(snap);
    *ret = g;
    return 0;
}

void node_graph_free(struct node_graph *g)
{
    if (!g)
        return;
    feed_close(&g->feed);
    for (struct map_entry *e = NULL; (e = map_next(&g->nodes, e));) {
        map_done(&((struct node *)e->value)->refs);
        free(e->value);
    }
    map_done(&g->nodes);
    pthread_mutex_destroy(&g->lock);
    free(g);
}
