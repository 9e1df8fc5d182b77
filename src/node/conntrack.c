#include "node/conntrack.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/buf.h"

enum { MESSAGE = 4096, RECEIVE = 32768 };

struct search {
    bool (*stale)(void *arg, const struct conntrack_flow *f);
    void *arg;
    struct buf tuples; /* CTA_TUPLE_ORIG attributes of the flows to delete, one after the other */
};

struct tuple {
    uint32_t src, dst;
    uint16_t sport, dport;
    uint8_t proto;
};

static void read_tuple(const struct nlattr *nest, struct tuple *ret)
{
    struct nlattr *part, *a;
    *ret = (struct tuple){0};
    mnl_attr_for_each_nested(part, nest)
    {
        bool ip = mnl_attr_get_type(part) == CTA_TUPLE_IP;
        mnl_attr_for_each_nested(a, part)
        {
            unsigned type = mnl_attr_get_type(a), n = mnl_attr_get_payload_len(a);
            if (ip && type == CTA_IP_V4_SRC && n == 4)
                ret->src = mnl_attr_get_u32(a);
            else if (ip && type == CTA_IP_V4_DST && n == 4)
                ret->dst = mnl_attr_get_u32(a);
            else if (!ip && type == CTA_PROTO_NUM && n == 1)
                ret->proto = mnl_attr_get_u8(a);
            else if (!ip && type == CTA_PROTO_SRC_PORT && n == 2)
                ret->sport = mnl_attr_get_u16(a);
            else if (!ip && type == CTA_PROTO_DST_PORT && n == 2)
                ret->dport = mnl_attr_get_u16(a);
        }
    }
}

static int take_flow(const struct nlmsghdr *h, void *data)
{
    struct search *s = data;
    const struct nlattr *orig = NULL, *reply = NULL;
    struct nlattr *a;
    mnl_attr_for_each(a, h, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(a) == CTA_TUPLE_ORIG)
            orig = a;
        else if (mnl_attr_get_type(a) == CTA_TUPLE_REPLY)
            reply = a;
    }
    if (!orig || !reply)
        return MNL_CB_OK;
    struct tuple to, back;
    read_tuple(orig, &to);
    read_tuple(reply, &back);
    const struct conntrack_flow flow = {to.dst, to.dport, back.src, back.sport};
    if (to.proto == IPPROTO_UDP && s->stale(s->arg, &flow))
        buf_append(&s->tuples, orig, MNL_ALIGN(orig->nla_len));
    return MNL_CB_OK;
}

static struct nlmsghdr *begin(char *at, uint16_t type, uint16_t flags, uint32_t seq)
{
    struct nlmsghdr *h = mnl_nlmsg_put_header(at);
    h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
    h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    h->nlmsg_seq = seq;
    struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
    g->nfgen_family = AF_INET;
    g->version = NFNETLINK_V0;
    return h;
}

static int receive(struct mnl_socket *socket, uint32_t seq, mnl_cb_t fn, void *arg)
{
    char answer[RECEIVE];
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(socket, answer, sizeof(answer));
        int run =
            n < 0 ? -1 : mnl_cb_run(answer, (size_t)n, seq, mnl_socket_get_portid(socket), fn, arg);
        if (run <= MNL_CB_STOP)
            return run;
    }
}

static void delete_flows(struct mnl_socket *socket, const struct buf *tuples, uint32_t seq)
{
    for (size_t at = 0; at < tuples->n;) {
        const struct nlattr *orig = (const struct nlattr *)(tuples->p + at);
        char question[MESSAGE];
        struct nlmsghdr *h = begin(question, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, ++seq);
        mnl_attr_put(h, CTA_TUPLE_ORIG | NLA_F_NESTED, mnl_attr_get_payload_len(orig),
                     mnl_attr_get_payload(orig));
        if (mnl_socket_sendto(socket, h, h->nlmsg_len) >= 0)
            receive(socket, seq, NULL, NULL); /* one that ended by itself meanwhile is as good */
        at += MNL_ALIGN(orig->nla_len);
    }
}

int conntrack_forget_udp(bool (*stale)(void *arg, const struct conntrack_flow *f), void *arg,
                         struct err *err)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return err_errno(err, "open a netfilter socket");
    char question[MESSAGE];
    uint32_t seq = (uint32_t)time(NULL);
    struct search s = {stale, arg, {0}};
    struct nlmsghdr *h = begin(question, IPCTNL_MSG_CT_GET, NLM_F_DUMP, seq);
    int failed =
        mnl_socket_sendto(socket, h, h->nlmsg_len) < 0 || receive(socket, seq, take_flow, &s) < 0;
    if (failed)
        err_errno(err, "list connections");
    else
        delete_flows(socket, &s.tuples, seq);
    buf_done(&s.tuples);
    mnl_socket_close(socket);
    return failed ? -1 : 0;
}
