/* helm_records.c: the way to the releases that a cluster keeps, and what is shown of one. */
#include <stdlib.h>

#include "chart/values.h"
#include "cli/helm.h"
#include "release/cluster.h"
#include "release/resources.h"
#include "template/unicode.h"

int helm_records_open(struct chart_ctx *cx, const char *namespace, int history_max,
                      struct helm_records *ret)
{
    const char *driver = getenv("HELM_DRIVER");
    *ret = (struct helm_records){.namespace = namespace};
    if (helm_connect(cx, &ret->client) != 0 ||
        cluster_open(cx, ret->client, str_of(namespace), &ret->cluster) != 0 ||
        cluster_reachable(ret->cluster) != 0)
        return -1;
    return storage_open(cx, ret->client, str_of(driver), str_of(namespace), history_max,
                        &ret->storage);
}

int helm_records_open_in(struct chart_ctx *cx, const char *context, const char *namespace,
                         struct helm_records *ret)
{
    struct helm_settings *settings = helm_settings(cx);
    const char *usual = settings->kube_context;
    settings->kube_context = context ? context : usual;
    int rc = helm_records_open(cx, namespace ? namespace : helm_namespace(cx), 0, ret);
    settings->kube_context = usual;
    return rc;
}

void helm_records_close(struct helm_records *r)
{
    client_free(r->client);
    *r = (struct helm_records){0};
}

int helm_release_content(struct chart_ctx *cx, struct storage *s, const char *name,
                         int64_t revision, struct release **ret)
{
    if (!helm_is_release_name(str_of(name)))
        return chart_fail(cx, "releaseContent: Release name is invalid: %s", name);
    int code;
    if (revision <= 0)
        code = storage_last(s, str_of(name), ret);
    else if (revision > INT32_MAX)
        code = chart_fail(cx, "release: not found");
    else
        code = storage_get(s, str_of(name), (int)revision, ret);
    return code == STORAGE_OK ? 0 : -1;
}

struct str helm_chart_name(struct arena *a, const struct release *r)
{
    if (!r->chart || !r->chart->has_meta)
        return STR("MISSING");
    return arena_printf(a, "%.*s-%.*s", STR_ARG(r->chart->meta.name),
                        STR_ARG(r->chart->meta.version));
}

struct str helm_app_version(const struct release *r)
{
    return r->chart && r->chart->has_meta ? r->chart->meta.app_version : STR("MISSING");
}

/* --- a release for people --- */
static void put_field(struct buf *out, const char *name, struct str text)
{
    buf_printf(out, "%s: ", name);
    buf_put(out, text);
    buf_putc(out, '\n');
}

static void put_head(struct chart_ctx *cx, const struct release *r, struct helm_shown shown,
                     struct buf *out)
{
    put_field(out, "NAME", r->name);
    if (r->last_deployed.ns) {
        buf_puts(out, "LAST DEPLOYED: ");
        helm_put_time(cx, r->last_deployed, "Mon Jan _2 15:04:05 2006", out);
        buf_putc(out, '\n');
    }
    put_field(out, "NAMESPACE", r->namespace);
    put_field(out, "STATUS", str_of(release_status_text(r->status)));
    buf_printf(out, "REVISION: %d\n", r->version);
    if (shown.metadata && r->chart) {
        put_field(out, "CHART", r->chart->meta.name);
        put_field(out, "VERSION", r->chart->meta.version);
        put_field(out, "APP_VERSION", r->chart->meta.app_version);
    }
    if (shown.description)
        put_field(out, "DESCRIPTION", r->description);
}

static void put_tests(struct chart_ctx *cx, const struct release *r, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < r->hook_count; i++) {
        const struct release_hook *h = &r->hooks[i];
        if (!(h->events & 1u << HOOK_TEST))
            continue;
        any = true;
        if (h->started.ns == 0)
            continue;
        buf_printf(out, "TEST SUITE:     %.*s\nLast Started:   ", STR_ARG(h->name));
        helm_put_time(cx, h->started, "Mon Jan _2 15:04:05 2006", out);
        buf_puts(out, "\nLast Completed: ");
        helm_put_time(cx, h->completed, "Mon Jan _2 15:04:05 2006", out);
        buf_printf(out, "\nPhase:          %s\n", hook_phase_text(h->phase));
    }
    if (!any)
        buf_puts(out, "TEST SUITE: None\n");
}

static int put_values(struct chart_ctx *cx, const struct release *r, struct buf *out)
{
    static const struct chart none = {0};
    struct vmap *computed;
    buf_puts(out, "USER-SUPPLIED VALUES:\n");
    if (helm_put_value(cx, value_map(&type_map, r->config), HELM_YAML, out) != 0 ||
        values_coalesce(cx, r->chart ? r->chart : &none, r->config, false, &computed) != 0)
        return -1;
    buf_puts(out, "\nCOMPUTED VALUES:\n");
    if (helm_put_value(cx, value_map(&type_map, computed), HELM_YAML, out) != 0)
        return -1;
    buf_putc(out, '\n');
    return 0;
}

static void put_manifests(const struct release *r, struct buf *out)
{
    buf_puts(out, "HOOKS:\n");
    for (size_t i = 0; i < r->hook_count; i++)
        buf_printf(out, "---\n# Source: %.*s\n%.*s\n", STR_ARG(r->hooks[i].path),
                   STR_ARG(r->hooks[i].manifest));
    buf_puts(out, "MANIFEST:\n");
    buf_put(out, r->manifest);
    buf_putc(out, '\n');
}

static int put_for_people(struct chart_ctx *cx, const struct release *r, struct helm_shown shown,
                          struct buf *out)
{
    put_head(cx, r, shown, out);
    if (shown.resources && vmap_len(r->resources)) {
        buf_puts(out, "RESOURCES:\n");
        resources_put_tables(r->resources, out);
        buf_putc(out, '\n');
    }
    put_tests(cx, r, out);
    if (shown.debug && put_values(cx, r, out) != 0)
        return -1;
    if (shown.debug || str_eq_nocase(r->description, STR("Dry run complete")))
        put_manifests(r, out);
    if (!shown.hide_notes && r->notes.n) {
        buf_puts(out, "NOTES:\n");
        buf_put(out, rune_trim_space(r->notes));
        buf_putc(out, '\n');
    }
    return 0;
}

int helm_put_release(struct chart_ctx *cx, const struct release *r, enum helm_format format,
                     struct helm_shown shown, struct buf *out)
{
    struct buf json = {0};
    if (format == HELM_TABLE)
        return put_for_people(cx, r, shown, out);
    int status = release_write_json(cx, r, &json);
    if (status == 0)
        status = helm_put_json(cx, buf_str(&json), format, out);
    buf_done(&json);
    return status;
}
