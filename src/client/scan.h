/* scan.h: finding values in JSON text without parsing it.
 *
 * For texts that the API server made: where something lies is found in one pass and nothing is
 * allocated. What is skipped is not checked; text of any kind is safe to scan. */
#pragma once

#include "base/str.h"

struct scan {
    struct str rest;
    bool object; /* else an array */
};

/* value is the text of an object or array. */
bool scan_open(struct str value, struct scan *ret);
/* The next member or element; key is the text between the quotes, empty for elements. */
bool scan_next(struct scan *s, struct str *ret_key, struct str *ret_value);
/* The value of a member of an object; empty: not there. */
struct str scan_member(struct str object, const char *key);
/* The content of a string without escapes (names, uids, versions have none); else empty. */
struct str scan_string(struct str value);

/* Cuts a stream of JSON values that follow each other (a watch) into its values. */
struct frames {
    char *held; /* the beginning of a value whose end has not come */
    size_t held_n, held_cap;
    size_t depth;
    bool in_string, escaped;
};
enum { FRAME_MAX = 32 << 20 };
typedef void frame_fn(void *arg, struct str value);
/* Calls fn for each object that is complete. false: too long or no object. */
bool frames_feed(struct frames *f, struct str piece, frame_fn *fn, void *arg);
void frames_done(struct frames *f); /* empty and usable again */
