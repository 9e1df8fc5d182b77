#include <ctype.h>

#include "cel/cel.h"

static const char *const reserved[] = {
    "true",     "false",   "null",      "in",       "as",  "break",  "const",
    "continue", "else",    "for",       "function", "if",  "import", "let",
    "loop",     "package", "namespace", "return",   "var", "void",   "while",
};

static const struct escape {
    const char *plain, *escaped;
} escapes[] = {{"__", "__underscores__"}, {".", "__dot__"}, {"-", "__dash__"}, {"/", "__slash__"}};

static bool is_reserved(struct str s)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (str_is(s, reserved[i]))
            return true;
    return false;
}

static const struct escape *escape_at(struct str s)
{
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
        if (str_starts(s, str_of(escapes[i].plain)))
            return &escapes[i];
    return NULL;
}

bool cel_escape(struct arena *a, struct str name, struct str *ret)
{
    if (name.n == 0 || isdigit((unsigned char)name.p[0]))
        return false;
    if (is_reserved(name)) {
        *ret = arena_printf(a, "__%.*s__", STR_ARG(name));
        return true;
    }
    struct buf b = {0};
    bool ok = true;
    while (name.n > 0 && ok) {
        const struct escape *e = escape_at(name);
        ok = e || isalnum((unsigned char)name.p[0]) || name.p[0] == '_';
        if (e)
            buf_puts(&b, e->escaped);
        else
            buf_putc(&b, name.p[0]);
        name = str_from(name, e ? strlen(e->plain) : 1);
    }
    *ret = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return ok;
}

/* What stands at the front for something else, as "__dot__"; its length, or 0. */
static size_t escaped_length(struct str s)
{
    if (!str_starts(s, STR("__")))
        return 0;
    size_t end = 2;
    while (end < s.n && s.p[end] != '_')
        end++;
    return end > 2 && str_starts(str_from(s, end), STR("__")) ? end + 2 : 0;
}

bool cel_unescape(struct arena *a, struct str identifier, struct str *ret)
{
    struct buf b = {0};
    bool ok = true;
    struct str rest = identifier;
    while (rest.n > 0 && ok) {
        size_t n = escaped_length(rest);
        if (n == 0) {
            buf_putc(&b, rest.p[0]);
            rest = str_from(rest, 1);
            continue;
        }
        struct str word = str_head(rest, n);
        const struct escape *e = NULL;
        for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
            if (str_is(word, escapes[i].escaped))
                e = &escapes[i];
        struct str inner = {word.p + 2, n - 4};
        ok = e || (is_reserved(inner) && n == identifier.n);
        if (e)
            buf_puts(&b, e->plain);
        else
            buf_put(&b, inner);
        rest = str_from(rest, n);
    }
    *ret = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return ok;
}
