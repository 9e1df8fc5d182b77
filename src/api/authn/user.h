/* user.h: who asks, and what for.
 *
 * The request path authenticates first and authorizes once the route is known; these are the two
 * questions and the types they share. Strings live in the request's arena or for ever; nobody frees
 * them. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "net/http.h"

struct api;
struct selector;

/* One key of user.Info's extra, as "authentication.kubernetes.io/credential-id". */
struct api_extra {
    struct str key;
    const struct str *values;
    size_t value_count;
};

struct api_user {
    struct arena *arena; /* the request's; set by the caller before authn_request, where all below
                            is made */
    struct str name, uid;
    const struct str *groups;
    size_t group_count;
    const struct api_extra *extra;
    size_t extra_count;
};

/* What authorizer.Attributes carries (k8s.io/apiserver/pkg/authorization/authorizer). */
struct authz_attributes {
    struct api *api;
    struct str verb;                            /* "get", "list", …, or the lower-case method of a
                                                   non-resource request */
    bool resource_request;                      /* false: only path counts */
    struct str group, version;                  /* "" is the core group */
    struct str resource, subresource, ns, name; /* each may be empty */
    struct str path;                            /* decoded */
    const struct selector *fields;              /* of a list or watch; may be NULL */
    bool explain;                               /* say why it is allowed, too */
};

/* Client certificate, bearer token, else system:anonymous with system:unauthenticated. 0, or -1
 * with 401 Unauthorized (credentials were given and are wrong). Any loop's thread. */
int authn_request(struct api *api, const struct http_request *r, struct api_user *ret,
                  struct err *err);

/* 1: allowed, 0: denied: members of system:masters may do everything, nodes what their pods need,
 * others what roles say. ret_reason (may be NULL) is why, empty when there is nothing to say; it
 * lives in user->arena. Any thread. */
int authz_check(const struct api_user *user, const struct authz_attributes *attributes,
                struct str *ret_reason);

static inline bool api_user_in(const struct api_user *u, const char *group)
{
    for (size_t i = 0; i < u->group_count; i++)
        if (str_is(u->groups[i], group))
            return true;
    return false;
}
