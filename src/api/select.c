/* Which objects a list, a watch or a deletecollection wants. Labels and fields are looked up in the
 * stored bytes; a whole object is parsed only for fields that are no plain path. */
#include "api/call.h"
#include "api/raw.h"

static bool known_field(const struct kind *k, struct str field)
{
    if (str_is(field, "metadata.name") || str_is(field, "metadata.namespace"))
        return true;
    for (const char *const *f = k->s->fields; f && *f; f++)
        if (str_is(field, *f))
            return true;
    return false;
}

/* As it is for most of them: asked by an object that has nothing else. */
bool selection_is_plain(const struct kind *k, struct str field)
{
    struct doc d;
    struct str part, rest = field;
    if (str_starts(field, STR("metadata.name")))
        return true;
    if (!k->s->field || k->s->view)
        return false;
    doc_init(&d);
    val *none = val_new_obj(&d), *some = val_new_obj(&d), *at = some;
    while (str_next(&rest, '.', &part)) {
        val *below = rest.n ? val_new_obj(&d) : val_new_str(&d, field);
        val_set_str(&d, at, part, below);
        at = below;
    }
    bool plain = !k->s->field(none, field).n && str_eq(k->s->field(some, field), field);
    doc_done(&d);
    return plain;
}

int selection_parse(struct call *c, struct selection *ret, struct err *err)
{
    struct selection s = {.plain = true};
    const struct url_query *q = &c->route.query;
    struct err inner;
    if (selector_parse_labels(&c->arena, url_query_get(q, "labelSelector"), &s.labels, &inner) != 0)
        return err_bad(err, "unable to parse requirement: %s", inner.message);
    if (selector_parse_fields(&c->arena, url_query_get(q, "fieldSelector"), &s.fields, &inner) != 0)
        return err_bad(err, "%s", inner.message);
    for (size_t i = 0; i < s.fields.count; i++) {
        const struct requirement *r = &s.fields.requirements[i];
        if (!known_field(c->kind, r->key)) {
            bool plain = !c->kind->s->fields;
            return plain ? err_bad(err,
                                   "\"%.*s\" is not a known field selector: only "
                                   "\"metadata.name\", \"metadata.namespace\"",
                                   STR_ARG(r->key))
                         : err_bad(err, "field label not supported: %.*s", STR_ARG(r->key));
        }
        s.plain = s.plain && selection_is_plain(c->kind, r->key);
        if (str_is(r->key, "metadata.name") && r->op == SELECT_EQUALS)
            s.name = r->values[0];
    }
    s.any = s.labels.count == 0 && s.fields.count == 0 && !s.labels.nothing;
    *ret = s;
    return 0;
}

/* --- matching --- */
static bool raw_label(void *arg, struct str key, struct str *ret_value)
{
    const struct str *labels = arg;
    struct str name, raw;
    for (size_t at = 0; raw_next(*labels, &at, &name, &raw);)
        if (str_eq(name, key)) {
            *ret_value = raw_text(raw);
            return true;
        }
    return false;
}

/* Labels have no characters that JSON escapes, but for those of objects from before validation. */
static bool labels_match(const struct selector *labels, struct str json)
{
    if (!labels->count)
        return !labels->nothing;
    struct str raw = raw_path(json, "metadata.labels");
    if (!raw.p)
        return selector_match_labels(labels, NULL);
    if (!memchr(raw.p, '\\', raw.n))
        return selector_match_with(labels, raw_label, &raw);
    struct doc d;
    struct err ignored;
    val *v;
    doc_init(&d);
    bool match = doc_parse_json(&d, raw, &v, &ignored) == 0 && selector_match_labels(labels, v);
    doc_done(&d);
    return match;
}

struct field_source {
    const struct kind *k;
    struct str ns, name;
    const val *obj;
    struct str json; /* instead of obj */
    bool unclear;    /* by the JSON alone */
};

static struct str raw_field(struct field_source *f, struct str field)
{
    struct str raw = raw_at(f->json, field), text = raw_text(raw);
    f->unclear |= raw.p && !text.p;
    return text;
}

static struct str field_value(void *arg, struct str field)
{
    struct field_source *f = arg;
    if (str_is(field, "metadata.name"))
        return f->name;
    if (str_is(field, "metadata.namespace"))
        return f->ns;
    if (f->json.p)
        return raw_field(f, field);
    return f->obj && f->k->s->field ? f->k->s->field(f->obj, field) : (struct str){0};
}

static bool needs_object(const struct selector *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        if (!str_starts(fields->requirements[i].key, STR("metadata.name")))
            return true;
    return false;
}

/* A field whose text at the path of its own name is another than the one asked for: no match, and
 * nothing has to be parsed to know it. */
static bool surely_differs(const struct selector *fields, struct str json)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct requirement *r = &fields->requirements[i];
        struct str text = raw_text(raw_at(json, r->key));
        if (r->op == SELECT_EQUALS && text.p && !str_eq(text, r->values[0]))
            return true;
    }
    return false;
}

static bool fields_match(const struct selection *s, const struct kind *k, struct str key,
                         struct str json)
{
    struct field_source source = {.k = k};
    kind_split_key(k, key, &source.ns, &source.name);
    if (s->name.n && !str_eq(s->name, source.name))
        return false;
    if (!s->fields.count)
        return true;
    if (!needs_object(&s->fields))
        return selector_match_fields(&s->fields, field_value, &source);
    if (s->plain) {
        source.json = json;
        bool match = selector_match_fields(&s->fields, field_value, &source);
        if (!source.unclear)
            return match;
        source.json = (struct str){0};
    } else if (surely_differs(&s->fields, json)) {
        return false;
    }
    struct doc d;
    struct err ignored;
    val *v;
    doc_init(&d);
    bool match = false;
    if (doc_parse_json(&d, json, &v, &ignored) == 0) {
        source.obj = v;
        match = selector_match_fields(&s->fields, field_value, &source);
    }
    doc_done(&d);
    return match;
}

bool selection_match(const struct selection *s, const struct kind *k, struct str key,
                     struct str json)
{
    if (s->any)
        return true;
    return fields_match(s, k, key, json) && labels_match(&s->labels, json);
}

bool selection_match_val(const struct selection *s, const struct kind *k, struct str key,
                         const val *obj)
{
    struct field_source source = {.k = k, .obj = obj};
    kind_split_key(k, key, &source.ns, &source.name);
    if (s->name.n && !str_eq(s->name, source.name))
        return false;
    if (s->labels.nothing ||
        !selector_match_labels(&s->labels, VAL_PATH(obj, "metadata", "labels")))
        return false;
    return selector_match_fields(&s->fields, field_value, &source);
}
