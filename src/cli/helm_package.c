/* helm_package.c: `tutti helm package`: folders into .tgz files. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chart/package.h"
#include "functions/semver.h"
#include "cli/helm.h"

struct options {
    struct helm_source source;
    const char *destination, *version, *app_version, *key, *keyring, *passphrase_file;
    bool update, sign;
};

/* The first line of a file, or of a pipe at stdin. */
static int read_passphrase(struct chart_ctx *cx, const char *path, struct str *ret)
{
    struct stat st;
    struct str text;
    if (strcmp(path, "-") == 0 && (fstat(STDIN_FILENO, &st) != 0 || !S_ISFIFO(st.st_mode)))
        return chart_fail(cx, "specified reading passphrase from stdin, without input on stdin");
    if (helm_read_file(cx, str_of(path), &text) != 0)
        return -1;
    if (!text.n)
        return chart_fail(cx, "EOF");
    str_cut(text, '\n', ret, &(struct str){0});
    if (str_ends(*ret, STR("\r")))
        ret->n--;
    return 0;
}

static int ask_passphrase(struct chart_ctx *cx, void *arg, struct str name, struct str *ret)
{
    const struct options *o = arg;
    if (o->passphrase_file)
        return read_passphrase(cx, o->passphrase_file, ret);
    const char *prompt = arena_printf(cx->arena, "Password for key \"%.*s\" >  ", STR_ARG(name)).p;
    return helm_ask(cx, prompt, true, ret);
}

static int package_one(struct chart_ctx *cx, const struct options *o, const char *path,
                       struct buf *out)
{
    struct stat st;
    struct chart_files files = {0};
    struct chart *c;
    struct semver version;
    struct err err;
    const char *saved;
    char here[PATH_MAX];
    if (stat(path, &st) != 0)
        return chart_fail(cx, "stat %s: no such file or directory", path);
    if (chart_read_dir(cx, path, &files) != 0 || chart_load_files(cx, &files, &c) != 0)
        return -1;
    if (o->version)
        c->meta.version = str_of(o->version);
    if (semver_parse(c->meta.version, &version, &err) != 0)
        return chart_fail(cx, "%s", err.message);
    if (o->app_version)
        c->meta.app_version = str_of(o->app_version);
    if (c->meta.has_dependencies && chart_missing_dependencies(cx, c) != 0)
        return -1;
    const char *dir = o->destination;
    if (strcmp(dir, ".") == 0 && getcwd(here, sizeof(here)))
        dir = here;
    if (chart_save(cx, c, dir, &saved) != 0)
        return chart_wrap(cx, "failed to save");
    if (o->sign && provenance_sign(cx, saved, o->keyring, o->key, ask_passphrase, (void *)o) != 0)
        return -1;
    buf_printf(out, "Successfully packaged chart and saved it to: %s\n", saved);
    return 0;
}

int helm_package(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct options o = {.destination = ".", .keyring = helm_default_keyring(cx)};
    struct buf unsaid = {0};
    const struct helm_flag flags[] = {
        HELM_ACCESS_FLAGS(o.source),
        {"app-version", 0, HELM_TEXT, &o.app_version, NULL},
        {"dependency-update", 'u', HELM_SWITCH, &o.update, NULL},
        {"destination", 'd', HELM_TEXT, &o.destination, NULL},
        {"key", 0, HELM_TEXT, &o.key, NULL},
        {"keyring", 0, HELM_TEXT, &o.keyring, NULL},
        {"passphrase-file", 0, HELM_TEXT, &o.passphrase_file, NULL},
        {"sign", 0, HELM_SWITCH, &o.sign, NULL},
        {"version", 0, HELM_TEXT, &o.version, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc == 0)
        return chart_fail(cx, "need at least one argument, the path to the chart");
    if (o.sign && (!o.key || !*o.key))
        return chart_fail(cx, "--key is required for signing a package");
    if (o.sign && !*o.keyring)
        return chart_fail(cx, "--keyring is required for signing a package");
    struct helm_dependency_options update = {.source = o.source};
    for (int i = 0; i < argc; i++) {
        int status = 0;
        if (o.update)
            status = helm_dependency_fetch(cx, argv[i], &update, &unsaid);
        buf_done(&unsaid);
        if (status != 0 || package_one(cx, &o, argv[i], out) != 0)
            return -1;
    }
    return 0;
}
