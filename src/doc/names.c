#include "doc/names.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#define LABEL "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define QUALIFIED "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
#define USED "regex used for validation is "

#define LABEL_TEXT                                                                                 \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "   \
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', " USED      \
    "'" LABEL "')"
#define SUBDOMAIN_TEXT                                                                             \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "   \
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', " USED        \
    "'" LABEL "(\\." LABEL ")*')"
#define DNS1035_TEXT                                                                               \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "   \
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "           \
    "'abc-123', " USED "'[a-z]([-a-z0-9]*[a-z0-9])?')"
#define WILDCARD_TEXT                                                                              \
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "      \
    "which must consist of lower case alphanumeric characters, '-' or '.' and end with an "        \
    "alphanumeric character (e.g. '*.example.com', " USED "'\\*\\." LABEL "(\\." LABEL ")*')"
#define QUALIFIED_TEXT                                                                             \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "    \
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', " USED "'" QUALIFIED     \
    "')"
#define VALUE_TEXT                                                                                 \
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "    \
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "             \
    "'my_value',  or '12345', " USED "'(" QUALIFIED ")?')"
#define CONFIG_KEY_TEXT                                                                            \
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "           \
    "'key.name',  or 'KEY_NAME',  or 'key-name', " USED "'[-._a-zA-Z0-9]+')"
#define ENV_TEXT                                                                                   \
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', "  \
    "or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or "         \
    "'MyEnvName1', " USED "'[-._a-zA-Z][-._a-zA-Z0-9]*')"
#define IDENTIFIER_TEXT                                                                            \
    "a valid C identifier must start with alphabetic character or '_', followed by a string of "   \
    "alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', " USED           \
    "'[A-Za-z_][A-Za-z0-9_]*')"
#define PERCENT_TEXT                                                                               \
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "   \
    "'93%', " USED "'[0-9]+%')"
#define HEADER_TEXT                                                                                \
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "                    \
    "'X-Header-Name', " USED "'[-A-Za-z0-9]+')"

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253, PORT_NAME_MAX = 15 };

/* The messages so far; room[0] == 0 means none. */
static void say(char room[NAME_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(char room[NAME_TEXT], const char *format, ...)
{
    size_t used = strlen(room);
    if (used)
        used += (size_t)snprintf(room + used, NAME_TEXT - used, "\n");
    va_list args;
    va_start(args, format);
    vsnprintf(room + used, used < NAME_TEXT ? NAME_TEXT - used : 0, format, args);
    va_end(args);
}

static void say_too_long(struct str s, size_t max, const char *what, char room[NAME_TEXT])
{
    if (s.n > max)
        say(room, "%smust be no more than %zu characters", what, max);
}

static const char *verdict(const char room[NAME_TEXT])
{
    return room[0] ? room : NULL;
}

/* --- character classes --- */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c);
}

static bool is_alnum(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool all(struct str s, bool (*in_class)(char), const char *also)
{
    for (size_t i = 0; i < s.n; i++)
        if (!in_class(s.p[i]) && (s.p[i] == 0 || !strchr(also, s.p[i])))
            return false;
    return true;
}

/* Characters of the class and `also` between, of the class alone at both ends. */
static bool framed(struct str s, bool (*in_class)(char), const char *also)
{
    return s.n > 0 && in_class(s.p[0]) && in_class(s.p[s.n - 1]) && all(s, in_class, also);
}

static bool is_label(struct str s)
{
    return framed(s, is_lower, "-");
}

static bool is_subdomain(struct str s)
{
    struct str label;
    if (s.n == 0 || s.p[s.n - 1] == '.')
        return false;
    while (str_next(&s, '.', &label))
        if (!is_label(label))
            return false;
    return true;
}

/* --- DNS names --- */
const char *name_dns1123_label(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    say_too_long(s, LABEL_MAX, "", room);
    if (!is_label(s))
        say(room, "%s", is_subdomain(s) ? "must not contain dots" : LABEL_TEXT);
    return verdict(room);
}

static void check_subdomain(struct str s, const char *what, char room[NAME_TEXT])
{
    say_too_long(s, SUBDOMAIN_MAX, what, room);
    if (!is_subdomain(s))
        say(room, "%s" SUBDOMAIN_TEXT, what);
}

const char *name_dns1123_subdomain(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    check_subdomain(s, "", room);
    return verdict(room);
}

const char *name_dns1035_label(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    say_too_long(s, LABEL_MAX, "", room);
    if (!is_label(s) || is_digit(s.p[0]))
        say(room, "%s", DNS1035_TEXT);
    return verdict(room);
}

const char *name_wildcard_subdomain(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    say_too_long(s, SUBDOMAIN_MAX, "", room);
    if (!str_starts(s, STR("*.")) || !is_subdomain(str_from(s, 2)))
        say(room, "%s", WILDCARD_TEXT);
    return verdict(room);
}

struct str name_mask_dash(struct str prefix, char room[NAME_TEXT])
{
    if (prefix.n < 2 || prefix.n > NAME_TEXT || prefix.p[prefix.n - 1] != '-')
        return prefix;
    memcpy(room, prefix.p, prefix.n - 2);
    room[prefix.n - 2] = 'a';
    return (struct str){room, prefix.n - 1};
}

/* --- labels --- */
const char *name_qualified(struct str s, char room[NAME_TEXT])
{
    struct str prefix, name;
    room[0] = 0;
    bool has_prefix = str_cut(s, '/', &prefix, &name);
    if (has_prefix && str_find_char(name, '/') >= 0) {
        say(room, "a qualified name " QUALIFIED_TEXT
                  " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
        return room;
    }
    if (!has_prefix)
        name = s;
    else if (prefix.n == 0)
        say(room, "prefix part must be non-empty");
    else
        check_subdomain(prefix, "prefix part ", room);
    if (name.n == 0)
        say(room, "name part must be non-empty");
    say_too_long(name, LABEL_MAX, "name part ", room);
    if (!framed(name, is_alnum, "-_."))
        say(room, "name part " QUALIFIED_TEXT);
    return verdict(room);
}

const char *name_label_value(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    say_too_long(s, LABEL_MAX, "", room);
    if (s.n > 0 && !framed(s, is_alnum, "-_."))
        say(room, "%s", VALUE_TEXT);
    return verdict(room);
}

/* --- others --- */
const char *name_path_segment(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    if (str_is(s, ".") || str_is(s, "..")) {
        say(room, "may not be '%.*s'", STR_ARG(s));
        return room;
    }
    for (const char *c = "/%"; *c; c++)
        if (str_find_char(s, *c) >= 0)
            say(room, "may not contain '%c'", *c);
    return verdict(room);
}

const char *name_port_name(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    say_too_long(s, PORT_NAME_MAX, "", room);
    if (s.n == 0 || !all(s, is_lower, "-"))
        say(room, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    bool letter = false;
    for (size_t i = 0; i < s.n; i++)
        letter |= s.p[i] >= 'a' && s.p[i] <= 'z';
    if (!letter)
        say(room, "must contain at least one letter (a-z)");
    if (str_find(s, STR("--")) >= 0)
        say(room, "must not contain consecutive hyphens");
    if (s.n > 0 && (s.p[0] == '-' || s.p[s.n - 1] == '-'))
        say(room, "must not begin or end with a hyphen");
    return verdict(room);
}

static void check_dots(struct str s, char room[NAME_TEXT])
{
    if (str_is(s, ".") || str_is(s, ".."))
        say(room, "must not be '%.*s'", STR_ARG(s));
    else if (str_starts(s, STR("..")))
        say(room, "must not start with '..'");
}

const char *name_config_map_key(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    say_too_long(s, SUBDOMAIN_MAX, "", room);
    if (s.n == 0 || !all(s, is_alnum, "-._"))
        say(room, "%s", CONFIG_KEY_TEXT);
    check_dots(s, room);
    return verdict(room);
}

const char *name_env_var(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    if (s.n == 0 || is_digit(s.p[0]) || !all(s, is_alnum, "-._"))
        say(room, "%s", ENV_TEXT);
    check_dots(s, room);
    return verdict(room);
}

const char *name_env_var_relaxed(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    if (s.n == 0)
        say(room, "environment variable name must be non-empty");
    bool right = true;
    for (size_t i = 0; i < s.n; i++)
        right &= s.p[i] >= ' ' && s.p[i] < 0x7f && s.p[i] != '=';
    if (!right)
        say(room, "a valid environment variable name must consist only of printable ASCII "
                  "characters other than '='");
    return verdict(room);
}

const char *name_c_identifier(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    if (s.n == 0 || is_digit(s.p[0]) || !all(s, is_alnum, "_"))
        say(room, "%s", IDENTIFIER_TEXT);
    return verdict(room);
}

const char *name_percent(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    if (s.n < 2 || s.p[s.n - 1] != '%' || !all(str_head(s, s.n - 1), is_digit, ""))
        say(room, "%s", PERCENT_TEXT);
    return verdict(room);
}

const char *name_http_header(struct str s, char room[NAME_TEXT])
{
    room[0] = 0;
    if (s.n == 0 || !all(s, is_alnum, "-"))
        say(room, "%s", HEADER_TEXT);
    return verdict(room);
}

const char *name_in_range(int64_t value, int64_t low, int64_t high, char room[NAME_TEXT])
{
    room[0] = 0;
    if (value < low || value > high)
        say(room, "must be between %lld and %lld, inclusive", (long long)low, (long long)high);
    return verdict(room);
}

const char *name_port_number(int64_t port, char room[NAME_TEXT])
{
    return name_in_range(port, 1, 65535, room);
}

/* --- addresses --- */
struct address {
    unsigned char bytes[16];
    int bits;           /* 32 or 128 */
    bool leading_zeros; /* 010.0.0.1 */
    bool mapped;        /* ::ffff:10.0.0.1 */
};

/* Dotted decimal as Go's sloppy parser has it: leading zeros are allowed and mean nothing. */
static bool parse_ipv4(struct str s, struct address *ret)
{
    struct str part, rest = s;
    int count = 0;
    if (s.n && s.p[s.n - 1] == '.')
        return false;
    for (; str_next(&rest, '.', &part); count++) {
        unsigned n = 0;
        if (count == 4 || part.n == 0 || !all(part, is_digit, ""))
            return false;
        for (size_t i = 0; i < part.n; i++)
            if ((n = n * 10 + (unsigned)(part.p[i] - '0')) > 255)
                return false;
        ret->leading_zeros |= part.n > 1 && part.p[0] == '0';
        ret->bytes[count] = (unsigned char)n;
    }
    ret->bits = 32;
    return count == 4;
}

static bool parse_ip(struct str s, struct address *ret)
{
    char text[INET6_ADDRSTRLEN];
    *ret = (struct address){0};
    if (s.n >= sizeof text)
        return false;
    if (str_find_char(s, ':') < 0)
        return parse_ipv4(s, ret);
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    ret->bits = 128;
    static const unsigned char prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (strlen(text) != s.n || inet_pton(AF_INET6, text, ret->bytes) != 1)
        return false;
    ret->mapped = memcmp(ret->bytes, prefix, sizeof prefix) == 0;
    return true;
}

static void write_ip(const struct address *a, char text[INET6_ADDRSTRLEN])
{
    inet_ntop(a->bits == 32 ? AF_INET : AF_INET6, a->bytes, text, INET6_ADDRSTRLEN);
    /* RFC 5952: unlike inet_ntop, Go never writes the last 32 bits of ::a.b.c.d with dots. */
    if (a->bits == 128 && strchr(text, '.') && !a->mapped)
        snprintf(text, INET6_ADDRSTRLEN, "::%x:%x", a->bytes[12] << 8 | a->bytes[13],
                 a->bytes[14] << 8 | a->bytes[15]);
}

const char *name_ip_sloppy(struct str s, char room[NAME_TEXT])
{
    struct address a;
    room[0] = 0;
    if (!parse_ip(s, &a))
        say(room, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    return verdict(room);
}

const char *name_ip(struct str s, char room[NAME_TEXT])
{
    struct address a;
    char canonical[INET6_ADDRSTRLEN];
    if (name_ip_sloppy(s, room))
        return room;
    parse_ip(s, &a);
    if (a.leading_zeros)
        say(room, "must not have leading 0s");
    if (a.mapped)
        say(room, "must not be an IPv4-mapped IPv6 address");
    if (room[0])
        return room;
    write_ip(&a, canonical);
    if (!str_is(s, canonical))
        say(room, "must be in canonical form (\"%s\")", canonical);
    return verdict(room);
}

struct cidr {
    struct address address;
    int length;
    bool leading_zeros;
};

static bool parse_cidr(struct str s, struct cidr *ret)
{
    struct str ip, length;
    if (!str_cut(s, '/', &ip, &length) || !parse_ip(ip, &ret->address))
        return false;
    if (length.n == 0 || !all(length, is_digit, ""))
        return false;
    ret->length = 0;
    for (size_t i = 0; i < length.n; i++)
        if ((ret->length = ret->length * 10 + (length.p[i] - '0')) > ret->address.bits)
            return false;
    ret->leading_zeros = ret->address.leading_zeros || (length.n > 1 && length.p[0] == '0');
    return true;
}

static bool bits_beyond(const struct cidr *c)
{
    for (int bit = c->length; bit < c->address.bits; bit++)
        if (c->address.bytes[bit / 8] >> (7 - bit % 8) & 1)
            return true;
    return false;
}

const char *name_cidr_sloppy(struct str s, char room[NAME_TEXT])
{
    struct cidr c;
    room[0] = 0;
    if (!parse_cidr(s, &c))
        say(room, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    return verdict(room);
}

const char *name_cidr(struct str s, char room[NAME_TEXT])
{
    struct cidr c;
    char ip[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN + 4];
    if (name_cidr_sloppy(s, room))
        return room;
    parse_cidr(s, &c);
    if (c.leading_zeros)
        say(room, "must not have leading 0s in IP or prefix length");
    else if (c.address.mapped)
        say(room, "must not have an IPv4-mapped IPv6 address");
    else if (bits_beyond(&c))
        say(room, "must not have bits set beyond the prefix length");
    if (room[0])
        return room;
    write_ip(&c.address, ip);
    snprintf(canonical, sizeof canonical, "%s/%d", ip, c.length);
    if (!str_is(s, canonical))
        say(room, "must be in canonical form (\"%s\")", canonical);
    return verdict(room);
}
