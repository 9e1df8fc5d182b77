/* civil.h: the proleptic Gregorian calendar. Days count from 1970-01-01; years may be negative. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct civil {
    int64_t year;
    int month, day; /* from 1 */
    int yday;       /* from 1 */
    int weekday;    /* 0: Sunday */
    int hour, minute, second;
};

static inline bool civil_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline int civil_month_days(int64_t year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && civil_leap(year));
}

static inline int64_t civil_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Counts in years that begin in March, so that a leap day ends one. */
static inline int64_t civil_days(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = civil_floor_div(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static inline int civil_weekday(int64_t days)
{
    return (int)(((days + 4) % 7 + 7) % 7);
}

static inline struct civil civil_of(int64_t seconds)
{
    int64_t days = civil_floor_div(seconds, 86400), rest = seconds - days * 86400;
    int64_t z = days + 719468, era = civil_floor_div(z, 146097), of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    struct civil c = {.day = (int)(of_year - (153 * m + 2) / 5 + 1),
                      .month = (int)(m < 10 ? m + 3 : m - 9),
                      .weekday = civil_weekday(days),
                      .hour = (int)(rest / 3600),
                      .minute = (int)(rest / 60 % 60),
                      .second = (int)(rest % 60)};
    c.year = y + era * 400 + (c.month <= 2);
    c.yday = (int)(days - civil_days(c.year, 1, 1)) + 1;
    return c;
}
