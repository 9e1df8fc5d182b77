/* jsonschema.h: JSON Schema, drafts 4, 6, 7, 2019-09 and 2020-12, as santhosh-tekuri/jsonschema v6
 * validates and reports (Helm's library). A schema is walked as it was read; references inside the
 * document, by pointer, anchor and $id, are followed, others are errors: nothing is fetched. */
#pragma once

#include "chart/chart.h"

/* A part of the document with a base address of its own. */
struct schema_resource {
    const val *root;
    struct str base; /* address without fragment */
    int draft;       /* 4, 6, 7, 2019, 2020 */
};

struct schema_set {
    struct chart_ctx *cx;
    struct schema_resource *items;
    size_t n;
    size_t checks; /* done so far */
};

/* Where a value lies: "/a/0", innermost first. */
struct schema_place {
    const struct schema_place *outer;
    struct str token;
};

enum schema_problem_kind { SCHEMA_PLAIN, SCHEMA_GROUP, SCHEMA_REF };

/* What does not fit, and why. */
struct schema_problem {
    enum schema_problem_kind kind;
    struct str place; /* as a JSON pointer */
    struct str text;
    struct schema_problem *causes, *last_cause; /* linked by next */
    struct schema_problem *next;
};

/* --- jsonschema_ref.c --- */
/* Finds the resources of a document, and looks all references up. */
int schema_set_init(struct schema_set *s, struct chart_ctx *cx, const val *root);
/* The resource that a schema is the root of, or `outer`. */
const struct schema_resource *schema_resource_of(const struct schema_set *s, const val *schema,
                                                 const struct schema_resource *outer);
/* What a reference means; NULL after chart_fail. */
const val *schema_resolve(const struct schema_set *s, struct str ref,
                          const struct schema_resource *from,
                          const struct schema_resource **ret_resource);

/* --- jsonschema_text.c --- */
struct str schema_place_text(struct arena *a, const struct schema_place *place);
void schema_put_problems(struct buf *b, const struct schema_problem *p, int indent);
void schema_put_quoted(struct buf *b, struct str s);  /* 'it\'s' */
void schema_put_number(struct buf *b, double number); /* 1,234.5 and 1×10⁰⁶ */
void schema_put_display(struct buf *b, const val *v); /* of enum and const */
