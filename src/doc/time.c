#include "doc/time.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define SECOND INT64_C(1000000000)

/* --- dates: days since 1970 in the proleptic Gregorian calendar --- */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years begin in March here, so that the leap day is the last one. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = floor_div(days, 146097), of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

/* All but the fraction and the Z; the nanoseconds within the second are the answer. */
static int64_t write_seconds(int64_t ns, char ret[TIME_TEXT])
{
    int64_t seconds = floor_div(ns, SECOND), days = floor_div(seconds, 86400);
    int64_t of_day = seconds - days * 86400, year;
    int month, day;
    date_of(days, &year, &month, &day);
    snprintf(ret, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day,
             (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
    int64_t rest = ns % SECOND;
    return rest < 0 ? rest + SECOND : rest;
}

void time_write(int64_t ns, char ret[TIME_TEXT])
{
    write_seconds(ns, ret);
    strcat(ret, "Z");
}

void time_write_micro(int64_t ns, char ret[TIME_TEXT])
{
    int64_t fraction = write_seconds(ns, ret);
    size_t n = strlen(ret);
    snprintf(ret + n, TIME_TEXT - n, ".%06dZ", (int)(fraction / 1000));
}

void time_write_nano(int64_t ns, char ret[TIME_TEXT])
{
    int64_t fraction = write_seconds(ns, ret);
    size_t n = strlen(ret);
    if (fraction) {
        n += (size_t)snprintf(ret + n, TIME_TEXT - n, ".%09d", (int)fraction);
        while (ret[n - 1] == '0')
            n--;
    }
    ret[n] = 'Z';
    ret[n + 1] = 0;
}

/* Exactly n digits of s from *at, and the byte behind them. */
static bool take(struct str s, size_t *at, size_t n, char end, int *ret)
{
    *ret = 0;
    for (size_t i = 0; i < n; i++, ++*at) {
        if (*at >= s.n || s.p[*at] < '0' || s.p[*at] > '9')
            return false;
        *ret = *ret * 10 + (s.p[*at] - '0');
    }
    if (!end)
        return true;
    return *at < s.n && s.p[(*at)++] == end;
}

static int64_t take_fraction(struct str s, size_t *at)
{
    int64_t ns = 0, unit = SECOND / 10;
    for (; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; ++*at, unit /= 10)
        ns += unit * (s.p[*at] - '0');
    return ns;
}

static bool take_zone(struct str s, size_t *at, int *ret_seconds)
{
    int hours = 0, minutes = 0;
    char sign = *at < s.n ? s.p[(*at)++] : 0;
    *ret_seconds = 0;
    if (sign == 'Z')
        return true;
    if ((sign != '+' && sign != '-') || !take(s, at, 2, ':', &hours) ||
        !take(s, at, 2, 0, &minutes) || hours > 24 || minutes > 60)
        return false;
    *ret_seconds = (hours * 60 + minutes) * (sign == '+' ? 60 : -60);
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int time_parse(struct str s, int64_t *ret_ns, struct err *err)
{
    int year, month, day, hour, minute, second, zone;
    size_t at = 0;
    bool right = take(s, &at, 4, '-', &year) && take(s, &at, 2, '-', &month) &&
                 take(s, &at, 2, 'T', &day) && take(s, &at, 2, ':', &hour) &&
                 take(s, &at, 2, ':', &minute) && take(s, &at, 2, 0, &second);
    int64_t fraction = 0;
    if (right && at + 1 < s.n && s.p[at] == '.') {
        at++;
        right = s.p[at] >= '0' && s.p[at] <= '9';
        fraction = take_fraction(s, &at);
    }
    if (!right || !take_zone(s, &at, &zone) || at != s.n)
        return err_bad(err,
                       "parsing time \"%.*s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse "
                       "\"%.*s\" as \"2006\"",
                       STR_ARG(str_head(s, 64)), STR_ARG(str_head(s, 64)));
    const char *wrong = month < 1 || month > 12                 ? "month"
                        : day < 1 || day > days_in(year, month) ? "day"
                        : hour > 23                             ? "hour"
                        : minute > 59                           ? "minute"
                        : second > 59                           ? "second"
                                                                : NULL;
    if (wrong)
        return err_bad(err, "parsing time \"%.*s\": %s out of range", STR_ARG(s), wrong);
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
    if (__builtin_mul_overflow(seconds, SECOND, ret_ns) ||
        __builtin_add_overflow(*ret_ns, fraction, ret_ns))
        *ret_ns = seconds < 0 ? INT64_MIN : INT64_MAX;
    return 0;
}

/* --- durations --- */
static int fail_duration(const char *what, struct str s, struct err *err)
{
    return err_bad(err, "time: %sduration \"%.*s\"", what, STR_ARG(str_head(s, 64)));
}

static size_t take_unit(struct str s, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"ns", 1},       {"us", 1000},  {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
        {"ms", 1000000}, {"s", SECOND}, {"m", 60 * SECOND},  {"h", 3600 * SECOND},
    };
    size_t n = 0;
    while (n < s.n && s.p[n] != '.' && (s.p[n] < '0' || s.p[n] > '9'))
        n++;
    *ret = 0;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_is(str_head(s, n), units[i].name))
            *ret = units[i].ns;
    return n;
}

/* One number and its unit, in nanoseconds; false when there is no number or it overflows. */
static bool take_part(struct str *rest, uint64_t *ret, struct str *ret_unit)
{
    uint64_t whole = 0, part = 0, unit;
    double scale = 1;
    size_t at = 0, digits = 0;
    for (; at < rest->n && rest->p[at] >= '0' && rest->p[at] <= '9'; at++, digits++)
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(rest->p[at] - '0'), &whole))
            return false;
    if (at < rest->n && rest->p[at] == '.')
        for (at++; at < rest->n && rest->p[at] >= '0' && rest->p[at] <= '9'; at++, digits++)
            if (part < UINT64_C(100000000000000000)) {
                part = part * 10 + (uint64_t)(rest->p[at] - '0');
                scale *= 10;
            }
    *rest = str_from(*rest, at);
    size_t n = take_unit(*rest, &unit);
    *ret_unit = str_head(*rest, n);
    *rest = str_from(*rest, n);
    if (digits == 0)
        return false;
    if (unit == 0)
        return *ret = 0, true;
    if (__builtin_mul_overflow(whole, unit, ret))
        return false;
    return !__builtin_add_overflow(*ret, (uint64_t)((double)part * ((double)unit / scale)), ret);
}

int duration_parse(struct str text, int64_t *ret_ns, struct err *err)
{
    struct str rest = text;
    bool negative = rest.n && rest.p[0] == '-';
    if (rest.n && (rest.p[0] == '-' || rest.p[0] == '+'))
        rest = str_from(rest, 1);
    if (rest.n == 0)
        return fail_duration("invalid ", text, err);
    uint64_t total = 0;
    if (str_is(rest, "0"))
        rest = (struct str){0};
    while (rest.n) {
        struct str unit;
        uint64_t part, known;
        if (!take_part(&rest, &part, &unit))
            return fail_duration("invalid ", text, err);
        take_unit(unit, &known);
        if (unit.n == 0)
            return fail_duration("missing unit in ", text, err);
        if (!known)
            return err_bad(err, "time: unknown unit \"%.*s\" in duration \"%.*s\"", STR_ARG(unit),
                           STR_ARG(str_head(text, 64)));
        if (__builtin_add_overflow(total, part, &total) || total > (uint64_t)INT64_MAX + negative)
            return fail_duration("invalid ", text, err);
    }
    *ret_ns = negative ? (int64_t)-total : (int64_t)total;
    return 0;
}

/* A number of units of 10^digits nanoseconds, without trailing zeros. */
static void put_fraction(uint64_t n, int digits, struct buf *b)
{
    uint64_t unit = 1;
    for (int i = 0; i < digits; i++)
        unit *= 10;
    buf_put_u64(b, n / unit);
    if (n % unit == 0)
        return;
    buf_printf(b, ".%0*" PRIu64, digits, n % unit);
    while (b->p[b->n - 1] == '0')
        b->p[--b->n] = 0;
}

void duration_write(int64_t ns, struct buf *b)
{
    uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    if (n == 0) {
        buf_puts(b, "0s");
        return;
    }
    buf_puts(b, ns < 0 ? "-" : "");
    if (n < (uint64_t)SECOND) {
        int digits = n < 1000 ? 0 : n < 1000000 ? 3 : 6;
        put_fraction(n, digits, b);
        buf_puts(b, digits == 0 ? "ns" : digits == 3 ? "\xc2\xb5s" : "ms");
        return;
    }
    uint64_t minutes = n / (60 * SECOND);
    if (minutes >= 60)
        buf_printf(b, "%" PRIu64 "h", minutes / 60);
    if (minutes)
        buf_printf(b, "%" PRIu64 "m", minutes % 60);
    put_fraction(n % (60 * SECOND), 9, b);
    buf_putc(b, 's');
}

int64_t time_between(int64_t start_ns, int64_t end_ns)
{
    int64_t ret;
    if (__builtin_sub_overflow(end_ns, start_ns, &ret))
        ret = start_ns < 0 ? INT64_MAX : INT64_MIN;
    return ret;
}

/* "5m30s": the second unit only while it says something and is not zero. */
static void put_pair(int64_t a, char unit_a, int64_t c, char unit_c, struct buf *b)
{
    buf_printf(b, "%" PRId64 "%c", a, unit_a);
    if (c)
        buf_printf(b, "%" PRId64 "%c", c, unit_c);
}

void duration_write_human(int64_t ns, struct buf *b)
{
    int64_t seconds = ns / SECOND, minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (seconds < -1)
        buf_puts(b, "<invalid>");
    else if (seconds < 0)
        buf_puts(b, "0s");
    else if (seconds < 60 * 2)
        buf_printf(b, "%" PRId64 "s", seconds);
    else if (minutes < 10)
        put_pair(minutes, 'm', seconds % 60, 's', b);
    else if (minutes < 60 * 3)
        buf_printf(b, "%" PRId64 "m", minutes);
    else if (hours < 8)
        put_pair(hours, 'h', minutes % 60, 'm', b);
    else if (hours < 48)
        buf_printf(b, "%" PRId64 "h", hours);
    else if (hours < 24 * 8)
        put_pair(days, 'd', hours % 24, 'h', b);
    else if (hours < 24 * 365 * 2)
        buf_printf(b, "%" PRId64 "d", days);
    else if (hours < 24 * 365 * 8)
        put_pair(days / 365, 'y', days % 365, 'd', b);
    else
        buf_printf(b, "%" PRId64 "y", days / 365);
}
