#include "chart/repo.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "functions/semver.h"

/* --- HTTP --- */
static size_t take_piece(char *p, size_t size, size_t n, void *arg)
{
    struct buf *b = arg;
    if (b->n + size * n > CHART_MAX_TOTAL)
        return 0;
    buf_append(b, p, size * n);
    return size * n;
}

int repo_get(struct chart_ctx *cx, struct str url, struct str *ret)
{
    char problem[CURL_ERROR_SIZE] = "";
    struct buf body = {0};
    const char *address = arena_z(cx->arena, url);
    CURL *c = curl_easy_init();
    if (!c)
        return chart_fail(cx, "no HTTP client");
    curl_easy_setopt(c, CURLOPT_URL, address);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 120L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "Helm/3.22");
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_piece);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &body);
    CURLcode code = curl_easy_perform(c);
    long answer = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &answer);
    curl_easy_cleanup(c);
    *ret = arena_dup(cx->arena, buf_str(&body));
    buf_done(&body);
    if (code != CURLE_OK)
        return chart_fail(cx, "Get \"%s\": %s", address,
                          problem[0] ? problem : curl_easy_strerror(code));
    if (answer != 200)
        return chart_fail(cx, "failed to fetch %s : %ld", address, answer);
    return 0;
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
