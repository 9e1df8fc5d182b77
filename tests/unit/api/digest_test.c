/* What a list by selectors may leave out, and that what it answers is the same with and without. */
#include <pthread.h>

#include "api/core.h"
#include "api/digest.h"
#include "server.h"

#define CM "/api/v1/namespaces/default/configmaps"
#define PODS "/api/v1/namespaces/default/pods"

static int status_of(struct server *s, const char *method, const char *path, const char *type,
                     const char *body)
{
    struct ask ask = {method, path, NULL, type, body, NULL};
    struct answer a = server_ask(s, &ask);
    bytes_unref(a.body);
    return a.status;
}

static void create(struct server *s, const char *name, const char *labels)
{
    char body[4096];
    snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"%s\",\"labels\":{%s}}}", name, labels);
    CHECK_INT(status_of(s, "POST", CM, JSON, body), 201);
}

static void relabel(struct server *s, const char *name, const char *labels)
{
    char path[256], body[256];
    snprintf(path, sizeof(path), CM "/%s", name);
    snprintf(body, sizeof(body), "{\"metadata\":{\"labels\":{%s}}}", labels);
    CHECK_INT(status_of(s, "PATCH", path, MERGE, body), 200);
}

static void delete (struct server *s, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), CM "/%s", name);
    CHECK_INT(status_of(s, "DELETE", path, NULL, NULL), 200);
}

/* other-00 … with label app=other */
static void create_others(struct server *s, int count)
{
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "other-%02d", i);
        create(s, name, "\"app\":\"other\"");
    }
}

/* The names that digest_pick leaves, each before a blank; "all": it leaves all. */
struct question {
    const char *resource, *labels, *fields;
    int64_t revision;
};
static const char *pick(struct server *s, struct question q, char ret[1024])
{
    struct call *c = call_new(s->api);
    struct list_plan p = {.revision = q.revision};
    struct err err;
    struct str ns, name;
    c->kind = kinds_find(&s->api->kinds, STR(""), STR("v1"), str_of(q.resource));
    CHECK_OK(store_snap_begin(s->store, q.revision, &c->snap, &err), &err);
    CHECK_OK(selector_parse_labels(&c->arena, str_of(q.labels), &p.selection.labels, &err), &err);
    CHECK_OK(selector_parse_fields(&c->arena, str_of(q.fields), &p.selection.fields, &err), &err);
    p.start = c->kind->prefix;
    p.end = c->kind->end;
    digest_pick(c, &p, &c->arena);
    struct buf b = {0};
    for (size_t i = 0; i < p.key_count; i++) {
        kind_split_key(c->kind, p.keys[i], &ns, &name);
        buf_put(&b, name);
        buf_putc(&b, ' ');
    }
    snprintf(ret, 1024, "%s", p.keys ? buf_z(&b) : "all");
    buf_done(&b);
    call_end(c);
    call_free(c);
    return ret;
}
#define PICKS(server, words, ...)                                                                  \
    do {                                                                                           \
        char text_[1024];                                                                          \
        CHECK_STR(str_of(pick(server, (struct question){__VA_ARGS__}, text_)), words);             \
    } while (0)

TEST(only_what_may_match_is_left)
{
    struct server s;
    server_start(&s);
    create_others(&s, 20);
    create(&s, "a", "\"app\":\"web\",\"tier\":\"front\"");
    create(&s, "b", "\"app\":\"web\"");
    PICKS(&s, "all", "configmaps", "app=web"); /* asked once: not worth a digest */
    PICKS(&s, "a b ", "configmaps", "app=web");
    PICKS(&s, "a ", "configmaps", "app=web,tier=front");
    PICKS(&s, "a ", "configmaps", "tier in (front,back)");
    PICKS(&s, "", "configmaps", "app=nothing");
    PICKS(&s, "", "configmaps", "nothing=web");
    PICKS(&s, "a b ", "configmaps", "app=web,tier!=front"); /* what app leaves; the rest is read */
    PICKS(&s, "all", "configmaps", "app=other");            /* most of them: a walk is quicker */
    server_stop(&s);
}

TEST(requirements_that_leave_nothing_out)
{
    static const char *const selectors[] = {"app!=web", "app notin (web)", "app", "!app", "app>1"};
    struct server s;
    server_start(&s);
    create_others(&s, 20);
    create(&s, "a", "\"app\":\"web\"");
    for (size_t i = 0; i < ARRAY_LEN(selectors); i++)
        for (int times = 0; times < 3; times++)
            PICKS(&s, "all", "configmaps", selectors[i]);
    PICKS(&s, "all", "pods", NULL, "spec.nodeName!=n1");
    PICKS(&s, "all", "pods", NULL, "spec.nodeName!=n1");
    server_stop(&s);
}

TEST(fields)
{
    struct server s;
    server_start(&s);
    CHECK_INT(status_of(&s, "POST", "/api/v1/namespaces/default/serviceaccounts", JSON,
                        "{\"metadata\":{\"name\":\"default\"}}"),
              201);
    for (int i = 0; i < 8; i++) {
        char body[512];
        snprintf(body, sizeof(body),
                 "{\"metadata\":{\"name\":\"p%d\"},\"spec\":{%s\"containers\":[{\"name\":\"c\","
                 "\"image\":\"x\"}]}}",
                 i,
                 i == 3   ? ""
                 : i == 4 ? "\"nodeName\":\"n2\","
                          : "\"nodeName\":\"n1\",");
        CHECK_INT(status_of(&s, "POST", PODS, JSON, body), 201);
    }
    PICKS(&s, "all", "pods", NULL, "spec.nodeName=n2");
    PICKS(&s, "p4 ", "pods", NULL, "spec.nodeName=n2");
    PICKS(&s, "", "pods", NULL, "spec.nodeName=n2,status.phase=Running");
    PICKS(&s, "p3 ", "pods", NULL, "spec.nodeName="); /* the one without */
    PICKS(&s, "", "pods", NULL, "spec.nodeName=none");
    /* Not what stands at its path: has to be read. */
    PICKS(&s, "all", "pods", NULL, "spec.hostNetwork=true");
    EXPECT(&s,
           {"GET", PODS, "fieldSelector=spec.nodeName%3Dn2", NULL, NULL, 200, "\"name\":\"p4\""},
           {"GET", PODS, "fieldSelector=spec.nodeName%3Dn2", NULL, NULL, 200, "!\"name\":\"p3\""},
           {"GET", "/api/v1/pods", "fieldSelector=metadata.name%3Dp5", NULL, NULL, 200,
            "\"name\":\"p5\""},
           {"GET", "/api/v1/pods", "fieldSelector=metadata.name%3D5", NULL, NULL, 200,
            "\"items\":[]"});
    server_stop(&s);
}

TEST(changes_since_the_last_list)
{
    struct server s;
    server_start(&s);
    create_others(&s, 20);
    create(&s, "a", "\"app\":\"web\"");
    PICKS(&s, "all", "configmaps", "app=web");
    PICKS(&s, "a ", "configmaps", "app=web");
    relabel(&s, "other-07", "\"app\":\"web\"");
    PICKS(&s, "a other-07 ", "configmaps", "app=web");
    relabel(&s, "a", "\"app\":null");
    create(&s, "0", "\"app\":\"web\"");
    create(&s, "z", "\"app\":\"web\"");
    PICKS(&s, "0 other-07 z ", "configmaps", "app=web");
    delete (&s, "z");
    delete (&s, "0");
    create(&s, "0", "\"app\":\"again\""); /* deleted and made anew between two lists */
    PICKS(&s, "other-07 ", "configmaps", "app=web");
    PICKS(&s, "0 ", "configmaps", "app=again");
    create(&s, "y", "\"app\":\"web\"");
    delete (&s, "y"); /* was never seen */
    PICKS(&s, "other-07 ", "configmaps", "app=web");
    server_stop(&s);
}

TEST(more_changes_than_are_read_from_history)
{
    struct server s;
    server_start(&s);
    create_others(&s, 20);
    PICKS(&s, "all", "configmaps", "app=web");
    PICKS(&s, "", "configmaps", "app=web");
    for (int i = 0; i < 300; i++)
        relabel(&s, "other-03", i % 2 ? "\"app\":\"web\"" : "\"app\":\"other\"");
    PICKS(&s, "other-03 ", "configmaps", "app=web");
    server_stop(&s);
}

TEST(history_that_is_compacted)
{
    struct server s;
    server_start_keeping(&s, 1);
    create_others(&s, 20);
    PICKS(&s, "all", "configmaps", "app=web");
    PICKS(&s, "", "configmaps", "app=web");
    for (int i = 0; i < 20; i++)
        relabel(&s, "other-03", i % 2 ? "\"app\":\"web\"" : "\"app\":\"other\"");
    PICKS(&s, "other-03 ", "configmaps", "app=web");
    server_stop(&s);
}

TEST(an_older_revision_is_read)
{
    struct server s;
    server_start(&s);
    create_others(&s, 20);
    create(&s, "a", "\"app\":\"web\"");
    int64_t before = store_revision(s.store);
    PICKS(&s, "all", "configmaps", "app=web");
    PICKS(&s, "a ", "configmaps", "app=web");
    PICKS(&s, "a ", "configmaps", "app=web", NULL, before); /* where it stands */
    relabel(&s, "a", "\"app\":\"other\"");
    PICKS(&s, "a ", "configmaps", "app=web", NULL, before);
    PICKS(&s, "", "configmaps", "app=web"); /* moves it on */
    PICKS(&s, "all", "configmaps", "app=web", NULL, before);
    char query[128];
    snprintf(query, sizeof(query),
             "labelSelector=app%%3Dweb&resourceVersion=%lld&resourceVersionMatch=Exact",
             (long long)before);
    EXPECT(&s, {"GET", CM, query, NULL, NULL, 200, "\"name\":\"a\""},
           {"GET", CM, "labelSelector=app%3Dweb", NULL, NULL, 200, "\"items\":[]"});
    server_stop(&s);
}

/* An object with so many labels that it has about all bits: left, read and refused. */
TEST(collisions)
{
    struct server s;
    struct buf labels = {0};
    server_start(&s);
    create_others(&s, 20);
    for (int i = 0; i < 150; i++)
        buf_printf(&labels, "%s\"l%d\":\"v\"", i ? "," : "", i);
    create(&s, "full", buf_z(&labels));
    PICKS(&s, "all", "configmaps", "app=nothing");
    PICKS(&s, "full ", "configmaps", "app=nothing");
    EXPECT(&s, {"GET", CM, "labelSelector=app%3Dnothing", NULL, NULL, 200, "\"items\":[]"},
           {"GET", CM, "labelSelector=l77%3Dv", NULL, NULL, 200, "\"name\":\"full\""});
    buf_done(&labels);
    server_stop(&s);
}

/* How many items, and the token of the next page. */
static size_t count(struct server *s, const char *path, const char *query, char token[256])
{
    struct ask ask = {"GET", path, query, NULL, NULL, NULL};
    struct answer a = server_ask(s, &ask);
    struct doc d;
    struct err err;
    val *v;
    doc_init(&d);
    CHECK_INT(a.status, 200);
    CHECK_OK(doc_parse_json(&d, bytes_str(a.body), &v, &err), &err);
    size_t n = val_len(VAL_PATH(v, "items"));
    if (token)
        snprintf(token, 256, "%.*s", STR_ARG(VAL_STR(v, "metadata", "continue")));
    doc_done(&d);
    bytes_unref(a.body);
    return n;
}

TEST(pages)
{
    struct server s;
    char token[256], query[512];
    server_start(&s);
    create_others(&s, 40);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof(name), "other-%02d-web", i * 7);
        create(&s, name, "\"app\":\"web\"");
    }
    for (int times = 0; times < 3; times++) {
        CHECK_INT(count(&s, CM, "labelSelector=app%3Dweb&limit=2", token), 2);
        if (times == 2)
            delete (&s, "other-28-web"); /* after the first page: the list has it still */
        for (int page = 1; page <= 2; page++) {
            CHECK(token[0]);
            snprintf(query, sizeof(query), "labelSelector=app%%3Dweb&limit=2&continue=%s", token);
            CHECK_INT(count(&s, CM, query, token), page == 1 ? 2 : 1);
        }
        CHECK(!token[0]);
    }
    CHECK_INT(count(&s, CM, "labelSelector=app%3Dweb", NULL), 4);
    CHECK_INT(count(&s, "/api/v1/namespaces/other/configmaps", "labelSelector=app%3Dweb", NULL), 0);
    CHECK_INT(count(&s, "/api/v1/configmaps", "labelSelector=app%3Dweb", NULL), 4);
    server_stop(&s);
}

/* Two that list while one writes: each sees whole states. */
struct lister {
    struct server *s;
    atomic_bool *stop;
    size_t lists, wrong;
};

static void *lister_main(void *arg)
{
    struct lister *l = arg;
    do {
        l->wrong += count(l->s, CM, "labelSelector=app%20in%20(web,shop)", NULL) != 4;
        l->lists++;
    } while (!atomic_load(l->stop));
    return NULL;
}

TEST(lists_beside_writes)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct server s;
    atomic_bool stop = false;
    pthread_t threads[2];
    struct lister listers[2] = {{&s, &stop}, {&s, &stop}};
    server_start(&s);
    create_others(&s, 20);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        create(&s, names[i], "\"app\":\"web\"");
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_create(&threads[i], NULL, lister_main, &listers[i]);
    for (int i = 0; i < 200; i++)
        relabel(&s, names[i % 4], i % 8 < 4 ? "\"app\":\"shop\"" : "\"app\":\"web\"");
    atomic_store(&stop, true);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(listers[i].wrong, 0);
    }
    server_stop(&s);
}
