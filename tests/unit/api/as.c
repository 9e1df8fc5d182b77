#include "as.h"

static void take(struct call *c)
{
    struct answer *a = c->owner;
    size_t used = 0;
    a->status = c->status;
    a->body = c->reply ? bytes_ref(c->reply) : bytes_new((struct str){0});
    VAL_FOR (c->warnings, w) {
        int n =
            snprintf(a->warnings + used, sizeof(a->warnings) - used, "%.*s\n", STR_ARG(val_str(w)));
        used = n < 0 || used + (size_t)n >= sizeof(a->warnings) ? used : used + (size_t)n;
    }
    call_free(c);
}

struct answer ask_as(struct server *s, const char *who, const struct ask *ask)
{
    struct answer a = {0};
    struct call *c = call_new(s->api);
    struct str rest = str_of(who), *groups = arena_alloc(&c->arena, 16 * sizeof(*groups));
    str_next(&rest, ' ', &c->user.name);
    c->user.groups = groups;
    while (c->user.group_count < 16 && str_next(&rest, ' ', &groups[c->user.group_count]))
        c->user.group_count++;
    c->method = str_of(ask->method);
    c->content_type = str_of(ask->type);
    c->body = str_of(ask->body);
    c->route.path = str_of(ask->path);
    c->key = str_of(ask->query);
    c->done = take;
    c->owner = &a;
    call_serve(c);
    return a;
}

void expect_as(struct server *s, const struct line_as *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct line_as *l = &lines[i];
        struct str path, query;
        char room[512];
        str_cut(str_of(l->path), '?', &path, &query);
        snprintf(room, sizeof(room), "%.*s", STR_ARG(path));
        bool patch = strcmp(l->method, "PATCH") == 0;
        struct ask ask = {l->method, room, query.p, patch ? MERGE : JSON, l->body, NULL};
        struct answer a = ask_as(s, l->who, &ask);
        struct str body = bytes_str(a.body);
        if (a.status != l->status)
            test_fail(__FILE__, __LINE__, "%s: %s %s: %d, not %d: %.*s", l->who, l->method, l->path,
                      a.status, l->status, STR_ARG(body));
        if (l->excerpt && str_find(body, str_of(l->excerpt)) < 0 &&
            str_find(str_of(a.warnings), str_of(l->excerpt)) < 0)
            test_fail(__FILE__, __LINE__, "%s: %s %s: lacks “%s”: %.*s%s", l->who, l->method,
                      l->path, l->excerpt, STR_ARG(body), a.warnings);
        bytes_unref(a.body);
    }
}
