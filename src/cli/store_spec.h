/* store_spec.h: which store a command works on, as its user says it.
 *
 *   lmdb=DIR            the store of the server whose data is in DIR
 *   etcd=URL,URL…       what servers keep in an etcd cluster */
#pragma once

#include "store/store.h"

struct store_spec {
    const char *text; /* NULL: the store in data_dir */
    const char *data_dir;
    const char *cafile, *certfile, *keyfile, *prefix; /* for etcd; NULL: the store's defaults */
    const char *compaction; /* how long history is kept, "5m0s"; "0": as long as there is room */
};

/* The configuration, whose strings are the spec's but for dir: that is written to ret_dir, which
 * has to live as long. Over etcd it is data_dir/picture. */
int store_spec_parse(const struct store_spec *spec, struct buf *ret_dir, struct store_config *ret,
                     struct err *err);
