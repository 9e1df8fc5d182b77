/* recent.c: answers that are not older than their question, when several servers share a store.
 *
 * Each server reads its own picture of the store, which another's writes reach a moment later. What
 * a client is told must not depend on which server it asks: a read without resourceVersion first
 * passes a barrier; one with a resourceVersion, maybe from another server, waits until the picture
 * is as new. A write is tried at once, for a commit is judged by the store itself. One that ended
 * without a commit (refused, or nothing to change) was judged by the picture alone, so it passes
 * the barrier and is tried again; kube-apiserver does the same with its cached objects
 * (k8s.io/apiserver/pkg/storage/etcd3/store.go, GuaranteedUpdate). */
#include "api/core.h"
#include "api/crd/crd.h"

enum { WAIT_MS = 3000 }; /* for a resourceVersion (cacher's blockTimeout) */

static bool is_read(const struct call *c)
{
    const char *verb = c->route.verb;
    return strcmp(verb, "get") == 0 || strcmp(verb, "list") == 0 || strcmp(verb, "watch") == 0 ||
           strcmp(verb, "deletecollection") == 0 || c->handler == handle_relay;
}

/* The revision that the answer must have reached; 0: all that is acknowledged by now, -1: any. */
static int64_t wanted(const struct call *c)
{
    const struct url_query *q = &c->route.query;
    struct str text = url_query_get(q, "resourceVersion");
    uint64_t revision;
    if (url_query_get(q, "continue").n || !text.n || !str_to_u64(text, &revision) ||
        revision > INT64_MAX || strcmp(c->route.verb, "deletecollection") == 0)
        return 0;
    return revision ? (int64_t)revision : -1;
}

static enum call_next handle(struct call *c)
{
    bool late = c->barrier.failed && !c->barrier.at_least;
    /* The handler has the words for a resourceVersion that does not come. */
    return late ? call_fail(c, &c->barrier.err) : c->handler(c);
}

static enum call_next pass_barrier(struct call *c, int64_t at_least)
{
    c->recent = true;
    c->barrier = (struct store_barrier){.at_least = at_least, .wait_ms = at_least ? WAIT_MS : 0};
    c->after = handle;
    return CALL_BARRIER;
}

enum call_next recent_begin(struct call *c)
{
    /* A watch of this process begins behind a list of this process. */
    if (!store_is_shared(c->api->config.store) || !c->kind->stored || c->sink || !is_read(c))
        return c->handler(c);
    int64_t revision = wanted(c);
    if (revision < 0 || (revision && revision <= store_revision(c->api->config.store))) {
        c->recent = true;
        return c->handler(c);
    }
    return pass_barrier(c, revision);
}

/* What the try left behind. */
static void forget_answer(struct call *c)
{
    bytes_unref(c->reply);
    c->reply = NULL;
    c->reply_type = NULL;
    c->status = 0;
    c->header_count = 0;
    c->details = (struct call_details){0};
    c->warnings = val_new_arr(&c->doc);
    if (c->custom && c->custom->warning)
        call_warn(c, "%s", c->custom->warning);
}

bool recent_confirm(struct call *c)
{
    if (c->recent || !c->handler || !c->kind || !c->kind->stored ||
        !store_is_shared(c->api->config.store))
        return false;
    if (c->status < 400 && strcmp(c->route.verb, "create") == 0)
        return false; /* a token, a dry run: says nothing of others */
    forget_answer(c);
    pass_barrier(c, 0);
    return true;
}
