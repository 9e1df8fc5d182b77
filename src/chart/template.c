/* template.c: sets of templates. */
#include "chart/tmpl_internal.h"

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
    struct tmpl_list trees = {0};
    int rc = tmpl_parse_text(s, source, &trees, ret_error);
    for (size_t i = 0; rc == 0 && i < trees.n; i++) {
        struct tmpl *t = trees.items[i];
        if (str_eq(t->name, source->name) && ret_tmpl)
            *ret_tmpl = t;
        if (!tmpl_node_is_blank(t->root) || tmpl_lookup(s, t->name) == NULL)
            map_set(&s->templates, t->name, t);
    }
    free(trees.items);
    return rc;
}
