/* release.c: the names of a release's states. */
#include "release/release.h"

static const char *const status_texts[] = {
    [RELEASE_UNKNOWN] = "unknown",
    [RELEASE_DEPLOYED] = "deployed",
    [RELEASE_UNINSTALLED] = "uninstalled",
    [RELEASE_SUPERSEDED] = "superseded",
    [RELEASE_FAILED] = "failed",
    [RELEASE_UNINSTALLING] = "uninstalling",
    [RELEASE_PENDING_INSTALL] = "pending-install",
    [RELEASE_PENDING_UPGRADE] = "pending-upgrade",
    [RELEASE_PENDING_ROLLBACK] = "pending-rollback",
};

const char *release_status_text(enum release_status s)
{
    return status_texts[s];
}

enum release_status release_status_of(struct str text)
{
    for (size_t i = 0; i < sizeof status_texts / sizeof *status_texts; i++)
        if (str_eq(text, str_of(status_texts[i])))
            return (enum release_status)i;
    return RELEASE_UNKNOWN;
}

bool release_is_pending(enum release_status s)
{
    return s == RELEASE_PENDING_INSTALL || s == RELEASE_PENDING_UPGRADE ||
           s == RELEASE_PENDING_ROLLBACK;
}

struct str release_key(struct arena *a, struct str name, int version)
{
    return arena_printf(a, "sh.helm.release.v1.%.*s.v%d", STR_ARG(name), version);
}
