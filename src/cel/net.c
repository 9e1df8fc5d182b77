/* The ip and cidr libraries, in the words of Go's net/netip. */
#include <ctype.h>

#include "cel/formats.h"
#include "cel/functions.h"
#include "cel/kube.h"
#include "cel/text.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)
#define UNUSED (void)ev, (void)n

uint64_t cel_kube_ip_size(struct cel_value v)
{
    return v.kind == CEL_CIDR ? (v.ip->prefix + 7u) / 8 : v.ip->v6 ? 16 : 4;
}

/* --- texts --- */
static void write_v6(const unsigned char *bytes, struct buf *b)
{
    int groups[8], best = -1, best_n = 1;
    for (int i = 0; i < 8; i++)
        groups[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
    for (int i = 0; i < 8; i++) {
        int k = i;
        while (k < 8 && groups[k] == 0)
            k++;
        if (k - i > best_n) {
            best = i;
            best_n = k - i;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            buf_puts(b, "::");
            i += best_n - 1;
            continue;
        }
        if (i > 0 && i != best + best_n)
            buf_putc(b, ':');
        else if (i > 0 && best < 0)
            buf_putc(b, ':');
        buf_printf(b, "%x", (unsigned)groups[i]);
    }
}

void cel_kube_ip_write(struct cel_value v, struct buf *b)
{
    const unsigned char *p = v.ip->bytes;
    if (v.ip->v6)
        write_v6(p, b);
    else
        buf_printf(b, "%d.%d.%d.%d", p[0], p[1], p[2], p[3]);
    if (v.kind == CEL_CIDR)
        buf_printf(b, "/%d", v.ip->prefix);
}

/* What is wrong with a text of the dotted form, and where; NULL: nothing. */
static const char *parse_v4(struct str s, unsigned char *ret, struct str *ret_at)
{
    int value = 0, fields = 0, digits = 0;
    *ret_at = (struct str){0};
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c >= '0' && c <= '9') {
            if (digits == 1 && value == 0)
                return "IPv4 field has octet with leading zero";
            value = value * 10 + (c - '0');
            digits++;
            if (value > 255)
                return "IPv4 field has value >255";
        } else if (c == '.') {
            if (i == 0 || i == s.n - 1 || s.p[i - 1] == '.') {
                *ret_at = str_from(s, i);
                return "IPv4 field must have at least one digit";
            }
            if (fields == 3)
                return "IPv4 address too long";
            ret[fields++] = (unsigned char)value;
            value = digits = 0;
        } else {
            *ret_at = str_from(s, i);
            return "unexpected character";
        }
    }
    if (fields < 3)
        return "IPv4 address too short";
    ret[3] = (unsigned char)value;
    return NULL;
}

/* One group of hexadecimal digits at the front of s, and how long it is. */
static const char *parse_group(struct str s, unsigned *ret, size_t *ret_n)
{
    *ret = 0;
    for (*ret_n = 0; *ret_n < s.n && isxdigit((unsigned char)s.p[*ret_n]); ++*ret_n) {
        char c = s.p[*ret_n];
        *ret = *ret << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        if (*ret_n > 3)
            return "each group must have 4 or less digits";
    }
    return *ret_n ? NULL : "each colon-separated field must have at least one digit";
}

/* Four bytes in the dotted form at the end of an address whose first `i` bytes are there. */
static const char *parse_tail(struct str s, int i, bool gap, unsigned char *ret, struct str *ret_at)
{
    if (!gap && i != 12)
        return "embedded IPv4 address must replace the final 2 fields of the address";
    if (i + 4 > 16)
        return "too many hex fields to fit an embedded IPv4 at the end of the address";
    return parse_v4(s, ret + i, ret_at);
}

/* Moves what stands behind the gap to the end. */
static void spread(unsigned char *bytes, int gap, int n)
{
    memmove(bytes + gap + (16 - n), bytes + gap, (size_t)(n - gap));
    memset(bytes + gap, 0, (size_t)(16 - n));
}

static const char *parse_v6(struct str s, unsigned char *ret, struct str *ret_at)
{
    int gap = -1, i = 0;
    *ret_at = (struct str){0};
    if (str_starts(s, STR("::"))) {
        gap = 0;
        s = str_from(s, 2);
    }
    while (s.n > 0 && i < 16) {
        unsigned group;
        size_t n;
        *ret_at = s;
        const char *problem = parse_group(s, &group, &n);
        if (problem)
            return problem;
        if (n < s.n && s.p[n] == '.') {
            problem = parse_tail(s, i, gap >= 0, ret, ret_at);
            i += 4;
            s.n = 0;
            if (problem)
                return problem;
            break;
        }
        ret[i++] = (unsigned char)(group >> 8);
        ret[i++] = (unsigned char)group;
        s = str_from(s, n);
        *ret_at = s;
        if (s.n == 0)
            break;
        if (s.p[0] != ':')
            return "unexpected character, want colon";
        if (s.n == 1)
            return "colon must be followed by more characters";
        s = str_from(s, 1);
        if (s.p[0] != ':')
            continue;
        *ret_at = s;
        if (gap >= 0)
            return "multiple :: in address";
        gap = i;
        s = str_from(s, 1);
    }
    *ret_at = s;
    if (s.n > 0)
        return "trailing garbage after address";
    if (i < 16 && gap < 0)
        return "address string too short";
    if (i == 16 && gap >= 0)
        return "the :: must expand to at least one field of zeros";
    if (i < 16)
        spread(ret, gap, i);
    return NULL;
}

/* False: the problem is in b, as netip.ParseAddr words it. */
static bool parse_address(struct str s, struct cel_ip *ret, struct buf *b)
{
    struct str at = {0};
    const char *problem = "unable to parse IP";
    *ret = (struct cel_ip){0};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') {
            problem = parse_v4(s, ret->bytes, &at);
            break;
        }
        if (s.p[i] == ':') {
            ssize_t zone = str_find_char(s, '%');
            if (zone + 1 == (ssize_t)s.n)
                problem = "zone must be a non-empty string";
            else
                problem = parse_v6(zone > 0 ? str_head(s, (size_t)zone) : s, ret->bytes, &at);
            ret->v6 = true;
            break;
        }
        if (s.p[i] == '%') {
            problem = "missing IPv6 address";
            break;
        }
    }
    if (!problem)
        return true;
    buf_puts(b, "ParseAddr(");
    cel_quote_go(s, b);
    buf_printf(b, "): %s", problem);
    if (at.n > 0) {
        buf_puts(b, " (at ");
        cel_quote_go(at, b);
        buf_putc(b, ')');
    }
    return false;
}

static bool is_mapped(const struct cel_ip *ip)
{
    static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};
    return ip->v6 && memcmp(ip->bytes, prefix, sizeof prefix) == 0;
}

static void put_quoted(const char *before, struct str s, const char *behind, struct buf *b)
{
    buf_puts(b, before);
    cel_quote_go(s, b);
    buf_puts(b, behind);
}

static bool parse_ip(struct str s, struct cel_ip *ret, struct buf *problem)
{
    struct buf why = {0};
    bool ok = parse_address(s, ret, &why);
    if (!ok) {
        put_quoted("IP Address ", s, " parse error during conversion from string: ", problem);
        buf_put(problem, buf_str(&why));
    } else if (str_find_char(s, '%') >= 0) {
        put_quoted("IP address ", s, " with zone value is not allowed", problem);
    } else if (is_mapped(ret)) {
        put_quoted("IPv4-mapped IPv6 address ", s, " is not allowed", problem);
    }
    buf_done(&why);
    return problem->n == 0;
}

/* netip.ParsePrefix. */
static bool parse_prefix(struct str s, struct cel_ip *ret, struct buf *problem)
{
    ssize_t slash = -1;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '/')
            slash = (ssize_t)i;
    struct buf why = {0};
    uint64_t bits = 0;
    if (slash < 0) {
        buf_puts(&why, "no '/'");
    } else {
        struct str address = str_head(s, (size_t)slash), tail = str_from(s, (size_t)slash + 1);
        bool plain = tail.n > 0 && tail.n < 4 && (tail.n == 1 || tail.p[0] != '0') &&
                     str_to_u64(tail, &bits);
        if (!parse_address(address, ret, &why)) {
        } else if (ret->v6 && str_find_char(address, '%') >= 0) {
            buf_puts(&why, "IPv6 zones cannot be present in a prefix");
        } else if (!plain) {
            put_quoted("bad bits after slash: ", tail, "", &why);
        } else if (bits > (ret->v6 ? 128 : 32)) {
            buf_puts(&why, "prefix length out of range");
        }
    }
    ret->prefix = (uint8_t)bits;
    bool ok = why.n == 0;
    if (!ok) {
        put_quoted("netip.ParsePrefix(", s, "): ", problem);
        buf_put(problem, buf_str(&why));
    }
    buf_done(&why);
    return ok;
}

static bool parse_cidr(struct str s, struct cel_ip *ret, struct buf *problem)
{
    static const char failed[] = "network address parse error during conversion from string: ";
    struct buf why = {0};
    bool ok = parse_prefix(s, ret, &why);
    if (!ok)
        buf_printf(problem, "%s%s%s", failed, failed, buf_z(&why));
    else if (is_mapped(ret)) {
        buf_puts(problem, failed);
        put_quoted("IPv4-mapped IPv6 address ", s, " is not allowed", problem);
        ok = false;
    }
    buf_done(&why);
    return ok;
}

static struct cel_value finish(struct eval *ev, enum cel_kind kind, const struct cel_ip *ip,
                               struct buf *problem)
{
    if (problem->n > 0) {
        struct cel_value v = cel_text(ev, problem);
        v.kind = CEL_ERROR;
        return v;
    }
    struct cel_ip *copy = ARENA_NEW(ev->a, struct cel_ip);
    *copy = *ip;
    return (struct cel_value){.kind = kind, .ip = copy};
}

/* --- functions --- */
FN(cel_fn_ip)
{
    UNUSED;
    struct cel_ip ip;
    struct buf problem = {0};
    parse_ip(args[0].s, &ip, &problem);
    return finish(ev, CEL_IP, &ip, &problem);
}

FN(cel_fn_is_ip)
{
    UNUSED;
    struct cel_ip ip;
    struct buf problem = {0};
    bool ok = parse_ip(args[0].s, &ip, &problem);
    buf_done(&problem);
    return cel_bool(ok);
}

FN(cel_fn_ip_canonical)
{
    struct cel_value ip = cel_fn_ip(ev, args, n);
    if (cel_is_error(ip))
        return ip;
    return cel_bool(str_eq(cel_to_string(ev, ip).s, args[0].s));
}

FN(cel_fn_cidr)
{
    UNUSED;
    struct cel_ip ip;
    struct buf problem = {0};
    parse_cidr(args[0].s, &ip, &problem);
    return finish(ev, CEL_CIDR, &ip, &problem);
}

FN(cel_fn_is_cidr)
{
    UNUSED;
    struct cel_ip ip;
    struct buf problem = {0};
    bool ok = parse_cidr(args[0].s, &ip, &problem);
    buf_done(&problem);
    return cel_bool(ok);
}

FN(cel_fn_ip_family)
{
    UNUSED;
    return cel_int(args[0].ip->v6 ? 6 : 4);
}

static bool starts_with(const struct cel_ip *ip, const unsigned char *prefix, int bits)
{
    for (int i = 0; i < bits; i++)
        if (((ip->bytes[i / 8] ^ prefix[i / 8]) >> (7 - i % 8)) & 1)
            return false;
    return true;
}

static const unsigned char zeros[16];

static bool is_unspecified(const struct cel_ip *ip)
{
    return starts_with(ip, zeros, ip->v6 ? 128 : 32);
}

static bool is_loopback(const struct cel_ip *ip)
{
    return ip->v6 ? starts_with(ip, zeros, 120) && ip->bytes[15] == 1 : ip->bytes[0] == 127;
}

static bool is_multicast(const struct cel_ip *ip)
{
    return ip->v6 ? ip->bytes[0] == 0xff : (ip->bytes[0] & 0xf0) == 0xe0;
}

static bool is_link_local(const struct cel_ip *ip)
{
    return ip->v6 ? ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80
                  : ip->bytes[0] == 169 && ip->bytes[1] == 254;
}

FN(cel_fn_is_unspecified)
{
    UNUSED;
    return cel_bool(is_unspecified(args[0].ip));
}

FN(cel_fn_is_loopback)
{
    UNUSED;
    return cel_bool(is_loopback(args[0].ip));
}

FN(cel_fn_is_link_local_multicast)
{
    UNUSED;
    const struct cel_ip *ip = args[0].ip;
    return cel_bool(ip->v6 ? ip->bytes[0] == 0xff && (ip->bytes[1] & 0x0f) == 2
                           : ip->bytes[0] == 224 && ip->bytes[1] == 0 && ip->bytes[2] == 0);
}

FN(cel_fn_is_link_local_unicast)
{
    UNUSED;
    return cel_bool(is_link_local(args[0].ip));
}

FN(cel_fn_is_global_unicast)
{
    UNUSED;
    static const unsigned char broadcast[] = {255, 255, 255, 255};
    const struct cel_ip *ip = args[0].ip;
    return cel_bool(!(!ip->v6 && starts_with(ip, broadcast, 32)) && !is_unspecified(ip) &&
                    !is_loopback(ip) && !is_multicast(ip) && !is_link_local(ip));
}

/* The second argument: an address or network, or its text. */
static struct cel_value other(struct eval *ev, struct cel_value v, cel_fn *read)
{
    return v.kind == CEL_STRING ? read(ev, &v, 1) : v;
}

FN(cel_fn_contains_ip)
{
    UNUSED;
    struct cel_value ip = other(ev, args[1], cel_fn_ip);
    if (cel_is_error(ip))
        return cel_no_overload();
    return cel_bool(ip.ip->v6 == args[0].ip->v6 &&
                    starts_with(args[0].ip, ip.ip->bytes, args[0].ip->prefix));
}

FN(cel_fn_contains_cidr)
{
    UNUSED;
    struct cel_value in = other(ev, args[1], cel_fn_cidr);
    if (cel_is_error(in))
        return in;
    return cel_bool(in.ip->v6 == args[0].ip->v6 && args[0].ip->prefix <= in.ip->prefix &&
                    starts_with(args[0].ip, in.ip->bytes, args[0].ip->prefix));
}

FN(cel_fn_cidr_ip)
{
    UNUSED;
    struct cel_ip ip = *args[0].ip;
    struct buf none = {0};
    ip.prefix = 0;
    return finish(ev, CEL_IP, &ip, &none);
}

FN(cel_fn_cidr_prefix)
{
    UNUSED;
    return cel_int(args[0].ip->prefix);
}

FN(cel_fn_cidr_masked)
{
    UNUSED;
    struct cel_ip ip = *args[0].ip;
    struct buf none = {0};
    for (int i = ip.prefix; i < 128; i++)
        ip.bytes[i / 8] &= (unsigned char)~(0x80 >> i % 8);
    return finish(ev, CEL_CIDR, &ip, &none);
}
