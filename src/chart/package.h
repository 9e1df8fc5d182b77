/* package.h: charts written down: packed files, folders, Chart.yaml. */
#pragma once

#include "chart/chart.h"

/* sigs.k8s.io/yaml of Chart.yaml's and Chart.lock's structs; in the arena. */
struct str chart_meta_yaml(struct chart_ctx *cx, const struct chart_meta *m);
struct str chart_lock_yaml(struct chart_ctx *cx, const struct chart_lock *l);

/* Writes NAME-VERSION.tgz into a folder, which is made when it is missing; the file's path goes to
 * *ret_path. */
int chart_save(struct chart_ctx *cx, const struct chart *c, const char *dir, const char **ret_path);

/* The "sha256:…" of what Chart.yaml asks for and what the lock fixes. */
struct str chart_lock_digest(struct chart_ctx *cx, struct chart_dependency *const *wanted,
                             size_t wanted_n, struct chart_dependency *const *locked,
                             size_t locked_n);
/* The SHA-256 of bytes as 64 hexadecimal digits; in the arena. */
struct str chart_digest(struct chart_ctx *cx, struct str bytes);
