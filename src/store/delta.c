#include "store/delta.h"

enum {
    GRAM = 16, /* a copy is found by this many equal bytes … */
    STEP = 8,  /* … that start at a multiple of this in the base */
    MAX_SLOTS = 1 << 16,
};

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        buf_putc(b, (char)(v | 128));
    buf_putc(b, (char)v);
}

static bool take_varint(struct str *s, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 63 && s->n; shift += 7) {
        unsigned char c = (unsigned char)*s->p;
        *s = str_from(*s, 1);
        v |= (uint64_t)(c & 127) << shift;
        if (c < 128) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static void put_insert(struct buf *b, struct str s)
{
    if (!s.n)
        return;
    put_varint(b, (uint64_t)s.n << 1);
    buf_put(b, s);
}

static void put_copy(struct buf *b, size_t from, size_t n)
{
    if (!n)
        return;
    put_varint(b, (uint64_t)n << 1 | 1);
    put_varint(b, from);
}

static uint32_t gram_hash(const char *p)
{
    uint64_t a, b;
    memcpy(&a, p, 8);
    memcpy(&b, p + 8, 8);
    a = (a ^ (b << 23 | b >> 41)) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(a >> 40);
}

static size_t common_prefix(struct str a, struct str b)
{
    size_t max = a.n < b.n ? a.n : b.n, n = 0;
    while (n < max && a.p[n] == b.p[n])
        n++;
    return n;
}

static size_t common_suffix(struct str a, struct str b)
{
    size_t max = a.n < b.n ? a.n : b.n, n = 0;
    while (n < max && a.p[a.n - 1 - n] == b.p[b.n - 1 - n])
        n++;
    return n;
}

/* Maps a gram's hash to the last place in base where it starts, plus one. */
static uint32_t *index_new(struct str base, size_t *ret_mask)
{
    size_t slots = 64;
    while (slots < base.n / (STEP / 2) && slots < MAX_SLOTS)
        slots *= 2;
    uint32_t *index = mem_zalloc(slots * sizeof(*index));
    for (size_t at = 0; at + GRAM <= base.n; at += STEP)
        index[gram_hash(base.p + at) & (slots - 1)] = (uint32_t)at + 1;
    *ret_mask = slots - 1;
    return index;
}

/* The part between the common ends. */
static void encode_middle(struct str base, struct str target, size_t skipped, struct buf *ret)
{
    size_t mask, done = 0; /* done: bytes of target that have instructions */
    CLEANUP(mem_freep) uint32_t *index = index_new(base, &mask);
    for (size_t at = 0; at + GRAM <= target.n;) {
        uint32_t found = index[gram_hash(target.p + at) & mask];
        if (!found || memcmp(base.p + found - 1, target.p + at, GRAM)) {
            at++;
            continue;
        }
        size_t from = found - 1;
        size_t back = common_suffix(str_head(base, from), (struct str){target.p + done, at - done});
        size_t n = common_prefix(str_from(base, from), str_from(target, at)) + back;
        put_insert(ret, (struct str){target.p + done, at - back - done});
        put_copy(ret, skipped + from - back, n);
        at = done = at - back + n;
    }
    put_insert(ret, str_from(target, done));
}

void delta_encode(struct str base, struct str target, struct buf *ret)
{
    if (base.n >= UINT32_MAX) {
        put_insert(ret, target);
        return;
    }
    size_t head = common_prefix(base, target);
    struct str base_rest = str_from(base, head), target_rest = str_from(target, head);
    size_t tail = common_suffix(base_rest, target_rest);
    put_copy(ret, 0, head);
    encode_middle(str_head(base_rest, base_rest.n - tail),
                  str_head(target_rest, target_rest.n - tail), head, ret);
    put_copy(ret, base.n - tail, tail);
}

bool delta_apply(struct str base, struct str delta, size_t max, struct buf *ret)
{
    size_t start = ret->n;
    while (delta.n) {
        uint64_t head, from;
        if (!take_varint(&delta, &head) || head >> 1 > max - (ret->n - start))
            return false;
        size_t n = head >> 1;
        if (!(head & 1)) {
            if (n > delta.n)
                return false;
            buf_append(ret, delta.p, n);
            delta = str_from(delta, n);
            continue;
        }
        if (!take_varint(&delta, &from) || from > base.n || n > base.n - from)
            return false;
        buf_append(ret, base.p + from, n);
    }
    return true;
}
