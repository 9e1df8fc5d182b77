/* list.h: what a list asks for, and lists that are sent while they are read. */
#pragma once

#include "api/call.h"

struct list_plan {
    struct selection selection;
    struct str prefix, start, end;
    int64_t revision; /* 0: the newest */
    uint64_t limit;   /* 0: none */
    int64_t left;     /* how many items there are from start on, as the token says; 0: unknown */
    bool continued;
    const struct str *keys; /* of what may match, in order; NULL: all has to be looked at */
    size_t key_count;
};

/* From a namespace to the one object in it that the selection names, if it does. */
void list_narrow(struct call *c, struct list_plan *p);

/* The objects that a list has to look at, from the key `start` on, in a snapshot at its revision.
 * What comes is as the kind shows it, and matches. */
struct list_walk {
    const struct list_plan *p;
    const struct kind *k;
    struct store_snap *snap;
    struct store_iter *it; /* NULL: by keys */
    size_t next;           /* of them */
    struct buf room;
};
void list_walk_begin(struct list_walk *w, const struct list_plan *p, const struct kind *k,
                     struct store_snap *snap, struct str start);
bool list_walk_next(struct list_walk *w, struct store_kv *ret);
void list_walk_end(struct list_walk *w);

/* Appends the object as an item of a list in the call's form. */
void list_put_item(struct call *c, struct str json, struct buf *b);
/* `{"kind":…,"apiVersion":…,"metadata":META,"items":[` */
void list_put_head(struct call *c, struct str meta, struct buf *b);

/* Sends all of a list without a limit, at the revision of c->snap, in chunks: the memory that a
 * long list takes is that of what the reader has not taken yet. Over HTTP, not for tables. */
enum call_next list_stream(struct call *c, const struct list_plan *p);
