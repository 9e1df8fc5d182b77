/* storage.h: where releases are kept: Secrets (the default), ConfigMaps (HELM_DRIVER=configmap) or
 * this process (memory).
 *
 * Secrets carry the labels name, owner=helm, status, version, createdAt or modifiedAt and the
 * user's own, so that real helm finds them. Calls block; failures put Helm's text into the
 * chart_ctx and, for those a caller tells apart, answer a STORAGE_ code. */
#pragma once

#include "client/client.h"
#include "release/release.h"

enum { STORAGE_OK = 0, STORAGE_FAILED = -1, STORAGE_NOT_FOUND = -2, STORAGE_EXISTS = -3 };

struct storage; /* belongs to the arena; keeps a pointer to client and chart_ctx */

/* driver: "", "secret", "secrets", "configmap", "configmaps" or "memory"; namespace "" means all
 * (for lists). history_max: older revisions beyond that many are removed by storage_create, never
 * the deployed one; 0: no limit. */
int storage_open(struct chart_ctx *cx, struct client *client, struct str driver,
                 struct str namespace, int history_max, struct storage **ret);

int storage_create(struct storage *s, const struct release *r);
int storage_update(struct storage *s, const struct release *r);
int storage_delete(struct storage *s, struct str name, int version);
int storage_get(struct storage *s, struct str name, int version, struct release **ret);

struct release_list {
    struct release **items;
    size_t n;
};
/* Oldest first. "release: not found" and STORAGE_NOT_FOUND when there is none. */
int storage_history(struct storage *s, struct str name, struct release_list *ret);
int storage_last(struct storage *s, struct str name, struct release **ret);
/* The newest one that is deployed. */
int storage_deployed(struct storage *s, struct str name, struct release **ret);
/* All revisions of all releases that the label selector lets through. */
int storage_list(struct storage *s, struct str selector, struct release_list *ret);
/* The same for lists: of every release (name "") or one, read by release_decode_head; newest: of
 * each release the last revision alone, which spares reading the others. */
int storage_heads(struct storage *s, struct str name, bool newest, struct release_list *ret);
