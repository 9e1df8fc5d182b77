#include "chart/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "chart/repo.h"
#include "template/gobase.h"

enum { MAX_CONFIG = 1024 * 1024 };

/* An absent or empty file is an empty object. */
static int read_config(struct chart_ctx *cx, const char *path, struct doc *d, val **ret)
{
    struct buf text = {0};
    struct err err;
    doc_init(d);
    *ret = val_new_obj(d);
    if (access(path, F_OK) != 0)
        return 0;
    int status = file_read(path, MAX_CONFIG, &text, &err);
    if (status != 0)
        chart_fail_file(cx, &err);
    else if (text.n && doc_parse_json(d, buf_str(&text), ret, &err) != 0)
        status = chart_fail(cx, "failed to decode config file at %s: invalid config format: %s",
                            path, err.message);
    else if (!val_is_obj(*ret) || (val_get(*ret, "auths") && !val_is_obj(val_get(*ret, "auths"))))
        status = chart_fail(cx, "failed to decode config file at %s: invalid config format", path);
    buf_done(&text);
    return status;
}

/* "https://index.docker.io/v1/" is how docker calls its registry. */
static struct str server_address(struct str registry)
{
    if (str_is(registry, "docker.io") || str_is(registry, "registry-1.docker.io"))
        return STR("https://index.docker.io/v1/");
    return registry;
}

static struct str host_of(struct str address)
{
    struct str host;
    if (str_starts(address, STR("https://")))
        address = str_from(address, 8);
    else if (str_starts(address, STR("http://")))
        address = str_from(address, 7);
    str_cut(address, '/', &host, &(struct str){0});
    return host;
}

static const val *find_entry(const val *auths, struct str address)
{
    const val *exact = val_get_str(auths, address);
    if (exact)
        return exact;
    VAL_EACH (auths, key, entry)
        if (str_eq(host_of(val_str(key)), address))
            return entry;
    return NULL;
}

/* 1: found, 0: not there, -1: failed. */
static int find_in(struct chart_ctx *cx, const char *path, struct str address,
                   struct registry_auth *ret)
{
    struct doc d;
    struct buf pair = {0};
    struct arena *a = cx->arena;
    val *root;
    size_t at;
    int status = read_config(cx, path, &d, &root);
    const val *entry = status == 0 ? find_entry(val_get(root, "auths"), address) : NULL;
    if (entry) {
        *ret = (struct registry_auth){
            .username = arena_dup(a, VAL_STR(entry, "username")),
            .password = arena_dup(a, VAL_STR(entry, "password")),
            .identity_token = arena_dup(a, VAL_STR(entry, "identitytoken")),
            .access_token = arena_dup(a, VAL_STR(entry, "registrytoken")),
        };
        struct str coded = VAL_STR(entry, "auth");
        if (coded.n && gobase64_decode(&pair, coded, &at) != 0)
            status = chart_fail(cx, "failed to decode auth field: invalid config format");
        else if (coded.n &&
                 !str_cut(arena_dup(a, buf_str(&pair)), ':', &ret->username, &ret->password))
            status = chart_fail(cx, "failed to decode auth field: auth '***' does not conform the "
                                    "username:password format: invalid config format");
        if (status == 0)
            status =
                ret->username.n || ret->password.n || ret->identity_token.n || ret->access_token.n;
    }
    buf_done(&pair);
    doc_done(&d);
    return status;
}

int credentials_find(struct chart_ctx *cx, const char *config, struct str registry,
                     struct registry_auth *ret)
{
    const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    struct str address = server_address(registry);
    *ret = (struct registry_auth){0};
    int found = find_in(cx, config, address, ret);
    if (found != 0)
        return found < 0 ? -1 : 0;
    if (!folder || !*folder)
        folder = arena_printf(cx->arena, "%s/.docker", home ? home : "").p;
    found = find_in(cx, arena_printf(cx->arena, "%s/config.json", folder).p, address, ret);
    return found < 0 ? -1 : 0;
}

/* --- changing --- */
/* Compact JSON with a line for each member, as Go's Indent makes it of tabs. */
static void indent(struct buf *b, struct str json)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (quoted) {
            buf_putc(b, c);
            if (c == '\\' && i + 1 < json.n)
                buf_putc(b, json.p[++i]);
            quoted = c != '"';
            continue;
        }
        bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
        bool empty = closes && i > 0 && (json.p[i - 1] == '{' || json.p[i - 1] == '[');
        depth -= closes;
        if (closes && !empty)
            buf_printf(b, "\n%.*s", depth, "\t\t\t\t\t\t\t\t");
        buf_putc(b, c);
        depth += opens;
        bool next_closes = i + 1 < json.n && (json.p[i + 1] == '}' || json.p[i + 1] == ']');
        if ((opens && !next_closes) || c == ',')
            buf_printf(b, "\n%.*s", depth, "\t\t\t\t\t\t\t\t");
        if (c == ':')
            buf_putc(b, ' ');
        quoted = c == '"';
    }
}

static int write_config(struct chart_ctx *cx, const char *path, const val *root)
{
    struct buf compact = {0}, text = {0};
    struct err err;
    const char *slash = strrchr(path, '/');
    int status = 0;
    if (slash && slash > path)
        status = file_mkdirs(arena_z(cx->arena, str_head(str_of(path), (size_t)(slash - path))),
                             0700, &err);
    val_write_json(root, &compact);
    indent(&text, buf_str(&compact));
    if (status == 0)
        status = file_write(path, buf_str(&text), 0600, &err);
    buf_done(&compact);
    buf_done(&text);
    return status == 0 ? 0 : chart_fail_file(cx, &err);
}

int credentials_put(struct chart_ctx *cx, const char *config, struct str registry,
                    struct str username, struct str password)
{
    struct doc d;
    struct buf coded = {0};
    val *root;
    if (str_find_char(username, ':') >= 0)
        return chart_fail(cx, "bad credential format: colons(:) are not allowed in username");
    int status = read_config(cx, config, &d, &root);
    if (status == 0) {
        val *entry = val_new_obj(&d);
        if (username.n || password.n) {
            gobase64_write(
                &coded, arena_printf(cx->arena, "%.*s:%.*s", STR_ARG(username), STR_ARG(password)));
            val_set_s(&d, entry, "auth", buf_str(&coded));
        }
        val_set_str(&d, val_ensure_obj(&d, root, "auths"), server_address(registry), entry);
        status = write_config(cx, config, root);
    }
    buf_done(&coded);
    doc_done(&d);
    return status;
}

int credentials_remove(struct chart_ctx *cx, const char *config, struct str registry)
{
    struct doc d;
    val *root;
    int status = read_config(cx, config, &d, &root);
    if (status == 0 && val_del_str(val_get(root, "auths"), server_address(registry)))
        status = write_config(cx, config, root);
    doc_done(&d);
    return status;
}
