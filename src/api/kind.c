#include "api/kind.h"

struct str kind_key(struct arena *a, const char *group, const char *resource, struct str ns,
                    struct str name)
{
    /* Events of v1 and of events.k8s.io are the same objects. */
    if (!*group || strcmp(group, "events.k8s.io") == 0)
        group = "core";
    return arena_printf(a, "/registry/%s/%s/%.*s%s%.*s", group, resource, STR_ARG(ns),
                        ns.n ? "/" : "", STR_ARG(name));
}

void kind_split_key(const struct kind *k, struct str key, struct str *ret_ns, struct str *ret_name)
{
    struct str rest = str_from(key, k->prefix.n);
    *ret_ns = (struct str){0};
    *ret_name = rest;
    if (k->k->namespaced)
        str_cut(rest, '/', ret_ns, ret_name);
}

bool kind_is_plain(const struct kind *k, struct str json)
{
    if (!k->s->view)
        return true;
    return str_starts(json, k->head) && (!k->s->plain || k->s->plain(k->k, json));
}

struct str kind_view(const struct kind *k, struct str json, struct buf *room)
{
    if (kind_is_plain(k, json))
        return json;
    buf_clear(room);
    return k->s->view(k->k, json, room) ? buf_str(room) : json;
}

struct str kind_lookup_key(char room[KIND_KEY], struct str a, struct str b, struct str c)
{
    if (a.n + b.n + c.n + 2 > KIND_KEY)
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

void kind_init(struct kind *k, struct arena *a, const struct schema_kind *sk,
               const struct strategy *s)
{
    k->k = sk;
    k->s = s;
    k->stored = s->review == NULL && kind_has_verb(k, "get");
    k->api_version =
        *sk->group ? arena_printf(a, "%s/%s", sk->group, sk->version) : str_of(sk->version);
    k->group_resource =
        *sk->group ? arena_printf(a, "%s.%s", sk->resource, sk->group) : str_of(sk->resource);
    k->prefix = kind_key(a, sk->group, sk->resource, (struct str){0}, STR(""));
    k->end = arena_printf(a, "%.*s%c", (int)k->prefix.n - 1, k->prefix.p, '/' + 1);
    k->head = arena_printf(a, "{\"kind\":\"%s\",\"apiVersion\":\"%.*s\",", sk->kind,
                           STR_ARG(k->api_version));
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
        kind_init(k, &ks->arena, sk, strategy_of(sk));
        char room[KIND_KEY];
        map_set(&ks->by_resource,
                kind_lookup_key(room, str_of(sk->group), str_of(sk->version), str_of(sk->resource)),
                k);
        if (k->stored && !map_get(&ks->by_prefix, k->prefix)) /* the first of several versions */
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
    char room[KIND_KEY];
    struct str key = kind_lookup_key(room, group, version, resource);
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
