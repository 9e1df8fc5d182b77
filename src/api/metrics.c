/* What the server counts of itself: apiserver_request_total and a few gauges. A loop counts under
 * its own lock, which only /metrics ever contends. */
#include <stdio.h>

#include "api/core.h"

enum { MAX_SERIES = 5000 }; /* a loop's; later ones are not told apart by resource */

static void series(struct call *c, char *room, size_t size)
{
    const struct route *r = &c->route;
    bool known = c->kind != NULL;
    snprintf(room, size,
             "code=\"%d\",component=\"apiserver\",dry_run=\"%s\",group=\"%s\",resource=\"%s\","
             "scope=\"%s\",subresource=\"%.*s\",verb=\"%.16s\",version=\"%s\"",
             c->status ? c->status : 200, c->options.dry_run ? "All" : "",
             known ? c->kind->k->group : "", known ? c->kind->k->resource : "",
             !known      ? ""
             : r->name.n ? "resource"
             : r->ns.n   ? "namespace"
                         : "cluster",
             known ? (int)r->subresource.n : 0, r->subresource.p ? r->subresource.p : "",
             r->verb ? r->verb : "", known ? c->kind->k->version : "");
}

void metrics_count(struct call *c)
{
    struct api_loop *at = c->at;
    if (!at)
        return;
    char room[512];
    series(c, room, sizeof(room));
    pthread_mutex_lock(&at->lock);
    uintptr_t n = (uintptr_t)map_get(&at->counters, str_of(room));
    if (n || at->counters.count < MAX_SERIES)
        map_set(&at->counters, str_of(room), (void *)(n + 1));
    pthread_mutex_unlock(&at->lock);
}

void metrics_write(struct api *api, struct buf *b)
{
    struct map sum = {0};
    pthread_mutex_lock(&api->lock);
    LIST_FOR(&api->loops, it)
    {
        struct api_loop *at = CONTAINER_OF(it, struct api_loop, link);
        pthread_mutex_lock(&at->lock);
        for (struct map_entry *e = NULL; (e = map_next(&at->counters, e));) {
            uintptr_t n = (uintptr_t)map_get(&sum, map_key(e));
            map_set(&sum, map_key(e), (void *)(n + (uintptr_t)e->value));
        }
        pthread_mutex_unlock(&at->lock);
    }
    pthread_mutex_unlock(&api->lock);
    buf_puts(b, "# HELP apiserver_request_total Requests by verb, resource and code.\n"
                "# TYPE apiserver_request_total counter\n");
    for (struct map_entry *e = NULL; (e = map_next(&sum, e));)
        buf_printf(b, "apiserver_request_total{%.*s} %llu\n", STR_ARG(map_key(e)),
                   (unsigned long long)(uintptr_t)e->value);
    map_done(&sum);
    buf_printf(b,
               "# HELP apiserver_current_inflight_requests Requests and watches under way.\n"
               "# TYPE apiserver_current_inflight_requests gauge\n"
               "apiserver_current_inflight_requests %ld\n"
               "# HELP tutti_store_revision The last committed revision.\n"
               "# TYPE tutti_store_revision gauge\ntutti_store_revision %lld\n",
               atomic_load(&api->inflight), (long long)store_revision(api->config.store));
}
