/* helm_search.c: `tutti helm search repo|hub`. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "chart/index.h"
#include "cli/helm.h"
#include "net/url.h"
#include "regex/regex.h"

struct options {
    const char *version, *max_width, *output, *endpoint;
    bool versions, regexp, devel, strict, list_repo_url;
};

/* A version of a chart that was found. The score says in which of its texts. */
struct hit {
    struct str name; /* "repo/chart" */
    const struct index_version *version;
    int score;
};

struct hits {
    struct chart_ctx *cx;
    struct hit *items;
    size_t n, cap;
};

static void add_hit(struct hits *h, struct hit hit)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        struct hit *grown = arena_alloc(h->cx->arena, h->cap * sizeof(*grown));
        if (h->n)
            memcpy(grown, h->items, h->n * sizeof(*grown));
        h->items = grown;
    }
    h->items[h->n++] = hit;
}

static int best_first(const void *x, const void *y)
{
    const struct hit *a = x, *b = y;
    if (a->score != b->score)
        return a->score - b->score;
    int order = str_cmp(a->name, b->name);
    return order ? order : semver_cmp(&b->version->parsed, &a->version->parsed);
}

/* --- matching --- */
/* Name, name with repository, description and keywords, with vertical tabs between. */
static struct str search_line(struct arena *a, struct str repo, const val *v)
{
    struct buf b = {0};
    struct str name = VAL_STR(v, "name"), description = VAL_STR(v, "description");
    buf_printf(&b, "%.*s\v%.*s/%.*s\v%.*s\v", STR_ARG(name), STR_ARG(repo), STR_ARG(name),
               STR_ARG(description));
    bool first = true;
    VAL_FOR (val_get(v, "keywords"), word) {
        buf_printf(&b, "%s%.*s", first ? "" : " ", STR_ARG(val_str(word)));
        first = false;
    }
    struct str line = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return line;
}

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_z(a, s);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (char)tolower((unsigned char)p[i]);
    return (struct str){p, s.n};
}

static int score_at(struct str line, size_t at)
{
    int score = 0;
    for (size_t i = 0; i < at; i++)
        score += line.p[i] == '\v';
    return score;
}

struct wanted {
    struct str term; /* in lower case; empty: everything */
    struct regex *re;
};

static bool matches(struct arena *a, const struct wanted *w, struct str line, int *ret_score)
{
    struct str group;
    *ret_score = 0;
    if (w->re) {
        if (!regex_find(w->re, line, 0, &group, 1))
            return false;
        *ret_score = score_at(line, (size_t)(group.p - line.p));
        return true;
    }
    if (!w->term.n)
        return true;
    ssize_t at = str_find(lower(a, line), w->term);
    if (at < 0)
        return false;
    *ret_score = score_at(line, (size_t)at);
    return true;
}

static void search_index(struct hits *h, struct str repo, const struct index *x,
                         const struct wanted *w)
{
    struct arena *a = h->cx->arena;
    for (size_t i = 0; i < x->n; i++)
        for (size_t k = 0; k < x->entries[i].n; k++) {
            const struct index_version *v = &x->entries[i].items[k];
            struct hit hit = {.version = v};
            if (!matches(a, w, search_line(a, repo, v->raw), &hit.score))
                continue;
            hit.name = arena_printf(a, "%.*s/%.*s", STR_ARG(repo), STR_ARG(x->entries[i].name));
            add_hit(h, hit);
        }
}

/* Drops versions that the range does not allow and, unless all are asked for, older ones. */
static int keep_allowed(struct chart_ctx *cx, const struct options *o, struct hits *h)
{
    struct err err;
    const char *range = o->version && *o->version ? o->version : o->devel ? ">0.0.0-0" : ">0.0.0";
    struct semver_constraint *c = semver_constraint_parse(cx->arena, str_of(range), &err);
    struct str last = {0};
    size_t kept = 0;
    if (!c) {
        chart_fail(cx, "%s", err.message);
        return chart_wrap(cx, "an invalid version/constraint format");
    }
    for (size_t i = 0; i < h->n; i++) {
        bool seen = false;
        for (size_t k = 0; k < kept && !o->versions && !seen; k++)
            seen = str_eq(h->items[k].name, h->items[i].name);
        if ((last.n && str_eq(last, h->items[i].name) && !o->versions) || seen ||
            !semver_constraint_fits(c, &h->items[i].version->parsed))
            continue;
        last = h->items[i].name;
        h->items[kept++] = h->items[i];
    }
    h->n = kept;
    return 0;
}

/* --- printing --- */
static int width_of(struct chart_ctx *cx, const char *text, size_t *ret)
{
    uint64_t n = 50;
    if (text && !str_to_u64(str_of(text), &n))
        return chart_fail(
            cx,
            "invalid argument \"%s\" for \"--max-col-width\" flag: strconv.ParseUint: "
            "parsing \"%s\": invalid syntax",
            text, text);
    *ret = (size_t)n;
    return 0;
}

/* One list as a table, JSON or YAML. Rows of a table have the JSON's members as columns. */
static int put_list(struct chart_ctx *cx, const struct options *o, const val *list,
                    struct helm_table *table, struct buf *out)
{
    enum helm_format format;
    struct buf json = {0};
    if (helm_format_of(cx, o->output, &format) != 0 ||
        width_of(cx, o->max_width, &table->max_width) != 0)
        return -1;
    if (!val_len(list) && o->strict)
        return chart_fail(cx, "no results found");
    if (format == HELM_TABLE) {
        if (val_len(list))
            helm_table_put(table, out);
        else
            buf_puts(out, "No results found\n");
        return 0;
    }
    val_write_json(list, &json);
    int status = helm_put_json(cx, buf_str(&json), format, out);
    buf_done(&json);
    return status;
}

static int put_hits(struct chart_ctx *cx, const struct options *o, const struct hits *h,
                    struct buf *out)
{
    struct helm_table t = {.arena = cx->arena, .columns = 4};
    struct doc d;
    doc_init(&d);
    val *list = val_new_arr(&d);
    helm_table_add(&t, (struct str[]){STR("NAME"), STR("CHART VERSION"), STR("APP VERSION"),
                                      STR("DESCRIPTION")});
    for (size_t i = 0; i < h->n; i++) {
        const val *raw = h->items[i].version->raw;
        struct str version = h->items[i].version->version, app = VAL_STR(raw, "appVersion"),
                   description = VAL_STR(raw, "description");
        val *v = val_new_obj(&d);
        val_set_s(&d, v, "name", h->items[i].name);
        val_set_s(&d, v, "version", version);
        val_set_s(&d, v, "app_version", app);
        val_set_s(&d, v, "description", description);
        val_push(list, v);
        helm_table_add(&t, (struct str[]){h->items[i].name, version, app, description});
    }
    int status = put_list(cx, o, list, &t, out);
    doc_done(&d);
    return status;
}

/* --- repo --- */
static struct str words(struct chart_ctx *cx, int argc, char **argv)
{
    struct buf b = {0};
    for (int i = 0; i < argc; i++)
        buf_printf(&b, "%s%s", i ? " " : "", argv[i]);
    struct str text = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

static int search_all(struct chart_ctx *cx, const struct options *o, const struct wanted *w,
                      struct buf *out)
{
    struct chart_home home = helm_home(cx);
    struct repo_file f;
    struct hits hits = {.cx = cx};
    if (repo_file_read(cx, home.repositories, &f) != 0 || !f.n)
        return chart_fail(cx, "no repositories configured");
    struct index *indexes = arena_zalloc(cx->arena, f.n * sizeof(*indexes));
    for (size_t i = 0; i < f.n; i++) {
        struct str name = f.items[i].name;
        if (index_read(cx, repo_index_path(cx, &home, name), &indexes[i]) != 0) {
            chart_warn(cx, "WARNING: Repo \"%.*s\" is corrupt or missing. Try 'helm repo update'.",
                       STR_ARG(name));
            chart_warn(cx, "WARNING: %.*s", STR_ARG(cx->error));
            continue;
        }
        search_index(&hits, name, &indexes[i], w);
    }
    if (hits.n)
        qsort(hits.items, hits.n, sizeof(*hits.items), best_first);
    int status = keep_allowed(cx, o, &hits);
    if (status == 0)
        status = put_hits(cx, o, &hits, out);
    for (size_t i = 0; i < f.n; i++)
        index_done(&indexes[i]);
    return status;
}

static int search_repo(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {0};
    struct wanted w = {0};
    struct err err;
    const struct helm_flag flags[] = {
        {"devel", 0, HELM_SWITCH, &o.devel, NULL},
        {"fail-on-no-result", 0, HELM_SWITCH, &o.strict, NULL},
        {"max-col-width", 0, HELM_TEXT, &o.max_width, NULL},
        {"output", 'o', HELM_TEXT, &o.output, NULL},
        {"regexp", 'r', HELM_SWITCH, &o.regexp, NULL},
        {"version", 0, HELM_TEXT, &o.version, NULL},
        {"versions", 'l', HELM_SWITCH, &o.versions, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    struct str term = words(cx, argc, argv);
    if (o.regexp && argc && !(w.re = regex_new(term, 0, &err)))
        return chart_fail(cx, "%s", err.message);
    w.term = lower(cx->arena, term);
    int status = search_all(cx, &o, &w, out);
    regex_free(w.re);
    return status;
}

/* --- hub --- */
static int put_found(struct chart_ctx *cx, const struct options *o, const val *found,
                     struct buf *out)
{
    struct helm_table t = {.arena = cx->arena, .columns = o->list_repo_url ? 5 : 4};
    struct doc d;
    doc_init(&d);
    val *list = val_new_arr(&d);
    helm_table_add(&t, (struct str[]){STR("URL"), STR("CHART VERSION"), STR("APP VERSION"),
                                      STR("DESCRIPTION"), STR("REPO URL")});
    VAL_FOR (found, item) {
        struct str url = VAL_STR(item, "artifactHub", "packageUrl");
        if (!url.n)
            url = arena_printf(cx->arena, "%s/charts/%.*s", o->endpoint,
                               STR_ARG(VAL_STR(item, "id")));
        const val *latest = VAL_PATH(item, "relationships", "latestChartVersion", "data");
        const val *repo = VAL_PATH(item, "attributes", "repo");
        struct str version = VAL_STR(latest, "version"), app = VAL_STR(latest, "app_version"),
                   description = VAL_STR(item, "attributes", "description");
        val *v = val_new_obj(&d), *from = val_new_obj(&d);
        val_set_s(&d, v, "url", url);
        val_set_s(&d, v, "version", version);
        val_set_s(&d, v, "app_version", app);
        val_set_s(&d, v, "description", description);
        val_set_s(&d, from, "url", VAL_STR(repo, "url"));
        val_set_s(&d, from, "name", VAL_STR(repo, "name"));
        val_set(&d, v, "repository", from);
        val_push(list, v);
        helm_table_add(&t, (struct str[]){url, version, app, description, VAL_STR(repo, "url")});
    }
    int status = put_list(cx, o, list, &t, out);
    doc_done(&d);
    return status;
}

static int search_hub(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.endpoint = "https://hub.helm.sh"};
    struct chart_access access = {0};
    struct buf query = {0};
    struct str text;
    struct doc d;
    struct err err;
    val *root = NULL;
    const struct helm_flag flags[] = {
        {"endpoint", 0, HELM_TEXT, &o.endpoint, NULL},
        {"fail-on-no-result", 0, HELM_SWITCH, &o.strict, NULL},
        {"list-repo-url", 0, HELM_SWITCH, &o.list_repo_url, NULL},
        {"max-col-width", 0, HELM_TEXT, &o.max_width, NULL},
        {"output", 'o', HELM_TEXT, &o.output, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    url_encode(&query, words(cx, argc, argv));
    struct str base = str_of(o.endpoint);
    struct str url =
        arena_printf(cx->arena, "%.*s%sapi/chartsvc/v1/charts/search?q=%s", STR_ARG(base),
                     str_ends(base, STR("/")) ? "" : "/", buf_z(&query));
    buf_done(&query);
    if (repo_get(cx, &access, (struct str){0}, url, &text) != 0)
        return chart_fail(cx, "unable to perform search against \"%s\"", o.endpoint);
    doc_init(&d);
    if (doc_parse_json_max(&d, text, CHART_MAX_TOTAL, &root, &err) != 0)
        root = NULL; /* an answer that is none finds nothing */
    int status = put_found(cx, &o, val_get(root, "data"), out);
    doc_done(&d);
    return status;
}

int helm_search(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    if (argc && strcmp(argv[0], "repo") == 0)
        return search_repo(cx, argc - 1, argv + 1, out);
    if (argc && strcmp(argv[0], "hub") == 0)
        return search_hub(cx, argc - 1, argv + 1, out);
    return chart_fail(cx, "\"helm search\" needs one of hub, repo");
}
