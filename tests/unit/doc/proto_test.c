/* What upstream's encoders wrote (tools/schema/golden) is read and written back byte for byte. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "doc/schema.h"
#include "test.h"

enum { GOLDEN_MAX = 64 << 20 };

struct golden {
    struct buf json, proto;
    struct doc d;
    val *want;
    const struct schema *schema;
};

static void golden_done(struct golden *g)
{
    buf_done(&g->json);
    buf_done(&g->proto);
    doc_done(&g->d);
}

static void golden_read(struct golden *g, const char *dir, const char *name)
{
    char path[512];
    struct err err = {0};
    *g = (struct golden){0};
    doc_init(&g->d);
    snprintf(path, sizeof(path), "%s/%s.json", dir, name);
    CHECK_OK(file_read(path, GOLDEN_MAX, &g->json, &err), &err);
    snprintf(path, sizeof(path), "%s/%s.pb", dir, name);
    CHECK_OK(file_read(path, GOLDEN_MAX, &g->proto, &err), &err);
    CHECK_OK(doc_parse_json(&g->d, buf_str(&g->json), &g->want, &err), &err);
    g->schema = schema_of_kind(VAL_STR(g->want, "apiVersion"), VAL_STR(g->want, "kind"));
}

/* Calls `check` for each pair of files whose kind is served; more folders by TUTTI_GOLDEN. */
static void each_golden(void (*check)(struct golden *g, const char *name))
{
    const char *dir = getenv("TUTTI_GOLDEN") ? getenv("TUTTI_GOLDEN") : GOLDEN_DIR;
    DIR *files = opendir(dir);
    CHECK(files != NULL);
    size_t checked = 0;
    for (struct dirent *e; (e = readdir(files));) {
        struct str file = str_of(e->d_name);
        if (!str_ends(file, STR(".json")))
            continue;
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)(file.n - 5), file.p);
        struct golden g;
        golden_read(&g, dir, name);
        if (g.schema) {
            check(&g, name);
            checked++;
        }
        golden_done(&g);
    }
    closedir(files);
    CHECK(checked > 10);
    printf("# %zu objects\n", checked);
}

static void check_decode(struct golden *g, const char *name)
{
    struct err err = {0};
    val *got;
    if (schema_decode_proto(g->schema, &g->d, buf_str(&g->proto), &got, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", name, err.message);
    if (val_eq(got, g->want))
        return;
    CLEANUP(buf_done) struct buf b = {0};
    val_write_yaml(got, &b);
    test_fail(__FILE__, __LINE__, "%s decodes to\n%s", name, buf_z(&b));
}

TEST(proto_decodes_to_the_json_that_go_writes)
{
    each_golden(check_decode);
}

static void check_encode(struct golden *g, const char *name)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf b = {0};
    if (schema_encode_proto(g->schema, g->want, &b, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", name, err.message);
    if (!str_eq(buf_str(&b), buf_str(&g->proto))) {
        size_t at = 0;
        while (at < b.n && at < g->proto.n && b.p[at] == g->proto.p[at])
            at++;
        test_fail(__FILE__, __LINE__, "%s: %zu bytes, not %zu, differ at %zu", name, b.n,
                  g->proto.n, at);
    }
}

TEST(proto_encodes_the_bytes_that_go_writes)
{
    each_golden(check_encode);
}

static void check_json(struct golden *g, const char *name)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf strict = {0};
    val *v = val_copy(&g->d, g->want);
    if (schema_check(g->schema, &g->d, v, &strict, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", name, err.message);
    if (strict.n)
        test_fail(__FILE__, __LINE__, "%s: %s", name, buf_z(&strict));
    schema_normalize(g->schema, &g->d, v);
    if (!val_eq(v, g->want))
        test_fail(__FILE__, __LINE__, "%s is not what Go writes after check and normalize", name);
}

TEST(json_of_go_passes_the_check_and_is_normal)
{
    each_golden(check_json);
}

/* --- what no Go encoder writes --- */
static void decode(const char *bytes, size_t n, struct str kind, struct err *err, struct buf *out)
{
    struct doc d;
    val *v;
    doc_init(&d);
    *err = (struct err){0};
    const struct schema *s = schema_of_kind(STR("v1"), kind);
    if (schema_decode_proto(s, &d, (struct str){bytes, n}, &v, err) == 0)
        val_write_json(v, out);
    doc_done(&d);
}

TEST(proto_refuses_what_is_no_envelope)
{
    struct err err;
    CLEANUP(buf_done) struct buf out = {0};
    decode("{}", 2, STR("Pod"), &err, &out);
    CHECK_INT(err.code, 400);
    CHECK(strstr(err.message, "provided data does not appear to be a protobuf message"));
}

TEST(proto_refuses_what_is_cut_off)
{
    static const char cut[] = "k8s\0\x12\x7f\x0a";
    struct err err;
    CLEANUP(buf_done) struct buf out = {0};
    decode(cut, sizeof(cut) - 1, STR("Pod"), &err, &out);
    CHECK_STR(str_of(err.message), "unexpected EOF");
}

TEST(proto_skips_unknown_fields_and_keeps_the_last_of_repeated_keys)
{
    /* ConfigMap: data {a: x}, data {a: y}, field 99. */
    static const char text[] = "k8s\0\x12\x15\x12\x06\x0a\x01"
                               "a\x12\x01"
                               "x\x12\x06\x0a\x01"
                               "a\x12\x01"
                               "y\x9a\x06\x02hi";
    struct err err;
    CLEANUP(buf_done) struct buf out = {0};
    decode(text, sizeof(text) - 1, STR("ConfigMap"), &err, &out);
    CHECK_STR(str_of(err.message), "");
    CHECK_STR(buf_str(&out), "{\"data\":{\"a\":\"y\"},\"metadata\":{}}");
}
