/* client.h: the Kubernetes API as tutti's own parts see it.
 *
 * One interface over two transports: HTTP (agents, tools) and in-process (controllers; api/
 * provides it, no bytes pass a socket, all checks are the same). Calls block and may be made on any
 * thread, many at once. Errors carry the server's Status: code, reason, message. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "doc/val.h"

struct client;

/* --- transport: what an implementation provides --- */
struct client_request {
    const char *method;      /* GET POST PUT PATCH DELETE */
    struct str path;         /* "/api/v1/namespaces/default/pods/web-0/status" */
    struct str query;        /* encoded, without '?' */
    struct str content_type; /* of body */
    struct str body;
    struct str accept; /* empty: application/json */
    /* Gets the server's warnings (Warning: 299), one a line; NULL: they are dropped. Over HTTP. */
    struct buf *warnings;
};

struct client_response {
    int status;
    struct bytes *body; /* the caller's reference */
};

struct client_stream_events {
    void (*data)(void *arg, struct str bytes);        /* watch lines arrive in pieces of any size */
    void (*closed)(void *arg, const struct err *err); /* once; err NULL: the server ended it */
    void *arg;
};

struct client_stream; /* belongs to the transport */

struct client_transport {
    int (*call)(void *self, const struct client_request *r, struct client_response *ret,
                struct err *err);
    /* A watch. Callbacks come on a thread of the transport and must not block for long. An answer
     * that is no success ends in `closed` with the Status as err. The stream is the caller's until
     * stream_close, which is called once for each, before or after `closed`. */
    int (*stream)(void *self, const struct client_request *r,
                  const struct client_stream_events *events, struct client_stream **ret,
                  struct err *err);
    void (*stream_close)(void *self,
                         struct client_stream *s); /* no callback runs after it returns */
    void (*free)(void *self);
};

/* Takes self. */
struct client *client_new(const struct client_transport *transport, void *self);
void client_free(struct client *c);

/* HTTP with a kubeconfig's current context (certificates or token, inline or as files; a token file
 * is read again each minute). One thread inside serves all calls; over TLS they share an HTTP/2
 * connection. A call fails when no answer begins within 60 s. */
int client_from_kubeconfig(const char *path, struct client **ret, struct err *err);
/* The same with what kubeconfig_load found; takes k. */
struct kubeconfig;
int client_from_config(struct kubeconfig *k, struct client **ret, struct err *err);

/* --- resources --- */
struct resource {                       /* one of the kinds, as a path is made of it */
    const char *group, *version, *name; /* "", "v1", "pods" */
    bool namespaced;
};

extern const struct resource RES_PODS, RES_NODES, RES_NAMESPACES, RES_SERVICES, RES_ENDPOINTS,
    RES_ENDPOINTSLICES, RES_CONFIGMAPS, RES_SECRETS, RES_SERVICEACCOUNTS, RES_EVENTS, RES_LEASES,
    RES_DEPLOYMENTS, RES_REPLICASETS, RES_CONTROLLERREVISIONS;

/* "/apis/apps/v1/namespaces/NS/deployments/NAME/SUB"; ns, name and sub may be NULL. Appends. */
void resource_path(const struct resource *r, const char *ns, const char *name, const char *sub,
                   struct buf *b);

/* --- calls; ret may be NULL; the answer is parsed into d ---
 * -1 with the Status' code, reason and message when the server refused, with 500 when it could not
 * be reached. */
int client_do(struct client *c, const struct client_request *r, struct client_response *ret,
              struct err *err); /* any status is success */
int client_stream_open(struct client *c, const struct client_request *r,
                       const struct client_stream_events *events, struct client_stream **ret,
                       struct err *err);
void client_stream_close(struct client *c, struct client_stream *s);
int client_get(struct client *c, const struct resource *r, const char *ns, const char *name,
               struct doc *d, val **ret, struct err *err);
int client_create(struct client *c, const struct resource *r, const char *ns, const val *object,
                  struct doc *d, val **ret, struct err *err);
/* sub: NULL, "status", "scale", … ; the object's resourceVersion is the precondition. */
int client_update(struct client *c, const struct resource *r, const char *ns, const char *name,
                  const char *sub, const val *object, struct doc *d, val **ret, struct err *err);
int client_post_sub(struct client *c, const struct resource *r, const char *ns, const char *name,
                    const char *sub, const val *object, struct doc *d, val **ret, struct err *err);
enum client_patch { CLIENT_PATCH_MERGE, CLIENT_PATCH_STRATEGIC, CLIENT_PATCH_JSON };
int client_patch(struct client *c, const struct resource *r, const char *ns, const char *name,
                 const char *sub, enum client_patch type, const val *patch, struct doc *d,
                 val **ret, struct err *err);
/* options: a DeleteOptions object or NULL. Deleting what is gone is 404 in err. */
int client_delete(struct client *c, const struct resource *r, const char *ns, const char *name,
                  const val *options, struct err *err);
