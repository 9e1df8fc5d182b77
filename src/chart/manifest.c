/* manifest.c: documents of the output: splitting, heads, hooks, order. */
#include <stdlib.h>

#include "template/gofmt.h"
#include "chart/render.h"
#include "template/unicode.h"

/* --- splitting --- */
static bool is_blank(char c) /* \s of RE2 */
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* The separator is `\s*\n---\s*`; what it takes belongs to no document. */
bool manifest_next(struct str *rest, struct str *ret)
{
    if (rest->p == NULL)
        return false;
    struct str s = *rest;
    for (size_t i = 0; i + 3 < s.n; i++) {
        const char *newline = memchr(s.p + i, '\n', s.n - i);
        if (!newline)
            break;
        i = (size_t)(newline - s.p);
        if (!str_starts(str_from(s, i + 1), STR("---")))
            continue;
        size_t start = i, end = i + 4;
        while (start > 0 && is_blank(s.p[start - 1]))
            start--;
        while (end < s.n && is_blank(s.p[end]))
            end++;
        *ret = str_head(s, start);
        *rest = str_from(s, end);
        return true;
    }
    *ret = s;
    *rest = (struct str){0};
    return true;
}

/* The separator that may open a text. */
static struct str skip_opening(struct str s)
{
    if (!str_starts(s, STR("---")))
        return s;
    s = str_from(s, 3);
    while (s.n && is_blank(s.p[0]))
        s = str_from(s, 1);
    return s;
}

/* --- heads --- */
static int fail_type(struct chart_ctx *cx, const val *v, const char *field, const char *go_type)
{
    return chart_fail(
        cx,
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s into "
        "Go %s%s of type %s",
        val_type_name(v), field ? "struct field " : "value", field ? field : "", go_type);
}

/* Scalars become text where text is wanted. */
static int head_text(struct chart_ctx *cx, const val *v, const char *field, struct str *ret)
{
    if (val_is_null(v))
        return 0;
    if (val_is_obj(v) || val_is_arr(v))
        return fail_type(cx, v, field, "string");
    if (val_is_str(v)) {
        *ret = arena_dup(cx->arena, val_str(v));
        return 0;
    }
    struct buf b = {0};
    if (val_is_int(v) || val_is_bool(v))
        val_write_json(v, &b);
    else
        gofmt_float(&b, val_real(v), 'g', -1, 32);
    *ret = arena_dup(cx->arena, buf_str(&b));
    buf_done(&b);
    return 0;
}

static int head_annotations(struct chart_ctx *cx, const val *v, struct manifest *m)
{
    if (val_is_null(v))
        return 0;
    if (!val_is_obj(v))
        return fail_type(cx, v, ".metadata.annotations", "map[string]string");
    m->annotations = vmap_new(cx->arena, val_len(v));
    VAL_EACH (v, key, member) {
        struct str text = {0};
        if (head_text(cx, member, ".metadata.annotations", &text) != 0)
            return -1;
        vmap_set(m->annotations, arena_dup(cx->arena, val_str(key)), value_str(text));
    }
    return 0;
}

static int head_metadata(struct chart_ctx *cx, const val *v, struct manifest *m)
{
    if (val_is_null(v))
        return 0;
    if (!val_is_obj(v))
        return fail_type(
            cx, v, "SimpleHead.metadata",
            "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string "
            "\"json:\\\"annotations\\\"\" }");
    VAL_EACH (v, key, member) {
        int status = 0;
        if (str_eq_nocase(val_str(key), STR("name")))
            status = head_text(cx, member, ".metadata.name", &m->name);
        else if (str_eq_nocase(val_str(key), STR("annotations")))
            status = head_annotations(cx, member, m);
        if (status != 0)
            return -1;
    }
    return 0;
}

static int head_fields(struct chart_ctx *cx, const val *root, struct manifest *m)
{
    if (val_is_null(root))
        return 0;
    if (!val_is_obj(root))
        return chart_fail(cx,
                          "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s "
                          "into Go value of type releaseutil.SimpleHead",
                          val_type_name(root));
    VAL_EACH (root, key, member) {
        struct str name = val_str(key);
        int status = 0;
        if (str_eq_nocase(name, STR("kind")))
            status = head_text(cx, member, "SimpleHead.kind", &m->kind);
        else if (str_eq_nocase(name, STR("apiVersion")))
            status = head_text(cx, member, "SimpleHead.apiVersion", &m->api_version);
        else if (str_eq_nocase(name, STR("metadata")))
            status = head_metadata(cx, member, m);
        if (status != 0)
            return -1;
    }
    return 0;
}

static int read_head(struct chart_ctx *cx, struct manifest *m)
{
    struct doc d;
    struct err err;
    val *root;
    doc_init(&d);
    int status = doc_parse_yaml(&d, m->content, &root, &err) == 0
                     ? head_fields(cx, root, m)
                     : chart_fail(cx, "%s", err.message);
    doc_done(&d);
    return status == 0 ? 0 : chart_wrap(cx, "YAML parse error on %.*s", STR_ARG(m->path));
}

/* --- hooks --- */
static const struct {
    const char *name;
    enum hook_event event;
} events[] = {
    {"pre-install", HOOK_PRE_INSTALL},
    {"post-install", HOOK_POST_INSTALL},
    {"pre-delete", HOOK_PRE_DELETE},
    {"post-delete", HOOK_POST_DELETE},
    {"pre-upgrade", HOOK_PRE_UPGRADE},
    {"post-upgrade", HOOK_POST_UPGRADE},
    {"pre-rollback", HOOK_PRE_ROLLBACK},
    {"post-rollback", HOOK_POST_ROLLBACK},
    {"test", HOOK_TEST},
    {"test-success", HOOK_TEST},
};

/* False for a list that names an event which does not exist. */
static bool read_events(struct str list, uint32_t *ret)
{
    struct str one;
    bool more = true;
    while (more) {
        more = str_cut(list, ',', &one, &list);
        one = rune_trim_space(one);
        size_t i = 0;
        while (i < ARRAY_LEN(events) && !str_eq_nocase(one, str_of(events[i].name)))
            i++;
        if (i == ARRAY_LEN(events))
            return false;
        *ret |= 1u << events[i].event;
    }
    return true;
}

static void add_manifest(struct arena *a, struct manifests *list, const struct manifest *m)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 32;
        struct manifest *grown = arena_alloc(a, cap * sizeof(*grown));
        if (list->n)
            memcpy(grown, list->items, list->n * sizeof(*grown));
        list->items = grown;
        list->cap = cap;
    }
    list->items[list->n] = *m;
    list->items[list->n].order = (int)list->n;
    list->n++;
}

static struct str annotation(const struct manifest *m, const char *name)
{
    struct value *v = vmap_get(m->annotations, str_of(name));
    return v ? value_text(*v) : (struct str){0};
}

static void sort_one(struct chart_ctx *cx, struct manifest *m, struct manifests *hooks,
                     struct manifests *generic)
{
    if (!vmap_get(m->annotations, STR("helm.sh/hook"))) {
        add_manifest(cx->arena, generic, m);
        return;
    }
    struct str list = annotation(m, "helm.sh/hook");
    int64_t weight;
    if (!read_events(list, &m->events)) {
        chart_warn(cx, "info: skipping unknown hook: \"%.*s\"", STR_ARG(list));
        return;
    }
    if (str_to_i64(annotation(m, "helm.sh/hook-weight"), &weight))
        m->weight = (int)weight;
    add_manifest(cx->arena, hooks, m);
}

/* --- order --- */
static const char *const install_order[] = {
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
};

int manifest_install_rank(struct str kind)
{
    for (size_t i = 0; i < ARRAY_LEN(install_order); i++)
        if (str_is(kind, install_order[i]))
            return (int)i;
    return ARRAY_LEN(install_order);
}

static int by_kind(const void *x, const void *y)
{
    const struct manifest *a = x, *b = y;
    int rank_a = manifest_install_rank(a->kind), rank_b = manifest_install_rank(b->kind);
    if (rank_a != rank_b)
        return rank_a - rank_b;
    int names = rank_a == ARRAY_LEN(install_order) ? str_cmp(a->kind, b->kind) : 0;
    return names ? names : a->order - b->order;
}

static int by_path(const void *x, const void *y)
{
    const struct rendered *const *a = x, *const *b = y;
    return str_cmp((*a)->name, (*b)->name);
}

static int split_one(struct chart_ctx *cx, const struct rendered *r, struct manifests *hooks,
                     struct manifests *generic)
{
    struct str rest = skip_opening(rune_trim_space(r->text)), document;
    while (manifest_next(&rest, &document)) {
        if (document.n == 0)
            continue;
        struct manifest m = {.path = r->name, .content = rune_trim_space(document)};
        if (read_head(cx, &m) != 0)
            return -1;
        sort_one(cx, &m, hooks, generic);
    }
    return 0;
}

int manifests_sort(struct chart_ctx *cx, const struct rendered_list *rendered,
                   struct manifests *ret_hooks, struct manifests *ret_manifests)
{
    const struct rendered **sorted = arena_alloc(cx->arena, (rendered->n + 1) * sizeof(*sorted));
    for (size_t i = 0; i < rendered->n; i++)
        sorted[i] = &rendered->items[i];
    qsort(sorted, rendered->n, sizeof(*sorted), by_path);
    *ret_hooks = *ret_manifests = (struct manifests){0};
    for (size_t i = 0; i < rendered->n; i++)
        if (rune_trim_space(sorted[i]->text).n &&
            split_one(cx, sorted[i], ret_hooks, ret_manifests) != 0)
            return -1;
    if (ret_hooks->n)
        qsort(ret_hooks->items, ret_hooks->n, sizeof(*ret_hooks->items), by_kind);
    if (ret_manifests->n)
        qsort(ret_manifests->items, ret_manifests->n, sizeof(*ret_manifests->items), by_kind);
    return 0;
}
