/* helm_locate.c: from what a user calls a chart to a file, with the flags and folders of Helm. */
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/helm.h"

static const char *env(const char *name)
{
    const char *text = getenv(name);
    return text ? text : "";
}

const char *helm_folder(struct chart_ctx *cx, const char *kind, const char *below)
{
    const char *own = env(arena_printf(cx->arena, "HELM_%s_HOME", kind).p);
    const char *xdg = env(arena_printf(cx->arena, "XDG_%s_HOME", kind).p);
    if (*own)
        return own;
    if (*xdg)
        return arena_printf(cx->arena, "%s/helm", xdg).p;
    return arena_printf(cx->arena, "%s/%s/helm", env("HOME"), below).p;
}

static const char *choose(const char *flag, const char *variable, const char *otherwise)
{
    if (flag && *flag)
        return flag;
    return *env(variable) ? env(variable) : otherwise;
}

struct chart_home helm_home(struct chart_ctx *cx)
{
    const struct helm_settings *s = helm_settings(cx);
    const char *config = helm_folder(cx, "CONFIG", ".config");
    const char *cache = helm_folder(cx, "CACHE", ".cache");
    struct arena *a = cx->arena;
    return (struct chart_home){
        .repositories = choose(s->repository_config, "HELM_REPOSITORY_CONFIG",
                               arena_printf(a, "%s/repositories.yaml", config).p),
        .cache = choose(s->repository_cache, "HELM_REPOSITORY_CACHE",
                        arena_printf(a, "%s/repository", cache).p),
        .registry_config = choose(s->registry_config, "HELM_REGISTRY_CONFIG",
                                  arena_printf(a, "%s/registry/config.json", config).p),
    };
}

const char *helm_default_keyring(struct chart_ctx *cx)
{
    const char *gnupg = getenv("GNUPGHOME");
    if (gnupg)
        return arena_printf(cx->arena, "%s/pubring.gpg", gnupg).p;
    return arena_printf(cx->arena, "%s/.gnupg/pubring.gpg", env("HOME")).p;
}

struct chart_access helm_access(const struct helm_source *source)
{
    return (struct chart_access){
        .username = str_of(source->username),
        .password = str_of(source->password),
        .cert_file = source->cert_file,
        .key_file = source->key_file,
        .ca_file = source->ca_file,
        .insecure = source->insecure,
        .plain_http = source->plain_http,
        .pass_all = source->pass_all,
    };
}

struct chart_source helm_chart_source(struct chart_ctx *cx, const struct helm_source *source)
{
    struct str version = str_trim(str_of(source->version));
    return (struct chart_source){
        .version = !version.n && source->devel ? STR(">0.0.0-0") : version,
        .repo = str_of(source->repo),
        .access = helm_access(source),
        .verify = source->verify ? VERIFY_ALWAYS : VERIFY_NEVER,
        .keyring = source->keyring ? source->keyring : helm_default_keyring(cx),
    };
}

const char *helm_absolute(struct chart_ctx *cx, const char *path)
{
    char here[PATH_MAX];
    while (str_starts(str_of(path), STR("./")))
        path += 2;
    if (path[0] == '/' || !getcwd(here, sizeof(here)))
        return path;
    if (strcmp(path, ".") == 0 || path[0] == '\0')
        return arena_printf(cx->arena, "%s", here).p;
    return arena_printf(cx->arena, "%s/%s", here, path).p;
}

int helm_locate_chart(struct chart_ctx *cx, const char *name, const struct helm_source *source,
                      const char **ret)
{
    struct str trimmed = str_trim(str_of(name));
    const char *path = arena_z(cx->arena, trimmed);
    struct chart_source from = helm_chart_source(cx, source);
    struct chart_home home = helm_home(cx);
    struct chart_download got;
    struct verification verified;
    struct stat st;
    struct err err;
    if (stat(path, &st) == 0) {
        *ret = helm_absolute(cx, path);
        return source->verify ? provenance_verify(cx, *ret, from.keyring, &verified) : 0;
    }
    if (path[0] == '/' || path[0] == '.')
        return chart_fail(cx, "path \"%s\" not found", path);
    if (file_mkdirs(home.cache, 0755, &err) != 0)
        return chart_fail_file(cx, &err);
    if (chart_fetch(cx, &home, trimmed, &from, home.cache, &got) != 0)
        return -1;
    *ret = helm_absolute(cx, got.path);
    return 0;
}
