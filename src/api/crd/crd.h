/* crd.h: custom resources: the kinds that CustomResourceDefinitions make.
 *
 * The definitions in the store are the truth. A catalog is an immutable picture of all that are
 * established, compiled; the newest one is published as one pointer and read without locks. When
 * the store tells of a change of a definition, the next reader makes a new catalog before it goes
 * on, so whoever heard that a definition was written finds its kinds served, listed in discovery
 * and described in OpenAPI, here and in every other server on the same store. */
#pragma once

#include <stdatomic.h>

#include "api/crd/path.h"
#include "api/crd/schema.h"
#include "api/kind.h"

struct api;
struct call;
struct crd_registry;
struct discovery;

#define CRD_PREFIX "/registry/apiextensions.k8s.io/customresourcedefinitions/"
#define CRD_CLEANUP "customresourcecleanup.apiextensions.k8s.io"

struct crd;

struct crd_column {
    struct crd_path path;
    const char *type;
};

struct crd_version { /* one version: a kind, when it is served */
    struct crd *crd;
    struct kind kind;
    struct schema_kind info;
    struct strategy strategy;
    struct schema_custom hooks;
    const struct crd_schema *schema; /* NULL: none, everything is kept */
    const val *openapi;              /* NULL: none */
    bool preserve;                   /* spec.preserveUnknownFields */
    const char *warning;             /* for deprecated versions; NULL: none */
    struct crd_column *columns;
    size_t column_count;
    /* The scale subresource; paths without segments: there is none. */
    struct crd_path spec_replicas, status_replicas, selector;
    const char *spec_replicas_text;
};

struct crd { /* one definition, compiled; shared */
    atomic_uint refs;
    struct arena arena;
    struct doc doc;
    struct crd_compiled compiled;
    struct str name;
    int64_t revision;
    bool terminating;
    struct crd_version *versions; /* those that are served, then the others */
    size_t version_count, all_count;
    const struct crd_version *storage; /* the version in which objects are stored */
};

struct crd_catalog {
    atomic_uint refs;
    struct crd **all; /* in the order of names */
    size_t count;
    struct crd_version **kinds; /* by group, then version, preferred first, then resource */
    size_t kind_count;
    struct map by_resource; /* "group/version/resource" */
    struct discovery *discovery;
};

/* --- the registry: one an api (crd.c) --- */
int crd_start(struct api *api, struct err *err); /* loads what is stored */
void crd_stop(struct api *api);
/* The newest catalog; a reference for the caller. */
struct crd_catalog *crd_catalog_get(struct api *api);
void crd_catalog_unref(struct crd_catalog *catalog);
/* The version that serves the resource, its definition referenced for the caller, or NULL. */
struct crd_version *crd_find(struct api *api, struct str group, struct str version,
                             struct str resource);
void crd_unref(struct crd *crd); /* NULL is fine */

/* --- one definition (crd_define.c) --- */
/* json is a stored CustomResourceDefinition. NULL: it is not established, or broken. */
struct crd *crd_define(struct str name, struct str json, int64_t revision);
void crd_free(struct crd *crd);
static inline struct crd_version *crd_version_of(const struct schema_kind *k)
{
    return CONTAINER_OF(k, struct crd_version, info);
}

/* How Kubernetes orders versions: v2, v1, v1beta2, v1beta1, v1alpha1, then other words. <0: a
 * comes first. */
int crd_version_compare(struct str a, struct str b);

/* --- objects as they are stored, and as a version shows them (view.c) --- */
/* Whether stored bytes that begin with the kind's head are what the version shows. */
bool crd_is_plain(const struct schema_kind *k, struct str json);
/* Appends the object as this version shows it: converted as strategy None does, pruned, with the
 * defaults that its definition has now. false: it is no object of this kind. */
bool crd_view(const struct schema_kind *k, struct str json, struct buf *b);
/* Turns the call's object into the one that is stored, in the storage version, whose kind is the
 * answer. The write will fail when the definition changed meanwhile. */
const struct kind *crd_store_form(struct call *c, const val **obj);
/* Whether the object under the call's key would be stored otherwise now, though nobody changes it:
 * that is how clients migrate objects to a new storage version. */
bool crd_is_outdated(struct call *c);

/* --- judging definitions (crd_check.c), for the strategy of CustomResourceDefinition --- */
/* Appends causes for spec; old is NULL on create. */
void crd_check_spec(struct strategy_ctx *c, const val *spec, const val *old, bool established,
                    val *causes);
void crd_check_structural(struct doc *d, const val *openapi, struct str path, val *causes);

/* --- the janitor: takes the objects of deleted definitions away (crd_clean.c) --- */
struct crd_janitor;
struct crd_janitor *crd_janitor_start(struct api *api);
void crd_janitor_wake(struct crd_janitor *j); /* any thread */
/* A definition is gone, and its names are free. Any thread. */
void crd_janitor_freed(struct crd_janitor *j);
/* A custom resource with this uid is gone; what it owned is to go as well. Any thread. */
void crd_janitor_gone(struct crd_janitor *j, struct str uid);
/* The custom resource under this key is to go, and one of the collector's finalizers holds it. */
void crd_janitor_held(struct crd_janitor *j, struct str key);
void crd_janitor_stop(struct crd_janitor *j);

/* Deletes the objects all of whose owners are among these uids (crd_collect.c). */
struct client;
void crd_collect(struct api *api, struct client *client, const struct map *gone);
/* Does what the finalizers orphan and foregroundDeletion of a custom resource ask for, and takes
 * them off; false: it is to be tried again. */
bool crd_settle(struct api *api, struct client *client, struct str key);
/* "/registry/group/resource/" of a key. */
struct str crd_key_prefix(struct str key);
