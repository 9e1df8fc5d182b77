#include "cel/zone.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"

enum { MAX_FILE = 65536, HEADER = 44 };

struct tables { /* counts of a TZif block */
    uint32_t utc, standard, leap, times, types, chars;
};

static int64_t read_be(const unsigned char *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return n == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

static bool read_header(const unsigned char *p, size_t n, struct tables *ret)
{
    if (n < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    uint32_t counts[6];
    for (int i = 0; i < 6; i++)
        counts[i] = (uint32_t)read_be(p + 20 + 4 * i, 4);
    *ret = (struct tables){counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
    for (int i = 0; i < 6; i++)
        if (counts[i] > MAX_FILE)
            return false;
    return ret->types > 0;
}

static size_t block_size(const struct tables *t, size_t time_size)
{
    return t->times * (time_size + 1) + t->types * 6 + t->chars + t->leap * (time_size + 4) +
           t->standard + t->utc;
}

/* The offset in force: of the last change before `at`, or of the first type. */
static bool find_offset(const unsigned char *p, size_t n, int64_t at, int *ret)
{
    struct tables t;
    if (!read_header(p, n, &t))
        return false;
    size_t first = HEADER + block_size(&t, 4); /* version 1 has 32-bit times; skip it */
    if (p[4] < '2' || first >= n || !read_header(p + first, n - first, &t) ||
        first + HEADER + block_size(&t, 8) > n)
        return false;
    const unsigned char *times = p + first + HEADER, *kinds = times + 8 * t.times;
    const unsigned char *types = kinds + t.times;
    size_t type = 0;
    for (size_t i = 0; i < t.times && read_be(times + 8 * i, 8) <= at; i++)
        type = kinds[i];
    if (type >= t.types)
        return false;
    *ret = (int)read_be(types + 6 * type, 4);
    return true;
}

static bool is_safe(struct str name)
{
    if (name.n > 100 || name.p[0] == '/' || str_find(name, STR("..")) >= 0)
        return false;
    return !memchr(name.p, '\\', name.n) && !memchr(name.p, 0, name.n);
}

bool cel_zone_offset(struct str name, int64_t at, int *ret)
{
    *ret = 0;
    if (name.n == 0 || str_is(name, "UTC") || str_is(name, "Local"))
        return true;
    if (!is_safe(name))
        return false;
    char path[160];
    struct buf b = {0};
    struct err err;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
    bool found = file_read(path, MAX_FILE, &b, &err) == 0 &&
                 find_offset((const unsigned char *)b.p, b.n, at, ret);
    buf_done(&b);
    return found;
}
