/* eval.h: one evaluation, as its parts see it. */
#pragma once

#include "cel/ast.h"

struct list_index;

/* A variable of an enclosing comprehension, or an input. */
struct scope {
    struct str name, name2;
    struct cel_value value, value2;
    const struct node *pending; /* what the value is, not evaluated yet */
    struct scope *outer;
};

struct eval {
    struct arena *a;
    const struct cel_input *in;
    struct scope *scope;
    const struct node *call;         /* the call that runs */
    const struct overload *overload; /* and what it runs */
    uint64_t cost, limit;
    uint64_t work;       /* comparisons, which cost does not count where values share parts */
    bool over;           /* the limit was passed; everything unwinds with an error */
    struct map *indexes; /* members and items of large documents, by address: see list.c */
};

/* --- errors --- */
struct cel_value cel_error(struct eval *ev, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline struct cel_value cel_no_overload(void)
{
    return (struct cel_value){.kind = CEL_ERROR, .s = STR_INIT("no such overload")};
}
static inline bool cel_is_error(struct cel_value v)
{
    return v.kind == CEL_ERROR;
}

/* --- cost (price.c) --- */
void cel_charge(struct eval *ev, uint64_t cost);
/* Charges for a call that gave `result`. */
void cel_charge_call(struct eval *ev, const struct node *call, const struct cel_value *args,
                     size_t n, struct cel_value result);
/* Whether work of so many units may begin. */
bool cel_affordable(const struct eval *ev, uint64_t cost);
/* Counts comparisons; false: too many, the evaluation is over. */
bool cel_work(struct eval *ev);
/* Whether a text or list of so many bytes or items may be made; else the evaluation is over. */
bool cel_may_make(struct eval *ev, uint64_t n);

/* --- containers (list.c, map.c) --- */
struct cel_list {
    enum { LIST_ITEMS, LIST_DOC, LIST_JOINED } form;
    bool growing; /* only a comprehension's accumulator refers to it */
    size_t n, cap;
    struct cel_value *items;
    const val *doc;
    const struct cel_type *type; /* of a document's list, and of what was added to a set */
    const struct cel_list *left, *right;
};

struct cel_entry {
    struct cel_value key, value;
};

struct cel_map {
    bool growing;
    size_t n, cap;
    struct cel_entry *entries; /* in the order of insertion */
    uint32_t *slots;           /* hash table of entry numbers plus one; NULL while small */
    size_t slot_count;
    const val *doc;
    const struct cel_type *type; /* of doc: the map's or object's; NULL: without a schema */
};

struct cel_value cel_list_new(struct eval *ev, size_t cap);
struct cel_value cel_list_of(struct cel_list *l);
/* Appends to a list that cel_list_new made and nobody else has seen. */
void cel_list_push(struct eval *ev, struct cel_value list, struct cel_value v);
struct cel_value cel_list_at(struct eval *ev, const struct cel_list *l, size_t i);
struct cel_value cel_list_join(struct eval *ev, struct cel_value x, struct cel_value y);
struct cel_value cel_list_contains(struct eval *ev, const struct cel_list *l, struct cel_value v);

struct cel_value cel_map_new(struct eval *ev, size_t cap);
/* Sets an entry of a map that cel_map_new made. False: the key was there, and has been replaced. */
bool cel_map_put(struct eval *ev, struct cel_value map, struct cel_value key,
                 struct cel_value value);
void cel_map_remove(struct eval *ev, struct cel_value map, struct cel_value key);
/* False: not there; an error value with true: the key cannot be one. */
bool cel_map_find(struct eval *ev, const struct cel_map *m, struct cel_value key,
                  struct cel_value *ret);
/* Walks the entries: `struct map_walk w = cel_map_walk(m); while (cel_map_next(ev, &w, &k, &v))`.
 */
struct map_walk {
    const struct cel_map *map;
    size_t i;
    struct val_walk doc;
};
struct map_walk cel_map_walk(const struct cel_map *m);
bool cel_map_next(struct eval *ev, struct map_walk *w, struct cel_value *ret_key,
                  struct cel_value *ret_value);

/* --- values (value.c) --- */
/* True, false or an error. */
struct cel_value cel_equal(struct eval *ev, struct cel_value x, struct cel_value y);
bool cel_same(struct eval *ev, struct cel_value x, struct cel_value y); /* equal, errors are not */
uint64_t cel_hash(struct eval *ev, struct cel_value v);
/* -1, 0, 1, or an error. */
struct cel_value cel_compare(struct eval *ev, struct cel_value x, struct cel_value y);
uint64_t cel_size(struct cel_value v);           /* as cost sees it: 1 for what has no size */
struct str cel_type_name_of(struct cel_value v); /* "int", "google.protobuf.Timestamp", … */
const struct cel_type *cel_type_of_value(struct eval *ev, struct cel_value v);
struct cel_value cel_text(struct eval *ev, struct buf *b); /* a string of the content; frees b */
/* `%v` of upstream's messages. */
void cel_put(struct cel_value v, struct buf *b);

/* --- conversions (convert.c, times.c) --- */
struct cel_value cel_to_string(struct eval *ev, struct cel_value v);
bool cel_duration_parse(struct str s, int64_t *ret);
bool cel_timestamp_fits(int64_t seconds); /* the years 1 to 9999 */
bool cel_timestamp_parse(struct str s, struct cel_value *ret);
void cel_timestamp_write(struct cel_value v, struct buf *b);
void cel_duration_write(int64_t ns, struct buf *b); /* "1.5s" */

struct cel_value cel_run(struct eval *ev, const struct node *n);
const char *cel_go_type(struct cel_value v); /* "types.Int": upstream names its own types so */

struct cel_program {
    struct arena a;
    struct str text;
    struct node *root;
    const struct cel_type *type;
    struct cel_cost cost;
    const struct cel_var *used;
    size_t used_count;
    struct regex **patterns;
    size_t pattern_count;
};
