/* tutti reset: takes away what the agent made on the host and the cluster's state; images stay. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/ranges.h"
#include "node/agent.h"

/* Everything but the images, which may have taken long to come here. */
static int remove_state(const char *dir, struct err *err)
{
    static const char *const parts[] = {"store",
                                        "picture",
                                        "pki",
                                        "pods",
                                        "containers",
                                        "logs",
                                        "net",
                                        "run",
                                        "bin",
                                        "admin.kubeconfig",
                                        "agent.kubeconfig",
                                        "cluster.json",
                                        "tutti.log",
                                        "tutti.log.old"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct buf path = {0};
        buf_printf(&path, "%s/%s", dir, parts[i]);
        int failed = file_remove_tree(path.p, err);
        buf_done(&path);
        if (failed)
            return -1;
    }
    return 0;
}

static bool is_in_use(const char *dir)
{
    struct buf path = {0};
    buf_printf(&path, "%s/lock", dir);
    CLEANUP(fd_closep) int fd = open(path.p, O_RDWR | O_CLOEXEC);
    buf_done(&path);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
}

int cmd_reset(int argc, char **argv)
{
    const char *data_dir = CLI_DEFAULT_DATA_DIR;
    const struct cli_option options[] = {
        {"data-dir", &data_dir, NULL, "DIR", "where everything is kept (" CLI_DEFAULT_DATA_DIR ")"},
        {0},
    };
    int rest;
    int parsed = cli_parse("reset", options, argc, argv, &rest);
    if (parsed)
        return parsed < 0 ? 2 : 0;
    CLEANUP(mem_freep) char *dir = realpath(data_dir, NULL);
    if (!dir) {
        fprintf(stderr, "tutti reset: %s: no such directory\n", data_dir);
        return 1;
    }
    if (is_in_use(dir)) {
        fprintf(stderr, "tutti reset: %s is in use; stop `tutti up` first\n", dir);
        return 1;
    }
    struct err err;
    if (agent_reset(dir, &err))
        return cli_fail("reset", &err);
    ranges_release(dir);
    if (remove_state(dir, &err))
        return cli_fail("reset", &err);
    printf("%s is as before the first start; its images are kept\n", dir);
    return 0;
}
