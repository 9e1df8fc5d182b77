/* Replays tests/golden/cel/NAME.txt: expressions with what upstream (cel-go with the Kubernetes
 * libraries) makes of them. A line is a key and a text:
 *
 *     schema {…}        the type of self and oldSelf from here on, as in a CustomResourceDefinition
 *     self {…}          their values, until the next schema
 *     oldSelf {…}
 *     oldOptional true  oldSelf is optional
 *     env new           what a new expression may use; `env stored` allows all
 *     > EXPRESSION      one line of it each
 *     error TEXT        why it does not compile, a line each
 *     type, estimate MIN MAX, value, cost; fails TEXT; program TEXT */
#include <dirent.h>
#include <stdlib.h>

#include "base/file.h"
#include "cel/cel.h"
#include "test.h"

struct table {
    struct arena arena;
    struct doc doc;
    const char *path;
    int line;
    bool is_new, old_optional;
    const struct cel_type *type;
    const val *self, *old_self;
    struct buf text, want; /* of the case that is being read */
    int cases, wrong;
};

static val *read_json(struct table *t, struct str text)
{
    struct err err;
    val *v;
    CHECK_OK(doc_parse_json(&t->doc, text, &v, &err), &err);
    return v;
}

static void put_lines(struct buf *b, const char *key, struct str text)
{
    struct str rest = text, line;
    bool more = true;
    while (more) {
        more = str_cut(rest, '\n', &line, &rest);
        buf_printf(b, "%s %.*s\n", key, STR_ARG(line));
    }
}

static void run_program(struct table *t, const struct cel_program *p, struct buf *out)
{
    struct arena a = {0};
    struct cel_binding values[2];
    struct cel_input in = {.bindings = values};
    struct cel_value v;
    struct err err;
    uint64_t cost;
    if (t->self)
        values[in.count++] = (struct cel_binding){STR("self"), cel_of_doc(&a, t->self, t->type)};
    if (t->old_self || t->old_optional) {
        struct cel_value old = t->old_self ? cel_of_doc(&a, t->old_self, t->type) : cel_null();
        if (t->old_optional)
            old = t->old_self ? cel_optional_of(&a, old) : cel_optional_none();
        values[in.count++] = (struct cel_binding){STR("oldSelf"), old};
    }
    if (cel_eval(p, &in, &a, CEL_CALL_LIMIT, &cost, &v, &err) == 0) {
        struct buf text = {0};
        cel_value_write(v, &text);
        put_lines(out, "value", buf_str(&text));
        buf_done(&text);
    } else {
        put_lines(out, "fails", str_of(err.message));
    }
    buf_printf(out, "cost %llu\n", (unsigned long long)cost);
    arena_done(&a);
}

static void run_case(struct table *t, struct buf *out)
{
    struct buf issues = {0};
    const struct cel_type *old =
        t->type && t->old_optional ? cel_type_optional(&t->arena, t->type) : t->type;
    struct cel_var vars[] = {{STR("self"), t->type}, {STR("oldSelf"), old}};
    struct cel_env env = {.vars = vars, .var_count = t->type ? 2 : 0, .stored = !t->is_new};
    struct cel_program *p = cel_compile(&env, buf_str(&t->text), &issues);
    if (p) {
        buf_puts(out, "type ");
        cel_type_write(cel_program_type(p), out);
        struct cel_cost cost = cel_program_cost(p);
        buf_printf(out, "\nestimate %llu %llu\n", (unsigned long long)cost.min,
                   (unsigned long long)cost.max);
        run_program(t, p, out);
    } else {
        static const char failed[] = "program instantiation failed: ";
        struct str text = buf_str(&issues);
        bool late = str_starts(text, str_of(failed));
        put_lines(out, late ? "program" : "error", late ? str_from(text, strlen(failed)) : text);
    }
    cel_program_free(p);
    buf_done(&issues);
}

static void finish_case(struct table *t)
{
    if (t->text.n == 0)
        return;
    struct buf got = {0};
    run_case(t, &got);
    t->cases++;
    /* Where the program cannot be made, upstream has given type and estimate before. */
    struct str want = buf_str(&t->want);
    ssize_t late = str_find(want, STR("program "));
    if (late > 0)
        want = str_from(want, (size_t)late);
    if (!str_eq(buf_str(&got), want)) {
        t->wrong++;
        printf("%s:%d: %s\n--- want\n%.*s--- got\n%s\n", t->path, t->line, buf_z(&t->text),
               STR_ARG(want), buf_z(&got));
    }
    buf_clear(&t->text);
    buf_clear(&t->want);
    buf_done(&got);
}

static void set_schema(struct table *t, struct str text)
{
    const val *schema = read_json(t, text);
    bool root = val_bool(val_get(schema, "x-kubernetes-embedded-resource"));
    t->type = cel_type_of_openapi(&t->arena, schema, root, STR("selfType"));
    t->self = t->old_self = NULL;
    t->old_optional = false;
}

static void read_line(struct table *t, struct str line)
{
    struct str key, rest;
    str_cut(line, ' ', &key, &rest);
    t->line++;
    if (line.n == 0) {
        finish_case(t);
    } else if (str_is(key, ">")) {
        if (t->text.n > 0)
            buf_putc(&t->text, '\n');
        buf_put(&t->text, rest);
    } else if (str_is(key, "schema")) {
        set_schema(t, rest);
    } else if (str_is(key, "self")) {
        t->self = read_json(t, rest);
    } else if (str_is(key, "oldSelf")) {
        t->old_self = read_json(t, rest);
    } else if (str_is(key, "oldOptional")) {
        t->old_optional = str_is(rest, "true");
    } else if (str_is(key, "env")) {
        t->is_new = str_is(rest, "new");
    } else if (!str_is(key, "#")) {
        buf_put(&t->want, line);
        buf_putc(&t->want, '\n');
    }
}

static int run_table(const char *path)
{
    struct table t = {.path = path};
    struct buf content = {0};
    struct err err;
    doc_init(&t.doc);
    CHECK_OK(file_read(path, 4 << 20, &content, &err), &err);
    struct str rest = buf_str(&content), line;
    while (rest.n > 0) {
        str_cut(rest, '\n', &line, &rest);
        read_line(&t, line);
    }
    finish_case(&t);
    int wrong = t.wrong;
    buf_done(&content);
    buf_done(&t.text);
    buf_done(&t.want);
    doc_done(&t.doc);
    arena_done(&t.arena);
    printf("%s: %d of %d expressions wrong\n", path, wrong, t.cases);
    return wrong;
}

TEST(expressions_as_upstream)
{
    const char *folder = getenv("TUTTI_GOLDEN") ? getenv("TUTTI_GOLDEN") : GOLDEN_DIR;
    DIR *dir = opendir(folder);
    CHECK(dir != NULL);
    int wrong = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[512];
        if (!str_ends(str_of(e->d_name), STR(".txt")))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        wrong += run_table(path);
    }
    closedir(dir);
    CHECK_INT(wrong, 0);
}
