#include "store/internal.h"

#include <errno.h>

enum { MAX_OPS = 4096 };

/* --- one write --- */

int store_check_shape(const struct store_write *w, struct err *err)
{
    char encoded[HIST_KEY_ROOM];
    if (w->op_count > MAX_OPS)
        return err_bad(err, "etcdserver: too many operations in txn request");
    for (size_t i = 0; i < w->op_count; i++) {
        const struct store_op *op = &w->ops[i];
        if (op->key.n == 0)
            return err_bad(err, "etcdserver: key is not provided");
        if (op->key.n > MAX_KEY || hist_key(op->key, 0, encoded) > MAX_KEY)
            return err_bad(err, "store: key of %zu bytes is too long (at most %d)", op->key.n,
                           MAX_KEY - HIST_TAIL);
        if (op->type == STORE_PUT && (!op->value || op->revision_at > (int64_t)op->value->n))
            return err_bad(err, "store: bad value");
        if (op->type == STORE_PUT && op->value->n > MAX_VALUE)
            return err_set(err, 413, "RequestEntityTooLarge", "etcdserver: request is too large");
        for (size_t j = 0; j < i && op->type != STORE_CHECK; j++)
            if (w->ops[j].type != STORE_CHECK && str_eq(w->ops[j].key, op->key))
                return err_bad(err, "etcdserver: duplicate key given in txn request");
    }
    return 0;
}

/* All expectations, before anything is changed: a write that fails leaves no trace. */
static int check_expectations(struct group *g, struct store_write *w, bool *ret_change)
{
    *ret_change = false;
    for (size_t i = 0; i < w->op_count; i++) {
        const struct store_op *op = &w->ops[i];
        struct kv_head head = {0};
        struct str value;
        int rc = group_current(g, op->key, &head, &value);
        if (rc && rc != MDB_NOTFOUND)
            return rc;
        if (op->expect != STORE_ANY && op->expect != head.mod_rev) {
            w->result = STORE_CONFLICT;
            w->failed_op = i;
            return 0;
        }
        *ret_change |= op->type == STORE_PUT || (op->type == STORE_DELETE && head.mod_rev);
    }
    w->result = STORE_OK;
    return 0;
}

/* The bytes to store: the caller's, with the revision put in where it asked for it. */
static int apply_op(struct group *g, const struct store_op *op, uint32_t index)
{
    struct change c = {op->key, NULL, (int32_t)op->revision_at};
    if (op->type == STORE_PUT)
        c.value = op->revision_at < 0 ? bytes_ref(op->value)
                                      : value_with_revision(bytes_str(op->value), op->revision_at,
                                                            g->state.revision);
    int rc = group_change(g, &c, index);
    bytes_unref(c.value);
    return rc;
}

/* An LMDB code: the transaction is of no use any more. */
static int apply_write(struct group *g, struct store_write *w)
{
    w->first_value = NULL;
    w->result = STORE_FAILED;
    w->revision = g->state.revision;
    if (store_check_shape(w, &w->err))
        return 0;
    bool change;
    int rc = check_expectations(g, w, &change);
    if (rc || w->result != STORE_OK || !change)
        return rc;
    w->revision = ++g->state.revision;
    for (size_t i = 0; i < w->op_count && !rc; i++) {
        if (w->ops[i].type == STORE_CHECK)
            continue;
        rc = apply_op(g, &w->ops[i], (uint32_t)i);
        if (!rc && w->ops[i].type == STORE_PUT && !w->first_value)
            w->first_value = bytes_ref(g->events.events[g->events.count - 1].value);
    }
    return rc;
}

/* --- a group --- */

static void forget_results(struct store_write *first, size_t n)
{
    for (; n; n--, first = first->next) {
        bytes_unref(first->first_value);
        first->first_value = NULL;
    }
}

/* All n writes in one transaction. An LMDB code: nothing happened. */
static int try_group(struct store *s, struct store_write *first, size_t n,
                     struct store_batch **ret_batch)
{
    struct group g;
    *ret_batch = NULL;
    int rc = group_begin(&g, s);
    if (rc)
        return rc;
    size_t applied = 0;
    for (struct store_write *w = first; applied < n && !rc; applied++, w = w->next)
        rc = apply_write(&g, w);
    if (!rc && g.events.count)
        rc = group_commit(&g, ret_batch);
    else
        group_abort(&g);
    if (rc)
        forget_results(first, applied);
    return rc;
}

/* The writes may be gone once done was called: the link is read before. */
static void finish(struct store_write *first, size_t n)
{
    for (struct store_write *next; n; n--, first = next) {
        next = first->next;
        first->done(first);
    }
}

static void commit_group(struct store *s, struct store_write *first, size_t n)
{
    struct store_batch *b;
    int rc = try_group(s, first, n, &b);
    if (!rc) {
        if (b)
            store_publish(s, b);
        finish(first, n);
        return;
    }
    if (n == 1) {
        first->result = STORE_FAILED;
        store_mdb_err(&first->err, rc, "write");
        finish(first, 1);
        return;
    }
    /* One write may be what the others suffer from (the disk is nearly full): each on its own. */
    for (struct store_write *next; n; n--, first = next) {
        next = first->next;
        commit_group(s, first, 1);
    }
}

/* How many of the queued writes go into one transaction. */
static size_t group_size(const struct store_write *first)
{
    size_t n = 0, bytes = 0;
    for (; first && n < GROUP_WRITES && bytes < GROUP_BYTES; first = first->next, n++)
        for (size_t i = 0; i < first->op_count; i++)
            if (first->ops[i].type == STORE_PUT && first->ops[i].value)
                bytes += first->ops[i].value->n;
    return n;
}

void *store_committer(void *arg)
{
    struct store *s = arg;
    int64_t pause_ms = s->config.history_ms / 8 + 1;
    bool more = false, closing;
    for (;;) {
        struct store_write *w = store_queue_take(s, more ? 0 : pause_ms, &closing);
        if (closing)
            return NULL;
        if (!w) {
            more = compact_idle(s);
            continue;
        }
        for (size_t n; w;) {
            n = group_size(w);
            struct store_write *rest = w;
            for (size_t i = 0; i < n; i++)
                rest = rest->next;
            commit_group(s, w, n);
            w = rest;
        }
    }
}
