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

/* --- addresses --- */

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && (i == 0 || !other))
            return false;
    }
    return s.n > 0;
}

/* "host:port", "[::1]:port" */
static bool split_authority(struct url *u)
{
    struct str host = u->authority, port = {0};
    if (str_starts(host, STR("["))) {
        ssize_t end = str_find_char(host, ']');
        if (end < 2)
            return false;
        port = str_from(host, (size_t)end + 1);
        host = str_head(str_from(host, 1), (size_t)end - 1);
        if (port.n && port.p[0] != ':')
            return false;
        port = str_from(port, 1);
    } else {
        str_cut(u->authority, ':', &host, &port);
    }
    uint64_t number = 0;
    if (port.n && (!str_to_u64(port, &number) || number > 65535))
        return false;
    u->host = host;
    u->port = (int)number;
    return host.n > 0;
}

bool url_split(struct str text, struct url *ret)
{
    struct url u = {0};
    struct str rest, user, tail;
    ssize_t at = str_find(text, STR("://"));
    if (at <= 0 || !is_scheme(str_head(text, (size_t)at)))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f)
            return false;
    u.scheme = str_head(text, (size_t)at);
    str_cut(str_from(text, (size_t)at + 3), '#', &rest, &tail);
    u.has_query = str_cut(rest, '?', &rest, &u.query);
    ssize_t slash = str_find_char(rest, '/');
    u.authority = slash < 0 ? rest : str_head(rest, (size_t)slash);
    u.path = slash < 0 ? (struct str){0} : str_from(rest, (size_t)slash);
    for (size_t i = u.authority.n; i-- > 0;)
        if (u.authority.p[i] == '@') {
            user = str_head(u.authority, i);
            str_cut(user, ':', &u.user, &u.password);
            u.authority = str_from(u.authority, i + 1);
            break;
        }
    if (!split_authority(&u))
        return false;
    *ret = u;
    return true;
}

int url_port(const struct url *u)
{
    if (u->port)
        return u->port;
    return str_is(u->scheme, "https") ? 443 : str_is(u->scheme, "http") ? 80 : 0;
}

/* Takes "." and ".." out of an absolute path. */
static struct str without_dots(struct arena *a, struct str path)
{
    char *p = arena_alloc(a, path.n + 2);
    size_t n = 0;
    struct str rest = str_from(path, 1), part;
    bool open = true; /* a slash or a name is still to come */
    while (open) {
        open = str_cut(rest, '/', &part, &rest);
        if (str_is(part, "..")) {
            while (n > 0 && p[--n] != '/')
                continue;
        } else if (!str_is(part, ".")) {
            p[n++] = '/';
            memcpy(p + n, part.p ? part.p : "", part.n);
            n += part.n;
            continue;
        }
        if (!open)
            p[n++] = '/';
    }
    return (struct str){p, n};
}

struct str url_resolve(struct arena *a, struct str base, struct str ref)
{
    struct url u;
    if (url_split(ref, &u) || !url_split(base, &u))
        return arena_dup(a, ref);
    str_cut(ref, '#', &ref, &(struct str){0});
    if (str_starts(ref, STR("//")))
        return arena_printf(a, "%.*s:%.*s", STR_ARG(u.scheme), STR_ARG(ref));
    size_t head = (size_t)(u.authority.p + u.authority.n - base.p);
    struct str path, query;
    bool has_query = str_cut(ref, '?', &path, &query);
    if (!path.n) {
        path = u.path;
        query = has_query ? query : u.query;
        has_query = has_query || u.has_query;
    } else if (path.p[0] != '/') {
        size_t keep = u.path.n;
        while (keep > 0 && u.path.p[keep - 1] != '/')
            keep--;
        path = arena_printf(a, "%s%.*s%.*s", keep ? "" : "/", (int)keep, u.path.p ? u.path.p : "",
                            STR_ARG(path));
    }
    if (path.n)
        path = without_dots(a, path);
    return arena_printf(a, "%.*s%.*s%s%.*s", (int)head, base.p, STR_ARG(path), has_query ? "?" : "",
                        STR_ARG(query));
}
