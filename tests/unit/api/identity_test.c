/* Certificates and service-account tokens. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/kind.h"
#include "api/authn/pki.h"
#include "api/authn/token.h"
#include "base/file.h"
#include "test.h"

/* --- a clock that the test moves --- */
struct moved_world {
    struct world w;
    int64_t seconds;
};

static int64_t moved_wall(struct world *w)
{
    return ((struct moved_world *)w)->seconds * 1000000000;
}

static void moved_random(struct world *w, void *p, size_t n)
{
    (void)w;
    memset(p, 5, n);
}

static struct moved_world world_at(int64_t seconds)
{
    return (struct moved_world){{.wall_ns = moved_wall, .random = moved_random}, seconds};
}

static char *temp_dir(char room[64])
{
    snprintf(room, 64, "/tmp/identity-test-XXXXXX");
    CHECK(mkdtemp(room) != NULL);
    return room;
}

static void check_mode(const char *dir, const char *file, mode_t want)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, want);
}

static X509 *read_cert(struct str pem)
{
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    CHECK(x != NULL);
    return x;
}

TEST(pki_makes_once_and_keeps)
{
    char dir[64];
    struct err err;
    struct pki a, b;
    struct pki_config config = {.dir = temp_dir(dir),
                                .listen = "0.0.0.0:7443",
                                .service_ip = "10.96.0.1",
                                .host_name = "box",
                                .node_name = "n1"};
    CHECK_OK(pki_ensure(&config, &a, &err), &err);
    CHECK_STR(a.server_url, "https://127.0.0.1:7443");
    check_mode(dir, "pki/ca.key", 0600);
    check_mode(dir, "pki/sa.key", 0600);
    check_mode(dir, "admin.kubeconfig", 0600);
    check_mode(dir, "agent.kubeconfig", 0600);

    X509 *server = read_cert(a.server_cert);
    CHECK_INT(X509_check_host(server, "kubernetes.default.svc", 0, 0, NULL), 1);
    CHECK_INT(X509_check_host(server, "box", 0, 0, NULL), 1);
    CHECK_INT(X509_check_ip_asc(server, "10.96.0.1", 0), 1);
    CHECK_INT(X509_check_ip_asc(server, "::1", 0), 1);
    X509_free(server);

    CHECK_OK(pki_ensure(&config, &b, &err), &err);
    CHECK(str_eq(a.ca_cert, b.ca_cert) && str_eq(a.server_cert, b.server_cert));
    CHECK(str_eq(a.sa_key, b.sa_key) && str_eq(a.node_serving_cert, b.node_serving_cert));
    pki_done(&a);
    pki_done(&b);
    file_remove_tree(dir, &err);
}

TEST(pki_renews_what_is_old_or_named_otherwise)
{
    enum { DAY = 24 * 3600 };
    char dir[64];
    struct err err;
    struct pki first, named, old;
    struct moved_world w = world_at(1800000000);
    struct pki_config config = {
        .dir = temp_dir(dir), .listen = "[::1]:6443", .host_name = "box", .world = &w.w};
    CHECK_OK(pki_ensure(&config, &first, &err), &err);
    CHECK_STR(first.server_url, "https://[::1]:6443");
    config.host_name = "other";
    CHECK_OK(pki_ensure(&config, &named, &err), &err);
    CHECK(str_eq(first.ca_cert, named.ca_cert));
    CHECK(!str_eq(first.server_cert, named.server_cert));
    CHECK(str_eq(first.kubelet_client_cert, named.kubelet_client_cert));
    w.seconds += 300 * DAY;
    CHECK_OK(pki_ensure(&config, &old, &err), &err);
    CHECK(!str_eq(named.kubelet_client_cert, old.kubelet_client_cert));
    pki_done(&first);
    pki_done(&named);
    pki_done(&old);
    file_remove_tree(dir, &err);
}

/* --- tokens --- */
struct bench {
    char dir[64];
    struct store *store;
    struct token_issuer *tokens;
    struct strategy_config config;
    struct moved_world world;
    struct doc d;
    struct arena arena;
    struct strategy_ctx c;
};

static void put(struct bench *b, const char *resource, const char *ns, const char *name,
                const char *json)
{
    struct bytes *value = json ? bytes_new(str_of(json)) : NULL;
    struct store_op op = {json ? STORE_PUT : STORE_DELETE,
                          kind_key(&b->arena, "", resource, str_of(ns), str_of(name)), value, -1,
                          STORE_ANY};
    struct store_write w = {.ops = &op, .op_count = 1};
    store_commit(b->store, &w);
    bytes_unref(w.first_value);
    bytes_unref(value);
    struct err err;
    store_snap_end(b->c.snap);
    b->c.snap = NULL;
    CHECK_OK(store_snap_begin(b->store, 0, &b->c.snap, &err), &err);
}

static const char account[] = "{\"metadata\":{\"name\":\"ci\",\"namespace\":\"team\",\"uid\":"
                              "\"sa-1\"}}";
static const char pod[] =
    "{\"metadata\":{\"name\":\"web\",\"namespace\":\"team\",\"uid\":\"pod-1\"}"
    ",\"spec\":{\"serviceAccountName\":\"ci\",\"nodeName\":\"n1\"}}";

static void bench_init(struct bench *b)
{
    struct err err;
    *b = (struct bench){.world = world_at(1800000000)};
    temp_dir(b->dir);
    doc_init(&b->d);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *pem = BIO_new(BIO_s_mem());
    char *text;
    PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL);
    long n = BIO_get_mem_data(pem, &text);
    CHECK_OK(token_issuer_new((struct str){text, (size_t)n}, NULL, &b->tokens, &err), &err);
    BIO_free(pem);
    EVP_PKEY_free(key);
    CHECK_OK(
        store_open(&(struct store_config){.dir = b->dir, .map_bytes = 1 << 26, .no_sync = true},
                   &b->store, &err),
        &err);
    b->config.tokens = b->tokens;
    b->c = (struct strategy_ctx){.d = &b->d,
                                 .arena = &b->arena,
                                 .world = &b->world.w,
                                 .config = &b->config,
                                 .ns = STR("team"),
                                 .name = STR("ci"),
                                 .subresource = "token"};
    put(b, "serviceaccounts", "team", "ci", account);
    put(b, "pods", "team", "web", pod);
    put(b, "nodes", "", "n1", "{\"metadata\":{\"name\":\"n1\",\"uid\":\"node-1\"}}");
}

static void bench_done(struct bench *b)
{
    struct err err;
    store_snap_end(b->c.snap);
    store_close(b->store);
    token_issuer_free(b->tokens);
    doc_done(&b->d);
    arena_done(&b->arena);
    file_remove_tree(b->dir, &err);
}

static val *parse(struct bench *b, const char *json)
{
    val *v;
    struct err err;
    CHECK_OK(doc_parse_json(&b->d, str_of(json), &v, &err), &err);
    return v;
}

static struct str issue(struct bench *b, const char *request)
{
    struct err err;
    val *body = parse(b, request);
    CHECK_OK(token_request(&b->c, body, parse(b, account), &err), &err);
    return VAL_STR(body, "status", "token");
}

static const char *refusal(struct bench *b, const char *request, struct err *err)
{
    CHECK(token_request(&b->c, parse(b, request), parse(b, account), err) != 0);
    return err->message;
}

static bool good(struct bench *b, struct str token, struct api_user *user)
{
    struct err err;
    *user = (struct api_user){.arena = &b->arena};
    return token_verify(&b->c, token, NULL, 0, user, NULL, &err) == 0;
}

#define BOUND                                                                                      \
    "{\"spec\":{\"expirationSeconds\":600,\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":"    \
    "\"v1\",\"name\":\"web\",\"uid\":\"pod-1\"}}}"

TEST(token_names_its_account)
{
    struct bench b;
    struct api_user user;
    bench_init(&b);
    CHECK(good(&b, issue(&b, BOUND), &user));
    CHECK_STR(user.name, "system:serviceaccount:team:ci");
    CHECK_STR(user.uid, "sa-1");
    CHECK(api_user_in(&user, "system:serviceaccounts:team"));
    CHECK(api_user_in(&user, "system:authenticated"));
    CHECK_INT(user.extra_count, 5);
    CHECK_STR(user.extra[1].key, "authentication.kubernetes.io/node-name");
    CHECK_STR(user.extra[1].values[0], "n1");
    bench_done(&b);
}

TEST(token_ends_with_its_time_its_pod_and_its_account)
{
    struct bench b;
    struct api_user user;
    bench_init(&b);
    struct str token = issue(&b, BOUND);
    b.world.seconds += 599;
    CHECK(good(&b, token, &user));
    b.world.seconds += 1;
    CHECK(!good(&b, token, &user));
    b.world.seconds -= 100;
    put(&b, "pods", "team", "web", NULL);
    CHECK(!good(&b, token, &user));
    put(&b, "pods", "team", "web", pod);
    CHECK(good(&b, token, &user));
    put(&b, "serviceaccounts", "team", "ci",
        "{\"metadata\":{\"name\":\"ci\",\"namespace\":\"team\",\"uid\":\"sa-2\"}}");
    CHECK(!good(&b, token, &user));
    bench_done(&b);
}

TEST(token_is_for_its_audience_and_cannot_be_changed)
{
    struct bench b;
    struct api_user user = {0};
    struct err err;
    bench_init(&b);
    struct str token = issue(&b, "{\"spec\":{\"audiences\":[\"vault\"]}}");
    CHECK(!good(&b, token, &user));
    struct str vault = STR("vault");
    val *matched;
    user = (struct api_user){.arena = &b.arena};
    CHECK_OK(token_verify(&b.c, token, &vault, 1, &user, &matched, &err), &err);
    CHECK_INT(val_len(matched), 1);

    token = issue(&b, "{\"spec\":{}}");
    CHECK(good(&b, token, &user));
    for (size_t i = 0; i + 1 < token.n; i += 7) { /* the last digit has unused bits */
        char *copy = mem_strndup(token.p, token.n);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        CHECK(!good(&b, str_of(copy), &user));
        free(copy);
    }
    CHECK(!good(&b, STR(""), &user));
    CHECK(!good(&b, STR("a.b.c"), &user));
    CHECK(!good(&b, str_head(token, token.n - 20), &user));
    bench_done(&b);
}

TEST(token_request_in_upstreams_words)
{
    struct bench b;
    struct err err;
    bench_init(&b);
    CHECK_STR(str_of(refusal(&b, "{\"spec\":{\"expirationSeconds\":5}}", &err)),
              "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid "
              "value: 5: may not specify a duration less than 10 minutes");
    CHECK_INT(err.code, 422);
    refusal(&b,
            "{\"spec\":{\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":"
            "\"gone\"}}}",
            &err);
    CHECK_STR(str_of(err.message), "pods \"gone\" not found");
    refusal(&b,
            "{\"spec\":{\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"name\":"
            "\"web\",\"uid\":\"other\"}}}",
            &err);
    CHECK_INT(err.code, 409);
    bench_done(&b);
}

TEST(token_of_a_node_is_for_its_own_pods)
{
    struct bench b;
    struct err err;
    struct str groups[] = {STR("system:nodes"), STR("system:authenticated")};
    struct api_user node = {.name = STR("system:node:n2"), .groups = groups, .group_count = 2};
    bench_init(&b);
    b.c.user = &node;
    refusal(&b, BOUND, &err);
    CHECK_STR(str_of(err.message),
              "serviceaccounts \"ci\" is forbidden: node requested token bound "
              "to a pod scheduled on a different node");
    refusal(&b, "{\"spec\":{}}", &err);
    CHECK_STR(str_of(err.message),
              "serviceaccounts \"ci\" is forbidden: node requested token not bound to a pod");
    node.name = STR("system:node:n1");
    CHECK(issue(&b, BOUND).n > 0);
    bench_done(&b);
}
