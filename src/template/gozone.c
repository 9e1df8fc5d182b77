/* gozone.c: reads TZif files (RFC 9636) and the POSIX rule at their end. */
#include "template/gozone.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "template/civil.h"

enum { MAX_FILE = 1 << 20, DAY = 86400 };

struct zone_type {
    struct str abbreviation;
    int offset;
    bool dst;
};

struct transition {
    int64_t when;
    uint8_t type;
};

struct gozone {
    const struct zone_type *types;
    size_t type_count;
    const struct transition *transitions;
    size_t transition_count;
    struct str rule; /* for times behind the last transition; may be empty */
};

static const struct zone_type utc_type = {STR_INIT("UTC"), 0, false};
const struct gozone gozone_utc = {.types = &utc_type, .type_count = 1};

const struct gozone *gozone_fixed(struct arena *a, struct str abbreviation, int offset)
{
    struct gozone *z = ARENA_NEW(a, struct gozone);
    struct zone_type *t = ARENA_NEW(a, struct zone_type);
    *t = (struct zone_type){arena_dup(a, abbreviation), offset, false};
    z->types = t;
    z->type_count = 1;
    return z;
}

/* --- the file --- */

struct header {
    uint32_t utc_flags, std_flags, leaps, times, types, chars;
};

static int64_t big_endian(const char *p, int bytes)
{
    uint64_t v = (signed char)p[0] < 0 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | (uint8_t)p[i];
    return (int64_t)v;
}

static bool read_header(struct str s, struct header *h)
{
    if (s.n < 44 || memcmp(s.p, "TZif", 4) != 0)
        return false;
    uint32_t *fields[] = {&h->utc_flags, &h->std_flags, &h->leaps, &h->times, &h->types, &h->chars};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        *fields[i] = (uint32_t)big_endian(s.p + 20 + 4 * i, 4);
        if (*fields[i] > MAX_FILE)
            return false;
    }
    return true;
}

static size_t body_size(const struct header *h, size_t width)
{
    return (size_t)h->times * (width + 1) + (size_t)h->types * 6 + h->chars +
           (size_t)h->leaps * (width + 4) + h->std_flags + h->utc_flags;
}

/* s begins with the body; all of its parts are there. */
static struct gozone *read_body(struct arena *a, struct str s, const struct header *h, size_t width)
{
    if (h->types == 0 || s.n < body_size(h, width))
        return NULL;
    struct gozone *z = ARENA_NEW(a, struct gozone);
    const char *times = s.p, *index = times + h->times * width, *types = index + h->times;
    const char *chars = types + (size_t)h->types * 6;
    struct zone_type *t = arena_zalloc(a, h->types * sizeof(*t));
    for (size_t i = 0; i < h->types; i++) {
        const char *p = types + 6 * i;
        size_t at = (uint8_t)p[5];
        if (at >= h->chars)
            return NULL;
        struct str name = {chars + at, strnlen(chars + at, h->chars - at)};
        t[i] = (struct zone_type){arena_dup(a, name), (int)big_endian(p, 4), p[4] != 0};
    }
    struct transition *x = arena_zalloc(a, (h->times + (size_t)1) * sizeof(*x));
    for (size_t i = 0; i < h->times; i++) {
        x[i] = (struct transition){big_endian(times + i * width, (int)width), (uint8_t)index[i]};
        if (x[i].type >= h->types)
            return NULL;
    }
    z->types = t;
    z->type_count = h->types;
    z->transitions = x;
    z->transition_count = h->times;
    return z;
}

static const struct gozone *parse_file(struct arena *a, struct str s)
{
    struct header h;
    if (!read_header(s, &h))
        return NULL;
    if (s.p[4] == 0)
        return read_body(a, str_from(s, 44), &h, 4);
    s = str_from(s, 44 + body_size(&h, 4)); /* the 64-bit body follows the old one */
    if (!read_header(s, &h))
        return NULL;
    struct gozone *z = read_body(a, str_from(s, 44), &h, 8);
    struct str footer = str_from(s, 44 + body_size(&h, 8)), rule;
    if (z && footer.n > 2 && footer.p[0] == '\n') {
        str_cut(str_from(footer, 1), '\n', &rule, &footer);
        z->rule = arena_dup(a, rule);
    }
    return z;
}

static const struct gozone *load_path(struct arena *a, const char *path)
{
    struct buf b = {0};
    struct err err;
    const struct gozone *z = NULL;
    if (file_read(path, MAX_FILE, &b, &err) == 0)
        z = parse_file(a, buf_str(&b));
    buf_done(&b);
    return z;
}

static const struct gozone *load_named(struct arena *a, struct str name)
{
    static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/share/lib/zoneinfo",
                                          "/usr/lib/locale/TZ", "/etc/zoneinfo"};
    if (name.p[0] == '/' || memchr(name.p, 0, name.n) || str_find(name, STR("..")) >= 0 ||
        str_find_char(name, '\\') >= 0 || name.n > 255)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        const struct gozone *z =
            load_path(a, arena_printf(a, "%s/%.*s", folders[i], STR_ARG(name)).p);
        if (z)
            return z;
    }
    return NULL;
}

static const struct gozone *load_local(struct arena *a)
{
    const char *tz = getenv("TZ");
    const struct gozone *z = NULL;
    if (tz == NULL)
        z = load_path(a, "/etc/localtime");
    else if (tz[0] == ':')
        tz++;
    if (tz && tz[0] == '/')
        z = load_path(a, tz);
    else if (tz && tz[0] && strcmp(tz, "UTC") != 0)
        z = load_named(a, str_of(tz));
    return z ? z : &gozone_utc;
}

const struct gozone *gozone_load(struct arena *a, struct str name)
{
    if (name.n == 0 || str_is(name, "UTC"))
        return &gozone_utc;
    if (str_is(name, "Local"))
        return load_local(a);
    return load_named(a, name);
}

/* --- the POSIX rule: EST5EDT,M3.2.0,M11.1.0 --- */

struct rule_day {
    char kind; /* 'J': of 365 days, '0': from 0, 'M': month.week.day */
    int month, week, day;
    int time; /* seconds after midnight */
};

static bool take_name(struct str *s, struct str *ret)
{
    size_t n = 0;
    bool quoted = s->n > 0 && s->p[0] == '<';
    while (n < s->n && (quoted ? s->p[n] != '>' : strchr("0123456789,+-", s->p[n]) == NULL))
        n++;
    if (quoted && n == s->n)
        return false;
    *ret = quoted ? (struct str){s->p + 1, n - 1} : str_head(*s, n);
    *s = str_from(*s, n + quoted);
    return quoted || n >= 3;
}

static bool take_number(struct str *s, int low, int high, int *ret)
{
    size_t n = 0;
    int v = 0;
    for (; n < s->n && n < 6 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        v = v * 10 + (s->p[n] - '0');
    *s = str_from(*s, n);
    *ret = v;
    return n > 0 && v >= low && v <= high;
}

static bool take_char(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = str_from(*s, 1);
    return true;
}

static bool take_time(struct str *s, int *ret)
{
    int sign = 1, hours, minutes = 0, seconds = 0;
    if (take_char(s, '-'))
        sign = -1;
    else
        take_char(s, '+');
    if (!take_number(s, 0, 24 * 7, &hours))
        return false;
    if (take_char(s, ':') && !take_number(s, 0, 59, &minutes))
        return false;
    if (minutes && take_char(s, ':') && !take_number(s, 0, 59, &seconds))
        return false;
    *ret = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool take_day(struct str *s, struct rule_day *d)
{
    bool ok;
    *d = (struct rule_day){.kind = '0', .time = 2 * 3600};
    if (take_char(s, 'J')) {
        d->kind = 'J';
        ok = take_number(s, 1, 365, &d->day);
    } else if (take_char(s, 'M')) {
        d->kind = 'M';
        ok = take_number(s, 1, 12, &d->month) && take_char(s, '.') &&
             take_number(s, 1, 5, &d->week) && take_char(s, '.') && take_number(s, 0, 6, &d->day);
    } else {
        ok = take_number(s, 0, 365, &d->day);
    }
    if (ok && take_char(s, '/'))
        ok = take_time(s, &d->time);
    return ok;
}

/* When the rule's day begins to hold in a year, in seconds since 1970; offset is the one before. */
static int64_t rule_moment(const struct rule_day *d, int64_t year, int offset)
{
    int64_t day = civil_days(year, 1, 1);
    if (d->kind == 'J')
        day += d->day - 1 + (civil_leap(year) && d->day >= 60);
    else if (d->kind == '0')
        day += d->day;
    else {
        int64_t first = civil_days(year, d->month, 1);
        int weekday = civil_weekday(first), in_month = (d->day - weekday + 7) % 7;
        for (int i = 1; i < d->week && in_month + 7 < civil_month_days(year, d->month); i++)
            in_month += 7;
        day = first + in_month;
    }
    return day * DAY + d->time - offset;
}

static bool rule_at(struct str s, int64_t since, int64_t sec, struct gozone_span *ret)
{
    struct str std, dst;
    int std_offset, dst_offset;
    if (!take_name(&s, &std) || !take_time(&s, &std_offset))
        return false;
    std_offset = -std_offset;
    *ret = (struct gozone_span){std, std_offset, since, INT64_MAX};
    if (s.n == 0)
        return true;
    if (!take_name(&s, &dst))
        return false;
    dst_offset = std_offset + 3600;
    if (s.n > 0 && s.p[0] != ',') {
        if (!take_time(&s, &dst_offset))
            return false;
        dst_offset = -dst_offset;
    }
    if (s.n == 0)
        s = STR(",M3.2.0,M11.1.0");
    struct rule_day from, to;
    if (!take_char(&s, ',') || !take_day(&s, &from) || !take_char(&s, ',') || !take_day(&s, &to))
        return false;
    struct civil c = civil_of(sec);
    int64_t start = rule_moment(&from, c.year, std_offset);
    int64_t end = rule_moment(&to, c.year, dst_offset);
    bool summer = start < end ? sec >= start && sec < end : sec >= start || sec < end;
    int64_t first = start < end ? start : end, second = start < end ? end : start;
    ret->abbreviation = summer ? dst : std;
    ret->offset = summer ? dst_offset : std_offset;
    ret->start = sec < first ? civil_days(c.year, 1, 1) * DAY : sec < second ? first : second;
    ret->end = sec < first ? first : sec < second ? second : (civil_days(c.year, 1, 1) + 365) * DAY;
    return true;
}

/* --- asking --- */

/* What held before the first transition: the first type that is no daylight saving. */
static const struct zone_type *first_type(const struct gozone *z)
{
    bool used = false;
    for (size_t i = 0; i < z->transition_count; i++)
        used = used || z->transitions[i].type == 0;
    if (!used)
        return &z->types[0];
    if (z->transition_count > 0 && z->types[z->transitions[0].type].dst)
        for (size_t i = z->transitions[0].type; i-- > 0;)
            if (!z->types[i].dst)
                return &z->types[i];
    for (size_t i = 0; i < z->type_count; i++)
        if (!z->types[i].dst)
            return &z->types[i];
    return &z->types[0];
}

struct gozone_span gozone_at(const struct gozone *z, int64_t sec)
{
    size_t low = 0, high = z->transition_count;
    const struct transition *x = z->transitions;
    if (high == 0 || sec < x[0].when) {
        const struct zone_type *t = first_type(z);
        return (struct gozone_span){t->abbreviation, t->offset, INT64_MIN,
                                    high ? x[0].when : INT64_MAX};
    }
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (sec < x[mid].when)
            high = mid;
        else
            low = mid;
    }
    struct gozone_span by_rule;
    if (low + 1 == z->transition_count && z->rule.n && rule_at(z->rule, x[low].when, sec, &by_rule))
        return by_rule;
    const struct zone_type *t = &z->types[x[low].type];
    return (struct gozone_span){t->abbreviation, t->offset, x[low].when,
                                low + 1 < z->transition_count ? x[low + 1].when : INT64_MAX};
}

bool gozone_named(const struct gozone *z, struct str abbreviation, int64_t local_sec, int *ret)
{
    for (size_t i = 0; i < z->type_count; i++) {
        if (!str_eq(z->types[i].abbreviation, abbreviation))
            continue;
        struct gozone_span span = gozone_at(z, local_sec - z->types[i].offset);
        if (str_eq(span.abbreviation, abbreviation)) {
            *ret = span.offset;
            return true;
        }
    }
    for (size_t i = 0; i < z->type_count; i++)
        if (str_eq(z->types[i].abbreviation, abbreviation)) {
            *ret = z->types[i].offset;
            return true;
        }
    return false;
}
