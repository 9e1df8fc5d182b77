/* Pulling from a v2 registry: github.com/opencontainers/distribution-spec, with docker's bearer
 * tokens. */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "node/base64.h"
#include "node/image.h"

enum {
    CONNECT_MS = 15000,
    STALL_SECONDS = 60,
    MAX_TOKEN = 64 * 1024,
    MAX_REDIRECTS = 5,
    TRIES = 3
};

static const char accept_header[] = "Accept: application/vnd.oci.image.index.v1+json, "
                                    "application/vnd.docker.distribution.manifest.list.v2+json, "
                                    "application/vnd.oci.image.manifest.v1+json, "
                                    "application/vnd.docker.distribution.manifest.v2+json";

struct pull {
    const struct image_pull *job;
    struct err *err;
    char *base;       /* "https://registry-1.docker.io/v2/library/nginx" */
    struct buf token; /* bearer, once it was asked for */
    bool basic;       /* the registry wants the password itself */
    int64_t size;
};

struct transfer {
    struct pull *p;
    struct buf *body; /* or */
    FILE *file;
    int64_t received, max;
    char challenge[2048]; /* WWW-Authenticate of the last answer */
};

static bool is_local(struct str host)
{
    struct str name = host;
    if (str_starts(host, STR("[::1]")))
        return true;
    str_cut(host, ':', &name, &(struct str){0});
    return str_is(name, "localhost") || str_starts(name, STR("127."));
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    n *= size;
    t->received += (int64_t)n;
    if (t->received > t->max)
        return 0;
    if (t->body)
        buf_append(t->body, data, n);
    return t->file && fwrite(data, 1, n, t->file) != n ? 0 : n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    n *= size;
    if (n > 5 && strncmp(data, "HTTP/", 5) == 0)
        t->challenge[0] = '\0';
    if (n > 17 && strncasecmp(data, "www-authenticate:", 17) == 0)
        snprintf(t->challenge, sizeof(t->challenge), "%.*s", (int)(n - 17), data + 17);
    return n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct transfer *t = arg;
    (void)a, (void)b, (void)c, (void)d;
    return t->p->job->cancel && *t->p->job->cancel;
}

/* One GET, redirects followed (curl drops Authorization at another host). -1: no answer. */
static long get(struct transfer *t, const char *url, const char *accept, bool with_token)
{
    struct pull *p = t->p;
    struct curl_slist *headers = accept ? curl_slist_append(NULL, accept) : NULL;
    struct buf bearer = {0}, user = {0};
    char text[CURL_ERROR_SIZE] = "";
    long status = -1;
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
                     strncmp(url, "https", 5) ? "http,https" : "https");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "tutti/" TUTTI_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    if (with_token && p->token.n) {
        buf_printf(&bearer, "Authorization: Bearer %s", p->token.p);
        headers = curl_slist_append(headers, bearer.p);
        curl_easy_setopt(curl, CURLOPT_UNRESTRICTED_AUTH, 0L);
    } else if ((p->basic || !with_token) && p->job->auth.username.n) {
        buf_printf(&user, "%.*s:%.*s", STR_ARG(p->job->auth.username),
                   STR_ARG(p->job->auth.password));
        curl_easy_setopt(curl, CURLOPT_USERPWD, user.p);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else
        err_internal(p->err, "failed to do request: Get \"%s\": %s", url,
                     *text ? text : curl_easy_strerror(code));
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    buf_done(&bearer);
    buf_done(&user);
    return status;
}

/* realm="https://…",service="…",scope="…" */
static struct str parameter(struct str challenge, const char *name)
{
    struct buf key = {0};
    buf_printf(&key, "%s=\"", name);
    ssize_t at = str_find(challenge, buf_str(&key));
    struct str value = {0}, tail;
    if (at >= 0)
        str_cut(str_from(challenge, (size_t)at + key.n), '"', &value, &tail);
    buf_done(&key);
    return value;
}

static void put_parameter(struct buf *url, const char *name, struct str value)
{
    char *escaped = curl_easy_escape(NULL, value.p ? value.p : "", (int)value.n);
    if (value.n)
        buf_printf(url, "%c%s=%s", strchr(url->p, '?') ? '&' : '?', name, escaped);
    curl_free(escaped);
}

static int get_token(struct pull *p, const char *challenge_text)
{
    struct str challenge = str_trim(str_of(challenge_text));
    struct buf url = {0}, body = {0};
    struct transfer t = {.p = p, .body = &body, .max = MAX_TOKEN};
    struct doc d = {0};
    val *answer;
    if (str_eq_nocase(str_head(challenge, 5), STR("basic")) && p->job->auth.username.n &&
        !p->basic) {
        p->basic = true;
        return 0;
    }
    struct str realm = parameter(challenge, "realm");
    if (!str_eq_nocase(str_head(challenge, 6), STR("bearer")) || !realm.n)
        return err_set(p->err, 401, "Unauthorized",
                       "authorization failed: no basic auth credentials");
    /* A password does not travel in the clear because a registry asks for it. */
    if (strncmp(p->base, "https:", 6) == 0 && !str_starts(realm, STR("https://")))
        return err_set(p->err, 401, "Unauthorized",
                       "failed to authorize: the realm %.*s is not https", STR_ARG(realm));
    buf_put(&url, realm);
    put_parameter(&url, "service", parameter(challenge, "service"));
    put_parameter(&url, "scope", parameter(challenge, "scope"));
    long status = get(&t, url.p, NULL, false);
    int failed = status < 0 ? -1 : 0;
    if (!failed && status != 200)
        failed =
            err_set(p->err, 401, "Unauthorized",
                    "failed to authorize: failed to fetch oauth token: unexpected status from GET "
                    "request to %.*s: %ld",
                    STR_ARG(realm), status);
    if (!failed && doc_parse_json(&d, buf_str(&body), &answer, p->err) == 0) {
        struct str token =
            VAL_STR(answer, "token").n ? VAL_STR(answer, "token") : VAL_STR(answer, "access_token");
        buf_clear(&p->token);
        buf_put(&p->token, token);
        failed = token.n ? 0 : err_internal(p->err, "failed to authorize: an empty token");
        for (size_t i = 0; i < token.n && !failed; i++)
            if (!isgraph((unsigned char)token.p[i]))
                failed = err_internal(p->err, "failed to authorize: a bad token");
    } else if (!failed) {
        failed = -1;
    }
    doc_done(&d);
    buf_done(&url);
    buf_done(&body);
    return failed;
}

static int fetch(struct transfer *t, const char *what, const char *url, const char *accept)
{
    struct pull *p = t->p;
    struct buf name = {0};
    long status = get(t, url, accept, true);
    if (status == 401) {
        if (get_token(p, t->challenge))
            return -1;
        if (t->body)
            buf_clear(t->body);
        if (t->file && (fseek(t->file, 0, SEEK_SET) || ftruncate(fileno(t->file), 0)))
            return err_errno(p->err, "truncate");
        t->received = 0;
        status = get(t, url, accept, true);
    }
    if (status == 200)
        return 0;
    image_ref_write(p->job->ref, &name);
    if (status == 404)
        err_set(p->err, 404, "NotFound",
                "failed to pull and unpack image \"%s\": failed to resolve reference \"%s\": %s: "
                "not found",
                name.p, name.p, what);
    else if (status == 401 || status == 403)
        err_set(p->err, (int)status, "Unauthorized",
                "failed to pull and unpack image \"%s\": failed to resolve reference \"%s\": pull "
                "access "
                "denied, repository does not exist or may require authorization",
                name.p, name.p);
    else if (status >= 0)
        err_internal(
            p->err,
            "failed to pull and unpack image \"%s\": unexpected status from GET request to %s: %ld",
            name.p, url, status);
    buf_done(&name);
    return -1;
}

static int get_manifest(struct pull *p, struct str reference, struct buf *ret)
{
    struct buf url = {0};
    char have[IMAGE_DIGEST];
    struct transfer t = {.p = p, .body = ret, .max = IMAGE_MAX_META};
    buf_printf(&url, "%s/manifests/%.*s", p->base, STR_ARG(reference));
    int failed = fetch(&t, "manifest", url.p, accept_header);
    buf_done(&url);
    image_digest(buf_str(ret), have);
    if (!failed && image_digest_ok(reference) && !str_is(reference, have))
        failed = err_internal(p->err, "manifest %.*s: its digest is %s", STR_ARG(reference), have);
    return failed;
}

static int get_blob(struct pull *p, const val *descriptor, const char *path)
{
    struct str digest = VAL_STR(descriptor, "digest");
    int64_t size = VAL_INT(descriptor, "size");
    struct buf url = {0};
    char have[IMAGE_DIGEST];
    int failed = -1;
    if (!image_digest_ok(digest) || size < 0 || size > IMAGE_MAX_SIZE)
        return err_bad(p->err, "a descriptor without a sha256 digest or size");
    buf_printf(&url, "%s/blobs/%.*s", p->base, STR_ARG(digest));
    for (int i = 0; i < TRIES && failed; i++) {
        FILE *f = fopen(path, "we");
        struct transfer t = {.p = p, .file = f, .max = size};
        if (!f) {
            err_errno(p->err, "create %s", path);
            break;
        }
        failed = fetch(&t, "blob", url.p, NULL);
        failed |= fclose(f) ? err_errno(p->err, "write %s", path) : 0;
        if (!failed)
            failed = image_digest_file(path, have, p->err);
        if (!failed && !str_is(digest, have))
            failed = err_internal(p->err, "blob %.*s: its digest is %s", STR_ARG(digest), have);
        if (p->job->cancel && *p->job->cancel)
            break;
    }
    buf_done(&url);
    p->size += size;
    return failed;
}

static int get_layers(struct pull *p, const val *manifest, struct str config, const char *dir)
{
    struct doc d = {0};
    val *ids, *layers = val_get(manifest, "layers");
    int failed = image_diff_ids(&d, config, &ids, p->err);
    if (!failed && val_len(ids) != val_len(layers))
        failed = err_bad(p->err, "the manifest and the config differ in the number of layers");
    for (size_t i = 0; !failed && i < val_len(ids); i++) {
        struct buf path = {0};
        if (image_has_layer(p->job->data_dir, val_str(val_at(ids, i)))) {
            p->size += VAL_INT(val_at(layers, i), "size");
            continue;
        }
        buf_printf(&path, "%s/layer", dir);
        failed = get_blob(p, val_at(layers, i), path.p) ||
                 image_unpack(p->job->data_dir, path.p, val_str(val_at(ids, i)), p->err);
        unlink(path.p);
        buf_done(&path);
    }
    doc_done(&d);
    return failed;
}

static int pull_image(struct pull *p, const char *dir)
{
    const struct image_ref *ref = p->job->ref;
    struct doc d = {0};
    struct buf text = {0}, config = {0}, path = {0};
    val *manifest;
    int failed = get_manifest(p, ref->digest.n ? ref->digest : ref->tag, &text) ||
                 doc_parse_json(&d, buf_str(&text), &manifest, p->err);
    if (!failed && val_get(manifest, "manifests")) {
        const val *chosen = image_choose(manifest);
        buf_clear(&text);
        failed =
            !chosen || !image_digest_ok(VAL_STR(chosen, "digest"))
                ? err_set(p->err, 404, "NotFound", "no match for platform in manifest: not found")
                : get_manifest(p, VAL_STR(chosen, "digest"), &text) ||
                      doc_parse_json(&d, buf_str(&text), &manifest, p->err);
    }
    if (!failed) {
        buf_printf(&path, "%s/config", dir);
        failed = get_blob(p, val_get(manifest, "config"), path.p) ||
                 file_read(path.p, IMAGE_MAX_META, &config, p->err) ||
                 get_layers(p, manifest, buf_str(&config), dir);
    }
    if (!failed)
        failed = image_commit(
            p->job->data_dir,
            &(struct image_commit){ref, buf_str(&config), buf_str(&text), p->size}, p->err);
    buf_done(&text);
    buf_done(&config);
    buf_done(&path);
    doc_done(&d);
    return failed ? -1 : 0;
}

int image_pull(const struct image_pull *job, struct err *err)
{
    struct pull p = {.job = job, .err = err};
    struct str registry = job->ref->registry;
    struct buf base = {0};
    buf_printf(&base, "%s://%.*s/v2/%.*s", is_local(registry) ? "http" : "https",
               STR_ARG(str_is(registry, "docker.io") ? STR("registry-1.docker.io") : registry),
               STR_ARG(job->ref->repository));
    p.base = buf_take(&base);
    char *dir = image_temp_name(job->data_dir);
    int failed = image_dirs(job->data_dir, err);
    if (!failed && mkdir(dir, 0700))
        failed = err_errno(err, "mkdir %s", dir);
    if (!failed)
        failed = pull_image(&p, dir);
    file_remove_tree(dir, NULL);
    free(dir);
    free(p.base);
    buf_done(&p.token);
    return failed;
}

/* --- credentials --- */

/* "https://index.docker.io/v1/" and "docker.io" are one registry. */
static bool same_registry(struct str key, const struct image_ref *ref)
{
    struct str host, path;
    if (str_starts(key, STR("https://")))
        key = str_from(key, 8);
    else if (str_starts(key, STR("http://")))
        key = str_from(key, 7);
    str_cut(key, '/', &host, &path);
    if (str_is(host, "index.docker.io") || str_is(host, "registry-1.docker.io"))
        host = STR("docker.io");
    if (!str_eq(host, ref->registry))
        return false;
    return !path.n || str_is(path, "v1/") || str_is(path, "v2/") ||
           str_starts(ref->repository, path);
}

bool image_auth_find(struct arena *a, const val *auths, const struct image_ref *ref,
                     struct image_auth *ret)
{
    VAL_EACH (auths, key, entry) {
        struct buf text = {0};
        if (!same_registry(val_str(key), ref))
            continue;
        ret->username = arena_dup(a, VAL_STR(entry, "username"));
        ret->password = arena_dup(a, VAL_STR(entry, "password"));
        if (!ret->username.n && base64_decode(VAL_STR(entry, "auth"), &text) == 0)
            str_cut(arena_dup(a, buf_str(&text)), ':', &ret->username, &ret->password);
        buf_done(&text);
        return true;
    }
    return false;
}
