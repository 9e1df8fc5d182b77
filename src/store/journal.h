/* journal.h: the log before LMDB, which makes a write durable. Inside store/ only.
 *
 * Syncing LMDB costs two waits for the disk and scattered pages with each commit. So a group of
 * writes goes into the journal first, one record that is written and synced at once into a file
 * that was filled with zeros before (no metadata changes), and then into LMDB without a sync. Now
 * and then everything is synced behind the committer's back: a checkpoint.
 *
 * After a crash LMDB's file may hold any mixture of old and new pages, but the pages of the last
 * checkpoint: a reader, the pin, keeps LMDB from using them again. So the checkpoint remembers
 * LMDB's meta page; it is put back, and the records behind it are carried out once more. There is
 * one way of recovery, for kill -9 and for power loss; being interrupted, it begins anew.
 *
 *   block 0, 1   checkpoints, the one of epoch e in block e % 2
 *   two halves   records, those behind the checkpoint of epoch e in half e % 2
 *
 * While the checkpoint e + 1 is under way its records are written already; only when it is there,
 * half e % 2 is free. A record that is not whole ends the log; one that is damaged and has whole
 * ones behind it is an error: something was lost that had been acknowledged.
 *
 * Until the file is filled, and when there is no room for it, LMDB syncs as it always did. A store
 * that was closed in order needs no journal. */
#pragma once

#include "store/internal.h"

enum {
    JOURNAL_BLOCK = 4096,
    JOURNAL_HALF = 8 << 20,
    JOURNAL_SIZE = 2 * JOURNAL_BLOCK + 2 * JOURNAL_HALF,
    JOURNAL_META = 256, /* of LMDB's meta page */
};

/* Host-endian, as LMDB is. Sums are XXH3 (64 bits) of all behind them. */
struct journal_checkpoint {
    uint64_t sum;
    char magic[8];
    uint64_t epoch;  /* 0: none */
    uint64_t closed; /* 1: LMDB's file is whole without the journal */
    uint64_t salt;   /* of the records' sums, so that no value can look like a record */
    uint64_t page_size, txn;
    char meta[JOURNAL_META];
};

struct journal_record {
    uint64_t sum; /* of the payload as well */
    uint64_t epoch;
    int64_t before, after; /* revisions */
    uint64_t n;            /* bytes of changes behind this head */
};

/* With the folder's lock, before LMDB opens it: puts back the checkpoint of a store that was not
 * closed. */
int journal_open(struct store *s, struct err *err);
/* Behind it: carries out what the journal has more. */
int journal_replay(struct store *s, struct err *err);
/* Whether the folder's store was not closed in order. */
bool journal_unclosed(const char *dir);
/* From now on for a committer's use. */
int journal_start(struct store *s, struct err *err);
/* Syncs LMDB and says so. The committer has ended. */
void journal_close(struct store *s);

/* --- the committer's; a group is begun, gets changes, is written before LMDB commits, and settled
 * behind it. LMDB codes. Without a journal all of them are fine and do nothing. --- */
void journal_begin(struct store *s);
void journal_put(struct store *s, int64_t revision, uint32_t index, const struct change *c);
int journal_write(struct store *s, int64_t before, int64_t after);
/* committed: LMDB has it; else the record is taken back. */
int journal_settle(struct store *s, bool committed);
