/* x-kubernetes-embedded-resource: an object within an object has a type and metadata of its own
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta). */
#include <ctype.h>

#include "api/crd/schema.h"
#include "api/strategy.h"
#include "doc/names.h"

struct walk {
    struct doc *d;
    struct buf path;
    struct buf *strict; /* NULL: nobody asks for unknown fields */
    struct err *err;
    val *causes;
};

typedef int visit_fn(struct walk *w, val *v);

static void leave(struct walk *w, size_t back)
{
    w->path.n = back;
    w->path.p[back] = '\0';
}

/* Calls fn for each embedded object; what it answers but 0 ends the walk. */
static int each_embedded(struct walk *w, const struct crd_schema *s, val *v, visit_fn *fn)
{
    size_t back = w->path.n, i = 0;
    int rc = 0;
    if (!s || !s->has_embedded)
        return 0;
    if (val_is_arr(v))
        VAL_FOR (v, item) {
            buf_printf(&w->path, "[%zu]", i++);
            rc = rc ? rc : each_embedded(w, s->items, item, fn);
            leave(w, back);
        }
    if (!val_is_obj(v))
        return rc;
    if (s->embedded && (rc = fn(w, v)) != 0)
        return rc;
    VAL_EACH (v, key, member) {
        const struct crd_schema *inner = crd_schema_property(s, val_str(key));
        if (inner)
            buf_printf(&w->path, "%s%.*s", back ? "." : "", STR_ARG(val_str(key)));
        else
            buf_printf(&w->path, "[%.*s]", STR_ARG(val_str(key)));
        rc = rc ? rc : each_embedded(w, inner ? inner : s->additional, member, fn);
        leave(w, back);
    }
    return rc;
}

/* --- decoding --- */
void crd_put_nested(struct str lines, struct str path, struct buf *strict)
{
    struct str line;
    while (strict && str_next(&lines, '\n', &line)) {
        ssize_t quote = str_find(line, STR("\""));
        if (quote < 0)
            continue;
        buf_put(strict, str_head(line, (size_t)quote + 1));
        buf_printf(strict, "%.*s%smetadata.", STR_ARG(path), path.n ? "." : "");
        buf_put(strict, str_from(line, (size_t)quote + 1));
        buf_putc(strict, '\n');
    }
}

static int refuse(struct walk *w, const char *member, const val *v, const char *why)
{
    struct buf text = {0};
    val_write_json(v, &text);
    err_bad(w->err, "%s.%s: Invalid value: %s: %s", buf_z(&w->path), member, buf_z(&text), why);
    buf_done(&text);
    return -1;
}

static int coerce(struct walk *w, val *v)
{
    static const char *const texts[] = {"apiVersion", "kind"};
    const struct schema *object_meta =
        schema_find(STR("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const val *text = val_get(v, texts[i]);
        if (text && !val_is_str(text))
            return refuse(w, texts[i], text, "must be a string");
    }
    val *meta = val_get(v, "metadata");
    if (!meta || val_is_null(meta))
        return 0;
    struct buf unknown = {0};
    struct err inner;
    const val *before = val_copy(w->d, meta);
    int rc = schema_check(object_meta, w->d, meta, &unknown, &inner);
    if (rc == 0)
        crd_put_nested(buf_str(&unknown), buf_str(&w->path), w->strict);
    else
        refuse(w, "metadata", before, inner.message);
    buf_done(&unknown);
    if (rc == 0)
        schema_normalize(object_meta, w->d, meta);
    return rc;
}

int crd_coerce_embedded(const struct crd_schema *s, struct doc *d, val *v, struct buf *strict,
                        struct err *err)
{
    struct walk w = {.d = d, .strict = strict, .err = err};
    buf_puts(&w.path, "");
    int rc = each_embedded(&w, s, v, coerce);
    buf_done(&w.path);
    return rc;
}

/* --- validation --- */
static void add(struct walk *w, const char *member, const char *type, const char *text)
{
    struct buf field = {0};
    buf_printf(&field, "%s.%s", buf_z(&w->path), member);
    cause_add(w->d, w->causes, type, buf_z(&field), "%s", text);
    buf_done(&field);
}

static void invalid(struct walk *w, const char *member, struct str value, const char *why)
{
    struct buf text = {0};
    buf_printf(&text, "Invalid value: \"%.*s\": %s", STR_ARG(value), why);
    add(w, member, "FieldValueInvalid", buf_z(&text));
    buf_done(&text);
}

static void check_version(struct walk *w, struct str version)
{
    struct str group, rest;
    char why[NAME_TEXT];
    if (!version.n)
        invalid(w, "apiVersion", version, "must not be empty");
    if (!str_cut(version, '/', &group, &rest) || !memchr(rest.p, '/', rest.n))
        return;
    snprintf(why, sizeof(why), "unexpected GroupVersion string: %.*s",
             (int)(version.n < NAME_TEXT / 2 ? version.n : NAME_TEXT / 2), version.p);
    invalid(w, "apiVersion", version, why);
}

static void check_kind(struct walk *w, struct str kind)
{
    char lower[64], room[NAME_TEXT], text[NAME_TEXT + 80];
    if (!kind.n) {
        invalid(w, "kind", kind, "must not be empty");
        return;
    }
    size_t n = kind.n < sizeof(lower) ? kind.n : sizeof(lower); /* one more than a label may have */
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)tolower((unsigned char)kind.p[i]);
    const char *why = name_dns1035_label((struct str){lower, n}, room);
    if (!why)
        return;
    snprintf(text, sizeof(text), "may have mixed case, but should otherwise match: %s", why);
    invalid(w, "kind", kind, text);
}

static int check(struct walk *w, val *v)
{
    char room[NAME_TEXT];
    if (!val_get(v, "apiVersion"))
        add(w, "apiVersion", "FieldValueRequired", "Required value");
    else
        check_version(w, VAL_STR(v, "apiVersion"));
    if (!val_get(v, "kind"))
        add(w, "kind", "FieldValueRequired", "Required value");
    else
        check_kind(w, VAL_STR(v, "kind"));
    struct str name = VAL_STR(v, "metadata", "name");
    const char *why = name.n ? name_path_segment(name, room) : NULL;
    if (why)
        invalid(w, "metadata.name", name, why);
    return 0;
}

void crd_check_embedded(const struct crd_schema *s, const val *v, struct doc *d, val *causes)
{
    struct walk w = {.d = d, .causes = causes};
    buf_puts(&w.path, "");
    each_embedded(&w, s, (val *)v, check);
    buf_done(&w.path);
}
