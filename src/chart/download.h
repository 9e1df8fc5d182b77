/* download.h: from what a user calls a chart to a file: "repo/name" by the cached indexes, "name"
 * with the address of a repository, https://…/name.tgz, oci://… */
#pragma once

#include "chart/provenance.h"
#include "chart/repo.h"

enum verify_mode { VERIFY_NEVER, VERIFY_IF_POSSIBLE, VERIFY_ALWAYS, VERIFY_LATER };

struct chart_source {
    struct str version; /* or a range; empty: the newest release */
    struct str repo;    /* a repository's address, when not those of the user are meant */
    struct chart_access access;
    enum verify_mode verify;
    const char *keyring;
};

struct chart_download {
    const char *path;
    struct verification verification;
    struct str warning; /* a line for the user, or empty: there was nothing to verify against */
};
/* Fetches a chart, and its provenance if it is to be verified, into a folder that exists. */
int chart_fetch(struct chart_ctx *cx, const struct chart_home *home, struct str name,
                const struct chart_source *source, const char *dir, struct chart_download *ret);

/* The address of a chart in the repository at source->repo, without a cache. */
int chart_find_in_repo(struct chart_ctx *cx, struct str name, const struct chart_source *source,
                       struct str *ret_url);

/* Unpacks a packed chart into dir/NAME; nothing is written outside, even through links. */
int chart_expand(struct chart_ctx *cx, const char *dir, const char *file);
