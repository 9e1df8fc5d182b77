/* metadata.c: Chart.yaml, requirements.yaml and the lock files, decoded as encoding/json fills
 * Helm's structs: the fields are tables, and numbers turn into text where text is wanted. */
#include "chart/chart.h"
#include "template/gofmt.h"
#include "functions/semver.h"
#include "template/unicode.h"

enum kind { TEXT, TEXTS, BOOL, TEXT_MAP, ANY_LIST, MAINTAINERS, DEPENDENCIES };

struct field {
    const char *name;
    enum kind kind;
    size_t at;
};

struct record {
    const char *name; /* Go's, for errors */
    const struct field *fields;
};

#define FIELD(json, kind, of, member)                                                              \
    {                                                                                              \
        json, kind, offsetof(struct of, member)                                                    \
    }

static const struct record maintainer_record = {"Maintainer",
                                                (const struct field[]){
                                                    FIELD("name", TEXT, chart_maintainer, name),
                                                    FIELD("email", TEXT, chart_maintainer, email),
                                                    FIELD("url", TEXT, chart_maintainer, url),
                                                    {0},
                                                }};
static const struct record dependency_record = {
    "Dependency", (const struct field[]){
                      FIELD("name", TEXT, chart_dependency, name),
                      FIELD("version", TEXT, chart_dependency, version),
                      FIELD("repository", TEXT, chart_dependency, repository),
                      FIELD("condition", TEXT, chart_dependency, condition),
                      FIELD("tags", TEXTS, chart_dependency, tags),
                      FIELD("enabled", BOOL, chart_dependency, enabled),
                      FIELD("import-values", ANY_LIST, chart_dependency, import_values),
                      FIELD("alias", TEXT, chart_dependency, alias),
                      {0},
                  }};
static const struct record meta_record = {
    "Metadata", (const struct field[]){
                    FIELD("name", TEXT, chart_meta, name),
                    FIELD("home", TEXT, chart_meta, home),
                    FIELD("sources", TEXTS, chart_meta, sources),
                    FIELD("version", TEXT, chart_meta, version),
                    FIELD("description", TEXT, chart_meta, description),
                    FIELD("keywords", TEXTS, chart_meta, keywords),
                    FIELD("maintainers", MAINTAINERS, chart_meta, maintainers),
                    FIELD("icon", TEXT, chart_meta, icon),
                    FIELD("apiVersion", TEXT, chart_meta, api_version),
                    FIELD("condition", TEXT, chart_meta, condition),
                    FIELD("tags", TEXT, chart_meta, tags),
                    FIELD("appVersion", TEXT, chart_meta, app_version),
                    FIELD("deprecated", BOOL, chart_meta, deprecated),
                    FIELD("annotations", TEXT_MAP, chart_meta, annotations),
                    FIELD("kubeVersion", TEXT, chart_meta, kube_version),
                    FIELD("dependencies", DEPENDENCIES, chart_meta, dependencies),
                    FIELD("type", TEXT, chart_meta, type),
                    {0},
                }};
static const struct record lock_record = {
    "Lock", (const struct field[]){
                FIELD("generated", TEXT, chart_lock, generated),
                FIELD("digest", TEXT, chart_lock, digest),
                FIELD("dependencies", DEPENDENCIES, chart_lock, dependencies),
                {0},
            }};

static int decode_record(struct chart_ctx *cx, const struct record *r, const char *path,
                         const val *v, void *out);

static int fail_type(struct chart_ctx *cx, const val *v, const char *path, const char *go_type)
{
    return chart_fail(
        cx,
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s into "
        "Go struct field %s of type %s",
        val_type_name(v), path, go_type);
}

/* sigs.k8s.io/yaml gives scalars as text where a string is wanted. */
static int decode_text(struct chart_ctx *cx, const char *path, const val *v, struct str *ret)
{
    if (val_is_null(v))
        return 0;
    if (val_is_obj(v) || val_is_arr(v))
        return fail_type(cx, v, path, "string");
    if (val_is_str(v)) {
        *ret = arena_dup(cx->arena, val_str(v));
        return 0;
    }
    struct buf b = {0};
    if (val_is_bool(v))
        buf_puts(&b, val_bool(v) ? "true" : "false");
    else if (val_is_int(v))
        val_write_json(v, &b);
    else
        gofmt_float(&b, val_real(v), 'g', -1, 32);
    *ret = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return 0;
}

static int decode_texts(struct chart_ctx *cx, const char *path, const val *v,
                        struct chart_strs *ret)
{
    if (!val_is_arr(v))
        return fail_type(cx, v, path, "[]string");
    struct str *items = arena_zalloc(cx->arena, (val_len(v) + 1) * sizeof(*items));
    size_t n = 0;
    VAL_FOR (v, item)
        if (decode_text(cx, path, item, &items[n++]) != 0)
            return -1;
    *ret = (struct chart_strs){items, n};
    return 0;
}

static int decode_text_map(struct chart_ctx *cx, const char *path, const val *v, struct vmap **ret)
{
    if (!val_is_obj(v))
        return fail_type(cx, v, path, "map[string]string");
    if (!*ret)
        *ret = vmap_new(cx->arena, val_len(v));
    VAL_EACH (v, key, member) {
        struct str text = {0};
        if (decode_text(cx, path, member, &text) != 0)
            return -1;
        vmap_set(*ret, arena_dup(cx->arena, val_str(key)), value_str(text));
    }
    return 0;
}

static int decode_list(struct chart_ctx *cx, const struct record *r, size_t size, const char *path,
                       const val *v, void ***ret, size_t *ret_n)
{
    if (!val_is_arr(v))
        return fail_type(cx, v, path,
                         r == &maintainer_record ? "[]*chart.Maintainer" : "[]*chart.Dependency");
    void **items = arena_zalloc(cx->arena, (val_len(v) + 1) * sizeof(*items));
    size_t n = 0;
    VAL_FOR (v, item) {
        if (!val_is_null(item)) {
            items[n] = arena_zalloc(cx->arena, size);
            if (decode_record(cx, r, path, item, items[n]) != 0)
                return -1;
        }
        n++;
    }
    *ret = items;
    *ret_n = n;
    return 0;
}

/* Where the number of a list's elements is kept. */
static size_t *list_count(const struct record *r, enum kind kind, void *out)
{
    if (r == &lock_record)
        return &((struct chart_lock *)out)->dependency_count;
    struct chart_meta *meta = out;
    return kind == MAINTAINERS ? &meta->maintainer_count : &meta->dependency_count;
}

static int decode_field(struct chart_ctx *cx, const struct record *r, const struct field *f,
                        const char *path, const val *v, void *out)
{
    void *at = (char *)out + f->at;
    if (val_is_null(v))
        return 0;
    switch (f->kind) {
    case TEXT:
        return decode_text(cx, path, v, at);
    case TEXTS:
        return decode_texts(cx, path, v, at);
    case BOOL:
        if (!val_is_bool(v))
            return fail_type(cx, v, path, "bool");
        *(bool *)at = val_bool(v);
        return 0;
    case TEXT_MAP:
        return decode_text_map(cx, path, v, at);
    case ANY_LIST:
        if (!val_is_arr(v))
            return fail_type(cx, v, path, "[]interface {}");
        *(struct value *)at = value_from_val(cx->arena, v);
        return 0;
    case MAINTAINERS:
        return decode_list(cx, &maintainer_record, sizeof(struct chart_maintainer), path, v, at,
                           list_count(r, f->kind, out));
    case DEPENDENCIES:
        if (r == &meta_record)
            ((struct chart_meta *)out)->has_dependencies = true;
        return decode_list(cx, &dependency_record, sizeof(struct chart_dependency), path, v, at,
                           list_count(r, f->kind, out));
    }
    return 0;
}

/* The field of that very name, or else of that name in other case, as encoding/json finds it. */
static const struct field *find_field(const struct record *r, struct str name)
{
    for (const struct field *f = r->fields; f->name; f++)
        if (str_is(name, f->name))
            return f;
    for (const struct field *f = r->fields; f->name; f++)
        if (str_eq_nocase(name, str_of(f->name)))
            return f;
    return NULL;
}

static int decode_record(struct chart_ctx *cx, const struct record *r, const char *path,
                         const val *v, void *out)
{
    if (!val_is_obj(v)) {
        struct str go_type = arena_printf(cx->arena, "chart.%s", r->name);
        if (path[0])
            return fail_type(cx, v, path, go_type.p);
        return chart_fail(cx,
                          "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s "
                          "into Go value of type %s",
                          val_type_name(v), go_type.p);
    }
    VAL_EACH (v, key, member) {
        const struct field *f = find_field(r, val_str(key));
        if (!f)
            continue;
        /* Go names the innermost struct and the path from the outermost. */
        const char *behind = strchr(path, '.');
        struct str field_path = behind
                                    ? arena_printf(cx->arena, "%s%s.%s", r->name, behind, f->name)
                                    : arena_printf(cx->arena, "%s.%s", r->name, f->name);
        if (decode_field(cx, r, f, field_path.p, member, out) != 0)
            return -1;
    }
    return 0;
}

static int read_record(struct chart_ctx *cx, const struct record *r, struct str yaml, void *out)
{
    struct doc d;
    struct err err;
    val *root;
    doc_init(&d);
    int status = 0;
    if (doc_parse_yaml(&d, yaml, &root, &err) != 0)
        status = chart_fail(cx, "%s", err.message);
    else if (!val_is_null(root))
        status = decode_record(cx, r, "", root, out);
    doc_done(&d);
    return status;
}

int chart_meta_read(struct chart_ctx *cx, struct str yaml, struct chart_meta *meta)
{
    return read_record(cx, &meta_record, yaml, meta);
}

int chart_lock_read(struct chart_ctx *cx, struct str yaml, struct chart_lock *lock)
{
    return read_record(cx, &lock_record, yaml, lock);
}

int chart_meta_from(struct chart_ctx *cx, const val *v, struct chart_meta *meta)
{
    return decode_record(cx, &meta_record, "", v, meta);
}

int chart_lock_from(struct chart_ctx *cx, const val *v, struct chart_lock *lock)
{
    return decode_record(cx, &lock_record, "", v, lock);
}

/* --- validation --- */
/* White space becomes blanks; what cannot be printed goes. */
static void sanitize(struct arena *a, struct str *s)
{
    bool plain = true;
    for (size_t i = 0; i < s->n && plain; i++)
        plain = s->p[i] >= ' ' && s->p[i] < 0x7f;
    if (plain)
        return;
    char *out = arena_alloc(a, s->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s->n;) {
        size_t size;
        uint32_t rune = rune_decode(str_from(*s, i), &size);
        if (rune_is_space(rune)) {
            out[n++] = ' ';
        } else if (rune_is_print(rune)) {
            memcpy(out + n, s->p + i, size);
            n += size;
        }
        i += size;
    }
    *s = (struct str){out, n};
}

static bool is_alias(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", s.p[i]) ||
            s.p[i] == 0)
            return false;
    return s.n > 0;
}

static struct str quoted(struct chart_ctx *cx, struct str s)
{
    struct buf b = {0};
    gofmt_quote(&b, s, false);
    struct str text = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

static int validate_dependencies(struct chart_ctx *cx, struct chart_meta *m)
{
    struct vmap *seen = vmap_new(cx->arena, m->dependency_count);
    for (size_t i = 0; i < m->dependency_count; i++) {
        struct chart_dependency *d = m->dependencies[i];
        if (!d)
            return chart_fail(cx, "validation: dependencies must not contain empty or null nodes");
        struct str *texts[] = {&d->name, &d->version, &d->repository, &d->condition};
        for (size_t k = 0; k < ARRAY_LEN(texts); k++)
            sanitize(cx->arena, texts[k]);
        for (size_t k = 0; k < d->tags.n; k++)
            sanitize(cx->arena, &d->tags.items[k]);
        if (d->alias.n && !is_alias(d->alias))
            return chart_fail(cx,
                              "validation: dependency %.*s has disallowed characters in the alias",
                              STR_ARG(quoted(cx, d->name)));
        struct str key = d->alias.n ? d->alias : d->name;
        if (vmap_get(seen, key))
            return chart_fail(cx, "validation: more than one dependency with name or alias %.*s",
                              STR_ARG(quoted(cx, key)));
        vmap_set(seen, key, value_bool(true));
    }
    return 0;
}

static int validate_name_and_version(struct chart_ctx *cx, const struct chart_meta *m)
{
    struct semver version;
    struct err err;
    if (m->api_version.n == 0)
        return chart_fail(cx, "validation: chart.metadata.apiVersion is required");
    if (m->name.n == 0)
        return chart_fail(cx, "validation: chart.metadata.name is required");
    if (str_is(m->name, ".") || str_is(m->name, ".."))
        return chart_fail(cx, "validation: chart.metadata.name %.*s is not allowed",
                          STR_ARG(quoted(cx, m->name)));
    if (!str_eq(m->name, path_base(m->name)))
        return chart_fail(cx, "validation: chart.metadata.name %.*s is invalid",
                          STR_ARG(quoted(cx, m->name)));
    if (m->version.n == 0)
        return chart_fail(cx, "validation: chart.metadata.version is required");
    if (semver_parse(m->version, &version, &err) != 0)
        return chart_fail(cx, "validation: chart.metadata.version %.*s is invalid",
                          STR_ARG(quoted(cx, m->version)));
    if (m->type.n && !str_is(m->type, "application") && !str_is(m->type, "library"))
        return chart_fail(cx, "validation: chart.metadata.type must be application or library");
    return 0;
}

int chart_meta_validate(struct chart_ctx *cx, struct chart_meta *m)
{
    struct str *texts[] = {&m->name,      &m->description, &m->home,        &m->icon,
                           &m->condition, &m->tags,        &m->app_version, &m->kube_version};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        sanitize(cx->arena, texts[i]);
    for (size_t i = 0; i < m->sources.n; i++)
        sanitize(cx->arena, &m->sources.items[i]);
    for (size_t i = 0; i < m->keywords.n; i++)
        sanitize(cx->arena, &m->keywords.items[i]);
    if (validate_name_and_version(cx, m) != 0)
        return -1;
    for (size_t i = 0; i < m->maintainer_count; i++) {
        struct chart_maintainer *person = m->maintainers[i];
        if (!person)
            return chart_fail(cx, "validation: maintainers must not contain empty or null nodes");
        sanitize(cx->arena, &person->name);
        sanitize(cx->arena, &person->email);
        sanitize(cx->arena, &person->url);
    }
    return validate_dependencies(cx, m);
}
