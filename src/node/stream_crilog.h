/* stream_crilog.h: reads a container's log (CRI format) as text.
 *
 * A log is a chain of files: PATH.4 … PATH.1 (older) and PATH. They are read as one, oldest first,
 * and the reader stays on the trail when PATH is rotated while it reads. Records of a line that was
 * too long (tag P) are joined; records of another form are skipped, as upstream does
 * (k8s.io/cri-client/pkg/logs). One thread at a time. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct crilog_options {
    int64_t tail;     /* lines at the end; -1: all */
    int64_t since_ns; /* records from then on; 0: all */
    int64_t limit;    /* bytes of text at most; -1: no limit */
    bool timestamps;  /* each line begins with its time */
    bool no_stdout, no_stderr;
};

struct crilog;

/* Opens the chain and finds the start (reads from the end when there is a tail). A log that is not
 * there is empty. */
int crilog_open(const char *path, const struct crilog_options *options, struct crilog **ret,
                struct err *err);
void crilog_free(struct crilog *l);

enum crilog_state {
    CRILOG_MORE,  /* `max` bytes were appended, there may be more */
    CRILOG_END,   /* all that was written so far */
    CRILOG_LIMIT, /* the limit is reached */
};
/* Appends about max bytes of text to out. */
enum crilog_state crilog_read(struct crilog *l, struct buf *out, size_t max);
/* After CRILOG_END: whether there is more by now (it went on to the next file of the chain, or the
 * file grew). */
bool crilog_grew(struct crilog *l);
