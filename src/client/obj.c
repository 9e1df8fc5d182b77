#include "client/cache_impl.h"

/* The key is copied, name and namespace are views of it; uid and version are views of the text, or
 * of copies behind the key when there is none. */
struct obj {
    atomic_uint refs;
    uint16_t ns_n, name_n, uid_n, rv_n;
    struct bytes *json;
    const char *uid, *rv;
    char key[];
};

struct identity {
    struct str ns, name, uid, rv;
};

static void find_identity(struct str json, struct identity *ret)
{
    struct scan s;
    struct str key, value;
    *ret = (struct identity){0};
    if (!scan_open(scan_member(json, "metadata"), &s) || !s.object)
        return;
    while (scan_next(&s, &key, &value)) {
        if (str_is(key, "name"))
            ret->name = scan_string(value);
        else if (str_is(key, "namespace"))
            ret->ns = scan_string(value);
        else if (str_is(key, "uid"))
            ret->uid = scan_string(value);
        else if (str_is(key, "resourceVersion"))
            ret->rv = scan_string(value);
    }
}

struct obj *obj_new(struct bytes *json, struct err *err)
{
    struct identity id;
    find_identity(bytes_str(json), &id);
    if (!id.name.n) {
        err_internal(err, "not an object with metadata.name");
        return NULL;
    }
    if ((id.ns.n | id.name.n | id.uid.n | id.rv.n) > UINT16_MAX) {
        err_internal(err, "the object's metadata is too long");
        return NULL;
    }
    size_t slash = id.ns.n > 0;
    struct obj *o = mem_alloc(sizeof(*o) + id.ns.n + slash + id.name.n);
    atomic_init(&o->refs, 1);
    o->json = bytes_ref(json);
    o->ns_n = (uint16_t)id.ns.n;
    o->name_n = (uint16_t)id.name.n;
    o->uid = id.uid.p;
    o->uid_n = (uint16_t)id.uid.n;
    o->rv = id.rv.p;
    o->rv_n = (uint16_t)id.rv.n;
    if (slash) {
        memcpy(o->key, id.ns.p, id.ns.n);
        o->key[id.ns.n] = '/';
    }
    memcpy(o->key + id.ns.n + slash, id.name.p, id.name.n);
    return o;
}

struct obj *obj_bare(const struct obj *o)
{
    size_t key_n = obj_key(o).n;
    struct obj *bare = mem_alloc(sizeof(*bare) + key_n + o->uid_n + o->rv_n);
    *bare = (struct obj){.ns_n = o->ns_n, .name_n = o->name_n, .uid_n = o->uid_n, .rv_n = o->rv_n};
    atomic_init(&bare->refs, 1);
    char *at = mempcpy(bare->key, o->key, key_n);
    bare->uid = at;
    if (o->uid_n)
        at = mempcpy(at, o->uid, o->uid_n);
    bare->rv = at;
    if (o->rv_n)
        memcpy(at, o->rv, o->rv_n);
    return bare;
}

struct obj *obj_ref(struct obj *o)
{
    if (o)
        atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

void obj_unref(struct obj *o)
{
    if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    bytes_unref(o->json);
    free(o);
}

void obj_unref_all(struct obj **objs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        obj_unref(objs[i]);
    free(objs);
}

struct str obj_ns(const struct obj *o)
{
    return (struct str){o->key, o->ns_n};
}

struct str obj_name(const struct obj *o)
{
    return (struct str){o->key + o->ns_n + (o->ns_n > 0), o->name_n};
}

struct str obj_key(const struct obj *o)
{
    return (struct str){o->key, o->ns_n + (size_t)(o->ns_n > 0) + o->name_n};
}

struct str obj_uid(const struct obj *o)
{
    return (struct str){o->uid, o->uid_n};
}

struct str obj_rv(const struct obj *o)
{
    return (struct str){o->rv, o->rv_n};
}

struct bytes *obj_json(const struct obj *o)
{
    return o->json;
}

val *obj_parse(const struct obj *o, struct doc *d)
{
    val *v;
    struct err err;
    return !o->json || doc_parse_json(d, bytes_str(o->json), &v, &err) ? NULL : v;
}
