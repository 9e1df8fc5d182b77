#include "api/call.h"

enum call_next handle_apply(struct call *c)
{
    struct err err;
    err_set(&err, 415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/strategic-merge-patch+json");
    return call_fail(c, &err);
}
