/* helm.c: `tutti helm`: the subcommands, and how they end. */
#include "cli/helm.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/helm_help.h"

struct command {
    const char *name;
    const char *aliases[3];
    /* 0, or -1 with the error in the chart_ctx, or an exit code that is no error. */
    int (*run)(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
    const char *help;
};

static const struct command commands[] = {
    {"completion", {0}, helm_completion, "generate completion scripts for shells"},
    {"create", {0}, helm_create, "create a new chart with the given name"},
    {"dependency", {"dep", "dependencies"}, helm_dependency, "manage a chart's dependencies"},
    {"diff", {0}, helm_diff, "what an upgrade or rollback would change, or two releases differ in"},
    {"drift", {0}, helm_drift, "where live objects differ from a release"},
    {"env", {0}, helm_env, "helm client environment information"},
    {"get", {0}, helm_get, "download extended information of a named release"},
    {"history", {"hist"}, helm_history, "fetch release history"},
    {"install", {0}, helm_install, "install a chart"},
    {"lint", {0}, helm_lint, "examine a chart for possible issues"},
    {"list", {"ls"}, helm_list, "list releases"},
    {"package", {0}, helm_package, "package a chart directory into a chart archive"},
    {"plugin", {0}, helm_plugin, "list plugins"},
    {"pull", {"fetch"}, helm_pull, "download a chart from a repository"},
    {"push", {0}, helm_push, "push a chart to a registry"},
    {"registry", {0}, helm_registry, "log in to or log out from a registry"},
    {"repo", {0}, helm_repo, "add, list, remove, update and index chart repositories"},
    {"rollback", {0}, helm_rollback, "roll back a release to a previous revision"},
    {"search", {0}, helm_search, "search for a keyword in charts"},
    {"show", {"inspect"}, helm_show, "show information of a chart"},
    {"status", {0}, helm_status, "display the status of the named release"},
    {"template", {0}, helm_template, "locally render templates"},
    {"test", {0}, helm_test, "run tests for a release"},
    {"uninstall", {"del", "delete", "un"}, helm_uninstall, "uninstall a release"},
    {"upgrade", {0}, helm_upgrade, "upgrade a release"},
    {"verify", {0}, helm_verify, "verify that a chart has been signed and is valid"},
    {"version", {0}, helm_version, "print the client version information"},
};

static const struct command *find(const char *name)
{
    for (const struct command *c = commands; c < commands + ARRAY_LEN(commands); c++) {
        if (strcmp(name, c->name) == 0)
            return c;
        for (size_t i = 0; i < ARRAY_LEN(c->aliases) && c->aliases[i]; i++)
            if (strcmp(name, c->aliases[i]) == 0)
                return c;
    }
    return NULL;
}

static int usage(FILE *to, int code)
{
    fputs("The Kubernetes package manager\n\nUsage:\n  tutti helm [command]\n\nAvailable "
          "Commands:\n",
          to);
    for (const struct command *c = commands; c < commands + ARRAY_LEN(commands); c++)
        fprintf(to, "  %-11s %s\n", c->name, c->help);
    return code;
}

/* "repo" and "add": "repo add", where there is such a command. */
static struct str path_of(struct arena *a, const struct command *c, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        struct str both = arena_printf(a, "%s %s", c->name, argv[i]);
        if (helm_usage_find(both))
            return both;
        break;
    }
    return str_of(c->name);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Help of a command that is a group of others. */
static bool show_group(struct helm_session *s, const struct command *c, int argc, char **argv)
{
    struct buf commands_below = {0};
    struct str rest, line, name, text;
    const struct helm_usage *u = helm_usage_find(s->path);
    helm_put_commands(s->path, &commands_below);
    bool shown = commands_below.n && strchr(s->path.p, ' ') == NULL &&
                 (argc == 0 || (argc == 1 && is_help(argv[0])));
    if (shown) {
        buf_printf(s->out, "\n%s\n\nUsage:\n  helm %s [command]\n\nAvailable Commands:\n",
                   u ? u->text : c->help, c->name);
        rest = buf_str(&commands_below);
        while (str_next(&rest, '\n', &line)) {
            str_cut(line, '\t', &name, &text);
            buf_printf(s->out, "  %-11.*s %.*s\n", STR_ARG(name), STR_ARG(text));
        }
    }
    buf_done(&commands_below);
    return shown;
}

static int call(struct helm_session *s, const struct command *c, int argc, char **argv,
                struct buf *out)
{
    s->path = path_of(s->cx.arena, c, argc, argv);
    if (!s->lists_flags && show_group(s, c, argc, argv))
        return 0;
    int status = c->run(&s->cx, argc, argv, out);
    return s->helped ? 0 : status;
}

int helm_run_words(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct helm_session *s = CONTAINER_OF(cx, struct helm_session, cx);
    for (int i = 0; i < argc; i++) {
        const struct command *c = argv[i][0] == '-' ? NULL : find(argv[i]);
        if (c)
            return call(s, c, argc - i - 1, argv + i + 1, out);
    }
    const struct helm_flag none = {0};
    int unused;
    helm_flags(cx, &none, helm_common_flags, 0, NULL, &unused); /* lists the common ones */
    (void)out;
    return 0;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct arena arena = {0};
    struct buf warnings = {0}, out = {0};
    struct helm_session session = {
        .cx = {.arena = &arena, .warnings = &warnings}, .command = c->name, .out = &out};
    helm_settings_init(&session.settings);
    int status = call(&session, c, argc, argv, &out);
    if (warnings.n)
        fwrite(warnings.p, 1, warnings.n, stderr);
    if (out.n)
        fwrite(out.p, 1, out.n, stdout);
    bool lost = fflush(stdout) != 0;
    if (status < 0)
        fprintf(stderr, "Error: %.*s\n", STR_ARG(session.cx.error));
    buf_done(&warnings);
    buf_done(&out);
    arena_done(&arena);
    return status > 0 ? status : status != 0 || lost;
}

/* Moves flags that stand in front of the command to the end: cobra takes them anywhere. */
static void command_first(int argc, char **argv)
{
    int n = 0;
    while (n < argc && argv[n][0] == '-' && argv[n][1]) {
        bool alone = strchr(argv[n], '=') || strcmp(argv[n], "--debug") == 0 ||
                     strcmp(argv[n], "--kube-insecure-skip-tls-verify") == 0 || is_help(argv[n]);
        n += alone ? 1 : 2;
    }
    for (; n > 0 && n < argc; n--) {
        char *flag = argv[0];
        memmove(argv, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
        argv[argc - 1] = flag;
    }
}

static int cmd_helm_words(int argc, char **argv)
{
    static const struct command hidden[] = {
        {"__complete", {0}, helm_complete, ""},
        {"__completeNoDesc", {0}, helm_complete, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (strcmp(argv[0], hidden[i].name) == 0)
            return run(&hidden[i], argc - 1, argv + 1);
    const struct command *c = find(argv[0]);
    if (c)
        return run(c, argc - 1, argv + 1);
    fprintf(stderr, "Error: unknown command \"%s\" for \"helm\"\n", argv[0]);
    return 1;
}

int cmd_helm(int argc, char **argv)
{
    if (argc && strncmp(argv[0], "__complete", 10) != 0)
        command_first(argc, argv);
    if (argc == 0 || is_help(argv[0]) || (argc == 1 && strcmp(argv[0], "help") == 0))
        return usage(stdout, 0);
    if (strcmp(argv[0], "help") == 0) {
        static char flag[] = "--help"; /* "help repo add" is "repo add --help" */
        memmove(argv, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
        argv[argc - 1] = flag;
    }
    return cmd_helm_words(argc, argv);
}
