/* Having the image of a container: the kubelet's image manager. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "client/client.h"
#include "node/base64.h"
#include "node/container.h"

enum { PULL_FIRST_MS = 10000, PULL_MAX_MS = 300000, NEVER_RETRY_MS = 10000, MAX_SECRETS = 16 };

static int64_t now_ms(void)
{
    return mono_ms(world_real());
}

/* Decoded base64 of a secret's value, parsed as JSON. */
static int decode_json(struct str text, struct doc *d, val **ret)
{
    struct buf raw = {0};
    int failed = base64_decode(text, &raw) || doc_parse_json(d, buf_str(&raw), ret, NULL);
    buf_done(&raw);
    return failed ? -1 : 0;
}

/* The first of the pod's imagePullSecrets that knows the registry. */
static void find_auth(struct container *c, struct arena *a, const struct image_ref *ref,
                      struct image_auth *ret)
{
    struct pod *p = c->pod;
    size_t n = 0;
    VAL_FOR (val_get(p->spec, "imagePullSecrets"), item) {
        struct doc d = {0};
        val *secret, *config;
        char *name = arena_z(a, VAL_STR(item, "name"));
        if (n++ == MAX_SECRETS)
            return;
        bool found = false;
        if (client_get(p->agent->client, &RES_SECRETS, p->ns, name, &d, &secret, NULL) == 0) {
            const val *data = val_get(secret, "data");
            struct str modern = VAL_STR(data, ".dockerconfigjson"),
                       old = VAL_STR(data, ".dockercfg");
            if (modern.n && decode_json(modern, &d, &config) == 0)
                found = image_auth_find(a, val_get(config, "auths"), ref, ret);
            else if (old.n && decode_json(old, &d, &config) == 0)
                found = image_auth_find(a, config, ref, ret);
        }
        doc_done(&d);
        if (found)
            return;
    }
}

static void pull_failed(struct container *c, const char *text, const struct err *err)
{
    struct pod *p = c->pod;
    pod_event(p, c, true, "Failed", "Failed to pull image \"%s\": %s", text, err->message);
    pod_event(p, c, true, "Failed", "Error: ErrImagePull");
    c->pull_backoff_ms = c->pull_backoff_ms ? 2 * c->pull_backoff_ms : PULL_FIRST_MS;
    if (c->pull_backoff_ms > PULL_MAX_MS)
        c->pull_backoff_ms = PULL_MAX_MS;
    c->pull_retry_ms = now_ms() + c->pull_backoff_ms;
    /* First the error is seen, then that there is a pause. */
    container_wait(c, "ErrImagePull", 1000, "%s", err->message);
}

static void back_off(struct container *c, const char *text)
{
    struct pod *p = c->pod;
    pod_event(p, c, false, "BackOff", "Back-off pulling image \"%s\"", text);
    if (strcmp(c->waiting, "ImagePullBackOff"))
        pod_event(p, c, true, "Failed", "Error: ImagePullBackOff");
    container_wait(c, "ImagePullBackOff", c->pull_retry_ms - now_ms(),
                   "Back-off pulling image \"%s\"", text);
}

static int pull(struct container *c, struct arena *a, const struct image_ref *ref, const char *text,
                struct image *ret)
{
    struct pod *p = c->pod;
    struct err err = {0};
    struct image_pull job = {.data_dir = p->agent->data_dir, .ref = ref, .cancel = &p->cancel};
    if (c->pull_retry_ms > now_ms()) {
        back_off(c, text);
        return -1;
    }
    find_auth(c, a, ref, &job.auth);
    pod_event(p, c, false, "Pulling", "Pulling image \"%s\"", text);
    int64_t begin = now_ms();
    if (image_pull(&job, &err) || image_open(p->agent->data_dir, ref, ret, &err)) {
        pull_failed(c, text, &err);
        return -1;
    }
    int64_t took = now_ms() - begin;
    pod_event(
        p, c, false, "Pulled",
        "Successfully pulled image \"%s\" in %lld.%03llds (%lld.%03llds including waiting). Image "
        "size: %lld bytes.",
        text, (long long)took / 1000, (long long)took % 1000, (long long)took / 1000,
        (long long)took % 1000, (long long)ret->size);
    c->pull_backoff_ms = 0;
    return 0;
}

int container_pull(struct container *c, struct image *ret)
{
    struct arena a = {0};
    struct image_ref ref;
    struct err err = {0};
    const val *spec = container_spec(c);
    struct str policy = VAL_STR(spec, "imagePullPolicy");
    char *text = arena_z(&a, VAL_STR(spec, "image"));
    int failed = -1;
    if (!policy.n)
        policy = str_of(image_default_policy(str_of(text)));
    if (image_ref_parse(&a, str_of(text), &ref, &err)) {
        pod_event(c->pod, c, true, "InspectFailed", "Failed to apply default image tag \"%s\": %s",
                  text, err.message);
        pod_event(c->pod, c, true, "Failed", "Error: InvalidImageName");
        container_wait(c, "InvalidImageName", NEVER_RETRY_MS,
                       "Failed to apply default image tag \"%s\": %s", text, err.message);
        goto out;
    }
    bool present =
        !str_is(policy, "Always") && image_open(c->pod->agent->data_dir, &ref, ret, &err) == 0;
    if (present) {
        pod_event(c->pod, c, false, "Pulled", "Container image \"%s\" already present on machine",
                  text);
        failed = 0;
    } else if (str_is(policy, "Never")) {
        pod_event(c->pod, c, true, "ErrImageNeverPull",
                  "Container image \"%s\" is not present with pull policy of Never", text);
        pod_event(c->pod, c, true, "Failed", "Error: ErrImageNeverPull");
        container_wait(c, "ErrImageNeverPull", NEVER_RETRY_MS,
                       "Container image \"%s\" is not present with pull policy of Never", text);
    } else {
        failed = pull(c, &a, &ref, text, ret);
    }
out:
    arena_done(&a);
    return failed;
}
