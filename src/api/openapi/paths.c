/* The operations of a kind, as kube-apiserver's installer names them. */
#include "api/openapi/internal.h"

#include <ctype.h>
#include <stdio.h>

static const char *const patch_types[] = {
    "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json", "application/apply-patch+yaml"};
static const char *const answer_types[] = {"application/json", "application/yaml",
                                           "application/vnd.kubernetes.protobuf"};

enum param_set {
    PARAMS_NONE = 0,
    PARAMS_LIST = 1,   /* selectors and paging */
    PARAMS_WRITE = 2,  /* dryRun, fieldManager, fieldValidation */
    PARAMS_APPLY = 4,  /* force */
    PARAMS_DELETE = 8, /* what DeleteOptions has */
    PARAMS_WATCH = 16,
};

bool openapi_is_stream(const struct schema_subresource *sub)
{
    return str_ends(str_of(sub->kind), STR("Options"));
}

/* A verb of discovery as an HTTP method on the collection or on one object. */
static const struct operation {
    const char *verb;
    const char *method;
    const char *action; /* x-kubernetes-action */
    const char *prefix; /* of the operationId */
    bool collection;
    unsigned params;
} operations[] = {
    {"list", "get", "list", "list", true, PARAMS_LIST | PARAMS_WATCH},
    {"create", "post", "post", "create", true, PARAMS_WRITE},
    {"deletecollection", "delete", "deletecollection", "delete", true, PARAMS_LIST | PARAMS_DELETE},
    {"get", "get", "get", "read", false, PARAMS_NONE},
    {"update", "put", "put", "replace", false, PARAMS_WRITE},
    {"patch", "patch", "patch", "patch", false, PARAMS_WRITE | PARAMS_APPLY},
    {"delete", "delete", "delete", "delete", false, PARAMS_DELETE},
};

static const struct param {
    unsigned set;
    const char *name, *type;
} params[] = {
    {PARAMS_WATCH, "allowWatchBookmarks", "boolean"},
    {PARAMS_LIST, "continue", "string"},
    {PARAMS_WRITE | PARAMS_DELETE, "dryRun", "string"},
    {PARAMS_WRITE, "fieldManager", "string"},
    {PARAMS_LIST, "fieldSelector", "string"},
    {PARAMS_WRITE, "fieldValidation", "string"},
    {PARAMS_APPLY, "force", "boolean"},
    {PARAMS_DELETE, "gracePeriodSeconds", "integer"},
    {PARAMS_DELETE, "ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"},
    {PARAMS_LIST, "labelSelector", "string"},
    {PARAMS_LIST, "limit", "integer"},
    {PARAMS_DELETE, "orphanDependents", "boolean"},
    {PARAMS_DELETE, "propagationPolicy", "string"},
    {PARAMS_LIST, "resourceVersion", "string"},
    {PARAMS_LIST, "resourceVersionMatch", "string"},
    {PARAMS_LIST, "sendInitialEvents", "boolean"},
    {PARAMS_LIST, "timeoutSeconds", "integer"},
    {PARAMS_WATCH, "watch", "boolean"},
};

/* What one path is about. */
struct target {
    const struct schema_kind *kind;
    const struct schema_subresource *sub; /* NULL: the resource itself */
    bool namespaced;                      /* {namespace} is in the path */
    bool all_namespaces;                  /* the collection across namespaces */
};

static bool has_verb(const char *const *verbs, const char *verb)
{
    for (; *verbs; verbs++)
        if (strcmp(*verbs, verb) == 0)
            return true;
    return false;
}

static void put_camel(struct buf *b, const char *word, size_t n)
{
    if (n)
        buf_putc(b, (char)toupper((unsigned char)word[0]));
    if (n > 1)
        buf_append(b, word + 1, n - 1);
}

/* "rbac.authorization.k8s.io/v1" is RbacAuthorizationV1; the core group is CoreV1. */
static void put_group_version(struct buf *b, const struct schema_kind *k)
{
    struct str group = str_of(k->group[0] ? k->group : "core"), part;
    if (str_ends(group, STR(".k8s.io")))
        group.n -= 7;
    while (str_next(&group, '.', &part))
        put_camel(b, part.p, part.n);
    put_camel(b, k->version, strlen(k->version));
}

static void write_operation_id(struct writer *w, const struct target *t, const struct operation *o)
{
    struct buf b = {0};
    buf_puts(&b, o->prefix);
    put_group_version(&b, t->kind);
    if (strcmp(o->verb, "deletecollection") == 0)
        buf_puts(&b, "Collection");
    if (t->namespaced)
        buf_puts(&b, "Namespaced");
    buf_puts(&b, t->kind->kind);
    if (t->sub)
        put_camel(&b, t->sub->name, strlen(t->sub->name));
    if (t->all_namespaces)
        buf_puts(&b, "ForAllNamespaces");
    json_pair(w, "operationId", buf_z(&b));
    buf_done(&b);
}

static void write_param(struct writer *w, const char *in, const char *name, const char *type)
{
    json_open(w, '{');
    json_pair(w, "in", in);
    json_pair(w, "name", name);
    if (strcmp(in, "path") == 0)
        json_raw(w, "\"required\":true");
    if (w->v3) {
        json_key(w, "schema");
        json_open(w, '{');
    }
    json_pair(w, "type", type);
    json_raw(w, "\"uniqueItems\":true");
    if (w->v3)
        json_close(w, '}');
    json_close(w, '}');
}

/* The definition that a request carries, or NULL. */
static const char *body_of(const struct target *t, const struct operation *o)
{
    if (strcmp(o->verb, "patch") == 0)
        return "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
    if (o->params & PARAMS_DELETE)
        return "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
    if (!(o->params & PARAMS_WRITE))
        return NULL;
    return t->sub ? t->sub->schema->name : t->kind->schema->name;
}

static const char *answer_of(const struct target *t, const struct operation *o)
{
    if (o->params & PARAMS_DELETE)
        return "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
    if (t->sub)
        return t->sub->schema->name;
    if (strcmp(o->verb, "list") == 0 && t->kind->list_schema)
        return t->kind->list_schema->name;
    return t->kind->schema->name;
}

static void write_contents(struct writer *w, const char *const *types, size_t count,
                           const char *definition)
{
    json_key(w, "content");
    json_open(w, '{');
    for (size_t i = 0; i < count; i++) {
        json_key(w, types[i]);
        json_open(w, '{');
        json_key(w, "schema");
        openapi_ref(w, definition);
        json_close(w, '}');
    }
    json_close(w, '}');
}

static void write_type_list(struct writer *w, const char *key, const char *const *types,
                            size_t count)
{
    json_key(w, key);
    json_open(w, '[');
    for (size_t i = 0; i < count; i++)
        json_str(w, types[i]);
    json_close(w, ']');
}

static void write_params(struct writer *w, const struct operation *o, const char *body)
{
    json_key(w, "parameters");
    json_open(w, '[');
    if (body && !w->v3) {
        json_raw(w, "{\"in\":\"body\",\"name\":\"body\"");
        json_key(w, "schema");
        openapi_ref(w, body);
        if (!(o->params & PARAMS_DELETE))
            json_raw(w, "\"required\":true");
        json_close(w, '}');
    }
    for (size_t i = 0; i < ARRAY_LEN(params); i++)
        if (params[i].set & o->params)
            write_param(w, "query", params[i].name, params[i].type);
    json_close(w, ']');
}

static void write_answer(struct writer *w, const char *code, const char *definition)
{
    json_key(w, code);
    json_open(w, '{');
    json_pair(w, "description", strcmp(code, "200") == 0 ? "OK" : "Created");
    if (w->v3) {
        write_contents(w, answer_types, ARRAY_LEN(answer_types), definition);
    } else {
        json_key(w, "schema");
        openapi_ref(w, definition);
    }
    json_close(w, '}');
}

static void write_operation(struct writer *w, const struct target *t, const struct operation *o)
{
    const char *body = body_of(t, o), *answer = answer_of(t, o);
    bool is_patch = strcmp(o->verb, "patch") == 0;
    json_key(w, o->method);
    json_open(w, '{');
    write_operation_id(w, t, o);
    write_params(w, o, body);
    if (w->v3 && body) {
        static const char *const any[] = {"*/*"};
        json_key(w, "requestBody");
        json_open(w, '{');
        write_contents(w, is_patch ? patch_types : any, is_patch ? ARRAY_LEN(patch_types) : 1,
                       body);
        json_close(w, '}');
    } else if (!w->v3) {
        if (is_patch)
            write_type_list(w, "consumes", patch_types, ARRAY_LEN(patch_types));
        write_type_list(w, "produces", answer_types, ARRAY_LEN(answer_types));
    }
    json_key(w, "responses");
    json_open(w, '{');
    write_answer(w, "200", answer);
    if (o->params & PARAMS_WRITE)
        write_answer(w, "201", answer);
    json_raw(w, "\"401\":{\"description\":\"Unauthorized\"}");
    json_close(w, '}');
    json_pair(w, "x-kubernetes-action", o->action);
    json_key(w, "x-kubernetes-group-version-kind");
    if (t->sub)
        openapi_gvk(w, t->sub->group, t->sub->version, t->sub->kind);
    else
        openapi_gvk(w, t->kind->group, t->kind->version, t->kind->kind);
    json_close(w, '}');
}

/* "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale" */
static void write_path_key(struct writer *w, const struct target *t, bool collection)
{
    struct buf b = {0};
    const struct schema_kind *k = t->kind;
    if (k->group[0])
        buf_printf(&b, "/apis/%s/%s/", k->group, k->version);
    else
        buf_printf(&b, "/api/%s/", k->version);
    if (t->namespaced)
        buf_puts(&b, "namespaces/{namespace}/");
    buf_puts(&b, k->resource);
    if (!collection)
        buf_puts(&b, "/{name}");
    if (t->sub)
        buf_printf(&b, "/%s", t->sub->name);
    json_key(w, buf_z(&b));
    buf_done(&b);
}

static bool serves(const struct target *t, const struct operation *o, bool collection)
{
    if (t->sub) /* create on a subresource (binding, eviction, token) names its object */
        return !collection && has_verb(t->sub->verbs, o->verb) && strcmp(o->verb, "list") != 0 &&
               strcmp(o->verb, "deletecollection") != 0;
    if (t->all_namespaces && strcmp(o->verb, "list") != 0)
        return false;
    return o->collection == collection && has_verb(t->kind->verbs, o->verb);
}

static void write_path(struct writer *w, const struct target *t, bool collection)
{
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (!serves(t, &operations[i], collection))
            continue;
        if (!any) {
            write_path_key(w, t, collection);
            json_open(w, '{');
        }
        any = true;
        write_operation(w, t, &operations[i]);
    }
    if (!any)
        return;
    json_key(w, "parameters");
    json_open(w, '[');
    if (!collection)
        write_param(w, "path", "name", "string");
    if (t->namespaced)
        write_param(w, "path", "namespace", "string");
    write_param(w, "query", "pretty", "string");
    json_close(w, ']');
    json_close(w, '}');
}

void openapi_kind_paths(struct writer *w, const struct schema_kind *k)
{
    struct target t = {.kind = k, .namespaced = k->namespaced};
    write_path(w, &t, true);
    write_path(w, &t, false);
    for (t.sub = k->subresource_info; t.sub->name; t.sub++)
        if (!openapi_is_stream(t.sub))
            write_path(w, &t, false);
    if (k->namespaced) {
        struct target all = {.kind = k, .all_namespaces = true};
        write_path(w, &all, true);
    }
}
