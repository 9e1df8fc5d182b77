/* What a custom resource owned goes when it is gone. The garbage collector of control/ follows the
 * built-in kinds; owners that are custom are followed here, where their deletions are seen.
 *
 * Only objects all of whose owners were seen to go are deleted, so nothing is lost by mistake. */
#include "api/core.h"
#include "api/crd/crd.h"
#include "api/raw.h"

enum { AT_ONCE = 1000 };

/* Whether every owner of the object is among those that went. */
static bool is_left_alone(const struct map *gone, struct str json)
{
    struct str raw = raw_path(json, "metadata.ownerReferences");
    struct doc d;
    struct err ignored;
    val *owners;
    if (!raw.p || raw_path(json, "metadata.deletionTimestamp").p)
        return false;
    doc_init(&d);
    bool alone = doc_parse_json(&d, raw, &owners, &ignored) == 0 && val_len(owners) > 0;
    if (alone)
        VAL_FOR (owners, owner)
            alone &= map_get(gone, VAL_STR(owner, "uid")) != NULL;
    doc_done(&d);
    return alone;
}

static const struct kind *kind_of_key(struct api *api, const struct crd_catalog *catalog,
                                      struct str key)
{
    const struct kind *k = map_get(&api->kinds.by_prefix, crd_key_prefix(key));
    for (size_t i = 0; !k && i < catalog->kind_count; i++)
        if (str_starts(key, catalog->kinds[i]->kind.prefix))
            k = &catalog->kinds[i]->kind;
    return k;
}

struct str crd_key_prefix(struct str key)
{
    size_t slashes = 0;
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] == '/' && ++slashes == 4)
            return str_head(key, i + 1);
    return key;
}

static void delete_key(struct api *api, struct client *client, struct arena *a,
                       const struct crd_catalog *catalog, struct str key)
{
    const struct kind *k = kind_of_key(api, catalog, key);
    struct str ns, name;
    struct err ignored; /* gone already, or the next deletion of its owners' kind finds it */
    if (!k)
        return;
    kind_split_key(k, key, &ns, &name);
    struct resource resource = {k->k->group, k->k->version, k->k->resource, k->k->namespaced};
    client_delete(client, &resource, ns.n ? arena_z(a, ns) : NULL, arena_z(a, name), NULL,
                  &ignored);
}

typedef bool wanted_fn(const struct map *owners, struct str json);

static size_t find(struct api *api, wanted_fn *wanted, const struct map *owners, struct arena *a,
                   struct str *keys)
{
    struct store_snap *snap;
    struct err ignored;
    size_t n = 0;
    if (store_snap_begin(api->config.store, 0, &snap, &ignored) != 0)
        return 0;
    struct store_iter *it = store_range(snap, STR("/registry/"), STR("/registry0"));
    struct store_kv kv;
    while (n < AT_ONCE && store_next(it, &kv))
        if (wanted(owners, kv.value))
            keys[n++] = arena_dup(a, kv.key);
    store_iter_free(it);
    store_snap_end(snap);
    return n;
}

void crd_collect(struct api *api, struct client *client, const struct map *gone)
{
    size_t n;
    do {
        struct arena a = {0};
        struct str *keys = arena_alloc(&a, AT_ONCE * sizeof(*keys));
        struct crd_catalog *catalog = crd_catalog_get(api);
        n = find(api, is_left_alone, gone, &a, keys);
        for (size_t i = 0; i < n; i++)
            delete_key(api, client, &a, catalog, keys[i]);
        crd_catalog_unref(catalog);
        arena_done(&a);
    } while (n == AT_ONCE);
}

/* --- finalizers that ask for something before the object goes --- */
static bool is_owned(const struct map *owners, struct str json)
{
    struct str raw = raw_path(json, "metadata.ownerReferences");
    struct doc d;
    struct err ignored;
    val *refs;
    bool owned = false;
    if (!raw.p)
        return false;
    doc_init(&d);
    if (doc_parse_json(&d, raw, &refs, &ignored) == 0)
        VAL_FOR (refs, ref)
            owned |= map_get(owners, VAL_STR(ref, "uid")) != NULL;
    doc_done(&d);
    return owned;
}

/* The list without the elements that `drop` names, by their member or by themselves. */
static val *without(struct doc *d, const val *list, const char *member, struct str drop)
{
    val *left = val_new_arr(d);
    VAL_FOR (list, item)
        if (!str_eq(member ? VAL_STR(item, member) : val_str(item), drop))
            val_push(left, val_copy(d, item));
    return left;
}

/* Writes metadata.LIST without the element. 0: done, or the object is gone. */
static int drop_from(struct client *client, const struct kind *k, struct str key, const char *list,
                     const char *member, struct str drop)
{
    struct arena a = {0};
    struct doc d;
    struct err err;
    struct str ns, name;
    val *obj;
    kind_split_key(k, key, &ns, &name);
    struct resource resource = {k->k->group, k->k->version, k->k->resource, k->k->namespaced};
    const char *ns_z = ns.n ? arena_z(&a, ns) : NULL, *name_z = arena_z(&a, name);
    doc_init(&d);
    int rc = client_get(client, &resource, ns_z, name_z, &d, &obj, &err);
    if (rc == 0) {
        val *patch = val_new_obj(&d), *meta = val_ensure_obj(&d, patch, "metadata");
        val_set_s(&d, meta, "resourceVersion", VAL_STR(obj, "metadata", "resourceVersion"));
        val_set(&d, meta, list, without(&d, VAL_PATH(obj, "metadata", list), member, drop));
        rc = client_patch(client, &resource, ns_z, name_z, NULL, CLIENT_PATCH_MERGE, patch, &d,
                          NULL, &err);
    }
    if (rc != 0 && err.code == 404)
        rc = 0;
    doc_done(&d);
    arena_done(&a);
    return rc;
}

/* Takes the owner's reference off its dependents: they stay. */
static bool orphan(struct api *api, struct client *client, const struct crd_catalog *catalog,
                   const struct map *owner, struct str uid)
{
    struct arena a = {0};
    struct str *keys = arena_alloc(&a, AT_ONCE * sizeof(*keys));
    size_t n = find(api, is_owned, owner, &a, keys);
    bool all = n < AT_ONCE;
    for (size_t i = 0; i < n; i++) {
        const struct kind *k = kind_of_key(api, catalog, keys[i]);
        all &= k && drop_from(client, k, keys[i], "ownerReferences", "uid", uid) == 0;
    }
    arena_done(&a);
    return all;
}

/* Deletes the dependents; true when none is left. */
static bool delete_first(struct api *api, struct client *client, const struct map *owner)
{
    struct arena a = {0};
    struct str key;
    crd_collect(api, client, owner);
    struct str *keys = arena_alloc(&a, AT_ONCE * sizeof(key));
    size_t n = find(api, is_owned, owner, &a, keys);
    arena_done(&a);
    return n == 0;
}

bool crd_settle(struct api *api, struct client *client, struct str key)
{
    struct crd_catalog *catalog = crd_catalog_get(api);
    const struct kind *k = kind_of_key(api, catalog, key);
    struct store_snap *snap;
    struct store_kv kv;
    struct err ignored;
    bool done = true;
    if (k && store_snap_begin(api->config.store, 0, &snap, &ignored) == 0) {
        struct arena a = {0};
        struct map owner = {0};
        bool found = store_get(snap, key, &kv) == 1;
        struct str json = found ? arena_dup(&a, kv.value) : (struct str){0};
        store_snap_end(snap);
        struct str uid = raw_text(raw_path(json, "metadata.uid"));
        struct str held = raw_path(json, "metadata.finalizers");
        if (uid.n)
            map_set(&owner, uid, &owner);
        if (uid.n && str_find(held, STR("\"orphan\"")) >= 0)
            done = orphan(api, client, catalog, &owner, uid) &&
                   drop_from(client, k, key, "finalizers", NULL, STR("orphan")) == 0;
        else if (uid.n && str_find(held, STR("\"foregroundDeletion\"")) >= 0)
            done = delete_first(api, client, &owner) &&
                   drop_from(client, k, key, "finalizers", NULL, STR("foregroundDeletion")) == 0;
        map_done(&owner);
        arena_done(&a);
    }
    crd_catalog_unref(catalog);
    return done;
}
