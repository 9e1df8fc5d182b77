#include "node/oci.h"

#include <stdio.h>

static const char *const masked_paths[] = {
    "/proc/asound",     "/proc/acpi",        "/proc/interrupts",
    "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                             "/proc/sysrq-trigger"};

static const val *security_of(const struct oci_input *in)
{
    return val_get(in->container, "securityContext");
}

static bool privileged(const struct oci_input *in)
{
    return VAL_BOOL(security_of(in), "privileged");
}

static void push_all(struct doc *d, val *to, const val *from, const struct env *env)
{
    VAL_FOR (from, item) {
        struct buf b = {0};
        if (env)
            env_expand(env, val_str(item), &b);
        else
            buf_put(&b, val_str(item));
        val_push(to, val_new_str(d, (struct str){buf_z(&b), b.n}));
        buf_done(&b);
    }
}

int oci_args(const struct oci_input *in, struct doc *d, val **ret, struct err *err)
{
    const val *command = val_get(in->container, "command"), *args = val_get(in->container, "args");
    val *list = val_new_arr(d);
    if (val_len(command)) {
        push_all(d, list, command, in->env);
    } else {
        push_all(d, list, val_get(in->image, "Entrypoint"), NULL);
        if (!val_len(args))
            args = NULL;
    }
    if (val_len(args))
        push_all(d, list, args, in->env);
    else if (!val_len(command))
        push_all(d, list, val_get(in->image, "Cmd"), NULL);
    if (!val_len(list))
        return err_bad(err, "no command specified");
    *ret = list;
    return 0;
}

static void add_user(const struct oci_input *in, struct doc *d, val *process)
{
    val *user = val_set(d, process, "user", val_new_obj(d));
    val_set_int(d, user, "uid", in->user.uid);
    val_set_int(d, user, "gid", in->user.gid);
    if (in->user.group_count) {
        val *groups = val_set(d, user, "additionalGids", val_new_arr(d));
        for (size_t i = 0; i < in->user.group_count; i++)
            val_push(groups, val_new_int(d, in->user.groups[i]));
    }
}

static void add_env(const struct oci_input *in, bool tty, struct doc *d, val *process)
{
    val *list = val_set(d, process, "env", val_new_arr(d));
    if (tty && !env_get(in->env, STR("TERM")))
        val_push(list, val_new_z(d, "TERM=xterm"));
    for (size_t i = 0; i < in->env->count; i++)
        val_push(list, val_new_strf(d, "%s=%s", in->env->vars[i].name, in->env->vars[i].value));
}

int oci_process(const struct oci_input *in, const val *args, bool tty, struct doc *d, val **ret,
                struct err *err)
{
    val *list, *process = val_new_obj(d);
    struct buf cwd = {0};
    if (args)
        list = val_copy(d, args);
    else if (oci_args(in, d, &list, err))
        return -1;
    if (tty)
        val_set_bool(d, process, "terminal", true);
    add_user(in, d, process);
    val_set(d, process, "args", list);
    add_env(in, tty, d, process);
    struct str dir = VAL_STR(in->container, "workingDir");
    if (!dir.n)
        dir = VAL_STR(in->image, "WorkingDir");
    if (!dir.n || dir.p[0] != '/')
        buf_putc(&cwd, '/');
    buf_put(&cwd, dir);
    val_set_s(d, process, "cwd", buf_str(&cwd));
    buf_done(&cwd);
    oci_capabilities(security_of(in), in->host_capabilities, d, process);
    const val *escalation = val_get(security_of(in), "allowPrivilegeEscalation");
    val_set_bool(d, process, "noNewPrivileges",
                 escalation && !val_bool(escalation) && !privileged(in));
    int64_t score = oci_oom_score(in);
    if (score >= 0 || in->lower_oom_score)
        val_set_int(d, process, "oomScoreAdj", score);
    *ret = process;
    return 0;
}

/* --- mounts --- */

static void add_mount(struct doc *d, val *mounts, const char *target, const char *type,
                      const char *source, const char *options)
{
    val *m = val_new_obj(d);
    struct str rest = str_of(options), option;
    val_set_z(d, m, "destination", target);
    val_set_z(d, m, "type", type);
    val_set_z(d, m, "source", source);
    val *list = val_set(d, m, "options", val_new_arr(d));
    while (str_next(&rest, ',', &option))
        val_push(list, val_new_str(d, option));
    val_push(mounts, m);
}

void oci_add_bind(struct doc *d, val *mounts, const char *source, struct str target, bool read_only,
                  const char *propagation)
{
    val *m = val_new_obj(d);
    val_set_s(d, m, "destination", target);
    val_set_z(d, m, "type", "bind");
    val_set_z(d, m, "source", source);
    val *list = val_set(d, m, "options", val_new_arr(d));
    val_push(list, val_new_z(d, "rbind"));
    val_push(list, val_new_z(d, propagation));
    val_push(list, val_new_z(d, read_only ? "ro" : "rw"));
    val_push(mounts, m);
}

static void add_mounts(const struct oci_input *in, struct doc *d, val *config)
{
    val *mounts = val_set(d, config, "mounts", val_new_arr(d));
    bool open = privileged(in);
    add_mount(d, mounts, "/proc", "proc", "proc", "nosuid,noexec,nodev");
    add_mount(d, mounts, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
    add_mount(d, mounts, "/dev/pts", "devpts", "devpts",
              "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    add_mount(d, mounts, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
    if (in->net)
        add_mount(d, mounts, "/sys", "sysfs", "sysfs",
                  open ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro");
    else
        add_mount(d, mounts, "/sys", "bind", "/sys",
                  open ? "rbind,nosuid,noexec,nodev,rw" : "rbind,nosuid,noexec,nodev,ro");
    add_mount(d, mounts, "/sys/fs/cgroup", "cgroup", "cgroup",
              open ? "nosuid,noexec,nodev,relatime,rw" : "nosuid,noexec,nodev,relatime,ro");
    oci_add_bind(d, mounts, in->shm ? in->shm : "/dev/shm", STR("/dev/shm"), false, "rprivate");
    VAL_FOR (in->mounts, m)
        val_push(mounts, val_copy(d, m));
}

/* --- the rest --- */

static void add_namespace(struct doc *d, val *list, const char *type, const char *path)
{
    val *n = val_new_obj(d);
    val_set_z(d, n, "type", type);
    if (path)
        val_set_z(d, n, "path", path);
    val_push(list, n);
}

static void add_namespaces(const struct oci_input *in, struct doc *d, val *linux_config)
{
    val *list = val_set(d, linux_config, "namespaces", val_new_arr(d));
    add_namespace(d, list, "mount", NULL);
    if (!VAL_BOOL(in->pod_spec, "hostPID"))
        add_namespace(d, list, "pid", in->pid);
    if (in->net)
        add_namespace(d, list, "network", in->net);
    if (in->ipc)
        add_namespace(d, list, "ipc", in->ipc);
    if (in->uts)
        add_namespace(d, list, "uts", in->uts);
    if (in->cgroup_v2 && !privileged(in))
        add_namespace(d, list, "cgroup", NULL);
}

static void add_paths(struct doc *d, val *linux_config, const char *name, const char *const *paths,
                      size_t n)
{
    val *list = val_set(d, linux_config, name, val_new_arr(d));
    for (size_t i = 0; i < n; i++)
        val_push(list, val_new_z(d, paths[i]));
}

static bool has_sys_admin(const val *process)
{
    VAL_FOR (VAL_PATH(process, "capabilities", "bounding"), cap)
        if (str_is(val_str(cap), "CAP_SYS_ADMIN"))
            return true;
    return false;
}

static void add_seccomp(const struct oci_input *in, const val *process, struct doc *d,
                        val *linux_config)
{
    const val *profile = val_get(security_of(in), "seccompProfile");
    if (!profile)
        profile = VAL_PATH(in->pod_spec, "securityContext", "seccompProfile");
    if (privileged(in))
        return;
    if (str_is(VAL_STR(profile, "type"), "RuntimeDefault"))
        val_set(d, linux_config, "seccomp", oci_seccomp_default(d, has_sys_admin(process)));
    else if (in->seccomp)
        val_set(d, linux_config, "seccomp", val_copy(d, in->seccomp));
}

int oci_config(const struct oci_input *in, struct doc *d, val **ret, struct err *err)
{
    val *process, *config = val_new_obj(d);
    if (oci_process(in, NULL, VAL_BOOL(in->container, "tty"), d, &process, err))
        return -1;
    val_set_z(d, config, "ociVersion", "1.0.2");
    val_set(d, config, "process", process);
    val *root = val_set(d, config, "root", val_new_obj(d));
    val_set_z(d, root, "path", "rootfs");
    val_set_bool(d, root, "readonly", VAL_BOOL(security_of(in), "readOnlyRootFilesystem"));
    add_mounts(in, d, config);
    val *linux_config = val_set(d, config, "linux", val_new_obj(d));
    add_namespaces(in, d, linux_config);
    val_set_z(d, linux_config, "cgroupsPath", in->cgroup);
    val_set_z(d, linux_config, "rootfsPropagation", "rprivate");
    if (oci_resources(in, d, linux_config, err))
        return -1;
    bool unmasked = str_is(VAL_STR(security_of(in), "procMount"), "Unmasked");
    if (!privileged(in) && !unmasked) {
        add_paths(d, linux_config, "maskedPaths", masked_paths, ARRAY_LEN(masked_paths));
        add_paths(d, linux_config, "readonlyPaths", readonly_paths, ARRAY_LEN(readonly_paths));
    }
    add_seccomp(in, process, d, linux_config);
    *ret = config;
    return 0;
}
