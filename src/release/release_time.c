/* release_time.c: pkg/time, whose JSON is Go's but for the zero time. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "doc/time.h"
#include "release/release.h"

static const int64_t second = 1000000000;

struct release_time release_now(void)
{
    int64_t ns = wall_ns(world_real());
    time_t seconds = ns / second;
    struct tm local;
    localtime_r(&seconds, &local);
    return (struct release_time){ns, (int32_t)local.tm_gmtoff};
}

void release_time_write(struct release_time t, struct buf *b)
{
    char text[TIME_TEXT];
    int64_t local;
    if (t.ns == 0)
        return;
    if (__builtin_add_overflow(t.ns, t.offset_s * second, &local))
        local = t.ns;
    time_write_nano(local, text);
    buf_put(b, str_of(text));
    int minutes = t.offset_s / 60;
    if (minutes == 0)
        return;
    b->n--; /* the Z */
    int east = minutes < 0 ? -minutes : minutes;
    buf_printf(b, "%c%02d:%02d", minutes < 0 ? '-' : '+', east / 60, east % 60);
}

/* The offset that a valid RFC 3339 time ends in. */
static int32_t offset_of(struct str text)
{
    if (text.n < 6 || text.p[text.n - 3] != ':')
        return 0;
    const char *p = text.p + text.n - 6;
    int32_t hours = (p[1] - '0') * 10 + (p[2] - '0'), minutes = (p[4] - '0') * 10 + (p[5] - '0');
    return (p[0] == '-' ? -60 : 60) * (hours * 60 + minutes);
}

int release_time_parse(struct str text, struct release_time *ret)
{
    int64_t ns;
    if (text.n == 0 || str_is(text, "0001-01-01T00:00:00Z")) {
        *ret = (struct release_time){0};
        return 0;
    }
    if (time_parse(text, &ns, NULL) != 0)
        return -1;
    *ret = (struct release_time){ns, offset_of(text)};
    return 0;
}
