#include "api/crd/format.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cel/kube.h"
#include "doc/names.h"
#include "doc/time.h"

static bool has_ip(struct str text, int family)
{
    char z[64];
    unsigned char room[16];
    if (text.n >= sizeof(z) || !text.n || memchr(text.p, '\0', text.n))
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    return inet_pton(family, z, room) == 1;
}

/* Zeros in front of a number are read, as Go once did. */
static bool is_ipv4(struct str text)
{
    char room[NAME_TEXT];
    return !memchr(text.p, ':', text.n) && name_ip_sloppy(text, room) == NULL;
}

static bool is_ipv6(struct str text)
{
    return has_ip(text, AF_INET6);
}

static bool is_cidr(struct str text)
{
    char room[NAME_TEXT];
    return name_cidr_sloppy(text, room) == NULL;
}

/* Hexadecimal digits, `dash` behind each of the groups where it may stand. */
static bool is_uuid_of(struct str text, char version)
{
    static const int groups[] = {8, 4, 4, 4, 12};
    size_t at = 0;
    for (size_t g = 0; g < 5; g++) {
        if (g && at < text.n && text.p[at] == '-')
            at++;
        for (int i = 0; i < groups[g]; i++, at++) {
            if (at >= text.n || !isxdigit((unsigned char)text.p[at]))
                return false;
            if (g == 2 && i == 0 && version && text.p[at] != version)
                return false;
            if (g == 3 && i == 0 && version > '3' && !strchr("89abAB", text.p[at]))
                return false;
        }
    }
    return at == text.n;
}

static bool is_uuid(struct str text)
{
    return is_uuid_of(text, 0);
}

static bool is_uuid3(struct str text)
{
    return is_uuid_of(text, '3');
}

static bool is_uuid4(struct str text)
{
    return is_uuid_of(text, '4');
}

static bool is_uuid5(struct str text)
{
    return is_uuid_of(text, '5');
}

static bool is_mac(struct str text)
{
    size_t groups = 0, at = 0;
    char sign = text.n > 2 ? text.p[2] : 0;
    if (sign != ':' && sign != '-')
        return false;
    for (; at + 1 < text.n; groups++) {
        if (!isxdigit((unsigned char)text.p[at]) || !isxdigit((unsigned char)text.p[at + 1]))
            return false;
        at += 2;
        if (at < text.n && text.p[at++] != sign)
            return false;
    }
    return at == text.n && (groups == 6 || groups == 8 || groups == 20) &&
           text.p[text.n - 1] != sign;
}

static bool is_byte(struct str text)
{
    size_t padding = 0;
    if (!text.n || text.n % 4)
        return false;
    while (padding < 2 && text.p[text.n - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text.n - padding; i++)
        if (!isalnum((unsigned char)text.p[i]) && text.p[i] != '+' && text.p[i] != '/')
            return false;
    return true;
}

static bool is_datetime(struct str text)
{
    int64_t ns;
    struct err ignored;
    return time_parse(text, &ns, &ignored) == 0;
}

static bool is_date(struct str text)
{
    char z[32];
    if (text.n != 10)
        return false;
    int n = snprintf(z, sizeof(z), "%.*sT00:00:00Z", STR_ARG(text));
    return is_datetime((struct str){z, (size_t)n});
}

/* Go's "1h2m", or "3 weeks": a number and a word (go-openapi/strfmt). */
static bool is_duration(struct str text)
{
    static const char *const units[] = {"ns", "nano", "us", "µs",  "micro", "ms",     "milli",
                                        "s",  "sec",  "m",  "min", "h",     "hr",     "hour",
                                        "d",  "day",  "w",  "wk",  "week",  "second", "minute"};
    int64_t ns;
    struct err ignored;
    if (duration_parse(text, &ns, &ignored) == 0)
        return true;
    size_t n = text.n && text.p[0] == '-';
    size_t digits = n;
    while (n < text.n && (isdigit((unsigned char)text.p[n]) || text.p[n] == '.'))
        n++;
    struct str unit = str_trim(str_from(text, n));
    if (n == digits)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        struct str rest = str_from(unit, strlen(units[i]));
        if (str_starts(unit, str_of(units[i])) && (!rest.n || str_is(rest, "s")))
            return true;
    }
    return false;
}

/* Letters, digits and dashes inside; the last of several parts has letters only, two or more. */
static bool is_hostname(struct str text)
{
    struct str part, rest = text;
    if (!text.n || text.n > 255)
        return false;
    for (size_t parts = 1; str_next(&rest, '.', &part); parts++) {
        bool last = !rest.n, letters = true;
        if (!part.n || part.n > 63 || part.p[0] == '-' || part.p[part.n - 1] == '-')
            return false;
        for (size_t i = 0; i < part.n; i++) {
            if (!isalnum((unsigned char)part.p[i]) && part.p[i] != '-' &&
                (unsigned char)part.p[i] < 0x80)
                return false;
            letters &= !isdigit((unsigned char)part.p[i]) && part.p[i] != '-';
        }
        if (last && parts > 1 && (part.n < 2 || !letters))
            return false;
    }
    return text.p[text.n - 1] != '.';
}

static bool is_email(struct str text)
{
    struct str user, host, name, rest;
    if (str_ends(text, STR(">")) && str_cut(text, '<', &name, &rest)) /* with a name before it */
        text = str_head(rest, rest.n - 1);
    if (!str_cut(text, '@', &user, &host) || !user.n || !host.n)
        return false;
    return !memchr(text.p, ' ', text.n) && !memchr(host.p, '@', host.n);
}

static bool is_uri(struct str text)
{
    return cel_url_is_request_uri(text, NULL);
}

static bool is_hexcolor(struct str text)
{
    if (text.n && text.p[0] == '#')
        text = str_from(text, 1);
    for (size_t i = 0; i < text.n; i++)
        if (!isxdigit((unsigned char)text.p[i]))
            return false;
    return text.n == 3 || text.n == 6;
}

static bool is_digits(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!isdigit((unsigned char)text.p[i]))
            return false;
    return true;
}

static bool is_ssn(struct str text)
{
    struct str a = str_head(text, 3), rest = str_from(text, a.n);
    if (a.n != 3 || !is_digits(a))
        return false;
    if (rest.n && (rest.p[0] == '-' || rest.p[0] == ' '))
        rest = str_from(rest, 1);
    struct str b = str_head(rest, 2);
    rest = str_from(rest, b.n);
    if (rest.n && (rest.p[0] == '-' || rest.p[0] == ' '))
        rest = str_from(rest, 1);
    return b.n == 2 && is_digits(b) && rest.n == 4 && is_digits(rest);
}

static bool is_bson_id(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!isxdigit((unsigned char)text.p[i]))
            return false;
    return text.n == 24;
}

/* The digits of a number that may be written with dashes and blanks; -1: other signs, too many. */
static int take_digits(struct str text, char room[20])
{
    int n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '-' || text.p[i] == ' ')
            continue;
        if (n == 20 || (!isdigit((unsigned char)text.p[i]) && text.p[i] != 'X'))
            return -1;
        room[n++] = text.p[i];
    }
    return n;
}

static bool is_isbn10(struct str text)
{
    char d[20];
    int sum = 0;
    if (take_digits(text, d) != 10)
        return false;
    for (int i = 0; i < 10; i++) {
        if (d[i] == 'X' && i < 9)
            return false;
        sum += (10 - i) * (d[i] == 'X' ? 10 : d[i] - '0');
    }
    return sum % 11 == 0;
}

static bool is_isbn13(struct str text)
{
    char d[20];
    int sum = 0;
    if (take_digits(text, d) != 13)
        return false;
    for (int i = 0; i < 13; i++) {
        if (d[i] == 'X')
            return false;
        sum += (i % 2 ? 3 : 1) * (d[i] - '0');
    }
    return sum % 10 == 0;
}

static bool is_isbn(struct str text)
{
    return is_isbn10(text) || is_isbn13(text);
}

/* Luhn's sum. */
static bool is_credit_card(struct str text)
{
    char d[20];
    int n = take_digits(text, d), sum = 0;
    if (n < 13 || n > 19)
        return false;
    for (int i = 0; i < n; i++) {
        if (d[n - 1 - i] == 'X')
            return false;
        int twice = (d[n - 1 - i] - '0') * (i % 2 ? 2 : 1);
        sum += twice > 9 ? twice - 9 : twice;
    }
    return sum % 10 == 0;
}

/* rgb(1, 20, 255) */
static bool is_rgb_color(struct str text)
{
    struct str part;
    int parts = 0;
    if (!str_starts(text, STR("rgb(")) || !str_ends(text, STR(")")))
        return false;
    text = str_head(str_from(text, 4), text.n - 5);
    while (str_next(&text, ',', &part)) {
        uint64_t value;
        part = str_trim(part);
        parts++;
        if (!str_to_u64(part, &value) || value > 255 || (part.n > 1 && part.p[0] == '0'))
            return false;
    }
    return parts == 3;
}

static bool is_anything(struct str text)
{
    (void)text;
    return true;
}

/* Names without dashes. Numbers' formats and password say nothing of a string. */
static const struct {
    const char *name;
    bool (*fits)(struct str text);
} formats[] = {
    {"ipv4", is_ipv4},
    {"ipv6", is_ipv6},
    {"cidr", is_cidr},
    {"mac", is_mac},
    {"uuid", is_uuid},
    {"uuid3", is_uuid3},
    {"uuid4", is_uuid4},
    {"uuid5", is_uuid5},
    {"byte", is_byte},
    {"date", is_date},
    {"datetime", is_datetime},
    {"duration", is_duration},
    {"hostname", is_hostname},
    {"email", is_email},
    {"uri", is_uri},
    {"hexcolor", is_hexcolor},
    {"ssn", is_ssn},
    {"bsonobjectid", is_bson_id},
    {"isbn", is_isbn},
    {"isbn10", is_isbn10},
    {"isbn13", is_isbn13},
    {"creditcard", is_credit_card},
    {"rgbcolor", is_rgb_color},
    {"password", is_anything},
    {"int32", is_anything},
    {"int64", is_anything},
    {"float", is_anything},
    {"double", is_anything},
};

static ssize_t find(struct str format)
{
    char plain[32];
    size_t n = 0;
    for (size_t i = 0; i < format.n; i++) {
        if (format.p[i] == '-')
            continue;
        if (n == sizeof(plain))
            return -1;
        plain[n++] = format.p[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_is((struct str){plain, n}, formats[i].name))
            return (ssize_t)i;
    return -1;
}

bool crd_format_fits(struct str format, struct str text)
{
    ssize_t i = find(format);
    return i < 0 || formats[i].fits(text);
}

bool crd_format_known(struct str format)
{
    return !format.n || find(format) >= 0;
}
