/* index_write.c: index.yaml of a folder of packed charts. */
#include <dirent.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "chart/index.h"
#include "chart/objects.h"
#include "chart/package.h"
#include "chart/repo.h"
#include "doc/time.h"
#include "net/url.h"
#include "template/gojson.h"

struct writer {
    struct chart_ctx *cx;
    struct doc doc;
    val *entries;
    struct str now, base_url;
};

static struct str join(struct arena *a, struct str x, struct str y)
{
    if (!x.n || !y.n)
        return x.n ? x : y;
    return arena_printf(a, "%.*s%s%.*s", STR_ARG(x), str_ends(x, STR("/")) ? "" : "/", STR_ARG(y));
}

/* urlutil.URLJoin: the base's query stays behind the path. */
static struct str chart_url(struct writer *w, struct str folder, struct str file)
{
    struct arena *a = w->cx->arena;
    struct str below = join(a, folder, file), bare, query;
    if (!w->base_url.n)
        return below;
    bool has_query = str_cut(w->base_url, '?', &bare, &query);
    return arena_printf(a, "%.*s%s%.*s", STR_ARG(join(a, bare, below)), has_query ? "?" : "",
                        STR_ARG(query));
}

static bool has_version(const val *list, struct str version)
{
    VAL_FOR (list, item)
        if (str_eq(VAL_STR(item, "version"), version))
            return true;
    return false;
}

static val *list_of(struct writer *w, struct str name)
{
    val *list = val_get_str(w->entries, name);
    return list ? list : val_set_str(&w->doc, w->entries, name, val_new_arr(&w->doc));
}

static int add_chart(struct writer *w, const char *path, struct str folder, struct str file)
{
    struct chart_ctx *cx = w->cx;
    struct chart *c;
    struct err err;
    val *v;
    struct buf data = {0};
    if (chart_load(cx, path, &c) != 0)
        return 0; /* something else that is called .tgz */
    if (!c->meta.api_version.n)
        c->meta.api_version = STR("v1");
    if (chart_meta_validate(cx, &c->meta) != 0) {
        chart_wrap(cx, "validate failed for %.*s", STR_ARG(file));
        return chart_wrap(cx, "failed adding to %.*s to index", STR_ARG(file));
    }
    if (file_read(path, CHART_MAX_TOTAL, &data, &err) != 0)
        return chart_fail_file(cx, &err);
    struct str digest = chart_digest(cx, buf_str(&data));
    buf_done(&data);
    if (value_to_val(&w->doc, cx->arena, chart_metadata_value(cx->arena, &c->meta), &v, &err) != 0)
        return chart_fail(cx, "%s", err.message);
    val *urls = val_new_arr(&w->doc);
    val_push(urls, val_new_str(&w->doc, chart_url(w, folder, file)));
    val_set(&w->doc, v, "urls", urls);
    val_set_s(&w->doc, v, "created", w->now);
    val_set_s(&w->doc, v, "digest", digest);
    val_push(list_of(w, c->meta.name), v);
    return 0;
}

static int add_folder(struct writer *w, const char *dir, struct str below)
{
    struct dirent **names;
    int n = scandir(dir, &names, NULL, alphasort), status = 0;
    for (int i = 0; i < n; i++) {
        struct str name = str_of(names[i]->d_name);
        const char *path = arena_printf(w->cx->arena, "%s/%.*s", dir, STR_ARG(name)).p;
        struct stat st;
        if (status == 0 && str_ends(name, STR(".tgz")) && stat(path, &st) == 0 &&
            S_ISREG(st.st_mode))
            status = add_chart(w, path, below, arena_dup(w->cx->arena, name));
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return status;
}

/* The folder itself, then each one in it. */
static int add_folders(struct writer *w, const char *dir)
{
    struct dirent **names;
    int status = add_folder(w, dir, (struct str){0});
    int n = scandir(dir, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct str name = arena_dup(w->cx->arena, str_of(names[i]->d_name));
        const char *path = arena_printf(w->cx->arena, "%s/%.*s", dir, STR_ARG(name)).p;
        struct stat st;
        if (status == 0 && name.p[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            status = add_folder(w, path, name);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return status;
}

static void merge(struct writer *w, const struct index *other)
{
    for (size_t i = 0; other && i < other->n; i++)
        for (size_t k = 0; k < other->entries[i].n; k++) {
            const struct index_version *v = &other->entries[i].items[k];
            struct str name = VAL_STR(v->raw, "name");
            if (has_version(val_get_str(w->entries, name), v->version))
                continue;
            val *copy = val_copy(&w->doc, v->raw);
            if (!VAL_STR(copy, "apiVersion").n)
                val_set_z(&w->doc, copy, "apiVersion", "v1");
            val_push(list_of(w, name), copy);
        }
}

struct sorted {
    val *v;
    struct semver version;
};

static int newest_first(const void *x, const void *y)
{
    return semver_cmp(&((const struct sorted *)y)->version, &((const struct sorted *)x)->version);
}

static void sort_versions(struct writer *w, val *list)
{
    size_t n = 0;
    struct sorted *all = arena_zalloc(w->cx->arena, (val_len(list) + 1) * sizeof(*all));
    VAL_FOR (list, item) {
        all[n].v = item;
        semver_parse(VAL_STR(item, "version"), &all[n++].version, NULL);
    }
    qsort(all, n, sizeof(*all), newest_first);
    while (val_len(list) > 0)
        val_remove_at(list, 0);
    for (size_t i = 0; i < n; i++)
        val_push(list, all[i].v);
}

int index_directory(struct chart_ctx *cx, const char *dir, struct str base_url,
                    const struct index *other, bool json, struct buf *ret)
{
    struct writer w = {.cx = cx, .base_url = base_url};
    char now[TIME_TEXT];
    struct err err;
    time_write_nano(wall_ns(world_real()), now);
    w.now = str_of(now);
    doc_init(&w.doc);
    val *root = val_new_obj(&w.doc);
    val_set_z(&w.doc, root, "apiVersion", "v1");
    w.entries = val_set(&w.doc, root, "entries", val_new_obj(&w.doc));
    val_set_s(&w.doc, root, "generated", w.now);
    int status = add_folders(&w, dir);
    if (status == 0) {
        merge(&w, other);
        VAL_EACH (w.entries, name, list) {
            (void)name;
            sort_versions(&w, list);
        }
        if (!json)
            val_write_yaml(root, ret);
        else if (gojson_write(cx->arena, ret, value_from_val(cx->arena, root),
                              (struct gojson_style){.html = true, .pretty = true}, &err) != 0)
            status = chart_fail(cx, "%s", err.message);
    }
    doc_done(&w.doc);
    return status;
}
