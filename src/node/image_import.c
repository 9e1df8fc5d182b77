/* Importing archives: an OCI layout (index.json) or what `docker save` writes (manifest.json). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "node/agent.h"
#include "node/image.h"
#include "node/libarchive.h"

enum { MAX_FILES = 10000 };

struct import {
    const char *data_dir;
    char *dir; /* where the archive's files were put, flat: '/' became '+' */
    int imported;
    struct err *err;
};

/* Names inside the archive come from documents in it: they become single file names in dir. */
static char *file_of(const struct import *i, struct str name)
{
    struct buf b = {0};
    buf_printf(&b, "%s/+", i->dir);
    size_t at = b.n;
    while (str_starts(name, STR("./")))
        name = str_from(name, 2);
    buf_put(&b, str_head(name, 240));
    for (; at < b.n; at++)
        if (b.p[at] == '/' || b.p[at] == '\0')
            b.p[at] = '+';
    return buf_take(&b);
}

static int extract(struct import *i, const char *file)
{
    struct archive *a = libarchive()->read_new();
    struct archive_entry *e;
    int got = ARCHIVE_FATAL, files = 0, failed = 0;
    libarchive()->read_support_filter_all(a);
    libarchive()->read_support_format_tar(a);
    if (libarchive()->read_open_filename(a, file, 128 * 1024) == ARCHIVE_OK)
        while (!failed && (got = libarchive()->read_next_header(a, &e)) == ARCHIVE_OK) {
            CLEANUP(mem_freep) char *to = file_of(i, str_of(libarchive()->entry_pathname(e)));
            if (++files > MAX_FILES || libarchive()->entry_size(e) > IMAGE_MAX_SIZE) {
                failed = err_bad(i->err, "%s: too many or too large files", file);
                break;
            }
            /* docker save has links from one layer to another */
            if (libarchive()->entry_filetype(e) == AE_IFLNK && libarchive()->entry_symlink(e)) {
                const char *base = strrchr(libarchive()->entry_symlink(e), '/');
                struct buf name = {0};
                if (base && strcmp(base, "/layer.tar") == 0) {
                    const char *begin = base;
                    while (begin > libarchive()->entry_symlink(e) && begin[-1] != '/')
                        begin--;
                    buf_puts(&name, begin);
                    CLEANUP(mem_freep) char *target = file_of(i, buf_str(&name));
                    if (symlink(strrchr(target, '/') + 1, to) && errno != EEXIST)
                        failed = err_errno(i->err, "symlink");
                }
                buf_done(&name);
                continue;
            }
            if (libarchive()->entry_filetype(e) != AE_IFREG)
                continue;
            CLEANUP(fd_closep) int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
            if (fd < 0 && errno != EEXIST)
                failed = err_errno(i->err, "create %s", to);
            if (fd >= 0 && libarchive()->read_data_into_fd(a, fd) != ARCHIVE_OK)
                failed = err_bad(i->err, "%s: %s", file, libarchive()->error_string(a));
        }
    if (!failed && got != ARCHIVE_EOF)
        failed = err_bad(i->err, "%s: %s", file, libarchive()->error_string(a));
    libarchive()->read_free(a);
    return failed;
}

static int read_file(struct import *i, struct str name, struct buf *ret)
{
    CLEANUP(mem_freep) char *path = file_of(i, name);
    return file_read(path, IMAGE_MAX_META, ret, i->err);
}

static char *blob_file(const struct import *i, struct str digest)
{
    struct buf name = {0};
    buf_printf(&name, "blobs/sha256/%.*s", STR_ARG(str_from(digest, strlen("sha256:"))));
    char *path = file_of(i, buf_str(&name));
    buf_done(&name);
    return path;
}

/* The blob of a descriptor, its digest checked. */
static int read_blob(struct import *i, const val *descriptor, struct buf *ret)
{
    struct str digest = VAL_STR(descriptor, "digest");
    char have[IMAGE_DIGEST];
    if (!image_digest_ok(digest))
        return err_bad(i->err, "a descriptor without a sha256 digest");
    CLEANUP(mem_freep) char *path = blob_file(i, digest);
    if (file_read(path, IMAGE_MAX_META, ret, i->err))
        return -1;
    image_digest(buf_str(ret), have);
    if (!str_is(digest, have))
        return err_bad(i->err, "blob %.*s: its digest is %s", STR_ARG(digest), have);
    return 0;
}

static int commit(struct import *i, struct str name, struct str config, struct str manifest,
                  int64_t size)
{
    struct arena a = {0};
    struct image_ref ref;
    int failed = image_ref_parse(&a, name, &ref, i->err);
    if (!failed)
        failed =
            image_commit(i->data_dir,
                         &(struct image_commit){
                             .ref = &ref, .config = config, .manifest = manifest, .size = size},
                         i->err);
    arena_done(&a);
    i->imported += !failed;
    return failed;
}

static int unpack_layers(struct import *i, const val *manifest, struct str config,
                         int64_t *ret_size)
{
    struct doc d = {0};
    val *ids, *layers = val_get(manifest, "layers");
    int failed = image_diff_ids(&d, config, &ids, i->err);
    *ret_size = (int64_t)config.n;
    if (!failed && val_len(ids) != val_len(layers))
        failed = err_bad(i->err, "the manifest and the config differ in the number of layers");
    for (size_t k = 0; !failed && k < val_len(ids); k++) {
        struct str digest = VAL_STR(val_at(layers, k), "digest");
        char have[IMAGE_DIGEST];
        if (!image_digest_ok(digest)) {
            failed = err_bad(i->err, "a layer without a sha256 digest");
            break;
        }
        *ret_size += VAL_INT(val_at(layers, k), "size");
        if (image_has_layer(i->data_dir, val_str(val_at(ids, k))))
            continue;
        CLEANUP(mem_freep) char *path = blob_file(i, digest);
        failed = image_digest_file(path, have, i->err);
        if (!failed && !str_is(digest, have))
            failed = err_bad(i->err, "blob %.*s: its digest is %s", STR_ARG(digest), have);
        if (!failed)
            failed = image_unpack(i->data_dir, path, val_str(val_at(ids, k)), i->err);
    }
    doc_done(&d);
    return failed;
}

/* A manifest, or an index of one manifest a platform. */
static int import_manifest(struct import *i, struct str name, const val *descriptor, int depth)
{
    struct doc d = {0};
    struct buf text = {0}, config = {0};
    val *manifest;
    int64_t size;
    int failed =
        read_blob(i, descriptor, &text) || doc_parse_json(&d, buf_str(&text), &manifest, i->err);
    if (!failed && val_get(manifest, "manifests")) {
        const val *chosen = image_choose(manifest);
        failed = !chosen || depth > 3
                     ? err_bad(i->err, "%.*s: no image for this machine's platform", STR_ARG(name))
                     : import_manifest(i, name, chosen, depth + 1);
    } else if (!failed) {
        failed = read_blob(i, val_get(manifest, "config"), &config) ||
                 unpack_layers(i, manifest, buf_str(&config), &size) ||
                 commit(i, name, buf_str(&config), buf_str(&text), size);
    }
    buf_done(&text);
    buf_done(&config);
    doc_done(&d);
    return failed ? -1 : 0;
}

static struct str name_of(const val *descriptor)
{
    const val *notes = val_get(descriptor, "annotations");
    struct str name = VAL_STR(notes, "io.containerd.image.name");
    if (name.n)
        return name;
    name = VAL_STR(notes, "org.opencontainers.image.ref.name");
    return str_find_char(name, ':') >= 0 || str_find_char(name, '/') >= 0 ? name : (struct str){0};
}

static int import_layout(struct import *i, struct str text)
{
    struct doc d = {0};
    val *index;
    int failed = doc_parse_json(&d, text, &index, i->err);
    VAL_FOR (failed ? NULL : val_get(index, "manifests"), descriptor) {
        struct str name = name_of(descriptor);
        if (!failed && name.n)
            failed = import_manifest(i, name, descriptor, 0);
    }
    doc_done(&d);
    return failed;
}

static int import_docker_image(struct import *i, const val *entry)
{
    struct doc d = {0};
    struct buf config = {0};
    val *ids, *layers = val_get(entry, "Layers");
    int64_t size = 0;
    int failed = read_file(i, VAL_STR(entry, "Config"), &config) ||
                 image_diff_ids(&d, buf_str(&config), &ids, i->err);
    if (!failed && val_len(ids) != val_len(layers))
        failed = err_bad(i->err, "manifest.json and the config differ in the number of layers");
    for (size_t k = 0; !failed && k < val_len(ids); k++) {
        struct stat st;
        CLEANUP(mem_freep) char *path = file_of(i, val_str(val_at(layers, k)));
        size += stat(path, &st) == 0 ? st.st_size : 0;
        failed = image_unpack(i->data_dir, path, val_str(val_at(ids, k)), i->err);
    }
    VAL_FOR (val_get(entry, "RepoTags"), tag)
        if (!failed)
            failed = commit(i, val_str(tag), buf_str(&config), (struct str){0}, size);
    buf_done(&config);
    doc_done(&d);
    return failed ? -1 : 0;
}

static int import_docker(struct import *i, struct str text)
{
    struct doc d = {0};
    val *list;
    int failed = doc_parse_json(&d, text, &list, i->err);
    VAL_FOR (failed ? NULL : list, entry)
        if (!failed)
            failed = import_docker_image(i, entry);
    doc_done(&d);
    return failed;
}

static bool has(const struct import *i, const char *name)
{
    CLEANUP(mem_freep) char *path = file_of(i, str_of(name));
    return access(path, F_OK) == 0;
}

static int import_from_dir(struct import *i, const char *file)
{
    struct buf text = {0};
    int failed = extract(i, file);
    if (!failed && has(i, "index.json"))
        failed = read_file(i, STR("index.json"), &text) || import_layout(i, buf_str(&text));
    buf_clear(&text);
    if (!failed && !i->imported && has(i, "manifest.json"))
        failed = read_file(i, STR("manifest.json"), &text) || import_docker(i, buf_str(&text));
    buf_done(&text);
    if (!failed && !i->imported)
        failed = err_bad(i->err, "%s: holds no image with a name", file);
    return failed ? -1 : 0;
}

int image_import(const char *data_dir, const char *file, struct err *err)
{
    if (image_dirs(data_dir, err) || libarchive_load(err))
        return -1;
    struct import i = {.data_dir = data_dir, .dir = image_temp_name(data_dir), .err = err};
    int failed = mkdir(i.dir, 0700) ? err_errno(err, "mkdir %s", i.dir) : import_from_dir(&i, file);
    file_remove_tree(i.dir, NULL);
    free(i.dir);
    return failed;
}
