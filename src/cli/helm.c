/* helm.c: `tutti helm`: the subcommands, and how they end. */
#include "cli/helm.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

struct command {
    const char *name;
    const char *aliases[3];
    /* 0, or -1 with the error in the chart_ctx, or an exit code that is no error. */
    int (*run)(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
    const char *help;
};

static const struct command commands[] = {
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

static int run(const struct command *c, int argc, char **argv)
{
    struct arena arena = {0};
    struct buf warnings = {0}, out = {0};
    struct helm_session session = {.cx = {.arena = &arena, .warnings = &warnings}};
    helm_settings_init(&session.settings);
    int status = c->run(&session.cx, argc, argv, &out);
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

int cmd_helm(int argc, char **argv)
{
    if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 ||
        strcmp(argv[0], "help") == 0)
        return usage(stdout, 0);
    const struct command *c = find(argv[0]);
    if (c)
        return run(c, argc - 1, argv + 1);
    fprintf(stderr, "Error: unknown command \"%s\" for \"helm\"\n", argv[0]);
    return 1;
}
