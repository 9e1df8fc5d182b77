/* journal_file.h: the journal's file, and LMDB's meta pages. Inside store/ only. */
#pragma once

#include "store/journal.h"

struct journal_file {
    char *path;
    int read_fd;
    int write_fd; /* each write is on the disk when it returns */
    char *block;  /* aligned as direct writes need it; the committer's */
    size_t block_n;
    struct journal_checkpoint checkpoint; /* the newest one, when it was opened */
};

int journal_file_open(struct journal_file *f, const char *dir, struct err *err);
void journal_file_close(struct journal_file *f);
/* Makes it as long as it will ever be. false: no room. */
bool journal_file_fill(struct journal_file *f);
/* errno, or 0. */
int journal_file_checkpoint(struct journal_file *f, struct journal_checkpoint *c);
/* -1 with errno. Fills in the head's n and sum. */
int journal_file_append(struct journal_file *f, size_t at, struct journal_record *head,
                        struct str payload);
int journal_file_erase(struct journal_file *f, uint64_t epoch, size_t at);

size_t journal_record_size(size_t payload_n); /* in the file */

struct journal_change {
    int64_t revision;
    uint32_t index;
    struct change change;
};
void journal_put_change(struct buf *b, int64_t revision, uint32_t index, const struct change *c);
/* The next change of a payload, whose value the caller unrefs. */
bool journal_get_change(struct str *payload, struct journal_change *ret);

struct journal_reader {
    const struct journal_file *file;
    uint64_t epoch;
    size_t at;
    struct buf body;
};
/* 1: a record that begins at the revision; 0: there is none; -1: whole ones follow a damaged one.
 */
int journal_next(struct journal_reader *r, int64_t before, struct journal_record *ret,
                 struct str *ret_payload, struct err *err);

/* c->txn's meta page. false: it is not where it should be. */
bool checkpoint_read_meta(int lmdb_fd, struct journal_checkpoint *c);
/* Makes LMDB open what the checkpoint saw. */
int checkpoint_put_back(const struct journal_checkpoint *c, const char *dir, struct err *err);
