/* agent.h: the door of this room. The node agent runs the pods that are bound to its node.
 *
 * Its counterpart upstream is the kubelet with kube-proxy, a network plugin and a node's DNS. All
 * it knows of the cluster it reads from the API; all it keeps is below the data directory:
 *
 *     bin/shim               the parent of each container (see shim/shim.h)
 *     images/                image.h
 *     logs/NS_POD_UID/C/N.log
 *     pods/UID/              volumes, files, namespaces of one pod
 *     containers/ID/         one container: config.json, upper, exit
 *     run/                   crun's own state
 *
 * What runs goes on running while no agent does: a new one finds it again. Names that the machine
 * shares (cgroups, bridges, rules) derive from a hash of the data directory, so that several agents
 * can live on one machine. */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct agent_config {
    const char *data_dir;
    const char *kubeconfig; /* NULL: DATA_DIR/agent.kubeconfig, or admin.kubeconfig without one */
    const char *node_name;
    const char *node_ip; /* NULL: the address that the machine would use to reach others */
};

/* Runs until SIGTERM or SIGINT, which it handles itself: to be called on a process's main thread
 * before others are started. Containers are left running. Needs root and crun. */
int agent_run(const struct agent_config *config, struct err *err);

/* Kills what agents of this data directory run, and removes mounts, cgroups, namespaces and
 * network. Images and logs stay files of the data directory. No agent may run meanwhile. */
int agent_reset(const char *data_dir, struct err *err);

/* Loads an OCI layout or a docker archive (a tar, compressed or not). With or without a running
 * agent. Prints nothing. */
int image_import(const char *data_dir, const char *file, struct err *err);

/* "tutti-" and eight hexadecimal digits that tell this data directory from others; ret has 15 bytes
 * at least. The cgroup of all pods is named so. */
enum { AGENT_TAG = 15 };
void agent_tag(const char *data_dir, char ret[AGENT_TAG]);
