/* cluster_why.c: what holds pods up, in a few words for a person. */
#include "release/cluster_impl.h"

enum { MAX_PODS = 3, MAX_TEXT = 160 };

static void put_reason(struct buf *why, struct str reason, struct str message)
{
    buf_put(why, reason);
    struct str line, rest;
    str_cut(message, '\n', &line, &rest);
    if (line.n)
        buf_printf(why, " (%.*s%s)", STR_ARG(str_head(line, MAX_TEXT)),
                   line.n > MAX_TEXT ? "…" : "");
}

/* Why a container does not run. */
static bool explain_container(const val *status, struct buf *why)
{
    const val *waits = VAL_PATH(status, "state", "waiting"),
              *ended = VAL_PATH(status, "state", "terminated");
    if (waits && VAL_STR(waits, "reason").n) {
        put_reason(why, VAL_STR(waits, "reason"), VAL_STR(waits, "message"));
        return true;
    }
    if (ended && VAL_INT(ended, "exitCode") != 0) {
        put_reason(why, VAL_STR(ended, "reason"), VAL_STR(ended, "message"));
        buf_printf(why, ", exit code %lld", (long long)VAL_INT(ended, "exitCode"));
        return true;
    }
    return false;
}

static const val *condition(const val *pod, const char *type)
{
    VAL_FOR (VAL_PATH(pod, "status", "conditions"), one)
        if (str_is(VAL_STR(one, "type"), type))
            return one;
    return NULL;
}

void cluster_explain_pod(const val *pod, struct buf *why)
{
    static const char *const lists[] = {"initContainerStatuses", "containerStatuses"};
    const val *scheduled = condition(pod, "PodScheduled");
    if (scheduled && str_is(VAL_STR(scheduled, "status"), "False")) {
        put_reason(why, VAL_STR(scheduled, "reason"), VAL_STR(scheduled, "message"));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        VAL_FOR (VAL_PATH(pod, "status", lists[i]), status)
            if (explain_container(status, why))
                return;
    struct str phase = VAL_STR(pod, "status", "phase");
    const val *ready = condition(pod, "Ready");
    if (str_is(phase, "Running") || !phase.n)
        put_reason(why, STR("not ready"), VAL_STR(ready, "message"));
    else
        put_reason(why, phase, VAL_STR(pod, "status", "message"));
}

void cluster_explain_pods(struct cluster *c, struct str namespace, struct str selector,
                          struct buf *why)
{
    struct buf query = {0};
    struct doc d;
    val *list = NULL;
    size_t shown = 0;
    struct str path =
        arena_printf(c->cx->arena, "/api/v1/namespaces/%.*s/pods", STR_ARG(namespace));
    buf_puts(&query, "labelSelector=");
    cluster_query_escape(&query, selector);
    doc_init(&d);
    if (cluster_get_val(c, path, buf_str(&query), &d, &list) == 0)
        VAL_FOR (val_get(list, "items"), pod) {
            const val *ready = condition(pod, "Ready");
            if (str_is(VAL_STR(ready, "status"), "True") ||
                str_is(VAL_STR(pod, "status", "phase"), "Succeeded") || shown == MAX_PODS)
                continue;
            buf_printf(why, "%spod %.*s: ", why->n ? ", " : "",
                       STR_ARG(VAL_STR(pod, "metadata", "name")));
            cluster_explain_pod(pod, why);
            shown++;
        }
    doc_done(&d);
    buf_done(&query);
}
