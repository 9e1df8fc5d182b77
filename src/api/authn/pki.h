/* pki.h: the cluster's own certificate authority and the credentials that it signs.
 *
 * Made on first start in DIR/pki (ECDSA P-256; keys 0600) and kept: later starts read them. A
 * certificate is issued anew when its names changed or a third of its life is left; the authority
 * and the service-account key never change. Every file is replaced atomically. Blocking, a few
 * milliseconds; for the start of the server.
 *
 *   DIR/pki/ca.crt ca.key               the authority, ten years
 *   DIR/pki/server.crt server.key       the API server's own
 *   DIR/pki/kubelet-client.crt .key     the server towards agents: CN=kube-apiserver-kubelet-client
 *                                       O=system:masters
 *   DIR/pki/admin.crt admin.key         CN=kubernetes-admin O=system:masters
 *   DIR/pki/node.crt node.key           CN=system:node:NAME O=system:nodes, client
 *   DIR/pki/node-serving.crt .key       the agent's own HTTPS endpoint, same subject, server
 *   DIR/pki/sa.key sa.pub               signs service-account tokens
 *   DIR/admin.kubeconfig                0600, certificates inline
 *   DIR/agent.kubeconfig                0600, the node credential inline
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

struct pki_config {
    const char *dir;        /* the data directory */
    const char *listen;     /* "127.0.0.1:6443", "[::]:6443": its address becomes a name of the
                               server, and kubeconfigs point at it (a wildcard becomes loopback) */
    const char *service_ip; /* first address of the service range, "10.96.0.1"; NULL: none */
    const char *host_name;  /* NULL: gethostname */
    const char *node_name;  /* NULL: the host name; its agent gets a credential */
    const char *const
        *extra;          /* more names or addresses of the server, NULL-terminated; NULL: none */
    struct world *world; /* the clock; NULL: world_real() */
};

/* PEM texts. */
struct pki {
    struct arena arena; /* holds all below */
    struct str ca_cert;
    struct str server_cert, server_key;
    struct str kubelet_client_cert, kubelet_client_key;
    struct str node_serving_cert, node_serving_key;
    struct str sa_key;
    struct str server_url; /* "https://127.0.0.1:6443" */
};

int pki_ensure(const struct pki_config *config, struct pki *ret, struct err *err);
void pki_done(struct pki *p);

/* A new client certificate and key, for tests and joining nodes. organization may be NULL. */
int pki_issue_client(const char *dir, const char *common_name, const char *organization,
                     int64_t days, struct arena *a, struct str *ret_cert, struct str *ret_key,
                     struct err *err);
