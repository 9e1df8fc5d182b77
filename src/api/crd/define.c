/* From a stored CustomResourceDefinition to kinds that the generic path can serve. */
#include <ctype.h>
#include <stdlib.h>

#include "api/crd/crd.h"
#include "api/kinds/kinds.h"
#include "api/authn/user.h"
#include "doc/schema_build.h"

static const struct schema *object_meta(void)
{
    return schema_find(STR("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"));
}

static const struct crd_version *version_of(const struct schema *s)
{
    return CONTAINER_OF(s->custom, struct crd_version, hooks);
}

/* --- what stands in for the rules of a Go type --- */

static int check(const struct schema *s, struct doc *d, val *v, struct buf *strict, struct err *err)
{
    const struct crd_version *version = version_of(s);
    if (!val_is_obj(v))
        return err_bad(err,
                       "json: cannot unmarshal %s into Go value of type "
                       "map[string]interface {}",
                       val_type_name(v));
    val *meta = val_get(v, "metadata");
    if (meta && val_is_null(meta))
        val_del(v, "metadata");
    else if (meta) {
        struct buf inner = {0};
        int rc = schema_check(object_meta(), d, meta, strict ? &inner : NULL, err);
        crd_put_nested(buf_str(&inner), (struct str){0}, strict);
        buf_done(&inner);
        if (rc != 0)
            return -1;
    }
    if (version->schema && !version->preserve)
        crd_prune(version->schema, v, true, strict);
    return version->schema ? crd_coerce_embedded(version->schema, d, v, strict, err) : 0;
}

static void normalize(const struct schema *s, struct doc *d, val *v)
{
    (void)s;
    val *meta = val_get(v, "metadata");
    if (meta)
        schema_normalize(object_meta(), d, meta);
}

static void fill(const struct schema *s, struct doc *d, val *v)
{
    const struct crd_version *version = version_of(s);
    if (version->schema)
        crd_default(version->schema, d, v);
}

/* --- the strategy --- */
static int prepare_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    const struct crd_version *version = crd_version_of(c->kind);
    (void)obj;
    if (version->crd->terminating)
        return err_set(err, 405, "MethodNotAllowed",
                       "create not allowed while custom resource definition is terminating");
    return 0;
}

/* Without a status subresource, status is as good as spec. */
static int prepare_update(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    const val *now = val_get(obj, "status"), *was = val_get(old, "status");
    (void)err;
    if (!crd_version_of(c->kind)->strategy.has_status &&
        (now && was ? !val_eq(now, was) : now != was))
        val_set_int(c->d, val_get(obj, "metadata"), "generation",
                    VAL_INT(old, "metadata", "generation") + 1);
    return 0;
}

static void validate_scale(const struct crd_version *version, const val *obj, struct doc *d,
                           val *causes)
{
    const val *replicas =
        version->spec_replicas.count ? crd_path_get(&version->spec_replicas, obj) : NULL;
    if (val_is_int(replicas) && val_int(replicas) < 0)
        cause_add(d, causes, "FieldValueInvalid", version->spec_replicas_text,
                  "Invalid value: %lld: should be a non-negative integer",
                  (long long)val_int(replicas));
}

static void judge(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    const struct crd_version *version = crd_version_of(c->kind);
    if (!version->schema)
        return;
    crd_validate(version->schema, obj, old, c->d, causes);
    crd_check_embedded(version->schema, obj, c->d, causes);
    validate_scale(version, obj, c->d, causes);
    if (!val_len(causes) && version->schema->has_rules)
        crd_rules_check(version->schema, obj, old, c->arena, c->d, causes);
}

static void validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    kind_validate_name(c, obj, causes);
    judge(c, obj, NULL, causes);
}

static void validate_update(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    judge(c, obj, old, causes);
}

/* The value as a field selector's text. Numbers and booleans have none in the object; they are
 * short, and compared before the next one is asked for. */
static struct str field(const val *obj, struct str name)
{
    static _Thread_local char text[32];
    struct str rest = name, part;
    const val *v = obj;
    while (v && str_next(&rest, '.', &part))
        v = val_get_str(v, part);
    if (val_is_str(v))
        return val_str(v);
    if (val_is_bool(v))
        return val_bool(v) ? STR("true") : STR("false");
    if (!val_is_int(v))
        return (struct str){0};
    int n = snprintf(text, sizeof(text), "%lld", (long long)val_int(v));
    return (struct str){text, (size_t)n};
}

/* --- columns --- */
static void put_cell(struct strategy_ctx *c, struct doc *d, const char *type, const val *v,
                     val *cells)
{
    bool integer = strcmp(type, "integer") == 0, number = strcmp(type, "number") == 0;
    if (v && strcmp(type, "string") == 0 && !val_is_null(v)) {
        struct buf b = {0};
        if (val_is_str(v))
            buf_put(&b, val_str(v));
        else
            val_write_json(v, &b);
        cell_s(d, cells, buf_str(&b));
        buf_done(&b);
    } else if (val_is_num(v) && integer) {
        cell_int(d, cells, val_int(v));
    } else if ((val_is_num(v) && number) || (val_is_bool(v) && strcmp(type, "boolean") == 0)) {
        val_push(cells, val_copy(d, v));
    } else if (val_is_str(v) && strcmp(type, "date") == 0) {
        cell_since(c, d, cells, val_str(v));
    } else {
        val_push(cells, val_new_null(d));
    }
}

static void row(struct strategy_ctx *c, const val *obj, struct doc *d, val *cells)
{
    const struct crd_version *version = crd_version_of(c->kind);
    cell_name(d, cells, obj);
    for (size_t i = 0; i < version->column_count; i++)
        put_cell(c, d, version->columns[i].type,
                 version->columns[i].path.count ? crd_path_get(&version->columns[i].path, obj)
                                                : NULL,
                 cells);
}

static void add_column(struct crd *crd, struct crd_version *version, struct schema_column *head,
                       const val *col)
{
    struct arena *a = &crd->arena;
    struct str path = VAL_STR(col, "jsonPath"), text = VAL_STR(col, "description");
    struct err ignored;
    struct crd_column *column = &version->columns[version->column_count];
    if (crd_path_parse(a, path, &column->path, &ignored) != 0)
        column->path = (struct crd_path){0};
    column->type = arena_z(a, VAL_STR(col, "type"));
    *head = (struct schema_column){
        .name = arena_z(a, VAL_STR(col, "name")),
        .type = column->type,
        .format = arena_z(a, VAL_STR(col, "format")),
        .description =
            text.n ? arena_z(a, text)
                   : arena_printf(a, "Custom resource definition column (in JSONPath format): %.*s",
                                  STR_ARG(path))
                         .p,
        .priority = (int)VAL_INT(col, "priority"),
    };
    version->column_count++;
}

static void add_columns(struct crd *crd, struct crd_version *version, const val *columns)
{
    size_t n = val_len(columns);
    struct schema_column *heads = arena_zalloc(&crd->arena, (n + 3) * sizeof(*heads));
    version->columns = arena_zalloc(&crd->arena, (n + 1) * sizeof(*version->columns));
    heads[0] = (struct schema_column){"Name", "string", "name", "The object's name", 0};
    VAL_FOR (columns, col)
        add_column(crd, version, &heads[1 + version->column_count], col);
    if (n == 0) {
        struct crd_column *age = &version->columns[version->column_count++];
        struct err ignored;
        crd_path_parse(&crd->arena, STR(".metadata.creationTimestamp"), &age->path, &ignored);
        age->type = "date";
        heads[1] = (struct schema_column){"Age", "date", "", "When the object was created", 0};
    }
    version->strategy.columns = heads;
    version->strategy.row = row;
}

/* --- kinds --- */
static const char *const *words(struct arena *a, const val *list)
{
    const char **out = arena_zalloc(a, (val_len(list) + 1) * sizeof(*out));
    size_t n = 0;
    VAL_FOR (list, word)
        out[n++] = arena_z(a, val_str(word));
    return out;
}

static void add_fields(struct crd *crd, struct crd_version *version, const val *fields)
{
    const char **names = arena_zalloc(&crd->arena, (val_len(fields) + 1) * sizeof(*names));
    size_t n = 0;
    VAL_FOR (fields, f) {
        struct str path = VAL_STR(f, "jsonPath");
        names[n++] = arena_z(&crd->arena, str_from(path, str_starts(path, STR("."))));
    }
    if (!n)
        return;
    version->strategy.fields = names;
    version->strategy.field = field;
}

static void add_subresources(struct crd *crd, struct crd_version *version, const val *spec)
{
    static const char *const none[] = {NULL}, *const status[] = {"status", NULL},
                             *const scale[] = {"scale", NULL},
                             *const both[] = {"status", "scale", NULL};
    static const char *const verbs[] = {"get", "patch", "update", NULL};
    const val *subs = val_get(spec, "subresources"), *scaling = val_get(subs, "scale");
    struct schema_subresource *info = arena_zalloc(&crd->arena, 3 * sizeof(*info));
    struct err ignored;
    bool has_status = val_is_obj(val_get(subs, "status"));
    version->strategy.has_status = has_status;
    version->info.subresources = scaling ? (has_status ? both : scale) : has_status ? status : none;
    version->info.subresource_info = info;
    if (has_status)
        *info++ = (struct schema_subresource){
            "status", version->info.group, version->info.version, version->info.kind,
            verbs,    version->info.schema};
    if (!scaling)
        return;
    *info = (struct schema_subresource){
        "scale", "autoscaling", "v1",
        "Scale", verbs,         schema_find(STR("io.k8s.api.autoscaling.v1.Scale"))};
    version->spec_replicas_text = arena_z(&crd->arena, VAL_STR(scaling, "specReplicasPath"));
    crd_path_parse(&crd->arena, VAL_STR(scaling, "specReplicasPath"), &version->spec_replicas,
                   &ignored);
    crd_path_parse(&crd->arena, VAL_STR(scaling, "statusReplicasPath"), &version->status_replicas,
                   &ignored);
    if (VAL_STR(scaling, "labelSelectorPath").n)
        crd_path_parse(&crd->arena, VAL_STR(scaling, "labelSelectorPath"), &version->selector,
                       &ignored);
}

/* "com.example.shop.v1.Widget" */
static const char *definition_name(struct arena *a, struct str group, const char *version,
                                   const char *kind)
{
    struct buf b = {0};
    struct str rest = group;
    while (rest.n) {
        size_t dot = rest.n;
        while (dot && rest.p[dot - 1] != '.')
            dot--;
        buf_put(&b, str_from(rest, dot));
        buf_putc(&b, '.');
        rest = str_head(rest, dot ? dot - 1 : 0);
    }
    buf_printf(&b, "%s.%s", version, kind);
    const char *z = arena_z(a, buf_str(&b));
    buf_done(&b);
    return z;
}

/* strategy.view */
static void add_kind(struct crd *crd, struct crd_version *version, const val *obj, const val *spec)
{
    static const char *const verbs[] = {"delete", "deletecollection", "get",   "list", "patch",
                                        "create", "update",           "watch", NULL};
    struct arena *a = &crd->arena;
    const val *names = VAL_PATH(obj, "status", "acceptedNames");
    struct str group = VAL_STR(obj, "spec", "group");
    struct schema *schema = schema_build(a, version->openapi);
    version->hooks = (struct schema_custom){check, normalize, fill};
    schema->custom = &version->hooks;
    version->info = (struct schema_kind){
        .group = arena_z(a, group),
        .version = arena_z(a, VAL_STR(spec, "name")),
        .kind = arena_z(a, VAL_STR(names, "kind")),
        .list_kind = arena_z(a, VAL_STR(names, "listKind")),
        .resource = arena_z(a, VAL_STR(names, "plural")),
        .singular = arena_z(a, VAL_STR(names, "singular")),
        .short_names = words(a, val_get(names, "shortNames")),
        .categories = words(a, val_get(names, "categories")),
        .verbs = verbs,
        .schema = schema,
        .namespaced = str_is(VAL_STR(obj, "spec", "scope"), "Namespaced"),
    };
    struct schema *list = ARENA_NEW(a, struct schema);
    schema->name = definition_name(a, group, version->info.version, version->info.kind);
    list->name = definition_name(a, group, version->info.version, version->info.list_kind);
    version->info.list_schema = list;
    version->strategy = (struct strategy){
        .group = version->info.group,
        .resource = version->info.resource,
        .prepare_create = prepare_create,
        .prepare_update = prepare_update,
        .validate = validate,
        .validate_update = validate_update,
        .validate_status = validate_update,
        .view = crd_view,
        .plain = crd_is_plain,
        .status_alone = true,
        .spec_generation = true,
    };
    add_subresources(crd, version, spec);
    add_columns(crd, version, val_get(spec, "additionalPrinterColumns"));
    add_fields(crd, version, val_get(spec, "selectableFields"));
    kind_init(&version->kind, a, &version->info, &version->strategy);
}

static void add_version(struct crd *crd, const val *obj, const val *spec)
{
    struct crd_version *version = &crd->versions[crd->all_count++];
    version->crd = crd;
    if (VAL_BOOL(spec, "storage"))
        crd->storage = version;
    version->openapi = VAL_PATH(spec, "schema", "openAPIV3Schema");
    version->preserve = VAL_BOOL(obj, "spec", "preserveUnknownFields");
    if (version->openapi)
        version->schema = crd_schema_compile(&crd->compiled, version->openapi);
    add_kind(crd, version, obj, spec);
    if (!VAL_BOOL(spec, "deprecated"))
        return;
    struct str text = VAL_STR(spec, "deprecationWarning");
    version->warning =
        text.n ? arena_z(&crd->arena, text)
               : arena_printf(&crd->arena, "%s/%s %s is deprecated", version->info.group,
                              version->info.version, version->info.kind)
                     .p;
}

/* --- the order of versions --- */
struct ranked {
    int stage; /* 3: v1, 2: v1beta1, 1: v1alpha1, 0: anything else */
    uint64_t major, minor;
};

static bool take_number(struct str *s, uint64_t *ret)
{
    size_t n = 0;
    while (n < s->n && isdigit((unsigned char)s->p[n]))
        n++;
    bool ok = n > 0 && s->p[0] != '0' && str_to_u64(str_head(*s, n), ret);
    *s = str_from(*s, n);
    return ok;
}

static struct ranked rank(struct str s)
{
    struct ranked r = {0}, none = {0};
    if (!str_starts(s, STR("v")))
        return none;
    s = str_from(s, 1);
    if (!take_number(&s, &r.major))
        return none;
    r.stage = 3;
    if (!s.n)
        return r;
    if (str_starts(s, STR("beta"))) {
        r.stage = 2;
        s = str_from(s, 4);
    } else if (str_starts(s, STR("alpha"))) {
        r.stage = 1;
        s = str_from(s, 5);
    } else {
        return none;
    }
    return take_number(&s, &r.minor) && !s.n ? r : none;
}

int crd_version_compare(struct str a, struct str b)
{
    struct ranked x = rank(a), y = rank(b);
    if (x.stage != y.stage)
        return y.stage - x.stage;
    if (x.major != y.major)
        return x.major < y.major ? 1 : -1;
    if (x.minor != y.minor)
        return x.minor < y.minor ? 1 : -1;
    return str_cmp(a, b);
}

/* --- definitions --- */
static bool is_established(const val *obj)
{
    return condition_is_true(VAL_PATH(obj, "status", "conditions"), "Established");
}

struct crd *crd_define(struct str name, struct str json, int64_t revision)
{
    struct crd *crd = NEW(struct crd);
    val *obj;
    struct err ignored;
    doc_init(&crd->doc);
    atomic_init(&crd->refs, 1);
    crd->compiled.arena = &crd->arena;
    bool readable = doc_parse_json(&crd->doc, json, &obj, &ignored) == 0;
    crd->terminating = readable && VAL_STR(obj, "metadata", "deletionTimestamp").n > 0;
    bool established = readable && is_established(obj);
    if (!established && !crd->terminating) {
        crd_free(crd);
        return NULL;
    }
    const val *versions = VAL_PATH(obj, "spec", "versions");
    crd->name = arena_dup(&crd->arena, name);
    crd->revision = revision;
    /* Kinds point into the array: it is made once, and not sorted afterwards. */
    crd->versions = arena_zalloc(&crd->arena, val_len(versions) * sizeof(struct crd_version) + 1);
    for (int served = 1; established && served >= 0; served--) {
        VAL_FOR (versions, spec)
            if (VAL_BOOL(spec, "served") == served)
                add_version(crd, obj, spec);
        if (served)
            crd->version_count = crd->all_count;
    }
    return crd;
}

void crd_free(struct crd *crd)
{
    crd_compiled_done(&crd->compiled);
    doc_done(&crd->doc);
    arena_done(&crd->arena);
    free(crd);
}
