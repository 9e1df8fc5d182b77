/* fake.h: a transport that plays a script. Each call takes the next answer; each stream waits until
 * the test feeds it. What was asked is kept for the test to look at. */
#pragma once

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "client/client.h"
#include "test.h"

struct client_stream {
    struct client_stream_events events;
};

enum { FAKE_MAX = 32 };

struct fake {
    pthread_mutex_t lock;
    struct {
        int status;
        const char *body;
    } answers[FAKE_MAX];
    size_t answer_n, answer_at;
    struct client_stream *stream;  /* the open one */
    size_t streams;                /* how many were opened */
    char query[FAKE_MAX * 2][256]; /* of each request, calls and streams alike */
    size_t query_n;
};

static inline void fake_note(struct fake *f, const struct client_request *r)
{
    if (f->query_n < ARRAY_LEN(f->query))
        snprintf(f->query[f->query_n++], sizeof(f->query[0]), "%.*s?%.*s", STR_ARG(r->path),
                 STR_ARG(r->query));
}

static inline int fake_call(void *self, const struct client_request *r, struct client_response *ret,
                            struct err *err)
{
    struct fake *f = self;
    pthread_mutex_lock(&f->lock);
    fake_note(f, r);
    size_t at = f->answer_at < f->answer_n ? f->answer_at++ : FAKE_MAX;
    pthread_mutex_unlock(&f->lock);
    if (at == FAKE_MAX || !f->answers[at].status)
        return err_internal(err, "connection refused");
    *ret = (struct client_response){f->answers[at].status, bytes_new(str_of(f->answers[at].body))};
    return 0;
}

static inline int fake_stream(void *self, const struct client_request *r,
                              const struct client_stream_events *events, struct client_stream **ret,
                              struct err *err)
{
    struct fake *f = self;
    (void)err;
    *ret = NEW(struct client_stream);
    (*ret)->events = *events;
    pthread_mutex_lock(&f->lock);
    fake_note(f, r);
    f->stream = *ret;
    f->streams++;
    pthread_mutex_unlock(&f->lock);
    return 0;
}

static inline void fake_stream_close(void *self, struct client_stream *s)
{
    struct fake *f = self;
    pthread_mutex_lock(&f->lock);
    if (f->stream == s)
        f->stream = NULL;
    free(s);
    pthread_mutex_unlock(&f->lock);
}

static inline struct client *fake_client(struct fake *f)
{
    static const struct client_transport transport = {fake_call, fake_stream, fake_stream_close,
                                                      NULL};
    *f = (struct fake){0};
    pthread_mutex_init(&f->lock, NULL);
    return client_new(&transport, f);
}

static inline void fake_answer(struct fake *f, int status, const char *body)
{
    pthread_mutex_lock(&f->lock);
    f->answers[f->answer_n].status = status;
    f->answers[f->answer_n++].body = body;
    pthread_mutex_unlock(&f->lock);
}

/* Until the cache has opened its n-th stream. */
static inline void fake_wait_stream(struct fake *f, size_t n)
{
    for (int i = 0; i < 5000; i++, usleep(1000)) {
        pthread_mutex_lock(&f->lock);
        bool there = f->streams >= n && f->stream;
        pthread_mutex_unlock(&f->lock);
        if (there)
            return;
    }
    test_fail(__FILE__, __LINE__, "stream %zu was not opened", n);
}

static inline void fake_feed(struct fake *f, const char *text)
{
    pthread_mutex_lock(&f->lock);
    if (f->stream)
        f->stream->events.data(f->stream->events.arg, str_of(text));
    pthread_mutex_unlock(&f->lock);
}

static inline void fake_end(struct fake *f, const struct err *err)
{
    pthread_mutex_lock(&f->lock);
    struct client_stream *s = f->stream;
    f->stream = NULL;
    if (s)
        s->events.closed(s->events.arg, err);
    pthread_mutex_unlock(&f->lock);
}
