/* Between the form in which a custom resource is stored and the form in which a version shows it:
 * conversion strategy None, pruning and defaults on the way
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go, the codec of its
 * storage). */
#include "api/call.h"
#include "api/crd/crd.h"
#include "api/raw.h"

/* NULL: the definition has no version of this name any more. */
static const struct crd_version *version_named(const struct crd *crd, struct str name)
{
    for (size_t i = 0; i < crd->all_count; i++)
        if (str_is(name, crd->versions[i].info.version))
            return &crd->versions[i];
    return NULL;
}

/* `{"kind":"Widget","apiVersion":"shop.example.com/` begins every object of the kind. */
static bool is_own(const struct kind *k, struct str json)
{
    struct str head = str_head(k->head, k->head.n - 2 - strlen(k->k->version));
    return str_starts(json, head);
}

/* What was written after the definition last changed has its newest defaults already. */
static bool is_newer(const struct crd *crd, struct str json)
{
    uint64_t revision;
    return str_to_u64(raw_text(raw_path(json, "metadata.resourceVersion")), &revision) &&
           (int64_t)revision > crd->revision;
}

bool crd_is_plain(const struct schema_kind *k, struct str json)
{
    const struct crd_version *version = crd_version_of(k);
    return !version->schema || is_newer(version->crd, json);
}

/* From here on obj is of the other version. */
static void convert(const struct crd_version *to, struct doc *d, val *obj)
{
    val_set_s(d, obj, "apiVersion", to->kind.api_version);
    if (!to->schema || to->preserve)
        return;
    crd_prune(to->schema, obj, true, NULL);
    crd_drop_nulls(to->schema, obj);
}

static void put_object(const struct kind *k, const val *obj, struct buf *b)
{
    bool comma = false;
    buf_put(b, k->head);
    VAL_EACH (obj, key, member) {
        if (str_is(val_str(key), "kind") || str_is(val_str(key), "apiVersion"))
            continue;
        if (comma)
            buf_putc(b, ',');
        comma = true;
        val_write_json(key, b);
        buf_putc(b, ':');
        val_write_json(member, b);
    }
    buf_putc(b, '}');
}

bool crd_view(const struct schema_kind *k, struct str json, struct buf *b)
{
    const struct crd_version *version = crd_version_of(k);
    struct doc d;
    val *obj;
    struct err ignored;
    if (!is_own(&version->kind, json))
        return false;
    doc_init(&d);
    bool readable = doc_parse_json(&d, json, &obj, &ignored) == 0;
    if (readable) {
        struct str group, name;
        str_cut(VAL_STR(obj, "apiVersion"), '/', &group, &name);
        const struct crd_version *written = version_named(version->crd, name);
        if (written && written->schema) {
            if (!written->preserve)
                crd_prune(written->schema, obj, true, NULL);
            crd_default(written->schema, &d, obj);
        }
        if (written != version)
            convert(version, &d, obj);
        put_object(&version->kind, obj, b);
    }
    doc_done(&d);
    return readable;
}

const struct kind *crd_store_form(struct call *c, const val **obj)
{
    const struct crd *crd = c->custom->crd;
    struct str key = arena_printf(&c->arena, CRD_PREFIX "%.*s", STR_ARG(crd->name));
    strategy_add_op(&c->ctx, STORE_CHECK, key, NULL, crd->revision);
    if (!crd->storage || crd->storage == c->custom)
        return c->kind;
    val *copy = val_copy(&c->doc, *obj);
    convert(crd->storage, &c->doc, copy);
    *obj = copy;
    return &crd->storage->kind;
}

bool crd_is_outdated(struct call *c)
{
    const struct crd_version *storage = c->custom->crd->storage;
    struct store_kv kv;
    struct buf room = {0};
    if (!storage || store_get(c->snap, c->key, &kv) != 1)
        return false;
    bool same = str_eq(kind_view(&storage->kind, kv.value, &room), kv.value);
    buf_done(&room);
    return !same;
}
