/* Reading pods and nodes into their summaries. */
#include "control/item_parts.h"

enum { MEBI = 1024 * 1024 };

/* --- resources --- */

enum { MAX_RESOURCES = 32 }; /* different ones in one pod; more are ignored */

struct tally { /* an amount per resource name; views of the object */
    struct str name[MAX_RESOURCES];
    int64_t value[MAX_RESOURCES];
    size_t n;
};

static int64_t *tally_at(struct tally *t, struct str name)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->name[i], name))
            return &t->value[i];
    if (t->n == MAX_RESOURCES)
        return NULL;
    t->name[t->n] = name;
    t->value[t->n] = 0;
    return &t->value[t->n++];
}

static int64_t amount_of(struct str name, const val *v)
{
    return part_quantity(v, str_is(name, "cpu"));
}

static void tally_add(struct tally *t, const val *requests)
{
    VAL_EACH (requests, key, v) {
        int64_t *at = tally_at(t, val_str(key));
        if (at)
            *at += amount_of(val_str(key), v);
    }
}

static void tally_max(struct tally *t, const struct tally *other)
{
    for (size_t i = 0; i < other->n; i++) {
        int64_t *at = tally_at(t, other->name[i]);
        if (at && *at < other->value[i])
            *at = other->value[i];
    }
}

static struct amounts tally_pack(struct parts *p, const struct tally *t)
{
    struct amounts a = {0};
    if (t->n)
        a.other = part_alloc(p, t->n * sizeof *a.other);
    for (size_t i = 0; i < t->n; i++) {
        if (str_is(t->name[i], "cpu"))
            a.cpu = t->value[i];
        else if (str_is(t->name[i], "memory"))
            a.memory = t->value[i];
        else if (str_is(t->name[i], "ephemeral-storage"))
            a.ephemeral = t->value[i];
        else
            a.other[a.other_count++] = (struct amount){part_str(p, t->name[i]), t->value[i]};
    }
    return a;
}

/* A container's requests; a limit stands in for a missing request as API defaulting has it. */
static const val *requests_of(const val *container)
{
    return VAL_PATH(container, "resources", "requests");
}

static bool is_sidecar(const val *container)
{
    return str_is(VAL_STR(container, "restartPolicy"), "Always");
}

/* resourcehelper.PodRequests: the containers and sidecars together, or the largest moment of the
 * init containers, whichever is more; plus overhead. */
static void read_requests(struct parts *p, struct pod *pod, const val *spec)
{
    struct tally total = {0}, sidecars = {0}, peak = {0};
    VAL_FOR (val_get(spec, "containers"), c) {
        tally_add(&total, requests_of(c));
        int64_t cpu = part_quantity(VAL_PATH(c, "resources", "requests", "cpu"), true);
        int64_t memory = part_quantity(VAL_PATH(c, "resources", "requests", "memory"), false);
        pod->cpu_nonzero += cpu ? cpu : 100;
        pod->memory_nonzero += memory ? memory : 200 * (int64_t)MEBI;
    }
    VAL_FOR (val_get(spec, "initContainers"), c) {
        struct tally moment = sidecars;
        tally_add(&moment, requests_of(c));
        tally_max(&peak, &moment);
        if (is_sidecar(c)) {
            tally_add(&sidecars, requests_of(c));
            tally_add(&total, requests_of(c));
        }
    }
    tally_max(&total, &peak);
    tally_add(&total, val_get(spec, "overhead"));
    pod->requests = tally_pack(p, &total);
    if (pod->cpu_nonzero < pod->requests.cpu)
        pod->cpu_nonzero = pod->requests.cpu;
    if (pod->memory_nonzero < pod->requests.memory)
        pod->memory_nonzero = pod->requests.memory;
}

/* --- pods --- */

static enum pod_phase phase_of(struct str s)
{
    if (str_is(s, "Running"))
        return POD_RUNNING;
    if (str_is(s, "Succeeded"))
        return POD_SUCCEEDED;
    if (str_is(s, "Failed"))
        return POD_FAILED;
    return str_is(s, "Unknown") ? POD_UNKNOWN : POD_PENDING;
}

static size_t count_ports(const val *containers)
{
    size_t n = 0;
    VAL_FOR (containers, c)
        n += val_len(val_get(c, "ports"));
    return n;
}

static void read_ports(struct parts *p, struct pod *pod, const val *containers)
{
    VAL_FOR (containers, c) {
        VAL_FOR (val_get(c, "ports"), port) {
            struct pod_port *to = &pod->ports[pod->port_count++];
            struct str protocol = VAL_STR(port, "protocol");
            *to = (struct pod_port){
                .name = part_str(p, VAL_STR(port, "name")),
                .protocol = part_str(p, protocol.n ? protocol : STR("TCP")),
                .port = (int)VAL_INT(port, "containerPort"),
                .host_port = (int)VAL_INT(port, "hostPort"),
                .host_ip = part_str(p, VAL_STR(port, "hostIP")),
            };
            pod->host_ports |= to->host_port != 0;
        }
    }
}

static void read_pod_status(struct parts *p, struct pod *pod, const val *status)
{
    pod->phase = phase_of(VAL_STR(status, "phase"));
    VAL_FOR (val_get(status, "conditions"), c) {
        struct str type = VAL_STR(c, "type");
        if (str_is(type, "Ready")) {
            pod->has_ready = true;
            pod->ready = str_is(VAL_STR(c, "status"), "True");
            pod->ready_since = part_time(val_get(c, "lastTransitionTime"));
        } else if (str_is(type, "PodScheduled")) {
            pod->unschedulable_reported = str_is(VAL_STR(c, "status"), "False");
        }
    }
    const val *ips = val_get(status, "podIPs");
    if (val_len(ips)) {
        pod->ips = part_alloc(p, val_len(ips) * sizeof *pod->ips);
        VAL_FOR (ips, ip)
            pod->ips[pod->ip_count++] = part_str(p, VAL_STR(ip, "ip"));
    } else if (VAL_STR(status, "podIP").n) {
        pod->ips = part_alloc(p, sizeof *pod->ips);
        pod->ips[pod->ip_count++] = part_str(p, VAL_STR(status, "podIP"));
    }
    VAL_FOR (val_get(status, "containerStatuses"), c)
        if (VAL_INT(c, "restartCount") > pod->restarts)
            pod->restarts = (int)VAL_INT(c, "restartCount");
}

struct pod *item_read_pod(struct parts *p, const val *v)
{
    struct pod *pod = part_alloc(p, sizeof *pod);
    const val *spec = val_get(v, "spec"), *containers = val_get(spec, "containers");
    pod->node = part_str(p, VAL_STR(spec, "nodeName"));
    pod->scheduler = part_str(p, VAL_STR(spec, "schedulerName"));
    pod->hostname = part_str(p, VAL_STR(spec, "hostname"));
    pod->subdomain = part_str(p, VAL_STR(spec, "subdomain"));
    pod->host_network = VAL_BOOL(spec, "hostNetwork");
    pod->priority = VAL_INT(spec, "priority");
    pod->gated = val_len(val_get(spec, "schedulingGates")) > 0;
    str_to_i64(VAL_STR(v, "metadata", "annotations", "controller.kubernetes.io/pod-deletion-cost"),
               &pod->deletion_cost);
    VAL_FOR (val_get(spec, "volumes"), volume)
        pod->claims |= val_get(volume, "persistentVolumeClaim") || val_get(volume, "ephemeral");
    size_t ports = count_ports(containers);
    if (ports) {
        pod->ports = part_alloc(p, ports * sizeof *pod->ports);
        read_ports(p, pod, containers);
    }
    read_requests(p, pod, spec);
    read_pod_status(p, pod, val_get(v, "status"));
    return pod;
}

/* --- nodes --- */

static enum taint_effect effect_of(struct str s)
{
    if (str_is(s, "NoExecute"))
        return TAINT_NO_EXECUTE;
    return str_is(s, "PreferNoSchedule") ? TAINT_PREFER_NO_SCHEDULE : TAINT_NO_SCHEDULE;
}

struct node *item_read_node(struct parts *p, const val *v)
{
    struct node *node = part_alloc(p, sizeof *node);
    const val *spec = val_get(v, "spec"), *status = val_get(v, "status");
    const val *allocatable = val_get(status, "allocatable");
    if (!val_len(allocatable))
        allocatable = val_get(status, "capacity");
    struct tally t = {0};
    tally_add(&t, allocatable);
    node->allocatable = tally_pack(p, &t);
    node->pods = part_quantity(val_get(allocatable, "pods"), false);
    node->unschedulable = VAL_BOOL(spec, "unschedulable");
    node->pod_cidr = part_str(p, VAL_STR(spec, "podCIDR"));
    node->ready = TRUTH_ABSENT;
    VAL_FOR (val_get(status, "conditions"), c) {
        if (!str_is(VAL_STR(c, "type"), "Ready"))
            continue;
        struct str s = VAL_STR(c, "status");
        node->ready = str_is(s, "True")    ? TRUTH_TRUE
                      : str_is(s, "False") ? TRUTH_FALSE
                                           : TRUTH_UNKNOWN;
    }
    const val *taints = val_get(spec, "taints");
    if (val_len(taints))
        node->taints = part_alloc(p, val_len(taints) * sizeof *node->taints);
    VAL_FOR (taints, t_)
        node->taints[node->taint_count++] = (struct taint){
            .key = part_str(p, VAL_STR(t_, "key")),
            .value = part_str(p, VAL_STR(t_, "value")),
            .effect = effect_of(VAL_STR(t_, "effect")),
            .added = part_time(val_get(t_, "timeAdded")),
        };
    return node;
}
