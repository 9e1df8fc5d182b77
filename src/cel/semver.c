/* The semver library: versions of semver.org 2.0.0. */
#include "cel/formats.h"
#include "cel/functions.h"
#include "cel/kube.h"
#include "cel/text.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)
#define UNUSED (void)ev, (void)n

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static bool complain(const char *format, struct str s, struct buf *b)
{
    buf_puts(b, format);
    cel_quote_go(s, b);
    return false;
}

static bool read_part(const char *Name, const char *name, struct str s, uint64_t *ret,
                      struct buf *problem)
{
    char text[80];
    if (!is_number(s)) {
        snprintf(text, sizeof text, "Invalid character(s) found in %s number ", name);
        return complain(text, s, problem);
    }
    if (s.n > 1 && s.p[0] == '0') {
        snprintf(text, sizeof text, "%s number must not contain leading zeroes ", Name);
        return complain(text, s, problem);
    }
    if (!str_to_u64(s, ret)) {
        buf_puts(problem, "strconv.ParseUint: parsing ");
        cel_quote_go(s, problem);
        buf_puts(problem, s.n ? ": value out of range" : ": invalid syntax");
        return false;
    }
    return true;
}

/* Identifiers with dots between: letters, digits and dashes; numbers of a prerelease have no zero
 * in front. */
static bool check_identifiers(struct str s, bool pre, struct buf *problem)
{
    struct str rest = s, part;
    bool more = true;
    while (more) {
        more = str_cut(rest, '.', &part, &rest);
        if (part.n == 0) {
            buf_puts(problem, pre ? "Prerelease is empty" : "Build meta data is empty");
            return false;
        }
        if (pre && is_number(part)) {
            if (part.n > 1 && part.p[0] == '0')
                return complain("Numeric PreRelease version must not contain leading zeroes ", part,
                                problem);
            continue;
        }
        for (size_t i = 0; i < part.n; i++)
            if (!part.p[i] || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-",
                                      part.p[i]))
                return complain(pre ? "Invalid character(s) found in prerelease "
                                    : "Invalid character(s) found in build meta data ",
                                part, problem);
    }
    return true;
}

static bool parse_version(struct str s, struct cel_semver *ret, struct buf *problem)
{
    struct str major, minor, patch;
    *ret = (struct cel_semver){0};
    if (s.n == 0) {
        buf_puts(problem, "Version string empty");
        return false;
    }
    if (!str_cut(s, '.', &major, &minor) || !str_cut(minor, '.', &minor, &patch)) {
        buf_puts(problem, "No Major.Minor.Patch elements found");
        return false;
    }
    if (!read_part("Major", "major", major, &ret->major, problem) ||
        !read_part("Minor", "minor", minor, &ret->minor, problem))
        return false;
    bool has_build = str_cut(patch, '+', &patch, &ret->build);
    bool has_pre = str_cut(patch, '-', &patch, &ret->pre);
    if (!read_part("Patch", "patch", patch, &ret->patch, problem))
        return false;
    return (!has_pre || check_identifiers(ret->pre, true, problem)) &&
           (!has_build || check_identifiers(ret->build, false, problem));
}

/* A part without zeros in front of its digits. */
static void put_part(struct str part, struct buf *out)
{
    if (part.n > 1) {
        while (part.n > 0 && part.p[0] == '0')
            part = str_from(part, 1);
        if (part.n == 0 || part.p[0] < '0' || part.p[0] > '9')
            buf_putc(out, '0');
    }
    buf_put(out, part);
}

/* Without a leading v, zeros in front, and with the parts that are missing. */
static bool normalize(struct str s, struct buf *out, struct buf *problem)
{
    struct str parts[3];
    size_t count = 0;
    if (str_starts(s, STR("v")))
        s = str_from(s, 1);
    while (count < 2 && str_cut(s, '.', &parts[count], &s))
        count++;
    if (count < 2) {
        /* str_cut has left the last part in parts[count]. */
        s = parts[count];
        if (str_find_char(s, '+') >= 0 || str_find_char(s, '-') >= 0) {
            buf_puts(problem, "short version cannot contain PreRelease/Build meta data");
            return false;
        }
    }
    parts[count++] = s;
    for (size_t i = 0; i < 3; i++) {
        buf_puts(out, i ? "." : "");
        put_part(i < count ? parts[i] : STR("0"), out);
    }
    return true;
}

static struct cel_value read_version(struct eval *ev, const struct cel_value *args, size_t n)
{
    struct cel_semver v;
    struct buf problem = {0}, text = {0};
    bool ok;
    if (n == 2 && args[1].b) {
        ok = normalize(args[0].s, &text, &problem);
        ok = ok && parse_version(cel_text(ev, &text).s, &v, &problem);
        buf_done(&text);
    } else {
        ok = parse_version(args[0].s, &v, &problem);
    }
    if (!ok) {
        struct cel_value error = cel_text(ev, &problem);
        error.kind = CEL_ERROR;
        return error;
    }
    struct cel_semver *copy = ARENA_NEW(ev->a, struct cel_semver);
    *copy = v;
    return (struct cel_value){.kind = CEL_SEMVER, .semver = copy};
}

void cel_kube_semver_write(const struct cel_semver *v, struct buf *b)
{
    buf_put_u64(b, v->major);
    buf_putc(b, '.');
    buf_put_u64(b, v->minor);
    buf_putc(b, '.');
    buf_put_u64(b, v->patch);
    if (v->pre.n)
        buf_printf(b, "-%.*s", STR_ARG(v->pre));
    if (v->build.n)
        buf_printf(b, "+%.*s", STR_ARG(v->build));
}

static int order_of(uint64_t x, uint64_t y)
{
    return (x > y) - (x < y);
}

static int compare_identifiers(struct str x, struct str y)
{
    uint64_t i, k;
    bool x_number = str_to_u64(x, &i), y_number = str_to_u64(y, &k);
    if (x_number && y_number)
        return order_of(i, k);
    if (x_number != y_number)
        return x_number ? -1 : 1;
    int order = str_cmp(x, y);
    return (order > 0) - (order < 0);
}

static int compare_pre(struct str x, struct str y)
{
    struct str a, b;
    if (x.n == 0 || y.n == 0)
        return (x.n == 0) - (y.n == 0);
    while (x.n && y.n) {
        str_cut(x, '.', &a, &x);
        str_cut(y, '.', &b, &y);
        int order = compare_identifiers(a, b);
        if (order)
            return order;
    }
    return order_of(x.n > 0, y.n > 0);
}

int cel_kube_semver_compare(const struct cel_semver *x, const struct cel_semver *y)
{
    int order = order_of(x->major, y->major);
    if (!order)
        order = order_of(x->minor, y->minor);
    if (!order)
        order = order_of(x->patch, y->patch);
    return order ? order : compare_pre(x->pre, y->pre);
}

FN(cel_fn_semver)
{
    return read_version(ev, args, n);
}

FN(cel_fn_is_semver)
{
    return cel_bool(!cel_is_error(read_version(ev, args, n)));
}

FN(cel_fn_semver_major)
{
    UNUSED;
    return cel_int((int64_t)args[0].semver->major);
}

FN(cel_fn_semver_minor)
{
    UNUSED;
    return cel_int((int64_t)args[0].semver->minor);
}

FN(cel_fn_semver_patch)
{
    UNUSED;
    return cel_int((int64_t)args[0].semver->patch);
}

FN(cel_fn_semver_less)
{
    UNUSED;
    return cel_bool(cel_kube_semver_compare(args[0].semver, args[1].semver) < 0);
}

FN(cel_fn_semver_greater)
{
    UNUSED;
    return cel_bool(cel_kube_semver_compare(args[0].semver, args[1].semver) > 0);
}

FN(cel_fn_semver_compare)
{
    UNUSED;
    return cel_int(cel_kube_semver_compare(args[0].semver, args[1].semver));
}
