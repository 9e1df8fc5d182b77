/* release_read.c: a release from Helm's JSON. It comes from a cluster, where anybody with the right
 * to write Secrets may have made it: every type is checked. */
#include "release/release_internal.h"
#include "template/gobase.h"

enum { MAX_HOOKS = 65536 };

static int fail_type(struct chart_ctx *cx, const val *v, const char *field, const char *type)
{
    return chart_fail(cx, "json: cannot unmarshal %s into Go struct field %s of type %s",
                      val_type_name(v), field, type);
}

/* Each reads a member: field is "Struct.key", as errors name it; null leaves *ret alone. */
static const val *member(const val *obj, const char *field)
{
    return val_get(obj, strrchr(field, '.') + 1);
}

static int get_text(struct chart_ctx *cx, const val *obj, const char *field, struct str *ret)
{
    const val *v = member(obj, field);
    if (val_is_null(v))
        return 0;
    if (!val_is_str(v))
        return fail_type(cx, v, field, "string");
    *ret = arena_dup(cx->arena, val_str(v));
    return 0;
}

static int get_int(struct chart_ctx *cx, const val *obj, const char *field, int *ret)
{
    const val *v = member(obj, field);
    if (val_is_null(v))
        return 0;
    int64_t i = val_int(v);
    if (!val_is_int(v) || i < INT32_MIN || i > INT32_MAX)
        return fail_type(cx, v, field, "int");
    *ret = (int)i;
    return 0;
}

static int get_time(struct chart_ctx *cx, const val *obj, const char *field,
                    struct release_time *ret)
{
    const val *v = member(obj, field);
    if (val_is_null(v))
        return 0;
    if (!val_is_str(v))
        return chart_fail(cx, "Time.UnmarshalJSON: input is not a JSON string");
    if (release_time_parse(val_str(v), ret) != 0)
        return chart_fail(cx,
                          "parsing time \"%.*s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse "
                          "\"%.*s\" as \"2006\"",
                          STR_ARG(str_head(val_str(v), 64)), STR_ARG(str_head(val_str(v), 64)));
    return 0;
}

static int get_map(struct chart_ctx *cx, const val *obj, const char *field, struct vmap **ret)
{
    const val *v = member(obj, field);
    if (val_is_null(v))
        return 0;
    if (!val_is_obj(v))
        return fail_type(cx, v, field, "map[string]interface {}");
    *ret = value_from_val(cx->arena, v).map;
    return 0;
}

static int get_texts(struct chart_ctx *cx, const val *obj, const char *field, const char *type,
                     struct chart_strs *ret)
{
    const val *v = member(obj, field);
    if (val_is_null(v))
        return 0;
    if (!val_is_arr(v))
        return fail_type(cx, v, field, type);
    ret->items = arena_zalloc(cx->arena, (val_len(v) + 1) * sizeof(*ret->items));
    VAL_FOR (v, item) {
        if (!val_is_str(item))
            return fail_type(cx, item, field, "string");
        ret->items[ret->n++] = arena_dup(cx->arena, val_str(item));
    }
    return 0;
}

/* []byte: base64. */
static int get_bytes(struct chart_ctx *cx, const val *obj, const char *field, struct str *ret,
                     bool *ret_there)
{
    const val *v = member(obj, field);
    size_t at;
    struct buf b = {0};
    if (val_is_null(v))
        return 0;
    if (!val_is_str(v))
        return fail_type(cx, v, field, "[]uint8");
    int rc = gobase64_decode(&b, val_str(v), &at);
    *ret = rc == 0 ? arena_dup(cx->arena, (struct str){buf_z(&b), b.n}) : (struct str){0};
    *ret_there = true;
    buf_done(&b);
    return rc == 0 ? 0 : chart_fail(cx, "illegal base64 data at input byte %zu", at);
}

/* --- the chart --- */
static int get_files(struct chart_ctx *cx, const val *obj, const char *field,
                     struct chart_files *ret)
{
    const val *list = member(obj, field);
    if (val_is_null(list))
        return 0;
    if (!val_is_arr(list))
        return fail_type(cx, list, field, "[]*chart.File");
    if (val_len(list) > CHART_MAX_FILES)
        return chart_fail(cx, "%s holds more than %d files", field, CHART_MAX_FILES);
    VAL_FOR (list, item) {
        struct str name = {0}, data = STR("");
        bool there;
        if (val_is_null(item))
            continue;
        if (!val_is_obj(item))
            return fail_type(cx, item, field, "chart.File");
        if (get_text(cx, item, "File.name", &name) != 0 ||
            get_bytes(cx, item, "File.data", &data, &there) != 0)
            return -1;
        chart_files_add(cx->arena, ret, name, data);
    }
    return 0;
}

/* Lists of pointers may hold nulls, which nobody expects. */
static size_t drop_nulls(void **items, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (items[i])
            items[kept++] = items[i];
    return kept;
}

static int get_meta(struct chart_ctx *cx, const val *v, struct chart *c)
{
    struct chart_meta *m = &c->meta;
    if (val_is_null(v))
        return 0;
    if (chart_meta_from(cx, v, m) != 0)
        return -1;
    m->maintainer_count = drop_nulls((void **)m->maintainers, m->maintainer_count);
    m->dependency_count = drop_nulls((void **)m->dependencies, m->dependency_count);
    c->has_meta = true;
    return 0;
}

static int get_lock(struct chart_ctx *cx, const val *v, struct chart *c)
{
    if (val_is_null(v))
        return 0;
    c->lock = ARENA_NEW(cx->arena, struct chart_lock);
    if (chart_lock_from(cx, v, c->lock) != 0)
        return -1;
    c->lock->dependency_count =
        drop_nulls((void **)c->lock->dependencies, c->lock->dependency_count);
    return 0;
}

static int get_chart(struct chart_ctx *cx, const val *v, struct release *r)
{
    if (val_is_null(v))
        return 0;
    if (!val_is_obj(v))
        return fail_type(cx, v, "Release.chart", "chart.Chart");
    struct chart *c = r->chart = ARENA_NEW(cx->arena, struct chart);
    return get_meta(cx, val_get(v, "metadata"), c) != 0 ||
                   get_lock(cx, val_get(v, "lock"), c) != 0 ||
                   get_files(cx, v, "Chart.templates", &c->templates) != 0 ||
                   get_map(cx, v, "Chart.values", &c->values) != 0 ||
                   get_bytes(cx, v, "Chart.schema", &c->schema, &c->has_schema) != 0 ||
                   get_files(cx, v, "Chart.files", &c->files) != 0
               ? -1
               : 0;
}

/* --- hooks --- */
static int get_last_run(struct chart_ctx *cx, const val *v, struct release_hook *h)
{
    struct str phase = {0};
    if (val_is_null(v))
        return 0;
    if (!val_is_obj(v))
        return fail_type(cx, v, "Hook.last_run", "release.HookExecution");
    if (get_time(cx, v, "HookExecution.started_at", &h->started) != 0 ||
        get_time(cx, v, "HookExecution.completed_at", &h->completed) != 0 ||
        get_text(cx, v, "HookExecution.phase", &phase) != 0)
        return -1;
    h->phase = hook_phase_of(phase);
    return 0;
}

static int get_hook(struct chart_ctx *cx, const val *v, struct release_hook *h)
{
    if (!val_is_obj(v))
        return fail_type(cx, v, "Release.hooks", "release.Hook");
    if (get_text(cx, v, "Hook.name", &h->name) != 0 ||
        get_text(cx, v, "Hook.kind", &h->kind) != 0 ||
        get_text(cx, v, "Hook.path", &h->path) != 0 ||
        get_text(cx, v, "Hook.manifest", &h->manifest) != 0 ||
        get_texts(cx, v, "Hook.events", "[]release.HookEvent", &h->event_names) != 0 ||
        get_last_run(cx, val_get(v, "last_run"), h) != 0 ||
        get_int(cx, v, "Hook.weight", &h->weight) != 0 ||
        get_texts(cx, v, "Hook.delete_policies", "[]release.HookDeletePolicy", &h->delete_names) !=
            0 ||
        get_texts(cx, v, "Hook.output_log_policies", "[]release.HookOutputLogPolicy",
                  &h->output_log_names) != 0)
        return -1;
    h->events = hook_bits(&hook_event_names, &h->event_names);
    h->delete_policies = hook_bits(&hook_policy_names, &h->delete_names);
    h->output_log_policies = hook_bits(&hook_policy_names, &h->output_log_names);
    return 0;
}

static int get_hooks(struct chart_ctx *cx, const val *list, struct release *r)
{
    if (val_is_null(list))
        return 0;
    if (!val_is_arr(list))
        return fail_type(cx, list, "Release.hooks", "[]*release.Hook");
    if (val_len(list) > MAX_HOOKS)
        return chart_fail(cx, "a release of more than %d hooks", MAX_HOOKS);
    r->hooks = arena_zalloc(cx->arena, (val_len(list) + 1) * sizeof(*r->hooks));
    VAL_FOR (list, item)
        if (!val_is_null(item) && get_hook(cx, item, &r->hooks[r->hook_count++]) != 0)
            return -1;
    return 0;
}

/* --- the release --- */
static int get_info(struct chart_ctx *cx, const val *v, struct release *r)
{
    struct str status = {0};
    if (val_is_null(v))
        return 0;
    if (!val_is_obj(v))
        return fail_type(cx, v, "Release.info", "release.Info");
    if (get_time(cx, v, "Info.first_deployed", &r->first_deployed) != 0 ||
        get_time(cx, v, "Info.last_deployed", &r->last_deployed) != 0 ||
        get_time(cx, v, "Info.deleted", &r->deleted) != 0 ||
        get_text(cx, v, "Info.description", &r->description) != 0 ||
        get_text(cx, v, "Info.status", &status) != 0 ||
        get_text(cx, v, "Info.notes", &r->notes) != 0)
        return -1;
    r->status = release_status_of(status);
    return 0;
}

static int get_release(struct chart_ctx *cx, const val *v, struct release *r)
{
    if (!val_is_obj(v))
        return chart_fail(cx, "json: cannot unmarshal %s into Go value of type release.Release",
                          val_type_name(v));
    return get_text(cx, v, "Release.name", &r->name) != 0 ||
                   get_info(cx, val_get(v, "info"), r) != 0 ||
                   get_chart(cx, val_get(v, "chart"), r) != 0 ||
                   get_map(cx, v, "Release.config", &r->config) != 0 ||
                   get_text(cx, v, "Release.manifest", &r->manifest) != 0 ||
                   get_hooks(cx, val_get(v, "hooks"), r) != 0 ||
                   get_int(cx, v, "Release.version", &r->version) != 0 ||
                   get_text(cx, v, "Release.namespace", &r->namespace) != 0
               ? -1
               : 0;
}

static int get_head(struct chart_ctx *cx, const val *v, struct release *r)
{
    const val *chart = val_get(v, "chart");
    if (!val_is_obj(v))
        return chart_fail(cx, "json: cannot unmarshal %s into Go value of type release.Release",
                          val_type_name(v));
    if (val_is_obj(chart)) {
        r->chart = ARENA_NEW(cx->arena, struct chart);
        if (get_meta(cx, val_get(chart, "metadata"), r->chart) != 0)
            return -1;
    }
    return get_text(cx, v, "Release.name", &r->name) != 0 ||
                   get_info(cx, val_get(v, "info"), r) != 0 ||
                   get_int(cx, v, "Release.version", &r->version) != 0 ||
                   get_text(cx, v, "Release.namespace", &r->namespace) != 0
               ? -1
               : 0;
}

static int read_with(struct chart_ctx *cx, struct str json, struct release **ret,
                     int (*get)(struct chart_ctx *cx, const val *v, struct release *r))
{
    struct doc d;
    struct err err;
    val *root;
    struct release *r = ARENA_NEW(cx->arena, struct release);
    doc_init(&d);
    int status = doc_parse_json_max(&d, json, RELEASE_MAX_JSON, &root, &err) == 0
                     ? get(cx, root, r)
                     : chart_fail(cx, "%s", err.message);
    doc_done(&d);
    if (status == 0)
        *ret = r;
    return status;
}

int release_read_json(struct chart_ctx *cx, struct str json, struct release **ret)
{
    return read_with(cx, json, ret, get_release);
}

int release_read_head(struct chart_ctx *cx, struct str json, struct release **ret)
{
    return read_with(cx, json, ret, get_head);
}
