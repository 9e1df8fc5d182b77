/* What a pod needs before its first container: folders, volumes, namespaces, an address. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "node/container.h"
#include "node/downward.h"

enum { MAX_SYSCTLS = 32, MAX_PORTS = 64, HOST_NAME = 64, SHM_MIB = 64 };
#define DOMAIN "cluster.local"

char *pod_path(const struct pod *p, const char *below)
{
    struct buf b = {0};
    buf_printf(&b, "%s/%s", p->dir, below);
    return buf_take(&b);
}

void pod_downward(const struct pod *p, struct downward *ret)
{
    *ret = (struct downward){.pod = p->object,
                             .host_ip = p->agent->node_ip,
                             .pod_ip_count = p->addrs.count,
                             .node_milli_cpu = p->agent->milli_cpu,
                             .node_memory = p->agent->memory};
    for (size_t i = 0; i < p->addrs.count; i++)
        ret->pod_ips[i] = p->addrs.ip[i];
}

/* spec.hostname, or the name cut to what a host name may be; on the host's network the host's. */
static void host_name(const struct pod *p, char ret[HOST_NAME])
{
    struct str name = VAL_STR(p->spec, "hostnameOverride");
    if (VAL_BOOL(p->spec, "hostNetwork") && !name.n) {
        gethostname(ret, HOST_NAME);
        ret[HOST_NAME - 1] = '\0';
        return;
    }
    if (!name.n)
        name = VAL_STR(p->spec, "hostname");
    if (!name.n)
        name = str_of(p->name);
    name = str_head(name, HOST_NAME - 1);
    while (name.n && (name.p[name.n - 1] == '-' || name.p[name.n - 1] == '.'))
        name.n--;
    snprintf(ret, HOST_NAME, "%.*s", STR_ARG(name));
}

/* --- namespaces --- */

static bool is_mount(const char *path)
{
    struct stat st, above;
    CLEANUP(mem_freep) char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    return stat(path, &st) == 0 && stat(folder, &above) == 0 && st.st_dev != above.st_dev;
}

static int make_namespaces(struct pod *p, struct err *err)
{
    bool net = !VAL_BOOL(p->spec, "hostNetwork"), ipc = !VAL_BOOL(p->spec, "hostIPC");
    char name[HOST_NAME] = "", share[3] = "";
    struct arena a = {0};
    struct buf out = {0};
    CLEANUP(mem_freep) char *dir = pod_path(p, "ns");
    CLEANUP(mem_freep) char *uts = pod_path(p, "ns/uts");
    CLEANUP(mem_freep) char *ipc_path = pod_path(p, "ns/ipc");
    if (net)
        host_name(p, name);
    if (is_mount(net ? uts : ipc_path))
        return 0;
    snprintf(share, sizeof(share), "%s%s", net ? "n" : "", ipc ? "i" : "");
    const char *argv[6 + MAX_SYSCTLS] = {p->agent->runtime.shim, "pin", dir, name, share};
    size_t n = 5;
    VAL_FOR (VAL_PATH(p->spec, "securityContext", "sysctls"), s)
        if (n < 5 + MAX_SYSCTLS)
            argv[n++] = arena_printf(&a, "%.*s=%.*s", STR_ARG(VAL_STR(s, "name")),
                                     STR_ARG(VAL_STR(s, "value")))
                            .p;
    if (mkdir(dir, 0700) && errno != EEXIST) {
        arena_done(&a);
        return err_errno(err, "mkdir %s", dir);
    }
    int code = net || ipc ? runtime_program(argv, &out) : 0;
    arena_done(&a);
    if (code)
        err_internal(err, "namespaces: %.*s", STR_ARG(str_trim(buf_str(&out))));
    buf_done(&out);
    return code ? -1 : 0;
}

/* Containers of a pod share /dev/shm, as they share the ipc namespace. */
static int make_shm(struct pod *p, struct err *err)
{
    char options[64];
    CLEANUP(mem_freep) char *path = pod_path(p, "shm");
    if (VAL_BOOL(p->spec, "hostIPC") || is_mount(path))
        return 0;
    snprintf(options, sizeof(options), "mode=1777,size=%dm", SHM_MIB);
    if ((mkdir(path, 0711) && errno != EEXIST) ||
        mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options))
        return err_errno(err, "mount %s", path);
    return 0;
}

static int attach(struct pod *p, struct err *err)
{
    struct podnet_port ports[MAX_PORTS];
    size_t n = 0;
    CLEANUP(mem_freep) char *netns = pod_path(p, "ns/net");
    struct arena a = {0};
    if (VAL_BOOL(p->spec, "hostNetwork")) {
        p->addrs.count = 1;
        snprintf(p->addrs.ip[0], PODNET_ADDR, "%s", p->agent->node_ip);
        return 0;
    }
    VAL_FOR (val_get(p->spec, "containers"), c)
        VAL_FOR (val_get(c, "ports"), port)
            if (VAL_INT(port, "hostPort") > 0 && n < MAX_PORTS)
                ports[n++] = (struct podnet_port){
                    VAL_STR(port, "protocol").n ? arena_z(&a, VAL_STR(port, "protocol")) : "TCP",
                    arena_z(&a, VAL_STR(port, "hostIP")), (uint16_t)VAL_INT(port, "hostPort"),
                    (uint16_t)VAL_INT(port, "containerPort")};
    int failed = podnet_attach(p->agent->net, p->uid, netns, ports, n, &p->addrs, err);
    arena_done(&a);
    return failed;
}

/* --- files --- */

static int write_in(struct pod *p, const char *name, struct buf *text, struct err *err)
{
    CLEANUP(mem_freep) char *path = pod_path(p, name);
    int failed = runtime_write_file(path, buf_str(text), 0644, err);
    buf_done(text);
    return failed;
}

static int write_hosts(struct pod *p, const char *name, struct err *err)
{
    struct buf b = {0};
    if (VAL_BOOL(p->spec, "hostNetwork")) {
        buf_puts(&b, "# Kubernetes-managed hosts file (host network).\n");
        file_read("/etc/hosts", 1 << 20, &b, NULL);
    } else {
        buf_puts(&b, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"
                     "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
                     "fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
        struct str sub = VAL_STR(p->spec, "subdomain");
        for (size_t i = 0; i < p->addrs.count; i++) {
            buf_printf(&b, "%s\t", p->addrs.ip[i]);
            if (sub.n)
                buf_printf(&b, "%s.%.*s.%s.svc." DOMAIN "\t", name, STR_ARG(sub), p->ns);
            buf_printf(&b, "%s\n", name);
        }
    }
    if (val_len(val_get(p->spec, "hostAliases")))
        buf_puts(&b, "\n# Entries added by HostAliases.\n");
    VAL_FOR (val_get(p->spec, "hostAliases"), alias) {
        buf_put(&b, VAL_STR(alias, "ip"));
        VAL_FOR (val_get(alias, "hostnames"), h)
            buf_printf(&b, "\t%.*s", STR_ARG(val_str(h)));
        buf_putc(&b, '\n');
    }
    return write_in(p, "hosts", &b, err);
}

struct resolv {
    struct buf servers, search, options;
};

static void add_words(struct buf *b, const char *word)
{
    buf_printf(b, "%s%s", b->n ? " " : "", word);
}

static void add_host_resolv(struct resolv *r)
{
    struct buf text = {0};
    struct str rest, line, key, value;
    struct arena a = {0};
    file_read("/etc/resolv.conf", 1 << 20, &text, NULL);
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line)) {
        str_cut(str_trim(line), ' ', &key, &value);
        value = str_trim(value);
        if (str_is(key, "nameserver"))
            buf_printf(&r->servers, "nameserver %.*s\n", STR_ARG(value));
        else if (str_is(key, "search"))
            add_words(&r->search, arena_z(&a, value));
        else if (str_is(key, "options"))
            add_words(&r->options, arena_z(&a, value));
    }
    arena_done(&a);
    buf_done(&text);
}

static void add_dns_config(const struct pod *p, struct resolv *r)
{
    const val *config = val_get(p->spec, "dnsConfig");
    struct arena a = {0};
    VAL_FOR (val_get(config, "nameservers"), s)
        buf_printf(&r->servers, "nameserver %.*s\n", STR_ARG(val_str(s)));
    VAL_FOR (val_get(config, "searches"), s)
        add_words(&r->search, arena_z(&a, val_str(s)));
    VAL_FOR (val_get(config, "options"), o) {
        struct str name = VAL_STR(o, "name"), value = VAL_STR(o, "value");
        add_words(
            &r->options,
            arena_printf(&a, "%.*s%s%.*s", STR_ARG(name), value.n ? ":" : "", STR_ARG(value)).p);
    }
    arena_done(&a);
}

static int write_resolv(struct pod *p, struct err *err)
{
    struct resolv r = {0};
    char dns[PODNET_ADDR];
    struct buf b = {0};
    struct str policy = VAL_STR(p->spec, "dnsPolicy");
    bool cluster = !policy.n || str_is(policy, "ClusterFirstWithHostNet") ||
                   (str_is(policy, "ClusterFirst") && !VAL_BOOL(p->spec, "hostNetwork"));
    if (cluster && podnet_dns(p->agent->net, dns)) {
        buf_printf(&r.servers, "nameserver %s\n", dns);
        buf_printf(&r.search, "%s.svc." DOMAIN " svc." DOMAIN " " DOMAIN, p->ns);
        add_words(&r.options, "ndots:5");
        struct resolv host = {0};
        add_host_resolv(&host);
        if (host.search.n)
            add_words(&r.search, host.search.p);
        buf_done(&host.servers);
        buf_done(&host.search);
        buf_done(&host.options);
    } else if (!str_is(policy, "None")) {
        add_host_resolv(&r);
    }
    add_dns_config(p, &r);
    if (r.search.n)
        buf_printf(&b, "search %s\n", r.search.p);
    buf_put(&b, buf_str(&r.servers));
    if (r.options.n)
        buf_printf(&b, "options %s\n", r.options.p);
    buf_done(&r.servers);
    buf_done(&r.search);
    buf_done(&r.options);
    return write_in(p, "resolv.conf", &b, err);
}

/* --- the process that holds a shared pid namespace --- */

static int start_pause(struct pod *p, struct err *err)
{
    CLEANUP(mem_freep) char *path = pod_path(p, "ns/pid");
    if (!VAL_BOOL(p->spec, "shareProcessNamespace") || is_mount(path))
        return 0;
    const char *const argv[] = {p->agent->runtime.shim, "hold", path, NULL};
    struct buf out = {0};
    int code = runtime_program(argv, &out);
    if (code)
        err_internal(err, "pid namespace: %.*s", STR_ARG(str_trim(buf_str(&out))));
    buf_done(&out);
    return code ? -1 : 0;
}

int pod_prepare(struct pod *p, struct err *err)
{
    char name[HOST_NAME];
    struct buf host = {0};
    if (p->prepared)
        return 0;
    if (file_mkdirs(p->dir, 0711, err))
        return -1;
    if (volumes_setup(p, err))
        return -1; /* it says itself why */
    host_name(p, name);
    if (make_namespaces(p, err) || make_shm(p, err) || attach(p, err) || start_pause(p, err)) {
        pod_event(p, NULL, true, "FailedCreatePodSandBox", "Failed to create pod sandbox: %s",
                  err->message);
        return -1;
    }
    buf_printf(&host, "%s\n", name);
    if (write_in(p, "hostname", &host, err) || write_hosts(p, name, err) || write_resolv(p, err))
        return -1;
    p->prepared = true;
    return 0;
}

void pod_release(struct pod *p)
{
    static const char *const mounts[] = {"ns/net", "ns/ipc", "ns/uts", "ns/pid", "shm"};
    if (p->released)
        return;
    CLEANUP(mem_freep) char *pid = pod_path(p, "ns/pid.holder");
    struct buf text = {0};
    int64_t holder;
    if (file_read(pid, 32, &text, NULL) == 0 && str_to_i64(str_trim(buf_str(&text)), &holder))
        runtime_end_holder((pid_t)holder);
    buf_done(&text);
    podnet_detach(p->agent->net, p->uid);
    for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
        CLEANUP(mem_freep) char *path = pod_path(p, mounts[i]);
        umount2(path, MNT_DETACH);
    }
    p->released = true;
}
