/* Timestamps and durations: texts and parts. */
#include "cel/functions.h"
#include "cel/zone.h"
#include "doc/time.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)

enum { NANOS = 1000000000, DAY = 86400 };

bool cel_duration_parse(struct str s, int64_t *ret)
{
    struct err err;
    return duration_parse(s, ret, &err) == 0;
}

/* Days since 1970 of a date of the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date {
    int64_t year;
    int month, day;       /* from 1 */
    int of_year, of_week; /* from 0; Sunday is 0 */
    int hour, minute, second;
};

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static struct date date_of(int64_t seconds)
{
    struct date d = {0};
    int64_t days = seconds / DAY, rest = seconds % DAY;
    if (rest < 0) {
        rest += DAY;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t mp = (5 * of_year + 2) / 153;
    d.day = (int)(of_year - (153 * mp + 2) / 5 + 1);
    d.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    d.year = year + era * 400 + (d.month <= 2);
    d.of_year = (int)(days - days_of(d.year, 1, 1));
    d.of_week = (int)(((days % 7) + 11) % 7);
    d.hour = (int)(rest / 3600);
    d.minute = (int)(rest / 60 % 60);
    d.second = (int)(rest % 60);
    return d;
}

static bool read_digits(const char **at, const char *end, int count, int *ret)
{
    *ret = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (*at == end || **at < '0' || **at > '9')
            return false;
        *ret = *ret * 10 + (**at - '0');
    }
    return true;
}

static bool read_char(const char **at, const char *end, char want)
{
    return *at < end && *(*at)++ == want;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

static bool read_fraction(const char **at, const char *end, int32_t *ret)
{
    int32_t unit = NANOS / 10;
    *ret = 0;
    if (*at == end || (**at != '.' && **at != ','))
        return true;
    const char *begin = ++*at;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        *ret += (**at - '0') * unit;
    return *at > begin;
}

static bool read_offset(const char **at, const char *end, int *ret)
{
    int hours, minutes;
    *ret = 0;
    if (*at < end && **at == 'Z') {
        (*at)++;
        return true;
    }
    if (*at == end || (**at != '+' && **at != '-'))
        return false;
    int sign = *(*at)++ == '-' ? -1 : 1;
    if (!read_digits(at, end, 2, &hours) || !read_char(at, end, ':') ||
        !read_digits(at, end, 2, &minutes) || hours > 24 || minutes > 59)
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool cel_timestamp_fits(int64_t seconds)
{
    return seconds >= -62135596800 && seconds <= 253402300799;
}

bool cel_timestamp_parse(struct str s, struct cel_value *ret)
{
    const char *p = s.p, *end = s.p + s.n;
    int year, month, day, hour, minute, second, offset;
    struct cel_value v = {.kind = CEL_TIMESTAMP};
    if (!read_digits(&p, end, 4, &year) || !read_char(&p, end, '-') ||
        !read_digits(&p, end, 2, &month) || !read_char(&p, end, '-') ||
        !read_digits(&p, end, 2, &day) || !read_char(&p, end, 'T') ||
        !read_digits(&p, end, 2, &hour) || !read_char(&p, end, ':') ||
        !read_digits(&p, end, 2, &minute) || !read_char(&p, end, ':') ||
        !read_digits(&p, end, 2, &second) || !read_fraction(&p, end, &v.nanos) ||
        !read_offset(&p, end, &offset) || p != end)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return false;
    v.zone = offset;
    v.i = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    if (!cel_timestamp_fits(v.i))
        return false;
    *ret = v;
    return true;
}

/* The fraction without zeros at its end. */
static void put_fraction(int32_t nanos, struct buf *b)
{
    if (nanos == 0)
        return;
    char digits[16];
    int n = snprintf(digits, sizeof digits, ".%09d", nanos);
    while (digits[n - 1] == '0')
        n--;
    buf_append(b, digits, (size_t)n);
}

void cel_timestamp_write(struct cel_value v, struct buf *b)
{
    struct date d = date_of(v.i + v.zone);
    int minutes = (v.zone < 0 ? -v.zone : v.zone) / 60;
    buf_printf(b, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)d.year, d.month, d.day, d.hour,
               d.minute, d.second);
    put_fraction(v.nanos, b);
    if (v.zone == 0)
        buf_putc(b, 'Z');
    else
        buf_printf(b, "%c%02d:%02d", v.zone < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

void cel_duration_write(int64_t ns, struct buf *b)
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        buf_putc(b, '-');
    buf_put_u64(b, magnitude / NANOS);
    put_fraction((int32_t)(magnitude % NANOS), b);
    buf_putc(b, 's');
}

/* --- parts --- */
static bool whole_number(struct str s, int64_t *ret)
{
    if (s.n > 1 && s.p[0] == '+')
        s = str_from(s, 1);
    return str_to_i64(s, ret);
}

/* The seconds of the local time in the zone that args[1], if it is there, names. */
static struct cel_value local_seconds(struct eval *ev, const struct cel_value *args, size_t n)
{
    struct str hours, minutes;
    int64_t h, m;
    int offset;
    if (n == 1)
        return cel_int(args[0].i);
    if (!str_cut(args[1].s, ':', &hours, &minutes)) {
        if (!cel_zone_offset(args[1].s, args[0].i, &offset))
            return cel_error(ev, "unknown time zone %.*s", STR_ARG(args[1].s));
        return cel_int(args[0].i + offset);
    }
    bool bad_hours = !whole_number(hours, &h);
    if (bad_hours || !whole_number(minutes, &m)) {
        struct str bad = bad_hours ? hours : minutes;
        return cel_error(ev, "strconv.Atoi: parsing \"%.*s\": invalid syntax", STR_ARG(bad));
    }
    if (h < -10000 || h > 10000 || m < -10000 || m > 10000)
        return cel_error(ev, "timestamp overflow");
    return cel_int(args[0].i + (args[1].s.p[0] == '-' ? h * 60 - m : h * 60 + m) * 60);
}

enum part { YEAR, MONTH, DATE, DAY_OF_MONTH, DAY_OF_WEEK, DAY_OF_YEAR, HOURS, MINUTES, SECONDS };

static struct cel_value part_of(struct eval *ev, const struct cel_value *args, size_t n,
                                enum part part)
{
    struct cel_value seconds = local_seconds(ev, args, n);
    if (cel_is_error(seconds))
        return seconds;
    struct date d = date_of(seconds.i);
    const int64_t parts[] = {[YEAR] = d.year,
                             [MONTH] = d.month - 1,
                             [DATE] = d.day,
                             [DAY_OF_MONTH] = d.day - 1,
                             [DAY_OF_WEEK] = d.of_week,
                             [DAY_OF_YEAR] = d.of_year,
                             [HOURS] = d.hour,
                             [MINUTES] = d.minute,
                             [SECONDS] = d.second};
    return cel_int(parts[part]);
}

FN(cel_fn_get_full_year)
{
    return part_of(ev, args, n, YEAR);
}

FN(cel_fn_get_month)
{
    return part_of(ev, args, n, MONTH);
}

FN(cel_fn_get_date)
{
    return part_of(ev, args, n, DATE);
}

FN(cel_fn_get_day_of_month)
{
    return part_of(ev, args, n, DAY_OF_MONTH);
}

FN(cel_fn_get_day_of_week)
{
    return part_of(ev, args, n, DAY_OF_WEEK);
}

FN(cel_fn_get_day_of_year)
{
    return part_of(ev, args, n, DAY_OF_YEAR);
}

FN(cel_fn_get_hours)
{
    if (args[0].kind == CEL_DURATION)
        return cel_int(args[0].i / NANOS / 3600);
    return part_of(ev, args, n, HOURS);
}

FN(cel_fn_get_minutes)
{
    if (args[0].kind == CEL_DURATION)
        return cel_int(args[0].i / NANOS / 60);
    return part_of(ev, args, n, MINUTES);
}

FN(cel_fn_get_seconds)
{
    if (args[0].kind == CEL_DURATION)
        return cel_int(args[0].i / NANOS);
    return part_of(ev, args, n, SECONDS);
}

FN(cel_fn_get_milliseconds)
{
    if (args[0].kind == CEL_DURATION)
        return cel_int(args[0].i / 1000000);
    struct cel_value seconds = local_seconds(ev, args, n);
    return cel_is_error(seconds) ? seconds : cel_int(args[0].nanos / 1000000);
}
