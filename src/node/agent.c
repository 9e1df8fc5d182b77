/* The agent's main thread: starting, heartbeats, and handing pods to their threads. */
#include "node/agent.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "node/image.h"
#include "node/node_object.h"

enum {
    LEASE_MS = 10000,
    STATUS_MS = 300000,
    UNREADY_MS = 5000, /* an agent that starts has so long to bring the network up */
    RETRY_MS = 500,
    NOT_READY_MS = 200,
    SYNC_MS = 60000,
    STOP_MS = 3000,
};

static const struct resource pods = {"", "v1", "pods", true};

/* --- pods --- */

static void changed(void *arg, enum cache_change change, struct obj *old, struct obj *now)
{
    struct agent *a = arg;
    struct obj *o = now ? now : old;
    bool replaced = old && now && !str_eq(obj_uid(old), obj_uid(now));
    pthread_mutex_lock(&a->lock);
    struct pod *p = map_get(&a->workers, obj_uid(replaced ? old : o));
    if (p && (replaced || change == CACHE_DELETED))
        pod_update(p, replaced ? NULL : o, true);
    else if (p)
        pod_update(p, o, false);
    if (now && (!p || replaced) && !a->stopping) {
        struct pod *fresh = pod_start(a, now);
        if (fresh)
            map_set(&a->workers, obj_uid(now), fresh);
    }
    pthread_mutex_unlock(&a->lock);
}

/* Containers whose pod is no longer in the API ended while no agent was looking. */
struct orphans {
    struct agent *a;
    char (*ids)[RUNTIME_ID];
    char (*uids)[64];
    size_t count;
};

static void find_orphan(void *arg, const char *id, const val *meta)
{
    struct orphans *o = arg;
    struct str uid = VAL_STR(meta, "podUID");
    pthread_mutex_lock(&o->a->lock);
    bool known = map_get(&o->a->workers, uid);
    pthread_mutex_unlock(&o->a->lock);
    if (known || uid.n >= sizeof(o->uids[0]))
        return;
    o->ids = mem_realloc_array(o->ids, o->count + 1, sizeof(o->ids[0]));
    o->uids = mem_realloc_array(o->uids, o->count + 1, sizeof(o->uids[0]));
    snprintf(o->ids[o->count], RUNTIME_ID, "%s", id);
    snprintf(o->uids[o->count++], sizeof(o->uids[0]), "%.*s", STR_ARG(uid));
}

/* Folders of pods that went while they had no container yet. */
static void remove_folders(struct agent *a)
{
    struct buf path = {0};
    buf_printf(&path, "%s/pods", a->data_dir);
    DIR *dir = opendir(path.p);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        pthread_mutex_lock(&a->lock);
        bool known = map_get(&a->workers, str_of(e->d_name));
        pthread_mutex_unlock(&a->lock);
        if (known)
            continue;
        runtime_unmount_pod(&a->runtime, e->d_name);
        podnet_detach(a->net, e->d_name);
    }
    if (dir)
        closedir(dir);
    buf_done(&path);
}

static void remove_orphans(struct agent *a)
{
    struct orphans o = {.a = a};
    runtime_each(&a->runtime, find_orphan, &o);
    for (size_t i = 0; i < o.count; i++) {
        struct runtime_exit e;
        int fd = runtime_connect(&a->runtime, o.ids[i]);
        char byte;
        runtime_kill(&a->runtime, o.ids[i], SIGKILL);
        if (fd >= 0) {
            while (recv(fd, &byte, 1, 0) > 0)
                ;
            close(fd);
            runtime_exit(&a->runtime, o.ids[i], &e);
        }
        runtime_remove(&a->runtime, o.ids[i]);
        log_info("node", "container without a pod removed", "id", o.ids[i]);
        runtime_unmount_pod(&a->runtime, o.uids[i]);
        podnet_detach(a->net, o.uids[i]);
    }
    free(o.ids);
    free(o.uids);
}

/* --- starting --- */

static char *kubeconfig_path(const struct agent_config *config)
{
    static const char *const names[] = {"agent.kubeconfig", "admin.kubeconfig"};
    if (config->kubeconfig)
        return mem_strdup(config->kubeconfig);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf b = {0};
        buf_printf(&b, "%s/%s", config->data_dir, names[i]);
        if (access(b.p, R_OK) == 0 || i + 1 == ARRAY_LEN(names))
            return buf_take(&b);
        buf_done(&b);
    }
    return NULL;
}

static int start_cache(struct agent *a, struct err *err)
{
    struct buf selector = {0};
    buf_printf(&selector, "spec.nodeName=%s", a->node_name);
    struct cache_config config = {
        .resource = &pods, .field_selector = selector.p, .handler = changed, .arg = a};
    int failed = cache_new(a->client, &config, &a->pods, err);
    buf_done(&selector);
    if (!failed)
        cache_start(a->pods);
    return failed;
}

static int open_agent(struct agent *a, const struct agent_config *config, struct err *err)
{
    CLEANUP(mem_freep) char *kubeconfig = kubeconfig_path(config);
    if (geteuid())
        return err_internal(err, "the agent needs root");
    if (runtime_open(config->data_dir, &a->runtime, err))
        return -1;
    a->data_dir = mem_strdup(a->runtime.data_dir);
    a->node_name = mem_strdup(config->node_name);
    a->node_ip = config->node_ip ? mem_strdup(config->node_ip) : node_find_ip();
    node_measure(a);
    if (image_dirs(a->data_dir, err) || client_from_kubeconfig(kubeconfig, &a->client, err))
        return -1;
    struct podnet_config net = {.data_dir = a->data_dir,
                                .node_name = a->node_name,
                                .node_ip = a->node_ip,
                                .tag = a->runtime.tag,
                                .client = a->client};
    struct streams_config streams = {.data_dir = a->data_dir,
                                     .node_name = a->node_name,
                                     .node_ip = a->node_ip,
                                     .agent = a,
                                     .client = a->client};
    return events_new(a->client, a->node_name, &a->events, err) ||
                   podnet_start(&net, &a->net, err) || streams_start(&streams, &a->streams, err) ||
                   start_cache(a, err)
               ? -1
               : 0;
}

static void close_agent(struct agent *a)
{
    a->stopping = true;
    if (a->pods)
        cache_free(a->pods);
    pthread_mutex_lock(&a->lock);
    for (struct map_entry *e = NULL; (e = map_next(&a->workers, e));) {
        struct pod *p = e->value;
        p->cancel = true;
        pod_wake(p);
    }
    pthread_mutex_unlock(&a->lock);
    for (int64_t until = mono_ms(world_real()) + STOP_MS;
         a->worker_count > 0 && mono_ms(world_real()) < until;)
        nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
    if (a->worker_count > 0)
        _exit(0); /* threads that wait for a hook or a pull still use what follows */
    if (a->streams)
        streams_stop(a->streams);
    if (a->net)
        podnet_stop(a->net);
    events_free(a->events);
    if (a->client)
        client_free(a->client);
    map_done(&a->workers);
    runtime_close(&a->runtime);
    free(a->data_dir);
    free(a->node_name);
    free(a->node_ip);
}

/* --- heartbeats --- */

struct beat {
    int64_t lease_ms, status_ms; /* when next */
    bool registered, ready, cleaned, complained;
};

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ms until the next one. */
static int64_t beat(struct agent *a, struct beat *b)
{
    struct err err = {0};
    int64_t now = mono_ms(world_real());
    bool ready = !podnet_not_ready(a->net);
    if (!b->registered) {
        if (node_register(a, &err)) {
            if (!b->complained)
                log_warn("node", "not registered yet", "error", err.message);
            b->complained = true;
            return RETRY_MS;
        }
        b->registered = true;
        b->ready = ready;
        b->status_ms = now + (ready ? STATUS_MS : UNREADY_MS);
        log_info("node", "registered", "node", a->node_name);
    }
    if (now >= b->lease_ms)
        b->lease_ms = now + (node_renew_lease(a, &err) ? RETRY_MS : LEASE_MS);
    if (now >= b->status_ms || ready != b->ready) {
        if (node_report(a, &err) == 0) {
            if (ready && !b->ready) {
                const struct event_ref me = {"Node", "", a->node_name, a->node_name, ""};
                event_add(a->events, &me, false, "NodeReady", "Node %s status is now: NodeReady",
                          a->node_name);
            }
            b->ready = ready;
            b->status_ms = now + STATUS_MS;
        } else {
            b->registered = err.code != 404 && b->registered;
            b->status_ms = now + RETRY_MS;
        }
    }
    if (!b->cleaned && cache_synced(a->pods)) {
        b->cleaned = true;
        remove_orphans(a);
        remove_folders(a);
    }
    int64_t wait = sooner(b->lease_ms, b->status_ms) - mono_ms(world_real());
    if (!b->ready || !b->cleaned)
        wait = sooner(wait, NOT_READY_MS);
    return wait < 1 ? 1 : wait;
}

int agent_run(const struct agent_config *config, struct err *err)
{
    struct agent *a = NEW(struct agent);
    struct beat b = {0};
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&a->lock, NULL);
    int failed = open_agent(a, config, err);
    while (!failed) {
        int64_t ms = beat(a, &b);
        struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
        if (sigtimedwait(&stop, NULL, &wait) > 0)
            break;
    }
    close_agent(a);
    free(a);
    return failed;
}
