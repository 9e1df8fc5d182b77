/* The evaluator: walks the typed tree, charging what cel-go's cost tracker charges.
 *
 * There, a chain of selections is one "attribute": it costs 1, and 1 more for each step along it,
 * but nothing for its head when it is a branch of ?: or an index. So the functions below come in
 * two: cel_run gives a node's value and pays for it, `resolve` gives an attribute's without paying
 * for the head. */
#include "cel/eval.h"

#include <math.h>

#include "cel/containers.h"
#include "cel/overload.h"

/* A value on its way along a chain of selections. */
struct attribute {
    struct cel_value v;
    bool optional; /* a step was optional: the end is an optional value */
};

static bool is_operator(const struct node *n, const char *name)
{
    return n->kind == NODE_CALL && str_is(n->name, name);
}

static bool is_index(const struct node *n)
{
    return is_operator(n, "_[_]") || is_operator(n, "_[?_]") || is_operator(n, "_?._");
}

static bool is_attribute(const struct node *n)
{
    if (n->constant)
        return false;
    return n->kind == NODE_IDENT || n->kind == NODE_SELECT || is_index(n) ||
           is_operator(n, "_?_:_");
}

void cel_charge(struct eval *ev, uint64_t cost)
{
    if (__builtin_add_overflow(ev->cost, cost, &ev->cost))
        ev->cost = UINT64_MAX;
    if (ev->cost > ev->limit)
        ev->over = true;
}

static struct cel_value over_cost(void)
{
    return (struct cel_value){.kind = CEL_ERROR,
                              .s = STR_INIT("operation cancelled: actual cost limit exceeded")};
}

static struct cel_value scope_value(struct eval *ev, struct scope *s)
{
    if (s->pending) {
        struct scope *was = ev->scope;
        const struct node *n = s->pending;
        s->pending = NULL;
        ev->scope = s->outer;
        s->value = cel_run(ev, n);
        ev->scope = was;
        /* A macro's result grows in place; what the expression can name stays as it is. */
        bool macro = s->name.p[0] == '@';
        if (macro && s->value.kind == CEL_LIST && s->value.list->n == 0) {
            s->value = cel_list_new(ev, 0);
            ((struct cel_list *)s->value.list)->growing = true;
        } else if (macro && s->value.kind == CEL_MAP && s->value.map->n == 0) {
            s->value = cel_map_new(ev, 0);
            ((struct cel_map *)s->value.map)->growing = true;
        }
    }
    return s->value;
}

static struct cel_value lookup(struct eval *ev, struct str name)
{
    for (struct scope *s = ev->scope; s; s = s->outer) {
        if (str_eq(s->name, name))
            return scope_value(ev, s);
        if (s->name2.n && str_eq(s->name2, name))
            return s->value2;
    }
    for (size_t i = 0; i < ev->in->count; i++)
        if (str_eq(ev->in->bindings[i].name, name))
            return ev->in->bindings[i].value;
    return cel_error(ev, "no such attribute(s): %.*s", STR_ARG(name));
}

/* --- steps along a chain --- */
static struct cel_value missing(struct eval *ev, const char *what, struct cel_value key)
{
    struct buf b = {0};
    buf_puts(&b, what);
    cel_put(key, &b);
    struct cel_value v = cel_text(ev, &b);
    v.kind = CEL_ERROR;
    return v;
}

/* A list's index as a number; false: *ret is an error. */
static bool index_number(struct eval *ev, struct cel_value key, int64_t *ret_i,
                         struct cel_value *ret)
{
    struct buf b = {0};
    switch (key.kind) {
    case CEL_INT:
        *ret_i = key.i;
        return true;
    case CEL_DOUBLE:
        if (key.d >= -9223372036854775808.0 && key.d < 9223372036854775808.0 &&
            key.d == floor(key.d)) {
            *ret_i = (int64_t)key.d;
            return true;
        }
        break;
    case CEL_UINT:
        if (key.u <= INT64_MAX) {
            *ret_i = (int64_t)key.u;
            return true;
        }
        break;
    default:
        *ret =
            cel_error(ev, "unsupported index type '%.*s' in list", STR_ARG(cel_type_name_of(key)));
        return false;
    }
    buf_puts(&b, "unsupported index value ");
    cel_put(key, &b);
    buf_puts(&b, " in list");
    *ret = cel_text(ev, &b);
    ret->kind = CEL_ERROR;
    return false;
}

/* One step. *ret_present tells whether there is something; without it, *ret is the error that says
 * so. Other errors are in *ret with *ret_present true. */
static void step(struct eval *ev, struct cel_value v, struct cel_value key, struct cel_value *ret,
                 bool *ret_present)
{
    int64_t i;
    *ret_present = true;
    if (v.kind == CEL_ERROR) {
        *ret = v;
    } else if (v.kind == CEL_MAP) {
        if (!cel_map_find(ev, v.map, key, ret)) {
            *ret_present = false;
            *ret = missing(ev, "no such key: ", key);
        }
    } else if (v.kind == CEL_LIST) {
        if (!index_number(ev, key, &i, ret))
            return;
        if (i >= 0 && (uint64_t)i < v.list->n) {
            *ret = cel_list_at(ev, v.list, (size_t)i);
            return;
        }
        *ret_present = false;
        *ret = missing(ev, "index out of bounds: ", key);
    } else {
        *ret_present = false;
        *ret = missing(ev, "no such key: ", key);
    }
}

static struct attribute resolve(struct eval *ev, const struct node *n);

/* What a chain begins with: another attribute, or any value, which is paid for. */
static struct attribute head(struct eval *ev, const struct node *n)
{
    struct attribute a = {0};
    if (is_attribute(n) && !n->test_only) {
        a = resolve(ev, n);
    } else {
        a.v = cel_run(ev, n);
        a.optional = false;
    }
    if (a.v.kind == CEL_OPTIONAL && a.v.optional && !a.optional) {
        a.v = *a.v.optional;
        a.optional = true;
    }
    return a;
}

static struct attribute take_step(struct eval *ev, struct attribute a, struct cel_value key,
                                  bool optional)
{
    struct attribute to = {.optional = a.optional || optional};
    bool present;
    if (a.v.kind == CEL_OPTIONAL && !a.v.optional)
        return (struct attribute){a.v, true};
    step(ev, a.v, key, &to.v, &present);
    if (!to.optional || (present && !cel_is_error(to.v)))
        cel_charge(ev, 1);
    if (to.optional && !present)
        to.v = cel_optional_none();
    return to;
}

static struct attribute resolve_select(struct eval *ev, const struct node *n)
{
    struct attribute a = head(ev, n->args[0]);
    if (cel_is_error(a.v))
        return a;
    if (!n->test_only)
        return take_step(ev, a, cel_string(n->name), false);
    struct cel_value found;
    bool present = false;
    if (a.v.kind != CEL_OPTIONAL) {
        step(ev, a.v, cel_string(n->name), &found, &present);
        cel_charge(ev, present || !a.optional);
    }
    return (struct attribute){cel_bool(present), false};
}

static struct attribute resolve_index(struct eval *ev, const struct node *n)
{
    struct attribute a = head(ev, n->args[0]), key = {0};
    if (cel_is_error(a.v))
        return a;
    if (a.v.kind == CEL_OPTIONAL && !a.v.optional)
        return (struct attribute){a.v, true};
    if (is_attribute(n->args[1]))
        key = resolve(ev, n->args[1]);
    else
        key.v = cel_run(ev, n->args[1]);
    bool optional = !is_operator(n, "_[_]");
    if (cel_is_error(key.v)) {
        cel_charge(ev, !optional && !a.optional);
        return key;
    }
    return take_step(ev, a, key.v, optional);
}

static struct attribute resolve_choice(struct eval *ev, const struct node *n)
{
    struct cel_value choice = cel_run(ev, n->args[0]);
    if (cel_is_error(choice))
        return (struct attribute){choice, false};
    if (choice.kind != CEL_BOOL)
        return (struct attribute){cel_no_overload(), false};
    const struct node *branch = n->args[choice.b ? 1 : 2];
    if (is_attribute(branch))
        return resolve(ev, branch);
    return (struct attribute){cel_run(ev, branch), false};
}

static struct attribute resolve(struct eval *ev, const struct node *n)
{
    if (ev->over)
        return (struct attribute){over_cost(), false};
    if (n->kind == NODE_IDENT)
        return (struct attribute){lookup(ev, n->name), false};
    if (n->kind == NODE_SELECT)
        return resolve_select(ev, n);
    return is_index(n) ? resolve_index(ev, n) : resolve_choice(ev, n);
}

/* Whether the chain begins with ?:, to whose branches all of its steps go. */
static bool begins_with_choice(const struct node *n)
{
    while (is_attribute(n) && (n->kind == NODE_SELECT || is_index(n)))
        n = n->args[0];
    return is_attribute(n) && is_operator(n, "_?_:_");
}

static struct cel_value run_attribute(struct eval *ev, const struct node *n)
{
    struct attribute a = resolve(ev, n);
    if (!n->test_only && !begins_with_choice(n))
        cel_charge(ev, 1);
    if (!a.optional || cel_is_error(a.v) || (a.v.kind == CEL_OPTIONAL && !a.v.optional))
        return a.v;
    return cel_optional_of(ev->a, a.v);
}

/* --- calls --- */
static struct cel_value run_logic(struct eval *ev, const struct node *n, bool decides)
{
    struct cel_value error = {0};
    bool failed = false;
    for (size_t i = 0; i < n->count && !ev->over; i++) {
        struct cel_value v = cel_run(ev, n->args[i]);
        if (v.kind == CEL_BOOL && v.b == decides)
            return v;
        if (v.kind != CEL_BOOL && !failed) {
            error = cel_is_error(v) ? v : cel_no_overload();
            failed = true;
        }
    }
    return failed ? error : cel_bool(!decides);
}

static struct cel_value run_equality(struct eval *ev, const struct node *n, bool equal)
{
    struct cel_value args[] = {cel_run(ev, n->args[0]), cel_run(ev, n->args[1])}, v;
    if (cel_is_error(args[0]) || cel_is_error(args[1]))
        v = cel_is_error(args[0]) ? args[0] : args[1];
    else
        v = cel_equal(ev, args[0], args[1]);
    cel_charge_call(ev, n, args, 2, v);
    if (equal || cel_is_error(args[0]) || cel_is_error(args[1]))
        return v;
    return cel_bool(!(v.kind == CEL_BOOL && v.b));
}

static struct cel_value run_or(struct eval *ev, const struct node *n, bool value)
{
    struct cel_value v = cel_run(ev, n->args[0]);
    if (cel_is_error(v))
        return v;
    if (v.kind != CEL_OPTIONAL)
        return cel_no_overload();
    if (!v.optional)
        return cel_run(ev, n->args[1]);
    return value ? *v.optional : v;
}

static const char kind_letters[] = "!nbiudsytDLMTOQUICVFZPGRX"; /* by enum cel_kind */

bool cel_signature_fits(struct eval *ev, const char **at, struct cel_value v)
{
    char letter = *(*at)++;
    struct cel_value first;
    const char *skip = *at;
    if (letter == '*' || letter == 'A' || letter == 'B')
        return true;
    bool fits = kind_letters[v.kind] == letter;
    if (letter == 'L') {
        if (fits && v.list->n > 0)
            return cel_signature_fits(ev, at, cel_list_at(ev, v.list, 0));
        cel_signature_skip(at);
    } else if (letter == 'O') {
        if (fits && v.optional)
            return cel_signature_fits(ev, at, *v.optional);
        cel_signature_skip(at);
    } else if (letter == 'M') {
        struct map_walk w;
        struct cel_value value;
        if (fits && (w = cel_map_walk(v.map), cel_map_next(ev, &w, &first, &value)))
            return cel_signature_fits(ev, &skip, first) &&
                   (cel_signature_skip(at), cel_signature_fits(ev, at, value));
        cel_signature_skip(at);
        cel_signature_skip(at);
    } else if (letter == 'T') {
        cel_signature_skip(at);
    }
    return fits;
}

static const struct overload *choose(struct eval *ev, const struct node *n,
                                     const struct cel_value *args)
{
    for (size_t i = 0; i < n->overload_count; i++) {
        const struct overload *o = n->overloads[i];
        const char *at = o->signature;
        cel_signature_skip(&at);
        size_t k = 0;
        while (k < n->count && cel_signature_fits(ev, &at, args[k]))
            k++;
        if (k == n->count)
            return o;
    }
    return NULL;
}

/* Whether a value has the operator at all, for other operands; texts and times always say so. */
static bool knows_operator(enum cel_kind kind, struct str name)
{
    static const struct {
        const char *name, *kinds; /* by signature letters */
    } operators[] = {
        {"_+_", "ydDiLstu"},  {"_-_", "dDitu"},    {"_*_", "diu"},       {"_/_", "diu"},
        {"_%_", "iu"},        {"_<_", "bydDistu"}, {"_<=_", "bydDistu"}, {"_>_", "bydDistu"},
        {"_>=_", "bydDistu"}, {"-_", "bdi"},
    };
    if (strchr("stD", kind_letters[kind]))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (str_is(name, operators[i].name))
            return strchr(operators[i].kinds, kind_letters[kind]) != NULL;
    return true;
}

static struct cel_value no_overload(struct eval *ev, const struct node *n,
                                    const struct cel_value *args)
{
    struct buf b = {0};
    static const char *const bare[] = {"contains", "startsWith", "endsWith", "matches"};
    for (size_t i = 0; i < ARRAY_LEN(bare); i++)
        if (str_is(n->name, bare[i]))
            return cel_no_overload();
    if (strchr("_-!@", n->name.p[0]))
        return knows_operator(args[0].kind, n->name)
                   ? cel_no_overload()
                   : cel_error(ev, "no such overload: %.*s", STR_ARG(n->name));
    if (str_is(n->name, "size"))
        return cel_error(ev, "no such overload: size");
    buf_printf(&b, "no such overload: %.*s(", STR_ARG(n->name));
    for (size_t i = 0; i < n->count; i++)
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_ARG(cel_type_name_of(args[i])));
    buf_putc(&b, ')');
    struct cel_value v = cel_text(ev, &b);
    v.kind = CEL_ERROR;
    return v;
}

enum { MAX_ARGS = 16 };

static struct cel_value run_function(struct eval *ev, const struct node *n)
{
    struct cel_value args[MAX_ARGS];
    const struct cel_value *error = NULL;
    for (size_t i = 0; i < n->count; i++) {
        args[i] = cel_run(ev, n->args[i]);
        if (cel_is_error(args[i]) && !error)
            error = &args[i];
        /* Upstream has forms of its own for one and two arguments; the others stop at an error. */
        if (error && (n->count > 2 || n->regex) && i + 1 < n->count)
            return *error;
    }
    if (ev->over)
        return over_cost();
    struct cel_value v;
    const struct overload *o = error ? NULL : choose(ev, n, args);
    ev->call = n;
    ev->overload = o;
    if (error)
        v = *error;
    else if (o)
        v = o->fn(ev, args, n->count);
    else
        v = no_overload(ev, n, args);
    cel_charge_call(ev, n, args, n->count, v);
    return v;
}

static struct cel_value run_call(struct eval *ev, const struct node *n)
{
    if (n->name.p[0] == '_') {
        if (str_is(n->name, "_&&_"))
            return run_logic(ev, n, false);
        if (str_is(n->name, "_||_"))
            return run_logic(ev, n, true);
        if (str_is(n->name, "_==_"))
            return run_equality(ev, n, true);
        if (str_is(n->name, "_!=_"))
            return run_equality(ev, n, false);
    }
    if (str_is(n->name, "@not_strictly_false")) {
        struct cel_value v = cel_run(ev, n->args[0]);
        cel_charge(ev, 1);
        return v.kind == CEL_BOOL ? v : cel_bool(true);
    }
    if (n->member && str_is(n->name, "or"))
        return run_or(ev, n, false);
    if (n->member && str_is(n->name, "orValue"))
        return run_or(ev, n, true);
    if (n->member_of_set) {
        struct cel_value v = cel_run(ev, n->args[0]);
        return cel_is_error(v) ? v : cel_list_contains(ev, n->args[1]->literal.list, v);
    }
    return run_function(ev, n);
}

/* --- containers --- */
static struct cel_value make_list(struct eval *ev, const struct node *n)
{
    struct cel_value list = cel_list_new(ev, n->count);
    for (size_t i = 0; i < n->count; i++) {
        struct cel_value v = cel_run(ev, n->args[i]);
        if (cel_is_error(v))
            return v;
        if (n->optional && n->optional[i]) {
            if (v.kind != CEL_OPTIONAL)
                return missing(
                    ev, "cannot initialize optional list element from non-optional value ", v);
            if (!v.optional)
                continue;
            v = *v.optional;
        }
        cel_list_push(ev, list, v);
    }
    return list;
}

static struct cel_value run_list(struct eval *ev, const struct node *n)
{
    struct cel_value v = make_list(ev, n);
    cel_charge(ev, 10);
    return v;
}

static struct cel_value bad_entry(struct eval *ev, struct cel_value key, struct cel_value v)
{
    struct buf b = {0};
    buf_puts(&b, "cannot initialize optional entry '");
    cel_put(key, &b);
    buf_puts(&b, "' from non-optional value ");
    cel_put(v, &b);
    struct cel_value error = cel_text(ev, &b);
    error.kind = CEL_ERROR;
    return error;
}

static struct cel_value make_map(struct eval *ev, const struct node *n)
{
    struct cel_value map = cel_map_new(ev, n->count / 2);
    for (size_t i = 0; i + 1 < n->count; i += 2) {
        struct cel_value key = cel_run(ev, n->args[i]);
        if (cel_is_error(key))
            return key;
        struct cel_value v = cel_run(ev, n->args[i + 1]);
        if (cel_is_error(v))
            return v;
        if (n->optional && n->optional[i / 2]) {
            if (v.kind != CEL_OPTIONAL)
                return bad_entry(ev, key, v);
            if (!v.optional) {
                cel_map_remove(ev, map, key);
                continue;
            }
            v = *v.optional;
        }
        cel_map_put(ev, map, key, v);
    }
    return map;
}

static struct cel_value run_map(struct eval *ev, const struct node *n)
{
    struct cel_value v = make_map(ev, n);
    cel_charge(ev, 30);
    return v;
}

/* --- comprehensions --- */
/* One turn of the loop. False: the loop ends. */
static bool turn(struct eval *ev, const struct node *n, struct scope *iter,
                 struct scope *accumulator)
{
    ev->scope = iter;
    struct cel_value go_on = cel_run(ev, n->args[FOLD_CONDITION]);
    if (ev->over || (go_on.kind == CEL_BOOL && !go_on.b))
        return false;
    struct cel_value v = cel_run(ev, n->args[FOLD_STEP]);
    accumulator->pending = NULL;
    accumulator->value = v;
    return !ev->over;
}

static void loop(struct eval *ev, const struct node *n, struct cel_value range,
                 struct scope *accumulator)
{
    bool two = n->name2.n > 0;
    struct scope iter = {.name = n->name, .name2 = n->name2, .outer = accumulator};
    if (range.kind == CEL_MAP) {
        struct map_walk w = cel_map_walk(range.map);
        while (cel_map_next(ev, &w, &iter.value, &iter.value2))
            if (!turn(ev, n, &iter, accumulator))
                return;
        return;
    }
    for (size_t i = 0; i < range.list->n; i++) {
        struct cel_value item = cel_list_at(ev, range.list, i);
        iter.value = two ? cel_int((int64_t)i) : item;
        iter.value2 = item;
        if (!turn(ev, n, &iter, accumulator))
            return;
    }
}

static struct cel_value run_fold(struct eval *ev, const struct node *n)
{
    struct scope *was = ev->scope;
    struct cel_value range = cel_run(ev, n->args[FOLD_RANGE]);
    if (cel_is_error(range))
        return range;
    if (range.kind != CEL_LIST && range.kind != CEL_MAP)
        return cel_error(ev, "got '%s', expected iterable type", cel_go_type(range));
    struct scope accumulator = {
        .name = n->accumulator, .pending = n->args[FOLD_INIT], .outer = was};
    loop(ev, n, range, &accumulator);
    ev->scope = &accumulator;
    struct cel_value v = cel_run(ev, n->args[FOLD_RESULT]);
    ev->scope = was;
    if (v.kind == CEL_LIST && v.list->growing)
        ((struct cel_list *)v.list)->growing = false;
    if (v.kind == CEL_MAP && v.map->growing)
        ((struct cel_map *)v.map)->growing = false;
    return v;
}

struct cel_value cel_run(struct eval *ev, const struct node *n)
{
    if (ev->over)
        return over_cost();
    if (n->constant)
        return n->literal;
    struct cel_value v;
    if (is_attribute(n)) {
        v = run_attribute(ev, n);
    } else {
        switch (n->kind) {
        case NODE_CALL:
            v = run_call(ev, n);
            break;
        case NODE_LIST:
            v = run_list(ev, n);
            break;
        case NODE_MAP:
            v = run_map(ev, n);
            break;
        case NODE_FOLD:
            v = run_fold(ev, n);
            break;
        default:
            v = n->literal;
        }
    }
    return ev->over ? over_cost() : v;
}
