#include "cel/cel.h"

#include "test.h"

TEST(field_names_become_identifiers)
{
    static const char *const cases[][2] = {
        {"a", "a"},
        {"a.b", "a__dot__b"},
        {"a-b", "a__dash__b"},
        {"a/b", "a__slash__b"},
        {"a__b", "a__underscores__b"},
        {"namespace", "__namespace__"},
        {"_a", "_a"},
    };
    struct arena a = {0};
    struct str s;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK(cel_escape(&a, str_of(cases[i][0]), &s));
        CHECK_STR(s, cases[i][1]);
        CHECK(cel_unescape(&a, s, &s));
        CHECK_STR(s, cases[i][0]);
    }
    CHECK(!cel_escape(&a, STR("1a"), &s));
    CHECK(!cel_escape(&a, STR("a b"), &s));
    CHECK(!cel_escape(&a, STR(""), &s));
    CHECK(!cel_unescape(&a, STR("a__if__"), &s));
    arena_done(&a);
}

/* --- evaluating with bindings of the test's own --- */
struct run {
    struct arena arena;
    struct cel_program *program;
    struct cel_value value;
    uint64_t cost;
    struct err err;
    int status;
    struct buf text; /* the value, or the issues */
};

static void run_done(struct run *r)
{
    buf_done(&r->text);
    cel_program_free(r->program);
    arena_done(&r->arena);
}

static void run(struct run *r, const char *text, const struct cel_var *vars,
                const struct cel_input *in, uint64_t limit)
{
    *r = (struct run){.status = -2};
    struct cel_env env = {.vars = vars, .var_count = in->count, .stored = true};
    r->program = cel_compile(&env, str_of(text), &r->text);
    if (!r->program)
        return;
    r->status = cel_eval(r->program, in, &r->arena, limit, &r->cost, &r->value, &r->err);
    if (r->status == 0)
        cel_value_write(r->value, &r->text);
}

static const struct cel_input no_input;

TEST(cost_ends_an_evaluation)
{
    struct run r;
    run(&r, "[1, 2, 3].all(x, [1, 2, 3].all(y, x > 0 && y > 0))", NULL, &no_input, 20);
    CHECK_INT(r.status, -1);
    CHECK(r.err.reason == CEL_OVER_COST);
    CHECK_STR(str_of(r.err.message), "operation cancelled: actual cost limit exceeded");
    CHECK(r.cost > 20 && r.cost < 40);
    run_done(&r);
}

/* Upstream's variables of optMap alias what is joined to them. */
TEST(variables_keep_their_values)
{
    struct run r;
    run(&r, "optional.of([]).optMap(x, [x, x + [1] + x, x])", NULL, &no_input, CEL_CALL_LIMIT);
    CHECK_STR(buf_str(&r.text), "optional.of([[], [1], []])");
    run_done(&r);
}

TEST(cost_is_not_absorbed)
{
    struct run r;
    run(&r, "true || [1].all(x, false)", NULL, &no_input, 1000);
    CHECK_STR(buf_str(&r.text), "true");
    run_done(&r);
    run(&r, "[1, 2, 3].all(x, [1, 2, 3].all(y, x > 0 && y > 0)) || true", NULL, &no_input, 20);
    CHECK(r.err.reason == CEL_OVER_COST);
    run_done(&r);
}

/* What is cheap to write and dear to do has to end soon. */
TEST(bombs_end)
{
    static const char *const bombs[] = {
        "lists.range(4000000000)",
        "lists.range(100000).map(x, lists.range(100000))",
        "[lists.range(10000)].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)"
        ".map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)"
        ".all(x, x.sum() > 0)",
        "lists.range(20000).map(x, lists.range(10)).flatten().sort()",
        "[lists.range(30000)].map(l, l.map(x, l)).all(m, m == m)",
        "['0123456789'].map(s, s + s + s + s + s + s + s + s + s + s)"
        ".map(s, s + s + s + s + s + s + s + s + s + s)"
        ".map(s, s + s + s + s + s + s + s + s + s + s)"
        ".map(s, s + s + s + s + s + s + s + s + s + s)"
        ".map(s, s.replace('', s)).map(s, s.replace('', s))",
        "lists.range(30000).map(x, 'ab').map(s, '%s %s %s'.format([s, s, s])).join(',').split('')"
        ".map(c, c.replace('', 'xyz')).join(',')",
        "'%s'.format([[lists.range(20000)].map(l, l.map(x, l))])",
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.matches('(a?){1000}(b|a+)*$' + '')",
    };
    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
        struct run r;
        run(&r, bombs[i], NULL, &no_input, CEL_CALL_LIMIT);
        CHECK(r.status == 0 || r.status == -1);
        run_done(&r);
    }
}

static void repeat(struct buf *b, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        buf_puts(b, text);
}

static void check_issue(struct buf *text, const char *want)
{
    struct run r;
    run(&r, buf_z(text), NULL, &no_input, CEL_CALL_LIMIT);
    CHECK_INT(r.status, -2);
    CHECK(str_find(buf_str(&r.text), str_of(want)) >= 0);
    run_done(&r);
    buf_clear(text);
}

TEST(length_and_nesting_are_limited)
{
    static const char too_deep[] = "expression recursion limit exceeded: 250";
    struct buf b = {0};
    repeat(&b, "(", 300);
    check_issue(&b, too_deep);
    buf_puts(&b, "1");
    repeat(&b, "+1", 300);
    check_issue(&b, too_deep);
    buf_puts(&b, "a");
    repeat(&b, ".b", 300);
    check_issue(&b, too_deep);
    repeat(&b, "[", 100000);
    check_issue(&b, too_deep);
    repeat(&b, "x", 100001);
    check_issue(&b, "expression code point size exceeds limit: size: 100001, limit 100000");
    buf_puts(&b, "optional.of(1)");
    repeat(&b, ".optMap(x, x)", 60);
    check_issue(&b, "expression is too large when its macros are expanded");
    buf_done(&b);
}

TEST(long_chains_of_logic_are_fine)
{
    struct buf b = {0};
    struct run r;
    repeat(&b, "false || ", 5000);
    buf_puts(&b, "true");
    run(&r, buf_z(&b), NULL, &no_input, CEL_CALL_LIMIT);
    CHECK_STR(buf_str(&r.text), "true");
    run_done(&r);
    buf_done(&b);
}

static struct cel_answer authorize(void *arg, const struct cel_question *q, struct arena *a)
{
    (void)arg;
    if (q->path.n > 0)
        return (struct cel_answer){.error = STR("no paths")};
    return (struct cel_answer){.allowed = str_is(q->verb, "get"),
                               .reason = arena_printf(a, "%.*s %.*s/%.*s in %.*s as %.*s",
                                                      STR_ARG(q->verb), STR_ARG(q->group),
                                                      STR_ARG(q->resource), STR_ARG(q->namespace),
                                                      STR_ARG(q->service_account_name))};
}

TEST(the_authorizer_is_the_callers)
{
    static const char *const cases[][2] = {
        {"authorizer.group('apps').resource('pods').namespace('ns').check('get').allowed()",
         "true"},
        {"authorizer.group('apps').resource('pods').check('list').allowed()", "false"},
        {"authorizer.serviceAccount('s', 'sa').group('').resource('pods').namespace('n').check("
         "'get').reason()",
         "\"get /pods in n as sa\""},
        {"authorizer.path('/healthz').check('get').errored()", "true"},
        {"authorizer.path('/healthz').check('get').error()", "\"no paths\""},
    };
    struct arena a = {0};
    struct cel_var vars[] = {{STR("authorizer"), cel_type_authorizer()}};
    struct cel_binding values[] = {{STR("authorizer"), cel_authorizer(&a)}};
    struct cel_input in = {.bindings = values, .count = 1, .authorize = authorize};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r;
        run(&r, cases[i][0], vars, &in, CEL_CALL_LIMIT);
        CHECK_STR(buf_str(&r.text), cases[i][1]);
        CHECK(r.cost > 350000 && r.cost < 350020);
        run_done(&r);
    }
    arena_done(&a);
}

TEST(built_in_kinds_are_typed)
{
    static const char *const cases[][2] = {
        {"object.spec.replicas", "3"},
        {"object.spec.template.spec.containers.all(c, has(c.image) && c.image.startsWith('r/'))",
         "true"},
        {"object.metadata.labels['a'] + object.metadata.name", "\"bm\""},
        {"object.spec.template.spec.containers[0].ports[0].containerPort + 1", "81"},
        {"object.spec.nope", "ERROR: <input>:1:12: undefined field 'nope'\n"
                             " | object.spec.nope\n | ...........^"},
    };
    static const char text[] =
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"m\","
        "\"labels\":{\"a\":\"b\"}},\"spec\":{\"replicas\":3,\"template\":{\"spec\":{\"containers\":"
        "[{\"image\":\"r/i\",\"ports\":[{\"containerPort\":80}]}]}}}}";
    struct arena a = {0};
    struct doc doc;
    struct err err;
    val *object;
    doc_init(&doc);
    CHECK_OK(doc_parse_json(&doc, str_of(text), &object, &err), &err);
    const struct schema *schema = schema_of_kind(STR("apps/v1"), STR("Deployment"));
    const struct cel_type *type = cel_type_of_schema(&a, schema, STR("object"));
    struct cel_var vars[] = {{STR("object"), type}};
    struct cel_binding values[] = {{STR("object"), cel_of_doc(&a, object, type)}};
    struct cel_input in = {.bindings = values, .count = 1};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r;
        run(&r, cases[i][0], vars, &in, CEL_CALL_LIMIT);
        CHECK_STR(r.status == -1 ? str_of(r.err.message) : buf_str(&r.text), cases[i][1]);
        run_done(&r);
    }
    doc_done(&doc);
    arena_done(&a);
}

/* A loop that reads a large list by number and a large map by name is linear. */
TEST(large_documents_are_indexed)
{
    struct arena a = {0};
    struct doc doc;
    doc_init(&doc);
    val *self = val_new_obj(&doc), *list = val_new_arr(&doc), *map = val_new_obj(&doc);
    for (int i = 0; i < 30000; i++) {
        val_push(list, val_new_int(&doc, i));
        yyjson_mut_obj_add(map, val_new_strf(&doc, "key-%d", i), val_new_int(&doc, i));
    }
    val_set(&doc, self, "list", list);
    val_set(&doc, self, "map", map);
    struct cel_var vars[] = {{STR("self"), cel_type_plain(CEL_T_DYN)}};
    struct cel_binding values[] = {{STR("self"), cel_of_json(&a, self)}};
    struct cel_input in = {.bindings = values, .count = 1};
    struct run r;
    run(&r, "self.list.all(i, self.list[i] == i) && self.map.all(k, self.map[k] >= 0)", vars, &in,
        CEL_CALL_LIMIT);
    CHECK_STR(buf_str(&r.text), "true");
    run_done(&r);
    doc_done(&doc);
    arena_done(&a);
}

TEST(values_become_documents)
{
    struct run r;
    struct doc doc;
    struct err err;
    struct buf b = {0};
    val *v;
    doc_init(&doc);
    run(&r,
        "{'a': [1, 2u, 1.5, 'x', null, true], 'b': b'hi', 'd': duration('90s'), 't': "
        "timestamp('2024-01-01T00:00:00Z'), 'o': optional.of(1)}.transformMap(k, v, v)",
        NULL, &no_input, CEL_CALL_LIMIT);
    CHECK_INT(r.status, -2); /* mixed values */
    run_done(&r);
    run(&r, "{'a': dyn([1, 2]), 'b': dyn(b'hi'), 'd': dyn(duration('90s'))}", NULL, &no_input,
        CEL_CALL_LIMIT);
    CHECK_OK(cel_to_doc(r.value, &doc, &v, &err), &err);
    val_write_json(v, &b);
    CHECK_STR(buf_str(&b), "{\"a\":[1,2],\"b\":\"aGk=\",\"d\":\"90s\"}");
    run_done(&r);
    run(&r, "quantity('1')", NULL, &no_input, CEL_CALL_LIMIT);
    CHECK_INT(cel_to_doc(r.value, &doc, &v, &err), -1);
    run_done(&r);
    buf_done(&b);
    doc_done(&doc);
}

TEST(programs_tell_what_they_use)
{
    struct buf issues = {0};
    struct cel_var vars[] = {{STR("self"), cel_type_plain(CEL_T_INT)},
                             {STR("oldSelf"), cel_type_plain(CEL_T_INT)}};
    struct cel_env env = {.vars = vars, .var_count = 2};
    struct cel_program *p = cel_compile(&env, STR("self > 1"), &issues);
    CHECK(p && cel_program_uses(p, STR("self")) && !cel_program_uses(p, STR("oldSelf")));
    CHECK(cel_program_type(p)->kind == CEL_T_BOOL);
    cel_program_free(p);
    CHECK(cel_max_cardinality(2) == 1048576);
    buf_done(&issues);
}
