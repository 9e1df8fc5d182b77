/* oci_ref.c: references to charts in registries, as oras.land/oras-go reads them. */
#include <ctype.h>

#include "chart/oci.h"
#include "functions/semver.h"
#include "net/url.h"
#include "template/gofmt.h"

enum { MAX_TAG = 128 };

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* [a-z0-9]+ with ".", "_", "__" or dashes between, slashes between such words. */
static bool is_repository(struct str s)
{
    size_t i = 0;
    while (i < s.n) {
        if (!is_lower(s.p[i]))
            return false;
        while (i < s.n && is_lower(s.p[i]))
            i++;
        if (i == s.n)
            return true;
        char c = s.p[i];
        size_t run = 0;
        while (i < s.n && s.p[i] == c)
            i++, run++;
        bool right = c == '-' || (run == 1 && (c == '.' || c == '/')) || (c == '_' && run <= 2);
        if (!right)
            return false;
    }
    return false;
}

static bool is_tag(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool word = isalnum((unsigned char)s.p[i]) || s.p[i] == '_';
        if (!word && (i == 0 || (s.p[i] != '.' && s.p[i] != '-')))
            return false;
    }
    return s.n > 0 && s.n <= MAX_TAG;
}

static bool is_digest(struct str s)
{
    static const struct {
        const char *name;
        size_t digits;
    } kinds[] = {{"sha256", 64}, {"sha384", 96}, {"sha512", 128}};
    struct str name, digits;
    if (!str_cut(s, ':', &name, &digits))
        return false;
    for (size_t i = 0; i < digits.n; i++)
        if (!isdigit((unsigned char)digits.p[i]) && (digits.p[i] < 'a' || digits.p[i] > 'f'))
            return false;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        if (str_is(name, kinds[k].name) && digits.n == kinds[k].digits)
            return true;
    return false;
}

static int fail_ref(struct chart_ctx *cx, const char *what, struct str part)
{
    struct buf b = {0};
    gofmt_quote(&b, part, false);
    chart_fail(cx, "invalid reference: invalid %s %s", what, buf_z(&b));
    buf_done(&b);
    return -1;
}

static ssize_t last_char(struct str s, char c)
{
    for (size_t i = s.n; i-- > 0;)
        if (s.p[i] == c)
            return (ssize_t)i;
    return -1;
}

int oci_ref_parse(struct chart_ctx *cx, struct str text, struct oci_ref *ret)
{
    struct str path, tag = {0};
    struct url u;
    *ret = (struct oci_ref){0};
    text = arena_dup(cx->arena, oci_is_url(text) ? str_from(text, 6) : text);
    ssize_t at = last_char(text, '@');
    if (at >= 0) {
        ret->digest = str_from(text, (size_t)at + 1);
        text = str_head(text, (size_t)at);
    }
    if (!str_cut(text, '/', &ret->registry, &path))
        return chart_fail(cx, "invalid reference: missing registry or repository");
    bool tagged = str_cut(path, ':', &ret->repository, &tag);
    struct str probe = arena_printf(cx->arena, "http://%.*s", STR_ARG(ret->registry));
    if (!ret->registry.n || !url_split(probe, &u) || !str_eq(u.authority, ret->registry))
        return fail_ref(cx, "registry", ret->registry);
    if (!is_repository(ret->repository))
        return fail_ref(cx, "repository", ret->repository);
    if (!tagged || !tag.n)
        return 0;
    char *p = arena_z(cx->arena, tag);
    for (size_t i = 0; i < tag.n; i++)
        p[i] = p[i] == '+' ? '_' : p[i];
    ret->tag = (struct str){p, tag.n};
    return is_tag(ret->tag) ? 0 : fail_ref(cx, "tag", ret->tag);
}

struct str oci_ref_text(struct arena *a, const struct oci_ref *ref)
{
    struct str name =
        arena_printf(a, "%.*s/%.*s", STR_ARG(ref->registry), STR_ARG(ref->repository));
    if (ref->tag.n)
        return arena_printf(a, "%.*s:%.*s", STR_ARG(name), STR_ARG(ref->tag));
    return ref->digest.n ? arena_printf(a, "%.*s@%.*s", STR_ARG(name), STR_ARG(ref->digest)) : name;
}

/* The first of the versions, newest first, that is named so or that the range allows. */
static int choose(struct chart_ctx *cx, const struct chart_strs *versions, struct str wanted,
                  struct str *ret)
{
    struct semver v;
    struct err err;
    for (size_t i = 0; i < versions->n && wanted.n; i++)
        if (str_eq(versions->items[i], wanted)) {
            *ret = wanted;
            return 0;
        }
    struct semver_constraint *c =
        semver_constraint_parse(cx->arena, wanted.n ? wanted : STR("*"), &err);
    if (!c)
        return chart_fail(cx, "%s", err.message);
    for (size_t i = 0; i < versions->n; i++)
        if (semver_parse(versions->items[i], &v, &err) == 0 && semver_constraint_fits(c, &v)) {
            *ret = versions->items[i];
            return 0;
        }
    return chart_fail(cx, "Could not locate a version matching provided version string %.*s",
                      STR_ARG(wanted));
}

/* A digest says all; a version beside it must not say something else. */
static int pick_digest(struct chart_ctx *cx, const struct chart_home *home,
                       const struct chart_access *access, struct str version, struct oci_ref *ref)
{
    struct oci_ref tagged = {ref->registry, ref->repository, version, {0}};
    struct str digest;
    if (!is_digest(ref->digest))
        return fail_ref(cx, "digest", ref->digest);
    ref->tag = (struct str){0};
    if (version.n && oci_digest(cx, home, access, &tagged, &digest) == 0 &&
        !str_eq(digest, ref->digest))
        return chart_fail(cx, "chart reference digest mismatch: %.*s is not %.*s", STR_ARG(digest),
                          STR_ARG(ref->digest));
    return 0;
}

int oci_pick(struct chart_ctx *cx, const struct chart_home *home, const struct chart_access *access,
             struct str url, struct str version, struct oci_ref *ret)
{
    struct semver v;
    struct err err;
    if (oci_ref_parse(cx, url, ret) != 0)
        return -1;
    if (version.n && ret->tag.n && !str_eq(version, ret->tag))
        return chart_fail(cx, "chart reference and version mismatch: %.*s is not %.*s",
                          STR_ARG(version), STR_ARG(ret->tag));
    if (!version.n)
        version = ret->tag;
    if (ret->digest.n)
        return pick_digest(cx, home, access, version, ret);
    if (semver_parse(version, &v, &err) != 0) {
        struct chart_strs all;
        if (oci_versions(cx, home, access, url, &all) != 0)
            return -1;
        if (!all.n)
            return chart_fail(cx, "Unable to locate any tags in provided repository: %.*s",
                              STR_ARG(url));
        if (choose(cx, &all, version, &version) != 0)
            return -1;
    }
    struct str whole = arena_printf(cx->arena, "%.*s/%.*s:%.*s", STR_ARG(ret->registry),
                                    STR_ARG(ret->repository), STR_ARG(version));
    return oci_ref_parse(cx, whole, ret);
}
