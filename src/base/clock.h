/* clock.h: the seam to time and randomness.
 *
 * Code that must be testable under a virtual clock takes a `struct world *` and asks it;
 * world_real() is the machine's. A simulator provides its own. The functions may be called on any
 * thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct world {
    int64_t (*mono_ms)(struct world *w); /* monotonic milliseconds, arbitrary origin */
    int64_t (*wall_ns)(struct world *w); /* nanoseconds since 1970, UTC */
    void (*random)(struct world *w, void *p,
                   size_t n); /* unpredictable bytes (a simulator: seeded) */
};

struct world *world_real(void);

static inline int64_t mono_ms(struct world *w)
{
    return w->mono_ms(w);
}

static inline int64_t wall_ns(struct world *w)
{
    return w->wall_ns(w);
}

/* A version 4 UUID in lower case; ret has 37 bytes, NUL included. */
void world_uuid(struct world *w, char ret[37]);

/* n characters of "bcdfghjklmnpqrstvwxz2456789" and a NUL: the alphabet of
 * k8s.io/apimachinery/pkg/util/rand, as in generateName. */
void world_suffix(struct world *w, size_t n, char *ret);
