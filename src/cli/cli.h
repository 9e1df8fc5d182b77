/* cli.h: the subcommands of tutti, one file each.
 *
 * A command gets the words behind its name and answers with the process's exit code: 0, 1 when it
 * failed, 2 for words it does not know. Errors go to standard error as "tutti COMMAND: what is
 * wrong". */
#pragma once

#include <stdbool.h>

#include "base/err.h"

int cmd_up(int argc, char **argv);
int cmd_server(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_store(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_helm(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* One `--name VALUE` or `--name=VALUE`, or a switch when `value` is NULL. */
struct cli_option {
    const char *name;     /* without dashes */
    const char **value;   /* set to the word given */
    bool *flag;           /* for a switch */
    const char *arg_name; /* "DIR"; for the help text */
    const char *help;
};

/* Takes the options out of argv; what is left (`rest`) are the other words. The table ends with
 * name NULL. 0, or -1 after a message on standard error; --help prints the table and answers 1. */
int cli_parse(const char *command, const struct cli_option *options, int argc, char **argv,
              int *ret_rest);

/* Prints "tutti COMMAND: MESSAGE" and answers 1. */
int cli_fail(const char *command, const struct err *err);

#define CLI_DEFAULT_DATA_DIR "/var/lib/tutti"
#define CLI_DEFAULT_LISTEN "127.0.0.1:6443"
