/* action_render.c: from a chart and values to a release's manifest, hooks and notes. */
#include "release/action_impl.h"

#include "chart/values.h"

static const char *const system_labels[] = {"name",    "owner",     "status",
                                            "version", "createdAt", "modifiedAt"};

static int check_labels(struct chart_ctx *cx, const struct vmap *labels)
{
    for (size_t i = 0; i < ARRAY_LEN(system_labels); i++)
        if (labels && vmap_get(labels, str_of(system_labels[i])))
            return chart_fail(cx, "user supplied labels contains system reserved label name. "
                                  "System labels: [name owner status version createdAt "
                                  "modifiedAt]");
    return 0;
}

static bool is_notes(struct str name)
{
    return str_ends(name, STR("NOTES.txt"));
}

/* Takes the notes out of what was rendered: the chart's own, or those of all charts. */
static struct str take_notes(struct action *x, const struct rendering *q, struct rendered_list *r)
{
    struct arena *a = x->cx->arena;
    struct str own = arena_printf(a, "%.*s/templates/NOTES.txt", STR_ARG(q->chart->meta.name));
    struct buf notes = {0};
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct rendered *one = &r->items[i];
        if (!is_notes(one->name)) {
            r->items[n++] = *one;
            continue;
        }
        if (!q->options->sub_notes && !str_eq(one->name, own))
            continue;
        if (notes.n)
            buf_putc(&notes, '\n');
        buf_put(&notes, one->text);
    }
    r->n = n;
    struct str text = arena_dup(a, buf_str(&notes));
    buf_done(&notes);
    return text;
}

static void put_manifests(const struct manifests *all, bool hide_secret, struct buf *b)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct manifest *m = &all->items[i];
        bool hidden = hide_secret && str_is(m->kind, "Secret") && str_is(m->api_version, "v1");
        buf_printf(b, "---\n# Source: %.*s\n", STR_ARG(m->path));
        if (hidden)
            buf_puts(b, "# HIDDEN: The Secret output has been suppressed\n");
        else
            buf_put(b, m->content), buf_putc(b, '\n');
    }
}

static int assemble(struct action *x, const struct rendering *q, struct rendered_list *rendered,
                    struct release *ret)
{
    const struct action_render *o = q->options;
    struct manifests hooks, generic;
    struct buf manifest = {0};
    ret->notes = take_notes(x, q, rendered);
    if (manifests_sort(x->cx, rendered, &hooks, &generic) != 0 ||
        release_hooks_from(x->cx, &hooks, ret) != 0)
        return -1;
    put_manifests(&generic, o->hide_secret, &manifest);
    int rc = o->post_render ? o->post_render(x->cx, o->post_render_arg, &manifest) : 0;
    ret->manifest = arena_dup(x->cx->arena, buf_str(&manifest));
    buf_done(&manifest);
    return rc;
}

int action_render(struct action *x, const struct rendering *q, struct release *ret)
{
    struct chart_ctx *cx = x->cx;
    struct render_options r = {.release = q->release,
                               .lookup = q->ask_cluster ? cluster_lookup : NULL,
                               .enable_dns = q->options->enable_dns,
                               .user = x->cluster};
    struct rendered_list rendered;
    struct vmap *coalesced;
    if (cluster_capabilities(x->cluster, &r.capabilities) != 0 ||
        values_coalesce(cx, q->chart, q->values, false, &coalesced) != 0 ||
        (!q->options->skip_schema && values_validate(cx, q->chart, coalesced) != 0) ||
        check_labels(cx, q->labels) != 0 ||
        chart_check_kube_version(cx, q->chart, &r.capabilities) != 0 ||
        chart_render(cx, q->chart, coalesced, &r, &rendered) != 0)
        return -1;
    return assemble(x, q, &rendered, ret);
}
