/* Probes and lifecycle handlers: upstream's validateProbe and validateHandler. */
#include "api/kinds/pod_parts.h"

static void check_port_ref(struct check *k, const val *port)
{
    if (val_is_str(port))
        check_name(k, "port", NAME_PORT, val_str(port));
    else
        check_port(k, "port", val_int(port));
}

static void check_exec(struct check *k, const val *exec)
{
    if (val_len(val_get(exec, "command")) == 0)
        check_required(k, "command", "");
}

static void check_http(struct check *k, const val *http)
{
    static const char *const schemes[] = {"HTTP", "HTTPS", NULL};
    if (VAL_STR(http, "path").n == 0)
        check_required(k, "path", "");
    check_port_ref(k, val_get(http, "port"));
    if (!check_in_list(VAL_STR(http, "scheme"), schemes))
        check_unsupported(k, "scheme", VAL_STR(http, "scheme"), schemes);
    VAL_FOR (val_get(http, "httpHeaders"), header) {
        check_name(k, "httpHeaders", NAME_HTTP_HEADER, VAL_STR(header, "name"));
    }
}

static void check_port_only(struct check *k, const val *action)
{
    check_port_ref(k, val_get(action, "port"));
}

static void check_sleep(struct check *k, const val *sleep)
{
    if (VAL_INT(sleep, "seconds") < 0)
        check_invalid_int(k, "", VAL_INT(sleep, "seconds"), "must be non-negative");
}

static const struct {
    const char *member;
    void (*check)(struct check *k, const val *action);
} handlers[] = {
    {"exec", check_exec},      {"httpGet", check_http}, {"tcpSocket", check_port_only},
    {"grpc", check_port_only}, {"sleep", check_sleep},
};

static void check_handler(struct check *k, const val *handler)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        const val *action = val_get(handler, handlers[i].member);
        if (val_is_null(action))
            continue;
        size_t in = check_in(k, handlers[i].member);
        if (count++ > 0)
            check_forbidden(k, "", "may not specify more than 1 handler type");
        else
            handlers[i].check(k, action);
        check_out(k, in);
    }
    if (count == 0)
        check_required(k, "", "must specify a handler type");
}

static void check_probe(struct check *k, const val *probe)
{
    static const char *const numbers[] = {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                                          "successThreshold", "failureThreshold"};
    check_handler(k, probe);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        check_nonnegative(k, numbers[i], VAL_INT(probe, numbers[i]));
    const val *grace = val_get(probe, "terminationGracePeriodSeconds");
    if (!val_is_null(grace) && val_int(grace) <= 0)
        check_invalid_int(k, "terminationGracePeriodSeconds", val_int(grace),
                          "must be greater than 0");
}

static void check_probe_at(struct check *k, const val *container, const char *member,
                           bool readiness)
{
    const val *probe = val_get(container, member);
    if (val_is_null(probe))
        return;
    size_t in = check_in(k, member);
    check_probe(k, probe);
    if (readiness) {
        const val *grace = val_get(probe, "terminationGracePeriodSeconds");
        if (!val_is_null(grace))
            check_invalid_val(k, "terminationGracePeriodSeconds", grace,
                              "must not be set for readinessProbes");
    } else if (VAL_INT(probe, "successThreshold") != 1) {
        check_invalid_int(k, "successThreshold", VAL_INT(probe, "successThreshold"), "must be 1");
    }
    check_out(k, in);
}

void pod_probes_validate(struct check *k, const val *container)
{
    static const char *const hooks[] = {"postStart", "preStop"};
    size_t in = check_in(k, "lifecycle");
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++) {
        const val *hook = VAL_PATH(container, "lifecycle", hooks[i]);
        if (val_is_null(hook))
            continue;
        size_t at = check_in(k, hooks[i]);
        check_handler(k, hook);
        check_out(k, at);
    }
    check_out(k, in);
    check_probe_at(k, container, "livenessProbe", false);
    check_probe_at(k, container, "readinessProbe", true);
    check_probe_at(k, container, "startupProbe", false);
}
