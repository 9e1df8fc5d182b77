#include "functions/func_arg.h"

#include <errno.h>
#include <math.h>

#include "template/gofmt.h"
#include "template/golayout.h"

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* strconv's rule: an underscore stands between digits, or between a base prefix and a digit. */
static bool underscores_fit(struct str s)
{
    char before = '^'; /* '0': a digit, '_', '!': anything else */
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    bool hex = false;
    if (s.n >= i + 2 && s.p[i] == '0' && strchr("box", s.p[i + 1] | 0x20)) {
        hex = (s.p[i + 1] | 0x20) == 'x';
        before = '0';
        i += 2;
    }
    for (; i < s.n; i++) {
        char c = s.p[i];
        bool digit = (c >= '0' && c <= '9') || (hex && digit_value(c) < 16);
        if (c == '_' && before != '0')
            return false;
        if (!digit && c != '_' && before == '_')
            return false;
        before = digit ? '0' : c == '_' ? '_' : '!';
    }
    return before != '_';
}

enum go_parse go_parse_uint(struct str s, int base, uint64_t *ret)
{
    struct str all = s;
    bool prefixed = base == 0, underscores = false;
    *ret = 0;
    if (base == 0) {
        base = 10;
        if (s.n > 0 && s.p[0] == '0') {
            char c = s.n >= 3 ? (char)(s.p[1] | 0x20) : 0;
            base = c == 'b' ? 2 : c == 'x' ? 16 : 8;
            s = str_from(s, c == 'b' || c == 'o' || c == 'x' ? 2 : 1);
        }
    }
    if (all.n == 0)
        return GO_SYNTAX;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '_' && prefixed) {
            underscores = true;
            continue;
        }
        int d = digit_value(s.p[i]);
        if (d >= base)
            return GO_SYNTAX;
        if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v)) {
            *ret = UINT64_MAX;
            return GO_RANGE; /* whatever follows */
        }
    }
    if (underscores && !underscores_fit(all))
        return GO_SYNTAX;
    *ret = v;
    return GO_PARSED;
}

enum go_parse go_parse_int(struct str s, int base, int64_t *ret)
{
    *ret = 0;
    bool negative = s.n > 0 && s.p[0] == '-';
    uint64_t v;
    enum go_parse status =
        go_parse_uint(str_from(s, s.n > 0 && (negative || s.p[0] == '+')), base, &v);
    if (status == GO_SYNTAX)
        return status;
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    if (v > limit) {
        *ret = negative ? INT64_MIN : INT64_MAX;
        return GO_RANGE;
    }
    *ret = (int64_t)(negative ? -v : v);
    return GO_PARSED;
}

/* Go's words for what is no number; C knows others ("nan(1)") and must not see them. */
static bool special_float(struct str s, double *ret)
{
    bool sign = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    struct str word = str_from(s, sign);
    if (str_eq_nocase(word, STR("inf")) || str_eq_nocase(word, STR("infinity"))) {
        *ret = s.p[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    *ret = NAN;
    return str_eq_nocase(s, STR("nan"));
}

/* Go's grammar of floats: digits with a point, an exponent, which hexadecimal must have. */
static bool float_fits(struct str s)
{
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    bool hex = s.n >= i + 2 && s.p[i] == '0' && (s.p[i + 1] | 0x20) == 'x';
    if (hex)
        i += 2;
    bool digits = false, point = false;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.' && !point)
            point = true;
        else if (digit_value(c) < (hex ? 16 : 10))
            digits = true;
        else if (c != '_')
            break;
    }
    if (!digits)
        return false;
    if (i == s.n)
        return !hex;
    if ((s.p[i++] | 0x20) != (hex ? 'p' : 'e'))
        return false;
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
        i++;
    if (i == s.n || digit_value(s.p[i]) > 9)
        return false;
    for (; i < s.n; i++)
        if (s.p[i] != '_' && digit_value(s.p[i]) > 9)
            return false;
    return true;
}

enum go_parse go_parse_float(struct str s, double *ret)
{
    if (special_float(s, ret))
        return GO_PARSED;
    *ret = 0;
    bool underscores = str_find_char(s, '_') >= 0;
    if (s.n > 4096 || !float_fits(s) || (underscores && !underscores_fit(s)))
        return GO_SYNTAX;
    char text[4097];
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_')
            text[n++] = s.p[i];
    text[n] = 0;
    *ret = strtod(text, NULL);
    return isinf(*ret) ? GO_RANGE : GO_PARSED;
}

int64_t go_float_to_int64(double f)
{
    return f >= -0x1p63 && f < 0x1p63 ? (int64_t)f : INT64_MIN;
}

/* cast.trimZeroDecimal: "4.00" is read as "4". */
static struct str trim_zero_decimal(struct str s)
{
    bool zero = false;
    for (size_t i = s.n; i > 0; i--) {
        if (s.p[i - 1] == '0') {
            zero = true;
        } else if (s.p[i - 1] == '.') {
            if (zero)
                return str_head(s, i - 1);
        } else {
            return s;
        }
    }
    return s;
}

static bool is_plain_number(struct value v)
{
    return !v.type->defined || v.type == &type_month || v.type == &type_weekday;
}

int64_t func_int64(struct value v)
{
    enum gokind k = value_kind(v);
    if (k == KIND_INVALID || !is_plain_number(v))
        return 0;
    if (gokind_is_int(k))
        return v.i;
    if (gokind_is_uint(k) && k != KIND_UINTPTR)
        return (int64_t)v.u;
    if (gokind_is_float(k))
        return go_float_to_int64(v.f);
    if (k == KIND_BOOL)
        return v.b;
    int64_t i = 0;
    if (k == KIND_STRING && go_parse_int(trim_zero_decimal(value_text(v)), 0, &i) != GO_PARSED)
        return 0;
    return i;
}

double func_float64(struct value v)
{
    enum gokind k = value_kind(v);
    if (k == KIND_INVALID || !is_plain_number(v))
        return 0;
    if (gokind_is_int(k))
        return (double)v.i;
    if (gokind_is_uint(k) && k != KIND_UINTPTR)
        return (double)v.u;
    if (gokind_is_float(k))
        return v.f;
    if (k == KIND_BOOL)
        return v.b;
    double f = 0;
    if (k == KIND_STRING && go_parse_float(value_text(v), &f) != GO_PARSED)
        return 0;
    return f;
}

struct str func_strval(struct tmpl_exec *x, struct value v)
{
    if (v.type == &type_string || v.type == &type_bytes)
        return value_text(v);
    return gofmt_text(tmpl_arena(x), v);
}

bool func_empty(struct value v)
{
    enum gokind k = value_kind(v);
    return k == KIND_STRUCT ? false : !value_truth(v);
}

struct value func_strslice(struct tmpl_exec *x, struct value v)
{
    if (v.type == &type_strings)
        return v;
    if (func_is_nil(v))
        return value_slice(&type_strings, NULL, 0);
    if (!value_is_list(v)) {
        struct value one = value_slice_new(tmpl_arena(x), &type_strings, 1);
        one.items[0] = value_str(func_strval(x, v));
        return one;
    }
    struct value list = value_slice_new(tmpl_arena(x), &type_strings, v.n);
    list.n = 0;
    for (size_t i = 0; i < v.n; i++) {
        struct value item = value_at(v, i);
        if (!func_is_nil(item))
            list.items[list.n++] = value_str(func_strval(x, item));
    }
    return list;
}

struct value func_take(struct tmpl_exec *x, struct buf *b)
{
    struct value v = tmpl_str(x, buf_str(b));
    buf_done(b);
    return v;
}

int func_take_spent(struct tmpl_exec *x, struct buf *b, struct value *ret)
{
    if (tmpl_spend(x, b->n) < 0) {
        buf_done(b);
        return -1;
    }
    *ret = func_take(x, b);
    return 0;
}

int func_fail_nil(struct tmpl_exec *x)
{
    return tmpl_fail(x, "runtime error: invalid memory address or nil pointer dereference");
}
