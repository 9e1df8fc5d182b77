/* leader.h: of several servers one carries out the controllers and the scheduler.
 *
 * Who that is, Leases in kube-system say, by the rules of client-go's leaderelection: a holder
 * renews every retry_ms; it stops when that has not succeeded for renew_ms; another takes over when
 * it has not seen the Lease change for as long as the Lease says. Each goes by its own clock, so
 * clocks need not agree. A clean stop lets go of the Leases, and the next has them within a retry.
 *
 * All Leases named have one holder: they are taken in order, and the work begins with the last.
 *
 * Where the store is nobody else's (`alone`), any former holder is dead: the work begins at once,
 * the Leases follow, and are kept so that tools find in them what they expect. */
#pragma once

#include "base/clock.h"
#include "client/client.h"

enum { LEADER_MAX_LEASES = 4 };

struct leader_config {
    const char *const *leases; /* names, at most LEADER_MAX_LEASES, NULL-terminated */
    const char *identity;      /* unique to this process */
    bool alone;
    int64_t lease_ms, renew_ms, retry_ms; /* 0: 15 s, 10 s and 2 s, upstream's */
    /* On the leader's own thread, in turns: won begins the work (-1: it could not, and is called
     * again), lost has ended it when it returns. */
    int (*won)(void *arg);
    void (*lost)(void *arg);
    void *arg;
};

struct leader;

/* Borrows everything until leader_stop. */
int leader_start(struct client *c, struct world *w, const struct leader_config *config,
                 struct leader **ret, struct err *err);
/* Ends the work if it is ours, then lets go of the Leases. NULL is fine. */
void leader_stop(struct leader *l);
