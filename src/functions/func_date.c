/* func_date.c: sprig's functions on times and durations. "Local" is the machine's zone. */
#include "base/clock.h"
#include "template/civil.h"
#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "template/golayout.h"
#include "doc/time.h"

enum { NS = 1000000000 };

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

/* A time, or seconds since 1970 as int, int64 or int32; anything else is now. */
static struct gotime loose_time(struct tmpl_exec *x, struct value v, bool narrow)
{
    if (v.type == &type_time)
        return gotime_of(v);
    if (v.type == &type_int || v.type == &type_int64 || (narrow && v.type == &type_int32))
        return (struct gotime){v.i, 0, gozone_load(tmpl_arena(x), STR("Local")), -1};
    return gotime_now(tmpl_arena(x));
}

static int format_in(struct tmpl_exec *x, struct str layout, struct value date, struct str zone,
                     struct value *ret)
{
    struct gotime t = loose_time(x, date, true);
    t.zone = gozone_load(tmpl_arena(x), zone);
    if (t.zone == NULL)
        t.zone = &gozone_utc;
    struct buf b = {0};
    golayout_format(&b, t, layout);
    return func_take_spent(x, &b, ret);
}

FN(date)
{
    (void)n;
    return format_in(x, value_text(args[0]), args[1], STR("Local"), ret);
}

FN(date_in_zone)
{
    (void)n;
    return format_in(x, value_text(args[0]), args[1], value_text(args[2]), ret);
}

FN(html_date)
{
    (void)n;
    return format_in(x, STR("2006-01-02"), args[0], STR("Local"), ret);
}

FN(html_date_in_zone)
{
    (void)n;
    return format_in(x, STR("2006-01-02"), args[0], value_text(args[1]), ret);
}

FN(now)
{
    (void)args, (void)n;
    *ret = gotime_value(tmpl_arena(x), gotime_now(tmpl_arena(x)));
    return 0;
}

FN(date_modify)
{
    struct err err;
    int64_t ns;
    (void)n;
    *ret = args[1];
    if (duration_parse(value_text(args[0]), &ns, &err) == 0)
        *ret = gotime_value(tmpl_arena(x), gotime_add(gotime_of(args[1]), ns));
    return 0;
}

/* The text of an error about a duration, whose quotes hold the duration last. */
static int fail_duration(struct tmpl_exec *x, struct str message, struct str duration)
{
    struct buf b = {0};
    ssize_t at = str_find(message, STR("duration \""));
    buf_put(&b, str_head(message, at < 0 ? message.n : (size_t)at + strlen("duration ")));
    if (at >= 0)
        golayout_quote(&b, duration);
    tmpl_fail_str(x, buf_str(&b));
    buf_done(&b);
    return -1;
}

FN(must_date_modify)
{
    struct err err;
    int64_t ns;
    (void)n;
    if (duration_parse(value_text(args[0]), &ns, &err) < 0)
        return fail_duration(x, str_of(err.message), value_text(args[0]));
    *ret = gotime_value(tmpl_arena(x), gotime_add(gotime_of(args[1]), ns));
    return 0;
}

FN(to_date)
{
    struct str error;
    struct gotime t;
    (void)n;
    golayout_parse(tmpl_arena(x), value_text(args[0]), value_text(args[1]),
                   gozone_load(tmpl_arena(x), STR("Local")), &t, &error);
    *ret = gotime_value(tmpl_arena(x), t);
    return 0;
}

FN(must_to_date)
{
    struct str error;
    struct gotime t;
    (void)n;
    if (golayout_parse(tmpl_arena(x), value_text(args[0]), value_text(args[1]),
                       gozone_load(tmpl_arena(x), STR("Local")), &t, &error) < 0)
        return tmpl_fail_str(x, error);
    *ret = gotime_value(tmpl_arena(x), t);
    return 0;
}

FN(unix_epoch)
{
    (void)n;
    *ret = value_str(arena_printf(tmpl_arena(x), "%lld", (long long)gotime_of(args[0]).sec));
    return 0;
}

static struct value duration_text(struct tmpl_exec *x, int64_t ns)
{
    struct buf b = {0};
    duration_write(ns, &b);
    return func_take(x, &b);
}

/* time.Duration.Round to seconds: halves away from zero. */
static int64_t round_to_seconds(int64_t ns)
{
    int64_t rest = ns % NS, whole = ns - rest, rounded = whole;
    if (rest >= NS / 2 && __builtin_add_overflow(whole, NS, &rounded))
        return INT64_MAX;
    if (rest <= -NS / 2 && __builtin_sub_overflow(whole, NS, &rounded))
        return INT64_MIN;
    return rounded;
}

FN(ago)
{
    struct gotime t = loose_time(x, args[0], false);
    (void)n;
    *ret = duration_text(x, round_to_seconds(gotime_sub(gotime_now(tmpl_arena(x)), t)));
    return 0;
}

FN(duration)
{
    int64_t seconds = 0;
    (void)n;
    if (args[0].type == &type_string)
        go_parse_int(value_text(args[0]), 10, &seconds);
    else if (args[0].type == &type_int64)
        seconds = args[0].i;
    *ret = duration_text(x, (int64_t)((uint64_t)seconds * NS));
    return 0;
}

FN(duration_round)
{
    static const struct {
        uint64_t seconds;
        const char *unit;
    } units[] = {{86400 * 365, "y"}, {86400 * 30, "mo"}, {86400, "d"},
                 {3600, "h"},        {60, "m"},          {1, "s"}};
    int64_t ns = 0;
    struct err err;
    (void)n;
    if (args[0].type == &type_string && duration_parse(value_text(args[0]), &ns, &err) < 0)
        ns = 0;
    else if (args[0].type == &type_int64)
        ns = args[0].i;
    else if (args[0].type == &type_time)
        ns = gotime_sub(gotime_now(tmpl_arena(x)), gotime_of(args[0]));
    uint64_t u = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    *ret = value_str(STR("0s"));
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (u > units[i].seconds * NS) {
            *ret = value_str(arena_printf(tmpl_arena(x), "%llu%s",
                                          (unsigned long long)(u / (units[i].seconds * NS)),
                                          units[i].unit));
            return 0;
        }
    }
    return 0;
}

const struct func func_dates[] = {
    {"ago", ago, {&type_any}, &type_string},
    {"date", date, {&type_string, &type_any}, &type_string},
    {"dateInZone", date_in_zone, {&type_string, &type_any, &type_string}, &type_string},
    {"dateModify", date_modify, {&type_string, &type_time}, &type_time},
    {"date_in_zone", date_in_zone, {&type_string, &type_any, &type_string}, &type_string},
    {"date_modify", date_modify, {&type_string, &type_time}, &type_time},
    {"duration", duration, {&type_any}, &type_string},
    {"durationRound", duration_round, {&type_any}, &type_string},
    {"htmlDate", html_date, {&type_any}, &type_string},
    {"htmlDateInZone", html_date_in_zone, {&type_any, &type_string}, &type_string},
    {"mustDateModify", must_date_modify, {&type_string, &type_time}, &type_time},
    {"mustToDate", must_to_date, {&type_string, &type_string}, &type_time},
    {"must_date_modify", must_date_modify, {&type_string, &type_time}, &type_time},
    {"now", now, {0}, &type_time},
    {"toDate", to_date, {&type_string, &type_string}, &type_time},
    {"unixEpoch", unix_epoch, {&type_time}, &type_string},
    {0},
};
