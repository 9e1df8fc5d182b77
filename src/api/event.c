#include "api/event.h"

#include "api/proto.h"
#include "api/raw.h"

const char *const watch_type_names[] = {"ADDED", "MODIFIED", "DELETED"};

struct parsed {
    struct doc d;
    val *obj;
};

enum { FRAME_FORMS = 4 }; /* objects or their metadata, in JSON or protobuf */

struct view {
    _Atomic(struct bytes *) frames[WATCH_NONE][FRAME_FORMS];
    _Atomic(struct parsed *) now, before;
};

static void parsed_free(struct parsed *p)
{
    if (!p)
        return;
    doc_done(&p->d);
    free(p);
}

static void view_free(void *arg)
{
    struct view *v = arg;
    for (int t = 0; t < WATCH_NONE; t++)
        for (int f = 0; f < FRAME_FORMS; f++)
            bytes_unref(atomic_load(&v->frames[t][f]));
    parsed_free(atomic_load(&v->now));
    parsed_free(atomic_load(&v->before));
    free(v);
}

static struct view *view_of(struct store_event *e)
{
    void *have = atomic_load(&e->derived);
    if (have)
        return have;
    struct view *v = NEW(struct view);
    if (atomic_compare_exchange_strong(&e->derived, &have, v)) {
        e->derived_free = view_free;
        return v;
    }
    free(v);
    return have;
}

static const val *parsed(struct store_event *e, bool before)
{
    struct view *v = view_of(e);
    _Atomic(struct parsed *) *place = before ? &v->before : &v->now;
    struct parsed *have = atomic_load(place);
    if (have)
        return have->obj;
    struct parsed *p = NEW(struct parsed);
    struct err ignored;
    doc_init(&p->d);
    if (doc_parse_json(&p->d, bytes_str(before ? e->prev : e->value), &p->obj, &ignored) != 0)
        p->obj = NULL;
    if (atomic_compare_exchange_strong(place, &have, p))
        return p->obj;
    parsed_free(p);
    return have->obj;
}

static bool matches(struct store_event *e, bool before, const struct kind *k,
                    const struct selection *selection)
{
    struct bytes *json = before ? e->prev : e->value;
    if (!json)
        return false;
    /* Only what the kind shows as it is stored can be shared. */
    if (kind_is_plain(k, bytes_str(json)))
        return selection_match_val(selection, k, e->key, parsed(e, before));
    struct buf room = {0};
    bool match = selection_match(selection, k, e->key, kind_view(k, bytes_str(json), &room));
    buf_done(&room);
    return match;
}

enum watch_type event_type(struct store_event *e, const struct kind *k,
                           const struct selection *selection)
{
    bool was, is;
    if (selection->any) {
        was = e->prev != NULL;
        is = e->value != NULL;
    } else {
        struct str ns, name;
        kind_split_key(k, e->key, &ns, &name);
        if (selection->name.n && !str_eq(selection->name, name))
            return WATCH_NONE;
        was = matches(e, true, k, selection);
        is = matches(e, false, k, selection);
    }
    if (is)
        return was ? WATCH_MODIFIED : WATCH_ADDED;
    return was ? WATCH_DELETED : WATCH_NONE;
}

void event_object(const struct store_event *e, const struct kind *k, enum watch_type type,
                  struct buf *b)
{
    struct buf room = {0};
    struct bytes *json = type == WATCH_DELETED ? e->prev : e->value;
    struct str shown = kind_view(k, bytes_str(json), &room);
    if (type == WATCH_DELETED)
        raw_put_revision(shown, e->revision, b);
    else
        buf_put(b, shown);
    buf_done(&room);
}

struct bytes *frame_new(const char *type, struct str object, bool proto)
{
    if (proto)
        return proto_frame(type, object);
    struct str head = STR("{\"type\":\""), middle = STR("\",\"object\":"), t = str_of(type);
    char *p;
    struct bytes *b = bytes_new_uninit(head.n + t.n + middle.n + object.n + 2, &p);
    p = mempcpy(p, head.p, head.n);
    p = mempcpy(p, t.p, t.n);
    p = mempcpy(p, middle.p, middle.n);
    p = mempcpy(p, object.p, object.n);
    memcpy(p, "}\n", 2);
    return b;
}

static struct bytes *make_frame(struct store_event *e, const struct kind *k, enum watch_type type,
                                enum call_form form, bool proto)
{
    struct buf object = {0}, meta = {0};
    event_object(e, k, type, &object);
    if (form == FORM_METADATA)
        metadata_only(buf_str(&object), &meta);
    struct bytes *frame =
        frame_new(watch_type_names[type], buf_str(form == FORM_METADATA ? &meta : &object), proto);
    buf_done(&object);
    buf_done(&meta);
    return frame;
}

struct bytes *event_frame(struct store_event *e, const struct kind *k, enum watch_type type,
                          enum call_form form, bool proto)
{
    if (!kind_is_plain(k, bytes_str(type == WATCH_DELETED ? e->prev : e->value)))
        return make_frame(e, k, type, form, proto);
    struct view *v = view_of(e);
    _Atomic(struct bytes *) *place = &v->frames[type][(form == FORM_METADATA) + 2 * proto];
    struct bytes *have = atomic_load(place);
    if (have)
        return bytes_ref(have);
    struct bytes *frame = make_frame(e, k, type, form, proto);
    if (!frame || atomic_compare_exchange_strong(place, &have, frame))
        return bytes_ref(frame);
    bytes_unref(frame);
    return bytes_ref(have);
}
