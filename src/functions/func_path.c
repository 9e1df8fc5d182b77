/* func_path.c: Go's packages path and, which is the same on this system, path/filepath. */
#include "functions/func_arg.h"
#include "functions/func_library.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

/* path.Clean: no empty, "." and inner ".." elements; never empty. */
static struct str clean_path(struct tmpl_exec *x, struct str s)
{
    if (s.n == 0)
        return STR(".");
    bool rooted = s.p[0] == '/';
    char *out = arena_alloc(tmpl_arena(x), s.n + 1);
    size_t n = 0, fixed; /* fixed: what ".." cannot remove */
    if (rooted)
        out[n++] = '/';
    fixed = n;
    struct str element;
    while (str_next(&s, '/', &element)) {
        if (element.n == 0 || str_is(element, "."))
            continue;
        bool up = str_is(element, "..");
        if (up && n > fixed) {
            for (n--; n > fixed && out[n] != '/';)
                n--;
            continue;
        }
        if (up && rooted)
            continue;
        if (n > rooted)
            out[n++] = '/';
        memcpy(out + n, element.p, element.n);
        n += element.n;
        if (up)
            fixed = n;
    }
    return n ? (struct str){out, n} : STR(".");
}

FN(clean)
{
    (void)n;
    *ret = value_str(clean_path(x, value_text(args[0])));
    return 0;
}

FN(dir)
{
    struct str s = value_text(args[0]);
    const char *slash = s.n ? memrchr(s.p, '/', s.n) : NULL;
    (void)n;
    *ret = value_str(clean_path(x, str_head(s, slash ? (size_t)(slash - s.p) + 1 : 0)));
    return 0;
}

FN(base)
{
    struct str s = value_text(args[0]);
    (void)x, (void)n;
    if (s.n == 0) {
        *ret = value_str(STR("."));
        return 0;
    }
    while (s.n > 0 && s.p[s.n - 1] == '/')
        s.n--;
    const char *slash = s.n ? memrchr(s.p, '/', s.n) : NULL;
    if (slash)
        s = str_from(s, (size_t)(slash - s.p) + 1);
    *ret = value_str(s.n ? s : STR("/"));
    return 0;
}

FN(ext)
{
    struct str s = value_text(args[0]);
    size_t i = s.n;
    (void)x, (void)n;
    while (i > 0 && s.p[i - 1] != '/' && s.p[i - 1] != '.')
        i--;
    *ret = value_str(i > 0 && s.p[i - 1] == '.' ? str_from(s, i - 1) : STR(""));
    return 0;
}

FN(is_abs)
{
    (void)x, (void)n;
    *ret = value_bool(str_starts(value_text(args[0]), STR("/")));
    return 0;
}

const struct func func_paths[] = {
    {"base", base, {&type_string}, &type_string},
    {"clean", clean, {&type_string}, &type_string},
    {"dir", dir, {&type_string}, &type_string},
    {"ext", ext, {&type_string}, &type_string},
    {"isAbs", is_abs, {&type_string}, &type_bool},
    {"osBase", base, {&type_string}, &type_string},
    {"osClean", clean, {&type_string}, &type_string},
    {"osDir", dir, {&type_string}, &type_string},
    {"osExt", ext, {&type_string}, &type_string},
    {"osIsAbs", is_abs, {&type_string}, &type_bool},
    {0},
};
