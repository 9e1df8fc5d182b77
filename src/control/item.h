/* item.h: what the controllers remember of one object.
 *
 * Controllers look at thousands of objects and need few fields of each, so an object is read once,
 * when it arrives, into a compact summary: identity, labels, owners, and for pods, nodes and
 * services what scheduling, replica counting and endpoints need. The object's JSON is kept beside
 * it, packed, and parsed when a controller really wants the whole.
 *
 * An item is immutable, one block of memory, and shared by reference count; any thread. */
#pragma once

#include "base/bytes.h"
#include "client/client.h"

enum kind { /* the kinds that controllers watch; the order of start-up */
            KIND_NAMESPACES,
            KIND_NODES,
            KIND_LEASES,
            KIND_PODS,
            KIND_SERVICES,
            KIND_ENDPOINTS,
            KIND_ENDPOINTSLICES,
            KIND_CONFIGMAPS,
            KIND_SECRETS,
            KIND_SERVICEACCOUNTS,
            KIND_DEPLOYMENTS,
            KIND_REPLICASETS,
            KIND_REPLICATIONCONTROLLERS,
            KIND_CONTROLLERREVISIONS,
            KIND_PODDISRUPTIONBUDGETS,
            KIND_PERSISTENTVOLUMECLAIMS,
            KIND_PERSISTENTVOLUMES,
            KIND_COUNT,
};

struct kind_info {
    const struct resource *resource;
    const char *api_version, *kind;
};
extern const struct kind_info kind_infos[KIND_COUNT];

/* By apiVersion and kind, or KIND_COUNT. */
enum kind kind_find(struct str api_version, struct str kind);

struct label {
    struct str key, value;
};

struct labels {
    struct label *at;
    size_t n;
    uint64_t bits; /* one for each label, so that most selections need no look; selections may do
                      without */
};
struct str labels_get(const struct labels *l, const char *key);           /* empty: none */
bool labels_have(const struct labels *l, const struct labels *selection); /* all of selection */

struct owner { /* metav1.OwnerReference */
    struct str api_version, kind, name, uid;
    bool controller, blocks; /* blocks: blockOwnerDeletion */
};

enum pod_phase { POD_PENDING, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_UNKNOWN };

struct pod_port {
    struct str name, protocol;
    int port, host_port;
    struct str host_ip;
};

struct amount { /* of an extended resource */
    struct str name;
    int64_t value;
};

struct amounts {         /* what a pod asks for, or a node has */
    int64_t cpu, memory; /* milli-CPU, bytes */
    int64_t ephemeral;   /* bytes */
    struct amount *other;
    size_t other_count;
};

struct pod {
    struct str node, scheduler, hostname, subdomain;
    struct str *ips; /* status.podIPs */
    size_t ip_count;
    struct pod_port *ports;
    size_t port_count;
    struct amounts requests;
    int64_t cpu_nonzero, memory_nonzero; /* for scoring: 100m and 200 Mi where a container asks for
                                            nothing (upstream's GetNonzeroRequests) */
    int64_t ready_since;                 /* of the Ready condition, ns */
    int64_t deletion_cost;
    int64_t priority;
    int restarts;
    enum pod_phase phase;
    bool ready;
    bool has_ready;              /* there is a Ready condition */
    bool gated;                  /* spec.schedulingGates */
    bool unschedulable_reported; /* PodScheduled=False, Unschedulable */
    bool host_network;
    bool host_ports;
    bool claims; /* has volumes that are claims, or make some */
};

enum taint_effect { TAINT_NO_SCHEDULE, TAINT_PREFER_NO_SCHEDULE, TAINT_NO_EXECUTE };

struct taint {
    struct str key, value;
    enum taint_effect effect;
    int64_t added; /* ns, 0: none */
};

enum truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_UNKNOWN, TRUTH_ABSENT };

struct node {
    struct amounts allocatable;
    int64_t pods; /* allocatable */
    struct taint *taints;
    size_t taint_count;
    struct str pod_cidr;
    enum truth ready;
    bool unschedulable;
};

enum { /* finalizers that controllers know */
       FINALIZER_FOREGROUND = 1,
       FINALIZER_ORPHAN = 2,
       FINALIZER_OTHER = 4,
       FINALIZER_PROTECTION = 8, /* of claims and volumes */
};

struct item {
    atomic_uint refs;
    enum kind kind;
    struct bytes *packed; /* the JSON (pack.h) */
    struct str ns, name, uid;
    struct str key;      /* "ns/name" or "name" */
    struct str rv_text;  /* metadata.resourceVersion */
    int64_t rv;          /* the same as a number */
    int64_t created;     /* ns */
    int64_t deleted;     /* metadata.deletionTimestamp, ns; 0: not being deleted */
    unsigned finalizers; /* FINALIZER_ bits */
    struct labels labels;
    struct owner *owners;
    size_t owner_count;
    const struct owner *controller; /* among owners, or NULL */
    const struct pod *pod;          /* KIND_PODS */
    const struct node *node;        /* KIND_NODES */
    struct labels selector;         /* services and replication controllers: spec.selector;
                                       the others that have one: its matchLabels, so that what
                                       does not have them never matches */
};

/* v is the parsed object, json its text. */
struct item *item_new(enum kind kind, const val *v, struct bytes *json);
struct item *item_ref(struct item *i);
void item_unref(struct item *i);

static inline bool item_pod_done(const struct item *i) /* finished, whatever the outcome */
{
    return i->pod->phase == POD_SUCCEEDED || i->pod->phase == POD_FAILED;
}

/* The controller's uid is uid. */
static inline bool item_controlled_by(const struct item *i, struct str uid)
{
    return i->controller && str_eq(i->controller->uid, uid);
}
