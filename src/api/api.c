#include "api/core.h"
#include "api/crd/crd.h"

#include "api/bootstrap.h"
#include "api/digest.h"
#include "api/authz/node_graph.h"
#include "api/authz/rbac.h"
#include "base/log.h"

static const char *copy_text(struct api *api, const char *z)
{
    return z ? arena_z(&api->arena, str_of(z)) : NULL;
}

static int set_up_pki(struct api *api, struct err *err)
{
    const struct pki *pki = api->config.pki;
    if (!pki)
        return 0;
    if (pki->kubelet_client_cert.n) {
        struct tls_config tls = {
            .cert_pem = pki->kubelet_client_cert,
            .key_pem = pki->kubelet_client_key,
            .ca_pem = pki->ca_cert,
        };
        if (tls_new(&tls, &api->kubelet_tls, err) != 0)
            return -1;
    }
    if (pki->sa_key.n && token_issuer_new(pki->sa_key, NULL, &api->tokens, err) != 0)
        return -1;
    api->strategy.tokens = api->tokens;
    return 0;
}

/* The namespaces that upstream's system-namespaces controller makes. */
static int make_namespaces(struct api *api, struct err *err)
{
    static const char *const names[] = {"default", "kube-system", "kube-public", "kube-node-lease"};
    static const char *const groups[] = {"system:masters", NULL};
    struct client *client;
    int rc = 0;
    if (api_client(api, "system:apiserver", groups, &client, err) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(names) && rc == 0; i++) {
        struct doc d;
        struct buf body = {0};
        struct client_response response = {0};
        doc_init(&d);
        buf_printf(&body,
                   "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}",
                   names[i]);
        struct client_request request = {.method = "POST",
                                         .path = STR("/api/v1/namespaces"),
                                         .content_type = STR("application/json"),
                                         .body = buf_str(&body)};
        rc = client_do(client, &request, &response, err);
        if (rc == 0 && response.status != 201 && response.status != 409)
            rc = err_internal(err, "making namespace %s: %.*s", names[i],
                              STR_ARG(bytes_str(response.body)));
        bytes_unref(response.body);
        buf_done(&body);
        doc_done(&d);
    }
    client_free(client);
    return rc;
}

int api_new(const struct api_config *config, struct api **ret, struct err *err)
{
    struct api *api = NEW(struct api);
    api->config = *config;
    api->config.data_dir = copy_text(api, config->data_dir);
    api->config.service_cidr = copy_text(api, config->service_cidr);
    api->config.pod_cidr = copy_text(api, config->pod_cidr);
    if (!config->node_port_min) {
        api->config.node_port_min = 30000;
        api->config.node_port_max = 32767;
    }
    api->world = config->world ? config->world : world_real();
    api->config.world = api->world;
    api->strategy = (struct strategy_config){
        .service_cidr = str_of(api->config.service_cidr),
        .node_port_min = api->config.node_port_min,
        .node_port_max = api->config.node_port_max,
    };
    pthread_mutex_init(&api->lock, NULL);
    pthread_mutex_init(&api->feeder_lock, NULL);
    list_init(&api->loops);
    kinds_init(&api->kinds);
    api->digests = digests_new(&api->kinds);
    /* Who may do what is known before the first thread that asks, and until after the last. */
    if (rbac_new(config->store, &api->rbac, err) != 0 ||
        node_graph_new(config->store, &api->node_graph, err) != 0 || crd_start(api, err) != 0 ||
        set_up_pki(api, err) != 0 || make_namespaces(api, err) != 0 ||
        bootstrap_objects(api, err) != 0) {
        api_free(api);
        return -1;
    }
    *ret = api;
    return 0;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    feeder_stop(api);
    crd_stop(api);
    rbac_free(api->rbac);
    node_graph_free(api->node_graph);
    token_issuer_free(api->tokens);
    tls_free(api->kubelet_tls);
    digests_free(api->digests);
    kinds_done(&api->kinds);
    pthread_mutex_destroy(&api->lock);
    pthread_mutex_destroy(&api->feeder_lock);
    arena_done(&api->arena);
    free(api);
}

const struct api_config *api_config(const struct api *api)
{
    return &api->config;
}

int api_attach(struct api *api, struct loop *loop, struct api_loop **ret, struct err *err)
{
    struct api_loop *at = NEW(struct api_loop);
    at->api = api;
    at->loop = loop;
    list_init(&at->suspended);
    list_init(&at->turnstile);
    pthread_mutex_init(&at->lock, NULL);
    if (hub_new(at, &at->hub, err) != 0) {
        pthread_mutex_destroy(&at->lock);
        free(at);
        return -1;
    }
    at->relays = relay_pool_new(at);
    pthread_mutex_lock(&api->lock);
    if (list_empty(&api->loops))
        at->expirer = expirer_new(at);
    list_add_tail(&api->loops, &at->link);
    pthread_mutex_unlock(&api->lock);
    *ret = at;
    return 0;
}

void api_detach(struct api_loop *at)
{
    if (!at)
        return;
    pthread_mutex_lock(&at->api->lock);
    list_del(&at->link);
    pthread_mutex_unlock(&at->api->lock);
    calls_abandon(at);
    expirer_free(at->expirer);
    relay_pool_free(at->relays);
    hub_free(at->hub);
    metrics_done(&at->counters);
    pthread_mutex_destroy(&at->lock);
    free(at);
}

void api_drain(struct api *api)
{
    atomic_store(&api->draining, true);
    pthread_mutex_lock(&api->lock);
    LIST_FOR (&api->loops, it)
        hub_drain(CONTAINER_OF(it, struct api_loop, link)->hub);
    pthread_mutex_unlock(&api->lock);
}
