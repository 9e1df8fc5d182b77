#include "node/nft.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/buf.h"
#include "node/nft_internal.h"

enum { MESSAGE = 65536, ELEMENTS_A_MESSAGE = 400, VERDICT_TYPE = 0xFFFFFF00, RECEIVE = 32768 };

struct nft {
    char *table;
    struct mnl_socket *socket;
    uint32_t seq, first_seq, next_set_id;
    struct buf batch;
    size_t last_at; /* where its last message begins */
    /* elements being collected */
    struct nftnl_set *elements;
    size_t element_count;
    const struct nft_set *element_set;
    bool element_delete;
};

int nft_open(const char *table, struct nft **ret, struct err *err)
{
    struct nft *n = NEW(struct nft);
    n->table = mem_strdup(table);
    n->seq = (uint32_t)time(NULL);
    n->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!n->socket || mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        err_errno(err, "open a netfilter socket");
        nft_close(n);
        return -1;
    }
    *ret = n;
    return 0;
}

void nft_close(struct nft *n)
{
    if (!n)
        return;
    if (n->socket)
        mnl_socket_close(n->socket);
    buf_done(&n->batch);
    free(n->table);
    free(n);
}

/* --- the batch --- */

/* Room for one more message; message_done makes it part of the batch. */
static struct nlmsghdr *message(struct nft *n, uint16_t type, uint16_t flags)
{
    char *at = buf_reserve(&n->batch, MESSAGE);
    return nftnl_nlmsg_build_hdr(at, type, NFPROTO_INET, flags, ++n->seq);
}

static void message_done(struct nft *n, const struct nlmsghdr *h)
{
    n->last_at = n->batch.n;
    n->batch.n += h->nlmsg_len;
}

void nft_begin(struct nft *n)
{
    buf_clear(&n->batch);
    struct nlmsghdr *h = nftnl_batch_begin(buf_reserve(&n->batch, MESSAGE), ++n->seq);
    n->first_seq = n->seq;
    message_done(n, h);
}

/* A send buffer that takes the whole batch: the kernel accepts a transaction in one piece only. */
static void widen_buffer(struct nft *n)
{
    int size = (int)(n->batch.n * 2 + 65536), fd = mnl_socket_get_fd(n->socket);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Errors come one by one, each with the number of its message; the end of the batch answers last of
 * all. */
static int take_answers(struct nft *n, uint32_t last, struct err *err)
{
    char answer[RECEIVE];
    int first_error = 0;
    uint32_t at = 0;
    for (bool more = true; more;) {
        ssize_t got = mnl_socket_recvfrom(n->socket, answer, sizeof(answer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "receive from netfilter");
        int left = (int)got;
        for (struct nlmsghdr *h = (struct nlmsghdr *)answer; mnl_nlmsg_ok(h, left);
             h = mnl_nlmsg_next(h, &left)) {
            if (h->nlmsg_type != NLMSG_ERROR)
                continue;
            const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
            if (e->error && !first_error) {
                first_error = -e->error;
                at = h->nlmsg_seq;
            }
            if (h->nlmsg_seq == last || (h->nlmsg_seq == n->first_seq && e->error))
                more = false;
        }
    }
    if (!first_error)
        return 0;
    errno = first_error;
    return err_errno(err, "nftables, message %u of %u", at - n->first_seq, last - n->first_seq);
}

/* The last message asks for an answer, so that success is known as well. */
int nft_commit(struct nft *n, struct err *err)
{
    struct nlmsghdr *last = (struct nlmsghdr *)(n->batch.p + n->last_at);
    last->nlmsg_flags |= NLM_F_ACK;
    uint32_t last_seq = last->nlmsg_seq;
    struct nlmsghdr *h = nftnl_batch_end(buf_reserve(&n->batch, MESSAGE), ++n->seq);
    n->batch.n += h->nlmsg_len;
    widen_buffer(n);
    int failed = 0;
    if (n->last_at) /* an empty batch needs no kernel */
        failed = mnl_socket_sendto(n->socket, n->batch.p, n->batch.n) < 0
                     ? err_errno(err, "send to netfilter")
                     : take_answers(n, last_seq, err);
    buf_done(&n->batch);
    return failed;
}

static void change_table(struct nft *n, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *h = message(n, type, flags);
    struct nftnl_table *t = nftnl_table_alloc();
    nftnl_table_set_str(t, NFTNL_TABLE_NAME, n->table);
    nftnl_table_nlmsg_build_payload(h, t);
    nftnl_table_free(t);
    message_done(n, h);
}

void nft_add_table(struct nft *n)
{
    change_table(n, NFT_MSG_NEWTABLE, NLM_F_CREATE);
}

void nft_delete_table(struct nft *n)
{
    change_table(n, NFT_MSG_DELTABLE, 0);
}

static struct nftnl_chain *new_chain(const struct nft *n, const char *chain)
{
    struct nftnl_chain *c = nftnl_chain_alloc();
    nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, n->table);
    nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, chain);
    return c;
}

static void change_chain(struct nft *n, uint16_t type, uint16_t flags, struct nftnl_chain *c)
{
    struct nlmsghdr *h = message(n, type, flags);
    nftnl_chain_nlmsg_build_payload(h, c);
    nftnl_chain_free(c);
    message_done(n, h);
}

void nft_add_chain(struct nft *n, const char *chain)
{
    change_chain(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE, new_chain(n, chain));
}

void nft_add_base_chain(struct nft *n, const char *chain, const char *type, unsigned hook,
                        int priority)
{
    struct nftnl_chain *c = new_chain(n, chain);
    nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, type);
    nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
    nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, priority);
    change_chain(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE, c);
}

void nft_flush_chain(struct nft *n, const char *chain)
{
    struct nlmsghdr *h = message(n, NFT_MSG_DELRULE, 0);
    struct nftnl_rule *r = nftnl_rule_alloc();
    nftnl_rule_set_str(r, NFTNL_RULE_TABLE, n->table);
    nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
    nftnl_rule_nlmsg_build_payload(h, r);
    nftnl_rule_free(r);
    message_done(n, h);
}

void nft_delete_chain(struct nft *n, const char *chain)
{
    change_chain(n, NFT_MSG_DELCHAIN, 0, new_chain(n, chain));
}

/* --- sets and maps --- */

static struct nftnl_set *new_set(const struct nft *n, const struct nft_set *s)
{
    struct nftnl_set *set = nftnl_set_alloc();
    nftnl_set_set_str(set, NFTNL_SET_TABLE, n->table);
    nftnl_set_set_str(set, NFTNL_SET_NAME, s->name);
    nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
    return set;
}

void nft_add_set(struct nft *n, const struct nft_set *s)
{
    struct nftnl_set *set = new_set(n, s);
    uint32_t flags = (s->verdicts || s->data_n ? NFT_SET_MAP : 0) |
                     (s->dynamic ? NFT_SET_TIMEOUT | NFT_SET_EVAL : 0);
    nftnl_set_set_u32(set, NFTNL_SET_ID, ++n->next_set_id);
    nftnl_set_set_u32(set, NFTNL_SET_FLAGS, flags);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, s->key_type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, s->key_n);
    if (s->verdicts)
        nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, VERDICT_TYPE);
    else if (s->data_n) {
        nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, s->data_type);
        nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, s->data_n);
    }
    struct nlmsghdr *h = message(n, NFT_MSG_NEWSET, NLM_F_CREATE);
    nftnl_set_nlmsg_build_payload(h, set);
    nftnl_set_free(set);
    message_done(n, h);
}

void nft_delete_set(struct nft *n, const struct nft_set *s)
{
    struct nftnl_set *set = new_set(n, s);
    struct nlmsghdr *h = message(n, NFT_MSG_DELSET, 0);
    nftnl_set_nlmsg_build_payload(h, set);
    nftnl_set_free(set);
    message_done(n, h);
}

void nft_begin_elements(struct nft *n, const struct nft_set *s, bool delete)
{
    n->element_set = s;
    n->element_delete = delete;
}

static void write_elements(struct nft *n)
{
    if (!n->elements)
        return;
    struct nlmsghdr *h = message(n, n->element_delete ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
                                 n->element_delete ? 0 : NLM_F_CREATE);
    nftnl_set_elems_nlmsg_build_payload(h, n->elements);
    message_done(n, h);
    nftnl_set_free(n->elements);
    n->elements = NULL;
    n->element_count = 0;
}

void nft_element(struct nft *n, const void *key, const void *data, const char *chain)
{
    const struct nft_set *s = n->element_set;
    if (!n->elements)
        n->elements = new_set(n, s);
    struct nftnl_set_elem *e = nftnl_set_elem_alloc();
    nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, s->key_n);
    if (data)
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, data, s->data_n);
    if (chain) {
        nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_VERDICT, (uint32_t)NFT_GOTO);
        nftnl_set_elem_set_str(e, NFTNL_SET_ELEM_CHAIN, chain);
    }
    nftnl_set_elem_add(n->elements, e);
    if (++n->element_count == ELEMENTS_A_MESSAGE)
        write_elements(n);
}

void nft_end_elements(struct nft *n)
{
    write_elements(n);
    n->element_set = NULL;
}

struct dump {
    void (*visit)(void *arg, const void *key, const void *data);
    void *arg;
};

static int dump_element(struct nftnl_set_elem *e, void *arg)
{
    const struct dump *d = arg;
    uint32_t n;
    const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &n);
    const void *data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_DATA, &n);
    if (key && data)
        d->visit(d->arg, key, data);
    return 0;
}

static int dump_message(const struct nlmsghdr *h, void *arg)
{
    struct nftnl_set *set = nftnl_set_alloc();
    if (nftnl_set_elems_nlmsg_parse(h, set) == 0)
        nftnl_set_elem_foreach(set, dump_element, arg);
    nftnl_set_free(set);
    return MNL_CB_OK;
}

int nft_dump(struct nft *n, const struct nft_set *s,
             void (*visit)(void *arg, const void *key, const void *data), void *arg,
             struct err *err)
{
    char question[1024], answer[RECEIVE * 2];
    struct nlmsghdr *h =
        nftnl_nlmsg_build_hdr(question, NFT_MSG_GETSETELEM, NFPROTO_INET, NLM_F_DUMP, ++n->seq);
    struct nftnl_set *set = new_set(n, s);
    nftnl_set_elems_nlmsg_build_payload(h, set);
    nftnl_set_free(set);
    if (mnl_socket_sendto(n->socket, h, h->nlmsg_len) < 0)
        return err_errno(err, "send to netfilter");
    struct dump d = {visit, arg};
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(n->socket, answer, sizeof(answer));
        int run = got < 0 ? -1
                          : mnl_cb_run(answer, (size_t)got, n->seq,
                                       mnl_socket_get_portid(n->socket), dump_message, &d);
        if (run < 0)
            return err_errno(err, "list %s", s->name);
        if (run == MNL_CB_STOP)
            return 0;
    }
}

/* --- what rules need of us --- */

const char *nft_table_name(const struct nft *n)
{
    return n->table;
}

void nft_put_rule(struct nft *n, struct nftnl_rule *rule)
{
    struct nlmsghdr *h = message(n, NFT_MSG_NEWRULE, NLM_F_APPEND | NLM_F_CREATE);
    nftnl_rule_nlmsg_build_payload(h, rule);
    message_done(n, h);
}
