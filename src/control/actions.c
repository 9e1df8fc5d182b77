#include <stdio.h>

#include "control/reconcile.h"

void actions_init(struct actions *a, struct view *v)
{
    *a = (struct actions){.view = v, .requeue_ms = -1};
    a->last = &a->first;
}

void act_next_phase(struct actions *a)
{
    a->phase++;
}

static struct action *add(struct actions *a, enum act_verb verb, enum kind kind, struct str ns,
                          struct str name)
{
    struct action *n = ARENA_NEW(a->view->arena, struct action);
    n->verb = verb;
    n->kind = kind;
    n->resource = kind < KIND_COUNT ? kind_infos[kind].resource : NULL;
    n->ns = ns;
    n->name = name;
    n->phase = a->phase;
    *a->last = n;
    a->last = &n->next;
    a->count++;
    return n;
}

static struct action *add_on(struct actions *a, enum act_verb verb, const struct item *i)
{
    struct action *n = add(a, verb, i->kind, i->ns, i->name);
    n->uid = i->uid;
    n->rv = i->rv;
    return n;
}

struct action *act_create(struct actions *a, enum kind kind, val *object)
{
    struct doc *d = a->view->doc;
    if (!val_get(object, "apiVersion"))
        val_set_z(d, object, "apiVersion", kind_infos[kind].api_version);
    if (!val_get(object, "kind"))
        val_set_z(d, object, "kind", kind_infos[kind].kind);
    struct action *n = add(a, ACT_CREATE, kind, VAL_STR(object, "metadata", "namespace"),
                           VAL_STR(object, "metadata", "name"));
    n->object = object;
    return n;
}

struct action *act_update(struct actions *a, enum kind kind, val *object, const char *sub)
{
    struct action *n = add(a, ACT_UPDATE, kind, VAL_STR(object, "metadata", "namespace"),
                           VAL_STR(object, "metadata", "name"));
    n->uid = VAL_STR(object, "metadata", "uid");
    str_to_i64(VAL_STR(object, "metadata", "resourceVersion"), &n->rv);
    n->object = object;
    n->sub = sub;
    return n;
}

struct action *act_patch(struct actions *a, const struct item *i, const char *sub,
                         enum client_patch type, val *patch)
{
    struct action *n = add_on(a, ACT_PATCH, i);
    n->sub = sub;
    n->patch = type;
    n->object = patch;
    return n;
}

struct action *act_delete(struct actions *a, const struct item *i, const char *policy)
{
    struct doc *d = a->view->doc;
    struct action *n = add_on(a, ACT_DELETE, i);
    n->object = val_new_obj(d);
    val_set_z(d, n->object, "apiVersion", "v1");
    val_set_z(d, n->object, "kind", "DeleteOptions");
    val_set_s(d, val_ensure_obj(d, n->object, "preconditions"), "uid", i->uid);
    if (policy)
        val_set_z(d, n->object, "propagationPolicy", policy);
    return n;
}

struct action *act_post_sub(struct actions *a, const struct item *i, const char *sub, val *object)
{
    struct action *n = add_on(a, ACT_POST_SUB, i);
    n->sub = sub;
    n->object = object;
    return n;
}

struct action *act_delete_all(struct actions *a, const struct resource *r, struct str ns)
{
    struct action *n = add(a, ACT_DELETE_ALL, KIND_COUNT, ns, (struct str){0});
    n->resource = r;
    return n;
}

void act_event(struct actions *a, struct action *when, const struct item *about, const char *type,
               const char *reason, const char *format, ...)
{
    char text[1024]; /* upstream's limit of an event's message */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct act_event *e = ARENA_NEW(a->view->arena, struct act_event);
    e->about = about;
    e->type = type;
    e->reason = reason;
    e->message = arena_dup(a->view->arena, str_of(text));
    if (when) {
        when->event = e;
        return;
    }
    struct event_list *l = ARENA_NEW(a->view->arena, struct event_list);
    *l = (struct event_list){e, a->events};
    a->events = l;
}

void act_requeue(struct actions *a, int64_t ms)
{
    if (a->requeue_ms < 0 || ms < a->requeue_ms)
        a->requeue_ms = ms;
}
