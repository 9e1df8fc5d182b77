#include "api/core.h"

struct relay_pool {
    struct api_loop *at;
};

struct relay_pool *relay_pool_new(struct api_loop *at)
{
    struct relay_pool *p = NEW(struct relay_pool);
    p->at = at;
    return p;
}

void relay_pool_free(struct relay_pool *p)
{
    free(p);
}

enum call_next handle_relay(struct call *c)
{
    struct err err;
    err_set(&err, 503, "ServiceUnavailable", "no connection to agents");
    return call_fail(c, &err);
}
