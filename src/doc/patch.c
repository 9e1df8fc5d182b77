#include "doc/patch.h"
#include "doc/val_internal.h"

#include "base/map.h"

/* --- RFC 6902 --- */
enum { MAX_OPERATIONS = 10000, MAX_COPIED = DOC_MAX_BYTES };

#define REJECTED "the server rejected our request due to an error in our request"

struct patching {
    struct doc *d;
    val *root;
    struct buf *cause;
    struct err *err;
    size_t copied;
};

/* Where an operation's path leads: a container and the name or index in it. */
struct place {
    val *parent; /* NULL: there is none */
    struct str key;
    size_t depth; /* of what will stand there */
};

/* 422 as upstream answers it; the detail goes into the cause. */
static int reject(struct patching *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int reject(struct patching *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (p->cause)
        buf_vprintf(p->cause, format, args);
    va_end(args);
    return err_set(p->err, 422, "Invalid", REJECTED);
}

/* "~1" is a slash, "~0" a tilde. */
static struct str decode_segment(struct doc *d, struct str s)
{
    if (str_find_char(s, '~') < 0)
        return s;
    char *out = doc_alloc_text(d, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '~' && i + 1 < s.n && (s.p[i + 1] == '0' || s.p[i + 1] == '1');
        out[n++] = !escape ? s.p[i] : s.p[++i] == '1' ? '/' : '~';
    }
    return (struct str){out, n};
}

enum index_error { INDEX_OK, INDEX_SYNTAX, INDEX_RANGE };

/* An index as strconv.Atoi reads it; negative ones count from the end. */
static enum index_error read_index(struct str key, size_t length, int64_t *ret)
{
    struct str digits = key.n && key.p[0] == '+' ? str_from(key, 1) : key;
    if (!str_to_i64(digits, ret))
        return INDEX_SYNTAX;
    int64_t given = *ret;
    if (*ret < 0)
        *ret += (int64_t)length;
    if (*ret < 0 || *ret >= (int64_t)length) {
        *ret = given;
        return INDEX_RANGE;
    }
    return INDEX_OK;
}

/* Puts the reason why an index is none into the cause, behind the prefix that is there already. */
static int reject_index(struct patching *p, enum index_error why, struct str key, int64_t index)
{
    if (why == INDEX_RANGE)
        return reject(p, "Unable to access invalid index: %lld: invalid index referenced",
                      (long long)index);
    return reject(p, "strconv.Atoi: parsing \"%.*s\": invalid syntax", STR_ARG(key));
}

static val *step(val *v, struct str segment)
{
    int64_t index;
    if (val_is_obj(v))
        return val_get_str(v, segment);
    if (val_is_arr(v) && read_index(segment, val_len(v), &index) == INDEX_OK)
        return val_at(v, (size_t)index);
    return NULL;
}

/* Upstream skips what stands before the first slash, and so does this. */
static struct place find(struct patching *p, struct str path)
{
    struct place place = {.parent = p->root, .depth = 1};
    struct str segment, rest;
    if (!str_cut(path, '/', &segment, &rest))
        return (struct place){0};
    while (str_cut(rest, '/', &segment, &rest)) {
        place.parent = step(place.parent, decode_segment(p->d, segment));
        place.depth++;
        if (!yyjson_mut_is_ctn(place.parent))
            return (struct place){0};
    }
    place.key = decode_segment(p->d, segment);
    return place;
}

static int check_depth(struct patching *p, const struct place *at, const val *v)
{
    return at->depth + val_depth(v) > DOC_MAX_DEPTH ? reject(p, "exceeded max depth") : 0;
}

static int add_at(struct patching *p, const struct place *at, val *v)
{
    int64_t index;
    if (check_depth(p, at, v) != 0)
        return -1;
    if (val_is_obj(at->parent)) {
        val_set_str(p->d, at->parent, at->key, v);
        return 0;
    }
    if (str_is(at->key, "-")) {
        val_push(at->parent, v);
        return 0;
    }
    enum index_error why = read_index(at->key, val_len(at->parent) + 1, &index);
    if (why == INDEX_SYNTAX)
        reject(p, "value was not a proper array index: '%.*s': ", STR_ARG(at->key));
    if (why != INDEX_OK)
        return reject_index(p, why, at->key, index);
    val_insert(at->parent, v, (size_t)index);
    return 0;
}

static int remove_at(struct patching *p, const struct place *at)
{
    int64_t index;
    if (val_is_obj(at->parent)) {
        if (val_del_str(at->parent, at->key))
            return 0;
        return reject(p, "Unable to remove nonexistent key: %.*s: missing value", STR_ARG(at->key));
    }
    enum index_error why = read_index(at->key, val_len(at->parent), &index);
    if (why != INDEX_OK)
        return reject_index(p, why, at->key, index);
    val_remove_at(at->parent, (size_t)index);
    return 0;
}

/* *ret is NULL for a member that is missing; a missing element is an error. */
static int get_at(struct patching *p, const struct place *at, val **ret)
{
    int64_t index;
    if (val_is_obj(at->parent)) {
        *ret = val_get_str(at->parent, at->key);
        return 0;
    }
    enum index_error why = read_index(at->key, val_len(at->parent), &index);
    if (why != INDEX_OK)
        return reject_index(p, why, at->key, index);
    *ret = val_at(at->parent, (size_t)index);
    return 0;
}

static int missing(struct patching *p, const char *what, struct str path, const char *quote)
{
    return reject(p, "%s: %s%.*s%s: missing value", what, quote, STR_ARG(path), quote);
}

/* Runs a step with "WHAT: 'PATH': " in front of its cause. */
#define WITH_PREFIX(p, what, path, call)                                                           \
    ({                                                                                             \
        size_t before_ = (p)->cause ? (p)->cause->n : 0;                                           \
        int status_ = (call);                                                                      \
        if (status_ != 0)                                                                          \
            prefix_cause((p), before_, (what), (path));                                            \
        status_;                                                                                   \
    })

static void prefix_cause(struct patching *p, size_t from, const char *what, struct str path)
{
    if (!p->cause)
        return;
    struct buf joined = {0};
    buf_printf(&joined, "%s: '%.*s': ", what, STR_ARG(path));
    buf_put(&joined, str_from(buf_str(p->cause), from));
    p->cause->n = from;
    buf_put(p->cause, buf_str(&joined));
    buf_done(&joined);
}

/* A string field of the operation that must be there; upstream words each absence differently. */
static int need_text(struct patching *p, const val *operation, const char *field, const char *op,
                     struct str *ret)
{
    val *v = val_get(operation, field);
    *ret = val_str(v);
    if (val_is_str(v))
        return 0;
    const char *absent = strcmp(field, "path") == 0 ? "operation missing path field"
                                                    : "operation, missing from field";
    bool short_form = strcmp(op, "add") == 0 || strcmp(op, "remove") == 0 ||
                      (strcmp(op, "copy") == 0 && strcmp(field, "path") == 0);
    if (short_form)
        return reject(p, "%s operation failed to decode %s: missing value", op, field);
    if (val_is_null(v))
        return reject(p, "%s operation failed to decode %s: %s: missing value", op, field, absent);
    return reject(p,
                  "%s operation failed to decode %s: json: cannot unmarshal %s into Go value of "
                  "type string",
                  op, field, val_type_name(v));
}

static val *value_of(struct patching *p, const val *operation)
{
    val *v = val_get(operation, "value");
    return v ? val_copy(p->d, v) : val_new_null(p->d);
}

static int op_add(struct patching *p, const val *operation, struct str path)
{
    struct place at = find(p, path);
    if (!at.parent)
        return missing(p, "add operation does not apply: doc is missing path", path, "\"");
    return WITH_PREFIX(p, "error in add for path", path, add_at(p, &at, value_of(p, operation)));
}

static int op_remove(struct patching *p, const val *operation, struct str path)
{
    (void)operation;
    struct place at = find(p, path);
    if (!at.parent)
        return missing(p, "remove operation does not apply: doc is missing path", path, "\"");
    return WITH_PREFIX(p, "error in remove for path", path, remove_at(p, &at));
}

static int op_replace(struct patching *p, const val *operation, struct str path)
{
    if (path.n == 0) {
        val *v = val_get(operation, "value");
        if (yyjson_mut_is_ctn(v))
            p->root = val_copy(p->d, v);
        return 0;
    }
    struct place at = find(p, path);
    if (!at.parent)
        return missing(p, "replace operation does not apply: doc is missing path", path, "");
    val *v = value_of(p, operation);
    if (check_depth(p, &at, v) != 0)
        return -1;
    if (val_is_obj(at.parent)) { /* a missing member is made: upstream does not look */
        val_set_str(p->d, at.parent, at.key, v);
        return 0;
    }
    int64_t index;
    if (read_index(at.key, val_len(at.parent), &index) != INDEX_OK)
        return missing(p, "replace operation does not apply: doc is missing key", path, "");
    val_replace_at(at.parent, (size_t)index, v);
    return 0;
}

static int op_move(struct patching *p, const val *operation, struct str from)
{
    struct str path;
    struct place at = find(p, from);
    val *v = NULL;
    if (!at.parent)
        return missing(p, "move operation does not apply: doc is missing from path", from, "");
    if (WITH_PREFIX(p, "error in move for path", at.key, get_at(p, &at, &v)) != 0 ||
        WITH_PREFIX(p, "error in move for path", at.key, remove_at(p, &at)) != 0 ||
        need_text(p, operation, "path", "move", &path) != 0)
        return -1;
    at = find(p, path);
    if (!at.parent)
        return missing(p, "move operation does not apply: doc is missing destination path", path,
                       "");
    return WITH_PREFIX(p, "error in move for path", path, add_at(p, &at, v));
}

static int op_copy(struct patching *p, const val *operation, struct str from)
{
    struct str path;
    struct place at = find(p, from);
    val *v = NULL;
    if (!at.parent)
        return missing(p, "copy operation does not apply: doc is missing from path", from, "");
    if (WITH_PREFIX(p, "error in copy for from", from, get_at(p, &at, &v)) != 0 ||
        need_text(p, operation, "path", "copy", &path) != 0)
        return -1;
    at = find(p, path);
    if (!at.parent)
        return missing(p, "copy operation does not apply: doc is missing destination path", path,
                       "");
    struct buf text = {0};
    val_write_json(v, &text);
    p->copied += text.n;
    buf_done(&text);
    if (p->copied > MAX_COPIED)
        return reject(p,
                      "Unable to complete the copy, the accumulated size increase of copy is %zu, "
                      "exceeding the limit %d",
                      p->copied, MAX_COPIED);
    size_t before = p->cause ? p->cause->n : 0;
    if (add_at(p, &at, v ? val_copy(p->d, v) : val_new_null(p->d)) == 0)
        return 0;
    struct buf why = {0};
    if (p->cause) {
        buf_put(&why, str_from(buf_str(p->cause), before));
        p->cause->n = before;
        buf_printf(p->cause, "error while adding value during copy: %s", buf_z(&why));
    }
    buf_done(&why);
    return -1;
}

static int op_test(struct patching *p, const val *operation, struct str path)
{
    val *v = p->root;
    if (path.n) {
        struct place at = find(p, path);
        if (!at.parent)
            return missing(p, "test operation does not apply: is missing path", path, "");
        if (WITH_PREFIX(p, "error in test for path", path, get_at(p, &at, &v)) != 0)
            return -1;
    }
    if (val_eq(v, val_get(operation, "value")))
        return 0;
    return reject(p, "testing value %.*s failed: test failed", STR_ARG(path));
}

static int apply(struct patching *p, const val *operation)
{
    static const struct {
        const char *name;
        const char *place; /* the field that it needs first */
        int (*run)(struct patching *, const val *, struct str place);
    } table[] = {
        {"add", "path", op_add},   {"remove", "path", op_remove}, {"replace", "path", op_replace},
        {"move", "from", op_move}, {"copy", "from", op_copy},     {"test", "path", op_test},
    };
    val *kind = val_get(operation, "op");
    struct str name = val_is_str(kind) ? val_str(kind) : STR("unknown"), place;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (!str_is(name, table[i].name))
            continue;
        if (need_text(p, operation, table[i].place, table[i].name, &place) != 0)
            return -1;
        return table[i].run(p, operation, place);
    }
    return reject(p, "Unexpected kind: %.*s", STR_ARG(name));
}

static int check_operations(const val *patch, struct err *err)
{
    if (!val_is_arr(patch) && !val_is_null(patch))
        return err_bad(err, "json: cannot unmarshal %s into Go value of type jsonpatch.Patch",
                       val_type_name(patch));
    if (val_len(patch) > MAX_OPERATIONS)
        return err_set(err, 413, "RequestEntityTooLarge",
                       "Request entity too large: The allowed maximum operations in a JSON patch "
                       "is %d, got %zu",
                       MAX_OPERATIONS, val_len(patch));
    VAL_FOR(patch, operation)
    if (!val_is_obj(operation) && !val_is_null(operation))
        return err_bad(err, "json: cannot unmarshal %s into Go value of type jsonpatch.Operation",
                       val_type_name(operation));
    return 0;
}

int patch_json_cause(struct doc *d, const val *current, const val *patch, val **ret,
                     struct buf *cause, struct err *err)
{
    if (check_operations(patch, err) != 0)
        return -1;
    struct patching p = {.d = d, .root = val_copy(d, current), .cause = cause, .err = err};
    VAL_FOR(patch, operation)
    if (apply(&p, operation) != 0)
        return -1;
    *ret = p.root;
    return 0;
}

int patch_json(struct doc *d, const val *current, const val *patch, val **ret, struct err *err)
{
    return patch_json_cause(d, current, patch, ret, NULL, err);
}

/* --- RFC 7386 --- */

/* Finds members; large objects get a table, so that two of them merge in linear time. */
struct index {
    const val *obj;
    struct map keys;
};

static struct index index_of(const val *obj)
{
    enum { LINEAR = 32 };
    struct index x = {.obj = obj};
    if (val_len(obj) > LINEAR)
        VAL_EACH(obj, key, member)
    map_set(&x.keys, val_str(key), member);
    return x;
}

static val *find_in(const struct index *x, struct str key)
{
    return x->keys.count ? map_get(&x->keys, key) : val_get_str(x->obj, key);
}

static void append(struct doc *d, val *obj, struct str key, val *v)
{
    yyjson_mut_obj_add(obj, val_new_str(d, key), v);
}

/* A value of the patch without the nulls that would delete nothing. As upstream's library, inside
 * of arrays too, where elements that are null stay. */
static val *without_nulls(struct doc *d, const val *v)
{
    if (val_is_arr(v)) {
        val *arr = val_new_arr(d);
        VAL_FOR(v, item)
        val_push(arr, without_nulls(d, item));
        return arr;
    }
    if (!val_is_obj(v))
        return val_copy(d, v);
    val *obj = val_new_obj(d);
    struct index x = index_of(v);
    VAL_EACH(v, key, member)
    if (!val_is_null(member) && find_in(&x, val_str(key)) == member)
        append(d, obj, val_str(key), without_nulls(d, member));
    map_done(&x.keys);
    return obj;
}

val *patch_merge(struct doc *d, const val *current, const val *patch)
{
    if (!val_is_obj(current))
        return without_nulls(d, patch);
    if (!val_is_obj(patch))
        return val_copy(d, patch);
    val *merged = val_new_obj(d);
    struct index old = index_of(current), new = index_of(patch);
    VAL_EACH(current, key, member)
    {
        val *change = find_in(&new, val_str(key));
        if (find_in(&old, val_str(key)) != member || (change && val_is_null(change)))
            continue;
        append(d, merged, val_str(key),
               change ? patch_merge(d, member, change) : val_copy(d, member));
    }
    VAL_EACH(patch, key, member)
    if (!val_is_null(member) && find_in(&new, val_str(key)) == member &&
        !find_in(&old, val_str(key)))
        append(d, merged, val_str(key), without_nulls(d, member));
    map_done(&old.keys);
    map_done(&new.keys);
    return merged;
}
