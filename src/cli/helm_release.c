/* helm_release.c: the steps that the commands share which change releases. */
#include "cli/helm_release.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "chart/values.h"

/* --- interruptions --- */

/* A thread takes the signals, so that calls under way need not: the first cancels, the second ends
 * the program. */
struct helm_interrupt {
    pthread_t thread;
    atomic_bool came;
    const char *release;
};

static void endings(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGTERM);
}

static void *take_signals(void *arg)
{
    struct helm_interrupt *in = arg;
    sigset_t set;
    int number;
    endings(&set);
    sigwait(&set, &number);
    atomic_store(&in->came, true);
    printf("Release %s has been cancelled.\n", in->release);
    fflush(stdout);
    sigwait(&set, &number);
    _exit(128 + number);
}

static struct helm_interrupt *interrupt_new(const char *release)
{
    struct helm_interrupt *in = NEW(struct helm_interrupt);
    sigset_t set;
    in->release = release;
    endings(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&in->thread, NULL, take_signals, in) == 0)
        return in;
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    free(in);
    return NULL;
}

static void interrupt_free(struct helm_interrupt *in)
{
    sigset_t set;
    if (!in)
        return;
    pthread_cancel(in->thread);
    pthread_join(in->thread, NULL);
    endings(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    free(in);
}

static bool is_interrupted(void *arg)
{
    struct helm_work *w = arg;
    return w->interrupt && atomic_load(&w->interrupt->came);
}

/* --- progress --- */
static void show(void *arg, struct str line)
{
    struct helm_work *w = arg;
    struct winsize size;
    if (line.n == 0 && !w->shown)
        return;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    line = str_head(line, known ? size.ws_col - 1u : 79); /* a second row could not be taken back */
    while (line.n && (line.p[line.n] & 0xc0) == 0x80)
        line.n--;
    fprintf(stderr, "\r\033[K%.*s", STR_ARG(line));
    fflush(stderr);
    w->shown = line.n > 0;
}

static void log_output(void *arg, struct str text)
{
    (void)arg;
    fwrite(text.p, 1, text.n, stderr);
}

int helm_work_open(struct chart_ctx *cx, int64_t history_max, const char *cancelled,
                   struct helm_work *ret)
{
    struct str namespace = str_of(helm_namespace(cx)), driver = str_of(getenv("HELM_DRIVER"));
    *ret = (struct helm_work){.interrupt = cancelled ? interrupt_new(cancelled) : NULL};
    ret->action = (struct action){.cx = cx, .namespace = namespace, .log_output = log_output};
    if (helm_connect(cx, &ret->client) != 0 ||
        cluster_open(cx, ret->client, namespace, &ret->action.cluster) != 0)
        return -1;
    struct cluster_watcher watcher = {isatty(STDERR_FILENO) ? show : NULL, is_interrupted, ret};
    cluster_watch(ret->action.cluster, &watcher);
    return storage_open(cx, ret->client, driver, namespace, (int)history_max,
                        &ret->action.storage) == STORAGE_OK
               ? 0
               : -1;
}

void helm_work_close(struct helm_work *w)
{
    interrupt_free(w->interrupt);
    client_free(w->client);
    *w = (struct helm_work){0};
}

/* --- flags --- */
int helm_labels(struct chart_ctx *cx, const struct chart_strs *words, struct vmap **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < words->n; i++) {
        struct str key, text;
        if (!str_cut(words->items[i], '=', &key, &text))
            return chart_fail(cx,
                              "invalid argument \"%.*s\" for \"-l, --labels\" flag: %.*s must be "
                              "formatted as key=value",
                              STR_ARG(words->items[i]), STR_ARG(words->items[i]));
        if (!*ret)
            *ret = vmap_new(cx->arena, words->n);
        vmap_set(*ret, key, value_str(text));
    }
    return 0;
}

int helm_dry_run(struct chart_ctx *cx, const char *text, enum dry_run *ret)
{
    static const struct {
        const char *text;
        enum dry_run mode;
    } modes[] = {
        {"", DRY_RUN_NONE},         {"none", DRY_RUN_NONE},   {"false", DRY_RUN_NONE},
        {"client", DRY_RUN_CLIENT}, {"true", DRY_RUN_CLIENT}, {"server", DRY_RUN_SERVER},
    };
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(text ? text : "", modes[i].text) == 0) {
            *ret = modes[i].mode;
            return 0;
        }
    return chart_fail(cx,
                      "Invalid dry-run flag. Flag must one of the following: false, true, none, "
                      "client, server");
}

int64_t helm_history_max(void)
{
    int64_t n;
    return str_to_i64(str_of(getenv("HELM_MAX_HISTORY")), &n) ? n : 10;
}

/* --- charts --- */
static int check_installable(struct chart_ctx *cx, const struct chart *c)
{
    struct str type = c->meta.type;
    if (type.n && !str_is(type, "application"))
        return chart_fail(cx, "%.*s charts are not installable", STR_ARG(type));
    return 0;
}

static int check_dependencies(struct chart_ctx *cx, const char *path, bool update,
                              struct chart **chart, struct buf *out)
{
    if (chart_check_dependencies(cx, *chart) == 0)
        return 0;
    if (!update || helm_dependency_update(cx, path, out) != 0)
        return -1;
    return chart_load(cx, path, chart) == 0
               ? 0
               : chart_wrap(cx, "failed reloading chart after repo update");
}

int helm_load_release(struct chart_ctx *cx, const char *name, struct helm_chart_options *o,
                      bool installing, struct chart **ret, struct vmap **ret_values,
                      struct buf *out)
{
    const char *path;
    if (helm_locate_chart(cx, name, &o->source, &path) != 0 ||
        helm_merge_values(cx, &o->values, ret_values) != 0 || chart_load(cx, path, ret) != 0 ||
        (installing && check_installable(cx, *ret) != 0))
        return -1;
    if (installing && (*ret)->meta.deprecated)
        chart_warn(cx, "WARNING: This chart is deprecated");
    if (check_dependencies(cx, path, o->dependency_update, ret, out) != 0)
        return -1;
    if (!installing && (*ret)->meta.deprecated)
        chart_warn(cx, "WARNING: This chart is deprecated");
    return 0;
}

static int post_render(struct chart_ctx *cx, void *arg, struct buf *manifests)
{
    const struct helm_chart_options *o = arg;
    return helm_post_render(cx, o->post_renderer, &o->post_args, manifests);
}

int helm_render_options(struct chart_ctx *cx, struct helm_chart_options *o,
                        struct action_render *ret)
{
    if (!o->post_renderer)
        return 0;
    ret->post_render = post_render;
    ret->post_render_arg = o;
    return helm_find_post_renderer(cx, o->post_renderer, &o->post_renderer);
}

int helm_read_how(struct chart_ctx *cx, struct helm_how *h, struct action_how *to)
{
    to->description = str_of(h->description);
    if (helm_timeout(cx, h->timeout, HELM_TIMEOUT_MS, &to->timeout_ms) != 0 ||
        helm_labels(cx, &h->labels, &to->labels) != 0 ||
        helm_format_of(cx, h->output, &h->format) != 0)
        return -1;
    return helm_render_options(cx, &h->chart, &to->render);
}
