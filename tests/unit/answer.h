/* answer.h: the programs that tests/compat asks: one case in JSON a line on standard input, one
 * line of words in hex as its answer. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "doc/val.h"

static inline struct str answer_unhex(struct arena *a, struct str s)
{
    char *p = arena_zalloc(a, s.n / 2 + 1);
    for (size_t i = 0; i + 1 < s.n; i += 2)
        p[i / 2] = (char)strtol((char[]){s.p[i], s.p[i + 1], '\0'}, NULL, 16);
    return (struct str){p, s.n / 2};
}

static inline void answer_put(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        printf("%02x", (unsigned char)s.p[i]);
}

/* The whole answer. */
static inline void answer_two(struct str output, struct str error)
{
    answer_put(output);
    putchar(' ');
    answer_put(error);
    putchar('\n');
    fflush(stdout);
}

/* Until the input ends; "-" for what is no JSON. */
static inline void answer_all(void (*answer)(const val *question))
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, stdin)) > 0) {
        struct doc doc;
        val *c;
        struct err err;
        doc_init(&doc);
        if (doc_parse_json(&doc, (struct str){line, (size_t)n}, &c, &err) == 0)
            answer(c);
        else
            answer_two(STR("-"), STR(""));
        doc_done(&doc);
    }
    free(line);
}
