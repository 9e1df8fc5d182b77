/* Object metadata: what the server fills in, what it refuses, and how an object becomes bytes
 * (k8s.io/apimachinery/pkg/api/validation/objectmeta.go, k8s.io/apiserver/pkg/registry/rest). */
#include <ctype.h>

#include "api/call.h"
#include "api/core.h"
#include "api/names.h"
#include "doc/time.h"

enum { MAX_ANNOTATIONS = 256 * 1024, GENERATED_BASE = 58, SUFFIX = 5 };

static val *metadata(struct doc *d, val *obj)
{
    return val_ensure_obj(d, obj, "metadata");
}

void meta_now(struct call *c, char ret[64])
{
    char text[TIME_TEXT];
    time_write(wall_ns(c->api->world), text);
    memcpy(ret, text, sizeof(text));
}

void meta_wipe(val *obj)
{
    static const char *const members[] = {"uid",
                                          "selfLink",
                                          "resourceVersion",
                                          "generation",
                                          "creationTimestamp",
                                          "deletionTimestamp",
                                          "deletionGracePeriodSeconds",
                                          "managedFields"};
    val *meta = val_get(obj, "metadata");
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        val_del(meta, members[i]);
}

void meta_fill_create(struct call *c, val *obj)
{
    struct doc *d = &c->doc;
    val *meta = metadata(d, obj);
    char now[64], uid[37];
    meta_now(c, now);
    world_uuid(c->api->world, uid);
    val_set_z(d, meta, "uid", uid);
    val_set_z(d, meta, "creationTimestamp", now);
    if (c->kind->s->spec_generation)
        val_set_int(d, meta, "generation", 1);
    struct str base = VAL_STR(meta, "generateName");
    if (VAL_STR(meta, "name").n || !base.n)
        return;
    char suffix[SUFFIX + 1];
    world_suffix(c->api->world, SUFFIX, suffix);
    struct str head = str_head(base, GENERATED_BASE);
    val_set(d, meta, "name", val_new_strf(d, "%.*s%s", STR_ARG(head), suffix));
}

int meta_check_namespace(struct call *c, val *obj, struct err *err)
{
    val *meta = metadata(&c->doc, obj);
    struct str ns = VAL_STR(meta, "namespace");
    if (!c->kind->k->namespaced) {
        val_del(meta, "namespace");
        return 0;
    }
    if (!ns.n)
        val_set_s(&c->doc, meta, "namespace", c->route.ns);
    else if (!str_eq(ns, c->route.ns))
        return err_bad(err, "the namespace of the provided object does not match the namespace "
                            "sent on the request");
    return 0;
}

/* Two references to one owner are one; upstream warns as well. */
void meta_dedup_owners(struct call *c, val *obj)
{
    val *owners = VAL_PATH(obj, "metadata", "ownerReferences");
    for (size_t i = 0; i < val_len(owners); i++)
        for (size_t k = i + 1; k < val_len(owners);) {
            if (!val_eq(val_at(owners, i), val_at(owners, k))) {
                k++;
                continue;
            }
            call_warn(c,
                      ".metadata.ownerReferences contains duplicate entries; API server dedups "
                      "owner references in 1.20+, and may reject such requests as early as 1.24; "
                      "please fix your requests; duplicate UID(s) observed: %.*s",
                      STR_ARG(VAL_STR(val_at(owners, k), "uid")));
            val_remove_at(owners, k);
        }
}

bool meta_has_finalizers(const struct kind *k, const val *obj)
{
    return val_len(VAL_PATH(obj, "metadata", "finalizers")) > 0 || (k->s->held && k->s->held(obj));
}

/* --- validation --- */
static void invalid(struct call *c, val *causes, const char *field, struct str value,
                    const char *why)
{
    struct buf b = {0};
    struct str rest = str_of(why), line;
    val_write_json(val_new_str(&c->doc, value), &b);
    while (str_next(&rest, '\n', &line))
        cause_add(&c->doc, causes, "FieldValueInvalid", field, "Invalid value: %s: %.*s", buf_z(&b),
                  STR_ARG(line));
    buf_done(&b);
}

static void check_form(struct call *c, val *causes, const char *field, enum name_form form,
                       struct str value)
{
    char room[NAME_TEXT];
    const char *why = name_error(form, value, room);
    if (why)
        invalid(c, causes, field, value, why);
}

static void check_labels(struct call *c, const val *labels, val *causes)
{
    VAL_EACH (labels, key, value) {
        check_form(c, causes, "metadata.labels", NAME_QUALIFIED, val_str(key));
        check_form(c, causes, "metadata.labels", NAME_LABEL_VALUE, val_str(value));
    }
}

static void check_annotations(struct call *c, const val *annotations, val *causes)
{
    size_t total = 0;
    VAL_EACH (annotations, key, value) {
        struct str k = val_str(key);
        char *lower = arena_z(&c->arena, k);
        for (char *p = lower; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        char room[NAME_TEXT];
        const char *why = name_error(NAME_QUALIFIED, (struct str){lower, k.n}, room);
        if (why)
            invalid(c, causes, "metadata.annotations", k, why);
        total += k.n + val_str(value).n;
    }
    if (total > MAX_ANNOTATIONS)
        cause_add(&c->doc, causes, "FieldValueTooLong", "metadata.annotations",
                  "Too long: may not be more than %d bytes", MAX_ANNOTATIONS);
}

static void check_owner(struct call *c, const val *ref, val *causes)
{
    static const struct {
        const char *member, *field;
    } required[] = {{"kind", "metadata.ownerReferences.kind"},
                    {"name", "metadata.ownerReferences.name"},
                    {"uid", "metadata.ownerReferences.uid"}};
    if (!VAL_STR(ref, "apiVersion").n)
        invalid(c, causes, "metadata.ownerReferences.apiVersion", (struct str){0},
                "version must not be empty");
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        if (!val_str(val_get(ref, required[i].member)).n)
            invalid(c, causes, required[i].field, (struct str){0}, "must not be empty");
    if (str_is(VAL_STR(ref, "apiVersion"), "v1") && str_is(VAL_STR(ref, "kind"), "Event")) {
        struct buf b = {0};
        val_write_json(ref, &b);
        cause_add(&c->doc, causes, "FieldValueInvalid", "metadata.ownerReferences",
                  "Invalid value: %s: /v1, Kind=Event is disallowed from being an owner",
                  buf_z(&b));
        buf_done(&b);
    }
}

static void check_owners(struct call *c, const val *owners, val *causes)
{
    const val *controller = NULL;
    VAL_FOR (owners, ref) {
        check_owner(c, ref, causes);
        if (!VAL_BOOL(ref, "controller"))
            continue;
        if (controller) {
            struct buf b = {0};
            val_write_json(owners, &b);
            cause_add(&c->doc, causes, "FieldValueInvalid", "metadata.ownerReferences",
                      "Invalid value: %s: Only one reference can have Controller set to true. "
                      "Found \"true\" in references for %.*s/%.*s and %.*s/%.*s",
                      buf_z(&b), STR_ARG(VAL_STR(controller, "kind")),
                      STR_ARG(VAL_STR(controller, "name")), STR_ARG(VAL_STR(ref, "kind")),
                      STR_ARG(VAL_STR(ref, "name")));
            buf_done(&b);
        } else {
            controller = ref;
        }
    }
}

static void check_finalizers(struct call *c, const val *finalizers, val *causes)
{
    bool orphan = false, foreground = false;
    VAL_FOR (finalizers, f) {
        check_form(c, causes, "metadata.finalizers", NAME_QUALIFIED, val_str(f));
        orphan |= str_is(val_str(f), "orphan");
        foreground |= str_is(val_str(f), "foregroundDeletion");
    }
    if (orphan && foreground) {
        struct buf b = {0};
        val_write_json(finalizers, &b);
        cause_add(&c->doc, causes, "FieldValueInvalid", "metadata.finalizers",
                  "Invalid value: %s: finalizer orphan and foregroundDeletion cannot be both set",
                  buf_z(&b));
        buf_done(&b);
    }
}

static void check_maps(struct call *c, const val *meta, val *causes)
{
    check_labels(c, val_get(meta, "labels"), causes);
    check_annotations(c, val_get(meta, "annotations"), causes);
    check_owners(c, val_get(meta, "ownerReferences"), causes);
}

void meta_validate(struct call *c, const val *obj, val *causes)
{
    const val *meta = val_get(obj, "metadata");
    struct str generate = VAL_STR(meta, "generateName"), name = VAL_STR(meta, "name");
    if (generate.n) {
        char room[NAME_TEXT];
        const char *why = name_error_prefix(NAME_PATH, generate, room);
        if (why)
            invalid(c, causes, "metadata.generateName", generate, why);
    }
    if (!name.n)
        cause_add(&c->doc, causes, "FieldValueRequired", "metadata.name",
                  "Required value: name or generateName is required");
    else
        check_form(c, causes, "metadata.name", NAME_PATH, name);
    if (c->kind->k->namespaced)
        check_form(c, causes, "metadata.namespace", NAME_LABEL, VAL_STR(meta, "namespace"));
    check_maps(c, meta, causes);
    check_finalizers(c, val_get(meta, "finalizers"), causes);
}

static bool contains(const val *list, struct str text)
{
    VAL_FOR (list, item)
        if (str_eq(val_str(item), text))
            return true;
    return false;
}

static void check_no_new_finalizers(struct call *c, const val *now, const val *old, val *causes)
{
    struct buf b = {0};
    VAL_FOR (val_get(now, "finalizers"), f) {
        if (contains(val_get(old, "finalizers"), val_str(f)))
            continue;
        buf_puts(&b, b.n ? ", " : "");
        val_write_json(f, &b);
    }
    if (b.n)
        cause_add(&c->doc, causes, "FieldValueForbidden", "metadata.finalizers",
                  "Forbidden: no new finalizers can be added if the object is being deleted, "
                  "found new finalizers []string{%s}",
                  buf_z(&b));
    buf_done(&b);
}

void meta_validate_update(struct call *c, const val *obj, const val *old, val *causes)
{
    static const struct {
        const char *member, *field;
    } fixed[] = {{"name", "metadata.name"},
                 {"namespace", "metadata.namespace"},
                 {"uid", "metadata.uid"},
                 {"creationTimestamp", "metadata.creationTimestamp"},
                 {"deletionTimestamp", "metadata.deletionTimestamp"},
                 {"deletionGracePeriodSeconds", "metadata.deletionGracePeriodSeconds"}};
    const val *now = val_get(obj, "metadata"), *was = val_get(old, "metadata");
    if (val_get(was, "deletionTimestamp"))
        check_no_new_finalizers(c, now, was, causes);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        const val *a = val_get(now, fixed[i].member), *b = val_get(was, fixed[i].member);
        if ((val_is_null(a) && val_is_null(b)) || (a && b && val_eq(a, b)))
            continue;
        struct buf text = {0};
        val_write_json(a ? a : val_new_null(&c->doc), &text);
        cause_add(&c->doc, causes, "FieldValueInvalid", fixed[i].field,
                  "Invalid value: %s: field is immutable", buf_z(&text));
        buf_done(&text);
    }
    check_maps(c, now, causes);
    check_finalizers(c, val_get(now, "finalizers"), causes);
}

/* --- bytes --- */
static void put_member(struct buf *b, struct str key, const val *v)
{
    buf_printf(b, "%s\"%.*s\":", b->p[b->n - 1] == '{' ? "" : ",", STR_ARG(key));
    val_write_json(v, b);
}

/* Upstream's order of ObjectMeta; the revision's place is behind uid. */
static int64_t put_metadata(struct buf *b, const val *meta)
{
    static const char *const before[] = {"name", "generateName", "namespace", "uid"};
    buf_puts(b, "\"metadata\":{");
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        const val *v = val_get(meta, before[i]);
        if (v)
            put_member(b, str_of(before[i]), v);
    }
    buf_printf(b, "%s\"resourceVersion\":\"", b->p[b->n - 1] == '{' ? "" : ",");
    int64_t at = (int64_t)b->n;
    buf_putc(b, '"');
    VAL_EACH (meta, key, v) {
        struct str k = val_str(key);
        bool done = str_is(k, "resourceVersion") || str_is(k, "selfLink");
        for (size_t i = 0; i < ARRAY_LEN(before) && !done; i++)
            done = str_is(k, before[i]);
        if (!done)
            put_member(b, k, v);
    }
    buf_putc(b, '}');
    return at;
}

struct bytes *meta_encode(struct call *c, const struct kind *k, const val *obj,
                          int64_t *ret_revision_at)
{
    struct buf b = {0};
    (void)c;
    buf_put(&b, k->head);
    *ret_revision_at = put_metadata(&b, val_get(obj, "metadata"));
    VAL_EACH (obj, key, v) {
        struct str name = val_str(key);
        if (!str_is(name, "kind") && !str_is(name, "apiVersion") && !str_is(name, "metadata"))
            put_member(&b, name, v);
    }
    buf_putc(&b, '}');
    struct bytes *ret = bytes_new(buf_str(&b));
    buf_done(&b);
    return ret;
}

int meta_load(struct call *c, const struct store_kv *kv, val **ret, struct err *err)
{
    struct buf room = {0};
    struct str json = kv->value;
    if (str_starts(kv->key, c->kind->prefix))
        json = kind_view(c->kind, json, &room);
    int rc = doc_parse_json(&c->doc, json, ret, err);
    buf_done(&room);
    if (rc != 0)
        return -1;
    return 0;
}
