/* From a request's body to a checked tree (k8s.io/apiserver/pkg/endpoints/handlers, decoding). */
#include "api/call.h"

static void put_summary(struct str body, struct buf *b)
{
    enum { SHOWN = 30 };
    if (!body.n) {
        buf_puts(b, "<empty>");
        return;
    }
    struct str head = str_head(body, SHOWN);
    if (body.p[0] == '{')
        buf_put(b, head);
    else
        for (size_t i = 0; i < head.n; i++)
            buf_printf(b, "%02x", (unsigned char)head.p[i]);
    if (body.n > SHOWN)
        buf_puts(b, " ...");
}

static int fail_unrecognized(struct call *c, struct str kind, const char *why, struct err *err)
{
    struct buf b = {0};
    put_summary(c->body, &b);
    err_bad(err, "the object provided is unrecognized (must be of type %.*s): %s (%s)",
            STR_ARG(kind), why, buf_z(&b));
    buf_done(&b);
    return -1;
}

static struct str media_type(struct str content_type)
{
    struct str head, tail;
    str_cut(content_type, ';', &head, &tail);
    return str_trim(head);
}

static int parse(struct call *c, const struct schema *s, struct str kind, val **ret,
                 struct buf *strict, struct err *err)
{
    struct str type = media_type(c->content_type);
    char why[sizeof(err->message) + 64];
    struct err inner;
    int rc;
    if (!type.n || str_is(type, "application/json"))
        rc = doc_parse_json(&c->doc, c->body, ret, &inner);
    else if (str_is(type, "application/yaml"))
        rc = doc_parse_yaml_strict(&c->doc, c->body, ret, strict, &inner);
    else if (str_is(type, "application/vnd.kubernetes.protobuf"))
        return s ? schema_decode_proto(s, &c->doc, c->body, ret, err)
                 : err_bad(err, "this kind has no protobuf form");
    else
        return err_set(err, 415, "UnsupportedMediaType",
                       "the body of the request was in an unknown format - accepted media types "
                       "include: application/json, application/yaml, "
                       "application/vnd.kubernetes.protobuf");
    if (rc == 0 && val_is_obj(*ret))
        return 0;
    if (rc == 0)
        err_bad(&inner,
                "json: cannot unmarshal %s into Go value of type struct { APIVersion string "
                "\"json:\\\"apiVersion,omitempty\\\"\"; Kind string "
                "\"json:\\\"kind,omitempty\\\"\" }",
                val_type_name(*ret));
    snprintf(why, sizeof(why), "couldn't get version/kind; json parse error: %s", inner.message);
    return fail_unrecognized(c, kind, why, err);
}

static struct str version_of(struct str api_version)
{
    struct str group, version;
    return str_cut(api_version, '/', &group, &version) ? version : api_version;
}

int body_strict(struct call *c, struct str api_version, struct str kind, struct str findings,
                struct err *err)
{
    struct str line;
    if (!findings.n || c->options.ignore_strict)
        return 0;
    if (c->options.warn_strict) {
        while (str_next(&findings, '\n', &line))
            if (line.n)
                call_warn(c, "%.*s", STR_ARG(line));
        return 0;
    }
    struct buf b = {0};
    bool yaml = false; /* what the YAML parser found is one finding */
    while (str_next(&findings, '\n', &line)) {
        if (!line.n)
            continue;
        bool of_yaml = str_starts(line, STR("line "));
        if (of_yaml && !yaml)
            buf_puts(&b, b.n ? ", yaml: unmarshal errors:" : "yaml: unmarshal errors:");
        yaml |= of_yaml;
        buf_printf(&b, "%s%.*s", of_yaml ? "\n  " : b.n ? ", " : "", STR_ARG(line));
    }
    err_bad(err, "%.*s in version \"%.*s\" cannot be handled as a %.*s: strict decoding error: %s",
            STR_ARG(kind), STR_ARG(version_of(api_version)), STR_ARG(kind), buf_z(&b));
    buf_done(&b);
    return -1;
}

/* An object of the resource's group and version, but of another kind. */
static int fail_kind(struct call *c, struct str got, struct str wanted, const val *v,
                     struct err *err)
{
    val *causes = val_new_arr(&c->doc);
    cause_add(&c->doc, causes, "FieldValueInvalid", "kind",
              "Invalid value: \"%.*s\": must be %.*s", STR_ARG(got), STR_ARG(wanted));
    struct str name = VAL_STR(v, "metadata", "name");
    c->details = (struct call_details){
        .set = true, .group = c->route.group, .kind = got, .name = name, .causes = causes};
    return err_set(err, 422, "Invalid",
                   "%.*s.%.*s \"%.*s\" is invalid: kind: Invalid value: \"%.*s\": must be %.*s",
                   STR_ARG(got), STR_ARG(c->route.group), STR_ARG(name), STR_ARG(got),
                   STR_ARG(wanted));
}

static int fail_untyped(struct call *c, struct str kind, struct err *err)
{
    enum { SHOWN = 200 };
    char why[SHOWN + 48];
    struct str body = str_head(c->body, SHOWN);
    snprintf(why, sizeof(why), "Object 'Kind' is missing in '%.*s'", STR_ARG(body));
    return fail_unrecognized(c, kind, why, err);
}

static int check_type(struct call *c, val *v, struct str api_version, struct str kind,
                      struct err *err)
{
    struct str got_kind = VAL_STR(v, "kind"), got_version = VAL_STR(v, "apiVersion");
    bool custom = c->custom && str_is(kind, c->kind->k->kind); /* else it is options, or a scale */
    if (custom && !got_kind.n) /* nothing but its kind says what it is */
        return fail_untyped(c, kind, err);
    if (custom && !str_eq(got_kind, kind) && str_eq(got_version, api_version))
        return fail_kind(c, got_kind, kind, v, err);
    if (got_kind.n && !str_eq(got_kind, kind))
        return err_bad(err,
                       "%.*s in version \"%.*s\" cannot be handled as a %.*s: converting (%.*s) "
                       "to (%.*s): unknown conversion",
                       STR_ARG(got_kind), STR_ARG(version_of(got_version)), STR_ARG(kind),
                       STR_ARG(got_kind), STR_ARG(kind));
    if (got_version.n && !str_eq(got_version, api_version))
        return err_bad(err,
                       "the API version in the data (%.*s) does not match the expected API version "
                       "(%.*s)",
                       STR_ARG(got_version), STR_ARG(api_version));
    val_set_s(&c->doc, v, "kind", kind);
    val_set_s(&c->doc, v, "apiVersion", api_version);
    return 0;
}

int body_decode(struct call *c, const struct schema *s, struct str api_version, struct str kind,
                val **ret, struct err *err)
{
    struct buf strict = {0};
    val *v;
    int rc = parse(c, s, kind, &v, &strict, err);
    if (rc == 0)
        rc = check_type(c, v, api_version, kind, err);
    if (rc == 0 && s && (rc = schema_check(s, &c->doc, v, &strict, err)) != 0)
        err_prefix(err, "%.*s in version \"%.*s\" cannot be handled as a %.*s", STR_ARG(kind),
                   STR_ARG(version_of(api_version)), STR_ARG(kind));
    if (rc == 0)
        rc = body_strict(c, api_version, kind, buf_str(&strict), err);
    buf_done(&strict);
    if (rc != 0)
        return -1;
    if (s)
        schema_default(s, &c->doc, v);
    *ret = v;
    return 0;
}
