/* helm_drift.c: `tutti helm drift RELEASE`: where live objects differ from the release. Exit code
 * 0: nowhere, 2: somewhere, 1: that could not be found out. */
#include "cli/helm.h"
#include "release/diff.h"
#include "release/drift.h"

enum { DRIFTED = 2, MAX_SHOWN = 200 };

struct options {
    const char *context, *against_context, *against_namespace, *output;
    int64_t revision;
    bool show_secrets;
    enum helm_format format;
};

static int read_flags(struct chart_ctx *cx, struct options *o, int argc, char **argv)
{
    const struct helm_flag flags[] = {
        {"against-context", 0, HELM_TEXT, &o->against_context, NULL},
        {"against-namespace", 0, HELM_TEXT, &o->against_namespace, NULL},
        {"context", 0, HELM_TEXT, &o->context, NULL},
        {"output", 'o', HELM_TEXT, &o->output, NULL},
        {"revision", 0, HELM_INT, &o->revision, NULL},
        {"show-secrets", 0, HELM_SWITCH, &o->show_secrets, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_format_of(cx, o->output, &o->format) != 0)
        return -1;
    return argc == 1 ? 0
                     : chart_fail(cx, "\"helm drift\" requires 1 argument\n\nUsage:  helm drift "
                                      "RELEASE_NAME [--revision N] [-o table|json|yaml] "
                                      "[--show-secrets] [--context A] [--against-context B] "
                                      "[--against-namespace NS]");
}

/* --- printing --- */
static const struct gotype type_field = {
    .kind = KIND_STRUCT,
    .name = "field",
    .fields = (const struct gofield[]){{"Path", &type_string, "path"},
                                       {"Wanted", &type_any, "wanted"},
                                       {"Live", &type_any, "live"},
                                       {0}},
};
static const struct gotype type_fields = {
    .kind = KIND_SLICE, .name = "[]field", .elem = &type_field};
static const struct gotype type_object = {
    .kind = KIND_STRUCT,
    .name = "object",
    .fields = (const struct gofield[]){{"APIVersion", &type_string, "apiVersion"},
                                       {"Kind", &type_string, "kind"},
                                       {"Namespace", &type_string, "namespace", true},
                                       {"Name", &type_string, "name"},
                                       {"Missing", &type_bool, "missing", true},
                                       {"Fields", &type_fields, "fields", true},
                                       {0}},
};
static const struct gotype type_objects = {
    .kind = KIND_SLICE, .name = "[]object", .elem = &type_object};

/* JSON text that this program made; empty: null. */
static struct value from_json(struct arena *a, struct str json)
{
    struct doc d;
    struct err err;
    val *v;
    struct value ret = VALUE_NIL;
    doc_init(&d);
    if (json.n && doc_parse_json(&d, json, &v, &err) == 0)
        ret = value_from_val(a, v);
    doc_done(&d);
    return ret;
}

static struct value value_of(struct arena *a, const struct drift_object *d)
{
    struct value fields = value_slice_new(a, &type_fields, d->n);
    for (size_t i = 0; i < d->n; i++) {
        fields.items[i] = value_struct_new(a, &type_field);
        value_set_field(fields.items[i], "Path", value_str(d->fields[i].path));
        value_set_field(fields.items[i], "Wanted", from_json(a, d->fields[i].wanted));
        value_set_field(fields.items[i], "Live", from_json(a, d->fields[i].live));
    }
    struct value v = value_struct_new(a, &type_object);
    value_set_field(v, "APIVersion", value_str(d->object->api_version));
    value_set_field(v, "Kind", value_str(d->object->kind));
    value_set_field(v, "Namespace", value_str(d->object->namespace));
    value_set_field(v, "Name", value_str(d->object->name));
    value_set_field(v, "Missing", value_bool(d->missing));
    value_set_field(v, "Fields", fields);
    return v;
}

static int put_values(struct chart_ctx *cx, const struct drift *d, enum helm_format format,
                      struct buf *out)
{
    struct value list = value_slice_new(cx->arena, &type_objects, d->n);
    for (size_t i = 0; i < d->n; i++)
        list.items[i] = value_of(cx->arena, &d->items[i]);
    return helm_put_value(cx, list, format, out);
}

static void put_shown(struct str json, struct buf *out)
{
    if (!json.n)
        json = STR("nothing");
    buf_put(out, str_head(json, MAX_SHOWN));
    if (json.n > MAX_SHOWN)
        buf_puts(out, "…");
}

static void put_object(const struct drift_object *d, bool colour, struct buf *out)
{
    const struct object *o = d->object;
    buf_puts(out, colour ? "\033[33m" : "");
    diff_put_name(o->namespace, o->name, o->kind, o->api_version, out);
    buf_printf(out, " %s%s\n", d->missing ? "is missing" : "has drifted:", colour ? "\033[0m" : "");
    for (size_t i = 0; i < d->n; i++) {
        buf_printf(out, "  %.*s: wanted ", STR_ARG(d->fields[i].path));
        buf_puts(out, colour ? "\033[32m" : "");
        put_shown(d->fields[i].wanted, out);
        buf_printf(out, "%s, live %s", colour ? "\033[0m" : "", colour ? "\033[31m" : "");
        put_shown(d->fields[i].live, out);
        buf_puts(out, colour ? "\033[0m\n" : "\n");
    }
}

static int put(struct chart_ctx *cx, const struct options *o, const char *name,
               const struct drift *d, struct buf *out)
{
    if (o->format != HELM_TABLE)
        return put_values(cx, d, o->format, out);
    bool colour = helm_colours();
    for (size_t i = 0; i < d->n; i++)
        put_object(&d->items[i], colour, out);
    if (d->n)
        buf_printf(out, "%s: %zu of %zu objects drifted\n", name, d->n, d->checked);
    else
        buf_printf(out, "%s: no drift in %zu objects\n", name, d->checked);
    return 0;
}

/* The release is that of one cluster, the objects may be those of another. */
static int find(struct chart_ctx *cx, const struct options *o, const char *name, struct drift *ret)
{
    struct helm_records own, other = {0};
    struct release *r;
    bool two = o->against_context || o->against_namespace;
    int rc = helm_records_open_in(cx, o->context, NULL, &own);
    if (rc == 0)
        rc = helm_release_content(cx, own.storage, name, o->revision, &r);
    if (rc == 0 && two)
        rc = helm_records_open_in(cx, o->against_context ? o->against_context : o->context,
                                  o->against_namespace, &other);
    if (rc == 0)
        rc = drift_of_manifest(cx, two ? other.cluster : own.cluster, r->manifest, o->show_secrets,
                               ret);
    helm_records_close(&own);
    helm_records_close(&other);
    return rc;
}

int helm_drift(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {0};
    struct drift d;
    if (read_flags(cx, &o, argc, argv) != 0 || find(cx, &o, argv[0], &d) != 0 ||
        put(cx, &o, argv[0], &d, out) != 0)
        return -1;
    return d.n ? DRIFTED : 0;
}
