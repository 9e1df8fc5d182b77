/* helm_info.c: `tutti helm version` and `tutti helm env`. */
#include <stdlib.h>
#include <string.h>

#include "cli/helm.h"

static struct value build_info(struct chart_ctx *cx)
{
    struct capabilities c = capabilities_default(cx->arena, NULL);
    struct value build;
    value_field(capabilities_value(cx->arena, &c), STR("HelmVersion"), &build);
    return build;
}

int helm_version(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    bool brief = false;
    const char *template = NULL;
    const struct helm_flag flags[] = {
        {"client", 'c', HELM_SWITCH, NULL, NULL},
        {"short", 0, HELM_SWITCH, &brief, NULL},
        {"template", 0, HELM_TEXT, &template, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (template)
        return helm_run_template(cx, "_", template, build_info(cx), out);
    if (brief)
        buf_puts(out, HELM_VERSION "\n");
    else
        buf_puts(out,
                 "version.BuildInfo{Version:\"" HELM_VERSION
                 "\", GitCommit:\"\", GitTreeState:\"\", GoVersion:\"" HELM_GO_VERSION "\"}\n");
    return 0;
}

static const char *or_default(const char *name, const char *value)
{
    const char *set = getenv(name);
    return set && set[0] ? set : value;
}

int helm_env(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const struct helm_flag none[] = {{0}};
    struct arena *a = cx->arena;
    if (helm_flags(cx, none, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    const struct chart_home home = helm_home(cx);
    const char *data = helm_folder(cx, "DATA", ".local/share");
    const char *plugins = arena_printf(a, "%s/plugins", data).p;
    const struct {
        const char *name, *value;
    } all[] = {
        {"HELM_BIN", "tutti helm"},
        {"HELM_BURST_LIMIT", or_default("HELM_BURST_LIMIT", "100")},
        {"HELM_CACHE_HOME", helm_folder(cx, "CACHE", ".cache")},
        {"HELM_CONFIG_HOME", helm_folder(cx, "CONFIG", ".config")},
        {"HELM_DATA_HOME", data},
        {"HELM_DEBUG", or_default("HELM_DEBUG", "false")},
        {"HELM_KUBEAPISERVER", or_default("HELM_KUBEAPISERVER", "")},
        {"HELM_KUBEASGROUPS", or_default("HELM_KUBEASGROUPS", "")},
        {"HELM_KUBEASUSER", or_default("HELM_KUBEASUSER", "")},
        {"HELM_KUBECAFILE", or_default("HELM_KUBECAFILE", "")},
        {"HELM_KUBECONTEXT", or_default("HELM_KUBECONTEXT", "")},
        {"HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
         or_default("HELM_KUBEINSECURE_SKIP_TLS_VERIFY", "false")},
        {"HELM_KUBETLS_SERVER_NAME", or_default("HELM_KUBETLS_SERVER_NAME", "")},
        {"HELM_KUBETOKEN", or_default("HELM_KUBETOKEN", "")},
        {"HELM_MAX_HISTORY", or_default("HELM_MAX_HISTORY", "10")},
        {"HELM_NAMESPACE", helm_namespace(cx)},
        {"HELM_PLUGINS", or_default("HELM_PLUGINS", plugins)},
        {"HELM_QPS", or_default("HELM_QPS", "0.00")},
        {"HELM_REGISTRY_CONFIG", home.registry_config},
        {"HELM_REPOSITORY_CACHE", home.cache},
        {"HELM_REPOSITORY_CONFIG", home.repositories},
    };
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (argc == 0)
            buf_printf(out, "%s=\"%s\"\n", all[i].name, all[i].value);
        else if (strcmp(argv[0], all[i].name) == 0) {
            buf_printf(out, "%s\n", all[i].value);
            found = true;
        }
    }
    if (argc > 0 && !found)
        buf_putc(out, '\n');
    return 0;
}
