/* What the server says when something failed: metav1.Status in upstream's words
 * (k8s.io/apimachinery/pkg/api/errors). */
#include <stdio.h>

#include "api/call.h"
#include "api/core.h"

static void put_member(struct buf *b, const char *key, struct str text)
{
    if (!text.n)
        return;
    struct doc d;
    doc_init(&d);
    if (b->p[b->n - 1] != '{')
        buf_putc(b, ',');
    buf_printf(b, "\"%s\":", key);
    val_write_json(val_new_str(&d, text), b);
    doc_done(&d);
}

static const char *default_reason(int code)
{
    static const struct {
        int code;
        const char *reason;
    } reasons[] = {
        {400, "BadRequest"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "NotFound"},
        {405, "MethodNotAllowed"},
        {406, "NotAcceptable"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "RequestEntityTooLarge"},
        {422, "Invalid"},
        {429, "TooManyRequests"},
        {415, "UnsupportedMediaType"},
        {500, "InternalError"},
        {503, "ServiceUnavailable"},
        {504, "Timeout"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    return "";
}

static bool has_details(const struct call *c, int code)
{
    if (c->details.none)
        return false;
    return c->details.set ||
           (c->route.resource_request && (code == 404 || code == 409 || code == 403));
}

static void put_causes(const struct call *c, const struct err *err, struct buf *b)
{
    if (val_len(c->details.causes)) {
        buf_printf(b, "%s\"causes\":", b->p[b->n - 1] == '{' ? "" : ",");
        val_write_json(c->details.causes, b);
    } else if (err->code == 500 && err->message[0]) {
        buf_printf(b, "%s\"causes\":[{", b->p[b->n - 1] == '{' ? "" : ",");
        put_member(b, "message", str_of(err->message));
        buf_puts(b, "}]");
    }
}

static void put_details(const struct call *c, const struct err *err, struct buf *b)
{
    const struct call_details *d = &c->details;
    buf_puts(b, "\"details\":{");
    if (d->set) {
        put_member(b, "name", d->name);
        put_member(b, "group", d->group);
        put_member(b, "kind", d->kind);
        put_member(b, "uid", d->uid);
    } else if (has_details(c, err->code)) {
        put_member(b, "name", c->route.name);
        put_member(b, "group", c->route.group);
        put_member(b, "kind", c->route.resource);
    }
    put_causes(c, err, b);
    if (d->retry_after)
        buf_printf(b, "%s\"retryAfterSeconds\":%d", b->p[b->n - 1] == '{' ? "" : ",",
                   d->retry_after);
    buf_puts(b, "},");
}

void status_write(const struct call *c, const struct err *err, struct buf *b)
{
    int code = err->code ? err->code : 500;
    const char *reason = err->reason ? err->reason : default_reason(code);
    char internal[sizeof(err->message) + 32];
    const char *message = err->message;
    if (code == 500 && strcmp(reason, "InternalError") == 0) {
        snprintf(internal, sizeof(internal), "Internal error occurred: %s", err->message);
        message = internal;
    }
    buf_puts(b, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{}");
    put_member(b, "status", STR("Failure"));
    put_member(b, "message", str_of(message));
    put_member(b, "reason", str_of(reason));
    buf_putc(b, ',');
    if (has_details(c, code) || c->details.retry_after || val_len(c->details.causes) ||
        (code == 500 && !c->details.none))
        put_details(c, err, b);
    buf_printf(b, "\"code\":%d}\n", code);
}

enum call_next call_fail(struct call *c, const struct err *err)
{
    struct buf b = {0};
    status_write(c, err, &b);
    c->status = err->code ? err->code : 500;
    bytes_unref(c->reply);
    c->reply = bytes_new(buf_str(&b));
    c->reply_type = "application/json";
    if (c->details.retry_after) {
        call_header(c, "retry-after", arena_printf(&c->arena, "%d", c->details.retry_after));
    }
    buf_done(&b);
    return CALL_DONE;
}

/* --- success --- */
enum call_next call_reply_success(struct call *c, int status)
{
    return call_reply_object(
        c, status,
        arena_printf(&c->arena,
                     "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                     "\"Success\",\"code\":%d}",
                     status));
}

enum call_next call_reply(struct call *c, int status, struct bytes *take)
{
    c->status = status;
    bytes_unref(c->reply);
    c->reply = take;
    return CALL_DONE;
}

enum call_next call_reply_text(struct call *c, int status, const char *type, struct str text)
{
    c->reply_type = type;
    return call_reply(c, status, bytes_new(text));
}

enum call_next call_reply_not_found_page(struct call *c)
{
    call_header(c, "x-content-type-options", STR("nosniff"));
    return call_reply_text(c, 404, "text/plain; charset=utf-8", STR("404 page not found\n"));
}

static enum call_next reply_yaml(struct call *c, int status, struct str json)
{
    struct err err;
    val *v;
    if (doc_parse_json(&c->doc, json, &v, &err) != 0)
        return call_fail(c, &err);
    struct buf b = {0};
    val_write_yaml(v, &b);
    call_reply_text(c, status, "application/yaml", buf_str(&b));
    buf_done(&b);
    return CALL_DONE;
}

static enum call_next reply_shown(struct call *c, int status, struct str json)
{
    /* A Status and other kinds than the route's are never turned into a table. */
    bool own = c->kind && str_starts(json, c->kind->head);
    if (c->form == FORM_OBJECT || !own) {
        if (c->yaml)
            return reply_yaml(c, status, json);
        return call_reply(c, status, bytes_new(json));
    }
    struct buf b = {0};
    struct err err;
    int rc = 0;
    if (c->form == FORM_METADATA)
        metadata_only(json, &b);
    else
        rc = table_single(c, c->kind, json, true, &b, &err);
    enum call_next next =
        rc == 0 ? call_reply(c, status, bytes_new(buf_str(&b))) : call_fail(c, &err);
    buf_done(&b);
    return next;
}

enum call_next call_reply_object(struct call *c, int status, struct str json)
{
    struct buf room = {0};
    if (c->kind)
        json = kind_view(c->kind, json, &room);
    enum call_next next = reply_shown(c, status, json);
    buf_done(&room);
    return next;
}

enum call_next call_reply_val(struct call *c, int status, const val *v)
{
    struct buf b = {0};
    val_write_json(v, &b);
    enum call_next next = call_reply_object(c, status, buf_str(&b));
    buf_done(&b);
    return next;
}

/* --- errors in upstream's words --- */
static void set_details(struct call *c, struct str name, bool by_kind)
{
    c->details.set = true;
    c->details.name = arena_dup(&c->arena, name);
    c->details.group = c->route.group;
    c->details.kind = by_kind && c->kind ? str_of(c->kind->k->kind) : c->route.resource;
}

static struct str resource_name(const struct call *c)
{
    return c->kind ? c->kind->group_resource : c->route.resource;
}

int fail_not_found(struct call *c, struct str name, struct err *err)
{
    set_details(c, name, false);
    return err_set(err, 404, "NotFound", "%.*s \"%.*s\" not found", STR_ARG(resource_name(c)),
                   STR_ARG(name));
}

int fail_exists(struct call *c, struct str name, bool generated, struct err *err)
{
    set_details(c, name, false);
    if (generated)
        c->details.retry_after = 1;
    return err_set(err, 409, "AlreadyExists", "%.*s \"%.*s\" already exists%s",
                   STR_ARG(resource_name(c)), STR_ARG(name),
                   generated ? ", the server was not able to generate a unique name for the object"
                             : "");
}

static struct str format_text(struct call *c, const char *format, va_list args)
{
    struct buf b = {0};
    buf_vprintf(&b, format, args);
    struct str text = arena_dup(&c->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

int fail_conflict(struct call *c, struct str name, struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str text = format_text(c, format, args);
    va_end(args);
    set_details(c, name, false);
    return err_set(err, 409, "Conflict", "Operation cannot be fulfilled on %.*s \"%.*s\": %.*s",
                   STR_ARG(resource_name(c)), STR_ARG(name), STR_ARG(text));
}

int fail_forbidden(struct call *c, struct str name, struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str text = format_text(c, format, args);
    va_end(args);
    set_details(c, name, false);
    struct str resource = c->route.resource;
    if (c->route.group.n)
        resource = arena_printf(&c->arena, "%.*s.%.*s", STR_ARG(resource), STR_ARG(c->route.group));
    if (!resource.n)
        return err_set(err, 403, "Forbidden", "forbidden: %.*s", STR_ARG(text));
    if (!name.n)
        return err_set(err, 403, "Forbidden", "%.*s is forbidden: %.*s", STR_ARG(resource),
                       STR_ARG(text));
    return err_set(err, 403, "Forbidden", "%.*s \"%.*s\" is forbidden: %.*s", STR_ARG(resource),
                   STR_ARG(name), STR_ARG(text));
}

/* errors.NewInvalid: the causes in a row; several are in brackets, repeated ones said once. */
int fail_invalid(struct call *c, struct str name, val *causes, struct err *err)
{
    set_details(c, name, true);
    c->details.causes = causes;
    struct buf b = {0};
    size_t n = val_len(causes), said = 0;
    VAL_FOR (causes, cause) {
        struct buf one = {0};
        struct str field = VAL_STR(cause, "field");
        buf_printf(&one, "%.*s%s%.*s", STR_ARG(field), field.n ? ": " : "",
                   STR_ARG(VAL_STR(cause, "message")));
        if (str_find(buf_str(&b), buf_str(&one)) < 0) {
            buf_printf(&b, "%s%s", said ? ", " : "", buf_z(&one));
            said++;
        }
        buf_done(&one);
    }
    const char *kind = c->kind ? c->kind->k->kind : "";
    const char *group = c->kind ? c->kind->k->group : "";
    err_set(err, 422, "Invalid", "%s%s%s \"%.*s\" is invalid%s%s%s%s", kind, *group ? "." : "",
            group, STR_ARG(name), n ? ": " : "", said > 1 ? "[" : "", buf_z(&b),
            said > 1 ? "]" : "");
    buf_done(&b);
    return -1;
}

int fail_method(struct call *c, struct err *err)
{
    set_details(c, (struct str){0}, false);
    return err_set(err, 405, "MethodNotAllowed",
                   "the server does not allow this method on the requested resource");
}
