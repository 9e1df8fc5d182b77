/* The url library: URLs as Go's net/url takes them apart. */
#include <ctype.h>

#include "cel/functions.h"
#include "cel/kube.h"
#include "cel/text.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)
#define UNUSED (void)ev, (void)n

/* The parts as they are written. */
struct parts {
    struct str scheme, authority, path, query;
    bool has_authority, opaque;
};

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c);
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static bool wrong(struct buf *b, const char *before, struct str about, const char *behind)
{
    buf_puts(b, before);
    cel_quote_go(about, b);
    buf_puts(b, behind);
    return false;
}

/* Percent signs have to begin an escape. */
static bool check_escapes(struct str s, struct buf *problem)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%')
            continue;
        if (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
            return wrong(problem, "invalid URL escape ", str_head(str_from(s, i), 3), "");
        i += 2;
    }
    return true;
}

/* *ret_rest is what stands behind the colon, or all of it. */
static bool cut_scheme(struct str s, struct str *ret, struct str *ret_rest, struct buf *problem)
{
    *ret = (struct str){0};
    *ret_rest = s;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (isalpha((unsigned char)c))
            continue;
        if (c == ':' && i == 0) {
            buf_puts(problem, "missing protocol scheme");
            return false;
        }
        if (c == ':') {
            *ret = str_head(s, i);
            *ret_rest = str_from(s, i + 1);
        }
        if (i == 0 || (!isdigit((unsigned char)c) && !strchr("+-.", c)) || !c)
            return true;
    }
    return true;
}

static bool check_port(struct str host, struct buf *problem)
{
    size_t begin = 0;
    ssize_t colon = -1;
    if (host.n > 0 && host.p[0] == '[') {
        ssize_t end = str_find_char(host, ']');
        if (end < 0) {
            buf_puts(problem, "missing ']' in host");
            return false;
        }
        begin = (size_t)end + 1;
        colon = begin < host.n ? (ssize_t)begin : -1;
    } else {
        for (size_t i = 0; i < host.n; i++)
            if (host.p[i] == ':')
                colon = (ssize_t)i;
    }
    if (colon < 0)
        return true;
    struct str port = str_from(host, (size_t)colon);
    bool ok = port.p[0] == ':';
    for (size_t i = 1; i < port.n; i++)
        ok = ok && isdigit((unsigned char)port.p[i]);
    return ok || wrong(problem, "invalid port ", port, " after host");
}

static bool check_host(struct str host, struct buf *problem)
{
    if (!check_port(host, problem))
        return false;
    for (size_t i = 0; i < host.n; i++) {
        struct str from = str_from(host, i);
        unsigned char c = (unsigned char)host.p[i];
        if (c == '%' && (from.n < 3 || !is_hex(from.p[1]) || !is_hex(from.p[2]) ||
                         (hex_value(from.p[1]) < 8 && !str_starts(from, STR("%25")))))
            return wrong(problem, "invalid URL escape ", str_head(from, 3), "");
        if (c < 0x80 && c != '%' && !isalnum(c) && !strchr("-_.~!$&'()*+,;=:[]<>\"", c))
            return wrong(problem, "invalid character ", str_head(from, 1), " in host name");
    }
    return true;
}

static bool check_authority(struct str s, struct str *ret_host, struct buf *problem)
{
    ssize_t at = -1;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '@')
            at = (ssize_t)i;
    *ret_host = str_from(s, (size_t)(at + 1));
    if (!check_host(*ret_host, problem))
        return false;
    struct str user = str_head(s, at < 0 ? 0 : (size_t)at);
    for (size_t i = 0; i < user.n; i++) {
        if (isalnum((unsigned char)user.p[i]) ||
            (user.p[i] && strchr("-._:~!$&'()*+,;=%@", user.p[i])))
            continue;
        buf_puts(problem, "net/url: invalid userinfo");
        return false;
    }
    return check_escapes(user, problem);
}

/* What url.Parse does, or, `request`, url.ParseRequestURI. */
static bool parse_url(struct str s, bool request, struct parts *ret, struct buf *problem)
{
    struct str rest, host;
    *ret = (struct parts){0};
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            buf_puts(problem, "net/url: invalid control character in URL");
            return false;
        }
    }
    if (s.n == 0 && request) {
        buf_puts(problem, "empty url");
        return false;
    }
    ret->path = s;
    if (str_is(s, "*"))
        return true;
    if (!cut_scheme(s, &ret->scheme, &rest, problem))
        return false;
    str_cut(rest, '?', &rest, &ret->query);
    if (!str_starts(rest, STR("/"))) {
        ret->path = (struct str){0};
        ret->opaque = ret->scheme.n > 0;
        if (ret->opaque)
            return true;
        if (request) {
            buf_puts(problem, "invalid URI for request");
            return false;
        }
        struct str segment, tail;
        str_cut(rest, '/', &segment, &tail);
        if (str_find_char(segment, ':') >= 0) {
            buf_puts(problem, "first path segment in URL cannot contain colon");
            return false;
        }
    }
    if ((ret->scheme.n > 0 || (!request && !str_starts(rest, STR("///")))) &&
        str_starts(rest, STR("//"))) {
        rest = str_from(rest, 2);
        ssize_t slash = str_find_char(rest, '/');
        struct str authority = slash < 0 ? rest : str_head(rest, (size_t)slash);
        rest = str_from(rest, authority.n);
        if (!check_authority(authority, &host, problem))
            return false;
        ret->authority = host;
    }
    ret->path = rest;
    return check_escapes(rest, problem);
}

bool cel_url_is_request_uri(struct str s, struct buf *ret_problem)
{
    struct parts parts;
    struct buf why = {0};
    bool ok = parse_url(s, true, &parts, &why);
    if (!ok && ret_problem) {
        wrong(ret_problem, "parse ", s, ": ");
        buf_put(ret_problem, buf_str(&why));
    }
    buf_done(&why);
    return ok;
}

static struct str unescape(struct eval *ev, struct str s, bool plus)
{
    char *p = arena_alloc(ev->a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && is_hex(s.p[i + 1]) && is_hex(s.p[i + 2])) {
            p[n++] = (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2]));
            i += 2;
        } else {
            p[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    p[n] = 0;
    return (struct str){p, n};
}

/* The path as it is when all of its characters may stand there, else escaped anew. */
static struct str escape_path(struct eval *ev, struct str path)
{
    bool valid = true;
    for (size_t i = 0; i < path.n; i++)
        valid = valid && (isalnum((unsigned char)path.p[i]) ||
                          (path.p[i] && strchr("-_.~!$&'()*+,;=:@[]%/", path.p[i])));
    if (valid)
        return path;
    struct buf b = {0};
    path = unescape(ev, path, false);
    for (size_t i = 0; i < path.n; i++) {
        unsigned char c = (unsigned char)path.p[i];
        if (c < 0x80 && (isalnum(c) || (c && strchr("-_.~$&+,/:;=@", c))))
            buf_putc(&b, (char)c);
        else
            buf_printf(&b, "%%%02X", c);
    }
    return cel_text(ev, &b).s;
}

static void split_host(struct cel_url *u)
{
    struct str host = u->host;
    ssize_t colon = -1;
    size_t bracket = host.n && host.p[0] == '[' ? (size_t)(str_find_char(host, ']') + 1) : 0;
    for (size_t i = bracket; i < host.n; i++)
        if (host.p[i] == ':')
            colon = (ssize_t)i;
    if (colon >= 0)
        u->port = str_from(host, (size_t)colon + 1);
    u->hostname = colon >= 0 ? str_head(host, (size_t)colon) : host;
    if (bracket > 1)
        u->hostname = (struct str){host.p + 1, bracket - 2};
}

static struct str lower(struct eval *ev, struct str s)
{
    char *p = arena_z(ev->a, s);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (char)tolower((unsigned char)p[i]);
    return (struct str){p, s.n};
}

FN(cel_fn_url)
{
    UNUSED;
    struct buf problem = {0};
    struct parts parts;
    struct str s = args[0].s, fragment;
    if (!cel_url_is_request_uri(s, &problem)) {
        struct cel_value v =
            cel_error(ev, "URL parse error during conversion from string: %s", buf_z(&problem));
        buf_done(&problem);
        return v;
    }
    struct str before;
    str_cut(s, '#', &before, &fragment);
    if (!parse_url(before, false, &parts, &problem) || !check_escapes(fragment, &problem)) {
        struct buf text = {0};
        wrong(&text, "URL parse error during conversion from string: parse ", s, ": ");
        buf_put(&text, buf_str(&problem));
        buf_done(&problem);
        struct cel_value v = cel_text(ev, &text);
        v.kind = CEL_ERROR;
        return v;
    }
    struct cel_url *u = ARENA_NEW(ev->a, struct cel_url);
    u->text = s;
    u->scheme = lower(ev, parts.scheme);
    u->host = unescape(ev, parts.authority, false);
    u->path = escape_path(ev, parts.path);
    u->query = parts.query;
    split_host(u);
    return (struct cel_value){.kind = CEL_URL, .url = u};
}

FN(cel_fn_is_url)
{
    UNUSED;
    return cel_bool(cel_url_is_request_uri(args[0].s, NULL));
}

FN(cel_fn_get_scheme)
{
    UNUSED;
    return cel_string(args[0].url->scheme);
}

FN(cel_fn_get_host)
{
    UNUSED;
    return cel_string(args[0].url->host);
}

FN(cel_fn_get_hostname)
{
    UNUSED;
    return cel_string(args[0].url->hostname);
}

FN(cel_fn_get_port)
{
    UNUSED;
    return cel_string(args[0].url->port);
}

FN(cel_fn_get_escaped_path)
{
    UNUSED;
    return cel_string(args[0].url->path);
}

FN(cel_fn_get_query)
{
    UNUSED;
    struct cel_value out = cel_map_new(ev, 0), list;
    struct str rest = args[0].url->query, pair, key, value;
    struct buf ignored = {0};
    while (str_next(&rest, '&', &pair)) {
        str_cut(pair, '=', &key, &value);
        if (pair.n == 0 || str_find_char(pair, ';') >= 0 || !check_escapes(pair, &ignored))
            continue;
        struct cel_value name = cel_string(unescape(ev, key, true));
        if (!cel_map_find(ev, out.map, name, &list)) {
            list = cel_list_new(ev, 0);
            cel_map_put(ev, out, name, list);
        }
        cel_list_push(ev, list, cel_string(unescape(ev, value, true)));
    }
    buf_done(&ignored);
    return out;
}
