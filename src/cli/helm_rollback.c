/* helm_rollback.c: `tutti helm rollback`. */
#include "cli/helm_release.h"

/* strconv.Atoi's words. */
static int read_revision(struct chart_ctx *cx, const char *text, int *ret)
{
    int64_t n;
    struct str digits = str_of(text);
    if (digits.n > 1 && digits.p[0] == '+')
        digits = str_from(digits, 1);
    if (!str_to_i64(digits, &n))
        return chart_fail(cx,
                          "could not convert revision to a number: strconv.Atoi: parsing \"%s\": "
                          "invalid syntax",
                          text);
    *ret = n < INT32_MIN ? INT32_MIN : n > INT32_MAX ? INT32_MAX : (int)n;
    return 0;
}

int helm_rollback(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct action_rollback o = {0};
    const char *timeout = NULL;
    int64_t history_max = helm_history_max();
    const struct helm_flag flags[] = {
        {"cleanup-on-fail", 0, HELM_SWITCH, &o.cleanup_on_fail, NULL},
        {"dry-run", 0, HELM_SWITCH, &o.dry_run, NULL},
        {"force", 0, HELM_SWITCH, &o.force, NULL},
        {"history-max", 0, HELM_INT, &history_max, NULL},
        {"no-hooks", 0, HELM_SWITCH, &o.no_hooks, NULL},
        {"recreate-pods", 0, HELM_SWITCH, &o.recreate_pods, NULL},
        {"timeout", 0, HELM_TEXT, &timeout, NULL},
        {"wait", 0, HELM_SWITCH, &o.wait, NULL},
        {"wait-for-jobs", 0, HELM_SWITCH, &o.wait_for_jobs, NULL},
        {0},
    };
    struct helm_work w;
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_timeout(cx, timeout, HELM_TIMEOUT_MS, &o.timeout_ms) != 0)
        return -1;
    if (argc < 1)
        return chart_fail(cx, "\"helm rollback\" requires at least 1 argument\n\nUsage:  helm "
                              "rollback <RELEASE> [REVISION] [flags]");
    if (argc > 1 && read_revision(cx, argv[1], &o.version) != 0)
        return -1;
    o.name = str_of(argv[0]);
    int rc = helm_work_open(cx, history_max, NULL, &w);
    rc = rc ? rc : action_rollback(&w.action, &o);
    helm_work_close(&w);
    if (rc == 0)
        buf_puts(out, "Rollback was a success! Happy Helming!\n");
    return rc;
}
