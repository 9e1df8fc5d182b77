/* x-kubernetes-validations: rules in CEL, compiled with the schema and evaluated at each write
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel). */
#include <stdio.h>
#include <stdlib.h>

#include "api/crd/path.h"
#include "api/crd/schema.h"

enum {
    REQUEST_BUDGET = 10000000, /* celconfig.RuntimeCELCostBudget */
    RULE_BUDGET = 10000000,    /* estimated, one rule wherever it applies */
    SCHEMA_BUDGET = 100000000, /* all rules of a schema */
    MOST_EXPENSIVE = 4,        /* rules are named when a schema is over budget */
};

/* --- compilation --- */
static struct cel_program *keep(struct crd_compiled *c, struct cel_program *p)
{
    if (!p)
        return NULL;
    if (c->program_count == c->program_cap) {
        c->program_cap = c->program_cap ? c->program_cap * 2 : 8;
        c->programs = mem_realloc_array(c->programs, c->program_cap, sizeof(*c->programs));
    }
    return c->programs[c->program_count++] = p;
}

static const char *reason_of(struct str reason)
{
    static const char *const reasons[] = {"FieldValueRequired", "FieldValueForbidden",
                                          "FieldValueDuplicate"};
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (str_is(reason, reasons[i]))
            return reasons[i];
    return "FieldValueInvalid";
}

static struct cel_program *compile(struct arena *a, const struct cel_type *type, bool optional_old,
                                   struct str text, bool stored, struct buf *issues)
{
    const struct cel_var vars[] = {
        {STR("self"), type},
        {STR("oldSelf"), optional_old ? cel_type_optional(a, type) : type},
    };
    const struct cel_env env = {.vars = vars, .var_count = 2, .stored = stored};
    return cel_compile(&env, text, issues);
}

void crd_rules_compile(struct crd_compiled *c, struct crd_schema *s, const val *node, bool root)
{
    const val *rules = val_get(node, "x-kubernetes-validations");
    s->rules = arena_zalloc(c->arena, val_len(rules) * sizeof(*s->rules) + 1);
    if (!val_len(rules))
        return;
    s->cel_type = cel_type_of_openapi(c->arena, node, root || s->embedded, STR("selfType"));
    VAL_FOR (rules, rule) {
        struct crd_rule *r = &s->rules[s->rule_count];
        struct buf ignored = {0};
        bool optional_old = VAL_BOOL(rule, "optionalOldSelf");
        r->rule = VAL_STR(rule, "rule");
        r->program =
            s->cel_type
                ? keep(c, compile(c->arena, s->cel_type, optional_old, r->rule, true, &ignored))
                : NULL;
        struct str expression = VAL_STR(rule, "messageExpression");
        if (r->program && expression.n)
            r->message_program =
                keep(c, compile(c->arena, s->cel_type, optional_old, expression, true, &ignored));
        buf_done(&ignored);
        if (!r->program)
            continue;
        r->message = VAL_STR(rule, "message");
        r->field_path = VAL_STR(rule, "fieldPath");
        r->reason = reason_of(VAL_STR(rule, "reason"));
        r->optional_old = optional_old;
        r->transition = cel_program_uses(r->program, STR("oldSelf"));
        s->rule_count++;
    }
    s->has_rules |= s->rule_count > 0;
}

/* --- evaluation --- */
struct run {
    struct arena *a;
    struct doc *d;
    val *causes;
    struct buf path;
    uint64_t budget;
    bool spent;
};

__attribute__((format(printf, 4, 5))) static void
report(struct run *r, const char *reason, struct str field_path, const char *format, ...)
{
    struct buf b = {0}, field = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    buf_puts(&field, buf_z(&r->path));
    if (!r->path.n && str_starts(field_path, STR(".")))
        field_path = str_from(field_path, 1);
    buf_put(&field, field_path);
    val *cause = val_new_obj(r->d);
    val_set_z(r->d, cause, "reason", reason);
    val_set_s(r->d, cause, "message", buf_str(&b));
    val_set_z(r->d, cause, "field", field.n ? buf_z(&field) : "<nil>");
    val_push(r->causes, cause);
    buf_done(&field);
    buf_done(&b);
}

static bool evaluate(struct run *r, const struct cel_program *p, const struct cel_input *in,
                     struct cel_value *ret, struct err *err)
{
    uint64_t cost = 0, limit = r->budget < CEL_CALL_LIMIT ? r->budget : CEL_CALL_LIMIT;
    int rc = cel_eval(p, in, r->a, limit, &cost, ret, err);
    r->budget -= cost < r->budget ? cost : r->budget;
    return rc == 0;
}

/* The rule's own words; what they are when nothing was given. */
static struct str message_of(struct run *r, const struct crd_rule *rule, const struct cel_input *in)
{
    struct cel_value v;
    struct err ignored;
    if (rule->message_program && evaluate(r, rule->message_program, in, &v, &ignored) &&
        v.kind == CEL_STRING && str_trim(v.s).n && !memchr(v.s.p, '\n', v.s.n))
        return v.s;
    if (rule->message.n)
        return rule->message;
    return arena_printf(r->a, "failed rule: %.*s", STR_ARG(str_trim(rule->rule)));
}

static void put_value(const val *v, struct buf *b)
{
    if (val_is_obj(v))
        buf_puts(b, "\"object\"");
    else if (val_is_arr(v))
        buf_puts(b, "\"array\"");
    else
        val_write_json(v, b);
}

static void say(struct run *r, const struct crd_rule *rule, const val *v, struct str text)
{
    struct buf value = {0};
    put_value(v, &value);
    if (strcmp(rule->reason, "FieldValueRequired") == 0)
        report(r, rule->reason, rule->field_path, "Required value: %.*s", STR_ARG(text));
    else if (strcmp(rule->reason, "FieldValueForbidden") == 0)
        report(r, rule->reason, rule->field_path, "Forbidden: %.*s", STR_ARG(text));
    else if (strcmp(rule->reason, "FieldValueDuplicate") == 0)
        report(r, rule->reason, rule->field_path, "Duplicate value: %s", buf_z(&value));
    else
        report(r, rule->reason, rule->field_path, "Invalid value: %s: %.*s", buf_z(&value),
               STR_ARG(text));
    buf_done(&value);
}

static void check_rule(struct run *r, const struct crd_schema *s, const struct crd_rule *rule,
                       const val *v, const val *old)
{
    struct cel_binding bindings[2] = {{STR("self"), cel_of_doc(r->a, v, s->cel_type)}};
    struct cel_input in = {.bindings = bindings, .count = 1};
    if (rule->transition) {
        if (!old && !rule->optional_old)
            return;
        struct cel_value before = old ? cel_of_doc(r->a, old, s->cel_type) : cel_null();
        if (rule->optional_old)
            before = old ? cel_optional_of(r->a, before) : cel_optional_none();
        bindings[in.count++] = (struct cel_binding){STR("oldSelf"), before};
    }
    struct cel_value answer;
    struct err err;
    struct buf value = {0};
    put_value(v, &value);
    if (!evaluate(r, rule->program, &in, &answer, &err)) {
        bool cost = err.reason == CEL_OVER_COST;
        if (cost && r->budget == 0) {
            report(r, "FieldValueInvalid", (struct str){0},
                   "Invalid value: %s: validation failed due to running out of cost budget, no "
                   "further validation rules will be run",
                   buf_z(&value));
            r->spent = true;
        } else if (cost) {
            report(r, "FieldValueInvalid", (struct str){0},
                   "Invalid value: %s: call cost exceeds limit for rule: %.*s", buf_z(&value),
                   STR_ARG(rule->rule));
        } else {
            report(r, "FieldValueInvalid", (struct str){0},
                   "Invalid value: %s: %s evaluating rule: "
                   "%.*s",
                   buf_z(&value), err.message,
                   STR_ARG(rule->message.n ? rule->message : rule->rule));
        }
    } else if (answer.kind != CEL_BOOL || !answer.b) {
        say(r, rule, v, message_of(r, rule, &in));
    }
    buf_done(&value);
}

static const val *like(const struct crd_schema *s, const val *list, const val *item)
{
    if (!s->map_list)
        return NULL;
    VAL_FOR (list, other) {
        bool same = true;
        for (size_t i = 0; i < s->list_key_count && same; i++) {
            const val *x = val_get_str(other, s->list_keys[i]),
                      *y = val_get_str(item, s->list_keys[i]);
            same = x && y ? val_eq(x, y) : x == y;
        }
        if (same)
            return other;
    }
    return NULL;
}

static void check(struct run *r, const struct crd_schema *s, const val *v, const val *old)
{
    if (!s || !s->has_rules || val_is_null(v))
        return;
    bool unchanged = old && val_eq(v, old);
    for (size_t i = 0; i < s->rule_count && !r->spent; i++)
        if (!unchanged || s->rules[i].transition) /* ratcheting */
            check_rule(r, s, &s->rules[i], v, old);
    size_t back = r->path.n, n = 0;
    if (val_is_arr(v) && s->items)
        VAL_FOR (v, item) {
            buf_printf(&r->path, "[%zu]", n++);
            check(r, s->items, item, old ? like(s, old, item) : NULL);
            r->path.n = back;
            r->path.p[back] = '\0';
        }
    VAL_EACH (v, key, member) {
        const struct crd_schema *inner = crd_schema_property(s, val_str(key));
        if (!inner && !s->additional)
            continue;
        if (inner)
            buf_printf(&r->path, "%s%.*s", back ? "." : "", STR_ARG(val_str(key)));
        else
            buf_printf(&r->path, "[%.*s]", STR_ARG(val_str(key)));
        check(r, inner ? inner : s->additional, member,
              old ? val_get_str(old, val_str(key)) : NULL);
        r->path.n = back;
        r->path.p[back] = '\0';
    }
}

void crd_rules_check(const struct crd_schema *s, const val *v, const val *old, struct arena *a,
                     struct doc *d, val *causes)
{
    struct run r = {.a = a, .d = d, .causes = causes, .budget = REQUEST_BUDGET};
    check(&r, s, v, old);
    buf_done(&r.path);
}

/* --- judging a definition's rules --- */
struct judge {
    struct arena a;
    struct doc *d;
    val *causes;
    struct buf path;
    uint64_t total; /* cost of all rules so far */
    struct expensive {
        uint64_t cost;
        struct str path;    /* in a */
    } most[MOST_EXPENSIVE]; /* the dearest first */
};

static void note_cost(struct judge *j, const char *member, uint64_t cost)
{
    size_t at = MOST_EXPENSIVE;
    while (at && cost > j->most[at - 1].cost)
        at--;
    j->total = cost > UINT64_MAX - j->total ? UINT64_MAX : j->total + cost;
    if (at == MOST_EXPENSIVE)
        return;
    memmove(&j->most[at + 1], &j->most[at], (MOST_EXPENSIVE - 1 - at) * sizeof(j->most[0]));
    j->most[at] = (struct expensive){cost, arena_printf(&j->a, "%s.%s", buf_z(&j->path), member)};
}

__attribute__((format(printf, 3, 4))) static void complain(struct judge *j, const char *member,
                                                           const char *format, ...)
{
    struct buf b = {0}, field = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    buf_printf(&field, "%s%s%s", buf_z(&j->path), *member ? "." : "", member);
    val *cause = val_new_obj(j->d);
    val_set_z(j->d, cause, "reason",
              str_starts(buf_str(&b), STR("Internal"))    ? "InternalError"
              : str_starts(buf_str(&b), STR("Required"))  ? "FieldValueRequired"
              : str_starts(buf_str(&b), STR("Forbidden")) ? "FieldValueForbidden"
                                                          : "FieldValueInvalid");
    val_set_s(j->d, cause, "message", buf_str(&b));
    val_set_z(j->d, cause, "field", buf_z(&field));
    val_push(j->causes, cause);
    buf_done(&field);
    buf_done(&b);
}

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static void complain_of_cost(struct judge *j, const char *member, const char *what, uint64_t cost,
                             uint64_t limit)
{
    double factor = (double)cost / (double)limit;
    char text[40];
    if (factor > 100)
        snprintf(text, sizeof(text), "more than 100x");
    else
        snprintf(text, sizeof(text), factor < 1.5 ? "%fx" : "%.1fx", factor);
    complain(j, member,
             "Forbidden: %s exceeds budget by factor of %s (try simplifying the rule, or adding "
             "maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)",
             what, text);
}

/* How often the rule can apply multiplies its cost; `often` 0: there is no bound but the size. */
static void judge_cost(struct judge *j, const struct cel_program *p, const struct cel_type *type,
                       const char *member, uint64_t often)
{
    uint64_t cost =
        times(cel_program_cost(p).max, often ? often : cel_max_cardinality(type->min_size));
    if (cost > RULE_BUDGET)
        complain_of_cost(j, member,
                         strcmp(member, "rule") == 0 ? "estimated rule cost"
                                                     : "estimated messageExpression cost",
                         cost, RULE_BUDGET);
    note_cost(j, member, cost);
}

static bool has_line_breaks(struct str s)
{
    return memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n);
}

/* A rule as Go writes its struct. */
static void put_rule(const val *rule, struct buf *b)
{
    static const struct {
        const char *label, *member, *none;
    } members[] = {{"Rule", "rule", "\"\""},
                   {"Message", "message", "\"\""},
                   {"MessageExpression", "messageExpression", "\"\""},
                   {"Reason", "reason", "null"},
                   {"FieldPath", "fieldPath", "\"\""},
                   {"OptionalOldSelf", "optionalOldSelf", "null"}};
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const val *v = val_get(rule, members[i].member);
        buf_printf(b, "%s\"%s\":", i ? "," : "{", members[i].label);
        if (v)
            val_write_json(v, b);
        else
            buf_puts(b, members[i].none);
    }
    buf_putc(b, '}');
}

/* Compiles one expression: it must give the type that is wanted. The answer: whether it names
 * oldSelf. */
static bool judge_expression(struct judge *j, const struct cel_type *type, const val *rule,
                             const char *member, enum cel_type_kind wanted, uint64_t often)
{
    struct str text = VAL_STR(rule, member);
    struct buf issues = {0}, quoted = {0};
    struct cel_program *p =
        compile(&j->a, type, VAL_BOOL(rule, "optionalOldSelf"), text, false, &issues);
    put_rule(rule, &quoted);
    const struct cel_type *got = p ? cel_program_type(p) : NULL;
    if (!p)
        complain(j, member, "Invalid value: %s: %scompilation failed: %.*s", buf_z(&quoted),
                 wanted == CEL_T_BOOL ? "" : "messageExpression ",
                 STR_ARG(str_trim(buf_str(&issues))));
    else if (got->kind != wanted && got->kind != CEL_T_DYN)
        complain(j, member, "Invalid value: %s: %s", buf_z(&quoted),
                 wanted == CEL_T_BOOL ? "cel expression must evaluate to a bool"
                                      : "messageExpression must evaluate to a string");
    else
        judge_cost(j, p, type, member, often);
    bool old = p && cel_program_uses(p, STR("oldSelf"));
    cel_program_free(p);
    buf_done(&issues);
    buf_done(&quoted);
    return old;
}

/* A field path names members that the schema below node has. */
static bool is_field_path(struct judge *j, const val *node, struct str text)
{
    struct crd_path path;
    struct err ignored;
    if (crd_path_parse(&j->a, text, &path, &ignored) != 0)
        return false;
    for (size_t i = 0; i < path.count && node; i++) {
        if (path.steps[i].kind != CRD_STEP_MEMBER)
            return false;
        const val *member = val_get_str(val_get(node, "properties"), path.steps[i].name);
        node = member ? member : val_get(node, "additionalProperties");
    }
    return val_is_obj(node);
}

/* What a rule says besides its expression. false: it is not worth compiling. */
static bool judge_texts(struct judge *j, const val *node, const val *rule)
{
    struct str text = str_trim(VAL_STR(rule, "rule")), message = VAL_STR(rule, "message"),
               path = VAL_STR(rule, "fieldPath"), expression = VAL_STR(rule, "messageExpression");
    struct buf quoted = {0};
    size_t before = val_len(j->causes);
    val_write_json(val_new_str(j->d, message), &quoted);
    if (!text.n)
        complain(j, "rule", "Required value: rule is not specified");
    else if (message.n && !str_trim(message).n)
        complain(j, "message", "Invalid value: %s: must be non-empty if specified", buf_z(&quoted));
    else if (has_line_breaks(str_trim(message)))
        complain(j, "message", "Invalid value: %s: must not contain line breaks", buf_z(&quoted));
    else if (has_line_breaks(text) && !message.n)
        complain(j, "message",
                 "Required value: message must be specified if rule contains line breaks");
    if (expression.n && !str_trim(expression).n)
        complain(j, "messageExpression",
                 "Required value: messageExpression must be non-empty if specified");
    buf_clear(&quoted);
    val_write_json(val_new_str(j->d, path), &quoted);
    if (path.n && !str_trim(path).n)
        complain(j, "fieldPath", "Invalid value: %s: must be non-empty if specified",
                 buf_z(&quoted));
    if (has_line_breaks(path))
        complain(j, "fieldPath", "Invalid value: %s: must not contain line breaks", buf_z(&quoted));
    if (path.n && !is_field_path(j, node, path))
        complain(j, "fieldPath", "Invalid value: %s: must be a valid path", buf_z(&quoted));
    buf_done(&quoted);
    return val_len(j->causes) == before;
}

/* oldSelf needs a value that can be told apart from its siblings. */
static void judge_old_self(struct judge *j, const val *rule, bool used, struct str uncorrelatable)
{
    struct buf quoted = {0};
    const val *optional = val_get(rule, "optionalOldSelf");
    val_write_json(val_get(rule, "rule"), &quoted);
    if (used && uncorrelatable.n)
        complain(j, "rule",
                 "Invalid value: %s: oldSelf cannot be used on the uncorrelatable portion of the "
                 "schema within %.*s",
                 buf_z(&quoted), STR_ARG(uncorrelatable));
    else if (!used && optional && !val_is_null(optional))
        complain(j, "optionalOldSelf",
                 "Invalid value: %s: may not be set if oldSelf is not used in rule",
                 val_bool(optional) ? "true" : "false");
    buf_done(&quoted);
}

static void judge_rules(struct judge *j, const val *node, bool root, uint64_t often,
                        struct str uncorrelatable)
{
    const val *rules = val_get(node, "x-kubernetes-validations");
    if (!val_len(rules))
        return;
    bool embedded = VAL_BOOL(node, "x-kubernetes-embedded-resource");
    const struct cel_type *type =
        cel_type_of_openapi(&j->a, node, root || embedded, STR("selfType"));
    size_t i = 0, back = j->path.n;
    if (!type)
        complain(j, "x-kubernetes-validations",
                 "Internal error: internal error: failed to construct type information for "
                 "x-kubernetes-validations rules: unable to convert structural schema to CEL "
                 "declarations");
    VAL_FOR (type ? rules : NULL, rule) {
        bool used = false;
        buf_printf(&j->path, ".x-kubernetes-validations[%zu]", i++);
        if (judge_texts(j, node, rule)) {
            used = judge_expression(j, type, rule, "rule", CEL_T_BOOL, often);
            if (VAL_STR(rule, "messageExpression").n)
                used |= judge_expression(j, type, rule, "messageExpression", CEL_T_STRING, 1);
            judge_old_self(j, rule, used, uncorrelatable);
        }
        j->path.n = back;
        j->path.p[back] = '\0';
    }
}

/* uncorrelatable: the path of the list whose items cannot be told apart; empty: there is none
 * above. */
static void judge_node(struct judge *j, const val *node, bool root, int depth, uint64_t often,
                       struct str uncorrelatable)
{
    enum { DEPTH_MAX = 100 };
    size_t back = j->path.n;
    if (!val_is_obj(node) || depth > DEPTH_MAX)
        return;
    judge_rules(j, node, root, often, uncorrelatable);
    VAL_EACH (val_get(node, "properties"), key, member) {
        buf_printf(&j->path, ".properties[%.*s]", STR_ARG(val_str(key)));
        judge_node(j, member, false, depth + 1, often, uncorrelatable);
        j->path.n = back;
        j->path.p[back] = '\0';
    }
    static const char *const inner[] = {"items", "additionalProperties"};
    static const char *const limits[] = {"maxItems", "maxProperties"};
    for (size_t i = 0; i < ARRAY_LEN(inner); i++) {
        struct str list = uncorrelatable;
        if (i == 0 && !list.n && !str_is(VAL_STR(node, "x-kubernetes-list-type"), "map"))
            list = arena_dup(&j->a, buf_str(&j->path));
        buf_printf(&j->path, ".%s", inner[i]);
        const val *limit = val_get(node, limits[i]);
        uint64_t most = limit && val_int(limit) > 0 ? (uint64_t)val_int(limit) : 0;
        judge_node(j, val_get(node, inner[i]), false, depth + 1, times(often, most), list);
        j->path.n = back;
        j->path.p[back] = '\0';
    }
}

static void complain_of_expensive(struct judge *j)
{
    struct str root = arena_dup(&j->a, buf_str(&j->path));
    for (size_t i = 0; i < MOST_EXPENSIVE && j->most[i].path.p; i++) {
        buf_clear(&j->path);
        buf_put(&j->path, j->most[i].path);
        complain(j, "",
                 "Forbidden: contributed to estimated rule cost total exceeding cost limit for "
                 "entire OpenAPIv3 schema");
    }
    buf_clear(&j->path);
    buf_put(&j->path, root);
}

void crd_rules_validate(const val *openapi, struct str path, struct doc *d, val *causes)
{
    struct judge j = {.d = d, .causes = causes};
    buf_put(&j.path, path);
    judge_node(&j, openapi, true, 0, 1, (struct str){0});
    if (j.total > SCHEMA_BUDGET) {
        complain_of_expensive(&j);
        complain_of_cost(&j, "",
                         "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 "
                         "schema",
                         j.total, SCHEMA_BUDGET);
    }
    buf_done(&j.path);
    arena_done(&j.a);
}
