#include "client/kubeconfig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "client/client.h"
#include "client/status.h"
#include "test.h"

/* Writes a kubeconfig into a folder with the files ca.crt and token, and reads it. */
static int read_text(const char *text, struct kubeconfig *ret, struct err *err)
{
    char dir[] = "/tmp/tutti-kubeconfig-XXXXXX";
    CHECK(mkdtemp(dir));
    struct buf path = {0};
    struct err ignored;
    buf_printf(&path, "%s/ca.crt", dir);
    CHECK_OK(file_write(buf_z(&path), STR("the CA\n"), 0600, err), err);
    buf_clear(&path);
    buf_printf(&path, "%s/token", dir);
    CHECK_OK(file_write(buf_z(&path), STR("secret\n"), 0600, err), err);
    buf_clear(&path);
    buf_printf(&path, "%s/config", dir);
    CHECK_OK(file_write(buf_z(&path), str_of(text), 0600, err), err);
    int rc = kubeconfig_read(buf_z(&path), ret, err);
    buf_done(&path);
    file_remove_tree(dir, &ignored);
    return rc;
}

#define CONTEXT                                                                                    \
    "apiVersion: v1\nkind: Config\ncurrent-context: c\n"                                           \
    "contexts:\n- {name: other, context: {cluster: x, user: y}}\n"                                 \
    "- {name: c, context: {cluster: k, user: u, namespace: shop}}\n"

TEST(inline_data_is_decoded)
{
    struct kubeconfig k;
    struct err err;
    CHECK_OK(read_text(CONTEXT "clusters:\n- name: k\n  cluster:\n    server: https://h:1\n"
                               "    certificate-authority-data: Q0EgcGVt\n"
                               "    tls-server-name: api\n"
                               "users:\n- name: u\n  user:\n    client-certificate-data: Y2VydA==\n"
                               "    client-key-data: a2V5\n",
                       &k, &err),
             &err);
    CHECK_STR(str_of(k.server), "https://h:1");
    CHECK_STR(str_of(k.tls_server_name), "api");
    CHECK_STR(str_of(k.ns), "shop");
    CHECK_STR(buf_str(&k.ca_pem), "CA pem");
    CHECK_STR(buf_str(&k.cert_pem), "cert");
    CHECK_STR(buf_str(&k.key_pem), "key");
    CHECK(!k.insecure);
    kubeconfig_done(&k);
}

TEST(files_lie_beside_the_kubeconfig)
{
    struct kubeconfig k;
    struct err err;
    CHECK_OK(read_text(CONTEXT "clusters:\n- name: k\n  cluster: {server: 'https://h:1', "
                               "certificate-authority: ca.crt, insecure-skip-tls-verify: true}\n"
                               "users:\n- name: u\n  user: {tokenFile: token}\n",
                       &k, &err),
             &err);
    CHECK_STR(buf_str(&k.ca_pem), "the CA\n");
    CHECK_STR(buf_str(&k.token), "secret");
    CHECK(k.insecure);
    kubeconfig_done(&k);
}

static void check_refused(const char *text, const char *part)
{
    struct kubeconfig k;
    struct err err;
    CHECK_INT(read_text(text, &k, &err), -1);
    if (!strstr(err.message, part))
        test_fail(__FILE__, __LINE__, "\"%s\" has no \"%s\"", err.message, part);
}

TEST(what_is_missing_is_named)
{
    check_refused("kind: Config\n", "no current-context is set");
    check_refused("current-context: c\n", "context \"c\" does not exist");
    check_refused(CONTEXT, "cluster \"k\" does not exist");
    check_refused(CONTEXT "clusters:\n- {name: k, cluster: {server: 'https://h'}}\n",
                  "auth info \"u\" does not exist");
    check_refused(CONTEXT "clusters:\n- {name: k, cluster: {server: 'https://h', "
                          "certificate-authority-data: '?'}}\nusers:\n- {name: u, user: {}}\n",
                  "certificate-authority-data: illegal base64 data");
    check_refused(CONTEXT "clusters:\n- {name: k, cluster: {server: 'https://h', "
                          "certificate-authority: none.crt}}\nusers:\n- {name: u, user: {}}\n",
                  "unable to read certificate-authority");
}

/* --- several files, and what a command line puts over them --- */
struct folder {
    char dir[40];
    struct buf list; /* of $KUBECONFIG */
};

static void folder_add(struct folder *f, const char *name, const char *text)
{
    struct buf path = {0};
    struct err err;
    if (!f->dir[0]) {
        snprintf(f->dir, sizeof f->dir, "/tmp/tutti-kubeconfig-XXXXXX");
        CHECK(mkdtemp(f->dir));
    }
    buf_printf(&path, "%s/%s", f->dir, name);
    CHECK_OK(file_write(buf_z(&path), str_of(text), 0600, &err), &err);
    buf_printf(&f->list, "%s%s", f->list.n ? ":" : "", buf_z(&path));
    buf_done(&path);
    setenv("KUBECONFIG", buf_z(&f->list), 1);
}

static void folder_done(struct folder *f)
{
    struct err ignored;
    unsetenv("KUBECONFIG");
    file_remove_tree(f->dir, &ignored);
    buf_done(&f->list);
}

TEST(the_first_file_that_names_a_thing_wins)
{
    struct folder f = {0};
    struct kubeconfig k;
    struct err err;
    folder_add(&f, "one",
               "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n");
    folder_add(&f, "two",
               "current-context: other\nclusters: [{name: k, cluster: {server: 'https://two'}}]\n"
               "users: [{name: u, user: {token: t}}]\n");
    folder_add(&f, "three", "clusters: [{name: k, cluster: {server: 'https://three'}}]\n");
    buf_puts(&f.list, ":/tmp/tutti-there-is-no-such-file");
    setenv("KUBECONFIG", buf_z(&f.list), 1);
    struct kubeconfig_overrides none = {0};
    CHECK_OK(kubeconfig_load(&none, &k, &err), &err);
    CHECK_STR(str_of(k.server), "https://two");
    CHECK_STR(buf_str(&k.token), "t");
    kubeconfig_done(&k);
    folder_done(&f);
}

TEST(a_command_line_overrides_the_files)
{
    struct folder f = {0};
    struct kubeconfig k;
    struct err err;
    folder_add(&f, "config",
               CONTEXT "clusters:\n- {name: k, cluster: {server: 'https://k', "
                       "certificate-authority-data: Q0EgcGVt}}\n"
                       "- {name: x, cluster: {server: 'https://x'}}\n"
                       "users:\n- {name: u, user: {tokenFile: token}}\n- {name: y, user: {}}\n");
    folder_add(&f, "token", "secret");
    struct str groups[] = {STR("dev"), STR("ops")};
    struct kubeconfig_overrides o = {.context = "other"};
    CHECK_OK(kubeconfig_load(&o, &k, &err), &err);
    CHECK_STR(str_of(k.server), "https://x");
    kubeconfig_done(&k);
    o = (struct kubeconfig_overrides){.server = "h:1",
                                      .token = "mine",
                                      .as_user = "joe",
                                      .as_groups = groups,
                                      .as_group_count = 2,
                                      .insecure = true};
    CHECK_OK(kubeconfig_load(&o, &k, &err), &err);
    CHECK_STR(str_of(k.server), "http://h:1");
    CHECK_STR(buf_str(&k.token), "mine");
    CHECK(!k.token_file && k.ca_pem.n == 0 && k.insecure);
    CHECK_STR(str_of(k.as_user), "joe");
    CHECK_STR(buf_str(&k.as_groups), "dev\nops\n");
    kubeconfig_done(&k);
    o = (struct kubeconfig_overrides){.context = "nope"};
    CHECK_INT(kubeconfig_load(&o, &k, &err), -1);
    CHECK_STR(str_of(err.message), "context \"nope\" does not exist");
    o = (struct kubeconfig_overrides){.path = "/tmp/tutti-there-is-no-such-file"};
    CHECK_INT(kubeconfig_load(&o, &k, &err), -1);
    folder_done(&f);
}

TEST(without_any_file_the_cluster_is_on_this_machine)
{
    struct kubeconfig k;
    struct err err;
    struct kubeconfig_overrides none = {0};
    setenv("KUBECONFIG", "/tmp/tutti-there-is-no-such-file", 1);
    CHECK_OK(kubeconfig_load(&none, &k, &err), &err);
    CHECK_STR(str_of(k.server), "http://localhost:8080");
    CHECK(!k.ns);
    kubeconfig_done(&k);
    unsetenv("KUBECONFIG");
}

#define EXEC_USER                                                                                  \
    CONTEXT "clusters:\n- {name: k, cluster: {server: 'https://h'}}\nusers:\n- name: u\n  user:\n" \
            "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n"

TEST(a_program_gives_credentials)
{
    struct kubeconfig k;
    struct err err;
    CHECK_OK(read_text(EXEC_USER "      command: sh\n      env: [{name: WHO, value: me}]\n"
                                 "      args:\n      - -c\n      - |\n"
                                 "        test -n \"$KUBERNETES_EXEC_INFO\" && printf '%s\"%s\"}}' "
                                 "'{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":"
                                 "\"ExecCredential\",\"status\":{\"token\":' $WHO\n",
                       &k, &err),
             &err);
    CHECK_STR(buf_str(&k.token), "me");
    kubeconfig_done(&k);
}

TEST(a_program_that_gives_none_is_named)
{
    check_refused(EXEC_USER "      command: tutti-no-such-plugin\n",
                  "getting credentials: exec: executable tutti-no-such-plugin not found");
    check_refused(EXEC_USER "      command: sh\n      args: [-c, exit 3]\n",
                  "getting credentials: exec: executable sh failed with exit code 3");
    check_refused(EXEC_USER "      command: echo\n      args: ['{}']\n",
                  "exec plugin is configured to use API version client.authentication.k8s.io/v1");
    check_refused(CONTEXT
                  "clusters:\n- {name: k, cluster: {server: 'https://h'}}\nusers:\n- {name: "
                  "u, user: {auth-provider: {name: gcp}}}\n",
                  "the kubeconfig's user has \"auth-provider\", which is not supported");
}

TEST(paths_follow_the_resource)
{
    struct buf b = {0};
    resource_path(&RES_DEPLOYMENTS, "shop", "web", "scale", &b);
    CHECK_STR(buf_str(&b), "/apis/apps/v1/namespaces/shop/deployments/web/scale");
    buf_clear(&b);
    resource_path(&RES_PODS, NULL, NULL, NULL, &b);
    CHECK_STR(buf_str(&b), "/api/v1/pods");
    buf_clear(&b);
    resource_path(&RES_NODES, NULL, "n1", "status", &b);
    CHECK_STR(buf_str(&b), "/api/v1/nodes/n1/status");
    buf_done(&b);
}

TEST(a_status_becomes_an_error)
{
    struct err err;
    CHECK_INT(
        status_err(409,
                   STR("{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"pods \\\"a\\\" "
                       "already exists\",\"reason\":\"AlreadyExists\",\"code\":409}"),
                   &err),
        -1);
    CHECK_INT(err.code, 409);
    CHECK_STR(str_of(err.reason), "AlreadyExists");
    CHECK_STR(str_of(err.message), "pods \"a\" already exists");
    status_err(503, STR("upstream is down"), &err);
    CHECK_INT(err.code, 503);
    CHECK_STR(str_of(err.reason), "ServiceUnavailable");
}
