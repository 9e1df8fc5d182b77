/* Events live for an hour after they were last seen (kube-apiserver's --event-ttl). One loop looks
 * for old ones once a minute and removes some; a crash loses nothing, the next minute goes on. */
#include "api/admission/admission.h"
#include "api/core.h"
#include "api/raw.h"
#include "doc/time.h"

enum { PERIOD_MS = 60000, PER_PASS = 500 };

static const int64_t ttl_ns = (int64_t)3600 * 1000000000;

struct expirer {
    struct api_loop *at;
    struct loop_timer timer;
};

struct removal {
    struct store_write write;
    struct store_op op;
    char key[];
};

static void removed(struct store_write *w)
{
    free(CONTAINER_OF(w, struct removal, write)); /* changed meanwhile: it is not old any more */
}

static void submit_removal(struct store *store, const struct store_kv *kv)
{
    struct removal *r = mem_zalloc(sizeof(*r) + kv->key.n);
    memcpy(r->key, kv->key.p, kv->key.n);
    r->op = (struct store_op){STORE_DELETE, {r->key, kv->key.n}, NULL, -1, kv->mod_rev};
    r->write = (struct store_write){.ops = &r->op, .op_count = 1, .done = removed};
    store_submit(store, &r->write);
}

/* The latest time that the event names; 0 when it names none. */
static int64_t last_seen(struct str json)
{
    static const char *const paths[] = {"metadata.creationTimestamp", "lastTimestamp",
                                        "deprecatedLastTimestamp", "eventTime",
                                        "series.lastObservedTime"};
    int64_t latest = 0, ns;
    struct err ignored;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (time_parse(raw_text(raw_path(json, paths[i])), &ns, &ignored) == 0 && ns > latest)
            latest = ns;
    return latest;
}

void expire_pass(struct api *api)
{
    const struct kind *events = kinds_find(&api->kinds, STR(""), STR("v1"), STR("events"));
    struct store_snap *snap;
    struct store_kv kv;
    struct err ignored;
    if (!events || store_snap_begin(api->config.store, 0, &snap, &ignored) != 0)
        return;
    int64_t oldest = wall_ns(api->world) - ttl_ns;
    struct store_iter *it = store_range(snap, events->prefix, events->end);
    for (size_t n = 0; n < PER_PASS && store_next(it, &kv);) {
        int64_t seen = last_seen(kv.value);
        if (!seen || seen >= oldest)
            continue;
        submit_removal(api->config.store, &kv);
        n++;
    }
    store_iter_free(it);
    store_snap_end(snap);
}

static void on_timer(struct loop_timer *t)
{
    struct expirer *e = CONTAINER_OF(t, struct expirer, timer);
    loop_timer_set(e->at->loop, t, PERIOD_MS, on_timer);
    expire_pass(e->at->api);
    quota_pass(e->at->api);
}

struct expirer *expirer_new(struct api_loop *at)
{
    struct expirer *e = NEW(struct expirer);
    e->at = at;
    loop_timer_set(at->loop, &e->timer, PERIOD_MS, on_timer);
    return e;
}

void expirer_free(struct expirer *e)
{
    if (!e)
        return;
    loop_timer_clear(e->at->loop, &e->timer);
    free(e);
}
