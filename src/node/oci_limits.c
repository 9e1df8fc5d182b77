/* What a container may use and do: cgroup limits, capabilities, system calls. */
#include <stdio.h>

#include "doc/quantity.h"
#include "node/oci.h"

enum { CPU_PERIOD = 100000, MIN_QUOTA = 1000, MIN_SHARES = 2, MAX_SHARES = 262144 };

/* In the kernel's order: the index is the bit. */
static const char *const all_capabilities[] = {"CHOWN",
                                               "DAC_OVERRIDE",
                                               "DAC_READ_SEARCH",
                                               "FOWNER",
                                               "FSETID",
                                               "KILL",
                                               "SETGID",
                                               "SETUID",
                                               "SETPCAP",
                                               "LINUX_IMMUTABLE",
                                               "NET_BIND_SERVICE",
                                               "NET_BROADCAST",
                                               "NET_ADMIN",
                                               "NET_RAW",
                                               "IPC_LOCK",
                                               "IPC_OWNER",
                                               "SYS_MODULE",
                                               "SYS_RAWIO",
                                               "SYS_CHROOT",
                                               "SYS_PTRACE",
                                               "SYS_PACCT",
                                               "SYS_ADMIN",
                                               "SYS_BOOT",
                                               "SYS_NICE",
                                               "SYS_RESOURCE",
                                               "SYS_TIME",
                                               "SYS_TTY_CONFIG",
                                               "MKNOD",
                                               "LEASE",
                                               "AUDIT_WRITE",
                                               "AUDIT_CONTROL",
                                               "SETFCAP",
                                               "MAC_OVERRIDE",
                                               "MAC_ADMIN",
                                               "SYSLOG",
                                               "WAKE_ALARM",
                                               "BLOCK_SUSPEND",
                                               "AUDIT_READ",
                                               "PERFMON",
                                               "BPF",
                                               "CHECKPOINT_RESTORE"};

static const char *const default_capabilities[] = {
    "CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",
    "MKNOD",   "NET_RAW",      "SETGID",           "SETUID",
    "SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT",
    "KILL",    "AUDIT_WRITE"};

static bool lists(const val *list, const char *name)
{
    VAL_FOR (list, item) {
        struct str cap = val_str(item);
        if (str_starts(cap, STR("CAP_")))
            cap = str_from(cap, 4);
        if (str_eq_nocase(cap, str_of(name)) || str_eq_nocase(cap, STR("ALL")))
            return true;
    }
    return false;
}

static bool lists_exactly(const val *list, const char *name)
{
    VAL_FOR (list, item)
        if (str_eq_nocase(str_starts(val_str(item), STR("CAP_")) ? str_from(val_str(item), 4)
                                                                 : val_str(item),
                          str_of(name)))
            return true;
    return false;
}

static bool is_default(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(default_capabilities); i++)
        if (str_is(str_of(name), default_capabilities[i]))
            return true;
    return false;
}

/* Adding a capability by its name wins over dropping ALL, dropping by name over adding ALL. */
static bool granted(const val *security, const char *name)
{
    const val *add = VAL_PATH(security, "capabilities", "add");
    const val *drop = VAL_PATH(security, "capabilities", "drop");
    if (VAL_BOOL(security, "privileged"))
        return true;
    if (lists_exactly(drop, name))
        return false;
    if (lists_exactly(add, name))
        return true;
    return lists(add, name) || (is_default(name) && !lists(drop, name));
}

/* Ambient and inheritable sets stay empty, as containerd has it: a process that is not root has no
 * capabilities. */
void oci_capabilities(const val *security, uint64_t host, struct doc *d, val *process)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    val *caps = val_set(d, process, "capabilities", val_new_obj(d));
    for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
        val *list = val_set(d, caps, sets[s], val_new_arr(d));
        for (size_t i = 0; i < ARRAY_LEN(all_capabilities); i++)
            if ((host >> i & 1) && granted(security, all_capabilities[i]))
                val_push(list, val_new_strf(d, "CAP_%s", all_capabilities[i]));
    }
}

/* --- quality of service --- */

static bool quantity_of(const val *set, const char *name, struct quantity *ret)
{
    struct str text = val_str(val_get(set, name));
    return text.n && quantity_parse(text, ret, NULL) == 0 && ret->nano > 0;
}

const char *oci_qos(const val *pod_spec)
{
    static const char *const lists_of[] = {"containers", "initContainers"};
    static const char *const names[] = {"cpu", "memory"};
    bool any = false, guaranteed = true;
    for (size_t l = 0; l < ARRAY_LEN(lists_of); l++)
        VAL_FOR (val_get(pod_spec, lists_of[l]), c)
            for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                struct quantity limit, request;
                bool has_limit = quantity_of(VAL_PATH(c, "resources", "limits"), names[i], &limit);
                bool has_request =
                    quantity_of(VAL_PATH(c, "resources", "requests"), names[i], &request);
                any |= has_limit || has_request;
                guaranteed &= has_limit && (!has_request || quantity_cmp(&limit, &request) == 0);
            }
    return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

/* k8s.io/kubernetes/pkg/kubelet/qos: -997 for guaranteed pods, 1000 for best effort, between them
 * by the share of the node's memory that was requested. */
int64_t oci_oom_score(const struct oci_input *in)
{
    struct str qos = str_of(oci_qos(in->pod_spec));
    struct quantity request;
    if (str_is(VAL_STR(in->pod_spec, "priorityClassName"), "system-node-critical") ||
        str_is(qos, "Guaranteed"))
        return -997;
    if (str_is(qos, "BestEffort"))
        return 1000;
    int64_t bytes = 0;
    if (quantity_of(VAL_PATH(in->container, "resources", "requests"), "memory", &request))
        bytes = quantity_value(&request);
    int64_t score =
        in->node_memory > 0 ? 1000 - (int64_t)((__int128)1000 * bytes / in->node_memory) : 999;
    return score < 3 ? 3 : score > 999 ? 999 : score;
}

/* --- cgroups --- */

static void add_devices(const struct oci_input *in, struct doc *d, val *resources)
{
    val *list = val_set(d, resources, "devices", val_new_arr(d)), *rule = val_new_obj(d);
    val_set_bool(d, rule, "allow", VAL_BOOL(in->container, "securityContext", "privileged"));
    val_set_z(d, rule, "access", "rwm");
    val_push(list, rule);
}

int oci_resources(const struct oci_input *in, struct doc *d, val *linux_config, struct err *err)
{
    const val *limits = VAL_PATH(in->container, "resources", "limits");
    const val *requests = VAL_PATH(in->container, "resources", "requests");
    struct quantity q;
    val *resources = val_set(d, linux_config, "resources", val_new_obj(d));
    (void)err;
    add_devices(in, d, resources);
    val *cpu = val_set(d, resources, "cpu", val_new_obj(d));
    bool has = quantity_of(requests, "cpu", &q) || quantity_of(limits, "cpu", &q);
    int64_t shares = has ? quantity_milli(&q) * 1024 / 1000 : MIN_SHARES;
    val_set_int(d, cpu, "shares",
                shares < MIN_SHARES   ? MIN_SHARES
                : shares > MAX_SHARES ? MAX_SHARES
                                      : shares);
    if (quantity_of(limits, "cpu", &q)) {
        int64_t quota = quantity_milli(&q) * CPU_PERIOD / 1000;
        val_set_int(d, cpu, "quota", quota < MIN_QUOTA ? MIN_QUOTA : quota);
        val_set_int(d, cpu, "period", CPU_PERIOD);
    }
    if (quantity_of(limits, "memory", &q)) {
        val *memory = val_set(d, resources, "memory", val_new_obj(d));
        val_set_int(d, memory, "limit", quantity_value(&q));
        if (in->cgroup_v2)
            val_set_int(d, memory, "swap", quantity_value(&q));
    }
    if (in->pids_limit > 0) {
        val *pids = val_set(d, resources, "pids", val_new_obj(d));
        val_set_int(d, pids, "limit", in->pids_limit);
    }
    if (in->cgroup_v2)
        val_set_z(d, val_ensure_obj(d, resources, "unified"), "memory.oom.group", "1");
    return 0;
}

/* --- system calls --- */

/* What containers' default profiles refuse: calls that reach the kernel's configuration, other
 * processes' memory, or old interfaces that nobody needs. */
static const char *const refused[] = {"acct",
                                      "add_key",
                                      "bpf",
                                      "clock_adjtime",
                                      "clock_settime",
                                      "create_module",
                                      "delete_module",
                                      "finit_module",
                                      "get_kernel_syms",
                                      "get_mempolicy",
                                      "init_module",
                                      "io_uring_enter",
                                      "io_uring_register",
                                      "io_uring_setup",
                                      "ioperm",
                                      "iopl",
                                      "kcmp",
                                      "kexec_file_load",
                                      "kexec_load",
                                      "keyctl",
                                      "lookup_dcookie",
                                      "mbind",
                                      "move_pages",
                                      "nfsservctl",
                                      "open_by_handle_at",
                                      "perf_event_open",
                                      "personality",
                                      "pivot_root",
                                      "query_module",
                                      "quotactl",
                                      "quotactl_fd",
                                      "reboot",
                                      "request_key",
                                      "set_mempolicy",
                                      "settimeofday",
                                      "stime",
                                      "swapoff",
                                      "swapon",
                                      "sysfs",
                                      "_sysctl",
                                      "userfaultfd",
                                      "uselib",
                                      "ustat",
                                      "vm86",
                                      "vm86old"};
static const char *const refused_without_admin[] = {
    "fsconfig",   "fsmount",   "fsopen", "fspick", "mount",   "mount_setattr",
    "move_mount", "open_tree", "setns",  "umount", "umount2", "unshare"};

static void add_rule(struct doc *d, val *rules, const char *const *names, size_t n)
{
    val *rule = val_new_obj(d), *list = val_set(d, rule, "names", val_new_arr(d));
    for (size_t i = 0; i < n; i++)
        val_push(list, val_new_z(d, names[i]));
    val_set_z(d, rule, "action", "SCMP_ACT_ERRNO");
    val_set_int(d, rule, "errnoRet", 1);
    val_push(rules, rule);
}

val *oci_seccomp_default(struct doc *d, bool sys_admin)
{
    val *seccomp = val_new_obj(d);
    val_set_z(d, seccomp, "defaultAction", "SCMP_ACT_ALLOW");
    val *rules = val_set(d, seccomp, "syscalls", val_new_arr(d));
    add_rule(d, rules, refused, ARRAY_LEN(refused));
    if (!sys_admin)
        add_rule(d, rules, refused_without_admin, ARRAY_LEN(refused_without_admin));
    return seccomp;
}
