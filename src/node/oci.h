/* oci.h: the OCI runtime configuration of a container (config.json), from its spec and its image.
 *
 * Pure: everything that must be looked up (ids, paths, values) is in the input. What is set and
 * what is left out follows the kubelet and containerd's CRI plugin. */
#pragma once

#include <sys/types.h>

#include "node/env.h"

enum { OCI_MAX_GROUPS = 64 };

struct oci_user {
    uid_t uid;
    gid_t gid;
    gid_t groups[OCI_MAX_GROUPS];
    size_t group_count;
};

struct oci_input {
    const val *pod_spec;
    const val *container;
    const val *image; /* the image config's "config", or NULL */
    const struct env *env;
    struct oci_user user;
    const val *mounts;                 /* OCI mounts besides the standard ones; copied */
    const char *hostname;              /* NULL: the host's uts namespace */
    const char *net, *ipc, *uts, *pid; /* namespaces to join; NULL: the host's (pid: a new one) */
    const char *shm;                   /* source of /dev/shm; NULL: the host's */
    const char *cgroup;                /* cgroupsPath */
    bool cgroup_v2;
    uint64_t host_capabilities; /* bits of those that can be given at all */
    bool lower_oom_score;       /* values below 0 can be set here */
    int64_t node_memory;        /* bytes, for the oom score of burstable pods */
    int64_t pids_limit;         /* 0: none */
    const val *seccomp;         /* an OCI seccomp object for Localhost profiles, or NULL */
};

/* The command line: command and args of the container over Entrypoint and Cmd of the image, with
 * $(NAME) expanded. 400 when there is none. */
int oci_args(const struct oci_input *in, struct doc *d, val **ret, struct err *err);
/* The "process" object, as `crun exec --process` takes it, too; args NULL: the container's own. */
int oci_process(const struct oci_input *in, const val *args, bool tty, struct doc *d, val **ret,
                struct err *err);
int oci_config(const struct oci_input *in, struct doc *d, val **ret, struct err *err);

void oci_add_bind(struct doc *d, val *mounts, const char *source, struct str target, bool read_only,
                  const char *propagation); /* "rprivate", "rslave", "rshared" */

/* v1.PodQOSClass: "Guaranteed", "Burstable", "BestEffort". */
const char *oci_qos(const val *pod_spec);

/* --- between the oci files --- */
/* "cap_net_raw" among the 41 of Linux; names come as "NET_RAW" or "CAP_NET_RAW". */
void oci_capabilities(const val *security, uint64_t host, struct doc *d, val *process);
val *oci_seccomp_default(struct doc *d, bool sys_admin);
int oci_resources(const struct oci_input *in, struct doc *d, val *linux_config, struct err *err);
int64_t oci_oom_score(const struct oci_input *in);
