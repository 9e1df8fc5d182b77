/* backends.h: the pods behind a service, for its EndpointSlices and its Endpoints. Private to the
 * room. Upstream: k8s.io/endpointslice and pkg/api/v1/pod. */
#pragma once

#include "control/meta.h"

enum { MAX_FAMILIES = 2 };

struct backend {
    const struct item *pod;
    const val *ports; /* {name, port, protocol, appProtocol}; pods with one port list share it */
    size_t ports_id;  /* equal lists have equal ids */
    bool ready, serving, terminating;
};

struct backends {
    const struct item *service;
    val *obj;
    bool headless, publish_not_ready;
    struct backend *at; /* by pod key; pods that have an address and have not finished */
    size_t n;
    const val **port_lists; /* by id */
    size_t port_list_count;
};

/* False: the service is gone, has no selector or is an external name: nothing is to be managed. */
bool backends_load(struct view *v, struct str key, struct backends *ret);

/* The pod's address of a family, or empty. */
struct str backend_ip(const struct backend *b, bool v6);
struct str backend_hostname(const struct backends *s, const struct backend *b); /* may be empty */
val *backend_ref(struct view *v, const struct backend *b);                      /* targetRef */

/* The service's labels without the ones that the controllers own; a new tree. */
val *backends_labels(struct view *v, const struct backends *s);

/* Marks the services that a change of a service or a pod concerns. */
void backends_mark(struct marks *m, const struct change *c);
