/* pod.h: a pod on this node: one thread that brings it from its object to its end.
 *
 * The thread looks at the newest object and at its containers, does what is to be done now, reports
 * the status, and sleeps until something happens: a new object, the end of a container, a probe's
 * news, a time that has come. All fields belong to it, but for those under `lock`. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "client/cache.h"
#include "node/event.h"
#include "node/oci.h"
#include "node/podnet.h"
#include "node/runtime.h"
#include "node/streams.h"

enum container_kind { CONTAINER_INIT, CONTAINER_SIDECAR, CONTAINER_MAIN };

/* One run of a container, from start to exit. */
struct run {
    char id[RUNTIME_ID]; /* empty: there was none */
    int64_t started_ns;
    struct runtime_exit exit; /* when it has ended */
    char reason[32];          /* of a run that never came about ("StartError"); else empty */
    char message[4200];       /* the termination message */
};

struct probe;

struct container {
    struct pod *pod;
    char *name;
    enum container_kind kind;
    size_t index; /* in its list of the spec */
    bool running; /* `now` is */
    struct run now, last;
    int attempt;                    /* of `now`; restartCount */
    int conn;                       /* to the shim; -1 */
    char image[512], image_id[512]; /* resolved name and id, "" before it is known */
    char waiting[48],
        waiting_message[1200];    /* reason why it is not running; "" : ContainerCreating */
    int64_t retry_ms, backoff_ms; /* not started again before (monotonic); last pause */
    int64_t pull_retry_ms, pull_backoff_ms;
    atomic_bool started, ready; /* written by probes */
    atomic_bool kill_unhealthy; /* a liveness or startup probe failed */
    char unhealthy[32];         /* "liveness" or "startup"; before kill_unhealthy is set */
    struct probe *probes[3];    /* startup, liveness, readiness */
};

struct pod_token {
    struct buf token;
    int64_t renew_ms; /* monotonic */
};

struct pod {
    struct agent *agent;
    char *ns, *name, *uid;
    char *dir; /* pods/UID */
    pthread_t thread;
    int wake; /* eventfd */

    pthread_mutex_t lock;
    struct obj *newest; /* for the thread to take; NULL: nothing new */
    bool gone;          /* the object is no longer in the API */

    struct doc doc; /* of `object` */
    val *object, *spec;
    struct container *containers; /* init containers first, in the spec's order */
    size_t count;
    bool prepared; /* volumes, namespaces and network are there */
    bool adopted;  /* containers of it ran when this agent started: all that was there already */
    int64_t prepare_ms; /* a preparation that failed is not tried again before */
    bool initialized;   /* init containers are done, main ones may start */
    bool finished, released;
    const char *phase;             /* "Pending", "Running", "Succeeded", "Failed" */
    char reason[40], message[512]; /* of the pod's status; "" : none */
    struct podnet_addrs addrs;
    int64_t start_ns, refresh_ms;
    struct buf reported; /* JSON of the status that the API has from us */
    atomic_bool cancel;  /* pulls give up */
    struct map tokens;   /* "volume/path" -> struct pod_token */
};

struct agent {
    char *data_dir, *node_name, *node_ip;
    struct runtime runtime;
    struct client *client;
    struct podnet *net;
    struct streams *streams;
    struct events *events;
    struct cache *pods;
    int64_t milli_cpu, memory;
    atomic_bool stopping;
    pthread_mutex_t lock;
    struct map workers; /* uid -> struct pod */
    atomic_int worker_count;
};

/* A thread of its own. Takes its own reference of obj. */
struct pod *pod_start(struct agent *a, struct obj *obj);
void pod_update(struct pod *p, struct obj *obj, bool gone); /* any thread */
void pod_wake(struct pod *p);                               /* any thread */

/* --- between the pod files; on the pod's thread --- */
void pod_event(struct pod *p, const struct container *c, bool warning, const char *reason,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
const val *container_spec(const struct container *c);
val *pod_status(const struct pod *p, struct doc *d); /* pod_status.c: pure */
void pod_report(struct pod *p);
struct str pod_restart_policy(const struct pod *p);
bool container_exited(const struct container *c); /* ran, runs no longer */

int pod_prepare(struct pod *p, struct err *err); /* may be called again after a failure */
void pod_release(struct pod *p);                 /* network, namespaces, volumes */
char *pod_path(const struct pod *p, const char *below);

/* Tries to start it; on failure waiting says why and retry_ms when to try again. */
void container_start(struct container *c);
void container_connect(
    struct container *c); /* to a shim that runs: after a start, or an adoption */
void container_ended(struct container *c);
/* preStop, stop signal, grace_ms, SIGKILL: for all that run, in parallel, main ones before
 * sidecars. */
void pod_stop_containers(struct pod *p, int64_t grace_ms, bool main_only);
void container_stop(struct container *c, int64_t grace_ms, const char *why);
void container_kill_wait(struct container *c, int64_t timeout_ms);
void pod_finish(struct pod *p); /* the deletion: all ends, and the object goes */

/* --- volumes --- */
/* Makes all volumes of the pod below volumes/NAME. */
int volumes_setup(struct pod *p, struct err *err);
/* New contents of configMaps, secrets, tokens and downward files; ms until it should be asked
 * again. */
int64_t volumes_refresh(struct pod *p);
void volumes_teardown(struct pod *p);
/* OCI mounts of the container's volumeMounts into mounts. */
int volumes_mount(struct container *c, const struct env *env, struct doc *d, val *mounts,
                  struct err *err);

/* --- environment --- */
int container_env(struct container *c, const val *image_config, struct env *env, struct err *err);
struct downward;
void pod_downward(const struct pod *p, struct downward *ret);
