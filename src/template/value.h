/* value.h: the values of a template, as Go programs have them.
 *
 * Charts can see Go's types: `printf "%T"`, `kindOf`, `eq 1 1.0`, error texts. So a value here is
 * what reflect.Value is there: a type and a payload. Types are constant data (struct gotype);
 * whoever brings a new Go type to templates (*chart.Metadata, time.Time, *semver.Version) writes a
 * constant of it, with fields and methods, and nothing else has to change.
 *
 * Values are passed by value. What they point to (text, elements, maps, fields) lives in the arena
 * of the render, is never freed alone, and is shared: maps are mutable and every copy of the value
 * sees a change, as in Go; slices and strings are never written after they were made.
 *
 * There are two kinds of "nil", as in reflect:
 *     type == NULL        no value at all (the constant nil, a `template` without an argument)
 *     type == &type_any   an empty interface{}: an absent key, a null of YAML
 * value_is_nil answers true for both and for nil pointers, maps and slices. A nil map, slice or
 * pointer has a NULL payload and keeps its type; the map functions below read a NULL map as empty.
 *
 * One thread at a time. */
#pragma once

#include "base/arena.h"
#include "doc/val.h"

struct func; /* func.h */
struct value;
struct vmap;

enum gokind {
    KIND_INVALID,
    KIND_BOOL,
    KIND_INT,
    KIND_INT8,
    KIND_INT16,
    KIND_INT32,
    KIND_INT64,
    KIND_UINT,
    KIND_UINT8,
    KIND_UINT16,
    KIND_UINT32,
    KIND_UINT64,
    KIND_UINTPTR,
    KIND_FLOAT32,
    KIND_FLOAT64,
    KIND_COMPLEX128,
    KIND_STRING,
    KIND_INTERFACE,
    KIND_SLICE,
    KIND_MAP, /* keys are always strings */
    KIND_STRUCT,
    KIND_PTR, /* to a struct */
    KIND_FUNC,
};

/* A field of a Go struct. As in Go, a small first letter keeps it from templates and JSON; fmt
 * shows it all the same. */
struct gofield {
    const char *name; /* as templates write it */
    const struct gotype *type;
    const char *json; /* the name in JSON and YAML; NULL: the same; "-": left out; "": inline */
    bool omitempty;
    bool embedded; /* its fields and methods are those of the outer struct, too */
};

struct gotype {
    enum gokind kind;
    const char *name; /* reflect.Type.String: "map[string]interface {}", "*chart.Metadata" */
    bool defined;     /* a defined type (chartutil.Values), not a literal one */
    const struct gotype *elem;    /* of slices, maps and pointers */
    const struct gofield *fields; /* of structs, ends with a NULL name; NULL: none are exported */
    const struct func *methods;   /* ends with a NULL name; the receiver is args[0]; a pointer type
                                     needs its own list (it may be the same array) */
    bool is_error;                /* `string` is its Error method */
    /* fmt.Stringer and error: what %v and %s print. NULL: neither. */
    struct str (*string)(struct arena *a, const struct value *v);
    /* json.Marshaler / encoding.TextMarshaler: the text that JSON puts into quotes. */
    struct str (*marshal_text)(struct arena *a, const struct value *v);
};

struct value {
    const struct gotype *type;
    union {
        bool b;
        int64_t i;             /* all signed kinds */
        uint64_t u;            /* all unsigned kinds */
        double f;              /* both float kinds */
        const double *complex; /* real and imaginary part */
        const char *p;         /* strings and []uint8: n bytes */
        struct value *items;   /* other slices: n of them */
        struct vmap *map;      /* maps */
        struct value *fields;  /* structs and pointers to them: in the order of type->fields */
        const void *opaque;    /* structs and pointers of types without exported fields */
        const struct func *func;
    };
    uint32_t n;
    bool boxed; /* its static type is interface{}; the evaluator's business (error texts show it) */
};

/* The types that Go programs get without declaring any, and what sprig and Helm return. */
extern const struct gotype type_any; /* interface {} */
extern const struct gotype type_bool, type_string;
extern const struct gotype type_int, type_int8, type_int16, type_int32, type_int64;
extern const struct gotype type_uint, type_uint8, type_uint16, type_uint32, type_uint64;
extern const struct gotype type_float32, type_float64, type_complex128;
extern const struct gotype type_duration;    /* time.Duration, an int64 */
extern const struct gotype type_bytes;       /* []uint8 */
extern const struct gotype type_list;        /* []interface {} */
extern const struct gotype type_strings;     /* []string */
extern const struct gotype type_ints;        /* []int */
extern const struct gotype type_list_list;   /* [][]interface {} */
extern const struct gotype type_map_list;    /* []map[string]interface {} */
extern const struct gotype type_map;         /* map[string]interface {} */
extern const struct gotype type_map_strings; /* map[string]string */
extern const struct gotype type_error;       /* *errors.errorString, of value_error */
extern const struct gotype type_value; /* reflect.Value: only in signatures, "takes it as it is" */
extern const struct gotype type_error_iface; /* error: only in signatures */

/* --- making --- */
#define VALUE_NONE ((struct value){0})
#define VALUE_NIL ((struct value){.type = &type_any}) /* what is to stand in lists and maps */

static inline struct value value_bool(bool b)
{
    return (struct value){.type = &type_bool, .b = b};
}
static inline struct value value_int(int64_t i) /* Go's int */
{
    return (struct value){.type = &type_int, .i = i};
}
static inline struct value value_int64(int64_t i)
{
    return (struct value){.type = &type_int64, .i = i};
}
static inline struct value value_float(double f) /* float64 */
{
    return (struct value){.type = &type_float64, .f = f};
}
/* The bytes are borrowed: static, or of the render's arena. At most VALUE_MAX_BYTES. */
static inline struct value value_str(struct str s)
{
    return (struct value){.type = &type_string, .p = s.p, .n = (uint32_t)s.n};
}
static inline struct value value_z(const char *z)
{
    return value_str(str_of(z));
}
struct value value_bytes(struct str s); /* []uint8, not nil */
/* A slice of any type over items, which are borrowed; never nil, even when n is 0. */
struct value value_slice(const struct gotype *type, struct value *items, size_t n);
/* The same with room of its own for n items, all VALUE_NONE: fill ret.items. */
struct value value_slice_new(struct arena *a, const struct gotype *type, size_t n);
struct value value_map_new(struct arena *a, const struct gotype *type); /* empty, not nil */
struct value value_map(const struct gotype *type, struct vmap *map);
/* A struct or pointer to one, every field the zero value of its type; fill ret.fields. */
struct value value_struct_new(struct arena *a, const struct gotype *type);
struct value value_error(struct arena *a, struct str text);
struct str value_error_text(struct value error); /* of a type_error */
struct value value_complex(struct arena *a, double re, double im);
struct value value_zero(struct arena *a, const struct gotype *type); /* reflect.Zero */

enum {
    VALUE_MAX_BYTES = 1 << 30, /* one string */
    VALUE_MAX_DEPTH = 1000,    /* walks over nested values stop there */
    VALUE_MAX_NODES = 1 << 22, /* and so do those that a shared value leads to too often */
};

/* --- reading --- */
static inline enum gokind value_kind(struct value v)
{
    return v.type ? v.type->kind : KIND_INVALID;
}
static inline struct str value_text(struct value v) /* of strings and []uint8 */
{
    return (struct str){v.p, v.n};
}
/* Cuts a number to the bits of its type, as a conversion in Go does. */
struct value value_fit(struct value v);
const char *gokind_name(enum gokind k);             /* "map", "slice", "float64", "invalid", … */
const char *value_type_name(struct value v);        /* Go's %T: "<nil>" for nils */
bool value_is_nil(struct value v);                  /* see above */
bool value_is_list(struct value v);                 /* a slice, []uint8 included */
struct value value_at(struct value list, size_t i); /* i < n; a []uint8 gives uint8 */
/* text/template's IsTrue: not zero, not empty, not nil; every struct is true. */
bool value_truth(struct value v);
/* reflect.DeepEqual. */
bool value_deep_equal(struct value a, struct value b);

static inline bool gokind_is_int(enum gokind k)
{
    return k >= KIND_INT && k <= KIND_INT64;
}
static inline bool gokind_is_uint(enum gokind k)
{
    return k >= KIND_UINT && k <= KIND_UINTPTR;
}
static inline bool gokind_is_float(enum gokind k)
{
    return k == KIND_FLOAT32 || k == KIND_FLOAT64;
}

/* --- structs --- */
/* The field, those of embedded structs included; false: none of that name, or not exported. A nil
 * pointer: false. */
bool value_field(struct value v, struct str name, struct value *ret);
/* Sets the field, which exists; v is not nil. For makers. */
void value_set_field(struct value v, const char *name, struct value field);
static inline bool gofield_exported(const struct gofield *f)
{
    return f->name[0] < 'a' || f->name[0] > 'z';
}
/* The method of a type (embedded ones included), or NULL. */
const struct func *gotype_method(const struct gotype *t, struct str name);

/* --- maps: sorted by the bytes of their keys --- */
struct vmap_entry {
    struct str key;
    struct value value;
};

struct vmap {
    struct arena *arena; /* where it grows */
    struct vmap_entry *entries;
    uint32_t n, cap;
    uint32_t pins; /* walks under way over `entries` */
};

struct vmap *vmap_new(struct arena *a, size_t cap);
static inline size_t vmap_len(const struct vmap *m)
{
    return m ? m->n : 0;
}
struct value *vmap_get(const struct vmap *m,
                       struct str key); /* NULL: absent; valid until a change */
/* Adds or replaces. The key's bytes are borrowed; nil values are stored as VALUE_NIL. */
void vmap_set(struct vmap *m, struct str key, struct value v);
bool vmap_del(struct vmap *m, struct str key);

/* Walks what the map held when the walk began, whatever is done to it inside:
 *     struct vmap_walk w = vmap_walk(m);
 *     for (struct vmap_entry *e; (e = vmap_next(&w));)
 * A walk that is left early costs a copy at the next change, nothing more. */
struct vmap_walk {
    struct vmap *map;
    struct vmap_entry *entries;
    size_t at, n;
};
struct vmap_walk vmap_walk(struct vmap *m);
struct vmap_entry *vmap_next(struct vmap_walk *w);

/* --- documents --- */
/* JSON and YAML as Helm's loader gives them: every number is a float64, objects are
 * map[string]interface {}. Text is copied into the arena. */
struct value value_from_val(struct arena *a, const val *v);
/* As encoding/json marshals: structs by their JSON names, []uint8 in base64, nil maps and slices
 * null. Fails on NaN, infinities, functions and too deep nesting ("json: unsupported value: NaN").
 */
int value_to_val(struct doc *d, struct arena *a, struct value v, val **ret, struct err *err);
