/* Defaults of pod specs: upstream's pkg/apis/core/v1/defaults.go. */
#include "api/kinds/kinds.h"

static void default_probe(struct doc *d, val *probe)
{
    if (!val_is_obj(probe))
        return;
    default_int(d, probe, "timeoutSeconds", 1);
    default_int(d, probe, "periodSeconds", 10);
    default_int(d, probe, "successThreshold", 1);
    default_int(d, probe, "failureThreshold", 3);
    for (size_t i = 0; i < 4; i++) { /* Go takes a zero for unset */
        static const char *const names[] = {"timeoutSeconds", "periodSeconds", "successThreshold",
                                            "failureThreshold"};
        static const int values[] = {1, 10, 1, 3};
        if (VAL_INT(probe, names[i]) == 0)
            val_set_int(d, probe, names[i], values[i]);
    }
}

static void default_handler(struct doc *d, val *handler)
{
    val *http = val_get(handler, "httpGet"), *grpc = val_get(handler, "grpc");
    if (val_is_obj(http)) {
        default_z(d, http, "path", "/");
        default_z(d, http, "scheme", "HTTP");
    }
    if (val_is_obj(grpc) && val_is_null(val_get(grpc, "service")))
        val_set_z(d, grpc, "service", "");
}

/* The tag of an image reference: "latest" when it has neither tag nor digest, empty when it has a
 * digest only (parsers.ParseImageName). */
static struct str image_tag(struct str image)
{
    ssize_t at = str_find_char(image, '@');
    struct str name = at >= 0 ? str_head(image, (size_t)at) : image;
    struct str last = name;
    for (ssize_t slash; (slash = str_find_char(last, '/')) >= 0;)
        last = str_from(last, (size_t)slash + 1);
    ssize_t colon = str_find_char(last, ':');
    if (colon >= 0)
        return str_from(last, (size_t)colon + 1);
    return at >= 0 ? (struct str){0} : STR("latest");
}

static void default_env(struct doc *d, val *env)
{
    VAL_FOR (env, e) {
        val *ref = VAL_PATH(e, "valueFrom", "fieldRef");
        if (val_is_obj(ref))
            default_z(d, ref, "apiVersion", "v1");
    }
}

static void default_container(struct doc *d, val *container, bool host_network)
{
    bool latest = str_is(image_tag(VAL_STR(container, "image")), "latest");
    default_z(d, container, "imagePullPolicy", latest ? "Always" : "IfNotPresent");
    default_z(d, container, "terminationMessagePath", "/dev/termination-log");
    default_z(d, container, "terminationMessagePolicy", "File");
    default_obj(d, container, "resources");
    VAL_FOR (val_get(container, "ports"), port) {
        default_z(d, port, "protocol", "TCP");
        if (host_network && VAL_INT(port, "hostPort") == 0)
            val_set_int(d, port, "hostPort", VAL_INT(port, "containerPort"));
    }
    default_env(d, val_get(container, "env"));
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        default_probe(d, val_get(container, probes[i]));
        default_handler(d, val_get(container, probes[i]));
    }
    default_handler(d, VAL_PATH(container, "lifecycle", "postStart"));
    default_handler(d, VAL_PATH(container, "lifecycle", "preStop"));
}

/* A Pod's containers ask for what they are limited to, unless they say otherwise. */
static void default_requests(struct doc *d, val *container)
{
    const val *limits = VAL_PATH(container, "resources", "limits");
    if (val_len(limits) == 0)
        return;
    val *requests = val_ensure_obj(d, val_get(container, "resources"), "requests");
    VAL_EACH (limits, name, quantity) {
        if (val_get_str(requests, val_str(name)) == NULL)
            val_set_str(d, requests, val_str(name), val_copy(d, quantity));
    }
}

static void default_downward(struct doc *d, val *items)
{
    VAL_FOR (items, item) {
        val *ref = val_get(item, "fieldRef");
        if (val_is_obj(ref))
            default_z(d, ref, "apiVersion", "v1");
    }
}

static void default_volume(struct doc *d, val *volume)
{
    static const char *const with_mode[] = {"secret", "configMap", "downwardAPI", "projected"};
    if (val_len(volume) <= 1 && (val_len(volume) == 0 || val_get(volume, "name"))) {
        val_set(d, volume, "emptyDir", val_new_obj(d));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(with_mode); i++) {
        val *source = val_get(volume, with_mode[i]);
        if (val_is_obj(source))
            default_int(d, source, "defaultMode", 0644);
    }
    val *path = val_get(volume, "hostPath");
    if (val_is_obj(path) && val_is_null(val_get(path, "type")))
        val_set_z(d, path, "type", "");
    default_downward(d, VAL_PATH(volume, "downwardAPI", "items"));
    VAL_FOR (VAL_PATH(volume, "projected", "sources"), source) {
        val *token = val_get(source, "serviceAccountToken");
        if (val_is_obj(token))
            default_int(d, token, "expirationSeconds", 3600);
        default_downward(d, VAL_PATH(source, "downwardAPI", "items"));
    }
}

void pod_spec_default(struct doc *d, val *spec, bool pod)
{
    if (!val_is_obj(spec))
        return;
    default_z(d, spec, "restartPolicy", "Always");
    default_int(d, spec, "terminationGracePeriodSeconds", 30);
    default_z(d, spec, "dnsPolicy", "ClusterFirst");
    default_obj(d, spec, "securityContext");
    default_z(d, spec, "schedulerName", "default-scheduler");
    if (pod)
        default_bool(d, spec, "enableServiceLinks", true);
    /* the deprecated alias */
    if (VAL_STR(spec, "serviceAccountName").n == 0 && VAL_STR(spec, "serviceAccount").n)
        val_set_s(d, spec, "serviceAccountName", VAL_STR(spec, "serviceAccount"));
    else if (VAL_STR(spec, "serviceAccountName").n)
        val_set_s(d, spec, "serviceAccount", VAL_STR(spec, "serviceAccountName"));

    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    bool host_network = VAL_BOOL(spec, "hostNetwork");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        VAL_FOR (val_get(spec, lists[i]), container) {
            if (!val_is_obj(container))
                continue;
            default_container(d, container, host_network);
            if (pod && i < 2)
                default_requests(d, container);
        }
    }
    VAL_FOR (val_get(spec, "volumes"), volume) {
        if (val_is_obj(volume))
            default_volume(d, volume);
    }
}
