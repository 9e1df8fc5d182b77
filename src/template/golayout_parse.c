#include "template/civil.h"
#include "template/golayout.h"
#include "template/unicode.h"

struct reader {
    struct arena *arena;
    struct str layout, text; /* whole, for messages */
    struct str rest;         /* what is to be read */
    struct str error;
    const char *range; /* what is out of range */
    int64_t year;
    int month, day, yday, hour, minute, second;
    int32_t nsec;
    bool am, pm, utc, has_offset;
    int offset;
    struct str abbreviation;
};

void golayout_quote(struct buf *b, struct str s)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x80 || c < ' ')
            buf_printf(b, "\\x%02x", c);
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '"');
}

static int take_error(struct reader *r, struct buf *b)
{
    r->error = arena_dup(r->arena, buf_str(b));
    buf_done(b);
    return -1;
}

static int fail_as(struct reader *r, struct str element, struct str value)
{
    struct buf b = {0};
    buf_puts(&b, "parsing time ");
    golayout_quote(&b, r->text);
    buf_puts(&b, " as ");
    golayout_quote(&b, r->layout);
    buf_puts(&b, ": cannot parse ");
    golayout_quote(&b, value);
    buf_puts(&b, " as ");
    golayout_quote(&b, element);
    return take_error(r, &b);
}

static int fail_with(struct reader *r, const char *before, const char *after)
{
    struct buf b = {0};
    buf_puts(&b, "parsing time ");
    golayout_quote(&b, r->text);
    buf_printf(&b, ": %s%s", before, after);
    return take_error(r, &b);
}

static bool digit_at(struct str s, size_t i)
{
    return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

static bool is_point(char c)
{
    return c == '.' || c == ',';
}

/* One to max digits, or exactly max. */
static bool take_digits(struct str *s, int max, bool exactly, int *ret)
{
    int n = 0, v = 0;
    for (; n < max && digit_at(*s, (size_t)n); n++)
        v = v * 10 + (s->p[n] - '0');
    if (n == 0 || (exactly && n < max))
        return false;
    *s = str_from(*s, (size_t)n);
    *ret = v;
    return true;
}

static bool take_name(struct str *s, const char *const *names, int count, bool brief, int *ret)
{
    for (int i = 0; i < count; i++) {
        struct str name = str_head(str_of(names[i]), brief ? 3 : 16);
        if (s->n >= name.n && str_eq_nocase(str_head(*s, name.n), name)) {
            *s = str_from(*s, name.n);
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Blanks in a layout stand for any number of blanks, or none at the end. */
static bool skip_prefix(struct str *s, struct str prefix)
{
    while (prefix.n > 0) {
        if (prefix.p[0] == ' ') {
            if (s->n > 0 && s->p[0] != ' ')
                return false;
            while (prefix.n > 0 && prefix.p[0] == ' ')
                prefix = str_from(prefix, 1);
            while (s->n > 0 && s->p[0] == ' ')
                *s = str_from(*s, 1);
            continue;
        }
        if (s->n == 0 || s->p[0] != prefix.p[0])
            return false;
        prefix = str_from(prefix, 1);
        *s = str_from(*s, 1);
    }
    return true;
}

/* A point and digits, of which nine count. */
static bool take_fraction(struct reader *r, size_t n)
{
    if (!is_point(r->rest.p[0]))
        return false;
    int32_t v = 0;
    for (size_t i = 1; i < 10; i++) {
        if (i < n && !digit_at(r->rest, i))
            return false;
        v = v * 10 + (i < n ? r->rest.p[i] - '0' : 0);
    }
    r->nsec = v;
    r->rest = str_from(r->rest, n);
    return true;
}

static size_t fraction_length(struct str s)
{
    size_t n = 1;
    while (digit_at(s, n))
        n++;
    return n;
}

static bool take_year(struct reader *r, bool brief)
{
    int v;
    if (brief) {
        bool sign = r->rest.n >= 2 && (r->rest.p[0] == '+' || r->rest.p[0] == '-');
        struct str two = str_from(str_head(r->rest, 2), sign);
        if (r->rest.n < 2 || !take_digits(&two, sign ? 1 : 2, true, &v))
            return false;
        v = sign && r->rest.p[0] == '-' ? -v : v;
        r->rest = str_from(r->rest, 2);
        r->year = v >= 69 ? v + 1900 : v + 2000;
        return true;
    }
    if (!take_digits(&r->rest, 4, true, &v))
        return false;
    r->year = v;
    return true;
}

static bool take_date(struct reader *r, enum layout_std std)
{
    int ignored;
    switch (std) {
    case STD_YEAR:
    case STD_LONG_YEAR:
        return take_year(r, std == STD_YEAR);
    case STD_MONTH:
    case STD_LONG_MONTH:
        if (!take_name(&r->rest, layout_months, 12, std == STD_MONTH, &r->month))
            return false;
        r->month++;
        return true;
    case STD_NUM_MONTH:
    case STD_ZERO_MONTH:
        if (!take_digits(&r->rest, 2, std == STD_ZERO_MONTH, &r->month))
            return false;
        if (r->month < 1 || r->month > 12)
            r->range = "month";
        return true;
    case STD_WEEKDAY:
    case STD_LONG_WEEKDAY:
        return take_name(&r->rest, layout_days, 7, std == STD_WEEKDAY, &ignored);
    case STD_DAY:
    case STD_UNDER_DAY:
    case STD_ZERO_DAY:
        if (std == STD_UNDER_DAY && r->rest.n > 0 && r->rest.p[0] == ' ')
            r->rest = str_from(r->rest, 1);
        return take_digits(&r->rest, 2, std == STD_ZERO_DAY, &r->day);
    default:
        for (int i = 0; i < 2 && std == STD_UNDER_YEARDAY; i++)
            if (r->rest.n > 0 && r->rest.p[0] == ' ')
                r->rest = str_from(r->rest, 1);
        return take_digits(&r->rest, 3, std == STD_ZERO_YEARDAY, &r->yday);
    }
}

static bool take_second(struct reader *r, bool exactly, struct str layout)
{
    if (!take_digits(&r->rest, 2, exactly, &r->second))
        return false;
    if (r->second >= 60) {
        r->range = "second";
        return true;
    }
    /* A fraction may follow even when the layout has none. */
    if (r->rest.n < 2 || !is_point(r->rest.p[0]) || !digit_at(r->rest, 1))
        return true;
    enum layout_std next = layout_next(&layout).std;
    if (next == STD_FRACTION0 || next == STD_FRACTION9)
        return true;
    return take_fraction(r, fraction_length(r->rest));
}

static bool take_clock(struct reader *r, enum layout_std std, struct str layout)
{
    struct str mark = str_head(r->rest, 2);
    switch (std) {
    case STD_HOUR:
    case STD_HOUR12:
    case STD_ZERO_HOUR12:
        if (!take_digits(&r->rest, 2, std == STD_ZERO_HOUR12, &r->hour))
            return false;
        if (r->hour > (std == STD_HOUR ? 23 : 12))
            r->range = "hour";
        return true;
    case STD_MINUTE:
    case STD_ZERO_MINUTE:
        if (!take_digits(&r->rest, 2, std == STD_ZERO_MINUTE, &r->minute))
            return false;
        if (r->minute >= 60)
            r->range = "minute";
        return true;
    case STD_SECOND:
    case STD_ZERO_SECOND:
        return take_second(r, std == STD_ZERO_SECOND, layout);
    default:
        r->rest = str_from(r->rest, 2);
        r->pm = r->pm || str_is(mark, std == STD_PM_UPPER ? "PM" : "pm");
        r->am = r->am || str_is(mark, std == STD_PM_UPPER ? "AM" : "am");
        return str_eq_nocase(mark, STR("pm")) ? str_is(mark, std == STD_PM_UPPER ? "PM" : "pm")
                                              : str_is(mark, std == STD_PM_UPPER ? "AM" : "am");
    }
}

static bool take_offset(struct reader *r, const struct layout_chunk *c)
{
    struct str s = r->rest;
    struct str two[3] = {0};
    int part[3] = {0}, parts = 1 + c->minutes + c->seconds;
    bool right = true;
    if (c->z && s.n > 0 && s.p[0] == 'Z') {
        r->rest = str_from(s, 1);
        r->utc = true;
        return true;
    }
    if (s.n == 0)
        return false;
    char sign = s.p[0];
    s = str_from(s, 1);
    for (int i = 0; i < parts; i++) {
        if (i > 0 && c->colons) {
            if (s.n == 0 || s.p[0] != ':')
                return false;
            s = str_from(s, 1);
        }
        if (s.n < 2)
            return false;
        two[i] = str_head(s, 2);
        s = str_from(s, 2);
    }
    for (int i = 0; i < parts && right; i++)
        right = take_digits(&two[i], 2, true, &part[i]);
    r->range = part[2] > 60   ? "time zone offset second"
               : part[1] > 60 ? "time zone offset minute"
               : part[0] > 24 ? "time zone offset hour"
                              : NULL;
    r->offset = (part[0] * 60 + part[1]) * 60 + part[2];
    if (sign == '-')
        r->offset = -r->offset;
    r->has_offset = r->offset != -1; /* Go takes -1 for "none" */
    r->rest = s;
    return right && (sign == '+' || sign == '-');
}

/* A sign and at most 23 hours; 0: there is none. */
static size_t signed_hours(struct str s)
{
    if (s.n == 0 || (s.p[0] != '-' && s.p[0] != '+'))
        return 0;
    size_t n = 1;
    uint64_t v = 0;
    for (; digit_at(s, n); n++)
        v = v > 1000 ? v : v * 10 + (uint64_t)(s.p[n] - '0');
    return n == 1 || v > 23 ? 0 : n;
}

static size_t abbreviation_length(struct str s)
{
    if (s.n < 3)
        return 0;
    if (str_starts(s, STR("ChST")) || str_starts(s, STR("MeST")))
        return 4;
    if (str_starts(s, STR("GMT")))
        return 3 + signed_hours(str_from(s, 3));
    if (s.p[0] == '+' || s.p[0] == '-')
        return signed_hours(s);
    size_t n = 0;
    while (n < s.n && n < 6 && s.p[n] >= 'A' && s.p[n] <= 'Z')
        n++;
    if (n == 5)
        return s.p[4] == 'T' ? 5 : 0;
    if (n == 4)
        return s.p[3] == 'T' || str_starts(s, STR("WITA")) ? 4 : 0;
    return n == 3 ? 3 : 0;
}

static bool take_abbreviation(struct reader *r)
{
    if (str_starts(r->rest, STR("UTC"))) {
        r->utc = true;
        r->rest = str_from(r->rest, 3);
        return true;
    }
    size_t n = abbreviation_length(r->rest);
    r->abbreviation = str_head(r->rest, n);
    r->rest = str_from(r->rest, n);
    return n > 0;
}

static bool take_element(struct reader *r, const struct layout_chunk *c, struct str layout)
{
    switch (c->std) {
    case STD_ZONE:
        return take_offset(r, c);
    case STD_TZ:
        return take_abbreviation(r);
    case STD_FRACTION0:
        return r->rest.n > (size_t)c->digits && take_fraction(r, (size_t)c->digits + 1);
    case STD_FRACTION9:
        if (r->rest.n < 2 || !is_point(r->rest.p[0]) || !digit_at(r->rest, 1))
            return true;
        return take_fraction(r, fraction_length(r->rest));
    default:
        if ((c->std >= STD_HOUR && c->std <= STD_ZERO_SECOND) || c->std == STD_PM_UPPER ||
            c->std == STD_PM_LOWER)
            return take_clock(r, c->std, layout);
        return take_date(r, c->std);
    }
}

static int read_elements(struct reader *r)
{
    struct str layout = r->layout;
    for (;;) {
        struct layout_chunk c = layout_next(&layout);
        if (!skip_prefix(&r->rest, c.prefix))
            return fail_as(r, c.prefix, r->rest);
        if (c.std == STD_NONE && r->rest.n > 0) {
            struct buf b = {0};
            golayout_quote(&b, r->rest);
            fail_with(r, "extra text: ", buf_z(&b));
            buf_done(&b);
            return -1;
        }
        if (c.std == STD_NONE)
            return 0;
        struct str before = r->rest;
        bool fits = take_element(r, &c, layout);
        if (r->range)
            return fail_with(r, r->range, " out of range");
        if (!fits)
            return fail_as(r, c.text, before);
    }
}

/* Month and day from the day of the year, if that was given. */
static int settle_day(struct reader *r)
{
    if (r->yday >= 0) {
        if (r->yday < 1 || r->yday > 365 + civil_leap(r->year))
            return fail_with(r, "day-of-year", " out of range");
        struct civil c = civil_of((civil_days(r->year, 1, 1) + r->yday - 1) * 86400);
        if (r->month >= 0 && r->month != c.month)
            return fail_with(r, "day-of-year", " does not match month");
        if (r->day >= 0 && r->day != c.day)
            return fail_with(r, "day-of-year", " does not match day");
        r->month = c.month;
        r->day = c.day;
    }
    r->month = r->month < 0 ? 1 : r->month;
    r->day = r->day < 0 ? 1 : r->day;
    if (r->day < 1 || r->day > civil_month_days(r->year, r->month))
        return fail_with(r, "day", " out of range");
    return 0;
}

static struct gotime with_zone(struct reader *r, struct gotime t, const struct gozone *local)
{
    if (r->has_offset) {
        t.sec -= r->offset;
        struct gozone_span span = gozone_at(local, t.sec);
        bool known = span.offset == r->offset &&
                     (r->abbreviation.n == 0 || str_eq(r->abbreviation, span.abbreviation));
        t.zone = known ? local : gozone_fixed(r->arena, r->abbreviation, r->offset);
        return t;
    }
    int offset = 0;
    if (gozone_named(local, r->abbreviation, t.sec, &offset)) {
        t.sec -= offset;
        t.zone = local;
        return t;
    }
    if (r->abbreviation.n > 4 && str_starts(r->abbreviation, STR("GMT")))
        offset = atoi(arena_z(r->arena, str_from(r->abbreviation, 3))) * 3600;
    t.zone = gozone_fixed(r->arena, r->abbreviation, offset);
    return t;
}

int golayout_parse(struct arena *a, struct str layout, struct str text, const struct gozone *local,
                   struct gotime *ret, struct str *ret_error)
{
    struct reader r = {.arena = a, .layout = layout, .text = text, .rest = text};
    r.month = r.day = r.yday = -1;
    *ret = gotime_zero();
    if (read_elements(&r) < 0 || settle_day(&r) < 0) {
        *ret_error = r.error;
        return -1;
    }
    if (r.pm && r.hour < 12)
        r.hour += 12;
    else if (r.am && r.hour == 12)
        r.hour = 0;
    bool named = !r.utc && (r.has_offset || r.abbreviation.n > 0);
    const struct gozone *zone = named || r.utc ? &gozone_utc : local;
    *ret = gotime_date(r.year, r.month, r.day, (int64_t)r.hour * 3600 + r.minute * 60 + r.second,
                       r.nsec, zone);
    if (named)
        *ret = with_zone(&r, *ret, local);
    return 0;
}
