/* record.h: how keys and records lie in LMDB.
 *
 *   kv    key                       -> struct kv_head, value: the newest version of each key
 *   hist  history key (see below)   -> struct hist_head, data: versions that were superseded
 *   log   revision, index (big end) -> struct log_head, key: what each revision did
 *   meta  "state"                   -> struct store_state
 *
 * A version is readable at revisions from its mod_rev up to its end_rev (exclusive), so deletions
 * need no tombstones. Superseded versions are kept as a delta to their successor; at most
 * MAX_DELTAS in a row, then a whole one, so that reading one version is bounded work. Heads are
 * packed host-endian structs: an LMDB file stays on its machine. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
    MAX_KEY = 511,               /* LMDB's limit */
    MAX_VALUE = 16 << 20,        /* far above what an API server admits */
    MAX_STORED = MAX_VALUE + 20, /* with the revision's digits */
    MAX_DELTAS = 15,
    HIST_TAIL = 2 + 8, /* terminator and revision */
    STORE_FORMAT = 2,
};

struct kv_head {
    int64_t create_rev, mod_rev;
    uint8_t deltas;      /* how many deltas stand behind this version, since the last whole one */
    int32_t revision_at; /* where mod_rev's digits stand in the value; -1: nowhere */
} __attribute__((packed));

struct hist_head {
    int64_t create_rev, end_rev;
    uint32_t raw_n; /* length of the value */
    uint8_t delta;  /* data is a delta to the version that starts at end_rev */
} __attribute__((packed));

struct log_head {
    int64_t prev_rev; /* mod_rev of the version that was superseded, 0: none */
    uint8_t type;     /* enum store_event_type */
} __attribute__((packed));

struct store_state {
    int64_t format, revision, compacted;
    int64_t hist_bytes; /* what hist and log hold */
};

enum { LOG_KEY = 12, HIST_KEY_ROOM = 2 * MAX_KEY + HIST_TAIL };

/* Order-preserving: key bytes with NUL as 00 FF, then 00 01, then the revision. Returns the length;
 * what is longer than MAX_KEY cannot be stored. key.n is at most MAX_KEY. */
size_t hist_key(struct str key, int64_t rev, char ret[HIST_KEY_ROOM]);
/* The key of an encoded history key; false: damaged. */
bool hist_key_parse(struct str encoded, struct buf *ret_key, int64_t *ret_rev);

void log_key(int64_t rev, uint32_t index, char ret[LOG_KEY]);
int64_t log_key_revision(struct str encoded);

/* Splits a record into head and rest; false: too short. */
bool record_split(struct str record, void *ret_head, size_t head_n, struct str *ret_rest);
