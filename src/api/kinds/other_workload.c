/* Tables and defaults of StatefulSets, DaemonSets, Jobs and their kin. */
#include "api/kinds/other.h"

void template_spec_defaults(struct strategy_ctx *c, val *obj)
{
    pod_spec_default(c->d, VAL_PATH(obj, "spec", "template", "spec"), false);
}

/* What a ReplicationController selects and is called are its template's labels. */
void replicationcontroller_defaults(struct strategy_ctx *c, val *obj)
{
    val *spec = val_get(obj, "spec"), *meta = val_get(obj, "metadata");
    const val *labels = VAL_PATH(spec, "template", "metadata", "labels");
    template_spec_defaults(c, obj);
    if (!val_is_obj(spec))
        return;
    default_int(c->d, spec, "replicas", 1);
    if (!val_len(labels))
        return;
    if (!val_len(val_get(spec, "selector")))
        val_set(c->d, spec, "selector", val_copy(c->d, labels));
    if (!val_len(val_get(meta, "labels")))
        val_set(c->d, meta, "labels", val_copy(c->d, labels));
}

static void job_spec_defaults(struct strategy_ctx *c, val *spec)
{
    pod_spec_default(c->d, VAL_PATH(spec, "template", "spec"), false);
    if (!val_is_obj(spec))
        return;
    if (val_is_null(val_get(spec, "completions")) && val_is_null(val_get(spec, "parallelism"))) {
        val_set_int(c->d, spec, "completions", 1);
        val_set_int(c->d, spec, "parallelism", 1);
    }
    default_int(c->d, spec, "parallelism", 1);
    default_int(c->d, spec, "backoffLimit", 6);
}

void job_defaults(struct strategy_ctx *c, val *obj)
{
    job_spec_defaults(c, val_get(obj, "spec"));
}

void cronjob_defaults(struct strategy_ctx *c, val *obj)
{
    pod_spec_default(c->d, VAL_PATH(obj, "spec", "jobTemplate", "spec", "template", "spec"), false);
}

const struct schema_column statefulset_columns[] = {
    COLUMN_NAME,           COLUMN("Ready"), COLUMN_AGE, COLUMN_WIDE("Containers"),
    COLUMN_WIDE("Images"), COLUMN_END,
};

void statefulset_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_f(d, cells, "%lld/%lld", (long long)VAL_INT(obj, "status", "readyReplicas"),
           (long long)VAL_INT(obj, "spec", "replicas"));
    cell_age(c, d, cells, obj);
    cell_containers(d, cells, VAL_PATH(obj, "spec", "template", "spec"));
}

const struct schema_column daemonset_columns[] = {
    COLUMN_NAME,
    COLUMN_INT("Desired"),
    COLUMN_INT("Current"),
    COLUMN_INT("Ready"),
    COLUMN_INT("Up-to-date"),
    COLUMN_INT("Available"),
    COLUMN("Node Selector"),
    COLUMN_AGE,
    COLUMN_WIDE("Containers"),
    COLUMN_WIDE("Images"),
    COLUMN_WIDE("Selector"),
    COLUMN_END,
};

void daemonset_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    static const char *const counts[] = {"desiredNumberScheduled", "currentNumberScheduled",
                                         "numberReady", "updatedNumberScheduled",
                                         "numberAvailable"};
    cell_name(d, cells, obj);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        cell_int(d, cells, VAL_INT(obj, "status", counts[i]));
    cell_labels(d, cells, VAL_PATH(obj, "spec", "template", "spec", "nodeSelector"));
    cell_age(c, d, cells, obj);
    cell_containers(d, cells, VAL_PATH(obj, "spec", "template", "spec"));
    cell_selector(c, d, cells, VAL_PATH(obj, "spec", "selector"));
}

const struct schema_column replicationcontroller_columns[] = {
    COLUMN_NAME, COLUMN_INT("Desired"),     COLUMN_INT("Current"), COLUMN_INT("Ready"),
    COLUMN_AGE,  COLUMN_WIDE("Containers"), COLUMN_WIDE("Images"), COLUMN_WIDE("Selector"),
    COLUMN_END,
};

void replicationcontroller_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_int(d, cells, VAL_INT(obj, "spec", "replicas"));
    cell_int(d, cells, VAL_INT(obj, "status", "replicas"));
    cell_int(d, cells, VAL_INT(obj, "status", "readyReplicas"));
    cell_age(c, d, cells, obj);
    cell_containers(d, cells, VAL_PATH(obj, "spec", "template", "spec"));
    cell_labels(d, cells, VAL_PATH(obj, "spec", "selector"));
}

const struct schema_column podtemplate_columns[] = {
    COLUMN_NAME, COLUMN("Containers"), COLUMN("Images"), COLUMN("Pod Labels"), COLUMN_END,
};

void podtemplate_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    (void)c;
    cell_name(d, cells, obj);
    cell_containers(d, cells, VAL_PATH(obj, "template", "spec"));
    cell_labels(d, cells, VAL_PATH(obj, "template", "metadata", "labels"));
}

/* --- Job --- */
const struct schema_column job_columns[] = {
    COLUMN_NAME, COLUMN("Status"),          COLUMN("Completions"), COLUMN("Duration"),
    COLUMN_AGE,  COLUMN_WIDE("Containers"), COLUMN_WIDE("Images"), COLUMN_WIDE("Selector"),
    COLUMN_END,
};

static const char *job_status(const val *obj)
{
    const val *conditions = VAL_PATH(obj, "status", "conditions");
    if (condition_is_true(conditions, "Complete"))
        return "Complete";
    if (condition_is_true(conditions, "Failed"))
        return "Failed";
    if (!val_is_null(VAL_PATH(obj, "metadata", "deletionTimestamp")))
        return "Terminating";
    static const char *const others[] = {"Suspended", "FailureTarget", "SuccessCriteriaMet"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (condition_is_true(conditions, others[i]))
            return others[i];
    return "Running";
}

static void cell_duration(struct strategy_ctx *c, struct doc *d, val *cells, const val *status)
{
    int64_t start, end;
    struct err err;
    struct buf b = {0};
    if (time_parse(VAL_STR(status, "startTime"), &start, &err) == 0) {
        if (time_parse(VAL_STR(status, "completionTime"), &end, &err))
            end = wall_ns(c->world);
        duration_write_human(time_between(start, end), &b);
    }
    cell_s(d, cells, buf_str(&b));
    buf_done(&b);
}

void job_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *spec = val_get(obj, "spec"), *completions = val_get(spec, "completions");
    long long done = VAL_INT(obj, "status", "succeeded");
    long long parallel = VAL_INT(spec, "parallelism");
    cell_name(d, cells, obj);
    cell_z(d, cells, job_status(obj));
    if (!val_is_null(completions))
        cell_f(d, cells, "%lld/%lld", done, (long long)val_int(completions));
    else if (parallel > 1)
        cell_f(d, cells, "%lld/1 of %lld", done, parallel);
    else
        cell_f(d, cells, "%lld/1", done);
    cell_duration(c, d, cells, val_get(obj, "status"));
    cell_age(c, d, cells, obj);
    cell_containers(d, cells, VAL_PATH(spec, "template", "spec"));
    cell_selector(c, d, cells, val_get(spec, "selector"));
}

const struct schema_column cronjob_columns[] = {
    COLUMN_NAME,
    COLUMN("Schedule"),
    COLUMN("Timezone"),
    {"Suspend", "boolean", "", "", 0},
    COLUMN_INT("Active"),
    COLUMN("Last Schedule"),
    COLUMN_AGE,
    COLUMN_WIDE("Containers"),
    COLUMN_WIDE("Images"),
    COLUMN_WIDE("Selector"),
    COLUMN_END,
};

void cronjob_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *spec = val_get(obj, "spec");
    struct str last = VAL_STR(obj, "status", "lastScheduleTime");
    cell_name(d, cells, obj);
    cell_s(d, cells, VAL_STR(spec, "schedule"));
    cell_or(d, cells, VAL_STR(spec, "timeZone"), "<none>");
    cell_z(d, cells, VAL_BOOL(spec, "suspend") ? "True" : "False");
    cell_int(d, cells, (int64_t)val_len(VAL_PATH(obj, "status", "active")));
    if (last.n)
        cell_since(c, d, cells, last);
    else
        cell_z(d, cells, "<none>");
    cell_age(c, d, cells, obj);
    cell_containers(d, cells, VAL_PATH(spec, "jobTemplate", "spec", "template", "spec"));
    cell_selector(c, d, cells, VAL_PATH(spec, "jobTemplate", "spec", "selector"));
}

/* --- HorizontalPodAutoscaler, v1 and v2 --- */
const struct schema_column autoscaler_columns[] = {
    COLUMN_NAME,       COLUMN("Reference"), COLUMN("Targets"), COLUMN("MinPods"),
    COLUMN("MaxPods"), COLUMN("Replicas"),  COLUMN_AGE,        COLUMN_END,
};

static void write_utilization(struct buf *b, const val *v, const char *otherwise)
{
    if (val_is_null(v))
        buf_puts(b, otherwise);
    else
        buf_printf(b, "%lld%%", (long long)val_int(v));
}

/* One metric: "cpu: 10%/80%", "12/100 (avg)". */
static void write_metric(struct buf *b, const val *metric, const val *status)
{
    static const char *const sources[][2] = {{"Resource", "resource"},
                                             {"ContainerResource", "containerResource"},
                                             {"External", "external"},
                                             {"Pods", "pods"},
                                             {"Object", "object"}};
    size_t i = 0;
    while (i < ARRAY_LEN(sources) && !str_is(VAL_STR(metric, "type"), sources[i][0]))
        i++;
    if (i == ARRAY_LEN(sources)) {
        buf_puts(b, "<unknown type>");
        return;
    }
    const val *spec = val_get(metric, sources[i][1]);
    const val *now = VAL_PATH(status, sources[i][1], "current");
    struct str average = VAL_STR(spec, "target", "averageValue");
    if (i < 2)
        buf_printf(b, "%.*s: ", STR_ARG(VAL_STR(spec, "name")));
    if (i < 2 && average.n == 0) {
        write_utilization(b, val_get(now, "averageUtilization"), "<unknown>");
        buf_putc(b, '/');
        write_utilization(b, VAL_PATH(spec, "target", "averageUtilization"), "<auto>");
        return;
    }
    struct str current = VAL_STR(now, average.n ? "averageValue" : "value");
    struct str target = average.n ? average : VAL_STR(spec, "target", "value");
    bool mean = average.n && (i == 2 || i == 4);
    buf_printf(b, "%.*s/%.*s%s", STR_ARG(current.n ? current : STR("<unknown>")), STR_ARG(target),
               mean ? " (avg)" : "");
}

static void cell_metrics(struct doc *d, val *cells, const val *obj)
{
    enum { SHOWN = 2 };
    const val *metrics = VAL_PATH(obj, "spec", "metrics");
    const val *cpu = VAL_PATH(obj, "spec", "targetCPUUtilizationPercentage");
    struct buf b = {0};
    size_t i = 0;
    VAL_FOR (metrics, metric) {
        if (i < SHOWN) {
            buf_puts(&b, i ? ", " : "");
            write_metric(&b, metric, val_at(VAL_PATH(obj, "status", "currentMetrics"), i));
        }
        i++;
    }
    if (i > SHOWN)
        buf_printf(&b, " + %zu more...", i - SHOWN);
    if (i == 0 && !val_is_null(cpu)) { /* v1 knows one metric */
        buf_puts(&b, "cpu: ");
        write_utilization(&b, VAL_PATH(obj, "status", "currentCPUUtilizationPercentage"),
                          "<unknown>");
        buf_putc(&b, '/');
        write_utilization(&b, cpu, "<auto>");
    }
    cell_or(d, cells, buf_str(&b), "<none>");
    buf_done(&b);
}

void autoscaler_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *min = VAL_PATH(obj, "spec", "minReplicas");
    const val *target = VAL_PATH(obj, "spec", "scaleTargetRef");
    cell_name(d, cells, obj);
    cell_f(d, cells, "%.*s/%.*s", STR_ARG(VAL_STR(target, "kind")),
           STR_ARG(VAL_STR(target, "name")));
    cell_metrics(d, cells, obj);
    if (val_is_null(min))
        cell_z(d, cells, "<unset>");
    else
        cell_f(d, cells, "%lld", (long long)val_int(min));
    cell_int(d, cells, VAL_INT(obj, "spec", "maxReplicas"));
    cell_int(d, cells, VAL_INT(obj, "status", "currentReplicas"));
    cell_age(c, d, cells, obj);
}
