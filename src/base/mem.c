#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void *checked(void *p)
{
    if (!p) {
        static const char message[] = "tutti: out of memory\n";
        ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);
        (void)ignored;
        abort();
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return checked(malloc(n ? n : 1));
}

void *mem_zalloc(size_t n)
{
    return checked(calloc(1, n ? n : 1));
}

void *mem_realloc(void *p, size_t n)
{
    return checked(realloc(p, n ? n : 1));
}

void *mem_realloc_array(void *p, size_t count, size_t size)
{
    return checked(reallocarray(p, count ? count : 1, size ? size : 1));
}

char *mem_strdup(const char *z)
{
    return checked(strdup(z));
}

char *mem_strndup(const char *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}
