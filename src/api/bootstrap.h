/* bootstrap.h: the objects that every cluster has from its first moment on: default roles and
 * bindings (rbac_policy.h), the system's priority classes. */
#pragma once

#include "base/err.h"

struct api;

/* Makes what is missing, and gives default roles and bindings back what they lost, unless their
 * annotation rbac.authorization.kubernetes.io/autoupdate is "false". Needs the system's namespaces;
 * several servers may do it at once. */
int bootstrap_objects(struct api *api, struct err *err);
