#include "node/dns_zone.h"

#include <arpa/inet.h>
#include <stdio.h>

/* A name in the zone, its labels from the right: svc|pod, namespace, name, then what stands before.
 */
struct question {
    struct str ns, name, extra[2]; /* extra[0] is the label nearest to the name */
    size_t extra_count;
};

struct endpoint_walk {
    const struct dns_query *q;
    struct dns_answer *a;
    const struct question *question;
    char owner[DNS_NAME]; /* NAME.NS.svc.DOMAIN */
    bool found;           /* the name exists, whatever type was asked for */
};

static bool wants(const struct dns_query *q, enum dns_type type)
{
    return q->type == type || q->type == DNS_ANY;
}

static bool put_address(struct dns_answer *a, const struct dns_query *q, const char *owner,
                        struct str ip)
{
    char text[INET6_ADDRSTRLEN], bytes[16];
    snprintf(text, sizeof(text), "%.*s", STR_ARG(ip));
    if (inet_pton(AF_INET, text, bytes) == 1) {
        if (wants(q, DNS_A))
            dns_answer_raw(a, owner, DNS_A, DNS_ZONE_TTL, (struct str){bytes, 4});
        return true;
    }
    if (inet_pton(AF_INET6, text, bytes) != 1)
        return false;
    if (wants(q, DNS_AAAA))
        dns_answer_raw(a, owner, DNS_AAAA, DNS_ZONE_TTL, (struct str){bytes, 16});
    return true;
}

/* The label of an endpoint: its host name, or its address with dashes. */
static void endpoint_label(const val *endpoint, struct str ip, char ret[64])
{
    struct str host = VAL_STR(endpoint, "hostname");
    snprintf(ret, 64, "%.*s", STR_ARG(host.n ? host : ip));
    for (char *at = ret; *at && !host.n; at++)
        if (*at == '.' || *at == ':')
            *at = '-';
}

static bool port_matches(const val *port, const struct question *q)
{
    struct str protocol = VAL_STR(port, "protocol"), name = VAL_STR(port, "name");
    if (!protocol.n)
        protocol = STR("TCP");
    return q->extra_count == 2 && q->extra[0].n && q->extra[1].n &&
           str_eq_nocase(str_from(q->extra[0], 1), protocol) &&
           str_eq_nocase(str_from(q->extra[1], 1), name);
}

static bool is_port_question(const struct question *q)
{
    return q->extra_count == 2 && q->extra[0].n && q->extra[0].p[0] == '_' && q->extra[1].n &&
           q->extra[1].p[0] == '_';
}

static void put_endpoint(struct endpoint_walk *w, const val *slice, const val *endpoint,
                         struct str ip)
{
    const struct question *q = w->question;
    char label[64];
    endpoint_label(endpoint, ip, label);
    if (q->extra_count == 1 && !str_eq_nocase(q->extra[0], str_of(label)))
        return;
    if (q->extra_count < 2) {
        w->found = true;
        put_address(w->a, w->q, w->q->name, ip);
    }
    if (!wants(w->q, DNS_SRV) || (q->extra_count && !is_port_question(q)))
        return;
    char target[DNS_NAME];
    if (snprintf(target, sizeof(target), "%s.%s", label, w->owner) >= DNS_NAME)
        return;
    VAL_FOR (val_get(slice, "ports"), port) {
        if (is_port_question(q) && !port_matches(port, q))
            continue;
        w->found = true;
        dns_answer_srv(w->a, w->q->name, DNS_ZONE_TTL, 100, (unsigned)VAL_INT(port, "port"),
                       target);
    }
}

static bool is_ready(const val *endpoint)
{
    const val *ready = VAL_PATH(endpoint, "conditions", "ready");
    return val_is_null(ready) || val_bool(ready);
}

static void put_slice(struct endpoint_walk *w, const val *slice)
{
    VAL_FOR (val_get(slice, "endpoints"), endpoint) {
        if (!is_ready(endpoint))
            continue;
        VAL_FOR (val_get(endpoint, "addresses"), ip) {
            put_endpoint(w, slice, endpoint, val_str(ip));
        }
    }
}

static void put_endpoints(const struct dns_zone *z, struct endpoint_walk *w)
{
    struct obj **slices;
    size_t n = cache_by_index(z->slices, 0, w->question->name, &slices);
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(obj_ns(slices[i]), w->question->ns))
            continue;
        struct doc d;
        doc_init(&d);
        put_slice(w, obj_parse(slices[i], &d));
        doc_done(&d);
    }
    obj_unref_all(slices, n);
}

/* SRV of a service with an address: its own name is the target. */
static bool put_service_ports(struct endpoint_walk *w, const val *service)
{
    bool found = w->question->extra_count == 0;
    VAL_FOR (VAL_PATH(service, "spec", "ports"), port) {
        if (w->question->extra_count && !port_matches(port, w->question))
            continue;
        found = true;
        if (wants(w->q, DNS_SRV))
            dns_answer_srv(w->a, w->q->name, DNS_ZONE_TTL, 100, (unsigned)VAL_INT(port, "port"),
                           w->owner);
    }
    return found;
}

static void put_service(const struct dns_zone *z, struct endpoint_walk *w, const val *service)
{
    struct str ip = VAL_STR(service, "spec", "clusterIP");
    if (str_is(ip, "None") || !ip.n || w->question->extra_count == 1) {
        w->found = w->question->extra_count == 0;
        put_endpoints(z, w);
        return;
    }
    if (w->question->extra_count == 2) {
        w->found = is_port_question(w->question) && put_service_ports(w, service);
        return;
    }
    w->found = true;
    const val *ips = VAL_PATH(service, "spec", "clusterIPs");
    if (val_len(ips) == 0)
        put_address(w->a, w->q, w->q->name, ip);
    VAL_FOR (ips, each) {
        put_address(w->a, w->q, w->q->name, val_str(each));
    }
    put_service_ports(w, service);
}

static enum dns_zone_result finish(const struct dns_zone *z, struct dns_answer *a, bool found)
{
    a->rcode = found ? DNS_NOERROR : DNS_NXDOMAIN;
    if (!a->answers)
        dns_answer_soa(a, z->domain, DNS_ZONE_TTL);
    return DNS_ZONE_ANSWERED;
}

static enum dns_zone_result lookup_service(const struct dns_zone *z, const struct dns_query *q,
                                           const struct question *question, struct dns_answer *a,
                                           char ret_external[DNS_NAME])
{
    struct buf key = {0};
    buf_printf(&key, "%.*s/%.*s", STR_ARG(question->ns), STR_ARG(question->name));
    struct obj *o = cache_get(z->services, buf_str(&key));
    buf_done(&key);
    if (!o)
        return finish(z, a, false);
    struct endpoint_walk w = {.q = q, .a = a, .question = question};
    snprintf(w.owner, sizeof(w.owner), "%.*s.%.*s.svc.%s", STR_ARG(question->name),
             STR_ARG(question->ns), z->domain);
    struct doc d;
    doc_init(&d);
    const val *service = obj_parse(o, &d);
    struct str external = VAL_STR(service, "spec", "externalName");
    bool is_external = str_is(VAL_STR(service, "spec", "type"), "ExternalName") && external.n &&
                       external.n < DNS_NAME;
    if (is_external) {
        snprintf(ret_external, DNS_NAME, "%.*s", STR_ARG(external));
        dns_answer_name(a, q->name, DNS_CNAME, DNS_ZONE_TTL, ret_external);
    } else
        put_service(z, &w, service);
    doc_done(&d);
    obj_unref(o);
    return is_external ? DNS_ZONE_EXTERNAL : finish(z, a, w.found);
}

/* "10-1-2-3.NS.pod": the address that the name spells. */
static enum dns_zone_result lookup_pod(const struct dns_zone *z, const struct dns_query *q,
                                       struct str name, struct dns_answer *a)
{
    char ip[64];
    bool fits = name.n < sizeof(ip);
    snprintf(ip, sizeof(ip), "%.*s", STR_ARG(name));
    int dashes = 0;
    for (char *at = ip; *at; at++)
        dashes += *at == '-';
    for (char *at = ip; *at; at++)
        if (*at == '-')
            *at = dashes == 3 ? '.' : ':';
    return finish(z, a, fits && put_address(a, q, q->name, str_of(ip)));
}

/* The labels before the zone, nearest to the zone first. */
static size_t split_labels(struct str text, struct str *ret, size_t max)
{
    size_t n = 0;
    while (text.n && n < max) {
        size_t at = text.n;
        while (at && text.p[at - 1] != '.')
            at--;
        ret[n++] = str_from(text, at);
        text.n = at ? at - 1 : 0;
    }
    return text.n ? max + 1 : n;
}

static enum dns_zone_result lookup_in_zone(const struct dns_zone *z, const struct dns_query *q,
                                           struct str inside, struct dns_answer *a,
                                           char ret_external[DNS_NAME])
{
    struct str label[5];
    size_t n = split_labels(inside, label, ARRAY_LEN(label));
    if (n == 1 && str_is(label[0], "dns-version")) {
        if (wants(q, DNS_TXT))
            dns_answer_raw(a, q->name, DNS_TXT, DNS_ZONE_TTL, STR("\0051.1.0"));
        return finish(z, a, true);
    }
    bool svc = n && str_is(label[0], "svc"), pod = n && str_is(label[0], "pod");
    if (n == 0 || (n < 3 && (svc || pod)))
        return finish(z, a, true); /* the zone itself, or a name that only others stand below */
    if (pod && n == 3)
        return lookup_pod(z, q, label[2], a);
    if (!svc || n > ARRAY_LEN(label))
        return finish(z, a, false);
    const struct question question = {
        .ns = label[1],
        .name = label[2],
        .extra = {n > 3 ? label[3] : (struct str){0}, n > 4 ? label[4] : (struct str){0}},
        .extra_count = n - 3};
    return lookup_service(z, q, &question, a, ret_external);
}

/* "3.2.1.10.in-addr.arpa" -> "10.1.2.3" */
static bool reverse_ip(const char *name, char ret[INET_ADDRSTRLEN])
{
    unsigned part[4];
    int end = 0;
    if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &part[3], &part[2], &part[1], &part[0],
               &end) != 4 ||
        !end || name[end])
        return false;
    for (int i = 0; i < 4; i++)
        if (part[i] > 255)
            return false;
    return snprintf(ret, INET_ADDRSTRLEN, "%u.%u.%u.%u", part[0], part[1], part[2], part[3]) > 0;
}

static void put_ptr(const struct dns_zone *z, const struct dns_query *q, struct dns_answer *a,
                    struct str label, struct str service, struct str ns)
{
    char target[DNS_NAME];
    int n = snprintf(target, sizeof(target), "%.*s%s%.*s.%.*s.svc.%s", STR_ARG(label),
                     label.n ? "." : "", STR_ARG(service), STR_ARG(ns), z->domain);
    if (n < DNS_NAME)
        dns_answer_name(a, q->name, DNS_PTR, DNS_ZONE_TTL, target);
}

/* Looks for the address in the objects' texts first, so that the many others need not be parsed. */
static bool holds(struct obj *o, struct str quoted_ip)
{
    return str_find(bytes_str(obj_json(o)), quoted_ip) >= 0;
}

static void ptr_of_services(const struct dns_zone *z, const struct dns_query *q,
                            struct dns_answer *a, struct str quoted, struct str ip)
{
    struct obj **services;
    size_t n = cache_all(z->services, &services);
    for (size_t i = 0; i < n && !a->answers; i++) {
        struct doc d;
        doc_init(&d);
        if (holds(services[i], quoted) &&
            str_eq(VAL_STR(obj_parse(services[i], &d), "spec", "clusterIP"), ip))
            put_ptr(z, q, a, (struct str){0}, obj_name(services[i]), obj_ns(services[i]));
        doc_done(&d);
    }
    obj_unref_all(services, n);
}

static void ptr_of_slice(const struct dns_zone *z, const struct dns_query *q, struct dns_answer *a,
                         struct obj *o, struct str ip)
{
    struct doc d;
    doc_init(&d);
    const val *slice = obj_parse(o, &d);
    struct str service = VAL_STR(slice, "metadata", "labels", "kubernetes.io/service-name");
    VAL_FOR (val_get(slice, "endpoints"), endpoint) {
        VAL_FOR (val_get(endpoint, "addresses"), address) {
            char label[64];
            if (!str_eq(val_str(address), ip) || !service.n)
                continue;
            endpoint_label(endpoint, ip, label);
            put_ptr(z, q, a, str_of(label), service, obj_ns(o));
        }
    }
    doc_done(&d);
}

static void ptr_of_slices(const struct dns_zone *z, const struct dns_query *q, struct dns_answer *a,
                          struct str quoted, struct str ip)
{
    struct obj **slices;
    size_t n = cache_all(z->slices, &slices);
    for (size_t i = 0; i < n; i++)
        if (holds(slices[i], quoted))
            ptr_of_slice(z, q, a, slices[i], ip);
    obj_unref_all(slices, n);
}

static enum dns_zone_result lookup_reverse(const struct dns_zone *z, const struct dns_query *q,
                                           struct dns_answer *a)
{
    char ip[INET_ADDRSTRLEN], quoted[INET_ADDRSTRLEN + 2];
    if (!reverse_ip(q->name, ip))
        return DNS_ZONE_NOT_OURS;
    int n = snprintf(quoted, sizeof(quoted), "\"%s\"", ip);
    struct str needle = {quoted, (size_t)n};
    ptr_of_services(z, q, a, needle, str_of(ip));
    if (!a->answers)
        ptr_of_slices(z, q, a, needle, str_of(ip));
    return a->answers ? DNS_ZONE_ANSWERED : DNS_ZONE_NOT_OURS;
}

enum dns_zone_result dns_zone_lookup(const struct dns_zone *z, const struct dns_query *q,
                                     struct dns_answer *a, char ret_external[DNS_NAME])
{
    struct str name = str_of(q->name), domain = str_of(z->domain);
    if (str_ends(name, domain) && (name.n == domain.n || name.p[name.n - domain.n - 1] == '.'))
        return lookup_in_zone(z, q, str_head(name, name.n == domain.n ? 0 : name.n - domain.n - 1),
                              a, ret_external);
    if (q->type == DNS_PTR && str_ends(name, STR(".in-addr.arpa")))
        return lookup_reverse(z, q, a);
    return DNS_ZONE_NOT_OURS;
}
