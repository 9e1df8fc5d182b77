/* container.h: between the files about one container. All on the pod's thread. */
#pragma once

#include "node/image.h"
#include "node/pod.h"

/* Not running now: why, in the status, and when to try again. */
void container_wait(struct container *c, const char *reason, int64_t retry_ms, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/* The image as the pull policy wants it, with events; on failure waiting says why. */
int container_pull(struct container *c, struct image *ret);

/* A postStart or preStop handler: 0 when it succeeded. */
int hook_run(struct container *c, const val *handler, int64_t timeout_ms, struct buf *message);

char *container_log_path(const struct container *c, int attempt);
/* The last lines of a CRI log, without heads. */
void container_log_tail(const char *path, size_t lines, size_t bytes, struct buf *b);
