/* action_hooks.c: running the hooks of an event, one after the other. */
#include "release/action_impl.h"

#include <stdlib.h>

#include "release/release_internal.h"

static int by_weight(const void *a, const void *b)
{
    const struct release_hook *x = *(struct release_hook *const *)a,
                              *y = *(struct release_hook *const *)b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? -1 : 1;
    int names = str_cmp(x->name, y->name);
    return names ? names : x < y ? -1 : x > y; /* stable */
}

void action_sort_hooks(struct release_hook **hooks, size_t n)
{
    qsort(hooks, n, sizeof *hooks, by_weight);
}

struct str action_join(struct arena *a, const struct chart_strs *texts, const char *between)
{
    struct buf b = {0};
    for (size_t i = 0; i < texts->n; i++)
        buf_printf(&b, "%s%.*s", i ? between : "", STR_ARG(texts->items[i]));
    struct str joined = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return joined;
}

/* Deletes the hook's objects when its policy says so, and waits until they are gone. Definitions of
 * resources stay: all resources of theirs would go, too. */
static int delete_by_policy(struct action *x, const struct release_hook *h, uint32_t policy,
                            int64_t timeout_ms)
{
    struct objects o;
    struct chart_strs errors;
    if (str_is(h->kind, "CustomResourceDefinition") || !(h->delete_policies & policy))
        return 0;
    if (cluster_build(x->cluster, h->manifest, false, &o) != 0)
        return chart_wrap(x->cx, "unable to build kubernetes object for deleting hook %.*s",
                          STR_ARG(h->path));
    if (cluster_delete(x->cluster, &o, "background", &errors) != 0) {
        x->cx->error = action_join(x->cx->arena, &errors, "; ");
        return -1;
    }
    return cluster_wait(x->cluster, &o, WAIT_GONE, timeout_ms);
}

/* --- logs --- */
static int put_logs(struct action *x, const val *pod)
{
    struct str namespace = VAL_STR(pod, "metadata", "namespace"),
               name = VAL_STR(pod, "metadata", "name");
    VAL_FOR (VAL_PATH(pod, "spec", "containers"), container) {
        struct str container_name = VAL_STR(container, "name"), text;
        struct str path = arena_printf(x->cx->arena, "/api/v1/namespaces/%.*s/pods/%.*s/log",
                                       STR_ARG(namespace), STR_ARG(name));
        struct str query = arena_printf(x->cx->arena, "container=%.*s", STR_ARG(container_name));
        if (cluster_read(x->cluster, path, query, &text) != 0)
            return chart_fail(x->cx, "Failed to stream pod logs for pod: %.*s, container: %.*s",
                              STR_ARG(name), STR_ARG(container_name));
        if (x->log_output)
            x->log_output(x->log_arg, text);
    }
    return 0;
}

static int logs_of_pods(struct action *x, const struct object *o, const char *selector)
{
    struct doc d;
    struct err err;
    struct str body;
    val *list = NULL;
    struct str path =
        arena_printf(x->cx->arena, "/api/v1/namespaces/%.*s/pods", STR_ARG(o->namespace));
    struct str query = arena_printf(x->cx->arena, "%s%%3D%.*s", selector, STR_ARG(o->name));
    if (cluster_read(x->cluster, path, query, &body) != 0)
        return -1;
    doc_init(&d);
    int rc = doc_parse_json(&d, body, &list, &err) ? chart_fail(x->cx, "%s", err.message) : 0;
    VAL_FOR (val_get(list, "items"), pod)
        rc = rc ? rc : put_logs(x, pod);
    doc_done(&d);
    return rc;
}

/* Failures are only told. */
static void put_logs_by_policy(struct action *x, const struct release_hook *h,
                               const struct objects *o, uint32_t policy)
{
    int rc = 0;
    if (!(h->output_log_policies & policy))
        return;
    for (size_t i = 0; i < o->n && rc == 0; i++) {
        if (str_is(o->items[i].kind, "Job"))
            rc = logs_of_pods(x, &o->items[i], "labelSelector=job-name");
        else if (str_is(o->items[i].kind, "Pod"))
            rc = logs_of_pods(x, &o->items[i], "fieldSelector=metadata.name");
    }
    if (rc != 0)
        chart_warn(x->cx, "error outputting logs for hook failure: %.*s", STR_ARG(x->cx->error));
}

/* --- running --- */
static size_t hooks_of(struct action *x, struct release *r, enum hook_event event,
                       struct release_hook ***ret)
{
    size_t n = 0;
    *ret = arena_alloc(x->cx->arena, (r->hook_count + 1) * sizeof **ret);
    for (size_t i = 0; i < r->hook_count; i++)
        if (r->hooks[i].events & 1u << event)
            (*ret)[n++] = &r->hooks[i];
    action_sort_hooks(*ret, n);
    return n;
}

/* What a failed hook leaves: logs and deletions are done, the error stays. */
static int after_failure(struct action *x, struct release_hook **done, size_t n,
                         const struct objects *o, int64_t timeout_ms)
{
    struct release_hook *h = done[n];
    struct str error = x->cx->error;
    put_logs_by_policy(x, h, o, HOOK_ON_FAILED);
    if (delete_by_policy(x, h, HOOK_ON_FAILED, timeout_ms) != 0)
        chart_warn(x->cx, "error deleting the hook resource on hook failure: %.*s",
                   STR_ARG(x->cx->error));
    for (size_t i = 0; i < n; i++)
        if (delete_by_policy(x, done[i], HOOK_ON_SUCCEEDED, timeout_ms) != 0)
            return -1;
    x->cx->error = error;
    return -1;
}

static int run_one(struct action *x, struct release *r, enum hook_event event,
                   struct release_hook **all, size_t i, int64_t timeout_ms, struct objects *ret)
{
    struct release_hook *h = all[i];
    if (h->delete_policies == 0)
        h->delete_policies = HOOK_BEFORE_CREATION;
    if (delete_by_policy(x, h, HOOK_BEFORE_CREATION, timeout_ms) != 0)
        return -1;
    if (cluster_build(x->cluster, h->manifest, true, ret) != 0)
        return chart_wrap(x->cx, "unable to build kubernetes object for %s hook %.*s",
                          hook_event_names.texts[event], STR_ARG(h->path));
    h->started = release_now();
    h->completed = (struct release_time){0};
    h->phase = HOOK_PHASE_RUNNING;
    storage_update(x->storage, r);
    h->phase = HOOK_PHASE_UNKNOWN;
    if (cluster_create(x->cluster, ret) != 0) {
        h->completed = release_now();
        h->phase = HOOK_PHASE_FAILED;
        return chart_wrap(x->cx, "warning: Hook %s %.*s failed", hook_event_names.texts[event],
                          STR_ARG(h->path));
    }
    int rc = cluster_wait_hook(x->cluster, ret, timeout_ms);
    h->completed = release_now();
    h->phase = rc ? HOOK_PHASE_FAILED : HOOK_PHASE_SUCCEEDED;
    return rc ? after_failure(x, all, i, ret, timeout_ms) : 0;
}

int action_hooks(struct action *x, struct release *r, enum hook_event event, int64_t timeout_ms)
{
    struct release_hook **hooks;
    size_t n = hooks_of(x, r, event, &hooks);
    struct objects *objects = arena_zalloc(x->cx->arena, (n + 1) * sizeof *objects);
    for (size_t i = 0; i < n; i++)
        if (run_one(x, r, event, hooks, i, timeout_ms, &objects[i]) != 0)
            return -1;
    for (size_t i = n; i-- > 0;) {
        put_logs_by_policy(x, hooks[i], &objects[i], HOOK_ON_SUCCEEDED);
        if (delete_by_policy(x, hooks[i], HOOK_ON_SUCCEEDED, timeout_ms) != 0)
            return -1;
    }
    return 0;
}
