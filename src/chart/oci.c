#include "chart/oci.h"

#include <stdlib.h>
#include <time.h>

#include "chart/credentials.h"
#include "chart/objects.h"
#include "chart/package.h"
#include "functions/semver.h"
#include "net/url.h"
#include "template/gojson.h"

enum {
    MAX_MANIFEST = 4 * 1024 * 1024,
    MAX_PROVENANCE = 1024 * 1024,
    MAX_TAG_PAGES = 1000,
    MAX_TAGS = 100000,
    STALL_MS = 60000,
};

static const char manifest_type[] = "application/vnd.oci.image.manifest.v1+json";
static const char config_type[] = "application/vnd.cncf.helm.config.v1+json";
static const char chart_type[] = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
static const char old_chart_type[] = "application/tar+gzip";
static const char provenance_type[] = "application/vnd.cncf.helm.chart.provenance.v1.prov";

/* --- sessions --- */
/* One registry during one command. */
struct session {
    struct chart_ctx *cx;
    struct fetcher *fetcher;
    struct registry_session http;
    struct str host; /* docker.io is reached under another name */
    bool plain;      /* no TLS */
};

static void session_done(struct session *s)
{
    registry_session_done(&s->http);
    fetcher_free(s->fetcher);
}

static int session_open(struct chart_ctx *cx, const struct chart_home *home,
                        const struct chart_access *access, const struct oci_ref *ref,
                        const char *actions, struct session *s)
{
    struct registry_config config = {0};
    *s = (struct session){.cx = cx, .plain = access->plain_http};
    s->host = str_is(ref->registry, "docker.io") ? STR("registry-1.docker.io") : ref->registry;
    if (access->username.n && access->password.n) {
        config.auth.username = access->username;
        config.auth.password = access->password;
    } else if (credentials_find(cx, home->registry_config, ref->registry, &config.auth) != 0) {
        return -1;
    }
    if (chart_fetcher(cx, access, &s->fetcher) != 0)
        return -1;
    config.fetcher = s->fetcher;
    if (ref->repository.n)
        config.scope =
            arena_printf(cx->arena, "repository:%.*s:%s", STR_ARG(ref->repository), actions);
    registry_session_init(&s->http, &config);
    return 0;
}

/* A request for a path below the registry, or for a whole address. */
static int call(struct session *s, const char *method, struct str path, struct fetch_request *r,
                struct fetch_answer *ret)
{
    struct err err;
    r->method = method;
    r->stall_ms = STALL_MS;
    r->url = repo_is_url(path)
                 ? path
                 : arena_printf(s->cx->arena, "%s://%.*s%.*s", s->plain ? "http" : "https",
                                STR_ARG(s->host), STR_ARG(path));
    return registry_fetch(&s->http, r, ret, &err) == 0 ? 0 : chart_fail(s->cx, "%s", err.message);
}

static int fail_status(struct session *s, const struct fetch_request *r,
                       const struct fetch_answer *answer)
{
    struct err err;
    registry_fail(r, answer, &err);
    return chart_fail(s->cx, "%s", err.message);
}

static struct str below(struct session *s, const struct oci_ref *ref, const char *kind,
                        struct str what)
{
    return arena_printf(s->cx->arena, "/v2/%.*s/%s%.*s", STR_ARG(ref->repository), kind,
                        STR_ARG(what));
}

static struct str digest_of(struct chart_ctx *cx, struct str bytes)
{
    return arena_printf(cx->arena, "sha256:%s", chart_digest(cx, bytes).p);
}

/* --- pulling --- */
static int get_bytes(struct session *s, struct str path, const char *accept, size_t max,
                     struct str *ret)
{
    struct http_header header = {STR("Accept"), str_of(accept)};
    struct fetch_request r = {.max_body = max, .headers = &header, .header_count = accept ? 1 : 0};
    struct fetch_answer answer = {0};
    int status = call(s, "GET", path, &r, &answer);
    if (status == 0 && answer.status != 200)
        status = fail_status(s, &r, &answer);
    *ret = arena_dup(s->cx->arena, buf_str(&answer.body));
    fetch_answer_done(&answer);
    return status;
}

static int get_manifest(struct session *s, const struct oci_ref *ref, struct str *ret)
{
    static const struct http_header accept = {
        STR_INIT("Accept"), STR_INIT("application/vnd.docker.distribution.manifest.v2+json, "
                                     "application/vnd.docker.distribution.manifest.list.v2+json, "
                                     "application/vnd.oci.image.manifest.v1+json, "
                                     "application/vnd.oci.image.index.v1+json, "
                                     "application/vnd.oci.artifact.manifest.v1+json")};
    struct fetch_request r = {.max_body = MAX_MANIFEST, .headers = &accept, .header_count = 1};
    struct fetch_answer answer = {0};
    struct chart_ctx *cx = s->cx;
    int status = call(s, "GET", below(s, ref, "manifests/", ref->tag.n ? ref->tag : ref->digest),
                      &r, &answer);
    if (status == 0 && answer.status == 404)
        status = chart_fail(cx, "%.*s: not found", STR_ARG(oci_ref_text(cx->arena, ref)));
    else if (status == 0 && answer.status != 200)
        status = fail_status(s, &r, &answer);
    if (status != 0)
        chart_wrap(cx, "failed to perform \"FetchReference\" on source");
    *ret = arena_dup(cx->arena, buf_str(&answer.body));
    struct str digest = digest_of(cx, *ret), said = fetch_header(&answer, "docker-content-digest");
    struct str wanted = ref->digest.n ? ref->digest : said;
    if (status == 0 && wanted.n && str_starts(wanted, STR("sha256:")) && !str_eq(digest, wanted))
        status = chart_fail(cx, "%s \"%.*s\": invalid response; digest mismatch: %.*s, not %.*s",
                            "GET", STR_ARG(r.url), STR_ARG(digest), STR_ARG(wanted));
    fetch_answer_done(&answer);
    return status;
}

static int get_blob(struct session *s, const struct oci_ref *ref, const val *descriptor, size_t max,
                    struct str *ret)
{
    struct chart_ctx *cx = s->cx;
    struct str digest = VAL_STR(descriptor, "digest");
    int64_t size = VAL_INT(descriptor, "size");
    if (size < 0 || (uint64_t)size > max)
        return chart_fail(cx, "blob %.*s: %lld bytes are more than the limit of %zu",
                          STR_ARG(digest), (long long)size, max);
    if (get_bytes(s, below(s, ref, "blobs/", digest), NULL, max, ret) != 0)
        return chart_wrap(cx, "failed to perform \"Fetch\" on source");
    if (ret->n != (size_t)size || !str_eq(digest_of(cx, *ret), digest))
        return chart_fail(cx, "failed to perform \"Push\" on destination: mismatched digest");
    return 0;
}

int oci_digest(struct chart_ctx *cx, const struct chart_home *home,
               const struct chart_access *access, const struct oci_ref *ref, struct str *ret)
{
    struct session s;
    struct str text;
    if (session_open(cx, home, access, ref, "pull", &s) != 0)
        return -1;
    int status = get_manifest(&s, ref, &text);
    session_done(&s);
    *ret = status == 0 ? digest_of(cx, text) : (struct str){0};
    return status;
}

struct parts {
    const val *config, *chart, *provenance;
    int count; /* of what a chart is made of, the manifest included */
};

static struct parts find_parts(struct chart_ctx *cx, const val *manifest, enum oci_parts wanted)
{
    struct parts p = {.count = 1};
    if (str_is(VAL_STR(manifest, "config", "mediaType"), config_type)) {
        p.config = val_get(manifest, "config");
        p.count++;
    }
    VAL_FOR (val_get(manifest, "layers"), layer) {
        struct str type = VAL_STR(layer, "mediaType");
        bool old = str_is(type, old_chart_type);
        if ((wanted & OCI_CHART) && (old || str_is(type, chart_type))) {
            p.chart = layer;
            p.count++;
        }
        if ((wanted & OCI_CHART) && old)
            chart_warn(cx, "Warning: chart media type %s is deprecated", old_chart_type);
        if ((wanted & OCI_PROVENANCE) && str_is(type, provenance_type)) {
            p.provenance = layer;
            p.count++;
        }
    }
    return p;
}

static int check_parts(struct chart_ctx *cx, const struct parts *p, enum oci_parts wanted)
{
    int least = 1 + !!(wanted & OCI_CHART) + !!(wanted & OCI_PROVENANCE);
    if (p->count < least)
        return chart_fail(cx,
                          "manifest does not contain minimum number of descriptors (%d), "
                          "descriptors found: %d",
                          least, p->count);
    if (!p->config)
        return chart_fail(cx, "could not load config with mediatype %s", config_type);
    if ((wanted & OCI_CHART) && !p->chart)
        return chart_fail(cx, "manifest does not contain a layer with mediatype %s", chart_type);
    if ((wanted & OCI_PROVENANCE) && !p->provenance)
        return chart_fail(cx, "manifest does not contain a layer with mediatype %s",
                          provenance_type);
    return 0;
}

static void say_done(struct chart_ctx *cx, const char *what, const struct oci_ref *ref,
                     struct str digest)
{
    struct str name = oci_ref_text(cx->arena, ref);
    chart_warn(cx, "%s: %.*s", what, STR_ARG(name));
    chart_warn(cx, "Digest: %.*s", STR_ARG(digest));
    if (str_find_char(name, '_') < 0)
        return;
    chart_warn(cx, "%.*s contains an underscore.\n", STR_ARG(name));
    chart_warn(cx, "OCI artifact references (e.g. tags) do not support the plus sign (+). To "
                   "support\nstoring semantic versions, Helm adopts the convention of changing "
                   "plus (+) to\nan underscore (_) in chart version tags when pushing to a "
                   "registry and back to\na plus (+) when pulling from a registry.");
}

int oci_pull(struct chart_ctx *cx, const struct chart_home *home, const struct chart_access *access,
             const struct oci_ref *ref, enum oci_parts wanted, struct oci_pulled *ret)
{
    struct session s;
    struct doc d;
    struct err err;
    struct str text, config;
    val *manifest;
    *ret = (struct oci_pulled){0};
    if (session_open(cx, home, access, ref, "pull", &s) != 0)
        return -1;
    doc_init(&d);
    int status = get_manifest(&s, ref, &text);
    if (status == 0 && doc_parse_json(&d, text, &manifest, &err) != 0)
        status = chart_fail(cx, "%s", err.message);
    if (status == 0) {
        struct parts p = find_parts(cx, manifest, wanted);
        status = check_parts(cx, &p, wanted);
        if (status == 0)
            status = get_blob(&s, ref, p.config, MAX_MANIFEST, &config);
        if (status == 0 && (wanted & OCI_CHART))
            status = get_blob(&s, ref, p.chart, CHART_MAX_TOTAL, &ret->chart);
        if (status == 0 && (wanted & OCI_PROVENANCE))
            status = get_blob(&s, ref, p.provenance, MAX_PROVENANCE, &ret->provenance);
    }
    if (status == 0)
        say_done(cx, "Pulled", ref, digest_of(cx, text));
    doc_done(&d);
    session_done(&s);
    return status;
}

/* --- tags --- */
struct version_list {
    struct semver *items;
    size_t n, cap;
};

static int newest_first(const void *x, const void *y)
{
    return semver_cmp(y, x);
}

static void add_tags(struct chart_ctx *cx, const val *tags, struct version_list *list)
{
    VAL_FOR (tags, tag) {
        struct semver v;
        char *text = arena_z(cx->arena, val_str(tag));
        for (char *p = text; *p; p++)
            *p = *p == '_' ? '+' : *p;
        if (list->n >= MAX_TAGS || semver_parse_strict(str_of(text), &v, NULL) != 0)
            continue;
        if (list->n == list->cap) {
            list->cap = list->cap ? 2 * list->cap : 64;
            struct semver *grown = arena_alloc(cx->arena, list->cap * sizeof(*grown));
            if (list->n)
                memcpy(grown, list->items, list->n * sizeof(*grown));
            list->items = grown;
        }
        list->items[list->n++] = v;
    }
}

/* The address in `Link: <…>; rel="next"`, or empty. */
static struct str next_page(struct chart_ctx *cx, const struct fetch_answer *answer)
{
    struct str link = str_trim(fetch_header(answer, "link")), target, rest;
    if (!str_starts(link, STR("<")) || !str_cut(str_from(link, 1), '>', &target, &rest) ||
        str_find(rest, STR("next")) < 0)
        return (struct str){0};
    return url_resolve(cx->arena, answer->url, target);
}

int oci_versions(struct chart_ctx *cx, const struct chart_home *home,
                 const struct chart_access *access, struct str url, struct chart_strs *ret)
{
    struct oci_ref ref;
    struct session s;
    struct version_list list = {0};
    struct err err;
    int status = 0;
    *ret = (struct chart_strs){0};
    if (oci_ref_parse(cx, url, &ref) != 0 || session_open(cx, home, access, &ref, "pull", &s) != 0)
        return -1;
    struct str page = below(&s, &ref, "tags/list", (struct str){0});
    for (int i = 0; i < MAX_TAG_PAGES && page.n && status == 0; i++) {
        struct fetch_request r = {.max_body = MAX_MANIFEST};
        struct fetch_answer answer = {0};
        struct doc d;
        val *root;
        doc_init(&d);
        status = call(&s, "GET", page, &r, &answer);
        page = (struct str){0};
        if (status == 0 && answer.status != 200)
            status = fail_status(&s, &r, &answer);
        else if (status == 0 &&
                 doc_parse_json_max(&d, buf_str(&answer.body), MAX_MANIFEST, &root, &err) != 0)
            status = chart_fail(cx, "%s \"%.*s\": failed to decode response: %s", "GET",
                                STR_ARG(r.url), err.message);
        else if (status == 0) {
            add_tags(cx, val_get(root, "tags"), &list);
            page = next_page(cx, &answer);
        }
        doc_done(&d);
        fetch_answer_done(&answer);
    }
    session_done(&s);
    if (list.n)
        qsort(list.items, list.n, sizeof(*list.items), newest_first);
    struct str *items = arena_alloc(cx->arena, (list.n + 1) * sizeof(*items));
    for (size_t i = 0; i < list.n; i++)
        items[i] = semver_text(cx->arena, &list.items[i]);
    *ret = (struct chart_strs){items, list.n};
    return status;
}

/* --- pushing --- */
static int put_blob(struct session *s, const struct oci_ref *ref, struct str bytes,
                    struct str digest)
{
    static const struct http_header binary = {STR_INIT("Content-Type"),
                                              STR_INIT("application/octet-stream")};
    struct fetch_request look = {0}, begin = {0},
                         put = {.body = bytes, .headers = &binary, .header_count = 1};
    struct fetch_answer answer = {0};
    int status = call(s, "HEAD", below(s, ref, "blobs/", digest), &look, &answer);
    bool there = status == 0 && answer.status == 200;
    fetch_answer_done(&answer);
    if (status != 0 || there)
        return status;
    status = call(s, "POST", below(s, ref, "blobs/uploads/", (struct str){0}), &begin, &answer);
    if (status == 0 && answer.status != 202)
        status = fail_status(s, &begin, &answer);
    struct str location = status == 0 ? fetch_header(&answer, "location") : (struct str){0};
    struct str to = url_resolve(s->cx->arena, answer.url, location);
    bool has_query = str_find_char(to, '?') >= 0;
    to = arena_printf(s->cx->arena, "%.*s%cdigest=%.*s", STR_ARG(to), has_query ? '&' : '?',
                      STR_ARG(digest));
    if (status == 0 && !location.n)
        status = chart_fail(s->cx, "POST \"%.*s\": response missing header \"Location\"",
                            STR_ARG(begin.url));
    fetch_answer_done(&answer);
    if (status == 0)
        status = call(s, "PUT", to, &put, &answer);
    if (status == 0 && answer.status != 201)
        status = fail_status(s, &put, &answer);
    fetch_answer_done(&answer);
    return status;
}

static void put_descriptor(struct buf *b, const char *type, struct str digest, size_t size)
{
    buf_printf(b, "{\"mediaType\":\"%s\",\"digest\":\"%.*s\",\"size\":%zu}", type, STR_ARG(digest),
               size);
}

static void annotate(struct chart_ctx *cx, struct vmap *to, const char *key, struct str value)
{
    if (str_trim(value).n)
        vmap_set(to, arena_printf(cx->arena, "org.opencontainers.image.%s", key), value_str(value));
}

static struct str authors(struct chart_ctx *cx, const struct chart_meta *m)
{
    struct buf b = {0};
    for (size_t i = 0; i < m->maintainer_count; i++) {
        const struct chart_maintainer *who = m->maintainers[i];
        buf_put(&b, who->name);
        if (who->email.n)
            buf_printf(&b, " (%.*s)", STR_ARG(who->email));
        buf_puts(&b, i + 1 < m->maintainer_count ? ", " : "");
    }
    struct str text = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

/* What the chart says of itself, and its annotations but for title and version. */
static struct value annotations(struct chart_ctx *cx, const struct chart_meta *m,
                                struct str created)
{
    struct vmap *all = vmap_new(cx->arena, 8);
    annotate(cx, all, "description", m->description);
    annotate(cx, all, "title", m->name);
    annotate(cx, all, "version", m->version);
    annotate(cx, all, "url", m->home);
    annotate(cx, all, "created", created);
    if (m->sources.n)
        annotate(cx, all, "source", m->sources.items[0]);
    annotate(cx, all, "authors", authors(cx, m));
    if (!m->annotations)
        return value_map(&type_map, all);
    struct vmap_walk w = vmap_walk(m->annotations);
    for (struct vmap_entry *e; (e = vmap_next(&w));)
        if (!str_is(e->key, "org.opencontainers.image.version") &&
            !str_is(e->key, "org.opencontainers.image.title"))
            vmap_set(all, e->key, e->value);
    return value_map(&type_map, all);
}

struct blob {
    const char *type;
    struct str bytes, digest;
};

static int put_manifest(struct session *s, const struct oci_ref *ref, struct str text)
{
    struct http_header type = {STR("Content-Type"), str_of(manifest_type)};
    struct fetch_request r = {.body = text, .headers = &type, .header_count = 1};
    struct fetch_answer answer = {0};
    int status = call(s, "PUT", below(s, ref, "manifests/", ref->tag), &r, &answer);
    if (status == 0 && answer.status != 201)
        status = fail_status(s, &r, &answer);
    fetch_answer_done(&answer);
    return status;
}

/* Whether the registry has the manifest, so that all it names is there, too. */
static int has_manifest(struct session *s, const struct oci_ref *ref, struct str digest,
                        bool *ret_has)
{
    struct http_header type = {STR("Accept"), str_of(manifest_type)};
    struct fetch_request r = {.headers = &type, .header_count = 1};
    struct fetch_answer answer = {0};
    int status = call(s, "HEAD", below(s, ref, "manifests/", digest), &r, &answer);
    *ret_has = status == 0 && answer.status == 200;
    if (status == 0 && answer.status != 200 && answer.status != 404)
        status = fail_status(s, &r, &answer);
    fetch_answer_done(&answer);
    return status == 0 ? 0 : chart_wrap(s->cx, "failed to perform \"Exists\" on destination");
}

static int make_manifest(struct chart_ctx *cx, const struct chart_meta *m,
                         const struct blob *config, const struct blob *layers, size_t n,
                         struct str created, struct str *ret)
{
    struct buf b = {0};
    struct err err;
    buf_puts(&b, "{\"schemaVersion\":2,\"config\":");
    put_descriptor(&b, config->type, config->digest, config->bytes.n);
    buf_puts(&b, ",\"layers\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&b, i ? "," : "");
        put_descriptor(&b, layers[i].type, layers[i].digest, layers[i].bytes.n);
    }
    buf_puts(&b, "],\"annotations\":");
    int status = gojson_write(cx->arena, &b, annotations(cx, m, created),
                              (struct gojson_style){.html = true}, &err);
    buf_putc(&b, '}');
    *ret = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return status == 0 ? 0 : chart_fail(cx, "%s", err.message);
}

static int by_digest(const void *x, const void *y)
{
    return str_cmp(((const struct blob *)x)->digest, ((const struct blob *)y)->digest);
}

int oci_push(struct chart_ctx *cx, const struct chart_home *home, const struct chart_access *access,
             struct str url, struct str chart, const struct str *provenance, struct str created)
{
    struct chart_files files = {0};
    struct chart *c;
    struct oci_ref ref;
    struct session s;
    struct buf json = {0};
    struct err err;
    struct str text;
    if (chart_read_archive(cx, chart, &files) != 0 || chart_load_files(cx, &files, &c) != 0)
        return -1;
    while (str_ends(url, STR("/")))
        url.n--;
    struct str whole = arena_printf(cx->arena, "%.*s/%.*s:%.*s", STR_ARG(url),
                                    STR_ARG(c->meta.name), STR_ARG(c->meta.version));
    if (oci_ref_parse(cx, whole, &ref) != 0)
        return -1;
    gojson_write(cx->arena, &json, chart_metadata_value(cx->arena, &c->meta),
                 (struct gojson_style){.html = true}, &err);
    struct blob config = {config_type, arena_dup(cx->arena, buf_str(&json)), {0}};
    buf_done(&json);
    config.digest = digest_of(cx, config.bytes);
    struct blob layers[2] = {{chart_type, chart, digest_of(cx, chart)}};
    size_t n = 1;
    if (provenance)
        layers[n++] = (struct blob){provenance_type, *provenance, digest_of(cx, *provenance)};
    qsort(layers, n, sizeof(*layers), by_digest);
    if (make_manifest(cx, &c->meta, &config, layers, n, created, &text) != 0 ||
        session_open(cx, home, access, &ref, "pull,push", &s) != 0)
        return -1;
    bool has;
    int status = has_manifest(&s, &ref, digest_of(cx, text), &has);
    if (status == 0 && !has)
        status = put_blob(&s, &ref, config.bytes, config.digest);
    for (size_t i = 0; i < n && status == 0 && !has; i++)
        status = put_blob(&s, &ref, layers[i].bytes, layers[i].digest);
    if (status == 0)
        status = put_manifest(&s, &ref, text);
    if (status == 0)
        say_done(cx, "Pushed", &ref, digest_of(cx, text));
    session_done(&s);
    return status;
}

/* --- logging in --- */
static int ping(struct session *s, bool oauth2)
{
    struct fetch_request r = {.max_body = MAX_MANIFEST};
    struct fetch_answer answer = {0};
    s->http.config.oauth2 = oauth2;
    int status = call(s, "GET", STR("/v2/"), &r, &answer);
    if (status == 0 && answer.status != 200)
        status = fail_status(s, &r, &answer);
    fetch_answer_done(&answer);
    return status;
}

int oci_login(struct chart_ctx *cx, const struct chart_home *home,
              const struct chart_access *access, struct str host)
{
    static const struct str schemes[] = {STR_INIT("oci://"), STR_INIT("http://"),
                                         STR_INIT("https://")};
    struct session s;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(host, schemes[i])) {
            host = str_from(host, schemes[i].n);
            break;
        }
    str_cut(host, '/', &host, &(struct str){0});
    struct oci_ref ref = {.registry = host};
    if (session_open(cx, home, access, &ref, "", &s) != 0)
        return -1;
    int status = ping(&s, true);
    if (status != 0)
        status = ping(&s, false);
    session_done(&s);
    if (status != 0)
        return chart_wrap(cx, "authenticating to \"%.*s\"", STR_ARG(host));
    return credentials_put(cx, home->registry_config, host, access->username, access->password);
}
