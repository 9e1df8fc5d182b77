/* The environment of a container: image, services, envFrom, env. */
#include <stdio.h>

#include "base/file.h"
#include "node/base64.h"
#include "node/container.h"
#include "node/downward.h"

enum { MAX_OBJECTS = 64 };

/* ConfigMaps and Secrets that one environment needs, each asked for once. */
struct sources {
    struct container *c;
    struct doc doc;
    struct {
        struct str name;
        bool secret;
        const val *object; /* NULL: not there */
    } known[MAX_OBJECTS];
    size_t count;
};

static int find_object(struct sources *s, struct str name, bool secret, bool optional,
                       const val **ret, struct err *err)
{
    struct pod *p = s->c->pod;
    char z[300];
    val *object = NULL;
    struct err got = {0};
    for (size_t i = 0; i < s->count; i++)
        if (str_eq(s->known[i].name, name) && s->known[i].secret == secret && s->known[i].object) {
            *ret = s->known[i].object;
            return 0;
        }
    snprintf(z, sizeof(z), "%.*s", STR_ARG(name));
    int failed = client_get(p->agent->client, secret ? &RES_SECRETS : &RES_CONFIGMAPS, p->ns, z,
                            &s->doc, &object, &got);
    *ret = failed ? NULL : object;
    if (failed && !(optional && got.code == 404)) {
        *err = got;
        return -1;
    }
    if (!failed && s->count < MAX_OBJECTS) {
        s->known[s->count].name = name;
        s->known[s->count].secret = secret;
        s->known[s->count++].object = object;
    }
    return 0;
}

static int decode_value(const val *value, bool base64, struct buf *b, struct err *err)
{
    if (!base64)
        buf_put(b, val_str(value));
    else if (base64_decode(val_str(value), b))
        return err_bad(err, "illegal base64 data");
    return 0;
}

static int add_from(struct sources *s, const val *from, struct env *env, struct err *err)
{
    const val *map = val_get(from, "configMapRef"), *secret = val_get(from, "secretRef");
    const val *ref = map ? map : secret, *object;
    struct str prefix = VAL_STR(from, "prefix");
    if (!ref)
        return 0;
    if (find_object(s, VAL_STR(ref, "name"), !map, VAL_BOOL(ref, "optional"), &object, err))
        return -1;
    VAL_EACH (val_get(object, "data"), key, value) {
        struct buf name = {0}, text = {0};
        buf_put(&name, prefix);
        buf_put(&name, val_str(key));
        int failed = decode_value(value, !map, &text, err);
        if (!failed && env_name_ok(buf_str(&name)))
            env_set(env, buf_str(&name), buf_str(&text));
        buf_done(&name);
        buf_done(&text);
        if (failed)
            return -1;
    }
    return 0;
}

/* 1: an optional key that is not there; the variable stays unset. */
static int key_value(struct sources *s, const val *ref, bool secret, struct buf *b, struct err *err)
{
    const val *object;
    struct pod *p = s->c->pod;
    bool optional = VAL_BOOL(ref, "optional");
    struct str name = VAL_STR(ref, "name"), key = VAL_STR(ref, "key");
    if (find_object(s, name, secret, optional, &object, err))
        return -1;
    const val *value = val_get_str(val_get(object, "data"), key);
    if (!value && optional)
        return 1;
    if (!value)
        return err_internal(err,
                            secret ? "couldn't find key %.*s in Secret %s/%.*s"
                                   : "couldn't find key %.*s in ConfigMap %s/%.*s",
                            STR_ARG(key), p->ns, STR_ARG(name));
    return decode_value(value, secret, b, err);
}

static int value_from(struct sources *s, const val *from, struct buf *b, struct err *err)
{
    struct downward down;
    const val *field = val_get(from, "fieldRef"), *resource = val_get(from, "resourceFieldRef"),
              *map = val_get(from, "configMapKeyRef"), *secret = val_get(from, "secretKeyRef");
    pod_downward(s->c->pod, &down);
    if (field)
        return downward_field(&down, VAL_STR(field, "fieldPath"), b, err);
    if (resource)
        return downward_resource(&down, container_spec(s->c), resource, b, err);
    return key_value(s, map ? map : secret, !map, b, err);
}

static int add_own(struct sources *s, const val *item, struct env *env, struct err *err)
{
    struct buf b = {0};
    int got = 0;
    if (val_get(item, "valueFrom"))
        got = value_from(s, val_get(item, "valueFrom"), &b, err);
    else
        env_expand(env, VAL_STR(item, "value"), &b);
    if (got == 0)
        env_set(env, VAL_STR(item, "name"), buf_str(&b));
    buf_done(&b);
    return got < 0 ? -1 : 0;
}

struct services {
    struct env *env;
    bool all; /* enableServiceLinks; otherwise only the API server's */
};

static void add_service(void *arg, const val *service)
{
    struct services *s = arg;
    bool master = str_is(VAL_STR(service, "metadata", "name"), "kubernetes") &&
                  str_is(VAL_STR(service, "metadata", "namespace"), "default");
    if (s->all || master)
        env_add_service(s->env, service);
}

/* Of the image's variables those count that the pod does not set; services come before the pod's
 * own. */
int container_env(struct container *c, const val *image_config, struct env *env, struct err *err)
{
    const val *spec = container_spec(c), *links = val_get(c->pod->spec, "enableServiceLinks");
    struct sources s = {.c = c};
    struct services services = {env, !links || val_bool(links)};
    int failed = 0;
    VAL_FOR (val_get(image_config, "Env"), item) {
        struct str name, value;
        if (str_cut(val_str(item), '=', &name, &value))
            env_set(env, name, value);
    }
    if (!env_get(env, STR("PATH")))
        env_set(env, STR("PATH"),
                STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    CLEANUP(mem_freep) char *path = pod_path(c->pod, "hostname");
    struct buf text = {0};
    if (file_read(path, 256, &text, NULL) == 0)
        env_set(env, STR("HOSTNAME"), str_trim(buf_str(&text)));
    buf_done(&text);
    podnet_services(c->pod->agent->net, c->pod->ns, add_service, &services);
    VAL_FOR (val_get(spec, "envFrom"), from)
        failed = failed || add_from(&s, from, env, err);
    VAL_FOR (val_get(spec, "env"), item)
        failed = failed || add_own(&s, item, env, err);
    doc_done(&s.doc);
    return failed ? -1 : 0;
}
