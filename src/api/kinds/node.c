/* Nodes: upstream's pkg/registry/core/node. */
#include "api/authz/authz.h"
#include "api/kinds/kinds.h"

#define ROLE_PREFIX "node-role.kubernetes.io/"

static void defaults(struct strategy_ctx *c, val *obj)
{
    val *status = val_get(obj, "status");
    const val *capacity = val_get(status, "capacity");
    if (val_len(capacity) > 0 && val_len(val_get(status, "allocatable")) == 0)
        val_set(c->d, status, "allocatable", val_copy(c->d, capacity));
}

/* A node registers itself with its status in one request. */
static int prepare_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    struct str self = authz_node_of(c->user), name = VAL_STR(obj, "metadata", "name");
    if (self.n && !str_eq(self, name))
        return err_set(err, 403, "Forbidden",
                       "nodes \"%.*s\" is forbidden: node \"%.*s\" is not allowed to modify node "
                       "\"%.*s\"",
                       STR_ARG(name), STR_ARG(self), STR_ARG(name));
    val_ensure_obj(c->d, obj, "spec");
    val_ensure_obj(c->d, obj, "status");
    return 0;
}

static void check_taints(struct check *k, const val *taints)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute", NULL};
    struct map seen = {0};
    size_t i = 0;
    size_t in = check_in(k, "metadata.taints"); /* upstream's path */
    VAL_FOR (taints, taint) {
        size_t at = check_at(k, i++);
        check_name(k, "key", NAME_QUALIFIED, VAL_STR(taint, "key"));
        check_name(k, "value", NAME_LABEL_VALUE, VAL_STR(taint, "value"));
        check_one_of(k, taint, "effect", true, effects);
        struct str pair = arena_printf(k->c->arena, "%.*s:%.*s", STR_ARG(VAL_STR(taint, "key")),
                                       STR_ARG(VAL_STR(taint, "effect")));
        if (map_set(&seen, pair, taint)) {
            struct buf json = {0};
            val_write_json(taint, &json);
            cause_add(k->d, k->causes, "FieldValueDuplicate", buf_z(&k->path),
                      "Duplicate value: %s: taints must be unique by key and effect pair",
                      buf_z(&json));
            buf_done(&json);
        }
        check_out(k, at);
    }
    check_out(k, in);
    map_done(&seen);
}

static void validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    check_taints(&k, VAL_PATH(obj, "spec", "taints"));
    check_done(&k);
}

static void validate_update(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    struct check k;
    const val *cidrs = VAL_PATH(old, "spec", "podCIDRs"), *now = VAL_PATH(obj, "spec", "podCIDRs");
    struct str provider = VAL_STR(old, "spec", "providerID");
    check_init(&k, c, causes);
    check_taints(&k, VAL_PATH(obj, "spec", "taints"));
    size_t in = check_in(&k, "spec");
    if (val_len(cidrs) > 0 && (now == NULL || !val_eq(cidrs, now)))
        check_forbidden(&k, "podCIDRs",
                        "node updates may not change podCIDR except from \"\" to valid");
    if (provider.n && !str_eq(provider, VAL_STR(obj, "spec", "providerID")))
        check_forbidden(&k, "providerID",
                        "node updates may not change providerID except from \"\" to valid");
    check_out(&k, in);
    check_done(&k);
}

/* --- table (printNode) --- */
static const struct schema_column columns[] = {
    COLUMN_NAME,
    COLUMN("Status"),
    COLUMN("Roles"),
    COLUMN_AGE,
    COLUMN("Version"),
    COLUMN_WIDE("Internal-IP"),
    COLUMN_WIDE("External-IP"),
    COLUMN_WIDE("OS-Image"),
    COLUMN_WIDE("Kernel-Version"),
    COLUMN_WIDE("Container-Runtime"),
    COLUMN_END,
};

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void cell_roles(struct doc *d, val *cells, const val *obj)
{
    const val *labels = VAL_PATH(obj, "metadata", "labels");
    CLEANUP(mem_freep) struct str *roles = mem_alloc((val_len(labels) + 1) * sizeof(*roles));
    size_t n = 0;
    VAL_EACH (labels, key, value) {
        struct str name = val_str(key);
        if (str_starts(name, STR(ROLE_PREFIX)) && name.n > sizeof(ROLE_PREFIX) - 1)
            roles[n++] = str_from(name, sizeof(ROLE_PREFIX) - 1);
        else if (str_is(name, "kubernetes.io/role") && val_str(value).n)
            roles[n++] = val_str(value);
    }
    qsort(roles, n, sizeof(*roles), by_text);
    struct buf b = {0};
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(roles[i], roles[i - 1]))
            buf_printf(&b, "%s%.*s", b.n ? "," : "", STR_ARG(roles[i]));
    cell_or(d, cells, buf_str(&b), "<none>");
    buf_done(&b);
}

static void cell_address(struct doc *d, val *cells, const val *obj, const char *type)
{
    VAL_FOR (VAL_PATH(obj, "status", "addresses"), address) {
        if (str_is(VAL_STR(address, "type"), type)) {
            cell_s(d, cells, VAL_STR(address, "address"));
            return;
        }
    }
    cell_z(d, cells, "<none>");
}

static void row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *info = VAL_PATH(obj, "status", "nodeInfo");
    const val *ready = kind_condition_find(VAL_PATH(obj, "status", "conditions"), "Ready");
    const char *status = !ready                                     ? "Unknown"
                         : str_is(VAL_STR(ready, "status"), "True") ? "Ready"
                                                                    : "NotReady";
    bool closed = VAL_BOOL(obj, "spec", "unschedulable");
    cell_name(d, cells, obj);
    cell_f(d, cells, "%s%s", status, closed ? ",SchedulingDisabled" : "");
    cell_roles(d, cells, obj);
    cell_age(c, d, cells, obj);
    cell_s(d, cells, VAL_STR(info, "kubeletVersion"));
    cell_address(d, cells, obj, "InternalIP");
    cell_address(d, cells, obj, "ExternalIP");
    cell_or(d, cells, VAL_STR(info, "osImage"), "<unknown>");
    cell_or(d, cells, VAL_STR(info, "kernelVersion"), "<unknown>");
    cell_or(d, cells, VAL_STR(info, "containerRuntimeVersion"), "<unknown>");
}

static const char *const fields[] = {"spec.unschedulable", NULL};

static struct str field(const val *obj, struct str name)
{
    (void)name;
    return VAL_BOOL(obj, "spec", "unschedulable") ? STR("true") : STR("false");
}

const struct strategy node_strategy = {
    .group = "",
    .resource = "nodes",
    .defaults = defaults,
    .prepare_create = prepare_create,
    .validate = validate,
    .validate_update = validate_update,
    .fields = fields,
    .field = field,
    .columns = columns,
    .row = row,
    .has_status = true,
    .status_on_create = true,
    .unconditional_update = true,
};
