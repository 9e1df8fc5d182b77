#include "cli/ready.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#include "client/client.h"
#include "doc/time.h"

static struct client *open_client(const char *data_dir)
{
    struct buf path = {0};
    buf_printf(&path, "%s/admin.kubeconfig", data_dir);
    struct client *client = NULL;
    struct err err;
    if (access(path.p, R_OK) || client_from_kubeconfig(path.p, &client, &err))
        client = NULL;
    buf_done(&path);
    return client;
}

bool ready_server(const char *data_dir)
{
    struct client *client = open_client(data_dir);
    if (!client)
        return false;
    const struct client_request request = {.method = "GET", .path = STR("/readyz")};
    struct client_response response = {0};
    struct err err;
    bool ready = client_do(client, &request, &response, &err) == 0 && response.status == 200;
    bytes_unref(response.body);
    client_free(client);
    return ready;
}

static bool is_ready(const val *node)
{
    VAL_FOR (VAL_PATH(node, "status", "conditions"), condition) {
        if (str_is(val_str(val_get(condition, "type")), "Ready"))
            return str_is(val_str(val_get(condition, "status")), "True");
    }
    return false;
}

bool ready_node(const char *data_dir, const char *node_name, int64_t since_ns)
{
    struct client *client = open_client(data_dir);
    if (!client)
        return false;
    struct doc d;
    doc_init(&d);
    struct err err;
    val *lease, *node;
    int64_t renewed;
    bool ready =
        client_get(client, &RES_LEASES, "kube-node-lease", node_name, &d, &lease, &err) == 0 &&
        time_parse(VAL_STR(lease, "spec", "renewTime"), &renewed, &err) == 0 &&
        renewed >= since_ns &&
        client_get(client, &RES_NODES, NULL, node_name, &d, &node, &err) == 0 && is_ready(node);
    doc_done(&d);
    client_free(client);
    return ready;
}

void default_node_name(char *ret, size_t size)
{
    if (gethostname(ret, size - 1))
        snprintf(ret, size, "localhost");
    ret[size - 1] = '\0';
    for (char *at = ret; *at; at++)
        *at = (char)tolower((unsigned char)*at);
}
