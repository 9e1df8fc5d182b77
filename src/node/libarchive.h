/* libarchive.h: libarchive, loaded when the first image is unpacked. Linked, it and the libraries
 * behind it (XML, Unicode, compressions) would cost every start of the program, whatever its
 * subcommand, a millisecond and 2 MiB.
 *
 *     if (libarchive_load(err)) return -1;
 *     struct archive *a = libarchive()->read_new();
 */
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "base/err.h"

/* Any thread, any number of times. */
int libarchive_load(struct err *err);

#define LIBARCHIVE_FUNCTIONS(X)                                                                    \
    X(entry_filetype)                                                                              \
    X(entry_gid)                                                                                   \
    X(entry_hardlink)                                                                              \
    X(entry_mode)                                                                                  \
    X(entry_mtime)                                                                                 \
    X(entry_mtime_nsec)                                                                            \
    X(entry_pathname)                                                                              \
    X(entry_rdev)                                                                                  \
    X(entry_size)                                                                                  \
    X(entry_symlink)                                                                               \
    X(entry_uid)                                                                                   \
    X(entry_xattr_next)                                                                            \
    X(entry_xattr_reset)                                                                           \
    X(error_string)                                                                                \
    X(read_data_block)                                                                             \
    X(read_data_into_fd)                                                                           \
    X(read_free)                                                                                   \
    X(read_new)                                                                                    \
    X(read_next_header)                                                                            \
    X(read_open)                                                                                   \
    X(read_open_filename)                                                                          \
    X(read_support_filter_all)                                                                     \
    X(read_support_format_empty)                                                                   \
    X(read_support_format_raw)                                                                     \
    X(read_support_format_tar)                                                                     \
    X(set_error)

#define LIBARCHIVE_MEMBER(name) typeof(&archive_##name) name;
struct libarchive {
    LIBARCHIVE_FUNCTIONS(LIBARCHIVE_MEMBER)
};
/* Behind a successful libarchive_load. */
const struct libarchive *libarchive(void);
