/* runtime.h: containers of this node, by crun and the shim.
 *
 * A container is a folder, containers/ID: config.json, meta.json (whose it is), upper and work (its
 * writable layer), started and exit (shim/shim.h). It exists until runtime_remove, running or not,
 * so that an agent that starts finds all of them. Any thread; calls on one id from one thread at a
 * time. */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "doc/val.h"
#include "node/agent.h"

enum { RUNTIME_ID = 65 };

struct runtime {
    char *data_dir; /* absolute */
    char tag[AGENT_TAG];
    char *crun, *shim, *root;
    bool cgroup_v2;
    uint64_t capabilities; /* bits that a container can have here */
    bool lower_oom_score;  /* oom_score_adj below 0 is permitted */
};

/* Writes the shim, finds crun, and forgets containers of an earlier boot (they get an exit file).
 */
int runtime_open(const char *data_dir, struct runtime *ret, struct err *err);
void runtime_close(struct runtime *r);

void runtime_new_id(char ret[RUNTIME_ID]);
/* containers/ID, or a file in it when name is not NULL; the caller frees. */
char *runtime_path(const struct runtime *r, const char *id, const char *name);

struct runtime_start {
    const char *id;
    const char *layers; /* struct image's */
    const val *config;  /* OCI config.json */
    const val *meta;    /* kept as meta.json */
    const char *log;    /* file; its folder exists */
    bool tty;
    int stdin_mode; /* 0 none, 1 open, 2 once */
};
/* The container runs when it returns 0. On an error there is nothing left but the folder. */
int runtime_start(const struct runtime *r, const struct runtime_start *s, struct err *err);

/* A connection to its shim; -1: it is not running. End of file on it means that it has ended. */
int runtime_connect(const struct runtime *r, const char *id);
int runtime_kill(const struct runtime *r, const char *id, int signal);
/* The host's pid of its first process; 0: never started. */
pid_t runtime_pid(const struct runtime *r, const char *id, int64_t *ret_started_ns);

struct runtime_exit {
    int code, signal;
    bool oom_killed;
    bool unknown; /* its shim was killed: nobody saw how it ended */
    int64_t ended_ns;
};
/* After the end of file: how it ended. Cleans up behind a shim that was killed. */
void runtime_exit(const struct runtime *r, const char *id, struct runtime_exit *ret);
void runtime_remove(const struct runtime *r, const char *id);

/* Calls visit with the id and meta of each container there is. */
void runtime_each(const struct runtime *r,
                  void (*visit)(void *arg, const char *id, const val *meta), void *arg);

/* The container's own process (user, environment, capabilities, folder) with other words, for an
 * exec.
 */
int runtime_process(const struct runtime *r, const char *id, const val *args, bool tty,
                    struct doc *d, val **ret, struct err *err);

/* A command in a running container. process: OCI process object. fds: standard streams for it;
 * ignored with tty, whose master side comes back. The pid is a child of this process; it ends with
 * the command's exit code. */
struct runtime_exec {
    const char *id;
    const val *process;
    bool tty;
    int fds[3];
};
int runtime_exec(const struct runtime *r, const struct runtime_exec *x, pid_t *ret_pid,
                 int *ret_tty, struct err *err);
/* The same to the end, at most timeout_ms (then it is killed): its output, cut at max bytes.
 * ret_code is the exit code, -1 after a timeout. */
int runtime_exec_wait(const struct runtime *r, const char *id, const val *process,
                      int64_t timeout_ms, size_t max, struct buf *ret_output, int *ret_code,
                      struct err *err);

/* Runs a program to its end with its output collected (NULL: thrown away): the exit code, or -1. */
int runtime_program(const char *const *argv, struct buf *output);

/* Unmounts everything below pods/UID and removes the folder: for pods that are gone. */
void runtime_unmount_pod(const struct runtime *r, const char *uid);

/* Kills the process that `shim hold` left, when the pid is still its. */
void runtime_end_holder(pid_t pid);

/* A small write: readers see the old or the new file; no promise after a power failure.
 */
int runtime_write_file(const char *path, struct str text, mode_t mode, struct err *err);

/* --- users --- */
/* A file of an image, found through its layers from the top; limited to 1 MiB. -1: not there. */
int runtime_image_file(const struct runtime *r, const char *layers, const char *path,
                       struct buf *b);
