#include "client/scan.h"

#include "base/mem.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static struct str skip_blanks(struct str s)
{
    while (s.n && is_blank(*s.p))
        s = str_from(s, 1);
    return s;
}

/* Behind the closing quote of a string that begins at `at`; s.n when it does not end. */
static size_t string_end(struct str s, size_t at)
{
    for (at++; at < s.n && s.p[at] != '"'; at++)
        if (s.p[at] == '\\')
            at++;
    return at < s.n ? at + 1 : s.n;
}

static size_t value_end(struct str s)
{
    size_t depth = 0, at = 0;
    while (at < s.n) {
        char c = s.p[at];
        if (c == '"') {
            at = string_end(s, at);
            if (!depth)
                return at;
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (!depth)
                return at;
            if (!--depth)
                return at + 1;
        } else if (!depth && (c == ',' || is_blank(c))) {
            return at;
        }
        at++;
    }
    return s.n;
}

bool scan_open(struct str value, struct scan *ret)
{
    value = skip_blanks(value);
    if (!value.n || (*value.p != '{' && *value.p != '['))
        return false;
    *ret = (struct scan){str_from(value, 1), *value.p == '{'};
    return true;
}

static bool take_value(struct scan *s, struct str *ret)
{
    s->rest = skip_blanks(s->rest);
    size_t n = value_end(s->rest);
    *ret = str_head(s->rest, n);
    s->rest = skip_blanks(str_from(s->rest, n));
    return n > 0;
}

bool scan_next(struct scan *s, struct str *ret_key, struct str *ret_value)
{
    *ret_key = (struct str){0};
    s->rest = skip_blanks(s->rest);
    if (s->rest.n && *s->rest.p == ',')
        s->rest = str_from(s->rest, 1);
    if (!take_value(s, ret_value))
        return false;
    if (!s->object)
        return true;
    if (ret_value->n < 2 || *ret_value->p != '"' || !s->rest.n || *s->rest.p != ':')
        return false;
    *ret_key = (struct str){ret_value->p + 1, ret_value->n - 2};
    s->rest = str_from(s->rest, 1);
    return take_value(s, ret_value);
}

struct str scan_member(struct str object, const char *key)
{
    struct scan s;
    struct str name, value;
    if (scan_open(object, &s) && s.object)
        while (scan_next(&s, &name, &value))
            if (str_is(name, key))
                return value;
    return (struct str){0};
}

struct str scan_string(struct str value)
{
    if (value.n < 2 || *value.p != '"' || value.p[value.n - 1] != '"')
        return (struct str){0};
    value = (struct str){value.p + 1, value.n - 2};
    return str_find_char(value, '\\') < 0 ? value : (struct str){0};
}

/* --- frames --- */

/* One byte further; true: an object ended with it. */
static bool frame_step(struct frames *f, char c)
{
    if (f->in_string) {
        if (f->escaped)
            f->escaped = false;
        else if (c == '\\')
            f->escaped = true;
        else if (c == '"')
            f->in_string = false;
        return false;
    }
    if (c == '"')
        f->in_string = true;
    else if (c == '{' || c == '[')
        f->depth++;
    else if (c == '}' || c == ']')
        return --f->depth == 0;
    return false;
}

static bool hold(struct frames *f, struct str s)
{
    if (s.n > FRAME_MAX - f->held_n)
        return false;
    if (f->held_n + s.n > f->held_cap) {
        f->held_cap = (f->held_n + s.n) * 2;
        f->held = mem_realloc(f->held, f->held_cap);
    }
    if (s.n)
        memcpy(f->held + f->held_n, s.p, s.n);
    f->held_n += s.n;
    return true;
}

bool frames_feed(struct frames *f, struct str piece, frame_fn *fn, void *arg)
{
    size_t start = 0; /* of the object under way, in piece */
    for (size_t at = 0; at < piece.n; at++) {
        char c = piece.p[at];
        if (!f->depth && c != '{') {
            if (!is_blank(c))
                return false;
            start = at + 1;
            continue;
        }
        if (!frame_step(f, c))
            continue;
        struct str value = {piece.p + start, at + 1 - start};
        start = at + 1;
        if (!f->held_n) {
            fn(arg, value);
            continue;
        }
        if (!hold(f, value))
            return false;
        fn(arg, (struct str){f->held, f->held_n});
        f->held_n = 0;
    }
    return hold(f, str_from(piece, start));
}

void frames_done(struct frames *f)
{
    free(f->held);
    *f = (struct frames){0};
}
