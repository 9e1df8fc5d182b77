/* action_test.c: running the tests that came with a release's chart. */
#include "release/action_impl.h"

static bool contains(const struct chart_strs *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->items[i], name))
            return true;
    return false;
}

static bool is_chosen(const struct action_test *o, const struct release_hook *h)
{
    return !contains(&o->except, h->name) && (o->only.n == 0 || contains(&o->only, h->name));
}

/* Those that are not chosen come first, as Helm leaves them in the record; *ret_skipped of them. */
static void arrange(struct action *x, const struct action_test *o, struct release *r,
                    size_t *ret_skipped)
{
    struct release_hook *all = arena_alloc(x->cx->arena, (r->hook_count + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < r->hook_count; i++)
        if (!is_chosen(o, &r->hooks[i]))
            all[n++] = r->hooks[i];
    *ret_skipped = n;
    for (size_t i = 0; i < r->hook_count; i++)
        if (is_chosen(o, &r->hooks[i]))
            all[n++] = r->hooks[i];
    r->hooks = all;
}

int action_test(struct action *x, const struct action_test *o, struct release **ret)
{
    struct release *r;
    size_t skipped;
    *ret = NULL;
    if (cluster_reachable(x->cluster) != 0)
        return -1;
    if (!action_is_release_name(o->name))
        return chart_fail(x->cx, "releaseTest: Release name is invalid: %.*s", STR_ARG(o->name));
    if (storage_last(x->storage, o->name, &r) != STORAGE_OK)
        return -1;
    arrange(x, o, r, &skipped);
    /* The record that is written while hooks run lacks the others, in Helm as here. */
    r->hooks += skipped;
    r->hook_count -= skipped;
    int rc = action_hooks(x, r, HOOK_TEST, o->timeout_ms);
    struct str error = x->cx->error;
    r->hooks -= skipped;
    r->hook_count += skipped;
    *ret = r;
    if (storage_update(x->storage, r) != STORAGE_OK && rc == 0)
        return -1;
    x->cx->error = error;
    return rc;
}

int action_test_logs(struct action *x, const struct action_test *o, const struct release *r,
                     struct buf *out)
{
    struct release_hook **sorted = arena_alloc(x->cx->arena, (r->hook_count + 1) * sizeof *sorted);
    for (size_t i = 0; i < r->hook_count; i++)
        sorted[i] = &r->hooks[i];
    action_sort_hooks(sorted, r->hook_count);
    for (size_t i = 0; i < r->hook_count; i++) {
        const struct release_hook *h = sorted[i];
        struct str text;
        if (!(h->events & 1u << HOOK_TEST) || !is_chosen(o, h))
            continue;
        struct str path = arena_printf(x->cx->arena, "/api/v1/namespaces/%.*s/pods/%.*s/log",
                                       STR_ARG(x->namespace), STR_ARG(h->name));
        if (cluster_read(x->cluster, path, STR(""), &text) != 0)
            return chart_wrap(x->cx, "unable to get pod logs for %.*s", STR_ARG(h->name));
        buf_printf(out, "POD LOGS: %.*s\n", STR_ARG(h->name));
        buf_put(out, text);
        buf_putc(out, '\n');
    }
    return 0;
}
