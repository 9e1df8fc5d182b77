/* The status of a pod, from what its containers do: the kubelet's generateAPIPodStatus. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "doc/time.h"
#include "node/pod.h"

static void set_time(struct doc *d, val *o, const char *key, int64_t ns)
{
    char text[TIME_TEXT];
    time_write(ns, text);
    val_set_z(d, o, key, text);
}

static bool ended(const struct container *c)
{
    return !c->running && (c->now.id[0] || c->now.reason[0]);
}

bool container_exited(const struct container *c)
{
    return ended(c);
}

static void set_terminated(struct doc *d, val *state, const struct run *r)
{
    val *t = val_set(d, state, "terminated", val_new_obj(d));
    val_set_int(d, t, "exitCode", r->exit.code);
    if (r->exit.signal && !r->reason[0] && r->exit.unknown)
        val_set_int(d, t, "signal", r->exit.signal);
    val_set_z(d, t, "reason",
              r->reason[0]         ? r->reason
              : r->exit.unknown    ? "ContainerStatusUnknown"
              : r->exit.oom_killed ? "OOMKilled"
              : r->exit.code       ? "Error"
                                   : "Completed");
    if (r->message[0])
        val_set_z(d, t, "message", r->message);
    set_time(d, t, "startedAt", r->started_ns ? r->started_ns : r->exit.ended_ns);
    set_time(d, t, "finishedAt", r->exit.ended_ns);
    if (r->id[0])
        val_set(d, t, "containerID", val_new_strf(d, "crun://%s", r->id));
}

/* A container that ended and will be tried again shows why it waits; otherwise how it ended. */
static void set_state(struct doc *d, val *status, const struct pod *p, const struct container *c)
{
    val *state = val_set(d, status, "state", val_new_obj(d));
    if (c->running) {
        set_time(d, val_set(d, state, "running", val_new_obj(d)), "startedAt", c->now.started_ns);
        return;
    }
    if (ended(c) && !c->waiting[0]) {
        set_terminated(d, state, &c->now);
        return;
    }
    val *waiting = val_set(d, state, "waiting", val_new_obj(d));
    bool init_first =
        c->kind == CONTAINER_MAIN && !p->initialized && val_len(val_get(p->spec, "initContainers"));
    bool later_init = c->kind != CONTAINER_MAIN && c->index > 0 && !c->waiting[0];
    val_set_z(d, waiting, "reason",
              c->waiting[0]              ? c->waiting
              : init_first || later_init ? "PodInitializing"
                                         : "ContainerCreating");
    if (c->waiting_message[0])
        val_set_z(d, waiting, "message", c->waiting_message);
}

static val *container_status(struct doc *d, const struct pod *p, const struct container *c)
{
    val *s = val_new_obj(d);
    const struct run *shown = &c->now;
    val_set_z(d, s, "name", c->name);
    set_state(d, s, p, c);
    val *last = val_set(d, s, "lastState", val_new_obj(d));
    if (!c->running && ended(c) && c->waiting[0])
        set_terminated(d, last, &c->now);
    else if (c->last.id[0] || c->last.reason[0])
        set_terminated(d, last, &c->last);
    bool init_done = c->kind == CONTAINER_INIT && ended(c) && c->now.exit.code == 0;
    val_set_bool(d, s, "ready", init_done || (c->running && c->ready));
    val_set_int(d, s, "restartCount", c->attempt);
    val_set_s(d, s, "image", c->image[0] ? str_of(c->image) : VAL_STR(container_spec(c), "image"));
    val_set_z(d, s, "imageID", c->image_id);
    if (shown->id[0])
        val_set(d, s, "containerID", val_new_strf(d, "crun://%s", shown->id));
    val_set_bool(d, s, "started", c->running && (c->kind == CONTAINER_INIT ? false : c->started));
    return s;
}

const val *container_spec(const struct container *c)
{
    const char *list = c->kind == CONTAINER_MAIN ? "containers" : "initContainers";
    return val_at(val_get(c->pod->spec, list), c->index);
}

/* --- conditions --- */

static const val *old_condition(const struct pod *p, const char *type)
{
    VAL_FOR (VAL_PATH(p->object, "status", "conditions"), c)
        if (str_is(VAL_STR(c, "type"), type))
            return c;
    return NULL;
}

static void add_condition(struct doc *d, val *list, const struct pod *p, const char *type, bool met,
                          const char *reason, const char *message)
{
    const val *old = old_condition(p, type);
    val *c = val_new_obj(d);
    const char *status = met ? "True" : "False";
    val_set_z(d, c, "type", type);
    val_set_z(d, c, "status", status);
    val_set_int(d, c, "observedGeneration", VAL_INT(p->object, "metadata", "generation"));
    val_set(d, c, "lastProbeTime", val_new_null(d));
    if (old && str_is(VAL_STR(old, "status"), status) && VAL_STR(old, "lastTransitionTime").n)
        val_set_s(d, c, "lastTransitionTime", VAL_STR(old, "lastTransitionTime"));
    else
        set_time(d, c, "lastTransitionTime", wall_ns(world_real()));
    if (reason)
        val_set_z(d, c, "reason", reason);
    if (message)
        val_set_z(d, c, "message", message);
    val_push(list, c);
}

static bool gates_open(const struct pod *p)
{
    VAL_FOR (val_get(p->spec, "readinessGates"), gate) {
        char type[320];
        snprintf(type, sizeof(type), "%.*s", STR_ARG(VAL_STR(gate, "conditionType")));
        if (!str_is(VAL_STR(old_condition(p, type), "status"), "True"))
            return false;
    }
    return true;
}

static bool init_done(const struct container *c)
{
    return c->kind == CONTAINER_INIT ? ended(c) && c->now.exit.code == 0 : c->running && c->started;
}

/* "containers with unready status: [a b]" */
static bool list_names(const struct pod *p, bool init, struct buf *b)
{
    bool all = true;
    buf_puts(b,
             init ? "containers with incomplete status: [" : "containers with unready status: [");
    for (size_t i = 0; i < p->count; i++) {
        const struct container *c = &p->containers[i];
        bool good = init ? c->kind == CONTAINER_MAIN || init_done(c)
                         : c->kind == CONTAINER_INIT || (c->running && c->ready);
        if (good)
            continue;
        buf_printf(b, "%s%s", all ? "" : " ", c->name);
        all = false;
    }
    buf_putc(b, ']');
    return all;
}

static void add_conditions(struct doc *d, val *status, const struct pod *p)
{
    val *list = val_set(d, status, "conditions", val_new_arr(d));
    struct buf init = {0}, unready = {0};
    bool initialized = list_names(p, true, &init) || p->initialized;
    bool ready = list_names(p, false, &unready) && p->count;
    bool succeeded = strcmp(p->phase, "Succeeded") == 0, failed = strcmp(p->phase, "Failed") == 0;
    const char *why = succeeded ? "PodCompleted" : failed ? "PodFailed" : "ContainersNotReady";
    const char *names = succeeded || failed ? NULL : unready.p;
    ready = ready && !succeeded && !failed && strcmp(p->phase, "Running") == 0;
    add_condition(d, list, p, "PodReadyToStartContainers",
                  (p->prepared || p->adopted) && !p->released && !succeeded && !failed, NULL, NULL);
    add_condition(d, list, p, "Initialized", initialized || succeeded,
                  initialized || succeeded ? (succeeded ? "PodCompleted" : NULL)
                                           : "ContainersNotInitialized",
                  initialized || succeeded ? NULL : init.p);
    bool open = gates_open(p);
    add_condition(d, list, p, "Ready", ready && open,
                  ready && open ? NULL
                  : ready       ? "ReadinessGatesNotReady"
                                : why,
                  ready && open ? NULL
                  : ready       ? "corresponding condition of pod readiness gate is not True"
                                : names);
    add_condition(d, list, p, "ContainersReady", ready, ready ? NULL : why, ready ? NULL : names);
    add_condition(d, list, p, "PodScheduled", true, NULL, NULL);
    buf_done(&init);
    buf_done(&unready);
}

static void add_addresses(struct doc *d, val *status, const struct pod *p)
{
    val *host = val_new_obj(d), *hosts = val_set(d, status, "hostIPs", val_new_arr(d));
    val_set_z(d, status, "hostIP", p->agent->node_ip);
    val_set_z(d, host, "ip", p->agent->node_ip);
    val_push(hosts, host);
    if (!p->addrs.count)
        return;
    val_set_z(d, status, "podIP", p->addrs.ip[0]);
    val *ips = val_set(d, status, "podIPs", val_new_arr(d));
    for (size_t i = 0; i < p->addrs.count; i++) {
        val *ip = val_new_obj(d);
        val_set_z(d, ip, "ip", p->addrs.ip[i]);
        val_push(ips, ip);
    }
}

val *pod_status(const struct pod *p, struct doc *d)
{
    val *status = val_new_obj(d);
    val_set_int(d, status, "observedGeneration", VAL_INT(p->object, "metadata", "generation"));
    val_set_z(d, status, "phase", p->phase);
    add_conditions(d, status, p);
    if (p->reason[0])
        val_set_z(d, status, "reason", p->reason);
    if (p->message[0])
        val_set_z(d, status, "message", p->message);
    add_addresses(d, status, p);
    set_time(d, status, "startTime", p->start_ns);
    val *init = val_new_arr(d), *main = val_new_arr(d);
    for (size_t i = 0; i < p->count; i++)
        val_push(p->containers[i].kind == CONTAINER_MAIN ? main : init,
                 container_status(d, p, &p->containers[i]));
    if (val_len(init))
        val_set(d, status, "initContainerStatuses", init);
    if (p->count)
        val_set(d, status, "containerStatuses", main);
    val_set_z(d, status, "qosClass", oci_qos(p->spec));
    return status;
}
