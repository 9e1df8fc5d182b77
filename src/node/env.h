/* env.h: the environment of a container. One thread at a time. */
#pragma once

#include "base/buf.h"
#include "doc/val.h"

/* Names with values, in the order in which names came first; setting a name again replaces its
 * value. */
struct env_var {
    char *name, *value;
};
struct env {
    struct env_var *vars;
    size_t count, cap;
};
void env_done(struct env *e);
void env_set(struct env *e, struct str name, struct str value);
const char *env_get(const struct env *e, struct str name); /* NULL: not set */

/* $(NAME) in text becomes the value; an unknown name stays as it is written, $$ is one dollar
 * sign: k8s.io/kubernetes third_party/forked/golang/expansion. Appends. */
void env_expand(const struct env *e, struct str text, struct buf *b);

/* What the kubelet sets for a Service: NAME_SERVICE_HOST, NAME_SERVICE_PORT[_PORTNAME] and docker's
 * link variables. Headless services and external names have none. */
void env_add_service(struct env *e, const val *service);

/* A name that envFrom may set: C identifiers, and with relaxed validation (1.34) any printable
 * ASCII but '='. */
bool env_name_ok(struct str name);
