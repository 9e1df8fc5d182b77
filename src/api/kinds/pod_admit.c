/* What kube-apiserver's default admission plugins do to a new pod: ServiceAccount, Priority,
 * DefaultTolerationSeconds. */
#include "api/kinds/pod_parts.h"

#define TOKEN_PATH "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOKEN_VOLUME "kube-api-access-"

/* Upstream's: an hour and a little, so that a client's own hour ends first. */
enum { TOKEN_SECONDS = 3607, TOLERATION_SECONDS = 300 };

static int refuse(const val *pod, struct err *err, const char *why)
{
    struct str name = VAL_STR(pod, "metadata", "name");
    if (name.n == 0)
        name = VAL_STR(pod, "metadata", "generateName");
    return err_set(err, 403, "Forbidden", "pods \"%.*s\" is forbidden: %s", STR_ARG(name), why);
}

/* --- ServiceAccount --- */
static val *token_volume(struct doc *d, struct str name)
{
    val *volume = val_new_obj(d), *sources = val_new_arr(d);
    val_set_s(d, volume, "name", name);
    val *projected = val_set(d, volume, "projected", val_new_obj(d));
    val_set(d, projected, "sources", sources);
    val_set_int(d, projected, "defaultMode", 0644);

    val *source = val_new_obj(d);
    val *token = val_set(d, source, "serviceAccountToken", val_new_obj(d));
    val_set_int(d, token, "expirationSeconds", TOKEN_SECONDS);
    val_set_z(d, token, "path", "token");
    val_push(sources, source);

    source = val_new_obj(d);
    val *map = val_set(d, source, "configMap", val_new_obj(d));
    val_set_z(d, map, "name", "kube-root-ca.crt");
    val *item = val_new_obj(d);
    val_set_z(d, item, "key", "ca.crt");
    val_set_z(d, item, "path", "ca.crt");
    val_push(val_ensure_arr(d, map, "items"), item);
    val_push(sources, source);

    source = val_new_obj(d);
    val *downward = val_set(d, source, "downwardAPI", val_new_obj(d));
    item = val_new_obj(d);
    val_set_z(d, item, "path", "namespace");
    val *ref = val_set(d, item, "fieldRef", val_new_obj(d));
    val_set_z(d, ref, "apiVersion", "v1");
    val_set_z(d, ref, "fieldPath", "metadata.namespace");
    val_push(val_ensure_arr(d, downward, "items"), item);
    val_push(sources, source);
    return volume;
}

static bool has_mount(const val *container)
{
    VAL_FOR (val_get(container, "volumeMounts"), mount) {
        if (str_is(VAL_STR(mount, "mountPath"), TOKEN_PATH))
            return true;
    }
    return false;
}

static struct str token_volume_name(struct strategy_ctx *c, const val *spec, bool *ret_found)
{
    VAL_FOR (val_get(spec, "volumes"), volume) {
        if (val_get(volume, "projected") &&
            str_starts(VAL_STR(volume, "name"), STR(TOKEN_VOLUME))) {
            *ret_found = true;
            return VAL_STR(volume, "name");
        }
    }
    char suffix[6];
    world_suffix(c->world, 5, suffix);
    *ret_found = false;
    return arena_printf(c->arena, TOKEN_VOLUME "%s", suffix);
}

static void mount_token(struct strategy_ctx *c, val *spec)
{
    static const char *const lists[] = {"initContainers", "containers"};
    bool found, used = false;
    struct str name = token_volume_name(c, spec, &found);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        VAL_FOR (val_get(spec, lists[i]), container) {
            if (!val_is_obj(container) || has_mount(container))
                continue;
            val *mount = val_new_obj(c->d);
            val_set_s(c->d, mount, "name", name);
            val_set_bool(c->d, mount, "readOnly", true);
            val_set_z(c->d, mount, "mountPath", TOKEN_PATH);
            val_push(val_ensure_arr(c->d, container, "volumeMounts"), mount);
            used = true;
        }
    }
    if (used && !found)
        val_push(val_ensure_arr(c->d, spec, "volumes"), token_volume(c->d, name));
}

static bool wants_token(const val *spec, const val *account)
{
    const val *own = val_get(spec, "automountServiceAccountToken");
    if (val_is_null(own))
        own = val_get(account, "automountServiceAccountToken");
    return val_is_null(own) || val_bool(own);
}

static int admit_account(struct strategy_ctx *c, val *pod, val *spec, struct err *err)
{
    default_z(c->d, spec, "serviceAccountName", "default");
    struct str name = VAL_STR(spec, "serviceAccountName");
    val_set_s(c->d, spec, "serviceAccount", name);
    const val *account = strategy_lookup(c, "", "serviceaccounts", c->ns, name);
    if (account == NULL) {
        struct str why = arena_printf(c->arena,
                                      "error looking up service account %.*s/%.*s: serviceaccount "
                                      "\"%.*s\" not found",
                                      STR_ARG(c->ns), STR_ARG(name), STR_ARG(name));
        return refuse(pod, err, why.p);
    }
    if (wants_token(spec, account))
        mount_token(c, spec);
    const val *secrets = val_get(account, "imagePullSecrets");
    if (val_len(val_get(spec, "imagePullSecrets")) == 0 && val_len(secrets) > 0)
        val_set(c->d, spec, "imagePullSecrets", val_copy(c->d, secrets));
    return 0;
}

/* --- Priority --- */
static int class_of(struct strategy_ctx *c, const val *pod, struct str name, int64_t *ret_value,
                    const char **ret_preemption, struct err *err)
{
    *ret_preemption = "PreemptLowerPriority";
    *ret_value = 0;
    if (name.n == 0)
        return 0;
    const val *class =
        strategy_lookup(c, "scheduling.k8s.io", "priorityclasses", (struct str){0}, name);
    if (class) {
        *ret_value = VAL_INT(class, "value");
        if (str_is(VAL_STR(class, "preemptionPolicy"), "Never"))
            *ret_preemption = "Never";
    } else if (str_is(name, "system-cluster-critical")) {
        *ret_value = 2000000000;
    } else if (str_is(name, "system-node-critical")) {
        *ret_value = 2000001000;
    } else {
        struct str why =
            arena_printf(c->arena, "no PriorityClass with name %.*s was found", STR_ARG(name));
        return refuse(pod, err, why.p);
    }
    return 0;
}

static int admit_priority(struct strategy_ctx *c, val *pod, val *spec, struct err *err)
{
    int64_t value;
    const char *preemption;
    if (class_of(c, pod, VAL_STR(spec, "priorityClassName"), &value, &preemption, err))
        return -1;
    const val *given = val_get(spec, "priority");
    if (!val_is_null(given) && val_int(given) != value) {
        struct str why = arena_printf(
            c->arena,
            "the integer value of priority (%lld) must not be provided in pod spec; priority "
            "admission controller computed %lld from the given PriorityClass name",
            (long long)val_int(given), (long long)value);
        return refuse(pod, err, why.p);
    }
    struct str policy = VAL_STR(spec, "preemptionPolicy");
    if (policy.n && !str_is(policy, preemption)) {
        struct str why = arena_printf(
            c->arena,
            "the string value of PreemptionPolicy (%.*s) must not be provided in pod spec; "
            "priority admission controller computed %s from the given PriorityClass name",
            STR_ARG(policy), preemption);
        return refuse(pod, err, why.p);
    }
    val_set_int(c->d, spec, "priority", value);
    val_set_z(c->d, spec, "preemptionPolicy", preemption);
    return 0;
}

/* --- DefaultTolerationSeconds --- */
static bool tolerates(const val *spec, const char *key)
{
    VAL_FOR (val_get(spec, "tolerations"), t) {
        struct str has = VAL_STR(t, "key"), effect = VAL_STR(t, "effect");
        if ((has.n == 0 || str_is(has, key)) && (effect.n == 0 || str_is(effect, "NoExecute")))
            return true;
    }
    return false;
}

static void admit_tolerations(struct strategy_ctx *c, val *spec)
{
    static const char *const keys[] = {"node.kubernetes.io/not-ready",
                                       "node.kubernetes.io/unreachable"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (tolerates(spec, keys[i]))
            continue;
        val *t = val_new_obj(c->d);
        val_set_z(c->d, t, "key", keys[i]);
        val_set_z(c->d, t, "operator", "Exists");
        val_set_z(c->d, t, "effect", "NoExecute");
        val_set_int(c->d, t, "tolerationSeconds", TOLERATION_SECONDS);
        val_push(val_ensure_arr(c->d, spec, "tolerations"), t);
    }
}

int pod_admit(struct strategy_ctx *c, val *pod, struct err *err)
{
    val *spec = val_ensure_obj(c->d, pod, "spec");
    /* A mirror pod stands for a static one and uses no API objects. */
    bool mirror = VAL_STR(pod, "metadata", "annotations", "kubernetes.io/config.mirror").n > 0;
    if (!mirror && admit_account(c, pod, spec, err))
        return -1;
    if (admit_priority(c, pod, spec, err))
        return -1;
    admit_tolerations(c, spec);
    return 0;
}
