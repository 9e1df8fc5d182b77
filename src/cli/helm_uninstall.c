/* helm_uninstall.c: `tutti helm uninstall`. */
#include "cli/helm_release.h"

static int uninstall_all(struct action_uninstall *o, struct action *x, int argc, char **argv,
                         struct buf *out)
{
    for (int i = 0; i < argc; i++) {
        struct str info;
        o->name = str_of(argv[i]);
        if (action_uninstall(x, o, &info) != 0)
            return -1;
        if (info.n)
            buf_printf(out, "%.*s\n", STR_ARG(info));
        buf_printf(out, "release \"%s\" uninstalled\n", argv[i]);
    }
    return 0;
}

int helm_uninstall(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct action_uninstall o = {.cascade = "background"};
    const char *timeout = NULL, *description = NULL;
    const struct helm_flag flags[] = {
        {"cascade", 0, HELM_TEXT, &o.cascade, NULL},
        {"description", 0, HELM_TEXT, &description, NULL},
        {"dry-run", 0, HELM_SWITCH, &o.dry_run, NULL},
        {"ignore-not-found", 0, HELM_SWITCH, &o.ignore_not_found, NULL},
        {"keep-history", 0, HELM_SWITCH, &o.keep_history, NULL},
        {"no-hooks", 0, HELM_SWITCH, &o.no_hooks, NULL},
        {"timeout", 0, HELM_TEXT, &timeout, NULL},
        {"wait", 0, HELM_SWITCH, &o.wait, NULL},
        {0},
    };
    struct helm_work w;
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_timeout(cx, timeout, HELM_TIMEOUT_MS, &o.timeout_ms) != 0)
        return -1;
    if (argc < 1)
        return chart_fail(cx, "\"helm uninstall\" requires at least 1 argument\n\nUsage:  helm "
                              "uninstall RELEASE_NAME [...] [flags]");
    if (strcmp(o.cascade, "background") != 0 && strcmp(o.cascade, "foreground") != 0 &&
        strcmp(o.cascade, "orphan") != 0)
        return chart_fail(cx,
                          "invalid cascade value (%s). Must be \"background\", \"foreground\", or "
                          "\"orphan\"",
                          o.cascade);
    o.description = str_of(description);
    int rc = helm_work_open(cx, 0, NULL, &w);
    rc = rc ? rc : uninstall_all(&o, &w.action, argc, argv, out);
    helm_work_close(&w);
    return rc;
}
