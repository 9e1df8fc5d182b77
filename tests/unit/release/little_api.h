/* little_api.h: an API server of a few kinds in memory, behind a client: enough for what a release
 * does to a cluster. It keeps objects by their paths, answers lists and patches, counts calls, and
 * fails or changes what a test asks it to. */
#pragma once

#include "base/map.h"
#include "client/client.h"
#include "doc/patch.h"
#include "release/action.h"
#include "test.h"

struct little {
    struct map objects;  /* path to struct little_object */
    struct buf log;      /* "POST /api/v1/namespaces/ns/configmaps\n" … without the GETs */
    const char *refuse;  /* "POST /api/…": refused with 403 when the line begins so */
    const char *promote; /* the path whose status becomes `status` on the second GET */
    const char *status;
    int gets;
    bool more_kinds; /* things.example.com is served, too */
};

struct little_object {
    struct buf json;
};

struct client *little_new(struct little *l);
void little_done(struct little *l);
void little_set(struct little *l, const char *path, const char *json);
const char *little_get(struct little *l, const char *path); /* "": not there */

/* A chart_ctx, a cluster and a storage in memory over it. */
struct bench {
    struct arena arena;
    struct buf warnings;
    struct chart_ctx cx;
    struct little api;
    struct client *client;
    struct action x;
};
void bench_init(struct bench *b);
void bench_done(struct bench *b);
/* A chart of one template. */
struct chart *bench_chart(struct bench *b, const char *template);
