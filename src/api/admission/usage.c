/* What pods reserve, what quotas count (upstream's pkg/quota/v1/evaluator/core and
 * k8s.io/component-helpers/resource). */
#include "api/admission/admission.h"

struct usage_item *usage_find(const struct usage *u, struct str name)
{
    for (size_t i = 0; i < u->n; i++)
        if (str_eq(u->at[i].name, name))
            return &u->at[i];
    return NULL;
}

void usage_add(struct usage *u, struct arena *a, struct str name, const struct quantity *q)
{
    struct usage_item *item = usage_find(u, name);
    if (item) {
        quantity_add(&item->q, q);
        return;
    }
    if (u->n == u->cap) {
        size_t cap = u->cap ? u->cap * 2 : 8;
        struct usage_item *at = arena_alloc(a, cap * sizeof(*at));
        if (u->n)
            memcpy(at, u->at, u->n * sizeof(*at));
        u->at = at;
        u->cap = cap;
    }
    u->at[u->n++] = (struct usage_item){arena_dup(a, name), *q};
}

static void usage_max(struct usage *u, struct arena *a, const struct usage *other)
{
    for (size_t i = 0; i < other->n; i++) {
        struct usage_item *item = usage_find(u, other->at[i].name);
        if (!item)
            usage_add(u, a, other->at[i].name, &other->at[i].q);
        else if (quantity_cmp(&item->q, &other->at[i].q) < 0)
            item->q = other->at[i].q;
    }
}

static void usage_sum(struct usage *u, struct arena *a, const struct usage *other)
{
    for (size_t i = 0; i < other->n; i++)
        usage_add(u, a, other->at[i].name, &other->at[i].q);
}

void usage_read(struct usage *u, struct arena *a, const val *list)
{
    VAL_EACH (list, key, v) {
        struct quantity q;
        struct err ignored;
        if (quantity_parse(val_str(v), &q, &ignored) == 0)
            usage_add(u, a, val_str(key), &q);
    }
}

/* --- pods --- */
static void sum_containers(struct usage *u, struct arena *a, const val *spec, const char *member)
{
    struct usage most = {0}, sidecars = {0};
    VAL_FOR (val_get(spec, "containers"), k) {
        usage_read(u, a, VAL_PATH(k, "resources", member));
    }
    VAL_FOR (val_get(spec, "initContainers"), k) {
        struct usage one = {0};
        usage_read(&one, a, VAL_PATH(k, "resources", member));
        if (str_is(VAL_STR(k, "restartPolicy"), "Always")) {
            usage_sum(u, a, &one);
            usage_sum(&sidecars, a, &one);
            one = (struct usage){0};
        }
        usage_sum(&one, a, &sidecars);
        usage_max(&most, a, &one);
    }
    usage_max(u, a, &most);
}

void usage_of_pod(struct usage *u, struct arena *a, const val *spec, const char *member)
{
    struct usage whole = {0}, overhead = {0};
    sum_containers(u, a, spec, member);
    usage_read(&whole, a, VAL_PATH(spec, "resources", member));
    for (size_t i = 0; i < whole.n; i++) {
        struct usage_item *item = usage_find(u, whole.at[i].name);
        if (item)
            item->q = whole.at[i].q;
        else
            usage_add(u, a, whole.at[i].name, &whole.at[i].q);
    }
    usage_read(&overhead, a, val_get(spec, "overhead"));
    for (size_t i = 0; i < overhead.n; i++)
        if (strcmp(member, "requests") == 0 || usage_find(u, overhead.at[i].name))
            usage_add(u, a, overhead.at[i].name, &overhead.at[i].q);
}

static void count_one(struct usage *u, struct arena *a, struct str name)
{
    const struct quantity one = {.nano = 1000000000, .format = QUANTITY_DECIMAL_SI};
    usage_add(u, a, name, &one);
}

static bool is_compute(struct str name)
{
    return str_is(name, "cpu") || str_is(name, "memory") || str_is(name, "ephemeral-storage") ||
           str_starts(name, STR("hugepages-"));
}

static void count_pod(struct usage *u, struct arena *a, const val *pod)
{
    const val *spec = val_get(pod, "spec");
    struct str phase = VAL_STR(pod, "status", "phase");
    struct usage requests = {0}, limits = {0};
    if (str_is(phase, "Failed") || str_is(phase, "Succeeded"))
        return; /* what is over uses nothing */
    count_one(u, a, STR("pods"));
    usage_of_pod(&requests, a, spec, "requests");
    usage_of_pod(&limits, a, spec, "limits");
    for (size_t i = 0; i < requests.n; i++) {
        const struct usage_item *r = &requests.at[i];
        if (is_compute(r->name))
            usage_add(u, a, r->name, &r->q);
        usage_add(u, a, arena_printf(a, "requests.%.*s", STR_ARG(r->name)), &r->q);
    }
    for (size_t i = 0; i < limits.n; i++)
        if (is_compute(limits.at[i].name))
            usage_add(u, a, arena_printf(a, "limits.%.*s", STR_ARG(limits.at[i].name)),
                      &limits.at[i].q);
}

static void count_service(struct usage *u, struct arena *a, const val *service)
{
    struct str type = VAL_STR(service, "spec", "type");
    const val *allocate = VAL_PATH(service, "spec", "allocateLoadBalancerNodePorts");
    bool balanced = str_is(type, "LoadBalancer");
    struct quantity ports = {.nano = 0, .format = QUANTITY_DECIMAL_SI};
    count_one(u, a, STR("services"));
    if (balanced)
        count_one(u, a, STR("services.loadbalancers"));
    VAL_FOR (VAL_PATH(service, "spec", "ports"), port) {
        bool none = balanced && val_is_bool(allocate) && !val_bool(allocate);
        if (!none || VAL_INT(port, "nodePort"))
            ports.nano += 1000000000;
    }
    if (balanced || str_is(type, "NodePort"))
        usage_add(u, a, STR("services.nodeports"), &ports);
}

static void count_claim(struct usage *u, struct arena *a, const val *claim)
{
    struct str class = VAL_STR(claim, "spec", "storageClassName");
    struct quantity size;
    struct err ignored;
    struct str request = VAL_STR(claim, "spec", "resources", "requests", "storage");
    count_one(u, a, STR("persistentvolumeclaims"));
    if (class.n)
        count_one(u, a,
                  arena_printf(a, "%.*s.storageclass.storage.k8s.io/persistentvolumeclaims",
                               STR_ARG(class)));
    if (quantity_parse(request, &size, &ignored) != 0)
        return;
    usage_add(u, a, STR("requests.storage"), &size);
    if (class.n)
        usage_add(
            u, a,
            arena_printf(a, "%.*s.storageclass.storage.k8s.io/requests.storage", STR_ARG(class)),
            &size);
}

void usage_of_object(struct usage *u, struct arena *a, const struct schema_kind *k, const val *obj)
{
    static const char *const counted[] = {"configmaps", "secrets", "replicationcontrollers",
                                          "resourcequotas"};
    count_one(u, a, arena_printf(a, "count/%s%s%s", k->resource, *k->group ? "." : "", k->group));
    if (*k->group)
        return;
    if (strcmp(k->resource, "pods") == 0)
        count_pod(u, a, obj);
    else if (strcmp(k->resource, "services") == 0)
        count_service(u, a, obj);
    else if (strcmp(k->resource, "persistentvolumeclaims") == 0)
        count_claim(u, a, obj);
    for (size_t i = 0; i < ARRAY_LEN(counted); i++)
        if (strcmp(k->resource, counted[i]) == 0)
            count_one(u, a, str_of(k->resource));
}
