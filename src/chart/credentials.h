/* credentials.h: docker's config.json: what the user has given to registries. Helm's own file is
 * asked first, docker's second. Other members of a file are kept when it is changed. Passwords
 * never get into an error. */
#pragma once

#include "chart/chart.h"
#include "client/registry.h"

/* The credentials for a registry ("ghcr.io", "localhost:5000"); empty when there are none. */
int credentials_find(struct chart_ctx *cx, const char *config, struct str registry,
                     struct registry_auth *ret);
int credentials_put(struct chart_ctx *cx, const char *config, struct str registry,
                    struct str username, struct str password);
int credentials_remove(struct chart_ctx *cx, const char *config, struct str registry);
