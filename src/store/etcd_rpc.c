#include "store/etcd_rpc.h"

#include <endian.h>

enum { COMPARE_TARGET_MOD = 2 };

static const char magic[4] = {'t', 'u', 't', '1'};

/* --- requests --- */

void etcd_put_range(struct buf *b, const struct etcd_range *r)
{
    pb_bytes(b, 1, r->key);
    pb_bytes(b, 2, r->end);
    pb_u64(b, 3, (uint64_t)r->limit);
    pb_u64(b, 4, (uint64_t)r->revision);
    pb_u64(b, 8, r->keys_only);
}

void etcd_put_put(struct buf *b, struct str key, struct str value)
{
    pb_bytes(b, 1, key);
    pb_bytes(b, 2, value);
}

void etcd_put_op_range(struct buf *b, uint32_t branch, const struct etcd_range *r)
{
    size_t op = pb_begin(b, branch), range = pb_begin(b, OP_RANGE);
    etcd_put_range(b, r);
    pb_end(b, range);
    pb_end(b, op);
}

void etcd_put_op_put(struct buf *b, uint32_t branch, struct str key, struct str value)
{
    size_t op = pb_begin(b, branch), put = pb_begin(b, OP_PUT);
    etcd_put_put(b, key, value);
    pb_end(b, put);
    pb_end(b, op);
}

void etcd_put_op_delete(struct buf *b, uint32_t branch, struct str key)
{
    size_t op = pb_begin(b, branch), delete = pb_begin(b, OP_DELETE);
    pb_bytes(b, 1, key);
    pb_end(b, delete);
    pb_end(b, op);
}

void etcd_put_compare_mod(struct buf *b, struct str key, int64_t mod_rev)
{
    size_t compare = pb_begin(b, TXN_COMPARE);
    pb_u64(b, 2, COMPARE_TARGET_MOD);
    pb_bytes(b, 3, key);
    pb_u64(b, 6, (uint64_t)mod_rev); /* left out it is 0 as well */
    pb_end(b, compare);
}

/* --- answers --- */

static bool get_header(struct str message, struct etcd_header *ret)
{
    *ret = (struct etcd_header){0};
    struct pb_reader r = {message};
    while (pb_next(&r)) {
        if (r.field == 1)
            ret->cluster_id = r.number;
        else if (r.field == 3)
            ret->revision = (int64_t)r.number;
    }
    return !r.bad;
}

bool etcd_get_header(struct str message, struct etcd_header *ret)
{
    struct pb_reader r = {message};
    while (pb_next(&r))
        if (r.field == RESPONSE_HEADER)
            return get_header(r.bytes, ret);
    return false;
}

bool etcd_get_kv(struct str message, struct etcd_kv *ret)
{
    *ret = (struct etcd_kv){0};
    struct pb_reader r = {message};
    while (pb_next(&r)) {
        switch (r.field) {
        case 1:
            ret->key = r.bytes;
            break;
        case 2:
            ret->create_rev = (int64_t)r.number;
            break;
        case 3:
            ret->mod_rev = (int64_t)r.number;
            break;
        case 5:
            ret->value = r.bytes;
            break;
        }
    }
    return !r.bad && ret->mod_rev > 0;
}

bool etcd_get_event(struct str message, struct etcd_event *ret)
{
    *ret = (struct etcd_event){0};
    struct pb_reader r = {message};
    bool got = false;
    while (pb_next(&r)) {
        if (r.field == 1)
            ret->deleted = r.number == 1;
        else if (r.field == 2)
            got = etcd_get_kv(r.bytes, &ret->kv);
    }
    return !r.bad && got;
}

bool etcd_get_watch(struct str message, struct etcd_watch_response *ret)
{
    *ret = (struct etcd_watch_response){0};
    struct pb_reader r = {message};
    bool ok = true;
    while (ok && pb_next(&r)) {
        switch (r.field) {
        case RESPONSE_HEADER:
            ok = get_header(r.bytes, &ret->header);
            break;
        case 3:
            ret->created = r.number;
            break;
        case 4:
            ret->canceled = r.number;
            break;
        case 5:
            ret->compact_revision = (int64_t)r.number;
            break;
        case 6:
            ret->cancel_reason = r.bytes;
            break;
        case 7:
            ret->fragment = r.number;
            break;
        case WATCH_RESPONSE_EVENTS:
            ret->has_events = true;
            break;
        }
    }
    return ok && !r.bad;
}

bool etcd_next_kv(struct pb_reader *r, struct etcd_kv *ret)
{
    while (pb_next(r)) {
        if (r->field != RANGE_RESPONSE_KVS)
            continue;
        if (etcd_get_kv(r->bytes, ret))
            return true;
        r->bad = true;
    }
    return false;
}

bool etcd_range_more(struct str message)
{
    struct pb_reader r = {message};
    bool more = false;
    while (pb_next(&r))
        if (r.field == 3)
            more = r.number;
    return more;
}

/* --- values --- */

static void put_be(struct buf *b, uint64_t v, size_t n)
{
    v = htobe64(v);
    buf_append(b, (const char *)&v + 8 - n, n);
}

static uint64_t get_be(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy((char *)&v + 8 - n, p, n);
    return be64toh(v);
}

void etcd_put_value(struct buf *b, const struct etcd_mark *mark, struct str value)
{
    buf_append(b, magic, sizeof(magic));
    put_be(b, (uint32_t)mark->revision_at, 4);
    put_be(b, mark->writer, 8);
    put_be(b, mark->number, 8);
    buf_put(b, value);
}

struct str etcd_get_value(struct str stored, struct etcd_mark *ret)
{
    *ret = (struct etcd_mark){.revision_at = -1};
    if (stored.n < ETCD_VALUE_HEAD || memcmp(stored.p, magic, sizeof(magic)) != 0)
        return stored;
    struct str value = str_from(stored, ETCD_VALUE_HEAD);
    int32_t at = (int32_t)get_be(stored.p + 4, 4);
    if (at < -1 || at > (int64_t)value.n)
        return stored;
    ret->revision_at = at;
    ret->writer = get_be(stored.p + 8, 8);
    ret->number = get_be(stored.p + 16, 8);
    return value;
}

bool etcd_tells_progress(struct str status)
{
    struct pb_reader r = {status};
    struct str version = {0}, part;
    int64_t n[3] = {0};
    while (pb_next(&r))
        if (r.field == 2)
            version = r.bytes;
    for (size_t i = 0; i < ARRAY_LEN(n); i++)
        if (!str_next(&version, '.', &part) || !str_to_i64(part, &n[i]))
            return false;
    if (n[0] != 3)
        return n[0] > 3;
    return n[1] > 5 || (n[1] == 5 && n[2] >= 8) || (n[1] == 4 && n[2] >= 25);
}
