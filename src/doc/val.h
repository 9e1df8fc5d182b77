/* val.h: documents, the one value type of JSON and YAML in this program.
 *
 * A `val` is null, a boolean, a number, a string, an array or an object (members keep their order).
 * Values live in a `struct doc`, which owns all of them and their strings; freeing the doc frees
 * them. A value is in one place of one tree: to use it twice, val_copy it. Reading functions accept
 * NULL and wrong types and answer with NULL, 0, false or the empty string, so that a path into an
 * object can be walked without a check at each step.
 *
 * The representation is yyjson's mutable value; only doc/ knows. Arrays and objects are linked:
 * walking is cheap, an index is linear. A doc and its values belong to one thread at a time; one
 * that nobody changes may be read by many. */
#pragma once

#include <yyjson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

typedef yyjson_mut_val val;

struct doc {
    yyjson_mut_doc *d; /* NULL until something is made in it */
};

enum {
    DOC_MAX_BYTES = 3 * 1024 * 1024, /* kube-apiserver's limit of a request body */
    DOC_MAX_DEPTH = 500,             /* nesting; deeper input is refused */
    DOC_MAX_VALUES = 3000000,
};

void doc_init(struct doc *doc);
void doc_done(struct doc *doc); /* a doc that was never used is fine, and so is calling it twice */

/* Parses one JSON text. Errors: 400 with line and column and a message in the words of Go's
 * encoding/json. Duplicate keys are kept in order (strict decoding finds them; val_get answers the
 * last). Invalid UTF-8 is refused. */
int doc_parse_json(struct doc *doc, struct str text, val **ret, struct err *err);
/* The same for what is no request's body, such as a list of many objects: at most `max` bytes. */
int doc_parse_json_max(struct doc *doc, struct str text, size_t max, val **ret, struct err *err);
/* As encoding/json reads, which takes a byte that is no UTF-8 and half a surrogate pair for U+FFFD.
 */
int doc_parse_json_go(struct doc *doc, struct str text, val **ret, struct err *err);
/* So does its Decoder: the first value of a text, which is *ret_n bytes long with the blanks before
 * it. */
int doc_parse_json_first(struct doc *doc, struct str text, size_t *ret_n, val **ret,
                         struct err *err);

/* Parses one YAML document as sigs.k8s.io/yaml reads it into JSON: YAML 1.1 scalars, anchors,
 * merges; an empty text is null. Aliases may not multiply the size beyond the limits above. */
int doc_parse_yaml(struct doc *doc, struct str text, val **ret, struct err *err);
/* The same for what is no request's body, such as the index of a chart repository. */
int doc_parse_yaml_max(struct doc *doc, struct str text, size_t max, val **ret, struct err *err);

/* The same for strict decoding: of duplicate keys the last one stands, and each is reported to
 * `duplicates` as go-yaml words it (`line 3: key "a" already set in map`), one a line. */
int doc_parse_yaml_strict(struct doc *doc, struct str text, val **ret, struct buf *duplicates,
                          struct err *err);

/* Walks the documents of a YAML stream that "---" lines separate, as kubectl does; the parts are
 * views of rest. JSON texts pass through the same loop. */
bool doc_next_yaml(struct str *rest, struct str *ret_part);

/* Compact JSON, as Go's encoding/json prints it without HTML escapes. Appends to b. */
void val_write_json(const val *v, struct buf *b);
/* sigs.k8s.io/yaml's Marshal: keys sorted, two spaces. Appends. */
void val_write_yaml(const val *v, struct buf *b);

/* --- reading --- */
static inline bool val_is_null(const val *v)
{
    return v == NULL || yyjson_mut_is_null((val *)v);
}
static inline bool val_is_obj(const val *v)
{
    return yyjson_mut_is_obj((val *)v);
}
static inline bool val_is_arr(const val *v)
{
    return yyjson_mut_is_arr((val *)v);
}
static inline bool val_is_str(const val *v)
{
    return yyjson_mut_is_str((val *)v);
}
static inline bool val_is_num(const val *v)
{
    return yyjson_mut_is_num((val *)v);
}
static inline bool val_is_int(const val *v)
{
    return yyjson_mut_is_int((val *)v);
}
static inline bool val_is_bool(const val *v)
{
    return yyjson_mut_is_bool((val *)v);
}
static inline bool val_bool(const val *v)
{
    return yyjson_mut_is_true((val *)v);
}

static inline struct str val_str(const val *v)
{
    return val_is_str(v) ? (struct str){yyjson_mut_get_str((val *)v), yyjson_mut_get_len((val *)v)}
                         : (struct str){0};
}

static inline size_t val_len(const val *v) /* members or elements; 0 for anything else */
{
    return yyjson_mut_is_ctn((val *)v) ? yyjson_mut_get_len((val *)v) : 0;
}

int64_t val_int(const val *v); /* integers; a real is cut towards zero; saturates */
double val_real(const val *v);
/* "null", "bool", "number", "string", "array", "object": encoding/json's words. */
const char *val_type_name(const val *v);

/* The member (the last of duplicates), or NULL. */
val *val_get(const val *obj, const char *key);
val *val_get_str(const val *obj, struct str key);
/* Down through objects: VAL_PATH(pod, "spec", "nodeName"). */
val *val_path(const val *v, const char *const *path);
#define VAL_PATH(v, ...) val_path((v), (const char *const[]){__VA_ARGS__, NULL})
/* Path to a string, integer, boolean in one step. */
#define VAL_STR(v, ...) val_str(VAL_PATH(v, __VA_ARGS__))
#define VAL_INT(v, ...) val_int(VAL_PATH(v, __VA_ARGS__))
#define VAL_BOOL(v, ...) val_bool(VAL_PATH(v, __VA_ARGS__))
val *val_at(const val *arr, size_t i); /* linear */

/* Walks: `VAL_FOR(arr, item)` and `VAL_EACH(obj, key, member)` (key is a val; val_str(key)).
 * `break` and `continue` do what they say. The container must not change inside. */
#define VAL_FOR(arr, item)                                                                         \
    for (struct val_walk item##_w = val_walk_arr(arr); item##_w.open; item##_w.open = false)       \
        for (val * item; (item = val_walk_next(&item##_w));)
#define VAL_EACH(obj, key, member)                                                                 \
    for (struct val_walk key##_w = val_walk_obj(obj); key##_w.open; key##_w.open = false)          \
        for (val * key, *member; (key = val_walk_next_key(&key##_w, &member));)

struct val_walk {
    val *at;     /* the next element or key */
    size_t left; /* how many are to come */
    bool open;   /* ends the outer loop of the two that a macro makes */
};

static inline struct val_walk val_walk_arr(const val *arr)
{
    val *v = (val *)arr;
    return (struct val_walk){yyjson_mut_arr_get_first(v), yyjson_mut_arr_size(v), true};
}
static inline struct val_walk val_walk_obj(const val *obj)
{
    val *v = (val *)obj;
    size_t n = yyjson_mut_obj_size(v);
    return (struct val_walk){n ? ((val *)v->uni.ptr)->next->next : NULL, n, true};
}
static inline val *val_walk_next(struct val_walk *w)
{
    if (w->left == 0)
        return NULL;
    val *v = w->at;
    w->left--;
    w->at = v->next;
    return v;
}
static inline val *val_walk_next_key(struct val_walk *w, val **ret_member)
{
    if (w->left == 0)
        return NULL;
    val *key = w->at;
    w->left--;
    *ret_member = key->next;
    w->at = key->next->next;
    return key;
}

bool val_eq(const val *a,
            const val *b); /* deep; member order does not matter, 1 and 1.0 are equal */

/* --- making and changing; strings are copied unless the name says static --- */
val *val_new_null(struct doc *d);
val *val_new_bool(struct doc *d, bool b);
val *val_new_int(struct doc *d, int64_t i);
val *val_new_real(struct doc *d, double r);
val *val_new_str(struct doc *d, struct str s);
val *val_new_z(struct doc *d, const char *z);
val *val_new_strf(struct doc *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
val *val_new_arr(struct doc *d);
val *val_new_obj(struct doc *d);
val *val_copy(struct doc *d, const val *v); /* deep */

/* Sets or replaces the member, in its old place when there was one. v is not in another container.
 * Returns v. */
val *val_set(struct doc *d, val *obj, const char *key, val *v);
val *val_set_str(struct doc *d, val *obj, struct str key, val *v);
void val_set_z(struct doc *d, val *obj, const char *key, const char *z);
void val_set_s(struct doc *d, val *obj, const char *key, struct str s);
void val_set_int(struct doc *d, val *obj, const char *key, int64_t i);
void val_set_bool(struct doc *d, val *obj, const char *key, bool b);
/* The object at the member, made when it is missing or no object. */
val *val_ensure_obj(struct doc *d, val *obj, const char *key);
val *val_ensure_arr(struct doc *d, val *obj, const char *key);
bool val_del(val *obj, const char *key); /* all duplicates; true when there was one */
bool val_del_str(val *obj, struct str key);
void val_push(val *arr, val *v);
void val_insert(val *arr, val *v, size_t i);
bool val_remove_at(val *arr, size_t i);
void val_replace_at(val *arr, size_t i, val *v);
