#include "base/arena.h"

#include <stdio.h>

#include "base/mem.h"

enum { ALIGN = 16, FIRST_BLOCK = 2048, MAX_BLOCK = 256 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size;
};

void arena_done(struct arena *a)
{
    struct arena_block *block = a->block;
    while (block) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    *a = (struct arena){0};
}

static void add_block(struct arena *a, size_t n)
{
    size_t size = a->block ? a->block->size * 2 : FIRST_BLOCK;
    if (size > MAX_BLOCK)
        size = MAX_BLOCK;
    size_t header = (sizeof(struct arena_block) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (size < n + header)
        size = n + header;
    struct arena_block *block = mem_alloc(size);
    *block = (struct arena_block){.next = a->block, .size = size};
    a->block = block;
    a->at = (char *)block + header;
    a->end = (char *)block + size;
    a->total += size;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t need;
    if (__builtin_add_overflow(n, ALIGN - 1, &need))
        abort();
    need &= ~(size_t)(ALIGN - 1);
    if (need == 0)
        need = ALIGN;
    if ((size_t)(a->end - a->at) < need)
        add_block(a, need);
    void *p = a->at;
    a->at += need;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    return memset(arena_alloc(a, n), 0, n);
}

char *arena_z(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_dup(struct arena *a, struct str s)
{
    return (struct str){arena_z(a, s), s.n};
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return (struct str){p, (size_t)n};
}
