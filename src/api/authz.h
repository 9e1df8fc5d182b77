/* authz.h: authorization's questions beside authz_check (user.h). */
#pragma once

#include "api/user.h"

/* The node that a user is, or empty: system:node:NAME in group system:nodes. */
struct str authz_node_of(const struct api_user *user);
