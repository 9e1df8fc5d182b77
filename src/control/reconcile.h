/* reconcile.h: the contract of a controller.
 *
 * A controller is a pure function: reconcile(view, key) -> actions. It looks at the picture of the
 * cluster that the view shows, at the view's clock, and adds to the actions what is to be written.
 * It keeps nothing between two calls. The runtime calls it when something that concerns the key has
 * changed, never twice at a time for one key, and never before the picture shows what the
 * controller itself wrote for that key the last time. A reconcile that changes nothing adds no
 * action.
 *
 * Everything is allocated from the view's arena and doc and lives until the actions were carried
 * out. A view belongs to one thread. */
#pragma once

#include "base/clock.h"
#include "control/picture.h"
#include "doc/selector.h"

struct control_config;

/* What a controller may ask the server itself, for the few cases where the picture is not enough
 * (is the owner really gone? is the namespace really empty?). */
struct view_live {
    /* 0 and the object, or -1 and the error (404: gone). */
    int (*get)(void *self, const char *path, struct doc *d, val **ret, struct err *err);
    void *self;
};

struct view {
    struct picture *picture;
    struct arena *arena;
    struct doc *doc;
    struct world *world;
    const struct view_live *live;
    const struct control_config *config;
    int64_t now; /* ns since 1970, fixed for the reconcile */
    /* Why the last actions for this key failed; NULL: they did not. Only controllers that report
     * failures see it, once, before the runtime backs off: they say in status what went wrong and
     * do not try again. */
    const struct failure *failure;
    struct held *held; /* references to drop; view.c's */
};

enum act_verb { ACT_CREATE, ACT_UPDATE, ACT_PATCH, ACT_DELETE, ACT_POST_SUB, ACT_DELETE_ALL };

struct failure {
    enum act_verb verb;
    enum kind kind;
    int code; /* HTTP status */
    struct str reason, message, name;
};

void view_done(struct view *v); /* drops the references; arena and doc are the caller's */

/* Items and arrays live as long as the view. */
const struct item *view_item(struct view *v, enum kind kind, struct str key);
const struct item *view_uid(struct view *v, struct str uid); /* any kind */
size_t view_group(struct view *v, enum group group, enum kind kind, struct str value,
                  const struct item ***ret);
size_t view_match(struct view *v, enum group group, enum kind kind, struct str value,
                  picture_match *match, void *arg, const struct item ***ret);
size_t view_dependents(struct view *v, struct str uid, const struct item ***ret);

/* The whole object, parsed; a tree of the reconcile's own that it may change. NULL: malformed. */
val *view_parse(struct view *v, const struct item *i);
val *view_get(struct view *v, enum kind kind, struct str key);

void items_sort(const struct item **items, size_t n); /* by key */

/* --- actions --- */
struct act_event {
    const struct item *about;
    struct str ns, kind, api_version, name, uid; /* when about is NULL */
    const char *type;                            /* "Normal", "Warning" */
    const char *reason;
    struct str message;
};

struct action {
    struct action *next;
    enum act_verb verb;
    enum kind kind;
    const struct resource *resource;
    struct str ns, name;
    const char *sub; /* subresource, or NULL */
    enum client_patch patch;
    val *object; /* body; DeleteOptions for a delete */
    struct str uid;
    int64_t rv;              /* of the object that the decision was made on; 0: none */
    struct act_event *event; /* recorded when the action has succeeded */
    int phase;
    bool optional; /* a failure does not count */
};

struct actions {
    struct view *view;
    struct action *first, **last;
    size_t count;
    struct event_list {
        struct act_event *event;
        struct event_list *next;
    } * events; /* recorded in any case; newest first */
    int phase;
    int64_t requeue_ms; /* look again after so long; -1: no */
};

void actions_init(struct actions *a, struct view *v);

/* Within a phase actions are carried out side by side, in no order. The next phase begins when all
 * of the one before have succeeded. */
void act_next_phase(struct actions *a);

struct action *act_create(struct actions *a, enum kind kind, val *object);
/* PUT; the object's resourceVersion is the precondition. */
struct action *act_update(struct actions *a, enum kind kind, val *object, const char *sub);
struct action *act_patch(struct actions *a, const struct item *i, const char *sub,
                         enum client_patch type, val *patch);
/* With i's uid as precondition. policy: "Background", "Foreground", "Orphan" or NULL. */
struct action *act_delete(struct actions *a, const struct item *i, const char *policy);
struct action *act_post_sub(struct actions *a, const struct item *i, const char *sub, val *object);
/* DELETE on a collection. */
struct action *act_delete_all(struct actions *a, const struct resource *r, struct str ns);

/* When the action succeeds, or at once when action is NULL. `about` is the involved object. */
void act_event(struct actions *a, struct action *when, const struct item *about, const char *type,
               const char *reason, const char *format, ...) __attribute__((format(printf, 6, 7)));
void act_requeue(struct actions *a, int64_t ms); /* the soonest wins */

/* --- what makes a key dirty --- */
struct change {
    enum kind kind;
    const struct item *old, *now; /* old is NULL when added, now when deleted */
};

/* The item that a change is about, whichever there is. */
static inline const struct item *change_item(const struct change *c)
{
    return c->now ? c->now : c->old;
}

struct marks { /* collects keys */
    struct picture *picture;
    struct arena *arena;
    void (*mark)(void *arg, struct str key);
    void *arg;
};
void mark_key(struct marks *m, struct str key);

struct controller {
    const char *name;      /* "deployment": in logs and golden tests */
    const char *component; /* source.component of its events: "deployment-controller" */
    void (*reconcile)(struct view *v, struct str key, struct actions *a);
    void (*changed)(struct marks *m, const struct change *c);
    const char *const *start_keys; /* marked when everything is synced; NULL: none */
    int64_t min_interval_ms;       /* between two reconciles of a key */
    bool reports_failures;
};

extern const struct controller controller_deployment, controller_replicaset,
    controller_endpointslice, controller_endpoints, controller_namespace, controller_serviceaccount,
    controller_root_ca, controller_garbage, controller_node_lifecycle, controller_taint_eviction,
    controller_podgc, controller_node_ipam, controller_scheduler, controller_replication,
    controller_disruption, controller_pvc_protection, controller_pv_protection;

extern const struct controller *const controllers[]; /* all, NULL ends */
