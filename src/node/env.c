#include "node/env.h"

#include <ctype.h>

void env_done(struct env *e)
{
    for (size_t i = 0; i < e->count; i++) {
        free(e->vars[i].name);
        free(e->vars[i].value);
    }
    free(e->vars);
    *e = (struct env){0};
}

static struct env_var *find(const struct env *e, struct str name)
{
    for (size_t i = 0; i < e->count; i++)
        if (str_is(name, e->vars[i].name))
            return &e->vars[i];
    return NULL;
}

void env_set(struct env *e, struct str name, struct str value)
{
    struct env_var *v = find(e, name);
    if (!v) {
        if (e->count == e->cap) {
            e->cap = e->cap ? 2 * e->cap : 16;
            e->vars = mem_realloc_array(e->vars, e->cap, sizeof(*e->vars));
        }
        v = &e->vars[e->count++];
        *v = (struct env_var){mem_strndup(name.p ? name.p : "", name.n), NULL};
    }
    free(v->value);
    v->value = mem_strndup(value.p ? value.p : "", value.n);
}

const char *env_get(const struct env *e, struct str name)
{
    const struct env_var *v = find(e, name);
    return v ? v->value : NULL;
}

void env_expand(const struct env *e, struct str text, struct buf *b)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '$' || i + 1 == text.n) {
            buf_putc(b, text.p[i]);
            continue;
        }
        char next = text.p[++i];
        struct str rest = str_from(text, i + 1);
        ssize_t end = next == '(' ? str_find_char(rest, ')') : -1;
        if (next == '$') {
            buf_putc(b, '$');
        } else if (end < 0) { /* no reference; "$(" without its end included */
            buf_putc(b, '$');
            buf_putc(b, next);
        } else {
            struct str name = str_head(rest, (size_t)end);
            const char *value = env_get(e, name);
            if (value)
                buf_puts(b, value);
            else
                buf_printf(b, "$(%.*s)", STR_ARG(name));
            i += 1 + (size_t)end;
        }
    }
}

static void put_upper(struct buf *b, struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        buf_putc(b, name.p[i] == '-' ? '_' : (char)toupper((unsigned char)name.p[i]));
}

static void set_f(struct env *e, struct str prefix, const char *suffix, struct str value)
{
    struct buf name = {0};
    buf_put(&name, prefix);
    buf_puts(&name, suffix);
    env_set(e, buf_str(&name), value);
    buf_done(&name);
}

static void add_link(struct env *e, struct str upper, const val *port, struct str ip, bool first)
{
    struct buf prefix = {0}, url = {0}, number = {0}, lower = {0};
    struct str protocol = VAL_STR(port, "protocol");
    if (!protocol.n)
        protocol = STR("TCP");
    for (size_t i = 0; i < protocol.n; i++)
        buf_putc(&lower, (char)tolower((unsigned char)protocol.p[i]));
    buf_put_i64(&number, VAL_INT(port, "port"));
    buf_printf(&prefix, "%.*s_PORT_%s_%.*s", STR_ARG(upper), number.p, STR_ARG(protocol));
    bool v6 = str_find_char(ip, ':') >= 0;
    buf_printf(&url, v6 ? "%s://[%.*s]:%s" : "%s://%.*s:%s", lower.p, STR_ARG(ip), number.p);
    if (first)
        set_f(e, upper, "_PORT", buf_str(&url));
    set_f(e, buf_str(&prefix), "", buf_str(&url));
    set_f(e, buf_str(&prefix), "_PROTO", buf_str(&lower));
    set_f(e, buf_str(&prefix), "_PORT", buf_str(&number));
    set_f(e, buf_str(&prefix), "_ADDR", ip);
    buf_done(&prefix);
    buf_done(&url);
    buf_done(&number);
    buf_done(&lower);
}

void env_add_service(struct env *e, const val *service)
{
    const val *spec = val_get(service, "spec");
    struct str ip = VAL_STR(spec, "clusterIP");
    struct buf upper = {0};
    bool first = true;
    if (!ip.n || str_is(ip, "None") || str_is(VAL_STR(spec, "type"), "ExternalName"))
        return;
    put_upper(&upper, VAL_STR(service, "metadata", "name"));
    set_f(e, buf_str(&upper), "_SERVICE_HOST", ip);
    VAL_FOR (val_get(spec, "ports"), port) {
        struct buf number = {0}, name = {0};
        buf_put_i64(&number, VAL_INT(port, "port"));
        if (first)
            set_f(e, buf_str(&upper), "_SERVICE_PORT", buf_str(&number));
        first = false;
        if (VAL_STR(port, "name").n) {
            buf_puts(&name, "_SERVICE_PORT_");
            put_upper(&name, VAL_STR(port, "name"));
            set_f(e, buf_str(&upper), name.p, buf_str(&number));
        }
        buf_done(&number);
        buf_done(&name);
    }
    first = true;
    VAL_FOR (val_get(spec, "ports"), port) {
        add_link(e, buf_str(&upper), port, ip, first);
        first = false;
    }
    buf_done(&upper);
}

bool env_name_ok(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < ' ' || name.p[i] > '~' || name.p[i] == '=')
            return false;
    return name.n > 0;
}
