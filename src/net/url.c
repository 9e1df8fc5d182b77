#include "net/url.h"

enum { MAX_PARAMS = 1000 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool url_decode(struct arena *a, struct str s, bool query, struct str *ret)
{
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            if (s.n - i < 3 || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
                return false;
            c = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        if (c == '\0')
            return false;
        p[n++] = c;
    }
    p[n] = '\0';
    *ret = (struct str){p, n};
    return true;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void url_encode(struct buf *b, struct str s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_unreserved((char)c)) {
            buf_putc(b, (char)c);
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_append(b, escape, sizeof(escape));
        }
    }
}

bool url_query_parse(struct arena *a, struct str query, struct url_query *ret)
{
    size_t count = 1;
    for (size_t i = 0; i < query.n; i++)
        count += query.p[i] == '&';
    if (count > MAX_PARAMS)
        return false;
    struct url_query q = {.params = arena_alloc(a, count * sizeof(struct url_param))};
    struct str field;
    while (str_next(&query, '&', &field)) {
        if (field.n == 0)
            continue;
        struct str key, value;
        struct url_param *p = &q.params[q.count];
        str_cut(field, '=', &key, &value);
        if (!url_decode(a, key, true, &p->key) || !url_decode(a, value, true, &p->value))
            return false;
        q.count++;
    }
    *ret = q;
    return true;
}

static const struct url_param *find(const struct url_query *q, const char *key)
{
    for (size_t i = 0; i < q->count; i++)
        if (str_is(q->params[i].key, key))
            return &q->params[i];
    return NULL;
}

struct str url_query_get(const struct url_query *q, const char *key)
{
    const struct url_param *p = find(q, key);
    return p ? p->value : (struct str){0};
}

bool url_query_has(const struct url_query *q, const char *key)
{
    return find(q, key) != NULL;
}
