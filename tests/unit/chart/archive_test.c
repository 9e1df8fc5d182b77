/* Packed charts that mean harm: what they are refused with. Texts are Helm's where it has one. */
#include "test.h"

#include <stdio.h>
#include <zlib.h>

#include "chart/chart.h"

enum { BLOCK = 512 };

struct entry {
    const char *name;
    char type;        /* '0' a file, '2' a link, '3' a device, '5' a folder */
    const char *link; /* NULL: none */
    const char *data; /* NULL: as many zeros as size says */
    uint64_t size;    /* when there is no data */
    bool says_only;   /* the size stands in the header, the bytes are missing */
};

static void put_entry(struct buf *b, const struct entry *e)
{
    char block[BLOCK] = {0};
    uint64_t size = e->data ? strlen(e->data) : e->size;
    snprintf(block, 100, "%s", e->name);
    memcpy(block + 100, "0000644", 7);
    snprintf(block + 124, 12, "%011llo", (unsigned long long)size);
    block[156] = e->type;
    if (e->link)
        snprintf(block + 157, 100, "%s", e->link);
    memcpy(block + 257, "ustar\00000", 8);
    unsigned sum = 8 * ' ';
    for (int i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? 0 : (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    block[155] = ' ';
    buf_append(b, block, BLOCK);
    if (e->says_only)
        return;
    size_t padded = (size + BLOCK - 1) / BLOCK * BLOCK;
    char *room = buf_reserve(b, padded);
    memset(room, 0, padded);
    if (e->data)
        memcpy(room, e->data, size);
    b->n += padded;
}

static struct str packed(struct arena *a, struct str tar)
{
    z_stream z = {0};
    CHECK(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&z, tar.n);
    char *out = arena_alloc(a, room);
    z.next_in = (Bytef *)tar.p;
    z.avail_in = (uInt)tar.n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    struct str gzip = {out, room - z.avail_out};
    deflateEnd(&z);
    return gzip;
}

/* The error of an archive of a good Chart.yaml and the entry, so many times. */
static void check_refused(struct entry e, size_t times, const char *want)
{
    static const struct entry chart = {"web/Chart.yaml", '0', NULL, "name: web\n", 0, false};
    static const char end[2 * BLOCK];
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct chart_files files = {0};
    struct buf tar = {0};
    put_entry(&tar, &chart);
    for (size_t i = 0; i < times; i++)
        put_entry(&tar, &e);
    if (!e.says_only)
        buf_append(&tar, end, sizeof(end));
    int status = chart_read_archive(&cx, packed(&a, buf_str(&tar)), &files);
    buf_done(&tar);
    CHECK_INT(status, want ? -1 : 0);
    if (want)
        CHECK_STR(cx.error, want);
    arena_done(&a);
}

TEST(paths_stay_inside)
{
    static const struct {
        const char *name, *error;
    } cases[] = {
        {"web/templates/a.yaml", NULL},
        {"web/a/../b", NULL},
        {"web/../x", "chart illegally references parent directory"},
        {"web/a/../../../etc/passwd", "chart illegally references parent directory"},
        {"../web/x", NULL}, /* the first folder's name means nothing */
        {"web//etc/passwd", "chart illegally contains absolute paths"},
        {"web/.", "chart illegally contains content outside the base directory: \"web/.\""},
        {"x", "chart illegally contains content outside the base directory: \"x\""},
        {"web\\..\\..\\x", "chart illegally references parent directory"},
        {"web/c:/x", "chart contains illegally named files"},
        {"Chart.yaml/x", "chart yaml not in base directory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_refused((struct entry){cases[i].name, '0', NULL, "x", 0, false}, 1, cases[i].error);
}

TEST(links_do_not_lead_out)
{
    check_refused((struct entry){"web/a", '2', "b", "", 0, false}, 1, NULL);
    check_refused((struct entry){"web/a", '2', "/etc/passwd", "", 0, false}, 1,
                  "chart illegally links outside the base directory: web/a");
    check_refused((struct entry){"web/a", '2', "../../x", "", 0, false}, 1,
                  "chart illegally links outside the base directory: web/a");
    check_refused((struct entry){"web/a", '1', "../x", "", 0, false}, 1,
                  "chart illegally links outside the base directory: web/a");
}

TEST(devices_are_refused)
{
    for (const char *type = "346"; *type; type++)
        check_refused((struct entry){"web/dev", *type, NULL, "", 0, false}, 1,
                      "chart illegally contains a device: web/dev");
}

TEST(sizes_have_limits)
{
    check_refused((struct entry){"web/a", '0', NULL, NULL, 5 * 1024 * 1024, false}, 1, NULL);
    check_refused((struct entry){"web/a", '0', NULL, NULL, 5 * 1024 * 1024 + 1, false}, 1,
                  "decompressed chart file \"web/a\" is larger than the maximum file size 5242880");
    /* A bomb: little to send, much to keep. */
    check_refused((struct entry){"web/a", '0', NULL, NULL, 5 * 1024 * 1024, false}, 20,
                  "decompressed chart is larger than the maximum file size 104857600");
    check_refused((struct entry){"web/a", '0', NULL, NULL, 077777777777, true}, 1,
                  "decompressed chart is larger than the maximum file size 104857600");
    check_refused((struct entry){"web/a", '0', NULL, NULL, 1000, true}, 1, "unexpected EOF");
    check_refused((struct entry){"web/a", '0', NULL, "x", 0, false}, CHART_MAX_FILES,
                  "chart has more than 65536 files");
}

TEST(what_is_no_archive_is_refused)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    struct chart_files files = {0};
    CHECK_INT(chart_read_archive(&cx, STR("no gzip"), &files), -1);
    CHECK_STR(cx.error, "gzip: invalid header");
    CHECK_INT(chart_read_archive(&cx, packed(&a, STR("no tar, but long enough")), &files), -1);
    arena_done(&a);
}
