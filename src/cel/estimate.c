/* What evaluation costs at least and at most, from the sizes that types allow: cel-go's estimator
 * with the Kubernetes libraries'. The figures decide which rules upstream accepts, so its oddities
 * are kept: the size of what comes from no variable is looked up as the first variable's own. */
#include <math.h>

#include "cel/overload.h"

struct known {
    struct str name;
    struct place place;
    struct size_range size;
    struct entry_sizes entries;
    const struct known *outer;
};

struct estimator {
    const struct cel_env *env;
    const struct known *known;
};

static struct cel_cost cost_of(struct estimator *k, struct node *n);

/* --- arithmetic that stops at UINT64_MAX --- */
static uint64_t add_u(uint64_t x, uint64_t y)
{
    return x > UINT64_MAX - y ? UINT64_MAX : x + y;
}

static uint64_t mul_u(uint64_t x, uint64_t y)
{
    return y != 0 && x > UINT64_MAX / y ? UINT64_MAX : x * y;
}

static uint64_t scale_u(uint64_t x, double factor)
{
    double scaled = ceil((double)x * factor);
    return scaled >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)scaled;
}

static struct cel_cost fixed(uint64_t c)
{
    return (struct cel_cost){c, c};
}

static struct cel_cost add(struct cel_cost x, struct cel_cost y)
{
    return (struct cel_cost){add_u(x.min, y.min), add_u(x.max, y.max)};
}

static struct cel_cost multiply(struct cel_cost x, struct cel_cost y)
{
    return (struct cel_cost){mul_u(x.min, y.min), mul_u(x.max, y.max)};
}

static struct cel_cost scale(struct cel_cost x, double factor)
{
    return (struct cel_cost){scale_u(x.min, factor), scale_u(x.max, factor)};
}

static struct cel_cost unite(struct cel_cost x, struct cel_cost y)
{
    return (struct cel_cost){x.min < y.min ? x.min : y.min, x.max > y.max ? x.max : y.max};
}

static struct cel_cost range_cost(struct size_range r)
{
    return (struct cel_cost){r.min, r.max};
}

static struct size_range range(uint64_t min, uint64_t max)
{
    return (struct size_range){true, min, max};
}

static struct size_range of_cost(struct cel_cost c)
{
    return range(c.min, c.max);
}

static struct size_range or_unknown(struct size_range r)
{
    return r.known ? r : range(0, UINT64_MAX);
}

static struct size_range unite_sizes(struct size_range x, struct size_range y)
{
    return of_cost(unite(range_cost(x), range_cost(y)));
}

static struct cel_cost text_cost(struct size_range r)
{
    return scale(range_cost(r), 0.1);
}

/* --- places --- */
static struct place root_place(const struct estimator *k)
{
    if (k->env->var_count == 0 || !k->env->vars[0].type->declared)
        return (struct place){0};
    return (struct place){PLACE_AT, k->env->vars[0].type};
}

static struct place step_to(const struct estimator *k, struct place from,
                            const struct cel_type *type)
{
    if (from.state == PLACE_NONE)
        return root_place(k);
    if (from.state == PLACE_LOST || !type || !type->declared)
        return (struct place){PLACE_LOST, NULL};
    return (struct place){PLACE_AT, type};
}

static const struct cel_type *field_type(struct place p, struct str name)
{
    if (p.state != PLACE_AT)
        return NULL;
    for (size_t i = 0; i < p.type->field_count; i++)
        if (str_eq(p.type->fields[i].name, name))
            return p.type->fields[i].type;
    return NULL;
}

/* Items of a list and values of a map; keys. */
static const struct cel_type *item_type(struct place p)
{
    if (p.state != PLACE_AT)
        return NULL;
    return p.type->kind == CEL_T_LIST ? p.type->a : p.type->kind == CEL_T_MAP ? p.type->b : NULL;
}

static const struct cel_type *key_type(struct place p)
{
    return p.state == PLACE_AT && p.type->kind == CEL_T_MAP ? p.type->a : NULL;
}

static const struct known *find_known(const struct estimator *k, struct str name)
{
    for (const struct known *v = k->known; v; v = v->outer)
        if (str_eq(v->name, name))
            return v;
    return NULL;
}

static struct place place_of(const struct estimator *k, const struct node *n)
{
    if (n->kind == NODE_IDENT) {
        const struct known *v = find_known(k, n->name);
        if (v)
            return v->place;
    }
    return n->place;
}

static struct size_range size_at(struct place p)
{
    return p.state == PLACE_AT ? range(0, (uint64_t)p.type->max_elements) : (struct size_range){0};
}

/* --- sizes --- */
static bool is_scalar(const struct cel_type *t)
{
    switch (t->kind) {
    case CEL_T_BOOL:
    case CEL_T_INT:
    case CEL_T_UINT:
    case CEL_T_DOUBLE:
    case CEL_T_TIMESTAMP:
    case CEL_T_DURATION:
        return true;
    case CEL_T_OPTIONAL:
        return is_scalar(t->a);
    default:
        return false;
    }
}

static struct size_range size_of(struct estimator *k, struct node *n)
{
    if (n->size.known)
        return n->size;
    if (n->kind == NODE_LITERAL)
        return range(cel_size(n->literal), cel_size(n->literal));
    if (n->kind == NODE_LIST)
        return range(n->count, n->count);
    if (n->kind == NODE_MAP)
        return range(n->count / 2, n->count / 2);
    struct size_range r = size_at(place_of(k, n));
    if (r.known) {
        n->size = r;
        return r;
    }
    if (is_scalar(n->type))
        return range(1, 1);
    const struct known *v = n->kind == NODE_IDENT ? find_known(k, n->name) : NULL;
    return v ? v->size : (struct size_range){0};
}

static struct entry_sizes entries_of(const struct estimator *k, const struct node *n)
{
    if (n->entries.known)
        return n->entries;
    const struct known *v = n->kind == NODE_IDENT ? find_known(k, n->name) : NULL;
    return v ? v->entries : (struct entry_sizes){0};
}

static struct entry_sizes unite_entries(struct entry_sizes x, struct entry_sizes y)
{
    if (!x.known || !y.known)
        return (struct entry_sizes){0};
    return (struct entry_sizes){true, x.list, unite_sizes(x.key, y.key),
                                unite_sizes(x.value, y.value)};
}

/* The size of an argument, as the library's estimators ask for it. */
static struct size_range size_or_place(struct estimator *k, struct node *n)
{
    struct size_range r = size_of(k, n);
    return or_unknown(r.known ? r : size_at(place_of(k, n)));
}

/* --- calls --- */
struct call {
    struct estimator *k;
    struct node *n;
    struct node *target; /* of a member call, or NULL */
    struct node **args;  /* without the target */
    size_t count;
    struct cel_cost arg_costs[16];
};

struct price {
    struct cel_cost cost;
    bool with_args; /* the arguments' costs are in cost already */
    struct size_range size;
};

static struct price one(void)
{
    return (struct price){.cost = {1, 1}};
}

static struct price priced(struct cel_cost cost)
{
    return (struct price){.cost = cost};
}

static struct price price_selector(struct call *c)
{
    if (c->count != 1)
        return one();
    struct cel_cost length = range_cost(size_or_place(c->k, c->args[0]));
    struct cel_cost requirements = scale(scale(length, 0.5), 50);
    return priced(add(add(fixed(10), scale(length, 0.1)), requirements));
}

static struct price price_list(struct call *c)
{
    if (!c->target)
        return one();
    struct cel_cost items = range_cost(size_or_place(c->k, c->target));
    const struct cel_type *t = c->target->type;
    if (!t->a)
        return priced(scale(items, 0.1));
    const struct cel_type *item = t->a;
    struct cel_cost each = fixed(1);
    if (item->kind == CEL_T_STRING || item->kind == CEL_T_BYTES) {
        struct place p = place_of(c->k, c->target);
        struct size_range r = {0};
        if (p.state != PLACE_NONE)
            r = size_at(step_to(c->k, p, item_type(p)));
        each = add(each, text_cost(or_unknown(r)));
    }
    return priced(multiply(items, each));
}

/* How many replacements there are and how much of the text stays, at one end of the range. */
static uint64_t replaced(uint64_t size, uint64_t from, uint64_t with, bool same_size)
{
    if (from == 0)
        return add_u(mul_u(add_u(size, 1), with), size);
    if (same_size)
        return size;
    return mul_u((uint64_t)ceil((double)size / (double)from), with);
}

static struct price price_replace(struct call *c)
{
    if (!c->target || c->count < 2)
        return one();
    struct size_range s = size_or_place(c->k, c->target);
    struct size_range from = size_or_place(c->k, c->args[0]);
    struct size_range with = size_or_place(c->k, c->args[1]);
    return (struct price){.cost = scale(range_cost(s), 0.2),
                          .size = range(replaced(s.min, from.max, with.min, from.max <= with.min),
                                        replaced(s.max, from.min, with.max, with.max <= from.min))};
}

static struct price price_split(struct call *c)
{
    if (!c->target)
        return one();
    struct size_range s = size_or_place(c->k, c->target);
    uint64_t max = s.max;
    if (c->count > 1 && c->args[1]->kind == NODE_LITERAL && c->args[1]->literal.kind == CEL_INT)
        max = (uint64_t)c->args[1]->literal.i;
    return (struct price){.cost = scale(range_cost(s), 0.2), .size = range(0, max)};
}

static struct price price_join(struct call *c)
{
    if (!c->target)
        return one();
    struct size_range list = size_or_place(c->k, c->target);
    struct cel_cost total = {0};
    if (c->target->type->a) {
        struct place p = place_of(c->k, c->target);
        struct size_range item = {0};
        if (p.state != PLACE_NONE)
            item = size_at(step_to(c->k, p, item_type(p)));
        total = multiply(range_cost(list), range_cost(or_unknown(item)));
    }
    if (c->count > 0) {
        struct cel_cost gaps = {list.min ? list.min - 1 : 0, list.max ? list.max - 1 : 0};
        total = add(total, multiply(range_cost(size_or_place(c->k, c->args[0])), gaps));
    }
    return (struct price){.cost = scale(total, 0.1), .size = of_cost(total)};
}

static struct cel_cost pattern_cost(struct size_range text, struct size_range pattern)
{
    return multiply(scale(add(range_cost(text), fixed(1)), 0.1), scale(range_cost(pattern), 0.25));
}

static struct price price_find(struct call *c)
{
    if (!c->target || c->count < 1)
        return one();
    struct size_range s = size_or_place(c->k, c->target);
    return (struct price){.cost = pattern_cost(s, size_or_place(c->k, c->args[0])),
                          .size = range(0, s.max)};
}

static struct price price_contains_ip(struct call *c, const struct overload *o, bool cidr)
{
    if (c->count < 1)
        return one();
    struct cel_cost cost = scale((struct cel_cost){8, 32}, 0.1);
    if (cidr)
        cost = add(cost, add(scale((struct cel_cost){4, 16}, 0.1), fixed(1)));
    if (str_ends(str_of(o->id), STR("_string")))
        cost = add(cost, text_cost(size_or_place(c->k, c->args[0])));
    return priced(cost);
}

static struct price price_by_name(struct call *c, const struct overload *o)
{
    struct node *first = c->count > 0 ? c->args[0] : NULL;
    struct size_range s;
    switch (o->cost) {
    case COST_CHECK:
        return priced(fixed(350000));
    case COST_SELECTOR:
        return price_selector(c);
    case COST_LIST:
        return price_list(c);
    case COST_URL:
        s = size_or_place(c->k, first);
        return (struct price){.cost = text_cost(s), .size = s};
    case COST_TEXT:
        s = size_or_place(c->k, c->target);
        return (struct price){.cost = text_cost(s), .size = s};
    case COST_REPLACE:
        return price_replace(c);
    case COST_SPLIT:
        return price_split(c);
    case COST_JOIN:
        return price_join(c);
    case COST_FIND:
        return price_find(c);
    case COST_PARSE:
        return priced(text_cost(size_or_place(c->k, first)));
    case COST_PARSE_TWICE:
        return priced(scale(range_cost(size_or_place(c->k, first)), 0.2));
    case COST_CONTAINS_IP:
        return price_contains_ip(c, o, false);
    case COST_CONTAINS_CIDR:
        return price_contains_ip(c, o, true);
    case COST_VALIDATE: /* the longest pattern of a name: 128 characters */
        return priced(scale(text_cost(size_or_place(c->k, first)), 128 * 0.25));
    default:
        return one();
    }
}

/* --- the lists extension --- */
static struct price price_new_list(double factor, struct size_range size)
{
    return (struct price){.cost = add(scale(range_cost(size), factor), fixed(11)), .size = size};
}

static uint64_t int_literal(const struct node *n, uint64_t otherwise)
{
    if (n->kind != NODE_LITERAL || n->literal.kind != CEL_INT)
        return otherwise;
    return n->literal.i < 0 ? 0 : (uint64_t)n->literal.i;
}

static struct price price_squared(struct call *c, struct node *list, double factor)
{
    struct cel_cost n = range_cost(size_or_place(c->k, list));
    return price_new_list(factor, of_cost(multiply(n, n)));
}

static struct price price_lists(struct call *c, enum cost_rule rule)
{
    uint64_t n;
    switch (rule) {
    case COST_SLICE:
        n = int_literal(c->args[1], size_or_place(c->k, c->target).max) -
            int_literal(c->args[0], 0);
        return price_new_list(1, range(n, n));
    case COST_RANGE:
        n = int_literal(c->args[0], UINT64_MAX);
        return price_new_list(1, range(n, n));
    case COST_REVERSE:
        return price_new_list(1, size_or_place(c->k, c->target));
    case COST_FLATTEN:
        n = c->count == 1 ? int_literal(c->args[0], UINT64_MAX) : 1;
        return price_new_list((double)n, size_or_place(c->k, c->target));
    case COST_DISTINCT:
    case COST_SORT:
        return price_squared(c, c->target, 2);
    case COST_SORT_TEXT:
        return price_squared(c, c->target, 2.1);
    case COST_SORT_BY:
        return price_squared(c, c->args[0], 2);
    default:
        return price_squared(c, c->args[0], 2.1);
    }
}

static struct price price_sets(struct call *c, double factor)
{
    struct cel_cost x = range_cost(size_or_place(c->k, c->args[0]));
    struct cel_cost y = range_cost(size_or_place(c->k, c->args[1]));
    return priced(add(scale(multiply(x, y), factor), fixed(1)));
}

/* --- the standard library --- */
static struct price price_choice(struct call *c)
{
    struct cel_cost *a = c->arg_costs;
    struct entry_sizes e =
        unite_entries(entries_of(c->k, c->args[1]), entries_of(c->k, c->args[2]));
    if (e.known)
        c->n->entries = e;
    return (struct price){.cost = add(a[0], unite(a[1], a[2])),
                          .with_args = true,
                          .size = unite_sizes(or_unknown(size_of(c->k, c->args[1])),
                                              or_unknown(size_of(c->k, c->args[2])))};
}

static struct price price_add(struct call *c, bool text)
{
    struct cel_cost sum = add(range_cost(or_unknown(size_of(c->k, c->args[0]))),
                              range_cost(or_unknown(size_of(c->k, c->args[1]))));
    struct entry_sizes e =
        unite_entries(entries_of(c->k, c->args[0]), entries_of(c->k, c->args[1]));
    if (e.known)
        c->n->entries = e;
    return (struct price){.cost = text ? scale(sum, 0.1) : fixed(1), .size = of_cost(sum)};
}

static struct price price_compare(struct call *c)
{
    uint64_t x = or_unknown(size_of(c->k, c->args[0])).max;
    uint64_t y = or_unknown(size_of(c->k, c->args[1])).max;
    uint64_t least = x < y ? x : y;
    return priced(scale((struct cel_cost){least > 0, least}, 0.1));
}

/* Equality of the libraries' own values. */
static bool price_own_equality(struct call *c, struct price *ret)
{
    const struct cel_type *t = c->args[0]->type;
    if (!str_is(c->n->name, "_==_") || !cel_type_eq(t, c->args[1]->type) ||
        (t->kind != CEL_T_STRUCT && t->kind != CEL_T_OPAQUE) ||
        !(str_starts(t->name, STR("kubernetes.")) || str_starts(t->name, STR("net."))))
        return false;
    *ret = one();
    if (str_is(t->name, "kubernetes.NamedFormat"))
        *ret = priced(scale((struct cel_cost){1, 64}, 0.1));
    if (str_is(t->name, "kubernetes.URL")) {
        struct size_range r = size_of(c->k, c->args[1]);
        *ret = priced(scale((struct cel_cost){1, r.known ? r.max : 1}, 0.1));
    }
    return true;
}

static struct price price_by_overload(struct call *c, const struct overload *o)
{
    struct size_range s = c->count > 0 ? or_unknown(size_of(c->k, c->args[0])) : range(0, 0);
    struct size_range t = c->target ? or_unknown(size_of(c->k, c->target)) : range(0, 0);
    struct price p;
    switch (o->cost) {
    case COST_FORMAT:
        return priced(text_cost(t));
    case COST_TO_BYTES:
        return (struct price){.cost = text_cost(s), .size = range(s.min, s.max * 4)};
    case COST_TO_STRING:
        return (struct price){.cost = text_cost(s), .size = range(s.min / 4, s.max)};
    case COST_QUOTE:
        return (struct price){.cost = text_cost(s), .size = range(s.min + 2, s.max * 2 + 2)};
    case COST_AFFIX:
        return priced(text_cost(s));
    case COST_IN_LIST:
        return priced(range_cost(or_unknown(size_of(c->k, c->args[1]))));
    case COST_MATCHES:
        return priced(pattern_cost(t, s));
    case COST_CONTAINS:
        return priced(multiply(text_cost(t), text_cost(s)));
    case COST_LOGIC:
        return (struct price){
            .cost = {c->arg_costs[0].min, add_u(c->arg_costs[0].max, c->arg_costs[1].max)},
            .with_args = true};
    case COST_CONDITIONAL:
        return price_choice(c);
    case COST_ADD_TEXT:
        return price_add(c, true);
    case COST_ADD_LIST:
        return price_add(c, false);
    case COST_COMPARE:
        return price_own_equality(c, &p) ? p : price_compare(c);
    case COST_SETS:
        return price_sets(c, 1);
    case COST_SETS_TWICE:
        return price_sets(c, 2);
    case COST_INDEX_LIST:
    case COST_INDEX_MAP:
        return one();
    default:
        return price_lists(c, o->cost);
    }
}

static struct cel_cost cost_call(struct estimator *k, struct node *n)
{
    struct call c = {.k = k, .n = n, .args = n->args + n->member, .count = n->count - n->member};
    struct cel_cost sum = {0}, total = {UINT64_MAX, 0};
    for (size_t i = 0; i < c.count; i++) {
        c.arg_costs[i] = cost_of(k, c.args[i]);
        sum = add(sum, c.arg_costs[i]);
    }
    if (str_is(n->name, "dyn") && c.count == 1) {
        n->size = size_of(k, c.args[0]);
        n->entries = entries_of(k, c.args[0]);
        return add(fixed(1), sum);
    }
    struct cel_cost target_cost = {0};
    if (n->member) {
        c.target = n->args[0];
        target_cost = cost_of(k, c.target);
    }
    struct size_range size = {0};
    for (size_t i = 0; i < n->overload_count; i++) {
        const struct overload *o = n->overloads[i];
        struct price p =
            o->cost < COST_BY_OVERLOAD ? price_by_name(&c, o) : price_by_overload(&c, o);
        total = unite(total, p.with_args ? p.cost : add(p.cost, sum));
        if (p.size.known)
            size = size.known ? unite_sizes(size, p.size) : p.size;
        if (o->cost == COST_INDEX_LIST || o->cost == COST_INDEX_MAP) {
            struct place from = place_of(k, c.args[0]);
            size = entries_of(k, c.args[0]).value;
            n->place = step_to(k, from, item_type(from));
        }
        if (!size.known)
            size = size_of(k, n);
    }
    if (size.known)
        n->size = size;
    return add(target_cost, total);
}

/* --- the rest --- */
static struct cel_cost cost_select(struct estimator *k, struct node *n)
{
    struct cel_cost cost = cost_of(k, n->args[0]);
    if (n->test_only)
        return cost;
    struct place from = place_of(k, n->args[0]);
    n->place = step_to(k, from, field_type(from, n->name));
    enum cel_type_kind kind = n->args[0]->type->kind;
    return kind == CEL_T_MAP || kind == CEL_T_STRUCT ? add(cost, fixed(1)) : cost;
}

static struct cel_cost cost_ident(struct estimator *k, struct node *n)
{
    const struct known *v = find_known(k, n->name);
    n->place = v ? v->place : root_place(k);
    for (size_t i = 0; !v && i < k->env->var_count; i++)
        if (str_eq(k->env->vars[i].name, n->name) && k->env->vars[i].type->declared)
            n->place = (struct place){PLACE_AT, k->env->vars[i].type};
    return fixed(1);
}

static struct cel_cost cost_container(struct estimator *k, struct node *n)
{
    bool map = n->kind == NODE_MAP;
    struct cel_cost sum = {0};
    struct cel_cost sizes[2] = {{n->count ? UINT64_MAX : 0, 0}, {n->count ? UINT64_MAX : 0, 0}};
    for (size_t i = 0; i < n->count; i++) {
        sum = add(sum, cost_of(k, n->args[i]));
        struct cel_cost *s = &sizes[map ? i % 2 : 1];
        *s = unite(*s, range_cost(or_unknown(size_of(k, n->args[i]))));
    }
    n->entries =
        (struct entry_sizes){true, !map, map ? of_cost(sizes[0]) : range(1, 1), of_cost(sizes[1])};
    return add(sum, fixed(map ? 30 : 10));
}

static struct known variable(struct estimator *k, struct node *n, struct str name, bool key,
                             const struct known *outer)
{
    struct place from = place_of(k, n);
    struct entry_sizes e = entries_of(k, n);
    bool list = e.known ? e.list : n->type->kind == CEL_T_LIST;
    struct known v = {.name = name, .outer = outer};
    v.size = key ? e.key : e.value;
    v.place = step_to(k, from, !key ? item_type(from) : list ? NULL : key_type(from));
    return v;
}

static struct known accumulator(struct estimator *k, struct node *n)
{
    return (struct known){n->accumulator, place_of(k, n->args[FOLD_INIT]),
                          size_of(k, n->args[FOLD_INIT]), entries_of(k, n->args[FOLD_INIT]),
                          k->known};
}

/* optMap and sortBy: a variable for one value. */
static bool is_bind(const struct node *n)
{
    const struct node *range_ = n->args[FOLD_RANGE], *condition = n->args[FOLD_CONDITION];
    return range_->kind == NODE_LIST && range_->count == 0 && condition->kind == NODE_LITERAL &&
           condition->literal.kind == CEL_BOOL && !condition->literal.b;
}

static struct cel_cost cost_bind(struct estimator *k, struct node *n)
{
    struct cel_cost sum = add(cost_of(k, n->args[FOLD_RANGE]), cost_of(k, n->args[FOLD_INIT]));
    struct known bound = accumulator(k, n);
    const struct known *was = k->known;
    k->known = &bound;
    sum = add(sum, cost_of(k, n->args[FOLD_RESULT]));
    k->known = was;
    struct size_range s = size_of(k, n->args[FOLD_RESULT]);
    if (s.known)
        n->size = s;
    struct entry_sizes e = entries_of(k, n->args[FOLD_RESULT]);
    if (e.known)
        n->entries = e;
    return sum;
}

static struct cel_cost cost_fold(struct estimator *k, struct node *n)
{
    struct node **part = n->args, *over = part[FOLD_RANGE];
    if (is_bind(n))
        return cost_bind(k, n);
    struct cel_cost sum = add(cost_of(k, over), cost_of(k, part[FOLD_INIT]));
    const struct known *was = k->known;
    struct known result = accumulator(k, n);
    k->known = &result;
    bool two = n->name2.n > 0;
    struct entry_sizes e = entries_of(k, over);
    bool list = e.known ? e.list : over->type->kind == CEL_T_LIST;
    struct known first = variable(k, over, n->name, two || !list, &result);
    struct known second = variable(k, over, n->name2, false, &first);
    k->known = two ? &second : &first;
    struct cel_cost turn = cost_of(k, part[FOLD_CONDITION]);
    turn = add(turn, cost_of(k, part[FOLD_STEP]));
    struct entry_sizes stepped = entries_of(k, part[FOLD_STEP]);
    k->known = &result;
    sum = add(sum, cost_of(k, part[FOLD_RESULT]));
    k->known = was;
    struct size_range count = or_unknown(size_of(k, over));
    if (part[FOLD_INIT]->kind == NODE_LITERAL) {
        n->size = size_of(k, part[FOLD_INIT]);
    } else if (part[FOLD_INIT]->kind == NODE_LIST || part[FOLD_INIT]->kind == NODE_MAP) {
        n->size = count;
        if (stepped.known)
            n->entries = stepped;
    }
    return add(sum, multiply(range_cost(count), turn));
}

static struct cel_cost cost_of(struct estimator *k, struct node *n)
{
    switch (n->kind) {
    case NODE_IDENT:
        return cost_ident(k, n);
    case NODE_SELECT:
        return cost_select(k, n);
    case NODE_CALL:
        return cost_call(k, n);
    case NODE_LIST:
    case NODE_MAP:
        return cost_container(k, n);
    case NODE_FOLD:
        return cost_fold(k, n);
    default:
        return fixed(0);
    }
}

struct cel_cost cel_estimate(struct node *root, const struct cel_env *env)
{
    struct estimator k = {.env = env};
    return cost_of(&k, root);
}
