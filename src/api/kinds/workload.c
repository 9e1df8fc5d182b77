/* Deployments, ReplicaSets and ControllerRevisions: upstream's pkg/apis/apps/validation. */
#include "api/kinds/kinds.h"

static void template_defaults(struct strategy_ctx *c, val *obj)
{
    val *spec = val_ensure_obj(c->d, obj, "spec");
    pod_spec_default(c->d, VAL_PATH(spec, "template", "spec"), false);
    default_int(c->d, spec, "replicas", 1);
}

static void deployment_defaults(struct strategy_ctx *c, val *obj)
{
    struct doc *d = c->d;
    template_defaults(c, obj);
    val *spec = val_get(obj, "spec");
    val *strategy = val_ensure_obj(d, spec, "strategy");
    default_z(d, strategy, "type", "RollingUpdate");
    if (str_is(VAL_STR(strategy, "type"), "RollingUpdate")) {
        val *rolling = val_ensure_obj(d, strategy, "rollingUpdate");
        if (val_is_null(val_get(rolling, "maxUnavailable")))
            val_set_z(d, rolling, "maxUnavailable", "25%");
        if (val_is_null(val_get(rolling, "maxSurge")))
            val_set_z(d, rolling, "maxSurge", "25%");
    }
    default_int(d, spec, "revisionHistoryLimit", 10);
    default_int(d, spec, "progressDeadlineSeconds", 600);
}

/* --- validation --- */
static bool percent_of(const val *v, int64_t *ret)
{
    struct str text = val_str(v);
    return text.n > 1 && str_ends(text, STR("%")) && str_to_i64(str_head(text, text.n - 1), ret) &&
           text.p[0] != '-' && text.p[0] != '+';
}

static void check_count(struct check *k, const val *obj, const char *member)
{
    const val *v = val_get(obj, member);
    int64_t percent;
    if (!val_is_str(v))
        check_nonnegative(k, member, val_int(v));
    else if (!percent_of(v, &percent))
        check_invalid(k, member, val_str(v),
                      "a valid percent string must be a numeric string followed by an ending '%' "
                      "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
}

static int64_t count_of(const val *v)
{
    int64_t percent = 0;
    return val_is_str(v) ? (percent_of(v, &percent), percent) : val_int(v);
}

static void check_rolling(struct check *k, const val *rolling)
{
    const val *unavailable = val_get(rolling, "maxUnavailable");
    int64_t percent;
    check_count(k, rolling, "maxUnavailable");
    check_count(k, rolling, "maxSurge");
    if (count_of(unavailable) == 0 && count_of(val_get(rolling, "maxSurge")) == 0)
        check_invalid_val(k, "maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0");
    if (percent_of(unavailable, &percent) && percent > 100)
        check_invalid_val(k, "maxUnavailable", unavailable, "must not be greater than 100%");
}

static void check_strategy(struct check *k, const val *strategy)
{
    static const char *const types[] = {"Recreate", "RollingUpdate", NULL};
    struct str type = VAL_STR(strategy, "type");
    const val *rolling = val_get(strategy, "rollingUpdate");
    if (str_is(type, "Recreate")) {
        if (!val_is_null(rolling))
            check_forbidden(k, "rollingUpdate",
                            "may not be specified when strategy `type` is 'Recreate'");
    } else if (str_is(type, "RollingUpdate")) {
        size_t in = check_in(k, "rollingUpdate");
        check_rolling(k, rolling);
        check_out(k, in);
    } else {
        check_unsupported(k, "type", type, types);
    }
}

/* spec.selector, spec.template and that they belong together; k is at spec. */
static void check_template(struct check *k, const val *spec)
{
    static const char *const always[] = {"Always", NULL};
    const val *selector = val_get(spec, "selector"), *template = val_get(spec, "template");
    const val *labels = VAL_PATH(template, "metadata", "labels");
    struct selector parsed;
    struct err err;
    if (val_is_null(selector)) {
        check_required(k, "selector", "");
    } else {
        check_selector(k, "selector", selector);
        if (val_len(val_get(selector, "matchLabels")) +
                val_len(val_get(selector, "matchExpressions")) ==
            0)
            check_invalid_val(k, "selector", selector, "empty selector is invalid for deployment");
    }
    bool sound = selector_from_object(k->c->arena, selector, &parsed, &err) == 0;
    if (!sound)
        check_invalid_val(k, "selector", selector, "invalid label selector");
    size_t in = check_in(k, "template");
    if (sound && (parsed.nothing || parsed.count > 0) && !selector_match_labels(&parsed, labels))
        check_invalid_val(k, "metadata.labels", labels,
                          "`selector` does not match template `labels`");
    pod_template_validate(k, template);
    struct str restart = VAL_STR(template, "spec", "restartPolicy");
    if (!str_is(restart, "Always"))
        check_unsupported(k, "spec.restartPolicy", restart, always);
    if (!val_is_null(VAL_PATH(template, "spec", "activeDeadlineSeconds")))
        check_forbidden(k, "spec.activeDeadlineSeconds",
                        "activeDeadlineSeconds in ReplicaSet is not Supported");
    check_out(k, in);
}

static void check_deployment(struct check *k, const val *obj)
{
    const val *spec = val_get(obj, "spec"), *deadline = val_get(spec, "progressDeadlineSeconds");
    size_t in = check_in(k, "spec");
    check_nonnegative(k, "replicas", VAL_INT(spec, "replicas"));
    check_template(k, spec);
    size_t at = check_in(k, "strategy");
    check_strategy(k, val_get(spec, "strategy"));
    check_out(k, at);
    check_nonnegative(k, "minReadySeconds", VAL_INT(spec, "minReadySeconds"));
    check_nonnegative(k, "revisionHistoryLimit", VAL_INT(spec, "revisionHistoryLimit"));
    if (!val_is_null(deadline)) {
        check_nonnegative(k, "progressDeadlineSeconds", val_int(deadline));
        if (val_int(deadline) <= VAL_INT(spec, "minReadySeconds"))
            check_invalid_int(k, "progressDeadlineSeconds", val_int(deadline),
                              "must be greater than minReadySeconds");
    }
    check_out(k, in);
}

static void deployment_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    check_deployment(&k, obj);
    check_done(&k);
}

static void deployment_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                       val *causes)
{
    struct check k;
    check_init(&k, c, causes);
    check_deployment(&k, obj);
    check_immutable(&k, "spec.selector", VAL_PATH(obj, "spec", "selector"),
                    VAL_PATH(old, "spec", "selector"));
    check_done(&k);
}

/* Counts of a status: none below zero, none above its bound. */
static void check_status(struct check *k, const val *status)
{
    static const char *const counts[] = {
        "replicas",          "updatedReplicas",     "readyReplicas",
        "availableReplicas", "unavailableReplicas", "fullyLabeledReplicas"};
    static const char *const bounded[] = {"updatedReplicas", "fullyLabeledReplicas",
                                          "readyReplicas", "availableReplicas"};
    size_t in = check_in(k, "status");
    check_nonnegative(k, "observedGeneration", VAL_INT(status, "observedGeneration"));
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        check_nonnegative(k, counts[i], VAL_INT(status, counts[i]));
    for (size_t i = 0; i < ARRAY_LEN(bounded); i++)
        if (VAL_INT(status, bounded[i]) > VAL_INT(status, "replicas"))
            check_invalid_int(k, bounded[i], VAL_INT(status, bounded[i]),
                              "cannot be greater than status.replicas");
    if (VAL_INT(status, "availableReplicas") > VAL_INT(status, "readyReplicas"))
        check_invalid_int(k, "availableReplicas", VAL_INT(status, "availableReplicas"),
                          "cannot be greater than readyReplicas");
    check_out(k, in);
}

static void validate_status(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    struct check k;
    (void)old;
    check_init(&k, c, causes);
    check_status(&k, val_get(obj, "status"));
    check_done(&k);
}

static void check_replicaset(struct check *k, const val *obj)
{
    const val *spec = val_get(obj, "spec");
    size_t in = check_in(k, "spec");
    check_nonnegative(k, "replicas", VAL_INT(spec, "replicas"));
    check_nonnegative(k, "minReadySeconds", VAL_INT(spec, "minReadySeconds"));
    check_template(k, spec);
    check_out(k, in);
}

static void replicaset_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    check_replicaset(&k, obj);
    check_done(&k);
}

static void replicaset_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                       val *causes)
{
    struct check k;
    check_init(&k, c, causes);
    check_replicaset(&k, obj);
    check_immutable(&k, "spec.selector", VAL_PATH(obj, "spec", "selector"),
                    VAL_PATH(old, "spec", "selector"));
    check_done(&k);
}

/* --- tables --- */
static const struct schema_column deployment_columns[] = {
    COLUMN_NAME, COLUMN("Ready"),           COLUMN("Up-to-date"),  COLUMN("Available"),
    COLUMN_AGE,  COLUMN_WIDE("Containers"), COLUMN_WIDE("Images"), COLUMN_WIDE("Selector"),
    COLUMN_END,
};

static void deployment_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *spec = val_get(obj, "spec"), *status = val_get(obj, "status");
    cell_name(d, cells, obj);
    cell_f(d, cells, "%lld/%lld", (long long)VAL_INT(status, "readyReplicas"),
           (long long)VAL_INT(spec, "replicas"));
    cell_int(d, cells, VAL_INT(status, "updatedReplicas"));
    cell_int(d, cells, VAL_INT(status, "availableReplicas"));
    cell_age(c, d, cells, obj);
    cell_containers(d, cells, VAL_PATH(spec, "template", "spec"));
    cell_selector(c, d, cells, val_get(spec, "selector"));
}

static const struct schema_column replicaset_columns[] = {
    COLUMN_NAME, COLUMN_INT("Desired"),     COLUMN_INT("Current"), COLUMN_INT("Ready"),
    COLUMN_AGE,  COLUMN_WIDE("Containers"), COLUMN_WIDE("Images"), COLUMN_WIDE("Selector"),
    COLUMN_END,
};

static void replicaset_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *spec = val_get(obj, "spec"), *status = val_get(obj, "status");
    cell_name(d, cells, obj);
    cell_int(d, cells, VAL_INT(spec, "replicas"));
    cell_int(d, cells, VAL_INT(status, "replicas"));
    cell_int(d, cells, VAL_INT(status, "readyReplicas"));
    cell_age(c, d, cells, obj);
    cell_containers(d, cells, VAL_PATH(spec, "template", "spec"));
    cell_selector(c, d, cells, val_get(spec, "selector"));
}

static int deployment_prepare_status(struct strategy_ctx *c, val *obj, const val *old,
                                     struct err *err)
{
    (void)err;
    keep_metadata(c, obj, old, "labels");
    return 0;
}

const struct strategy deployment_strategy = {
    .group = "apps",
    .resource = "deployments",
    .defaults = deployment_defaults,
    .prepare_status = deployment_prepare_status,
    .validate = deployment_validate,
    .validate_update = deployment_validate_update,
    .validate_status = validate_status,
    .columns = deployment_columns,
    .row = deployment_row,
    .spec_generation = true,
    .annotation_generation = true,
    .has_status = true,
    .unconditional_update = true,
};

const struct strategy replicaset_strategy = {
    .group = "apps",
    .resource = "replicasets",
    .defaults = template_defaults,
    .validate = replicaset_validate,
    .validate_update = replicaset_validate_update,
    .validate_status = validate_status,
    .columns = replicaset_columns,
    .row = replicaset_row,
    .spec_generation = true,
    .has_status = true,
    .unconditional_update = true,
};

/* --- ControllerRevision --- */
static void check_revision(struct check *k, const val *obj)
{
    if (VAL_INT(obj, "revision") < 0)
        check_nonnegative(k, "revision", VAL_INT(obj, "revision"));
}

static void revision_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    const val *data = val_get(obj, "data");
    check_new(&k, c, obj, causes);
    check_revision(&k, obj);
    if (val_is_null(data))
        check_required(&k, "data", "data is mandatory");
    else if (!val_is_obj(data))
        check_required(&k, "data", "data must be a valid JSON object");
    check_done(&k);
}

static void revision_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                     val *causes)
{
    struct check k;
    check_init(&k, c, causes);
    check_revision(&k, obj);
    check_immutable(&k, "data", val_get(obj, "data"), val_get(old, "data"));
    check_done(&k);
}

static const struct schema_column revision_columns[] = {
    COLUMN_NAME, COLUMN("Controller"), COLUMN("Revision"), COLUMN_AGE, COLUMN_END,
};

/* "deployment.apps/web": the controlling owner, as kubectl names resources. */
static void cell_controller(struct doc *d, val *cells, const val *obj)
{
    VAL_FOR (VAL_PATH(obj, "metadata", "ownerReferences"), owner) {
        if (!VAL_BOOL(owner, "controller"))
            continue;
        struct str group, version, kind = VAL_STR(owner, "kind");
        bool grouped = str_cut(VAL_STR(owner, "apiVersion"), '/', &group, &version);
        struct buf b = {0};
        for (size_t i = 0; i < kind.n; i++)
            buf_putc(&b, (char)(kind.p[i] >= 'A' && kind.p[i] <= 'Z' ? kind.p[i] + 32 : kind.p[i]));
        if (grouped)
            buf_printf(&b, ".%.*s", STR_ARG(group));
        buf_printf(&b, "/%.*s", STR_ARG(VAL_STR(owner, "name")));
        cell_s(d, cells, buf_str(&b));
        buf_done(&b);
        return;
    }
    cell_z(d, cells, "<none>");
}

static void revision_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_controller(d, cells, obj);
    cell_int(d, cells, VAL_INT(obj, "revision"));
    cell_age(c, d, cells, obj);
}

const struct strategy controllerrevision_strategy = {
    .group = "apps",
    .resource = "controllerrevisions",
    .validate = revision_validate,
    .validate_update = revision_validate_update,
    .columns = revision_columns,
    .row = revision_row,
    .unconditional_update = true,
};
