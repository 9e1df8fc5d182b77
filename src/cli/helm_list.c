/* helm_list.c: `tutti helm list`: the newest revision of each release. */
#include <stdlib.h>

#include "cli/helm.h"
#include "doc/selector.h"
#include "regex/regex.h"

struct options {
    bool all, all_namespaces, by_date, reverse, is_short, no_headers;
    bool deployed, failed, pending, superseded, uninstalled, uninstalling;
    const char *filter, *selector, *time_format, *output;
    int64_t max, offset;
    enum helm_format format;
};

static int read_flags(struct chart_ctx *cx, struct options *o, int argc, char **argv)
{
    const struct helm_flag flags[] = {
        {"all", 'a', HELM_SWITCH, &o->all, NULL},
        {"all-namespaces", 'A', HELM_SWITCH, &o->all_namespaces, NULL},
        {"date", 'd', HELM_SWITCH, &o->by_date, NULL},
        {"deployed", 0, HELM_SWITCH, &o->deployed, NULL},
        {"failed", 0, HELM_SWITCH, &o->failed, NULL},
        {"filter", 'f', HELM_TEXT, &o->filter, NULL},
        {"max", 'm', HELM_INT, &o->max, NULL},
        {"no-headers", 0, HELM_SWITCH, &o->no_headers, NULL},
        {"offset", 0, HELM_INT, &o->offset, NULL},
        {"output", 'o', HELM_TEXT, &o->output, NULL},
        {"pending", 0, HELM_SWITCH, &o->pending, NULL},
        {"reverse", 'r', HELM_SWITCH, &o->reverse, NULL},
        {"selector", 'l', HELM_TEXT, &o->selector, NULL},
        {"short", 'q', HELM_SWITCH, &o->is_short, NULL},
        {"superseded", 0, HELM_SWITCH, &o->superseded, NULL},
        {"time-format", 0, HELM_TEXT, &o->time_format, NULL},
        {"uninstalled", 0, HELM_SWITCH, &o->uninstalled, NULL},
        {"uninstalling", 0, HELM_SWITCH, &o->uninstalling, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_format_of(cx, o->output, &o->format) != 0)
        return -1;
    return argc == 0 ? 0
                     : chart_fail(cx, "\"helm list\" accepts no arguments\n\nUsage:  helm list "
                                      "[flags]");
}

/* --- which ones --- */
enum {
    PENDING =
        1 << RELEASE_PENDING_INSTALL | 1 << RELEASE_PENDING_UPGRADE | 1 << RELEASE_PENDING_ROLLBACK,
    ALL = PENDING | 1 << RELEASE_DEPLOYED | 1 << RELEASE_FAILED | 1 << RELEASE_SUPERSEDED |
          1 << RELEASE_UNINSTALLED | 1 << RELEASE_UNINSTALLING,
};

/* Bits of enum release_status. */
static unsigned wanted_states(const struct options *o)
{
    unsigned states = (o->deployed ? 1u << RELEASE_DEPLOYED : 0) |
                      (o->uninstalled ? 1u << RELEASE_UNINSTALLED : 0) |
                      (o->uninstalling ? 1u << RELEASE_UNINSTALLING : 0) |
                      (o->pending ? PENDING : 0) | (o->failed ? 1u << RELEASE_FAILED : 0) |
                      (o->superseded ? 1u << RELEASE_SUPERSEDED : 0);
    if (o->all)
        return ALL;
    return states ? states : 1u << RELEASE_DEPLOYED | 1u << RELEASE_FAILED;
}

/* Superseded revisions are never the newest: who asks for those alone wants them all. */
static bool only_newest(const struct options *o)
{
    return wanted_states(o) != 1u << RELEASE_SUPERSEDED;
}

/* Keeps the releases of which `fits` is true. */
static void keep(struct release_list *list, bool (*fits)(const struct release *r, void *arg),
                 void *arg)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        if (fits(list->items[i], arg))
            list->items[n++] = list->items[i];
    list->n = n;
}

static bool fits_filter(const struct release *r, void *arg)
{
    return regex_match(arg, r->name);
}

static int filter_names(struct chart_ctx *cx, const char *filter, struct release_list *list)
{
    struct err err;
    if (!filter || !filter[0])
        return 0;
    struct regex *re = regex_new(str_of(filter), 0, &err);
    if (!re)
        return chart_fail(cx, "%s", err.message);
    keep(list, fits_filter, re);
    regex_free(re);
    return 0;
}

static int by_release(const void *x, const void *y)
{
    const struct release *a = *(struct release *const *)x, *b = *(struct release *const *)y;
    int order = str_cmp(a->name, b->name);
    order = order ? order : str_cmp(a->namespace, b->namespace);
    return order ? order : (a->version > b->version) - (a->version < b->version);
}

/* The list is sorted by release and version. */
static void keep_latest(struct release_list *list)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct release *r = list->items[i];
        const struct release *next = i + 1 < list->n ? list->items[i + 1] : NULL;
        if (!next || !str_eq(r->name, next->name) || !str_eq(r->namespace, next->namespace))
            list->items[n++] = list->items[i];
    }
    list->n = n;
}

static bool fits_states(const struct release *r, void *arg)
{
    return *(unsigned *)arg & 1u << r->status;
}

/* The labels of its record but for the two that are times. */
static bool fits_selector(const struct release *r, void *arg)
{
    struct doc d;
    doc_init(&d);
    val *labels = val_new_obj(&d);
    for (size_t i = 0; i < vmap_len(r->labels); i++)
        val_set_str(&d, labels, r->labels->entries[i].key,
                    val_new_str(&d, value_text(r->labels->entries[i].value)));
    val_set_s(&d, labels, "name", r->name);
    val_set_z(&d, labels, "owner", "helm");
    val_set_z(&d, labels, "status", release_status_text(r->status));
    val_set(&d, labels, "version", val_new_strf(&d, "%d", r->version));
    bool fits = selector_match_labels(arg, labels);
    doc_done(&d);
    return fits;
}

static int by_date(const void *x, const void *y)
{
    const struct release *a = *(struct release *const *)x, *b = *(struct release *const *)y;
    int64_t s = a->last_deployed.ns / 1000000000, t = b->last_deployed.ns / 1000000000;
    return s != t ? (s > t) - (s < t) : by_release(x, y);
}

/* It is sorted by release already. */
static void sort(const struct options *o, struct release_list *list)
{
    if (o->by_date && list->n)
        qsort(list->items, list->n, sizeof *list->items, by_date);
    for (size_t i = 0; o->reverse && i < list->n / 2; i++) {
        struct release *r = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = r;
    }
}

static void cut(const struct options *o, struct release_list *list)
{
    size_t skip = o->offset > 0 ? (size_t)o->offset : 0;
    if (skip >= list->n) {
        list->n = 0;
        return;
    }
    list->items += skip;
    list->n -= skip;
    if (o->max > 0 && (uint64_t)o->max < list->n)
        list->n = (size_t)o->max;
}

static int choose(struct chart_ctx *cx, const struct options *o, struct release_list *list)
{
    struct selector selector;
    struct err err;
    unsigned states = wanted_states(o);
    if (filter_names(cx, o->filter, list) != 0)
        return -1;
    if (list->n == 0)
        return 0;
    qsort(list->items, list->n, sizeof *list->items, by_release);
    if (only_newest(o))
        keep_latest(list);
    keep(list, fits_states, &states);
    if (selector_parse_labels(cx->arena, str_of(o->selector), &selector, &err) != 0)
        return chart_fail(cx, "%s", err.message);
    keep(list, fits_selector, &selector);
    sort(o, list);
    cut(o, list);
    return 0;
}

/* --- how they are shown --- */
static const struct gotype type_element = {
    .kind = KIND_STRUCT,
    .name = "main.releaseElement",
    .defined = true,
    .fields = (const struct gofield[]){{"Name", &type_string, "name"},
                                       {"Namespace", &type_string, "namespace"},
                                       {"Revision", &type_string, "revision"},
                                       {"Updated", &type_string, "updated"},
                                       {"Status", &type_string, "status"},
                                       {"Chart", &type_string, "chart"},
                                       {"AppVersion", &type_string, "app_version"},
                                       {0}},
};
static const struct gotype type_elements = {
    .kind = KIND_SLICE, .name = "[]main.releaseElement", .elem = &type_element};
enum { COLUMNS = 7 };

static struct str updated(struct chart_ctx *cx, const struct options *o, const struct release *r)
{
    struct buf b = {0};
    if (r->last_deployed.ns == 0)
        return STR("-");
    helm_put_time(cx, r->last_deployed,
                  o->time_format && o->time_format[0] ? o->time_format
                                                      : "2006-01-02 15:04:05.999999999 -0700 MST",
                  &b);
    struct str text = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

static void cells_of(struct chart_ctx *cx, const struct options *o, const struct release *r,
                     struct str ret[COLUMNS])
{
    const struct str cells[COLUMNS] = {r->name,
                                       r->namespace,
                                       arena_printf(cx->arena, "%d", r->version),
                                       updated(cx, o, r),
                                       str_of(release_status_text(r->status)),
                                       helm_chart_name(cx->arena, r),
                                       helm_app_version(r)};
    memcpy(ret, cells, sizeof cells);
}

static int put_short(struct chart_ctx *cx, const struct options *o, const struct release_list *list,
                     struct buf *out)
{
    struct value names = value_slice_new(cx->arena, &type_strings, list->n);
    for (size_t i = 0; i < list->n; i++) {
        names.items[i] = value_str(list->items[i]->name);
        if (o->format == HELM_TABLE)
            buf_printf(out, "%.*s\n", STR_ARG(list->items[i]->name));
    }
    return o->format == HELM_TABLE ? 0 : helm_put_value(cx, names, o->format, out);
}

static int put_list(struct chart_ctx *cx, const struct options *o, const struct release_list *list,
                    struct buf *out)
{
    struct helm_table table = {.arena = cx->arena, .columns = COLUMNS};
    struct value elements = value_slice_new(cx->arena, &type_elements, list->n);
    static const struct str head[COLUMNS] = {
        STR_INIT("NAME"),   STR_INIT("NAMESPACE"), STR_INIT("REVISION"),   STR_INIT("UPDATED"),
        STR_INIT("STATUS"), STR_INIT("CHART"),     STR_INIT("APP VERSION")};
    if (!o->no_headers)
        helm_table_add(&table, head);
    for (size_t i = 0; i < list->n; i++) {
        struct str cells[COLUMNS];
        cells_of(cx, o, list->items[i], cells);
        helm_table_add(&table, cells);
        elements.items[i] = value_struct_new(cx->arena, &type_element);
        for (size_t c = 0; c < COLUMNS; c++)
            elements.items[i].fields[c] = value_str(cells[c]);
    }
    if (o->format != HELM_TABLE)
        return helm_put_value(cx, elements, o->format, out);
    helm_table_put(&table, out);
    return 0;
}

int helm_list(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.max = 256};
    struct helm_records records = {0};
    struct release_list list = {0};
    if (read_flags(cx, &o, argc, argv) != 0)
        return -1;
    const char *namespace = o.all_namespaces ? "" : helm_namespace(cx);
    int status = helm_records_open(cx, namespace, 0, &records);
    if (status == 0)
        status =
            storage_heads(records.storage, STR(""), only_newest(&o), &list) == STORAGE_OK ? 0 : -1;
    helm_records_close(&records);
    if (status != 0 || choose(cx, &o, &list) != 0)
        return -1;
    return o.is_short ? put_short(cx, &o, &list, out) : put_list(cx, &o, &list, out);
}
