/* etcd.h: a store whose truth is in an etcd cluster. Inside store/ only.
 *
 *   etcd.c        the thread, its queue, opening and closing, deadlines
 *   etcd_link.c   which member is talked to; changing it when it fails
 *   etcd_write.c  writes as transactions, many under way, and what became of them
 *   etcd_watch.c  the watch: events into the picture, revisions waited for
 *   etcd_sync.c   the whole keyspace when the watch cannot tell
 *   etcd_rpc.c, grpc.c, pb.c  messages, calls, their encoding
 *
 * All of it runs on one loop, on the committer's thread. A connection to a member is up when a read
 * through the quorum succeeded there and the watch stands; whatever fails takes the connection
 * down, and the next member is tried.
 *
 * * What becomes of a write whose answer is lost: each transaction also expects a key of the
 * store's own, its fence, to be as it was. After a loss the fence is moved first, through the next
 * connection; from then on what was sent before it cannot happen any more. When the picture has the
 * fence's revision the watch has shown every value of ours that made it, known by the number in its
 * head; a write that was not shown did not happen and is sent again. What remains are deletions
 * whose key is gone, maybe by another's hand, and events lost to compaction: nobody knows (504). */
#pragma once

#include "net/loop.h"
#include "store/etcd_rpc.h"
#include "store/grpc.h"
#include "store/internal.h"

enum {
    ETCD_MAX_ENDPOINTS = 16,
    ETCD_IN_FLIGHT = 512,
    ETCD_MAX_MESSAGE = 256 << 20,
    ETCD_ATTEMPT_MS = 4000, /* for one answer */
    ETCD_TICK_MS = 250,
    ETCD_SILENCE_MS = 5000, /* without a word on the watch the member counts as dead */
};

/* A write under way. */
struct pending {
    struct list link; /* in one of etcd's lists */
    struct etcd *e;
    struct store_write *w;
    struct grpc_call *call;
    uint64_t number; /* in the values' heads; its slot is number % ETCD_IN_FLIGHT */
    int64_t deadline_ms;
    int64_t seen_rev; /* the watch showed it */
    enum store_result result;
    int64_t answer_rev;        /* the writer hears when the picture has it */
    struct bytes *first_value; /* as the watch brought it */
};

/* An event that is not yet in the picture. */
struct incoming {
    size_t key_at;
    uint32_t key_n;
    int32_t revision_at;
    int64_t rev;
    struct bytes *value; /* NULL: deleted */
    uint64_t number;     /* of our own write; 0: another's */
};

struct sync; /* etcd_sync.c */

struct etcd {
    struct store *s;
    struct loop *loop;
    char *prefix, *prefix_end, *fence_key, *mark_key;
    uint64_t writer;
    int64_t timeout_ms;
    struct loop_timer tick;
    bool closing;

    /* From other threads; under the store's queue_lock. */
    struct loop_msg wake;
    struct store_barrier *barriers, **barriers_end;
    bool opened;  /* the picture was complete once */
    bool begun;   /* it is on the way */
    bool refused; /* it cannot be, for a reason that stays */
    struct err open_err;
    pthread_cond_t opened_wake;

    /* etcd_link.c */
    char *endpoints[ETCD_MAX_ENDPOINTS];
    size_t endpoint_count, endpoint;
    struct tls *tls;
    struct http_client *http;
    enum { LINK_DOWN, LINK_STARTING, LINK_UP } link;
    struct grpc_call *probe, *version;
    bool tells_progress; /* the member is new enough to be asked how far the watch is */
    bool usable;         /* the picture, for a watch to begin behind it */
    struct loop_timer redial;
    unsigned failures; /* in a row */
    int64_t up_since_ms, down_since_ms, heard_ms;
    atomic_bool reachable, hurried;

    /* etcd_write.c */
    struct store_write *queued, **queued_end; /* not yet begun */
    struct pending slots[ETCD_IN_FLIGHT];
    struct list free;
    struct list ready;    /* to be sent */
    struct list sent;     /* waits for the answer */
    struct list landed;   /* waits for the picture */
    struct list doubtful; /* has lost its answer */
    int64_t fence;        /* mod_revision of the store's own key */
    bool fenced;          /* moved since the connection was lost */
    struct loop_task more;
    struct buf scratch, value;

    /* etcd_watch.c */
    struct grpc_call *watch;
    struct incoming *incoming;
    size_t incoming_count, incoming_cap, incoming_whole; /* whole: not of an unfinished fragment */
    struct buf incoming_keys;
    int64_t marked; /* the newest change of the mark that was shown */
    struct grpc_call *mark;
    int64_t progress; /* the picture may be called this new once `whole` is in it */
    struct loop_task apply;
    struct loop_timer nudge;
    int64_t nudged_at;                          /* the picture's revision then */
    struct store_barrier *unread, **unread_end; /* waits for a read to begin */
    struct store_barrier *reading;              /* for the one under way */
    struct store_barrier *reaching;             /* waits for its at_least */
    struct grpc_call *read;

    struct store_barrier first; /* the picture store_open waits for */
    struct sync *sync;          /* etcd_sync.c; NULL: none under way */
    int64_t trim_at_ms;         /* next look at the picture's history */

    int64_t compact_at_ms, compact_key_rev, compact_rev; /* etcd_compact.c */
    struct grpc_call *compact;
};

/* --- etcd.c --- */
int etcd_new(struct store *s, struct etcd **ret, struct err *err);
void *etcd_thread(void *s);
/* Empties a picture's folder when it may be damaged. */
int etcd_dir_check(const char *dir, struct err *err);
/* From now on the folder is a picture that is being written. */
int etcd_dir_mark(const char *dir, struct err *err);
int etcd_wait_open(struct store *s, struct err *err);
void etcd_wake(struct store *s); /* with the queue_lock */
void etcd_free(struct etcd *e);
struct str etcd_key(struct etcd *e, struct str key, struct buf *scratch); /* with the prefix */
void etcd_opened(struct etcd *e);
void etcd_begun(struct etcd *e, bool begun);
static inline int64_t etcd_picture(const struct etcd *e)
{
    return e->s->state.revision;
}

/* --- etcd_link.c --- */
int etcd_link_init(struct etcd *e, struct err *err);
void etcd_link_done(struct etcd *e);
void etcd_link_start(struct etcd *e);
void etcd_link_up(struct etcd *e);                    /* the watch stands */
void etcd_link_lost(struct etcd *e, const char *why); /* the next member's turn */
void etcd_link_tick(struct etcd *e);
/* Nothing was reached for so long that no write or barrier need wait any longer. */
bool etcd_link_hopeless(const struct etcd *e);
/* A call with one answer, on the member that is talked to. */
struct grpc_call *etcd_call(struct etcd *e, const char *method, struct str request,
                            void (*done)(void *arg, int code, struct str message, const char *why),
                            void *arg);

/* --- etcd_write.c --- */
void etcd_write_init(struct etcd *e);
void etcd_write_more(struct etcd *e); /* begins queued writes, sends what is ready */
/* The picture has our write; key and value of one of its puts. */
void etcd_write_seen(struct etcd *e, uint64_t number, int64_t rev, struct str key,
                     struct bytes *value);
void etcd_write_lost_sight(struct etcd *e);     /* events were missed */
bool etcd_write_in_doubt(const struct etcd *e); /* the fence has to be moved */
bool etcd_write_waits(const struct etcd *e);    /* for the picture */
void etcd_write_settle(struct etcd *e);         /* the picture went on */
void etcd_write_tick(struct etcd *e);

/* --- etcd_watch.c --- */
void etcd_watch_start(struct etcd *e);
void etcd_watch_stop(struct etcd *e);
void etcd_watch_tick(struct etcd *e);
void etcd_watch_want(struct etcd *e); /* somebody waits for a revision past the picture */
void etcd_watch_done(struct etcd *e);
void etcd_barrier(struct etcd *e, struct store_barrier *b);
void etcd_barriers_settle(struct etcd *e);
void etcd_barriers_end(struct etcd *e); /* fails them all */

/* --- etcd_sync.c --- */
/* Whether the folder's picture is of this cluster and not ahead of it; -1: not to be used. */
int etcd_picture_check(struct etcd *e, const struct etcd_header *h, bool *ret_usable,
                       struct err *err);
void etcd_sync_start(struct etcd *e, bool from_nothing);
void etcd_sync_stop(struct etcd *e);

/* --- etcd_compact.c --- */
void etcd_compact_tick(struct etcd *e);
void etcd_compact_stop(struct etcd *e);
