#include "store/etcd.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

enum {
    DIAL_MS = 2000,
    FIRST_PAUSE_MS = 50, /* after all members failed in a row, doubled each time … */
    LAST_PAUSE_MS = 2000,
    STEADY_MS = 1000,      /* a connection that stood so long was no failure */
    UNREACHABLE_MS = 2000, /* kube-apiserver's timeout of its health check */
    HURRY_MS = 1000,
    MAX_PEM = 1 << 20,
};

static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";

static int64_t now_ms(const struct etcd *e)
{
    return loop_now_ms(e->loop);
}

/* --- configuration --- */

static int parse_endpoints(struct etcd *e, struct str all, bool *ret_secure, struct err *err)
{
    struct str one;
    *ret_secure = false;
    while (str_next(&all, ',', &one)) {
        one = str_trim(one);
        if (!one.n)
            continue;
        if (e->endpoint_count == ETCD_MAX_ENDPOINTS)
            return err_bad(err, "etcd: more than %d endpoints", ETCD_MAX_ENDPOINTS);
        bool secure = str_starts(one, STR("https://"));
        if (!secure && !str_starts(one, STR("http://")))
            return err_bad(err, "etcd: bad endpoint \"%.*s\": want http:// or https://",
                           STR_ARG(one));
        while (str_ends(one, STR("/")))
            one.n--;
        *ret_secure |= secure;
        e->endpoints[e->endpoint_count++] = mem_strndup(one.p, one.n);
    }
    return e->endpoint_count ? 0 : err_bad(err, "etcd: no endpoint given");
}

static int make_tls(struct etcd *e, const struct store_config *config, struct err *err)
{
    struct buf ca = {0}, cert = {0}, key = {0};
    const char *ca_file = config->etcd_cafile ? config->etcd_cafile : system_authorities;
    int rc = file_read(ca_file, MAX_PEM, &ca, err);
    if (!rc && config->etcd_certfile)
        rc = file_read(config->etcd_certfile, MAX_PEM, &cert, err);
    if (!rc && config->etcd_keyfile)
        rc = file_read(config->etcd_keyfile, MAX_PEM, &key, err);
    if (!rc) {
        const struct tls_config tls = {.ca_pem = buf_str(&ca),
                                       .cert_pem = buf_str(&cert),
                                       .key_pem = buf_str(&key),
                                       .http2 = true};
        rc = tls_new(&tls, &e->tls, err);
    }
    if (key.p)
        explicit_bzero(key.p, key.n);
    buf_done(&ca);
    buf_done(&cert);
    buf_done(&key);
    return rc;
}

int etcd_link_init(struct etcd *e, struct err *err)
{
    const struct store_config *config = &e->s->config;
    bool secure;
    if (parse_endpoints(e, str_of(config->etcd_endpoints), &secure, err) ||
        (secure && make_tls(e, config, err)))
        return -1;
    /* Several servers spread over the members. */
    uint32_t random;
    world_real()->random(world_real(), &random, sizeof(random));
    e->endpoint = random % e->endpoint_count;
    return 0;
}

void etcd_link_done(struct etcd *e)
{
    for (size_t i = 0; i < e->endpoint_count; i++)
        free(e->endpoints[i]);
    tls_free(e->tls);
}

/* --- calls --- */

struct grpc_call *etcd_call(struct etcd *e, const char *method, struct str request,
                            void (*done)(void *arg, int code, struct str message, const char *why),
                            void *arg)
{
    const struct grpc_config config = {.method = method,
                                       .message = request,
                                       .timeout_ms = ETCD_ATTEMPT_MS,
                                       .max_message = ETCD_MAX_MESSAGE,
                                       .done = done,
                                       .arg = arg};
    return grpc_start(e->http, &config);
}

/* --- connecting --- */

static void refuse(struct etcd *e, const struct err *err)
{
    pthread_mutex_lock(&e->s->queue_lock);
    e->open_err = *err;
    e->refused = true;
    pthread_cond_broadcast(&e->opened_wake);
    pthread_mutex_unlock(&e->s->queue_lock);
}

static void on_first(struct store_barrier *b)
{
    struct etcd *e = CONTAINER_OF(b, struct etcd, first);
    if (!b->failed)
        etcd_opened(e);
    else if (!e->closing)
        etcd_barrier(e, b);
}

static void follow(struct etcd *e)
{
    if (e->usable)
        etcd_watch_start(e);
    else
        etcd_sync_start(e, !e->opened);
}

static void on_fence(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    struct etcd_header h;
    e->probe = NULL;
    if (code != GRPC_OK || !etcd_get_header(message, &h)) {
        etcd_link_lost(e, code ? why : "an answer that cannot be read");
        return;
    }
    e->fence = h.revision;
    e->fenced = true;
    follow(e);
}

static void move_fence(struct etcd *e)
{
    struct buf b = {0};
    etcd_put_put(&b, str_of(e->fence_key), STR("tutti"));
    e->probe = etcd_call(e, "/etcdserverpb.KV/Put", buf_str(&b), on_fence, e);
    buf_done(&b);
}

/* The member has a leader and a quorum. */
static void on_probe(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    struct etcd_header h;
    struct err err;
    bool usable;
    e->probe = NULL;
    if (code != GRPC_OK || !etcd_get_header(message, &h)) {
        etcd_link_lost(e, code ? why : "an answer that cannot be read");
        return;
    }
    if (etcd_picture_check(e, &h, &usable, &err)) {
        refuse(e, &err);
        etcd_link_lost(e, err.message);
        return;
    }
    e->usable = usable;
    etcd_begun(e, true);
    if (usable && !e->opened && !e->first.done) {
        e->first = (struct store_barrier){.done = on_first, .at_least = h.revision};
        etcd_barrier(e, &e->first);
    }
    if (etcd_write_in_doubt(e))
        move_fence(e);
    else
        follow(e);
}

static void on_version(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    (void)why;
    e->version = NULL;
    e->tells_progress = code == GRPC_OK && etcd_tells_progress(message);
}

static void dial(struct loop_timer *t)
{
    struct etcd *e = CONTAINER_OF(t, struct etcd, redial);
    const char *endpoint = e->endpoints[e->endpoint];
    struct http_client_config config = {
        .origin = endpoint, .tls = e->tls, .http2_prior = true, .connect_ms = DIAL_MS};
    struct err err;
    e->link = LINK_STARTING;
    if (http_client_new(e->loop, &config, &e->http, &err)) {
        e->http = NULL;
        etcd_link_lost(e, err.message);
        return;
    }
    struct buf b = {0};
    etcd_put_range(&b, &(struct etcd_range){.key = str_of(e->prefix), .keys_only = true});
    e->probe = etcd_call(e, "/etcdserverpb.KV/Range", buf_str(&b), on_probe, e);
    e->version = etcd_call(e, "/etcdserverpb.Maintenance/Status", (struct str){0}, on_version, e);
    buf_done(&b);
}

void etcd_link_start(struct etcd *e)
{
    e->down_since_ms = now_ms(e);
    loop_timer_set(e->loop, &e->redial, 0, dial);
}

void etcd_link_up(struct etcd *e)
{
    e->link = LINK_UP;
    e->up_since_ms = e->heard_ms = now_ms(e);
    log_info("store", "connected to etcd", "endpoint", e->endpoints[e->endpoint]);
    etcd_write_settle(e);
    etcd_write_more(e);
    etcd_barriers_settle(e);
    if (etcd_write_waits(e))
        etcd_watch_want(e);
}

static int64_t pause_ms(const struct etcd *e)
{
    if (e->failures <= e->endpoint_count)
        return e->failures > 1 ? 10 : 0;
    unsigned doublings = e->failures - (unsigned)e->endpoint_count - 1;
    return doublings > 5 ? LAST_PAUSE_MS : (int64_t)FIRST_PAUSE_MS << doublings;
}

void etcd_link_lost(struct etcd *e, const char *why)
{
    if (e->link == LINK_DOWN)
        return;
    bool was_up = e->link == LINK_UP;
    e->link = LINK_DOWN;
    e->fenced = false;
    if (was_up)
        e->down_since_ms = now_ms(e);
    if (was_up && e->down_since_ms - e->up_since_ms > STEADY_MS)
        e->failures = 0;
    e->failures++;
    log_write(was_up ? LOG_WARN : LOG_DEBUG, "store", "no connection to etcd", "endpoint",
              e->endpoints[e->endpoint], "error", why, (char *)0);
    etcd_begun(e, false);
    if (!e->refused) {
        pthread_mutex_lock(&e->s->queue_lock);
        err_set(&e->open_err, 504, "Timeout", "etcd: %s: %s", e->endpoints[e->endpoint], why);
        pthread_mutex_unlock(&e->s->queue_lock);
    }
    e->endpoint = (e->endpoint + 1) % e->endpoint_count;
    grpc_cancel(e->probe);
    grpc_cancel(e->version);
    e->probe = e->version = NULL;
    e->tells_progress = false;
    etcd_watch_stop(e);
    etcd_sync_stop(e);
    etcd_compact_stop(e);
    struct http_client *http = e->http;
    e->http = NULL;
    http_client_free(http); /* what is under way ends without an answer */
    loop_timer_set(e->loop, &e->redial, pause_ms(e), dial);
}

bool etcd_link_hopeless(const struct etcd *e)
{
    int64_t patience = atomic_load(&e->hurried) ? HURRY_MS : e->timeout_ms;
    return e->link != LINK_UP && now_ms(e) - e->down_since_ms > patience;
}

void etcd_link_tick(struct etcd *e)
{
    atomic_store(&e->reachable,
                 e->link == LINK_UP || now_ms(e) - e->down_since_ms < UNREACHABLE_MS);
    if (e->link == LINK_UP && now_ms(e) - e->heard_ms > ETCD_SILENCE_MS)
        etcd_link_lost(e, "no word on the watch");
}
