/* What a CustomResourceDefinition may say, but for its schemas' structure
 * (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation). */
#include <ctype.h>

#include "api/crd/crd.h"
#include "api/crd/format.h"
#include "api/kinds/check.h"
#include "doc/names.h"

enum { SELECTABLE_MAX = 8, WARNING_MAX = 256 };

static const char *const scopes[] = {"Cluster", "Namespaced", NULL};
static const char *const strategies[] = {"None", "Webhook", NULL};
static const char *const column_types[] = {"boolean", "date", "integer", "number", "string", NULL};
static const char *const column_formats[] = {"byte",  "date",  "date-time", "double", "float",
                                             "int32", "int64", "password",  NULL};

static void check_label(struct check *k, const char *field, struct str value, const char *before)
{
    char room[NAME_TEXT], text[NAME_TEXT + 64];
    const char *why = value.n ? name_dns1035_label(value, room) : NULL;
    if (!why)
        return;
    snprintf(text, sizeof(text), "%s%s", before, why);
    check_invalid(k, field, value, text);
}

static struct str lower(struct arena *a, struct str s)
{
    char *z = arena_z(a, s);
    for (char *p = z; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return (struct str){z, s.n};
}

/* Upstream shows the name as it was written. */
static void check_kind_name(struct check *k, const char *field, struct str value)
{
    char room[NAME_TEXT], text[NAME_TEXT + 80];
    const char *why = value.n ? name_dns1035_label(lower(k->c->arena, value), room) : NULL;
    if (!why)
        return;
    snprintf(text, sizeof(text), "may have mixed case, but should otherwise match: %s", why);
    check_invalid(k, field, value, text);
}

static void check_names(struct check *k, const val *names)
{
    static const char *const required[] = {"plural", "singular", "kind", "listKind"};
    size_t at = check_in(k, "names"), i = 0;
    for (size_t n = 0; n < ARRAY_LEN(required); n++)
        if (!VAL_STR(names, required[n]).n)
            check_required(k, required[n], NULL);
    check_label(k, "plural", VAL_STR(names, "plural"), "");
    check_label(k, "singular", VAL_STR(names, "singular"), "");
    check_kind_name(k, "kind", VAL_STR(names, "kind"));
    check_kind_name(k, "listKind", VAL_STR(names, "listKind"));
    char field[48];
    VAL_FOR (val_get(names, "shortNames"), name) {
        snprintf(field, sizeof(field), "shortNames[%zu]", i++);
        check_label(k, field, val_str(name), "");
    }
    i = 0;
    VAL_FOR (val_get(names, "categories"), name) {
        snprintf(field, sizeof(field), "categories[%zu]", i++);
        check_label(k, field, val_str(name), "");
    }
    struct str kind = VAL_STR(names, "kind");
    if (kind.n && str_eq(kind, VAL_STR(names, "listKind")))
        check_invalid(k, "listKind", kind, "kind and listKind may not be the same");
    check_out(k, at);
}

static void check_group(struct check *k, struct str group)
{
    char room[NAME_TEXT];
    const char *why = name_dns1123_subdomain(group, room);
    if (!group.n)
        check_required(k, "group", NULL);
    else if (why)
        check_invalid(k, "group", group, why);
    else if (!memchr(group.p, '.', group.n))
        check_invalid(k, "group", group, "should be a domain with at least one dot");
}

/* --- one version --- */
/* Upstream looks at the first character only; columns whose path is none stay empty. */
static bool is_simple_path(struct str path)
{
    return path.n && path.p[0] == '.';
}

static void check_column(struct check *k, const val *col)
{
    struct str type = VAL_STR(col, "type"), format = VAL_STR(col, "format"),
               path = VAL_STR(col, "jsonPath");
    if (!VAL_STR(col, "name").n)
        check_required(k, "name", NULL);
    if (!type.n)
        check_required(k, "type", "must be one of boolean,date,integer,number,string");
    else if (!check_in_list(type, column_types))
        check_invalid(k, "type", type, "must be one of boolean,date,integer,number,string");
    if (format.n && !check_in_list(format, column_formats))
        check_invalid(k, "format", format,
                      "must be one of byte,date,date-time,double,float,int32,int64,password");
    if (!path.n)
        check_required(k, "JSONPath", NULL);
    else if (!is_simple_path(path))
        check_invalid(k, "JSONPath", path, "must be a simple json path starting with .");
}

static void check_replicas_path(struct check *k, const val *scale, const char *member,
                                const char *under, bool required)
{
    struct str path = VAL_STR(scale, member);
    char text[96];
    snprintf(text, sizeof(text), "should be a json path under %s", under);
    if (!path.n) {
        if (required)
            check_required(k, member, NULL);
    } else if (!is_simple_path(path)) {
        check_invalid(k, member, path, "must be a simple json path starting with .");
    } else if (!str_starts(path, STR(".spec.")) &&
               (strcmp(under, ".spec") == 0 || !str_starts(path, STR(".status.")))) {
        check_invalid(k, member, path, text);
    }
}

static void check_scale(struct check *k, const val *scale)
{
    if (!val_is_obj(scale))
        return;
    size_t at = check_in(k, "subresources.scale");
    check_replicas_path(k, scale, "specReplicasPath", ".spec", true);
    struct str status = VAL_STR(scale, "statusReplicasPath");
    if (!status.n)
        check_required(k, "statusReplicasPath", NULL);
    else if (!str_starts(status, STR(".status.")))
        check_invalid(k, "statusReplicasPath", status, "should be a json path under .status");
    check_replicas_path(k, scale, "labelSelectorPath", "either .spec or .status", false);
    check_out(k, at);
}

static const val *schema_at(const val *openapi, struct str path)
{
    struct str part;
    path = str_from(path, str_starts(path, STR(".")));
    while (openapi && str_next(&path, '.', &part))
        openapi = val_get_str(val_get(openapi, "properties"), part);
    return openapi;
}

static void check_selectable(struct check *k, const val *openapi, const val *fields)
{
    static const char *const types[] = {"string", "boolean", "integer", NULL};
    val *seen = val_new_obj(k->d);
    size_t i = 0;
    VAL_FOR (fields, f) {
        char field[64];
        struct str path = VAL_STR(f, "jsonPath");
        snprintf(field, sizeof(field), "selectableFields[%zu].jsonPath", i++);
        const val *node = schema_at(openapi, path);
        if (!path.n)
            check_required(k, field, NULL);
        else if (path.p[0] != '.' || !node)
            check_invalid(k, field, path, "is an invalid path: does not refer to a valid field");
        else if (str_starts(path, STR(".metadata")))
            check_invalid(k, field, path, "must not point to fields in metadata");
        else if (!check_in_list(VAL_STR(node, "type"), types))
            check_invalid(k, field, path,
                          "must point to a field of type string, boolean or integer. Enum string "
                          "fields and strings with formats are allowed.");
        else if (val_get_str(seen, path))
            check_duplicate(k, field, path);
        else
            val_set_str(k->d, seen, path, val_new_bool(k->d, true));
    }
    if (val_len(seen) > SELECTABLE_MAX)
        check_too_many(k, "selectableFields", val_len(seen), SELECTABLE_MAX);
}

static void check_deprecation(struct check *k, const val *version)
{
    struct str text = VAL_STR(version, "deprecationWarning");
    if (!val_get(version, "deprecationWarning"))
        return;
    if (!VAL_BOOL(version, "deprecated"))
        check_invalid(k, "deprecationWarning", text, "can only be set for deprecated versions");
    if (text.n > WARNING_MAX)
        check_invalid(k, "deprecationWarning", text, "must be <= 256 characters long");
    if (!text.n)
        check_invalid(k, "deprecationWarning", text, "must not be an empty string");
}

/* What every version says alike, upstream keeps once, above the versions, and its findings are
 * named after that place. */
struct shared {
    bool schema, subresources, columns, fields;
};

static bool is_shared(const val *versions, const char *member)
{
    const val *first = val_get(val_at(versions, 0), member);
    VAL_FOR (versions, version) {
        const val *v = val_get(version, member);
        if (first && v ? !val_eq(first, v) : first != v)
            return false;
    }
    return true;
}

static void check_schema(struct check *k, const val *version, const char *at_member)
{
    const val *openapi = VAL_PATH(version, "schema", "openAPIV3Schema");
    if (!val_is_obj(openapi))
        return;
    size_t at = check_in(k, at_member), before = val_len(k->causes);
    crd_check_structural(k->d, openapi, buf_str(&k->path), k->causes);
    if (val_len(k->causes) == before)
        crd_rules_validate(openapi, buf_str(&k->path), k->d, k->causes);
    check_out(k, at);
}

static void check_columns(struct check *k, const val *columns)
{
    size_t i = 0;
    VAL_FOR (columns, col) {
        size_t at = check_in(k, "additionalPrinterColumns"), item = check_at(k, i++);
        check_column(k, col);
        check_out(k, item);
        check_out(k, at);
    }
}

static void check_version(struct check *k, const val *version, const struct shared *shared)
{
    char room[NAME_TEXT];
    struct str name = VAL_STR(version, "name");
    const char *why = name_dns1035_label(name, room);
    if (why)
        check_invalid(k, "name", name, why);
    check_deprecation(k, version);
    if (!val_is_obj(VAL_PATH(version, "schema", "openAPIV3Schema")))
        check_required(k, "schema.openAPIV3Schema", NULL);
    if (!shared->schema)
        check_schema(k, version, "schema.openAPIV3Schema");
    if (!shared->subresources)
        check_scale(k, VAL_PATH(version, "subresources", "scale"));
    if (!shared->columns)
        check_columns(k, val_get(version, "additionalPrinterColumns"));
    if (!shared->fields)
        check_selectable(k, VAL_PATH(version, "schema", "openAPIV3Schema"),
                         val_get(version, "selectableFields"));
}

static void check_shared(struct check *k, const val *first, const struct shared *shared)
{
    if (shared->schema)
        check_schema(k, first, "validation.openAPIV3Schema");
    if (shared->subresources)
        check_scale(k, VAL_PATH(first, "subresources", "scale"));
    if (shared->columns)
        check_columns(k, val_get(first, "additionalPrinterColumns"));
    if (shared->fields)
        check_selectable(k, VAL_PATH(first, "schema", "openAPIV3Schema"),
                         val_get(first, "selectableFields"));
}

static void check_versions(struct check *k, const val *versions)
{
    const struct shared shared = {
        is_shared(versions, "schema"), is_shared(versions, "subresources"),
        is_shared(versions, "additionalPrinterColumns"), is_shared(versions, "selectableFields")};
    val *seen = val_new_obj(k->d);
    size_t storing = 0, i = 0;
    bool unique = true;
    VAL_FOR (versions, version) {
        size_t at = check_in(k, "versions"), item = check_at(k, i++);
        check_version(k, version, &shared);
        check_out(k, item);
        check_out(k, at);
        struct str name = VAL_STR(version, "name");
        storing += VAL_BOOL(version, "storage");
        unique &= !val_get_str(seen, name);
        val_set_str(k->d, seen, name, val_new_bool(k->d, true));
    }
    check_shared(k, val_at(versions, 0), &shared);
    if (!unique)
        check_invalid_val(k, "versions", versions, "must contain unique version names");
    if (storing != 1)
        check_invalid_val(k, "versions", versions,
                          "must have exactly one version marked as storage version");
}

/* The versions of ConversionReview that the webhook reads. */
static void check_reviews(struct check *k, const val *reviews)
{
    val *seen = val_new_obj(k->d);
    bool known = false;
    size_t i = 0;
    if (!val_len(reviews)) {
        check_required(k, "conversionReviewVersions", NULL);
        return;
    }
    VAL_FOR (reviews, v) {
        char field[48], room[NAME_TEXT];
        struct str name = val_str(v);
        snprintf(field, sizeof(field), "conversionReviewVersions[%zu]", i++);
        if (val_get_str(seen, name)) {
            check_invalid(k, field, name, "duplicate version");
            continue;
        }
        val_set_str(k->d, seen, name, val_new_bool(k->d, true));
        const char *why = name_dns1035_label(name, room);
        if (why)
            check_invalid(k, field, name, why);
        known |= str_is(name, "v1") || str_is(name, "v1beta1");
    }
    if (!known)
        check_invalid_val(k, "conversionReviewVersions", reviews,
                          "must include at least one of v1, v1beta1");
}

static void check_conversion(struct check *k, const val *conversion)
{
    size_t at = check_in(k, "conversion");
    check_one_of(k, conversion, "strategy", true, strategies);
    bool webhook = str_is(VAL_STR(conversion, "strategy"), "Webhook");
    const val *config = VAL_PATH(conversion, "webhook", "clientConfig");
    if (webhook && !config)
        check_required(k, "webhookClientConfig", "required when strategy is set to Webhook");
    else if (webhook && (val_get(config, "url") == NULL) == (val_get(config, "service") == NULL))
        check_required(k, "webhookClientConfig", "exactly one of url or service is required");
    const val *reviews = VAL_PATH(conversion, "webhook", "conversionReviewVersions");
    if (webhook)
        check_reviews(k, reviews);
    if (!webhook && config)
        check_forbidden(k, "webhookClientConfig",
                        "should not be set when strategy is not set to Webhook");
    if (!webhook && val_len(reviews))
        check_forbidden(k, "conversionReviewVersions",
                        "should not be set when strategy is not set to Webhook");
    check_out(k, at);
}

/* A format that nobody knows is not checked; its author is told. */
static void warn_formats(struct strategy_ctx *c, const val *node, int depth)
{
    enum { DEPTH_MAX = 100 };
    struct str format = VAL_STR(node, "format");
    if (depth > DEPTH_MAX || !c->warnings)
        return;
    if (!crd_format_known(format))
        val_push(c->warnings, val_new_strf(c->d, "unrecognized format \"%.*s\"", STR_ARG(format)));
    VAL_EACH (val_get(node, "properties"), key, member) {
        (void)key;
        warn_formats(c, member, depth + 1);
    }
    if (val_is_obj(val_get(node, "items")))
        warn_formats(c, val_get(node, "items"), depth + 1);
    if (val_is_obj(val_get(node, "additionalProperties")))
        warn_formats(c, val_get(node, "additionalProperties"), depth + 1);
}

void crd_check_spec(struct strategy_ctx *c, const val *spec, const val *old, bool established,
                    val *causes)
{
    struct check k;
    check_init(&k, c, causes);
    size_t at = check_in(&k, "spec");
    check_group(&k, VAL_STR(spec, "group"));
    check_one_of(&k, spec, "scope", true, scopes);
    if (VAL_BOOL(spec, "preserveUnknownFields") && !VAL_BOOL(old, "preserveUnknownFields"))
        check_invalid_val(&k, "preserveUnknownFields", val_get(spec, "preserveUnknownFields"),
                          "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                          "spec.versions[*].schema instead");
    check_versions(&k, val_get(spec, "versions"));
    check_names(&k, val_get(spec, "names"));
    check_conversion(&k, val_get(spec, "conversion"));
    if (old && established) {
        check_immutable(&k, "scope", val_get(spec, "scope"), val_get(old, "scope"));
        check_immutable(&k, "names.kind", VAL_PATH(spec, "names", "kind"),
                        VAL_PATH(old, "names", "kind"));
    }
    if (old) {
        check_immutable(&k, "group", val_get(spec, "group"), val_get(old, "group"));
        check_immutable(&k, "names.plural", VAL_PATH(spec, "names", "plural"),
                        VAL_PATH(old, "names", "plural"));
    }
    check_out(&k, at);
    check_done(&k);
    if (!old)
        VAL_FOR (val_get(spec, "versions"), version)
            warn_formats(c, VAL_PATH(version, "schema", "openAPIV3Schema"), 0);
}
