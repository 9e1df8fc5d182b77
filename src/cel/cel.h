/* cel.h: the Common Expression Language as Kubernetes 1.34 runs it.
 *
 *     struct cel_var vars[] = {{STR("self"), type}, {STR("oldSelf"), type}};
 *     struct cel_env env = {.vars = vars, .var_count = 2};
 *     struct cel_program *p = cel_compile(&env, STR("self.replicas <= 5"), &issues);
 *     …
 *     struct cel_binding values[] = {{STR("self"), cel_of_doc(object, type)}, …};
 *     struct cel_input in = {.bindings = values, .count = 2};
 *     cel_eval(p, &in, &arena, CEL_CALL_LIMIT, &cost, &value, &err);
 *     cel_program_free(p);
 *
 * The language is that of cel-go 0.26 with the options and libraries of
 * k8s.io/apiserver/pkg/cel/environment: optional values, two-variable comprehensions, cross-type
 * comparisons of numbers, homogeneous literals, the strings (version 2), sets and lists (version 3)
 * extensions, and the Kubernetes libraries url, regex, lists, quantity, ip, cidr, semver, format
 * and authorizer. As there, cel.bind, base64 and math do not exist. Messages are upstream's; so are
 * estimated and actual costs. What the syntax can name but Kubernetes has no use for, building
 * protobuf messages (`google.protobuf.Value{}`), is refused as an undeclared reference.
 *
 * Limits: 100,000 characters an expression, 250 levels of nesting; evaluation is bounded by cost
 * alone, since every step that takes time or memory has one.
 *
 * Types, environments and programs are immutable once made, and may be used on any thread; an
 * evaluation belongs to one thread and allocates from its caller's arena. Types live in the arena
 * that they were made in, which outlives the programs compiled with them. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "doc/schema.h"
#include "doc/val.h"

enum {
    CEL_CALL_LIMIT = 1000000,        /* cost of one evaluation: celconfig.PerCallLimit */
    CEL_MAX_LENGTH = 100000,         /* characters */
    CEL_MAX_DEPTH = 250,             /* nesting of each kind of operator */
    CEL_REQUEST_BYTES = 3 * 1048576, /* estimates: the largest object there can be */
};

/* --- types --- */
enum cel_type_kind {
    CEL_T_DYN,
    CEL_T_ERROR, /* of an expression that was refused */
    CEL_T_NULL,
    CEL_T_BOOL,
    CEL_T_INT,
    CEL_T_UINT,
    CEL_T_DOUBLE,
    CEL_T_STRING,
    CEL_T_BYTES,
    CEL_T_TIMESTAMP,
    CEL_T_DURATION,
    CEL_T_LIST,     /* of a */
    CEL_T_MAP,      /* from a to b */
    CEL_T_TYPE,     /* the type a */
    CEL_T_OPTIONAL, /* of a */
    CEL_T_STRUCT,   /* by name */
    CEL_T_OPAQUE,   /* by name */
    CEL_T_PARAM,    /* of a function's signature */
};

enum cel_form { /* how documents hold a value of the type */
                CEL_FORM_PLAIN,
                CEL_FORM_DATE,
                CEL_FORM_DATE_TIME,
                CEL_FORM_DURATION,
                CEL_FORM_BYTE,
                CEL_FORM_INT_OR_STRING,
};

struct cel_field {
    struct str name; /* as expressions write it: dots, dashes, slashes, keywords are escaped */
    struct str json_name;
    const struct cel_type *type;
};

struct cel_type {
    enum cel_type_kind kind;
    struct str name; /* of structs, opaque types and parameters */
    const struct cel_type *a, *b;
    int param; /* which type variable a parameter is */

    /* What a schema says; all zero for types that expressions make. */
    bool declared;                  /* the members below mean something */
    bool object;                    /* named fields, not a map: an absent null is no value */
    bool nullable;                  /* null is a value of its own */
    enum cel_form form;             /* of strings */
    enum schema_list list;          /* set and map lists are equal in any order */
    const struct cel_field *fields; /* sorted by name */
    size_t field_count;
    const struct str *list_keys;
    size_t list_key_count;
    int64_t max_elements; /* characters, items or members at most; 0 where upstream has none */
    int64_t min_size;     /* bytes of JSON at least */
};

/* A type without parameters: CEL_T_DYN to CEL_T_DURATION. */
const struct cel_type *cel_type_plain(enum cel_type_kind kind);
const struct cel_type *cel_type_list(struct arena *a, const struct cel_type *item);
const struct cel_type *cel_type_map(struct arena *a, const struct cel_type *key,
                                    const struct cel_type *value);
const struct cel_type *cel_type_optional(struct arena *a, const struct cel_type *of);
const struct cel_type *cel_type_authorizer(void);

/* The type of values that a structural OpenAPI v3 schema (a CustomResourceDefinition's, as JSON)
 * describes, or NULL when expressions cannot see them: no type,
 * x-kubernetes-preserve-unknown-fields alone. `name` becomes the prefix of object types in messages
 * (upstream takes "selfType" and a random number). At a resource's root apiVersion, kind,
 * metadata.name and metadata.generateName are there even when the schema does not name them.
 * Strings of the schema are copied. */
const struct cel_type *cel_type_of_openapi(struct arena *a, const val *schema, bool root,
                                           struct str name);
/* The same for a built-in kind. Recursive definitions are dyn at the second turn. */
const struct cel_type *cel_type_of_schema(struct arena *a, const struct schema *schema,
                                          struct str name);

/* "map(string, int)", as upstream names a result type. Appends. */
void cel_type_write(const struct cel_type *t, struct buf *b);
bool cel_type_eq(const struct cel_type *x, const struct cel_type *y);

/* How often a value of at least min_size bytes fits into a request: the factor by which upstream
 * multiplies the estimate of a rule below an unbounded list or map. */
uint64_t cel_max_cardinality(int64_t min_size);

/* Field names to identifiers and back (k8s.io/apiserver/pkg/cel.Escape); false: impossible. */
bool cel_escape(struct arena *a, struct str name, struct str *ret);
bool cel_unescape(struct arena *a, struct str identifier, struct str *ret);

/* --- values --- */
enum cel_kind {
    CEL_ERROR, /* text: the message */
    CEL_NULL,
    CEL_BOOL,
    CEL_INT,
    CEL_UINT,
    CEL_DOUBLE,
    CEL_STRING,
    CEL_BYTES,
    CEL_TIMESTAMP,
    CEL_DURATION, /* i: nanoseconds */
    CEL_LIST,
    CEL_MAP,
    CEL_TYPE,
    CEL_OPTIONAL, /* optional; NULL: none */
    CEL_QUANTITY,
    CEL_URL,
    CEL_IP,
    CEL_CIDR,
    CEL_SEMVER,
    CEL_FORMAT,
    CEL_AUTHORIZER,
    CEL_PATH_CHECK,
    CEL_GROUP_CHECK,
    CEL_RESOURCE_CHECK,
    CEL_DECISION,
};

struct cel_value {
    enum cel_kind kind : 8;
    int zone : 24; /* seconds east of UTC, as a timestamp was written */
    int32_t nanos; /* of a timestamp; of a quantity 1: it was computed */
    union {
        bool b;
        int64_t i; /* a timestamp's seconds since 1970 too */
        uint64_t u;
        double d;
        struct str s;
        const struct cel_list *list;
        const struct cel_map *map;
        const struct cel_type *type;
        const struct cel_value *optional;
        const struct quantity *quantity;
        const struct cel_url *url;
        const struct cel_ip *ip; /* a CIDR too */
        const struct cel_semver *semver;
        const struct cel_format *format;
        const struct cel_check *check; /* the authorizer's builders */
        const struct cel_decision *decision;
    };
};

static inline struct cel_value cel_null(void)
{
    return (struct cel_value){.kind = CEL_NULL};
}
static inline struct cel_value cel_bool(bool b)
{
    return (struct cel_value){.kind = CEL_BOOL, .b = b};
}
static inline struct cel_value cel_int(int64_t i)
{
    return (struct cel_value){.kind = CEL_INT, .i = i};
}
static inline struct cel_value cel_string(struct str s) /* s lives as long as the value */
{
    return (struct cel_value){.kind = CEL_STRING, .s = s};
}

/* A document as its type describes it; both live as long as the value. The arena holds a few words
 * for containers. A document that does not fit its type is an error value. */
struct cel_value cel_of_doc(struct arena *a, const val *v, const struct cel_type *type);
/* One without a schema: objects are maps from strings. */
struct cel_value cel_of_json(struct arena *a, const val *v);
struct cel_value cel_optional_of(struct arena *a, struct cel_value v);
struct cel_value cel_optional_none(void);
struct cel_value cel_authorizer(struct arena *a);

/* The value as JSON, as upstream's messageExpression and policies convert it; an error for what has
 * no JSON form. */
int cel_to_doc(struct cel_value v, struct doc *d, val **ret, struct err *err);
/* A debugging text: `[1, "a", duration(5s)]`. Appends. */
void cel_value_write(struct cel_value v, struct buf *b);

/* --- programs --- */
struct cel_var {
    struct str name;
    const struct cel_type *type;
};

struct cel_env {
    const struct cel_var *vars;
    size_t var_count;
    /* The expression is stored already. Upstream keeps what a release brings (in 1.34: the
     * functions of the lists extension) back from new expressions for one release, so that a
     * rollback can read them. */
    bool stored;
};

struct cel_cost {
    uint64_t min, max;
};

struct cel_program;

/* NULL when the expression is refused: `issues` gets what is wrong, in cel-go's form
 * (`ERROR: <input>:1:6: undefined field 'foo'`, the line, and a caret), one issue after the other.
 * The text may be freed afterwards. */
struct cel_program *cel_compile(const struct cel_env *env, struct str text, struct buf *issues);
void cel_program_free(struct cel_program *p);

const struct cel_type *cel_program_type(const struct cel_program *p);
/* The least and the most that evaluation can cost, for inputs that obey their types; UINT64_MAX:
 * no bound. */
struct cel_cost cel_program_cost(const struct cel_program *p);
bool cel_program_uses(const struct cel_program *p, struct str var);

struct cel_binding {
    struct str name;
    struct cel_value value;
};

/* What the authorizer library asks. Answers may fail; `reason` lives as long as the arena. */
struct cel_question {
    struct str path; /* with verb: a non-resource request; else the members below */
    struct str verb;
    struct str group, resource, subresource, namespace, name;
    struct str field_selector, label_selector;
    struct str service_account_namespace, service_account_name; /* else: the requesting user */
};
struct cel_answer {
    bool allowed;
    struct str reason;
    struct str error; /* not empty: the authorizer failed */
};
typedef struct cel_answer cel_authorize_fn(void *arg, const struct cel_question *question,
                                           struct arena *a);

struct cel_input {
    const struct cel_binding *bindings;
    size_t count;
    cel_authorize_fn *authorize; /* NULL: every check is denied */
    void *authorize_arg;
};

/* 0 with the value, which lives as long as the arena, the inputs and the program, or -1: the
 * message is upstream's ("no such key: foo"); its reason is CEL_OVER_COST when the cost passed the
 * limit. *ret_cost is set in any case, and may be more than the limit by one step. */
extern const char CEL_OVER_COST[];
int cel_eval(const struct cel_program *p, const struct cel_input *in, struct arena *a,
             uint64_t limit, uint64_t *ret_cost, struct cel_value *ret, struct err *err);
