/* image.h: the images of a node.
 *
 *     images/blobs/sha256/HEX   manifests and configs
 *     images/layers/HEX24/      an unpacked layer, named by its diff id; whiteouts as overlayfs has
 * them images/refs/NAME          {"name", "id", "config", "layers", "size"}; '/' is written as '+'
 *
 * Everything is put into place by rename, so that any number of processes and threads may import,
 * pull and read at once. Nothing from an archive or a registry is believed: digests are checked,
 * sizes limited, and paths cannot leave the layer's folder. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "doc/val.h"

enum {
    IMAGE_MAX_LAYERS = 127, /* as docker's overlay driver; the mount's one page holds as many */
    IMAGE_MAX_META = 4 * 1024 * 1024,
    IMAGE_LAYER_NAME = 25,
    IMAGE_DIGEST = 72, /* "sha256:" and 64 digits, NUL */
};
#define IMAGE_MAX_SIZE (64LL * 1024 * 1024 * 1024) /* of one unpacked layer */

/* --- references: distribution's reference.ParseDockerRef --- */
struct image_ref {
    struct str registry;   /* "docker.io", "127.0.0.1:5000" */
    struct str repository; /* "library/nginx" */
    struct str tag;        /* "latest" when neither tag nor digest was given */
    struct str digest;     /* "sha256:…" or empty */
};
/* 400 InvalidImageName "couldn't parse image name …: invalid reference format". */
int image_ref_parse(struct arena *a, struct str text, struct image_ref *ret, struct err *err);
/* "docker.io/library/nginx:latest"; with a digest the tag is left out. */
void image_ref_write(const struct image_ref *r, struct buf *b);
/* Upstream's default for imagePullPolicy: Always for :latest, otherwise IfNotPresent. */
const char *image_default_policy(struct str text);

/* --- the store --- */
struct image {
    char *name;   /* full reference */
    char *id;     /* "docker.io/library/nginx@sha256:…", or "sha256:…" of its config */
    char *layers; /* folder names joined by ':', top first: overlayfs' lowerdir */
    int64_t size; /* of its blobs */
    struct doc doc;
    const val *config; /* the image config's "config" object: Env, Entrypoint, Cmd, User, … */
};
void image_done(struct image *i);
/* 404 NotFound when there is no such image. */
int image_open(const char *data_dir, const struct image_ref *ref, struct image *ret,
               struct err *err);
/* Calls visit for each stored image: name, id, size. */
void image_each(const char *data_dir,
                void (*visit)(void *arg, struct str name, struct str id, int64_t size), void *arg);

/* --- pulling --- */
struct image_auth { /* empty: anonymous */
    struct str username, password;
};
struct image_pull {
    const char *data_dir;
    const struct image_ref *ref;
    struct image_auth auth;
    atomic_bool *cancel; /* set by another thread: give up; may be NULL */
};
/* From a v2 registry over HTTPS; plain HTTP for 127.0.0.1, ::1 and localhost. */
int image_pull(const struct image_pull *p, struct err *err);
/* The entry of a docker config ("auths" object) for the registry: upstream's credential keyring.
 * false: none. */
bool image_auth_find(struct arena *a, const val *auths, const struct image_ref *ref,
                     struct image_auth *ret);

/* --- between this room's image files --- */
void image_path(struct buf *b, const char *data_dir, const char *below);
int image_dirs(const char *data_dir, struct err *err);
/* A new empty folder or file name in images/ for work in progress. */
char *image_temp_name(const char *data_dir);
bool image_digest_ok(struct str digest);
/* sha256 of bytes as "sha256:…". */
void image_digest(struct str bytes, char ret[IMAGE_DIGEST]);
int image_digest_file(const char *path, char ret[IMAGE_DIGEST], struct err *err);
/* Unpacks a layer blob (tar; gzip, zstd, xz or not) unless it is there. diff_id is what the tar
 * must hash to. */
int image_unpack(const char *data_dir, const char *blob, struct str diff_id, struct err *err);
bool image_has_layer(const char *data_dir, struct str diff_id);
/* Which manifest of an index this machine runs: its "manifests" element or NULL. */
const val *image_choose(const val *index);
/* Stores config, manifest (may be empty) and the reference; layers must be unpacked. */
struct image_commit {
    const struct image_ref *ref;
    struct str config, manifest;
    int64_t size;
};
int image_commit(const char *data_dir, const struct image_commit *c, struct err *err);
/* diff_ids of a config's text into d: an array of well-formed digests, one a layer. */
int image_diff_ids(struct doc *d, struct str config, val **ret, struct err *err);
