/* Filling an empty store from a backup or from another store. */
#include <errno.h>

#include "store/backup.h"
#include "store/internal.h"

enum { WINDOW = 256 }; /* writes under way */

/* --- putting keys as fast as the store takes them --- */

struct copier {
    struct store *to;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    size_t under_way;
    bool failed;
    struct err err; /* of the first that failed */
};

struct copied {
    struct store_write w;
    struct store_op op;
    struct copier *copier;
    struct buf key;
};

static void copier_init(struct copier *c, struct store *to)
{
    *c = (struct copier){.to = to};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->finished, NULL);
}

static void on_copied(struct store_write *w)
{
    struct copied *one = CONTAINER_OF(w, struct copied, w);
    struct copier *c = one->copier;
    pthread_mutex_lock(&c->lock);
    if (w->result != STORE_OK && !c->failed) {
        c->failed = true;
        c->err = w->err;
        if (w->result == STORE_CONFLICT)
            err_set(&c->err, 409, "Conflict", "store: somebody else writes to it");
    }
    c->under_way--;
    pthread_cond_signal(&c->finished);
    pthread_mutex_unlock(&c->lock);
    bytes_unref(w->first_value);
    bytes_unref(one->op.value);
    buf_done(&one->key);
    free(one);
}

/* The value without the digits of its revision, which the new store gives anew. */
static struct bytes *value_without_revision(const struct backup_record *r, struct err *err)
{
    struct buf digits = {0};
    struct bytes *b = NULL;
    int32_t at = r->head.revision_at;
    if (at < 0)
        return bytes_new(r->value);
    buf_put_i64(&digits, r->head.mod_rev);
    if (str_starts(str_from(r->value, (size_t)at), buf_str(&digits))) {
        char *p;
        b = bytes_new_uninit(r->value.n - digits.n, &p);
        memcpy(p, r->value.p, (size_t)at);
        memcpy(p + at, r->value.p + at + digits.n, r->value.n - (size_t)at - digits.n);
    } else {
        err_internal(err, "store: the value of %.*s does not have its revision where it should",
                     STR_ARG(r->key));
    }
    buf_done(&digits);
    return b;
}

static int copier_put(struct copier *c, const struct backup_record *r, struct err *err)
{
    struct bytes *value = value_without_revision(r, err);
    if (!value)
        return -1;
    struct copied *one = NEW(struct copied);
    one->copier = c;
    buf_put(&one->key, r->key);
    one->op =
        (struct store_op){STORE_PUT, buf_str(&one->key), value, r->head.revision_at, STORE_ABSENT};
    one->w = (struct store_write){.ops = &one->op, .op_count = 1, .done = on_copied};
    pthread_mutex_lock(&c->lock);
    while (c->under_way >= WINDOW)
        pthread_cond_wait(&c->finished, &c->lock);
    c->under_way++;
    bool failed = c->failed;
    pthread_mutex_unlock(&c->lock);
    store_submit(c->to, &one->w);
    return failed ? -1 : 0;
}

static int copier_finish(struct copier *c, int rc, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    while (c->under_way)
        pthread_cond_wait(&c->finished, &c->lock);
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->finished);
    if (c->failed) {
        *err = c->err;
        return -1;
    }
    return rc;
}

static int check_empty(struct store *s, struct err *err)
{
    struct store_snap *snap;
    struct store_kv kv;
    if (store_snap_begin(s, 0, &snap, err))
        return -1;
    struct store_iter *it = store_range(snap, (struct str){0}, (struct str){0});
    bool empty = !store_next(it, &kv);
    store_iter_free(it);
    store_snap_end(snap);
    return empty ? 0 : err_set(err, 409, "Conflict", "store: the one to write to is not empty");
}

int store_copy(struct store *from, struct store *to, int64_t *ret_keys, struct err *err)
{
    struct store_snap *snap;
    *ret_keys = 0;
    if (check_empty(to, err) || store_snap_begin(from, 0, &snap, err))
        return -1;
    struct copier c;
    copier_init(&c, to);
    struct store_iter *it = store_range(snap, (struct str){0}, (struct str){0});
    struct store_kv kv;
    int rc = 0;
    while (!rc && store_next(it, &kv)) {
        const struct backup_record r = {
            kv.key, kv.value, {.mod_rev = kv.mod_rev, .revision_at = kv.revision_at}};
        rc = copier_put(&c, &r, err);
        ++*ret_keys;
    }
    store_iter_free(it);
    store_snap_end(snap);
    return copier_finish(&c, rc, err);
}

/* --- restoring --- */

/* Reads it all once: what is damaged must not be half restored. */
static int verify(const char *path, struct err *err)
{
    struct backup_reader r;
    struct backup_record record;
    int rc = backup_open(&r, path, err) ? -1 : 1;
    while (rc > 0)
        rc = backup_next(&r, &record, err);
    backup_close(&r);
    return rc;
}

static int restore_over_etcd(const struct store_config *config, struct backup_reader *r,
                             struct err *err)
{
    struct store *s;
    struct backup_record record;
    if (store_open(config, &s, err))
        return -1;
    int rc = check_empty(s, err) ? -1 : 1;
    struct copier c;
    copier_init(&c, s);
    while (rc > 0 && (rc = backup_next(r, &record, err)) > 0)
        if (copier_put(&c, &record, err))
            rc = -1;
    rc = copier_finish(&c, rc, err);
    store_close(s);
    return rc;
}

static int put_records(struct group *g, struct backup_reader *r, struct err *err)
{
    struct backup_record record;
    int rc;
    while ((rc = backup_next(r, &record, err)) > 0) {
        int failed = group_put(g, record.key, &record.head, record.value);
        if (failed)
            return store_mdb_err(err, failed, "restore");
    }
    return rc;
}

/* All in one transaction, with the revisions as they were. */
static int restore_as_it_was(const struct store_config *config, struct backup_reader *r,
                             struct err *err)
{
    struct store *s;
    struct group g;
    struct store_batch *none;
    if (store_open_still(config, &s, err))
        return -1;
    int rc = check_empty(s, err), failed;
    if (!rc && s->state.revision > 1)
        rc = err_set(err, 409, "Conflict", "store: %s has been in use", config->dir);
    if (!rc && (failed = group_begin(&g, s)))
        rc = store_mdb_err(err, failed, "restore");
    else if (!rc) {
        rc = put_records(&g, r, err);
        g.state.revision = g.state.compacted = r->revision;
        if (rc)
            group_abort(&g);
        else if ((failed = group_commit(&g, &none)))
            rc = store_mdb_err(err, failed, "restore");
    }
    store_free(s);
    return rc;
}

int store_restore(const struct store_config *config, const char *path, int64_t *ret_keys,
                  struct err *err)
{
    struct backup_reader r;
    if (verify(path, err))
        return -1;
    int rc = backup_open(&r, path, err);
    if (!rc)
        rc = config->etcd_endpoints ? restore_over_etcd(config, &r, err)
                                    : restore_as_it_was(config, &r, err);
    *ret_keys = r.count;
    backup_close(&r);
    return rc;
}
