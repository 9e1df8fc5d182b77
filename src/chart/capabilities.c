#include "chart/capabilities.h"

#include "template/func.h"

/* What client-go's scheme of Kubernetes 1.37 and apiextensions know, in its order. */
static const char *const known_versions[] = {
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
};

struct capabilities capabilities_default(struct arena *a, const struct chart_strs *api_versions)
{
    size_t known = ARRAY_LEN(known_versions), more = api_versions ? api_versions->n : 0;
    struct str *all = arena_alloc(a, (known + more) * sizeof(*all));
    for (size_t i = 0; i < known; i++)
        all[i] = str_of(known_versions[i]);
    for (size_t i = 0; i < more; i++)
        all[known + i] = api_versions->items[i];
    return (struct capabilities){STR("v1.37.0"), STR("1"), STR("37"), {all, known + more}};
}

/* k8s.io/apimachinery's ParseGeneric: two or more numbers, what follows them is dropped. */
int capabilities_set_version(struct chart_ctx *cx, struct capabilities *c, struct str text)
{
    struct str rest = str_trim(text);
    if (rest.n && rest.p[0] == 'v')
        rest = str_from(rest, 1);
    struct str numbers[3] = {{0}};
    size_t count = 0;
    struct buf all = {0};
    for (;;) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
            n++;
        if (n == 0)
            break;
        struct str number = str_head(rest, n);
        while (number.n > 1 && number.p[0] == '0')
            number = str_from(number, 1);
        if (number.n != n) {
            buf_done(&all);
            return chart_fail(
                cx,
                "invalid kube version '%.*s': illegal zero-prefixed version component "
                "\"%.*s\" in \"%.*s\"",
                STR_ARG(text), STR_ARG(str_head(rest, n)), STR_ARG(text));
        }
        if (count < 3)
            numbers[count] = arena_dup(cx->arena, number);
        count++;
        buf_printf(&all, "%s%.*s", all.n ? "." : "v", STR_ARG(number));
        rest = str_from(rest, n);
        if (rest.n < 2 || rest.p[0] != '.' || rest.p[1] < '0' || rest.p[1] > '9')
            break;
        rest = str_from(rest, 1);
    }
    if (count < 2) {
        buf_done(&all);
        return chart_fail(cx, "invalid kube version '%.*s': could not parse \"%.*s\" as version",
                          STR_ARG(text), STR_ARG(text));
    }
    if (count == 2)
        buf_puts(&all, ".0");
    c->version = arena_dup(cx->arena, buf_str(&all));
    c->major = numbers[0];
    c->minor = numbers[1];
    buf_done(&all);
    return 0;
}

/* --- as templates see it --- */
static struct str kube_text(struct arena *a, const struct value *v)
{
    (void)a;
    return v->fields ? value_text(v->fields[0]) : STR("");
}

static const struct gotype type_kube, type_versions;

static int kube_string(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)x, (void)n;
    *ret = value_str(kube_text(NULL, &args[0]));
    return 0;
}

static const struct func kube_methods[] = {
    {"String", kube_string, {&type_kube}, &type_string},
    {"GitVersion", kube_string, {&type_kube}, &type_string},
    {0},
};

static const struct gotype type_kube = {
    .kind = KIND_STRUCT,
    .name = "chartutil.KubeVersion",
    .defined = true,
    .fields =
        (const struct gofield[]){
            {"Version", &type_string}, {"Major", &type_string}, {"Minor", &type_string}, {0}},
    .methods = kube_methods,
    .string = kube_text,
};

static int versions_has(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)
{
    (void)x, (void)n;
    bool found = false;
    for (size_t i = 0; i < args[0].n && !found; i++)
        found = str_eq(value_text(args[0].items[i]), value_text(args[1]));
    *ret = value_bool(found);
    return 0;
}

static const struct func versions_methods[] = {
    {"Has", versions_has, {&type_versions, &type_string}, &type_bool},
    {0},
};

static const struct gotype type_versions = {
    .kind = KIND_SLICE,
    .name = "chartutil.VersionSet",
    .defined = true,
    .elem = &type_string,
    .methods = versions_methods,
};

static const struct gotype type_build = {
    .kind = KIND_STRUCT,
    .name = "version.BuildInfo",
    .defined = true,
    .fields = (const struct gofield[]){{"Version", &type_string, "version", true},
                                       {"GitCommit", &type_string, "git_commit", true},
                                       {"GitTreeState", &type_string, "git_tree_state", true},
                                       {"GoVersion", &type_string, "go_version", true},
                                       {0}},
};

static const struct gotype type_capabilities_struct = {
    .kind = KIND_STRUCT,
    .name = "chartutil.Capabilities",
    .defined = true,
    .fields = (const struct gofield[]){{"KubeVersion", &type_kube},
                                       {"APIVersions", &type_versions},
                                       {"HelmVersion", &type_build},
                                       {0}},
};

static const struct gotype type_capabilities = {
    .kind = KIND_PTR,
    .name = "*chartutil.Capabilities",
    .elem = &type_capabilities_struct,
};

struct value capabilities_value(struct arena *a, const struct capabilities *c)
{
    struct value kube = value_struct_new(a, &type_kube);
    value_set_field(kube, "Version", value_str(c->version));
    value_set_field(kube, "Major", value_str(c->major));
    value_set_field(kube, "Minor", value_str(c->minor));
    struct value versions = value_slice_new(a, &type_versions, c->api_versions.n);
    for (size_t i = 0; i < c->api_versions.n; i++)
        versions.items[i] = value_str(c->api_versions.items[i]);
    struct value build = value_struct_new(a, &type_build);
    value_set_field(build, "Version", value_z(HELM_VERSION));
    value_set_field(build, "GoVersion", value_z(HELM_GO_VERSION));
    struct value all = value_struct_new(a, &type_capabilities);
    value_set_field(all, "KubeVersion", kube);
    value_set_field(all, "APIVersions", versions);
    value_set_field(all, "HelmVersion", build);
    return all;
}
