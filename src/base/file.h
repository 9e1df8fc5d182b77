/* file.h: whole files, and replacing them so that a crash leaves the old or the new one. */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads a whole file of at most max bytes into b (appends). */
int file_read(const char *path, size_t max, struct buf *b, struct err *err);

/* Writes path.tmp, syncs it, renames it over path and syncs the folder. */
int file_write(const char *path, struct str content, mode_t mode, struct err *err);

/* The folder and the missing ones above it; existing ones are left as they are. */
int file_mkdirs(const char *path, mode_t mode, struct err *err);

/* A new folder for this program alone, below $TMPDIR or /tmp: "/tmp/NAME-x3Yd9Q". -1: errno tells
 * why, *ret_path what was tried. The caller frees the path in either case. */
int file_make_temp(const char *name, char **ret_path);

/* Removes path and all below it, following no link and leaving mount points' content alone. A
 * missing path is no error. */
int file_remove_tree(const char *path, struct err *err);
