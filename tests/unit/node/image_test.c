/* Image references, and layers that want to escape. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "node/agent.h"
#include "node/image.h"
#include "test.h"

TEST(references_are_normalised_as_docker_does)
{
    static const struct {
        const char *text, *full;
    } cases[] = {
        {"nginx", "docker.io/library/nginx:latest"},
        {"nginx:tutti", "docker.io/library/nginx:tutti"},
        {"team/app:1.2", "docker.io/team/app:1.2"},
        {"docker.io/nginx", "docker.io/library/nginx:latest"},
        {"index.docker.io/team/app", "docker.io/team/app:latest"},
        {"localhost/app", "localhost/app:latest"},
        {"127.0.0.1:5000/a/b_c/d-e:v1", "127.0.0.1:5000/a/b_c/d-e:v1"},
        {"registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"},
        {"a@sha256:0123456789012345678901234567890123456789012345678901234567890123",
         "docker.io/library/"
         "a@sha256:0123456789012345678901234567890123456789012345678901234567890123"},
        {"", NULL},
        {"Nginx", NULL},
        {"nginx:", NULL},
        {"nginx::1", NULL},
        {"a//b", NULL},
        {"../etc", NULL},
        {"a/../b", NULL},
        {"-a", NULL},
        {"a..b", NULL},
        {"a@sha256:12", NULL},
        {"nginx:ta g", NULL},
        {"http://x/y", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a = {0};
        struct image_ref ref;
        struct err err = {0};
        struct buf b = {0};
        int failed = image_ref_parse(&a, str_of(cases[i].text), &ref, &err);
        if (!cases[i].full) {
            if (!failed)
                printf("# accepted: %s\n", cases[i].text);
            CHECK(failed);
            CHECK(strstr(err.message, "invalid reference format"));
        } else {
            CHECK_OK(failed, &err);
            image_ref_write(&ref, &b);
            CHECK_STR(buf_str(&b), cases[i].full);
        }
        buf_done(&b);
        arena_done(&a);
    }
}

TEST(only_latest_is_always_pulled)
{
    CHECK_STR(str_of(image_default_policy(STR("nginx"))), "Always");
    CHECK_STR(str_of(image_default_policy(STR("nginx:latest"))), "Always");
    CHECK_STR(str_of(image_default_policy(STR("nginx:1"))), "IfNotPresent");
}

/* --- layers; they change owners, so they need root --- */

struct world_dir {
    char path[64];
    struct archive *tar;
    char blob[80];
};

static void begin(struct world_dir *w)
{
    if (geteuid())
        test_skip("needs root");
    struct err err;
    strcpy(w->path, "/tmp/node-image-XXXXXX");
    CHECK(mkdtemp(w->path));
    CHECK_OK(image_dirs(w->path, &err), &err);
    snprintf(w->blob, sizeof(w->blob), "%s/blob", w->path);
    w->tar = archive_write_new();
    archive_write_set_format_pax(w->tar);
    archive_write_open_filename(w->tar, w->blob);
}

static void add(struct world_dir *w, const char *path, mode_t mode, const char *text)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, path);
    archive_entry_set_mode(e, mode);
    if (S_ISLNK(mode))
        archive_entry_set_symlink(e, text);
    else
        archive_entry_set_size(e, (int64_t)strlen(text));
    archive_write_header(w->tar, e);
    if (S_ISREG(mode))
        archive_write_data(w->tar, text, strlen(text));
    archive_entry_free(e);
}

static void add_link(struct world_dir *w, const char *path, const char *target)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, path);
    archive_entry_set_mode(e, S_IFREG | 0644);
    archive_entry_set_hardlink(e, target);
    archive_write_header(w->tar, e);
    archive_entry_free(e);
}

static int unpack(struct world_dir *w, char layer[256], struct err *err)
{
    char digest[IMAGE_DIGEST];
    archive_write_free(w->tar);
    CHECK_OK(image_digest_file(w->blob, digest, err), err);
    snprintf(layer, 256, "%s/images/layers/%.24s", w->path, digest + 7);
    return image_unpack(w->path, w->blob, str_of(digest), err);
}

static void end(struct world_dir *w)
{
    file_remove_tree(w->path, NULL);
}

static bool exists(const char *layer, const char *path)
{
    char full[512];
    struct stat st;
    snprintf(full, sizeof(full), "%s/%s", layer, path);
    return lstat(full, &st) == 0;
}

TEST(whiteouts_become_those_of_overlayfs)
{
    struct world_dir w;
    struct err err;
    struct stat st;
    char layer[256], path[512], value[8] = "";
    begin(&w);
    add(&w, "etc/.wh.passwd", S_IFREG | 0644, "");
    add(&w, "var/.wh..wh..opq", S_IFREG | 0644, "");
    add(&w, "var/new", S_IFREG | 04755, "x");
    CHECK_OK(unpack(&w, layer, &err), &err);
    snprintf(path, sizeof(path), "%s/etc/passwd", layer);
    CHECK(lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0);
    snprintf(path, sizeof(path), "%s/var", layer);
    CHECK(getxattr(path, "trusted.overlay.opaque", value, sizeof(value)) == 1 && *value == 'y');
    snprintf(path, sizeof(path), "%s/var/new", layer);
    CHECK(lstat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 04755);
    end(&w);
}

TEST(a_link_that_leads_out_is_followed_inside)
{
    struct world_dir w;
    struct err err;
    char layer[256];
    begin(&w);
    add(&w, "out", S_IFLNK | 0777, "../../../../../../../../tmp");
    add(&w, "abs", S_IFLNK | 0777, "/deep/er");
    add(&w, "deep/er", S_IFDIR | 0755, "");
    add(&w, "abs/file", S_IFREG | 0644, "x");
    CHECK_OK(unpack(&w, layer, &err), &err);
    CHECK(exists(layer, "deep/er/file"));
    end(&w);
}

TEST(paths_with_dots_are_refused)
{
    struct world_dir w;
    struct err err;
    char layer[256];
    begin(&w);
    add(&w, "a/../../../evil", S_IFREG | 0644, "x");
    CHECK(unpack(&w, layer, &err) != 0);
    CHECK(strstr(err.message, "is not allowed"));
    CHECK(access(layer, F_OK) != 0);
    end(&w);
}

TEST(hard_links_stay_inside)
{
    struct world_dir w;
    struct err err;
    char layer[256];
    begin(&w);
    add(&w, "a", S_IFREG | 0644, "x");
    add_link(&w, "b", "a");
    add_link(&w, "evil", "/etc/hostname");
    CHECK(unpack(&w, layer, &err) != 0);
    end(&w);
    begin(&w);
    add(&w, "a", S_IFREG | 0644, "x");
    add_link(&w, "b", "./a");
    CHECK_OK(unpack(&w, layer, &err), &err);
    CHECK(exists(layer, "b"));
    end(&w);
}

TEST(a_file_replaces_a_folder_and_the_other_way)
{
    struct world_dir w;
    struct err err;
    char layer[256];
    begin(&w);
    add(&w, "x/y", S_IFREG | 0644, "x");
    add(&w, "x", S_IFREG | 0644, "now a file");
    add(&w, "x/z", S_IFREG | 0644, "x");
    CHECK(unpack(&w, layer, &err) != 0);
    end(&w);
}

TEST(a_wrong_digest_leaves_nothing)
{
    struct world_dir w;
    struct err err;
    begin(&w);
    add(&w, "a", S_IFREG | 0644, "x");
    archive_write_free(w.tar);
    const char *wrong = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    CHECK(image_unpack(w.path, w.blob, str_of(wrong), &err) != 0);
    CHECK(strstr(err.message, "its digest is"));
    CHECK(!image_has_layer(w.path, str_of(wrong)));
    end(&w);
}

TEST(garbage_is_no_image)
{
    struct world_dir w;
    struct err err;
    begin(&w);
    archive_write_free(w.tar);
    CHECK_OK(file_write(w.blob, STR("this is no archive"), 0600, &err), &err);
    CHECK(image_import(w.path, w.blob, &err) != 0);
    CHECK(image_import(w.path, "/nonexistent", &err) != 0);
    end(&w);
}

static void read_blob(const char *path, struct buf *b)
{
    struct err err;
    CHECK_OK(file_read(path, 1 << 20, b, &err), &err);
}

static void add_bytes(struct archive *tar, const char *path, struct str bytes)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, path);
    archive_entry_set_mode(e, S_IFREG | 0644);
    archive_entry_set_size(e, (int64_t)bytes.n);
    archive_write_header(tar, e);
    archive_write_data(tar, bytes.p, bytes.n);
    archive_entry_free(e);
}

/* What `docker save` writes: manifest.json names the config, the layers and the tags. */
TEST(docker_archives_are_imported)
{
    struct world_dir w;
    struct err err;
    struct buf layer = {0}, config = {0};
    char digest[IMAGE_DIGEST], file[128];
    struct arena a = {0};
    struct image_ref ref;
    struct image image = {0};
    begin(&w);
    add(&w, "hello", S_IFREG | 0755, "hi");
    archive_write_free(w.tar);
    read_blob(w.blob, &layer);
    image_digest(buf_str(&layer), digest);
    buf_printf(&config,
               "{\"config\":{\"Cmd\":[\"/"
               "hello\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
               digest);
    snprintf(file, sizeof(file), "%s/docker.tar", w.path);
    struct archive *tar = archive_write_new();
    archive_write_set_format_ustar(tar);
    archive_write_open_filename(tar, file);
    add_bytes(tar, "abc/layer.tar", buf_str(&layer));
    add_bytes(tar, "abc.json", buf_str(&config));
    add_bytes(tar, "manifest.json",
              STR("[{\"Config\":\"abc.json\",\"RepoTags\":[\"team/hello:1\"],\"Layers\":[\"abc/"
                  "layer.tar\"]}]"));
    archive_write_free(tar);
    CHECK_OK(image_import(w.path, file, &err), &err);
    CHECK_OK(image_ref_parse(&a, STR("team/hello:1"), &ref, &err), &err);
    CHECK_OK(image_open(w.path, &ref, &image, &err), &err);
    CHECK_STR(str_of(image.name), "docker.io/team/hello:1");
    CHECK_STR(val_str(val_at(val_get(image.config, "Cmd"), 0)), "/hello");
    CHECK_INT(strlen(image.layers), IMAGE_LAYER_NAME - 1);
    image_done(&image);
    buf_done(&layer);
    buf_done(&config);
    arena_done(&a);
    end(&w);
}
