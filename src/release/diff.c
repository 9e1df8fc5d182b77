/* diff.c: manifests as lists of documents, matched by what they name. */
#include "release/diff.h"

#include <stdlib.h>

#include "template/gobase.h"

enum { MAX_DOCUMENTS = 100000 };

/* A document; values live in the doc of its side. */
struct item {
    struct str api_version, group, kind, namespace, name;
    val *v;
    struct item *partner; /* the same object of the other side */
};

struct side {
    struct chart_ctx *cx;
    struct doc doc;
    struct str namespace;
    struct item *items;
    size_t n, cap;
};

static struct str group_of(struct str api_version)
{
    struct str group, version;
    return str_cut(api_version, '/', &group, &version) ? group : STR("");
}

static struct item *grow(struct side *s)
{
    struct arena *a = s->cx->arena;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 32;
        struct item *grown = arena_alloc(a, s->cap * sizeof(*grown));
        if (s->n)
            memcpy(grown, s->items, s->n * sizeof(*grown));
        s->items = grown;
    }
    return &s->items[s->n++];
}

static int add_item(struct side *s, const val *v)
{
    struct arena *a = s->cx->arena;
    if (s->n >= MAX_DOCUMENTS)
        return chart_fail(s->cx, "a manifest of more than %d documents", MAX_DOCUMENTS);
    struct item *i = grow(s);
    *i = (struct item){.api_version = arena_dup(a, VAL_STR(v, "apiVersion")),
                       .kind = arena_dup(a, VAL_STR(v, "kind")),
                       .namespace = arena_dup(a, VAL_STR(v, "metadata", "namespace")),
                       .name = arena_dup(a, VAL_STR(v, "metadata", "name")),
                       .v = val_copy(&s->doc, v)};
    i->group = group_of(i->api_version);
    if (str_eq(i->namespace, s->namespace))
        i->namespace = STR("");
    return 0;
}

static int add_document(struct side *s, struct str text)
{
    struct doc d;
    struct err err;
    val *root;
    int rc = 0;
    doc_init(&d);
    if (doc_parse_yaml(&d, text, &root, &err) != 0) {
        rc = chart_fail(s->cx, "YAML parse error in a manifest: %s", err.message);
    } else if (val_is_arr(val_get(root, "items")) && str_ends(VAL_STR(root, "kind"), STR("List"))) {
        VAL_FOR (val_get(root, "items"), item)
            rc = rc ? rc : add_item(s, item);
    } else if (val_is_obj(root)) {
        rc = add_item(s, root);
    }
    doc_done(&d);
    return rc;
}

static int by_object(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int order = str_cmp(a->kind, b->kind);
    order = order ? order : str_cmp(a->group, b->group);
    order = order ? order : str_cmp(a->namespace, b->namespace);
    return order ? order : str_cmp(a->name, b->name);
}

static int read_side(struct side *s, const struct diff_side *from)
{
    struct str rest = from->manifest, text;
    s->namespace = from->namespace;
    while (doc_next_yaml(&rest, &text))
        if (add_document(s, text) != 0)
            return -1;
    if (s->n)
        qsort(s->items, s->n, sizeof(*s->items), by_object);
    return 0;
}

/* --- secrets --- */
struct str diff_redacted(struct arena *a, const char *mark, struct str value)
{
    return arena_printf(a, "%s # (%zu bytes)", mark, value.n);
}

static struct str secret_text(struct arena *a, const char *field, const val *v)
{
    struct buf plain = {0};
    size_t at;
    struct str text = val_str(v);
    if (strcmp(field, "data") == 0 && gobase64_decode(&plain, text, &at) == 0)
        text = arena_dup(a, buf_str(&plain));
    buf_done(&plain);
    return text;
}

/* Replaces the values of one side; other: the same Secret on the other side, as it was. */
static void redact(struct side *s, val *secret, const val *other, const char *differing)
{
    static const char *const fields[] = {"data", "stringData"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const val *data = val_get(secret, fields[i]), *theirs = val_get(other, fields[i]);
        if (!val_is_obj(data))
            continue;
        val *hidden = val_new_obj(&s->doc);
        VAL_EACH (data, key, v) {
            const val *their = val_get_str(theirs, val_str(key));
            struct str text = secret_text(s->cx->arena, fields[i], v);
            const char *mark = !other || (their && val_eq(v, their)) ? "REDACTED" : differing;
            val_set_str(&s->doc, hidden, val_str(key),
                        val_new_str(&s->doc, diff_redacted(s->cx->arena, mark, text)));
        }
        val_set(&s->doc, secret, fields[i], hidden);
    }
}

static bool is_secret(const struct item *i)
{
    return str_is(i->kind, "Secret") && str_is(i->api_version, "v1");
}

static bool is_secret_key(struct str key)
{
    static const char *const words[] = {"password", "passwd", "secret", "token", "apikey"};
    struct arena a = {0};
    char *lower = arena_z(&a, key);
    for (size_t i = 0; i < key.n; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] += 'a' - 'A';
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        found = found || str_find((struct str){lower, key.n}, str_of(words[i])) >= 0;
    arena_done(&a);
    return found;
}

/* A copy without the texts whose key says that they are secret. */
static val *redacted_values(struct side *s, const val *v, const val *other, const char *differing)
{
    struct val_walk theirs = val_walk_arr(other);
    if (val_is_arr(v)) {
        val *list = val_new_arr(&s->doc);
        VAL_FOR (v, item)
            val_push(list, redacted_values(s, item, val_walk_next(&theirs), differing));
        return list;
    }
    if (!val_is_obj(v))
        return val_copy(&s->doc, v);
    val *table = val_new_obj(&s->doc);
    VAL_EACH (v, key, member) {
        const val *their = val_get_str(other, val_str(key));
        val *shown;
        if (val_is_str(member) && val_str(member).n && is_secret_key(val_str(key))) {
            const char *mark = their && val_eq(member, their) ? "REDACTED" : differing;
            shown = val_new_str(&s->doc, diff_redacted(s->cx->arena, mark, val_str(member)));
        } else {
            shown = redacted_values(s, member, their, differing);
        }
        val_set_str(&s->doc, table, val_str(key), shown);
    }
    return table;
}

/* --- entries --- */
static void add_entry(struct chart_ctx *cx, struct diff *d, struct diff_entry e)
{
    if (d->n == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 16;
        struct diff_entry *grown = arena_alloc(cx->arena, d->cap * sizeof(*grown));
        if (d->n)
            memcpy(grown, d->items, d->n * sizeof(*grown));
        d->items = grown;
    }
    d->items[d->n++] = e;
}

static struct str yaml_of(struct arena *a, const val *v)
{
    struct buf b = {0};
    if (v)
        val_write_yaml(v, &b);
    struct str text = arena_dup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

/* One object of which at least one side exists. */
static void compare(struct side *s, struct item *before, struct side *t, struct item *after,
                    bool show_secrets, struct diff *ret)
{
    struct arena *a = s->cx->arena;
    const struct item *any = after ? after : before;
    if (before && after && val_eq(before->v, after->v))
        return;
    if (is_secret(any) && !show_secrets) {
        val *old = before ? val_copy(&t->doc, before->v) : NULL;
        if (before)
            redact(s, before->v, after ? after->v : NULL, "--------");
        if (after)
            redact(t, after->v, old, "++++++++");
    }
    struct str own = after ? t->namespace : s->namespace;
    add_entry(s->cx, ret,
              (struct diff_entry){.change = !before  ? DIFF_ADDED
                                            : !after ? DIFF_REMOVED
                                                     : DIFF_CHANGED,
                                  .api_version = any->api_version,
                                  .kind = any->kind,
                                  .namespace = any->namespace.n ? any->namespace : own,
                                  .name = any->name,
                                  .before = yaml_of(a, before ? before->v : NULL),
                                  .after = yaml_of(a, after ? after->v : NULL)});
}

/* Both sides are sorted. */
static void merge(struct side *s, struct side *t, bool show_secrets, struct diff *ret)
{
    size_t i = 0, k = 0;
    while (i < s->n || k < t->n) {
        struct item *x = i < s->n ? &s->items[i] : NULL, *y = k < t->n ? &t->items[k] : NULL;
        int order = !x ? 1 : !y ? -1 : by_object(x, y);
        compare(s, order <= 0 ? x : NULL, t, order >= 0 ? y : NULL, show_secrets, ret);
        i += order <= 0;
        k += order >= 0;
    }
}

int diff_manifests(struct chart_ctx *cx, const struct diff_side *before,
                   const struct diff_side *after, bool show_secrets, struct diff *ret)
{
    struct side s = {.cx = cx}, t = {.cx = cx};
    doc_init(&s.doc);
    doc_init(&t.doc);
    int rc = read_side(&s, before) != 0 || read_side(&t, after) != 0 ? -1 : 0;
    if (rc == 0)
        merge(&s, &t, show_secrets, ret);
    doc_done(&s.doc);
    doc_done(&t.doc);
    return rc;
}

static int values_into(struct side *s, struct vmap *values, val **ret)
{
    struct err err;
    struct value v = values ? value_map(&type_map, values) : value_map_new(s->cx->arena, &type_map);
    if (value_to_val(&s->doc, s->cx->arena, v, ret, &err) != 0)
        return chart_fail(s->cx, "%s", err.message);
    return 0;
}

int diff_values(struct chart_ctx *cx, struct str name, struct vmap *before, struct vmap *after,
                bool show_secrets, struct diff *ret)
{
    struct side s = {.cx = cx}, t = {.cx = cx};
    val *x, *y;
    doc_init(&s.doc);
    doc_init(&t.doc);
    int rc = values_into(&s, before, &x) != 0 || values_into(&t, after, &y) != 0 ? -1 : 0;
    if (rc == 0 && !val_eq(x, y)) {
        const val *shown_x = show_secrets ? x : redacted_values(&s, x, y, "--------");
        const val *shown_y = show_secrets ? y : redacted_values(&t, y, x, "++++++++");
        diff_texts(cx, name, yaml_of(cx->arena, shown_x), yaml_of(cx->arena, shown_y), ret);
    }
    doc_done(&s.doc);
    doc_done(&t.doc);
    return rc;
}

void diff_texts(struct chart_ctx *cx, struct str name, struct str before, struct str after,
                struct diff *ret)
{
    if (!str_eq(before, after))
        add_entry(cx, ret,
                  (struct diff_entry){
                      .change = DIFF_CHANGED, .name = name, .before = before, .after = after});
}

/* --- printing --- */
void diff_put_name(struct str namespace, struct str name, struct str kind, struct str api_version,
                   struct buf *out)
{
    struct str group = group_of(api_version);
    buf_printf(out, "%.*s, %.*s, %.*s", STR_ARG(namespace), STR_ARG(name), STR_ARG(kind));
    if (group.n)
        buf_printf(out, " (%.*s)", STR_ARG(group));
}

void diff_put(const struct diff *d, struct linediff_style style, struct buf *out)
{
    static const char *const words[] = {[DIFF_ADDED] = " has been added",
                                        [DIFF_REMOVED] = " has been removed",
                                        [DIFF_CHANGED] = " has changed"};
    for (size_t i = 0; i < d->n; i++) {
        const struct diff_entry *e = &d->items[i];
        buf_puts(out, style.colour ? "\033[33m" : "");
        if (!e->kind.n) {
            buf_put(out, e->name);
        } else {
            diff_put_name(e->namespace, e->name, e->kind, e->api_version, out);
            buf_puts(out, words[e->change]);
        }
        buf_puts(out, style.colour ? ":\033[0m\n" : ":\n");
        linediff_put(e->before, e->after, style, out);
    }
}

struct str diff_manifest_of(struct chart_ctx *cx, const struct release *r, bool hooks)
{
    struct buf b = {0};
    buf_put(&b, r->manifest);
    for (size_t i = 0; hooks && i < r->hook_count; i++)
        buf_printf(&b, "\n---\n# Source: %.*s\n%.*s\n", STR_ARG(r->hooks[i].path),
                   STR_ARG(r->hooks[i].manifest));
    struct str text = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}
