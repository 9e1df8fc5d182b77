#include "node/net_ipam.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"

struct net_ipam {
    pthread_mutex_t lock;
    char *dir;
    char gateway[INET_ADDRSTRLEN];
    unsigned prefix;
    uint32_t first, last; /* host order: what pods may get */
    uint32_t next;
    struct map by_uid; /* uid -> the address as a pointer-sized number */
    struct map by_ip;  /* address text -> uid's copy */
};

static void ip_text(uint32_t ip, char ret[INET_ADDRSTRLEN])
{
    struct in_addr a = {htonl(ip)};
    inet_ntop(AF_INET, &a, ret, INET_ADDRSTRLEN);
}

static void remember(struct net_ipam *p, uint32_t ip, struct str uid)
{
    char text[INET_ADDRSTRLEN];
    ip_text(ip, text);
    map_set(&p->by_uid, uid, (void *)(uintptr_t)ip);
    free(map_set(&p->by_ip, str_of(text), mem_strndup(uid.p, uid.n)));
}

static int load(struct net_ipam *p, struct err *err)
{
    DIR *dir = opendir(p->dir);
    if (!dir)
        return err_errno(err, "open %s", p->dir);
    for (struct dirent *e; (e = readdir(dir));) {
        struct in_addr a;
        if (inet_pton(AF_INET, e->d_name, &a) != 1)
            continue;
        struct buf path = {0}, uid = {0};
        buf_printf(&path, "%s/%s", p->dir, e->d_name);
        if (file_read(path.p, 256, &uid, NULL) == 0 && uid.n)
            remember(p, ntohl(a.s_addr), buf_str(&uid));
        else
            unlink(path.p); /* cut off while it was made: nobody was told the address */
        buf_done(&path);
        buf_done(&uid);
    }
    closedir(dir);
    return 0;
}

static int parse_range(struct net_ipam *p, const char *cidr, struct err *err)
{
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", cidr);
    char *slash = strchr(copy, '/');
    struct in_addr a;
    uint64_t bits;
    if (slash)
        *slash = '\0';
    if (!slash || inet_pton(AF_INET, copy, &a) != 1 || !str_to_u64(str_of(slash + 1), &bits) ||
        bits < 8 || bits > 30)
        return err_internal(err, "pod range \"%s\" is not an IPv4 range between /8 and /30", cidr);
    uint32_t mask = ~0u << (32 - bits), base = ntohl(a.s_addr) & mask;
    p->prefix = (unsigned)bits;
    p->first = p->next = base + 2;
    p->last = (base | ~mask) - 1;
    ip_text(base + 1, p->gateway);
    return 0;
}

int net_ipam_new(const char *dir, const char *cidr, struct net_ipam **ret, struct err *err)
{
    struct net_ipam *p = NEW(struct net_ipam);
    pthread_mutex_init(&p->lock, NULL);
    p->dir = mem_strdup(dir);
    if (parse_range(p, cidr, err) || file_mkdirs(dir, 0700, err) || load(p, err)) {
        net_ipam_free(p);
        return -1;
    }
    *ret = p;
    return 0;
}

void net_ipam_free(struct net_ipam *p)
{
    if (!p)
        return;
    for (struct map_entry *e = NULL; (e = map_next(&p->by_ip, e));)
        free(e->value);
    map_done(&p->by_ip);
    map_done(&p->by_uid);
    pthread_mutex_destroy(&p->lock);
    free(p->dir);
    free(p);
}

const char *net_ipam_gateway(const struct net_ipam *p)
{
    return p->gateway;
}

unsigned net_ipam_prefix(const struct net_ipam *p)
{
    return p->prefix;
}

static int write_lease(const struct net_ipam *p, const char *ip, const char *uid, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", p->dir, ip);
    CLEANUP(fd_closep) int fd = open(path.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t n = strlen(uid);
    int failed = fd < 0 || write(fd, uid, n) != (ssize_t)n ? err_errno(err, "write %s", path.p) : 0;
    buf_done(&path);
    return failed;
}

static int take_locked(struct net_ipam *p, const char *uid, char *ret, struct err *err)
{
    uint32_t known = (uint32_t)(uintptr_t)map_get(&p->by_uid, str_of(uid));
    if (known) {
        ip_text(known, ret);
        return 0;
    }
    for (uint32_t tries = p->last - p->first + 1; tries; tries--) {
        uint32_t ip = p->next;
        p->next = ip == p->last ? p->first : ip + 1;
        ip_text(ip, ret);
        if (map_get(&p->by_ip, str_of(ret)))
            continue;
        if (write_lease(p, ret, uid, err))
            return -1;
        remember(p, ip, str_of(uid));
        return 0;
    }
    return err_internal(err, "no IP addresses available in range of this node");
}

int net_ipam_take(struct net_ipam *p, const char *uid, char *ret, struct err *err)
{
    pthread_mutex_lock(&p->lock);
    int failed = take_locked(p, uid, ret, err);
    pthread_mutex_unlock(&p->lock);
    return failed;
}

void net_ipam_give_back(struct net_ipam *p, const char *uid)
{
    pthread_mutex_lock(&p->lock);
    uint32_t ip = (uint32_t)(uintptr_t)map_del(&p->by_uid, str_of(uid));
    if (ip) {
        char text[INET_ADDRSTRLEN];
        ip_text(ip, text);
        free(map_del(&p->by_ip, str_of(text)));
        struct buf path = {0};
        buf_printf(&path, "%s/%s", p->dir, text);
        unlink(path.p);
        buf_done(&path);
    }
    pthread_mutex_unlock(&p->lock);
}
