#include "node/libarchive.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

/* Filled once, then constant. */
static struct library {
    pthread_once_t once;
    struct libarchive functions;
    char problem[256]; /* empty: loaded */
} library = {.once = PTHREAD_ONCE_INIT};

static void load(void)
{
    void *handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    bool complete = handle != NULL;
#define LOAD(name)                                                                                 \
    *(void **)&library.functions.name = complete ? dlsym(handle, "archive_" #name) : NULL;         \
    complete = complete && library.functions.name;
    LIBARCHIVE_FUNCTIONS(LOAD)
    const char *why = complete ? "" : dlerror();
    snprintf(library.problem, sizeof(library.problem), "%s", why ? why : "libarchive: too old");
}

int libarchive_load(struct err *err)
{
    pthread_once(&library.once, load);
    return *library.problem ? err_internal(err, "%s", library.problem) : 0;
}

const struct libarchive *libarchive(void)
{
    return &library.functions;
}
