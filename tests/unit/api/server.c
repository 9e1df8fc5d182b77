#include "server.h"

#include <stdlib.h>

#include "base/file.h"

static void start(struct server *s, const struct pki *pki, int64_t keep, struct world *world)
{
    struct err err;
    strcpy(s->dir, "/tmp/tutti-api-test-XXXXXX");
    CHECK(mkdtemp(s->dir));
    struct store_config store = {.dir = s->dir,
                                 .no_sync = true,
                                 .map_bytes = 1 << 28,
                                 .history_count = keep,
                                 .history_ms = keep ? 1 : 0};
    CHECK_OK(store_open(&store, &s->store, &err), &err);
    struct api_config api = {.store = s->store, .data_dir = s->dir, .pki = pki, .world = world};
    CHECK_OK(api_new(&api, &s->api, &err), &err);
}

void server_start(struct server *s)
{
    start(s, NULL, 0, NULL);
}

void server_start_pki(struct server *s, const struct pki *pki)
{
    start(s, pki, 0, NULL);
}

void server_start_keeping(struct server *s, int64_t revisions)
{
    start(s, NULL, revisions, NULL);
}

void server_start_world(struct server *s, struct world *world)
{
    start(s, NULL, 0, world);
}

void server_stop(struct server *s)
{
    struct err err;
    api_free(s->api);
    store_close(s->store);
    CHECK_OK(file_remove_tree(s->dir, &err), &err);
}

static void take(struct call *c)
{
    struct answer *a = c->owner;
    size_t used = 0;
    a->status = c->status;
    a->body = c->reply ? bytes_ref(c->reply) : bytes_new((struct str){0});
    VAL_FOR (c->warnings, w) {
        struct str text = val_str(w);
        if (used + text.n + 2 > sizeof(a->warnings))
            break;
        memcpy(a->warnings + used, text.p, text.n);
        used += text.n;
        a->warnings[used++] = '\n';
    }
    a->warnings[used] = '\0';
    call_free(c);
}

struct answer server_ask(struct server *s, const struct ask *ask)
{
    static const struct str groups[] = {STR_INIT("system:masters"),
                                        STR_INIT("system:authenticated")};
    struct answer a = {0};
    struct call *c = call_new(s->api);
    c->user.name = STR("admin");
    c->user.groups = groups;
    c->user.group_count = ARRAY_LEN(groups);
    c->method = str_of(ask->method);
    c->content_type = str_of(ask->type);
    c->accept = str_of(ask->accept);
    c->body = str_of(ask->body);
    c->route.path = str_of(ask->path);
    c->key = str_of(ask->query);
    c->done = take;
    c->owner = &a;
    call_serve(c);
    return a;
}

void server_expect(struct server *s, const struct expectation *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct expectation *e = &lines[i];
        struct ask ask = {e->method, e->path, e->query, e->type, e->body, NULL};
        struct answer a = server_ask(s, &ask);
        struct str body = bytes_str(a.body);
        if (a.status != e->status)
            test_fail(__FILE__, __LINE__, "%s %s?%s: %d, not %d: %.*s", e->method, e->path,
                      e->query ? e->query : "", a.status, e->status, STR_ARG(body));
        bool without = e->excerpt && e->excerpt[0] == '!';
        struct str excerpt = str_of(e->excerpt ? e->excerpt + without : NULL);
        if (excerpt.n && (str_find(body, excerpt) >= 0) == without)
            test_fail(__FILE__, __LINE__, "%s %s: %s “%.*s”: %.*s", e->method, e->path,
                      without ? "has" : "lacks", STR_ARG(excerpt), STR_ARG(body));
        bytes_unref(a.body);
    }
}
