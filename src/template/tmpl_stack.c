/* tmpl_stack.c: templates recurse, and Go's stacks grow; C's are made large beforehand. */
#include <pthread.h>

#include "template/template.h"

enum { STACK_BYTES = 256 << 20 }; /* address space; only what is touched costs memory */

struct job {
    void (*fn)(void *arg);
    void *arg;
};

static void *run_job(void *arg)
{
    struct job *job = arg;
    job->fn(job->arg);
    return NULL;
}

void tmpl_on_large_stack(void (*fn)(void *arg), void *arg)
{
    struct job job = {fn, arg};
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    bool ok = pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
              pthread_create(&thread, &attr, run_job, &job) == 0;
    pthread_attr_destroy(&attr);
    if (ok)
        pthread_join(thread, NULL);
    else
        fn(arg);
}
