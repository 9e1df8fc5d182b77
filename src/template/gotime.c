/* gotime.c: time.Time as a value with methods, and its arithmetic. */
#include <time.h>

#include "base/clock.h"
#include "template/civil.h"
#include "template/func.h"
#include "template/golayout.h"

enum { NS = 1000000000 };

static struct str name_text(struct arena *a, const struct value *v, const char *const *names,
                            int64_t first, int64_t count, const char *type)
{
    if (v->i >= first && v->i < first + count)
        return str_of(names[v->i - first]);
    return arena_printf(a, "%%!%s(%lld)", type, (long long)v->i);
}

static struct str month_text(struct arena *a, const struct value *v)
{
    return name_text(a, v, layout_months, 1, 12, "Month");
}

static struct str weekday_text(struct arena *a, const struct value *v)
{
    return name_text(a, v, layout_days, 0, 7, "Weekday");
}

const struct gotype type_month = {
    .kind = KIND_INT, .name = "time.Month", .defined = true, .string = month_text};
const struct gotype type_weekday = {
    .kind = KIND_INT, .name = "time.Weekday", .defined = true, .string = weekday_text};

struct value gotime_value(struct arena *a, struct gotime t)
{
    struct gotime *copy = ARENA_NEW(a, struct gotime);
    *copy = t;
    return (struct value){.type = &type_time, .opaque = copy};
}

struct gotime gotime_of(struct value v)
{
    return v.opaque ? *(const struct gotime *)v.opaque : gotime_zero();
}

struct gotime gotime_zero(void)
{
    return (struct gotime){civil_days(1, 1, 1) * 86400, 0, &gozone_utc, -1};
}

struct gotime gotime_now(struct arena *a)
{
    int64_t ns = wall_ns(world_real());
    struct timespec run = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &run);
    return (struct gotime){civil_floor_div(ns, NS), (int32_t)(ns - civil_floor_div(ns, NS) * NS),
                           gozone_load(a, STR("Local")), (int64_t)run.tv_sec * NS + run.tv_nsec};
}

struct gotime gotime_add(struct gotime t, int64_t ns)
{
    int64_t nsec = t.nsec + ns % NS;
    int64_t carry = civil_floor_div(nsec, NS);
    t.sec = (int64_t)((uint64_t)t.sec + (uint64_t)(ns / NS + carry));
    t.nsec = (int32_t)(nsec - carry * NS);
    if (t.mono_ns >= 0)
        t.mono_ns = t.mono_ns + ns < 0 ? 0 : t.mono_ns + ns;
    return t;
}

int64_t gotime_sub(struct gotime a, struct gotime b)
{
    int64_t sec, ns;
    if (__builtin_sub_overflow(a.sec, b.sec, &sec) || __builtin_mul_overflow(sec, NS, &ns) ||
        __builtin_add_overflow(ns, a.nsec - b.nsec, &ns))
        return a.sec < b.sec ? INT64_MIN : INT64_MAX;
    return ns;
}

struct gotime gotime_date(int64_t year, int64_t month, int64_t day, int64_t seconds, int32_t nsec,
                          const struct gozone *zone)
{
    int64_t m = month - 1, years = civil_floor_div(m, 12);
    int64_t days = civil_days(year + years, (int)(m - years * 12) + 1, 1) + day - 1;
    int64_t local = days * 86400 + seconds;
    struct gozone_span span = gozone_at(zone, local);
    int64_t utc = local - span.offset;
    if (span.offset != 0 && (utc < span.start || utc >= span.end))
        utc = local - gozone_at(zone, utc).offset;
    return (struct gotime){utc, nsec, zone, -1};
}

static struct str format_text(struct arena *a, struct gotime t, struct str layout)
{
    struct buf b = {0};
    golayout_format(&b, t, layout);
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

static struct str time_text(struct arena *a, const struct value *v)
{
    struct gotime t = gotime_of(*v);
    struct str text = format_text(a, t, STR("2006-01-02 15:04:05.999999999 -0700 MST"));
    if (t.mono_ns < 0)
        return text;
    return arena_printf(a, "%.*s m=+%lld.%09lld", STR_ARG(text), (long long)(t.mono_ns / NS),
                        (long long)(t.mono_ns % NS));
}

static struct str time_json(struct arena *a, const struct value *v)
{
    return format_text(a, gotime_of(*v), STR("2006-01-02T15:04:05.999999999Z07:00"));
}

/* --- methods --- */

#define METHOD(name)                                                                               \
    static int time_##name(struct tmpl_exec *x, const struct value *args, size_t n,                \
                           struct value *ret)

static struct civil local_civil(struct value v)
{
    struct gotime t = gotime_of(v);
    return civil_of(t.sec + gozone_at(t.zone, t.sec).offset);
}

METHOD(format)
{
    (void)n;
    *ret = value_str(format_text(tmpl_arena(x), gotime_of(args[0]), value_text(args[1])));
    return 0;
}

METHOD(string)
{
    (void)n;
    *ret = value_str(time_text(tmpl_arena(x), &args[0]));
    return 0;
}

METHOD(unix)
{
    (void)x, (void)n;
    *ret = value_int64(gotime_of(args[0]).sec);
    return 0;
}

static int64_t since_epoch(struct value v, int64_t unit)
{
    struct gotime t = gotime_of(v);
    return (int64_t)((uint64_t)t.sec * (uint64_t)unit) + t.nsec / (NS / unit);
}

METHOD(unix_milli)
{
    (void)x, (void)n;
    *ret = value_int64(since_epoch(args[0], 1000));
    return 0;
}

METHOD(unix_micro)
{
    (void)x, (void)n;
    *ret = value_int64(since_epoch(args[0], 1000000));
    return 0;
}

METHOD(unix_nano)
{
    (void)x, (void)n;
    *ret = value_int64(since_epoch(args[0], NS));
    return 0;
}

#define CIVIL_METHOD(name, expression)                                                             \
    METHOD(name)                                                                                   \
    {                                                                                              \
        struct civil c = local_civil(args[0]);                                                     \
        (void)x, (void)n;                                                                          \
        *ret = (expression);                                                                       \
        return 0;                                                                                  \
    }

CIVIL_METHOD(year, value_int(c.year))
CIVIL_METHOD(month, ((struct value){.type = &type_month, .i = c.month}))
CIVIL_METHOD(day, value_int(c.day))
CIVIL_METHOD(hour, value_int(c.hour))
CIVIL_METHOD(minute, value_int(c.minute))
CIVIL_METHOD(second, value_int(c.second))
CIVIL_METHOD(yearday, value_int(c.yday))
CIVIL_METHOD(weekday, ((struct value){.type = &type_weekday, .i = c.weekday}))

METHOD(nanosecond)
{
    (void)x, (void)n;
    *ret = value_int(gotime_of(args[0]).nsec);
    return 0;
}

METHOD(is_zero)
{
    struct gotime t = gotime_of(args[0]);
    (void)x, (void)n;
    *ret = value_bool(t.sec == gotime_zero().sec && t.nsec == 0);
    return 0;
}

static int in_zone(struct tmpl_exec *x, struct value v, const struct gozone *zone,
                   struct value *ret)
{
    struct gotime t = gotime_of(v);
    t.zone = zone;
    t.mono_ns = -1;
    *ret = gotime_value(tmpl_arena(x), t);
    return 0;
}

METHOD(utc)
{
    (void)n;
    return in_zone(x, args[0], &gozone_utc, ret);
}

METHOD(local)
{
    (void)n;
    return in_zone(x, args[0], gozone_load(tmpl_arena(x), STR("Local")), ret);
}

METHOD(add)
{
    (void)n;
    *ret = gotime_value(tmpl_arena(x), gotime_add(gotime_of(args[0]), args[1].i));
    return 0;
}

METHOD(add_date)
{
    struct gotime t = gotime_of(args[0]);
    struct civil c = local_civil(args[0]);
    (void)n;
    for (int i = 1; i <= 3; i++)
        if (args[i].i > 1000000000 || args[i].i < -1000000000)
            return tmpl_fail(x, "time: date out of range");
    *ret = gotime_value(tmpl_arena(x),
                        gotime_date(c.year + args[1].i, c.month + args[2].i, c.day + args[3].i,
                                    (int64_t)c.hour * 3600 + c.minute * 60 + c.second, t.nsec,
                                    t.zone));
    return 0;
}

METHOD(sub)
{
    (void)x, (void)n;
    *ret = (struct value){.type = &type_duration,
                          .i = gotime_sub(gotime_of(args[0]), gotime_of(args[1]))};
    return 0;
}

static int compare(struct value a, struct value b)
{
    struct gotime s = gotime_of(a), t = gotime_of(b);
    if (s.sec != t.sec)
        return s.sec < t.sec ? -1 : 1;
    return (s.nsec > t.nsec) - (s.nsec < t.nsec);
}

METHOD(compare)
{
    (void)x, (void)n;
    *ret = value_int(compare(args[0], args[1]));
    return 0;
}

METHOD(after)
{
    (void)x, (void)n;
    *ret = value_bool(compare(args[0], args[1]) > 0);
    return 0;
}

METHOD(before)
{
    (void)x, (void)n;
    *ret = value_bool(compare(args[0], args[1]) < 0);
    return 0;
}

METHOD(equal)
{
    (void)x, (void)n;
    *ret = value_bool(compare(args[0], args[1]) == 0);
    return 0;
}

static const struct func time_methods[] = {
    {"Add", time_add, {&type_time, &type_duration}, &type_time},
    {"AddDate", time_add_date, {&type_time, &type_int, &type_int, &type_int}, &type_time},
    {"After", time_after, {&type_time, &type_time}, &type_bool},
    {"Before", time_before, {&type_time, &type_time}, &type_bool},
    {"Compare", time_compare, {&type_time, &type_time}, &type_int},
    {"Day", time_day, {&type_time}, &type_int},
    {"Equal", time_equal, {&type_time, &type_time}, &type_bool},
    {"Format", time_format, {&type_time, &type_string}, &type_string},
    {"Hour", time_hour, {&type_time}, &type_int},
    {"IsZero", time_is_zero, {&type_time}, &type_bool},
    {"Local", time_local, {&type_time}, &type_time},
    {"Minute", time_minute, {&type_time}, &type_int},
    {"Month", time_month, {&type_time}, &type_month},
    {"Nanosecond", time_nanosecond, {&type_time}, &type_int},
    {"Second", time_second, {&type_time}, &type_int},
    {"String", time_string, {&type_time}, &type_string},
    {"Sub", time_sub, {&type_time, &type_time}, &type_duration},
    {"UTC", time_utc, {&type_time}, &type_time},
    {"Unix", time_unix, {&type_time}, &type_int64},
    {"UnixMicro", time_unix_micro, {&type_time}, &type_int64},
    {"UnixMilli", time_unix_milli, {&type_time}, &type_int64},
    {"UnixNano", time_unix_nano, {&type_time}, &type_int64},
    {"Weekday", time_weekday, {&type_time}, &type_weekday},
    {"Year", time_year, {&type_time}, &type_int},
    {"YearDay", time_yearday, {&type_time}, &type_int},
    {0},
};

const struct gotype type_time = {.kind = KIND_STRUCT,
                                 .name = "time.Time",
                                 .defined = true,
                                 .methods = time_methods,
                                 .string = time_text,
                                 .marshal_text = time_json};
