/* What the server counts of itself, by upstream's names and labels
 * (k8s.io/apiserver/pkg/endpoints/metrics). A loop counts under its own lock, which only /metrics
 * ever contends. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "api/core.h"
#include "base/file.h"

enum { MAX_SERIES = 5000 }; /* a loop's; further ones are not counted */

/* Upper bounds in seconds; the last is +Inf. */
static const double bounds[] = {0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1,  1.25, 1.5, 2,
                                3,     4,     5,    6,   8,   10,  15,  20,  30, 45,   60};

/* The same for sizes in bytes. */
static const double sizes[] = {1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

enum { BUCKETS = ARRAY_LEN(bounds) + 1 };

/* One in the loop's map; the key is FAMILY, then the labels. */
struct series {
    int64_t count;
    double sum;
    uint64_t buckets[]; /* of a histogram, not added up */
};

enum family { REQUESTS = 'r', DURATIONS = 'd', LONG_RUNNING = 'l', SIZES = 's' };

static bool is_histogram(char family)
{
    return family == DURATIONS || family == SIZES;
}

static const double *bounds_of(char family, size_t *ret_n)
{
    *ret_n = family == SIZES ? ARRAY_LEN(sizes) : ARRAY_LEN(bounds);
    return family == SIZES ? sizes : bounds;
}

/* --- counting --- */

static const char *verb_of(const struct call *c)
{
    static const struct {
        const char *ours, *upstream;
    } verbs[] = {{"get", "GET"},
                 {"list", "LIST"},
                 {"watch", "WATCH"},
                 {"create", "POST"},
                 {"update", "PUT"},
                 {"delete", "DELETE"},
                 {"deletecollection", "DELETECOLLECTION"},
                 {"head", "HEAD"},
                 {"post", "POST"},
                 {"put", "PUT"},
                 {"options", "OPTIONS"}};
    const char *verb = c->route.verb ? c->route.verb : "";
    if (c->handler == handle_relay)
        return "CONNECT";
    if (strcmp(verb, "patch") == 0)
        return str_starts(c->content_type, STR("application/apply-patch")) ? "APPLY" : "PATCH";
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verb, verbs[i].ours) == 0)
            return verbs[i].upstream;
    return "other";
}

/* The labels that all families have, in the order of upstream's exposition. */
static struct str series_key(const struct call *c, enum family family, char *room, size_t size)
{
    const struct route *r = &c->route;
    const struct schema_kind *k = c->kind ? c->kind->k : NULL;
    bool one = r->name.n || (r->verb && strcmp(r->verb, "create") == 0);
    const char *scope = !k ? "" : one ? "resource" : r->ns.n ? "namespace" : "cluster";
    int code = c->status ? c->status : 200, n = 0;
    room[n++] = (char)family;
    if (family == REQUESTS)
        n += snprintf(room + n, size - (size_t)n, "code=\"%d\",", code);
    n += snprintf(room + n, size - (size_t)n, "component=\"apiserver\",");
    if (family != LONG_RUNNING && family != SIZES)
        n += snprintf(room + n, size - (size_t)n, "dry_run=\"%s\",",
                      c->options.dry_run ? "All" : "");
    n += snprintf(room + n, size - (size_t)n,
                  "group=\"%s\",resource=\"%s\",scope=\"%s\",subresource=\"%.*s\",verb=\"%s\","
                  "version=\"%s\"",
                  k ? k->group : "", k ? k->resource : "", scope, k ? (int)r->subresource.n : 0,
                  r->subresource.p ? r->subresource.p : "", verb_of(c), k ? k->version : "");
    return (struct str){room, (size_t)n < size ? (size_t)n : size - 1};
}

/* NULL: there are too many. Under the loop's lock. */
static struct series *series_of(struct map *m, struct str key)
{
    struct series *s = map_get(m, key);
    if (s || m->count >= MAX_SERIES)
        return s;
    size_t buckets = is_histogram(key.p[0]) ? BUCKETS * sizeof(s->buckets[0]) : 0;
    s = mem_zalloc(sizeof(*s) + buckets);
    map_set(m, key, s);
    return s;
}

static void observe(struct map *m, struct str key, double v)
{
    struct series *s = series_of(m, key);
    size_t i = 0, n;
    const double *upto = bounds_of(key.p[0], &n);
    if (!s)
        return;
    while (i < n && v > upto[i])
        i++;
    s->buckets[i]++;
    s->count++;
    s->sum += v;
}

int64_t metrics_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void metrics_count(struct call *c)
{
    struct api_loop *at = c->at;
    if (!at)
        return;
    char total[768], duration[768], size[768];
    size_t sent = c->reply ? c->reply->n : c->sent;
    bool sized = c->handler == handle_get || c->handler == handle_list;
    bool timed = c->handler != handle_watch && c->handler != handle_relay;
    struct str total_key = series_key(c, REQUESTS, total, sizeof(total));
    struct str duration_key = series_key(c, DURATIONS, duration, sizeof(duration));
    struct str size_key = series_key(c, SIZES, size, sizeof(size));
    double seconds = (double)(metrics_now_ns() - c->began_ns) / 1e9;
    pthread_mutex_lock(&at->lock);
    struct series *s = series_of(&at->counters, total_key);
    if (s)
        s->count++;
    if (timed)
        observe(&at->counters, duration_key, seconds);
    if (sized)
        observe(&at->counters, size_key, (double)sent);
    pthread_mutex_unlock(&at->lock);
}

void metrics_watching(struct call *c, int change)
{
    char room[768];
    struct str key = series_key(c, LONG_RUNNING, room, sizeof(room));
    pthread_mutex_lock(&c->at->lock);
    struct series *s = series_of(&c->at->counters, key);
    if (s)
        s->count += change;
    c->at->watching += change;
    pthread_mutex_unlock(&c->at->lock);
}

void metrics_done(struct map *counters)
{
    for (struct map_entry *e = NULL; (e = map_next(counters, e));)
        free(e->value);
    map_done(counters);
}

/* --- telling --- */

struct sums { /* of all loops */
    struct map series;
    long watching, mutating;
};

static void add_up(struct api *api, struct sums *sums)
{
    pthread_mutex_lock(&api->lock);
    LIST_FOR (&api->loops, it) {
        struct api_loop *at = CONTAINER_OF(it, struct api_loop, link);
        pthread_mutex_lock(&at->lock);
        for (struct map_entry *e = NULL; (e = map_next(&at->counters, e));) {
            const struct series *from = e->value;
            struct series *to = series_of(&sums->series, map_key(e));
            if (!to)
                continue;
            to->count += from->count;
            to->sum += from->sum;
            for (size_t i = 0; is_histogram(map_key(e).p[0]) && i < BUCKETS; i++)
                to->buckets[i] += from->buckets[i];
        }
        sums->watching += at->watching;
        sums->mutating += atomic_load(&at->committing);
        pthread_mutex_unlock(&at->lock);
    }
    pthread_mutex_unlock(&api->lock);
}

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s [STABLE] %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_family(const struct sums *sums, enum family family, const char *name,
                         struct buf *b)
{
    for (struct map_entry *e = NULL; (e = map_next(&sums->series, e));) {
        const struct series *s = e->value;
        struct str labels = str_from(map_key(e), 1);
        if (map_key(e).p[0] != (char)family)
            continue;
        if (!is_histogram((char)family)) {
            buf_printf(b, "%s{%.*s} %lld\n", name, STR_ARG(labels), (long long)s->count);
            continue;
        }
        unsigned long long below = 0;
        size_t n;
        const double *upto = bounds_of((char)family, &n);
        for (size_t i = 0; i <= n; i++) {
            buf_printf(b, "%s_bucket{%.*s,le=\"", name, STR_ARG(labels));
            below += s->buckets[i];
            if (i < n)
                buf_printf(b, "%g\"} %llu\n", upto[i], below);
            else
                buf_printf(b, "+Inf\"} %llu\n", below);
        }
        buf_printf(b, "%s_sum{%.*s} %.9g\n%s_count{%.*s} %lld\n", name, STR_ARG(labels), s->sum,
                   name, STR_ARG(labels), (long long)s->count);
    }
}

static void gauge(struct buf *b, const char *name, const char *type, const char *help, double v)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, v);
}

static double count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    double n = -3; /* the folder's own, "." and ".." */
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n < 0 ? 0 : n;
}

/* As Prometheus' client libraries have them. */
static void write_process(struct buf *b)
{
    struct buf stat = {0}, uptime = {0};
    struct err ignored;
    struct rlimit files = {0}, memory = {0};
    unsigned long user = 0, system = 0, size = 0;
    unsigned long long start = 0;
    long pages = 0;
    double up = 0, ticks = (double)sysconf(_SC_CLK_TCK);
    if (file_read("/proc/self/stat", 4096, &stat, &ignored) == 0) {
        const char *behind = strrchr(buf_z(&stat), ')'); /* the name may hold anything */
        sscanf(behind ? behind : "",
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d "
               "%llu %lu %ld",
               &user, &system, &start, &size, &pages);
    }
    if (file_read("/proc/uptime", 256, &uptime, &ignored) == 0)
        sscanf(buf_z(&uptime), "%lf", &up);
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_AS, &memory);
    gauge(b, "process_cpu_seconds_total", "counter", "Seconds of processor time.",
          (double)(user + system) / ticks);
    gauge(b, "process_max_fds", "gauge", "How many file descriptors may be open.",
          (double)files.rlim_cur);
    gauge(b, "process_open_fds", "gauge", "How many file descriptors are open.", count_fds());
    gauge(b, "process_resident_memory_bytes", "gauge", "Bytes of memory in use.",
          (double)pages * (double)sysconf(_SC_PAGESIZE));
    gauge(b, "process_start_time_seconds", "gauge",
          "When the process began, in seconds since 1970.",
          (double)time(NULL) - up + (double)start / ticks);
    gauge(b, "process_virtual_memory_bytes", "gauge", "Bytes of address space in use.",
          (double)size);
    gauge(b, "process_virtual_memory_max_bytes", "gauge",
          "Bytes of address space that may be in use.", (double)memory.rlim_cur);
    buf_done(&stat);
    buf_done(&uptime);
}

/* How many objects there are of each built-in kind. */
static void write_objects(struct api *api, struct buf *b)
{
    struct store_snap *snap;
    struct err ignored;
    if (store_snap_begin(api->config.store, 0, &snap, &ignored) != 0)
        return;
    head(b, "apiserver_storage_objects", "gauge", "Objects in the store, by resource.");
    for (struct map_entry *e = NULL; (e = map_next(&api->kinds.by_prefix, e));) {
        const struct kind *k = e->value;
        buf_printf(b, "apiserver_storage_objects{resource=\"%.*s\"} %lld\n",
                   STR_ARG(k->group_resource), (long long)store_count(snap, k->prefix, k->end));
    }
    store_snap_end(snap);
}

void metrics_write(struct api *api, struct buf *b)
{
    struct sums sums = {0};
    add_up(api, &sums);
    long reading = atomic_load(&api->inflight) - sums.watching - sums.mutating;
    head(b, "apiserver_current_inflight_requests", "gauge",
         "Requests being served, watches left out, by whether they may write.");
    buf_printf(b,
               "apiserver_current_inflight_requests{request_kind=\"mutating\"} %ld\n"
               "apiserver_current_inflight_requests{request_kind=\"readOnly\"} %ld\n",
               sums.mutating, reading > 0 ? reading : 0);
    head(b, "apiserver_longrunning_requests", "gauge", "Watches and streams that are open.");
    write_family(&sums, LONG_RUNNING, "apiserver_longrunning_requests", b);
    head(b, "apiserver_request_duration_seconds", "histogram",
         "Seconds from a request to the end of its answer.");
    write_family(&sums, DURATIONS, "apiserver_request_duration_seconds", b);
    head(b, "apiserver_request_total", "counter", "Requests that were answered, by HTTP status.");
    write_family(&sums, REQUESTS, "apiserver_request_total", b);
    head(b, "apiserver_response_sizes", "histogram", "Bytes of answers.");
    write_family(&sums, SIZES, "apiserver_response_sizes", b);
    metrics_done(&sums.series);
    write_objects(api, b);
    write_process(b);
    gauge(b, "tutti_store_revision", "gauge", "The last committed revision.",
          (double)store_revision(api->config.store));
}
