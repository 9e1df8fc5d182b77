/* supervise.h: child processes that are kept alive.
 *
 * Each role is started as `tutti ROLE …` of this very binary. A role that ends is started again
 * after a pause that grows from 100 ms to 2 s and shrinks back after a second of life. Children end
 * when this process does, however it ends. Their standard error is collected into one log file,
 * which is turned over at 32 MiB (one old one is kept). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct supervisor;

/* log_path is appended to. */
int supervisor_new(const char *log_path, struct supervisor **ret, struct err *err);
void supervisor_free(struct supervisor *s); /* the children must be gone */

/* argv: the words behind the program name, NULL-terminated; they must outlive s. */
int supervisor_start(struct supervisor *s, const char *const *argv, struct err *err);

/* Serves children and log for at most timeout_ms; returns the number of a caught SIGTERM or SIGINT,
 * else 0. */
int supervisor_turn(struct supervisor *s, int timeout_ms);

/* How often the role started (1: never restarted). */
int supervisor_starts(const struct supervisor *s, const char *role);

/* SIGTERM to all, last started first, each given grace_ms to end before SIGKILL. */
void supervisor_stop(struct supervisor *s, int grace_ms);
