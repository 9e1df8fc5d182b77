/* mem.h: allocation that cannot fail, and cleanup attributes.
 *
 * A process that runs out of memory ends with a message; its supervisor starts it again and the
 * store has lost nothing. So no caller checks for NULL. Sizes that come from outside are limited
 * before they get here. */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *mem_alloc(size_t n);  /* uninitialised */
void *mem_zalloc(size_t n); /* zeroed */
void *mem_realloc(void *p, size_t n);
void *mem_realloc_array(void *p, size_t count,
                        size_t size); /* ends the process when count*size overflows */
char *mem_strdup(const char *z);
char *mem_strndup(const char *p, size_t n); /* copies n bytes, NULs too, and adds one NUL */

#define NEW(type) ((type *)mem_zalloc(sizeof(type)))

/* `CLEANUP(mem_freep) char *path = …` frees path when the scope ends. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void mem_freep(void *pp)
{
    free(*(void **)pp);
}

static inline void fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
