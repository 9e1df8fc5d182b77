/* func_url.c: sprig's urlParse and urlJoin, which are Go's net/url. */
#include <arpa/inet.h>
#include <netdb.h>

#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "template/gofmt.h"

/* What may stand unescaped in a part of a URL, besides letters, digits and -._~ */
static const char path_marks[] = "$&+,/:;=@";
static const char host_marks[] = "!\"$&'()*+,:;<=>[]";
static const char user_marks[] = "$&+,;=";
static const char fragment_marks[] = "!$&()*+,/:;=?@";

struct go_url {
    struct str scheme, opaque, host, query;
    struct str path, raw_path; /* raw: as it was written, when that is not the usual escaping */
    struct str fragment, raw_fragment;
    bool has_user, has_password, force_query, omit_host;
    struct str user, password;
};

struct parser {
    struct tmpl_exec *x;
    struct str error;
};

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static bool may_stand(char c, const char *marks)
{
    if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return true;
    return c != 0 && (strchr("-._~", c) || strchr(marks, c));
}

static void escape(struct buf *b, struct str s, const char *marks)
{
    for (size_t i = 0; i < s.n; i++) {
        if (may_stand(s.p[i], marks))
            buf_putc(b, s.p[i]);
        else
            buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
    }
}

static int fail(struct parser *p, const char *before, struct str quoted, const char *after)
{
    struct buf b = {0};
    buf_puts(&b, before);
    if (quoted.p)
        gofmt_quote(&b, quoted, false);
    buf_puts(&b, after);
    p->error = arena_dup(tmpl_arena(p->x), buf_str(&b));
    buf_done(&b);
    return -1;
}

/* zone: the rest of an address behind %25. */
static int unescape(struct parser *p, struct str s, const char *marks, bool zone, struct str *ret)
{
    bool host = marks == host_marks;
    char *out = arena_alloc(tmpl_arena(p->x), s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c != '%') {
            if (host && (unsigned char)c < 0x80 && !may_stand(c, marks))
                return fail(p, "invalid character ", (struct str){s.p + i, 1}, " in host name");
            out[n++] = c;
            continue;
        }
        struct str code = str_head(str_from(s, i), 3);
        if (code.n < 3 || !is_hex(code.p[1]) || !is_hex(code.p[2]))
            return fail(p, "invalid URL escape ", code, "");
        char v = (char)(hex_value(code.p[1]) << 4 | hex_value(code.p[2]));
        bool percent = str_is(code, "%25");
        if (host && !zone && (unsigned char)v < 0x80 && !percent)
            return fail(p, "invalid URL escape ", code, "");
        if (zone && !percent && v != ' ' && !may_stand(v, marks))
            return fail(p, "invalid URL escape ", code, "");
        out[n++] = v;
        i += 2;
    }
    *ret = (struct str){out, n};
    return 0;
}

/* Unescapes into *ret; *ret_raw keeps the text when escaping would not give it back. */
static int set_escaped(struct parser *p, struct str s, const char *marks, struct str *ret,
                       struct str *ret_raw)
{
    if (unescape(p, s, marks, false, ret) < 0)
        return -1;
    struct buf b = {0};
    escape(&b, *ret, marks);
    *ret_raw = str_eq(buf_str(&b), s) ? (struct str){0} : s;
    buf_done(&b);
    return 0;
}

static bool is_port(struct str s)
{
    if (s.n > 0 && s.p[0] != ':')
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

/* [2001:db8::1%25eth0]:80 */
static int parse_literal(struct parser *p, struct str host, struct str *ret)
{
    const char *end = memrchr(host.p, ']', host.n);
    if (end == NULL)
        return fail(p, "missing ']' in host", (struct str){0}, "");
    struct str port = str_from(host, (size_t)(end - host.p) + 1);
    struct str name = {host.p + 1, (size_t)(end - host.p) - 1}, zone = {0}, address;
    if (!is_port(port))
        return fail(p, "invalid port ", port, " after host");
    ssize_t at = str_find(name, STR("%25"));
    if (at >= 0) {
        zone = str_from(name, (size_t)at);
        name = str_head(name, (size_t)at);
    }
    if (unescape(p, name, host_marks, false, &address) < 0 ||
        unescape(p, zone, host_marks, true, &zone) < 0)
        return -1;
    struct str whole = arena_printf(tmpl_arena(p->x), "%.*s%.*s", STR_ARG(address), STR_ARG(zone));
    struct in6_addr six;
    struct in_addr four;
    const char *z = arena_z(tmpl_arena(p->x), address);
    if (zone.n == 0 && inet_pton(AF_INET, z, &four) == 1)
        return fail(p, "invalid IP-literal", (struct str){0}, "");
    if (inet_pton(AF_INET6, z, &six) != 1)
        return fail(p, "invalid host: ParseAddr(", whole, "): unable to parse IP");
    *ret = arena_printf(tmpl_arena(p->x), "[%.*s]%.*s", STR_ARG(whole), STR_ARG(port));
    return 0;
}

static int parse_host(struct parser *p, struct str scheme, struct str host, struct str *ret)
{
    const char *bracket = host.n ? memrchr(host.p, '[', host.n) : NULL;
    if (bracket && bracket > host.p)
        return fail(p, "invalid IP-literal", (struct str){0}, "");
    if (bracket)
        return parse_literal(p, host, ret);
    ssize_t colon = str_find_char(host, ':');
    if (colon >= 0) {
        /* Lists of hosts, as databases have them, may hold more colons; HTTP's may not. */
        if (!str_is(scheme, "http") && !str_is(scheme, "https"))
            colon = (const char *)memrchr(host.p, ':', host.n) - host.p;
        struct str port = str_from(host, (size_t)colon);
        if (!is_port(port))
            return fail(p, "invalid port ", port, " after host");
    }
    return unescape(p, host, host_marks, false, ret);
}

static int parse_authority(struct parser *p, struct str s, struct go_url *u)
{
    const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;
    if (at == NULL)
        return parse_host(p, u->scheme, s, &u->host);
    struct str info = str_head(s, (size_t)(at - s.p)), password;
    if (parse_host(p, u->scheme, str_from(s, info.n + 1), &u->host) < 0)
        return -1;
    for (size_t i = 0; i < info.n; i++)
        if (!may_stand(info.p[i], ":!$&'()*+,;=%@"))
            return fail(p, "net/url: invalid userinfo", (struct str){0}, "");
    u->has_user = true;
    u->has_password = str_cut(info, ':', &info, &password);
    if (unescape(p, info, user_marks, false, &u->user) < 0)
        return -1;
    return u->has_password ? unescape(p, password, user_marks, false, &u->password) : 0;
}

/* -1: the text begins with a colon. */
static int parse_scheme(struct parser *p, struct str s, struct go_url *u, struct str *rest)
{
    *rest = s;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (c == ':' && i == 0)
            return fail(p, "missing protocol scheme", (struct str){0}, "");
        if (c == ':') {
            char *lower = arena_z(tmpl_arena(p->x), str_head(s, i));
            for (size_t j = 0; j < i; j++)
                lower[j] = (char)(lower[j] >= 'A' && lower[j] <= 'Z' ? lower[j] | 0x20 : lower[j]);
            u->scheme = (struct str){lower, i};
            *rest = str_from(s, i + 1);
            return 0;
        }
        if (!letter && !(later && i > 0))
            return 0;
    }
    return 0;
}

static int parse_reference(struct parser *p, struct str s, struct go_url *u)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7F)
            return fail(p, "net/url: invalid control character in URL", (struct str){0}, "");
    if (str_is(s, "*")) {
        u->path = s;
        return 0;
    }
    struct str rest, segment, tail;
    if (parse_scheme(p, s, u, &rest) < 0)
        return -1;
    bool queried = str_cut(rest, '?', &rest, &u->query);
    u->force_query = queried && u->query.n == 0;
    if (!str_starts(rest, STR("/"))) {
        if (u->scheme.n > 0) {
            u->opaque = rest;
            return 0;
        }
        str_cut(rest, '/', &segment, &tail);
        if (str_find_char(segment, ':') >= 0)
            return fail(p, "first path segment in URL cannot contain colon", (struct str){0}, "");
    }
    bool authority =
        str_starts(rest, STR("//")) && (u->scheme.n > 0 || !str_starts(rest, STR("///")));
    if (authority) {
        struct str whole = str_from(rest, 2);
        ssize_t slash = str_find_char(whole, '/');
        rest = slash < 0 ? (struct str){0} : str_from(whole, (size_t)slash);
        if (parse_authority(p, slash < 0 ? whole : str_head(whole, (size_t)slash), u) < 0)
            return -1;
    } else {
        u->omit_host = u->scheme.n > 0 && str_starts(rest, STR("/"));
    }
    return set_escaped(p, rest, path_marks, &u->path, &u->raw_path);
}

/* url.Parse; on failure p->error is the whole text, `parse "…": …`. */
static int parse_url(struct parser *p, struct str s, struct go_url *u)
{
    struct str without, fragment, shown;
    *u = (struct go_url){0};
    bool has_fragment = str_cut(s, '#', &without, &fragment) && fragment.n > 0;
    shown = without;
    int status = parse_reference(p, without, u);
    if (status == 0 && has_fragment) {
        shown = s;
        status = set_escaped(p, fragment, fragment_marks, &u->fragment, &u->raw_fragment);
    }
    if (status < 0)
        fail(p, "parse ", shown.p ? shown : STR(""),
             arena_printf(tmpl_arena(p->x), ": %.*s", STR_ARG(p->error)).p);
    return status;
}

/* A raw text stands when nothing in it needs escaping; it is known to mean the same. */
static void put_escaped(struct buf *b, struct str s, struct str raw, const char *marks)
{
    bool valid = raw.n > 0;
    for (size_t i = 0; i < raw.n && valid; i++)
        valid = may_stand(raw.p[i], marks) || (raw.p[i] && strchr("!$&'()*+,;=:@[]%", raw.p[i]));
    if (valid)
        buf_put(b, raw);
    else
        escape(b, s, marks);
}

static void put_user(struct buf *b, const struct go_url *u)
{
    escape(b, u->user, user_marks);
    if (u->has_password) {
        buf_putc(b, ':');
        escape(b, u->password, user_marks);
    }
}

static void put_url(struct buf *b, const struct go_url *u)
{
    if (u->scheme.n > 0) {
        buf_put(b, u->scheme);
        buf_putc(b, ':');
    }
    if (u->opaque.n > 0) {
        buf_put(b, u->opaque);
    } else {
        bool any = u->host.n > 0 || u->has_user;
        if (any || (u->scheme.n > 0 && !u->omit_host && u->path.n > 0))
            buf_puts(b, "//");
        if (u->has_user) {
            put_user(b, u);
            buf_putc(b, '@');
        }
        escape(b, u->host, host_marks);
        if (u->path.n > 0 && u->path.p[0] != '/' && u->host.n > 0)
            buf_putc(b, '/');
        struct str segment, tail;
        str_cut(u->path, '/', &segment, &tail);
        if (b->n == 0 && str_find_char(segment, ':') >= 0)
            buf_puts(b, "./");
        if (str_is(u->path, "*"))
            buf_putc(b, '*');
        else
            put_escaped(b, u->path, u->raw_path, path_marks);
    }
    if (u->force_query || u->query.n > 0) {
        buf_putc(b, '?');
        buf_put(b, u->query);
    }
    if (u->fragment.n > 0) {
        buf_putc(b, '#');
        put_escaped(b, u->fragment, u->raw_fragment, fragment_marks);
    }
}

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

/* The host without port and brackets. */
static struct str host_name(struct str host)
{
    const char *colon = host.n ? memrchr(host.p, ':', host.n) : NULL;
    if (colon && is_port(str_from(host, (size_t)(colon - host.p))))
        host.n = (size_t)(colon - host.p);
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct str){host.p + 1, host.n - 2};
    return host;
}

FN(url_parse)
{
    struct parser p = {.x = x};
    struct go_url u;
    (void)n;
    if (parse_url(&p, value_text(args[0]), &u) < 0)
        return tmpl_fail(x, "unable to parse url: %.*s", STR_ARG(p.error));
    struct buf b = {0};
    if (u.has_user)
        put_user(&b, &u);
    *ret = value_map_new(tmpl_arena(x), &type_map);
    vmap_set(ret->map, STR("fragment"), value_str(u.fragment));
    vmap_set(ret->map, STR("host"), value_str(u.host));
    vmap_set(ret->map, STR("hostname"), value_str(host_name(u.host)));
    vmap_set(ret->map, STR("opaque"), value_str(u.opaque));
    vmap_set(ret->map, STR("path"), value_str(u.path));
    vmap_set(ret->map, STR("query"), value_str(u.query));
    vmap_set(ret->map, STR("scheme"), value_str(u.scheme));
    vmap_set(ret->map, STR("userinfo"), func_take(x, &b));
    return 0;
}

static int get_text(struct tmpl_exec *x, struct value dict, const char *key, struct str *ret)
{
    const struct value *v = vmap_get(dict.map, str_of(key));
    *ret = (struct str){0};
    if (v == NULL)
        return 0;
    if (func_is_nil(*v))
        return func_fail_nil(x);
    if (value_kind(*v) != KIND_STRING)
        return tmpl_fail(x, "unable to parse %s key, must be of type string, but %s found", key,
                         gokind_name(value_kind(*v)));
    *ret = value_text(*v);
    return 0;
}

FN(url_join)
{
    struct go_url u = {0}, of_user = {0};
    struct str user;
    (void)n;
    if (get_text(x, args[0], "scheme", &u.scheme) < 0 ||
        get_text(x, args[0], "host", &u.host) < 0 || get_text(x, args[0], "path", &u.path) < 0 ||
        get_text(x, args[0], "query", &u.query) < 0 ||
        get_text(x, args[0], "opaque", &u.opaque) < 0 ||
        get_text(x, args[0], "fragment", &u.fragment) < 0 ||
        get_text(x, args[0], "userinfo", &user) < 0)
        return -1;
    if (user.n > 0) {
        struct parser p = {.x = x};
        struct str text = arena_printf(tmpl_arena(x), "proto://%.*s@host", STR_ARG(user));
        if (parse_url(&p, text, &of_user) < 0)
            return tmpl_fail(x, "unable to parse userinfo in dict: %.*s", STR_ARG(p.error));
        u.has_user = of_user.has_user;
        u.has_password = of_user.has_password;
        u.user = of_user.user;
        u.password = of_user.password;
    }
    struct buf b = {0};
    put_url(&b, &u);
    return func_take_spent(x, &b, ret);
}

/* Looking names up is off, as in Helm without --enable-dns. */
FN(get_host_by_name)
{
    (void)x, (void)args, (void)n;
    *ret = value_str(STR(""));
    return 0;
}

/* --enable-dns. Go picks any address; one that is not there is a panic of its rand. */
FN(look_up_host)
{
    (void)n;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char text[INET6_ADDRSTRLEN];
    const char *name = arena_z(tmpl_arena(x), value_text(args[0]));
    if (getaddrinfo(name, NULL, &hints, &found) != 0 || !found)
        return tmpl_fail(x, "invalid argument to Intn");
    int failed =
        getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    if (failed)
        return tmpl_fail(x, "invalid argument to Intn");
    *ret = tmpl_str(x, str_of(text));
    return 0;
}

const struct func func_dns[] = {
    {"getHostByName", look_up_host, {&type_string}, &type_string},
    {0},
};

const struct func func_urls[] = {
    {"getHostByName", get_host_by_name, {&type_string}, &type_string},
    {"urlJoin", url_join, {&type_map}, &type_string},
    {"urlParse", url_parse, {&type_string}, &type_map},
    {0},
};
