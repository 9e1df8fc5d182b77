#include "control/item.h"

#include "base/arena.h"
#include "control/item_parts.h"
#include "control/pack.h"
#include "doc/quantity.h"
#include "doc/time.h"

static const struct resource replicationcontrollers = {"", "v1", "replicationcontrollers", true};
static const struct resource poddisruptionbudgets = {"policy", "v1", "poddisruptionbudgets", true};
static const struct resource persistentvolumeclaims = {"", "v1", "persistentvolumeclaims", true};
static const struct resource persistentvolumes = {"", "v1", "persistentvolumes", false};

const struct kind_info kind_infos[KIND_COUNT] = {
    [KIND_NAMESPACES] = {&RES_NAMESPACES, "v1", "Namespace"},
    [KIND_NODES] = {&RES_NODES, "v1", "Node"},
    [KIND_LEASES] = {&RES_LEASES, "coordination.k8s.io/v1", "Lease"},
    [KIND_PODS] = {&RES_PODS, "v1", "Pod"},
    [KIND_SERVICES] = {&RES_SERVICES, "v1", "Service"},
    [KIND_ENDPOINTS] = {&RES_ENDPOINTS, "v1", "Endpoints"},
    [KIND_ENDPOINTSLICES] = {&RES_ENDPOINTSLICES, "discovery.k8s.io/v1", "EndpointSlice"},
    [KIND_CONFIGMAPS] = {&RES_CONFIGMAPS, "v1", "ConfigMap"},
    [KIND_SECRETS] = {&RES_SECRETS, "v1", "Secret"},
    [KIND_SERVICEACCOUNTS] = {&RES_SERVICEACCOUNTS, "v1", "ServiceAccount"},
    [KIND_DEPLOYMENTS] = {&RES_DEPLOYMENTS, "apps/v1", "Deployment"},
    [KIND_REPLICASETS] = {&RES_REPLICASETS, "apps/v1", "ReplicaSet"},
    [KIND_REPLICATIONCONTROLLERS] = {&replicationcontrollers, "v1", "ReplicationController"},
    [KIND_CONTROLLERREVISIONS] = {&RES_CONTROLLERREVISIONS, "apps/v1", "ControllerRevision"},
    [KIND_PODDISRUPTIONBUDGETS] = {&poddisruptionbudgets, "policy/v1", "PodDisruptionBudget"},
    [KIND_PERSISTENTVOLUMECLAIMS] = {&persistentvolumeclaims, "v1", "PersistentVolumeClaim"},
    [KIND_PERSISTENTVOLUMES] = {&persistentvolumes, "v1", "PersistentVolume"},
};

enum kind kind_find(struct str api_version, struct str kind)
{
    for (int k = 0; k < KIND_COUNT; k++)
        if (str_is(kind, kind_infos[k].kind) && str_is(api_version, kind_infos[k].api_version))
            return (enum kind)k;
    return KIND_COUNT;
}

struct str labels_get(const struct labels *l, const char *key)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_is(l->at[i].key, key))
            return l->at[i].value;
    return (struct str){0};
}

static bool has_label(const struct labels *l, const struct label *want)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->at[i].key, want->key))
            return str_eq(l->at[i].value, want->value);
    return false;
}

/* Of 64, by FNV-1a. */
static uint64_t label_bit(const struct label *l)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < l->key.n; i++)
        h = (h ^ (unsigned char)l->key.p[i]) * 16777619u;
    for (size_t i = 0; i < l->value.n; i++)
        h = (h ^ (unsigned char)l->value.p[i]) * 16777619u;
    return UINT64_C(1) << (h >> 26);
}

bool labels_have(const struct labels *l, const struct labels *selection)
{
    if (selection->bits & ~l->bits)
        return false;
    for (size_t i = 0; i < selection->n; i++)
        if (!has_label(l, &selection->at[i]))
            return false;
    return true;
}

void *part_alloc(struct parts *p, size_t n)
{
    size_t at = (p->used + 15) & ~(size_t)15;
    p->used = at + n;
    if (!p->base)
        return arena_zalloc(p->measure, n);
    return memset(p->base + at, 0, n);
}

struct str part_str(struct parts *p, struct str s)
{
    if (s.n == 0)
        return (struct str){0};
    char *copy;
    if (p->base)
        copy = p->base + p->used;
    else
        copy = arena_alloc(p->measure, s.n);
    p->used += s.n;
    memcpy(copy, s.p, s.n);
    return (struct str){copy, s.n};
}

struct labels part_labels(struct parts *p, const val *v)
{
    size_t n = val_len(v);
    struct labels l = {n ? part_alloc(p, n * sizeof *l.at) : NULL, 0, 0};
    VAL_EACH (v, key, member) {
        l.at[l.n++] = (struct label){part_str(p, val_str(key)), part_str(p, val_str(member))};
        l.bits |= label_bit(&(struct label){val_str(key), val_str(member)});
    }
    return l;
}

int64_t part_time(const val *v)
{
    int64_t ns;
    return val_is_str(v) && time_parse(val_str(v), &ns, NULL) == 0 ? ns : 0;
}

int64_t part_quantity(const val *v, bool milli)
{
    struct quantity q;
    int64_t n;
    if (val_is_int(v) && !milli)
        return val_int(v);
    if (val_is_int(v))
        return __builtin_mul_overflow(val_int(v), 1000, &n) ? INT64_MAX : n;
    if (!val_is_str(v) || quantity_parse(val_str(v), &q, NULL) < 0)
        return 0;
    return milli ? quantity_milli(&q) : quantity_value(&q);
}

static void read_owners(struct parts *p, struct item *i, const val *owners)
{
    size_t n = val_len(owners);
    if (n == 0)
        return;
    i->owners = part_alloc(p, n * sizeof *i->owners);
    VAL_FOR (owners, o) {
        struct owner *to = &i->owners[i->owner_count++];
        *to = (struct owner){
            .api_version = part_str(p, VAL_STR(o, "apiVersion")),
            .kind = part_str(p, VAL_STR(o, "kind")),
            .name = part_str(p, VAL_STR(o, "name")),
            .uid = part_str(p, VAL_STR(o, "uid")),
            .controller = VAL_BOOL(o, "controller"),
            .blocks = VAL_BOOL(o, "blockOwnerDeletion"),
        };
        if (to->controller && !i->controller)
            i->controller = to;
    }
}

static unsigned read_finalizers(const val *list)
{
    unsigned bits = 0;
    VAL_FOR (list, f) {
        if (str_is(val_str(f), "foregroundDeletion"))
            bits |= FINALIZER_FOREGROUND;
        else if (str_is(val_str(f), "orphan"))
            bits |= FINALIZER_ORPHAN;
        else if (str_is(val_str(f), "kubernetes.io/pvc-protection") ||
                 str_is(val_str(f), "kubernetes.io/pv-protection"))
            bits |= FINALIZER_PROTECTION;
        else
            bits |= FINALIZER_OTHER;
    }
    return bits;
}

static struct item *build(struct parts *p, enum kind kind, const val *v)
{
    struct item *i = part_alloc(p, sizeof *i);
    const val *meta = val_get(v, "metadata");
    i->kind = kind;
    struct str ns = VAL_STR(meta, "namespace"), name = VAL_STR(meta, "name");
    if (ns.n) { /* "ns/name" once; ns and name are views of it */
        i->ns = part_str(p, ns);
        struct str slash = part_str(p, STR("/"));
        i->name = part_str(p, name);
        i->key = (struct str){i->ns.p, ns.n + slash.n + name.n};
    } else {
        i->name = i->key = part_str(p, name);
    }
    i->uid = part_str(p, VAL_STR(meta, "uid"));
    i->rv_text = part_str(p, VAL_STR(meta, "resourceVersion"));
    str_to_i64(i->rv_text, &i->rv);
    i->created = part_time(val_get(meta, "creationTimestamp"));
    i->deleted = part_time(val_get(meta, "deletionTimestamp"));
    i->finalizers = read_finalizers(val_get(meta, "finalizers"));
    i->labels = part_labels(p, val_get(meta, "labels"));
    read_owners(p, i, val_get(meta, "ownerReferences"));
    if (kind == KIND_PODS)
        i->pod = item_read_pod(p, v);
    else if (kind == KIND_NODES)
        i->node = item_read_node(p, v);
    else if (kind == KIND_SERVICES || kind == KIND_REPLICATIONCONTROLLERS)
        i->selector = part_labels(p, VAL_PATH(v, "spec", "selector"));
    else if (kind == KIND_REPLICASETS || kind == KIND_DEPLOYMENTS ||
             kind == KIND_PODDISRUPTIONBUDGETS)
        i->selector = part_labels(p, VAL_PATH(v, "spec", "selector", "matchLabels"));
    return i;
}

/* Built twice: once to learn the size, once into a block of just that size. */
struct item *item_new(enum kind kind, const val *v, struct bytes *json)
{
    struct arena scratch = {0};
    struct parts p = {.measure = &scratch};
    build(&p, kind, v);
    arena_done(&scratch);

    p = (struct parts){.base = mem_alloc(p.used)};
    struct item *i = build(&p, kind, v);
    i->packed = pack(bytes_str(json));
    atomic_init(&i->refs, 1);
    return i;
}

struct item *item_ref(struct item *i)
{
    if (i)
        atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
    return i;
}

void item_unref(struct item *i)
{
    if (!i || atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) != 1)
        return;
    bytes_unref(i->packed);
    free(i);
}
