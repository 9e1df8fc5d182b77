/* Folders of format 1, which did not say where the revision's digits stand in a value. */
#include "store/internal.h"

struct kv_head_1 {
    int64_t create_rev, mod_rev;
    uint8_t deltas;
} __attribute__((packed));

/* Values that had digits put in were API objects. No object can have had the digits of its own
 * revision before it was written, so the first place that has them is the one. */
static int32_t find_revision(struct str value, int64_t rev, struct buf *b)
{
    static const char before[] = "\"resourceVersion\":\"";
    buf_clear(b);
    buf_printf(b, "%s%lld\"", before, (long long)rev);
    ssize_t at = str_find(value, buf_str(b));
    return at < 0 ? -1 : (int32_t)(at + (ssize_t)sizeof(before) - 1);
}

static int upgrade_record(struct group *g, MDB_val *k, MDB_val *data, struct buf *copy,
                          struct buf *pattern)
{
    struct kv_head_1 old;
    struct str value;
    if (!record_split(mdb_str(*data), &old, sizeof(old), &value))
        return MDB_CORRUPTED;
    /* What the map shows may move with the write. */
    buf_clear(copy);
    buf_put(copy, mdb_str(*k));
    buf_put(copy, value);
    struct str key = str_head(buf_str(copy), k->mv_size);
    value = str_from(buf_str(copy), k->mv_size);
    const struct kv_head head = {old.create_rev, old.mod_rev, old.deltas,
                                 find_revision(value, old.mod_rev, pattern)};
    return group_put(g, key, &head, value);
}

int store_upgrade(struct store *s, MDB_txn *txn, struct store_state *state)
{
    struct group g = {.s = s, .txn = txn};
    struct buf copy = {0}, pattern = {0};
    MDB_cursor *c;
    MDB_val k, data;
    int rc = mdb_cursor_open(txn, s->kv, &c);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(c, &k, &data, MDB_NEXT)) == 0)
        if ((rc = upgrade_record(&g, &k, &data, &copy, &pattern)))
            break;
    mdb_cursor_close(c);
    buf_done(&copy);
    buf_done(&pattern);
    state->format = STORE_FORMAT;
    return rc == MDB_NOTFOUND ? store_state_write(s, txn, state) : rc;
}
