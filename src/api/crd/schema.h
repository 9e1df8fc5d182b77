/* schema.h: the structural OpenAPI v3 schema of a custom resource, compiled.
 *
 * What upstream does with it (k8s.io/apiextensions-apiserver/pkg/apiserver/schema): prune what it
 * does not know, fill in defaults, drop nulls that may not be, validate (kube-openapi's validator,
 * with its messages), evaluate CEL rules. Immutable after compilation; any thread. */
#pragma once

#include "base/arena.h"
#include "cel/cel.h"
#include "doc/val.h"
#include "regex/regex.h"

enum crd_type {
    CRD_ANY,
    CRD_OBJECT,
    CRD_ARRAY,
    CRD_STRING,
    CRD_INTEGER,
    CRD_NUMBER,
    CRD_BOOLEAN,
};

struct crd_schema;

struct crd_property {
    struct str name;
    const struct crd_schema *schema;
};

struct crd_rule {                                  /* one of x-kubernetes-validations */
    struct cel_program *program, *message_program; /* the second may be NULL */
    struct str rule, message, field_path;
    const char *reason; /* "FieldValueInvalid", … */
    bool transition;    /* names oldSelf */
    bool optional_old;
};

struct crd_number { /* a limit */
    bool set;
    double value;
    int64_t integer;
};

struct crd_schema {
    enum crd_type type;
    bool nullable, int_or_string, preserve, embedded, unique;
    bool set_list, map_list;
    bool has_rules, has_embedded; /* here or below */
    bool exclusive_minimum, exclusive_maximum;
    struct crd_property *properties; /* sorted by name */
    size_t property_count;
    const struct crd_schema *items, *additional;
    bool additional_any; /* additionalProperties: true */
    const val *def;      /* default; of the definition's document */
    const val *enums;
    struct str *required, *list_keys;
    size_t required_count, list_key_count;
    struct crd_number minimum, maximum, multiple_of, min_length, max_length, min_items, max_items,
        min_properties, max_properties;
    struct regex *pattern;
    struct str pattern_text, format;
    const struct crd_schema **all_of, **any_of, **one_of;
    size_t all_count, any_count, one_count;
    const struct crd_schema *not_of;
    const struct cel_type *cel_type;
    struct crd_rule *rules;
    size_t rule_count;
};

/* What has to be freed besides the arena. */
struct crd_compiled {
    struct arena *arena;
    struct regex **patterns;
    size_t pattern_count, pattern_cap;
    struct cel_program **programs;
    size_t program_count, program_cap;
};

/* openapi is an openAPIV3Schema that was accepted; it lives as long as the result. Rules that do
 * not compile are left out (they were refused when the definition was written). */
const struct crd_schema *crd_schema_compile(struct crd_compiled *c, const val *openapi);
void crd_compiled_done(struct crd_compiled *c);

const struct crd_schema *crd_schema_property(const struct crd_schema *s, struct str name);

/* Removes what the schema does not know. Each is reported to strict (NULL: nobody asks) as
 * `unknown field "spec.foo"`, one a line; duplicates too. root: apiVersion, kind and metadata are
 * left alone. */
void crd_prune(const struct crd_schema *s, val *v, bool root, struct buf *strict);
/* Defaults, then nulls that may not be and have none. */
void crd_default(const struct crd_schema *s, struct doc *d, val *v);
/* Only the nulls: those that may not be and have no default. */
void crd_drop_nulls(const struct crd_schema *s, val *v);

/* Embedded objects (embedded.c): their types must be texts, their metadata metadata; what those do
 * not know is reported to strict. -1: err says what is wrong, as decoding does. */
int crd_coerce_embedded(const struct crd_schema *s, struct doc *d, val *v, struct buf *strict,
                        struct err *err);
/* Appends causes: what is missing or has no right form in them. */
void crd_check_embedded(const struct crd_schema *s, const val *v, struct doc *d, val *causes);
/* Findings about metadata, a line each, as those of the object at path. */
void crd_put_nested(struct str lines, struct str path, struct buf *strict);

/* Appends causes. old: NULL on create; what did not change is not judged again (ratcheting). */
void crd_validate(const struct crd_schema *s, const val *v, const val *old, struct doc *d,
                  val *causes);

/* --- CEL (crd_cel.c) --- */
/* Evaluates the rules on v and below. now: the server's time is no variable of rules, so nothing
 * else is needed. Appends causes. */
void crd_rules_check(const struct crd_schema *s, const val *v, const val *old, struct arena *a,
                     struct doc *d, val *causes);
/* Compiles the rules of node into s. Called by crd_schema_compile. */
void crd_rules_compile(struct crd_compiled *c, struct crd_schema *s, const val *node, bool root);
/* Says what is wrong with the rules of a schema at path (spec.versions[0].schema.openAPIV3Schema).
 */
void crd_rules_validate(const val *openapi, struct str path, struct doc *d, val *causes);
