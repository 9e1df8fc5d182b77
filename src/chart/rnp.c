#include "chart/rnp.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

/* Filled once, then constant. */
static struct library {
    pthread_once_t once;
    struct rnp_functions functions;
    char problem[256]; /* empty: loaded */
} library = {.once = PTHREAD_ONCE_INIT};

static void load(void)
{
    void *handle = dlopen("librnp.so.0", RTLD_NOW | RTLD_LOCAL);
    bool complete = handle != NULL;
#define LOAD(name)                                                                                 \
    *(void **)&library.functions.name = complete ? dlsym(handle, "rnp_" #name) : NULL;             \
    complete = complete && library.functions.name;
    RNP_FUNCTIONS(LOAD)
    const char *why = complete ? "" : dlerror();
    snprintf(library.problem, sizeof(library.problem), "%s", why ? why : "librnp: too old");
}

int rnp_load(struct chart_ctx *cx)
{
    pthread_once(&library.once, load);
    return *library.problem
               ? chart_fail(cx, "signatures need the package librnp0: %s", library.problem)
               : 0;
}

const struct rnp_functions *rnp(void)
{
    return &library.functions;
}
