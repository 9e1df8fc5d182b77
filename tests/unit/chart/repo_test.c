/* Where charts come from: indexes, references, addresses, passwords, provenance, new charts. */
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "chart/create.h"
#include "chart/credentials.h"
#include "chart/download.h"
#include "chart/index.h"
#include "chart/oci.h"
#include "chart/package.h"
#include "chart/provenance.h"
#include "chart/repo.h"

struct world {
    struct arena arena;
    struct buf warnings;
    struct chart_ctx cx;
    char dir[64];
};

static void open_world(struct world *w)
{
    *w = (struct world){.dir = "/tmp/tutti-repo-XXXXXX"};
    w->cx = (struct chart_ctx){.arena = &w->arena, .warnings = &w->warnings};
    CHECK(mkdtemp(w->dir) != NULL);
}

static void close_world(struct world *w)
{
    file_remove_tree(w->dir, NULL);
    buf_done(&w->warnings);
    arena_done(&w->arena);
}

static const char *in_dir(struct world *w, const char *name)
{
    return arena_printf(&w->arena, "%s/%s", w->dir, name).p;
}

static struct str read_back(struct world *w, const char *path)
{
    struct buf b = {0};
    struct err err;
    CHECK_OK(file_read(path, 1024 * 1024, &b, &err), &err);
    struct str text = arena_dup(&w->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

/* --- indexes --- */
static const char index_yaml[] = "apiVersion: v1\n"
                                 "entries:\n"
                                 "  web:\n"
                                 "  - {name: web, version: 1.0.0, urls: [web-1.0.0.tgz]}\n"
                                 "  - {name: web, version: 1.10.0, urls: [web-1.10.0.tgz]}\n"
                                 "  - {name: web, version: 1.9.0, urls: []}\n"
                                 "  - {name: web, version: 2.0.0-rc.1, urls: [web-2.tgz]}\n"
                                 "  - {name: web, version: not-one, urls: [x.tgz]}\n"
                                 "  - {name: web, urls: [x.tgz]}\n"
                                 "  - {version: 1.0.0}\n"
                                 "  -\n"
                                 "  none: []\n";

TEST(an_index_answers_with_the_newest_version_that_fits)
{
    static const struct {
        const char *chart, *version, *want, *error;
    } cases[] = {
        {"web", "", "1.10.0", NULL},
        {"web", "1.0.0", "1.0.0", NULL},
        {"web", "v1.0.0", "1.0.0", NULL},
        {"web", "~1.9", "1.9.0", NULL},
        {"web", "<1.10", "1.9.0", NULL},
        {"web", ">0.0.0-0", "2.0.0-rc.1", NULL},
        {"web", "2.0.0-rc.1", "2.0.0-rc.1", NULL},
        {"web", "3", NULL, "no chart version found for web-3"},
        {"web", "?", NULL, "improper constraint: \"?\""},
        {"none", "", NULL, "no chart version found"},
        {"other", "", NULL, "no chart name found"},
    };
    struct world w;
    struct index x;
    open_world(&w);
    CHECK_INT(index_parse(&w.cx, str_of(index_yaml), STR("here"), &x), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct index_version *v =
            index_find(&w.cx, &x, str_of(cases[i].chart), str_of(cases[i].version));
        CHECK_INT(v != NULL, cases[i].want != NULL);
        if (v)
            CHECK_STR(v->version, cases[i].want);
        else
            CHECK_STR(w.cx.error, cases[i].error);
    }
    CHECK_STR(buf_str(&w.warnings),
              "skipping loading invalid entry for chart \"web\" \"not-one\" from here: validation: "
              "chart.metadata.version \"not-one\" is invalid\n"
              "skipping loading invalid entry for chart \"web\" \"\" from here: validation: "
              "chart.metadata.version is required\n"
              "skipping loading invalid entry for chart \"web\" \"1.0.0\" from here: validation: "
              "chart.metadata.name is required\n"
              "skipping loading invalid entry for chart \"web\" from here: empty entry\n");
    index_done(&x);
    close_world(&w);
}

TEST(an_index_that_is_none_is_refused)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "empty index.yaml file"},
        {"entries: {}", "no API version specified"},
        {"[]", "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go "
               "value of type repo.IndexFile"},
    };
    struct world w;
    struct index x;
    open_world(&w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_INT(index_parse(&w.cx, str_of(cases[i].text), STR("here"), &x), -1);
        CHECK_STR(w.cx.error, cases[i].error);
    }
    CHECK_INT(index_parse(&w.cx, STR("{\"apiVersion\":\"v1\",\"entries\":{}}"), STR("x"), &x), 0);
    index_done(&x);
    close_world(&w);
}

TEST(addresses_in_a_repository_are_resolved_as_helm_resolves_them)
{
    static const struct {
        const char *base, *ref, *want;
    } cases[] = {
        {"http://h/charts", "web.tgz", "http://h/charts/web.tgz"},
        {"http://h/charts/", "web.tgz", "http://h/charts/web.tgz"},
        {"http://h", "index.yaml", "http://h/index.yaml"},
        {"http://h/charts?token=x", "a/web.tgz", "http://h/charts/a/web.tgz?token=x"},
        {"http://h/charts", "../web.tgz", "http://h/web.tgz"},
        {"http://h/charts", "/web.tgz", "http://h/web.tgz"},
        {"http://h/charts", "https://other/web.tgz", "https://other/web.tgz"},
        {"http://h/charts", "oci://other/web:1", "oci://other/web:1"},
    };
    struct world w;
    open_world(&w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(repo_url(&w.cx, str_of(cases[i].base), str_of(cases[i].ref)), cases[i].want);
    CHECK(repo_url_same(STR("http://h/a/"), STR("http://h/a")));
    CHECK(!repo_url_same(STR("http://h/a"), STR("http://h/b")));
    close_world(&w);
}

TEST(repositories_are_kept_as_helm_keeps_them)
{
    struct world w;
    struct repo_file f;
    open_world(&w);
    const char *path = in_dir(&w, "deep/repositories.yaml");
    CHECK_INT(repo_file_read(&w.cx, path, &f), 0);
    CHECK(f.missing && f.n == 0);
    struct repo_entry e = {.name = STR("a"), .url = STR("http://h"), .access = {.pass_all = true}};
    repo_file_set(&w.cx, &f, &e);
    int lock = repo_file_lock(&w.cx, path);
    CHECK(lock >= 0 && access(in_dir(&w, "deep/repositories.lock"), F_OK) == 0);
    close(lock);
    CHECK_INT(repo_file_write(&w.cx, path, &f), 0);
    CHECK_STR(read_back(&w, path), "apiVersion: \"\"\n"
                                   "generated: \"0001-01-01T00:00:00Z\"\n"
                                   "repositories:\n"
                                   "- caFile: \"\"\n"
                                   "  certFile: \"\"\n"
                                   "  insecure_skip_tls_verify: false\n"
                                   "  keyFile: \"\"\n"
                                   "  name: a\n"
                                   "  pass_credentials_all: true\n"
                                   "  password: \"\"\n"
                                   "  url: http://h\n"
                                   "  username: \"\"\n");
    CHECK_INT(repo_file_read(&w.cx, path, &f), 0);
    CHECK(f.n == 1 && repo_entry_same(&f.items[0], &e) && repo_file_find(&f, STR("a")));
    CHECK(repo_file_remove(&f, STR("a")) && !repo_file_remove(&f, STR("a")));
    close_world(&w);
}

/* --- registries --- */
TEST(references_are_read_as_oras_reads_them)
{
    static const struct {
        const char *text, *want, *error;
    } cases[] = {
        {"oci://h:5000/charts/web", "h:5000/charts/web", NULL},
        {"h/web:1.2.3", "h/web:1.2.3", NULL},
        {"h/web:1.2.3+build.4", "h/web:1.2.3_build.4", NULL},
        {"h/a.b/c_d/e__f/g--h", "h/a.b/c_d/e__f/g--h", NULL},
        {"h/web@sha256:x", "h/web@sha256:x", NULL},
        {"h", NULL, "invalid reference: missing registry or repository"},
        {"h/", NULL, "invalid reference: invalid repository \"\""},
        {"h/Web", NULL, "invalid reference: invalid repository \"Web\""},
        {"h/a//b", NULL, "invalid reference: invalid repository \"a//b\""},
        {"h/a..b", NULL, "invalid reference: invalid repository \"a..b\""},
        {"h/a-", NULL, "invalid reference: invalid repository \"a-\""},
        {"h/../b", NULL, "invalid reference: invalid repository \"../b\""},
        {"h:x/a", NULL, "invalid reference: invalid registry \"h:x\""},
        {"/a", NULL, "invalid reference: invalid registry \"\""},
        {"u@h/a", NULL, "invalid reference: missing registry or repository"},
        {"h/a:b c", NULL, "invalid reference: invalid tag \"b c\""},
        {"h/a:.b", NULL, "invalid reference: invalid tag \".b\""},
    };
    struct world w;
    struct oci_ref ref;
    open_world(&w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_INT(oci_ref_parse(&w.cx, str_of(cases[i].text), &ref), cases[i].want ? 0 : -1);
        if (cases[i].want)
            CHECK_STR(oci_ref_text(&w.arena, &ref), cases[i].want);
        else
            CHECK_STR(w.cx.error, cases[i].error);
    }
    close_world(&w);
}

TEST(challenges_name_where_a_token_is_to_be_had)
{
    struct arena a = {0};
    struct registry_challenge c =
        registry_challenge_parse(&a, STR(" bearer realm=\"https://auth/t?x=\\\"y\\\"\" , "
                                         "service=reg.test,SCOPE=\"a:b:pull c\""));
    CHECK_INT(c.scheme, CHALLENGE_BEARER);
    CHECK_STR(c.realm, "https://auth/t?x=\"y\"");
    CHECK_STR(c.service, "reg.test");
    CHECK_STR(c.scope, "a:b:pull c");
    CHECK_INT(registry_challenge_parse(&a, STR("Basic realm=\"x\"")).scheme, CHALLENGE_BASIC);
    CHECK_INT(registry_challenge_parse(&a, STR("Negotiate")).scheme, CHALLENGE_NONE);
    CHECK_INT(registry_challenge_parse(&a, STR("")).scheme, CHALLENGE_NONE);
    CHECK_STR(registry_challenge_parse(&a, STR("Bearer realm=\"no end")).realm, "");
    CHECK_STR(registry_challenge_parse(&a, STR("Bearer realm=a b=c")).realm, "a");
    arena_done(&a);
}

TEST(credentials_live_in_docker_s_file)
{
    struct world w;
    struct registry_auth auth;
    struct err err;
    open_world(&w);
    const char *path = in_dir(&w, "registry/config.json");
    setenv("DOCKER_CONFIG", w.dir, 1);
    CHECK_INT(credentials_find(&w.cx, path, STR("h:1"), &auth), 0);
    CHECK_INT(auth.username.n, 0);
    CHECK_INT(credentials_put(&w.cx, path, STR("h:1"), STR("me"), STR("pass:word")), 0);
    CHECK_STR(read_back(&w, path), "{\n\t\"auths\": {\n\t\t\"h:1\": {\n\t\t\t\"auth\": "
                                   "\"bWU6cGFzczp3b3Jk\"\n\t\t}\n\t}\n}");
    CHECK_INT(credentials_find(&w.cx, path, STR("h:1"), &auth), 0);
    CHECK_STR(auth.username, "me");
    CHECK_STR(auth.password, "pass:word");
    CHECK_INT(credentials_put(&w.cx, path, STR("h:1"), STR("a:b"), STR("c")), -1);
    CHECK_INT(credentials_remove(&w.cx, path, STR("h:1")), 0);
    CHECK_STR(read_back(&w, path), "{\n\t\"auths\": {}\n}");
    CHECK_OK(file_write(in_dir(&w, "config.json"),
                        STR("{\"auths\":{\"https://index.docker.io/v1/\":{\"identitytoken\":\"t\"},"
                            "\"http://h:2/v1\":{\"auth\":\"eDp5\"}},\"other\":1}"),
                        0600, &err),
             &err);
    CHECK_INT(credentials_find(&w.cx, path, STR("docker.io"), &auth), 0);
    CHECK_STR(auth.identity_token, "t");
    CHECK_INT(credentials_find(&w.cx, path, STR("h:2"), &auth), 0);
    CHECK_STR(auth.password, "y");
    unsetenv("DOCKER_CONFIG");
    close_world(&w);
}

/* --- provenance --- */
TEST(a_message_has_a_hash_for_a_file)
{
    struct world w;
    struct str hash;
    open_world(&w);
    CHECK_INT(provenance_find_hash(&w.cx, STR("name: a\n\n...\nfiles:\n  a-1.tgz: sha256:00\n"),
                                   STR("a-1.tgz"), &hash),
              0);
    CHECK_STR(hash, "sha256:00");
    CHECK_INT(
        provenance_find_hash(&w.cx, STR("name: a\n\n...\nfiles: {}\n"), STR("a-1.tgz"), &hash), -1);
    CHECK_STR(w.cx.error, "provenance does not contain a SHA for a file named \"a-1.tgz\"");
    CHECK_INT(provenance_find_hash(&w.cx, STR("name: a\n"), STR("a-1.tgz"), &hash), -1);
    CHECK_STR(w.cx.error, "message block must have at least two parts");
    close_world(&w);
}

/* --- unpacking and making --- */
TEST(a_chart_is_unpacked_into_its_own_folder_only)
{
    struct world w;
    struct buf out = {0};
    struct chart *c;
    const char *packed;
    open_world(&w);
    CHECK_INT(chart_create(&w.cx, w.dir, STR("web"), &out), 0);
    CHECK_INT(chart_load(&w.cx, in_dir(&w, "web"), &c), 0);
    CHECK_INT(chart_save(&w.cx, c, w.dir, &packed), 0);
    CHECK_INT(chart_expand(&w.cx, in_dir(&w, "x"), packed), 0);
    CHECK(access(in_dir(&w, "x/web/templates/tests/test-connection.yaml"), F_OK) == 0);
    /* A link that lies there already does not lead out. */
    CHECK(mkdir(in_dir(&w, "y"), 0755) == 0 && mkdir(in_dir(&w, "y/web"), 0755) == 0);
    CHECK(symlink(w.dir, in_dir(&w, "y/web/templates")) == 0);
    CHECK_INT(chart_expand(&w.cx, in_dir(&w, "y"), packed), -1);
    CHECK(access(in_dir(&w, "deployment.yaml"), F_OK) != 0);
    c->meta.name = STR("..");
    CHECK_INT(chart_save(&w.cx, c, in_dir(&w, "z"), &packed), 0);
    CHECK_INT(chart_expand(&w.cx, in_dir(&w, "y"), packed), -1);
    buf_done(&out);
    close_world(&w);
}

TEST(names_of_new_charts_are_checked)
{
    struct world w;
    struct buf out = {0};
    open_world(&w);
    CHECK_INT(chart_create(&w.cx, w.dir, STR("a b"), &out), -1);
    CHECK_STR(w.cx.error, "chart name must match the regular expression \"^[a-zA-Z0-9._-]+$\"");
    CHECK_INT(chart_create(&w.cx, w.dir, STR(""), &out), -1);
    CHECK_STR(w.cx.error, "chart name must be between 1 and 250 characters");
    buf_done(&out);
    close_world(&w);
}
