#include "chart/package.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>
#include <zlib.h>

#include "base/file.h"
#include "chart/objects.h"

static struct str to_yaml(struct chart_ctx *cx, struct value v)
{
    struct doc d;
    struct err err;
    struct buf b = {0};
    val *root;
    doc_init(&d);
    if (value_to_val(&d, cx->arena, v, &root, &err) == 0)
        val_write_yaml(root, &b);
    struct str text = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    doc_done(&d);
    return text;
}

struct str chart_meta_yaml(struct chart_ctx *cx, const struct chart_meta *m)
{
    return to_yaml(cx, chart_metadata_value(cx->arena, m));
}

struct str chart_lock_yaml(struct chart_ctx *cx, const struct chart_lock *l)
{
    return to_yaml(cx, chart_lock_value(cx->arena, l));
}

/* --- tar --- */
enum { BLOCK = 512, SHORT_NAME = 100, LONG_NAME = 255 };

static void put_octal(char *field, size_t n, uint64_t v)
{
    for (size_t i = n - 1; i-- > 0; v >>= 3)
        field[i] = (char)('0' + (v & 7));
}

static void put_padded(struct buf *b, struct str data)
{
    buf_put(b, data);
    size_t pad = (BLOCK - data.n % BLOCK) % BLOCK;
    memset(buf_reserve(b, pad), 0, pad);
    b->n += pad;
}

static void put_header(struct buf *b, struct str name, struct str prefix, size_t size, char type)
{
    char block[BLOCK] = {0};
    memcpy(block, name.p, name.n < SHORT_NAME ? name.n : SHORT_NAME);
    put_octal(block + 100, 8, 0644);
    put_octal(block + 108, 8, 0);
    put_octal(block + 116, 8, 0);
    put_octal(block + 124, 12, size);
    put_octal(block + 136, 12, (uint64_t)time(NULL));
    block[156] = type;
    memcpy(block + 257, "ustar\00000", 8);
    memcpy(block + 345, prefix.p ? prefix.p : "", prefix.n);
    unsigned sum = 8 * ' ';
    for (int i = 0; i < BLOCK; i++)
        sum += (unsigned char)block[i];
    put_octal(block + 148, 7, sum);
    block[155] = ' ';
    buf_append(b, block, BLOCK);
}

/* Long names are split at a slash, or else given in a pax record. */
static void put_file(struct buf *b, struct str name, struct str data)
{
    for (size_t i = 0; name.n > SHORT_NAME && i < name.n && i < 155; i++)
        if (name.p[i] == '/' && name.n - i - 1 <= SHORT_NAME) {
            put_header(b, str_from(name, i + 1), str_head(name, i), data.n, '0');
            put_padded(b, data);
            return;
        }
    if (name.n > SHORT_NAME) {
        struct buf record = {0};
        size_t length = name.n + 7; /* " path=" and the newline */
        size_t digits = length + 2 < 100 ? 2 : length + 3 < 1000 ? 3 : 4;
        buf_printf(&record, "%zu path=%.*s\n", length + digits, STR_ARG(name));
        put_header(b, STR("PaxHeaders.0/name"), STR(""), record.n, 'x');
        put_padded(b, buf_str(&record));
        buf_done(&record);
    }
    put_header(b, name, STR(""), data.n, '0');
    put_padded(b, data);
}

static void put_chart(struct chart_ctx *cx, struct buf *b, const struct chart *c, struct str prefix)
{
    struct arena *a = cx->arena;
    struct chart_meta meta = c->meta;
    struct str base = arena_printf(a, "%.*s%.*s/", STR_ARG(prefix), STR_ARG(meta.name));
    if (str_is(meta.api_version, "v1"))
        meta.has_dependencies = false; /* requirements.yaml is among the files */
    put_file(b, arena_printf(a, "%.*sChart.yaml", STR_ARG(base)), chart_meta_yaml(cx, &meta));
    if (str_is(meta.api_version, "v2") && c->lock)
        put_file(b, arena_printf(a, "%.*sChart.lock", STR_ARG(base)), chart_lock_yaml(cx, c->lock));
    const struct chart_file *values = chart_files_find(&c->raw, "values.yaml");
    if (values)
        put_file(b, arena_printf(a, "%.*svalues.yaml", STR_ARG(base)), values->data);
    if (c->has_schema)
        put_file(b, arena_printf(a, "%.*svalues.schema.json", STR_ARG(base)), c->schema);
    const struct chart_files *groups[] = {&c->templates, &c->files};
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        for (size_t i = 0; i < groups[g]->n; i++)
            put_file(b,
                     arena_printf(a, "%.*s%.*s", STR_ARG(base), STR_ARG(groups[g]->items[i].name)),
                     groups[g]->items[i].data);
    for (size_t i = 0; i < c->dep_count; i++)
        put_chart(cx, b, c->deps[i], arena_printf(a, "%.*scharts/", STR_ARG(base)));
}

/* --- gzip, with the marks that Helm leaves in the header --- */
static bool put_gzip(struct buf *b, struct str data)
{
    static const char extra[] = "+aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=";
    gz_header header = {.extra = (Bytef *)extra,
                        .extra_len = sizeof(extra) - 1,
                        .comment = (Bytef *)"Helm",
                        .os = 255};
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    deflateSetHeader(&z, &header);
    size_t room = deflateBound(&z, data.n) + 256;
    z.next_in = (Bytef *)data.p;
    z.avail_in = (uInt)data.n;
    z.next_out = (Bytef *)buf_reserve(b, room);
    z.avail_out = (uInt)room;
    bool done = deflate(&z, Z_FINISH) == Z_STREAM_END;
    b->n += room - z.avail_out;
    deflateEnd(&z);
    return done;
}

int chart_save(struct chart_ctx *cx, const struct chart *c, const char *dir, const char **ret_path)
{
    struct buf tar = {0}, gzip = {0};
    struct err err;
    const char *path = arena_printf(cx->arena, "%s%s%.*s-%.*s.tgz", dir,
                                    str_ends(str_of(dir), STR("/")) ? "" : "/",
                                    STR_ARG(c->meta.name), STR_ARG(c->meta.version))
                           .p;
    put_chart(cx, &tar, c, STR(""));
    put_padded(&tar, (struct str){(const char[2 * BLOCK]){0}, 2 * BLOCK});
    bool packed = put_gzip(&gzip, buf_str(&tar));
    int status = packed && file_mkdirs(dir, 0755, &err) == 0 &&
                         file_write(path, buf_str(&gzip), 0644, &err) == 0
                     ? 0
                     : -1;
    if (status != 0)
        chart_fail(cx, "%s", packed ? err.message : "compression failed");
    buf_done(&tar);
    buf_done(&gzip);
    *ret_path = path;
    return status;
}

/* resolver.HashReq: the JSON of both lists. */
struct str chart_lock_digest(struct chart_ctx *cx, struct chart_dependency *const *wanted,
                             size_t wanted_n, struct chart_dependency *const *locked,
                             size_t locked_n)
{
    struct doc d;
    struct err err;
    struct buf b = {0};
    struct value both = value_slice_new(cx->arena, &type_list, 2);
    both.items[0] = chart_dependencies_value(cx->arena, wanted, wanted_n);
    both.items[1] = chart_dependencies_value(cx->arena, locked, locked_n);
    val *root;
    doc_init(&d);
    if (value_to_val(&d, cx->arena, both, &root, &err) == 0)
        val_write_json(root, &b);
    struct str text = arena_printf(cx->arena, "sha256:%s", chart_digest(cx, buf_str(&b)).p);
    buf_done(&b);
    doc_done(&d);
    return text;
}

struct str chart_digest(struct chart_ctx *cx, struct str bytes)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf b = {0};
    EVP_Digest(bytes.p ? bytes.p : "", bytes.n, digest, &n, EVP_sha256(), NULL);
    for (unsigned i = 0; i < n; i++)
        buf_printf(&b, "%02x", digest[i]);
    struct str text = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}
