/* The authorizer library: requests are built step by step and then put to the caller. */
#include "cel/functions.h"
#include "cel/kube.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)
#define UNUSED (void)ev, (void)n

static struct cel_check *next(struct eval *ev, const struct cel_value *args)
{
    struct cel_check *c = ARENA_NEW(ev->a, struct cel_check);
    *c = *args[0].check;
    return c;
}

static struct cel_value of_check(enum cel_kind kind, const struct cel_check *c)
{
    return (struct cel_value){.kind = kind, .check = c};
}

struct cel_value cel_authorizer(struct arena *a)
{
    return of_check(CEL_AUTHORIZER, ARENA_NEW(a, struct cel_check));
}

#define STEP(function, kind, member)                                                               \
    FN(function)                                                                                   \
    {                                                                                              \
        UNUSED;                                                                                    \
        struct cel_check *c = next(ev, args);                                                      \
        c->question.member = args[1].s;                                                            \
        return of_check(kind, c);                                                                  \
    }

STEP(cel_fn_check_path, CEL_PATH_CHECK, path)
STEP(cel_fn_check_group, CEL_GROUP_CHECK, group)
STEP(cel_fn_check_resource, CEL_RESOURCE_CHECK, resource)
STEP(cel_fn_check_subresource, CEL_RESOURCE_CHECK, subresource)
STEP(cel_fn_check_namespace, CEL_RESOURCE_CHECK, namespace)
STEP(cel_fn_check_name, CEL_RESOURCE_CHECK, name)
STEP(cel_fn_field_selector, CEL_RESOURCE_CHECK, field_selector)
STEP(cel_fn_label_selector, CEL_RESOURCE_CHECK, label_selector)

FN(cel_fn_service_account)
{
    UNUSED;
    struct cel_check *c = next(ev, args);
    c->question.service_account_namespace = args[1].s;
    c->question.service_account_name = args[2].s;
    return of_check(CEL_AUTHORIZER, c);
}

FN(cel_fn_check)
{
    UNUSED;
    struct cel_check *c = next(ev, args);
    c->question.verb = args[1].s;
    struct cel_decision *d = ARENA_NEW(ev->a, struct cel_decision);
    if (ev->in->authorize)
        d->answer = ev->in->authorize(ev->in->authorize_arg, &c->question, ev->a);
    return (struct cel_value){.kind = CEL_DECISION, .decision = d};
}

FN(cel_fn_decision_allowed)
{
    UNUSED;
    return cel_bool(args[0].decision->answer.allowed);
}

FN(cel_fn_decision_reason)
{
    UNUSED;
    return cel_string(args[0].decision->answer.reason);
}

FN(cel_fn_decision_errored)
{
    UNUSED;
    return cel_bool(args[0].decision->answer.error.n > 0);
}

FN(cel_fn_decision_error)
{
    UNUSED;
    return cel_string(args[0].decision->answer.error);
}
