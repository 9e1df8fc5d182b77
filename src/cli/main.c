#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
    {"up", cmd_up, "run everything on this machine"},
    {"server", cmd_server, "the API server with its controllers and scheduler"},
    {"agent", cmd_agent, "the node agent: runs this machine's pods"},
    {"image", cmd_image, "image import FILE: load an OCI layout or a docker archive"},
    {"helm", cmd_helm, "charts: template, lint, show, package, pull, dependency"},
    {"simulate", cmd_simulate, "register nodes that pretend to run their pods"},
    {"store", cmd_store, "back up, restore or move everything that is kept"},
    {"reset", cmd_reset, "remove what tutti made on this machine"},
    {"version", cmd_version, "print the version"},
};

int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("tutti " TUTTI_VERSION);
    return 0;
}

static int usage(FILE *to, int code)
{
    fputs("tutti runs what a company knows as Kubernetes, in one program.\n\nUsage: tutti COMMAND "
          "[options]\n\n",
          to);
    for (const struct command *c = commands; c < commands + ARRAY_LEN(commands); c++)
        fprintf(to, "  %-10s %s\n", c->name, c->help);
    fputs("\n`tutti COMMAND --help` lists a command's options.\n", to);
    return code;
}

/* Few heaps and early give-back: many small threads should not each keep a heap of their own. */
static void tune_memory(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

int main(int argc, char **argv)
{
    tune_memory();
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2)
        return usage(stderr, 2);
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return usage(stdout, 0);
    for (const struct command *c = commands; c < commands + ARRAY_LEN(commands); c++)
        if (strcmp(argv[1], c->name) == 0)
            return c->run(argc - 2, argv + 2);
    fprintf(stderr, "tutti: unknown command \"%s\"\n", argv[1]);
    return usage(stderr, 2);
}
