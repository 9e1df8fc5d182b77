/* tutti agent: the node agent. */
#include "node/agent.h"

#include <stdio.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/ready.h"

int cmd_agent(int argc, char **argv)
{
    char host[256];
    default_node_name(host, sizeof(host));
    struct agent_config config = {.data_dir = CLI_DEFAULT_DATA_DIR, .node_name = host};
    bool verbose = false;
    const struct cli_option options[] = {
        {"data-dir", &config.data_dir, NULL, "DIR",
         "where everything is kept (" CLI_DEFAULT_DATA_DIR ")"},
        {"kubeconfig", &config.kubeconfig, NULL, "FILE",
         "how to reach the server (DIR/agent.kubeconfig)"},
        {"node-name", &config.node_name, NULL, "NAME", "this node's name (the host's)"},
        {"node-ip", &config.node_ip, NULL, "IP",
         "this node's address (the one that reaches others)"},
        {"verbose", NULL, &verbose, NULL, "log more"},
        {0},
    };
    int rest;
    int parsed = cli_parse("agent", options, argc, argv, &rest);
    if (parsed)
        return parsed < 0 ? 2 : 0;
    if (verbose)
        log_set_level(LOG_DEBUG);
    struct err err;
    if (agent_run(&config, &err) == 0)
        return 0;
    log_error("agent", "ended", "error", err.message);
    return 1;
}
