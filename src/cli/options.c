#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option *find(const struct cli_option *options, struct str name)
{
    for (; options->name; options++)
        if (str_is(name, options->name))
            return options;
    return NULL;
}

static void print_help(const char *command, const struct cli_option *options)
{
    printf("Usage: tutti %s [options]\n\nOptions:\n", command);
    for (; options->name; options++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", options->name, options->arg_name ? " " : "",
                 options->arg_name ? options->arg_name : "");
        printf("  %-28s %s\n", left, options->help);
    }
}

int cli_parse(const char *command, const struct cli_option *options, int argc, char **argv,
              int *ret_rest)
{
    int rest = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                argv[rest++] = argv[i];
            break;
        }
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[rest++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(command, options);
            return 1;
        }
        struct str name, value;
        struct str word = str_of(argv[i] + (argv[i][1] == '-' ? 2 : 1));
        bool inline_value = str_cut(word, '=', &name, &value);
        const struct cli_option *option = find(options, name);
        if (!option) {
            fprintf(stderr, "tutti %s: unknown flag: %s\n", command, argv[i]);
            return -1;
        }
        if (!option->value) {
            *option->flag = !inline_value || str_is(value, "true");
            continue;
        }
        if (!inline_value && i + 1 == argc) {
            fprintf(stderr, "tutti %s: flag needs an argument: --%s\n", command, option->name);
            return -1;
        }
        *option->value = inline_value ? value.p : argv[++i];
    }
    *ret_rest = rest;
    return 0;
}

int cli_fail(const char *command, const struct err *err)
{
    fprintf(stderr, "tutti %s: %s\n", command, err->message);
    return 1;
}
