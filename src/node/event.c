#include "node/event.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "doc/time.h"

enum { QUEUE = 1000, KNOWN = 512, STACK = 128 * 1024, SAME_MS = 600000, FREE_MS = 1000 };

struct entry {
    struct entry *next;
    char *kind, *ns, *name, *uid, *field, *reason, *message;
    bool warning;
    int64_t ns_time;
};

/* An event that was written, by the hash of what it says. */
struct known {
    uint64_t hash;
    int64_t ms, first_ns;
    int count;
    char name[300];
};

struct events {
    struct client *client;
    char *host;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct entry *head, **tail;
    size_t waiting;
    bool stop;
    struct known known[KNOWN]; /* of the thread alone */
};

static void entry_free(struct entry *e)
{
    free(e->kind);
    free(e->ns);
    free(e->name);
    free(e->uid);
    free(e->field);
    free(e->reason);
    free(e->message);
    free(e);
}

static uint64_t hash_of(const struct entry *e)
{
    const char *const parts[] = {e->uid, e->field, e->reason, e->message};
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (const char *c = parts[i];; c++) {
            h = (h ^ (unsigned char)*c) * 1099511628211u;
            if (!*c)
                break;
        }
    return h ? h : 1;
}

static void set_time(struct doc *d, val *o, const char *key, int64_t ns)
{
    char text[TIME_TEXT];
    time_write(ns, text);
    val_set_z(d, o, key, text);
}

static val *event_object(struct events *s, const struct entry *e, const struct known *k,
                         struct doc *d)
{
    val *o = val_new_obj(d), *meta = val_ensure_obj(d, o, "metadata");
    val_set_z(d, o, "apiVersion", "v1");
    val_set_z(d, o, "kind", "Event");
    val_set_z(d, meta, "name", k->name);
    val_set_z(d, meta, "namespace", *e->ns ? e->ns : "default");
    val *about = val_ensure_obj(d, o, "involvedObject");
    val_set_z(d, about, "kind", e->kind);
    if (*e->ns)
        val_set_z(d, about, "namespace", e->ns);
    val_set_z(d, about, "name", e->name);
    val_set_z(d, about, "uid", e->uid);
    val_set_z(d, about, "apiVersion", "v1");
    if (*e->field)
        val_set_z(d, about, "fieldPath", e->field);
    val_set_z(d, o, "reason", e->reason);
    val_set_z(d, o, "message", e->message);
    val *source = val_ensure_obj(d, o, "source");
    val_set_z(d, source, "component", "kubelet");
    val_set_z(d, source, "host", s->host);
    set_time(d, o, "firstTimestamp", k->first_ns);
    set_time(d, o, "lastTimestamp", e->ns_time);
    val_set_int(d, o, "count", k->count);
    val_set_z(d, o, "type", e->warning ? "Warning" : "Normal");
    val_set(d, o, "eventTime", val_new_null(d));
    val_set_z(d, o, "reportingComponent", "kubelet");
    val_set_z(d, o, "reportingInstance", s->host);
    return o;
}

static void write_event(struct events *s, const struct entry *e)
{
    struct doc d = {0};
    struct err err = {0};
    uint64_t hash = hash_of(e);
    struct known *k = &s->known[hash % KNOWN];
    int64_t now = mono_ms(world_real());
    const char *ns = *e->ns ? e->ns : "default";
    if (k->hash == hash && now - k->ms < SAME_MS) {
        val *patch = val_new_obj(&d);
        k->count++;
        k->ms = now;
        val_set_int(&d, patch, "count", k->count);
        set_time(&d, patch, "lastTimestamp", e->ns_time);
        int failed = client_patch(s->client, &RES_EVENTS, ns, k->name, NULL, CLIENT_PATCH_MERGE,
                                  patch, &d, NULL, &err);
        doc_done(&d);
        if (!failed || err.code != 404)
            return;
    }
    *k = (struct known){.hash = hash, .ms = now, .first_ns = e->ns_time, .count = 1};
    snprintf(k->name, sizeof(k->name), "%.230s.%llx", e->name, (unsigned long long)e->ns_time);
    val *o = event_object(s, e, k, &d);
    if (client_create(s->client, &RES_EVENTS, ns, o, &d, NULL, &err)) {
        log_debug("node", "event not recorded", "reason", e->reason, "error", err.message);
        k->hash = 0;
    }
    doc_done(&d);
}

static void *run(void *arg)
{
    struct events *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->head && !s->stop)
            pthread_cond_wait(&s->cond, &s->lock);
        struct entry *e = s->head;
        if (!e)
            break;
        s->head = e->next;
        if (!s->head)
            s->tail = &s->head;
        s->waiting--;
        pthread_mutex_unlock(&s->lock);
        write_event(s, e);
        entry_free(e);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int events_new(struct client *client, const char *host, struct events **ret, struct err *err)
{
    struct events *s = NEW(struct events);
    pthread_attr_t attr;
    s->client = client;
    s->host = mem_strdup(host);
    s->tail = &s->head;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->cond, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    int failed = pthread_create(&s->thread, &attr, run, s);
    pthread_attr_destroy(&attr);
    if (failed) {
        free(s->host);
        free(s);
        return err_internal(err, "no thread for events");
    }
    *ret = s;
    return 0;
}

void events_free(struct events *s)
{
    if (!s)
        return;
    int64_t until = mono_ms(world_real()) + FREE_MS;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    while (s->head && mono_ms(world_real()) < until) {
        pthread_mutex_unlock(&s->lock);
        nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
        pthread_mutex_lock(&s->lock);
    }
    for (struct entry *e; (e = s->head);) {
        s->head = e->next;
        entry_free(e);
    }
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    free(s->host);
    free(s);
}

void event_add(struct events *s, const struct event_ref *about, bool warning, const char *reason,
               const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    struct entry *e = NEW(struct entry);
    *e = (struct entry){.kind = mem_strdup(about->kind),
                        .ns = mem_strdup(about->ns),
                        .name = mem_strdup(about->name),
                        .uid = mem_strdup(about->uid),
                        .field = mem_strdup(about->field),
                        .reason = mem_strdup(reason),
                        .message = mem_strdup(message),
                        .warning = warning,
                        .ns_time = wall_ns(world_real())};
    pthread_mutex_lock(&s->lock);
    bool full = s->waiting >= QUEUE || s->stop;
    if (!full) {
        *s->tail = e;
        s->tail = &e->next;
        s->waiting++;
        pthread_cond_signal(&s->cond);
    }
    pthread_mutex_unlock(&s->lock);
    if (full)
        entry_free(e);
}
