#include "chart/repo.h"

#include <stdlib.h>

#include "functions/semver.h"
#include "net/fetch.h"

/* --- HTTP --- */
int repo_get(struct chart_ctx *cx, struct str url, struct str *ret)
{
    struct fetcher *f;
    struct fetch_answer answer = {0};
    struct err err;
    if (fetcher_new(&(struct fetch_options){.system_ca = true, .user_agent = "Helm/3.22"}, &f,
                    &err) < 0)
        return chart_fail(cx, "%s", err.message);
    int status = fetch(
        f, &(struct fetch_request){.url = url, .max_body = CHART_MAX_TOTAL, .timeout_ms = 120000},
        &answer, &err);
    *ret = arena_dup(cx->arena, buf_str(&answer.body));
    if (status < 0)
        chart_fail(cx, "%s", err.message);
    else if (answer.status != 200)
        status = chart_fail(cx, "failed to fetch %.*s : %d %s", STR_ARG(url), answer.status,
                            http_reason(answer.status));
    fetch_answer_done(&answer);
    fetcher_free(f);
    return status;
}

/* --- index.yaml --- */
static int newest_first(const void *x, const void *y)
{
    const struct repo_version *a = x, *b = y;
    struct semver va, vb;
    struct err err;
    bool right_a = semver_parse(a->version, &va, &err) == 0;
    bool right_b = semver_parse(b->version, &vb, &err) == 0;
    if (!right_a || !right_b)
        return right_b - right_a;
    return semver_cmp(&vb, &va);
}

static void read_versions(struct chart_ctx *cx, const val *list, struct repo_index *ret)
{
    ret->items = arena_alloc(cx->arena, (val_len(list) + 1) * sizeof(*ret->items));
    ret->n = 0;
    VAL_FOR (list, item) {
        struct str url = val_str(val_at(val_get(item, "urls"), 0));
        struct str version = VAL_STR(item, "version");
        if (url.n && version.n)
            ret->items[ret->n++] =
                (struct repo_version){arena_dup(cx->arena, version), arena_dup(cx->arena, url)};
    }
    if (ret->n)
        qsort(ret->items, ret->n, sizeof(*ret->items), newest_first);
}

static struct str join(struct chart_ctx *cx, struct str base, struct str path)
{
    return arena_printf(cx->arena, "%.*s%s%.*s", STR_ARG(base), str_ends(base, STR("/")) ? "" : "/",
                        STR_ARG(path));
}

int repo_read_index(struct chart_ctx *cx, struct str repo_url, struct str chart,
                    struct repo_index *ret)
{
    struct doc d;
    struct err err;
    struct str text;
    val *root;
    if (repo_get(cx, join(cx, repo_url, STR("index.yaml")), &text) != 0)
        return -1;
    doc_init(&d);
    int status = 0;
    if (doc_parse_yaml(&d, text, &root, &err) != 0)
        status = chart_fail(cx, "%s", err.message);
    else
        read_versions(cx, val_get_str(val_get(root, "entries"), chart), ret);
    doc_done(&d);
    return status;
}

const struct repo_version *repo_pick(struct chart_ctx *cx, const struct repo_index *index,
                                     struct str constraint)
{
    struct str wanted = constraint.n ? constraint : STR("*");
    for (size_t i = 0; i < index->n; i++)
        if (str_eq(index->items[i].version, wanted) ||
            chart_version_fits(cx->arena, wanted, index->items[i].version))
            return &index->items[i];
    return NULL;
}

struct str repo_chart_url(struct chart_ctx *cx, struct str repo_url, const struct repo_version *v)
{
    return str_find(v->url, STR("://")) > 0 ? v->url : join(cx, repo_url, v->url);
}

struct str repo_by_name(struct chart_ctx *cx, struct str config_yaml, struct str name)
{
    struct doc d;
    struct err err;
    struct str url = {0};
    val *root;
    doc_init(&d);
    if (doc_parse_yaml(&d, config_yaml, &root, &err) == 0)
        VAL_FOR (val_get(root, "repositories"), item)
            if (str_eq(VAL_STR(item, "name"), name))
                url = arena_dup(cx->arena, VAL_STR(item, "url"));
    doc_done(&d);
    return url;
}
