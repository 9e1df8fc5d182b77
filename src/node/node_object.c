#include "node/node_object.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "doc/time.h"
#include "node/image.h"

enum { MAX_PODS = 110, MAX_IMAGES = 50, LEASE_SECONDS = 40, LOW_MEMORY = 100 << 20 };

#if defined(__x86_64__)
#define ARCH "amd64"
#else
#define ARCH "arm64"
#endif

/* The address that a packet to elsewhere would have; no packet is sent. */
char *node_find_ip(void)
{
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(53)}, near;
    socklen_t n = sizeof(near);
    char text[INET_ADDRSTRLEN] = "";
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&far, sizeof(far)) == 0 &&
        getsockname(fd, (struct sockaddr *)&near, &n) == 0)
        inet_ntop(AF_INET, &near.sin_addr, text, sizeof(text));
    struct ifaddrs *all = NULL;
    if (!*text && getifaddrs(&all) == 0)
        for (struct ifaddrs *i = all; i && !*text; i = i->ifa_next)
            if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !(i->ifa_flags & IFF_LOOPBACK))
                inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, text,
                          sizeof(text));
    if (all)
        freeifaddrs(all);
    return mem_strdup(*text ? text : "127.0.0.1");
}

void node_measure(struct agent *a)
{
    struct sysinfo info;
    a->milli_cpu = sysconf(_SC_NPROCESSORS_ONLN) * 1000;
    a->memory = sysinfo(&info) == 0 ? (int64_t)info.totalram * info.mem_unit : 0;
}

/* --- status --- */

static void set_now(struct doc *d, val *o, const char *key)
{
    char text[TIME_TEXT];
    time_write(wall_ns(world_real()), text);
    val_set_z(d, o, key, text);
}

static void add_resources(struct agent *a, struct doc *d, val *status)
{
    static const char *const lists[] = {"capacity", "allocatable"};
    struct statvfs fs;
    int64_t disk = statvfs(a->data_dir, &fs) == 0 ? (int64_t)(fs.f_blocks * fs.f_frsize) : 0;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        val *list = val_ensure_obj(d, status, lists[i]);
        val_set(d, list, "cpu", val_new_strf(d, "%lld", (long long)a->milli_cpu / 1000));
        int64_t memory = i ? a->memory - LOW_MEMORY : a->memory;
        val_set(d, list, "memory", val_new_strf(d, "%lldKi", (long long)memory / 1024));
        val_set(d, list, "ephemeral-storage",
                i ? val_new_strf(d, "%lld", (long long)(disk / 10 * 9))
                  : val_new_strf(d, "%lldKi", (long long)disk / 1024));
        val_set(d, list, "pods", val_new_strf(d, "%d", MAX_PODS));
        val_set_z(d, list, "hugepages-1Gi", "0");
        val_set_z(d, list, "hugepages-2Mi", "0");
    }
}

static void add_condition(struct doc *d, val *list, const val *old_list, const char *type, bool on,
                          const char *reason, const char *message)
{
    val *c = val_new_obj(d);
    const val *old = NULL;
    VAL_FOR (old_list, o)
        if (str_is(VAL_STR(o, "type"), type))
            old = o;
    val_set_z(d, c, "type", type);
    val_set_z(d, c, "status", on ? "True" : "False");
    set_now(d, c, "lastHeartbeatTime");
    if (old && str_is(VAL_STR(old, "status"), on ? "True" : "False"))
        val_set_s(d, c, "lastTransitionTime", VAL_STR(old, "lastTransitionTime"));
    else
        set_now(d, c, "lastTransitionTime");
    val_set_z(d, c, "reason", reason);
    val_set_z(d, c, "message", message);
    val_push(list, c);
}

static void add_conditions(struct agent *a, struct doc *d, val *status, const val *old)
{
    val *list = val_set(d, status, "conditions", val_new_arr(d));
    const char *why = podnet_not_ready(a->net);
    add_condition(d, list, old, "MemoryPressure", false, "KubeletHasSufficientMemory",
                  "kubelet has sufficient memory available");
    add_condition(d, list, old, "DiskPressure", false, "KubeletHasNoDiskPressure",
                  "kubelet has no disk pressure");
    add_condition(d, list, old, "PIDPressure", false, "KubeletHasSufficientPID",
                  "kubelet has sufficient PID available");
    if (why) {
        char message[300];
        snprintf(message, sizeof(message),
                 "container runtime network not ready: NetworkReady=false "
                 "reason:NetworkPluginNotReady message:Network plugin returns error: %s",
                 why);
        add_condition(d, list, old, "Ready", false, "KubeletNotReady", message);
    } else {
        add_condition(d, list, old, "Ready", true, "KubeletReady",
                      "kubelet is posting ready status");
    }
}

static void add_file(struct doc *d, val *info, const char *key, const char *path)
{
    struct buf b = {0};
    file_read(path, 4096, &b, NULL);
    val_set_s(d, info, key, str_trim(buf_str(&b)));
    buf_done(&b);
}

static struct str os_name(struct buf *b)
{
    struct str rest, line, key, value;
    file_read("/etc/os-release", 65536, b, NULL);
    rest = buf_str(b);
    while (str_next(&rest, '\n', &line))
        if (str_cut(line, '=', &key, &value) && str_is(key, "PRETTY_NAME") && value.n > 2)
            return str_head(str_from(value, 1), value.n - 2);
    return STR("Linux");
}

static void add_info(struct agent *a, struct doc *d, val *status)
{
    val *info = val_ensure_obj(d, status, "nodeInfo");
    struct utsname u;
    struct buf b = {0};
    const char *const argv[] = {a->runtime.crun, "--version", NULL};
    add_file(d, info, "machineID", "/etc/machine-id");
    add_file(d, info, "bootID", "/proc/sys/kernel/random/boot_id");
    val_set_s(d, info, "systemUUID", VAL_STR(info, "machineID"));
    uname(&u);
    val_set_z(d, info, "kernelVersion", u.release);
    val_set_s(d, info, "osImage", os_name(&b));
    buf_clear(&b);
    runtime_program(argv, &b);
    struct str version = buf_str(&b);
    version = str_starts(version, STR("crun version ")) ? str_from(version, 13) : version;
    struct str rest = version;
    str_next(&rest, '\n', &version);
    val_set(d, info, "containerRuntimeVersion", val_new_strf(d, "crun://%.*s", STR_ARG(version)));
    val_set_z(d, info, "kubeletVersion", "v1.34.4");
    val_set_z(d, info, "kubeProxyVersion", "");
    val_set_z(d, info, "operatingSystem", "linux");
    val_set_z(d, info, "architecture", ARCH);
    buf_done(&b);
}

struct image_list {
    struct doc *d;
    val *list;
};

static void add_image(void *arg, struct str name, struct str id, int64_t size)
{
    struct image_list *l = arg;
    if (val_len(l->list) >= MAX_IMAGES)
        return;
    val *image = val_new_obj(l->d), *names = val_ensure_arr(l->d, image, "names");
    if (str_find_char(id, '@') >= 0)
        val_push(names, val_new_str(l->d, id));
    val_push(names, val_new_str(l->d, name));
    val_set_int(l->d, image, "sizeBytes", size);
    val_push(l->list, image);
}

static void add_address(struct doc *d, val *list, const char *type, const char *address)
{
    val *a = val_new_obj(d);
    val_set_z(d, a, "type", type);
    val_set_z(d, a, "address", address);
    val_push(list, a);
}

static val *node_status(struct agent *a, struct doc *d, const val *old)
{
    val *status = val_new_obj(d), *addresses = val_set(d, status, "addresses", val_new_arr(d));
    add_resources(a, d, status);
    add_conditions(a, d, status, val_get(old, "conditions"));
    add_address(d, addresses, "InternalIP", a->node_ip);
    add_address(d, addresses, "Hostname", a->node_name);
    if (a->streams)
        val_set_int(
            d, val_ensure_obj(d, val_ensure_obj(d, status, "daemonEndpoints"), "kubeletEndpoint"),
            "Port", streams_port(a->streams));
    add_info(a, d, status);
    struct image_list images = {d, val_set(d, status, "images", val_new_arr(d))};
    image_each(a->data_dir, add_image, &images);
    return status;
}

/* --- the object --- */

static void set_labels(struct agent *a, struct doc *d, val *meta)
{
    val *labels = val_ensure_obj(d, meta, "labels");
    val_set_z(d, labels, "kubernetes.io/hostname", a->node_name);
    val_set_z(d, labels, "kubernetes.io/os", "linux");
    val_set_z(d, labels, "kubernetes.io/arch", ARCH);
    val_set_z(d, labels, "beta.kubernetes.io/os", "linux");
    val_set_z(d, labels, "beta.kubernetes.io/arch", ARCH);
}

int node_register(struct agent *a, struct err *err)
{
    struct doc d = {0};
    val *node, *now = NULL;
    struct err got = {0};
    if (client_get(a->client, &RES_NODES, NULL, a->node_name, &d, &now, &got) && got.code != 404) {
        doc_done(&d);
        *err = got;
        return -1;
    }
    node = val_new_obj(&d);
    val *meta = val_ensure_obj(&d, node, "metadata");
    val_set_z(&d, meta, "name", a->node_name);
    set_labels(a, &d, meta);
    int failed = 0;
    if (now) {
        failed = client_patch(a->client, &RES_NODES, NULL, a->node_name, NULL, CLIENT_PATCH_MERGE,
                              node, &d, NULL, err);
    } else {
        val_set_z(&d, node, "apiVersion", "v1");
        val_set_z(&d, node, "kind", "Node");
        val_ensure_obj(&d, node, "spec");
        val_set(&d, node, "status", node_status(a, &d, NULL));
        failed = client_create(a->client, &RES_NODES, NULL, node, &d, NULL, err);
    }
    doc_done(&d);
    if (failed)
        return -1;
    /* A node that was ready is not called unready only because its agent has just started again. */
    return now && podnet_not_ready(a->net) ? 0 : node_report(a, err);
}

int node_report(struct agent *a, struct err *err)
{
    struct doc d = {0};
    val *node, *patch = val_new_obj(&d);
    int failed = client_get(a->client, &RES_NODES, NULL, a->node_name, &d, &node, err);
    if (!failed) {
        val_set(&d, patch, "status", node_status(a, &d, val_get(node, "status")));
        failed = client_patch(a->client, &RES_NODES, NULL, a->node_name, "status",
                              CLIENT_PATCH_STRATEGIC, patch, &d, NULL, err);
    }
    doc_done(&d);
    return failed;
}

int node_renew_lease(struct agent *a, struct err *err)
{
    struct doc d = {0};
    char now[TIME_TEXT];
    val *lease = val_new_obj(&d), *spec = val_ensure_obj(&d, lease, "spec");
    struct err got = {0};
    time_write_micro(wall_ns(world_real()), now);
    val_set_z(&d, spec, "holderIdentity", a->node_name);
    val_set_int(&d, spec, "leaseDurationSeconds", LEASE_SECONDS);
    val_set_z(&d, spec, "renewTime", now);
    int failed = client_patch(a->client, &RES_LEASES, "kube-node-lease", a->node_name, NULL,
                              CLIENT_PATCH_MERGE, lease, &d, NULL, &got);
    if (failed && got.code == 404) {
        val_set_z(&d, lease, "apiVersion", "coordination.k8s.io/v1");
        val_set_z(&d, lease, "kind", "Lease");
        val *meta = val_ensure_obj(&d, lease, "metadata");
        val_set_z(&d, meta, "name", a->node_name);
        val_set_z(&d, meta, "namespace", "kube-node-lease");
        failed = client_create(a->client, &RES_LEASES, "kube-node-lease", lease, &d, NULL, &got);
    }
    if (failed)
        *err = got;
    doc_done(&d);
    return failed;
}
