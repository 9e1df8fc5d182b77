#include "client/kubeconfig.h"

#include "base/file.h"
#include "doc/val.h"

enum { MAX_FILE = 1 << 20 };

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
static int read_pem(const val *section, const char *name, const char *config_path, struct buf *ret,
                    struct err *err)
{
    struct buf data_key = {0};
    buf_printf(&data_key, "%s-data", name);
    struct str data = val_str(val_get(section, buf_z(&data_key)));
    buf_done(&data_key);
    if (data.n)
        return base64_decode(data, ret) ? 0 : err_bad(err, "%s-data: illegal base64 data", name);
    struct str file = val_str(val_get(section, name));
    if (!file.n)
        return 0;
    CLEANUP(mem_freep) char *path = beside(config_path, file);
    return file_read(path, MAX_FILE, ret, err) ? err_prefix(err, "unable to read %s", name) : 0;
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

static int read_user(const val *user, const char *path, struct kubeconfig *k, struct err *err)
{
    if (read_pem(user, "client-certificate", path, &k->cert_pem, err) ||
        read_pem(user, "client-key", path, &k->key_pem, err))
        return -1;
    struct str token = VAL_STR(user, "token"), file = VAL_STR(user, "tokenFile");
    buf_put(&k->token, token);
    if (token.n || !file.n)
        return 0;
    k->token_file = beside(path, file);
    return kubeconfig_read_token(k->token_file, &k->token, err);
}

static int resolve(const val *config, const char *path, struct kubeconfig *k, struct err *err)
{
    struct str current = VAL_STR(config, "current-context");
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
    k->server = copy_or_null(VAL_STR(cluster, "server"));
    if (!k->server)
        return err_bad(err, "no server found for cluster \"%.*s\"", STR_ARG(cluster_name));
    k->tls_server_name = copy_or_null(VAL_STR(cluster, "tls-server-name"));
    k->ns = copy_or_null(VAL_STR(context, "namespace"));
    k->insecure = VAL_BOOL(cluster, "insecure-skip-tls-verify");
    if (read_pem(cluster, "certificate-authority", path, &k->ca_pem, err))
        return -1;
    return read_user(user, path, k, err);
}

int kubeconfig_read(const char *path, struct kubeconfig *ret, struct err *err)
{
    struct kubeconfig k = {0};
    struct buf text = {0};
    struct doc d;
    val *config;
    doc_init(&d);
    int rc = file_read(path, MAX_FILE, &text, err);
    if (rc == 0 &&
        (doc_parse_yaml(&d, buf_str(&text), &config, err) || resolve(config, path, &k, err)))
        rc = err_prefix(err, "%s", path);
    doc_done(&d);
    buf_done(&text);
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
    buf_done(&k->token);
    buf_done(&k->ca_pem);
    buf_done(&k->cert_pem);
    buf_done(&k->key_pem);
    *k = (struct kubeconfig){0};
}
