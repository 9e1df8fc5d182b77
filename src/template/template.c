/* template.c: sets of templates. */
#include <xxhash.h>

#include "template/tmpl_internal.h"

/* A name that tmpl_undefine took away hides the parent's. */
static const struct tmpl hidden;

struct tmpl_set *tmpl_set_new(const char *name)
{
    struct tmpl_set *s = NEW(struct tmpl_set);
    s->name = arena_dup(&s->arena, str_of(name));
    tmpl_set_funcs(s, tmpl_builtin_funcs);
    tmpl_set_funcs(s, tmpl_compare_funcs);
    tmpl_set_funcs(s, tmpl_escape_funcs);
    return s;
}

void tmpl_set_free(struct tmpl_set *s)
{
    if (s == NULL)
        return;
    for (struct map_entry *e = NULL; (e = map_next(&s->texts, e));)
        tmpl_set_free(e->value);
    map_done(&s->texts);
    map_done(&s->files);
    map_done(&s->templates);
    map_done(&s->funcs);
    arena_done(&s->arena);
    free(s);
}

void tmpl_set_funcs(struct tmpl_set *s, const struct func *funcs)
{
    for (; funcs->name; funcs++)
        map_set(&s->funcs, str_of(funcs->name), (void *)funcs);
}

struct tmpl_set *tmpl_set_overlay(struct tmpl_set *parent)
{
    struct tmpl_set *s = NEW(struct tmpl_set);
    s->name = parent->name;
    s->parent = parent;
    return s;
}

const struct func *tmpl_find_func(const struct tmpl_set *s, struct str name)
{
    for (; s; s = s->parent) {
        const struct func *f = map_get(&s->funcs, name);
        if (f)
            return f;
    }
    return NULL;
}

const struct tmpl *tmpl_lookup(const struct tmpl_set *s, struct str name)
{
    for (; s; s = s->parent) {
        const struct tmpl *t = map_get(&s->templates, name);
        if (t)
            return t == &hidden ? NULL : t;
    }
    return NULL;
}

bool tmpl_defined(const struct tmpl_set *s, struct str name)
{
    return tmpl_lookup(s, name) != NULL;
}

void tmpl_undefine(struct tmpl_set *s, struct str name)
{
    map_set(&s->templates, name, (void *)&hidden);
}

int tmpl_parse(struct tmpl_set *s, struct str name, struct str text, struct tmpl **ret_tmpl,
               struct str *ret_error)
{
    return tmpl_parse_borrowed(s, name, arena_dup(&s->arena, text), ret_tmpl, ret_error);
}

/* What a text was parsed to. */
struct parsed {
    const struct source *source;
    struct tmpl **items; /* the text's own template, and those that it defines */
    size_t n;
};

/* Puts the templates of one text into the set; blank ones replace nothing. */
static void install(struct tmpl_set *s, const struct source *source, const struct parsed *p,
                    struct tmpl **ret_tmpl)
{
    for (size_t i = 0; i < p->n; i++) {
        struct tmpl *t = p->items[i];
        if (str_eq(t->name, source->name) && ret_tmpl)
            *ret_tmpl = t;
        if (!tmpl_node_is_blank(t->root) || tmpl_lookup(s, t->name) == NULL)
            map_set(&s->templates, t->name, t);
    }
}

/* Charts bring the same library once for each subchart: the trees of a text that came before are
 * shared, under the name of the new file. */
static struct parsed *share(struct tmpl_set *s, const struct source *source,
                            const struct parsed *before)
{
    struct parsed *p = ARENA_NEW(&s->arena, struct parsed);
    p->source = source;
    p->items = arena_alloc(&s->arena, (before->n + 1) * sizeof(*p->items));
    for (size_t i = 0; i < before->n; i++) {
        const struct tmpl *t = before->items[i];
        bool own = str_eq(t->name, before->source->name);
        if (!own && str_eq(t->name, source->name))
            return NULL; /* it defines what is now its own name */
        p->items[p->n] = ARENA_NEW(&s->arena, struct tmpl);
        *p->items[p->n++] = (struct tmpl){own ? source->name : t->name, source, t->root};
    }
    return p;
}

static struct parsed *parse(struct tmpl_set *s, const struct source *source, struct str *ret_error)
{
    struct tmpl_list trees = {0};
    struct parsed *p = NULL;
    if (tmpl_parse_text(s, source, &trees, ret_error) == 0) {
        p = ARENA_NEW(&s->arena, struct parsed);
        p->source = source;
        p->n = trees.n;
        p->items = arena_alloc(&s->arena, trees.n * sizeof(*p->items));
        memcpy(p->items, trees.items, trees.n * sizeof(*p->items));
    }
    free(trees.items);
    return p;
}

int tmpl_parse_borrowed(struct tmpl_set *s, struct str name, struct str text,
                        struct tmpl **ret_tmpl, struct str *ret_error)
{
    struct source *source = ARENA_NEW(&s->arena, struct source);
    source->name = arena_dup(&s->arena, name);
    source->text = text;
    if (text.n > TMPL_MAX_SOURCE) {
        *ret_error = arena_printf(&s->arena, "template: %.*s: too large", STR_ARG(name));
        return -1;
    }
    XXH128_hash_t hash = XXH3_128bits(text.p ? text.p : "", text.n);
    struct str key = {(const char *)&hash, sizeof(hash)};
    const struct parsed *before = s->parent ? NULL : map_get(&s->files, key);
    struct parsed *p = NULL;
    if (before && str_eq(before->source->text, text))
        p = share(s, source, before);
    if (p == NULL)
        p = parse(s, source, ret_error);
    if (p == NULL)
        return -1;
    if (before == NULL && s->parent == NULL)
        map_set(&s->files, key, p);
    install(s, source, p, ret_tmpl);
    return 0;
}
