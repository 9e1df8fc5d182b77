/* node_graph.h: which objects the pods of which node refer to.
 *
 * Follows the pods in the store (feed.h); a reference is counted under its node, so that the size
 * depends on what differs and not on the number of pods. Any thread. */
#pragma once

#include "doc/val.h"
#include "store/store.h"

struct node_graph;

enum node_ref {
    NODE_REF_SECRET = 's',
    NODE_REF_CONFIGMAP = 'c',
    NODE_REF_CLAIM = 'v', /* a PersistentVolumeClaim */
    NODE_REF_ACCOUNT = 'a',
    NODE_REF_RESOURCE_CLAIM = 'r',
};

int node_graph_new(struct store *store, struct node_graph **ret, struct err *err);
void node_graph_free(struct node_graph *g);

bool node_graph_has(struct node_graph *g, struct str node, enum node_ref kind, struct str ns,
                    struct str name);
/* Lets go of events when many wait; cheap. Called on every request. */
void node_graph_tend(struct node_graph *g);
