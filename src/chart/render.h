/* render.h: from a chart and values to documents. */
#pragma once

#include "chart/capabilities.h"
#include "chart/chart.h"
#include "template/func.h"

struct render_release {
    struct str name, namespace;
    int revision;
    bool is_upgrade, is_install; /* neither while linting */
};

/* A template's output. */
struct rendered {
    struct str name; /* "chart/templates/a.yaml" */
    struct str text;
};

struct rendered_list {
    struct rendered *items; /* in the order of their execution */
    size_t n;
};

struct render_options {
    struct render_release release;
    struct capabilities capabilities;
    bool strict;                      /* missing keys are errors */
    bool enable_dns;                  /* getHostByName asks */
    bool lint;                        /* `required` and `fail` let everything pass */
    const struct func *lookup;        /* an array with `lookup`, or NULL: there is no cluster */
    void *user;                       /* tmpl_user of functions */
    const struct tmpl_limits *limits; /* NULL: template.h's defaults; missing is set by strict */
};

/* Executes all templates of the chart, whose dependencies have been processed. values are those of
 * values_coalesce. */
int chart_render(struct chart_ctx *cx, const struct chart *c, struct vmap *values,
                 const struct render_options *o, struct rendered_list *ret);
/* "chart requires kubeVersion: … which is incompatible with Kubernetes …" */
int chart_check_kube_version(struct chart_ctx *cx, const struct chart *c,
                             const struct capabilities *capabilities);

/* --- manifest.c --- */
/* One document of the output. */
struct manifest {
    struct str path;    /* of its template */
    struct str content; /* without blanks around it */
    struct str kind, name, api_version;
    struct vmap *annotations; /* text to text, or NULL */
    int order;                /* where it stood */
    int weight;               /* of hooks */
    uint32_t events;          /* of hooks: bits of enum hook_event */
};

enum hook_event {
    HOOK_PRE_INSTALL,
    HOOK_POST_INSTALL,
    HOOK_PRE_DELETE,
    HOOK_POST_DELETE,
    HOOK_PRE_UPGRADE,
    HOOK_POST_UPGRADE,
    HOOK_PRE_ROLLBACK,
    HOOK_POST_ROLLBACK,
    HOOK_TEST,
};

struct manifests {
    struct manifest *items;
    size_t n, cap;
};

/* Splits the outputs into documents and sorts them by kind for installing; hooks apart. The notes
 * must not be among them. */
int manifests_sort(struct chart_ctx *cx, const struct rendered_list *rendered,
                   struct manifests *ret_hooks, struct manifests *ret_manifests);

/* Takes the next document out of *rest; empty ones too, except in front of the first separator. */
bool manifest_next(struct str *rest, struct str *ret);

/* A place in the order of installing; those of unknown kinds are equal and last. */
int manifest_install_rank(struct str kind);
