#include "control/leader.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "doc/time.h"

enum {
    LEASE_MS = 15000,
    RENEW_MS = 10000,
    RETRY_MS = 2000,
    ALONE_MS = 5000, /* between renewals that nobody waits for */
    JITTER = 120,    /* per cent that candidates wait longer, at most */
};

static const char lease_ns[] = "kube-system";

/* A Lease of another as it was when it last changed before our eyes. */
struct sighting {
    char holder[256], renewed[TIME_TEXT];
    int64_t at; /* mono ms */
};

struct leader {
    struct client *client;
    struct world *world;
    struct leader_config config;
    struct sighting seen[LEADER_MAX_LEASES];
    pthread_t renewer, keeper;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool renewing, keeping; /* the threads run */
    bool stopping;
    bool held;          /* all Leases were ours … */
    int64_t renewed_at; /* … in the round that began then, mono ms */
};

/* --- one Lease --- */

/* Whether a Lease of another may be taken. */
static bool has_expired(const struct leader *l, struct sighting *seen, const val *spec)
{
    struct str holder = VAL_STR(spec, "holderIdentity"), renewed = VAL_STR(spec, "renewTime");
    int64_t now = mono_ms(l->world), seconds = VAL_INT(spec, "leaseDurationSeconds");
    if (!holder.n || l->config.alone)
        return true;
    if (!str_is(holder, seen->holder) || !str_is(renewed, seen->renewed)) {
        snprintf(seen->holder, sizeof(seen->holder), "%.*s", STR_ARG(holder));
        snprintf(seen->renewed, sizeof(seen->renewed), "%.*s", STR_ARG(renewed));
        seen->at = now;
    }
    return now - seen->at >= seconds * 1000;
}

static void fill_spec(const struct leader *l, struct doc *d, val *spec, const char *holder)
{
    char now[TIME_TEXT];
    bool take = !str_is(VAL_STR(spec, "holderIdentity"), l->config.identity);
    time_write_micro(wall_ns(l->world), now);
    val_set_z(d, spec, "renewTime", now);
    val_set_z(d, spec, "holderIdentity", holder);
    val_set_int(d, spec, "leaseDurationSeconds", *holder ? l->config.lease_ms / 1000 : 1);
    if (!take)
        return;
    int64_t transitions = val_get(spec, "acquireTime") ? VAL_INT(spec, "leaseTransitions") + 1 : 0;
    val_set_z(d, spec, "acquireTime", now);
    val_set_int(d, spec, "leaseTransitions", transitions);
}

static int create(struct leader *l, struct doc *d, const char *name, struct err *err)
{
    val *lease = val_new_obj(d);
    val_set_z(d, lease, "apiVersion", "coordination.k8s.io/v1");
    val_set_z(d, lease, "kind", "Lease");
    val_set_z(d, val_ensure_obj(d, lease, "metadata"), "name", name);
    fill_spec(l, d, val_ensure_obj(d, lease, "spec"), l->config.identity);
    return client_create(l->client, &RES_LEASES, lease_ns, lease, d, NULL, err);
}

/* Takes or renews; only looks when it is not to be taken. 0: it is ours, 1: it is not, -1: the
 * server did not say. */
static int renew(struct leader *l, struct doc *d, size_t i, bool take, struct err *err)
{
    const char *name = l->config.leases[i];
    val *lease;
    if (client_get(l->client, &RES_LEASES, lease_ns, name, d, &lease, err))
        return err->code != 404 ? -1 : take ? create(l, d, name, err) : 1;
    val *spec = val_ensure_obj(d, lease, "spec");
    bool ours = str_is(VAL_STR(spec, "holderIdentity"), l->config.identity);
    if ((!ours && !has_expired(l, &l->seen[i], spec)) || !take)
        return 1;
    fill_spec(l, d, spec, l->config.identity);
    return client_update(l->client, &RES_LEASES, lease_ns, name, NULL, lease, d, NULL, err);
}

static void release(struct leader *l, const char *name)
{
    struct doc d;
    struct err err;
    val *lease;
    doc_init(&d);
    if (client_get(l->client, &RES_LEASES, lease_ns, name, &d, &lease, &err) == 0 &&
        str_is(VAL_STR(lease, "spec", "holderIdentity"), l->config.identity)) {
        fill_spec(l, &d, val_ensure_obj(&d, lease, "spec"), "");
        client_update(l->client, &RES_LEASES, lease_ns, name, NULL, lease, &d, NULL, &err);
    }
    doc_done(&d);
}

/* --- the renewer: asks the server, which may take its time --- */

/* Those behind one that is another's are looked at, for they expire together. */
static int round_of_all(struct leader *l)
{
    int rc = 0;
    struct err err;
    for (size_t i = 0; l->config.leases[i] && rc >= 0; i++) {
        struct doc d;
        doc_init(&d);
        int one = renew(l, &d, i, rc == 0, &err);
        doc_done(&d);
        rc = one ? one : rc;
        if (rc < 0)
            log_debug("control", "a lease was not renewed", "lease", l->config.leases[i], "error",
                      err.message);
    }
    return rc;
}

/* With the lock; until the time, a change or the end. */
static void wait_until(struct leader *l, int64_t mono)
{
    struct timespec until;
    int64_t ms = mono - mono_ms(l->world);
    if (ms <= 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

static int64_t pause_ms(struct leader *l, bool ours)
{
    uint32_t random;
    if (ours || l->config.alone)
        return l->config.retry_ms;
    l->world->random(l->world, &random, sizeof(random));
    return l->config.retry_ms + l->config.retry_ms * (random % JITTER) / 100;
}

static void *run_renewer(void *arg)
{
    struct leader *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        int64_t began = mono_ms(l->world);
        pthread_mutex_unlock(&l->lock);
        int rc = round_of_all(l);
        pthread_mutex_lock(&l->lock);
        if (rc == 0)
            l->renewed_at = began;
        if (rc >= 0 && !l->config.alone)
            l->held = rc == 0;
        pthread_cond_broadcast(&l->changed);
        int64_t next = mono_ms(l->world) + pause_ms(l, rc == 0);
        while (!l->stopping && mono_ms(l->world) < next)
            wait_until(l, next);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* --- the keeper: begins and ends the work, on time --- */

static bool is_leader(const struct leader *l, int64_t now)
{
    return !l->stopping && l->held && (l->config.alone || now < l->renewed_at + l->config.renew_ms);
}

/* Whether the work goes on now. */
static bool begin_work(struct leader *l)
{
    if (l->config.won(l->config.arg))
        return false;
    if (!l->config.alone)
        log_info("control", "became leader", "identity", l->config.identity);
    return true;
}

static bool end_work(struct leader *l)
{
    if (!l->config.alone)
        log_info("control", "leadership ends", "identity", l->config.identity);
    l->config.lost(l->config.arg);
    return false;
}

static void *run_keeper(void *arg)
{
    struct leader *l = arg;
    bool leading = false;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping || leading) {
        int64_t now = mono_ms(l->world), next = l->renewed_at + l->config.renew_ms;
        bool lead = is_leader(l, now);
        if (lead != leading) {
            pthread_mutex_unlock(&l->lock);
            leading = lead ? begin_work(l) : end_work(l);
            pthread_mutex_lock(&l->lock);
            if (lead == leading)
                continue;
            next = now + l->config.retry_ms;
        }
        wait_until(l, next > now ? next : now + l->config.lease_ms);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* --- life --- */

int leader_start(struct client *c, struct world *w, const struct leader_config *config,
                 struct leader **ret, struct err *err)
{
    struct leader *l = NEW(struct leader);
    l->client = c;
    l->world = w;
    l->config = *config;
    l->config.lease_ms = config->lease_ms ? config->lease_ms : LEASE_MS;
    l->config.renew_ms = config->renew_ms ? config->renew_ms : RENEW_MS;
    if (!config->retry_ms)
        l->config.retry_ms = config->alone ? ALONE_MS : RETRY_MS;
    l->held = config->alone;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
    l->keeping = pthread_create(&l->keeper, NULL, run_keeper, l) == 0;
    l->renewing = l->keeping && pthread_create(&l->renewer, NULL, run_renewer, l) == 0;
    if (!l->renewing) {
        leader_stop(l);
        return err_internal(err, "starting the threads of the leader election failed");
    }
    *ret = l;
    return 0;
}

void leader_stop(struct leader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (l->keeping)
        pthread_join(l->keeper, NULL);
    if (l->renewing)
        pthread_join(l->renewer, NULL);
    for (size_t i = 0; l->held && l->config.leases[i]; i++)
        release(l, l->config.leases[i]);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
