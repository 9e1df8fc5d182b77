#include "doc/val.h"
#include "doc/val_internal.h"

#include <stdarg.h>
#include <stdio.h>

/* --- the memory of documents: mem.h's, so that no caller meets a failed allocation --- */
static void *alc_malloc(void *ctx, size_t n)
{
    (void)ctx;
    return mem_alloc(n);
}

static void *alc_realloc(void *ctx, void *p, size_t old, size_t n)
{
    (void)ctx;
    (void)old;
    return mem_realloc(p, n);
}

static void alc_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static const yyjson_alc allocator = {alc_malloc, alc_realloc, alc_free, NULL};

void doc_init(struct doc *doc)
{
    doc->d = NULL;
}

void doc_done(struct doc *doc)
{
    yyjson_mut_doc_free(doc->d);
    doc->d = NULL;
}

static yyjson_mut_doc *memory(struct doc *doc)
{
    if (!doc->d)
        doc->d = yyjson_mut_doc_new(&allocator);
    return doc->d;
}

char *doc_alloc_text(struct doc *doc, size_t n)
{
    return unsafe_yyjson_mut_str_alc(memory(doc), n);
}

val *doc_alloc_vals(struct doc *doc, size_t count)
{
    return unsafe_yyjson_mut_val(memory(doc), count);
}

/* --- reading --- */
int64_t val_int(const val *v)
{
    if (!val_is_num(v))
        return 0;
    if (yyjson_mut_is_sint((val *)v))
        return yyjson_mut_get_sint((val *)v);
    if (yyjson_mut_is_uint((val *)v)) {
        uint64_t u = yyjson_mut_get_uint((val *)v);
        return u > INT64_MAX ? INT64_MAX : (int64_t)u;
    }
    double r = yyjson_mut_get_real((val *)v);
    if (r != r)
        return 0;
    if (r >= 0x1p63)
        return INT64_MAX;
    if (r <= -0x1p63)
        return INT64_MIN;
    return (int64_t)r;
}

double val_real(const val *v)
{
    if (yyjson_mut_is_sint((val *)v) && yyjson_mut_get_sint((val *)v) == 0)
        return -0.0; /* only a text that says -0 makes one */
    return yyjson_mut_get_num((val *)v);
}

const char *val_type_name(const val *v)
{
    switch (yyjson_mut_get_type((val *)v)) {
    case YYJSON_TYPE_BOOL:
        return "bool";
    case YYJSON_TYPE_NUM:
        return "number";
    case YYJSON_TYPE_STR:
        return "string";
    case YYJSON_TYPE_ARR:
        return "array";
    case YYJSON_TYPE_OBJ:
        return "object";
    default:
        return "null";
    }
}

/* The key of the last member of that name: encoding/json lets the last one win. */
val *val_get_key(const val *obj, struct str name)
{
    val *found = NULL;
    VAL_EACH(obj, key, member)
    if (unsafe_yyjson_equals_strn(key, name.p, name.n))
        found = key;
    return found;
}

val *val_get_str(const val *obj, struct str key)
{
    val *found = val_get_key(obj, key);
    return found ? found->next : NULL;
}

val *val_get(const val *obj, const char *key)
{
    return val_get_str(obj, str_of(key));
}

val *val_path(const val *v, const char *const *path)
{
    for (; v && *path; path++)
        v = val_get(v, *path);
    return (val *)v;
}

val *val_at(const val *arr, size_t i)
{
    if (i >= yyjson_mut_arr_size((val *)arr))
        return NULL;
    val *v = yyjson_mut_arr_get_first((val *)arr);
    while (i-- > 0)
        v = v->next;
    return v;
}

static bool eq_num(const val *a, const val *b)
{
    if (val_is_int(a) && val_is_int(b)) {
        bool a_negative = yyjson_mut_is_sint((val *)a) && yyjson_mut_get_sint((val *)a) < 0;
        bool b_negative = yyjson_mut_is_sint((val *)b) && yyjson_mut_get_sint((val *)b) < 0;
        return a_negative == b_negative && a->uni.u64 == b->uni.u64;
    }
    return val_real(a) == val_real(b);
}

static int member_cmp(const void *x, const void *y)
{
    const struct member *a = x, *b = y;
    int order = str_cmp(val_str(a->key), val_str(b->key));
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

struct member *val_sorted_members(const val *obj, size_t *ret_count)
{
    struct member *all = mem_realloc_array(NULL, val_len(obj) + 1, sizeof *all);
    size_t n = 0, kept = 0;
    VAL_EACH(obj, key, value)
    {
        all[n] = (struct member){key, n};
        n++;
    }
    qsort(all, n, sizeof *all, member_cmp);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || !str_eq(val_str(all[i].key), val_str(all[i + 1].key)))
            all[kept++] = all[i];
    *ret_count = kept;
    return all;
}

/* Equal objects mostly have their members in the same order, which needs no sorting. 1: equal,
 * 0: different, -1: the order differs. */
static int eq_in_order(const val *a, const val *b)
{
    if (val_len(a) != val_len(b))
        return -1;
    struct val_walk walk_a = val_walk_obj(a), walk_b = val_walk_obj(b);
    val *key_a, *key_b, *value_a, *value_b = NULL;
    while ((key_a = val_walk_next_key(&walk_a, &value_a))) {
        key_b = val_walk_next_key(&walk_b, &value_b);
        if (!str_eq(val_str(key_a), val_str(key_b)))
            return -1;
        if (!val_eq(value_a, value_b))
            return val_get_key(a, val_str(key_a)) == key_a ? 0 : -1;
    }
    return 1;
}

static bool eq_obj(const val *a, const val *b)
{
    int quick = eq_in_order(a, b);
    if (quick >= 0)
        return quick;
    size_t count_a, count_b;
    CLEANUP(mem_freep) struct member *of_a = val_sorted_members(a, &count_a);
    CLEANUP(mem_freep) struct member *of_b = val_sorted_members(b, &count_b);
    if (count_a != count_b)
        return false;
    for (size_t i = 0; i < count_a; i++)
        if (!str_eq(val_str(of_a[i].key), val_str(of_b[i].key)) ||
            !val_eq(of_a[i].key->next, of_b[i].key->next))
            return false;
    return true;
}

bool val_eq(const val *a, const val *b)
{
    if (a == b)
        return true;
    if (val_is_null(a) || val_is_null(b))
        return val_is_null(a) && val_is_null(b);
    if (yyjson_mut_get_type((val *)a) != yyjson_mut_get_type((val *)b))
        return false;
    if (val_is_num(a))
        return eq_num(a, b);
    if (val_is_str(a))
        return str_eq(val_str(a), val_str(b));
    if (val_is_bool(a))
        return val_bool(a) == val_bool(b);
    if (val_is_obj(a))
        return eq_obj(a, b);
    if (val_len(a) != val_len(b))
        return false;
    struct val_walk other = val_walk_arr(b);
    VAL_FOR(a, item)
    if (!val_eq(item, val_walk_next(&other)))
        return false;
    return true;
}

/* --- making --- */
val *val_new_null(struct doc *d)
{
    return yyjson_mut_null(memory(d));
}

val *val_new_bool(struct doc *d, bool b)
{
    return yyjson_mut_bool(memory(d), b);
}

val *val_new_int(struct doc *d, int64_t i)
{
    return i >= 0 ? yyjson_mut_uint(memory(d), (uint64_t)i) : yyjson_mut_sint(memory(d), i);
}

val *val_new_uint(struct doc *d, uint64_t u)
{
    return yyjson_mut_uint(memory(d), u);
}

val *val_new_real(struct doc *d, double r)
{
    return yyjson_mut_real(memory(d), r);
}

val *val_new_str(struct doc *d, struct str s)
{
    return yyjson_mut_strncpy(memory(d), s.p ? s.p : "", s.n);
}

val *val_new_z(struct doc *d, const char *z)
{
    return val_new_str(d, str_of(z));
}

val *val_new_strf(struct doc *d, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t length = n > 0 ? (size_t)n : 0;
    char *text = doc_alloc_text(d, length);
    text[0] = 0;
    vsnprintf(text, length + 1, format, again);
    va_end(again);
    return yyjson_mut_strn(memory(d), text, length);
}

val *val_new_arr(struct doc *d)
{
    return yyjson_mut_arr(memory(d));
}

val *val_new_obj(struct doc *d)
{
    return yyjson_mut_obj(memory(d));
}

/* Recursion is as deep as the value, which DOC_MAX_DEPTH bounds. */
val *val_copy(struct doc *d, const val *v)
{
    return v ? yyjson_mut_val_mut_copy(memory(d), (val *)v) : NULL;
}

/* --- changing --- */
val *val_set_str(struct doc *d, val *obj, struct str key, val *v)
{
    val *old_key = val_get_key(obj, key);
    if (old_key) {
        v->next = old_key->next->next;
        old_key->next = v;
    } else {
        yyjson_mut_obj_add(obj, val_new_str(d, key), v);
    }
    return v;
}

val *val_set(struct doc *d, val *obj, const char *key, val *v)
{
    return val_set_str(d, obj, str_of(key), v);
}

void val_set_z(struct doc *d, val *obj, const char *key, const char *z)
{
    val_set(d, obj, key, val_new_z(d, z));
}

void val_set_s(struct doc *d, val *obj, const char *key, struct str s)
{
    val_set(d, obj, key, val_new_str(d, s));
}

void val_set_int(struct doc *d, val *obj, const char *key, int64_t i)
{
    val_set(d, obj, key, val_new_int(d, i));
}

void val_set_bool(struct doc *d, val *obj, const char *key, bool b)
{
    val_set(d, obj, key, val_new_bool(d, b));
}

val *val_ensure_obj(struct doc *d, val *obj, const char *key)
{
    val *v = val_get(obj, key);
    return val_is_obj(v) ? v : val_set(d, obj, key, val_new_obj(d));
}

val *val_ensure_arr(struct doc *d, val *obj, const char *key)
{
    val *v = val_get(obj, key);
    return val_is_arr(v) ? v : val_set(d, obj, key, val_new_arr(d));
}

bool val_del_str(val *obj, struct str key)
{
    return yyjson_mut_obj_remove_keyn(obj, key.p ? key.p : "", key.n) != NULL;
}

bool val_del(val *obj, const char *key)
{
    return val_del_str(obj, str_of(key));
}

void val_push(val *arr, val *v)
{
    yyjson_mut_arr_append(arr, v);
}

void val_insert(val *arr, val *v, size_t i)
{
    yyjson_mut_arr_insert(arr, v, i);
}

bool val_remove_at(val *arr, size_t i)
{
    return yyjson_mut_arr_remove(arr, i) != NULL;
}

void val_replace_at(val *arr, size_t i, val *v)
{
    yyjson_mut_arr_replace(arr, i, v);
}

val *val_new_static(struct doc *doc, struct str s)
{
    return yyjson_mut_strn(memory(doc), s.p ? s.p : "", s.n);
}

size_t val_depth(const val *v)
{
    size_t deepest = 0;
    if (val_is_arr(v)) {
        VAL_FOR(v, item)
        {
            size_t depth = val_depth(item);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    VAL_EACH(v, key, member)
    {
        size_t depth = val_depth(member);
        deepest = depth > deepest ? depth : deepest;
    }
    return val_is_obj(v) ? deepest + 1 : 0;
}
