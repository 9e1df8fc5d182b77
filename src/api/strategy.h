/* strategy.h: what a schema cannot say about a kind.
 *
 * The generic path (decode, check, default, validate, store) serves every kind. A kind with
 * behaviour of its own has one file in kinds/ with one `struct strategy`; every hook may be NULL.
 * Hooks are pure but for the context: they run on any thread, read other objects through the
 * context's snapshot only, and may run again when a write met a conflict. Upstream's counterparts
 * are pkg/registry/<group>/<kind>/strategy.go and pkg/apis/<group>/validation. */
#pragma once

#include "api/names.h"
#include "base/clock.h"
#include "doc/schema.h"
#include "doc/selector.h"
#include "store/store.h"

struct api;
struct api_user;
struct token_issuer;

/* What the server was configured with, as far as kinds care. */
struct strategy_config {
    struct str service_cidr;           /* "10.96.0.0/16"; empty: STRATEGY_SERVICE_CIDR */
    int node_port_min, node_port_max;  /* 0: 30000 to 32767 */
    const struct token_issuer *tokens; /* NULL: no service-account tokens */
};

#define STRATEGY_SERVICE_CIDR "10.96.0.0/16"

struct strategy_ctx {
    struct api *api;
    const struct schema_kind *kind;
    struct doc *d;           /* where new values are made */
    struct arena *arena;     /* lives as long as the request */
    struct store_snap *snap; /* the state that the request sees */
    struct world *world;
    const struct strategy_config *config; /* NULL: all defaults */
    const struct api_user *user;
    struct str ns, name; /* name may be empty on create with generateName, until it was generated */
    const char *subresource; /* NULL: the main resource */
    bool dry_run;
    val *warnings; /* array of strings for Warning headers */

    /* More changes for the same atomic write: strategy_op adds one (an allocated cluster IP, a
     * released one, a check). */
    struct store_op *extra_ops;
    size_t extra_count;
};

/* Takes the reference to value; key is copied. At most 64 a request, further ones are dropped. */
/* Takes the caller's reference to value. The key begins with anything but "/registry/". */
void strategy_add_op(struct strategy_ctx *c, enum store_op_type type, struct str key,
                     struct bytes *value, int64_t expect);

/* The object of another kind, parsed into c->d, or NULL. */
val *strategy_lookup(struct strategy_ctx *c, const char *group, const char *resource, struct str ns,
                     struct str name);

/* A context outside of a write, for authentication and authorization: the state of now, nothing
 * can be added to it. d and arena are the caller's; close ends the snapshot. */
int strategy_ctx_open(struct strategy_ctx *c, struct api *api, struct doc *d, struct arena *arena,
                      struct err *err);
void strategy_ctx_close(struct strategy_ctx *c);

/* Adds {reason, message, field} to causes: reason is a metav1.CauseType (FieldValueInvalid,
 * FieldValueRequired, FieldValueForbidden, …), the message has upstream's field.Error form without
 * the path: `Invalid value: "x": must be …`. */
void cause_add(struct doc *d, val *causes, const char *type, const char *field, const char *format,
               ...) __attribute__((format(printf, 5, 6)));

struct strategy {
    const char *group, *resource;

    /* Defaults that depend on other fields. Runs after schema_default on every object that comes
     * in. */
    void (*defaults)(struct strategy_ctx *c, val *obj);

    /* Create: clear what a client may not set, fill in what the server gives. */
    int (*prepare_create)(struct strategy_ctx *c, val *obj, struct err *err);
    /* Update of the main resource: status is already the old one. `spec_generation` below handles
     * metadata.generation. */
    int (*prepare_update)(struct strategy_ctx *c, val *obj, const val *old, struct err *err);
    /* Update of status: everything but status (and what the hook puts back) is already the old one.
     */
    int (*prepare_status)(struct strategy_ctx *c, val *obj, const val *old, struct err *err);

    /* Append causes; any cause makes the request fail with 422 Invalid. */
    void (*validate)(struct strategy_ctx *c, const val *obj, val *causes);
    void (*validate_update)(struct strategy_ctx *c, const val *obj, const val *old, val *causes);
    void (*validate_status)(struct strategy_ctx *c, const val *obj, const val *old, val *causes);

    /* Delete: seconds of grace (options' value or the kind's own); 0 deletes at once. NULL: 0. A
     * positive answer marks the object (deletionTimestamp, deletionGracePeriodSeconds) and leaves
     * the removal to its owner. -1: refused, err is filled. */
    int64_t (*grace)(struct strategy_ctx *c, val *obj, const val *delete_options, struct err *err);
    /* The object is really going: release what it held, by extra ops. */
    int (*removed)(struct strategy_ctx *c, const val *obj, struct err *err);

    /* More that keeps a deleted object in the store besides metadata.finalizers (a namespace's
     * spec.finalizers). NULL: nothing. */
    bool (*held)(const val *obj);

    /* A kind that is answered and never stored (TokenReview, SelfSubjectAccessReview): turns the
     * object that was posted into the answer. */
    int (*review)(struct strategy_ctx *c, val *obj, struct err *err);
    /* POST to a subresource that is answered and not stored (serviceaccounts/token): c->subresource
     * names it, body becomes the answer, parent is the stored object. */
    int (*post_sub)(struct strategy_ctx *c, val *body, const val *parent, struct err *err);

    /* PUT, PATCH or POST to a subresource that changes the stored object (pods/binding,
     * namespaces/finalize): c->subresource names it, obj is a copy of the stored object to be
     * changed by what body says. validate_update is not asked. NULL: no such subresource.
     * pods/eviction is not one: it deletes with body's deleteOptions. */
    int (*change_sub)(struct strategy_ctx *c, val *obj, const val *body, struct err *err);

    /* Field selectors besides metadata.name and metadata.namespace; NULL-terminated. */
    const char *const *fields;
    struct str (*field)(const val *obj, struct str field);

    /* kubectl get's table: columns (the last has name NULL) and one cell a column, pushed to cells.
     * NULL: Name and Created At. */
    const struct schema_column *columns;
    void (*row)(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells);

    /* Of a kind whose storage has another kind's objects as well (another group or version of the
     * same): appends the object as this kind shows it. false: it is as it should be. NULL: all are.
     */
    bool (*view)(const struct schema_kind *kind, struct str json, struct buf *out);
    /* With view: whether an object of the kind itself is shown as it is stored. NULL: it is. */
    bool (*plain)(const struct schema_kind *kind, struct str json);

    /* What metadata.name must be; `validate` reports it (kind_validate_name for kinds without). */
    enum name_form name_form;

    bool spec_generation; /* metadata.generation counts changes of anything but metadata and status
                           */
    bool annotation_generation; /* annotations count as well (a Deployment hands its own on) */
    bool has_status;       /* status is reset on create and kept on update of the main resource */
    bool status_alone;     /* an update of status leaves labels, annotations and the like alone */
    bool status_on_create; /* with has_status: what the client sends stays (a node registers) */
    bool create_on_update; /* PUT to a missing name creates (upstream's AllowCreateOnUpdate) */
    bool unconditional_update; /* PUT without resourceVersion is allowed */
    bool return_deleted;       /* DELETE answers with the object, not a Status (upstream's
                                  ReturnDeletedObject) */
};

/* The cells of a kind without columns and row of its own. */
extern const struct schema_column strategy_default_columns[];

/* The strategy of a kind; never NULL (kinds without one get a default). */
const struct strategy *strategy_of(const struct schema_kind *kind);
