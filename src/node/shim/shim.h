/* shim.h: the small static program that is the parent of a container.
 *
 *     shim run KEY=VALUE…    becomes a daemon, mounts the root, starts the container by crun, keeps
 *                            its log and its terminal, and writes down how it ended
 *     shim crun PROGRAM ARG… runs crun where it sees one kind of cgroups only
 *     shim exec FILE PROGRAM ARG…   the same for a command in a container: when it gets SIGTERM, or
 * its parent dies, the command is killed; FILE is removed at the end shim pin DIR HOST SHARE
 * [NAME=VALUE…] makes the namespaces of a pod and pins them as DIR/net, DIR/uts, DIR/ipc shim pause
 * the first process of a pod whose containers share a pid namespace
 *
 * `run` keys: dir (the container's folder and crun's bundle), crun, root (crun's state), id, log,
 * tty, stdin (0, 1, or 2: closed after its first client), layers (folder) and lower (names in it,
 * joined by ':', top first), cgroup (a cgroup.procs file for the shim itself; repeatable).
 *
 * It prints "ok PID" or one line of error on standard output, which it then closes. It leaves in
 * dir: started   "PID NANOSECONDS" exit      "CODE SIGNAL OOM_KILLS NANOSECONDS", renamed into
 * place when all else is done sock      SOCK_SEQPACKET; a client sees the end of file after `exit`
 * was written The root is mounted in the shim's own mount namespace, so that nothing stays mounted
 * behind it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* First byte of each packet on the socket. */
enum {
    SHIM_STDIN = 0,  /* to the shim: data */
    SHIM_STDOUT = 1, /* from the shim: data; only after SHIM_ATTACH */
    SHIM_STDERR = 2,
    SHIM_ATTACH =
        3, /* to the shim: send me what the container writes; it answers with the same, and the
              first client gets what a container with stdin wrote before (64 KiB at most) */
    SHIM_RESIZE = 4, /* to the shim: "COLUMNS ROWS" in decimal */
    SHIM_EOF = 5,    /* to the shim: no more standard input */
    SHIM_KILL = 6, /* to the shim: a signal number in decimal, for the container's first process */
};

enum { SHIM_PACKET = 32 * 1024 }; /* bytes of a packet at most */

int shim_run(int argc, char **argv);
int shim_crun(int argc, char **argv);
int shim_exec(int argc, char **argv);
int shim_pin(int argc, char **argv);
int shim_hold(int argc, char **argv);

/* A mount namespace of its own where the empty v2 tree of a hybrid layout is out of sight: crun
 * refuses to work with both. */
int shim_private_mounts(void);

/* --- log.c: the CRI log of a container --- */
enum { SHIM_LOG_LINE = 16 * 1024, SHIM_LOG_KEPT = 4 };
#define SHIM_LOG_MAX (10L * 1024 * 1024)

struct shim_log_stream {
    const char *name; /* "stdout" */
    size_t n;
    char line[SHIM_LOG_LINE];
};

struct shim_log {
    const char *path;
    int fd;
    off_t size;
    struct shim_log_stream out, err;
};

int shim_log_open(struct shim_log *l, const char *path);
void shim_log_write(struct shim_log *l, struct shim_log_stream *s, const char *p, size_t n);
void shim_log_flush(struct shim_log *l); /* a last line without its end */
