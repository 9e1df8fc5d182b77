/* Helpers that every kind's hooks use: defaults, table cells, conditions. */
#include "api/kinds/kinds.h"

#include <ctype.h>

void default_z(struct doc *d, val *obj, const char *key, const char *z)
{
    if (VAL_STR(obj, key).n == 0)
        val_set_z(d, obj, key, z);
}

void keep_metadata(struct strategy_ctx *c, val *obj, const val *old, const char *member)
{
    val *meta = val_ensure_obj(c->d, obj, "metadata");
    const val *was = VAL_PATH(old, "metadata", member);
    if (was)
        val_set(c->d, meta, member, val_copy(c->d, was));
    else
        val_del(meta, member);
}

void default_int(struct doc *d, val *obj, const char *key, int64_t i)
{
    if (val_is_null(val_get(obj, key)))
        val_set_int(d, obj, key, i);
}

void default_bool(struct doc *d, val *obj, const char *key, bool b)
{
    if (val_is_null(val_get(obj, key)))
        val_set_bool(d, obj, key, b);
}

void default_obj(struct doc *d, val *obj, const char *key)
{
    if (val_is_null(val_get(obj, key)))
        val_set(d, obj, key, val_new_obj(d));
}

void cell_z(struct doc *d, val *cells, const char *z)
{
    val_push(cells, val_new_z(d, z));
}

void cell_s(struct doc *d, val *cells, struct str s)
{
    val_push(cells, val_new_str(d, s));
}

void cell_int(struct doc *d, val *cells, int64_t i)
{
    val_push(cells, val_new_int(d, i));
}

void cell_f(struct doc *d, val *cells, const char *format, ...)
{
    struct buf b = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    cell_s(d, cells, buf_str(&b));
    buf_done(&b);
}

void cell_name(struct doc *d, val *cells, const val *obj)
{
    cell_s(d, cells, VAL_STR(obj, "metadata", "name"));
}

void cell_or(struct doc *d, val *cells, struct str s, const char *otherwise)
{
    cell_s(d, cells, s.n ? s : str_of(otherwise));
}

void write_since(struct strategy_ctx *c, struct str time, struct buf *b)
{
    int64_t then;
    struct err err;
    if (time.n == 0 || time_parse(time, &then, &err)) {
        buf_puts(b, "<unknown>");
        return;
    }
    duration_write_human(time_between(then, wall_ns(c->world)), b);
}

void cell_since(struct strategy_ctx *c, struct doc *d, val *cells, struct str time)
{
    struct buf b = {0};
    write_since(c, time, &b);
    cell_s(d, cells, buf_str(&b));
    buf_done(&b);
}

void cell_age(struct strategy_ctx *c, struct doc *d, val *cells, const val *obj)
{
    cell_since(c, d, cells, VAL_STR(obj, "metadata", "creationTimestamp"));
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct str *)a)[0], ((const struct str *)b)[0]);
}

void cell_labels(struct doc *d, val *cells, const val *labels)
{
    size_t n = val_is_obj(labels) ? val_len(labels) : 0, i = 0;
    if (n == 0) {
        cell_z(d, cells, "<none>");
        return;
    }
    struct str(*pairs)[2] = mem_alloc(n * sizeof(*pairs));
    VAL_EACH (labels, key, value) {
        pairs[i][0] = val_str(key);
        pairs[i++][1] = val_str(value);
    }
    qsort(pairs, n, sizeof(*pairs), by_key);
    struct buf b = {0};
    for (i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s=%.*s", i ? "," : "", STR_ARG(pairs[i][0]), STR_ARG(pairs[i][1]));
    cell_s(d, cells, buf_str(&b));
    buf_done(&b);
    free(pairs);
}

void cell_selector(struct strategy_ctx *c, struct doc *d, val *cells, const val *selector)
{
    struct selector s;
    struct err err;
    struct buf b = {0};
    if (val_is_null(selector))
        buf_puts(&b, "<none>");
    else if (selector_from_object(c->arena, selector, &s, &err))
        buf_puts(&b, "<error>");
    else
        selector_write(&s, &b);
    cell_or(d, cells, buf_str(&b), "<none>");
    buf_done(&b);
}

void cell_containers(struct doc *d, val *cells, const val *pod_spec)
{
    struct buf names = {0}, images = {0};
    VAL_FOR (val_get(pod_spec, "containers"), container) {
        struct str name = VAL_STR(container, "name"), image = VAL_STR(container, "image");
        buf_printf(&names, "%s%.*s", names.n ? "," : "", STR_ARG(name));
        buf_printf(&images, "%s%.*s", images.n ? "," : "", STR_ARG(image));
    }
    cell_s(d, cells, buf_str(&names));
    cell_s(d, cells, buf_str(&images));
    buf_done(&names);
    buf_done(&images);
}

val *kind_condition_find(const val *conditions, const char *type)
{
    VAL_FOR (conditions, condition) {
        if (str_is(VAL_STR(condition, "type"), type))
            return condition;
    }
    return NULL;
}

bool condition_is_true(const val *conditions, const char *type)
{
    return str_is(VAL_STR(kind_condition_find(conditions, type), "status"), "True");
}

void kind_condition_set(struct strategy_ctx *c, val *conditions, const char *type,
                        const char *status, const char *reason, const char *message)
{
    val *condition = kind_condition_find(conditions, type);
    bool changed = condition == NULL || !str_is(VAL_STR(condition, "status"), status);
    if (condition == NULL) {
        condition = val_new_obj(c->d);
        val_set_z(c->d, condition, "type", type);
        val_push(conditions, condition);
    }
    val_set_z(c->d, condition, "status", status);
    if (changed) {
        char now[TIME_TEXT];
        time_write(wall_ns(c->world), now);
        val_set_z(c->d, condition, "lastTransitionTime", now);
    }
    val_del(condition, "reason");
    val_del(condition, "message");
    if (reason)
        val_set_z(c->d, condition, "reason", reason);
    if (message)
        val_set_z(c->d, condition, "message", message);
}

struct str field_of(const val *obj, struct str path)
{
    struct str part;
    while (obj && str_next(&path, '.', &part))
        obj = val_get_str(obj, part);
    return val_str(obj);
}

bool val_str_list_has(const val *list, struct str s)
{
    VAL_FOR (list, item) {
        if (str_eq(val_str(item), s))
            return true;
    }
    return false;
}

ssize_t base64_length(struct str s)
{
    size_t pad = 0, n = s.n;
    while (n > 0 && pad < 2 && s.p[n - 1] == '=') {
        n--;
        pad++;
    }
    if (s.n % 4)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
            return -1;
    return (ssize_t)(s.n / 4 * 3 - pad);
}
