/* A container of a pod: from its spec to a running process, and its end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "node/container.h"
#include "node/image.h"
#include "node/probe.h"

enum {
    RETRY_MS = 5000,
    MAX_TERMINATION = 4096,
    TAIL_LINES = 80,
    TAIL_BYTES = 2048,
    DEFAULT_PIDS = 0
};

static int64_t now_ms(void)
{
    return mono_ms(world_real());
}

void container_wait(struct container *c, const char *reason, int64_t retry_ms, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->waiting_message, sizeof(c->waiting_message), format, args);
    va_end(args);
    snprintf(c->waiting, sizeof(c->waiting), "%s", reason);
    c->retry_ms = now_ms() + retry_ms;
}

/* --- who it runs as --- */

static bool field(struct str line, int i, struct str *ret)
{
    for (int k = 0; k <= i; k++)
        if (!str_next(&line, ':', ret) && k < i)
            return false;
    return true;
}

/* The line of passwd or group whose name or number (field 2) is who. */
static bool find_line(struct str text, struct str who, struct str *ret)
{
    struct str line, name, number;
    while (str_next(&text, '\n', &line))
        if (field(line, 0, &name) && field(line, 2, &number) &&
            (str_eq(name, who) || str_eq(number, who))) {
            *ret = line;
            return true;
        }
    return false;
}

static bool number_in(struct str line, int i, int64_t *ret)
{
    struct str text;
    return field(line, i, &text) && str_to_i64(text, ret) && *ret >= 0 && *ret <= UINT32_MAX;
}

static void add_group(struct oci_user *u, int64_t gid)
{
    for (size_t i = 0; i < u->group_count; i++)
        if (u->groups[i] == (gid_t)gid)
            return;
    if (u->group_count < OCI_MAX_GROUPS)
        u->groups[u->group_count++] = (gid_t)gid;
}

/* Groups of /etc/group that list the user. */
static void add_listed_groups(struct oci_user *u, struct str groups, struct str user)
{
    struct str line, members, member;
    int64_t gid;
    while (str_next(&groups, '\n', &line)) {
        if (!field(line, 3, &members) || !number_in(line, 2, &gid))
            continue;
        while (str_next(&members, ',', &member))
            if (str_eq(member, user))
                add_group(u, gid);
    }
}

static const val *security(const struct container *c, const char *key)
{
    const val *own = val_get(val_get(container_spec(c), "securityContext"), key);
    return own ? own : val_get(val_get(c->pod->spec, "securityContext"), key);
}

static int lookup_user(struct container *c, const struct image *image, struct str passwd,
                       struct str groups, struct oci_user *ret, struct err *err)
{
    const val *as_user = security(c, "runAsUser"), *as_group = security(c, "runAsGroup");
    struct str user, group, line;
    char number[24];
    int64_t id;
    str_cut(VAL_STR(image->config, "User"), ':', &user, &group);
    if (as_user) {
        snprintf(number, sizeof(number), "%lld", (long long)val_int(as_user));
        user = str_of(number);
        group = (struct str){0};
    }
    if (!user.n)
        user = STR("0");
    bool found = find_line(passwd, user, &line);
    if (found && number_in(line, 2, &id)) {
        ret->uid = (uid_t)id;
        ret->gid = number_in(line, 3, &id) ? (gid_t)id : 0;
    } else if (str_to_i64(user, &id) && id >= 0 && id <= UINT32_MAX) {
        ret->uid = (uid_t)id;
    } else {
        return err_internal(err, "unable to find user %.*s: no matching entries in passwd file",
                            STR_ARG(user));
    }
    if (group.n && find_line(groups, group, &line) && number_in(line, 2, &id))
        ret->gid = (gid_t)id;
    else if (group.n && str_to_i64(group, &id))
        ret->gid = (gid_t)id;
    else if (group.n)
        return err_internal(err, "unable to find group %.*s: no matching entries in group file",
                            STR_ARG(group));
    if (as_group)
        ret->gid = (gid_t)val_int(as_group);
    struct str name = user;
    if (found)
        field(line, 0, &name);
    add_group(ret, ret->gid);
    if (!str_is(VAL_STR(c->pod->spec, "securityContext", "supplementalGroupsPolicy"), "Strict"))
        add_listed_groups(ret, groups, name);
    return 0;
}

static int resolve_user(struct container *c, const struct image *image, struct oci_user *ret,
                        struct err *err)
{
    const val *pod_security = val_get(c->pod->spec, "securityContext");
    const struct runtime *r = &c->pod->agent->runtime;
    struct buf passwd = {0}, groups = {0};
    runtime_image_file(r, image->layers, "etc/passwd", &passwd);
    runtime_image_file(r, image->layers, "etc/group", &groups);
    *ret = (struct oci_user){0};
    int failed = lookup_user(c, image, buf_str(&passwd), buf_str(&groups), ret, err);
    buf_done(&passwd);
    buf_done(&groups);
    if (failed)
        return -1;
    if (val_get(pod_security, "fsGroup"))
        add_group(ret, VAL_INT(pod_security, "fsGroup"));
    VAL_FOR (val_get(pod_security, "supplementalGroups"), g)
        add_group(ret, val_int(g));
    if (val_bool(security(c, "runAsNonRoot")) && ret->uid == 0)
        return err_internal(
            err,
            security(c, "runAsUser")
                ? "container's runAsUser breaks non-root policy (pod: \"%s_%s(%s)\", "
                  "container: %s)"
                : "container has runAsNonRoot and image will run as root (pod: "
                  "\"%s_%s(%s)\", container: %s)",
            c->pod->name, c->pod->ns, c->pod->uid, c->name);
    return 0;
}

/* --- the configuration --- */

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int load_seccomp(struct container *c, struct doc *d, val **ret, struct err *err)
{
    const val *profile = security(c, "seccompProfile");
    struct buf path = {0}, text = {0};
    *ret = NULL;
    if (!str_is(VAL_STR(profile, "type"), "Localhost"))
        return 0;
    struct str name = VAL_STR(profile, "localhostProfile");
    if (name.n == 0 || name.p[0] == '/' || str_find(name, STR("..")) >= 0)
        return err_internal(err, "seccomp: invalid localhostProfile");
    buf_printf(&path, "%s/seccomp/%.*s", c->pod->agent->data_dir, STR_ARG(name));
    int failed =
        file_read(path.p, 1 << 20, &text, err) || doc_parse_json(d, buf_str(&text), ret, err);
    buf_done(&path);
    buf_done(&text);
    return failed ? -1 : 0;
}

/* The files that the kubelet mounts into each container: hosts, resolv.conf, hostname, the
 * termination log. */
static int add_files(struct container *c, struct doc *d, val *mounts, struct err *err)
{
    static const char *const files[] = {"hosts", "resolv.conf", "hostname"};
    struct pod *p = c->pod;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char target[32];
        snprintf(target, sizeof(target), "/etc/%s", files[i]);
        bool taken = false;
        VAL_FOR (val_get(container_spec(c), "volumeMounts"), m)
            taken |= str_is(VAL_STR(m, "mountPath"), target);
        CLEANUP(mem_freep) char *source = pod_path(p, files[i]);
        if (!taken && exists(source))
            oci_add_bind(d, mounts, source, str_of(target), false, "rprivate");
    }
    CLEANUP(mem_freep) char *log = runtime_path(&p->agent->runtime, c->now.id, "termination-log");
    if (runtime_write_file(log, (struct str){0}, 0666, err))
        return -1;
    struct str target = VAL_STR(container_spec(c), "terminationMessagePath");
    oci_add_bind(d, mounts, log, target.n ? target : STR("/dev/termination-log"), false,
                 "rprivate");
    return 0;
}

struct paths { /* of the pod's namespaces, owned */
    char *net, *ipc, *uts, *pid, *shm;
};

static void paths_done(struct paths *p)
{
    free(p->net);
    free(p->ipc);
    free(p->uts);
    free(p->pid);
    free(p->shm);
}

static char *if_exists(char *path)
{
    if (exists(path))
        return path;
    free(path);
    return NULL;
}

static char *pause_pid_path(struct pod *p)
{
    if (!VAL_BOOL(p->spec, "shareProcessNamespace"))
        return NULL;
    return if_exists(pod_path(p, "ns/pid"));
}

/* Fills an oci_input around what the caller owns. */
static int prepare_input(struct container *c, const struct image *image, struct env *env,
                         struct paths *paths, struct oci_input *in, struct err *err)
{
    struct pod *p = c->pod;
    *paths = (struct paths){if_exists(pod_path(p, "ns/net")), if_exists(pod_path(p, "ns/ipc")),
                            if_exists(pod_path(p, "ns/uts")), pause_pid_path(p),
                            if_exists(pod_path(p, "shm"))};
    *in = (struct oci_input){.pod_spec = p->spec,
                             .container = container_spec(c),
                             .image = image->config,
                             .env = env,
                             .net = paths->net,
                             .ipc = paths->ipc,
                             .uts = paths->uts,
                             .pid = paths->pid,
                             .shm = paths->shm,
                             .cgroup_v2 = p->agent->runtime.cgroup_v2,
                             .host_capabilities = p->agent->runtime.capabilities,
                             .lower_oom_score = p->agent->runtime.lower_oom_score,
                             .node_memory = p->agent->memory,
                             .pids_limit = DEFAULT_PIDS};
    return resolve_user(c, image, &in->user, err) || container_env(c, image->config, env, err) ? -1
                                                                                               : 0;
}

static val *make_meta(struct container *c, struct doc *d)
{
    val *meta = val_new_obj(d);
    val_set_z(d, meta, "podUID", c->pod->uid);
    val_set_z(d, meta, "podName", c->pod->name);
    val_set_z(d, meta, "podNamespace", c->pod->ns);
    val_set_z(d, meta, "name", c->name);
    val_set_int(d, meta, "attempt", c->attempt);
    val_set_z(d, meta, "image", c->image);
    val_set_z(d, meta, "imageID", c->image_id);
    return meta;
}

char *container_log_path(const struct container *c, int attempt)
{
    const struct pod *p = c->pod;
    struct buf b = {0};
    buf_printf(&b, "%s/logs/%s_%s_%s/%s/%d.log", p->agent->data_dir, p->ns, p->name, p->uid,
               c->name, attempt);
    return buf_take(&b);
}

static int make_log_folder(const char *log, struct err *err)
{
    CLEANUP(mem_freep) char *folder = mem_strndup(log, (size_t)(strrchr(log, '/') - log));
    return file_mkdirs(folder, 0755, err);
}

/* Reasons of the two halves of a start, as the kubelet's ErrCreateContainerConfig and RunContainer.
 */
static int launch(struct container *c, const struct image *image, const char **ret_reason,
                  struct err *err)
{
    struct pod *p = c->pod;
    struct doc d = {0};
    struct env env = {0};
    struct paths paths = {0};
    struct oci_input in;
    struct buf cgroup = {0};
    val *config, *seccomp;
    const val *spec = container_spec(c);
    val *mounts = val_new_arr(&d);
    CLEANUP(mem_freep) char *log = container_log_path(c, c->attempt);
    CLEANUP(mem_freep) char *folder = runtime_path(&p->agent->runtime, c->now.id, NULL);
    int failed = -1;
    *ret_reason = "CreateContainerConfigError";
    if (mkdir(folder, 0711)) {
        err_errno(err, "mkdir %s", folder);
        goto out;
    }
    buf_printf(&cgroup, "/%s/pod%s/%s", p->agent->runtime.tag, p->uid, c->now.id);
    if (prepare_input(c, image, &env, &paths, &in, err) ||
        volumes_mount(c, &env, &d, mounts, err) || add_files(c, &d, mounts, err) ||
        load_seccomp(c, &d, &seccomp, err) || make_log_folder(log, err))
        goto out;
    in.mounts = mounts;
    in.cgroup = cgroup.p;
    in.seccomp = seccomp;
    *ret_reason = "RunContainerError";
    if (oci_config(&in, &d, &config, err))
        goto out;
    const struct runtime_start start = {
        .id = c->now.id,
        .layers = image->layers,
        .config = config,
        .meta = make_meta(c, &d),
        .log = log,
        .tty = VAL_BOOL(spec, "tty"),
        .stdin_mode = VAL_BOOL(spec, "stdin") ? (VAL_BOOL(spec, "stdinOnce") ? 2 : 1) : 0};
    failed = runtime_start(&p->agent->runtime, &start, err);
out:
    buf_done(&cgroup);
    paths_done(&paths);
    env_done(&env);
    doc_done(&d);
    return failed;
}

/* --- starting --- */

static void forget_run(struct container *c, struct run *r)
{
    if (r->id[0])
        runtime_remove(&c->pod->agent->runtime, r->id);
    *r = (struct run){0};
}

static bool run_post_start(struct container *c)
{
    const val *hook = VAL_PATH(container_spec(c), "lifecycle", "postStart");
    struct buf message = {0};
    if (!hook)
        return true;
    int failed = hook_run(c, hook, 600000, &message);
    if (failed) {
        pod_event(c->pod, c, true, "FailedPostStartHook", "PostStartHook failed");
        container_stop(c, 30000, "FailedPostStartHook");
    }
    buf_done(&message);
    return !failed;
}

static void start_failed(struct container *c, const char *reason, const struct err *err)
{
    pod_event(c->pod, c, true, "Failed", "Error: %s", err->message);
    if (strcmp(reason, "RunContainerError") == 0) { /* counts as a run: restarts back off */
        c->now.exit = (struct runtime_exit){.code = 128, .ended_ns = wall_ns(world_real())};
        c->now.started_ns = c->now.exit.ended_ns;
        snprintf(c->now.reason, sizeof(c->now.reason), "StartError");
        snprintf(c->now.message, sizeof(c->now.message), "%s", err->message);
        c->retry_ms = 0;
        c->waiting[0] = '\0';
        CLEANUP(mem_freep) char *ended = runtime_path(&c->pod->agent->runtime, c->now.id, "exit");
        char text[64];
        snprintf(text, sizeof(text), "128 0 0 %lld\n", (long long)c->now.exit.ended_ns);
        runtime_write_file(ended, str_of(text), 0600, NULL);
        pod_wake(c->pod);
        return;
    }
    runtime_remove(&c->pod->agent->runtime, c->now.id);
    c->now = c->last;
    c->last = (struct run){0};
    container_wait(c, reason, RETRY_MS, "%s", err->message);
}

void container_start(struct container *c)
{
    struct image image = {0};
    struct err err = {0};
    const char *reason;
    if (container_pull(c, &image)) /* says why in waiting */
        return;
    snprintf(c->image, sizeof(c->image), "%s", image.name);
    snprintf(c->image_id, sizeof(c->image_id), "%s", image.id);
    bool again = container_exited(c);
    if (again || c->now.id[0]) {
        forget_run(c, &c->last);
        c->last = c->now;
        c->attempt++;
    }
    c->now = (struct run){0};
    runtime_new_id(c->now.id);
    int failed = launch(c, &image, &reason, &err);
    image_done(&image);
    if (failed) {
        if (strcmp(reason, "RunContainerError") && again)
            c->attempt--;
        start_failed(c, reason, &err);
        return;
    }
    c->waiting[0] = c->waiting_message[0] = '\0';
    c->retry_ms = 0;
    c->started = c->ready = false;
    pod_event(c->pod, c, false, "Created", "Created container: %s", c->name);
    pod_event(c->pod, c, false, "Started", "Started container %s", c->name);
    container_connect(c);
    if (!c->running)
        container_ended(c);
    else
        run_post_start(c);
}

void container_connect(struct container *c)
{
    c->conn = runtime_connect(&c->pod->agent->runtime, c->now.id);
    c->running = c->conn >= 0;
    c->kill_unhealthy = false;
    runtime_pid(&c->pod->agent->runtime, c->now.id, &c->now.started_ns);
    if (c->running)
        probes_start(c);
}

/* --- the end --- */

/* The file that the container wrote; after a failure the end of its log, when the spec asks so. */
static void read_termination(struct container *c)
{
    struct buf text = {0};
    const val *spec = container_spec(c);
    CLEANUP(mem_freep)
    char *path = runtime_path(&c->pod->agent->runtime, c->now.id, "termination-log");
    file_read(path, MAX_TERMINATION, &text, NULL);
    if (!text.n && c->now.exit.code &&
        str_is(VAL_STR(spec, "terminationMessagePolicy"), "FallbackToLogsOnError")) {
        CLEANUP(mem_freep) char *log = container_log_path(c, c->attempt);
        container_log_tail(log, TAIL_LINES, TAIL_BYTES, &text);
    }
    snprintf(c->now.message, sizeof(c->now.message), "%.*s",
             (int)(text.n < MAX_TERMINATION ? text.n : MAX_TERMINATION), buf_z(&text));
    buf_done(&text);
}

void container_ended(struct container *c)
{
    if (c->conn >= 0)
        close(c->conn);
    c->conn = -1;
    c->running = false;
    probes_stop(c);
    c->started = c->ready = false;
    runtime_exit(&c->pod->agent->runtime, c->now.id, &c->now.exit);
    if (!c->now.started_ns) { /* it never ran: what a start that failed left */
        c->now.started_ns = c->now.exit.ended_ns;
        snprintf(c->now.reason, sizeof(c->now.reason), "StartError");
    }
    read_termination(c);
    c->retry_ms = 0;
    c->waiting[0] = c->waiting_message[0] = '\0';
}
