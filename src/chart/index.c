#include "chart/index.h"

#include <stdlib.h>

#include "base/file.h"
#include "chart/repo.h"

/* --- reading --- */
static int newest_first(const void *x, const void *y)
{
    const struct index_version *a = x, *b = y;
    if (!a->is_semver || !b->is_semver)
        return b->is_semver - a->is_semver;
    return semver_cmp(&b->parsed, &a->parsed);
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct index_entry *)x)->name, ((const struct index_entry *)y)->name);
}

/* What is wrong with an entry, or NULL. */
static const char *problem_of(struct chart_ctx *cx, const val *v, const struct index_version *found)
{
    if (!VAL_STR(v, "name").n)
        return "validation: chart.metadata.name is required";
    if (!found->version.n)
        return "validation: chart.metadata.version is required";
    if (!found->is_semver)
        return arena_printf(cx->arena, "validation: chart.metadata.version \"%.*s\" is invalid",
                            STR_ARG(found->version))
            .p;
    return NULL;
}

static void read_versions(struct chart_ctx *cx, const val *list, struct str source,
                          struct index_entry *e)
{
    struct err err;
    e->items = arena_alloc(cx->arena, (val_len(list) + 1) * sizeof(*e->items));
    VAL_FOR (list, item) {
        struct index_version v = {.raw = item, .version = VAL_STR(item, "version")};
        if (val_is_null(item)) {
            chart_warn(cx,
                       "skipping loading invalid entry for chart \"%.*s\" from %.*s: empty entry",
                       STR_ARG(e->name), STR_ARG(source));
            continue;
        }
        v.is_semver = semver_parse(v.version, &v.parsed, &err) == 0;
        const char *problem = problem_of(cx, item, &v);
        if (problem)
            chart_warn(cx,
                       "skipping loading invalid entry for chart \"%.*s\" \"%.*s\" from %.*s: %s",
                       STR_ARG(e->name), STR_ARG(v.version), STR_ARG(source), problem);
        else
            e->items[e->n++] = v;
    }
    if (e->n)
        qsort(e->items, e->n, sizeof(*e->items), newest_first);
}

int index_parse(struct chart_ctx *cx, struct str text, struct str source, struct index *ret)
{
    struct err err;
    val *root;
    struct str start = str_trim(text);
    if (!text.n)
        return chart_fail(cx, "empty index.yaml file");
    *ret = (struct index){0};
    doc_init(&ret->doc);
    bool is_json = str_starts(start, STR("{")) &&
                   doc_parse_json_max(&ret->doc, text, INDEX_MAX, &root, NULL) == 0;
    if (!is_json && doc_parse_yaml_max(&ret->doc, text, INDEX_MAX, &root, &err) != 0) {
        index_done(ret);
        return chart_fail(cx, "%s", err.message);
    }
    if (!val_is_obj(root) && !val_is_null(root)) {
        const char *type = val_type_name(root);
        index_done(ret);
        return chart_fail(cx,
                          "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s "
                          "into Go value of type repo.IndexFile",
                          type);
    }
    if (!VAL_STR(root, "apiVersion").n) {
        index_done(ret);
        return chart_fail(cx, "no API version specified");
    }
    const val *entries = val_get(root, "entries");
    ret->entries = arena_zalloc(cx->arena, (val_len(entries) + 1) * sizeof(*ret->entries));
    VAL_EACH (entries, name, list) {
        struct index_entry *e = &ret->entries[ret->n++];
        e->name = val_str(name);
        read_versions(cx, list, source, e);
    }
    if (ret->n)
        qsort(ret->entries, ret->n, sizeof(*ret->entries), by_name);
    return 0;
}

int index_read(struct chart_ctx *cx, const char *path, struct index *ret)
{
    struct buf text = {0};
    struct err err;
    if (file_read(path, INDEX_MAX, &text, &err) != 0)
        return chart_fail_file(cx, &err);
    int status = index_parse(cx, buf_str(&text), str_of(path), ret);
    if (status != 0)
        chart_wrap(cx, "error loading %s", path);
    buf_done(&text);
    return status;
}

void index_done(struct index *x)
{
    doc_done(&x->doc);
}

/* --- looking --- */
const struct index_entry *index_entry(const struct index *x, struct str name)
{
    struct index_entry key = {.name = name};
    return x->n ? bsearch(&key, x->entries, x->n, sizeof(key), by_name) : NULL;
}

const struct index_version *index_find(struct chart_ctx *cx, const struct index *x, struct str name,
                                       struct str version)
{
    const struct index_entry *e = index_entry(x, name);
    struct err err;
    if (!e || !e->n) {
        chart_fail(cx, e ? "no chart version found" : "no chart name found");
        return NULL;
    }
    struct semver_constraint *constraint =
        semver_constraint_parse(cx->arena, version.n ? version : STR("*"), &err);
    if (!constraint) {
        chart_fail(cx, "%s", err.message);
        return NULL;
    }
    for (size_t i = 0; i < e->n && version.n; i++)
        if (str_eq(e->items[i].version, version))
            return &e->items[i];
    for (size_t i = 0; i < e->n; i++)
        if (semver_constraint_fits(constraint, &e->items[i].parsed))
            return &e->items[i];
    chart_fail(cx, "no chart version found for %.*s-%.*s", STR_ARG(name), STR_ARG(version));
    return NULL;
}

struct str index_version_url(const struct index_version *v)
{
    return val_str(val_at(val_get(v->raw, "urls"), 0));
}
