/* helm_repo.c: `tutti helm repo add|index|list|remove|update`. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "chart/index.h"
#include "cli/helm.h"

/* --- add --- */
struct add_options {
    struct helm_source source;
    bool force, from_stdin, allow_deprecated;
    const char *timeout;
};

static int check_deprecated(struct chart_ctx *cx, struct str url)
{
    static const struct {
        struct str old;
        const char *new;
    } gone[] = {
        {STR_INIT("//kubernetes-charts.storage.googleapis.com"), "https://charts.helm.sh/stable"},
        {STR_INIT("//kubernetes-charts-incubator.storage.googleapis.com"),
         "https://charts.helm.sh/incubator"},
    };
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        if (str_find(url, gone[i].old) >= 0)
            return chart_fail(cx, "repo \"%.*s\" is no longer available; try \"%s\" instead",
                              STR_ARG(url), gone[i].new);
    return 0;
}

static int read_password(struct chart_ctx *cx, struct add_options *o)
{
    struct str text;
    if (!o->source.username || !*o->source.username || (o->source.password && *o->source.password))
        return 0;
    if (o->from_stdin)
        return helm_read_password(cx, &o->source.password);
    if (helm_ask(cx, "Password: ", true, &text) != 0)
        return -1;
    o->source.password = arena_z(cx->arena, text);
    return 0;
}

static int add_locked(struct chart_ctx *cx, const struct chart_home *home, struct add_options *o,
                      struct repo_entry *e, struct buf *out)
{
    struct repo_file f;
    if (repo_file_read(cx, home->repositories, &f) != 0 || read_password(cx, o) != 0)
        return -1;
    int64_t timeout_ms = e->access.timeout_ms;
    e->access = helm_access(&o->source);
    e->access.timeout_ms = timeout_ms;
    if (str_find_char(e->name, '/') >= 0)
        return chart_fail(cx,
                          "repository name (%.*s) contains '/', please specify a different name "
                          "without '/'",
                          STR_ARG(e->name));
    const struct repo_entry *old = repo_file_find(&f, e->name);
    if (old && !o->force) {
        if (!repo_entry_same(old, e))
            return chart_fail(cx,
                              "repository name (%.*s) already exists, please specify a different "
                              "name",
                              STR_ARG(e->name));
        buf_printf(out, "\"%.*s\" already exists with the same configuration, skipping\n",
                   STR_ARG(e->name));
        return 0;
    }
    struct str scheme;
    if (!repo_is_url(e->url)) {
        bool has = str_cut(e->url, ':', &scheme, &(struct str){0});
        return chart_fail(cx, "could not find protocol handler for: %.*s", has ? (int)scheme.n : 0,
                          scheme.p);
    }
    if (repo_update(cx, home, e) != 0)
        return chart_wrap(
            cx, "looks like \"%.*s\" is not a valid chart repository or cannot be reached",
            STR_ARG(e->url));
    repo_file_set(cx, &f, e);
    if (repo_file_write(cx, home->repositories, &f) != 0)
        return -1;
    buf_printf(out, "\"%.*s\" has been added to your repositories\n", STR_ARG(e->name));
    return 0;
}

static int add(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct add_options o = {0};
    struct repo_entry e = {0};
    const struct helm_flag flags[] = {
        {"allow-deprecated-repos", 0, HELM_SWITCH, &o.allow_deprecated, NULL},
        {"ca-file", 0, HELM_TEXT, &o.source.ca_file, NULL},
        {"cert-file", 0, HELM_TEXT, &o.source.cert_file, NULL},
        {"force-update", 0, HELM_SWITCH, &o.force, NULL},
        {"insecure-skip-tls-verify", 0, HELM_SWITCH, &o.source.insecure, NULL},
        {"key-file", 0, HELM_TEXT, &o.source.key_file, NULL},
        {"no-update", 0, HELM_SWITCH, NULL, NULL},
        {"pass-credentials", 0, HELM_SWITCH, &o.source.pass_all, NULL},
        {"password", 0, HELM_TEXT, &o.source.password, NULL},
        {"password-stdin", 0, HELM_SWITCH, &o.from_stdin, NULL},
        {"timeout", 0, HELM_TEXT, &o.timeout, NULL},
        {"username", 0, HELM_TEXT, &o.source.username, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc != 2)
        return chart_fail(cx, "\"helm repo add\" requires 2 arguments\n\nUsage:  helm repo add "
                              "[NAME] [URL] [flags]");
    struct chart_home home = helm_home(cx);
    e.name = str_of(argv[0]);
    e.url = str_of(argv[1]);
    if ((!o.allow_deprecated && check_deprecated(cx, e.url) != 0) ||
        helm_timeout(cx, o.timeout, 0, &e.access.timeout_ms) != 0)
        return -1;
    CLEANUP(fd_closep) int lock = repo_file_lock(cx, home.repositories);
    return lock < 0 ? -1 : add_locked(cx, &home, &o, &e, out);
}

/* --- list --- */
static int list(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const char *output = NULL;
    enum helm_format format;
    struct repo_file f;
    const struct helm_flag flags[] = {{"output", 'o', HELM_TEXT, &output, NULL}, {0}};
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_format_of(cx, output, &format) != 0)
        return -1;
    if (argc)
        return chart_fail(cx, "\"helm repo list\" accepts no arguments\n\nUsage:  helm repo list "
                              "[flags]");
    struct chart_home home = helm_home(cx);
    if (repo_file_read(cx, home.repositories, &f) != 0)
        f.n = 0;
    if (!f.n && format == HELM_TABLE)
        return chart_fail(cx, "no repositories to show");
    if (format == HELM_TABLE) {
        struct helm_table t = {.arena = cx->arena, .columns = 2};
        helm_table_add(&t, (struct str[]){STR("NAME"), STR("URL")});
        for (size_t i = 0; i < f.n; i++)
            helm_table_add(&t, (struct str[]){f.items[i].name, f.items[i].url});
        helm_table_put(&t, out);
        return 0;
    }
    struct doc d;
    struct buf json = {0};
    doc_init(&d);
    val *all = val_new_arr(&d);
    for (size_t i = 0; i < f.n; i++) {
        val *v = val_new_obj(&d);
        val_set_s(&d, v, "name", f.items[i].name);
        val_set_s(&d, v, "url", f.items[i].url);
        val_push(all, v);
    }
    val_write_json(all, &json);
    int status = helm_put_json(cx, buf_str(&json), format, out);
    buf_done(&json);
    doc_done(&d);
    return status;
}

/* --- remove --- */
static int forget(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const struct helm_flag none[] = {{0}};
    struct repo_file f;
    if (helm_flags(cx, none, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc < 1)
        return chart_fail(cx, "\"helm repo remove\" requires at least 1 argument\n\nUsage:  helm "
                              "repo remove [REPO1 [REPO2 ...]] [flags]");
    struct chart_home home = helm_home(cx);
    if (repo_file_read(cx, home.repositories, &f) != 0 || !f.n)
        return chart_fail(cx, "no repositories configured");
    for (int i = 0; i < argc; i++) {
        if (!repo_file_remove(&f, str_of(argv[i])))
            return chart_fail(cx, "no repo named \"%s\" found", argv[i]);
        if (repo_file_write(cx, home.repositories, &f) != 0 ||
            repo_forget(cx, &home, str_of(argv[i])) != 0)
            return -1;
        buf_printf(out, "\"%s\" has been removed from your repositories\n", argv[i]);
    }
    return 0;
}

/* --- update --- */
static bool asked_for(struct str name, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (str_is(name, argv[i]))
            return true;
    return argc == 0;
}

static int update(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const char *timeout = NULL;
    bool strict = false;
    struct repo_file f;
    struct buf failed = {0};
    int64_t timeout_ms;
    const struct helm_flag flags[] = {
        {"fail-on-repo-update-fail", 0, HELM_SWITCH, &strict, NULL},
        {"timeout", 0, HELM_TEXT, &timeout, NULL},
        {0},
    };
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0 ||
        helm_timeout(cx, timeout, 0, &timeout_ms) != 0)
        return -1;
    struct chart_home home = helm_home(cx);
    if (repo_file_read(cx, home.repositories, &f) != 0)
        return chart_wrap(cx, "failed loading file: %s", home.repositories);
    if (!f.n)
        return chart_fail(cx, "no repositories found. You must add one before updating");
    for (int i = 0; i < argc; i++)
        if (!repo_file_find(&f, str_of(argv[i])))
            return chart_fail(cx, "no repositories found matching '%s'.  Nothing will be updated",
                              argv[i]);
    buf_puts(out, "Hang tight while we grab the latest from your chart repositories...\n");
    for (size_t i = 0; i < f.n; i++) {
        struct repo_entry *e = &f.items[i];
        if (!asked_for(e->name, argc, argv))
            continue;
        e->access.timeout_ms = timeout_ms;
        if (repo_update(cx, &home, e) == 0) {
            buf_printf(out, "...Successfully got an update from the \"%.*s\" chart repository\n",
                       STR_ARG(e->name));
            continue;
        }
        buf_printf(
            out, "...Unable to get an update from the \"%.*s\" chart repository (%.*s):\n\t%.*s\n",
            STR_ARG(e->name), STR_ARG(e->url), STR_ARG(cx->error));
        buf_printf(&failed, "%s%.*s", failed.n ? " " : "", STR_ARG(e->url));
    }
    int status = strict && failed.n
                     ? chart_fail(cx, "Failed to update the following repositories: [%s]", failed.p)
                     : 0;
    if (status == 0)
        buf_puts(out, "Update Complete. ⎈Happy Helming!⎈\n");
    buf_done(&failed);
    return status;
}

/* --- index --- */
static int write_index(struct chart_ctx *cx, const char *path, struct str text)
{
    struct err err;
    return file_write(path, text, 0644, &err) == 0 ? 0 : chart_fail_file(cx, &err);
}

static int make_index(struct chart_ctx *cx, const char *dir, const char *url, const char *merge,
                      bool json)
{
    struct index other = {0};
    struct buf text = {0};
    int status = 0;
    bool merges = merge && *merge;
    if (merges && access(merge, F_OK) == 0 && index_read(cx, merge, &other) != 0)
        return chart_wrap(cx, "merge failed");
    if (index_directory(cx, dir, str_of(url), &other, json, &text) != 0)
        status = -1;
    else
        status = write_index(cx, arena_printf(cx->arena, "%s/index.yaml", dir).p, buf_str(&text));
    index_done(&other);
    buf_done(&text);
    return status;
}

static int index_command(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    const char *url = NULL, *merge = NULL;
    bool json = false;
    const struct helm_flag flags[] = {
        {"json", 0, HELM_SWITCH, &json, NULL},
        {"merge", 0, HELM_TEXT, &merge, NULL},
        {"url", 0, HELM_TEXT, &url, NULL},
        {0},
    };
    (void)out;
    if (helm_flags(cx, flags, helm_common_flags, argc, argv, &argc) != 0)
        return -1;
    if (argc != 1)
        return chart_fail(cx, "\"helm repo index\" requires 1 argument\n\nUsage:  helm repo index "
                              "[DIR] [flags]");
    return make_index(cx, helm_absolute(cx, argv[0]), url, merge, json);
}

int helm_repo(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    static const struct {
        const char *name, *alias;
        int (*run)(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
    } commands[] = {
        {"add", NULL, add},       {"index", NULL, index_command}, {"list", "ls", list},
        {"remove", "rm", forget}, {"update", "up", update},
    };
    for (size_t i = 0; argc && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[0], commands[i].name) == 0 ||
            (commands[i].alias && strcmp(argv[0], commands[i].alias) == 0))
            return commands[i].run(cx, argc - 1, argv + 1, out);
    return argc ? chart_fail(cx, "\"helm repo\" accepts no arguments\n\nUsage:  helm repo "
                                 "add|remove|list|index|update [ARGS] [flags]")
                : chart_fail(cx, "\"helm repo\" needs one of add, index, list, remove, update");
}
