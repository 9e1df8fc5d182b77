/* An expression, compiled against a type that has everything and evaluated: nothing may crash, run
 * long, or cost more than its limit by more than a step. */
#include "cel/cel.h"

static const char schema_text[] =
    "{\"type\":\"object\",\"properties\":{\"s\":{\"type\":\"string\"},\"i\":{\"type\":\"integer\"},"
    "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"m\":{\"type\":\"object\","
    "\"additionalProperties\":{\"type\":\"integer\"}},\"p\":{\"x-kubernetes-int-or-string\":true},"
    "\"t\":{\"type\":\"string\",\"format\":\"date-time\"},\"b\":{\"type\":\"string\",\"format\":"
    "\"byte\"}}}";
static const char self_text[] = "{\"s\":\"text\",\"i\":3,\"l\":[\"a\",\"b\"],\"m\":{\"k\":1},"
                                "\"p\":\"80%\",\"t\":\"2024-01-01T00:00:00Z\",\"b\":\"aGk=\"}";

enum { LIMIT = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a = {0};
    struct doc doc;
    struct err err;
    val *schema, *self;
    struct buf out = {0};
    doc_init(&doc);
    if (doc_parse_json(&doc, str_of(schema_text), &schema, &err) != 0 ||
        doc_parse_json(&doc, str_of(self_text), &self, &err) != 0)
        abort();
    const struct cel_type *type = cel_type_of_openapi(&a, schema, true, STR("selfType"));
    struct cel_var vars[] = {{STR("self"), type}};
    struct cel_env env = {.vars = vars, .var_count = 1, .stored = true};
    struct cel_program *p = cel_compile(&env, (struct str){(const char *)data, n}, &out);
    if (p) {
        struct cel_binding values[] = {{STR("self"), cel_of_doc(&a, self, type)}};
        struct cel_input in = {.bindings = values, .count = 1};
        struct cel_value v;
        uint64_t cost;
        val *json;
        if (cel_eval(p, &in, &a, LIMIT, &cost, &v, &err) == 0) {
            if (cost > LIMIT)
                abort();
            cel_value_write(v, &out);
            cel_to_doc(v, &doc, &json, &err);
        }
    }
    cel_program_free(p);
    buf_done(&out);
    doc_done(&doc);
    arena_done(&a);
    return 0;
}
