#include "cli/presence.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "doc/time.h"

enum {
    RENEW_MS = 10000,
    GONE_MS = 15000,
    LEASE_SECONDS = 3600, /* then the Lease of a server that is gone is removed */
    MAX_PEERS = 64,
    NAME_ROOM = 64,
    TEXT_ROOM = 128,
};

static const char lease_ns[] = "kube-system";
static const char identity_label[] = "apiserver.kubernetes.io/identity";
static const char address_note[] = "tutti.dev/address";
static const char service[] = "kubernetes";

struct peer {
    char name[NAME_ROOM], address[TEXT_ROOM]; /* "10.0.0.1 6443" */
    char renewed[TIME_TEXT];
    int64_t at; /* mono ms: when it was seen to change */
};

struct presence {
    struct client *client;
    struct world *world;
    bool alone;
    char host[TEXT_ROOM], name[NAME_ROOM], holder[TEXT_ROOM], address[TEXT_ROOM];
    struct peer peers[MAX_PEERS];
    size_t count;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, stopping;
};

/* --- the own Lease --- */

/* The same after each start; upstream hashes the host's name, here several servers may be on one.
 * FNV-1a. */
static void make_name(struct presence *p)
{
    uint64_t h = 0xcbf29ce484222325;
    const char *parts[] = {p->host, p->address};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (const char *at = parts[i]; *at; at++)
            h = (h ^ (unsigned char)*at) * 0x100000001b3;
    snprintf(p->name, sizeof(p->name), "apiserver-%016llx", (unsigned long long)h);
    char uuid[37];
    world_uuid(p->world, uuid);
    snprintf(p->holder, sizeof(p->holder), "%s_%s", p->name, uuid);
}

static void fill_lease(struct presence *p, struct doc *d, val *lease)
{
    char now[TIME_TEXT];
    time_write_micro(wall_ns(p->world), now);
    val *meta = val_ensure_obj(d, lease, "metadata");
    val *labels = val_ensure_obj(d, meta, "labels"), *spec = val_ensure_obj(d, lease, "spec");
    val_set_z(d, meta, "name", p->name);
    val_set_z(d, labels, identity_label, "kube-apiserver");
    val_set_z(d, labels, "kubernetes.io/hostname", p->host);
    val_set_z(d, val_ensure_obj(d, meta, "annotations"), address_note, p->address);
    val_set_z(d, spec, "holderIdentity", p->holder);
    val_set_int(d, spec, "leaseDurationSeconds", LEASE_SECONDS);
    val_set_z(d, spec, "renewTime", now);
}

static int renew(struct presence *p, struct doc *d, struct err *err)
{
    val *lease;
    if (client_get(p->client, &RES_LEASES, lease_ns, p->name, d, &lease, err) == 0) {
        fill_lease(p, d, lease);
        return client_update(p->client, &RES_LEASES, lease_ns, p->name, NULL, lease, d, NULL, err);
    }
    if (err->code != 404)
        return -1;
    lease = val_new_obj(d);
    val_set_z(d, lease, "apiVersion", "coordination.k8s.io/v1");
    val_set_z(d, lease, "kind", "Lease");
    fill_lease(p, d, lease);
    return client_create(p->client, &RES_LEASES, lease_ns, lease, d, NULL, err);
}

/* --- the others' --- */

static struct peer *find_peer(struct presence *p, struct str name)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_is(name, p->peers[i].name))
            return &p->peers[i];
    if (p->count == MAX_PEERS)
        return NULL;
    struct peer *peer = &p->peers[p->count++];
    *peer = (struct peer){0};
    snprintf(peer->name, sizeof(peer->name), "%.*s", STR_ARG(name));
    return peer;
}

static bool is_garbage(const struct presence *p, struct str renewed)
{
    int64_t at;
    struct err err;
    return time_parse(renewed, &at, &err) == 0 &&
           wall_ns(p->world) - at > (int64_t)LEASE_SECONDS * 1000000000;
}

static void look_at(struct presence *p, const val *lease)
{
    struct str name = VAL_STR(lease, "metadata", "name"),
               renewed = VAL_STR(lease, "spec", "renewTime");
    struct str address = val_str(val_get(VAL_PATH(lease, "metadata", "annotations"), address_note));
    struct err err;
    char z[NAME_ROOM];
    if (name.n >= NAME_ROOM || address.n >= TEXT_ROOM)
        return;
    snprintf(z, sizeof(z), "%.*s", STR_ARG(name));
    if (is_garbage(p, renewed)) {
        client_delete(p->client, &RES_LEASES, lease_ns, z, NULL, &err);
        return;
    }
    struct peer *peer = find_peer(p, name);
    if (!peer || str_is(renewed, peer->renewed))
        return;
    snprintf(peer->renewed, sizeof(peer->renewed), "%.*s", STR_ARG(renewed));
    snprintf(peer->address, sizeof(peer->address), "%.*s", STR_ARG(address));
    peer->at = mono_ms(p->world);
}

static int look_at_all(struct presence *p, struct doc *d, struct err *err)
{
    const struct client_request request = {
        .method = "GET",
        .path = STR("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"),
        .query = STR("labelSelector=apiserver.kubernetes.io/identity%3Dkube-apiserver")};
    struct client_response response = {0};
    val *list;
    if (client_do(p->client, &request, &response, err))
        return -1;
    int rc = response.status == 200
                 ? doc_parse_json(d, bytes_str(response.body), &list, err)
                 : err_internal(err, "listing leases: status %d", response.status);
    bytes_unref(response.body);
    if (rc)
        return -1;
    VAL_FOR (val_get(list, "items"), lease)
        look_at(p, lease);
    size_t kept = 0; /* those that have gone leave room for others */
    for (size_t i = 0; i < p->count; i++)
        if (mono_ms(p->world) - p->peers[i].at < LEASE_SECONDS * 1000LL)
            p->peers[kept++] = p->peers[i];
    p->count = kept;
    return 0;
}

/* --- the endpoints --- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The addresses of those that are alive, sorted, each once. */
static size_t alive(const struct presence *p, bool with_own, const char **ret)
{
    size_t n = 0, kept = 0;
    int64_t now = mono_ms(p->world);
    if (with_own)
        ret[n++] = p->address;
    for (size_t i = 0; i < p->count; i++)
        if (now - p->peers[i].at < GONE_MS && *p->peers[i].address &&
            strcmp(p->peers[i].name, p->name))
            ret[n++] = p->peers[i].address;
    if (n)
        qsort(ret, n, sizeof(*ret), by_text);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(ret[kept - 1], ret[i]))
            ret[kept++] = ret[i];
    return kept;
}

static val *port_list(struct doc *d, int64_t port)
{
    val *ports = val_new_arr(d), *one = val_new_obj(d);
    val_set_z(d, one, "name", "https");
    val_set_int(d, one, "port", port);
    val_set_z(d, one, "protocol", "TCP");
    val_push(ports, one);
    return ports;
}

static bool split(const char *address, struct str *ret_ip, int64_t *ret_port)
{
    struct str port;
    return str_cut(str_of(address), ' ', ret_ip, &port) && str_to_i64(port, ret_port);
}

/* All addresses of a subset or slice have one port, and so have the servers of a cluster; any that
 * are on another than the first are left out. */
static val *with_one_port(struct doc *d, const char *const *addresses, size_t n, int64_t *ret_port)
{
    val *ips = val_new_arr(d);
    *ret_port = 0;
    for (size_t i = 0; i < n; i++) {
        struct str ip;
        int64_t port;
        if (!split(addresses[i], &ip, &port) || (*ret_port && port != *ret_port))
            continue;
        *ret_port = port;
        val_push(ips, val_new_str(d, ip));
    }
    return ips;
}

static val *endpoints_object(struct doc *d, const val *ips, int64_t port)
{
    val *object = val_new_obj(d), *addresses = val_new_arr(d), *subset = val_new_obj(d);
    VAL_FOR (ips, ip) {
        val *one = val_new_obj(d);
        val_set_s(d, one, "ip", val_str(ip));
        val_push(addresses, one);
    }
    val_set(d, subset, "addresses", addresses);
    val_set(d, subset, "ports", port_list(d, port));
    val_set_z(d, object, "apiVersion", "v1");
    val_set_z(d, object, "kind", "Endpoints");
    val *meta = val_ensure_obj(d, object, "metadata");
    val_set_z(d, meta, "name", service);
    val_set_z(d, val_ensure_obj(d, meta, "labels"), "endpointslice.kubernetes.io/skip-mirror",
              "true");
    val_push(val_ensure_arr(d, object, "subsets"), subset);
    return object;
}

static val *slice_object(struct doc *d, const val *ips, int64_t port)
{
    val *object = val_new_obj(d), *endpoints = val_new_arr(d);
    bool v6 = false;
    VAL_FOR (ips, ip) {
        val *one = val_new_obj(d);
        val_push(val_ensure_arr(d, one, "addresses"), val_new_str(d, val_str(ip)));
        val_set_bool(d, val_ensure_obj(d, one, "conditions"), "ready", true);
        val_push(endpoints, one);
        v6 = str_find(val_str(ip), STR(":")) >= 0;
    }
    val_set_z(d, object, "apiVersion", "discovery.k8s.io/v1");
    val_set_z(d, object, "kind", "EndpointSlice");
    val *meta = val_ensure_obj(d, object, "metadata");
    val_set_z(d, meta, "name", service);
    val_set_z(d, val_ensure_obj(d, meta, "labels"), "kubernetes.io/service-name", service);
    val_set_z(d, object, "addressType", v6 ? "IPv6" : "IPv4");
    val_set(d, object, "endpoints", endpoints);
    val_set(d, object, "ports", port_list(d, port));
    return object;
}

/* Makes the object's fields, but for its metadata, those of `want`. */
static int put(struct presence *p, const struct resource *r, struct doc *d, const val *want,
               struct err *err)
{
    val *have;
    if (client_get(p->client, r, "default", service, d, &have, err))
        return err->code == 404 ? client_create(p->client, r, "default", want, d, NULL, err) : -1;
    bool same = true;
    VAL_EACH (want, key, member) {
        if (str_is(val_str(key), "metadata") || val_eq(val_get_str(have, val_str(key)), member))
            continue;
        same = false;
        val_set_str(d, have, val_str(key), val_copy(d, member));
    }
    return same ? 0 : client_update(p->client, r, "default", service, NULL, have, d, NULL, err);
}

static int publish(struct presence *p, struct doc *d, bool with_own, struct err *err)
{
    const char *addresses[MAX_PEERS + 1];
    int64_t port;
    size_t n = alive(p, with_own, addresses);
    val *ips = with_one_port(d, addresses, n, &port);
    if (!val_len(ips))
        return 0; /* better old ones than none */
    return put(p, &RES_ENDPOINTS, d, endpoints_object(d, ips, port), err) ||
                   put(p, &RES_ENDPOINTSLICES, d, slice_object(d, ips, port), err)
               ? -1
               : 0;
}

/* --- life --- */

static void pass(struct presence *p)
{
    struct doc d;
    struct err err;
    doc_init(&d);
    if (renew(p, &d, &err) || (!p->alone && look_at_all(p, &d, &err)) || publish(p, &d, true, &err))
        log_write(err.code == 409 ? LOG_DEBUG : LOG_WARN, "server",
                  "the server's lease or endpoints were not renewed", "error", err.message,
                  (char *)0);
    doc_done(&d);
}

static void leave(struct presence *p)
{
    struct doc d;
    struct err err;
    doc_init(&d);
    if (client_delete(p->client, &RES_LEASES, lease_ns, p->name, NULL, &err) ||
        publish(p, &d, false, &err))
        log_debug("server", "the server's endpoint was not removed", "error", err.message);
    doc_done(&d);
}

static void *run(void *arg)
{
    struct presence *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        struct timespec until;
        pthread_mutex_unlock(&p->lock);
        pass(p);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += RENEW_MS / 1000;
        pthread_mutex_lock(&p->lock);
        while (!p->stopping && pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&p->lock);
    if (!p->alone)
        leave(p);
    return NULL;
}

int presence_start(struct client *c, struct world *w, const struct presence_config *config,
                   struct presence **ret, struct err *err)
{
    struct presence *p = NEW(struct presence);
    p->client = c;
    p->world = w;
    p->alone = config->alone;
    snprintf(p->host, sizeof(p->host), "%s", config->host);
    snprintf(p->address, sizeof(p->address), "%s %d", config->address, config->port);
    make_name(p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&p->thread, NULL, run, p)) {
        presence_stop(p);
        return err_errno(err, "start a thread");
    }
    p->running = true;
    *ret = p;
    return 0;
}

void presence_stop(struct presence *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (p->running)
        pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
