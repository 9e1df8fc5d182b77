/* What a call has cost, once it is done: cel-go's cost tracker with Kubernetes' estimator. */
#include <math.h>

#include "cel/kube.h"
#include "cel/overload.h"

enum { CHECK_COST = 350000 };

bool cel_affordable(const struct eval *ev, uint64_t cost)
{
    return !ev->over && ev->cost <= ev->limit && cost <= ev->limit - ev->cost;
}

enum { WORK_PER_COST = 32, BYTES_PER_COST = 40 };

bool cel_work(struct eval *ev)
{
    if (++ev->work / WORK_PER_COST > ev->limit)
        ev->over = true;
    return !ev->over;
}

bool cel_may_make(struct eval *ev, uint64_t n)
{
    if (!cel_affordable(ev, n / BYTES_PER_COST))
        cel_charge(ev, n);
    return !ev->over;
}

/* A tenth of a character each time a text is read. */
static uint64_t texts(double characters)
{
    return (uint64_t)ceil(characters * 0.1);
}

static uint64_t regex_cost(uint64_t text, uint64_t pattern)
{
    return texts(1.0 + (double)text) * (uint64_t)ceil((double)pattern * 0.25);
}

/* Reading a value as a whole. */
static uint64_t traversal(struct eval *ev, struct cel_value v, uint64_t stop)
{
    uint64_t cost = 0;
    if (!cel_work(ev))
        return 0;
    if (v.kind == CEL_STRING || v.kind == CEL_BYTES)
        return (uint64_t)((double)v.s.n * 0.1);
    if (v.kind == CEL_LIST) {
        for (size_t i = 0; i < v.list->n && cost <= stop; i++)
            cost += traversal(ev, cel_list_at(ev, v.list, i), stop);
        return cost;
    }
    if (v.kind == CEL_MAP) {
        struct map_walk w = cel_map_walk(v.map);
        struct cel_value key, value;
        while (cost <= stop && cel_map_next(ev, &w, &key, &value))
            cost += traversal(ev, key, stop) + traversal(ev, value, stop);
        return cost;
    }
    return 1;
}

static uint64_t selector_cost(uint64_t n)
{
    return 10 + texts((double)n) + (uint64_t)ceil(ceil((double)n * 0.5) * 50);
}

static uint64_t list_cost(double factor, uint64_t n)
{
    double cost = (double)n * factor;
    if (cost >= 9223372036854775808.0)
        return UINT64_MAX;
    return (uint64_t)(int64_t)cost + 1 + 10; /* wraps, as upstream's, where a depth is negative */
}

/* Comparing all items of a list with all others. */
static uint64_t self_compare(struct eval *ev, struct cel_value list)
{
    uint64_t n = cel_size(list);
    double factor = 2;
    if (n > 0 && list.kind == CEL_LIST) {
        struct cel_value first = cel_list_at(ev, list.list, 0);
        if (first.kind == CEL_STRING || first.kind == CEL_BYTES)
            factor += 0.1;
    }
    return list_cost(factor, n * n);
}

static uint64_t contains_ip(const struct cel_value *args, bool cidr)
{
    double base = (double)cel_size(args[0]);
    uint64_t cost = texts(base + base);
    if (cidr)
        cost += texts(base) + 1;
    if (args[1].kind == CEL_STRING)
        cost += texts((double)cel_size(args[1]));
    return cost;
}

static uint64_t price_by_overload(struct eval *ev, enum cost_rule rule,
                                  const struct cel_value *args, size_t n, struct cel_value result)
{
    uint64_t x = n > 0 ? cel_size(args[0]) : 1, y = n > 1 ? cel_size(args[1]) : 1;
    switch (rule) {
    case COST_FORMAT:
    case COST_TO_BYTES:
    case COST_TO_STRING:
    case COST_QUOTE:
    case COST_AFFIX:
        return texts((double)x);
    case COST_IN_LIST:
        return y;
    case COST_MATCHES:
        return regex_cost(x, y);
    case COST_CONTAINS:
        return texts((double)x) * texts((double)y);
    case COST_ADD_TEXT:
        return texts((double)(x + y));
    case COST_COMPARE:
        return texts((double)(x < y ? x : y));
    case COST_SETS:
        return 1 + x * y;
    case COST_SETS_TWICE:
        return 1 + x * y * 2;
    case COST_SLICE:
    case COST_RANGE:
    case COST_REVERSE:
        return list_cost(1, cel_size(result));
    case COST_FLATTEN:
        return list_cost(n == 2 ? (double)args[1].i : 1, x);
    case COST_DISTINCT:
    case COST_SORT:
    case COST_SORT_TEXT:
        return self_compare(ev, args[0]);
    case COST_SORT_BY:
    case COST_SORT_BY_TEXT:
        return self_compare(ev, args[1]);
    default:
        return 1;
    }
}

static uint64_t price(struct eval *ev, const struct node *call, const struct cel_value *args,
                      size_t n, struct cel_value result)
{
    enum cost_rule rule = call->overloads[0]->cost;
    uint64_t x = n > 0 ? cel_size(args[0]) : 1, y = n > 1 ? cel_size(args[1]) : 1;
    switch (rule) {
    case COST_CHECK:
        return CHECK_COST;
    case COST_SELECTOR:
        return selector_cost(y);
    case COST_LIST:
        return traversal(ev, args[0], ev->limit);
    case COST_URL:
    case COST_TEXT:
    case COST_PARSE:
        return texts((double)x);
    case COST_REPLACE:
    case COST_SPLIT:
    case COST_PARSE_TWICE:
        return texts((double)x * 2);
    case COST_JOIN:
        return texts((double)cel_size(result) * 2);
    case COST_FIND:
        return regex_cost(x, y);
    case COST_CONTAINS_IP:
        return contains_ip(args, false);
    case COST_CONTAINS_CIDR:
        return contains_ip(args, true);
    case COST_VALIDATE:
        return args[0].kind == CEL_FORMAT ? regex_cost(y, cel_kube_format_regex_size(args[0])) : 1;
    case COST_ONE:
        return 1;
    default:
        break;
    }
    if (rule == COST_COMPARE && str_is(call->name, "_==_") && args[0].kind >= CEL_QUANTITY)
        return 1;
    return call->overload_count == 1 ? price_by_overload(ev, rule, args, n, result) : 1;
}

void cel_charge_call(struct eval *ev, const struct node *call, const struct cel_value *args,
                     size_t n, struct cel_value result)
{
    cel_charge(ev, price(ev, call, args, n, result));
}
