/* ConfigMaps and Secrets. */
#include "api/kinds/kinds.h"

#include <openssl/evp.h>

enum { DATA_MAX = 1024 * 1024 };

/* Go's nil map and an empty one are the same. */
static bool same_map(const val *a, const val *b)
{
    return val_len(a) == 0 && val_len(b) == 0 ? true : a && b && val_eq(a, b);
}

/* A member named by its key, as data[.dockercfg]: upstream's Path.Key. */
static void required_key(struct check *k, const char *key)
{
    size_t in = check_in(k, "data");
    size_t at = check_key(k, str_of(key));
    check_required(k, "", "");
    check_out(k, at);
    check_out(k, in);
}

/* Checks the keys of a data member and answers the bytes that its values hold. */
static size_t check_data(struct check *k, const val *obj, const char *member, bool base64,
                         const val *other)
{
    size_t total = 0;
    size_t in = check_in(k, member);
    VAL_EACH (val_get(obj, member), key, value) {
        size_t at = check_key(k, val_str(key));
        check_name(k, "", NAME_CONFIG_KEY, val_str(key));
        if (other && val_get_str(other, val_str(key)))
            check_invalid(k, "", val_str(key), "duplicate of key present in binaryData");
        check_out(k, at);
        ssize_t n = base64 ? base64_length(val_str(value)) : (ssize_t)val_str(value).n;
        total += n > 0 ? (size_t)n : 0;
    }
    check_out(k, in);
    return total;
}

static void check_frozen(struct check *k, const val *obj, const val *old,
                         const char *const *members)
{
    static const char text[] = "field is immutable when `immutable` is set";
    if (!VAL_BOOL(old, "immutable"))
        return;
    if (!VAL_BOOL(obj, "immutable"))
        check_forbidden(k, "immutable", text);
    for (size_t i = 0; members[i]; i++)
        if (!same_map(val_get(obj, members[i]), val_get(old, members[i])))
            check_forbidden(k, members[i], text);
}

/* --- ConfigMap --- */
static void check_config(struct check *k, const val *obj)
{
    size_t total = check_data(k, obj, "data", false, val_get(obj, "binaryData"));
    total += check_data(k, obj, "binaryData", true, NULL);
    if (total > DATA_MAX)
        check_too_long(k, "", DATA_MAX);
}

static void config_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    check_config(&k, obj);
    check_done(&k);
}

static void config_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                   val *causes)
{
    static const char *const members[] = {"data", "binaryData", NULL};
    struct check k;
    check_init(&k, c, causes);
    check_frozen(&k, obj, old, members);
    check_config(&k, obj);
    check_done(&k);
}

static const struct schema_column config_columns[] = {
    COLUMN_NAME,
    COLUMN("Data"),
    COLUMN_AGE,
    COLUMN_END,
};

static void config_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_int(d, cells,
             (int64_t)(val_len(val_get(obj, "data")) + val_len(val_get(obj, "binaryData"))));
    cell_age(c, d, cells, obj);
}

const struct strategy configmap_strategy = {
    .group = "",
    .resource = "configmaps",
    .validate = config_validate,
    .validate_update = config_validate_update,
    .columns = config_columns,
    .row = config_row,
    .unconditional_update = true,
};

/* --- Secret --- */
static void secret_defaults(struct strategy_ctx *c, val *obj)
{
    const val *plain = val_get(obj, "stringData");
    VAL_EACH (plain, key, value) {
        struct str text = val_str(value);
        char *encoded = mem_alloc((text.n + 2) / 3 * 4 + 1);
        int n =
            EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text.p, (int)text.n);
        val_set_str(c->d, val_ensure_obj(c->d, obj, "data"), val_str(key),
                    val_new_str(c->d, (struct str){encoded, (size_t)n}));
        free(encoded);
    }
    val_del(obj, "stringData");
    default_z(c->d, obj, "type", "Opaque");
}

/* Types whose data must hold certain keys. */
static const struct {
    const char *type;
    const char *keys[2];
    bool any; /* one of them is enough */
    bool filled;
    bool json;
} secret_types[] = {
    {"kubernetes.io/dockercfg", {".dockercfg"}, .json = true},
    {"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}, .json = true},
    {"kubernetes.io/basic-auth", {"username", "password"}, .any = true},
    {"kubernetes.io/ssh-auth", {"ssh-privatekey"}, .filled = true},
    {"kubernetes.io/tls", {"tls.crt", "tls.key"}},
};

static void check_json_key(struct check *k, const char *key, struct str encoded)
{
    struct doc d = {0};
    struct err err;
    val *v;
    if (encoded.n > 2 * DATA_MAX)
        return;
    unsigned char *text = mem_alloc(encoded.n + 4);
    int n = EVP_DecodeBlock(text, (const unsigned char *)encoded.p, (int)encoded.n);
    ssize_t real = base64_length(encoded);
    size_t in = check_in(k, "data");
    size_t at = check_key(k, str_of(key));
    doc_init(&d);
    if (n < 0 || real < 0)
        check_invalid(k, "", STR("<secret contents redacted>"), "illegal base64 data");
    else if (doc_parse_json(&d, (struct str){(char *)text, (size_t)real}, &v, &err))
        check_invalid(k, "", STR("<secret contents redacted>"), err.message);
    doc_done(&d);
    check_out(k, at);
    check_out(k, in);
    free(text);
}

static void check_type(struct check *k, const val *obj)
{
    const val *data = val_get(obj, "data");
    for (size_t i = 0; i < ARRAY_LEN(secret_types); i++) {
        if (!str_is(VAL_STR(obj, "type"), secret_types[i].type))
            continue;
        const char *const *keys = secret_types[i].keys;
        if (secret_types[i].any && (val_get(data, keys[0]) || val_get(data, keys[1])))
            return;
        for (size_t n = 0; n < 2 && keys[n]; n++) {
            const val *value = val_get(data, keys[n]);
            if (!value || (secret_types[i].filled && val_str(value).n == 0))
                required_key(k, keys[n]);
            else if (secret_types[i].json)
                check_json_key(k, keys[n], val_str(value));
        }
    }
    if (str_is(VAL_STR(obj, "type"), "kubernetes.io/service-account-token") &&
        VAL_STR(obj, "metadata", "annotations", "kubernetes.io/service-account.name").n == 0)
        check_required(k, "metadata.annotations[kubernetes.io/service-account.name]", "");
}

static void check_secret(struct check *k, const val *obj)
{
    if (check_data(k, obj, "data", true, NULL) > DATA_MAX)
        check_too_long(k, "data", DATA_MAX);
    check_type(k, obj);
}

static void secret_validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    struct check k;
    check_new(&k, c, obj, causes);
    check_secret(&k, obj);
    check_done(&k);
}

static int secret_prepare_update(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    (void)err;
    if (VAL_STR(obj, "type").n == 0)
        val_set_s(c->d, obj, "type", VAL_STR(old, "type"));
    return 0;
}

static void secret_validate_update(struct strategy_ctx *c, const val *obj, const val *old,
                                   val *causes)
{
    static const char *const members[] = {"data", NULL};
    struct check k;
    check_init(&k, c, causes);
    check_immutable(&k, "type", val_get(obj, "type"), val_get(old, "type"));
    check_frozen(&k, obj, old, members);
    check_secret(&k, obj);
    check_done(&k);
}

static const struct schema_column secret_columns[] = {
    COLUMN_NAME, COLUMN("Type"), COLUMN("Data"), COLUMN_AGE, COLUMN_END,
};

static void secret_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_s(d, cells, VAL_STR(obj, "type"));
    cell_int(d, cells, (int64_t)val_len(val_get(obj, "data")));
    cell_age(c, d, cells, obj);
}

static const char *const secret_fields[] = {"type", NULL};

const struct strategy secret_strategy = {
    .group = "",
    .resource = "secrets",
    .defaults = secret_defaults,
    .prepare_update = secret_prepare_update,
    .validate = secret_validate,
    .validate_update = secret_validate_update,
    .fields = secret_fields,
    .field = field_of,
    .columns = secret_columns,
    .row = secret_row,
    .unconditional_update = true,
};
