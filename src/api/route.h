/* route.h: what a request's path and method ask for.
 *
 * The rules are those of k8s.io/apiserver's RequestInfoFactory: /api/v1/… is the core group,
 * /apis/GROUP/VERSION/… the others, `namespaces/NS/` in front of a resource is its namespace, and
 * the verb comes from the method and from whether a name and watch=true are there. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "net/url.h"

struct route {
    struct str path;       /* decoded */
    bool resource_request; /* a resource is named; else one of the fixed paths */
    bool core;             /* below /api */
    bool groups;           /* below /apis */
    struct str group, version;
    struct str ns, resource, name, subresource;
    struct str rest;  /* behind the subresource, as in nodes/N/proxy/REST */
    const char *verb; /* "get", "list", "watch", "create", "update", "patch", "delete",
                         "deletecollection"; for others the lower-case method */
    struct url_query query;
};

/* Strings live in the arena. 400 for what cannot be decoded. */
int route_parse(struct arena *a, struct str method, struct str path, struct str query,
                struct route *ret, struct err *err);

/* "true" and "1", and a parameter without a value, as upstream's query decoding has it. */
bool route_flag(const struct route *r, const char *key);
