/* Events: written in the background, so that nobody waits for them, and correlated as client-go's
 * tools/record does: the same event again raises a count, many alike become one, and a source that
 * never stops about one object is cut off. */
#include <stdio.h>

#include "control/runtime.h"
#include "doc/time.h"

enum {
    QUEUE_MAX = 4096, /* more are dropped */
    THREADS = 2,
    SIMILAR_MAX = 10, /* different messages of one reason in the interval */
    SIMILAR_INTERVAL_S = 600,
    BURST = 25,     /* events of one source about one object, */
    REFILL_S = 300, /* and one more each so many seconds */
    REMEMBERED = 4096,
    STACK = 512 * 1024,
};

#define SECOND 1000000000LL

struct event { /* a copy of a controller's act_event, in one block with its strings */
    struct list link;
    const char *component, *type, *reason;
    struct str ns, kind, api_version, name, uid, rv, message;
    int64_t at;
    char text[];
};

struct known { /* an event that was written before */
    char *name;
    int64_t first;
    int64_t count;
};

struct similar { /* how many different messages of one reason; tokens left of one source */
    int64_t n;
    int64_t at;
};

struct recorder {
    struct client *client;
    struct world *world;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list queue;
    size_t queued;
    struct map known, similar, sources;
    pthread_t threads[THREADS];
    size_t thread_count;
    bool stop;
};

/* Copies to *at, ends with a NUL that the length does not count, and moves on. */
static struct str copy_to(char **at, struct str s)
{
    char *p = *at;
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    *at = p + s.n + 1;
    return (struct str){p, s.n};
}

static struct event *event_new(const char *component, const struct act_event *e, int64_t now)
{
    const struct item *i = e->about;
    const struct str from[] = {
        i ? i->ns : e->ns,
        i ? str_of(kind_infos[i->kind].kind) : e->kind,
        i ? str_of(kind_infos[i->kind].api_version) : e->api_version,
        i ? i->name : e->name,
        i ? i->uid : e->uid,
        i ? i->rv_text : (struct str){0},
        e->message,
    };
    size_t size = 0;
    for (size_t k = 0; k < ARRAY_LEN(from); k++)
        size += from[k].n + 1;
    struct event *n = mem_zalloc(sizeof *n + size);
    struct str *const to[] = {&n->ns,  &n->kind, &n->api_version, &n->name,
                              &n->uid, &n->rv,   &n->message};
    char *at = n->text;
    for (size_t k = 0; k < ARRAY_LEN(from); k++)
        *to[k] = copy_to(&at, from[k]);
    n->component = component;
    n->type = e->type;
    n->reason = e->reason;
    n->at = now;
    return n;
}

void recorder_post(struct recorder *r, const char *component, const struct act_event *e)
{
    struct event *n = event_new(component, e, wall_ns(r->world));
    pthread_mutex_lock(&r->lock);
    bool full = r->queued >= QUEUE_MAX;
    if (!full) {
        list_add_tail(&r->queue, &n->link);
        r->queued++;
        pthread_cond_signal(&r->wake);
    }
    pthread_mutex_unlock(&r->lock);
    if (full)
        free(n);
}

/* --- correlation; under the lock --- */

static void forget_all(struct map *m)
{
    for (struct map_entry *e = NULL; (e = map_next(m, e));)
        free(e->value);
    map_done(m);
    *m = (struct map){0};
}

static void forget_known(struct recorder *r)
{
    for (struct map_entry *e = NULL; (e = map_next(&r->known, e));)
        free(((struct known *)e->value)->name);
    forget_all(&r->known);
}

static struct similar *tally(struct map *m, struct str key, int64_t now, int64_t start)
{
    struct similar *s = map_get(m, key);
    if (s)
        return s;
    if (m->count >= REMEMBERED)
        forget_all(m);
    s = NEW(struct similar);
    *s = (struct similar){start, now};
    map_set(m, key, s);
    return s;
}

/* A token bucket a source and object. */
static bool cut_off(struct recorder *r, const struct event *e)
{
    char key[512];
    int n = snprintf(key, sizeof key, "%s/%.*s", e->component, STR_ARG(e->uid));
    struct similar *s = tally(&r->sources, (struct str){key, (size_t)n}, e->at, BURST);
    int64_t refill = (e->at - s->at) / (REFILL_S * SECOND);
    if (refill > 0) {
        s->n = s->n + refill < BURST ? s->n + refill : BURST;
        s->at += refill * REFILL_S * SECOND;
    }
    if (s->n == 0)
        return true;
    s->n--;
    return false;
}

static struct str alike_key(struct arena *a, const struct event *e)
{
    return arena_printf(a, "%s/%.*s/%.*s/%s/%s", e->component, STR_ARG(e->kind),
                        STR_ARG(e->uid.n ? e->uid : e->name), e->type, e->reason);
}

/* The key under which the event is counted; changes the message of one too many of its sort. */
static struct str correlate(struct recorder *r, struct arena *a, struct event *e)
{
    struct str alike = alike_key(a, e);
    struct str exact = arena_printf(a, "%.*s/%.*s", STR_ARG(alike), STR_ARG(e->message));
    if (map_get(&r->known, exact))
        return exact;
    struct similar *s = tally(&r->similar, alike, e->at, 0);
    if (e->at - s->at > SIMILAR_INTERVAL_S * SECOND)
        s->n = 0;
    s->at = e->at;
    if (++s->n < SIMILAR_MAX)
        return exact;
    e->message = arena_printf(a, "(combined from similar events): %.*s", STR_ARG(e->message));
    return alike;
}

/* --- writing --- */

static const char *ns_of(const struct event *e)
{
    return e->ns.n ? e->ns.p : "default";
}

static val *event_object(struct doc *d, const struct event *e, const char *name)
{
    val *o = val_new_obj(d), *meta = val_ensure_obj(d, o, "metadata");
    char now[TIME_TEXT];
    time_write(e->at, now);
    val_set_z(d, o, "apiVersion", "v1");
    val_set_z(d, o, "kind", "Event");
    val_set_z(d, meta, "name", name);
    val_set_z(d, meta, "namespace", ns_of(e));
    val *about = val_ensure_obj(d, o, "involvedObject");
    val_set_s(d, about, "kind", e->kind);
    if (e->ns.n)
        val_set_s(d, about, "namespace", e->ns);
    val_set_s(d, about, "name", e->name);
    val_set_s(d, about, "uid", e->uid);
    val_set_s(d, about, "apiVersion", e->api_version);
    if (e->rv.n)
        val_set_s(d, about, "resourceVersion", e->rv);
    val_set_z(d, o, "reason", e->reason);
    val_set_s(d, o, "message", e->message);
    val_set_z(d, val_ensure_obj(d, o, "source"), "component", e->component);
    val_set_z(d, o, "firstTimestamp", now);
    val_set_z(d, o, "lastTimestamp", now);
    val_set_int(d, o, "count", 1);
    val_set_z(d, o, "type", e->type);
    val_set_z(d, o, "reportingComponent", e->component);
    val_set_z(d, o, "reportingInstance", "");
    return o;
}

static int raise_count(struct recorder *r, const struct event *e, const char *name, int64_t count)
{
    struct doc d = {0};
    doc_init(&d);
    val *patch = val_new_obj(&d);
    char now[TIME_TEXT];
    time_write(e->at, now);
    val_set_int(&d, patch, "count", count);
    val_set_z(&d, patch, "lastTimestamp", now);
    val_set_s(&d, patch, "message", e->message);
    struct err err;
    int failed = client_patch(r->client, &RES_EVENTS, ns_of(e), name, NULL, CLIENT_PATCH_MERGE,
                              patch, &d, NULL, &err);
    doc_done(&d);
    return failed;
}

static void create(struct recorder *r, const struct event *e, const char *name)
{
    struct doc d = {0};
    doc_init(&d);
    struct err err;
    client_create(r->client, &RES_EVENTS, ns_of(e), event_object(&d, e, name), &d, NULL, &err);
    doc_done(&d);
}

static void write_event(struct recorder *r, struct event *e)
{
    struct arena arena = {0};
    char name[280];
    pthread_mutex_lock(&r->lock);
    if (cut_off(r, e)) {
        pthread_mutex_unlock(&r->lock);
        return;
    }
    struct str key = correlate(r, &arena, e);
    struct known *k = map_get(&r->known, key);
    bool again = k != NULL;
    int64_t count = again ? ++k->count : 1;
    if (!again) {
        if (r->known.count >= REMEMBERED)
            forget_known(r);
        k = NEW(struct known);
        snprintf(name, sizeof name, "%.*s.%llx", STR_ARG(e->name), (unsigned long long)e->at);
        *k = (struct known){mem_strdup(name), e->at, 1};
        map_set(&r->known, key, k);
    }
    snprintf(name, sizeof name, "%s", k->name);
    pthread_mutex_unlock(&r->lock);
    if (!again || raise_count(r, e, name, count) < 0)
        create(r, e, name);
    arena_done(&arena);
}

static void *run(void *arg)
{
    struct recorder *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        if (list_empty(&r->queue)) {
            pthread_cond_wait(&r->wake, &r->lock);
            continue;
        }
        struct event *e = CONTAINER_OF(r->queue.next, struct event, link);
        list_del(&e->link);
        r->queued--;
        pthread_mutex_unlock(&r->lock);
        write_event(r, e);
        free(e);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct recorder *recorder_new(struct client *c, struct world *w)
{
    struct recorder *r = NEW(struct recorder);
    r->client = c;
    r->world = w;
    list_init(&r->queue);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&r->threads[r->thread_count], &attr, run, r) == 0)
            r->thread_count++;
    pthread_attr_destroy(&attr);
    return r;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < r->thread_count; i++)
        pthread_join(r->threads[i], NULL);
    LIST_FOR (&r->queue, at)
        free(CONTAINER_OF(at, struct event, link));
    forget_known(r);
    forget_all(&r->similar);
    forget_all(&r->sources);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
