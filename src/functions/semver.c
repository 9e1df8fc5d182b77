#include "functions/semver.h"

#include "base/buf.h"
#include "template/gofmt.h"

/* --- versions --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ident(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

static size_t span(struct str s, bool (*fits)(char))
{
    size_t n = 0;
    while (n < s.n && fits(s.p[n]))
        n++;
    return n;
}

/* Identifiers with points between them. */
static size_t idents_span(struct str s)
{
    size_t n = span(s, is_ident);
    while (n > 0 && n + 1 < s.n && s.p[n] == '.' && is_ident(s.p[n + 1]))
        n += 1 + span(str_from(s, n + 1), is_ident);
    return n;
}

struct parts { /* of a version's text; what is absent is empty */
    struct str number[3];
    struct str pre, metadata;
    size_t n; /* how long all of it is; 0: not a version */
};

/* As much of a version as s begins with; fits: what its numbers are made of. */
static struct parts scan_version(struct str s, bool (*fits)(char))
{
    struct parts p = {0};
    size_t at = s.n > 0 && s.p[0] == 'v', len;
    for (int i = 0; i < 3; i++) {
        size_t dot = i > 0;
        if (dot && (at >= s.n || s.p[at] != '.'))
            break;
        len = span(str_from(s, at + dot), fits);
        if (len == 0)
            break;
        p.number[i] = str_head(str_from(s, at + dot), len);
        at += dot + len;
    }
    if (p.number[0].n == 0)
        return p;
    if (at < s.n && s.p[at] == '-' && (len = idents_span(str_from(s, at + 1))) > 0) {
        p.pre = str_head(str_from(s, at + 1), len);
        at += 1 + len;
    }
    if (at < s.n && s.p[at] == '+' && (len = idents_span(str_from(s, at + 1))) > 0) {
        p.metadata = str_head(str_from(s, at + 1), len);
        at += 1 + len;
    }
    p.n = at;
    return p;
}

static int check_prerelease(struct str pre, struct err *err)
{
    struct str part;
    while (str_next(&pre, '.', &part))
        if (part.n > 1 && part.p[0] == '0' && span(part, is_digit) == part.n)
            return err_bad(err, "version segment starts with 0");
    return 0;
}

static int read_segment(struct str s, uint64_t *ret, struct err *err)
{
    *ret = 0;
    if (s.n > 0 && !str_to_u64(s, ret))
        return err_bad(err,
                       "error parsing version segment: strconv.ParseUint: parsing \"%.*s\": value "
                       "out of range",
                       STR_ARG(s));
    return 0;
}

int semver_parse(struct str text, struct semver *ret, struct err *err)
{
    if (text.n > SEMVER_MAX)
        return err_bad(err, "version string is too long (max %d bytes)", SEMVER_MAX);
    struct parts p = scan_version(text, is_digit);
    if (p.n == 0 || p.n != text.n)
        return err_bad(err, "invalid semantic version");
    struct semver v = {.pre = p.pre, .metadata = p.metadata, .original = text};
    if (read_segment(p.number[0], &v.major, err) < 0 ||
        read_segment(p.number[1], &v.minor, err) < 0 ||
        read_segment(p.number[2], &v.patch, err) < 0 || check_prerelease(v.pre, err) < 0)
        return -1;
    *ret = v;
    return 0;
}

/* The parts of a strict version are cut apart first, so that each error has its own text. */
int semver_parse_strict(struct str text, struct semver *ret, struct err *err)
{
    struct semver v = {.original = text};
    struct str rest = text, part[3];
    if (text.n == 0)
        return err_bad(err, "version string empty");
    if (text.n > SEMVER_MAX)
        return err_bad(err, "version string is too long (max %d bytes)", SEMVER_MAX);
    if (!str_cut(rest, '.', &part[0], &rest) || !str_cut(rest, '.', &part[1], &part[2]))
        return err_bad(err, "invalid semantic version");
    bool has_metadata = str_cut(part[2], '+', &part[2], &v.metadata);
    if (has_metadata && (v.metadata.n == 0 || idents_span(v.metadata) != v.metadata.n))
        return err_bad(err, "invalid metadata string");
    bool has_pre = str_cut(part[2], '-', &part[2], &v.pre);
    if (has_pre && (v.pre.n == 0 || idents_span(v.pre) != v.pre.n))
        return err_bad(err, "invalid prerelease string");
    if (check_prerelease(v.pre, err) < 0)
        return -1;
    uint64_t *const numbers[] = {&v.major, &v.minor, &v.patch};
    for (int i = 0; i < 3; i++) {
        if (span(part[i], is_digit) != part[i].n)
            return err_bad(err, "invalid characters in version");
        if (part[i].n > 1 && part[i].p[0] == '0')
            return err_bad(err, "version segment starts with 0");
    }
    for (int i = 0; i < 3; i++)
        if (!str_to_u64(part[i], numbers[i]))
            return err_bad(err, "strconv.ParseUint: parsing \"%.*s\": %s", STR_ARG(part[i]),
                           part[i].n ? "value out of range" : "invalid syntax");
    *ret = v;
    return 0;
}

struct str semver_text(struct arena *a, const struct semver *v)
{
    return arena_printf(a, "%llu.%llu.%llu%s%.*s%s%.*s", (unsigned long long)v->major,
                        (unsigned long long)v->minor, (unsigned long long)v->patch,
                        v->pre.n ? "-" : "", STR_ARG(v->pre), v->metadata.n ? "+" : "",
                        STR_ARG(v->metadata));
}

static int cmp_part(struct str a, struct str b)
{
    uint64_t x, y;
    if (str_eq(a, b))
        return 0;
    if (a.n == 0 || b.n == 0)
        return a.n == 0 ? -1 : 1;
    bool a_number = span(a, is_digit) == a.n && str_to_u64(a, &x);
    bool b_number = span(b, is_digit) == b.n && str_to_u64(b, &y);
    if (a_number && b_number)
        return x > y ? 1 : -1;
    if (a_number || b_number)
        return a_number ? -1 : 1;
    return str_cmp(a, b) > 0 ? 1 : -1;
}

static int cmp_prerelease(struct str a, struct str b)
{
    while (a.n > 0 || b.n > 0) {
        struct str x = {0}, y = {0};
        str_cut(a, '.', &x, &a);
        str_cut(b, '.', &y, &b);
        int c = cmp_part(x, y);
        if (c != 0)
            return c;
    }
    return 0;
}

int semver_cmp(const struct semver *a, const struct semver *b)
{
    if (a->major != b->major)
        return a->major < b->major ? -1 : 1;
    if (a->minor != b->minor)
        return a->minor < b->minor ? -1 : 1;
    if (a->patch != b->patch)
        return a->patch < b->patch ? -1 : 1;
    if (a->pre.n == 0 || b->pre.n == 0)
        return (a->pre.n == 0) - (b->pre.n == 0);
    return cmp_prerelease(a->pre, b->pre);
}

/* --- constraints --- */

enum op {
    OP_EQUAL,
    OP_NOT,
    OP_GREATER,
    OP_LESS,
    OP_GREATER_EQUAL,
    OP_LESS_EQUAL,
    OP_TILDE,
    OP_CARET
};

struct term {
    enum op op;
    struct semver version;
    /* 1.2 and 1.2.x leave the patch open, 1 and 1.x the minor as well, x and * all. */
    bool open, minor_open, patch_open;
    struct term *next;
};

struct group { /* all terms must fit */
    struct term *terms;
    bool prerelease;
    struct group *next;
};

struct semver_constraint {
    struct group *groups; /* one must fit */
};

static const struct {
    const char *text;
    enum op op;
} operators[] = {{"!=", OP_NOT},        {">=", OP_GREATER_EQUAL}, {"=>", OP_GREATER_EQUAL},
                 {"<=", OP_LESS_EQUAL}, {"=<", OP_LESS_EQUAL},    {"~>", OP_TILDE},
                 {"=", OP_EQUAL},       {">", OP_GREATER},        {"<", OP_LESS},
                 {"~", OP_TILDE},       {"^", OP_CARET},          {"", OP_EQUAL}};

/* The library's character class has the bar in it by mistake; such numbers fail afterwards. */
static bool is_wild_digit(char c)
{
    return is_digit(c) || c == 'x' || c == 'X' || c == '*' || c == '|';
}

static bool is_wild(struct str s)
{
    return s.n == 0 || (s.n == 1 && (s.p[0] == 'x' || s.p[0] == 'X' || s.p[0] == '*'));
}

static size_t skip_blanks(struct str *s)
{
    size_t n = span(*s, is_blank);
    *s = str_from(*s, n);
    return n;
}

/* "1.2 - 2" is another spelling of ">= 1.2, <= 2 ". */
static void rewrite_ranges(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n;) {
        struct str rest = str_from(s, i);
        skip_blanks(&rest);
        struct parts low = scan_version(rest, is_wild_digit), high = {0};
        struct str low_text = str_head(rest, low.n), high_text = {0};
        rest = str_from(rest, low.n);
        if (low.n > 0 && skip_blanks(&rest) > 0 && rest.n > 0 && rest.p[0] == '-') {
            rest = str_from(rest, 1);
            if (skip_blanks(&rest) > 0)
                high = scan_version(rest, is_wild_digit);
            high_text = str_head(rest, high.n);
        }
        if (high.n == 0) {
            buf_putc(out, s.p[i++]);
            continue;
        }
        rest = str_from(rest, high.n);
        skip_blanks(&rest);
        buf_printf(out, ">= %.*s, <= %.*s ", STR_ARG(low_text), STR_ARG(high_text));
        i = s.n - rest.n;
    }
}

/* Takes one operator and version, and the blanks around them. False: there is none. */
static bool take_term(struct str *s, enum op *ret_op, struct str *ret_text)
{
    skip_blanks(s);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        struct str text = str_of(operators[i].text);
        if (!str_starts(*s, text))
            continue;
        *s = str_from(*s, text.n);
        *ret_op = operators[i].op;
        break;
    }
    skip_blanks(s);
    struct parts p = scan_version(*s, is_wild_digit);
    *ret_text = str_head(*s, p.n);
    *s = str_from(*s, p.n);
    return p.n > 0;
}

static int read_term(struct arena *a, enum op op, struct str text, struct term *t, struct err *err)
{
    struct parts p = scan_version(text, is_wild_digit);
    struct str pre = {p.pre.n ? p.pre.p - 1 : "", p.pre.n ? p.pre.n + 1 : 0};
    t->op = op;
    if (is_wild(p.number[0])) {
        t->open = true;
        text = arena_printf(a, "0.0.0%.*s", STR_ARG(pre));
    } else if (is_wild(p.number[1])) {
        t->open = t->minor_open = true;
        text = arena_printf(a, "%.*s.0.0%.*s", STR_ARG(p.number[0]), STR_ARG(pre));
    } else if (is_wild(p.number[2])) {
        t->open = t->patch_open = true;
        text = arena_printf(a, "%.*s.%.*s.0%.*s", STR_ARG(p.number[0]), STR_ARG(p.number[1]),
                            STR_ARG(pre));
    }
    if (semver_parse(text, &t->version, NULL) < 0)
        return err_bad(err, "constraint parser error");
    return 0;
}

static int fail_improper(struct str group, struct err *err)
{
    struct buf b = {0};
    gofmt_quote(&b, group, false);
    err_bad(err, "improper constraint: %s", buf_z(&b));
    buf_done(&b);
    return -1;
}

/* Terms stand apart by blanks or a comma. The whole group must be well-formed before any term's
 * version is looked at. */
static bool group_is_proper(struct str s)
{
    enum op op;
    struct str text;
    for (;;) {
        if (!take_term(&s, &op, &text))
            return false;
        bool apart = skip_blanks(&s) > 0;
        if (s.n == 0)
            return true;
        if (s.p[0] == ',')
            s = str_from(s, 1);
        else if (!apart)
            return false;
    }
}

static int read_group(struct arena *a, struct str s, struct group *g, struct err *err)
{
    if (!group_is_proper(s))
        return fail_improper(s, err);
    struct term **at = &g->terms;
    while (s.n > 0) {
        enum op op;
        struct str text;
        take_term(&s, &op, &text);
        *at = ARENA_NEW(a, struct term);
        if (read_term(a, op, text, *at, err) < 0)
            return -1;
        g->prerelease = g->prerelease || (*at)->version.pre.n > 0;
        at = &(*at)->next;
        skip_blanks(&s);
        if (s.n > 0 && s.p[0] == ',')
            s = str_from(s, 1);
    }
    return 0;
}

struct semver_constraint *semver_constraint_parse(struct arena *a, struct str text, struct err *err)
{
    if (text.n > SEMVER_CONSTRAINT_MAX) {
        err_bad(err, "constraint string is too long (max %d bytes)", SEMVER_CONSTRAINT_MAX);
        return NULL;
    }
    struct buf b = {0};
    rewrite_ranges(text, &b);
    struct str rest = arena_dup(a, buf_str(&b));
    buf_done(&b);
    size_t groups = 1;
    for (size_t i = 0; i + 1 < rest.n; i++)
        if (rest.p[i] == '|' && rest.p[i + 1] == '|')
            groups++, i++;
    if (groups > SEMVER_MAX_GROUPS) {
        err_bad(err, "too many constraint groups (max %d)", SEMVER_MAX_GROUPS);
        return NULL;
    }
    struct semver_constraint *c = ARENA_NEW(a, struct semver_constraint);
    struct group **at = &c->groups;
    for (bool more = true; more; at = &(*at)->next) {
        ssize_t bars = str_find(rest, STR("||"));
        more = bars >= 0;
        *at = ARENA_NEW(a, struct group);
        if (read_group(a, more ? str_head(rest, (size_t)bars) : rest, *at, err) < 0)
            return NULL;
        rest = str_from(rest, more ? (size_t)bars + 2 : rest.n);
    }
    return c;
}

static bool fits_not(const struct term *t, const struct semver *v)
{
    const struct semver *c = &t->version;
    if (!t->open)
        return semver_cmp(v, c) != 0;
    if (v->major != c->major)
        return true;
    if (t->minor_open)
        return false;
    if (v->minor != c->minor)
        return true;
    if (!t->patch_open)
        return v->patch != c->patch || semver_cmp(v, c) != 0;
    return (v->pre.n > 0 || c->pre.n > 0) && cmp_prerelease(v->pre, c->pre) != 0;
}

static bool fits_greater(const struct term *t, const struct semver *v)
{
    const struct semver *c = &t->version;
    if (!t->open || (v->major == c->major && !t->minor_open && !t->patch_open))
        return semver_cmp(v, c) > 0;
    if (v->major != c->major)
        return v->major > c->major;
    return t->patch_open && v->minor > c->minor;
}

static bool fits_less_equal(const struct term *t, const struct semver *v)
{
    const struct semver *c = &t->version;
    if (!t->open)
        return semver_cmp(v, c) <= 0;
    return v->major < c->major || (v->major == c->major && (v->minor <= c->minor || t->minor_open));
}

static bool fits_tilde(const struct term *t, const struct semver *v)
{
    const struct semver *c = &t->version;
    if (semver_cmp(v, c) < 0)
        return false;
    if (c->major == 0 && c->minor == 0 && c->patch == 0 && !t->minor_open && !t->patch_open)
        return true;
    return v->major == c->major && (v->minor == c->minor || t->minor_open);
}

static bool fits_caret(const struct term *t, const struct semver *v)
{
    const struct semver *c = &t->version;
    if (semver_cmp(v, c) < 0 || v->major != c->major)
        return false;
    if (c->major > 0 || t->minor_open)
        return true;
    if (v->minor != c->minor)
        return false;
    return c->minor > 0 || t->patch_open || v->patch == c->patch;
}

static bool fits(const struct term *t, const struct semver *v)
{
    switch (t->op) {
    case OP_NOT:
        return fits_not(t, v);
    case OP_GREATER:
        return fits_greater(t, v);
    case OP_LESS:
        return semver_cmp(v, &t->version) < 0;
    case OP_GREATER_EQUAL:
        return semver_cmp(v, &t->version) >= 0;
    case OP_LESS_EQUAL:
        return fits_less_equal(t, v);
    case OP_TILDE:
        return fits_tilde(t, v);
    case OP_CARET:
        return fits_caret(t, v);
    default:
        return t->open ? fits_tilde(t, v) : semver_cmp(v, &t->version) == 0;
    }
}

bool semver_constraint_fits(const struct semver_constraint *c, const struct semver *v)
{
    for (const struct group *g = c->groups; g; g = g->next) {
        if (v->pre.n > 0 && !g->prerelease)
            continue;
        bool all = true;
        for (const struct term *t = g->terms; t && all; t = t->next)
            all = fits(t, v);
        if (all)
            return true;
    }
    return false;
}
