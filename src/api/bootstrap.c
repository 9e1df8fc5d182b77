/* Upstream's post-start hooks rbac/bootstrap-roles and
 * scheduling/bootstrap-system-priority-classes: all in a few writes, so that a start costs a few
 * syncs of the disk at most. */
#include "api/bootstrap.h"

#include "api/core.h"
#include "api/authz/rbac.h"
#include "api/authz/rbac_policy.h"

#define AUTOUPDATE "rbac.authorization.kubernetes.io/autoupdate"
#define AGGREGATE "rbac.authorization.k8s.io/aggregate-to-"

enum { TRIES = 8, OPS_A_WRITE = 100 /* etcd takes 128 in a transaction */ };

struct bootstrap {
    struct call *c; /* carries arena, doc and snapshot */
    struct store_op ops[OPS_A_WRITE];
    size_t count;
    bool conflict;
};

static int flush(struct bootstrap *b, struct err *err)
{
    struct store_write w = {.ops = b->ops, .op_count = b->count};
    if (b->count)
        store_commit(b->c->api->config.store, &w);
    for (size_t i = 0; i < b->count; i++)
        bytes_unref(b->ops[i].value);
    bytes_unref(w.first_value);
    b->conflict |= b->count && w.result == STORE_CONFLICT;
    bool failed = b->count && w.result == STORE_FAILED;
    b->count = 0;
    if (failed)
        *err = w.err;
    return failed ? -1 : 0;
}

static void choose(struct bootstrap *b, const char *group, const char *resource, const char *ns)
{
    struct call *c = b->c;
    const struct schema_kind *k = schema_kinds;
    while (k->kind && (strcmp(k->group, group) != 0 || strcmp(k->resource, resource) != 0))
        k++;
    c->kind = kinds_find(&c->api->kinds, str_of(group), str_of(k->version), str_of(resource));
    c->route.ns = str_of(ns);
}

static struct str key_of(struct bootstrap *b, const char *name)
{
    struct call *c = b->c;
    return kind_key(&c->arena, c->kind->k->group, c->kind->k->resource, c->route.ns, str_of(name));
}

/* The stored object, or NULL. */
static val *find(struct bootstrap *b, const char *name, int64_t *ret_mod_rev)
{
    struct store_kv kv;
    struct err ignored;
    val *v = NULL;
    *ret_mod_rev = STORE_ABSENT;
    if (store_get(b->c->snap, key_of(b, name), &kv) != 1)
        return NULL;
    *ret_mod_rev = kv.mod_rev;
    return doc_parse_json(&b->c->doc, kv.value, &v, &ignored) == 0 ? v : NULL;
}

static int put(struct bootstrap *b, const char *name, val *obj, int64_t expect, struct err *err)
{
    struct call *c = b->c;
    int64_t at;
    if (expect == STORE_ABSENT) {
        val *meta = val_ensure_obj(&c->doc, obj, "metadata");
        val_set_z(&c->doc, meta, "name", name);
        if (c->route.ns.n)
            val_set_s(&c->doc, meta, "namespace", c->route.ns);
        meta_fill_create(c, obj);
    }
    schema_normalize(c->kind->k->schema, &c->doc, obj);
    struct bytes *json = meta_encode(c, c->kind, obj, &at);
    b->ops[b->count++] = (struct store_op){STORE_PUT, key_of(b, name), json, at, expect};
    return b->count == OPS_A_WRITE ? flush(b, err) : 0;
}

/* --- roles --- */
static val *list_of(struct doc *d, struct str words)
{
    val *list = val_new_arr(d);
    struct str word;
    while (str_next(&words, ',', &word))
        val_push(list, val_new_str(d, str_is(word, "core") ? STR("") : word));
    return list;
}

static void push_rules(struct doc *d, val *rules, const char *text)
{
    struct str rest = str_of(text), line;
    while (str_next(&rest, '\n', &line)) {
        struct str field[4] = {0};
        size_t n = 0;
        while (n < ARRAY_LEN(field) && str_next(&line, '|', &field[n]))
            n++;
        val *rule = val_new_obj(d);
        val_set(d, rule, "verbs", list_of(d, field[0]));
        if (n == 2)
            val_set(d, rule, "nonResourceURLs", list_of(d, field[1]));
        else
            val_set(d, rule, "apiGroups", list_of(d, field[1]));
        if (n > 2)
            val_set(d, rule, "resources", list_of(d, field[2]));
        if (n > 3)
            val_set(d, rule, "resourceNames", list_of(d, field[3]));
        val_push(rules, rule);
    }
}

/* An aggregated role begins with what the aggregation would find. */
static void gather(struct doc *d, val *rules, const struct rbac_default_role *role)
{
    push_rules(d, rules, role->rules);
    for (const struct rbac_default_role *r = rbac_default_roles; role->gathers && r->name; r++)
        if (r->aggregate_to && strcmp(r->aggregate_to, role->gathers) == 0)
            gather(d, rules, r);
}

static val *default_meta(struct doc *d, val *obj)
{
    val *meta = val_ensure_obj(d, obj, "metadata");
    val *labels = val_ensure_obj(d, meta, "labels");
    val_set_z(d, labels, "kubernetes.io/bootstrapping", "rbac-defaults");
    val_set_z(d, val_ensure_obj(d, meta, "annotations"), AUTOUPDATE, "true");
    return labels;
}

static val *make_role(struct bootstrap *b, const struct rbac_default_role *role)
{
    struct doc *d = &b->c->doc;
    val *obj = val_new_obj(d), *labels = default_meta(d, obj);
    char key[96];
    if (role->aggregate_to) {
        snprintf(key, sizeof(key), AGGREGATE "%s", role->aggregate_to);
        val_set_z(d, labels, key, "true");
    }
    if (role->gathers) {
        val *selector = val_new_obj(d);
        snprintf(key, sizeof(key), AGGREGATE "%s", role->gathers);
        val_set_z(d, val_ensure_obj(d, selector, "matchLabels"), key, "true");
        val *aggregation = val_ensure_obj(d, obj, "aggregationRule");
        val_push(val_ensure_arr(d, aggregation, "clusterRoleSelectors"), selector);
    }
    gather(d, val_ensure_arr(d, obj, "rules"), role);
    return obj;
}

static bool is_protected(const val *obj)
{
    return str_is(VAL_STR(obj, "metadata", "annotations", AUTOUPDATE), "false");
}

/* Labels and annotations that a default has and the object does not; true when there were any. */
static bool restore_meta(struct doc *d, val *obj, const val *want)
{
    static const char *const maps[] = {"labels", "annotations"};
    bool changed = false;
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        val *has = val_ensure_obj(d, val_get(obj, "metadata"), maps[i]);
        VAL_EACH (VAL_PATH(want, "metadata", maps[i]), key, value) {
            if (str_eq(val_str(val_get_str(has, val_str(key))), val_str(value)))
                continue;
            val_set_str(d, has, val_str(key), val_copy(d, value));
            changed = true;
        }
    }
    return changed;
}

static void set_words(struct doc *d, val *rule, const char *member, struct rbac_words words)
{
    for (size_t i = 0; i < words.n; i++)
        val_push(val_ensure_arr(d, rule, member), val_new_str(d, words.at[i]));
}

static bool restore_rules(struct bootstrap *b, val *obj, const val *want)
{
    struct doc *d = &b->c->doc;
    struct rbac_rules has = {0}, wanted = {0}, missing;
    rbac_rules_add(&has, &b->c->arena, val_get(obj, "rules"));
    rbac_rules_add(&wanted, &b->c->arena, val_get(want, "rules"));
    if (!rbac_missing(&has, &wanted, &b->c->arena, &missing))
        return false;
    for (size_t i = 0; i < missing.n; i++) {
        const struct rbac_rule *r = &missing.at[i];
        val *rule = val_new_obj(d);
        set_words(d, rule, "verbs", r->verbs);
        set_words(d, rule, "apiGroups", r->groups);
        set_words(d, rule, "resources", r->resources);
        set_words(d, rule, "resourceNames", r->names);
        set_words(d, rule, "nonResourceURLs", r->paths);
        val_push(val_ensure_arr(d, obj, "rules"), rule);
    }
    return true;
}

static int ensure_role(struct bootstrap *b, const struct rbac_default_role *role, struct err *err)
{
    int64_t rev;
    choose(b, RBAC_GROUP, role->ns ? "roles" : "clusterroles", role->ns);
    val *want = make_role(b, role), *has = find(b, role->name, &rev);
    if (!has)
        return put(b, role->name, want, rev, err);
    if (is_protected(has))
        return 0;
    bool changed = restore_meta(&b->c->doc, has, want);
    if (!role->gathers) /* else the aggregation's */
        changed |= restore_rules(b, has, want);
    return changed ? put(b, role->name, has, rev, err) : 0;
}

/* --- bindings --- */
static val *make_subject(struct doc *d, struct str text)
{
    val *subject = val_new_obj(d);
    struct str kind, rest, ns, name;
    str_cut(text, ' ', &kind, &rest);
    val_set_s(d, subject, "kind", kind);
    if (str_is(kind, "ServiceAccount")) {
        str_cut(rest, ' ', &ns, &name);
        val_set_s(d, subject, "name", name);
        val_set_s(d, subject, "namespace", ns);
    } else {
        val_set_z(d, subject, "apiGroup", RBAC_GROUP);
        val_set_s(d, subject, "name", rest);
    }
    return subject;
}

static val *make_binding(struct bootstrap *b, const struct rbac_default_binding *binding)
{
    struct doc *d = &b->c->doc;
    val *obj = val_new_obj(d);
    struct str rest = str_of(binding->subjects), subject;
    default_meta(d, obj);
    while (str_next(&rest, ',', &subject))
        val_push(val_ensure_arr(d, obj, "subjects"), make_subject(d, subject));
    val *ref = val_ensure_obj(d, obj, "roleRef");
    val_set_z(d, ref, "apiGroup", RBAC_GROUP);
    val_set_z(d, ref, "kind", binding->role_kind ? binding->role_kind : "ClusterRole");
    val_set_z(d, ref, "name", binding->role);
    return obj;
}

static bool restore_subjects(struct doc *d, val *obj, const val *want)
{
    bool changed = false;
    VAL_FOR (val_get(want, "subjects"), subject) {
        bool found = false;
        VAL_FOR (val_get(obj, "subjects"), has) {
            found |= val_eq(subject, has);
        }
        if (found)
            continue;
        val_push(val_ensure_arr(d, obj, "subjects"), val_copy(d, subject));
        changed = true;
    }
    return changed;
}

static int ensure_binding(struct bootstrap *b, const struct rbac_default_binding *binding,
                          struct err *err)
{
    int64_t rev;
    choose(b, RBAC_GROUP, binding->ns ? "rolebindings" : "clusterrolebindings", binding->ns);
    val *want = make_binding(b, binding), *has = find(b, binding->name, &rev);
    if (!has)
        return put(b, binding->name, want, rev, err);
    if (is_protected(has))
        return 0;
    bool changed = restore_meta(&b->c->doc, has, want);
    changed |= restore_subjects(&b->c->doc, has, want);
    return changed ? put(b, binding->name, has, rev, err) : 0;
}

static int ensure_controller(struct bootstrap *b, const struct rbac_default_role *role,
                             struct err *err)
{
    const char *account = strrchr(role->name, ':') + 1;
    struct str subject = arena_printf(&b->c->arena, "ServiceAccount kube-system %s", account);
    struct rbac_default_binding binding = {role->name, role->name, subject.p, NULL, NULL};
    return ensure_role(b, role, err) || ensure_binding(b, &binding, err) ? -1 : 0;
}

static int ensure_policy(struct bootstrap *b, struct err *err)
{
    for (const struct rbac_default_role *r = rbac_default_roles; r->name; r++)
        if (ensure_role(b, r, err))
            return -1;
    for (const struct rbac_default_role *r = rbac_controller_roles; r->name; r++)
        if (ensure_controller(b, r, err))
            return -1;
    for (const struct rbac_default_binding *r = rbac_default_bindings; r->name; r++)
        if (ensure_binding(b, r, err))
            return -1;
    return 0;
}

/* --- priority classes --- */
static int ensure_classes(struct bootstrap *b, struct err *err)
{
    static const struct {
        const char *name, *description;
        int64_t value;
    } classes[] = {
        {"system-node-critical",
         "Used for system critical pods that must not be moved from their current node.",
         2000001000},
        {"system-cluster-critical",
         "Used for system critical pods that must run in the cluster, but can be moved to another "
         "node if necessary.",
         2000000000},
    };
    struct doc *d = &b->c->doc;
    choose(b, "scheduling.k8s.io", "priorityclasses", NULL);
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        int64_t rev;
        if (find(b, classes[i].name, &rev))
            continue;
        val *obj = val_new_obj(d);
        val_set_int(d, obj, "value", classes[i].value);
        val_set_z(d, obj, "description", classes[i].description);
        val_set_z(d, obj, "preemptionPolicy", "PreemptLowerPriority");
        if (put(b, classes[i].name, obj, rev, err))
            return -1;
    }
    return 0;
}

static int pass(struct api *api, bool *ret_again, struct err *err)
{
    struct bootstrap b = {.c = call_new(api)};
    int rc = call_begin(b.c, err);
    if (rc == 0)
        rc = ensure_policy(&b, err) || ensure_classes(&b, err) || flush(&b, err) ? -1 : 0;
    for (size_t i = 0; i < b.count; i++)
        bytes_unref(b.ops[i].value);
    call_free(b.c);
    *ret_again = b.conflict;
    return rc;
}

int bootstrap_objects(struct api *api, struct err *err)
{
    bool again = true;
    for (int i = 0; i < TRIES && again; i++)
        if (pass(api, &again, err))
            return -1;
    return again ? err_internal(err, "other servers keep changing the default roles") : 0;
}
