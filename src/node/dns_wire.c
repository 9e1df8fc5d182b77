#include "node/dns_wire.h"

enum { HEADER = 12, MAX_POINTERS = 32, POINTER_TO_QUESTION = 0xC00C };

static unsigned get16(const char *p)
{
    return (unsigned)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

static void put16(struct buf *b, unsigned v)
{
    buf_putc(b, (char)(v >> 8));
    buf_putc(b, (char)v);
}

static void put32(struct buf *b, uint32_t v)
{
    put16(b, v >> 16);
    put16(b, v & 0xFFFF);
}

static void set16(struct buf *b, size_t at, unsigned v)
{
    b->p[at] = (char)(v >> 8);
    b->p[at + 1] = (char)v;
}

static bool add_label(char *name, size_t *n, const char *p, size_t label_n)
{
    if (*n + label_n + 1 >= DNS_NAME)
        return false;
    if (*n)
        name[(*n)++] = '.';
    for (size_t i = 0; i < label_n; i++) {
        char c = p[i];
        if (c == '.' || c == '\0')
            return false;
        name[(*n)++] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    return true;
}

bool dns_read_name(struct str m, size_t *at, char ret[DNS_NAME])
{
    size_t pos = *at, n = 0, pointers = 0;
    bool jumped = false;
    for (;;) {
        if (pos >= m.n)
            return false;
        uint8_t length = (uint8_t)m.p[pos];
        if ((length & 0xC0) == 0xC0) {
            if (pos + 1 >= m.n || ++pointers > MAX_POINTERS)
                return false;
            size_t target = get16(m.p + pos) & 0x3FFF;
            if (!jumped)
                *at = pos + 2;
            jumped = true;
            if (target >= pos)
                return false;
            pos = target;
            continue;
        }
        if (length & 0xC0)
            return false;
        pos++;
        if (length == 0)
            break;
        if (pos + length > m.n || !add_label(ret, &n, m.p + pos, length))
            return false;
        pos += length;
    }
    ret[n] = '\0';
    if (!jumped)
        *at = pos;
    return true;
}

bool dns_read_record(struct str m, size_t *at, struct dns_record *ret)
{
    if (!dns_read_name(m, at, ret->name) || *at + 10 > m.n)
        return false;
    const char *p = m.p + *at;
    ret->type = (uint16_t)get16(p);
    ret->class = (uint16_t)get16(p + 2);
    ret->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
    ret->data_n = get16(p + 8);
    ret->data_at = *at + 10;
    *at = ret->data_at + ret->data_n;
    return *at <= m.n;
}

int dns_parse_query(struct str m, struct dns_query *ret)
{
    *ret = (struct dns_query){.udp_size = DNS_UDP_MIN, .question_end = HEADER};
    if (m.n < HEADER)
        return -1;
    unsigned flags = get16(m.p + 2);
    ret->id = (uint16_t)get16(m.p);
    ret->recursion_desired = flags & 0x0100;
    if (flags & 0x8000)
        return -1; /* an answer */
    if (flags & 0x7800)
        return DNS_NOTIMP;
    size_t at = HEADER;
    if (get16(m.p + 4) != 1 || !dns_read_name(m, &at, ret->name) || at + 4 > m.n)
        return DNS_FORMERR;
    ret->type = (uint16_t)get16(m.p + at);
    ret->class = (uint16_t)get16(m.p + at + 2);
    ret->question_end = at + 4;
    size_t records = get16(m.p + 6) + get16(m.p + 8) + get16(m.p + 10);
    at = ret->question_end;
    for (size_t i = 0; i < records && i < 32; i++) {
        struct dns_record r;
        if (!dns_read_record(m, &at, &r))
            return DNS_FORMERR;
        if (r.type != DNS_OPT)
            continue;
        ret->edns = true;
        ret->udp_size = r.class < DNS_UDP_MIN ? DNS_UDP_MIN : r.class;
    }
    return ret->class == DNS_CLASS_IN || ret->class == DNS_ANY ? 0 : DNS_REFUSED;
}

static void put_name(struct buf *b, const char *name)
{
    for (struct str rest = str_of(name), label; str_next(&rest, '.', &label);) {
        buf_putc(b, (char)label.n);
        buf_put(b, label);
    }
    buf_putc(b, '\0');
}

void dns_answer_begin(struct dns_answer *a, const struct dns_query *q, size_t limit)
{
    *a = (struct dns_answer){.limit = limit, .edns = q->edns};
    buf_append(&a->b, (char[HEADER]){0}, HEADER);
    put_name(&a->b, q->name);
    put16(&a->b, q->type);
    put16(&a->b, q->class);
    if (a->edns)
        a->limit -= 11;
}

/* The owner's name as a pointer when it is the question's, which nearly all are. */
static void put_owner(struct dns_answer *a, const char *name)
{
    size_t at = HEADER;
    char question[DNS_NAME];
    if (dns_read_name(buf_str(&a->b), &at, question) && strcmp(question, name) == 0)
        put16(&a->b, POINTER_TO_QUESTION);
    else
        put_name(&a->b, name);
}

static size_t begin_record(struct dns_answer *a, const char *name, enum dns_type type, uint32_t ttl)
{
    put_owner(a, name);
    put16(&a->b, type);
    put16(&a->b, DNS_CLASS_IN);
    put32(&a->b, ttl);
    put16(&a->b, 0);
    return a->b.n;
}

/* Fills in the length, or takes the record back when it does not fit. */
static void end_record(struct dns_answer *a, size_t start, size_t data_at, uint16_t *count)
{
    if (a->b.n > a->limit) {
        a->b.n = start;
        a->truncated = true;
        return;
    }
    set16(&a->b, data_at - 2, (unsigned)(a->b.n - data_at));
    (*count)++;
}

void dns_answer_raw(struct dns_answer *a, const char *name, enum dns_type type, uint32_t ttl,
                    struct str data)
{
    size_t start = a->b.n, data_at = begin_record(a, name, type, ttl);
    buf_put(&a->b, data);
    end_record(a, start, data_at, &a->answers);
}

void dns_answer_name(struct dns_answer *a, const char *name, enum dns_type type, uint32_t ttl,
                     const char *target)
{
    size_t start = a->b.n, data_at = begin_record(a, name, type, ttl);
    put_name(&a->b, target);
    end_record(a, start, data_at, &a->answers);
}

void dns_answer_srv(struct dns_answer *a, const char *name, uint32_t ttl, unsigned weight,
                    unsigned port, const char *target)
{
    size_t start = a->b.n, data_at = begin_record(a, name, DNS_SRV, ttl);
    put16(&a->b, 0);
    put16(&a->b, weight);
    put16(&a->b, port);
    put_name(&a->b, target);
    end_record(a, start, data_at, &a->answers);
}

void dns_answer_soa(struct dns_answer *a, const char *zone, uint32_t ttl)
{
    size_t start = a->b.n, data_at = begin_record(a, zone, DNS_SOA, ttl);
    struct buf host = {0};
    buf_printf(&host, "ns.dns.%s", zone);
    put_name(&a->b, host.p);
    buf_clear(&host);
    buf_printf(&host, "hostmaster.%s", zone);
    put_name(&a->b, host.p);
    buf_done(&host);
    const uint32_t times[] = {1, 7200, 1800, 86400,
                              ttl}; /* serial, refresh, retry, expire, minimum */
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        put32(&a->b, times[i]);
    end_record(a, start, data_at, &a->authorities);
}

void dns_answer_end(struct dns_answer *a, const struct dns_query *q, bool authoritative)
{
    if (a->edns) { /* root, OPT, our size, no flags, no data */
        buf_putc(&a->b, '\0');
        put16(&a->b, DNS_OPT);
        put16(&a->b, 1232);
        put32(&a->b, 0);
        put16(&a->b, 0);
    }
    unsigned flags = 0x8080u | (authoritative ? 0x0400u : 0) | (a->truncated ? 0x0200u : 0) |
                     (q->recursion_desired ? 0x0100u : 0) | (unsigned)a->rcode;
    set16(&a->b, 0, q->id);
    set16(&a->b, 2, flags);
    set16(&a->b, 4, 1);
    set16(&a->b, 6, a->answers);
    set16(&a->b, 8, a->authorities);
    set16(&a->b, 10, a->edns ? 1 : 0);
}
