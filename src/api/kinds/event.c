/* Events of v1 and events.k8s.io/v1: upstream's pkg/apis/core/validation/events.go. */
#include "api/kinds/kinds.h"

#include <ctype.h>

/* Both versions name their members differently. */
struct names {
    const char *object, *controller, *message;
};
static const struct names core_names = {"involvedObject", "reportingComponent", "message"};
static const struct names events_names = {"regarding", "reportingController", "note"};

static void check_text(struct check *k, const val *obj, const char *member, bool required,
                       size_t max)
{
    struct str text = VAL_STR(obj, member);
    if (text.n == 0 && required)
        check_required(k, member, "");
    if (text.n > max) {
        struct str detail = arena_printf(k->c->arena, "can have at most %zu characters", max);
        check_invalid(k, member, STR(""), detail.p);
    }
}

static void check_namespace(struct check *k, const val *obj, const struct names *names, bool modern)
{
    struct str ns = VAL_STR(obj, "metadata", "namespace");
    struct str of = VAL_STR(obj, names->object, "namespace");
    bool system = str_is(ns, "default") || (modern && str_is(ns, "kube-system"));
    bool ok = of.n == 0 ? system : modern || str_eq(of, ns);
    if (!ok)
        check_invalid(k, "involvedObject.namespace", of, "does not match event.namespace");
}

static void check_event(struct check *k, const val *obj, const struct names *names)
{
    bool modern = !val_is_null(val_get(obj, "eventTime"));
    check_namespace(k, obj, names, modern);
    if (!modern)
        return;
    if (VAL_STR(obj, names->controller).n == 0)
        check_required(k, names->controller, "");
    check_name(k, names->controller, NAME_QUALIFIED, VAL_STR(obj, names->controller));
    check_text(k, obj, "reportingInstance", true, 128);
    check_text(k, obj, "action", true, 128);
    check_text(k, obj, "reason", true, 128);
    check_text(k, obj, names->message, false, 1024);
}

static void validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_init(&k, c, causes);
    check_event(&k, obj, &core_names);
    check_done(&k);
}

static void validate_update(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    (void)old;
    validate(c, obj, causes);
}

static void check_series(struct check *k, const val *obj)
{
    const val *series = val_get(obj, "series");
    if (val_is_null(series))
        return;
    if (VAL_INT(series, "count") < 2)
        check_invalid(k, "series.count", STR(""), "should be at least 2");
    if (VAL_STR(series, "lastObservedTime").n == 0)
        check_required(k, "series.lastObservedTime", "");
}

static void strict_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    struct str type = VAL_STR(obj, "type");
    check_init(&k, c, causes);
    check_event(&k, obj, &events_names);
    check_series(&k, obj);
    if (val_is_null(val_get(obj, "eventTime")))
        check_required(&k, "eventTime", "");
    if (!str_is(type, "Normal") && !str_is(type, "Warning")) {
        struct str detail = arena_printf(c->arena, "has invalid value: %.*s", STR_ARG(type));
        check_invalid(&k, "type", STR(""), detail.p);
    }
    check_done(&k);
}

static void strict_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                   val *causes)
{
    static const char *const fixed[] = {
        "regarding",           "reason",           "note", "type", "action", "related", "eventTime",
        "reportingController", "reportingInstance"};
    struct check k;
    check_init(&k, c, causes);
    check_event(&k, obj, &events_names);
    check_series(&k, obj);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        check_immutable(&k, fixed[i], val_get(obj, fixed[i]), val_get(old, fixed[i]));
    check_done(&k);
}

/* --- table (printEvent) --- */
static const struct schema_column columns[] = {
    COLUMN("Last Seen"),
    COLUMN("Type"),
    COLUMN("Reason"),
    COLUMN("Object"),
    COLUMN_WIDE("Subobject"),
    COLUMN_WIDE("Source"),
    COLUMN("Message"),
    COLUMN_WIDE("First Seen"),
    COLUMN_WIDE("Count"),
    {"Name", "string", "name", "", 1},
    COLUMN_END,
};

static struct str first_of(struct str a, struct str b)
{
    return a.n ? a : b;
}

static void cell_target(struct doc *d, val *cells, const val *object)
{
    struct str kind = VAL_STR(object, "kind"), name = VAL_STR(object, "name");
    struct buf b = {0};
    for (size_t i = 0; i < kind.n; i++)
        buf_putc(&b, (char)tolower((unsigned char)kind.p[i]));
    if (name.n)
        buf_printf(&b, "/%.*s", STR_ARG(name));
    cell_s(d, cells, buf_str(&b));
    buf_done(&b);
}

static void write_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells,
                      const struct names *names, const val *source, int64_t count, struct str first,
                      struct str last)
{
    const val *series = val_get(obj, "series");
    struct str component = first_of(VAL_STR(source, "component"), VAL_STR(obj, names->controller));
    struct str host = first_of(VAL_STR(source, "host"), VAL_STR(obj, "reportingInstance"));
    first = first_of(first, VAL_STR(obj, "eventTime"));
    last = first_of(last, first);
    if (series) {
        last = VAL_STR(series, "lastObservedTime");
        count = VAL_INT(series, "count");
    }
    cell_since(c, d, cells, last);
    cell_s(d, cells, VAL_STR(obj, "type"));
    cell_s(d, cells, VAL_STR(obj, "reason"));
    cell_target(d, cells, val_get(obj, names->object));
    cell_s(d, cells, VAL_STR(obj, names->object, "fieldPath"));
    cell_f(d, cells, "%.*s%s%.*s", STR_ARG(component), host.n ? ", " : "", STR_ARG(host));
    cell_s(d, cells, str_trim(VAL_STR(obj, names->message)));
    cell_since(c, d, cells, first);
    cell_int(d, cells, count ? count : 1);
    cell_name(d, cells, obj);
}

static void row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    write_row(c, obj, d, cells, &core_names, val_get(obj, "source"), VAL_INT(obj, "count"),
              VAL_STR(obj, "firstTimestamp"), VAL_STR(obj, "lastTimestamp"));
}

static void strict_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    write_row(c, obj, d, cells, &events_names, val_get(obj, "deprecatedSource"),
              VAL_INT(obj, "deprecatedCount"), VAL_STR(obj, "deprecatedFirstTimestamp"),
              VAL_STR(obj, "deprecatedLastTimestamp"));
}

static const char *const fields[] = {"involvedObject.kind",
                                     "involvedObject.namespace",
                                     "involvedObject.name",
                                     "involvedObject.uid",
                                     "involvedObject.apiVersion",
                                     "involvedObject.resourceVersion",
                                     "involvedObject.fieldPath",
                                     "reason",
                                     "reportingComponent",
                                     "source",
                                     "type",
                                     NULL};

static struct str field(const val *obj, struct str name)
{
    if (str_is(name, "source"))
        return first_of(VAL_STR(obj, "source", "component"), VAL_STR(obj, "reportingComponent"));
    return field_of(obj, name);
}

/* --- one storage for both --- */
static const struct {
    const char *core, *events;
} renamed[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
};

static struct str renamed_member(struct str name, bool to_core)
{
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
        if (str_is(name, to_core ? renamed[i].events : renamed[i].core))
            return str_of(to_core ? renamed[i].core : renamed[i].events);
    return name;
}

/* strategy.view: the event as the other group names its members. */
static bool view(const struct schema_kind *kind, struct str json, struct buf *out)
{
    struct doc d;
    struct err ignored;
    val *from, *to;
    bool to_core = !*kind->group, made = false;
    doc_init(&d);
    if (doc_parse_json(&d, json, &from, &ignored) == 0 && str_is(VAL_STR(from, "kind"), "Event")) {
        to = val_new_obj(&d);
        VAL_EACH (from, name, member)
            val_set_str(&d, to, renamed_member(val_str(name), to_core), member);
        val_set_z(&d, to, "apiVersion", to_core ? "v1" : "events.k8s.io/v1");
        schema_normalize(kind->schema, &d, to);
        val_write_json(to, out);
        made = true;
    }
    doc_done(&d);
    return made;
}

const struct strategy event_strategy = {
    .group = "",
    .resource = "events",
    .validate = validate,
    .validate_update = validate_update,
    .fields = fields,
    .field = field,
    .columns = columns,
    .row = row,
    .view = view,
    .create_on_update = true,
    .unconditional_update = true,
};

static const char *const strict_fields[] = {"reason",
                                            "reportingController",
                                            "type",
                                            "regarding.kind",
                                            "regarding.namespace",
                                            "regarding.name",
                                            "regarding.uid",
                                            "regarding.apiVersion",
                                            "regarding.resourceVersion",
                                            "regarding.fieldPath",
                                            NULL};

const struct strategy events_event_strategy = {
    .group = "events.k8s.io",
    .resource = "events",
    .validate = strict_validate,
    .validate_update = strict_validate_update,
    .fields = strict_fields,
    .field = field_of,
    .columns = columns,
    .row = strict_row,
    .view = view,
    .create_on_update = true,
    .unconditional_update = true,
};
