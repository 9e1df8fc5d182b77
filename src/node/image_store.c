/* The store of images: names, digests, references. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "node/image.h"

void image_path(struct buf *b, const char *data_dir, const char *below)
{
    buf_printf(b, "%s/images/%s", data_dir, below);
}

int image_dirs(const char *data_dir, struct err *err)
{
    static const char *const names[] = {"blobs/sha256", "layers", "refs", "tmp"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf b = {0};
        image_path(&b, data_dir, names[i]);
        int failed = file_mkdirs(b.p, 0711, err);
        buf_done(&b);
        if (failed)
            return -1;
    }
    return 0;
}

char *image_temp_name(const char *data_dir)
{
    char id[37];
    struct buf b = {0};
    world_uuid(world_real(), id);
    image_path(&b, data_dir, "tmp/");
    buf_puts(&b, id);
    return buf_take(&b);
}

static void write_hex(const unsigned char *p, size_t n, char *ret)
{
    for (size_t i = 0; i < n; i++)
        sprintf(ret + 2 * i, "%02x", p[i]);
}

void image_digest(struct str bytes, char ret[IMAGE_DIGEST])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    EVP_Digest(bytes.p ? bytes.p : "", bytes.n, hash, NULL, EVP_sha256(), NULL);
    strcpy(ret, "sha256:");
    write_hex(hash, 32, ret + strlen(ret));
}

int image_digest_file(const char *path, char ret[IMAGE_DIGEST], struct err *err)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(mem_freep) char *chunk = mem_alloc(64 * 1024);
    unsigned char hash[EVP_MAX_MD_SIZE];
    ssize_t n;
    if (fd < 0)
        return err_errno(err, "open %s", path);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    while ((n = read(fd, chunk, 64 * 1024)) > 0)
        EVP_DigestUpdate(ctx, chunk, (size_t)n);
    EVP_DigestFinal_ex(ctx, hash, NULL);
    EVP_MD_CTX_free(ctx);
    if (n < 0)
        return err_errno(err, "read %s", path);
    strcpy(ret, "sha256:");
    write_hex(hash, 32, ret + strlen(ret));
    return 0;
}

/* --- references --- */

static char *ref_path(const char *data_dir, const struct image_ref *ref)
{
    struct buf name = {0}, path = {0};
    image_ref_write(ref, &name);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '/')
            name.p[i] = '+';
    image_path(&path, data_dir, "refs/");
    buf_put(&path, buf_str(&name));
    buf_done(&name);
    return buf_take(&path);
}

static char *blob_path(const char *data_dir, struct str digest)
{
    struct buf b = {0};
    image_path(&b, data_dir, "blobs/sha256/");
    buf_put(&b, str_from(digest, strlen("sha256:")));
    return buf_take(&b);
}

static int read_doc(struct doc *d, const char *path, val **ret, struct err *err)
{
    struct buf text = {0};
    int failed =
        file_read(path, IMAGE_MAX_META, &text, err) || doc_parse_json(d, buf_str(&text), ret, err);
    buf_done(&text);
    return failed ? -1 : 0;
}

static char *z(struct str s)
{
    return mem_strndup(s.p ? s.p : "", s.n);
}

void image_done(struct image *i)
{
    free(i->name);
    free(i->id);
    free(i->layers);
    doc_done(&i->doc);
    *i = (struct image){0};
}

int image_open(const char *data_dir, const struct image_ref *ref, struct image *ret,
               struct err *err)
{
    CLEANUP(mem_freep) char *path = ref_path(data_dir, ref);
    struct doc d = {0};
    struct image image = {0};
    val *record, *config;
    CLEANUP(mem_freep) char *blob = NULL;
    int failed = -1;
    if (access(path, F_OK)) {
        struct buf name = {0};
        image_ref_write(ref, &name);
        err_set(err, 404, "NotFound", "image \"%s\": not found", buf_z(&name));
        buf_done(&name);
        return -1;
    }
    if (read_doc(&d, path, &record, err))
        goto out;
    image.name = z(VAL_STR(record, "name"));
    image.id = z(VAL_STR(record, "id"));
    image.layers = z(VAL_STR(record, "layers"));
    image.size = VAL_INT(record, "size");
    if (!image_digest_ok(VAL_STR(record, "config"))) {
        err_internal(err, "%s: damaged", path);
        goto out;
    }
    blob = blob_path(data_dir, VAL_STR(record, "config"));
    if (read_doc(&image.doc, blob, &config, err))
        goto out;
    image.config = val_get(config, "config");
    *ret = image;
    image = (struct image){0};
    failed = 0;
out:
    image_done(&image);
    doc_done(&d);
    return failed;
}

void image_each(const char *data_dir,
                void (*visit)(void *arg, struct str name, struct str id, int64_t size), void *arg)
{
    struct buf b = {0};
    image_path(&b, data_dir, "refs");
    CLEANUP(mem_freep) char *folder = buf_take(&b);
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        struct doc d = {0};
        struct buf path = {0};
        val *record;
        if (e->d_name[0] == '.' || str_ends(str_of(e->d_name), STR(".tmp")))
            continue;
        buf_printf(&path, "%s/%s", folder, e->d_name);
        if (read_doc(&d, path.p, &record, NULL) == 0)
            visit(arg, VAL_STR(record, "name"), VAL_STR(record, "id"), VAL_INT(record, "size"));
        buf_done(&path);
        doc_done(&d);
    }
    closedir(dir);
}

/* --- committing --- */

int image_diff_ids(struct doc *d, struct str config, val **ret, struct err *err)
{
    val *root;
    if (doc_parse_json(d, config, &root, err))
        return err_prefix(err, "image config: ");
    val *ids = VAL_PATH(root, "rootfs", "diff_ids");
    if (val_len(ids) == 0 || val_len(ids) > IMAGE_MAX_LAYERS)
        return err_bad(err, "image config: %zu layers, from 1 to %d are possible", val_len(ids),
                       IMAGE_MAX_LAYERS);
    VAL_FOR (ids, id)
        if (!image_digest_ok(val_str(id)))
            return err_bad(err, "image config: bad diff id");
    *ret = ids;
    return 0;
}

/* Equal layers would be one folder twice, which overlayfs refuses: the upper one hides the other.
 */
static void lower_of(val *ids, struct buf *b)
{
    size_t n = val_len(ids);
    for (size_t i = n; i-- > 0;) {
        struct str name =
            str_head(str_from(val_str(val_at(ids, i)), strlen("sha256:")), IMAGE_LAYER_NAME - 1);
        if (b->n && str_find(buf_str(b), name) >= 0)
            continue;
        if (b->n)
            buf_putc(b, ':');
        buf_put(b, name);
    }
}

static int put_blob(const char *data_dir, struct str content, char digest[IMAGE_DIGEST],
                    struct err *err)
{
    image_digest(content, digest);
    CLEANUP(mem_freep) char *path = blob_path(data_dir, str_of(digest));
    return access(path, F_OK) == 0 ? 0 : file_write(path, content, 0600, err);
}

int image_commit(const char *data_dir, const struct image_commit *c, struct err *err)
{
    struct doc d = {0};
    struct buf name = {0}, lower = {0}, id = {0}, text = {0};
    char config[IMAGE_DIGEST], manifest[IMAGE_DIGEST];
    CLEANUP(mem_freep) char *path = NULL;
    val *ids;
    int failed = -1;
    if (image_diff_ids(&d, c->config, &ids, err) || put_blob(data_dir, c->config, config, err))
        goto out;
    if (c->manifest.n && put_blob(data_dir, c->manifest, manifest, err))
        goto out;
    if (c->manifest.n)
        buf_printf(&id, "%.*s/%.*s@%s", STR_ARG(c->ref->registry), STR_ARG(c->ref->repository),
                   manifest);
    else
        buf_puts(&id, config);
    image_ref_write(c->ref, &name);
    lower_of(ids, &lower);
    val *record = val_new_obj(&d);
    val_set_z(&d, record, "name", name.p);
    val_set_z(&d, record, "id", id.p);
    val_set_z(&d, record, "config", config);
    val_set_z(&d, record, "layers", lower.p);
    val_set_int(&d, record, "size", c->size);
    val_write_json(record, &text);
    path = ref_path(data_dir, c->ref);
    failed = file_write(path, buf_str(&text), 0600, err);
out:
    buf_done(&name);
    buf_done(&lower);
    buf_done(&id);
    buf_done(&text);
    doc_done(&d);
    return failed;
}

const val *image_choose(const val *index)
{
#if defined(__x86_64__)
    const char *arch = "amd64";
#elif defined(__aarch64__)
    const char *arch = "arm64";
#else
#error "an architecture whose name in image indexes is not known"
#endif
    const val *any = NULL;
    VAL_FOR (val_get(index, "manifests"), m) {
        const val *platform = val_get(m, "platform");
        if (!platform && !any)
            any = m;
        if (str_is(VAL_STR(platform, "architecture"), arch) &&
            str_is(VAL_STR(platform, "os"), "linux"))
            return m;
    }
    return any;
}
