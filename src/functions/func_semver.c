/* func_semver.c: versions as templates see them: *semver.Version with its methods. */
#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "functions/semver.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

static const struct gotype type_semver, type_semver_ptr;

static const struct semver *version_of(struct value v)
{
    return v.opaque;
}

static struct value version_value(struct tmpl_exec *x, const struct semver *v, bool pointer)
{
    struct semver *copy = ARENA_NEW(tmpl_arena(x), struct semver);
    *copy = *v;
    return (struct value){.type = pointer ? &type_semver_ptr : &type_semver, .opaque = copy};
}

static struct str version_text(struct arena *a, const struct value *v)
{
    return semver_text(a, version_of(*v));
}

#define NUMBER_METHOD(name)                                                                        \
    FN(get_##name)                                                                                 \
    {                                                                                              \
        (void)x, (void)n;                                                                          \
        *ret = (struct value){.type = &type_uint64, .u = version_of(args[0])->name};               \
        return 0;                                                                                  \
    }
#define TEXT_METHOD(name, member)                                                                  \
    FN(get_##name)                                                                                 \
    {                                                                                              \
        (void)x, (void)n;                                                                          \
        *ret = value_str(version_of(args[0])->member);                                             \
        return 0;                                                                                  \
    }

NUMBER_METHOD(major)
NUMBER_METHOD(minor)
NUMBER_METHOD(patch)
TEXT_METHOD(prerelease, pre)
TEXT_METHOD(metadata, metadata)
TEXT_METHOD(original, original)

FN(get_string)
{
    (void)n;
    *ret = value_str(version_text(tmpl_arena(x), &args[0]));
    return 0;
}

static int changed(struct tmpl_exec *x, const struct semver *before, struct semver v,
                   struct value *ret)
{
    bool prefixed = before->original.n > 0 && before->original.p[0] == 'v';
    struct str text = semver_text(tmpl_arena(x), &v);
    v.original = arena_printf(tmpl_arena(x), "%s%.*s", prefixed ? "v" : "", STR_ARG(text));
    *ret = version_value(x, &v, false);
    return 0;
}

FN(inc_major)
{
    const struct semver *v = version_of(args[0]);
    (void)n;
    if (v->major == UINT64_MAX)
        return tmpl_fail(x, "major version increment would overflow uint64");
    return changed(x, v, (struct semver){.major = v->major + 1}, ret);
}

FN(inc_minor)
{
    const struct semver *v = version_of(args[0]);
    (void)n;
    if (v->minor == UINT64_MAX)
        return tmpl_fail(x, "minor version increment would overflow uint64");
    return changed(x, v, (struct semver){.major = v->major, .minor = v->minor + 1}, ret);
}

/* The release that a prerelease is before, or the next one. */
FN(inc_patch)
{
    const struct semver *v = version_of(args[0]);
    (void)n;
    if (v->pre.n == 0 && v->patch == UINT64_MAX)
        return tmpl_fail(x, "patch version increment would overflow uint64");
    uint64_t patch = v->pre.n ? v->patch : v->patch + 1;
    return changed(x, v, (struct semver){.major = v->major, .minor = v->minor, .patch = patch},
                   ret);
}

FN(set_prerelease)
{
    struct semver v = *version_of(args[0]), probe;
    struct err err;
    struct str pre = value_text(args[1]);
    (void)n;
    struct str text = arena_printf(tmpl_arena(x), "0.0.0-%.*s", STR_ARG(pre));
    if (pre.n > 0 && (semver_parse_strict(text, &probe, &err) < 0 || probe.metadata.n > 0))
        return tmpl_fail(x, "%s", probe.metadata.n ? "invalid prerelease string" : err.message);
    v.pre = pre;
    return changed(x, version_of(args[0]), v, ret);
}

FN(set_metadata)
{
    struct semver v = *version_of(args[0]), probe;
    struct err err;
    struct str metadata = value_text(args[1]);
    (void)n;
    struct str text = arena_printf(tmpl_arena(x), "0.0.0+%.*s", STR_ARG(metadata));
    if (metadata.n > 0 && semver_parse_strict(text, &probe, &err) < 0)
        return tmpl_fail(x, "%s", err.message);
    v.metadata = metadata;
    return changed(x, version_of(args[0]), v, ret);
}

static int compare(struct value a, struct value b)
{
    return semver_cmp(version_of(a), version_of(b));
}

FN(compare_to)
{
    if (args[1].opaque == NULL)
        return func_fail_nil(x);
    (void)n;
    *ret = value_int(compare(args[0], args[1]));
    return 0;
}

#define COMPARISON(name, test)                                                                     \
    FN(name)                                                                                       \
    {                                                                                              \
        if (args[1].opaque == NULL)                                                                \
            return func_fail_nil(x);                                                               \
        (void)n;                                                                                   \
        *ret = value_bool(compare(args[0], args[1]) test 0);                                       \
        return 0;                                                                                  \
    }

COMPARISON(equal, ==)
COMPARISON(greater, >)
COMPARISON(greater_equal, >=)
COMPARISON(less, <)
COMPARISON(less_equal, <=)

#define VALUE_METHODS(type)                                                                        \
    {"IncMajor", inc_major, {&type}, &type_semver},                                                \
        {"IncMinor", inc_minor, {&type}, &type_semver},                                            \
        {"IncPatch", inc_patch, {&type}, &type_semver},                                            \
        {"Major", get_major, {&type}, &type_uint64},                                               \
        {"Metadata", get_metadata, {&type}, &type_string},                                         \
        {"Minor", get_minor, {&type}, &type_uint64}, {"Patch", get_patch, {&type}, &type_uint64},  \
        {"Prerelease", get_prerelease, {&type}, &type_string},                                     \
        {"SetMetadata", set_metadata, {&type, &type_string}, &type_semver},                        \
        {"SetPrerelease", set_prerelease, {&type, &type_string}, &type_semver},                    \
    {                                                                                              \
        "String", get_string, {&type}, &type_string                                                \
    }

static const struct func value_methods[] = {VALUE_METHODS(type_semver), {0}};

static const struct func pointer_methods[] = {
    VALUE_METHODS(type_semver_ptr),
    {"Compare", compare_to, {&type_semver_ptr, &type_semver_ptr}, &type_int},
    {"Equal", equal, {&type_semver_ptr, &type_semver_ptr}, &type_bool},
    {"GreaterThan", greater, {&type_semver_ptr, &type_semver_ptr}, &type_bool},
    {"GreaterThanEqual", greater_equal, {&type_semver_ptr, &type_semver_ptr}, &type_bool},
    {"LessThan", less, {&type_semver_ptr, &type_semver_ptr}, &type_bool},
    {"LessThanEqual", less_equal, {&type_semver_ptr, &type_semver_ptr}, &type_bool},
    {"Original", get_original, {&type_semver_ptr}, &type_string},
    {0},
};

static const struct gotype type_semver = {.kind = KIND_STRUCT,
                                          .name = "semver.Version",
                                          .defined = true,
                                          .methods = value_methods,
                                          .string = version_text,
                                          .marshal_text = version_text};
static const struct gotype type_semver_ptr = {.kind = KIND_PTR,
                                              .name = "*semver.Version",
                                              .elem = &type_semver,
                                              .methods = pointer_methods,
                                              .string = version_text,
                                              .marshal_text = version_text};

FN(semver)
{
    struct semver v;
    struct err err;
    (void)n;
    if (semver_parse(value_text(args[0]), &v, &err) < 0)
        return tmpl_fail(x, "%s", err.message);
    *ret = version_value(x, &v, true);
    return 0;
}

FN(semver_compare)
{
    struct semver v;
    struct err err;
    const struct semver_constraint *c =
        semver_constraint_parse(tmpl_arena(x), value_text(args[0]), &err);
    (void)n;
    if (c == NULL || semver_parse(value_text(args[1]), &v, &err) < 0)
        return tmpl_fail(x, "%s", err.message);
    *ret = value_bool(semver_constraint_fits(c, &v));
    return 0;
}

const struct func func_semvers[] = {
    {"semver", semver, {&type_string}, &type_semver_ptr},
    {"semverCompare", semver_compare, {&type_string, &type_string}, &type_bool},
    {0},
};
