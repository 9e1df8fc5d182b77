#include "node/service_proxy.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/map.h"
#include "node/conntrack.h"
#include "node/service_rules.h"

enum { COLLECT_MS = 5, RETRY_MS = 1000, MAX_SLICES = 1024 };

/* What the kernel has of one Service. */
struct installed {
    struct arena arena;
    struct plan plan;
    struct rule_place *places; /* one a port */
};

struct host_ports {
    size_t count;
    struct {
        uint8_t key[8], data[8];
    } ports[];
};

struct service_proxy {
    char *tag, *node_name;
    struct service_rules rules;
    struct cache *services, *slices;
    struct nft *nft;
    uint32_t last_id, next_slot; /* never used twice until the table is built anew */
    struct map installed;        /* "ns/name" -> struct installed; the worker's */
    struct map installed_ports; /* uid -> struct host_ports, as the kernel has them; the worker's */
    bool broken;                /* the kernel's state is not known: build anew */

    pthread_t thread;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t wake;
    struct map dirty;        /* "ns/name" -> p */
    struct map wanted_ports; /* uid -> struct host_ports */
    bool ports_dirty, stopping;
};

/* UDP flows that must not go on: collected while changes are planned. */
struct udp_change {
    struct arena arena;
    const struct plan_port **ports; /* the present plans of changed UDP ports */
    size_t count, cap;
};

/* --- one Service: read, plan, replace --- */

static void free_installed(struct installed *s)
{
    if (!s)
        return;
    arena_done(&s->arena);
    free(s);
}

static struct installed *read_service(struct service_proxy *p, struct str key)
{
    struct obj *o = cache_get(p->services, key);
    if (!o)
        return NULL;
    struct installed *s = NEW(struct installed);
    struct doc d;
    doc_init(&d);
    struct obj **slices;
    size_t n = cache_by_index(p->slices, 0, obj_name(o), &slices), used = 0;
    const val **parsed =
        arena_zalloc(&s->arena, (n < MAX_SLICES ? n : MAX_SLICES) * sizeof(*parsed));
    for (size_t i = 0; i < n && used < MAX_SLICES; i++)
        if (str_eq(obj_ns(slices[i]), obj_ns(o)))
            parsed[used++] = obj_parse(slices[i], &d);
    plan_service(&s->arena, obj_parse(o, &d), parsed, used, p->node_name, &s->plan);
    obj_unref_all(slices, n);
    doc_done(&d);
    obj_unref(o);
    return s;
}

static uint32_t take_slots(struct service_proxy *p, size_t count)
{
    uint32_t first = p->next_slot;
    p->next_slot += (uint32_t)count;
    return first;
}

/* A port keeps its number, and with it the memory of its clients, while the service lives. Its
 * endpoints move to fresh slots. */
static void give_places(struct service_proxy *p, struct installed *now,
                        const struct installed *before)
{
    now->places = arena_zalloc(&now->arena, now->plan.port_count * sizeof(*now->places));
    for (size_t i = 0; i < now->plan.port_count; i++) {
        struct rule_place *at = &now->places[i];
        at->id = before && i < before->plan.port_count ? before->places[i].id : ++p->last_id;
        at->slots = take_slots(p, now->plan.ports[i].count);
        at->external_slots = take_slots(p, now->plan.ports[i].external_count);
    }
}

static void note_udp(struct udp_change *u, const struct plan *plan)
{
    for (size_t i = 0; i < plan->port_count; i++) {
        if (plan->ports[i].protocol != IPPROTO_UDP)
            continue;
        if (u->count == u->cap) {
            u->cap = u->cap ? u->cap * 2 : 16;
            u->ports = mem_realloc_array(u->ports, u->cap, sizeof(*u->ports));
        }
        u->ports[u->count++] = &plan->ports[i];
    }
}

/* Does a flow go to a changed UDP port but is answered by none of its endpoints? */
static bool is_stale(void *arg, const struct conntrack_flow *f)
{
    const struct udp_change *u = arg;
    for (size_t i = 0; i < u->count; i++) {
        const struct plan_port *port = u->ports[i];
        bool ours = false, known = false;
        for (size_t j = 0; j < port->element_count && !ours; j++) {
            const struct plan_element *e = &port->elements[j];
            bool by_port = e->map == PLAN_NODE_PORTS || e->map == PLAN_REJECT_PORTS;
            ours = by_port ? memcmp(e->key + 4, &f->to_port, 2) == 0
                           : memcmp(e->key, &f->to_ip, 4) == 0 &&
                                 memcmp(e->key + 8, &f->to_port, 2) == 0;
        }
        for (size_t j = 0; ours && j < port->count && !known; j++)
            known = memcmp(port->endpoints[j].ip, &f->answer_ip, 4) == 0 &&
                    port->endpoints[j].port == f->answer_port;
        if (ours && !known)
            return true;
    }
    return false;
}

/* Clients that are bound to an endpoint which went are set free. */
struct affinity_search {
    struct nft *nft;
    const struct plan_port *port;
};

static void drop_stale_client(void *arg, const void *key, const void *data)
{
    const struct affinity_search *search = arg;
    const struct plan_port *port = search->port;
    for (size_t i = 0; i < port->count; i++)
        if (memcmp(port->endpoints[i].ip, data, 4) == 0 &&
            memcmp(&port->endpoints[i].port, (const char *)data + 4, 2) == 0)
            return;
    nft_element(search->nft, key, NULL, NULL);
}

static int clean_service(struct service_proxy *p, const struct installed *s, struct err *err)
{
    int failed = 0;
    for (size_t i = 0; i < s->plan.port_count; i++) {
        char name[RULE_SET_NAME];
        const struct nft_set affinity = rules_affinity(s->places[i].id, name);
        struct affinity_search search = {p->nft, &s->plan.ports[i]};
        nft_begin_elements(p->nft, &affinity, true);
        failed |= nft_dump(p->nft, &affinity, drop_stale_client, &search, err);
        nft_end_elements(p->nft);
    }
    return failed;
}

static void clean_affinity(struct service_proxy *p, const struct map *changed)
{
    struct err err;
    int failed = 0;
    nft_begin(p->nft);
    for (struct map_entry *e = NULL; (e = map_next(changed, e));)
        failed |= clean_service(p, e->value, &err);
    if (nft_commit(p->nft, &err) || failed)
        log_warn("service_proxy", "cannot clean session affinity", "error", err.message);
}

/* --- host ports --- */

static void change_host_ports(struct service_proxy *p, const struct host_ports *h, bool delete)
{
    nft_begin_elements(p->nft, &rules_host_ports, delete);
    for (size_t i = 0; i < h->count; i++)
        nft_element(p->nft, h->ports[i].key, delete ? NULL : h->ports[i].data, NULL);
    nft_end_elements(p->nft);
}

static struct host_ports *copy_host_ports(const struct host_ports *h)
{
    size_t n = sizeof(*h) + h->count * sizeof(h->ports[0]);
    return memcpy(mem_alloc(n), h, n);
}

static void forget_host_ports(struct map *m)
{
    for (struct map_entry *e = NULL; (e = map_next(m, e));)
        free(e->value);
    map_done(m);
}

/* All of them in one go: there are few, and a port may move from one pod to another. */
static void sync_host_ports(struct service_proxy *p, const struct map *wanted)
{
    for (struct map_entry *e = NULL; !p->broken && (e = map_next(&p->installed_ports, e));)
        change_host_ports(p, e->value, true);
    forget_host_ports(&p->installed_ports);
    for (struct map_entry *e = NULL; (e = map_next(wanted, e));) {
        change_host_ports(p, e->value, false);
        map_set(&p->installed_ports, map_key(e), copy_host_ports(e->value));
    }
}

/* --- the worker --- */

static void forget_all(struct service_proxy *p)
{
    for (struct map_entry *e = NULL; (e = map_next(&p->installed, e));)
        free_installed(e->value);
    map_done(&p->installed);
}

/* Puts the change of one service into the transaction; the old state is kept in `replaced` until
 * the commit. */
static void change_service(struct service_proxy *p, struct str key, struct map *affine,
                           struct udp_change *udp)
{
    struct installed *before = map_get(&p->installed, key), *now = read_service(p, key);
    if (before && now && plan_eq(&before->plan, &now->plan)) {
        free_installed(now);
        return;
    }
    if (before)
        rules_remove(p->nft, &before->plan, before->places,
                     now && now->plan.affinity_ms &&
                         now->plan.port_count == before->plan.port_count);
    if (now) {
        give_places(p, now, before);
        rules_add(p->nft, &p->rules, &now->plan, now->places);
        note_udp(udp, &now->plan);
        if (before && before->plan.affinity_ms && now->plan.affinity_ms)
            map_set(affine, key, now);
        map_set(&p->installed, key, now);
    } else if (before)
        map_del(&p->installed, key);
    free_installed(before);
}

static void change_all(struct service_proxy *p, struct map *affine, struct udp_change *udp)
{
    forget_all(p);
    p->last_id = p->next_slot = 0;
    nft_add_table(p->nft); /* so that there is one to delete */
    nft_delete_table(p->nft);
    rules_skeleton(p->nft, &p->rules);
    struct obj **all;
    size_t n = cache_all(p->services, &all);
    for (size_t i = 0; i < n; i++)
        change_service(p, obj_key(all[i]), affine, udp);
    obj_unref_all(all, n);
}

static int sync_once(struct service_proxy *p, struct map *dirty, const struct map *ports,
                     struct err *err)
{
    struct map affine = {0};
    struct udp_change udp = {0};
    nft_begin(p->nft);
    if (p->broken)
        change_all(p, &affine, &udp);
    else
        for (struct map_entry *e = NULL; (e = map_next(dirty, e));)
            change_service(p, map_key(e), &affine, &udp);
    if (ports)
        sync_host_ports(p, ports);
    int failed = nft_commit(p->nft, err);
    p->broken = failed != 0;
    if (!failed) {
        struct err ignored;
        clean_affinity(p, &affine);
        if (udp.count && conntrack_forget_udp(is_stale, &udp, &ignored))
            log_warn("service_proxy", "cannot clean UDP connections", "error", ignored.message);
    }
    map_done(&affine);
    free(udp.ports);
    return failed;
}

static void wait_for_work(struct service_proxy *p)
{
    while (!p->stopping && !p->dirty.count && !p->ports_dirty && !p->broken)
        pthread_cond_wait(&p->wake, &p->lock);
    if (p->stopping || p->broken)
        return;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += COLLECT_MS * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!p->stopping && pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
        ;
}

static void pause_after_failure(struct service_proxy *p)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RETRY_MS / 1000;
    while (!p->stopping && pthread_cond_timedwait(&p->wake, &p->lock, &until) == 0)
        ;
}

static void copy_wanted(struct service_proxy *p, struct map *ret)
{
    for (struct map_entry *e = NULL; (e = map_next(&p->wanted_ports, e));)
        map_set(ret, map_key(e), copy_host_ports(e->value));
}

static void *run(void *arg)
{
    struct service_proxy *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        wait_for_work(p);
        if (p->stopping)
            break;
        struct map dirty = p->dirty, ports = {0};
        bool with_ports = p->ports_dirty || p->broken;
        p->dirty = (struct map){0};
        p->ports_dirty = false;
        if (with_ports)
            copy_wanted(p, &ports);
        pthread_mutex_unlock(&p->lock);

        struct err err;
        int failed = sync_once(p, &dirty, with_ports ? &ports : NULL, &err);
        if (failed)
            log_warn("service_proxy", "the rules were refused, building them anew", "error",
                     err.message);
        map_done(&dirty);
        forget_host_ports(&ports);

        pthread_mutex_lock(&p->lock);
        if (failed)
            pause_after_failure(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* --- the door --- */

static int parse_network(struct service_proxy *p, const char *cidr, struct err *err)
{
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", cidr);
    char *slash = strchr(copy, '/');
    uint64_t prefix;
    if (slash)
        *slash = '\0';
    if (!slash || inet_pton(AF_INET, copy, p->rules.pod_network) != 1 ||
        !str_to_u64(str_of(slash + 1), &prefix) || prefix > 32)
        return err_internal(err, "\"%s\" is not an IPv4 range", cidr);
    p->rules.pod_prefix = (unsigned)prefix;
    return 0;
}

static void release(struct service_proxy *p)
{
    forget_all(p);
    map_done(&p->dirty);
    forget_host_ports(&p->installed_ports);
    forget_host_ports(&p->wanted_ports);
    nft_close(p->nft);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->tag);
    free(p->node_name);
    free(p);
}

int service_proxy_start(const struct service_proxy_config *config, struct service_proxy **ret,
                        struct err *err)
{
    struct service_proxy *p = NEW(struct service_proxy);
    p->tag = mem_strdup(config->tag);
    p->node_name = mem_strdup(config->node_name);
    p->services = config->services;
    p->slices = config->slices;
    p->broken = true; /* the first turn builds the table */
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    if (parse_network(p, config->pod_cidr, err) || nft_open(p->tag, &p->nft, err) ||
        (pthread_create(&p->thread, NULL, run, p) && err_errno(err, "start a thread"))) {
        release(p);
        return -1;
    }
    *ret = p;
    return 0;
}

void service_proxy_stop(struct service_proxy *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    release(p);
}

void service_proxy_changed(struct service_proxy *p, struct str ns_name)
{
    pthread_mutex_lock(&p->lock);
    map_set(&p->dirty, ns_name, p);
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static uint8_t protocol_number(const char *name)
{
    return strcmp(name, "UDP") == 0    ? IPPROTO_UDP
           : strcmp(name, "SCTP") == 0 ? IPPROTO_SCTP
                                       : IPPROTO_TCP;
}

void service_proxy_host_ports(struct service_proxy *p, const char *uid, const char *pod_ip,
                              const struct podnet_port *ports, size_t count)
{
    struct host_ports *h = NULL;
    uint8_t ip[4];
    if (count && inet_pton(AF_INET, pod_ip, ip) == 1) {
        h = mem_zalloc(sizeof(*h) + count * sizeof(h->ports[0]));
        h->count = count;
        for (size_t i = 0; i < count; i++) {
            uint16_t outer = htons(ports[i].host_port), inner = htons(ports[i].container_port);
            h->ports[i].key[0] = protocol_number(ports[i].protocol);
            memcpy(h->ports[i].key + 4, &outer, 2);
            memcpy(h->ports[i].data, ip, 4);
            memcpy(h->ports[i].data + 4, &inner, 2);
        }
    }
    pthread_mutex_lock(&p->lock);
    struct host_ports *old =
        h ? map_set(&p->wanted_ports, str_of(uid), h) : map_del(&p->wanted_ports, str_of(uid));
    if (h || old) {
        p->ports_dirty = true;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    free(old);
}

int service_proxy_teardown(const char *tag, struct err *err)
{
    struct nft *n;
    if (nft_open(tag, &n, err))
        return -1;
    nft_begin(n);
    nft_add_table(n);
    nft_delete_table(n);
    int failed = nft_commit(n, err);
    nft_close(n);
    return failed;
}
