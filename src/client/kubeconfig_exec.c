/* kubeconfig_exec.c: credentials that a program gives: client.authentication.k8s.io's
 * ExecCredential (aws, gke-gcloud-auth-plugin, kubelogin and the like). */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "client/kubeconfig_impl.h"

extern char **environ;

enum { MAX_ANSWER = 1 << 20, MAX_WORDS = 1024 };

struct plugin {
    struct arena arena;
    char **argv, **envp;
    struct str api_version;
};

/* Variables of the plugin stand before those of this program, which they replace. */
static void make_env(struct plugin *p, const val *exec, const char *server)
{
    size_t n = 0, own;
    while (environ[n])
        n++;
    p->envp = arena_zalloc(&p->arena, (n + val_len(val_get(exec, "env")) + 2) * sizeof(char *));
    own = 0;
    VAL_FOR (val_get(exec, "env"), one)
        p->envp[own++] =
            arena_z(&p->arena, arena_printf(&p->arena, "%.*s=%.*s", STR_ARG(VAL_STR(one, "name")),
                                            STR_ARG(VAL_STR(one, "value"))));
    struct doc d;
    struct buf info = {0};
    doc_init(&d);
    val *v = val_new_obj(&d), *spec = val_set(&d, v, "spec", val_new_obj(&d));
    val_set_s(&d, v, "apiVersion", p->api_version);
    val_set_z(&d, v, "kind", "ExecCredential");
    val_set_bool(&d, spec, "interactive", false);
    if (VAL_BOOL(exec, "provideClusterInfo"))
        val_set_z(&d, val_ensure_obj(&d, spec, "cluster"), "server", server ? server : "");
    val_write_json(v, &info);
    p->envp[own++] =
        arena_z(&p->arena, arena_printf(&p->arena, "KUBERNETES_EXEC_INFO=%s", buf_z(&info)));
    buf_done(&info);
    doc_done(&d);
    for (size_t i = 0, mine = own; i < n; i++) {
        const char *equals = strchr(environ[i], '=');
        bool replaced = !equals;
        for (size_t k = 0; k < mine && !replaced; k++)
            replaced = strncmp(environ[i], p->envp[k], (size_t)(equals - environ[i]) + 1) == 0;
        if (!replaced)
            p->envp[own++] = environ[i];
    }
}

static void make_argv(struct plugin *p, const val *exec)
{
    const val *args = val_get(exec, "args");
    size_t n = 0;
    p->argv = arena_zalloc(&p->arena, (val_len(args) + 2) * sizeof(char *));
    p->argv[n++] = arena_z(&p->arena, VAL_STR(exec, "command"));
    VAL_FOR (args, one)
        p->argv[n++] = arena_z(&p->arena, val_str(one));
}

/* What the program prints on its standard output, which is this file. */
static int run(struct plugin *p, FILE *out, struct err *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
    int problem = posix_spawnp(&pid, p->argv[0], &actions, NULL, p->argv, p->envp);
    posix_spawn_file_actions_destroy(&actions);
    if (problem)
        return err_set(err, 401, "Unauthorized",
                       "getting credentials: exec: executable %s not found", p->argv[0]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(err, "getting credentials: waiting for %s", p->argv[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, 401, "Unauthorized",
                       "getting credentials: exec: executable %s failed with exit code %d",
                       p->argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}

static int take_answer(struct plugin *p, FILE *out, struct kubeconfig *k, struct err *err)
{
    struct buf text = {0};
    struct doc d;
    val *v = NULL;
    rewind(out);
    text.n = fread(buf_reserve(&text, MAX_ANSWER), 1, MAX_ANSWER, out);
    doc_init(&d);
    int rc = doc_parse_json(&d, buf_str(&text), &v, err);
    if (rc)
        err_prefix(err, "getting credentials: decoding stdout");
    else if (!str_is(VAL_STR(v, "kind"), "ExecCredential") ||
             !str_eq(VAL_STR(v, "apiVersion"), p->api_version))
        rc = err_set(err, 401, "Unauthorized",
                     "getting credentials: exec plugin is configured to use API version %.*s, "
                     "plugin returned version %.*s",
                     STR_ARG(p->api_version), STR_ARG(VAL_STR(v, "apiVersion")));
    const val *status = val_get(v, "status");
    buf_put(&k->token, rc ? STR("") : VAL_STR(status, "token"));
    buf_put(&k->cert_pem, rc ? STR("") : VAL_STR(status, "clientCertificateData"));
    buf_put(&k->key_pem, rc ? STR("") : VAL_STR(status, "clientKeyData"));
    if (rc == 0 && !k->token.n && !k->cert_pem.n)
        rc = err_set(err, 401, "Unauthorized",
                     "getting credentials: exec plugin didn't return a token or cert/key pair");
    doc_done(&d);
    buf_done(&text);
    return rc;
}

int kubeconfig_run_plugin(const val *exec, struct kubeconfig *k, struct err *err)
{
    struct plugin p = {.api_version = VAL_STR(exec, "apiVersion")};
    if (VAL_STR(exec, "command").n == 0 || val_len(val_get(exec, "args")) > MAX_WORDS)
        return err_bad(err, "the kubeconfig's exec names no command");
    FILE *out = tmpfile();
    if (!out)
        return err_errno(err, "getting credentials: a temporary file");
    make_argv(&p, exec);
    make_env(&p, exec, k->server);
    int rc = run(&p, out, err);
    rc = rc ? rc : take_answer(&p, out, k, err);
    fclose(out);
    arena_done(&p.arena);
    return rc;
}
