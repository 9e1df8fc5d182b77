/* yaml_node.h: the tree of nodes between YAML's text and the values that it means. */
#pragma once

#include "base/arena.h"
#include "doc/val.h"

enum node_kind { SCALAR, SEQUENCE, MAPPING, ALIAS };

struct node {
    enum node_kind kind;
    bool implicit; /* a plain scalar without a tag */
    bool open;     /* an alias that is being followed */
    int line;      /* from 1 */
    struct str tag;
    struct str text;    /* of a scalar: lives in the doc; of an alias: its name */
    struct node *first; /* elements, or keys and values in turn; of an alias: its target */
    struct node *next;
    size_t count; /* elements; keys and values */
};

/* Reads the YAML that charts and manifests mostly are (yaml_plain.c says which) many times faster
 * than libyaml does, to the same nodes. NULL: the text holds something else, or something wrong,
 * and libyaml has to say what. */
struct node *yaml_read_plain(struct doc *doc, struct arena *nodes, struct str text);
