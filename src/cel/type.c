#include "cel/type.h"

#include "cel/overload.h"

#define PLAIN(kind_) [kind_] = {.kind = kind_}

static const struct cel_type plain[] = {
    PLAIN(CEL_T_DYN),   PLAIN(CEL_T_ERROR),     PLAIN(CEL_T_NULL),     PLAIN(CEL_T_BOOL),
    PLAIN(CEL_T_INT),   PLAIN(CEL_T_UINT),      PLAIN(CEL_T_DOUBLE),   PLAIN(CEL_T_STRING),
    PLAIN(CEL_T_BYTES), PLAIN(CEL_T_TIMESTAMP), PLAIN(CEL_T_DURATION),
};

#define NAMED(letter, kind_, name_)                                                                \
    {                                                                                              \
        letter,                                                                                    \
        {                                                                                          \
            .kind = kind_, .name = STR_INIT(name_)                                                 \
        }                                                                                          \
    }

static const struct named {
    char letter;
    struct cel_type type;
} named[] = {
    NAMED('Q', CEL_T_STRUCT, "kubernetes.Quantity"),
    NAMED('U', CEL_T_STRUCT, "kubernetes.URL"),
    NAMED('I', CEL_T_OPAQUE, "net.IP"),
    NAMED('C', CEL_T_OPAQUE, "net.CIDR"),
    NAMED('F', CEL_T_STRUCT, "kubernetes.NamedFormat"),
    NAMED('V', CEL_T_STRUCT, "kubernetes.Semver"),
    NAMED('Z', CEL_T_STRUCT, "kubernetes.authorization.Authorizer"),
    NAMED('P', CEL_T_STRUCT, "kubernetes.authorization.PathCheck"),
    NAMED('G', CEL_T_STRUCT, "kubernetes.authorization.GroupCheck"),
    NAMED('R', CEL_T_STRUCT, "kubernetes.authorization.ResourceCheck"),
    NAMED('X', CEL_T_STRUCT, "kubernetes.authorization.Decision"),
};

const struct cel_type *cel_type_plain(enum cel_type_kind kind)
{
    return &plain[kind];
}

const struct cel_type *cel_type_named(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        if (named[i].letter == letter)
            return &named[i].type;
    return &plain[CEL_T_DYN];
}

const struct cel_type *cel_type_authorizer(void)
{
    return cel_type_named('Z');
}

const struct cel_type *cel_type_of_two(struct arena *a, enum cel_type_kind kind,
                                       const struct cel_type *x, const struct cel_type *y)
{
    struct cel_type *t = ARENA_NEW(a, struct cel_type);
    t->kind = kind;
    t->a = x;
    t->b = y;
    return t;
}

const struct cel_type *cel_type_list(struct arena *a, const struct cel_type *item)
{
    return cel_type_of_two(a, CEL_T_LIST, item, NULL);
}

const struct cel_type *cel_type_map(struct arena *a, const struct cel_type *key,
                                    const struct cel_type *value)
{
    return cel_type_of_two(a, CEL_T_MAP, key, value);
}

const struct cel_type *cel_type_optional(struct arena *a, const struct cel_type *of)
{
    return cel_type_of_two(a, CEL_T_OPTIONAL, of, NULL);
}

bool cel_type_eq(const struct cel_type *x, const struct cel_type *y)
{
    if (x == y)
        return true;
    if (!x || !y || x->kind != y->kind)
        return false;
    switch (x->kind) {
    case CEL_T_LIST:
    case CEL_T_OPTIONAL:
    case CEL_T_TYPE:
        return cel_type_eq(x->a, y->a);
    case CEL_T_MAP:
        return cel_type_eq(x->a, y->a) && cel_type_eq(x->b, y->b);
    case CEL_T_STRUCT:
    case CEL_T_OPAQUE:
        return str_eq(x->name, y->name);
    case CEL_T_PARAM:
        return x->param == y->param;
    default:
        return true;
    }
}

/* Names as in messages about types that do not match, or, `full`, as types call themselves. */
static void write_type(const struct cel_type *t, bool full, struct buf *b)
{
    static const char *const short_names[] = {
        "dyn",   "!error!",   "null",     "bool", "int", "uint", "double",       "string",
        "bytes", "timestamp", "duration", "list", "map", "type", "optional_type"};
    if (!t)
        return;
    if (t->kind == CEL_T_PARAM)
        buf_printf(b, "_var%d", t->param);
    else if (t->kind >= CEL_T_STRUCT)
        buf_put(b, t->name);
    else if (full && t->kind == CEL_T_TIMESTAMP)
        buf_puts(b, "google.protobuf.Timestamp");
    else if (full && t->kind == CEL_T_DURATION)
        buf_puts(b, "google.protobuf.Duration");
    else if (full && t->kind == CEL_T_NULL)
        buf_puts(b, "null_type");
    else
        buf_puts(b, short_names[t->kind]);
    if (!t->a || t->kind >= CEL_T_STRUCT)
        return;
    buf_putc(b, '(');
    write_type(t->a, full, b);
    if (t->b) {
        buf_puts(b, ", ");
        write_type(t->b, full, b);
    }
    buf_putc(b, ')');
}

void cel_type_write(const struct cel_type *t, struct buf *b)
{
    write_type(t, true, b);
}

void cel_type_write_short(const struct cel_type *t, struct buf *b)
{
    write_type(t, false, b);
}

const struct cel_type *cel_signature_next(struct arena *a, const char **at, int base)
{
    static const char letters[] = "*!nbiudsytD";
    char letter = *(*at)++;
    const char *known = strchr(letters, letter);
    if (known)
        return &plain[known - letters];
    const struct cel_type *x, *y;
    switch (letter) {
    case 'A':
    case 'B': {
        struct cel_type *t = ARENA_NEW(a, struct cel_type);
        t->kind = CEL_T_PARAM;
        t->param = base + (letter - 'A');
        return t;
    }
    case 'L':
        return cel_type_list(a, cel_signature_next(a, at, base));
    case 'O':
        return cel_type_optional(a, cel_signature_next(a, at, base));
    case 'T':
        return cel_type_of_two(a, CEL_T_TYPE, cel_signature_next(a, at, base), NULL);
    case 'M':
        x = cel_signature_next(a, at, base);
        y = cel_signature_next(a, at, base);
        return cel_type_map(a, x, y);
    default:
        return cel_type_named(letter);
    }
}

void cel_signature_skip(const char **at)
{
    char letter = *(*at)++;
    if (strchr("LOTM", letter))
        cel_signature_skip(at);
    if (letter == 'M')
        cel_signature_skip(at);
}
