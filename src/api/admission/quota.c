/* ResourceQuota. What a write uses more or less is added to the quotas of its namespace in the same
 * atomic write, each with the version it was judged by: two writes at once cannot both take what is
 * left, the second one is judged again. What ends (a pod that has finished, an object that is
 * deleted) gives back in the write that ends it. */
#include "api/admission/admission.h"
#include "api/core.h"
#include "api/kinds/kinds.h"

/* --- which objects a quota counts --- */
static bool in_scope(const val *pod, struct str scope, struct str op, const val *values)
{
    const val *spec = val_get(pod, "spec");
    bool terminating = !val_is_null(val_get(spec, "activeDeadlineSeconds"));
    bool best_effort = strcmp(pod_qos(spec), "BestEffort") == 0;
    struct str class = VAL_STR(spec, "priorityClassName");
    if (str_is(scope, "Terminating"))
        return terminating;
    if (str_is(scope, "NotTerminating"))
        return !terminating;
    if (str_is(scope, "BestEffort"))
        return best_effort;
    if (str_is(scope, "NotBestEffort"))
        return !best_effort;
    if (str_is(scope, "PriorityClass")) {
        if (str_is(op, "In"))
            return class.n && val_str_list_has(values, class);
        if (str_is(op, "NotIn"))
            return !val_str_list_has(values, class);
        return str_is(op, "DoesNotExist") ? !class.n : class.n != 0;
    }
    return false;
}

static bool has_namespaces(const val *terms, bool preferred)
{
    VAL_FOR (terms, t) {
        const val *term = preferred ? val_get(t, "podAffinityTerm") : t;
        if (val_len(val_get(term, "namespaces")) || val_get(term, "namespaceSelector"))
            return true;
    }
    return false;
}

static bool crosses_namespaces(const val *pod)
{
    static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const val *a = VAL_PATH(pod, "spec", "affinity", kinds[i]);
        if (has_namespaces(val_get(a, "requiredDuringSchedulingIgnoredDuringExecution"), false) ||
            has_namespaces(val_get(a, "preferredDuringSchedulingIgnoredDuringExecution"), true))
            return true;
    }
    return false;
}

static bool scope_fits(const val *pod, struct str scope, struct str op, const val *values)
{
    return str_is(scope, "CrossNamespacePodAffinity") ? crosses_namespaces(pod)
                                                      : in_scope(pod, scope, op, values);
}

static bool matches(const val *quota, const struct schema_kind *k, const val *obj)
{
    const val *scopes = VAL_PATH(quota, "spec", "scopes");
    const val *selector = VAL_PATH(quota, "spec", "scopeSelector", "matchExpressions");
    bool pod = !*k->group && strcmp(k->resource, "pods") == 0;
    if (!pod)
        return !val_len(scopes) && !val_len(selector);
    VAL_FOR (scopes, s) {
        if (!scope_fits(obj, val_str(s), STR("Exists"), NULL))
            return false;
    }
    VAL_FOR (selector, e) {
        if (!scope_fits(obj, VAL_STR(e, "scopeName"), VAL_STR(e, "operator"), val_get(e, "values")))
            return false;
    }
    return true;
}

/* --- what pods must say where a quota counts it --- */
static void put_missing(struct call *c, const val *pod, const char *name, struct buf *b)
{
    static const char *const lists[] = {"containers", "initContainers"};
    struct str rest = str_of(name), member, resource;
    bool any = false;
    (void)c;
    if (!str_cut(rest, '.', &member, &resource)) {
        resource = member;
        member = STR("requests");
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        VAL_FOR (VAL_PATH(pod, "spec", lists[i]), k) {
            if (val_get_str(val_get_str(val_get(k, "resources"), member), resource) ||
                val_get_str(val_get_str(VAL_PATH(pod, "spec", "resources"), member), resource))
                continue;
            if (any)
                buf_printf(b, ",%.*s", STR_ARG(VAL_STR(k, "name")));
            else
                buf_printf(b, "%s%s for: %.*s", b->n ? "; " : "", name,
                           STR_ARG(VAL_STR(k, "name")));
            any = true;
        }
    }
}

static int check_says(struct call *c, const val *quota, const val *pod, struct err *err)
{
    static const char *const names[] = {"cpu",    "limits.cpu",   "limits.memory",
                                        "memory", "requests.cpu", "requests.memory"};
    struct buf b = {0};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (VAL_PATH(quota, "status", "hard", names[i]))
            put_missing(c, pod, names[i], &b);
    if (b.n)
        rc = admission_forbid(c, pod, err, "failed quota: %.*s: must specify %s",
                              STR_ARG(VAL_STR(quota, "metadata", "name")), buf_z(&b));
    buf_done(&b);
    return rc;
}

/* --- the difference that a write makes --- */
struct charge {
    struct call *c;
    const struct schema_kind *k;
    const val *obj, *old;
    struct usage now, was;
};

static struct quantity amount(const struct usage *u, struct str name)
{
    const struct usage_item *item = usage_find(u, name);
    return item ? item->q : (struct quantity){.nano = 0, .format = QUANTITY_DECIMAL_SI};
}

static void put_pair(struct buf *b, struct str name, const struct quantity *q)
{
    buf_printf(b, "%s%.*s=", b->n ? "," : "", STR_ARG(name));
    quantity_write(q, b);
}

struct excess {
    struct buf requested, used, limited;
};

static void set_quantity(struct doc *d, val *list, struct str name, const struct quantity *q)
{
    struct buf b = {0};
    quantity_write(q, &b);
    val_set_str(d, list, name, val_new_str(d, buf_str(&b)));
    buf_done(&b);
}

/* One resource of one quota: 1 when what is used changed. */
static bool charge_one(struct charge *ch, val *quota, struct str name, const val *limit,
                       bool counted_now, bool counted_before, struct excess *over)
{
    struct err ignored;
    struct quantity hard, used = {0}, delta = {.format = QUANTITY_DECIMAL_SI};
    val *list = val_ensure_obj(&ch->c->doc, val_ensure_obj(&ch->c->doc, quota, "status"), "used");
    const val *has = val_get_str(list, name);
    if (counted_now)
        delta = amount(&ch->now, name);
    if (counted_before) {
        struct quantity was = amount(&ch->was, name);
        quantity_sub(&delta, &was);
    }
    if (delta.nano == 0 || quantity_parse(val_str(limit), &hard, &ignored) != 0)
        return false;
    if (has && quantity_parse(val_str(has), &used, &ignored) != 0)
        return false;
    struct quantity next = used;
    quantity_add(&next, &delta);
    if (next.nano < 0)
        next.nano = 0;
    bool status = str_is(ch->c->route.subresource, "status");
    if (delta.nano > 0 && !status && quantity_cmp(&next, &hard) > 0) {
        put_pair(&over->requested, name, &delta);
        put_pair(&over->used, name, &used);
        put_pair(&over->limited, name, &hard);
    }
    set_quantity(&ch->c->doc, list, name, &next);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Upstream tells resources in the order of their names. */
static struct str *sorted_names(struct arena *a, const val *hard, size_t *ret_n)
{
    struct str *names = arena_alloc(a, (val_len(hard) + 1) * sizeof(*names));
    size_t n = 0;
    VAL_EACH (hard, key, v) {
        (void)v;
        names[n++] = val_str(key);
    }
    qsort(names, n, sizeof(*names), by_name);
    *ret_n = n;
    return names;
}

static void put_quota(struct call *c, struct str key, int64_t mod_rev, const val *quota)
{
    const struct kind *k = kinds_find(&c->api->kinds, STR(""), STR("v1"), STR("resourcequotas"));
    int64_t at;
    size_t n = c->ctx.extra_count;
    struct bytes *json = meta_encode(c, k, quota, &at);
    strategy_add_op(&c->ctx, STORE_PUT, key, json, mod_rev);
    if (c->ctx.extra_count > n)
        c->ctx.extra_ops[n].revision_at = at;
}

static int charge_quota(struct charge *ch, const struct store_kv *kv, struct err *err)
{
    struct call *c = ch->c;
    val *quota;
    struct err ignored;
    struct excess over = {0};
    bool changed = false;
    int rc = 0;
    size_t n;
    if (doc_parse_json(&c->doc, kv->value, &quota, &ignored) != 0)
        return 0;
    bool now = ch->obj && matches(quota, ch->k, ch->obj);
    bool before = ch->old && matches(quota, ch->k, ch->old);
    const val *hard = VAL_PATH(quota, "status", "hard");
    if (now && !ch->old && !*ch->k->group && strcmp(ch->k->resource, "pods") == 0 &&
        check_says(c, quota, ch->obj, err))
        return -1;
    struct str *names = sorted_names(&c->arena, hard, &n);
    for (size_t i = 0; i < n; i++)
        changed |= charge_one(ch, quota, names[i], val_get_str(hard, names[i]), now, before, &over);
    if (over.requested.n)
        rc = admission_forbid(c, ch->obj, err,
                              "exceeded quota: %.*s, requested: %s, used: %s, limited: %s",
                              STR_ARG(VAL_STR(quota, "metadata", "name")), buf_z(&over.requested),
                              buf_z(&over.used), buf_z(&over.limited));
    else if (changed)
        put_quota(c, kv->key, kv->mod_rev, quota);
    buf_done(&over.requested);
    buf_done(&over.used);
    buf_done(&over.limited);
    return rc;
}

int admission_usage(struct call *c, const struct kind *k, const val *obj, struct err *err)
{
    struct store_kv kv, stored;
    struct err ignored;
    val *old = NULL;
    struct str ns, name;
    if (!k->k->namespaced || !k->stored)
        return 0;
    kind_split_key(k, c->key, &ns, &name);
    struct str start = kind_key(&c->arena, "", "resourcequotas", ns, STR(""));
    struct str end = arena_printf(&c->arena, "%.*s%c", (int)start.n - 1, start.p, '/' + 1);
    struct store_iter *it = store_range(c->snap, start, end);
    struct charge ch = {.c = c, .k = k->k, .obj = obj};
    int rc = 0;
    for (bool first = true; rc == 0 && store_next(it, &kv); first = false) {
        if (first) {
            if (store_get(c->snap, c->key, &stored) == 1 &&
                doc_parse_json(&c->doc, stored.value, &old, &ignored) == 0)
                usage_of_object(&ch.was, &c->arena, k->k, old);
            if (obj)
                usage_of_object(&ch.now, &c->arena, k->k, obj);
            ch.old = old;
        }
        if (!str_eq(kv.key, c->key)) /* a quota that is written counts itself */
            rc = charge_quota(&ch, &kv, err);
    }
    store_iter_free(it);
    return rc;
}

/* --- counting from scratch --- */
static void count_kind(struct strategy_ctx *c, const val *quota, const struct schema_kind *k,
                       struct usage *u)
{
    struct store_kv kv;
    struct str start = kind_key(c->arena, k->group, k->resource, c->ns, STR(""));
    struct str end = arena_printf(c->arena, "%.*s%c", (int)start.n - 1, start.p, '/' + 1);
    struct store_iter *it = store_range(c->snap, start, end);
    while (store_next(it, &kv)) {
        struct doc d;
        struct err ignored;
        val *obj;
        doc_init(&d);
        if (doc_parse_json(&d, kv.value, &obj, &ignored) == 0 && matches(quota, k, obj))
            usage_of_object(u, c->arena, k, obj);
        doc_done(&d);
    }
    store_iter_free(it);
}

static bool is_compute_name(struct str s)
{
    return str_is(s, "cpu") || str_is(s, "memory") || str_is(s, "ephemeral-storage") ||
           str_starts(s, STR("hugepages-")) || str_starts(s, STR("requests.")) ||
           str_starts(s, STR("limits."));
}

/* Whether the kind has to be looked at for one of the resources. */
static bool concerns(const val *hard, const struct schema_kind *k)
{
    char name[256];
    snprintf(name, sizeof(name), "count/%s%s%s", k->resource, *k->group ? "." : "", k->group);
    bool pods = strcmp(k->resource, "pods") == 0;
    bool claims = strcmp(k->resource, "persistentvolumeclaims") == 0;
    VAL_EACH (hard, key, v) {
        (void)v;
        struct str s = val_str(key);
        if (str_is(s, name))
            return true;
        if (*k->group || str_starts(s, STR("count/")))
            continue;
        bool storage =
            str_ends(s, STR("requests.storage")) || str_ends(s, STR("persistentvolumeclaims"));
        if (str_starts(s, str_of(k->resource)) || (claims && storage) ||
            (pods && (is_compute_name(s) && !storage)))
            return true;
    }
    return false;
}

/* A kind of several versions is stored once. */
static bool listed_before(const struct schema_kind *k)
{
    for (const struct schema_kind *p = schema_kinds; p < k; p++)
        if (strcmp(p->resource, k->resource) == 0 && strcmp(p->group, k->group) == 0)
            return true;
    return false;
}

void quota_count(struct strategy_ctx *c, val *quota, bool fresh)
{
    struct usage u = {0};
    val *status = val_set(c->d, quota, "status", val_new_obj(c->d));
    const val *hard = VAL_PATH(quota, "spec", "hard");
    val_set(c->d, status, "hard", hard ? val_copy(c->d, hard) : val_new_obj(c->d));
    val *used = val_ensure_obj(c->d, status, "used");
    for (const struct schema_kind *k = schema_kinds; c->snap && k->kind; k++)
        if (k->namespaced && concerns(hard, k) && !listed_before(k))
            count_kind(c, quota, k, &u);
    if (fresh && matches(quota, c->kind, quota))
        usage_of_object(&u, c->arena, c->kind, quota);
    VAL_EACH (hard, key, v) {
        (void)v;
        struct quantity q = amount(&u, val_str(key));
        set_quantity(c->d, used, val_str(key), &q);
    }
}

/* --- putting right --- */
/* Makes the status anew; true when it became another one. */
static bool recount(struct call *c, const struct store_kv *kv, struct str ns, val **ret)
{
    struct err ignored;
    if (doc_parse_json(&c->doc, kv->value, ret, &ignored) != 0)
        return false;
    const val *was = val_get(*ret, "status");
    val *before = was ? val_copy(&c->doc, was) : NULL;
    c->ctx.ns = ns;
    quota_count(&c->ctx, *ret, false);
    return !before || !val_eq(before, val_get(*ret, "status"));
}

struct repair {
    struct store_write write;
    struct store_op op;
    char key[];
};

static void repaired(struct store_write *w)
{
    struct repair *r = CONTAINER_OF(w, struct repair, write);
    bytes_unref(r->op.value);
    bytes_unref(w->first_value);
    free(r); /* changed meanwhile: the next pass looks again */
}

static void submit_repair(struct call *c, const struct store_kv *kv, const val *quota)
{
    int64_t at;
    struct bytes *json = meta_encode(c, c->kind, quota, &at);
    struct repair *r = mem_zalloc(sizeof(*r) + kv->key.n);
    memcpy(r->key, kv->key.p, kv->key.n);
    r->op = (struct store_op){STORE_PUT, {r->key, kv->key.n}, json, at, kv->mod_rev};
    r->write = (struct store_write){.ops = &r->op, .op_count = 1, .done = repaired};
    store_submit(c->api->config.store, &r->write);
}

void quota_pass(struct api *api)
{
    struct call *c = call_new(api);
    struct store_kv kv;
    struct err ignored;
    c->kind = kinds_find(&api->kinds, STR(""), STR("v1"), STR("resourcequotas"));
    if (c->kind && call_begin(c, &ignored) == 0) {
        struct store_iter *it = store_range(c->snap, c->kind->prefix, c->kind->end);
        while (store_next(it, &kv)) {
            struct str ns, name;
            val *quota;
            kind_split_key(c->kind, kv.key, &ns, &name);
            if (recount(c, &kv, arena_dup(&c->arena, ns), &quota))
                submit_repair(c, &kv, quota);
        }
        store_iter_free(it);
    }
    call_free(c);
}
