#include "store/etcd.h"

/* --- slots --- */

void etcd_write_init(struct etcd *e)
{
    list_init(&e->free);
    list_init(&e->ready);
    list_init(&e->sent);
    list_init(&e->landed);
    list_init(&e->doubtful);
    e->queued_end = &e->queued;
    for (size_t i = 0; i < ETCD_IN_FLIGHT; i++) {
        e->slots[i].e = e;
        e->slots[i].number = i;
        list_add_tail(&e->free, &e->slots[i].link);
    }
}

static void move(struct pending *p, struct list *to)
{
    list_del(&p->link);
    list_add_tail(to, &p->link);
}

static const struct store_op *first_put(const struct store_write *w)
{
    for (size_t i = 0; i < w->op_count; i++)
        if (w->ops[i].type == STORE_PUT)
            return &w->ops[i];
    return NULL;
}

/* --- the end of a write --- */

static void more(struct loop_task *t)
{
    etcd_write_more(CONTAINER_OF(t, struct etcd, more));
}

static void finish(struct pending *p)
{
    struct etcd *e = p->e;
    struct store_write *w = p->w;
    w->result = p->result;
    if (p->result == STORE_OK) {
        const struct store_op *op = first_put(w);
        w->revision = p->answer_rev;
        if (op && !p->first_value) /* the watch did not bring it: another write came upon it */
            p->first_value =
                op->revision_at < 0
                    ? bytes_ref(op->value)
                    : value_with_revision(bytes_str(op->value), op->revision_at, w->revision);
        w->first_value = p->first_value;
    } else {
        w->revision = etcd_picture(e);
        bytes_unref(p->first_value);
    }
    uint64_t number = p->number + ETCD_IN_FLIGHT;
    list_del(&p->link);
    *p = (struct pending){.e = e, .number = number};
    list_init(&p->link);
    list_add_tail(&e->free, &p->link);
    if (e->queued)
        loop_defer(e->loop, &e->more, more);
    w->done(w);
}

static void finish_failed(struct pending *p, int code, const char *reason, const char *message)
{
    p->result = STORE_FAILED;
    err_set(&p->w->err, code, reason, "%s", message);
    finish(p);
}

static void finish_unknown(struct pending *p)
{
    finish_failed(p, 504, "Timeout", "etcdserver: request timed out");
}

static void finish_seen(struct pending *p)
{
    p->result = STORE_OK;
    p->answer_rev = p->seen_rev;
    finish(p);
}

static void land(struct pending *p, enum store_result result, int64_t rev)
{
    p->result = result;
    p->answer_rev = rev;
    if (rev <= etcd_picture(p->e)) {
        finish(p);
        return;
    }
    move(p, &p->e->landed);
    etcd_watch_want(p->e);
}

/* Whether a deletion may have happened, unseen: its key is not what it was before. */
static bool may_be_deleted(struct etcd *e, const struct store_op *op)
{
    struct store_snap *snap;
    struct store_kv kv;
    struct err err;
    if (store_snap_begin(e->s, 0, &snap, &err))
        return true;
    bool there =
        store_get(snap, op->key, &kv) && op->expect != STORE_ANY && kv.create_rev <= op->expect;
    store_snap_end(snap);
    return !there;
}

/* No value of it was shown, and it cannot happen any more. */
static void settle_unseen(struct pending *p)
{
    const struct store_write *w = p->w;
    bool unknown = false;
    for (size_t i = 0; i < w->op_count && !first_put(w); i++)
        unknown |= w->ops[i].type == STORE_DELETE && may_be_deleted(p->e, &w->ops[i]);
    if (unknown)
        finish_unknown(p);
    else
        move(p, &p->e->ready);
}

void etcd_write_settle(struct etcd *e)
{
    LIST_FOR (&e->landed, it) {
        struct pending *p = CONTAINER_OF(it, struct pending, link);
        if (p->answer_rev <= etcd_picture(e))
            finish(p);
    }
    if (list_empty(&e->doubtful))
        return;
    bool fence_reached = e->fenced && e->fence <= etcd_picture(e);
    LIST_FOR (&e->doubtful, it) {
        struct pending *p = CONTAINER_OF(it, struct pending, link);
        if (p->seen_rev)
            finish_seen(p);
        else if (fence_reached)
            settle_unseen(p);
    }
    etcd_write_more(e);
}

bool etcd_write_in_doubt(const struct etcd *e)
{
    return !list_empty(&e->doubtful);
}

bool etcd_write_waits(const struct etcd *e)
{
    return !list_empty(&e->landed) || !list_empty(&e->doubtful);
}

void etcd_write_seen(struct etcd *e, uint64_t number, int64_t rev, struct str key,
                     struct bytes *value)
{
    struct pending *p = &e->slots[number % ETCD_IN_FLIGHT];
    if (p->number != number || !p->w)
        return;
    const struct store_op *op = first_put(p->w);
    p->seen_rev = rev;
    if (op && !p->first_value && str_eq(op->key, key))
        p->first_value = bytes_ref(value);
}

void etcd_write_lost_sight(struct etcd *e)
{
    LIST_FOR (&e->doubtful, it) {
        struct pending *p = CONTAINER_OF(it, struct pending, link);
        if (!p->seen_rev)
            finish_unknown(p);
    }
}

/* --- answers --- */

/* No answer, or one that does not say what became of it. */
static void lose(struct pending *p, const char *why)
{
    struct etcd *e = p->e;
    if (p->seen_rev)
        finish_seen(p);
    else
        move(p, &e->doubtful);
    etcd_link_lost(e, why); /* the fence can only be moved when nothing else is under way */
}

static void refuse(struct pending *p, int code, const char *why)
{
    if (strstr(why, "too large") || strstr(why, "larger than max"))
        finish_failed(p, 413, "RequestEntityTooLarge", why);
    else if (code == GRPC_RESOURCE_EXHAUSTED && strstr(why, "too many requests"))
        finish_failed(p, 429, "TooManyRequests", why);
    else if (code == GRPC_INVALID_ARGUMENT)
        finish_failed(p, 400, "BadRequest", why);
    else
        finish_failed(p, 500, "InternalError", why);
}

static bool is_refusal(int code)
{
    return code == GRPC_INVALID_ARGUMENT || code == GRPC_NOT_FOUND ||
           code == GRPC_PERMISSION_DENIED || code == GRPC_RESOURCE_EXHAUSTED ||
           code == GRPC_FAILED_PRECONDITION || code == GRPC_OUT_OF_RANGE ||
           code == GRPC_UNIMPLEMENTED || code == GRPC_UNAUTHENTICATED;
}

/* mod_revision of the key that the i-th range of the answer read; 0: it is not there. */
static int64_t range_revision(struct str response)
{
    struct pb_reader op = {response};
    struct etcd_kv kv = {0};
    while (pb_next(&op)) {
        struct pb_reader range = {op.bytes};
        if (op.field == OP_RANGE && etcd_next_kv(&range, &kv))
            return kv.mod_rev;
    }
    return 0;
}

/* The first whose expectation does not hold; op_count: all do, the fence was in the way. */
static size_t failed_op(const struct store_write *w, struct str message)
{
    struct pb_reader r = {message};
    size_t i = 0;
    while (pb_next(&r)) {
        if (r.field != TXN_RESPONSE_RESPONSES)
            continue;
        while (i < w->op_count && w->ops[i].expect == STORE_ANY)
            i++;
        if (i == w->op_count || range_revision(r.bytes) != w->ops[i].expect)
            break;
        i++;
    }
    return i;
}

static void on_txn(void *arg, int code, struct str message, const char *why)
{
    struct pending *p = arg;
    struct etcd_header h;
    p->call = NULL;
    if (is_refusal(code)) {
        refuse(p, code, why);
        return;
    }
    if (code != GRPC_OK || !etcd_get_header(message, &h)) {
        lose(p, code ? why : "an answer that cannot be read");
        return;
    }
    bool succeeded = false;
    struct pb_reader r = {message};
    while (pb_next(&r))
        if (r.field == TXN_RESPONSE_SUCCEEDED)
            succeeded = r.number;
    if (!succeeded && (p->w->failed_op = failed_op(p->w, message)) == p->w->op_count) {
        lose(p, "the store's fence was moved by others");
        return;
    }
    land(p, succeeded ? STORE_OK : STORE_CONFLICT, h.revision);
}

/* --- sending --- */

static void put_txn(struct pending *p, struct buf *b)
{
    struct etcd *e = p->e;
    etcd_put_compare_mod(b, str_of(e->fence_key), e->fence);
    for (size_t i = 0; i < p->w->op_count; i++) {
        const struct store_op *op = &p->w->ops[i];
        struct str key = etcd_key(e, op->key, &e->scratch);
        if (op->expect != STORE_ANY) {
            etcd_put_compare_mod(b, key, op->expect);
            etcd_put_op_range(b, TXN_FAILURE, &(struct etcd_range){.key = key, .keys_only = true});
        }
        if (op->type == STORE_DELETE)
            etcd_put_op_delete(b, TXN_SUCCESS, key);
        if (op->type != STORE_PUT)
            continue;
        const struct etcd_mark mark = {(int32_t)op->revision_at, e->writer, p->number};
        buf_clear(&e->value);
        etcd_put_value(&e->value, &mark, bytes_str(op->value));
        etcd_put_op_put(b, TXN_SUCCESS, key, buf_str(&e->value));
    }
}

static void send_ready(struct etcd *e)
{
    struct buf b = {0};
    while (e->link == LINK_UP && !list_empty(&e->ready)) {
        struct pending *p = CONTAINER_OF(e->ready.next, struct pending, link);
        buf_clear(&b);
        put_txn(p, &b);
        move(p, &e->sent);
        p->call = etcd_call(e, "/etcdserverpb.KV/Txn", buf_str(&b), on_txn, p);
    }
    buf_done(&b);
}

/* The next queued write gets a slot; one that is malformed is answered at once. */
static void begin(struct etcd *e)
{
    struct store_write *w = e->queued;
    e->queued = w->next;
    if (!e->queued)
        e->queued_end = &e->queued;
    w->first_value = NULL;
    w->result = STORE_FAILED;
    w->revision = etcd_picture(e);
    if (store_check_shape(w, &w->err)) {
        w->done(w);
        return;
    }
    if (!w->op_count) {
        w->result = STORE_OK;
        w->done(w);
        return;
    }
    struct pending *p = CONTAINER_OF(e->free.next, struct pending, link);
    p->w = w;
    p->deadline_ms = loop_now_ms(e->loop) + e->timeout_ms;
    move(p, &e->ready);
}

void etcd_write_more(struct etcd *e)
{
    while (e->queued && !list_empty(&e->free))
        begin(e);
    send_ready(e);
}

/* --- time --- */

static void expire(struct etcd *e, struct list *l)
{
    int64_t now = loop_now_ms(e->loop);
    bool hopeless = etcd_link_hopeless(e);
    LIST_FOR (l, it) {
        struct pending *p = CONTAINER_OF(it, struct pending, link);
        if (now >= p->deadline_ms || hopeless)
            finish_unknown(p);
    }
}

void etcd_write_tick(struct etcd *e)
{
    expire(e, &e->ready);
    expire(e, &e->landed);
    expire(e, &e->doubtful);
    /* When nothing was reached for so long, those that wait behind need not wait as long again. */
    while (etcd_link_hopeless(e) && !list_empty(&e->free) && e->queued) {
        begin(e);
        if (!list_empty(&e->ready))
            finish_unknown(CONTAINER_OF(e->ready.prev, struct pending, link));
    }
    etcd_write_more(e);
}
