/* Replays kinds/KIND.txt: an object goes in, what the API server says about it comes out.
 *
 *     == what the case shows
 *     {the object as YAML}
 *     -- ACTION
 *     expected lines
 *
 * Actions: `causes` (create: defaults, hooks and validation; one line a cause), `error` (a hook's
 * refusal), `row` (the table's cells, joined by " | "), `object` (what would be stored, as YAML),
 * `ops` (what else the write does), and `update` (the object below the line is what the case's
 * object is changed to; its causes follow after a line `-- causes`). Objects in fixtures.yaml are
 * in the store. */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "api/kind.h"
#include "api/kinds/kinds.h"
#include "base/file.h"
#include "test.h"

enum { NOW_SECONDS = 1767323045 }; /* 2026-01-02T03:04:05Z */

static int64_t fixed_wall(struct world *w)
{
    (void)w;
    return (int64_t)NOW_SECONDS * 1000000000;
}

static void fixed_random(struct world *w, void *p, size_t n)
{
    (void)w;
    memset(p, 7, n);
}

static struct world fixed_world = {.wall_ns = fixed_wall, .random = fixed_random};

struct bench {
    struct store *store;
    struct store_snap *snap;
    char dir[64];
};

static void put(struct store *s, struct str key, struct str json)
{
    struct bytes *value = bytes_new(json);
    struct store_op op = {STORE_PUT, key, value, -1, STORE_ANY};
    struct store_write w = {.ops = &op, .op_count = 1};
    store_commit(s, &w);
    bytes_unref(w.first_value);
    bytes_unref(value);
}

static const struct schema_kind *find_kind(struct str api_version, struct str kind)
{
    struct str group, version;
    if (!str_cut(api_version, '/', &group, &version)) {
        version = api_version;
        group = (struct str){0};
    }
    for (const struct schema_kind *k = schema_kinds; k->kind; k++)
        if (str_is(kind, k->kind) && str_is(group, k->group) && str_is(version, k->version))
            return k;
    test_fail(__FILE__, __LINE__, "no kind %.*s %.*s", STR_ARG(api_version), STR_ARG(kind));
}

static void load_fixtures(struct bench *b)
{
    struct buf text = {0};
    struct err err;
    CHECK_OK(file_read(KINDS_DIR "/fixtures.yaml", 1 << 20, &text, &err), &err);
    struct str rest = buf_str(&text), part;
    while (doc_next_yaml(&rest, &part)) {
        struct doc d;
        struct arena a = {0};
        struct buf json = {0};
        val *v;
        doc_init(&d);
        CHECK_OK(doc_parse_yaml(&d, part, &v, &err), &err);
        const struct schema_kind *k = find_kind(VAL_STR(v, "apiVersion"), VAL_STR(v, "kind"));
        val_write_json(v, &json);
        put(b->store,
            kind_key(&a, k->group, k->resource, VAL_STR(v, "metadata", "namespace"),
                     VAL_STR(v, "metadata", "name")),
            buf_str(&json));
        buf_done(&json);
        arena_done(&a);
        doc_done(&d);
    }
    put(b->store, STR("/alloc/ip/10.96.0.80"), STR("default/other"));
    put(b->store, STR("/alloc/port/30080"), STR("default/other"));
    buf_done(&text);
}

static void bench_init(struct bench *b)
{
    struct err err;
    snprintf(b->dir, sizeof(b->dir), "/tmp/kinds-test-XXXXXX");
    CHECK(mkdtemp(b->dir) != NULL);
    CHECK_OK(
        store_open(&(struct store_config){.dir = b->dir, .map_bytes = 1 << 26, .no_sync = true},
                   &b->store, &err),
        &err);
    load_fixtures(b);
    CHECK_OK(store_snap_begin(b->store, 0, &b->snap, &err), &err);
}

static void bench_done(struct bench *b)
{
    struct err err;
    store_snap_end(b->snap);
    store_close(b->store);
    file_remove_tree(b->dir, &err);
}

/* --- one case --- */
struct run {
    struct bench *bench;
    struct doc d;
    struct arena arena;
    struct strategy_ctx c;
    const struct strategy *s;
    const struct schema_kind *k;
    val *obj, *causes;
    struct err err;
    bool refused;
    struct buf out;
};

static void drop_ops(struct strategy_ctx *c)
{
    for (size_t i = 0; i < c->extra_count; i++)
        bytes_unref(c->extra_ops[i].value);
    c->extra_count = 0;
}

static val *parse(struct run *r, struct str yaml)
{
    val *v;
    struct err err;
    struct buf strict = {0};
    CHECK_OK(doc_parse_yaml(&r->d, yaml, &v, &err), &err);
    r->k = find_kind(VAL_STR(v, "apiVersion"), VAL_STR(v, "kind"));
    r->s = strategy_of(r->k);
    CHECK_OK(schema_check(r->k->schema, &r->d, v, &strict, &err), &err);
    if (strict.n)
        test_fail(__FILE__, __LINE__, "%s", buf_z(&strict));
    buf_done(&strict);
    r->c = (struct strategy_ctx){.kind = r->k,
                                 .d = &r->d,
                                 .arena = &r->arena,
                                 .snap = r->bench->snap,
                                 .world = &fixed_world,
                                 .ns = VAL_STR(v, "metadata", "namespace"),
                                 .name = VAL_STR(v, "metadata", "name")};
    schema_default(r->k->schema, &r->d, v);
    if (r->s->defaults)
        r->s->defaults(&r->c, v);
    return v;
}

static void create(struct run *r, struct str yaml)
{
    r->obj = parse(r, yaml);
    r->causes = val_new_arr(&r->d);
    val *status = val_get(r->obj, "status") ? val_copy(&r->d, val_get(r->obj, "status")) : NULL;
    r->refused = r->s->prepare_create && r->s->prepare_create(&r->c, r->obj, &r->err);
    if (r->refused)
        return;
    schema_normalize(r->k->schema, &r->d, r->obj);
    schema_validate(r->k->schema, r->obj, "", &r->d, r->causes);
    if (r->s->validate)
        r->s->validate(&r->c, r->obj, r->causes);
    if (status) /* for tables: what a controller would have written since */
        val_set(&r->d, r->obj, "status", status);
}

static void update(struct run *r, struct str yaml)
{
    val *old = r->obj;
    drop_ops(&r->c);
    r->obj = parse(r, yaml);
    r->causes = val_new_arr(&r->d);
    r->refused = r->s->prepare_update && r->s->prepare_update(&r->c, r->obj, old, &r->err);
    if (r->refused)
        return;
    schema_normalize(r->k->schema, &r->d, r->obj);
    if (r->s->validate_update)
        r->s->validate_update(&r->c, r->obj, old, r->causes);
}

static void print_causes(struct run *r)
{
    VAL_FOR (r->causes, cause) {
        buf_printf(&r->out, "%.*s: %.*s\n", STR_ARG(VAL_STR(cause, "field")),
                   STR_ARG(VAL_STR(cause, "message")));
    }
}

static void print_row(struct run *r)
{
    val *cells = val_new_arr(&r->d);
    size_t columns = 0, n = 0;
    r->s->row(&r->c, r->obj, &r->d, cells);
    while (r->s->columns[columns].name)
        columns++;
    VAL_FOR (cells, cell) {
        buf_puts(&r->out, n++ ? " | " : "");
        if (val_is_str(cell))
            buf_put(&r->out, val_str(cell));
        else
            val_write_json(cell, &r->out);
    }
    buf_putc(&r->out, '\n');
    if (columns != n)
        buf_printf(&r->out, "%zu columns\n", columns);
}

static void print_ops(struct run *r)
{
    static const char *const types[] = {"put", "delete", "check"};
    for (size_t i = 0; i < r->c.extra_count; i++)
        buf_printf(&r->out, "%s %.*s %s\n", types[r->c.extra_ops[i].type],
                   STR_ARG(r->c.extra_ops[i].key),
                   r->c.extra_ops[i].expect == STORE_ABSENT ? "absent" : "any");
}

static void act(struct run *r, struct str action)
{
    buf_clear(&r->out);
    if (r->refused && !str_is(action, "error"))
        test_fail(__FILE__, __LINE__, "refused: %s", r->err.message);
    if (str_is(action, "causes"))
        print_causes(r);
    else if (str_is(action, "row"))
        print_row(r);
    else if (str_is(action, "ops"))
        print_ops(r);
    else if (str_is(action, "object"))
        val_write_yaml(r->obj, &r->out);
    else if (str_is(action, "error"))
        buf_printf(&r->out, "%s\n", r->refused ? r->err.message : "no error");
    else
        test_fail(__FILE__, __LINE__, "no action %.*s", STR_ARG(action));
}

/* The lines up to the next one that begins with the mark. */
static struct str take_block(struct str *rest)
{
    struct str block = {rest->p, 0};
    while (block.n < rest->n) {
        struct str here = str_from(*rest, block.n);
        if (str_starts(here, STR("== ")) || str_starts(here, STR("-- ")))
            break;
        ssize_t end = str_find_char(here, '\n');
        block.n += end < 0 ? here.n : (size_t)end + 1;
    }
    *rest = str_from(*rest, block.n);
    return block;
}

static struct str take_line(struct str *rest)
{
    struct str line;
    str_cut(*rest, '\n', &line, rest);
    return line;
}

static void run_case(struct bench *b, const char *file, struct str *rest)
{
    struct run r = {.bench = b};
    struct str title = take_line(rest);
    doc_init(&r.d);
    create(&r, take_block(rest));
    while (rest->n && str_starts(*rest, STR("-- "))) {
        struct str action = str_from(take_line(rest), 3);
        struct str block = take_block(rest);
        if (str_is(action, "update")) {
            update(&r, block);
            continue;
        }
        act(&r, action);
        if (!str_eq(str_trim(buf_str(&r.out)), str_trim(block)))
            test_fail(__FILE__, __LINE__, "%s: %.*s: %.*s is\n%s\nnot\n%.*s", file, STR_ARG(title),
                      STR_ARG(action), buf_z(&r.out), STR_ARG(block));
    }
    drop_ops(&r.c);
    buf_done(&r.out);
    arena_done(&r.arena);
    doc_done(&r.d);
}

static void run_file(const char *name)
{
    struct bench b;
    struct buf path = {0}, text = {0};
    struct err err;
    bench_init(&b);
    buf_printf(&path, KINDS_DIR "/%s.txt", name);
    CHECK_OK(file_read(buf_z(&path), 1 << 20, &text, &err), &err);
    struct str rest = buf_str(&text);
    take_block(&rest); /* a comment */
    while (rest.n)
        run_case(&b, name, &rest);
    buf_done(&path);
    buf_done(&text);
    bench_done(&b);
}

TEST(pods)
{
    run_file("pod");
}

TEST(pod_tables)
{
    run_file("pod_table");
}

TEST(services)
{
    run_file("service");
}

TEST(workloads)
{
    run_file("workload");
}

TEST(small_kinds)
{
    run_file("small");
}

TEST(other_tables)
{
    run_file("other");
}

TEST(every_kind_has_a_strategy_and_whole_rows)
{
    for (const struct schema_kind *k = schema_kinds; k->kind; k++) {
        const struct strategy *s = strategy_of(k);
        CHECK(s != NULL);
        CHECK((s->columns == NULL) == (s->row == NULL));
        CHECK((s->fields == NULL) == (s->field == NULL));
        if (s->row == NULL)
            continue;
        struct doc d;
        struct arena a = {0};
        size_t columns = 0;
        doc_init(&d);
        struct strategy_ctx c = {.kind = k, .d = &d, .arena = &a, .world = &fixed_world};
        val *cells = val_new_arr(&d);
        s->row(&c, val_new_obj(&d), &d, cells);
        while (s->columns[columns].name)
            columns++;
        if (val_len(cells) != columns)
            test_fail(__FILE__, __LINE__, "%s: %zu cells for %zu columns", k->resource,
                      val_len(cells), columns);
        arena_done(&a);
        doc_done(&d);
    }
}
