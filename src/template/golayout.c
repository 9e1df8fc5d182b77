#include "template/golayout.h"

#include "template/civil.h"

const char *const layout_months[12] = {"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
const char *const layout_days[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                    "Thursday", "Friday", "Saturday"};

/* Elements whose text alone tells them, longer ones first. */
static const struct {
    const char *text;
    struct layout_chunk chunk;
} elements[] = {
    {"January", {.std = STD_LONG_MONTH}},
    {"Jan", {.std = STD_MONTH}},
    {"Monday", {.std = STD_LONG_WEEKDAY}},
    {"Mon", {.std = STD_WEEKDAY}},
    {"MST", {.std = STD_TZ}},
    {"01", {.std = STD_ZERO_MONTH}},
    {"02", {.std = STD_ZERO_DAY}},
    {"03", {.std = STD_ZERO_HOUR12}},
    {"04", {.std = STD_ZERO_MINUTE}},
    {"05", {.std = STD_ZERO_SECOND}},
    {"06", {.std = STD_YEAR}},
    {"002", {.std = STD_ZERO_YEARDAY}},
    {"15", {.std = STD_HOUR}},
    {"1", {.std = STD_NUM_MONTH}},
    {"2006", {.std = STD_LONG_YEAR}},
    {"2", {.std = STD_DAY}},
    {"_2", {.std = STD_UNDER_DAY}},
    {"__2", {.std = STD_UNDER_YEARDAY}},
    {"3", {.std = STD_HOUR12}},
    {"4", {.std = STD_MINUTE}},
    {"5", {.std = STD_SECOND}},
    {"PM", {.std = STD_PM_UPPER}},
    {"pm", {.std = STD_PM_LOWER}},
    {"-070000", {.std = STD_ZONE, .minutes = true, .seconds = true}},
    {"-07:00:00", {.std = STD_ZONE, .colons = true, .minutes = true, .seconds = true}},
    {"-0700", {.std = STD_ZONE, .minutes = true}},
    {"-07:00", {.std = STD_ZONE, .colons = true, .minutes = true}},
    {"-07", {.std = STD_ZONE}},
    {"Z070000", {.std = STD_ZONE, .z = true, .minutes = true, .seconds = true}},
    {"Z07:00:00", {.std = STD_ZONE, .z = true, .colons = true, .minutes = true, .seconds = true}},
    {"Z0700", {.std = STD_ZONE, .z = true, .minutes = true}},
    {"Z07:00", {.std = STD_ZONE, .z = true, .colons = true, .minutes = true}},
    {"Z07", {.std = STD_ZONE, .z = true}},
};

static bool is_digit_at(struct str s, size_t i)
{
    return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* .000 and ,999: digits of one kind that end the number. */
static bool fraction_at(struct str s, struct layout_chunk *ret)
{
    if (s.n < 2 || (s.p[0] != '.' && s.p[0] != ',') || (s.p[1] != '0' && s.p[1] != '9'))
        return false;
    size_t n = 1;
    while (n < s.n && s.p[n] == s.p[1])
        n++;
    if (is_digit_at(s, n))
        return false;
    ret->std = s.p[1] == '0' ? STD_FRACTION0 : STD_FRACTION9;
    ret->digits = n - 1 > 1000 ? 1000 : (int)(n - 1);
    ret->text = str_head(s, n);
    return true;
}

static bool element_at(struct str s, struct layout_chunk *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(elements); i++) {
        struct str text = str_of(elements[i].text);
        if (!str_starts(s, text))
            continue;
        enum layout_std std = elements[i].chunk.std;
        bool short_name = std == STD_MONTH || std == STD_WEEKDAY;
        if (short_name && s.n > 3 && s.p[3] >= 'a' && s.p[3] <= 'z')
            continue; /* "Janitor" is no month */
        if (std == STD_UNDER_DAY && str_starts(str_from(s, 1), STR("2006")))
            continue; /* an underscore and a year */
        *ret = elements[i].chunk;
        ret->text = str_head(s, text.n);
        return true;
    }
    return fraction_at(s, ret);
}

struct layout_chunk layout_next(struct str *layout)
{
    struct str all = *layout;
    struct layout_chunk c = {0};
    for (size_t i = 0; i < all.n; i++) {
        if (element_at(str_from(all, i), &c)) {
            c.prefix = str_head(all, i);
            *layout = str_from(all, i + c.text.n);
            return c;
        }
    }
    c.prefix = all;
    *layout = str_from(all, all.n);
    return c;
}

static void put_padded(struct buf *b, int64_t v, int width)
{
    if (v < 0) {
        buf_putc(b, '-');
        v = -v;
    }
    char text[24];
    int n = 0;
    do
        text[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    for (; width > n; width--)
        buf_putc(b, '0');
    while (n > 0)
        buf_putc(b, text[--n]);
}

static void put_offset(struct buf *b, int offset, const struct layout_chunk *c)
{
    if (c->z && offset == 0) {
        buf_putc(b, 'Z');
        return;
    }
    int minutes = offset / 60; /* towards zero */
    buf_putc(b, minutes < 0 ? '-' : '+');
    minutes = minutes < 0 ? -minutes : minutes;
    put_padded(b, minutes / 60, 2);
    if (c->minutes) {
        if (c->colons)
            buf_putc(b, ':');
        put_padded(b, minutes % 60, 2);
    }
    if (c->seconds) {
        if (c->colons)
            buf_putc(b, ':');
        put_padded(b, (offset < 0 ? -offset : offset) % 60, 2);
    }
}

static void put_fraction(struct buf *b, int32_t nsec, const struct layout_chunk *c)
{
    bool trim = c->std == STD_FRACTION9;
    if (trim && nsec == 0)
        return;
    buf_putc(b, c->text.p[0]);
    put_padded(b, nsec, 9);
    if (c->digits < 9)
        b->n -= (size_t)(9 - c->digits);
    while (trim && b->p[b->n - 1] == '0')
        b->n--;
    if (trim && b->p[b->n - 1] == c->text.p[0])
        b->n--;
}

static void put_date(struct buf *b, const struct civil *c, enum layout_std std)
{
    switch (std) {
    case STD_YEAR:
        put_padded(b, c->year < 0 ? 0 : c->year % 100, 2);
        return;
    case STD_LONG_YEAR:
        put_padded(b, c->year, 4);
        return;
    case STD_MONTH:
        buf_append(b, layout_months[c->month - 1], 3);
        return;
    case STD_LONG_MONTH:
        buf_puts(b, layout_months[c->month - 1]);
        return;
    case STD_NUM_MONTH:
    case STD_ZERO_MONTH:
        put_padded(b, c->month, std == STD_ZERO_MONTH ? 2 : 1);
        return;
    case STD_WEEKDAY:
        buf_append(b, layout_days[c->weekday], 3);
        return;
    case STD_LONG_WEEKDAY:
        buf_puts(b, layout_days[c->weekday]);
        return;
    case STD_DAY:
    case STD_ZERO_DAY:
        put_padded(b, c->day, std == STD_ZERO_DAY ? 2 : 1);
        return;
    case STD_UNDER_DAY:
        buf_printf(b, "%2d", c->day);
        return;
    case STD_UNDER_YEARDAY:
        buf_printf(b, "%3d", c->yday);
        return;
    default:
        put_padded(b, c->yday, 3);
    }
}

static void put_clock(struct buf *b, const struct civil *c, enum layout_std std)
{
    int hour12 = c->hour % 12 ? c->hour % 12 : 12;
    switch (std) {
    case STD_HOUR:
        put_padded(b, c->hour, 2);
        return;
    case STD_HOUR12:
    case STD_ZERO_HOUR12:
        put_padded(b, hour12, std == STD_ZERO_HOUR12 ? 2 : 1);
        return;
    case STD_MINUTE:
    case STD_ZERO_MINUTE:
        put_padded(b, c->minute, std == STD_ZERO_MINUTE ? 2 : 1);
        return;
    case STD_SECOND:
    case STD_ZERO_SECOND:
        put_padded(b, c->second, std == STD_ZERO_SECOND ? 2 : 1);
        return;
    case STD_PM_UPPER:
        buf_puts(b, c->hour >= 12 ? "PM" : "AM");
        return;
    default:
        buf_puts(b, c->hour >= 12 ? "pm" : "am");
    }
}

void golayout_format(struct buf *b, struct gotime t, struct str layout)
{
    struct gozone_span span = gozone_at(t.zone, t.sec);
    struct civil c = civil_of(t.sec + span.offset);
    while (layout.n > 0) {
        struct layout_chunk chunk = layout_next(&layout);
        buf_put(b, chunk.prefix);
        if (chunk.std == STD_NONE)
            return;
        if (chunk.std == STD_ZONE)
            put_offset(b, span.offset, &chunk);
        else if (chunk.std == STD_TZ && span.abbreviation.n > 0)
            buf_put(b, span.abbreviation);
        else if (chunk.std == STD_TZ)
            put_offset(b, span.offset, &(struct layout_chunk){.minutes = true});
        else if (chunk.std == STD_FRACTION0 || chunk.std == STD_FRACTION9)
            put_fraction(b, t.nsec, &chunk);
        else if ((chunk.std >= STD_HOUR && chunk.std <= STD_ZERO_SECOND) ||
                 chunk.std == STD_PM_UPPER || chunk.std == STD_PM_LOWER)
            put_clock(b, &c, chunk.std);
        else
            put_date(b, &c, chunk.std);
    }
}
