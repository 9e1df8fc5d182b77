#include "store/etcd.h"

/* etcd keeps every old version until it is told to forget them. As kube-apiservers do among
 * themselves, the stores of a cluster share one key that says when this was done last; whoever
 * finds it unchanged for a period moves it on, and compacts up to where it stood one period before.
 */

enum { PERIOD_MS = 300000 };

static struct str compact_key(struct etcd *e)
{
    /* Beside the prefix, not under it: "/tutti.compact". */
    struct str prefix = str_of(e->prefix);
    while (str_ends(prefix, STR("/")))
        prefix.n--;
    buf_clear(&e->scratch);
    buf_put(&e->scratch, prefix);
    buf_puts(&e->scratch, ".compact");
    return buf_str(&e->scratch);
}

static void on_compacted(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    (void)code, (void)message, (void)why; /* the next period tries again */
    e->compact = NULL;
}

static void compact(struct etcd *e, int64_t rev)
{
    struct buf b = {0};
    pb_u64(&b, 1, (uint64_t)rev);
    e->compact = etcd_call(e, "/etcdserverpb.KV/Compact", buf_str(&b), on_compacted, e);
    buf_done(&b);
}

static void on_turn(void *arg, int code, struct str message, const char *why)
{
    struct etcd *e = arg;
    struct etcd_header h;
    struct etcd_kv kv;
    (void)why;
    e->compact = NULL;
    if (code != GRPC_OK || !etcd_get_header(message, &h))
        return;
    bool ours = false;
    int64_t at = 0, before = e->compact_rev;
    struct pb_reader r = {message};
    while (pb_next(&r)) {
        if (r.field == TXN_RESPONSE_SUCCEEDED)
            ours = r.number;
        if (r.field != TXN_RESPONSE_RESPONSES)
            continue;
        struct pb_reader op = {r.bytes};
        while (pb_next(&op)) {
            struct pb_reader range = {op.bytes};
            if (op.field == OP_RANGE && etcd_next_kv(&range, &kv))
                at = kv.mod_rev;
        }
    }
    e->compact_key_rev = ours ? h.revision : at;
    e->compact_rev = h.revision;
    if (ours && before)
        compact(e, before);
}

void etcd_compact_tick(struct etcd *e)
{
    int64_t now = loop_now_ms(e->loop);
    if (e->link != LINK_UP || e->compact || now < e->compact_at_ms)
        return;
    bool first = !e->compact_at_ms;
    int64_t period = e->s->config.etcd_compact_ms;
    e->compact_at_ms = now + (period ? period : PERIOD_MS);
    if (first)
        return;
    struct buf b = {0}, text = {0};
    struct str key = compact_key(e);
    buf_put_i64(&text, etcd_picture(e));
    etcd_put_compare_mod(&b, key, e->compact_key_rev);
    etcd_put_op_put(&b, TXN_SUCCESS, key, buf_str(&text));
    etcd_put_op_range(&b, TXN_FAILURE, &(struct etcd_range){.key = key, .keys_only = true});
    e->compact = etcd_call(e, "/etcdserverpb.KV/Txn", buf_str(&b), on_turn, e);
    buf_done(&text);
    buf_done(&b);
}

void etcd_compact_stop(struct etcd *e)
{
    grpc_cancel(e->compact);
    e->compact = NULL;
}
