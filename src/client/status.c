#include "client/status.h"

#include "doc/val.h"

/* metav1.StatusReason values and the HTTP status that each goes with. */
static const struct {
    int code;
    const char *reason;
} reasons[] = {
    {400, "BadRequest"},    {401, "Unauthorized"},          {403, "Forbidden"},
    {404, "NotFound"},      {405, "MethodNotAllowed"},      {406, "NotAcceptable"},
    {409, "Conflict"},      {409, "AlreadyExists"},         {410, "Expired"},
    {410, "Gone"},          {413, "RequestEntityTooLarge"}, {415, "UnsupportedMediaType"},
    {422, "Invalid"},       {429, "TooManyRequests"},       {500, "InternalError"},
    {500, "ServerTimeout"}, {503, "ServiceUnavailable"},    {504, "Timeout"},
};

/* err.reason is a static string: the one that is spelled like it, else the usual one of the code.
 */
static const char *static_reason(struct str reason, int code)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (str_is(reason, reasons[i].reason))
            return reasons[i].reason;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    return NULL;
}

int status_err(int http_status, struct str body, struct err *err)
{
    struct doc d;
    struct err ignored;
    val *v = NULL;
    doc_init(&d);
    if (doc_parse_json(&d, body, &v, &ignored) || !str_is(VAL_STR(v, "kind"), "Status")) {
        err_set(err, http_status, static_reason((struct str){0}, http_status),
                "the server answered with HTTP status %d", http_status);
    } else {
        int64_t code = VAL_INT(v, "code");
        int status = code >= 400 && code <= 599 ? (int)code : http_status;
        struct str message = VAL_STR(v, "message");
        err_set(err, status, static_reason(VAL_STR(v, "reason"), status), "%.*s", STR_ARG(message));
    }
    doc_done(&d);
    return -1;
}
