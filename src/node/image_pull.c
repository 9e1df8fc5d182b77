/* Pulling from a v2 registry: github.com/opencontainers/distribution-spec. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "client/registry.h"
#include "node/base64.h"
#include "node/image.h"

enum { CONNECT_MS = 15000, STALL_MS = 60000, MAX_REDIRECTS = 5, TRIES = 3 };

static const struct http_header accept_manifests = {
    STR_INIT("Accept"), STR_INIT("application/vnd.oci.image.index.v1+json, "
                                 "application/vnd.docker.distribution.manifest.list.v2+json, "
                                 "application/vnd.oci.image.manifest.v1+json, "
                                 "application/vnd.docker.distribution.manifest.v2+json")};

struct pull {
    const struct image_pull *job;
    struct err *err;
    char *base; /* "https://registry-1.docker.io/v2/library/nginx" */
    struct fetcher *fetcher;
    struct registry_session session;
    int64_t size;
};

struct transfer {
    struct pull *p;
    struct buf *body; /* or */
    FILE *file;
    int64_t max;
};

static bool is_local(struct str host)
{
    struct str name = host;
    if (str_starts(host, STR("[::1]")))
        return true;
    str_cut(host, ':', &name, &(struct str){0});
    return str_is(name, "localhost") || str_starts(name, STR("127."));
}

static int on_piece(void *arg, struct str piece)
{
    struct transfer *t = arg;
    if (t->body)
        buf_put(t->body, piece);
    if (t->file && fwrite(piece.p, 1, piece.n, t->file) != piece.n)
        return err_errno(t->p->err, "write");
    return 0;
}

static int fail_status(struct pull *p, const char *what, const char *url, int status)
{
    struct buf name = {0};
    image_ref_write(p->job->ref, &name);
    if (status == 404)
        err_set(p->err, 404, "NotFound",
                "failed to pull and unpack image \"%s\": failed to resolve reference \"%s\": %s: "
                "not found",
                name.p, name.p, what);
    else if (status == 401 || status == 403)
        err_set(p->err, status, "Unauthorized",
                "failed to pull and unpack image \"%s\": failed to resolve reference \"%s\": pull "
                "access denied, repository does not exist or may require authorization",
                name.p, name.p);
    else
        err_internal(
            p->err,
            "failed to pull and unpack image \"%s\": unexpected status from GET request to %s: %d",
            name.p, url, status);
    buf_done(&name);
    return -1;
}

static int fetch_one(struct transfer *t, const char *what, const char *url,
                     const struct http_header *accept)
{
    struct pull *p = t->p;
    struct fetch_request request = {
        .url = str_of(url),
        .headers = accept,
        .header_count = accept ? 1 : 0,
        .max_body = (size_t)t->max,
        .stall_ms = STALL_MS,
        .max_redirects = MAX_REDIRECTS,
        .sink = on_piece,
        .arg = t,
    };
    struct fetch_answer answer = {0};
    int failed = registry_fetch(&p->session, &request, &answer, p->err);
    if (failed)
        err_prefix(p->err, p->err->code == 401 ? "failed to authorize" : "failed to do request");
    else if (answer.status != 200)
        failed = fail_status(p, what, url, answer.status);
    fetch_answer_done(&answer);
    return failed;
}

static int get_manifest(struct pull *p, struct str reference, struct buf *ret)
{
    struct buf url = {0};
    char have[IMAGE_DIGEST];
    struct transfer t = {.p = p, .body = ret, .max = IMAGE_MAX_META};
    buf_printf(&url, "%s/manifests/%.*s", p->base, STR_ARG(reference));
    int failed = fetch_one(&t, "manifest", url.p, &accept_manifests);
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
        failed = fetch_one(&t, "blob", url.p, NULL);
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
    int failed = fetcher_new(
        &(struct fetch_options){.system_ca = true, .connect_ms = CONNECT_MS, .cancel = job->cancel},
        &p.fetcher, err);
    registry_session_init(&p.session,
                          &(struct registry_config){.fetcher = p.fetcher,
                                                    .auth = {.username = job->auth.username,
                                                             .password = job->auth.password}});
    if (!failed)
        failed = image_dirs(job->data_dir, err);
    if (!failed && mkdir(dir, 0700))
        failed = err_errno(err, "mkdir %s", dir);
    if (!failed)
        failed = pull_image(&p, dir);
    file_remove_tree(dir, NULL);
    free(dir);
    free(p.base);
    registry_session_done(&p.session);
    fetcher_free(p.fetcher);
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
