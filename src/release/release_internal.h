/* release_internal.h: what the files of a release's record share. */
#pragma once

#include "release/release.h"

/* Texts whose index is a bit. */
struct hook_names {
    const char *const *texts;
    size_t n;
};
extern const struct hook_names hook_event_names, hook_policy_names;
uint32_t hook_bit(const struct hook_names *names, struct str text); /* 0: it has none */
uint32_t hook_bits(const struct hook_names *names, const struct chart_strs *texts);

enum hook_phase hook_phase_of(struct str text);

int release_read_head(struct chart_ctx *cx, struct str json, struct release **ret);
