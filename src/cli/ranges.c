#include "cli/ranges.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "doc/val.h"

enum { PAIRS = 12, MAX_CONFIG = 65536 };

static const char registry[] = "/run/tutti/ranges";

/* A line of /proc/net/route: interface, destination, gateway, flags, …, mask (column 7), all hex in
 * network order. */
static bool has_route(uint32_t address)
{
    FILE *routes = fopen("/proc/net/route", "re");
    if (!routes)
        return false;
    char line[512];
    bool found = false;
    while (!found && fgets(line, sizeof(line), routes)) {
        unsigned destination, mask;
        if (sscanf(line, "%*s %x %*x %*x %*d %*d %*d %x", &destination, &mask) == 2 && mask)
            found = (address & mask) == (destination & mask) ||
                    (destination & htonl(0xFFFF0000)) == address;
    }
    fclose(routes);
    return found;
}

static bool config_path(const char *data_dir, struct buf *path)
{
    buf_printf(path, "%s/cluster.json", data_dir);
    return access(path->p, R_OK) == 0;
}

/* Does the one that registered the pair still exist? */
static bool is_held(const char *entry)
{
    struct buf holder = {0}, path = {0};
    struct err err;
    bool held =
        file_read(entry, 4096, &holder, &err) == 0 && holder.n && config_path(holder.p, &path);
    buf_done(&holder);
    buf_done(&path);
    return held;
}

/* Without the right to write in /run there is no registry; then the routes alone tell. */
static bool claim(int i, const char *data_dir)
{
    struct err err;
    char entry[64];
    snprintf(entry, sizeof(entry), "%s/%d", registry, i);
    if (file_mkdirs(registry, 0755, &err))
        return true;
    for (int tries = 0; tries < 2; tries++) {
        CLEANUP(fd_closep) int fd = open(entry, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd >= 0) {
            size_t n = strlen(data_dir);
            return write(fd, data_dir, n) == (ssize_t)n;
        }
        if (errno != EEXIST)
            return true;
        if (is_held(entry))
            return false;
        unlink(entry);
    }
    return false;
}

static int choose(const char *data_dir, struct ranges *ret, struct err *err)
{
    for (int i = 0; i < PAIRS; i++) {
        uint32_t pods = htonl(10u << 24 | (uint32_t)(244 + i) << 16),
                 services = htonl(10u << 24 | (uint32_t)(96 + i) << 16);
        if (has_route(pods) || has_route(services) || !claim(i, data_dir))
            continue;
        snprintf(ret->service_cidr, sizeof(ret->service_cidr), "10.%d.0.0/16", 96 + i);
        snprintf(ret->pod_cidr, sizeof(ret->pod_cidr), "10.%d.0.0/16", 244 + i);
        return 0;
    }
    return err_internal(
        err, "no free address range for pods and services; give --pod-cidr and --service-cidr");
}

static int nth(const char *cidr, unsigned n, char *ret, size_t size, struct err *err)
{
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", cidr);
    char *slash = strchr(copy, '/');
    struct in_addr address;
    int64_t bits;
    if (slash)
        *slash = '\0';
    if (!slash || inet_pton(AF_INET, copy, &address) != 1 ||
        !str_to_i64(str_of(slash + 1), &bits) || bits < 8 || bits > 28)
        return err_internal(err, "\"%s\" is not an IPv4 range between /8 and /28", cidr);
    uint32_t mask = ~0u << (32 - bits);
    address.s_addr = htonl((ntohl(address.s_addr) & mask) + n);
    inet_ntop(AF_INET, &address, ret, (socklen_t)size);
    return 0;
}

static int read_config(const char *path, struct ranges *ret, struct err *err)
{
    struct buf text = {0};
    struct doc d;
    doc_init(&d);
    val *config;
    int failed =
        file_read(path, MAX_CONFIG, &text, err) || doc_parse_json(&d, buf_str(&text), &config, err);
    if (failed)
        err_prefix(err, "%s", path);
    else {
        snprintf(ret->service_cidr, sizeof(ret->service_cidr), "%.*s",
                 STR_ARG(VAL_STR(config, "serviceCIDR")));
        snprintf(ret->pod_cidr, sizeof(ret->pod_cidr), "%.*s", STR_ARG(VAL_STR(config, "podCIDR")));
    }
    doc_done(&d);
    buf_done(&text);
    return failed ? -1 : 0;
}

static int write_config(const char *path, const struct ranges *r, struct err *err)
{
    struct buf text = {0};
    buf_printf(&text, "{\"podCIDR\":\"%s\",\"serviceCIDR\":\"%s\"}\n", r->pod_cidr,
               r->service_cidr);
    int failed = file_write(path, buf_str(&text), 0600, err);
    buf_done(&text);
    return failed;
}

static int derive(struct ranges *r, struct err *err)
{
    return nth(r->service_cidr, 1, r->service_ip, sizeof(r->service_ip), err) ||
                   nth(r->service_cidr, 10, r->dns_ip, sizeof(r->dns_ip), err) ||
                   nth(r->pod_cidr, 1, r->gateway_ip, sizeof(r->gateway_ip), err)
               ? -1
               : 0;
}

static int check_wish(const char *what, const char *wish, const char *have, struct err *err)
{
    if (*wish && strcmp(wish, have))
        return err_internal(err, "the %s range of this data directory is %s and cannot become %s",
                            what, have, wish);
    return 0;
}

int ranges_ensure(const char *data_dir, const char *service_wish, const char *pod_wish,
                  struct ranges *ret, struct err *err)
{
    *ret = (struct ranges){0};
    struct buf path = {0};
    bool known = config_path(data_dir, &path);
    CLEANUP(mem_freep) char *z = buf_take(&path);
    if (known)
        return read_config(z, ret, err) ||
                       check_wish("service", service_wish, ret->service_cidr, err) ||
                       check_wish("pod", pod_wish, ret->pod_cidr, err) || derive(ret, err)
                   ? -1
                   : 0;
    if ((!*service_wish || !*pod_wish) && choose(data_dir, ret, err))
        return -1;
    if (*service_wish)
        snprintf(ret->service_cidr, sizeof(ret->service_cidr), "%s", service_wish);
    if (*pod_wish)
        snprintf(ret->pod_cidr, sizeof(ret->pod_cidr), "%s", pod_wish);
    return derive(ret, err) || write_config(z, ret, err) ? -1 : 0;
}

void ranges_release(const char *data_dir)
{
    for (int i = 0; i < PAIRS; i++) {
        char entry[64];
        snprintf(entry, sizeof(entry), "%s/%d", registry, i);
        struct buf holder = {0};
        struct err err;
        if (file_read(entry, 4096, &holder, &err) == 0 && str_is(buf_str(&holder), data_dir))
            unlink(entry);
        buf_done(&holder);
    }
}
