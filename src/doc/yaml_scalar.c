#include "doc/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

enum { MAX_NUMBER = 512 }; /* longer ones are strings */

const char *yaml_kind_tag(enum yaml_kind kind)
{
    static const char *const tags[] = {
        [YAML_STR] = "!!str",       [YAML_NULL] = "!!null", [YAML_BOOL] = "!!bool",
        [YAML_INT] = "!!int",       [YAML_UINT] = "!!int",  [YAML_FLOAT] = "!!float",
        [YAML_TIME] = "!!timestamp"};
    return tags[kind];
}

/* The words that go-yaml keeps in a map. */
static bool resolve_word(struct str text, struct yaml_scalar *ret)
{
    static const struct {
        const char *words[6];
        struct yaml_scalar meaning;
    } table[] = {
        {{"y", "Y", "yes", "Yes", "YES"}, {YAML_BOOL, .b = true}},
        {{"true", "True", "TRUE", "on", "On", "ON"}, {YAML_BOOL, .b = true}},
        {{"n", "N", "no", "No", "NO"}, {YAML_BOOL, .b = false}},
        {{"false", "False", "FALSE", "off", "Off", "OFF"}, {YAML_BOOL, .b = false}},
        {{"", "~", "null", "Null", "NULL"}, {YAML_NULL}},
        {{".nan", ".NaN", ".NAN"}, {YAML_FLOAT, .r = NAN}},
        {{".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"}, {YAML_FLOAT, .r = INFINITY}},
        {{"-.inf", "-.Inf", "-.INF"}, {YAML_FLOAT, .r = -INFINITY}},
    };
    char first = text.n ? text.p[0] : '\0';
    if (text.n > 5 || !strchr("yYtToOnNfF~.+-", first)) /* finds the NUL, too */
        return false;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        for (size_t j = 0; j < 6 && table[i].words[j]; j++)
            if (table[i].words[j][0] == first && str_is(text, table[i].words[j])) {
                *ret = table[i].meaning;
                return true;
            }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits(const char *p)
{
    size_t n = 0;
    while (is_digit(p[n]))
        n++;
    return n;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool looks_like_float(const char *p)
{
    p += *p == '-' || *p == '+';
    size_t whole = digits(p);
    p += whole;
    if (*p == '.') {
        size_t fraction = digits(++p);
        if (whole + fraction == 0)
            return false;
        p += fraction;
    } else if (whole == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        size_t exponent = digits(p);
        if (exponent == 0)
            return false;
        p += exponent;
    }
    return *p == 0;
}

/* strconv.ParseInt and ParseUint with base 0: 0x, 0b, 0o and a plain leading 0 name the base. */
static bool resolve_int(const char *p, struct yaml_scalar *ret)
{
    bool negative = *p == '-', sign = negative || *p == '+';
    p += sign;
    int base = 10;
    if (p[0] == '0' && p[1]) {
        char c = p[1] | 0x20;
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        p += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    uint64_t u = 0;
    if (!*p)
        return false;
    for (; *p; p++) {
        int digit = is_digit(*p) ? *p - '0' : (*p | 0x20) >= 'a' ? (*p | 0x20) - 'a' + 10 : 99;
        if (digit >= base || __builtin_mul_overflow(u, (uint64_t)base, &u) ||
            __builtin_add_overflow(u, (uint64_t)digit, &u))
            return false;
    }
    if (u <= INT64_MAX) {
        *ret = (struct yaml_scalar){YAML_INT, .i = negative ? -(int64_t)u : (int64_t)u};
        return true;
    }
    if (negative && u == (uint64_t)INT64_MAX + 1) {
        *ret = (struct yaml_scalar){YAML_INT, .i = INT64_MIN};
        return true;
    }
    *ret = (struct yaml_scalar){YAML_UINT, .u = u};
    return !sign;
}

static bool resolve_float(const char *p, struct yaml_scalar *ret)
{
    if (!looks_like_float(p))
        return false;
    double r = strtod(p, NULL);
    *ret = (struct yaml_scalar){YAML_FLOAT, .r = r};
    return isfinite(r);
}

/* One number of at most max digits and not above limit. */
static bool time_number(const char **p, size_t min, size_t max, int limit, int *ret)
{
    size_t n = digits(*p);
    if (n < min || n > max)
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        *ret = *ret * 10 + ((*p)[i] - '0');
    *p += n;
    return *ret <= limit;
}

static bool time_zone(const char *p)
{
    int hours, minutes;
    if (*p == 'Z')
        return p[1] == 0;
    if (*p != '+' && *p != '-')
        return false;
    p++;
    return time_number(&p, 2, 2, 24, &hours) && *p++ == ':' &&
           time_number(&p, 2, 2, 60, &minutes) && *p == 0;
}

static bool is_date(const char **p)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    if (!time_number(p, 4, 4, 9999, &year) || *(*p)++ != '-')
        return false;
    if (!time_number(p, 1, 2, 12, &month) || month == 0 || *(*p)++ != '-')
        return false;
    if (!time_number(p, 1, 2, 31, &day) || day == 0)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap);
}

/* YYYY-M-D, with or without a time of day: the four layouts of go-yaml. */
static bool is_timestamp(const char *p)
{
    int hour, minute, second;
    if (digits(p) != 4 || p[4] != '-' || !is_date(&p))
        return false;
    char between = *p;
    if (!between)
        return true;
    p++;
    if ((between != 'T' && between != 't' && between != ' ') || !time_number(&p, 1, 2, 23, &hour) ||
        *p++ != ':')
        return false;
    if (!time_number(&p, 1, 2, 59, &minute) || *p++ != ':' || !time_number(&p, 1, 2, 59, &second))
        return false;
    if ((*p == '.' || *p == ',') && is_digit(p[1]))
        p += 1 + digits(p + 1);
    return between == ' ' ? *p == 0 : time_zone(p);
}

struct yaml_scalar yaml_resolve(struct str text)
{
    struct yaml_scalar ret = {YAML_STR};
    if (resolve_word(text, &ret))
        return ret;
    char c = text.p[0];
    bool number = is_digit(c) || c == '+' || c == '-' || c == '.';
    if (!number || text.n >= MAX_NUMBER || memchr(text.p, 0, text.n))
        return ret;
    char whole[MAX_NUMBER], plain[MAX_NUMBER];
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '_')
            plain[n++] = text.p[i];
    plain[n] = 0;
    memcpy(whole, text.p, text.n);
    whole[text.n] = 0;
    if (c == '.')
        return resolve_float(whole, &ret) ? ret : (struct yaml_scalar){YAML_STR};
    if (is_timestamp(whole))
        return (struct yaml_scalar){YAML_TIME};
    if (resolve_int(plain, &ret) || resolve_float(plain, &ret))
        return ret;
    return (struct yaml_scalar){YAML_STR};
}

/* [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)? */
bool yaml_is_base60(struct str s)
{
    size_t i = s.n && (s.p[0] == '+' || s.p[0] == '-');
    if (i >= s.n || !is_digit(s.p[i]))
        return false;
    while (i < s.n && (is_digit(s.p[i]) || s.p[i] == '_'))
        i++;
    size_t groups = 0;
    for (; i + 1 < s.n && s.p[i] == ':' && is_digit(s.p[i + 1]); groups++) {
        bool two = i + 2 < s.n && is_digit(s.p[i + 2]);
        if (two && s.p[i + 1] > '5')
            return false;
        i += two ? 3 : 2;
    }
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && (is_digit(s.p[i]) || s.p[i] == '_');)
            i++;
    return groups > 0 && i == s.n;
}
