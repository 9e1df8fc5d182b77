/* tutti image import FILE: loads an image archive into the node's store. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "node/agent.h"

int cmd_image(int argc, char **argv)
{
    const char *data_dir = CLI_DEFAULT_DATA_DIR;
    const struct cli_option options[] = {
        {"data-dir", &data_dir, NULL, "DIR", "where everything is kept (" CLI_DEFAULT_DATA_DIR ")"},
        {0},
    };
    int rest;
    int parsed = cli_parse("image import FILE", options, argc, argv, &rest);
    if (parsed)
        return parsed < 0 ? 2 : 0;
    if (rest < 2 || strcmp(argv[0], "import")) {
        fprintf(stderr, "tutti image: usage: tutti image import [--data-dir DIR] FILE…\n");
        return 2;
    }
    for (int i = 1; i < rest; i++) {
        struct err err;
        if (image_import(data_dir, argv[i], &err))
            return cli_fail("image import", &err);
        printf("imported %s\n", argv[i]);
    }
    return 0;
}
