/* backup.h: the file that store_backup writes. Inside store/ only.
 *
 *   "tuttibk1", revision
 *   for each key, in order: key length (not 0), value length, revision_at, create_rev, mod_rev,
 * key, value key length 0, number of keys, XXH3 (64 bits) of all bytes before it
 *
 * Numbers are big-endian; lengths and revision_at have 32 bits, the others 64. */
#pragma once

#include <stdio.h>
#include <xxhash.h>

#include "store/record.h"

struct backup_record {
    struct str key, value;
    struct kv_head head;
};

struct backup_reader {
    FILE *file;
    XXH3_state_t *hash;
    struct buf body; /* of the newest record */
    int64_t revision, count;
};

/* The reader is at the first record afterwards. */
int backup_open(struct backup_reader *r, const char *path, struct err *err);
/* 1: a record, valid until the next call; 0: the end, and the sum is right; -1. */
int backup_next(struct backup_reader *r, struct backup_record *ret, struct err *err);
void backup_close(struct backup_reader *r);
