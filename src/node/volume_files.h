/* volume_files.h: files that come from the API: configMaps, secrets, downward API, tokens.
 *
 * They are replaced all at once, as k8s.io/kubernetes/pkg/volume/util/atomic_writer does: the files
 * are in a folder of their own, ..data is a symbolic link to it that is renamed into place, and
 * each visible name is a link through ..data. */
#pragma once

#include <sys/types.h>

#include "node/pod.h"

enum { PAYLOAD_MAX_FILES = 10000 };

struct payload_file {
    char *path; /* relative, clean: no "..", no empty part */
    struct buf data;
    mode_t mode;
};
struct payload {
    struct payload_file *files;
    size_t count, cap;
};
void payload_done(struct payload *p);
/* Takes the content of data. 400 for paths that lead out or begin with "..". */
int payload_add(struct payload *p, struct str path, struct buf *data, mode_t mode, struct err *err);
/* Makes dir hold just the payload; does nothing when it does already. gid -1: unchanged. */
int payload_write(const struct payload *p, const char *dir, int64_t gid, struct err *err);

/* What a configMap, secret, downwardAPI or projected volume consists of now. ret_refresh_ms: when a
 * token in it wants to be renewed; untouched without one. */
int volume_payload(struct pod *p, const val *volume, struct payload *ret, int64_t *ret_refresh_ms,
                   struct err *err);
bool volume_is_files(const val *volume);
