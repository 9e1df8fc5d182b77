/* helm_registry.c: `tutti helm registry login|logout`. */
#include <string.h>

#include "chart/credentials.h"
#include "chart/oci.h"
#include "cli/helm.h"

static int ask_missing(struct chart_ctx *cx, struct helm_source *source)
{
    struct str text;
    if (source->password && *source->password) {
        chart_warn(cx, "WARNING: Using --password via the CLI is insecure. Use --password-stdin.");
        return 0;
    }
    if (!source->username || !*source->username) {
        if (helm_ask(cx, "Username: ", false, &text) != 0)
            return -1;
        source->username = arena_z(cx->arena, str_trim(text));
    }
    bool token = !*source->username;
    if (helm_ask(cx, token ? "Token: " : "Password: ", true, &text) != 0)
        return -1;
    source->password = arena_z(cx->arena, text);
    return text.n ? 0 : chart_fail(cx, token ? "token required" : "password required");
}

static int login(struct chart_ctx *cx, int argc, char **argv)
{
    struct helm_source source = {0};
    struct chart_home home = helm_home(cx);
    bool from_stdin = false;
    const struct helm_flag flags[] = {
        {"ca-file", 0, HELM_TEXT, &source.ca_file, NULL},
        {"cert-file", 0, HELM_TEXT, &source.cert_file, NULL},
        {"insecure", 0, HELM_SWITCH, &source.insecure, NULL},
        {"key-file", 0, HELM_TEXT, &source.key_file, NULL},
        {"password", 'p', HELM_TEXT, &source.password, NULL},
        {"password-stdin", 0, HELM_SWITCH, &from_stdin, NULL},
        {"plain-http", 0, HELM_SWITCH, &source.plain_http, NULL},
        {"username", 'u', HELM_TEXT, &source.username, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    home = helm_home(cx);
    if (argc < 1)
        return chart_fail(cx, "\"helm registry login\" requires at least 1 argument\n\nUsage:  "
                              "helm registry login [host] [flags]");
    if (from_stdin ? helm_read_password(cx, &source.password) != 0 : ask_missing(cx, &source) != 0)
        return -1;
    struct chart_access access = helm_access(&source);
    if (oci_login(cx, &home, &access, str_of(argv[0])) != 0)
        return -1;
    chart_warn(cx, "Login Succeeded");
    return 0;
}

static int logout(struct chart_ctx *cx, int argc, char **argv)
{
    const struct helm_flag none[] = {{0}};
    if (helm_flags(cx, none, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc < 1)
        return chart_fail(cx, "\"helm registry logout\" requires at least 1 argument\n\nUsage:  "
                              "helm registry logout [host] [flags]");
    struct chart_home home = helm_home(cx);
    if (credentials_remove(cx, home.registry_config, str_of(argv[0])) != 0)
        return -1;
    chart_warn(cx, "Removing login credentials for %s", argv[0]);
    return 0;
}

int helm_registry(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    (void)out;
    if (argc && strcmp(argv[0], "login") == 0)
        return login(cx, argc - 1, argv + 1);
    if (argc && strcmp(argv[0], "logout") == 0)
        return logout(cx, argc - 1, argv + 1);
    return argc ? chart_fail(cx, "unknown command \"%s\" for \"helm registry\"", argv[0])
                : chart_fail(cx, "\"helm registry\" needs one of login, logout");
}
