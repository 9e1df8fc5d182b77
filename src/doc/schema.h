/* schema.h: what a kind's documents look like, as data.
 *
 * A schema says the type of a value and, for an object, its fields; each field carries what
 * upstream's API machinery knows about it: default, enum, list and map kind, merge keys, protobuf
 * number. The built-in ones are generated from upstream's OpenAPI and protobuf definitions into
 * schemas/ and compiled into constant tables; custom resources will build the same structures at
 * run time. Everything here is immutable and may be used on any thread. */
#pragma once

#include "doc/val.h"

enum schema_type {
    SCHEMA_OBJECT, /* known fields */
    SCHEMA_MAP,    /* string keys, values of `items` */
    SCHEMA_ARRAY,  /* of `items` */
    SCHEMA_STRING,
    SCHEMA_BYTES, /* base64 in JSON, bytes in protobuf */
    SCHEMA_BOOL,
    SCHEMA_INT32,
    SCHEMA_INT64,
    SCHEMA_DOUBLE,
    SCHEMA_QUANTITY,   /* resource.Quantity: a string in JSON; a number is accepted and becomes a
                          string */
    SCHEMA_TIME,       /* metav1.Time: RFC 3339, seconds */
    SCHEMA_MICRO_TIME, /* metav1.MicroTime */
    SCHEMA_DURATION,   /* metav1.Duration: Go's "1h2m" */
    SCHEMA_INT_OR_STRING,
    SCHEMA_FIELDS_V1, /* managedFields' fieldsV1: any JSON, raw JSON bytes in protobuf */
    SCHEMA_RAW,       /* runtime.RawExtension, JSON: anything */
    /* JSONSchemaPropsOr…, of `items`: a schema, or a boolean, an array of schemas, an array of
     * strings. */
    SCHEMA_PROPS_OR_BOOL,
    SCHEMA_PROPS_OR_ARRAY,
    SCHEMA_PROPS_OR_STRINGS,
};

enum schema_list { /* x-kubernetes-list-type, x-kubernetes-map-type */
                   SCHEMA_LIST_ATOMIC,
                   SCHEMA_LIST_SET,
                   SCHEMA_LIST_MAP, /* keyed by list_keys */
                   SCHEMA_MAP_GRANULAR,
                   SCHEMA_MAP_ATOMIC,
};

enum schema_patch { /* bits of x-kubernetes-patch-strategy */
                    SCHEMA_PATCH_MERGE = 1,
                    SCHEMA_PATCH_REPLACE = 2,
                    SCHEMA_PATCH_RETAIN_KEYS = 4,
};

struct schema;

struct schema_field {
    const char *name; /* JSON name; "" for an embedded struct that protobuf has as a field and JSON
                         does not */
    const struct schema *schema;
    const char *go_type; /* as in Go's error messages; NULL: it follows from the schema */
    /* NULL: none. The default of an object that Go always has (no pointer) is merged in member by
     * member. */
    const char *default_json;
    /* NULL: the default always applies. "type=A|B": only while the string member `type` beside it
     * has one of the values; "type=": while it was absent or empty before defaulting. */
    const char *default_when;
    const char *const *enums;     /* NULL-terminated, for an array: of its items, in the order of
                                     messages; NULL: any value */
    const char *const *list_keys; /* SCHEMA_LIST_MAP: NULL-terminated */
    const char *merge_key;        /* x-kubernetes-patch-merge-key, or NULL */
    const char *required_detail;  /* behind "Required value: ", or NULL */
    uint16_t proto;               /* protobuf field number; 0: not in protobuf */
    uint8_t list;                 /* enum schema_list */
    uint8_t patch;                /* enum schema_patch bits */
    bool open_enum;               /* code checks the value, schema_validate does not */
    bool may_be_empty;            /* validation accepts it without content, though it is required */
    bool required;                /* in OpenAPI's "required" */
    bool keep_empty;              /* Go writes it even when it is zero: no omitempty */
    bool pointer; /* Go type is a pointer: zero differs from absent (protobuf presence) */
};

struct schema {
    const char
        *name; /* OpenAPI definition name, as io.k8s.api.core.v1.PodSpec; NULL for inline ones */
    enum schema_type type;
    const struct schema_field *fields; /* SCHEMA_OBJECT, in protobuf order */
    size_t field_count;
    const struct schema *items; /* SCHEMA_MAP, SCHEMA_ARRAY, SCHEMA_PROPS_… */
    /* All JSON members, those of embedded structs too, sorted by name: schema_field's index. */
    const struct schema_field *const *by_name;
    uint16_t by_name_count;
    uint8_t map; /* enum schema_list, of an object: granular or atomic */
    bool preserve_unknown;
    bool embedded; /* an object with apiVersion, kind, metadata inside another */
    bool boxed; /* an array that protobuf wraps in a message, its items in field 1 (ExtraValue) */
    bool has_defaults; /* this schema, or one below it, has a default */
    /* NULL for what upstream has Go types for. Else the functions below ask these instead: a custom
     * resource is judged by the OpenAPI schema of its definition, not by the rules of a decoder. */
    const struct schema_custom *custom;
};

struct schema_custom {
    int (*check)(const struct schema *s, struct doc *d, val *v, struct buf *strict,
                 struct err *err);
    void (*normalize)(const struct schema *s, struct doc *d, val *v);
    void (*fill)(const struct schema *s, struct doc *d, val *v); /* defaults */
};

/* A definition by its OpenAPI name, or NULL. */
const struct schema *schema_find(struct str name);

const struct schema_field *schema_field(const struct schema *s, struct str name);

/* Decodes as encoding/json does with upstream's field validation. Wrong types are an error (400,
 * "json: cannot unmarshal string into Go struct field …", what upstream has behind `cannot be
 * handled as a Pod: `). Unknown and duplicate fields are pruned from v and, unless `strict` is
 * NULL, added to it one a line (`unknown field "spec.foo"`, `duplicate field "spec.a"`); upstream
 * joins them with ", " behind "strict decoding error: ". Null members are dropped; quantities,
 * times, durations and base64 take their canonical form. */
int schema_check(const struct schema *s, struct doc *d, val *v, struct buf *strict,
                 struct err *err);

/* Brings v into the form in which Go's encoder writes an object of its type: empty members that
 * have omitempty go, the others (`resources: {}`, `status: {}`) come. For whole objects, not for
 * patches or applied configurations. */
void schema_normalize(const struct schema *s, struct doc *d, val *v);

/* Fills in the defaults that are constants, or depend on one string beside them. */
void schema_default(const struct schema *s, struct doc *d, val *v);

/* Errors that the schema knows: required, unsupported values (enums). The status of an object is
 * not looked at: its writers are components. Appends to `causes`, an array in the form of
 * metav1.StatusCause ({reason, message, field}), in upstream's words (`Required value`,
 * `Unsupported value: "x": supported values: …`). */
void schema_validate(const struct schema *s, const val *v, const char *path, struct doc *d,
                     val *causes);

/* Kubernetes protobuf: an envelope ("k8s", NUL, runtime.Unknown) around the message.
 * schema_proto_type opens it: the answers are views of body. Decoding gives the JSON form, as
 * schema_normalize leaves it, with the envelope's apiVersion and kind. Encoding is the reverse,
 * byte for byte what Go's generated marshalers write. Limits: DOC_MAX_BYTES, 200 levels, 500,000
 * values; times outside the years 1678 to 2261 are refused. */
int schema_decode_proto(const struct schema *s, struct doc *d, struct str body, val **ret,
                        struct err *err);
int schema_proto_type(struct str body, struct str *ret_api_version, struct str *ret_kind,
                      struct str *ret_raw, struct err *err);
int schema_encode_proto(const struct schema *s, const val *v, struct buf *b, struct err *err);

/* --- the kinds --- */
struct schema_column { /* one of upstream's table columns, for kubectl get */
    const char *name, *type, *format, *description;
    int priority; /* 0: always, 1: -o wide */
};

struct schema_subresource {
    const char *name;                   /* "status", "scale", "log", … */
    const char *group, *version, *kind; /* what it answers, as in discovery */
    const char *const *verbs;
    const struct schema *schema;
};

struct schema_kind {
    const char *group, *version; /* "" is the core group */
    const char *kind, *list_kind;
    const char *resource, *singular;
    const char *const *short_names; /* NULL-terminated, never NULL; so are the next three */
    const char *const *categories;
    const char *const *subresources; /* "status", "scale", "log", … */
    const char *const *verbs;        /* discovery order */
    const struct schema *schema;
    const struct schema *list_schema;                  /* NULL when there is no list */
    const struct schema_subresource *subresource_info; /* the last has name NULL; never NULL */
    const char *storage_version_hash;                  /* discovery's; NULL: none */
    bool namespaced;
};

/* All built-in kinds, in discovery order; the last has kind == NULL. */
extern const struct schema_kind schema_kinds[];

/* What a document with this apiVersion ("apps/v1") and kind holds: a kind, its list, what a
 * subresource takes (Scale, Eviction, TokenRequest, …), or a kind of meta/v1 that every group has
 * (DeleteOptions, Status, List, …). NULL: none of them. */
const struct schema *schema_of_kind(struct str api_version, struct str kind);
