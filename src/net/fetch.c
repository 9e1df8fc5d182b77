#include "net/fetch.h"

#include <ctype.h>
#include <openssl/evp.h>

#include "net/client_impl.h"
#include "net/url.h"

enum {
    MAX_BODY = 64 * 1024 * 1024,
    MAX_REDIRECTS = 10,
    MAX_ORIGINS = 8,
    WATCH_MS = 100, /* how often cancellation and stalls are looked for */
};

/* A client and what it is for. */
struct origin {
    char *name, *proxy; /* "https://host:port"; proxy may be NULL */
    struct http_client *client;
};

struct fetcher {
    struct fetch_options options;
    struct loop *loop;
    struct tls *tls; /* NULL: nothing has needed it yet */
    struct origin origins[MAX_ORIGINS];
    size_t count;
};

/* One request on its way. */
struct transfer {
    struct fetcher *f;
    const struct fetch_request *r;
    struct fetch_answer *answer;
    struct err *err;
    struct http_call *call;
    struct loop_timer timer;
    int64_t deadline_ms, last_ms; /* loop time; deadline 0: none */
    size_t got;
    int result;
};

int fetcher_new(const struct fetch_options *options, struct fetcher **ret, struct err *err)
{
    struct fetcher *f = NEW(struct fetcher);
    f->options = *options;
    if (loop_new(&f->loop, err) < 0) {
        free(f);
        return -1;
    }
    *ret = f;
    return 0;
}

static void origin_done(struct origin *o)
{
    http_client_free(o->client);
    free(o->name);
    free(o->proxy);
}

void fetcher_free(struct fetcher *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        origin_done(&f->origins[i]);
    loop_free(f->loop);
    tls_free(f->tls);
    free(f);
}

/* --- origins --- */

static int make_tls(struct fetcher *f, struct err *err)
{
    const struct fetch_options *o = &f->options;
    struct tls_config config = {
        .ca_pem = o->ca_pem,
        .cert_pem = o->cert_pem,
        .key_pem = o->key_pem,
        .system_ca = !o->ca_pem.n && !o->insecure,
        .insecure = o->insecure,
        .http2 = !o->http1_only,
    };
    return f->tls ? 0 : tls_new(&config, &f->tls, err);
}

/* Basic credentials of an address; in the arena. */
static struct str basic(struct arena *a, struct str user, struct str password)
{
    struct str u, p;
    if (!url_decode(a, user, false, &u) || !url_decode(a, password, false, &p))
        return (struct str){0};
    struct str both = arena_printf(a, "%.*s:%.*s", STR_ARG(u), STR_ARG(p));
    char *coded = arena_alloc(a, both.n / 3 * 4 + 8);
    EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)both.p, (int)both.n);
    return arena_printf(a, "Basic %s", coded);
}

static int add_origin(struct fetcher *f, struct arena *a, struct str name, struct str proxy,
                      struct http_client **ret, struct err *err)
{
    struct url u = {0};
    struct http_client_config config = {
        .origin = arena_z(a, name),
        .http1_only = f->options.http1_only,
        .http2_prior = f->options.http2_prior,
        .connect_ms = f->options.connect_ms,
    };
    if (str_starts(name, STR("https:"))) {
        if (make_tls(f, err) < 0)
            return -1;
        config.tls = f->tls;
    }
    if (proxy.n) {
        if (!url_split(proxy, &u) || !str_is(u.scheme, "http"))
            return err_internal(err, "proxyconnect: unsupported proxy \"%.*s\"", STR_ARG(proxy));
        bool v6 = str_find_char(u.host, ':') >= 0;
        config.proxy = arena_printf(a, "http://%s%.*s%s:%d", v6 ? "[" : "", STR_ARG(u.host),
                                    v6 ? "]" : "", url_port(&u))
                           .p;
        config.proxy_auth = u.user.n ? basic(a, u.user, u.password).p : NULL;
    }
    if (f->count == MAX_ORIGINS) {
        origin_done(&f->origins[0]);
        memmove(f->origins, f->origins + 1, --f->count * sizeof(*f->origins));
    }
    if (http_client_new(f->loop, &config, ret, err) < 0)
        return -1;
    f->origins[f->count++] = (struct origin){mem_strndup(name.p, name.n),
                                             proxy.n ? mem_strndup(proxy.p, proxy.n) : NULL, *ret};
    return 0;
}

static int find_origin(struct fetcher *f, struct arena *a, struct str name, struct str proxy,
                       struct http_client **ret, struct err *err)
{
    for (size_t i = 0; i < f->count; i++) {
        struct origin *o = &f->origins[i];
        if (str_is(name, o->name) && str_eq(proxy, str_of(o->proxy))) {
            *ret = o->client;
            return 0;
        }
    }
    return add_origin(f, a, name, proxy, ret, err);
}

/* --- one request --- */

static void finish(struct transfer *t, int result)
{
    t->result = result;
    t->call = NULL;
    loop_timer_clear(t->f->loop, &t->timer);
    loop_stop(t->f->loop);
}

static void give_up(struct transfer *t)
{
    http_call_cancel(t->call);
    finish(t, -1);
}

static void on_watch(struct loop_timer *timer)
{
    struct transfer *t = CONTAINER_OF(timer, struct transfer, timer);
    int64_t now = loop_now_ms(t->f->loop);
    const atomic_bool *cancel = t->f->options.cancel;
    if (cancel && atomic_load(cancel))
        err_internal(t->err, "context canceled");
    else if (t->deadline_ms && now >= t->deadline_ms)
        err_set(t->err, 504, "Timeout", "context deadline exceeded (Client.Timeout exceeded%s)",
                t->answer->status ? " while reading body" : " while awaiting headers");
    else if (t->r->stall_ms && now - t->last_ms >= t->r->stall_ms)
        err_set(t->err, 504, "Timeout", "no data for %lld s", (long long)t->r->stall_ms / 1000);
    else {
        loop_timer_set(t->f->loop, &t->timer, WATCH_MS, on_watch);
        return;
    }
    give_up(t);
}

static void on_headers(void *arg, struct http_call *call, int status)
{
    struct transfer *t = arg;
    struct fetch_answer *answer = t->answer;
    struct http_header *headers =
        arena_alloc(&answer->arena, (call->head.count + 1) * sizeof(*headers));
    for (size_t i = 0; i < call->head.count; i++)
        headers[i] = (struct http_header){arena_dup(&answer->arena, call->head.headers[i].name),
                                          arena_dup(&answer->arena, call->head.headers[i].value)};
    answer->status = status;
    answer->headers = headers;
    answer->header_count = call->head.count;
    t->last_ms = loop_now_ms(t->f->loop);
}

static void on_data(void *arg, struct str piece)
{
    struct transfer *t = arg;
    size_t max = t->r->max_body ? t->r->max_body : MAX_BODY;
    t->last_ms = loop_now_ms(t->f->loop);
    t->got += piece.n;
    if (t->got > max) {
        err_set(t->err, 413, "RequestEntityTooLarge", "the answer is larger than %zu bytes", max);
        give_up(t);
    } else if (t->r->sink && t->answer->status / 100 == 2) {
        if (t->r->sink(t->r->arg, piece) < 0)
            give_up(t);
    } else {
        buf_put(&t->answer->body, piece);
    }
}

static void on_done(void *arg, int status, struct str body, const struct err *err)
{
    struct transfer *t = arg;
    (void)body;
    if (err)
        *t->err = *err;
    if (err && !t->answer->status && strstr(err->message, "closed the connection"))
        err_internal(t->err, "EOF");
    t->answer->status = status;
    finish(t, err ? -1 : 0);
}

struct step {
    const char *method;
    struct str url, body, authorization;
    bool with_body;
};

static size_t put_headers(struct fetcher *f, const struct fetch_request *r, const struct step *s,
                          struct http_header *to)
{
    const char *agent = f->options.user_agent;
    size_t n = 0;
    for (size_t i = 0; i < r->header_count; i++)
        if (s->with_body || !str_eq_nocase(str_head(r->headers[i].name, 8), STR("content-")))
            to[n++] = r->headers[i];
    if (!agent || *agent)
        to[n++] = (struct http_header){STR("User-Agent"),
                                       agent ? str_of(agent) : STR("tutti/" TUTTI_VERSION)};
    if (s->authorization.n)
        to[n++] = (struct http_header){STR("Authorization"), s->authorization};
    return n;
}

/* The request of one hop, until its answer is whole. */
static int go(struct transfer *t, const struct step *s)
{
    struct fetcher *f = t->f;
    struct arena *a = &t->answer->arena;
    struct url u;
    struct http_client *client;
    if (!url_split(s->url, &u) || (!str_is(u.scheme, "http") && !str_is(u.scheme, "https")))
        return err_bad(t->err, "unsupported protocol scheme in \"%.*s\"", STR_ARG(s->url));
    struct str proxy = f->options.direct ? (struct str){0} : fetch_proxy(a, s->url);
    struct str name = arena_printf(a, "%.*s://%.*s", STR_ARG(u.scheme), STR_ARG(u.authority));
    if (find_origin(f, a, name, proxy, &client, t->err) < 0)
        return -1;
    struct http_header *headers = arena_alloc(a, (t->r->header_count + 4) * sizeof(*headers));
    size_t n = put_headers(f, t->r, s, headers);
    bool relay = proxy.n && str_is(u.scheme, "http");
    struct url via;
    if (relay && url_split(proxy, &via) && via.user.n)
        headers[n++] =
            (struct http_header){STR("Proxy-Authorization"), basic(a, via.user, via.password)};
    struct http_call_config config = {
        .method = s->method,
        .target = arena_printf(a, "%.*s%s%.*s%s%.*s", relay ? (int)name.n : 0, name.p,
                               u.path.n ? "" : "/", STR_ARG(u.path), u.has_query ? "?" : "",
                               STR_ARG(u.query)),
        .headers = headers,
        .header_count = n,
        .body = s->body,
        .stream = true,
        .headers_done = on_headers,
        .data = on_data,
        .done = on_done,
        .arg = t,
    };
    t->got = 0;
    t->answer->status = 0;
    buf_clear(&t->answer->body);
    t->last_ms = loop_now_ms(f->loop);
    t->call = http_call_start(client, &config);
    loop_timer_set(f->loop, &t->timer, 0, on_watch);
    loop_run(f->loop);
    return t->result;
}

static bool same_origin(struct str x, struct str y)
{
    struct url a, b;
    return url_split(x, &a) && url_split(y, &b) && str_eq(a.scheme, b.scheme) &&
           str_eq_nocase(a.host, b.host) && url_port(&a) == url_port(&b);
}

/* What follows from a redirect; false: it is none. */
static bool next_step(struct transfer *t, struct step *s)
{
    int status = t->answer->status;
    struct str location = fetch_header(t->answer, "location");
    bool keeps = status == 307 || status == 308;
    if (!location.n || (status != 301 && status != 302 && status != 303 && !keeps))
        return false;
    struct str to = url_resolve(&t->answer->arena, s->url, location);
    if (!same_origin(s->url, to))
        s->authorization = (struct str){0};
    s->url = to;
    if (!keeps) {
        s->method = strcmp(s->method, "HEAD") == 0 ? "HEAD" : "GET";
        s->body = (struct str){0};
        s->with_body = false;
    }
    return true;
}

/* TLS failures that have words of their own in Go. */
static void translate_tls(struct err *err)
{
    static const struct {
        const char *ours, *theirs;
    } words[] = {
        {"wrong version number", "tls: first record does not look like a TLS handshake"},
        {"packet length too long", "tls: first record does not look like a TLS handshake"},
        {"record layer failure", "tls: first record does not look like a TLS handshake"},
        {"self-signed certificate", "tls: failed to verify certificate: x509: certificate signed "
                                    "by unknown authority"},
        {"unable to get local issuer", "tls: failed to verify certificate: x509: certificate "
                                       "signed by unknown authority"},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strstr(err->message, "TLS handshake: tls: ") && strstr(err->message, words[i].ours)) {
            err_internal(err, "%s", words[i].theirs);
            return;
        }
}

/* `Get "address": ` in front, and strerror's words in Go's lower case. */
static int explain(const struct step *s, struct err *err)
{
    translate_tls(err);
    char *at = strrchr(err->message, ':'), method[16] = "";
    if (at && at[1] == ' ' && isupper((unsigned char)at[2]) && islower((unsigned char)at[3]))
        at[2] = (char)tolower((unsigned char)at[2]);
    for (size_t i = 0; s->method[i] && i + 1 < sizeof(method); i++)
        method[i] = (char)(i ? tolower((unsigned char)s->method[i]) : s->method[i]);
    struct url u;
    struct str shown = s->url;
    if (url_split(s->url, &u) && u.user.n) /* a password is not shown */
        shown = str_from(s->url, (size_t)(u.authority.p - s->url.p));
    return err_prefix(err, "%s \"%.*s\"", method, STR_ARG(shown));
}

static void stop_now(struct loop_timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct transfer, timer)->f->loop);
}

/* The loop's clock stood still since the last request, and connections may have ended. */
static void catch_up(struct transfer *t)
{
    loop_timer_set(t->f->loop, &t->timer, 0, stop_now);
    loop_run(t->f->loop);
}

int fetch(struct fetcher *f, const struct fetch_request *r, struct fetch_answer *ret,
          struct err *err)
{
    struct arena *a = &ret->arena;
    struct transfer t = {.f = f, .r = r, .answer = ret, .err = err};
    struct step s = {.method = r->method ? r->method : "GET",
                     .url = arena_dup(a, r->url),
                     .body = r->body,
                     .authorization = r->authorization,
                     .with_body = true};
    struct url u;
    if (!s.authorization.n && url_split(s.url, &u) && u.user.n)
        s.authorization = basic(a, u.user, u.password);
    catch_up(&t);
    if (r->timeout_ms)
        t.deadline_ms = loop_now_ms(f->loop) + r->timeout_ms;
    int max = r->max_redirects ? r->max_redirects : MAX_REDIRECTS;
    for (int hops = 0;; hops++) {
        *err = (struct err){0};
        if (go(&t, &s) < 0)
            return explain(&s, err);
        ret->url = s.url;
        if (max < 0 || !next_step(&t, &s))
            return 0;
        if (hops >= max) {
            err_internal(err, "stopped after %d redirects", max);
            return explain(&s, err);
        }
    }
}

void fetch_answer_done(struct fetch_answer *a)
{
    buf_done(&a->body);
    arena_done(&a->arena);
    *a = (struct fetch_answer){0};
}

struct str fetch_header(const struct fetch_answer *a, const char *lower_name)
{
    return head_find(a->headers, a->header_count, lower_name);
}
