/* Where the files of a volume come from. */
#include <string.h>

#include "base/clock.h"
#include "doc/time.h"
#include "node/base64.h"
#include "node/downward.h"
#include "node/volume_files.h"

enum { DEFAULT_MODE = 0644, TOKEN_SECONDS = 3600, MAX_TOKEN_LIFE_MS = 24 * 3600 * 1000 };

static mode_t mode_of(const val *item, const val *volume)
{
    const val *mode = val_get(item, "mode");
    if (!mode)
        mode = val_get(volume, "defaultMode");
    return mode ? (mode_t)val_int(mode) : DEFAULT_MODE;
}

static int add_value(struct payload *ret, struct str path, const val *value, bool base64,
                     mode_t mode, struct err *err)
{
    struct buf data = {0};
    if (!base64)
        buf_put(&data, val_str(value));
    else if (base64_decode(val_str(value), &data)) {
        buf_done(&data);
        return err_bad(err, "illegal base64 data");
    }
    int failed = payload_add(ret, path, &data, mode, err);
    buf_done(&data);
    return failed;
}

/* Keys of a ConfigMap or Secret: all, or those that items name. maps: data and binaryData. */
static int add_keys(struct payload *ret, const val *source, const val *volume, const char *what,
                    const val *const maps[2], const bool base64[2], struct err *err)
{
    const val *items = val_get(source, "items");
    bool optional = VAL_BOOL(source, "optional");
    if (!val_len(items)) {
        for (int m = 0; m < 2; m++)
            VAL_EACH (maps[m], key, value)
                if (add_value(ret, val_str(key), value, base64[m], mode_of(NULL, volume), err))
                    return -1;
        return 0;
    }
    VAL_FOR (items, item) {
        struct str key = VAL_STR(item, "key");
        int m = val_get_str(maps[0], key) ? 0 : 1;
        const val *value = val_get_str(maps[m], key);
        if (!value && optional)
            continue;
        if (!value)
            return err_bad(err, "references non-existent %s key: %.*s", what, STR_ARG(key));
        if (add_value(ret, VAL_STR(item, "path"), value, base64[m], mode_of(item, volume), err))
            return -1;
    }
    return 0;
}

static int add_object(struct pod *p, const val *source, const val *volume, bool secret,
                      struct payload *ret, struct err *err)
{
    struct arena a = {0};
    struct doc d = {0};
    val *object;
    struct str given =
        VAL_STR(source, "name").n ? VAL_STR(source, "name") : VAL_STR(source, "secretName");
    char *name = arena_z(&a, given);
    struct err got = {0};
    int failed = client_get(p->agent->client, secret ? &RES_SECRETS : &RES_CONFIGMAPS, p->ns, name,
                            &d, &object, &got);
    if (failed && got.code == 404 && VAL_BOOL(source, "optional")) {
        failed = 0;
    } else if (failed) {
        *err = got;
    } else {
        const val *const maps[2] = {val_get(object, "data"),
                                    secret ? NULL : val_get(object, "binaryData")};
        failed = add_keys(ret, source, volume, secret ? "secret" : "config", maps,
                          (const bool[2]){secret, true}, err);
    }
    doc_done(&d);
    arena_done(&a);
    return failed;
}

static int add_downward(struct pod *p, const val *source, const val *volume, struct payload *ret,
                        struct err *err)
{
    struct downward down;
    pod_downward(p, &down);
    VAL_FOR (val_get(source, "items"), item) {
        struct buf data = {0};
        const val *resource = val_get(item, "resourceFieldRef");
        int failed =
            resource ? downward_resource(&down, NULL, resource, &data, err)
                     : downward_field(&down, VAL_STR(item, "fieldRef", "fieldPath"), &data, err);
        failed =
            failed || payload_add(ret, VAL_STR(item, "path"), &data, mode_of(item, volume), err);
        buf_done(&data);
        if (failed)
            return -1;
    }
    return 0;
}

/* --- service account tokens --- */

static val *token_request(struct pod *p, const val *source, struct doc *d)
{
    val *request = val_new_obj(d), *spec = val_ensure_obj(d, request, "spec");
    val_set_z(d, request, "apiVersion", "authentication.k8s.io/v1");
    val_set_z(d, request, "kind", "TokenRequest");
    val *audiences = val_set(d, spec, "audiences", val_new_arr(d));
    if (VAL_STR(source, "audience").n)
        val_push(audiences, val_new_str(d, VAL_STR(source, "audience")));
    const val *seconds = val_get(source, "expirationSeconds");
    val_set_int(d, spec, "expirationSeconds", seconds ? val_int(seconds) : TOKEN_SECONDS);
    val *bound = val_ensure_obj(d, spec, "boundObjectRef");
    val_set_z(d, bound, "kind", "Pod");
    val_set_z(d, bound, "apiVersion", "v1");
    val_set_z(d, bound, "name", p->name);
    val_set_z(d, bound, "uid", p->uid);
    return request;
}

static int new_token(struct pod *p, const val *source, struct pod_token *t, struct err *err)
{
    struct doc d = {0};
    struct arena a = {0};
    val *answer;
    struct str account = VAL_STR(p->spec, "serviceAccountName");
    int64_t now = wall_ns(world_real()), expires;
    int failed = client_post_sub(p->agent->client, &RES_SERVICEACCOUNTS, p->ns,
                                 account.n ? arena_z(&a, account) : "default", "token",
                                 token_request(p, source, &d), &d, &answer, err);
    if (!failed) {
        struct str token = VAL_STR(answer, "status", "token");
        if (time_parse(VAL_STR(answer, "status", "expirationTimestamp"), &expires, NULL))
            expires = now + TOKEN_SECONDS * (int64_t)1000000000;
        int64_t life = (expires - now) / 1000000 * 8 / 10;
        buf_clear(&t->token);
        buf_put(&t->token, token);
        t->renew_ms = mono_ms(world_real()) + (life < MAX_TOKEN_LIFE_MS ? life : MAX_TOKEN_LIFE_MS);
    }
    arena_done(&a);
    doc_done(&d);
    return failed;
}

/* A token is asked for again after four fifths of its life; an old one that could not be renewed
 * yet stays. */
static int add_token(struct pod *p, const val *volume, const val *source, struct payload *ret,
                     int64_t *ret_refresh_ms, struct err *err)
{
    struct buf key = {0}, data = {0};
    buf_printf(&key, "%.*s/%.*s", STR_ARG(VAL_STR(volume, "name")),
               STR_ARG(VAL_STR(source, "path")));
    struct pod_token *t = map_get(&p->tokens, buf_str(&key));
    if (!t) {
        t = NEW(struct pod_token);
        map_set(&p->tokens, buf_str(&key), t);
    }
    buf_done(&key);
    int64_t now = mono_ms(world_real());
    if (t->renew_ms <= now && new_token(p, source, t, err)) {
        if (!t->token.n)
            return -1;
        t->renew_ms = now + 60000;
    }
    if (t->renew_ms - now < *ret_refresh_ms)
        *ret_refresh_ms = t->renew_ms - now;
    buf_put(&data, buf_str(&t->token));
    int failed = payload_add(ret, VAL_STR(source, "path"), &data, DEFAULT_MODE, err);
    buf_done(&data);
    return failed;
}

static int add_projected(struct pod *p, const val *volume, struct payload *ret,
                         int64_t *ret_refresh_ms, struct err *err)
{
    const val *projected = val_get(volume, "projected");
    VAL_FOR (val_get(projected, "sources"), s) {
        const val *token = val_get(s, "serviceAccountToken"), *map = val_get(s, "configMap"),
                  *secret = val_get(s, "secret"), *down = val_get(s, "downwardAPI");
        int failed = token    ? add_token(p, volume, token, ret, ret_refresh_ms, err)
                     : map    ? add_object(p, map, projected, false, ret, err)
                     : secret ? add_object(p, secret, projected, true, ret, err)
                     : down   ? add_downward(p, down, projected, ret, err)
                              : err_bad(err, "a projected source of an unknown kind");
        if (failed)
            return -1;
    }
    return 0;
}

bool volume_is_files(const val *volume)
{
    return val_get(volume, "configMap") || val_get(volume, "secret") ||
           val_get(volume, "downwardAPI") || val_get(volume, "projected");
}

int volume_payload(struct pod *p, const val *volume, struct payload *ret, int64_t *ret_refresh_ms,
                   struct err *err)
{
    const val *map = val_get(volume, "configMap"), *secret = val_get(volume, "secret"),
              *down = val_get(volume, "downwardAPI");
    if (map)
        return add_object(p, map, map, false, ret, err);
    if (secret)
        return add_object(p, secret, secret, true, ret, err);
    if (down)
        return add_downward(p, down, down, ret, err);
    return add_projected(p, volume, ret, ret_refresh_ms, err);
}
