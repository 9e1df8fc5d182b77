#include "api/kind.h"

struct str kind_key(struct arena *a, const char *group, const char *resource, struct str ns,
                    struct str name)
{
    return arena_printf(a, "/registry/%s/%s/%.*s%s%.*s", *group ? group : "core", resource,
                        STR_ARG(ns), ns.n ? "/" : "", STR_ARG(name));
}

void kind_split_key(const struct kind *k, struct str key, struct str *ret_ns, struct str *ret_name)
{
    struct str rest = str_from(key, k->prefix.n);
    *ret_ns = (struct str){0};
    *ret_name = rest;
    if (k->k->namespaced)
        str_cut(rest, '/', ret_ns, ret_name);
}

static struct str lookup_key(char *room, size_t size, struct str a, struct str b, struct str c)
{
    if (a.n + b.n + c.n + 2 > size)
        return (struct str){0};
    char *p = room;
    if (a.n)
        p = mempcpy(p, a.p, a.n);
    *p++ = '/';
    if (b.n)
        p = mempcpy(p, b.p, b.n);
    *p++ = '/';
    if (c.n)
        p = mempcpy(p, c.p, c.n);
    return (struct str){room, (size_t)(p - room)};
}

void kinds_init(struct kinds *ks)
{
    *ks = (struct kinds){0};
    while (schema_kinds[ks->count].kind)
        ks->count++;
    ks->all = arena_zalloc(&ks->arena, ks->count * sizeof(*ks->all) + 1);
    for (size_t i = 0; i < ks->count; i++) {
        const struct schema_kind *sk = &schema_kinds[i];
        struct kind *k = &ks->all[i];
        k->k = sk;
        k->s = strategy_of(sk);
        k->stored = k->s->review == NULL && kind_has_verb(k, "get");
        k->api_version = *sk->group ? arena_printf(&ks->arena, "%s/%s", sk->group, sk->version)
                                    : str_of(sk->version);
        k->group_resource = *sk->group ? arena_printf(&ks->arena, "%s.%s", sk->resource, sk->group)
                                       : str_of(sk->resource);
        k->prefix = kind_key(&ks->arena, sk->group, sk->resource, (struct str){0}, STR(""));
        k->end = arena_printf(&ks->arena, "%.*s%c", (int)k->prefix.n - 1, k->prefix.p, '/' + 1);
        k->head = arena_printf(&ks->arena, "{\"kind\":\"%s\",\"apiVersion\":\"%.*s\",", sk->kind,
                               STR_ARG(k->api_version));
        char room[512];
        map_set(&ks->by_resource,
                lookup_key(room, sizeof(room), str_of(sk->group), str_of(sk->version),
                           str_of(sk->resource)),
                k);
        if (k->stored)
            map_set(&ks->by_prefix, k->prefix, k);
    }
}

void kinds_done(struct kinds *ks)
{
    map_done(&ks->by_resource);
    map_done(&ks->by_prefix);
    arena_done(&ks->arena);
}

const struct kind *kinds_find(const struct kinds *ks, struct str group, struct str version,
                              struct str resource)
{
    char room[512];
    struct str key = lookup_key(room, sizeof(room), group, version, resource);
    return key.n ? map_get(&ks->by_resource, key) : NULL;
}

static bool in_list(const char *const *list, struct str word)
{
    for (; list && *list; list++)
        if (str_is(word, *list))
            return true;
    return false;
}

bool kind_has_subresource(const struct kind *k, struct str sub)
{
    return in_list(k->k->subresources, sub);
}

bool kind_has_verb(const struct kind *k, const char *verb)
{
    return in_list(k->k->verbs, str_of(verb));
}
