/* Which form of an answer the client wants, and what its query's options say
 * (k8s.io/apiserver/pkg/endpoints/handlers/negotiation). Whoever accepts protobuf gets JSON: every
 * client that asks for protobuf reads the answer's content type. */
#include "api/call.h"

struct media {
    struct str type, as, group, version;
    bool refused; /* q=0 */
};

static struct media parse_media(struct str range)
{
    struct media m = {0};
    struct str param, key, value;
    str_next(&range, ';', &param);
    m.type = str_trim(param);
    while (str_next(&range, ';', &param)) {
        str_cut(str_trim(param), '=', &key, &value);
        if (str_is(key, "as"))
            m.as = value;
        else if (str_is(key, "g"))
            m.group = value;
        else if (str_is(key, "v"))
            m.version = value;
        else if (str_is(key, "q"))
            m.refused = str_is(value, "0") || str_is(value, "0.0");
    }
    return m;
}

static bool take_form(struct call *c, const struct media *m)
{
    bool list = strcmp(c->route.verb, "list") == 0;
    if (!m->as.n)
        c->form = FORM_OBJECT;
    else if (!str_is(m->group, "meta.k8s.io") ||
             !(str_is(m->version, "v1") || str_is(m->version, "v1beta1")))
        return false;
    else if (str_is(m->as, "Table"))
        c->form = FORM_TABLE;
    else if (str_is(m->as, list ? "PartialObjectMetadataList" : "PartialObjectMetadata"))
        c->form = FORM_METADATA;
    else
        return false;
    return true;
}

int negotiate_accept(struct call *c, struct err *err)
{
    struct str rest = c->accept, range;
    c->form = FORM_OBJECT;
    c->yaml = false;
    if (!str_trim(rest).n)
        return 0;
    while (str_next(&rest, ',', &range)) {
        struct media m = parse_media(range);
        bool yaml = str_is(m.type, "application/yaml");
        bool known = yaml || str_is(m.type, "application/json") || str_is(m.type, "*/*") ||
                     str_is(m.type, "application/*") ||
                     str_is(m.type, "application/vnd.kubernetes.protobuf");
        if (!known || m.refused || !take_form(c, &m))
            continue;
        c->yaml = yaml && c->form == FORM_OBJECT;
        struct str include = url_query_get(&c->route.query, "includeObject");
        c->include_object = str_is(include, "Object");
        c->include_none = str_is(include, "None");
        return 0;
    }
    return err_set(err, 406, "NotAcceptable",
                   "only the following media types are accepted: application/json, "
                   "application/yaml, application/vnd.kubernetes.protobuf");
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
