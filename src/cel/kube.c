/* Quantities, and what all values of the Kubernetes libraries have in common. */
#include "cel/kube.h"

#include <math.h>

#include "cel/formats.h"
#include "cel/functions.h"
#include "doc/quantity.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)
#define UNUSED (void)ev, (void)n

struct cel_value cel_kube_equal(struct cel_value x, struct cel_value y)
{
    switch (x.kind) {
    case CEL_QUANTITY: /* upstream cannot compare with the result of add or sub on the right */
        return y.nanos ? cel_no_overload() : cel_bool(quantity_cmp(x.quantity, y.quantity) == 0);
    case CEL_URL:
        return cel_bool(str_eq(x.url->text, y.url->text));
    case CEL_IP:
    case CEL_CIDR:
        return cel_bool(x.ip->v6 == y.ip->v6 && x.ip->prefix == y.ip->prefix &&
                        memcmp(x.ip->bytes, y.ip->bytes, sizeof x.ip->bytes) == 0);
    case CEL_SEMVER:
        return cel_bool(cel_kube_semver_compare(x.semver, y.semver) == 0);
    case CEL_FORMAT:
        return cel_bool(x.format == y.format);
    default:
        return cel_bool(x.check == y.check);
    }
}

void cel_kube_write(struct cel_value v, struct buf *b)
{
    switch (v.kind) {
    case CEL_QUANTITY:
        quantity_write(v.quantity, b);
        break;
    case CEL_URL:
        buf_put(b, v.url->text);
        break;
    case CEL_IP:
    case CEL_CIDR:
        cel_kube_ip_write(v, b);
        break;
    case CEL_SEMVER:
        cel_kube_semver_write(v.semver, b);
        break;
    case CEL_FORMAT:
        buf_puts(b, v.format->title);
        break;
    default:
        buf_put(b, cel_type_name_of(v));
    }
}

static struct cel_value of_quantity(struct eval *ev, const struct quantity *q)
{
    struct quantity *copy = ARENA_NEW(ev->a, struct quantity);
    *copy = *q;
    return (struct cel_value){.kind = CEL_QUANTITY, .quantity = copy};
}

FN(cel_fn_quantity)
{
    UNUSED;
    struct quantity q;
    struct err err;
    if (quantity_parse(args[0].s, &q, &err) != 0)
        return cel_error(ev, "%s", err.message);
    return of_quantity(ev, &q);
}

FN(cel_fn_is_quantity)
{
    UNUSED;
    struct quantity q;
    struct err err;
    return cel_bool(quantity_parse(args[0].s, &q, &err) == 0);
}

enum { NANO = 1000000000 };

static bool is_whole(const struct quantity *q)
{
    return q->nano % NANO == 0 && q->nano / NANO >= INT64_MIN && q->nano / NANO <= INT64_MAX;
}

FN(cel_fn_quantity_is_int)
{
    UNUSED;
    return cel_bool(is_whole(args[0].quantity));
}

FN(cel_fn_quantity_int)
{
    UNUSED;
    if (!is_whole(args[0].quantity))
        return cel_error(ev, "cannot convert value to integer");
    return cel_int((int64_t)(args[0].quantity->nano / NANO));
}

FN(cel_fn_quantity_float)
{
    UNUSED;
    __int128 nano = args[0].quantity->nano;
    double d = nano % NANO == 0 ? (double)(nano / NANO) : (double)nano / 1e9;
    return (struct cel_value){.kind = CEL_DOUBLE, .d = d};
}

FN(cel_fn_quantity_sign)
{
    UNUSED;
    __int128 nano = args[0].quantity->nano;
    return cel_int((nano > 0) - (nano < 0));
}

FN(cel_fn_quantity_less)
{
    UNUSED;
    return cel_bool(quantity_cmp(args[0].quantity, args[1].quantity) < 0);
}

FN(cel_fn_quantity_greater)
{
    UNUSED;
    return cel_bool(quantity_cmp(args[0].quantity, args[1].quantity) > 0);
}

FN(cel_fn_quantity_compare)
{
    UNUSED;
    int order = quantity_cmp(args[0].quantity, args[1].quantity);
    return cel_int((order > 0) - (order < 0));
}

/* The second operand: a quantity, or a number of whole units. */
static struct quantity operand(struct cel_value v)
{
    if (v.kind == CEL_QUANTITY)
        return *v.quantity;
    return (struct quantity){(__int128)v.i * NANO, QUANTITY_DECIMAL_EXPONENT};
}

FN(cel_fn_quantity_add)
{
    UNUSED;
    struct quantity q = *args[0].quantity, other = operand(args[1]);
    quantity_add(&q, &other);
    struct cel_value v = of_quantity(ev, &q);
    v.nanos = 1;
    return v;
}

FN(cel_fn_quantity_sub)
{
    UNUSED;
    struct quantity q = *args[0].quantity, other = operand(args[1]);
    quantity_sub(&q, &other);
    struct cel_value v = of_quantity(ev, &q);
    v.nanos = 1;
    return v;
}
