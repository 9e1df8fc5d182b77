/* call.h: one request on its way through the server.
 *
 * A call is a state machine. `call_run` takes it from authentication to its handler; a handler (and
 * each step after it) ends in one of:
 *
 *   CALL_DONE    the answer is in the call (call_reply…, call_fail)
 *   CALL_COMMIT  c->write and c->after are filled; when the write is done, `after` is the next step
 *   CALL_BARRIER c->barrier and c->after are filled; when the store's picture is that new, `after`
 * is the next step (recent.c) CALL_TAKEN   a watch or a relay has taken the exchange over; the call
 * frees itself
 *
 * Over HTTP a commit suspends the call: the committer's callback posts it back to its loop. In
 * process the caller's thread waits for the commit. Handlers cannot tell the difference.
 *
 * A step that found its write in conflict starts over from a fresh snapshot (`call_again`), so
 * whatever a client asked for is judged against the state that it changes. Calls that meet over
 * something besides their objects (the usage of a quota, a pool of addresses) would let one of them
 * through at a time and send all others back to try again; on each loop they do so one after the
 * other, in the order in which they lost. */
#pragma once

#include "api/api.h"
#include "api/kind.h"
#include "api/route.h"
#include "base/list.h"
#include "doc/val.h"

enum call_next { CALL_DONE, CALL_COMMIT, CALL_BARRIER, CALL_TAKEN };

struct call;
struct watch_sink;
typedef enum call_next call_fn(struct call *c);

enum call_form { FORM_OBJECT, FORM_TABLE, FORM_METADATA };

enum { CALL_MAX_EXTRA_OPS = 64, CALL_MAX_TRIES = 64, CALL_MAX_WARNINGS = 32 };

/* metav1.StatusDetails of a failed call, where they differ from what the route says. */
struct call_details {
    struct str group, kind, name, uid;
    val *causes; /* array of {reason, message, field} */
    int retry_after;
    bool set, none;
};

/* What the query's options say (metav1.CreateOptions and its siblings). */
struct call_options {
    bool dry_run, force, ignore_strict, warn_strict;
    struct str field_manager;
};

struct call {
    struct api *api;
    struct api_loop *at;                /* the loop it runs on; NULL in process */
    struct http_exchange *x;            /* NULL in process; valid, with … */
    const struct http_request *request; /* … the request, until it is answered */
    struct loop_msg msg;
    struct list suspended; /* in at->suspended while a write is under way */

    int64_t began_ns; /* metrics_now_ns */

    struct arena arena; /* everything below lives here */
    struct doc doc;
    struct api_user user;
    struct str method, body, content_type, accept, agent;
    struct route route;
    const struct kind *kind;
    struct crd_version *custom; /* the kind's definition, referenced; NULL: it is built in */
    enum call_form form;
    bool yaml, proto, include_object, include_none;
    bool gzip; /* the client takes long answers compressed */
    struct call_options options;
    val *warnings;

    /* the current try */
    struct store_snap *snap;
    struct strategy_ctx ctx;
    struct store_op ops[1 + CALL_MAX_EXTRA_OPS];
    struct store_write write;
    struct store_barrier barrier;
    bool recent; /* what the handler sees is not older than the call */
    call_fn *handler, *after;
    int tries;
    struct str key;       /* of the object that is written */
    struct bytes *stored; /* what is to be written, when dry run ends the call before */
    void *state;          /* the handler's own, in the arena */
    val *managed;         /* metadata.managedFields to be stored; NULL: as they were */

    /* the answer */
    int status;
    size_t sent;         /* bytes of an answer that went out piece by piece, without reply */
    struct bytes *reply; /* JSON unless reply_type says otherwise */
    const char *reply_type;
    struct http_header headers[4];
    size_t header_count;
    struct call_details details;

    /* in process */
    void (*done)(struct call *c);  /* called instead of http_respond */
    const struct watch_sink *sink; /* where a watch's frames go */
    void *owner;                   /* of done and sink */
};

/* --- the machine (call.c) --- */
struct call *call_new(struct api *api);
void call_free(struct call *c);
void call_serve(struct call *c);           /* runs until it is answered, suspended or taken */
enum call_next call_again(struct call *c); /* runs the handler from the start */
/* Counts a try that met a conflict. false: there were enough, for longer than a client waits. */
bool call_may_retry(struct call *c);
/* A fresh snapshot for this try, and a context on it. */
int call_begin(struct call *c, struct err *err);
void call_end(struct call *c); /* drops the snapshot */
void call_fill_ctx(struct call *c, struct strategy_ctx *ctx, struct store_snap *snap);
void call_header(struct call *c, const char *name, struct str value);
void call_warn(struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- a store shared with other servers (recent.c) --- */
call_fn recent_begin; /* runs the handler, behind a barrier where it needs one */
bool recent_confirm(
    struct call *c); /* the answer may be old: it was dropped, CALL_BARRIER is next */

/* --- answers (status.c) --- */
enum call_next call_fail(struct call *c, const struct err *err);
enum call_next call_reply(struct call *c, int status, struct bytes *take);
enum call_next call_reply_text(struct call *c, int status, const char *type, struct str text);
/* An object in the form that the client asked for; the JSON is copied. */
enum call_next call_reply_object(struct call *c, int status, struct str json);
enum call_next call_reply_val(struct call *c, int status, const val *v);
/* {"kind":"Status","status":"Success",…} */
enum call_next call_reply_success(struct call *c, int status);
enum call_next call_reply_not_found_page(struct call *c);
/* The metav1.Status of an error, with the call's details. */
void status_write(const struct call *c, const struct err *err, struct buf *b);

/* Errors in upstream's words; all return -1. */
int fail_not_found(struct call *c, struct str name, struct err *err);
int fail_exists(struct call *c, struct str name, bool generated, struct err *err);
int fail_conflict(struct call *c, struct str name, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int fail_forbidden(struct call *c, struct str name, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int fail_invalid(struct call *c, struct str name, val *causes, struct err *err);
int fail_method(struct call *c, struct err *err);

/* --- negotiation and bodies (negotiate.c, body.c) --- */
int negotiate_accept(struct call *c, struct err *err);
/* Whether errors must be protobuf too: the client accepts nothing else. */
bool negotiate_error_proto(struct call *c);
int options_parse(struct call *c, struct err *err);
/* The request's object of a kind: decoded, checked against the schema, defaulted. */
int body_decode(struct call *c, const struct schema *s, struct str api_version, struct str kind,
                val **ret, struct err *err);
/* Strict decoding's findings: an error, warnings or nothing, as fieldValidation asks. */
int body_strict(struct call *c, struct str api_version, struct str kind, struct str findings,
                struct err *err);

/* --- metadata (meta.c) --- */
void meta_wipe(val *obj); /* what no client may set on create */
void meta_fill_create(struct call *c, val *obj);
int meta_check_namespace(struct call *c, val *obj, struct err *err);
void meta_validate(struct call *c, const val *obj, val *causes);
void meta_validate_update(struct call *c, const val *obj, const val *old, val *causes);
void meta_dedup_owners(struct call *c, val *obj);
void meta_now(struct call *c, char ret[64]);
bool meta_has_finalizers(const struct kind *k, const val *obj);
/* The bytes of an object as they are stored: kind, apiVersion, metadata first, the place of the
 * revision noted (no resourceVersion is written). */
struct bytes *meta_encode(struct call *c, const struct kind *k, const val *obj,
                          int64_t *ret_revision_at);
/* The stored object as a tree of the call, resourceVersion included. */
int meta_load(struct call *c, const struct store_kv *kv, val **ret, struct err *err);

/* --- handlers --- */
call_fn handle_get, handle_list, handle_watch, handle_create, handle_update, handle_patch,
    handle_apply, handle_delete, handle_delete_collection, handle_eviction, handle_change_sub,
    handle_post_sub, handle_scale, handle_review, handle_relay;
call_fn handle_root;      /* all paths that name no resource */
call_fn crd_handle_scale; /* of a custom resource (crd_scale.c) */

/* A Scale with the metadata of what it scales (sub.c). */
val *scale_new(struct call *c, const val *obj);

/* Shared by the writers (write.c). */
int write_set_put(struct call *c, const struct kind *k, const val *obj, int64_t expect,
                  struct err *err);
void write_set_delete(struct call *c, int64_t expect);
enum call_next write_submit(struct call *c, call_fn *after);
enum call_next write_failed(struct call *c);
/* The object under the route's name: 1 found, 0 missing, -1 error. Sets c->key. */
int write_load(struct call *c, struct store_kv *kv, val **ret, struct err *err);
/* uid and resourceVersion in obj, where given, must be those of old. */
int write_preconditions(struct call *c, const val *obj, const val *old, struct err *err);
/* Applies the body, one of the three patch types, to current; the answer is a new tree. */
int write_patch(struct call *c, const struct schema *s, const val *current, val **ret,
                struct err *err);
/* Fills in, validates, and prepares the write of a changed object (update, patch, apply,
 * subresources): 0: c->write is filled; 1: nothing changed. */
int write_changed(struct call *c, val *obj, const val *old, int64_t mod_rev, struct err *err);
int write_created(struct call *c, val *obj, struct err *err);
/* write_created, then the submission or the dry answer: 201. */
enum call_next write_create(struct call *c, val *obj, struct err *err);
/* By another way than apply: who owns what afterwards (apply.c). */
void apply_track_create(struct call *c, const val *obj); /* fills c->managed unless it is there */
void apply_track_update(struct call *c, val *obj, const val *old);
enum call_next write_finish(struct call *c, int rc, const val *old, val *obj,
                            const struct err *err);

/* Prepares the deletion of the stored object: 0: c->write is filled, 1: nothing is to be written
 * (it is being deleted already). old is changed to what stays. options may be NULL. */
int delete_prepare(struct call *c, const struct store_kv *kv, val *old, const val *options,
                   struct err *err);

/* --- selection (select.c): which objects a list or watch wants --- */
struct selection {
    struct selector labels, fields;
    bool any;        /* no selector at all */
    struct str name; /* metadata.name=x among the fields: only this one; empty: all */
    bool plain;      /* each field is the string at its path, and empty where there is none */
};
int selection_parse(struct call *c, struct selection *ret, struct err *err);
/* Whether a field is the string at the path of its name, and empty where there is none. */
bool selection_is_plain(const struct kind *k, struct str field);
bool selection_match(const struct selection *s, const struct kind *k, struct str key,
                     struct str json);
/* The same for an object that is parsed already. */
bool selection_match_val(const struct selection *s, const struct kind *k, struct str key,
                         const val *obj);

/* --- tables (table.c): one row an object --- */
struct table {
    struct call *c;
    const struct kind *k;
    struct buf *out;
    struct strategy_ctx ctx;
    size_t rows;
};
void table_begin(struct table *t, struct call *c, const struct kind *k, struct buf *out,
                 struct str list_meta);
int table_row(struct table *t, struct str json, struct err *err);
void table_end(struct table *t);
/* A whole table of one object, for watches: columns only when asked for. */
int table_single(struct call *c, const struct kind *k, struct str json, bool columns,
                 struct buf *out, struct err *err);
/* {"kind":"PartialObjectMetadata",…} of an object. */
void metadata_only(struct str json, struct buf *out);
