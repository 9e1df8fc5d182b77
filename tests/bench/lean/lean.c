/* lean: a client that costs little, for what a Go client would limit. HTTP/2 over TLS with the
 * kubeconfig's certificate, one thread; answers are counted, not looked into.
 *
 *   lean load    KUBECONFIG PIDS CONNECTIONS STREAMS SECONDS METHOD PATH [ACCEPT [GZIP]]
 *       GET: the same path again and again. POST: ConfigMaps or pods there, with new names.
 *   lean fill    KUBECONFIG PIDS COUNT PATH
 *       So many of them.
 *   lean watches KUBECONFIG PIDS WATCHES spread|same WRITES
 *       spread: over 100 namespaces and 10 values of a label, so that each write reaches a
 *       thousandth of the watches; same: all see every write. It makes its namespaces,
 *       watch-0 to watch-99.
 *
 * PIDS of the server, by commas: what it used of the processor, and its memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/kubeconfig.h"
#include "net/http.h"

enum {
    SAMPLES = 1 << 20,
    STREAMS = 100, /* of watches on one connection */
    NAMESPACES = 100,
    LABELS = 10,
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "lean: %s\n", what);
    exit(1);
}

/* --- the server's processes --- */

struct usage {
    double cpu_s, rss_mib;
};

static struct usage usage_of(const char *pids)
{
    struct usage u = {0};
    for (const char *p = pids; *p; p += strcspn(p, ","), p += *p == ',') {
        char path[64], text[2048] = "";
        unsigned long user = 0, system = 0, pages = 0;
        snprintf(path, sizeof(path), "/proc/%d/stat", atoi(p));
        FILE *f = fopen(path, "re");
        if (!f || !fgets(text, sizeof(text), f))
            fail("a server is gone");
        fclose(f);
        if (sscanf(strrchr(text, ')') + 1,
                   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d "
                   "%*u %*u %lu",
                   &user, &system, &pages) == 3)
            u.cpu_s += (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        u.rss_mib += (double)pages * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
    }
    return u;
}

static double own_cpu_s(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* --- connections --- */

struct bench {
    struct loop *loop;
    struct tls *tls;
    struct kubeconfig k;
    struct buf bearer;
    const char *pids;
};

static void bench_init(struct bench *b, const char *kubeconfig, const char *pids)
{
    struct err err;
    struct tls *tls = NULL;
    *b = (struct bench){.pids = pids};
    if (kubeconfig_read(kubeconfig, &b->k, &err) || loop_new(&b->loop, &err))
        fail(err.message);
    const struct tls_config config = {.cert_pem = buf_str(&b->k.cert_pem),
                                      .key_pem = buf_str(&b->k.key_pem),
                                      .insecure = true,
                                      .http2 = true};
    if (tls_new(&config, &tls, &err))
        fail(err.message);
    b->tls = tls;
    if (b->k.token.n)
        buf_printf(&b->bearer, "Bearer %s", buf_z(&b->k.token));
}

static struct http_client *connect_one(struct bench *b)
{
    const struct http_client_config config = {
        .origin = b->k.server, .tls = b->tls, .connect_ms = 60000};
    struct http_client *c;
    struct err err;
    if (http_client_new(b->loop, &config, &c, &err))
        fail(err.message);
    return c;
}

struct request {
    const char *method, *path, *accept, *encoding;
    struct str body;
};

/* Adds the headers that every request has. */
static struct http_call *start_call(struct bench *b, struct http_client *c, const struct request *r,
                                    struct http_call_config *config)
{
    struct http_header headers[4];
    size_t n = 0;
    if (b->bearer.n)
        headers[n++] = (struct http_header){STR("authorization"), buf_str(&b->bearer)};
    if (r->accept)
        headers[n++] = (struct http_header){STR("accept"), str_of(r->accept)};
    if (r->encoding)
        headers[n++] = (struct http_header){STR("accept-encoding"), str_of(r->encoding)};
    if (r->body.n)
        headers[n++] = (struct http_header){STR("content-type"), STR("application/json")};
    config->method = r->method;
    config->target = str_of(r->path);
    config->headers = headers;
    config->header_count = n;
    config->body = r->body;
    return http_call_start(c, config);
}

static void put_config_map(struct buf *b, long i, int label)
{
    buf_clear(b);
    buf_printf(b,
               "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"l%d-%ld\","
               "\"labels\":{\"group\":\"%d\"}},\"data\":{\"key\":\"a value of some length\"}}",
               (int)getpid(), i, label);
}

/* A pod as a Deployment would make it, but that nobody schedules. */
static void put_pod(struct buf *b, long i)
{
    buf_clear(b);
    buf_printf(
        b,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"l%d-%ld\","
        "\"labels\":{\"app\":\"bench\",\"group\":\"%ld\"}},\"spec\":{\"schedulerName\":\"none\","
        "\"containers\":[{\"name\":\"c\",\"image\":\"registry.local/pause:1\",\"env\":"
        "[{\"name\":\"A\",\"value\":\"1\"}],\"ports\":[{\"containerPort\":8080}]}]}}",
        (int)getpid(), i, i % 100);
}

/* --- load --- */

struct load {
    struct bench b;
    struct request request;
    double until;
    long limit; /* of what is started; 0: none */
    long started, done, failed, under_way;
    size_t bytes;
    float *took;
    struct buf body;
};

struct slot {
    struct load *l;
    struct http_client *c;
    double from;
};

static void slot_next(struct slot *s);

static void on_data(void *arg, struct str bytes)
{
    ((struct slot *)arg)->l->bytes += bytes.n;
}

static void on_load_done(void *arg, int status, struct str body, const struct err *err)
{
    struct slot *s = arg;
    struct load *l = s->l;
    (void)body;
    double now = now_s();
    if (err || status / 100 != 2) {
        if (!l->failed++)
            fprintf(stderr, "lean: status %d %s\n", status, err ? err->message : "");
    } else if (l->done < SAMPLES) {
        l->took[l->done] = (float)(now - s->from);
    }
    l->done++;
    l->under_way--;
    if (now < l->until && (!l->limit || l->started < l->limit))
        slot_next(s);
    else if (!l->under_way)
        loop_stop(l->b.loop);
}

static void slot_next(struct slot *s)
{
    struct load *l = s->l;
    struct http_call_config config = {
        .stream = true, .data = on_data, .done = on_load_done, .arg = s};
    if (l->request.method[0] == 'P') {
        if (str_ends(str_of(l->request.path), STR("/pods")))
            put_pod(&l->body, l->started);
        else
            put_config_map(&l->body, l->started, 0);
        l->request.body = buf_str(&l->body);
    }
    l->started++;
    l->under_way++;
    s->from = now_s();
    start_call(&l->b, s->c, &l->request, &config);
}

static void load_run(struct load *l, int connections, int streams)
{
    struct slot *slots = mem_zalloc((size_t)(connections * streams) * sizeof(*slots));
    for (int i = 0; i < connections; i++) {
        struct http_client *c = connect_one(&l->b);
        for (int j = 0; j < streams; j++) {
            slots[i * streams + j] = (struct slot){l, c, 0};
            slot_next(&slots[i * streams + j]);
        }
    }
    loop_run(l->b.loop);
    free(slots);
}

static int cmd_fill(int argc, char **argv)
{
    enum { AT_ONCE = 32 };
    if (argc != 4 || atol(argv[2]) < AT_ONCE)
        fail("usage: lean fill KUBECONFIG PIDS COUNT PATH");
    struct load l = {.took = mem_alloc(SAMPLES * sizeof(float)),
                     .until = 1e18,
                     .limit = atol(argv[2]),
                     .request = {.method = "POST", .path = argv[3]}};
    bench_init(&l.b, argv[0], argv[1]);
    load_run(&l, 1, AT_ONCE);
    return l.failed != 0;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float quantile(float *sorted, long n, double q)
{
    return n ? sorted[(long)((double)(n - 1) * q)] : 0;
}

static int cmd_load(int argc, char **argv)
{
    if (argc < 7)
        fail("usage: lean load KUBECONFIG PIDS CONNECTIONS STREAMS SECONDS METHOD PATH [ACCEPT "
             "[GZIP]]");
    struct load l = {.took = mem_alloc(SAMPLES * sizeof(float))};
    bench_init(&l.b, argv[0], argv[1]);
    l.request = (struct request){.method = argv[5],
                                 .path = argv[6],
                                 .accept = argc > 7 && *argv[7] ? argv[7] : NULL,
                                 .encoding = argc > 8 ? "gzip" : NULL};
    int connections = atoi(argv[2]), streams = atoi(argv[3]);
    struct usage before = usage_of(l.b.pids);
    double start = now_s(), own = own_cpu_s();
    l.until = start + atof(argv[4]);
    load_run(&l, connections, streams);
    double took = now_s() - start;
    struct usage after = usage_of(l.b.pids);
    long n = l.done < SAMPLES ? l.done : SAMPLES;
    qsort(l.took, (size_t)n, sizeof(float), by_value);
    printf(
        "%9.1f req/s  %8.1f MiB/s  p50 %8.3f ms  p99 %8.3f ms  server %9.1f us/req  client %7.1f "
        "us/req  RSS %.0f MiB%s\n",
        (double)l.done / took, (double)l.bytes / took / (1 << 20), quantile(l.took, n, 0.5) * 1e3,
        quantile(l.took, n, 0.99) * 1e3, (after.cpu_s - before.cpu_s) * 1e6 / (double)l.done,
        (own_cpu_s() - own) * 1e6 / (double)l.done, after.rss_mib, l.failed ? "  FAILURES" : "");
    return l.failed != 0;
}

/* --- watches --- */

struct watches {
    struct bench b;
    struct http_client *writer;
    bool same;
    long count, writes;
    long open, lines, want; /* lines: events that came; want: how many there will be */
    long written, answered;
    double from;
    float *took;
    struct buf body;
    enum { OPENING, ONE_BY_ONE, BURST } phase;
    struct usage idle, opened;
};

static void phase_next(struct watches *w);
static void open_watches(struct watches *w);

static void on_open(void *arg, struct http_call *call, int status)
{
    struct watches *w = arg;
    (void)call;
    if (status != 200)
        fail("a watch was refused");
    if (++w->open == w->count)
        loop_stop(w->b.loop);
    else if (w->open % STREAMS == 0)
        open_watches(w);
}

static void on_event(void *arg, struct str bytes)
{
    struct watches *w = arg;
    for (const char *p = bytes.p, *end = bytes.p + bytes.n;
         (p = memchr(p, '\n', (size_t)(end - p))); p++)
        w->lines++;
    if (w->lines > w->want)
        fail("more events than there should be");
    if (w->lines == w->want && w->phase != OPENING)
        phase_next(w);
}

static void on_end(void *arg, int status, struct str body, const struct err *err)
{
    (void)arg, (void)status, (void)body;
    fail(err ? err->message : "a watch ended");
}

static void on_written(void *arg, int status, struct str body, const struct err *err)
{
    (void)arg;
    if (err || status != 201) {
        fprintf(stderr, "%.*s\n", STR_ARG(body));
        fail(err ? err->message : "a write was refused");
    }
}

static void write_next(struct watches *w)
{
    char path[128];
    int ns = w->same ? 0 : (int)(w->written % NAMESPACES);
    int label = w->same ? 0 : (int)(w->written / NAMESPACES % LABELS);
    snprintf(path, sizeof(path), "/api/v1/namespaces/watch-%d/configmaps", ns);
    put_config_map(&w->body, w->written++, label);
    struct http_call_config config = {.done = on_written, .arg = w};
    const struct request r = {"POST", path, NULL, NULL, buf_str(&w->body)};
    w->want += w->same ? w->count : w->count / NAMESPACES / LABELS;
    start_call(&w->b, w->writer, &r, &config);
}

/* All that is written has reached everybody. */
static void phase_next(struct watches *w)
{
    double now = now_s();
    if (w->phase == BURST) {
        loop_stop(w->b.loop);
        return;
    }
    w->took[w->answered++] = (float)(now - w->from);
    if (w->answered == w->writes) {
        loop_stop(w->b.loop);
        return;
    }
    w->from = now;
    write_next(w);
}

static void on_namespace(void *arg, int status, struct str body, const struct err *err)
{
    struct watches *w = arg;
    (void)body;
    if (err || (status != 201 && status != 409))
        fail(err ? err->message : "a namespace was refused");
    if (++w->open == NAMESPACES)
        loop_stop(w->b.loop);
}

static void make_namespaces(struct watches *w)
{
    for (int i = 0; i < NAMESPACES; i++) {
        char body[128];
        int n = snprintf(body, sizeof(body),
                         "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":"
                         "{\"name\":\"watch-%d\"}}",
                         i);
        const struct request r = {"POST", "/api/v1/namespaces", NULL, NULL, {body, (size_t)n}};
        struct http_call_config config = {.done = on_namespace, .arg = w};
        start_call(&w->b, w->writer, &r, &config);
    }
    loop_run(w->b.loop);
    w->open = 0;
}

/* One connection's watches; those of the next follow when they stand. */
static void open_watches(struct watches *w)
{
    struct http_client *c = connect_one(&w->b);
    for (long i = w->open, end = i + STREAMS; i < end && i < w->count; i++) {
        char path[128];
        snprintf(path, sizeof(path),
                 "/api/v1/namespaces/watch-%ld/configmaps?watch=1&labelSelector=group%%3D%ld",
                 w->same ? 0 : i % NAMESPACES, w->same ? 0 : i / NAMESPACES % LABELS);
        const struct request r = {.method = "GET", .path = path};
        struct http_call_config config = {
            .stream = true, .headers_done = on_open, .data = on_event, .done = on_end, .arg = w};
        start_call(&w->b, c, &r, &config);
    }
}

static int cmd_watches(int argc, char **argv)
{
    if (argc < 5)
        fail("usage: lean watches KUBECONFIG PIDS WATCHES spread|same WRITES");
    struct watches w = {.count = atol(argv[2]), .same = strcmp(argv[3], "same") == 0};
    w.writes = atol(argv[4]);
    w.took = mem_alloc((size_t)w.writes * sizeof(float));
    bench_init(&w.b, argv[0], argv[1]);
    w.writer = connect_one(&w.b);
    make_namespaces(&w);
    w.idle = usage_of(w.b.pids);
    double start = now_s();
    open_watches(&w);
    loop_run(w.b.loop);
    double opened_s = now_s() - start;
    w.opened = usage_of(w.b.pids);
    printf("%ld watches open in %.2f s (%.1f us of the server's processor each), %.1f KiB each\n",
           w.count, opened_s, (w.opened.cpu_s - w.idle.cpu_s) * 1e6 / (double)w.count,
           (w.opened.rss_mib - w.idle.rss_mib) * 1024 / (double)w.count);

    w.phase = ONE_BY_ONE;
    w.from = now_s();
    write_next(&w);
    loop_run(w.b.loop);
    qsort(w.took, (size_t)w.writes, sizeof(float), by_value);
    printf("one write at a time, until all have its event: p50 %.2f ms, p99 %.2f ms\n",
           quantile(w.took, w.writes, 0.5) * 1e3, quantile(w.took, w.writes, 0.99) * 1e3);

    w.phase = BURST;
    struct usage before = usage_of(w.b.pids);
    double own = own_cpu_s();
    long first = w.lines;
    start = now_s();
    for (long i = 0; i < w.writes; i++)
        write_next(&w);
    loop_run(w.b.loop);
    double took = now_s() - start;
    struct usage after = usage_of(w.b.pids);
    double events = (double)(w.lines - first);
    printf("%ld writes at once: %.0f events in %.2f s, %.0f events/s, server %.2f us each, client "
           "%.2f us each, RSS %.0f MiB\n",
           w.writes, events, took, events / took, (after.cpu_s - before.cpu_s) * 1e6 / events,
           (own_cpu_s() - own) * 1e6 / events, after.rss_mib);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "load") == 0)
        return cmd_load(argc - 2, argv + 2);
    if (argc > 2 && strcmp(argv[1], "fill") == 0)
        return cmd_fill(argc - 2, argv + 2);
    if (argc > 2 && strcmp(argv[1], "watches") == 0)
        return cmd_watches(argc - 2, argv + 2);
    fail("usage: lean load|fill|watches …");
}
