#include "base/bytes.h"

struct bytes *bytes_new_uninit(size_t n, char **ret_p)
{
    size_t size;
    if (__builtin_add_overflow(sizeof(struct bytes) + 1, n, &size))
        abort();
    struct bytes *b = mem_alloc(size);
    atomic_init(&b->refs, 1);
    b->reserved = 0;
    b->n = n;
    b->p[n] = '\0';
    *ret_p = b->p;
    return b;
}

struct bytes *bytes_new(struct str s)
{
    char *p;
    struct bytes *b = bytes_new_uninit(s.n, &p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return b;
}

struct bytes *bytes_ref(struct bytes *b)
{
    if (b)
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void bytes_unref(struct bytes *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        free(b);
}
