/* jsonschema_ref.c: addresses inside schemas. */
#include <stdlib.h>

#include "chart/jsonschema.h"

enum { MAX_DEPTH = 200 };

static struct str without_fragment(struct str url, struct str *ret_fragment)
{
    struct str head, fragment;
    str_cut(url, '#', &head, &fragment);
    if (ret_fragment)
        *ret_fragment = fragment;
    return head;
}

/* RFC 3986's resolution, as far as schemas need it: absolute, "/path", "file", "../file". */
static struct str join(struct arena *a, struct str base, struct str ref)
{
    if (ref.n == 0)
        return base;
    ssize_t colon = str_find_char(ref, ':'), slash = str_find_char(ref, '/');
    if (colon > 0 && (slash < 0 || colon < slash))
        return ref;
    ssize_t scheme = str_find(base, STR("://"));
    size_t host = scheme < 0 ? 0 : (size_t)scheme + 3;
    ssize_t path = str_find_char(str_from(base, host), '/');
    size_t root = path < 0 ? base.n : host + (size_t)path;
    if (ref.p[0] == '/')
        return arena_printf(a, "%.*s%.*s", STR_ARG(str_head(base, root)), STR_ARG(ref));
    size_t folder = base.n;
    while (folder > root && base.p[folder - 1] != '/')
        folder--;
    while (str_starts(ref, STR("../")) || str_starts(ref, STR("./"))) {
        bool up = ref.p[1] == '.';
        ref = str_from(ref, up ? 3 : 2);
        for (size_t k = up && folder > root + 1; k; k = folder > root && base.p[folder - 1] != '/')
            folder--;
    }
    return arena_printf(a, "%.*s%s%.*s", STR_ARG(str_head(base, folder)), folder == root ? "/" : "",
                        STR_ARG(ref));
}

static int draft_of(const val *schema, int otherwise)
{
    struct str url = without_fragment(VAL_STR(schema, "$schema"), NULL);
    static const struct {
        const char *mark;
        int draft;
    } drafts[] = {{"/draft-04/", 4},         {"/draft-06/", 6},         {"/draft-07/", 7},
                  {"/draft/2019-09/", 2019}, {"/draft/2020-12/", 2020}, {".org/schema", 2020}};
    for (size_t i = 0; i < ARRAY_LEN(drafts); i++)
        if (str_find(url, str_of(drafts[i].mark)) >= 0)
            return drafts[i].draft;
    return otherwise;
}

static void add_resource(struct schema_set *s, const val *root, struct str base, int draft)
{
    struct schema_resource *grown = arena_alloc(s->cx->arena, (s->n + 1) * sizeof(*grown));
    if (s->n)
        memcpy(grown, s->items, s->n * sizeof(*grown));
    grown[s->n++] = (struct schema_resource){root, base, draft};
    s->items = grown;
}

/* Values that hold data, not schemas. */
static bool is_data(struct str key)
{
    return str_is(key, "enum") || str_is(key, "const") || str_is(key, "default") ||
           str_is(key, "examples");
}

static void find_resources(struct schema_set *s, const val *v, struct str base, int draft,
                           int depth)
{
    if (depth > MAX_DEPTH)
        return;
    if (val_is_obj(v)) {
        struct str id = VAL_STR(v, draft == 4 ? "id" : "$id");
        struct str address = without_fragment(id, NULL);
        if (depth > 0 && address.n) {
            base = join(s->cx->arena, base, address);
            draft = draft_of(v, draft);
            add_resource(s, v, base, draft);
        }
        VAL_EACH (v, key, member)
            if (!is_data(val_str(key)))
                find_resources(s, member, base, draft, depth + 1);
    } else {
        VAL_FOR (v, item)
            find_resources(s, item, base, draft, depth + 1);
    }
}

const struct schema_resource *schema_resource_of(const struct schema_set *s, const val *schema,
                                                 const struct schema_resource *outer)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->items[i].root == schema)
            return &s->items[i];
    return outer;
}

/* Percent and tilde escapes of a pointer's token. */
static struct str unescape(struct arena *a, struct str token)
{
    char *out = arena_alloc(a, token.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < token.n; i++) {
        char hex[3] = {0};
        if (token.p[i] == '%' && i + 2 < token.n) {
            memcpy(hex, token.p + i + 1, 2);
            out[n++] = (char)strtol(hex, NULL, 16);
            i += 2;
        } else {
            out[n++] = token.p[i];
        }
    }
    size_t m = 0;
    for (size_t i = 0; i < n; i++, m++) {
        bool escape = out[i] == '~' && i + 1 < n && (out[i + 1] == '0' || out[i + 1] == '1');
        out[m] = escape ? (out[i + 1] == '0' ? '~' : '/') : out[i];
        i += escape;
    }
    return (struct str){out, m};
}

/* Down a pointer; *resource follows the $ids on the way. */
static const val *walk_pointer(const struct schema_set *s, struct str pointer, const val *at,
                               const struct schema_resource **resource)
{
    struct str token;
    pointer = str_from(pointer, 1);
    for (bool more = true; more && at;) {
        more = str_cut(pointer, '/', &token, &pointer);
        struct str name = unescape(s->cx->arena, token);
        uint64_t i;
        if (val_is_obj(at))
            at = val_get_str(at, name);
        else
            at = val_is_arr(at) && str_to_u64(name, &i) ? val_at(at, i) : NULL;
        *resource = schema_resource_of(s, at, *resource);
    }
    return at;
}

static const val *find_anchor(const val *v, struct str name, int depth)
{
    if (depth > MAX_DEPTH)
        return NULL;
    if (val_is_obj(v)) {
        struct str id = VAL_STR(v, "$id"), old = VAL_STR(v, "id");
        bool named = str_eq(VAL_STR(v, "$anchor"), name) ||
                     str_eq(VAL_STR(v, "$dynamicAnchor"), name) ||
                     (str_starts(id, STR("#")) && str_eq(str_from(id, 1), name)) ||
                     (str_starts(old, STR("#")) && str_eq(str_from(old, 1), name));
        if (named)
            return v;
    }
    const val *found = NULL;
    VAL_EACH (v, key, member)
        if (!found && !is_data(val_str(key)))
            found = find_anchor(member, name, depth + 1);
    VAL_FOR (v, item)
        found = found ? found : find_anchor(item, name, depth + 1);
    return found;
}

/* The library loads files relative to the root folder; there is nothing for it. */
static const val *fail_loading(const struct schema_set *s, struct str address)
{
    struct str file = STR("file://");
    if (str_starts(address, file))
        chart_fail(s->cx, "failing loading \"%.*s\": open %.*s: no such file or directory",
                   STR_ARG(address), STR_ARG(str_from(address, file.n)));
    else
        chart_fail(s->cx, "failing loading \"%.*s\": HTTP request failed for %.*s: not fetched",
                   STR_ARG(address), STR_ARG(address));
    return NULL;
}

const val *schema_resolve(const struct schema_set *s, struct str ref,
                          const struct schema_resource *from,
                          const struct schema_resource **ret_resource)
{
    struct str fragment;
    struct str address = join(s->cx->arena, from->base, without_fragment(ref, &fragment));
    const struct schema_resource *r = NULL;
    for (size_t i = 0; i < s->n && !r; i++)
        if (str_eq(s->items[i].base, address))
            r = &s->items[i];
    if (!r)
        return fail_loading(s, address);
    *ret_resource = r;
    const val *found = r->root;
    if (str_starts(fragment, STR("/")))
        found = walk_pointer(s, fragment, r->root, ret_resource);
    else if (fragment.n)
        found = find_anchor(r->root, fragment, 0);
    if (!found)
        chart_fail(s->cx,
                   str_starts(fragment, STR("/")) ? "json-pointer in \"%.*s#%.*s\" not found"
                                                  : "anchor in \"%.*s#%.*s\" not found",
                   STR_ARG(address), STR_ARG(fragment));
    return found;
}

/* All references must lead somewhere, used or not. */
static int check_refs(const struct schema_set *s, const val *v, const struct schema_resource *r,
                      int depth)
{
    if (depth > MAX_DEPTH)
        return chart_fail(s->cx, "schema is nested too deep");
    const struct schema_resource *found;
    r = schema_resource_of(s, v, r);
    VAL_EACH (v, key, member) {
        struct str name = val_str(key);
        if (str_is(name, "$ref") && val_is_str(member) &&
            !schema_resolve(s, val_str(member), r, &found))
            return -1;
        if (!is_data(name) && check_refs(s, member, r, depth + 1) != 0)
            return -1;
    }
    VAL_FOR (v, item)
        if (check_refs(s, item, r, depth + 1) != 0)
            return -1;
    return 0;
}

int schema_set_init(struct schema_set *s, struct chart_ctx *cx, const val *root)
{
    struct str file = STR("file:///values.schema.json");
    int draft = draft_of(root, 0);
    struct str declared = VAL_STR(root, "$schema");
    *s = (struct schema_set){.cx = cx};
    if (draft == 0 && declared.n) {
        fail_loading(s, without_fragment(declared, NULL));
        return -1;
    }
    draft = draft ? draft : 2020;
    struct str id = without_fragment(VAL_STR(root, draft == 4 ? "id" : "$id"), NULL);
    add_resource(s, root, id.n ? join(cx->arena, file, id) : file, draft);
    if (id.n) /* known by both addresses */
        add_resource(s, root, file, draft);
    find_resources(s, root, s->items[0].base, draft, 0);
    return check_refs(s, root, &s->items[0], 0);
}
