/* Which form of an answer the client wants, and what its query's options say
 * (k8s.io/apiserver/pkg/endpoints/handlers/negotiation). Whoever accepts protobuf and JSON gets
 * JSON, which is what is stored: every client reads the answer's content type. */
#include <stdlib.h>

#include "api/call.h"
#include "api/proto.h"

enum media_type { MEDIA_JSON, MEDIA_YAML, MEDIA_PROTO, MEDIA_OTHER };

struct media { /* one clause of an Accept header */
    enum media_type type;
    struct str as, group, version;
    double q;
    bool wild, stream; /* stream: something else than a watch */
};

static enum media_type media_type(struct str name, bool *ret_wild)
{
    *ret_wild = str_is(name, "*/*") || str_is(name, "application/*");
    if (*ret_wild || str_is(name, "application/json"))
        return MEDIA_JSON;
    if (str_is(name, "application/yaml"))
        return MEDIA_YAML;
    return str_is(name, PROTO_TYPE) ? MEDIA_PROTO : MEDIA_OTHER;
}

static double quality(struct arena *a, struct str text)
{
    char *end, *z = arena_z(a, text);
    double q = strtod(z, &end);
    return end == z || q < 0 || q > 1 ? 1 : q;
}

static struct media parse_media(struct arena *a, struct str range)
{
    struct media m = {.q = 1};
    struct str param, key, value;
    str_next(&range, ';', &param);
    m.type = media_type(str_trim(param), &m.wild);
    while (str_next(&range, ';', &param)) {
        str_cut(str_trim(param), '=', &key, &value);
        if (str_is(key, "as"))
            m.as = value;
        else if (str_is(key, "g"))
            m.group = value;
        else if (str_is(key, "v"))
            m.version = value;
        else if (str_is(key, "q"))
            m.q = quality(a, value);
        else if (str_is(key, "stream"))
            m.stream = value.n && !str_is(value, "watch");
    }
    return m;
}

static bool form_of(const struct call *c, const struct media *m, enum call_form *ret)
{
    bool list = strcmp(c->route.verb, "list") == 0;
    *ret = FORM_OBJECT;
    if (!m->as.n)
        return true;
    /* What is only answered has no metadata and no rows. */
    bool answered = strcmp(c->route.verb, "create") == 0 && c->route.subresource.n;
    if (answered || (c->kind && !c->kind->stored))
        return false;
    if (!str_is(m->group, "meta.k8s.io") ||
        !(str_is(m->version, "v1") || str_is(m->version, "v1beta1")))
        return false;
    *ret = FORM_TABLE;
    if (str_is(m->as, "Table"))
        return m->type != MEDIA_PROTO;
    *ret = FORM_METADATA;
    return str_is(m->as, list ? "PartialObjectMetadataList" : "PartialObjectMetadata");
}

/* Whether the server can answer so. */
static bool acceptable(const struct call *c, const struct media *m, enum call_form *ret_form)
{
    bool watch = strcmp(c->route.verb, "watch") == 0;
    if (m->type == MEDIA_OTHER || m->q == 0 || m->stream || !form_of(c, m, ret_form))
        return false;
    if (m->type == MEDIA_PROTO && *ret_form == FORM_OBJECT && c->kind && !proto_serves(c->kind))
        return false;
    return m->type != MEDIA_YAML || !watch;
}

/* By quality, then the order in the header; patterns come last. */
static bool better(const struct media *a, const struct media *b)
{
    return a->q > b->q || (a->q == b->q && b->wild && !a->wild);
}

static bool accepts_json(struct call *c, enum call_form form)
{
    struct str rest = c->accept, range;
    while (str_next(&rest, ',', &range)) {
        struct media m = parse_media(&c->arena, range);
        enum call_form other;
        if (m.type == MEDIA_JSON && acceptable(c, &m, &other) && other == form)
            return true;
    }
    return false;
}

int negotiate_accept(struct call *c, struct err *err)
{
    struct str rest = c->accept, range;
    struct media best = {0};
    bool found = false;
    enum call_form form;
    c->form = FORM_OBJECT;
    c->yaml = c->proto = false;
    if (!str_trim(rest).n)
        return 0;
    while (str_next(&rest, ',', &range)) {
        struct media m = parse_media(&c->arena, range);
        if (!acceptable(c, &m, &form) || (found && !better(&m, &best)))
            continue;
        best = m;
        c->form = form;
        found = true;
    }
    if (!found)
        return err_set(err, 406, "NotAcceptable",
                       "only the following media types are accepted: application/json, "
                       "application/yaml, application/vnd.kubernetes.protobuf");
    c->yaml = best.type == MEDIA_YAML && c->form == FORM_OBJECT;
    c->proto = best.type == MEDIA_PROTO && !accepts_json(c, c->form);
    struct str include = url_query_get(&c->route.query, "includeObject");
    c->include_object = str_is(include, "Object");
    c->include_none = str_is(include, "None");
    return 0;
}

bool negotiate_error_proto(struct call *c)
{
    struct str rest = c->accept, range;
    bool proto = false;
    while (str_next(&rest, ',', &range)) {
        struct media m = parse_media(&c->arena, range);
        if (m.type != MEDIA_PROTO && m.type != MEDIA_OTHER)
            return false;
        proto |= m.type == MEDIA_PROTO;
    }
    return proto;
}

/* An option outside its set of values is an Invalid options object, as CreateOptions. */
static int bad_option(struct call *c, const char *options, const char *field, struct str value,
                      const char *supported, struct err *err)
{
    c->details.set = true;
    c->details.group = STR("meta.k8s.io");
    c->details.kind = str_of(options);
    c->details.causes = val_new_arr(&c->doc);
    cause_add(&c->doc, c->details.causes, "FieldValueNotSupported", field,
              "Unsupported value: \"%.*s\": supported values: %s", STR_ARG(value), supported);
    return err_set(err, 422, "Invalid",
                   "%s.meta.k8s.io \"\" is invalid: %s: Unsupported value: \"%.*s\": supported "
                   "values: %s",
                   options, field, STR_ARG(value), supported);
}

int options_parse(struct call *c, struct err *err)
{
    const struct url_query *q = &c->route.query;
    const char *verb = c->route.verb;
    const char *options = strcmp(verb, "create") == 0   ? "CreateOptions"
                          : strcmp(verb, "patch") == 0  ? "PatchOptions"
                          : strcmp(verb, "update") == 0 ? "UpdateOptions"
                                                        : "DeleteOptions";
    struct str dry = url_query_get(q, "dryRun");
    if (dry.n && !str_is(dry, "All"))
        return bad_option(c, options, "dryRun", dry, "\"All\"", err);
    c->options.dry_run = dry.n != 0;
    c->options.force = route_flag(&c->route, "force");
    c->options.field_manager = url_query_get(q, "fieldManager");
    if (c->options.field_manager.n > 128) {
        c->details.set = true;
        return err_set(err, 422, "Invalid",
                       "%s.meta.k8s.io \"\" is invalid: fieldManager: Too long: may not be more "
                       "than 128 bytes",
                       options);
    }
    struct str validation = url_query_get(q, "fieldValidation");
    c->options.warn_strict = !validation.n || str_is(validation, "Warn");
    c->options.ignore_strict = str_is(validation, "Ignore");
    if (validation.n && !c->options.warn_strict && !c->options.ignore_strict &&
        !str_is(validation, "Strict"))
        return bad_option(c, options, "fieldValidation", validation,
                          "\"Ignore\", \"Strict\", \"Warn\"", err);
    return 0;
}
