/* storage_internal.h: what storage asks of the places where records are kept. */
#pragma once

#include "release/storage.h"

/* A release as it is kept. */
struct storage_record {
    struct str key;       /* release_key */
    struct str namespace; /* that of the release */
    struct vmap *labels;  /* text to text */
    struct str text;      /* release_encode */
};

/* The record is the callback's only for the call. -1 ends the walk. */
typedef int storage_each(void *arg, const struct storage_record *r);

/* All answer a STORAGE_ code, with Helm's text in the chart_ctx. */
struct storage_driver {
    int (*create)(struct storage *s, const struct storage_record *r);
    int (*update)(struct storage *s, const struct storage_record *r);
    int (*remove)(struct storage *s, struct str key);
    /* Calls each once. */
    int (*get)(struct storage *s, struct str key, storage_each *each, void *arg);
    /* doing: "list" or "query", for the error's text. */
    int (*list)(struct storage *s, struct str selector, const char *doing, storage_each *each,
                void *arg);
    bool wraps; /* puts what it was doing in front of errors, as Helm's Secrets do */
};

extern const struct storage_driver storage_secrets, storage_configmaps, storage_memory;

struct storage {
    struct chart_ctx *cx;
    struct client *client;
    const struct storage_driver *driver;
    struct str namespace;
    int history_max;
    struct storage_record *kept; /* in memory */
    size_t kept_n, kept_cap;
};

int storage_fail_not_found(struct storage *s);
int storage_fail_exists(struct storage *s);
