/* archive.c: reading packed charts: gzip around tar (ustar, GNU and pax names). */
#include <zlib.h>

#include "chart/chart.h"
#include "template/gofmt.h"

enum { BLOCK = 512, MAX_NAME = 4096 };

struct tar {
    struct chart_ctx *cx;
    z_stream z;
    int64_t left; /* bytes that may still be read */
    bool broken;  /* the gzip stream ended too early, or is none */
};

/* Reads n bytes into p; false at the end, or when the stream is broken. */
static bool read_bytes(struct tar *t, void *p, size_t n)
{
    t->z.next_out = p;
    t->z.avail_out = (uInt)n;
    while (t->z.avail_out > 0) {
        int status = inflate(&t->z, Z_NO_FLUSH);
        if (status == Z_STREAM_END && t->z.avail_in > 0) { /* members one after another */
            if (inflateReset(&t->z) != Z_OK)
                return false;
            continue;
        }
        if (status != Z_OK) {
            t->broken = status != Z_STREAM_END;
            return status == Z_STREAM_END && t->z.avail_out == 0;
        }
    }
    return true;
}

static bool read_number(const unsigned char *p, size_t n, int64_t *ret)
{
    uint64_t v = 0;
    if (p[0] & 0x80) { /* base 256 */
        for (size_t i = 0; i < n; i++)
            v = v << 8 | (i == 0 ? p[i] & 0x7f : p[i]);
    } else {
        for (size_t i = 0; i < n && p[i]; i++)
            if (p[i] >= '0' && p[i] <= '7')
                v = v << 3 | (uint64_t)(p[i] - '0');
            else if (p[i] != ' ')
                return false;
    }
    *ret = (int64_t)v;
    return *ret >= 0;
}

static bool checksum_fits(const unsigned char *block)
{
    int64_t want, sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : block[i];
    return read_number(block + 148, 8, &want) && want == sum;
}

/* "path=…" of a pax header. */
static struct str pax_path(struct str records)
{
    struct str found = {0};
    while (records.n) {
        struct str digits, rest;
        uint64_t length;
        if (!str_cut(records, ' ', &digits, &rest) || !str_to_u64(digits, &length) ||
            length > records.n || length < digits.n + 2)
            break;
        struct str record = {rest.p, length - digits.n - 2}; /* without the blank and newline */
        if (str_starts(record, STR("path=")))
            found = str_from(record, 5);
        records = str_from(records, length);
    }
    return found;
}

static struct str header_name(struct arena *a, const char *block)
{
    struct str name = {block, strnlen(block, 100)};
    struct str prefix = {block + 345, strnlen(block + 345, 155)};
    if (memcmp(block + 257, "ustar", 5) != 0 || memcmp(block + 257, "ustar ", 6) == 0)
        prefix.n = 0;
    return prefix.n ? arena_printf(a, "%.*s/%.*s", STR_ARG(prefix), STR_ARG(name))
                    : arena_dup(a, name);
}

/* Go's path.Clean of a path that is not absolute. */
static struct str clean(struct arena *a, struct str path)
{
    struct str *parts = arena_alloc(a, (path.n + 1) * sizeof(*parts));
    size_t n = 0;
    struct str part;
    while (str_next(&path, '/', &part)) {
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..") && n > 0 && !str_is(parts[n - 1], ".."))
            n--;
        else
            parts[n++] = part;
    }
    struct buf b = {0};
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s", i ? "/" : "", STR_ARG(parts[i]));
    struct str text = n ? arena_dup(a, buf_str(&b)) : STR(".");
    buf_done(&b);
    return text;
}

/* The name below the chart's folder, or an error for one that leads elsewhere. */
static int inner_name(struct chart_ctx *cx, struct str name, struct str *ret)
{
    char *copy = arena_z(cx->arena, name);
    if (memchr(copy, '\\', name.n)) /* made on Windows */
        for (size_t i = 0; i < name.n; i++)
            copy[i] = copy[i] == '\\' ? '/' : copy[i];
    struct str first, rest;
    str_cut((struct str){copy, name.n}, '/', &first, &rest);
    if (str_starts(rest, STR("/")))
        return chart_fail(cx, "chart illegally contains absolute paths");
    struct str n = clean(cx->arena, rest);
    if (str_is(n, ".")) {
        struct buf b = {0};
        gofmt_quote(&b, name, false);
        chart_fail(cx, "chart illegally contains content outside the base directory: %s",
                   buf_z(&b));
        buf_done(&b);
        return -1;
    }
    if (str_starts(n, STR("..")))
        return chart_fail(cx, "chart illegally references parent directory");
    char letter = n.p[0] | 0x20;
    if (n.n > 2 && letter >= 'a' && letter <= 'z' && n.p[1] == ':' && n.p[2] == '/')
        return chart_fail(cx, "chart contains illegally named files");
    if (str_is(first, "Chart.yaml"))
        return chart_fail(cx, "chart yaml not in base directory");
    *ret = n;
    return 0;
}

/* The content of a header's file, with its padding. */
static int read_content(struct tar *t, int64_t size, struct str *ret)
{
    char *text = arena_alloc(t->cx->arena, (size_t)size + 1);
    char padding[BLOCK];
    size_t pad = (size_t)(BLOCK - size % BLOCK) % BLOCK;
    if (!read_bytes(t, text, (size_t)size) || !read_bytes(t, padding, pad))
        return chart_fail(t->cx, "unexpected EOF");
    text[size] = 0;
    *ret = (struct str){text, (size_t)size};
    return 0;
}

static int read_file(struct tar *t, struct str name, int64_t size, struct chart_files *files)
{
    struct chart_ctx *cx = t->cx;
    struct str inner, data;
    if (inner_name(cx, name, &inner) != 0)
        return -1;
    if (size > t->left)
        return chart_fail(cx, "decompressed chart is larger than the maximum file size %d",
                          CHART_MAX_TOTAL);
    if (size > CHART_MAX_FILE)
        return chart_fail(
            cx, "decompressed chart file \"%.*s\" is larger than the maximum file size %d",
            STR_ARG(name), CHART_MAX_FILE);
    if (files->n >= CHART_MAX_FILES)
        return chart_fail(cx, "chart has more than %d files", CHART_MAX_FILES);
    t->left -= size;
    if (t->left <= 0)
        return chart_fail(cx, "decompressed chart is larger than the maximum file size %d",
                          CHART_MAX_TOTAL);
    if (read_content(t, size, &data) != 0)
        return -1;
    if (str_starts(data, STR("\xEF\xBB\xBF")))
        data = str_from(data, 3);
    chart_files_add(cx->arena, files, inner, data);
    return 0;
}

static int read_entries(struct tar *t, struct chart_files *files)
{
    unsigned char block[BLOCK];
    struct str long_name = {0};
    while (read_bytes(t, block, BLOCK)) {
        int64_t size;
        if (block[0] == 0 && !memcmp(block, block + 1, BLOCK - 1))
            return 0;
        if (!checksum_fits(block) || !read_number(block + 124, 12, &size))
            return chart_fail(t->cx, "archive/tar: invalid tar header");
        char type = (char)block[156];
        struct str content = {0};
        if (type == 'L' || type == 'x' || type == 'g') {
            if (size > MAX_NAME * 16)
                return chart_fail(t->cx, "archive/tar: header field too long");
            if (read_content(t, size, &content) != 0)
                return -1;
            if (type == 'L')
                long_name = (struct str){content.p, strnlen(content.p, content.n)};
            else if (type == 'x')
                long_name = pax_path(content);
            continue;
        }
        struct str name = long_name.n ? long_name : header_name(t->cx->arena, (const char *)block);
        long_name = (struct str){0};
        if (type == '5' || str_ends(name, STR("/")))
            continue;
        if (type == '3' || type == '4' || type == '6')
            return chart_fail(t->cx, "chart illegally contains a device: %.*s", STR_ARG(name));
        if (type == '1' || type == '2') { /* a link holds nothing, and must not lead out */
            struct str target = {(const char *)block + 157,
                                 strnlen((const char *)block + 157, 100)};
            if (str_starts(target, STR("/")) || str_find(target, STR("..")) >= 0)
                return chart_fail(t->cx, "chart illegally links outside the base directory: %.*s",
                                  STR_ARG(name));
            size = 0;
        }
        if (read_file(t, name, size, files) != 0)
            return -1;
    }
    return t->broken ? chart_fail(t->cx, "unexpected EOF") : 0;
}

int chart_read_archive(struct chart_ctx *cx, struct str gzip, struct chart_files *ret)
{
    struct tar t = {.cx = cx, .left = CHART_MAX_TOTAL};
    t.z.next_in = (Bytef *)gzip.p;
    t.z.avail_in = (uInt)gzip.n;
    if (!str_starts(gzip, STR("\x1F\x8B")) || inflateInit2(&t.z, 16 + MAX_WBITS) != Z_OK)
        return chart_fail(cx, "gzip: invalid header");
    int status = read_entries(&t, ret);
    inflateEnd(&t.z);
    if (status == 0 && ret->n == 0)
        return chart_fail(cx, "no files in chart archive");
    return status;
}
