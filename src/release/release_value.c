#include "release/release_value.h"

#include "chart/objects.h"
#include "release/release_internal.h"
#include "template/golayout.h"

/* Texts with a type of their own. */
static const struct gotype type_status = {
    .kind = KIND_STRING, .name = "release.Status", .defined = true};
static const struct gotype type_phase = {
    .kind = KIND_STRING, .name = "release.HookPhase", .defined = true};
static const struct gotype type_event = {
    .kind = KIND_STRING, .name = "release.HookEvent", .defined = true};
static const struct gotype type_events = {
    .kind = KIND_SLICE, .name = "[]release.HookEvent", .elem = &type_event};
static const struct gotype type_delete_policy = {
    .kind = KIND_STRING, .name = "release.HookDeletePolicy", .defined = true};
static const struct gotype type_delete_policies = {
    .kind = KIND_SLICE, .name = "[]release.HookDeletePolicy", .elem = &type_delete_policy};

static const struct gotype type_execution = {
    .kind = KIND_STRUCT,
    .name = "release.HookExecution",
    .defined = true,
    .fields = (const struct gofield[]){{"StartedAt", &type_time, "started_at"},
                                       {"CompletedAt", &type_time, "completed_at"},
                                       {"Phase", &type_phase, "phase"},
                                       {0}},
};
static const struct gotype type_hook = {
    .kind = KIND_STRUCT,
    .name = "release.Hook",
    .defined = true,
    .fields =
        (const struct gofield[]){{"Name", &type_string, "name", true},
                                 {"Kind", &type_string, "kind", true},
                                 {"Path", &type_string, "path", true},
                                 {"Manifest", &type_string, "manifest", true},
                                 {"Events", &type_events, "events", true},
                                 {"LastRun", &type_execution, "last_run"},
                                 {"Weight", &type_int, "weight", true},
                                 {"DeletePolicies", &type_delete_policies, "delete_policies", true},
                                 {0}},
};
static const struct gotype type_hook_ptr = {
    .kind = KIND_PTR, .name = "*release.Hook", .elem = &type_hook};
static const struct gotype type_hooks = {
    .kind = KIND_SLICE, .name = "[]*release.Hook", .elem = &type_hook_ptr};

static const struct gotype type_info = {
    .kind = KIND_STRUCT,
    .name = "release.Info",
    .defined = true,
    .fields = (const struct gofield[]){{"FirstDeployed", &type_time, "first_deployed"},
                                       {"LastDeployed", &type_time, "last_deployed"},
                                       {"Deleted", &type_time, "deleted"},
                                       {"Description", &type_string, "description", true},
                                       {"Status", &type_status, "status", true},
                                       {"Notes", &type_string, "notes", true},
                                       {0}},
};
static const struct gotype type_info_ptr = {
    .kind = KIND_PTR, .name = "*release.Info", .elem = &type_info};

static const struct gotype type_file = {
    .kind = KIND_STRUCT,
    .name = "chart.File",
    .defined = true,
    .fields = (const struct gofield[]){{"Name", &type_string, "name"},
                                       {"Data", &type_bytes, "data"},
                                       {0}},
};
static const struct gotype type_file_ptr = {
    .kind = KIND_PTR, .name = "*chart.File", .elem = &type_file};
static const struct gotype type_files = {
    .kind = KIND_SLICE, .name = "[]*chart.File", .elem = &type_file_ptr};

static const struct gotype type_chart = {
    .kind = KIND_STRUCT,
    .name = "chart.Chart",
    .defined = true,
    .fields = (const struct gofield[]){{"Metadata", &type_any, "metadata"},
                                       {"Templates", &type_files, "templates"},
                                       {"Values", &type_map, "values"},
                                       {"Schema", &type_bytes, "schema"},
                                       {"Files", &type_files, "files"},
                                       {0}},
};
static const struct gotype type_chart_ptr = {
    .kind = KIND_PTR, .name = "*chart.Chart", .elem = &type_chart};

static const struct gotype type_release = {
    .kind = KIND_STRUCT,
    .name = "release.Release",
    .defined = true,
    .fields = (const struct gofield[]){{"Name", &type_string, "name", true},
                                       {"Info", &type_info_ptr, "info", true},
                                       {"Chart", &type_chart_ptr, "chart", true},
                                       {"Config", &type_map, "config", true},
                                       {"Manifest", &type_string, "manifest", true},
                                       {"Hooks", &type_hooks, "hooks", true},
                                       {"Version", &type_int, "version", true},
                                       {"Namespace", &type_string, "namespace", true},
                                       {"Labels", &type_map_strings, "-"},
                                       {0}},
};
static const struct gotype type_release_ptr = {
    .kind = KIND_PTR, .name = "*release.Release", .elem = &type_release};

static struct value text_of(const struct gotype *type, struct str s)
{
    struct value v = value_str(s);
    v.type = type;
    return v;
}

static struct value time_of(struct arena *a, struct release_time t)
{
    enum { NS = 1000000000 };
    int64_t nsec = (t.ns % NS + NS) % NS;
    if (t.ns == 0)
        return gotime_value(a, gotime_zero());
    return gotime_value(
        a, (struct gotime){(t.ns - nsec) / NS, (int32_t)nsec,
                           t.offset_s ? gozone_fixed(a, STR(""), t.offset_s) : &gozone_utc, -1});
}

static struct value texts_of(struct arena *a, const struct gotype *type,
                             const struct chart_strs *texts)
{
    if (!texts->n)
        return value_zero(a, type);
    struct value list = value_slice_new(a, type, texts->n);
    for (size_t i = 0; i < texts->n; i++)
        list.items[i] = text_of(type->elem, texts->items[i]);
    return list;
}

static struct value hook_of(struct arena *a, const struct release_hook *h)
{
    struct value v = value_struct_new(a, &type_hook_ptr);
    struct value run = value_struct_new(a, &type_execution);
    value_set_field(run, "StartedAt", time_of(a, h->started));
    value_set_field(run, "CompletedAt", time_of(a, h->completed));
    value_set_field(run, "Phase", text_of(&type_phase, str_of(hook_phase_text(h->phase))));
    value_set_field(v, "Name", value_str(h->name));
    value_set_field(v, "Kind", value_str(h->kind));
    value_set_field(v, "Path", value_str(h->path));
    value_set_field(v, "Manifest", value_str(h->manifest));
    value_set_field(v, "Events", texts_of(a, &type_events, &h->event_names));
    value_set_field(v, "LastRun", run);
    value_set_field(v, "Weight", value_int(h->weight));
    value_set_field(v, "DeletePolicies", texts_of(a, &type_delete_policies, &h->delete_names));
    return v;
}

static struct value files_of(struct arena *a, const struct chart_files *files)
{
    struct value list = value_slice_new(a, &type_files, files->n);
    for (size_t i = 0; i < files->n; i++) {
        struct value v = value_struct_new(a, &type_file_ptr);
        value_set_field(v, "Name", value_str(files->items[i].name));
        value_set_field(v, "Data", value_bytes(files->items[i].data));
        list.items[i] = v;
    }
    return list;
}

static struct value chart_of(struct arena *a, const struct chart *c)
{
    struct value v = value_struct_new(a, &type_chart_ptr);
    if (c->has_meta)
        value_set_field(v, "Metadata", chart_metadata_value(a, &c->meta));
    value_set_field(v, "Templates", files_of(a, &c->templates));
    value_set_field(v, "Values", value_map(&type_map, c->values));
    if (c->has_schema)
        value_set_field(v, "Schema", value_bytes(c->schema));
    value_set_field(v, "Files", files_of(a, &c->files));
    return v;
}

static struct value info_of(struct arena *a, const struct release *r)
{
    struct value v = value_struct_new(a, &type_info_ptr);
    value_set_field(v, "FirstDeployed", time_of(a, r->first_deployed));
    value_set_field(v, "LastDeployed", time_of(a, r->last_deployed));
    value_set_field(v, "Deleted", time_of(a, r->deleted));
    value_set_field(v, "Description", value_str(r->description));
    value_set_field(v, "Status", text_of(&type_status, str_of(release_status_text(r->status))));
    value_set_field(v, "Notes", value_str(r->notes));
    return v;
}

struct value release_value(struct arena *a, const struct release *r)
{
    struct value v = value_struct_new(a, &type_release_ptr);
    struct value hooks = value_slice_new(a, &type_hooks, r->hook_count);
    for (size_t i = 0; i < r->hook_count; i++)
        hooks.items[i] = hook_of(a, &r->hooks[i]);
    value_set_field(v, "Name", value_str(r->name));
    value_set_field(v, "Info", info_of(a, r));
    if (r->chart)
        value_set_field(v, "Chart", chart_of(a, r->chart));
    value_set_field(v, "Config", value_map(&type_map, r->config));
    value_set_field(v, "Manifest", value_str(r->manifest));
    value_set_field(v, "Hooks", hooks);
    value_set_field(v, "Version", value_int(r->version));
    value_set_field(v, "Namespace", value_str(r->namespace));
    value_set_field(v, "Labels", value_map(&type_map_strings, r->labels));
    return v;
}
