#include "store/record.h"

#include <endian.h>

static void put_be64(char *p, uint64_t v)
{
    v = htobe64(v);
    memcpy(p, &v, 8);
}

static uint64_t get_be64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return be64toh(v);
}

size_t hist_key(struct str key, int64_t rev, char ret[HIST_KEY_ROOM])
{
    size_t n = 0;
    for (size_t i = 0; i < key.n; i++) {
        ret[n++] = key.p[i];
        if (!key.p[i])
            ret[n++] = (char)0xff;
    }
    ret[n++] = 0;
    ret[n++] = 1;
    put_be64(ret + n, (uint64_t)rev);
    return n + 8;
}

bool hist_key_parse(struct str encoded, struct buf *ret_key, int64_t *ret_rev)
{
    if (encoded.n < HIST_TAIL)
        return false;
    struct str body = str_head(encoded, encoded.n - HIST_TAIL);
    for (size_t i = 0; i < body.n; i++) {
        buf_putc(ret_key, body.p[i]);
        if (!body.p[i] && (++i == body.n || body.p[i] != (char)0xff))
            return false;
    }
    *ret_rev = (int64_t)get_be64(encoded.p + encoded.n - 8);
    return true;
}

void log_key(int64_t rev, uint32_t index, char ret[LOG_KEY])
{
    put_be64(ret, (uint64_t)rev);
    index = htobe32(index);
    memcpy(ret + 8, &index, 4);
}

int64_t log_key_revision(struct str encoded)
{
    return encoded.n == LOG_KEY ? (int64_t)get_be64(encoded.p) : 0;
}

bool record_split(struct str record, void *ret_head, size_t head_n, struct str *ret_rest)
{
    if (record.n < head_n)
        return false;
    memcpy(ret_head, record.p, head_n);
    *ret_rest = str_from(record, head_n);
    return true;
}
