/* Kinds whose behaviour is the schema's: their tables, and what of them counts as status. Cells as
 * upstream's pkg/printers/internalversion prints them. */
#include "api/kinds/other.h"

/* The text at a dotted path. */
static void cell_at(struct doc *d, val *cells, const val *obj, const char *path,
                    const char *otherwise)
{
    cell_or(d, cells, field_of(obj, str_of(path)), otherwise);
}

static void cell_bool(struct doc *d, val *cells, bool b)
{
    val_push(cells, val_new_bool(d, b));
}

/* An IntOrString. */
static void cell_count(struct doc *d, val *cells, const val *v, const char *otherwise)
{
    if (val_is_int(v))
        cell_f(d, cells, "%lld", (long long)val_int(v));
    else
        cell_or(d, cells, val_str(v), otherwise);
}

/* --- policy, networking --- */
static const struct schema_column pdb_columns[] = {
    COLUMN_NAME,
    COLUMN("Min Available"),
    COLUMN("Max Unavailable"),
    COLUMN_INT("Allowed Disruptions"),
    COLUMN_AGE,
    COLUMN_END,
};

static void pdb_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_count(d, cells, VAL_PATH(obj, "spec", "minAvailable"), "N/A");
    cell_count(d, cells, VAL_PATH(obj, "spec", "maxUnavailable"), "N/A");
    cell_int(d, cells, VAL_INT(obj, "status", "disruptionsAllowed"));
    cell_age(c, d, cells, obj);
}

static const struct schema_column ingress_columns[] = {
    COLUMN_NAME,     COLUMN("Class"), COLUMN("Hosts"), COLUMN("Address"),
    COLUMN("Ports"), COLUMN_AGE,      COLUMN_END,
};

static void cell_hosts(struct doc *d, val *cells, const val *rules)
{
    enum { SHOWN = 3 };
    struct buf b = {0};
    size_t shown = 0, n = 0;
    bool more = false;
    VAL_FOR (rules, rule) {
        struct str host = VAL_STR(rule, "host");
        n++;
        more = more || shown == SHOWN;
        if (!more && host.n) {
            buf_printf(&b, "%s%.*s", shown ? "," : "", STR_ARG(host));
            shown++;
        }
    }
    if (more)
        buf_printf(&b, " + %zu more...", n - SHOWN);
    cell_or(d, cells, buf_str(&b), "*");
    buf_done(&b);
}

static void ingress_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    struct buf address = {0};
    cell_name(d, cells, obj);
    cell_at(d, cells, obj, "spec.ingressClassName", "<none>");
    cell_hosts(d, cells, VAL_PATH(obj, "spec", "rules"));
    VAL_FOR (VAL_PATH(obj, "status", "loadBalancer", "ingress"), ingress) {
        struct str ip = VAL_STR(ingress, "ip");
        struct str shown = ip.n ? ip : VAL_STR(ingress, "hostname");
        buf_printf(&address, "%s%.*s", address.n ? "," : "", STR_ARG(shown));
    }
    cell_s(d, cells, buf_str(&address));
    buf_done(&address);
    cell_z(d, cells, val_len(VAL_PATH(obj, "spec", "tls")) ? "80, 443" : "80");
    cell_age(c, d, cells, obj);
}

static const struct schema_column ingressclass_columns[] = {
    COLUMN_NAME, COLUMN("Controller"), COLUMN("Parameters"), COLUMN_AGE, COLUMN_END,
};

static void ingressclass_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *p = VAL_PATH(obj, "spec", "parameters");
    struct str group = VAL_STR(p, "apiGroup");
    cell_name(d, cells, obj);
    cell_at(d, cells, obj, "spec.controller", "");
    if (p)
        cell_f(d, cells, "%.*s%s%.*s/%.*s", STR_ARG(VAL_STR(p, "kind")), group.n ? "." : "",
               STR_ARG(group), STR_ARG(VAL_STR(p, "name")));
    else
        cell_z(d, cells, "<none>");
    cell_age(c, d, cells, obj);
}

static const struct schema_column networkpolicy_columns[] = {
    COLUMN_NAME,
    COLUMN("Pod-Selector"),
    COLUMN_AGE,
    COLUMN_END,
};

static void networkpolicy_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_selector(c, d, cells, VAL_PATH(obj, "spec", "podSelector"));
    cell_age(c, d, cells, obj);
}

static const struct schema_column servicecidr_columns[] = {
    COLUMN_NAME,
    COLUMN("CIDRs"),
    COLUMN_AGE,
    COLUMN_END,
};

static void servicecidr_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    struct buf b = {0};
    VAL_FOR (VAL_PATH(obj, "spec", "cidrs"), cidr) {
        buf_printf(&b, "%s%.*s", b.n ? "," : "", STR_ARG(val_str(cidr)));
    }
    cell_name(d, cells, obj);
    cell_s(d, cells, buf_str(&b));
    cell_age(c, d, cells, obj);
    buf_done(&b);
}

static const struct schema_column ipaddress_columns[] = {
    COLUMN_NAME,
    COLUMN("ParentRef"),
    COLUMN_AGE,
    COLUMN_END,
};

/* "services/default/kubernetes" */
static void ipaddress_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *parent = VAL_PATH(obj, "spec", "parentRef");
    struct str group = VAL_STR(parent, "group"), ns = VAL_STR(parent, "namespace");
    cell_name(d, cells, obj);
    if (parent)
        cell_f(d, cells, "%.*s%s%.*s%s%.*s/%.*s", STR_ARG(VAL_STR(parent, "resource")),
               group.n ? "." : "", STR_ARG(group), ns.n ? "/" : "", STR_ARG(ns),
               STR_ARG(VAL_STR(parent, "name")));
    else
        cell_z(d, cells, "<none>");
    cell_age(c, d, cells, obj);
}

/* --- storage --- */
/* helper.GetAccessModesAsString */
static void cell_modes(struct doc *d, val *cells, const val *modes)
{
    static const struct {
        const char *mode, *text;
    } known[] = {{"ReadWriteOnce", "RWO"},
                 {"ReadOnlyMany", "ROX"},
                 {"ReadWriteMany", "RWX"},
                 {"ReadWriteOncePod", "RWOP"}};
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (val_str_list_has(modes, str_of(known[i].mode)))
            buf_printf(&b, "%s%s", b.n ? "," : "", known[i].text);
    cell_s(d, cells, buf_str(&b));
    buf_done(&b);
}

/* Nothing is bound before somebody says so. */
static int pv_prepare_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    char now[TIME_TEXT];
    (void)err;
    val *status = val_set(c->d, obj, "status", val_new_obj(c->d));
    time_write(wall_ns(c->world), now);
    val_set_z(c->d, status, "phase", "Pending");
    val_set_z(c->d, status, "lastPhaseTransitionTime", now);
    return 0;
}

static int pvc_prepare_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    (void)err;
    val_set_z(c->d, val_set(c->d, obj, "status", val_new_obj(c->d)), "phase", "Pending");
    return 0;
}

static void cell_phase(struct doc *d, val *cells, const val *obj)
{
    bool going = !val_is_null(VAL_PATH(obj, "metadata", "deletionTimestamp"));
    cell_s(d, cells, going ? STR("Terminating") : VAL_STR(obj, "status", "phase"));
}

static const struct schema_column pv_columns[] = {
    COLUMN_NAME,
    COLUMN("Capacity"),
    COLUMN("Access Modes"),
    COLUMN("Reclaim Policy"),
    COLUMN("Status"),
    COLUMN("Claim"),
    COLUMN("StorageClass"),
    COLUMN("VolumeAttributesClass"),
    COLUMN("Reason"),
    COLUMN_AGE,
    COLUMN_WIDE("VolumeMode"),
    COLUMN_END,
};

static void pv_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *claim = VAL_PATH(obj, "spec", "claimRef");
    cell_name(d, cells, obj);
    cell_at(d, cells, obj, "spec.capacity.storage", "0");
    cell_modes(d, cells, VAL_PATH(obj, "spec", "accessModes"));
    cell_at(d, cells, obj, "spec.persistentVolumeReclaimPolicy", "");
    cell_phase(d, cells, obj);
    if (claim)
        cell_f(d, cells, "%.*s/%.*s", STR_ARG(VAL_STR(claim, "namespace")),
               STR_ARG(VAL_STR(claim, "name")));
    else
        cell_z(d, cells, "");
    cell_at(d, cells, obj, "spec.storageClassName", "");
    cell_at(d, cells, obj, "spec.volumeAttributesClassName", "<unset>");
    cell_at(d, cells, obj, "status.reason", "");
    cell_age(c, d, cells, obj);
    cell_at(d, cells, obj, "spec.volumeMode", "<unset>");
}

static const struct schema_column pvc_columns[] = {
    COLUMN_NAME,
    COLUMN("Status"),
    COLUMN("Volume"),
    COLUMN("Capacity"),
    COLUMN("Access Modes"),
    COLUMN("StorageClass"),
    COLUMN("VolumeAttributesClass"),
    COLUMN_AGE,
    COLUMN_WIDE("VolumeMode"),
    COLUMN_END,
};

static void pvc_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    bool bound = VAL_STR(obj, "spec", "volumeName").n > 0;
    cell_name(d, cells, obj);
    cell_phase(d, cells, obj);
    cell_at(d, cells, obj, "spec.volumeName", "");
    if (bound)
        cell_at(d, cells, obj, "status.capacity.storage", "0");
    else
        cell_z(d, cells, "");
    cell_modes(d, cells, bound ? VAL_PATH(obj, "status", "accessModes") : NULL);
    cell_at(d, cells, obj, "spec.storageClassName", "");
    cell_at(d, cells, obj, "spec.volumeAttributesClassName", "<unset>");
    cell_age(c, d, cells, obj);
    cell_at(d, cells, obj, "spec.volumeMode", "<unset>");
}

static const struct schema_column storageclass_columns[] = {
    COLUMN_NAME,
    COLUMN("Provisioner"),
    COLUMN("ReclaimPolicy"),
    COLUMN("VolumeBindingMode"),
    COLUMN("AllowVolumeExpansion"),
    COLUMN_AGE,
    COLUMN_END,
};

static void storageclass_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    bool chosen = str_is(
        VAL_STR(obj, "metadata", "annotations", "storageclass.kubernetes.io/is-default-class"),
        "true");
    cell_f(d, cells, "%.*s%s", STR_ARG(VAL_STR(obj, "metadata", "name")),
           chosen ? " (default)" : "");
    cell_at(d, cells, obj, "provisioner", "");
    cell_at(d, cells, obj, "reclaimPolicy", "Delete");
    cell_at(d, cells, obj, "volumeBindingMode", "Immediate");
    cell_bool(d, cells, VAL_BOOL(obj, "allowVolumeExpansion"));
    cell_age(c, d, cells, obj);
}

/* --- certificates, scheduling, node, quota --- */
static const struct schema_column csr_columns[] = {
    COLUMN_NAME,
    COLUMN_AGE,
    COLUMN("SignerName"),
    COLUMN("Requestor"),
    COLUMN("RequestedDuration"),
    COLUMN("Condition"),
    COLUMN_END,
};

static void csr_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const val *conditions = VAL_PATH(obj, "status", "conditions");
    const val *seconds = VAL_PATH(obj, "spec", "expirationSeconds");
    const char *state = kind_condition_find(conditions, "Denied")     ? "Denied"
                        : kind_condition_find(conditions, "Approved") ? "Approved"
                                                                      : "Pending";
    struct buf duration = {0};
    if (!val_is_null(seconds))
        duration_write_human(val_int(seconds) * 1000000000, &duration);
    cell_name(d, cells, obj);
    cell_age(c, d, cells, obj);
    cell_at(d, cells, obj, "spec.signerName", "<none>");
    cell_at(d, cells, obj, "spec.username", "");
    cell_or(d, cells, buf_str(&duration), "<none>");
    cell_f(d, cells, "%s%s%s", state, kind_condition_find(conditions, "Failed") ? ",Failed" : "",
           VAL_STR(obj, "status", "certificate").n ? ",Issued" : "");
    buf_done(&duration);
}

static const struct schema_column priorityclass_columns[] = {
    COLUMN_NAME, COLUMN_INT("Value"),        {"Global-Default", "boolean", "", "", 0},
    COLUMN_AGE,  COLUMN("PreemptionPolicy"), COLUMN_END,
};

static void priorityclass_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_int(d, cells, VAL_INT(obj, "value"));
    cell_bool(d, cells, VAL_BOOL(obj, "globalDefault"));
    cell_age(c, d, cells, obj);
    cell_at(d, cells, obj, "preemptionPolicy", "");
}

static const struct schema_column runtimeclass_columns[] = {
    COLUMN_NAME,
    COLUMN("Handler"),
    COLUMN_AGE,
    COLUMN_END,
};

static void runtimeclass_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_at(d, cells, obj, "handler", "");
    cell_age(c, d, cells, obj);
}

static const struct schema_column webhook_columns[] = {
    COLUMN_NAME,
    COLUMN_INT("Webhooks"),
    COLUMN_AGE,
    COLUMN_END,
};

static void webhook_row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    cell_name(d, cells, obj);
    cell_int(d, cells, (int64_t)val_len(val_get(obj, "webhooks")));
    cell_age(c, d, cells, obj);
}

static const char *const csr_fields[] = {"spec.signerName", NULL};

/* GROUP, RESOURCE, then the hooks and flags that differ from the default's. */
#define KIND(g, r, ...)                                                                            \
    {                                                                                              \
        .group = (g), .resource = (r), .validate = kind_validate_name, __VA_ARGS__                 \
    }
#define TABLE(name) .columns = name##_columns, .row = name##_row

const struct strategy other_strategies[] = {
    KIND("apps", "statefulsets", TABLE(statefulset), .defaults = template_spec_defaults,
         .spec_generation = true, .has_status = true, .unconditional_update = true),
    KIND("apps", "daemonsets", TABLE(daemonset), .defaults = template_spec_defaults,
         .spec_generation = true, .has_status = true, .unconditional_update = true),
    KIND("", "replicationcontrollers", TABLE(replicationcontroller),
         .defaults = replicationcontroller_defaults, .spec_generation = true, .has_status = true,
         .unconditional_update = true),
    KIND("", "podtemplates", TABLE(podtemplate), .spec_generation = true,
         .unconditional_update = true, .return_deleted = true),
    KIND("batch", "jobs", TABLE(job), .defaults = job_defaults, .spec_generation = true,
         .has_status = true, .unconditional_update = true),
    KIND("batch", "cronjobs", TABLE(cronjob), .defaults = cronjob_defaults,
         .name_form = NAME_SUBDOMAIN, .spec_generation = true, .has_status = true,
         .unconditional_update = true),
    KIND("autoscaling", "horizontalpodautoscalers", TABLE(autoscaler), .has_status = true,
         .unconditional_update = true),
    KIND("policy", "poddisruptionbudgets", TABLE(pdb), .spec_generation = true, .has_status = true),
    KIND("networking.k8s.io", "ingresses", TABLE(ingress), .spec_generation = true,
         .has_status = true, .unconditional_update = true),
    KIND("networking.k8s.io", "ingressclasses", TABLE(ingressclass), .spec_generation = true,
         .unconditional_update = true),
    KIND("networking.k8s.io", "networkpolicies", TABLE(networkpolicy), .spec_generation = true,
         .unconditional_update = true),
    KIND("networking.k8s.io", "servicecidrs", TABLE(servicecidr), .has_status = true,
         .status_alone = true, .spec_generation = true, .unconditional_update = true),
    KIND("networking.k8s.io", "ipaddresses", TABLE(ipaddress), .unconditional_update = true),
    KIND("", "persistentvolumes", TABLE(pv), .prepare_create = pv_prepare_create,
         .has_status = true, .unconditional_update = true, .return_deleted = true),
    KIND("", "persistentvolumeclaims", TABLE(pvc), .prepare_create = pvc_prepare_create,
         .has_status = true, .unconditional_update = true, .return_deleted = true),
    KIND("storage.k8s.io", "storageclasses", TABLE(storageclass), .unconditional_update = true,
         .return_deleted = true),
    KIND("storage.k8s.io", "volumeattachments", .has_status = true, .status_alone = true,
         .return_deleted = true),
    KIND("certificates.k8s.io", "certificatesigningrequests", TABLE(csr), .has_status = true,
         .unconditional_update = true, .fields = csr_fields, .field = field_of,
         .change_sub = csr_change_sub, .prepare_status = csr_prepare_status),
    KIND("scheduling.k8s.io", "priorityclasses", TABLE(priorityclass), .spec_generation = true,
         .unconditional_update = true),
    KIND("node.k8s.io", "runtimeclasses", TABLE(runtimeclass), .create_on_update = true),
    KIND("admissionregistration.k8s.io", "validatingwebhookconfigurations", TABLE(webhook),
         .spec_generation = true),
    KIND("admissionregistration.k8s.io", "mutatingwebhookconfigurations", TABLE(webhook),
         .spec_generation = true),
    KIND("admissionregistration.k8s.io", "validatingadmissionpolicies", .has_status = true,
         .status_alone = true, .spec_generation = true),
    KIND("admissionregistration.k8s.io", "validatingadmissionpolicybindings",
         .spec_generation = true),
    KIND("apiregistration.k8s.io", "apiservices", .has_status = true, .status_alone = true,
         .unconditional_update = true),
    KIND("flowcontrol.apiserver.k8s.io", "flowschemas", .spec_generation = true, .has_status = true,
         .status_alone = true, .unconditional_update = true),
    KIND("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", .spec_generation = true,
         .has_status = true, .status_alone = true, .unconditional_update = true),
    {NULL},
};
