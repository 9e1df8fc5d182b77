/* Whether an OpenAPI v3 schema is structural
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go, and the parts of the
 * definition's validation that look at schemas). */
#include "api/crd/crd.h"

enum { DEPTH_MAX = 100 };

enum level { LEVEL_ROOT, LEVEL_ITEM, LEVEL_FIELD };

struct look {
    struct doc *d;
    val *causes;
    struct buf path;
};

static size_t enter(struct look *k, const char *member)
{
    size_t back = k->path.n;
    buf_printf(&k->path, ".%s", member);
    return back;
}

static size_t enter_key(struct look *k, struct str key)
{
    size_t back = k->path.n;
    buf_printf(&k->path, ".properties[%.*s]", STR_ARG(key));
    return back;
}

static size_t enter_index(struct look *k, const char *member, size_t i)
{
    size_t back = k->path.n;
    buf_printf(&k->path, ".%s[%zu]", member, i);
    return back;
}

static void leave(struct look *k, size_t back)
{
    k->path.n = back;
    k->path.p[back] = '\0';
}

static void complain(struct look *k, const char *reason, const char *member, const char *before,
                     const char *text)
{
    size_t back = *member ? enter(k, member) : k->path.n;
    cause_add(k->d, k->causes, reason, buf_z(&k->path), "%s%s%s", before, *text ? ": " : "", text);
    leave(k, back);
}

static void required(struct look *k, const char *member, const char *text)
{
    complain(k, "FieldValueRequired", member, "Required value", text);
}

static void forbidden(struct look *k, const char *member, const char *text)
{
    complain(k, "FieldValueForbidden", member, "Forbidden", text);
}

static void invalid(struct look *k, const char *member, const val *v, const char *text)
{
    struct buf b = {0};
    buf_puts(&b, "Invalid value: ");
    if (v)
        val_write_json(v, &b);
    else
        buf_puts(&b, "\"\"");
    complain(k, "FieldValueInvalid", member, buf_z(&b), text);
    buf_done(&b);
}

static void unsupported(struct look *k, const val *node, const char *member, const char *text)
{
    struct buf b = {0};
    buf_puts(&b, "Unsupported value: ");
    val_write_json(val_get(node, member), &b);
    complain(k, "FieldValueNotSupported", member, buf_z(&b), text);
    buf_done(&b);
}

/* --- value validations: allOf, anyOf, oneOf, not, and what they hold --- */
static bool is_type_only(const val *node, const char *type)
{
    return val_len(node) == 1 && str_is(VAL_STR(node, "type"), type);
}

/* The one place where a composition may name types: integer or string. */
static bool is_int_or_string(const val *any_of)
{
    return val_len(any_of) == 2 && is_type_only(val_at(any_of, 0), "integer") &&
           is_type_only(val_at(any_of, 1), "string");
}

static void check_nested(struct look *k, const val *node, bool skip_any, int depth);

static void check_list(struct look *k, const val *node, const char *member, bool skip_first,
                       int depth)
{
    size_t i = 0;
    VAL_FOR (val_get(node, member), item) {
        size_t back = enter_index(k, member, i);
        check_nested(k, item, skip_first && i == 0, depth + 1);
        leave(k, back);
        i++;
    }
}

static void check_values(struct look *k, const val *node, bool skip_any, int depth)
{
    const val *first = val_at(val_get(node, "allOf"), 0);
    bool either = VAL_BOOL(node, "x-kubernetes-int-or-string");
    if (!skip_any && !(either && is_int_or_string(val_get(node, "anyOf"))))
        check_list(k, node, "anyOf", false, depth);
    check_list(k, node, "allOf", either && is_int_or_string(val_get(first, "anyOf")), depth);
    check_list(k, node, "oneOf", false, depth);
    if (val_is_obj(val_get(node, "not"))) {
        size_t back = enter(k, "not");
        check_nested(k, val_get(node, "not"), false, depth + 1);
        leave(k, back);
    }
    struct str pattern = VAL_STR(node, "pattern");
    struct err err;
    if (pattern.n && regex_check(pattern, &err) != 0) {
        struct buf b = {0};
        buf_printf(&b, "must be a valid regular expression, but isn't: %s", err.message);
        invalid(k, "pattern", val_get(node, "pattern"), buf_z(&b));
        buf_done(&b);
    }
}

static void check_forbidden_members(struct look *k, const val *node)
{
    static const struct {
        const char *member, *text;
    } members[] = {
        {"type", "must be empty to be structural"},
        {"additionalProperties", "must be undefined to be structural"},
        {"default", "must be undefined to be structural"},
        {"title", "must be empty to be structural"},
        {"description", "must be empty to be structural"},
        {"nullable", "must be false to be structural"},
        {"x-kubernetes-preserve-unknown-fields", "must be false to be structural"},
        {"x-kubernetes-embedded-resource", "must be false to be structural"},
        {"x-kubernetes-int-or-string", "must be false to be structural"},
        {"x-kubernetes-list-map-keys", "must be empty to be structural"},
        {"x-kubernetes-list-type", "must be undefined to be structural"},
        {"x-kubernetes-map-type", "must be undefined to be structural"},
        {"x-kubernetes-validations", "must be empty to be structural"},
    };
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const val *v = val_get(node, members[i].member);
        bool nothing = !v || val_is_null(v) || (val_is_bool(v) && !val_bool(v)) ||
                       (val_is_str(v) && !val_str(v).n) || (val_is_arr(v) && !val_len(v));
        if (!nothing)
            forbidden(k, members[i].member, members[i].text);
    }
}

static void check_nested(struct look *k, const val *node, bool skip_any, int depth)
{
    if (depth > DEPTH_MAX || !val_is_obj(node))
        return;
    check_values(k, node, skip_any, depth);
    if (val_is_obj(val_get(node, "items"))) {
        size_t back = enter(k, "items");
        check_nested(k, val_get(node, "items"), false, depth + 1);
        leave(k, back);
    }
    VAL_EACH (val_get(node, "properties"), key, member) {
        size_t back = enter_key(k, val_str(key));
        check_nested(k, member, false, depth + 1);
        if (str_is(val_str(key), "metadata"))
            complain(k, "FieldValueForbidden", "", "Forbidden",
                     "must not be specified in a nested context");
        leave(k, back);
    }
    check_forbidden_members(k, node);
}

/* Every field of a value validation must be there outside of it, too. */
static void check_complete(struct look *k, const val *node, const val *in, int depth)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    if (depth > DEPTH_MAX || !val_is_obj(in))
        return;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i = 0;
        VAL_FOR (val_get(in, lists[l]), item) {
            size_t back = enter_index(k, lists[l], i++);
            check_complete(k, node, item, depth + 1);
            leave(k, back);
        }
    }
    if (val_is_obj(val_get(in, "not"))) {
        size_t back = enter(k, "not");
        check_complete(k, node, val_get(in, "not"), depth + 1);
        leave(k, back);
    }
    if (in == node)
        return;
    VAL_EACH (val_get(in, "properties"), key, member) {
        const val *outside = val_get_str(val_get(node, "properties"), val_str(key));
        size_t back = enter_key(k, val_str(key));
        if (!outside)
            complain(k, "FieldValueRequired", "", "Required value",
                     "because it is defined in a value validation");
        else
            check_complete(k, outside, member, depth + 1);
        leave(k, back);
    }
}

/* --- lists and maps --- */
static bool has_word(const val *list, struct str word)
{
    VAL_FOR (list, w)
        if (str_eq(val_str(w), word))
            return true;
    return false;
}

/* One of the members that identify an item. */
static void check_list_key(struct look *k, const val *items, struct str name, const val *key)
{
    static const char *const scalars[] = {"string", "integer", "number", "boolean"};
    struct str type = VAL_STR(key, "type");
    bool scalar = false;
    size_t back = enter(k, "items"), inner = enter_key(k, name);
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
        scalar |= str_is(type, scalars[i]);
    if (!scalar)
        invalid(k, "type", val_get(key, "type"),
                "must be a scalar type if parent array's x-kubernetes-list-type is map");
    if (VAL_BOOL(key, "nullable"))
        forbidden(k, "nullable",
                  "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
    if (!val_get(key, "default") && !has_word(val_get(items, "required"), name))
        required(k, "default",
                 "this property is in x-kubernetes-list-map-keys, so it must have a default or be "
                 "a required property");
    leave(k, inner);
    leave(k, back);
}

static void check_list_keys(struct look *k, const val *node)
{
    const val *keys = val_get(node, "x-kubernetes-list-map-keys"), *items = val_get(node, "items");
    const val *properties = val_get(items, "properties");
    val *seen = val_new_obj(k->d);
    bool known = true;
    if (!val_len(keys))
        required(k, "x-kubernetes-list-map-keys",
                 "must not be empty if x-kubernetes-list-type is map");
    if (!str_is(VAL_STR(items, "type"), "object")) {
        invalid(k, "items.type", val_get(items, "type"),
                "must be object if parent array's x-kubernetes-list-type is map");
        return;
    }
    VAL_FOR (keys, name) {
        const val *key = val_get_str(properties, val_str(name));
        known &= key != NULL;
        if (key)
            check_list_key(k, items, val_str(name), key);
        val_set_str(k->d, seen, val_str(name), val_new_bool(k->d, true));
    }
    if (!known)
        invalid(k, "x-kubernetes-list-map-keys", keys,
                "entries must all be names of item properties");
    if (val_len(seen) < val_len(keys))
        invalid(k, "x-kubernetes-list-map-keys", keys, "must not contain duplicate entries");
}

static void check_topology(struct look *k, const val *node)
{
    struct str list = VAL_STR(node, "x-kubernetes-list-type"),
               map = VAL_STR(node, "x-kubernetes-map-type"), type = VAL_STR(node, "type");
    const val *items = val_get(node, "items"),
              *type_of_items = val_get(items, "x-kubernetes-map-type");
    if (list.n && !str_is(type, "array"))
        invalid(k, "type", val_get(node, "type"),
                "must be array if x-kubernetes-list-type is specified");
    if (map.n && !str_is(type, "object"))
        invalid(k, "type", val_get(node, "type"),
                "must be object if x-kubernetes-map-type is specified");
    if (list.n && !str_is(list, "atomic") && !str_is(list, "set") && !str_is(list, "map"))
        unsupported(k, node, "x-kubernetes-list-type",
                    "supported values: \"atomic\", \"set\", \"map\"");
    if (map.n && !str_is(map, "atomic") && !str_is(map, "granular"))
        unsupported(k, node, "x-kubernetes-map-type", "supported values: \"atomic\", \"granular\"");
    if (str_is(list, "map"))
        check_list_keys(k, node);
    else if (val_len(val_get(node, "x-kubernetes-list-map-keys")))
        required(k, "x-kubernetes-list-type",
                 "must be map if x-kubernetes-list-map-keys is non-empty");
    if (str_is(list, "set") || str_is(list, "map"))
        if (VAL_BOOL(items, "nullable"))
            forbidden(k, "items.nullable",
                      str_is(list, "set")
                          ? "cannot be nullable when x-kubernetes-list-type is set"
                          : "cannot be nullable when x-kubernetes-list-type is map");
    if (str_is(list, "set") && str_is(VAL_STR(items, "type"), "object") &&
        !str_is(VAL_STR(items, "x-kubernetes-map-type"), "atomic"))
        invalid(k, "items.x-kubernetes-map-type",
                type_of_items ? type_of_items : val_new_null(k->d),
                "must be atomic as item of a list with x-kubernetes-list-type=set");
    if (str_is(list, "set") && str_is(VAL_STR(items, "type"), "array") &&
        !str_is(VAL_STR(items, "x-kubernetes-list-type"), "atomic") &&
        VAL_STR(items, "x-kubernetes-list-type").n)
        invalid(k, "items.x-kubernetes-list-type", val_get(items, "x-kubernetes-list-type"),
                "must be atomic as item of a list with x-kubernetes-list-type=set");
}

/* --- one node --- */
static void check_type(struct look *k, const val *node, enum level level)
{
    static const char *const empty[] = {
        [LEVEL_ROOT] = "must not be empty at the root",
        [LEVEL_ITEM] = "must not be empty for specified array items",
        [LEVEL_FIELD] = "must not be empty for specified object fields",
    };
    static const char *const types[] = {"array",  "boolean", "integer",
                                        "number", "object",  "string"};
    const val *v = val_get(node, "type");
    struct str type = val_str(v);
    bool embedded = VAL_BOOL(node, "x-kubernetes-embedded-resource"), known = false;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        known |= str_is(type, types[i]);
    if (embedded && !type.n)
        required(k, "type", "must be object if x-kubernetes-embedded-resource is true");
    else if (embedded && !str_is(type, "object"))
        invalid(k, "type", v, "must be object if x-kubernetes-embedded-resource is true");
    else if (!type.n && !VAL_BOOL(node, "x-kubernetes-int-or-string") &&
             !VAL_BOOL(node, "x-kubernetes-preserve-unknown-fields"))
        required(k, "type", empty[level]);
    else if (type.n && !known)
        unsupported(k, node, "type",
                    "supported values: \"array\", \"boolean\", \"integer\", \"number\", "
                    "\"object\", \"string\"");
    if (level == LEVEL_ROOT && type.n && !str_is(type, "object"))
        invalid(k, "type", v, "must be object at the root");
    if (level == LEVEL_ROOT && VAL_BOOL(node, "nullable"))
        forbidden(k, "nullable", "nullable cannot be true at the root");
}

/* What every schema has by itself: kind and apiVersion are strings, metadata is an object of which
 * only names may be restricted. */
static void check_given(struct look *k, const val *node, enum level level)
{
    const val *properties = val_get(node, "properties"), *meta = val_get(properties, "metadata");
    bool whole = level == LEVEL_ROOT || VAL_BOOL(node, "x-kubernetes-embedded-resource");
    static const char *const names[] = {"kind", "apiVersion"};
    for (size_t i = 0; whole && i < ARRAY_LEN(names); i++) {
        const val *p = val_get(properties, names[i]);
        size_t back = enter_key(k, str_of(names[i]));
        if (p && !str_is(VAL_STR(p, "type"), "string"))
            invalid(k, "type", val_get(p, "type"), "must be string");
        if (level == LEVEL_ROOT && val_get(p, "default"))
            forbidden(k, "default",
                      i ? "must not be set in top-level apiVersion"
                        : "must not be set in top-level kind");
        leave(k, back);
    }
    if (!meta || !whole)
        return;
    size_t back = enter_key(k, STR("metadata"));
    if (!str_is(VAL_STR(meta, "type"), "object"))
        invalid(k, "type", val_get(meta, "type"), "must be object");
    bool extra = false;
    VAL_EACH (meta, key, v) {
        (void)v;
        extra |= !str_is(val_str(key), "type") && !str_is(val_str(key), "properties") &&
                 !str_is(val_str(key), "description") && !str_is(val_str(key), "default");
    }
    VAL_EACH (val_get(meta, "properties"), key, v) {
        (void)v;
        extra |= !str_is(val_str(key), "name") && !str_is(val_str(key), "generateName");
    }
    if (extra && level == LEVEL_ROOT)
        complain(k, "FieldValueForbidden", "", "Forbidden",
                 "must not specify anything other than name and generateName, but metadata is "
                 "implicitly specified");
    leave(k, back);
}

static void check_extensions(struct look *k, const val *node)
{
    const val *keep = val_get(node, "x-kubernetes-preserve-unknown-fields");
    if (val_is_bool(keep) && !val_bool(keep))
        invalid(k, "x-kubernetes-preserve-unknown-fields", keep, "must be true or undefined");
    bool either = VAL_BOOL(node, "x-kubernetes-int-or-string"),
         preserve = VAL_BOOL(node, "x-kubernetes-preserve-unknown-fields"),
         embedded = VAL_BOOL(node, "x-kubernetes-embedded-resource");
    if (either && preserve)
        invalid(k, "x-kubernetes-preserve-unknown-fields",
                val_get(node, "x-kubernetes-preserve-unknown-fields"),
                "must be false if x-kubernetes-int-or-string is true");
    if (either && embedded)
        invalid(k, "x-kubernetes-embedded-resource",
                val_get(node, "x-kubernetes-embedded-resource"),
                "must be false if x-kubernetes-int-or-string is true");
    if (embedded && !preserve && !val_len(val_get(node, "properties")))
        required(k, "properties",
                 "must not be empty if x-kubernetes-embedded-resource is true without "
                 "x-kubernetes-preserve-unknown-fields");
    if (embedded && val_get(node, "additionalProperties"))
        forbidden(k, "additionalProperties",
                  "must not be used if x-kubernetes-embedded-resource is set");
}

/* Members of JSON schema that structural schemas do not have. */
static void check_unsupported(struct look *k, const val *node)
{
    static const struct {
        const char *member, *text;
    } members[] = {
        {"definitions", "definitions is not supported"},
        {"dependencies", "dependencies is not supported"},
        {"id", "id is not supported"},
        {"patternProperties", "patternProperties is not supported"},
        {"additionalItems", "additionalItems is not supported"},
        {"$ref", "$ref is not supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (val_get(node, members[i].member))
            forbidden(k, members[i].member, members[i].text);
    if (VAL_BOOL(node, "uniqueItems"))
        forbidden(k, "uniqueItems",
                  "uniqueItems cannot be set to true since the runtime complexity becomes "
                  "quadratic");
    const val *more = val_get(node, "additionalProperties");
    if (val_len(val_get(node, "properties")) && more && (val_is_obj(more) || val_bool(more)))
        forbidden(k, "additionalProperties",
                  "additionalProperties and properties are mutual exclusive");
}

/* A default must be pruned and valid itself. */
static void check_default(struct look *k, const val *node)
{
    const val *def = val_get(node, "default");
    if (!def)
        return;
    struct arena a = {0};
    struct crd_compiled compiled = {.arena = &a};
    const struct crd_schema *s = crd_schema_compile(&compiled, node);
    val *copy = val_copy(k->d, def), *found = val_new_arr(k->d);
    struct buf unknown = {0};
    crd_prune(s, copy, s->embedded, &unknown);
    if (unknown.n)
        invalid(k, "default", def, "must not have unknown fields");
    crd_default(s, k->d, copy);
    crd_validate(s, copy, NULL, k->d, found);
    size_t back = enter(k, "default");
    VAL_FOR (found, cause) {
        struct str field = VAL_STR(cause, "field");
        bool placed = field.n && !str_is(field, "<nil>");
        cause_add(k->d, k->causes, arena_z(&a, VAL_STR(cause, "reason")),
                  placed ? arena_printf(&a, "%s.%.*s", buf_z(&k->path), STR_ARG(field)).p
                         : buf_z(&k->path),
                  "%.*s", STR_ARG(VAL_STR(cause, "message")));
    }
    leave(k, back);
    buf_done(&unknown);
    crd_compiled_done(&compiled);
    arena_done(&a);
}

static void check_node(struct look *k, const val *node, enum level level, int depth)
{
    if (depth > DEPTH_MAX) {
        forbidden(k, "", "the schema is nested too deeply");
        return;
    }
    if (str_is(VAL_STR(node, "type"), "array") && !val_get(node, "items"))
        required(k, "items", "must be specified");
    const val *items = val_get(node, "items"), *more = val_get(node, "additionalProperties");
    if (val_is_arr(items))
        forbidden(k, "items", "items must be a schema object and not an array");
    if (val_is_obj(items)) {
        size_t back = enter(k, "items");
        check_node(k, items, LEVEL_ITEM, depth + 1);
        leave(k, back);
    }
    VAL_EACH (val_get(node, "properties"), key, member) {
        size_t back = enter_key(k, val_str(key));
        if (level != LEVEL_ROOT || !str_is(val_str(key), "metadata"))
            check_node(k, member, LEVEL_FIELD, depth + 1);
        leave(k, back);
    }
    if (more && level == LEVEL_ROOT)
        forbidden(k, "additionalProperties", "must not be used at the root");
    if (val_is_obj(more)) {
        size_t back = enter(k, "additionalProperties");
        check_node(k, more, LEVEL_FIELD, depth + 1);
        leave(k, back);
    }
    check_unsupported(k, node);
    check_extensions(k, node);
    check_values(k, node, false, depth);
    check_complete(k, node, node, depth);
    check_type(k, node, level);
    check_given(k, node, level);
    check_topology(k, node);
    check_default(k, node);
}

void crd_check_structural(struct doc *d, const val *openapi, struct str path, val *causes)
{
    struct look k = {.d = d, .causes = causes};
    buf_put(&k.path, path);
    check_node(&k, openapi, LEVEL_ROOT, 0);
    buf_done(&k.path);
}
