/* helm_connect.c: which cluster a command talks to: the flags that every subcommand of `tutti helm`
 * has, the environment below them, and the kubeconfig below that. */
#include <stdlib.h>

#include "base/file.h"
#include "cli/helm.h"
#include "client/kubeconfig.h"

struct helm_settings *helm_settings(struct chart_ctx *cx)
{
    return &CONTAINER_OF(cx, struct helm_session, cx)->settings;
}

static const char *env(const char *name)
{
    const char *text = getenv(name);
    return text && text[0] ? text : NULL;
}

static bool env_true(const char *name)
{
    static const char *const yes[] = {"true", "1", "t", "T", "TRUE", "True"};
    const char *text = env(name);
    for (size_t i = 0; text && i < ARRAY_LEN(yes); i++)
        if (strcmp(text, yes[i]) == 0)
            return true;
    return false;
}

void helm_settings_init(struct helm_settings *s)
{
    *s = (struct helm_settings){
        .namespace = env("HELM_NAMESPACE"),
        .kube_context = env("HELM_KUBECONTEXT"),
        .kube_apiserver = env("HELM_KUBEAPISERVER"),
        .kube_token = env("HELM_KUBETOKEN"),
        .kube_as_user = env("HELM_KUBEASUSER"),
        .kube_ca_file = env("HELM_KUBECAFILE"),
        .kube_tls_server_name = env("HELM_KUBETLS_SERVER_NAME"),
        .kube_insecure = env_true("HELM_KUBEINSECURE_SKIP_TLS_VERIFY"),
        .debug = env_true("HELM_DEBUG"),
    };
}

void helm_settings_flags(struct helm_settings *s, struct helm_flag ret[HELM_SETTINGS_FLAGS])
{
    const struct helm_flag flags[HELM_SETTINGS_FLAGS] = {
        {"burst-limit", 0, HELM_TEXT, NULL, NULL},
        {"debug", 0, HELM_SWITCH, &s->debug, NULL},
        {"kube-apiserver", 0, HELM_TEXT, &s->kube_apiserver, NULL},
        {"kube-as-group", 0, HELM_LIST, &s->kube_as_groups, NULL},
        {"kube-as-user", 0, HELM_TEXT, &s->kube_as_user, NULL},
        {"kube-ca-file", 0, HELM_TEXT, &s->kube_ca_file, NULL},
        {"kube-context", 0, HELM_TEXT, &s->kube_context, NULL},
        {"kube-insecure-skip-tls-verify", 0, HELM_SWITCH, &s->kube_insecure, NULL},
        {"kube-tls-server-name", 0, HELM_TEXT, &s->kube_tls_server_name, NULL},
        {"kube-token", 0, HELM_TEXT, &s->kube_token, NULL},
        {"kubeconfig", 0, HELM_TEXT, &s->kubeconfig, NULL},
        {"namespace", 'n', HELM_TEXT, &s->namespace, NULL},
        {"qps", 0, HELM_TEXT, NULL, NULL},
        {"registry-config", 0, HELM_TEXT, &s->registry_config, NULL},
        {"repository-cache", 0, HELM_TEXT, &s->repository_cache, NULL},
        {"repository-config", 0, HELM_TEXT, &s->repository_config, NULL},
        {0},
    };
    memcpy(ret, flags, sizeof flags);
}

/* Those of the environment count when no flag names any. */
static struct chart_strs as_groups(struct chart_ctx *cx, const struct helm_settings *s)
{
    struct str rest = str_of(env("HELM_KUBEASGROUPS")), word;
    struct chart_strs ret = s->kube_as_groups;
    if (ret.n)
        return ret;
    ret.items = arena_alloc(cx->arena, (rest.n + 1) * sizeof *ret.items);
    while (str_next(&rest, ',', &word))
        if (word.n)
            ret.items[ret.n++] = word;
    return ret;
}

static int load(struct chart_ctx *cx, const char *context, struct kubeconfig *ret, struct err *err)
{
    const struct helm_settings *s = helm_settings(cx);
    struct chart_strs groups = as_groups(cx, s);
    struct kubeconfig_overrides o = {
        .path = s->kubeconfig,
        .context = context,
        .server = s->kube_apiserver,
        .token = s->kube_token,
        .ca_file = s->kube_ca_file,
        .tls_server_name = s->kube_tls_server_name,
        .as_user = s->kube_as_user,
        .as_groups = groups.items,
        .as_group_count = groups.n,
        .insecure = s->kube_insecure,
    };
    return kubeconfig_load(&o, ret, err);
}

const char *helm_namespace(struct chart_ctx *cx)
{
    const struct helm_settings *s = helm_settings(cx);
    struct kubeconfig k;
    struct err err;
    if (s->namespace && s->namespace[0])
        return s->namespace;
    if (load(cx, s->kube_context, &k, &err) != 0)
        return "default";
    const char *name = k.ns ? arena_z(cx->arena, str_of(k.ns)) : "default";
    kubeconfig_done(&k);
    return name;
}

int helm_connect_context(struct chart_ctx *cx, const char *context, struct client **ret)
{
    struct kubeconfig k;
    struct err err;
    if (load(cx, context, &k, &err) != 0 || client_from_config(&k, ret, &err) != 0)
        return chart_fail(cx, "Kubernetes cluster unreachable: %s", err.message);
    return 0;
}

int helm_connect(struct chart_ctx *cx, struct client **ret)
{
    return helm_connect_context(cx, helm_settings(cx)->kube_context, ret);
}
