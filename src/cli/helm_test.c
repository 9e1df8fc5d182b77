/* helm_test.c: `tutti helm test`. */
#include "cli/helm_release.h"

/* "name=a", "!name=a", "! name=a" */
static void read_filters(struct chart_ctx *cx, const struct chart_strs *filters,
                         struct action_test *o)
{
    o->only.items = arena_alloc(cx->arena, (filters->n + 1) * sizeof(struct str));
    o->except.items = arena_alloc(cx->arena, (filters->n + 1) * sizeof(struct str));
    for (size_t i = 0; i < filters->n; i++) {
        struct str f = filters->items[i];
        bool except = str_starts(f, STR("!"));
        if (except)
            f = str_from(f, 1);
        if (except && f.n && (f.p[0] == ' ' || f.p[0] == '\t'))
            f = str_from(f, 1);
        if (!str_starts(f, STR("name=")))
            continue;
        struct chart_strs *to = except ? &o->except : &o->only;
        to->items[to->n++] = str_from(f, 5);
    }
}

int helm_test(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct action_test o = {0};
    const char *timeout = NULL;
    bool logs = false, hide_notes = false;
    struct chart_strs filters = {0};
    const struct helm_flag flags[] = {
        {"filter", 0, HELM_COMMAS, &filters, NULL},
        {"hide-notes", 0, HELM_SWITCH, &hide_notes, NULL},
        {"logs", 0, HELM_SWITCH, &logs, NULL},
        {"timeout", 0, HELM_TEXT, &timeout, NULL},
        {0},
    };
    struct helm_work w;
    struct release *r = NULL;
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_timeout(cx, timeout, HELM_TIMEOUT_MS, &o.timeout_ms) != 0)
        return -1;
    if (argc != 1)
        return chart_fail(cx, "\"helm test\" requires 1 argument\n\nUsage:  helm test [RELEASE] "
                              "[flags]");
    o.name = str_of(argv[0]);
    read_filters(cx, &filters, &o);
    int rc = helm_work_open(cx, 0, NULL, &w);
    rc = rc ? rc : action_test(&w.action, &o, &r);
    struct str error = cx->error;
    struct helm_shown shown = {.debug = helm_settings(cx)->debug, .hide_notes = hide_notes};
    int printed = r ? helm_put_release(cx, r, HELM_TABLE, shown, out) : 0;
    if (r && printed == 0 && logs) {
        buf_putc(out, '\n');
        printed = action_test_logs(&w.action, &o, r, out);
    }
    helm_work_close(&w);
    if (printed == 0)
        cx->error = error;
    return rc || printed ? -1 : 0;
}
