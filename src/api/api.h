/* api.h: the Kubernetes API server, the door of this room.
 *
 *     api_new(&config, &api, &err);
 *     for each loop: api_attach(api, loop, &at, &err);
 *                    http_server_new(loop, &{.handler = api_http_handler, .arg = at, …}, …);
 *     api_client(api, "system:kube-controller-manager", groups, &client, &err);
 *     … api_drain(api), stop the HTTP servers and the loops, api_detach each, api_free.
 *
 * A request is a state machine (call.h): it authenticates, finds its route, authorizes, decodes,
 * asks the kind's strategy, and either answers or submits one atomic write and goes on when that is
 * durable. It never blocks the loop it runs on. The same machine serves callers in this process,
 * where it runs on the caller's thread and waits for the write there. */
#pragma once

#include "api/authn/user.h"
#include "base/clock.h"
#include "client/client.h"
#include "net/http.h"
#include "store/store.h"

struct api;
struct api_loop;
struct pki;

struct api_config {
    struct store *store;  /* borrowed, outlives the api */
    const char *data_dir; /* where keys and certificates live; copied */
    /* Borrowed. Its CA and kubelet client certificate reach the agents for logs, exec and
     * port-forward, its sa_key signs tokens. NULL (tests): those answer 500. */
    const struct pki *pki;

    const char *service_cidr, *pod_cidr; /* "10.96.0.0/16"; copied */
    int node_port_min, node_port_max;    /* 0: 30000 … 32767, both ends included */
    struct world *world;                 /* NULL: world_real() */
};

/* Also makes what every cluster has from its first moment on (the system's namespaces). */
int api_new(const struct api_config *config, struct api **ret, struct err *err);
void api_free(struct api *api); /* after all loops are detached and all clients freed */

/* What a strategy may ask for. The strings live as long as the api. */
const struct api_config *api_config(const struct api *api);

/* Makes the loop serve requests and watches. On the loop's thread, or before it runs. */
int api_attach(struct api *api, struct loop *loop, struct api_loop **ret, struct err *err);
/* After the loop's HTTP servers are gone; ends the watches that are left. */
void api_detach(struct api_loop *at);

http_handler api_http_handler; /* arg: the loop's struct api_loop */

/* From now on /readyz fails, new watches are refused with 503 and those under way end. Any thread.
 */
void api_drain(struct api *api);

/* A client that calls this api without a socket, as the given user (groups end in NULL). Calls run
 * on the caller's thread; watches are fed from one thread that all such clients share. */
int api_client(struct api *api, const char *user, const char *const *groups, struct client **ret,
               struct err *err);
