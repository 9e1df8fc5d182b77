#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t real_mono_ms(struct world *w)
{
    (void)w;
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

static int64_t real_wall_ns(struct world *w)
{
    (void)w;
    return read_ns(CLOCK_REALTIME);
}

static void real_random(struct world *w, void *p, size_t n)
{
    (void)w;
    char *at = p;
    while (n) {
        ssize_t got = getrandom(at, n > 256 ? 256 : n, 0);
        if (got < 0)
            continue;
        at += got;
        n -= (size_t)got;
    }
}

struct world *world_real(void)
{
    static struct world real = {real_mono_ms, real_wall_ns, real_random};
    return &real;
}

void world_uuid(struct world *w, char ret[37])
{
    uint8_t b[16];
    w->random(w, b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    char *at = ret;
    for (int i = 0; i < 16; i++) {
        at += sprintf(at, "%02x", b[i]);
        if (i == 3 || i == 5 || i == 7 || i == 9)
            *at++ = '-';
    }
    *at = '\0';
}

void world_suffix(struct world *w, size_t n, char *ret)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    for (size_t i = 0; i < n;) {
        uint8_t byte;
        w->random(w, &byte, 1);
        if (byte >= 27 * 9)
            continue; /* keeps the letters equally likely */
        ret[i++] = alphabet[byte % 27];
    }
    ret[n] = '\0';
}
