#include "client/kubeconfig_impl.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

enum { MAX_FILE = 1 << 20, MAX_FILES = 32 };

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Standard base64 with padding; line breaks are passed over, as Go's decoder does. */
static bool base64_decode(struct str s, struct buf *ret)
{
    uint32_t bits = 0;
    size_t digits = 0, padding = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n' || s.p[i] == '\r')
            continue;
        int v = s.p[i] == '=' ? 0 : base64_value(s.p[i]);
        padding += s.p[i] == '=';
        if (v < 0 || (padding && s.p[i] != '='))
            return false;
        bits = bits << 6 | (uint32_t)v;
        if (++digits % 4)
            continue;
        char out[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        if (padding > 2)
            return false;
        buf_append(ret, out, 3 - padding);
    }
    return digits % 4 == 0;
}

/* The item of a list of {name, …} that has the name. */
static const val *named(const val *config, const char *list, struct str name)
{
    VAL_FOR (val_get(config, list), item)
        if (str_eq(VAL_STR(item, "name"), name))
            return item;
    return NULL;
}

static char *copy_or_null(struct str s)
{
    return s.n ? mem_strndup(s.p, s.n) : NULL;
}

/* A path of the kubeconfig: relative ones begin at its folder. */
static char *beside(const char *config_path, struct str path)
{
    const char *slash = strrchr(config_path, '/');
    struct buf b = {0};
    if (path.n && *path.p != '/' && slash)
        buf_append(&b, config_path, (size_t)(slash - config_path) + 1);
    buf_put(&b, path);
    return buf_take(&b);
}

/* NAME-data (base64) or the file NAME. */
static int read_pem(const val *section, const char *name, struct buf *ret, struct err *err)
{
    struct buf data_key = {0};
    buf_printf(&data_key, "%s-data", name);
    struct str data = val_str(val_get(section, buf_z(&data_key)));
    buf_done(&data_key);
    if (data.n)
        return base64_decode(data, ret) ? 0 : err_bad(err, "%s-data: illegal base64 data", name);
    struct str file = val_str(val_get(section, name));
    return file.n && file_read(file.p, MAX_FILE, ret, err)
               ? err_prefix(err, "unable to read %s", name)
               : 0;
}

int kubeconfig_read_token(const char *path, struct buf *ret, struct err *err)
{
    struct buf text = {0};
    int rc = file_read(path, MAX_FILE, &text, err);
    struct str token = str_trim(buf_str(&text));
    if (rc == 0 && (!token.n || str_find_char(token, '\n') >= 0))
        rc = err_bad(err, "%s: not a token", path);
    if (rc == 0) {
        buf_clear(ret);
        buf_put(ret, token);
    }
    buf_done(&text);
    return rc;
}

static int read_user(const val *user, struct kubeconfig *k, struct err *err)
{
    static const char *const unknown[] = {"auth-provider", "username"};
    if (read_pem(user, "client-certificate", &k->cert_pem, err) ||
        read_pem(user, "client-key", &k->key_pem, err))
        return -1;
    k->as_user = copy_or_null(VAL_STR(user, "as"));
    VAL_FOR (val_get(user, "as-groups"), group)
        buf_printf(&k->as_groups, "%.*s\n", STR_ARG(val_str(group)));
    struct str token = VAL_STR(user, "token"), file = VAL_STR(user, "tokenFile");
    if (!token.n && !file.n && !k->cert_pem.n && val_get(user, "exec"))
        return kubeconfig_run_plugin(val_get(user, "exec"), k, err);
    if (!token.n && !file.n && !k->cert_pem.n)
        for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
            if (val_get(user, unknown[i]))
                return err_bad(err, "the kubeconfig's user has \"%s\", which is not supported",
                               unknown[i]);
    buf_put(&k->token, token);
    if (token.n || !file.n)
        return 0;
    k->token_file = copy_or_null(file);
    return kubeconfig_read_token(k->token_file, &k->token, err);
}

static int read_cluster(const val *cluster, struct kubeconfig *k, struct err *err)
{
    k->server = copy_or_null(VAL_STR(cluster, "server"));
    k->tls_server_name = copy_or_null(VAL_STR(cluster, "tls-server-name"));
    k->insecure = VAL_BOOL(cluster, "insecure-skip-tls-verify");
    return read_pem(cluster, "certificate-authority", &k->ca_pem, err);
}

static int resolve(const val *config, struct str current, struct kubeconfig *k, struct err *err)
{
    if (!current.n)
        return err_bad(err, "no current-context is set");
    const val *context = val_get(named(config, "contexts", current), "context");
    if (!context)
        return err_bad(err, "context \"%.*s\" does not exist", STR_ARG(current));
    struct str cluster_name = VAL_STR(context, "cluster"), user_name = VAL_STR(context, "user");
    const val *cluster = val_get(named(config, "clusters", cluster_name), "cluster");
    const val *user = val_get(named(config, "users", user_name), "user");
    if (!cluster)
        return err_bad(err, "cluster \"%.*s\" does not exist", STR_ARG(cluster_name));
    if (user_name.n && !user)
        return err_bad(err, "auth info \"%.*s\" does not exist", STR_ARG(user_name));
    k->ns = copy_or_null(VAL_STR(context, "namespace"));
    return read_cluster(cluster, k, err) ? -1 : read_user(user, k, err);
}

/* --- several files --- */

static void make_absolute(struct doc *d, val *section, const char *name, const char *config_path)
{
    struct str path = val_str(val_get(section, name));
    if (!path.n)
        return;
    CLEANUP(mem_freep) char *whole = beside(config_path, path);
    val_set_z(d, section, name, whole);
}

/* The items of a list whose names are new. */
static void merge_list(struct doc *d, val *into, const val *file, const char *list)
{
    val *all = val_ensure_arr(d, into, list);
    VAL_FOR (val_get(file, list), item)
        if (!named(into, list, VAL_STR(item, "name")))
            val_push(all, val_copy(d, item));
}

static int merge_file(struct doc *d, val *into, const char *path, struct err *err)
{
    struct buf text = {0};
    val *file = NULL;
    int rc = file_read(path, MAX_FILE, &text, err);
    if (rc == 0 && doc_parse_yaml(d, buf_str(&text), &file, err))
        rc = err_prefix(err, "%s", path);
    buf_done(&text);
    if (rc)
        return rc;
    VAL_FOR (val_get(file, "clusters"), item)
        make_absolute(d, val_get(item, "cluster"), "certificate-authority", path);
    VAL_FOR (val_get(file, "users"), item) {
        make_absolute(d, val_get(item, "user"), "client-certificate", path);
        make_absolute(d, val_get(item, "user"), "client-key", path);
        make_absolute(d, val_get(item, "user"), "tokenFile", path);
        val *exec = VAL_PATH(item, "user", "exec");
        if (str_find_char(VAL_STR(exec, "command"), '/') >= 0)
            make_absolute(d, exec, "command", path);
    }
    merge_list(d, into, file, "clusters");
    merge_list(d, into, file, "contexts");
    merge_list(d, into, file, "users");
    if (!VAL_STR(into, "current-context").n)
        val_set_s(d, into, "current-context", VAL_STR(file, "current-context"));
    return 0;
}

static int merge_present(struct doc *d, val *into, const char *path, struct err *err)
{
    return access(path, F_OK) == 0 ? merge_file(d, into, path, err) : 0;
}

/* The files of $KUBECONFIG, or the one in the home folder. */
static int merge_default(struct doc *d, val *into, struct err *err)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    struct str rest = str_of(list), one;
    struct buf path = {0};
    int rc = 0;
    if (!rest.n) {
        buf_printf(&path, "%s/.kube/config", home ? home : "");
        rc = merge_present(d, into, buf_z(&path), err);
    }
    for (size_t i = 0; rc == 0 && i < MAX_FILES && str_next(&rest, ':', &one); i++) {
        buf_clear(&path);
        buf_put(&path, one);
        rc = one.n ? merge_present(d, into, buf_z(&path), err) : 0;
    }
    buf_done(&path);
    return rc;
}

/* --- what is used when no file says anything --- */

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

static bool read_service_account(struct kubeconfig *k, struct err *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    struct buf b = {0};
    if (!host || !*host || !port || !*port ||
        kubeconfig_read_token(ACCOUNT "token", &k->token, err) ||
        file_read(ACCOUNT "ca.crt", MAX_FILE, &k->ca_pem, err))
        return false;
    buf_printf(&b, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    k->server = buf_take(&b);
    k->token_file = mem_strdup(ACCOUNT "token");
    if (file_read(ACCOUNT "namespace", MAX_FILE, &b, err) == 0)
        k->ns = copy_or_null(str_trim(buf_str(&b)));
    buf_done(&b);
    return true;
}

static void replace(char **field, const char *text)
{
    if (!text || !*text)
        return;
    free(*field);
    *field = mem_strdup(text);
}

static int apply(const struct kubeconfig_overrides *o, struct kubeconfig *k, struct err *err)
{
    replace(&k->server, o->server);
    replace(&k->tls_server_name, o->tls_server_name);
    replace(&k->as_user, o->as_user);
    if (o->as_group_count)
        buf_clear(&k->as_groups);
    for (size_t i = 0; i < o->as_group_count; i++)
        buf_printf(&k->as_groups, "%.*s\n", STR_ARG(o->as_groups[i]));
    if (o->token && *o->token) {
        buf_clear(&k->token);
        buf_puts(&k->token, o->token);
        free(k->token_file);
        k->token_file = NULL;
    }
    bool ca = o->ca_file && *o->ca_file;
    if (o->insecure || ca)
        buf_clear(&k->ca_pem);
    k->insecure = (k->insecure && !ca) || o->insecure;
    if (ca && file_read(o->ca_file, MAX_FILE, &k->ca_pem, err))
        return err_prefix(err, "invalid configuration: unable to read certificate-authority");
    if (!k->server)
        k->server = mem_strdup("http://localhost:8080");
    if (strstr(k->server, "://"))
        return 0;
    struct buf url = {0}; /* a bare host, as clientcmd takes it */
    buf_printf(&url, "http://%s", k->server);
    free(k->server);
    k->server = buf_take(&url);
    return 0;
}

int kubeconfig_load(const struct kubeconfig_overrides *o, struct kubeconfig *ret, struct err *err)
{
    struct kubeconfig k = {0};
    struct err ignored;
    struct doc d;
    doc_init(&d);
    val *config = val_new_obj(&d);
    bool given = o->path && *o->path;
    int rc = given ? merge_file(&d, config, o->path, err) : merge_default(&d, config, err);
    if (rc == 0) {
        struct str context = str_of(o->context);
        context = context.n ? context : VAL_STR(config, "current-context");
        if (context.n)
            rc = resolve(config, context, &k, err);
        else if (!given && !(o->server && *o->server))
            read_service_account(&k, &ignored);
    }
    if (rc == 0)
        rc = apply(o, &k, err);
    doc_done(&d);
    if (rc)
        kubeconfig_done(&k);
    else
        *ret = k;
    return rc;
}

int kubeconfig_read(const char *path, struct kubeconfig *ret, struct err *err)
{
    struct kubeconfig k = {0};
    struct doc d;
    doc_init(&d);
    val *config = val_new_obj(&d);
    int rc = merge_file(&d, config, path, err);
    if (rc == 0 && resolve(config, VAL_STR(config, "current-context"), &k, err))
        rc = err_prefix(err, "%s", path);
    else if (rc == 0 && !k.server)
        rc = err_bad(err, "%s: the cluster has no server", path);
    doc_done(&d);
    if (rc)
        kubeconfig_done(&k);
    else
        *ret = k;
    return rc;
}

void kubeconfig_done(struct kubeconfig *k)
{
    free(k->server);
    free(k->tls_server_name);
    free(k->ns);
    free(k->token_file);
    free(k->as_user);
    buf_done(&k->as_groups);
    buf_done(&k->token);
    buf_done(&k->ca_pem);
    buf_done(&k->cert_pem);
    buf_done(&k->key_pem);
    *k = (struct kubeconfig){0};
}
