/* Who a request comes from, and the kinds that answer questions about users. */
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "api/authn/pki.h"
#include "base/file.h"
#include "test.h"

struct bench {
    char dir[64];
    struct pki pki;
    struct store *store;
    struct api *api;
    struct client *client;
    struct arena arena;
    struct doc d;
};

static void bench_init(struct bench *b)
{
    static const char *const groups[] = {"system:masters", NULL};
    struct err err;
    char store[96];
    *b = (struct bench){0};
    snprintf(b->dir, sizeof(b->dir), "/tmp/authn-test-XXXXXX");
    CHECK(mkdtemp(b->dir) != NULL);
    doc_init(&b->d);
    CHECK_OK(
        pki_ensure(&(struct pki_config){.dir = b->dir, .listen = "127.0.0.1:1"}, &b->pki, &err),
        &err);
    snprintf(store, sizeof(store), "%s/store", b->dir);
    CHECK_OK(store_open(&(struct store_config){.dir = store, .map_bytes = 1 << 26, .no_sync = true},
                        &b->store, &err),
             &err);
    CHECK_OK(api_new(&(struct api_config){.store = b->store, .data_dir = b->dir, .pki = &b->pki},
                     &b->api, &err),
             &err);
    CHECK_OK(api_client(b->api, "admin", groups, &b->client, &err), &err);
}

static void bench_done(struct bench *b)
{
    struct err err;
    client_free(b->client);
    api_free(b->api);
    store_close(b->store);
    pki_done(&b->pki);
    doc_done(&b->d);
    arena_done(&b->arena);
    file_remove_tree(b->dir, &err);
}

static val *request(struct bench *b, struct client *client, const char *method, const char *path,
                    const char *body, int want)
{
    struct err err;
    struct client_response answer = {0};
    bool patch = strcmp(method, "PATCH") == 0;
    const struct client_request r = {.method = method,
                                     .path = str_of(path),
                                     .content_type = patch ? STR("application/merge-patch+json")
                                                           : STR("application/json"),
                                     .body = str_of(body)};
    val *v;
    CHECK_OK(client_do(client, &r, &answer, &err), &err);
    if (answer.status != want)
        test_fail(__FILE__, __LINE__, "%s: %d %s", path, answer.status, answer.body->p);
    CHECK_OK(doc_parse_json(&b->d, bytes_str(answer.body), &v, &err), &err);
    bytes_unref(answer.body);
    return v;
}

static val *post(struct bench *b, const char *path, const char *body, int want)
{
    return request(b, b->client, "POST", path, body, want);
}

static struct str make_token(struct bench *b)
{
    post(b, "/api/v1/namespaces/default/serviceaccounts",
         "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"ci\"}}", 201);
    const val *answer = post(b, "/api/v1/namespaces/default/serviceaccounts/ci/token",
                             "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":"
                             "\"TokenRequest\",\"spec\":{}}",
                             201);
    return VAL_STR(answer, "status", "token");
}

static int ask(struct bench *b, const struct tls_peer *peer, const struct http_header *headers,
               size_t count, struct api_user *ret, struct err *err)
{
    const struct http_request r = {.peer = peer, .headers = headers, .header_count = count};
    *ret = (struct api_user){.arena = &b->arena};
    return authn_request(b->api, &r, ret, err);
}

static struct tls_peer peer_of(char *name, char *group)
{
    return (struct tls_peer){
        .verified = true, .common_name = name, .organizations = {group}, .organization_count = 1};
}

TEST(nobody_is_anonymous)
{
    struct bench b;
    struct api_user u;
    struct err err;
    const struct http_header basic = {STR_INIT("authorization"), STR_INIT("Basic YTpi")};
    bench_init(&b);
    CHECK_OK(ask(&b, NULL, NULL, 0, &u, &err), &err);
    CHECK_STR(u.name, "system:anonymous");
    CHECK(api_user_in(&u, "system:unauthenticated") && !api_user_in(&u, "system:authenticated"));
    CHECK_OK(ask(&b, NULL, &basic, 1, &u, &err), &err);
    CHECK_STR(u.name, "system:anonymous");
    bench_done(&b);
}

TEST(a_certificate_names_user_and_groups)
{
    struct bench b;
    struct api_user u;
    struct err err;
    struct tls_peer peer = peer_of("jane", "devs");
    bench_init(&b);
    CHECK_OK(ask(&b, &peer, NULL, 0, &u, &err), &err);
    CHECK_STR(u.name, "jane");
    CHECK(api_user_in(&u, "devs") && api_user_in(&u, "system:authenticated"));
    peer.verified = false;
    CHECK_OK(ask(&b, &peer, NULL, 0, &u, &err), &err);
    CHECK_STR(u.name, "system:anonymous");
    bench_done(&b);
}

TEST(a_bearer_token_is_good_or_401)
{
    struct bench b;
    struct api_user u;
    struct err err;
    bench_init(&b);
    struct str token = make_token(&b);
    struct http_header header = {STR("authorization"),
                                 arena_printf(&b.arena, "bearer %.*s", STR_ARG(token))};
    CHECK_OK(ask(&b, NULL, &header, 1, &u, &err), &err);
    CHECK_STR(u.name, "system:serviceaccount:default:ci");
    header.value = STR("Bearer nonsense");
    CHECK(ask(&b, NULL, &header, 1, &u, &err) != 0);
    CHECK_INT(err.code, 401);
    CHECK_STR(str_of(err.message), "Unauthorized");
    bench_done(&b);
}

TEST(an_administrator_may_be_someone_else)
{
    struct bench b;
    struct api_user u;
    struct err err;
    struct tls_peer admin = peer_of("root", "system:masters"), jane = peer_of("jane", "devs");
    const struct http_header as[] = {{STR_INIT("impersonate-user"), STR_INIT("bob")},
                                     {STR_INIT("impersonate-group"), STR_INIT("ops")}};
    bench_init(&b);
    CHECK_OK(ask(&b, &admin, as, 2, &u, &err), &err);
    CHECK_STR(u.name, "bob");
    CHECK(api_user_in(&u, "ops") && !api_user_in(&u, "system:masters"));
    CHECK(ask(&b, &jane, as, 2, &u, &err) != 0);
    CHECK_INT(err.code, 403);
    CHECK_STR(str_of(err.message), "users \"bob\" is forbidden: User \"jane\" cannot impersonate "
                                   "resource \"users\" in API group \"\" at the cluster scope");
    bench_done(&b);
}

#define ACCESS(spec)                                                                               \
    "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\",\"spec\":" spec  \
    "}"

TEST(reviews_answer_who_may_do_what)
{
    struct bench b;
    const char *path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    bench_init(&b);
    const val *v = post(&b, path,
                        ACCESS("{\"user\":\"jane\",\"groups\":[\"system:authenticated\"],"
                               "\"resourceAttributes\":{\"verb\":\"list\",\"resource\":\"pods\"}}"),
                        201);
    CHECK(!VAL_BOOL(v, "status", "allowed"));
    v = post(&b, path,
             ACCESS("{\"user\":\"jane\",\"groups\":[\"system:authenticated\"],"
                    "\"nonResourceAttributes\":{\"verb\":\"get\",\"path\":\"/apis\"}}"),
             201);
    CHECK(VAL_BOOL(v, "status", "allowed"));
    v = post(&b, path, ACCESS("{\"resourceAttributes\":{\"verb\":\"list\"}}"), 422);
    CHECK_STR(VAL_STR(v, "reason"), "Invalid");
    bench_done(&b);
}

TEST(token_review_tells_whose_token_it_is)
{
    struct bench b;
    const char *path = "/apis/authentication.k8s.io/v1/tokenreviews";
    bench_init(&b);
    struct str token = make_token(&b);
    struct str body =
        arena_printf(&b.arena,
                     "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
                     "\"spec\":{\"token\":\"%.*s\"}}",
                     STR_ARG(token));
    const val *v = post(&b, path, body.p, 201);
    CHECK(VAL_BOOL(v, "status", "authenticated"));
    CHECK_STR(VAL_STR(v, "status", "user", "username"), "system:serviceaccount:default:ci");
    v = post(&b, path,
             "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\",\"spec\":"
             "{\"token\":\"x\"}}",
             201);
    CHECK(!VAL_BOOL(v, "status", "authenticated"));
    CHECK(VAL_STR(v, "status", "error").n > 0);
    bench_done(&b);
}

#define POD(name, node)                                                                            \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name                       \
    "\"},\"spec\":{\"serviceAccountName\":\"ci\",\"nodeName\":\"" node                             \
    "\",\"containers\":[{\"name\":\"a\",\"image\":\"b\"}]}}"

TEST(a_node_touches_what_is_its_own)
{
    static const char *const groups[] = {"system:nodes", "system:authenticated", NULL};
    static const char running[] = "{\"status\":{\"phase\":\"Running\"}}";
    const char *pods = "/api/v1/namespaces/default/pods";
    struct bench b;
    struct client *n1;
    struct err err;
    bench_init(&b);
    make_token(&b);
    post(&b, pods, POD("mine", "n1"), 201);
    post(&b, pods, POD("other", "n2"), 201);
    CHECK_OK(api_client(b.api, "system:node:n1", groups, &n1, &err), &err);

    request(&b, n1, "PATCH", "/api/v1/namespaces/default/pods/mine/status", running, 200);
    val *v = request(&b, n1, "PATCH", "/api/v1/namespaces/default/pods/other/status", running, 403);
    CHECK_STR(VAL_STR(v, "message"),
              "pods \"other\" is forbidden: node \"n1\" can only update pod status for pods with "
              "spec.nodeName set to itself");
    request(&b, n1, "DELETE", "/api/v1/namespaces/default/pods/other", "", 403);
    request(&b, n1, "DELETE", "/api/v1/namespaces/default/pods/mine", "", 200);
    request(&b, n1, "POST", pods, POD("new", "n1"), 403);
    request(&b, n1, "POST", "/api/v1/nodes",
            "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n2\"}}", 403);
    request(&b, n1, "POST", "/api/v1/nodes",
            "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\"}}", 201);
    v = request(&b, n1, "GET", "/api/v1/namespaces/default/secrets", "", 403);
    CHECK_STR(
        VAL_STR(v, "message"),
        "secrets is forbidden: User \"system:node:n1\" cannot list resource \"secrets\" in API "
        "group \"\" in the namespace \"default\": No Object name found");
    client_free(n1);
    bench_done(&b);
}
