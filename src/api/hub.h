/* hub.h: the watchers of one loop. Everything on the loop's thread unless it says otherwise. */
#pragma once

#include "api/core.h"
#include "api/event.h"

struct watcher {
    struct list link; /* in its bucket */
    struct hub *hub;
    struct call *call; /* owned; its arena holds the selection */
    struct selection selection;
    struct str scope; /* key prefix: the kind's, or one namespace of it */
    int64_t since;    /* the revision up to which it has been told everything */
    bool bookmarks, columns_sent;
    int64_t bookmark_ms; /* when the last one was sent */
    size_t bound;        /* more bytes waiting than this: the reader is too slow */
    size_t waiting;      /* as the last write said */
    bool can_wait;       /* the sink tells when it is empty again */
    bool behind;         /* events after `since` are left to the store until then */
    int64_t told;        /* the revision of the last event offered to it */
    struct watch_sink sink;
    struct loop_timer timeout;
};

struct hub_bucket { /* the watchers of one scope */
    struct list watchers;
};

/* The revision up to which the loop has seen all events. */
int64_t hub_revision(const struct hub *h);
void hub_add(struct hub *h, struct watcher *w);
/* false: the watcher is gone, as its reader was gone or too slow. */
bool watcher_event(struct watcher *w, struct store_event *e);
/* The same for events as they happen: one that lags is told later. */
bool watcher_offer(struct watcher *w, struct store_event *e);
bool watcher_bookmark(struct watcher *w, int64_t revision, bool initial_end);
void watcher_end(struct watcher *w); /* tells the sink, frees */
void watcher_drained(
    struct watcher *w); /* the sink is empty: what was left out is read from the store */
