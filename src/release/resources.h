/* resources.h: what `helm status --show-resources` shows: the live objects of a release and the
 * pods that its workloads select. */
#pragma once

#include "release/cluster.h"

/* Lists of objects by "v1/Deployment", and of PodLists by "v1/Pod(related)"; as_tables: each a
 * meta.k8s.io Table, as the server prints it. What does not exist is left out. */
int resources_of_release(struct chart_ctx *cx, struct cluster *c, const struct release *r,
                         bool as_tables, struct vmap **ret);

/* The tables as kubectl prints them, each kind behind "==> v1/Deployment". */
void resources_put_tables(struct vmap *resources, struct buf *out);
