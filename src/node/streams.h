/* streams.h: the HTTP server of a node (the kubelet's API): logs, exec, attach, port-forward.
 *
 * The API server connects to it at the node's address and daemonEndpoints port. It runs on a loop
 * and threads of its own and asks the agent through `struct streams_agent` below, whose functions
 * may be called on any thread and may block for a moment. */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "base/buf.h"
#include "base/str.h"

struct agent; /* agent's side, opaque */

enum { STREAMS_ID = 65, STREAMS_PATH = 1024 };

struct streams_container {
    char id[STREAMS_ID];             /* empty: never started */
    char log[STREAMS_PATH];          /* its CRI log; rotated ones stand beside it as .1 … .4 */
    char previous_log[STREAMS_PATH]; /* of the run before; empty: none */
    bool running, tty, stdin_open;
    bool ended;    /* ran and will not run again: a follower ends at the end of its log */
    int exit_code; /* when not running */
};

struct streams_pod {
    char uid[64];
    char netns[STREAMS_PATH]; /* bind mount of its network namespace; empty: the host's */
    bool host_network;
};

/* container "" means the pod's default: the annotation kubectl.kubernetes.io/default-container, or
 * its first one. 404 NotFound ("pods \"x\" not found"), 400 BadRequest with upstream's words
 * ("container x is not valid for pod y"). A log that does not exist yet: container "c" in pod "p"
 * is waiting to start: ContainerCreating. uid may be empty. */
int agent_find_pod(struct agent *a, const char *ns, const char *pod, const char *uid,
                   struct streams_pod *ret, struct err *err);
int agent_find_container(struct agent *a, const char *ns, const char *pod, const char *container,
                         struct streams_container *ret, struct err *err);

/* Runs a command in a running container, as the container's user and limits. Without tty the caller
 * gives three pipe ends that the process inherits (-1: /dev/null), still the caller's afterwards;
 * with tty it gets the master side in *ret_tty. The process to wait for is *ret_pid, a child of
 * this process: its exit status is the command's (126, 127 when it could not be started). SIGTERM
 * to it ends the command; so does the end of the thread that called. */
struct agent_exec {
    const char *id;          /* streams_container.id */
    const char *const *argv; /* NULL-terminated */
    bool tty;
    int stdin_fd, stdout_fd, stderr_fd;
};
int agent_exec_start(struct agent *a, const struct agent_exec *x, pid_t *ret_pid, int *ret_tty,
                     struct err *err);

/* The container's own standard streams: a SOCK_SEQPACKET socket whose packets begin with one byte
 * (shim/shim.h: SHIM_STDIN … SHIM_RESIZE). End of file: the container ended. */
int agent_attach_open(struct agent *a, const char *id, int *ret_fd, struct err *err);

/* All pods that this node runs, with their statuses, as the JSON of a v1 PodList (GET /pods). */
void agent_list_pods(struct agent *a, struct buf *b);

/* --- the server itself --- */
struct streams;
struct streams_config {
    const char *data_dir;
    const char *node_name, *node_ip;
    struct agent *agent;
    struct client *client; /* borrowed; not used yet: only certificates of system:masters come in */
};
int streams_start(const struct streams_config *config, struct streams **ret, struct err *err);
int streams_port(const struct streams *s); /* for the node's status.daemonEndpoints */
void streams_stop(struct streams *s);
