#include "node/net_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"

enum { MESSAGE = 8192 };

struct net_link {
    struct mnl_socket *socket;
    unsigned seq;
    char text[MESSAGE];
};

static int open_socket(void *arg, struct err *err)
{
    struct net_link *l = arg;
    l->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!l->socket || mnl_socket_bind(l->socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return err_errno(err, "open a netlink socket");
    return 0;
}

/* Calls fn inside the namespace; the thread is back in its own before anything else happens. */
static int run_in(const char *netns_path, int (*fn)(void *arg, struct err *err), void *arg,
                  struct err *err)
{
    if (!netns_path)
        return fn(arg, err);
    CLEANUP(fd_closep) int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    CLEANUP(fd_closep) int other = open(netns_path, O_RDONLY | O_CLOEXEC);
    if (own < 0 || other < 0)
        return err_errno(err, "open network namespace %s", netns_path);
    if (setns(other, CLONE_NEWNET))
        return err_errno(err, "enter network namespace %s", netns_path);
    int failed = fn(arg, err);
    if (setns(own, CLONE_NEWNET))
        abort(); /* a thread that stays in a pod's network would do its work there */
    return failed;
}

int net_link_open(const char *netns_path, struct net_link **ret, struct err *err)
{
    struct net_link *l = NEW(struct net_link);
    l->seq = (unsigned)time(NULL);
    if (run_in(netns_path, open_socket, l, err)) {
        net_link_close(l);
        return -1;
    }
    *ret = l;
    return 0;
}

void net_link_close(struct net_link *l)
{
    if (!l)
        return;
    if (l->socket)
        mnl_socket_close(l->socket);
    free(l);
}

static struct nlmsghdr *begin(struct net_link *l, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(l->text);
    h->nlmsg_type = type;
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    h->nlmsg_seq = ++l->seq;
    return h;
}

/* Sends and waits for the kernel's verdict; errno tells what it said. */
static int finish(struct net_link *l, struct nlmsghdr *h)
{
    if (mnl_socket_sendto(l->socket, h, h->nlmsg_len) < 0)
        return -1;
    char answer[MESSAGE];
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(l->socket, answer, sizeof(answer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        int run =
            mnl_cb_run(answer, (size_t)n, l->seq, mnl_socket_get_portid(l->socket), NULL, NULL);
        if (run <= MNL_CB_STOP)
            return run < 0 ? -1 : 0;
    }
}

static struct ifinfomsg *put_link(struct nlmsghdr *h, unsigned index)
{
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    info->ifi_index = (int)index;
    return info;
}

static int take_index(const struct nlmsghdr *h, void *data)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
    *(unsigned *)data = (unsigned)info->ifi_index;
    return MNL_CB_OK;
}

unsigned net_link_index(struct net_link *l, const char *name)
{
    struct nlmsghdr *h = begin(l, RTM_GETLINK, 0);
    put_link(h, 0);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    h->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
    unsigned index = 0;
    char answer[MESSAGE * 2];
    if (mnl_socket_sendto(l->socket, h, h->nlmsg_len) < 0)
        return 0;
    ssize_t n = mnl_socket_recvfrom(l->socket, answer, sizeof(answer));
    if (n <= 0 || mnl_cb_run(answer, (size_t)n, l->seq, mnl_socket_get_portid(l->socket),
                             take_index, &index) < 0)
        return 0;
    return index;
}

int net_link_bridge(struct net_link *l, const char *name, struct err *err)
{
    struct nlmsghdr *h = begin(l, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    put_link(h, 0);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(h, info);
    if (finish(l, h) && errno != EEXIST)
        return err_errno(err, "create bridge %s", name);
    return 0;
}

int net_link_veth(struct net_link *l, const char *name, const char *peer_name,
                  const char *netns_path, struct err *err)
{
    CLEANUP(fd_closep) int netns = open(netns_path, O_RDONLY | O_CLOEXEC);
    if (netns < 0)
        return err_errno(err, "open network namespace %s", netns_path);
    struct nlmsghdr *h = begin(l, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    put_link(h, 0);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
    mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
    put_link(h, 0);
    mnl_attr_put_strz(h, IFLA_IFNAME, peer_name);
    mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)netns);
    mnl_attr_nest_end(h, peer);
    mnl_attr_nest_end(h, data);
    mnl_attr_nest_end(h, info);
    if (finish(l, h) && errno != EEXIST)
        return err_errno(err, "create veth %s", name);
    return 0;
}

int net_link_delete(struct net_link *l, const char *name, struct err *err)
{
    struct nlmsghdr *h = begin(l, RTM_DELLINK, 0);
    put_link(h, 0);
    mnl_attr_put_strz(h, IFLA_IFNAME, name);
    if (finish(l, h) && errno != ENODEV)
        return err_errno(err, "delete interface %s", name);
    return 0;
}

int net_link_up(struct net_link *l, const char *name, struct err *err)
{
    unsigned index = net_link_index(l, name);
    struct nlmsghdr *h = begin(l, RTM_NEWLINK, 0);
    struct ifinfomsg *info = put_link(h, index);
    info->ifi_flags = info->ifi_change = IFF_UP;
    if (!index || finish(l, h))
        return err_errno(err, "bring up %s", name);
    return 0;
}

/* An address's bytes and family; false: not an address. */
static bool parse_ip(const char *ip, unsigned char bytes[16], uint8_t *ret_family, size_t *ret_n)
{
    *ret_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
    *ret_n = *ret_family == AF_INET6 ? 16 : 4;
    return inet_pton(*ret_family, ip, bytes) == 1;
}

int net_link_address(struct net_link *l, const char *name, const char *ip, unsigned prefix,
                     struct err *err)
{
    unsigned char bytes[16];
    uint8_t family;
    size_t n;
    if (!parse_ip(ip, bytes, &family, &n))
        return err_internal(err, "\"%s\" is not an address", ip);
    unsigned index = net_link_index(l, name);
    struct nlmsghdr *h = begin(l, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
    struct ifaddrmsg *a = mnl_nlmsg_put_extra_header(h, sizeof(*a));
    a->ifa_family = family;
    a->ifa_prefixlen = (uint8_t)prefix;
    a->ifa_index = index;
    if (family == AF_INET6)
        a->ifa_flags = IFA_F_NODAD;
    mnl_attr_put(h, IFA_LOCAL, n, bytes);
    mnl_attr_put(h, IFA_ADDRESS, n, bytes);
    if (!index || (finish(l, h) && errno != EEXIST))
        return err_errno(err, "give %s the address %s/%u", name, ip, prefix);
    return 0;
}

int net_link_route(struct net_link *l, const char *name, const char *destination, unsigned prefix,
                   const char *via, struct err *err)
{
    unsigned char to[16], gateway[16];
    uint8_t family = AF_INET, via_family;
    size_t n = 4, via_n;
    if ((destination && !parse_ip(destination, to, &family, &n)) ||
        (via && !parse_ip(via, gateway, &via_family, &via_n)))
        return err_internal(err, "bad route to %s via %s", destination ? destination : "default",
                            via ? via : "link");
    if (!destination && via)
        family = via_family;
    unsigned index = net_link_index(l, name);
    struct nlmsghdr *h = begin(l, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof(*r));
    r->rtm_family = family;
    r->rtm_dst_len = (uint8_t)(destination ? prefix : 0);
    r->rtm_table = RT_TABLE_MAIN;
    r->rtm_protocol = RTPROT_STATIC;
    r->rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    r->rtm_type = RTN_UNICAST;
    if (destination)
        mnl_attr_put(h, RTA_DST, n, to);
    if (via)
        mnl_attr_put(h, RTA_GATEWAY, via_n, gateway);
    mnl_attr_put_u32(h, RTA_OIF, index);
    if (!index || finish(l, h))
        return err_errno(err, "route %s by %s", destination ? destination : "default", name);
    return 0;
}

struct sysctl {
    const char *name, *value;
};

static int write_sysctl(void *arg, struct err *err)
{
    const struct sysctl *s = arg;
    char path[256];
    snprintf(path, sizeof(path), "/proc/sys/net/%s", s->name);
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t n = strlen(s->value);
    return fd < 0 || write(fd, s->value, n) != (ssize_t)n ? err_errno(err, "write %s", path) : 0;
}

int net_link_sysctl(const char *netns_path, const char *name, const char *value, struct err *err)
{
    struct sysctl s = {name, value};
    return run_in(netns_path, write_sysctl, &s, err);
}
