#include "chart/repo.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "chart/index.h"
#include "net/url.h"
#include "template/gobase.h"

enum { TIMEOUT_MS = 120000, MAX_PEM = 1024 * 1024, MAX_CONFIG = 3 * 1024 * 1024, LOCK_TRIES = 30 };

int chart_fail_file(struct chart_ctx *cx, const struct err *err)
{
    char text[sizeof(err->message)];
    memcpy(text, err->message, sizeof(text));
    char *at = strrchr(text, ':');
    if (at && at[1] == ' ' && at[2])
        at[2] = (char)tolower((unsigned char)at[2]);
    return chart_fail(cx, "%s", text);
}

/* --- HTTP --- */
static bool given(const char *text)
{
    return text && *text;
}

/* *ret is left alone when there is no such file. */
static bool read_pem(struct chart_ctx *cx, const char *path, struct str *ret)
{
    struct buf b = {0};
    bool right = file_read(path, MAX_PEM, &b, NULL) == 0;
    if (right)
        *ret = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return right;
}

int chart_fetcher(struct chart_ctx *cx, const struct chart_access *access, struct fetcher **ret)
{
    struct fetch_options o = {
        .system_ca = true, .insecure = access->insecure, .user_agent = "Helm/3.22"};
    struct err err;
    if (given(access->cert_file) && given(access->key_file) &&
        (!read_pem(cx, access->cert_file, &o.cert_pem) ||
         !read_pem(cx, access->key_file, &o.key_pem)))
        return chart_fail(cx,
                          "can't create TLS config for client: can't load key pair from cert %s "
                          "and key %s: open %s: no such file or directory",
                          access->cert_file, access->key_file,
                          o.cert_pem.n ? access->key_file : access->cert_file);
    if (given(access->ca_file) && !read_pem(cx, access->ca_file, &o.ca_pem))
        return chart_fail(cx, "can't create TLS config for client: can't read CA file: %s",
                          access->ca_file);
    if (given(access->ca_file) && str_find(o.ca_pem, STR("-----BEGIN CERTIFICATE")) < 0)
        return chart_fail(cx,
                          "can't create TLS config for client: failed to append certificates from "
                          "file: %s",
                          access->ca_file);
    return fetcher_new(&o, ret, &err) == 0 ? 0 : chart_fail(cx, "%s", err.message);
}

static bool same_server(struct str x, struct str y)
{
    struct url a, b;
    return url_split(x, &a) && url_split(y, &b) && str_eq(a.scheme, b.scheme) &&
           str_eq(a.authority, b.authority);
}

static struct str basic_auth(struct chart_ctx *cx, const struct chart_access *access)
{
    struct buf b = {0};
    struct str both =
        arena_printf(cx->arena, "%.*s:%.*s", STR_ARG(access->username), STR_ARG(access->password));
    buf_puts(&b, "Basic ");
    gobase64_write(&b, both);
    struct str text = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

int repo_get(struct chart_ctx *cx, const struct chart_access *access, struct str owner,
             struct str url, struct str *ret)
{
    static const struct http_header accept = {
        STR_INIT("Accept"), STR_INIT("application/gzip,application/octet-stream")};
    struct fetcher *f;
    struct fetch_answer answer = {0};
    struct err err;
    struct fetch_request r = {
        .url = url,
        .headers = &accept,
        .header_count = str_ends(url, STR("index.yaml")) ? 0 : 1,
        .max_body = str_ends(url, STR("index.yaml")) ? INDEX_MAX : CHART_MAX_TOTAL,
        .timeout_ms = access->timeout_ms ? access->timeout_ms : TIMEOUT_MS,
    };
    if (!repo_is_url(url)) {
        struct str scheme;
        bool absolute = str_cut(url, ':', &scheme, &(struct str){0});
        return chart_fail(cx, "scheme \"%.*s\" not supported", absolute ? (int)scheme.n : 0,
                          url.p ? url.p : "");
    }
    if (access->username.n && access->password.n && (access->pass_all || same_server(owner, url)))
        r.authorization = basic_auth(cx, access);
    if (chart_fetcher(cx, access, &f) != 0)
        return -1;
    int status = fetch(f, &r, &answer, &err);
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

/* --- repositories.yaml --- */
static const char *text_z(struct chart_ctx *cx, const val *entry, const char *key)
{
    return arena_z(cx->arena, VAL_STR(entry, key));
}

static struct repo_entry read_entry(struct chart_ctx *cx, const val *v)
{
    struct arena *a = cx->arena;
    return (struct repo_entry){.name = arena_dup(a, VAL_STR(v, "name")),
                               .url = arena_dup(a, VAL_STR(v, "url")),
                               .access = {.username = arena_dup(a, VAL_STR(v, "username")),
                                          .password = arena_dup(a, VAL_STR(v, "password")),
                                          .cert_file = text_z(cx, v, "certFile"),
                                          .key_file = text_z(cx, v, "keyFile"),
                                          .ca_file = text_z(cx, v, "caFile"),
                                          .insecure = VAL_BOOL(v, "insecure_skip_tls_verify"),
                                          .pass_all = VAL_BOOL(v, "pass_credentials_all")}};
}

int repo_file_read(struct chart_ctx *cx, const char *path, struct repo_file *ret)
{
    struct doc d;
    struct buf text = {0};
    struct err err;
    val *root;
    *ret = (struct repo_file){.api_version = STR(""), .generated = STR("0001-01-01T00:00:00Z")};
    if (file_read(path, MAX_CONFIG, &text, &err) != 0) {
        ret->missing = access(path, F_OK) != 0 && errno == ENOENT;
        return ret->missing
                   ? 0
                   : chart_fail(cx, "couldn't load repositories file (%s): %s", path, err.message);
    }
    doc_init(&d);
    int status = doc_parse_yaml(&d, buf_str(&text), &root, &err);
    if (status != 0) {
        chart_fail(cx, "%s", err.message);
    } else {
        const val *list = val_get(root, "repositories");
        if (val_is_str(val_get(root, "apiVersion")))
            ret->api_version = arena_dup(cx->arena, VAL_STR(root, "apiVersion"));
        if (val_is_str(val_get(root, "generated")))
            ret->generated = arena_dup(cx->arena, VAL_STR(root, "generated"));
        ret->items = arena_alloc(cx->arena, (val_len(list) + 1) * sizeof(*ret->items));
        VAL_FOR (list, item)
            if (val_is_obj(item))
                ret->items[ret->n++] = read_entry(cx, item);
    }
    doc_done(&d);
    buf_done(&text);
    return status;
}

static void put_entry(struct doc *d, val *list, const struct repo_entry *e)
{
    val *v = val_new_obj(d);
    val_set_s(d, v, "name", e->name);
    val_set_s(d, v, "url", e->url);
    val_set_s(d, v, "username", e->access.username);
    val_set_s(d, v, "password", e->access.password);
    val_set_s(d, v, "certFile", str_of(e->access.cert_file));
    val_set_s(d, v, "keyFile", str_of(e->access.key_file));
    val_set_s(d, v, "caFile", str_of(e->access.ca_file));
    val_set_bool(d, v, "insecure_skip_tls_verify", e->access.insecure);
    val_set_bool(d, v, "pass_credentials_all", e->access.pass_all);
    val_push(list, v);
}

int repo_file_write(struct chart_ctx *cx, const char *path, const struct repo_file *f)
{
    struct doc d;
    struct buf text = {0};
    struct err err;
    doc_init(&d);
    val *root = val_new_obj(&d), *list = val_new_arr(&d);
    val_set_s(&d, root, "apiVersion", f->api_version);
    val_set_s(&d, root, "generated", f->generated);
    val_set(&d, root, "repositories", list);
    for (size_t i = 0; i < f->n; i++)
        put_entry(&d, list, &f->items[i]);
    val_write_yaml(root, &text);
    int status = file_write(path, buf_str(&text), 0600, &err);
    if (status != 0)
        chart_fail_file(cx, &err);
    buf_done(&text);
    doc_done(&d);
    return status;
}

struct repo_entry *repo_file_find(const struct repo_file *f, struct str name)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_eq(f->items[i].name, name))
            return &f->items[i];
    return NULL;
}

void repo_file_set(struct chart_ctx *cx, struct repo_file *f, const struct repo_entry *e)
{
    struct repo_entry *old = repo_file_find(f, e->name);
    if (old) {
        *old = *e;
        return;
    }
    struct repo_entry *grown = arena_alloc(cx->arena, (f->n + 1) * sizeof(*grown));
    if (f->n)
        memcpy(grown, f->items, f->n * sizeof(*grown));
    grown[f->n++] = *e;
    f->items = grown;
}

bool repo_file_remove(struct repo_file *f, struct str name)
{
    size_t kept = 0, n = f->n;
    for (size_t i = 0; i < n; i++)
        if (!str_eq(f->items[i].name, name))
            f->items[kept++] = f->items[i];
    f->n = kept;
    return kept < n;
}

bool repo_entry_same(const struct repo_entry *x, const struct repo_entry *y)
{
    const struct chart_access *a = &x->access, *b = &y->access;
    return str_eq(x->name, y->name) && str_eq(x->url, y->url) && str_eq(a->username, b->username) &&
           str_eq(a->password, b->password) && str_eq(str_of(a->cert_file), str_of(b->cert_file)) &&
           str_eq(str_of(a->key_file), str_of(b->key_file)) &&
           str_eq(str_of(a->ca_file), str_of(b->ca_file)) && a->insecure == b->insecure &&
           a->pass_all == b->pass_all;
}

/* Helm's lock file lies beside: repositories.lock. It waits 30 s at most, and then goes on. */
int repo_file_lock(struct chart_ctx *cx, const char *path)
{
    struct str whole = str_of(path), ext = path_ext(whole);
    struct str stem = ext.n && ext.n < whole.n ? str_head(whole, whole.n - ext.n) : whole;
    const char *lock = arena_printf(cx->arena, "%.*s.lock", STR_ARG(stem)).p;
    const char *slash = strrchr(path, '/');
    struct err err;
    if (slash && slash > path &&
        file_mkdirs(arena_z(cx->arena, str_head(whole, (size_t)(slash - path))), 0755, &err) != 0)
        return chart_fail_file(cx, &err);
    int fd = open(lock, O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return chart_fail(cx, "open %s: %s", lock, strerror(errno));
    for (int i = 0; i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++)
        sleep(1);
    return fd;
}

/* --- the cache --- */
const char *repo_index_path(struct chart_ctx *cx, const struct chart_home *home, struct str name)
{
    return arena_printf(cx->arena, "%s/%.*s%sindex.yaml", home->cache, STR_ARG(name),
                        name.n ? "-" : "")
        .p;
}

const char *repo_charts_path(struct chart_ctx *cx, const struct chart_home *home, struct str name)
{
    return arena_printf(cx->arena, "%s/%.*s%scharts.txt", home->cache, STR_ARG(name),
                        name.n ? "-" : "")
        .p;
}

int repo_update(struct chart_ctx *cx, const struct chart_home *home, const struct repo_entry *e)
{
    struct index index;
    struct buf names = {0};
    struct str text;
    struct err err;
    if (repo_get(cx, &e->access, e->url, repo_url(cx, e->url, STR("index.yaml")), &text) != 0 ||
        index_parse(cx, text, e->url, &index) != 0)
        return -1;
    for (size_t i = 0; i < index.n; i++)
        buf_printf(&names, "%.*s\n", STR_ARG(index.entries[i].name));
    index_done(&index);
    int status = file_mkdirs(home->cache, 0755, &err);
    if (status == 0)
        file_write(repo_charts_path(cx, home, e->name), buf_str(&names), 0644, NULL);
    if (status == 0)
        status = file_write(repo_index_path(cx, home, e->name), text, 0644, &err);
    buf_done(&names);
    return status == 0 ? 0 : chart_fail_file(cx, &err);
}

int repo_forget(struct chart_ctx *cx, const struct chart_home *home, struct str name)
{
    const char *path = repo_index_path(cx, home, name);
    unlink(repo_charts_path(cx, home, name));
    if (unlink(path) != 0 && errno != ENOENT)
        return chart_fail(cx, "remove %s: %s", path, strerror(errno));
    return 0;
}

/* --- addresses --- */
struct str repo_url(struct chart_ctx *cx, struct str base, struct str ref)
{
    struct url u;
    if (url_split(ref, &u) || !url_split(base, &u))
        return ref;
    struct str path = u.path;
    if (str_ends(path, STR("/")))
        path.n--;
    size_t head = (size_t)(u.authority.p + u.authority.n - base.p);
    struct str folder = arena_printf(cx->arena, "%.*s%.*s/", (int)head, base.p, STR_ARG(path));
    struct str whole = url_resolve(cx->arena, folder, ref), bare, query;
    str_cut(whole, '?', &bare, &query);
    return u.has_query ? arena_printf(cx->arena, "%.*s?%.*s", STR_ARG(bare), STR_ARG(u.query))
                       : bare;
}

static struct str without_slashes(struct str s)
{
    while (str_ends(s, STR("/")))
        s.n--;
    return s;
}

bool repo_url_same(struct str a, struct str b)
{
    return str_eq(without_slashes(a), without_slashes(b));
}
