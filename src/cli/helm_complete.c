/* helm_complete.c: `tutti helm __complete WORD…`: what could stand where the last word is begun,
 * one a line with a tab and a text, then ":" and bits that tell the shell what to do, as cobra's
 * scripts expect it. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/helm_help.h"

enum { NO_SPACE = 2, NO_FILES = 4, MAX_NAMES = 1024 * 1024 };

static void put_matching(struct str lines, struct str prefix, struct buf *out)
{
    struct str line;
    while (str_next(&lines, '\n', &line))
        if (line.n && str_starts(line, prefix))
            buf_printf(out, "%.*s\n", STR_ARG(line));
}

static int complete_repos(struct chart_ctx *cx, struct str prefix, struct buf *out)
{
    struct chart_home home = helm_home(cx);
    struct repo_file f;
    if (repo_file_read(cx, home.repositories, &f) != 0)
        return NO_FILES;
    for (size_t i = 0; i < f.n; i++)
        if (str_starts(f.items[i].name, prefix))
            buf_printf(out, "%.*s\t%.*s\n", STR_ARG(f.items[i].name), STR_ARG(f.items[i].url));
    return NO_FILES;
}

static void put_charts(struct chart_ctx *cx, const struct chart_home *home, struct str repo,
                       struct str prefix, struct buf *out)
{
    struct buf text = {0};
    struct str rest, name;
    if (file_read(repo_charts_path(cx, home, repo), MAX_NAMES, &text, NULL) == 0) {
        rest = buf_str(&text);
        while (str_next(&rest, '\n', &name)) {
            struct str whole = arena_printf(cx->arena, "%.*s/%.*s", STR_ARG(repo), STR_ARG(name));
            if (name.n && str_starts(whole, prefix))
                buf_printf(out, "%.*s\n", STR_ARG(whole));
        }
    }
    buf_done(&text);
}

/* Charts of repositories; files too. */
static int complete_charts(struct chart_ctx *cx, struct str prefix, struct buf *out)
{
    static const char schemes[] = "oci://\tChart OCI prefix\nhttps://\tChart URL prefix\n"
                                  "http://\tChart URL prefix\nfile://\tChart local URL prefix\n";
    struct chart_home home = helm_home(cx);
    struct repo_file f;
    int directive = 0;
    if (repo_file_read(cx, home.repositories, &f) != 0)
        return 0;
    for (size_t i = 0; i < f.n; i++) {
        struct str name = f.items[i].name;
        struct str folder = arena_printf(cx->arena, "%.*s/", STR_ARG(name));
        if (str_starts(prefix, folder)) {
            put_charts(cx, &home, name, prefix, out);
            return 0;
        }
        if (str_starts(name, prefix)) {
            buf_printf(out, "%.*s\t%.*s\n", STR_ARG(folder), STR_ARG(f.items[i].url));
            directive = NO_SPACE;
        }
    }
    size_t before = out->n;
    put_matching(str_of(schemes), prefix, out);
    return out->n > before ? NO_SPACE : directive;
}

static int complete_releases(struct chart_ctx *cx, struct str prefix, struct buf *out)
{
    char *argv[] = {"-q", "-a"};
    struct buf names = {0};
    if (helm_list(cx, (int)ARRAY_LEN(argv), argv, &names) == 0)
        put_matching(buf_str(&names), prefix, out);
    buf_done(&names);
    return NO_FILES;
}

static int complete_operand(struct chart_ctx *cx, const struct helm_usage *u, int before,
                            struct str prefix, struct buf *out)
{
    switch (u->operand) {
    case HELM_OPERAND_CHART:
        return complete_charts(cx, prefix, out);
    case HELM_OPERAND_NEW_CHART:
        return before == 1 ? complete_charts(cx, prefix, out) : before ? NO_FILES : 0;
    case HELM_OPERAND_RELEASE_CHART:
        return before == 0   ? complete_releases(cx, prefix, out)
               : before == 1 ? complete_charts(cx, prefix, out)
                             : NO_FILES;
    case HELM_OPERAND_RELEASE:
        return before == 0 ? complete_releases(cx, prefix, out) : NO_FILES;
    case HELM_OPERAND_REPO:
        return complete_repos(cx, prefix, out);
    case HELM_OPERAND_SHELL:
        put_matching(STR("bash\nfish\npowershell\nzsh\n"), prefix, out);
        return NO_FILES;
    case HELM_OPERAND_NONE:
        return NO_FILES;
    case HELM_OPERAND_FILE:
        break;
    }
    return 0;
}

/* The path of the command that words begin with; *ret_rest is the number of words behind it. */
static struct str command_path(struct chart_ctx *cx, int argc, char **argv, int *ret_rest)
{
    struct str path = {0};
    int operands = 0;
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        struct str longer =
            path.n ? arena_printf(cx->arena, "%.*s %s", STR_ARG(path), argv[i]) : str_of(argv[i]);
        if (!operands && helm_usage_find(longer))
            path = longer;
        else
            operands++;
    }
    *ret_rest = operands;
    return path;
}

static int complete_words(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct str prefix = str_of(argv[argc - 1]);
    int operands;
    struct str path = command_path(cx, argc - 1, argv, &operands);
    const struct helm_usage *u = helm_usage_find(path);
    const char *last = argc > 1 ? argv[argc - 2] : "";
    struct buf lines = {0};
    if (strcmp(last, "-o") == 0 || strcmp(last, "--output") == 0) {
        put_matching(STR("json\tOutput result in JSON format\ntable\tOutput result in "
                         "human-readable format\nyaml\tOutput result in YAML format\n"),
                     prefix, out);
        return NO_FILES;
    }
    if (!operands)
        helm_put_commands(path, &lines);
    if (lines.n) {
        put_matching(buf_str(&lines), prefix, out);
        buf_done(&lines);
        return NO_FILES;
    }
    return u ? complete_operand(cx, u, operands, prefix, out) : 0;
}

static const char *directive_text(int directive)
{
    switch (directive) {
    case 0:
        return "ShellCompDirectiveDefault";
    case NO_SPACE:
        return "ShellCompDirectiveNoSpace";
    case NO_FILES:
        return "ShellCompDirectiveNoFileComp";
    default:
        return "ShellCompDirectiveNoSpace, ShellCompDirectiveNoFileComp";
    }
}

static void without_texts(struct buf *out)
{
    struct buf names = {0};
    struct str rest = buf_str(out), line;
    while (str_next(&rest, '\n', &line)) {
        str_cut(line, '\t', &line, &(struct str){0});
        buf_printf(&names, "%.*s\n", STR_ARG(line));
    }
    buf_done(out);
    *out = names;
}

int helm_complete(struct chart_ctx *cx, int argc, char **argv, struct buf *out)
{
    struct helm_session *session = CONTAINER_OF(cx, struct helm_session, cx);
    bool brief = strcmp(session->command, "__completeNoDesc") == 0;
    if (argc < 1)
        return chart_fail(cx, "no arguments to complete");
    int directive = NO_FILES;
    if (argv[argc - 1][0] == '-') {
        session->flags_of = str_of(argv[argc - 1]);
        session->lists_flags = true;
        helm_run_words(cx, argc - 1, argv, out);
        session->lists_flags = false;
    } else {
        directive = complete_words(cx, argc, argv, out);
    }
    cx->warnings->n = 0; /* the shell would show them */
    if (brief)
        without_texts(out);
    buf_printf(out, ":%d\n", directive);
    chart_warn(cx, "Completion ended with directive: %s", directive_text(directive));
    return 0;
}
