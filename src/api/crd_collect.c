/* What a custom resource owned goes when it is gone. The garbage collector of control/ follows the
 * built-in kinds; owners that are custom are followed here, where their deletions are seen.
 *
 * Only objects all of whose owners were seen to go are deleted, so nothing is lost by mistake. */
#include "api/core.h"
#include "api/crd.h"
#include "api/raw.h"

enum { AT_ONCE = 1000 };

/* Whether every owner of the object is among those that went. */
static bool is_left_alone(const struct map *gone, struct str json)
{
    struct str raw = raw_path(json, "metadata.ownerReferences");
    struct doc d;
    struct err ignored;
    val *owners;
    if (!raw.p)
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

static size_t find_left(struct api *api, const struct map *gone, struct arena *a, struct str *keys)
{
    struct store_snap *snap;
    struct err ignored;
    size_t n = 0;
    if (store_snap_begin(api->config.store, 0, &snap, &ignored) != 0)
        return 0;
    struct store_iter *it = store_range(snap, STR("/registry/"), STR("/registry0"));
    struct store_kv kv;
    while (n < AT_ONCE && store_next(it, &kv))
        if (!raw_path(kv.value, "metadata.deletionTimestamp").p && is_left_alone(gone, kv.value))
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
        n = find_left(api, gone, &a, keys);
        for (size_t i = 0; i < n; i++)
            delete_key(api, client, &a, catalog, keys[i]);
        crd_catalog_unref(catalog);
        arena_done(&a);
    } while (n == AT_ONCE);
}
