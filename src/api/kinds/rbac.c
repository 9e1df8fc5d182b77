/* Roles and bindings: upstream's pkg/registry/rbac and pkg/apis/rbac/validation. Nobody may grant
 * what he does not have himself, unless he may escalate (roles) or bind (bindings). */
#include "api/authz/rbac.h"
#include "api/authz/rbac_aggregate.h"

#include "api/core.h"
#include "api/kinds/kinds.h"

static bool namespaced(const struct strategy_ctx *c)
{
    return c->kind->namespaced;
}

/* --- escalation --- */
static int forbidden(struct strategy_ctx *c, const val *obj, struct str why, struct err *err)
{
    return err_set(err, 403, "Forbidden", "%s." RBAC_GROUP " \"%.*s\" is forbidden: %.*s",
                   c->kind->resource, STR_ARG(VAL_STR(obj, "metadata", "name")), STR_ARG(why));
}

static bool may(struct strategy_ctx *c, const char *verb, const char *resource, struct str name)
{
    struct authz_attributes a = {.api = c->api,
                                 .verb = str_of(verb),
                                 .resource_request = true,
                                 .group = STR(RBAC_GROUP),
                                 .version = STR("*"),
                                 .resource = str_of(resource),
                                 .ns = c->ns,
                                 .name = name};
    return authz_check(c->user, &a, NULL) == 1;
}

/* What the user lacks of the rules, in upstream's words; empty: nothing. */
static struct str what_is_missing(struct strategy_ctx *c, const struct rbac_rules *wanted)
{
    struct rbac_rules own = {0}, missing;
    struct buf b = {0};
    if (c->api->rbac)
        rbac_rules_of(c->api->rbac, c->user, c->ns, c->arena, &own);
    if (!rbac_missing(&own, wanted, c->arena, &missing))
        return (struct str){0};
    buf_printf(&b, "user \"%.*s\" (groups=[", STR_ARG(c->user->name));
    for (size_t i = 0; i < c->user->group_count; i++)
        buf_printf(&b, "%s\"%.*s\"", i ? " " : "", STR_ARG(c->user->groups[i]));
    buf_puts(&b, "]) is attempting to grant RBAC permissions not currently held:\n");
    rbac_missing_write(&missing, c->arena, &b);
    struct str text = arena_dup(c->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

static bool gathers(const val *role)
{
    return val_len(VAL_PATH(role, "aggregationRule", "clusterRoleSelectors")) > 0;
}

static bool has_everything(struct strategy_ctx *c)
{
    static const struct str star = STR_INIT("*");
    const struct rbac_words all = {&star, 1};
    struct rbac_rule rules[] = {{.verbs = all, .groups = all, .resources = all},
                                {.verbs = all, .paths = all}};
    return what_is_missing(c, &(struct rbac_rules){rules, ARRAY_LEN(rules), ARRAY_LEN(rules)}).n ==
           0;
}

/* The system's own hands; no user at all: a caller within this program. */
static bool is_trusted(const struct strategy_ctx *c)
{
    return c->user == NULL || api_user_in(c->user, "system:masters");
}

static int check_role(struct strategy_ctx *c, const val *obj, const val *old, struct err *err)
{
    struct rbac_rules wanted = {0};
    if (is_trusted(c) || may(c, "escalate", c->kind->resource, old ? c->name : (struct str){0}))
        return 0;
    rbac_rules_add(&wanted, c->arena, val_get(obj, "rules"));
    struct str why = what_is_missing(c, &wanted);
    if (why.n)
        return forbidden(c, obj, why, err);
    if ((gathers(obj) || gathers(old)) && !has_everything(c))
        return forbidden(c, obj,
                         STR("must have cluster-admin privileges to use the aggregationRule"), err);
    return 0;
}

static int check_binding(struct strategy_ctx *c, const val *obj, struct err *err)
{
    struct str kind = VAL_STR(obj, "roleRef", "kind"), name = VAL_STR(obj, "roleRef", "name");
    bool cluster = str_is(kind, "ClusterRole");
    const char *resource = cluster ? "clusterroles" : "roles";
    struct rbac_rules wanted = {0};
    if (is_trusted(c) || may(c, "bind", resource, name))
        return 0;
    if (!cluster && !str_is(kind, "Role"))
        return 0; /* validation refuses it */
    const val *role =
        strategy_lookup(c, RBAC_GROUP, resource, cluster ? (struct str){0} : c->ns, name);
    if (!role)
        return err_set(err, 404, "NotFound", "%s." RBAC_GROUP " \"%.*s\" not found", resource,
                       STR_ARG(name));
    rbac_rules_add(&wanted, c->arena, val_get(role, "rules"));
    struct str why = what_is_missing(c, &wanted);
    return why.n ? forbidden(c, obj, why, err) : 0;
}

/* An update of what the garbage collector needs only gives nobody anything. */
static bool only_collects(struct strategy_ctx *c, const val *obj, const val *old)
{
    static const char *const members[] = {"ownerReferences", "finalizers", "managedFields",
                                          "resourceVersion"};
    val *now = val_copy(c->d, obj), *was = val_copy(c->d, old);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        val_del(val_get(now, "metadata"), members[i]);
        val_del(val_get(was, "metadata"), members[i]);
    }
    return val_eq(now, was);
}

static int role_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    if (check_role(c, obj, NULL, err))
        return -1;
    if (!namespaced(c))
        rbac_aggregate(c, obj);
    return 0;
}

static int role_update(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    if (!only_collects(c, obj, old) && check_role(c, obj, old, err))
        return -1;
    if (!namespaced(c))
        rbac_aggregate(c, obj);
    return 0;
}

static int role_removed(struct strategy_ctx *c, const val *obj, struct err *err)
{
    (void)obj, (void)err;
    if (!namespaced(c))
        rbac_aggregate(c, NULL);
    return 0;
}

static int binding_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    return check_binding(c, obj, err);
}

static int binding_update(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    return only_collects(c, obj, old) ? 0 : check_binding(c, obj, err);
}

/* --- roles --- */
static void check_rule(struct check *k, const val *rule)
{
    const val *paths = val_get(rule, "nonResourceURLs");
    if (!val_len(val_get(rule, "verbs")))
        check_required(k, "verbs", "verbs must contain at least one value");
    if (val_len(paths)) {
        if (namespaced(k->c))
            check_invalid_val(k, "nonResourceURLs", paths,
                              "namespaced rules cannot apply to non-resource URLs");
        if (val_len(val_get(rule, "apiGroups")) || val_len(val_get(rule, "resources")) ||
            val_len(val_get(rule, "resourceNames")))
            check_invalid_val(k, "nonResourceURLs", paths,
                              "rules cannot apply to both regular resources and non-resource URLs");
        return;
    }
    if (!val_len(val_get(rule, "apiGroups")))
        check_required(k, "apiGroups", "resource rules must supply at least one api group");
    if (!val_len(val_get(rule, "resources")))
        check_required(k, "resources", "resource rules must supply at least one resource");
}

static void check_aggregation(struct check *k, const val *obj)
{
    const val *rule = val_get(obj, "aggregationRule");
    const val *selectors = val_get(rule, "clusterRoleSelectors");
    if (val_is_null(rule))
        return;
    size_t in = check_in(k, "aggregationRule");
    if (!val_len(selectors))
        check_required(k, "clusterRoleSelectors",
                       "at least one clusterRoleSelector required if aggregationRule is non-nil");
    size_t list = check_in(k, "clusterRoleSelectors"), i = 0;
    VAL_FOR (selectors, selector) {
        size_t at = check_at(k, i++);
        check_selector(k, "", selector);
        check_out(k, at);
    }
    check_out(k, list);
    check_out(k, in);
}

static void role_checks(struct check *k, const val *obj)
{
    size_t in = check_in(k, "rules"), i = 0;
    VAL_FOR (val_get(obj, "rules"), rule) {
        size_t at = check_at(k, i++);
        check_rule(k, rule);
        check_out(k, at);
    }
    check_out(k, in);
    if (!namespaced(k->c))
        check_aggregation(k, obj);
}

static void role_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    role_checks(&k, obj);
    check_done(&k);
}

static void role_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                 val *causes)
{
    (void)old;
    struct check k;
    check_init(&k, c, causes);
    role_checks(&k, obj);
    check_done(&k);
}

/* --- bindings --- */
static void binding_defaults(struct strategy_ctx *c, val *obj)
{
    val *ref = val_get(obj, "roleRef");
    if (val_is_obj(ref) && !VAL_STR(ref, "apiGroup").n)
        val_set_z(c->d, ref, "apiGroup", RBAC_GROUP);
    VAL_FOR (val_get(obj, "subjects"), s) {
        struct str kind = VAL_STR(s, "kind");
        if (!VAL_STR(s, "apiGroup").n && (str_is(kind, "User") || str_is(kind, "Group")))
            val_set_z(c->d, s, "apiGroup", RBAC_GROUP);
    }
}

static void check_group(struct check *k, const val *subject, const char *group)
{
    const char *const supported[] = {group, NULL};
    struct str has = VAL_STR(subject, "apiGroup");
    if (!str_is(has, group))
        check_unsupported(k, "apiGroup", has, supported);
}

static void check_subject(struct check *k, const val *subject)
{
    static const char *const kinds[] = {"ServiceAccount", "User", "Group", NULL};
    struct str kind = VAL_STR(subject, "kind"), name = VAL_STR(subject, "name");
    if (!name.n)
        check_required(k, "name", "");
    if (str_is(kind, "ServiceAccount")) {
        if (name.n)
            check_name(k, "name", NAME_SUBDOMAIN, name);
        if (VAL_STR(subject, "apiGroup").n)
            check_group(k, subject, "");
        if (!namespaced(k->c) && !VAL_STR(subject, "namespace").n)
            check_required(k, "namespace", "");
    } else if (str_is(kind, "User") || str_is(kind, "Group")) {
        check_group(k, subject, RBAC_GROUP);
    } else {
        check_unsupported(k, "kind", kind, kinds);
    }
}

static void binding_checks(struct check *k, const val *obj)
{
    static const char *const both[] = {"Role", "ClusterRole", NULL};
    static const char *const cluster[] = {"ClusterRole", NULL};
    const char *const *kinds = namespaced(k->c) ? both : cluster;
    const val *ref = val_get(obj, "roleRef");
    struct str kind = VAL_STR(ref, "kind"), name = VAL_STR(ref, "name");
    size_t in = check_in(k, "roleRef"), i = 0;
    check_group(k, ref, RBAC_GROUP);
    if (!check_in_list(kind, kinds))
        check_unsupported(k, "kind", kind, kinds);
    if (!name.n)
        check_required(k, "name", "");
    else
        check_name(k, "name", NAME_PATH, name);
    check_out(k, in);
    in = check_in(k, "subjects");
    VAL_FOR (val_get(obj, "subjects"), subject) {
        size_t at = check_at(k, i++);
        check_subject(k, subject);
        check_out(k, at);
    }
    check_out(k, in);
}

static void binding_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    binding_checks(&k, obj);
    check_done(&k);
}

static void binding_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                    val *causes)
{
    struct check k;
    const val *now = val_get(obj, "roleRef"), *was = val_get(old, "roleRef");
    check_init(&k, c, causes);
    binding_checks(&k, obj);
    if (!now || !was || !val_eq(now, was))
        check_invalid_val(&k, "roleRef", now, "cannot change roleRef");
    check_done(&k);
}

/* --- tables --- */
static const struct schema_column binding_columns[] = {
    COLUMN_NAME,          COLUMN("Role"),        COLUMN_AGE,
    COLUMN_WIDE("Users"), COLUMN_WIDE("Groups"), COLUMN_WIDE("ServiceAccounts"),
    COLUMN_END,
};

static void cell_subjects(struct doc *d, val *cells, const val *obj, const char *kind)
{
    struct buf b = {0};
    VAL_FOR (val_get(obj, "subjects"), subject) {
        struct str ns = VAL_STR(subject, "namespace"), name = VAL_STR(subject, "name");
        bool account = str_is(VAL_STR(subject, "kind"), "ServiceAccount");
        if (str_is(VAL_STR(subject, "kind"), kind))
            buf_printf(&b, "%s%.*s%s%.*s", b.n ? ", " : "", STR_ARG(account ? ns : (struct str){0}),
                       account ? "/" : "", STR_ARG(name));
    }
    cell_s(d, cells, buf_str(&b));
    buf_done(&b);
}

static void binding_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_f(d, cells, "%.*s/%.*s", STR_ARG(VAL_STR(obj, "roleRef", "kind")),
           STR_ARG(VAL_STR(obj, "roleRef", "name")));
    cell_age(c, d, cells, obj);
    cell_subjects(d, cells, obj, "User");
    cell_subjects(d, cells, obj, "Group");
    cell_subjects(d, cells, obj, "ServiceAccount");
}

#define ROLE(r)                                                                                    \
    {                                                                                              \
        .group = RBAC_GROUP, .resource = (r), .prepare_create = role_create,                       \
        .prepare_update = role_update, .removed = role_removed, .validate = role_validate,         \
        .validate_update = role_validate_update, .name_form = NAME_PATH, .create_on_update = true, \
        .unconditional_update = true                                                               \
    }
#define BINDING(r)                                                                                 \
    {                                                                                              \
        .group = RBAC_GROUP, .resource = (r), .defaults = binding_defaults,                        \
        .prepare_create = binding_create, .prepare_update = binding_update,                        \
        .validate = binding_validate, .validate_update = binding_validate_update,                  \
        .columns = binding_columns, .row = binding_row, .name_form = NAME_PATH,                    \
        .create_on_update = true, .unconditional_update = true                                     \
    }

const struct strategy role_strategy = ROLE("roles");
const struct strategy clusterrole_strategy = ROLE("clusterroles");
const struct strategy rolebinding_strategy = BINDING("rolebindings");
const struct strategy clusterrolebinding_strategy = BINDING("clusterrolebindings");
