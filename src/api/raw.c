#include "api/raw.h"

/* p stands on the opening quote; the answer is behind the closing one, or end. */
static const char *skip_string(const char *p, const char *end)
{
    p++;
    while (p < end) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        if (!quote)
            return end;
        size_t slashes = 0;
        while (quote - slashes > p && quote[-1 - (ssize_t)slashes] == '\\')
            slashes++;
        p = quote + 1;
        if (slashes % 2 == 0)
            return p;
    }
    return end;
}

static const char *skip_nested(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return p + 1;
            break;
        }
        p++;
    }
    return end;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p == end)
        return end;
    if (*p == '"')
        return skip_string(p, end);
    if (*p == '{' || *p == '[')
        return skip_nested(p, end);
    while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\n')
        p++;
    return p;
}

static const char *skip_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* The next member's key; at is then where its value begins. */
static bool next_key(struct str object, size_t *at, struct str *ret_key)
{
    const char *end = object.p + object.n;
    const char *p = skip_blank(object.p + *at, end);
    if (p < end && (*p == ',' || (*at == 0 && *p == '{')))
        p = skip_blank(p + 1, end);
    if (p >= end || *p != '"')
        return false;
    const char *key_end = skip_string(p, end);
    *ret_key = (struct str){p + 1, (size_t)(key_end - p) - (key_end[-1] == '"' ? 2 : 1)};
    p = skip_blank(key_end, end);
    if (p >= end || *p != ':')
        return false;
    *at = (size_t)(skip_blank(p + 1, end) - object.p);
    return true;
}

static struct str value_at(struct str object, size_t at)
{
    const char *p = object.p + at;
    return (struct str){p, (size_t)(skip_value(p, object.p + object.n) - p)};
}

bool raw_next(struct str object, size_t *at, struct str *ret_key, struct str *ret_raw)
{
    if (!next_key(object, at, ret_key))
        return false;
    *ret_raw = value_at(object, *at);
    *at += ret_raw->n;
    return true;
}

/* Where the member's value begins; what follows it is still there. */
static struct str enter(struct str object, struct str want)
{
    struct str key;
    for (size_t at = 0; next_key(object, &at, &key); at += value_at(object, at).n)
        if (str_eq(key, want))
            return str_from(object, at);
    return (struct str){0};
}

struct str raw_member(struct str object, const char *key)
{
    struct str found = enter(object, str_of(key));
    return found.p ? value_at(found, 0) : found;
}

struct str raw_at(struct str object, struct str dotted)
{
    struct str field;
    while (object.p && str_next(&dotted, '.', &field))
        object = enter(object, field);
    return object.p ? value_at(object, 0) : object;
}

struct str raw_path(struct str object, const char *dotted)
{
    return raw_at(object, str_of(dotted));
}

struct str raw_text(struct str raw)
{
    if (raw.n < 2 || raw.p[0] != '"' || raw.p[raw.n - 1] != '"' || memchr(raw.p, '\\', raw.n))
        return (struct str){0};
    return (struct str){raw.p + 1, raw.n - 2};
}

void raw_put_revision(struct str object, int64_t revision, struct buf *b)
{
    struct str old = raw_path(object, "metadata.resourceVersion");
    if (!old.p) {
        buf_put(b, object);
        return;
    }
    size_t before = (size_t)(old.p - object.p);
    buf_reserve(b, object.n + 24);
    buf_append(b, object.p, before);
    buf_putc(b, '"');
    buf_put_i64(b, revision);
    buf_putc(b, '"');
    buf_put(b, str_from(object, before + old.n));
}
