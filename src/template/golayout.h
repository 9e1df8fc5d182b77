/* golayout.h: Go's time.Time, and its layouts ("Mon Jan _2 15:04:05 MST 2006").
 *
 * A time is a constant in the arena of the render; as a value it is a struct that templates can
 * print, compare and call the methods of. */
#pragma once

#include "base/buf.h"
#include "template/gozone.h"
#include "template/value.h"

struct gotime {
    int64_t sec; /* since 1970, UTC */
    int32_t nsec;
    const struct gozone *zone;
    int64_t mono_ns; /* of time.Now: what String prints as m=; -1: none */
};

extern const struct gotype type_time;                /* time.Time */
extern const struct gotype type_month, type_weekday; /* time.Month, time.Weekday: ints by name */

struct value gotime_value(struct arena *a, struct gotime t);
struct gotime gotime_of(struct value v); /* of a time.Time */
struct gotime gotime_now(struct arena *a);
struct gotime gotime_zero(void); /* January 1, year 1, UTC */
struct gotime gotime_add(struct gotime t, int64_t ns);
int64_t gotime_sub(struct gotime a, struct gotime b); /* ns; saturates */
/* The moment at which a zone's clocks show that; fields may be out of range. */
struct gotime gotime_date(int64_t year, int64_t month, int64_t day, int64_t seconds, int32_t nsec,
                          const struct gozone *zone);

/* time.Time.Format. */
void golayout_format(struct buf *b, struct gotime t, struct str layout);
/* time.ParseInLocation; local gives abbreviations and offsets a name. -1: *ret_error has Go's text
 * ("parsing time \"x\" as …"), in the arena. */
int golayout_parse(struct arena *a, struct str layout, struct str text, const struct gozone *local,
                   struct gotime *ret, struct str *ret_error);

/* How package time quotes what it was given: \x for all that is not plain ASCII. */
void golayout_quote(struct buf *b, struct str s);

/* --- for golayout_*.c --- */

enum layout_std {
    STD_NONE,
    STD_LONG_MONTH,
    STD_MONTH,
    STD_NUM_MONTH,
    STD_ZERO_MONTH,
    STD_LONG_WEEKDAY,
    STD_WEEKDAY,
    STD_DAY,
    STD_UNDER_DAY,
    STD_ZERO_DAY,
    STD_UNDER_YEARDAY,
    STD_ZERO_YEARDAY,
    STD_HOUR,
    STD_HOUR12,
    STD_ZERO_HOUR12,
    STD_MINUTE,
    STD_ZERO_MINUTE,
    STD_SECOND,
    STD_ZERO_SECOND,
    STD_LONG_YEAR,
    STD_YEAR,
    STD_PM_UPPER,
    STD_PM_LOWER,
    STD_TZ,        /* MST */
    STD_ZONE,      /* an offset: Z07:00, -0700, … */
    STD_FRACTION0, /* .000 */
    STD_FRACTION9, /* .999 */
};

struct layout_chunk {
    enum layout_std std;
    struct str prefix; /* what stands before it, as it is */
    struct str text;
    int digits; /* of a fraction */
    bool z;     /* an offset: "Z" for UTC */
    bool colons, minutes, seconds;
};

/* The next element of a layout, which *layout is cut behind; STD_NONE and all of it as prefix at
 * the end. */
struct layout_chunk layout_next(struct str *layout);
extern const char *const layout_months[12], *const layout_days[7];
