/* helm_history.c: `tutti helm history`: the revisions of one release. */
#include "cli/helm.h"

struct options {
    const char *output;
    int64_t max;
    enum helm_format format;
};

static int read_flags(struct chart_ctx *cx, struct options *o, int argc, char **argv)
{
    const struct helm_flag flags[] = {
        {"max", 0, HELM_INT, &o->max, NULL},
        {"output", 'o', HELM_TEXT, &o->output, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_format_of(cx, o->output, &o->format) != 0)
        return -1;
    return argc == 1 ? 0
                     : chart_fail(cx, "\"helm history\" requires 1 argument\n\nUsage:  helm "
                                      "history RELEASE_NAME [flags]");
}

static const struct gotype type_info = {
    .kind = KIND_STRUCT,
    .name = "main.releaseInfo",
    .defined = true,
    .fields = (const struct gofield[]){{"Revision", &type_int, "revision"},
                                       {"Updated", &type_string, "updated"},
                                       {"Status", &type_string, "status"},
                                       {"Chart", &type_string, "chart"},
                                       {"AppVersion", &type_string, "app_version"},
                                       {"Description", &type_string, "description"},
                                       {0}},
};
static const struct gotype type_history = {
    .kind = KIND_SLICE, .name = "main.releaseHistory", .elem = &type_info};

static int put_value(struct chart_ctx *cx, const struct release_list *list, enum helm_format format,
                     struct buf *out)
{
    struct value history = value_slice_new(cx->arena, &type_history, list->n);
    for (size_t i = 0; i < list->n; i++) {
        const struct release *r = list->items[i];
        struct buf updated = {0};
        release_time_write(r->last_deployed, &updated);
        const struct value fields[] = {
            value_int(r->version),
            value_str(arena_dup(cx->arena, buf_str(&updated))),
            value_z(release_status_text(r->status)),
            value_str(helm_chart_name(cx->arena, r)),
            value_str(helm_app_version(r)),
            value_str(r->description),
        };
        buf_done(&updated);
        history.items[i] = value_struct_new(cx->arena, &type_info);
        memcpy(history.items[i].fields, fields, sizeof fields);
    }
    return helm_put_value(cx, history, format, out);
}

static void put_table(struct chart_ctx *cx, const struct release_list *list, struct buf *out)
{
    static const struct str head[] = {STR_INIT("REVISION"),    STR_INIT("UPDATED"),
                                      STR_INIT("STATUS"),      STR_INIT("CHART"),
                                      STR_INIT("APP VERSION"), STR_INIT("DESCRIPTION")};
    struct helm_table table = {.arena = cx->arena, .columns = ARRAY_LEN(head)};
    helm_table_add(&table, head);
    for (size_t i = 0; i < list->n; i++) {
        const struct release *r = list->items[i];
        struct buf updated = {0};
        helm_put_time(cx, r->last_deployed, "Mon Jan _2 15:04:05 2006", &updated);
        const struct str cells[] = {arena_printf(cx->arena, "%d", r->version),
                                    arena_dup(cx->arena, buf_str(&updated)),
                                    str_of(release_status_text(r->status)),
                                    helm_chart_name(cx->arena, r),
                                    helm_app_version(r),
                                    r->description};
        buf_done(&updated);
        helm_table_add(&table, cells);
    }
    helm_table_put(&table, out);
}

static int get_history(struct chart_ctx *cx, const char *name, struct release_list *ret)
{
    struct helm_records records;
    int status = helm_records_open(cx, helm_namespace(cx), 0, &records);
    struct str release = str_of(name);
    if (status == 0 && !helm_is_release_name(release))
        status = chart_fail(cx, "release name is invalid: %.*s", STR_ARG(release));
    if (status == 0)
        status = storage_heads(records.storage, release, false, ret) == STORAGE_OK ? 0 : -1;
    helm_records_close(&records);
    return status;
}

int helm_history(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.max = 256};
    struct release_list list;
    if (read_flags(cx, &o, argc, argv) != 0 || get_history(cx, argv[0], &list) != 0)
        return -1;
    size_t max = o.max > 0 ? (size_t)o.max : 0;
    if (list.n > max) {
        list.items += list.n - max;
        list.n = max;
    }
    if (o.format != HELM_TABLE)
        return put_value(cx, &list, o.format, out);
    put_table(cx, &list, out);
    return 0;
}
