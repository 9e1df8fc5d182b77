/* tutti server: the store, the API server on one loop a core, and the controllers. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "api/authn/pki.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/bootstrap.h"
#include "cli/cli.h"
#include "cli/cluster.h"
#include "cli/presence.h"
#include "cli/ranges.h"
#include "cli/ready.h"
#include "cli/store_spec.h"
#include "control/control.h"
#include "control/leader.h"

enum { MAX_LOOPS = 16, DRAIN_MS = 2000 };

/* One core's share: a loop, its TLS context and its listeners on the common port. */
struct shard {
    struct loop *loop;
    struct tls *tls;
    struct api_loop *at;
    struct http_server *servers[2];
    size_t server_count, drained;
    struct loop_msg stop;
    pthread_t thread;
    bool running;
};

struct server {
    const char *data_dir, *listen, *advertise, *node_name;
    char host[256], identity[300];
    struct store_spec store_spec;
    struct ranges ranges;
    struct pki pki;
    struct store *store;
    struct api *api;
    struct client *controller_client;
    struct leader *leader;
    struct control *control; /* while this server is the leader */
    struct presence *presence;
    struct shard shards[MAX_LOOPS];
    size_t shard_count;
};

static void split_listen(const char *listen, char *ret_ip, size_t size, int *ret_port)
{
    const char *colon = strrchr(listen, ':');
    snprintf(ret_ip, size, "%.*s", colon ? (int)(colon - listen) : (int)strlen(listen), listen);
    *ret_port = colon ? atoi(colon + 1) : 6443;
}

/* Pods cannot reach a loopback address. Then the API is served on the first node's bridge as well,
 * before the bridge exists. */
static bool needs_gateway(const char *ip)
{
    return strncmp(ip, "127.", 4) == 0 || strcmp(ip, "[::1]") == 0 || strcmp(ip, "localhost") == 0;
}

static int listen_gateway(const char *ip, int port, struct err *err)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, ip, &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1024)) {
        err_errno(err, "listen on %s:%d", ip, port);
        close(fd);
        return -1;
    }
    return fd;
}

static int add_server(struct shard *h, struct http_server_config *config, struct err *err)
{
    config->tls = h->tls;
    config->handler = api_http_handler;
    config->arg = h->at;
    config->reuse_port = true;
    if (http_server_new(h->loop, config, &h->servers[h->server_count], err))
        return -1;
    h->server_count++;
    return 0;
}

static int make_shard(struct server *s, struct shard *h, struct err *err)
{
    const struct tls_config tls = {.cert_pem = s->pki.server_cert,
                                   .key_pem = s->pki.server_key,
                                   .ca_pem = s->pki.ca_cert,
                                   .server = true,
                                   .http2 = true};
    if (loop_new(&h->loop, err) || tls_new(&tls, &h->tls, err) ||
        api_attach(s->api, h->loop, &h->at, err))
        return -1;
    char ip[256];
    int port;
    split_listen(s->listen, ip, sizeof(ip), &port);
    struct http_server_config main_config = {.listen = s->listen, .listen_fd = -1};
    if (add_server(h, &main_config, err))
        return -1;
    if (!needs_gateway(ip))
        return 0;
    struct http_server_config gateway = {.listen_fd =
                                             listen_gateway(s->ranges.gateway_ip, port, err)};
    return gateway.listen_fd < 0 ? -1 : add_server(h, &gateway, err);
}

static void *run_shard(void *arg)
{
    struct shard *h = arg;
    loop_run(h->loop);
    return NULL;
}

static int start_shards(struct server *s, struct err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    s->shard_count = cores < 1 ? 1 : cores > MAX_LOOPS ? MAX_LOOPS : (size_t)cores;
    for (size_t i = 0; i < s->shard_count; i++)
        if (make_shard(s, &s->shards[i], err))
            return -1;
    for (size_t i = 0; i < s->shard_count; i++) {
        struct shard *h = &s->shards[i];
        if (pthread_create(&h->thread, NULL, run_shard, h))
            return err_errno(err, "start a thread");
        h->running = true;
    }
    return 0;
}

static void shard_drained(void *arg)
{
    struct shard *h = arg;
    if (++h->drained == h->server_count)
        loop_stop(h->loop);
}

static void drain_shard(struct loop_msg *m)
{
    struct shard *h = CONTAINER_OF(m, struct shard, stop);
    for (size_t i = 0; i < h->server_count; i++)
        http_server_drain(h->servers[i], DRAIN_MS, shard_drained, h);
}

static void stop_shards(struct server *s)
{
    for (size_t i = 0; i < s->shard_count; i++) {
        struct shard *h = &s->shards[i];
        h->stop.fn = drain_shard;
        if (h->running)
            loop_post(h->loop, &h->stop);
    }
    for (size_t i = 0; i < s->shard_count; i++) {
        struct shard *h = &s->shards[i];
        if (h->running)
            pthread_join(h->thread, NULL);
        for (size_t j = 0; j < h->server_count; j++)
            http_server_free(h->servers[j]);
        if (h->at)
            api_detach(h->at);
        tls_free(h->tls);
        if (h->loop)
            loop_free(h->loop);
    }
}

/* --- the work that one server does for all --- */

static int begin_control(void *arg)
{
    struct server *s = arg;
    struct err err;
    const struct control_config config = {.pod_cidr = s->ranges.pod_cidr, .ca_pem = s->pki.ca_cert};
    if (control_start(s->controller_client, world_real(), &config, &s->control, &err) == 0)
        return 0;
    log_error("server", "the controllers do not start", "error", err.message);
    return -1;
}

static void end_control(void *arg)
{
    struct server *s = arg;
    control_stop(s->control);
    s->control = NULL;
}

static int start_leader(struct server *s, struct err *err)
{
    static const char *const leases[] = {"kube-controller-manager", "kube-scheduler", NULL};
    char uuid[37];
    world_uuid(world_real(), uuid);
    snprintf(s->identity, sizeof(s->identity), "%s_%s", s->host, uuid);
    const struct leader_config config = {.leases = leases,
                                         .identity = s->identity,
                                         .alone = !store_is_shared(s->store),
                                         .won = begin_control,
                                         .lost = end_control,
                                         .arg = s};
    return leader_start(s->controller_client, world_real(), &config, &s->leader, err);
}

static int start_control(struct server *s, struct err *err)
{
    static const char *const groups[] = {"system:masters", NULL};
    char ip[256];
    int port;
    split_listen(s->listen, ip, sizeof(ip), &port);
    if (api_client(s->api, "system:kube-controller-manager", groups, &s->controller_client, err))
        return -1;
    const struct bootstrap_config objects = {.ranges = &s->ranges, .port = port};
    const struct presence_config presence = {.host = s->host,
                                             .address = s->advertise        ? s->advertise
                                                        : needs_gateway(ip) ? s->ranges.gateway_ip
                                                                            : ip,
                                             .port = port,
                                             .alone = !store_is_shared(s->store)};
    if (bootstrap(s->controller_client, &objects, err) || start_leader(s, err))
        return -1;
    return presence_start(s->controller_client, world_real(), &presence, &s->presence, err);
}

static int open_store(struct server *s, struct err *err)
{
    struct buf dir = {0};
    struct store_config config;
    s->store_spec.data_dir = s->data_dir;
    int failed =
        store_spec_parse(&s->store_spec, &dir, &config, err) || store_open(&config, &s->store, err);
    buf_done(&dir);
    return failed ? -1 : 0;
}

static int start(struct server *s, const char *service_cidr, const char *pod_cidr, struct err *err)
{
    struct ranges common;
    struct in6_addr address;
    if (s->advertise && inet_pton(AF_INET, s->advertise, &address) != 1 &&
        inet_pton(AF_INET6, s->advertise, &address) != 1)
        return err_bad(err, "--advertise-address: \"%s\" is not an address", s->advertise);
    if (file_mkdirs(s->data_dir, 0700, err) || open_store(s, err) ||
        cluster_ranges(s->store, &common, err))
        return -1;
    if (!*service_cidr)
        service_cidr = common.service_cidr;
    if (!*pod_cidr)
        pod_cidr = common.pod_cidr;
    if (ranges_ensure(s->data_dir, service_cidr, pod_cidr, &s->ranges, err))
        return -1;
    const char *const names[] = {s->ranges.gateway_ip, s->advertise, NULL};
    const struct pki_config pki = {.dir = s->data_dir,
                                   .listen = s->listen,
                                   .service_ip = s->ranges.service_ip,
                                   .node_name = s->node_name,
                                   .extra = names};
    if (pki_ensure(&pki, &s->pki, err) ||
        cluster_agree(s->store, s->data_dir, &s->ranges, s->pki.ca_cert, err))
        return -1;
    const struct api_config config = {.store = s->store,
                                      .data_dir = s->data_dir,
                                      .pki = &s->pki,
                                      .service_cidr = s->ranges.service_cidr,
                                      .pod_cidr = s->ranges.pod_cidr};
    return api_new(&config, &s->api, err) || start_control(s, err) || start_shards(s, err) ? -1 : 0;
}

static void stop(struct server *s)
{
    if (s->api)
        api_drain(s->api);
    if (s->store)
        store_hurry(s->store);
    presence_stop(s->presence);
    leader_stop(s->leader);
    stop_shards(s);
    client_free(s->controller_client);
    if (s->api)
        api_free(s->api);
    if (s->store)
        store_close(s->store);
    pki_done(&s->pki);
}

int cmd_server(int argc, char **argv)
{
    struct server s = {.data_dir = CLI_DEFAULT_DATA_DIR, .listen = CLI_DEFAULT_LISTEN};
    default_node_name(s.host, sizeof(s.host));
    s.node_name = s.host;
    const char *service_cidr = "", *pod_cidr = "";
    bool verbose = false;
    const struct cli_option options[] = {
        {"data-dir", &s.data_dir, NULL, "DIR",
         "where everything is kept (" CLI_DEFAULT_DATA_DIR ")"},
        {"listen", &s.listen, NULL, "ADDR:PORT",
         "where the API is served (" CLI_DEFAULT_LISTEN ")"},
        {"advertise-address", &s.advertise, NULL, "IP",
         "where agents, pods and other servers reach this one (the address listened on)"},
        {"node-name", &s.node_name, NULL, "NAME",
         "the node that gets a credential in DIR (the host's name)"},
        {"service-cidr", &service_cidr, NULL, "CIDR", "addresses of services"},
        {"pod-cidr", &pod_cidr, NULL, "CIDR", "addresses of pods"},
        {"store", &s.store_spec.text, NULL, "STORE", "etcd=URL,URL… instead of the store in DIR"},
        {"etcd-cafile", &s.store_spec.cafile, NULL, "FILE", "who signs etcd's certificates"},
        {"etcd-certfile", &s.store_spec.certfile, NULL, "FILE", "the certificate shown to etcd"},
        {"etcd-keyfile", &s.store_spec.keyfile, NULL, "FILE", "its key"},
        {"etcd-compaction-interval", &s.store_spec.compaction, NULL, "DURATION",
         "how long old resource versions and continue tokens are good for (5m0s)"},
        {"verbose", NULL, &verbose, NULL, "log more"},
        {0},
    };
    int rest;
    int parsed = cli_parse("server", options, argc, argv, &rest);
    if (parsed)
        return parsed < 0 ? 2 : 0;
    if (verbose)
        log_set_level(LOG_DEBUG);

    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    struct err err;
    if (start(&s, service_cidr, pod_cidr, &err)) {
        log_error("server", "cannot start", "error", err.message);
        stop(&s);
        return cli_fail("server", &err);
    }
    log_info("server", "ready", "url", s.listen);
    int caught;
    sigwait(&ends, &caught);
    log_info("server", "stopping");
    stop(&s);
    return 0;
}
