/* etcd_rpc.h: etcd's messages (api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto) as far as the store
 * uses them, and how a value lies in etcd.
 *
 * In etcd a value has a head of ETCD_VALUE_HEAD bytes: "tut1", then big-endian where the revision's
 * digits belong (32 bits, all ones: nowhere), which store wrote it and its number there (64 bits
 * each). The digits themselves are not in etcd, which gives out a revision only as it writes; every
 * reader puts the key's mod_revision in. By the two numbers a store finds its own writes in the
 * watch, whatever became of the answer. A value without the head, written by other programs, is
 * taken as it is. */
#pragma once

#include "store/pb.h"

enum { ETCD_VALUE_HEAD = 24 };

enum { /* rpc.proto's field numbers */
       RESPONSE_HEADER = 1,
       RANGE_RESPONSE_KVS = 2,
       TXN_COMPARE = 1,
       TXN_SUCCESS = 2,
       TXN_FAILURE = 3,
       TXN_RESPONSE_SUCCEEDED = 2,
       TXN_RESPONSE_RESPONSES = 3,
       OP_RANGE = 1,
       OP_PUT = 2,
       OP_DELETE = 3,
       WATCH_CREATE = 1,
       WATCH_PROGRESS = 3,
       WATCH_RESPONSE_EVENTS = 11,
};

struct etcd_header {
    uint64_t cluster_id;
    int64_t revision;
};

struct etcd_kv {
    struct str key, value;
    int64_t create_rev, mod_rev;
};

struct etcd_event {
    bool deleted;
    struct etcd_kv kv;
};

struct etcd_watch_response {
    struct etcd_header header;
    bool created, canceled, fragment;
    int64_t compact_revision;
    struct str cancel_reason;
    bool has_events;
};

struct etcd_range {
    struct str key, end; /* end empty: one key */
    int64_t limit, revision;
    bool keys_only;
};

/* --- requests --- */
void etcd_put_range(struct buf *b, const struct etcd_range *r); /* the fields of a RangeRequest */
void etcd_put_put(struct buf *b, struct str key, struct str value); /* those of a PutRequest */
void etcd_put_op_range(struct buf *b, uint32_t branch, const struct etcd_range *r);
void etcd_put_op_put(struct buf *b, uint32_t branch, struct str key, struct str value);
void etcd_put_op_delete(struct buf *b, uint32_t branch, struct str key);
void etcd_put_compare_mod(struct buf *b, struct str key, int64_t mod_rev); /* 0: not there */

/* --- answers; false: damaged --- */
bool etcd_get_header(struct str message, struct etcd_header *ret);
bool etcd_get_kv(struct str message, struct etcd_kv *ret);
bool etcd_get_event(struct str message, struct etcd_event *ret);
bool etcd_get_watch(struct str message, struct etcd_watch_response *ret);
/* Walks the kvs of a RangeResponse; *ret_more: there are further ones. */
bool etcd_next_kv(struct pb_reader *r, struct etcd_kv *ret);
bool etcd_range_more(struct str message);
/* Of a StatusResponse: whether progress notifications that are asked for come behind the events
 * (etcd's issue 15220, mended in 3.4.25 and 3.5.8). */
bool etcd_tells_progress(struct str status);

/* --- values --- */
struct etcd_mark {
    int32_t revision_at;
    uint64_t writer, number; /* 0: not a store's */
};
void etcd_put_value(struct buf *b, const struct etcd_mark *mark, struct str value);
struct str etcd_get_value(struct str stored, struct etcd_mark *ret);
