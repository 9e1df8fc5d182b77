/* PodSecurity: what a namespace's labels ask of its pods (upstream's pod-security-admission, the
 * Pod Security Standards). A namespace's policy is enforced on pods; on what makes pods it only
 * warns. */
#include "api/admission/admission.h"

#define LABEL "pod-security.kubernetes.io/"

enum { NEWEST = 34, MAX_FOUND = 64 };
enum level { PRIVILEGED, BASELINE, RESTRICTED };

struct demand {
    enum level level;
    int minor; /* v1.minor; NEWEST + 1: latest */
};

static const char *const level_names[] = {"privileged", "baseline", "restricted"};

/* --- what was found --- */
struct names {
    struct str at[MAX_FOUND];
    size_t n;
};

static void names_add(struct names *l, struct str name)
{
    if (l->n < MAX_FOUND)
        l->at[l->n++] = name;
}

/* A sorted set. */
static void names_insert(struct names *l, struct str name)
{
    size_t i = 0;
    while (i < l->n && str_cmp(l->at[i], name) < 0)
        i++;
    if (l->n == MAX_FOUND || (i < l->n && str_eq(l->at[i], name)))
        return;
    memmove(&l->at[i + 1], &l->at[i], (l->n - i) * sizeof(l->at[0]));
    l->at[i] = name;
    l->n++;
}

static void names_put(const struct names *l, struct buf *b)
{
    for (size_t i = 0; i < l->n; i++)
        buf_printf(b, "%s\"%.*s\"", i ? ", " : "", STR_ARG(l->at[i]));
}

static void put_containers(const struct names *l, struct buf *b)
{
    buf_puts(b, l->n == 1 ? "container " : "containers ");
    names_put(l, b);
}

struct pod {
    const val *meta, *spec;
    const val *security; /* the pod's own securityContext */
    bool windows;
    int minor;
};

/* Init containers, containers, ephemeral ones. */
static const char *const container_lists[] = {"initContainers", "containers",
                                              "ephemeralContainers"};
#define EACH_CONTAINER(p, k)                                                                       \
    for (size_t list_ = 0; list_ < ARRAY_LEN(container_lists); list_++)                            \
        VAL_FOR (val_get((p)->spec, container_lists[list_]), k)

/* A check appends its detail; an empty one: allowed. */
typedef void check_fn(const struct pod *p, struct buf *detail);

/* "pod and containers "a", "b"" */
static void put_setters(bool pod, const struct names *containers, struct buf *b)
{
    if (pod)
        buf_puts(b, containers->n ? "pod and " : "pod");
    if (containers->n)
        put_containers(containers, b);
}

/* --- baseline --- */
static bool profile_allowed(const val *profile)
{
    return val_is_null(profile) ||
           str_is_one_of(VAL_STR(profile, "type"), "RuntimeDefault Localhost");
}

static void check_apparmor(const struct pod *p, struct buf *b)
{
    struct names bad = {0}, values = {0};
    struct buf notes = {0};
    const val *own = val_get(p->security, "appArmorProfile");
    bool pod = !profile_allowed(own);
    if (pod)
        names_insert(&values, VAL_STR(own, "type"));
    EACH_CONTAINER(p, k)
    {
        const val *profile = VAL_PATH(k, "securityContext", "appArmorProfile");
        if (profile_allowed(profile))
            continue;
        names_add(&bad, VAL_STR(k, "name"));
        names_insert(&values, VAL_STR(profile, "type"));
    }
    VAL_EACH (val_get(p->meta, "annotations"), key, v) {
        struct str s = val_str(v);
        if (str_starts(val_str(key), STR("container.apparmor.security.beta.kubernetes.io/")) &&
            s.n && !str_is(s, "runtime/default") && !str_starts(s, STR("localhost/")))
            buf_printf(&notes, "%s\"%.*s=\\\"%.*s\\\"\"", notes.n ? ", " : "",
                       STR_ARG(val_str(key)), STR_ARG(s));
    }
    if (pod || bad.n || notes.n) {
        put_setters(pod, &bad, b);
        if (notes.n)
            buf_printf(b, "%sannotation", pod || bad.n ? " and " : "");
        buf_puts(b, " must not set AppArmor profile type to ");
        names_put(&values, b);
        buf_printf(b, "%s%s", values.n && notes.n ? ", " : "", buf_z(&notes));
    }
    buf_done(&notes);
}

static void check_added(const struct pod *p, const char *allowed, struct buf *b)
{
    struct names bad = {0}, values = {0};
    EACH_CONTAINER(p, k)
    {
        size_t before = bad.n;
        VAL_FOR (VAL_PATH(k, "securityContext", "capabilities", "add"), cap) {
            if (str_is_one_of(val_str(cap), allowed))
                continue;
            names_insert(&values, val_str(cap));
            if (bad.n == before)
                names_add(&bad, VAL_STR(k, "name"));
        }
    }
    if (!bad.n)
        return;
    buf_puts(b, b->n ? "; " : "");
    put_containers(&bad, b);
    buf_puts(b, " must not include ");
    names_put(&values, b);
    buf_puts(b, " in securityContext.capabilities.add");
}

static void check_capabilities(const struct pod *p, struct buf *b)
{
    check_added(p,
                "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP "
                "SETGID SETPCAP SETUID SYS_CHROOT",
                b);
}

static void check_host_namespaces(const struct pod *p, struct buf *b)
{
    static const char *const members[] = {"hostNetwork", "hostPID", "hostIPC"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (VAL_BOOL(p->spec, members[i]))
            buf_printf(b, "%s%s=true", b->n ? ", " : "", members[i]);
}

static void check_host_paths(const struct pod *p, struct buf *b)
{
    struct names bad = {0};
    VAL_FOR (val_get(p->spec, "volumes"), v) {
        if (val_get(v, "hostPath"))
            names_add(&bad, VAL_STR(v, "name"));
    }
    if (!bad.n)
        return;
    buf_puts(b, bad.n == 1 ? "volume " : "volumes ");
    names_put(&bad, b);
}

static void check_host_ports(const struct pod *p, struct buf *b)
{
    struct names bad = {0}, ports = {0};
    char room[MAX_FOUND][16];
    EACH_CONTAINER(p, k)
    {
        size_t before = bad.n;
        VAL_FOR (val_get(k, "ports"), port) {
            long long number = (long long)VAL_INT(port, "hostPort");
            if (!number)
                continue;
            if (ports.n < MAX_FOUND) {
                snprintf(room[ports.n], sizeof(room[0]), "%lld", number);
                names_insert(&ports, str_of(room[ports.n]));
            }
            if (bad.n == before)
                names_add(&bad, VAL_STR(k, "name"));
        }
    }
    if (!bad.n)
        return;
    put_containers(&bad, b);
    buf_printf(b, " %s %s ", bad.n == 1 ? "uses" : "use", ports.n == 1 ? "hostPort" : "hostPorts");
    for (size_t i = 0; i < ports.n; i++)
        buf_printf(b, "%s%.*s", i ? ", " : "", STR_ARG(ports.at[i]));
}

static void find_hosts(const val *handler, struct names *hosts)
{
    struct str http = VAL_STR(handler, "httpGet", "host");
    struct str tcp = VAL_STR(handler, "tcpSocket", "host");
    if (http.n)
        names_insert(hosts, http);
    if (tcp.n)
        names_insert(hosts, tcp);
}

static void check_probe_hosts(const struct pod *p, struct buf *b)
{
    struct names bad = {0}, hosts = {0};
    if (p->minor < 34)
        return;
    EACH_CONTAINER(p, k)
    {
        struct names own = {0};
        find_hosts(val_get(k, "livenessProbe"), &own);
        find_hosts(val_get(k, "readinessProbe"), &own);
        find_hosts(val_get(k, "startupProbe"), &own);
        find_hosts(VAL_PATH(k, "lifecycle", "postStart"), &own);
        find_hosts(VAL_PATH(k, "lifecycle", "preStop"), &own);
        for (size_t i = 0; i < own.n; i++)
            names_insert(&hosts, own.at[i]);
        if (own.n)
            names_insert(&bad, VAL_STR(k, "name"));
    }
    if (!bad.n)
        return;
    put_containers(&bad, b);
    buf_printf(b, " %s probe or lifecycle %s ", bad.n == 1 ? "uses" : "use",
               hosts.n == 1 ? "host" : "hosts");
    names_put(&hosts, b);
}

static void check_privileged(const struct pod *p, struct buf *b)
{
    struct names bad = {0};
    EACH_CONTAINER(p, k)
    {
        if (VAL_BOOL(k, "securityContext", "privileged"))
            names_add(&bad, VAL_STR(k, "name"));
    }
    if (!bad.n)
        return;
    put_containers(&bad, b);
    buf_puts(b, " must not set securityContext.privileged=true");
}

static void check_proc_mount(const struct pod *p, struct buf *b)
{
    struct names bad = {0}, values = {0};
    EACH_CONTAINER(p, k)
    {
        struct str mount = VAL_STR(k, "securityContext", "procMount");
        if (!mount.n || str_is(mount, "Default"))
            continue;
        names_add(&bad, VAL_STR(k, "name"));
        names_insert(&values, mount);
    }
    if (!bad.n)
        return;
    put_containers(&bad, b);
    buf_puts(b, " must not set securityContext.procMount to ");
    names_put(&values, b);
}

struct selinux {
    struct names types;
    bool user, role;
};

static bool selinux_bad(const struct pod *p, const val *options, struct selinux *s)
{
    if (val_is_null(options))
        return false;
    struct str type = VAL_STR(options, "type");
    const char *allowed = p->minor < 31
                              ? "container_t container_init_t container_kvm_t"
                              : "container_t container_init_t container_kvm_t container_engine_t";
    bool user = VAL_STR(options, "user").n, role = VAL_STR(options, "role").n;
    bool bad = type.n && !str_is_one_of(type, allowed);
    if (bad)
        names_insert(&s->types, type);
    s->user |= user;
    s->role |= role;
    return bad || user || role;
}

static void check_selinux(const struct pod *p, struct buf *b)
{
    struct names bad = {0};
    struct selinux s = {0};
    const char *sep = "";
    bool pod = selinux_bad(p, val_get(p->security, "seLinuxOptions"), &s);
    EACH_CONTAINER(p, k)
    {
        if (selinux_bad(p, VAL_PATH(k, "securityContext", "seLinuxOptions"), &s))
            names_add(&bad, VAL_STR(k, "name"));
    }
    if (!pod && !bad.n)
        return;
    put_setters(pod, &bad, b);
    buf_puts(b, " set forbidden securityContext.seLinuxOptions: ");
    if (s.types.n) {
        buf_puts(b, s.types.n == 1 ? "type " : "types ");
        names_put(&s.types, b);
        sep = "; ";
    }
    if (s.user) {
        buf_printf(b, "%suser may not be set", sep);
        sep = "; ";
    }
    if (s.role)
        buf_printf(b, "%srole may not be set", sep);
}

/* Profiles that are named and wrong; true when there were any. */
static bool bad_seccomp(const struct pod *p, struct buf *b)
{
    struct names bad = {0}, values = {0};
    const val *own = val_get(p->security, "seccompProfile");
    bool pod = !profile_allowed(own);
    if (pod)
        names_insert(&values, VAL_STR(own, "type"));
    EACH_CONTAINER(p, k)
    {
        const val *profile = VAL_PATH(k, "securityContext", "seccompProfile");
        if (profile_allowed(profile))
            continue;
        names_add(&bad, VAL_STR(k, "name"));
        names_insert(&values, VAL_STR(profile, "type"));
    }
    if (!pod && !bad.n)
        return false;
    put_setters(pod, &bad, b);
    buf_puts(b, " must not set securityContext.seccompProfile.type to ");
    names_put(&values, b);
    return true;
}

static void check_seccomp(const struct pod *p, struct buf *b)
{
    if (p->minor >= 19)
        bad_seccomp(p, b);
}

static void check_sysctls(const struct pod *p, struct buf *b)
{
    static const struct {
        int since;
        const char *names;
    } allowed[] = {
        {0, "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies "
            "net.ipv4.ping_group_range net.ipv4.ip_unprivileged_port_start"},
        {27, "net.ipv4.ip_local_reserved_ports"},
        {29, "net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl "
             "net.ipv4.tcp_keepalive_probes"},
        {32, "net.ipv4.tcp_rmem net.ipv4.tcp_wmem"},
    };
    VAL_FOR (val_get(p->security, "sysctls"), s) {
        bool good = false;
        for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
            good |=
                p->minor >= allowed[i].since && str_is_one_of(VAL_STR(s, "name"), allowed[i].names);
        if (!good)
            buf_printf(b, "%s%.*s", b->n ? ", " : "", STR_ARG(VAL_STR(s, "name")));
    }
}

static void check_host_process(const struct pod *p, struct buf *b)
{
    struct names bad = {0};
    bool pod = VAL_BOOL(p->security, "windowsOptions", "hostProcess");
    EACH_CONTAINER(p, k)
    {
        if (VAL_BOOL(k, "securityContext", "windowsOptions", "hostProcess"))
            names_add(&bad, VAL_STR(k, "name"));
    }
    if (!pod && !bad.n)
        return;
    put_setters(pod, &bad, b);
    buf_puts(b, " must not set securityContext.windowsOptions.hostProcess=true");
}

/* --- restricted --- */
static void check_escalation(const struct pod *p, struct buf *b)
{
    struct names bad = {0};
    if (p->minor < 8 || (p->windows && p->minor >= 25))
        return;
    EACH_CONTAINER(p, k)
    {
        const val *v = VAL_PATH(k, "securityContext", "allowPrivilegeEscalation");
        if (!val_is_bool(v) || val_bool(v))
            names_add(&bad, VAL_STR(k, "name"));
    }
    if (!bad.n)
        return;
    put_containers(&bad, b);
    buf_puts(b, " must set securityContext.allowPrivilegeEscalation=false");
}

static void check_dropped(const struct pod *p, struct buf *b)
{
    struct names bad = {0};
    if (p->minor < 22) {
        check_capabilities(p, b);
        return;
    }
    if (p->windows && p->minor >= 25)
        return;
    EACH_CONTAINER(p, k)
    {
        bool all = false;
        VAL_FOR (VAL_PATH(k, "securityContext", "capabilities", "drop"), cap) {
            all |= str_is(val_str(cap), "ALL");
        }
        if (!all)
            names_add(&bad, VAL_STR(k, "name"));
    }
    if (bad.n) {
        put_containers(&bad, b);
        buf_puts(b, " must set securityContext.capabilities.drop=[\"ALL\"]");
    }
    check_added(p, "NET_BIND_SERVICE", b);
}

static void check_volumes(const struct pod *p, struct buf *b)
{
    struct names bad = {0}, types = {0};
    VAL_FOR (val_get(p->spec, "volumes"), v) {
        struct str type = {0};
        VAL_EACH (v, key, source) {
            (void)source;
            if (!str_is(val_str(key), "name"))
                type = val_str(key);
        }
        if (!type.n || str_is_one_of(type, "configMap csi downwardAPI emptyDir ephemeral image "
                                           "persistentVolumeClaim projected secret"))
            continue;
        names_add(&bad, VAL_STR(v, "name"));
        names_insert(&types, type);
    }
    if (!bad.n)
        return;
    buf_puts(b, bad.n == 1 ? "volume " : "volumes ");
    names_put(&bad, b);
    buf_printf(b, " %s restricted volume %s ", bad.n == 1 ? "uses" : "use",
               types.n == 1 ? "type" : "types");
    names_put(&types, b);
}

static void check_non_root(const struct pod *p, struct buf *b)
{
    struct names bad = {0}, silent = {0};
    const val *own = val_get(p->security, "runAsNonRoot");
    bool pod = val_is_bool(own) && !val_bool(own);
    EACH_CONTAINER(p, k)
    {
        const val *v = VAL_PATH(k, "securityContext", "runAsNonRoot");
        if (val_is_bool(v) && !val_bool(v))
            names_add(&bad, VAL_STR(k, "name"));
        else if (!val_is_bool(v) && !val_bool(own))
            names_add(&silent, VAL_STR(k, "name"));
    }
    if (pod || bad.n) {
        put_setters(pod, &bad, b);
        buf_puts(b, " must not set securityContext.runAsNonRoot=false");
    } else if (silent.n) {
        buf_puts(b, "pod or ");
        put_containers(&silent, b);
        buf_puts(b, " must set securityContext.runAsNonRoot=true");
    }
}

static bool is_root(const val *context)
{
    const val *user = val_get(context, "runAsUser");
    return val_is_num(user) && val_int(user) == 0;
}

static void check_user(const struct pod *p, struct buf *b)
{
    struct names bad = {0};
    bool pod = is_root(p->security);
    if (p->minor < 23)
        return;
    EACH_CONTAINER(p, k)
    {
        if (is_root(val_get(k, "securityContext")))
            names_add(&bad, VAL_STR(k, "name"));
    }
    if (!pod && !bad.n)
        return;
    put_setters(pod, &bad, b);
    buf_puts(b, " must not set runAsUser=0");
}

static void check_seccomp_set(const struct pod *p, struct buf *b)
{
    struct names silent = {0};
    if (p->minor < 19 || (p->windows && p->minor >= 25) || bad_seccomp(p, b) ||
        val_get(p->security, "seccompProfile"))
        return;
    EACH_CONTAINER(p, k)
    {
        if (!VAL_PATH(k, "securityContext", "seccompProfile"))
            names_add(&silent, VAL_STR(k, "name"));
    }
    if (!silent.n)
        return;
    buf_puts(b, "pod or ");
    put_containers(&silent, b);
    buf_puts(b, " must set securityContext.seccompProfile.type to \"RuntimeDefault\" or "
                "\"Localhost\"");
}

/* In the order of upstream's messages: baseline first, each by its id. */
static const struct {
    enum level level;
    bool replaced; /* restricted has a stricter check instead */
    const char *reason;
    check_fn *fn;
} checks[] = {
    {BASELINE, false, "forbidden AppArmor profile", check_apparmor},
    {BASELINE, true, "non-default capabilities", check_capabilities},
    {BASELINE, false, "host namespaces", check_host_namespaces},
    {BASELINE, true, "hostPath volumes", check_host_paths},
    {BASELINE, false, "hostPort", check_host_ports},
    {BASELINE, false, "probe or lifecycle host", check_probe_hosts},
    {BASELINE, false, "privileged", check_privileged},
    {BASELINE, false, "procMount", check_proc_mount},
    {BASELINE, false, "seLinuxOptions", check_selinux},
    {BASELINE, true, "seccompProfile", check_seccomp},
    {BASELINE, false, "forbidden sysctls", check_sysctls},
    {BASELINE, false, "hostProcess", check_host_process},
    {RESTRICTED, false, "allowPrivilegeEscalation != false", check_escalation},
    {RESTRICTED, false, "unrestricted capabilities", check_dropped},
    {RESTRICTED, false, "restricted volume types", check_volumes},
    {RESTRICTED, false, "runAsNonRoot != true", check_non_root},
    {RESTRICTED, false, "runAsUser=0", check_user},
    {RESTRICTED, false, "seccompProfile", check_seccomp_set},
};

/* Appends `REASON (DETAIL), …`, details left out on demand; true when the pod is allowed. */
static bool evaluate(struct demand want, const val *meta, const val *spec, bool details,
                     struct buf *b)
{
    struct pod p = {.meta = meta,
                    .spec = spec,
                    .security = val_get(spec, "securityContext"),
                    .windows = str_is(VAL_STR(spec, "os", "name"), "windows"),
                    .minor = want.minor > NEWEST ? NEWEST : want.minor};
    bool allowed = true;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct buf detail = {0};
        if (checks[i].level <= want.level && !(want.level == RESTRICTED && checks[i].replaced))
            checks[i].fn(&p, &detail);
        if (detail.n && details)
            buf_printf(b, "%s%s (%s)", allowed ? "" : ", ", checks[i].reason, buf_z(&detail));
        else if (detail.n)
            buf_printf(b, "%s%s", allowed ? "" : ", ", checks[i].reason);
        allowed &= !detail.n;
        buf_done(&detail);
    }
    return allowed;
}

/* --- a namespace's labels --- */
struct policy {
    struct demand enforce, warn;
};

static bool read_level(const val *labels, const char *mode, enum level *ret)
{
    char key[64];
    snprintf(key, sizeof(key), LABEL "%s", mode);
    const val *v = val_get(labels, key);
    for (int i = PRIVILEGED; v && i <= RESTRICTED; i++)
        if (str_is(val_str(v), level_names[i])) {
            *ret = (enum level)i;
            return true;
        }
    return !v;
}

static bool read_version(const val *labels, const char *mode, int *ret)
{
    char key[64];
    uint64_t minor;
    snprintf(key, sizeof(key), LABEL "%s-version", mode);
    struct str v = VAL_STR(labels, key);
    if (!v.n || str_is(v, "latest"))
        return true;
    if (!str_starts(v, STR("v1.")) || !str_to_u64(str_from(v, 3), &minor) || minor > 9999)
        return false;
    *ret = minor > NEWEST ? NEWEST + 1 : (int)minor;
    return true;
}

static void read_policy(const val *labels, struct policy *ret)
{
    struct demand none = {PRIVILEGED, NEWEST + 1};
    bool enforced;
    *ret = (struct policy){none, none};
    enforced = read_level(labels, "enforce", &ret->enforce.level);
    if (!enforced)
        ret->enforce.level = RESTRICTED; /* what cannot be read is taken at its strictest */
    read_version(labels, "enforce", &ret->enforce.minor);
    read_level(labels, "warn", &ret->warn.level);
    read_version(labels, "warn", &ret->warn.minor);
    if (enforced && !val_get(labels, LABEL "warn") && ret->enforce.level > ret->warn.level) {
        ret->warn.level = ret->enforce.level;
        if (!val_get(labels, LABEL "warn-version"))
            ret->warn.minor = ret->enforce.minor;
    }
}

static void put_demand(struct demand want, struct buf *b)
{
    if (want.minor > NEWEST)
        buf_printf(b, "%s:latest", level_names[want.level]);
    else
        buf_printf(b, "%s:v1.%d", level_names[want.level], want.minor);
}

static int check_labels(struct call *c, const val *labels, struct err *err)
{
    static const char *const modes[] = {"enforce", "audit", "warn"};
    val *causes = val_new_arr(&c->doc);
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        enum level level;
        int minor;
        char field[96];
        bool good = read_level(labels, modes[i], &level);
        snprintf(field, sizeof(field), LABEL "%s", modes[i]);
        if (!good)
            cause_add(&c->doc, causes, "FieldValueInvalid",
                      arena_printf(&c->arena, "metadata.labels[%s]", field).p,
                      "Invalid value: \"%.*s\": must be one of privileged, baseline, restricted",
                      STR_ARG(VAL_STR(labels, field)));
        good = read_version(labels, modes[i], &minor);
        snprintf(field, sizeof(field), LABEL "%s-version", modes[i]);
        if (!good)
            cause_add(&c->doc, causes, "FieldValueInvalid",
                      arena_printf(&c->arena, "metadata.labels[%s]", field).p,
                      "Invalid value: \"%.*s\": must be \"latest\" or \"v1.x\"",
                      STR_ARG(VAL_STR(labels, field)));
    }
    return val_len(causes) ? fail_invalid(c, c->ctx.name, causes, err) : 0;
}

/* A stricter policy does not end pods; their faults are told. */
static void warn_existing(struct call *c, const val *ns, struct demand want)
{
    struct admission_walk w;
    struct buf demand = {0}, lines = {0};
    struct str name = VAL_STR(ns, "metadata", "name");
    put_demand(want, &demand);
    admission_walk_open(&w, c, "", "pods", name);
    for (const val *pod; (pod = admission_walk_next(&w));) {
        struct buf why = {0};
        if (!evaluate(want, val_get(pod, "metadata"), val_get(pod, "spec"), false, &why))
            buf_printf(&lines, "%.*s: %s\n", STR_ARG(VAL_STR(pod, "metadata", "name")),
                       buf_z(&why));
        buf_done(&why);
    }
    admission_walk_close(&w);
    struct str rest = buf_str(&lines), line;
    if (lines.n)
        call_warn(c,
                  "existing pods in namespace \"%.*s\" violate the new PodSecurity enforce level "
                  "\"%s\"",
                  STR_ARG(name), buf_z(&demand));
    while (str_next(&rest, '\n', &line))
        if (line.n)
            call_warn(c, "%.*s", STR_ARG(line));
    buf_done(&demand);
    buf_done(&lines);
}

static int validate_namespace(struct call *c, const val *obj, const val *old, struct err *err)
{
    const val *labels = VAL_PATH(obj, "metadata", "labels");
    struct policy now, was;
    if (check_labels(c, labels, err))
        return -1;
    if (!old)
        return 0;
    read_policy(labels, &now);
    read_policy(VAL_PATH(old, "metadata", "labels"), &was);
    bool relaxed = now.enforce.minor == was.enforce.minor && now.enforce.level <= was.enforce.level;
    if (now.enforce.level != PRIVILEGED && !relaxed)
        warn_existing(c, obj, now.enforce);
    return 0;
}

/* --- pods and what makes them --- */
static const val *template_of(const struct call *c, const val *obj)
{
    static const struct {
        const char *group, *resource;
    } kinds[] = {{"", "replicationcontrollers"}, {"apps", "deployments"},  {"apps", "replicasets"},
                 {"apps", "daemonsets"},         {"apps", "statefulsets"}, {"batch", "jobs"}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (admission_is(c, kinds[i].group, kinds[i].resource))
            return VAL_PATH(obj, "spec", "template");
    if (admission_is(c, "", "podtemplates"))
        return val_get(obj, "template");
    if (admission_is(c, "batch", "cronjobs"))
        return VAL_PATH(obj, "spec", "jobTemplate", "spec", "template");
    return NULL;
}

/* Whether an update of a pod brings anything to judge: containers or images. */
static bool is_significant(const val *pod, const val *old)
{
    for (size_t i = 0; i < ARRAY_LEN(container_lists); i++) {
        const val *now = VAL_PATH(pod, "spec", container_lists[i]);
        const val *was = VAL_PATH(old, "spec", container_lists[i]);
        if (val_len(now) != val_len(was))
            return true;
        size_t k = 0;
        VAL_FOR (now, container) {
            if (!str_eq(VAL_STR(container, "image"), VAL_STR(val_at(was, k++), "image")))
                return true;
        }
    }
    return false;
}

static int judge(struct call *c, const val *obj, const val *template, bool enforce,
                 const struct policy *p, struct err *err)
{
    struct buf why = {0}, demand = {0};
    const val *meta = val_get(template, "metadata"), *spec = val_get(template, "spec");
    int rc = 0;
    if (enforce && !evaluate(p->enforce, meta, spec, true, &why)) {
        put_demand(p->enforce, &demand);
        rc = admission_forbid(c, obj, err, "violates PodSecurity \"%s\": %s", buf_z(&demand),
                              buf_z(&why));
    } else if (!evaluate(p->warn, meta, spec, true, &why)) {
        put_demand(p->warn, &demand);
        call_warn(c, "would violate PodSecurity \"%s\": %s", buf_z(&demand), buf_z(&why));
    }
    buf_done(&why);
    buf_done(&demand);
    return rc;
}

int security_validate(struct call *c, const val *obj, const val *old, struct err *err)
{
    struct str sub = c->route.subresource;
    bool pod = admission_is(c, "", "pods");
    if (admission_is(c, "", "namespaces") && !sub.n)
        return validate_namespace(c, obj, old, err);
    const val *template = pod ? obj : template_of(c, obj);
    if (!template || (sub.n && !(pod && str_is(sub, "ephemeralcontainers"))) ||
        (pod && old && !is_significant(obj, old)))
        return 0;
    const val *ns = strategy_lookup(&c->ctx, "", "namespaces", (struct str){0}, c->route.ns);
    struct policy p;
    read_policy(VAL_PATH(ns, "metadata", "labels"), &p);
    if (p.enforce.level == PRIVILEGED && p.warn.level == PRIVILEGED)
        return 0;
    return judge(c, obj, template, pod, &p, err);
}
