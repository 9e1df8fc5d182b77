#include "api/kinds/check.h"

#include <inttypes.h>

void check_init(struct check *k, struct strategy_ctx *c, val *causes)
{
    *k = (struct check){.c = c, .d = c->d, .causes = causes};
}

void check_done(struct check *k)
{
    buf_done(&k->path);
}

static void path_add(struct buf *path, const char *field)
{
    if (path->n > 0 && field[0] && field[0] != '[')
        buf_putc(path, '.');
    buf_puts(path, field);
}

size_t check_in(struct check *k, const char *member)
{
    size_t mark = k->path.n;
    path_add(&k->path, member);
    return mark;
}

size_t check_at(struct check *k, size_t index)
{
    size_t mark = k->path.n;
    buf_printf(&k->path, "[%zu]", index);
    return mark;
}

size_t check_key(struct check *k, struct str key)
{
    size_t mark = k->path.n;
    buf_printf(&k->path, "[%.*s]", STR_ARG(key));
    return mark;
}

void check_out(struct check *k, size_t mark)
{
    k->path.n = mark;
    if (k->path.p)
        k->path.p[mark] = 0;
}

/* The schema's own checks report what is plainly missing or not in an enum before a strategy does:
 * the strategy's words take their place. true: the very same was said already. */
static bool drop_same(val *causes, const char *type, const char *field, struct str message)
{
    bool mergeable =
        strcmp(type, "FieldValueRequired") == 0 || strcmp(type, "FieldValueNotSupported") == 0;
    size_t i = 0;
    VAL_FOR (causes, cause) {
        bool same =
            str_is(VAL_STR(cause, "field"), field) && str_is(VAL_STR(cause, "reason"), type);
        if (same && !mergeable && str_eq(VAL_STR(cause, "message"), message))
            return true;
        if (same && mergeable)
            break;
        i++;
    }
    val_remove_at(causes, i);
    return false;
}

static void add(struct doc *d, val *causes, const char *type, const char *field, struct str message)
{
    if (drop_same(causes, type, field, message))
        return;
    val *cause = val_new_obj(d);
    val_set_z(d, cause, "reason", type);
    val_set_s(d, cause, "message", message);
    val_set_z(d, cause, "field", field);
    val_push(causes, cause);
}

void cause_add(struct doc *d, val *causes, const char *type, const char *field, const char *format,
               ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    add(d, causes, type, field, buf_str(&text));
    buf_done(&text);
}

/* TYPE[: VALUE][: DETAIL] at the field. */
static void report(struct check *k, const char *type, const char *word, const char *field,
                   struct str value, const char *detail)
{
    struct buf text = {0};
    buf_puts(&text, word);
    if (value.n) {
        buf_puts(&text, ": ");
        buf_put(&text, value);
    }
    if (detail && *detail) {
        buf_puts(&text, ": ");
        buf_puts(&text, detail);
    }
    size_t mark = check_in(k, field);
    add(k->d, k->causes, type, buf_z(&k->path), buf_str(&text));
    check_out(k, mark);
    buf_done(&text);
}

/* Go's %q, as far as valid UTF-8 needs it. */
static void quote(struct buf *b, struct str s)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_puts(b, "\\n");
        else if (c == '\t')
            buf_puts(b, "\\t");
        else if (c == '\r')
            buf_puts(b, "\\r");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '"');
}

static void report_quoted(struct check *k, const char *type, const char *word, const char *field,
                          struct str value, const char *detail)
{
    struct buf quoted = {0};
    quote(&quoted, value);
    report(k, type, word, field, buf_str(&quoted), detail);
    buf_done(&quoted);
}

void check_required(struct check *k, const char *field, const char *detail)
{
    report(k, "FieldValueRequired", "Required value", field, (struct str){0}, detail);
}

void check_forbidden(struct check *k, const char *field, const char *detail)
{
    report(k, "FieldValueForbidden", "Forbidden", field, (struct str){0}, detail);
}

void check_duplicate(struct check *k, const char *field, struct str value)
{
    report_quoted(k, "FieldValueDuplicate", "Duplicate value", field, value, NULL);
}

void check_not_found(struct check *k, const char *field, struct str value)
{
    report_quoted(k, "FieldValueNotFound", "Not found", field, value, NULL);
}

void check_too_long(struct check *k, const char *field, size_t max)
{
    struct str detail = arena_printf(k->c->arena, "may not be more than %zu bytes", max);
    report(k, "FieldValueTooLong", "Too long", field, (struct str){0}, detail.p);
}

void check_too_many(struct check *k, const char *field, size_t got, size_t max)
{
    struct str value = arena_printf(k->c->arena, "%zu", got);
    struct str detail =
        arena_printf(k->c->arena, "must have at most %zu item%s", max, max == 1 ? "" : "s");
    report(k, "FieldValueTooMany", "Too many", field, value, detail.p);
}

void check_invalid(struct check *k, const char *field, struct str value, const char *detail)
{
    report_quoted(k, "FieldValueInvalid", "Invalid value", field, value, detail);
}

void check_invalid_int(struct check *k, const char *field, int64_t value, const char *detail)
{
    struct str text = arena_printf(k->c->arena, "%" PRId64, value);
    report(k, "FieldValueInvalid", "Invalid value", field, text, detail);
}

void check_invalid_val(struct check *k, const char *field, const val *value, const char *detail)
{
    if (val_is_str(value)) {
        check_invalid(k, field, val_str(value), detail);
        return;
    }
    struct buf json = {0};
    if (value)
        val_write_json(value, &json);
    else
        buf_puts(&json, "null");
    report(k, "FieldValueInvalid", "Invalid value", field, buf_str(&json), detail);
    buf_done(&json);
}

void check_unsupported(struct check *k, const char *field, struct str value,
                       const char *const *supported)
{
    struct buf detail = {0};
    buf_puts(&detail, "supported values: ");
    for (size_t i = 0; supported[i]; i++)
        buf_printf(&detail, "%s\"%s\"", i ? ", " : "", supported[i]);
    report_quoted(k, "FieldValueNotSupported", "Unsupported value", field, value, buf_z(&detail));
    buf_done(&detail);
}

/* One cause a line of text; none for NULL. */
static void check_lines(struct check *k, const char *field, struct str value, const char *text)
{
    struct str rest = str_of(text), line;
    while (str_next(&rest, '\n', &line))
        check_invalid(k, field, value, arena_z(k->c->arena, line));
}

void check_name(struct check *k, const char *field, enum name_form form, struct str value)
{
    char room[NAME_TEXT];
    check_lines(k, field, value, name_error(form, value, room));
}

bool check_is(enum name_form form, struct str value)
{
    char room[NAME_TEXT];
    return name_error(form, value, room) == NULL;
}

void check_port(struct check *k, const char *field, int64_t port)
{
    if (port < 1 || port > 65535)
        check_invalid_int(k, field, port, "must be between 1 and 65535, inclusive");
}

void check_nonnegative(struct check *k, const char *field, int64_t value)
{
    if (value < 0)
        check_invalid_int(k, field, value, "must be greater than or equal to 0");
}

bool check_in_list(struct str value, const char *const *list)
{
    for (size_t i = 0; list[i]; i++)
        if (str_is(value, list[i]))
            return true;
    return false;
}

void check_one_of(struct check *k, const val *obj, const char *member, bool required,
                  const char *const *supported)
{
    struct str value = VAL_STR(obj, member);
    if (value.n == 0) {
        if (required)
            check_required(k, member, "");
    } else if (!check_in_list(value, supported)) {
        check_unsupported(k, member, value, supported);
    }
}

bool check_immutable(struct check *k, const char *field, const val *now, const val *old)
{
    bool same = val_is_null(now) || val_is_null(old) ? val_is_null(now) && val_is_null(old)
                                                     : val_eq(now, old);
    if (!same)
        check_invalid_val(k, field, now, "field is immutable");
    return same;
}

void check_labels(struct check *k, const char *field, const val *labels)
{
    VAL_EACH (labels, key, value) {
        check_name(k, field, NAME_QUALIFIED, val_str(key));
        check_name(k, field, NAME_LABEL_VALUE, val_str(value));
    }
}

static void check_expression(struct check *k, const val *e)
{
    static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};
    struct str op = VAL_STR(e, "operator");
    const val *values = val_get(e, "values");
    if (str_is(op, "In") || str_is(op, "NotIn")) {
        if (val_len(values) == 0)
            check_required(k, "values", "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (str_is(op, "Exists") || str_is(op, "DoesNotExist")) {
        if (val_len(values) > 0)
            check_forbidden(k, "values",
                            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else if (!check_in_list(op, operators)) {
        check_invalid(k, "operator", op, "not a valid selector operator");
    }
    check_name(k, "key", NAME_QUALIFIED, VAL_STR(e, "key"));
    size_t i = 0;
    VAL_FOR (values, v) {
        size_t in = check_in(k, "values");
        size_t at = check_at(k, i++);
        check_name(k, "", NAME_LABEL_VALUE, val_str(v));
        check_out(k, at);
        check_out(k, in);
    }
}

void check_selector(struct check *k, const char *field, const val *selector)
{
    size_t in = check_in(k, field);
    check_labels(k, "matchLabels", val_get(selector, "matchLabels"));
    size_t i = 0;
    VAL_FOR (val_get(selector, "matchExpressions"), e) {
        size_t list = check_in(k, "matchExpressions");
        size_t at = check_at(k, i++);
        check_expression(k, e);
        check_out(k, at);
        check_out(k, list);
    }
    check_out(k, in);
}

void check_new(struct check *k, struct strategy_ctx *c, const val *obj, val *causes)
{
    char room[NAME_TEXT];
    check_init(k, c, causes);
    enum name_form form = strategy_of(c->kind)->name_form;
    struct str generate = VAL_STR(obj, "metadata", "generateName");
    struct str name = VAL_STR(obj, "metadata", "name");
    if (generate.n)
        check_lines(k, "metadata.generateName", generate, name_error_prefix(form, generate, room));
    if (name.n)
        check_name(k, "metadata.name", form, name);
}

void kind_validate_name(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    check_done(&k);
}
