/* The pod network of one node: a veth pair and a route for each pod, service addresses and names.
 *
 * Pods have their address with prefix 32 and reach everything, their neighbours included, through
 * the gateway, an address of the node's own bridge. The bridge has no ports: it only carries the
 * gateway, the name server's address and the route of services. So each packet passes the host's
 * routing and connection tracking, whatever the machine's bridge filter settings are, and an answer
 * to a service's client is always translated back. */
#include "node/podnet.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "client/cache.h"
#include "node/cluster_dns.h"
#include "node/net_ipam.h"
#include "node/net_link.h"
#include "node/service_proxy.h"

enum { NAME = 16, POLL_MS = 50 };

struct podnet {
    char *data_dir, *node_name, *node_ip, *tag;
    struct client *client;
    char bridge[NAME];
    struct cache *nodes, *services, *slices;
    char pod_cidr[64];
    pthread_t thread;
    atomic_bool stopping, ready; /* ready: ipam and bridge are there */
    struct net_ipam *ipam;
    _Atomic(struct service_proxy *) proxy;
    struct cluster_dns *dns;
    pthread_mutex_t lock; /* over dns_ip and the host ports that wait for the proxy */
    char dns_ip[PODNET_ADDR];
};

static const struct resource service_cidrs = {"networking.k8s.io", "v1", "servicecidrs", false};

static void bridge_name(const char *tag, char ret[NAME])
{
    const char *dash = strchr(tag, '-');
    snprintf(ret, NAME, "tt%.8s", dash ? dash + 1 : tag);
}

static void veth_name(const char *tag, const char *uid, char ret[NAME])
{
    XXH64_hash_t h = XXH64(uid, strlen(uid), XXH64(tag, strlen(tag), 0));
    snprintf(ret, NAME, "tv%011llx", (unsigned long long)h & 0xFFFFFFFFFFFULL);
}

/* --- what the caches tell --- */

static size_t index_service(const val *slice, struct str *ret, size_t max)
{
    struct str name = VAL_STR(slice, "metadata", "labels", "kubernetes.io/service-name");
    if (!name.n || !max)
        return 0;
    ret[0] = name;
    return 1;
}

static void service_changed(void *arg, enum cache_change change, struct obj *old, struct obj *now)
{
    (void)change;
    struct podnet *n = arg;
    struct service_proxy *proxy = atomic_load(&n->proxy);
    if (proxy)
        service_proxy_changed(proxy, obj_key(now ? now : old));
}

static void slice_changed(void *arg, enum cache_change change, struct obj *old, struct obj *now)
{
    (void)change;
    struct podnet *n = arg;
    struct service_proxy *proxy = atomic_load(&n->proxy);
    if (!proxy)
        return;
    struct obj *o = now ? now : old;
    struct doc d;
    doc_init(&d);
    struct str service;
    if (index_service(obj_parse(o, &d), &service, 1)) {
        struct buf key = {0};
        buf_printf(&key, "%.*s/%.*s", STR_ARG(obj_ns(o)), STR_ARG(service));
        service_proxy_changed(proxy, buf_str(&key));
        buf_done(&key);
    }
    doc_done(&d);
}

static int start_cache(struct podnet *n, const struct cache_config *config, struct cache **ret,
                       struct err *err)
{
    if (cache_new(n->client, config, ret, err))
        return -1;
    cache_start(*ret);
    return 0;
}

static int start_caches(struct podnet *n, struct err *err)
{
    struct buf self = {0};
    buf_printf(&self, "metadata.name=%s", n->node_name);
    const struct cache_config nodes = {.resource = &RES_NODES, .field_selector = self.p};
    const struct cache_config services = {
        .resource = &RES_SERVICES, .handler = service_changed, .arg = n};
    const struct cache_config slices = {.resource = &RES_ENDPOINTSLICES,
                                        .indexes = {index_service},
                                        .handler = slice_changed,
                                        .arg = n};
    int failed = start_cache(n, &nodes, &n->nodes, err) ||
                 start_cache(n, &services, &n->services, err) ||
                 start_cache(n, &slices, &n->slices, err);
    buf_done(&self);
    return failed ? -1 : 0;
}

/* --- set-up, by a thread of its own: the server may be away for a while --- */

/* A pause that ends early when the network is to stop; false then. */
static bool pause_ms(struct podnet *n, int ms)
{
    for (; ms > 0 && !atomic_load(&n->stopping); ms -= POLL_MS)
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    return !atomic_load(&n->stopping);
}

static bool find_pod_cidr(struct podnet *n)
{
    struct obj *node = cache_get(n->nodes, str_of(n->node_name));
    if (!node)
        return false;
    struct doc d;
    doc_init(&d);
    struct str cidr = VAL_STR(obj_parse(node, &d), "spec", "podCIDR");
    snprintf(n->pod_cidr, sizeof(n->pod_cidr), "%.*s", STR_ARG(cidr));
    doc_done(&d);
    obj_unref(node);
    return n->pod_cidr[0];
}

static void set_sysctl(const char *name, const char *value)
{
    struct err err;
    if (net_link_sysctl(NULL, name, value, &err))
        log_warn("podnet", "cannot set sysctl", "error", err.message);
}

static int set_up_bridge(struct podnet *n, struct err *err)
{
    struct buf dir = {0};
    buf_printf(&dir, "%s/net/ips", n->data_dir);
    int failed = net_ipam_new(dir.p, n->pod_cidr, &n->ipam, err);
    buf_done(&dir);
    struct net_link *l = NULL;
    if (failed || net_link_open(NULL, &l, err))
        return -1;
    failed =
        net_link_bridge(l, n->bridge, err) ||
        net_link_address(l, n->bridge, net_ipam_gateway(n->ipam), net_ipam_prefix(n->ipam), err) ||
        net_link_up(l, n->bridge, err);
    net_link_close(l);
    set_sysctl("ipv4/ip_forward", "1");
    return failed ? -1 : 0;
}

/* The host has no route to service addresses by itself; one over the bridge lets it send, and the
 * rules then translate. */
static int route_services(struct podnet *n, struct err *err)
{
    struct doc d;
    doc_init(&d);
    val *object;
    struct net_link *l = NULL;
    int failed = client_get(n->client, &service_cidrs, NULL, "kubernetes", &d, &object, err) ||
                 net_link_open(NULL, &l, err);
    if (!failed)
        VAL_FOR (VAL_PATH(object, "spec", "cidrs"), item) {
            struct str base, bits;
            int64_t prefix;
            char address[PODNET_ADDR];
            if (!str_cut(val_str(item), '/', &base, &bits) || !str_to_i64(bits, &prefix) ||
                str_find_char(base, ':') >= 0)
                continue;
            snprintf(address, sizeof(address), "%.*s", STR_ARG(base));
            failed |= net_link_route(l, n->bridge, address, (unsigned)prefix, NULL, err);
        }
    net_link_close(l);
    doc_done(&d);
    return failed ? -1 : 0;
}

static bool find_dns_ip(struct podnet *n)
{
    struct obj *service = cache_get(n->services, STR("kube-system/kube-dns"));
    if (!service)
        return false;
    struct doc d;
    doc_init(&d);
    struct str ip = VAL_STR(obj_parse(service, &d), "spec", "clusterIP");
    pthread_mutex_lock(&n->lock);
    snprintf(n->dns_ip, sizeof(n->dns_ip), "%.*s", STR_ARG(ip));
    bool found = n->dns_ip[0] >= '0' && n->dns_ip[0] <= '9';
    pthread_mutex_unlock(&n->lock);
    doc_done(&d);
    obj_unref(service);
    return found;
}

static int start_dns(struct podnet *n, struct err *err)
{
    struct net_link *l = NULL;
    int failed = net_link_open(NULL, &l, err) || net_link_address(l, n->bridge, n->dns_ip, 32, err);
    net_link_close(l);
    if (failed)
        return -1;
    const struct cluster_dns_config config = {.address = n->dns_ip,
                                              .domain = "cluster.local",
                                              .resolv_conf = "/etc/resolv.conf",
                                              .services = n->services,
                                              .slices = n->slices};
    return cluster_dns_start(&config, &n->dns, err);
}

static int start_proxy(struct podnet *n, struct err *err)
{
    const struct service_proxy_config config = {.tag = n->tag,
                                                .node_name = n->node_name,
                                                .node_ip = n->node_ip,
                                                .pod_cidr = n->pod_cidr,
                                                .services = n->services,
                                                .slices = n->slices};
    struct service_proxy *proxy;
    if (service_proxy_start(&config, &proxy, err))
        return -1;
    atomic_store(&n->proxy, proxy);
    return 0;
}

/* Repeats a step until it succeeds; false when the network is to stop. */
static bool insist(struct podnet *n, const char *what,
                   int (*step)(struct podnet *n, struct err *err))
{
    struct err err;
    for (int wait = 200; step(n, &err); wait = wait < 5000 ? wait * 2 : wait) {
        log_warn("podnet", "will try again", "step", what, "error", err.message);
        if (!pause_ms(n, wait))
            return false;
    }
    return !atomic_load(&n->stopping);
}

static bool await(struct podnet *n, bool (*there)(struct podnet *n))
{
    while (!there(n))
        if (!pause_ms(n, POLL_MS))
            return false;
    return true;
}

static bool caches_synced(struct podnet *n)
{
    return cache_synced(n->services) && cache_synced(n->slices);
}

static void *set_up(void *arg)
{
    struct podnet *n = arg;
    if (!await(n, find_pod_cidr) || !insist(n, "bridge", set_up_bridge) ||
        !await(n, caches_synced) || !insist(n, "service proxy", start_proxy))
        return NULL;
    await(n, find_dns_ip);
    atomic_store(&n->ready, true);
    log_info("podnet", "ready", "range", n->pod_cidr, "bridge", n->bridge);
    if (insist(n, "service route", route_services))
        insist(n, "cluster DNS", start_dns);
    return NULL;
}

int podnet_start(const struct podnet_config *config, struct podnet **ret, struct err *err)
{
    struct podnet *n = NEW(struct podnet);
    n->data_dir = mem_strdup(config->data_dir);
    n->node_name = mem_strdup(config->node_name);
    n->node_ip = mem_strdup(config->node_ip ? config->node_ip : "");
    n->tag = mem_strdup(config->tag);
    n->client = config->client;
    pthread_mutex_init(&n->lock, NULL);
    bridge_name(n->tag, n->bridge);
    if (start_caches(n, err) ||
        (pthread_create(&n->thread, NULL, set_up, n) && err_errno(err, "start a thread"))) {
        atomic_store(&n->stopping, true);
        n->thread = 0;
        podnet_stop(n);
        return -1;
    }
    *ret = n;
    return 0;
}

void podnet_stop(struct podnet *n)
{
    if (!n)
        return;
    atomic_store(&n->stopping, true);
    if (n->thread)
        pthread_join(n->thread, NULL);
    if (n->dns)
        cluster_dns_stop(n->dns);
    struct service_proxy *proxy = atomic_exchange(&n->proxy, NULL);
    cache_free(n->slices); /* no handler runs from here on */
    cache_free(n->services);
    cache_free(n->nodes);
    if (proxy)
        service_proxy_stop(proxy);
    net_ipam_free(n->ipam);
    pthread_mutex_destroy(&n->lock);
    free(n->data_dir);
    free(n->node_name);
    free(n->node_ip);
    free(n->tag);
    free(n);
}

const char *podnet_not_ready(struct podnet *n)
{
    return atomic_load(&n->ready) ? NULL
                                  : "container runtime network not ready: NetworkReady=false "
                                    "reason:NetworkPluginNotReady message:Network plugin returns "
                                    "error: cni plugin not initialized";
}

/* --- pods --- */

static int connect_pod(struct podnet *n, const char *uid, const char *netns, const char *ip,
                       struct err *err)
{
    char veth[NAME];
    veth_name(n->tag, uid, veth);
    struct net_link *host = NULL, *pod = NULL;
    const char *gateway = net_ipam_gateway(n->ipam);
    int failed = net_link_sysctl(netns, "ipv4/conf/all/accept_redirects", "0", err) ||
                 net_link_sysctl(netns, "ipv4/conf/default/accept_redirects", "0", err) ||
                 net_link_open(NULL, &host, err) || net_link_open(netns, &pod, err) ||
                 net_link_veth(host, veth, "eth0", netns, err) || net_link_up(host, veth, err) ||
                 net_link_route(host, veth, ip, 32, NULL, err) || net_link_up(pod, "lo", err) ||
                 net_link_address(pod, "eth0", ip, 32, err) || net_link_up(pod, "eth0", err) ||
                 net_link_route(pod, "eth0", gateway, 32, NULL, err) ||
                 net_link_route(pod, "eth0", NULL, 0, gateway, err);
    net_link_close(host);
    net_link_close(pod);
    return failed ? -1 : 0;
}

int podnet_attach(struct podnet *n, const char *uid, const char *netns_path,
                  const struct podnet_port *ports, size_t port_count, struct podnet_addrs *ret,
                  struct err *err)
{
    const char *why = podnet_not_ready(n);
    if (why)
        return err_internal(err, "%s", why);
    *ret = (struct podnet_addrs){.count = 1};
    if (net_ipam_take(n->ipam, uid, ret->ip[0], err) ||
        connect_pod(n, uid, netns_path, ret->ip[0], err))
        return -1;
    if (port_count)
        service_proxy_host_ports(atomic_load(&n->proxy), uid, ret->ip[0], ports, port_count);
    return 0;
}

void podnet_detach(struct podnet *n, const char *uid)
{
    if (!atomic_load(&n->ready))
        return;
    char veth[NAME];
    veth_name(n->tag, uid, veth);
    struct net_link *host;
    struct err err;
    if (net_link_open(NULL, &host, &err) == 0) {
        if (net_link_delete(host, veth, &err))
            log_warn("podnet", "cannot delete interface", "error", err.message);
        net_link_close(host);
    }
    service_proxy_host_ports(atomic_load(&n->proxy), uid, "", NULL, 0);
    net_ipam_give_back(n->ipam, uid);
}

bool podnet_dns(struct podnet *n, char ret[PODNET_ADDR])
{
    pthread_mutex_lock(&n->lock);
    memcpy(ret, n->dns_ip, PODNET_ADDR);
    pthread_mutex_unlock(&n->lock);
    return ret[0] != '\0';
}

static void visit_one(struct obj *o, void (*visit)(void *arg, const val *service), void *arg)
{
    struct doc d;
    doc_init(&d);
    const val *service = obj_parse(o, &d);
    if (service)
        visit(arg, service);
    doc_done(&d);
}

bool podnet_services(struct podnet *n, const char *ns, void (*visit)(void *arg, const val *service),
                     void *arg)
{
    if (!cache_synced(n->services))
        return false;
    struct obj **found;
    size_t count = cache_in_ns(n->services, str_of(ns), &found);
    for (size_t i = 0; i < count; i++)
        visit_one(found[i], visit, arg);
    obj_unref_all(found, count);
    struct obj *api =
        strcmp(ns, "default") ? cache_get(n->services, STR("default/kubernetes")) : NULL;
    if (api)
        visit_one(api, visit, arg);
    obj_unref(api);
    return true;
}

/* Interfaces of pods whose namespaces are still there; the leases tell which. */
static int delete_interfaces(struct net_link *l, const char *data_dir, const char *tag,
                             struct err *err)
{
    struct buf folder = {0};
    buf_printf(&folder, "%s/net/ips", data_dir);
    DIR *dir = opendir(folder.p);
    int failed = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct buf path = {0}, uid = {0};
        buf_printf(&path, "%s/%s", folder.p, e->d_name);
        if (e->d_name[0] != '.' && file_read(path.p, 256, &uid, NULL) == 0 && uid.n) {
            char veth[NAME];
            veth_name(tag, uid.p, veth);
            failed |= net_link_delete(l, veth, err);
        }
        buf_done(&path);
        buf_done(&uid);
    }
    if (dir)
        closedir(dir);
    buf_done(&folder);
    return failed;
}

int podnet_teardown(const char *data_dir, const char *tag, struct err *err)
{
    char bridge[NAME];
    bridge_name(tag, bridge);
    struct net_link *l = NULL;
    int failed = net_link_open(NULL, &l, err) || delete_interfaces(l, data_dir, tag, err) ||
                 net_link_delete(l, bridge, err);
    net_link_close(l);
    return failed | service_proxy_teardown(tag, err);
}
