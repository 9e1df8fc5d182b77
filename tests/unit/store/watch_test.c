#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

#include "base/buf.h"

/* "+key=value@rev", "~key=old>new@rev", "-key=old@rev" for each event. */
static void write_events(struct buf *b, const struct store_batch *batch)
{
    for (size_t i = 0; batch && i < batch->count; i++) {
        const struct store_event *e = &batch->events[i];
        struct str value = bytes_str(e->value), prev = bytes_str(e->prev);
        buf_printf(b, "%c%.*s=%.*s%s%.*s@%lld ", "+~-"[e->type], STR_ARG(e->key), STR_ARG(prev),
                   e -> value && e -> prev ? ">" : "", STR_ARG(value), (long long)e->revision);
    }
}

static const char *history(struct store *s, int64_t after, const char *prefix, size_t limit,
                           int64_t *ret_next)
{
    static char text[4096];
    struct store_batch *batch;
    struct err err;
    if (store_history(s, after, INT64_MAX, str_of(prefix), limit, &batch, ret_next, &err)) {
        snprintf(text, sizeof(text), "%d %s", err.code, err.reason);
        return text;
    }
    struct buf b = {0};
    write_events(&b, batch);
    snprintf(text, sizeof(text), "%s", buf_z(&b));
    buf_done(&b);
    store_batch_unref(batch);
    return text;
}

static void write_some(struct store *s)
{
    put(s, "a/1", "x");
    put(s, "b/1", "y");
    put(s, "a/1", "z");
    del(s, "a/1");
    put(s, "a/2", "w");
}

static const char all_events[] = "+a/1=x@2 +b/1=y@3 ~a/1=x>z@4 -a/1=z@5 +a/2=w@6 ";

static void check_history(struct store *s)
{
    int64_t next;
    CHECK_STR(str_of(history(s, 1, "", 0, &next)), all_events);
    CHECK_INT(next, 6);
    CHECK_STR(str_of(history(s, 3, "a/", 0, &next)), "~a/1=x>z@4 -a/1=z@5 +a/2=w@6 ");
    CHECK_STR(str_of(history(s, 1, "a/", 2, &next)), "+a/1=x@2 ~a/1=x>z@4 ");
    CHECK_INT(next, 4);
    CHECK_STR(str_of(history(s, 4, "b/", 0, &next)), "");
    CHECK_INT(next, 6);
    CHECK_STR(str_of(history(s, 6, "", 0, &next)), "");
    CHECK_INT(next, 6);
}

TEST(recent_history_comes_from_memory)
{
    struct store *s = open_fresh();
    write_some(s);
    check_history(s);
    close_fresh(s);
}

TEST(history_from_before_a_restart_is_rebuilt_from_the_log)
{
    const char *dir = fresh_dir();
    struct store *s = open_with((struct store_config){.dir = dir});
    write_some(s);
    store_close(s);
    s = open_with((struct store_config){.dir = dir});
    check_history(s);
    close_fresh(s);
}

TEST(history_that_was_compacted_is_gone)
{
    const char *dir = fresh_dir();
    struct store_config config = {.dir = dir, .history_count = 2, .history_ms = 1};
    struct store *s = open_with(config);
    write_some(s);
    usleep(IDLE_US);
    store_close(s);
    s = open_with(config);
    int64_t next;
    CHECK_INT(store_compacted(s), 4);
    CHECK_STR(str_of(history(s, 3, "", 0, &next)), "410 Expired");
    CHECK_STR(str_of(history(s, 4, "", 0, &next)), "-a/1=z@5 +a/2=w@6 ");
    close_fresh(s);
}

TEST(a_limit_does_not_cut_a_revision_in_two)
{
    struct store *s = open_fresh();
    struct bytes *b = bytes_new(STR("v"));
    struct store_op ops[3] = {{STORE_PUT, STR("a"), b, -1, -1},
                              {STORE_PUT, STR("b"), b, -1, -1},
                              {STORE_PUT, STR("c"), b, -1, -1}};
    struct store_write w = {.ops = ops, .op_count = 3};
    store_commit(s, &w);
    bytes_unref(w.first_value);
    bytes_unref(b);
    put(s, "d", "1");
    int64_t next;
    CHECK_STR(str_of(history(s, 1, "", 1, &next)), "+a=v@2 +b=v@2 +c=v@2 ");
    CHECK_INT(next, 2);
    close_fresh(s);
}

struct collected {
    struct buf text;
    struct store *s;
    bool ahead; /* an event came before its revision was readable */
};

static void collect(void *arg, struct store_batch *b)
{
    struct collected *c = arg;
    c->ahead |= b->events[b->count - 1].revision > store_revision(c->s);
    write_events(&c->text, b);
}

TEST(subscribers_have_the_event_before_the_writer_hears)
{
    struct store *s = open_fresh();
    put(s, "before", "x");
    struct collected c = {.s = s};
    int64_t from;
    struct store_sub *sub = store_subscribe(s, collect, &c, &from);
    CHECK_INT(from, 2);
    put(s, "a", "1");
    CHECK_STR(buf_str(&c.text), "+a=1@3 ");
    put(s, "a", "2");
    CHECK_STR(buf_str(&c.text), "+a=1@3 ~a=1>2@4 ");
    CHECK(!c.ahead);
    store_unsubscribe(sub);
    put(s, "a", "3");
    CHECK_STR(buf_str(&c.text), "+a=1@3 ~a=1>2@4 ");
    buf_done(&c.text);
    close_fresh(s);
}

TEST(values_are_shared_by_successive_events)
{
    struct store *s = open_fresh();
    put(s, "a", "1");
    put(s, "a", "2");
    struct store_batch *b;
    int64_t next;
    struct err err;
    CHECK_OK(store_history(s, 1, 3, STR(""), 0, &b, &next, &err), &err);
    CHECK_INT(b->count, 2);
    CHECK(b->events[0].value == b->events[1].prev);
    store_batch_unref(b);
    close_fresh(s);
}

static void count_free(void *p)
{
    ++*(int *)p;
}

TEST(what_a_reader_derived_is_freed_with_the_batch)
{
    struct store *s = open_fresh();
    put(s, "a", "1");
    struct store_batch *b;
    int64_t next;
    struct err err;
    int freed = 0;
    CHECK_OK(store_history(s, 1, 2, STR(""), 0, &b, &next, &err), &err);
    b->events[0].derived_free = count_free;
    atomic_store(&b->events[0].derived, &freed);
    store_batch_unref(store_batch_ref(b));
    CHECK_INT(freed, 0);
    store_batch_unref(b);
    CHECK_INT(freed, 1);
    close_fresh(s);
}

/* Writers count keys up under expectations, readers check that every snapshot is consistent, a
 * watcher that it misses nothing. */
enum { WRITERS = 6, ROUNDS = 300 };

struct racer {
    struct store *s;
    int id;
    atomic_bool *stop;
};

static void *count_up(void *arg)
{
    struct racer *r = arg;
    char key[16], value[3000];
    int64_t expect = STORE_ABSENT;
    snprintf(key, sizeof(key), "k%d", r->id);
    for (int i = 0; i < ROUNDS; i++) {
        memset(value, 'a' + i % 26, sizeof(value));
        snprintf(value, 16, "%d", i);
        int64_t rev = put_if(r->s, str_of(key), (struct str){value, sizeof(value)}, expect);
        if (rev <= expect)
            return "lost a write";
        expect = rev;
    }
    return NULL;
}

static void *read_on(void *arg)
{
    struct racer *r = arg;
    int64_t last = 0;
    struct err err;
    while (!atomic_load(r->stop)) {
        struct store_snap *snap;
        int64_t now = store_revision(r->s);
        int64_t at = r->id && now > 60 ? now - random() % 50 : 0;
        if (store_snap_begin(r->s, at, &snap, &err))
            return "snapshot refused";
        int64_t rev = store_snap_revision(snap), sum = 0;
        struct store_iter *it = store_range(snap, STR("k"), STR("l"));
        struct store_kv kv;
        while (store_next(it, &kv)) {
            sum += atoi(kv.value.p) + 1;
            if (kv.mod_rev > rev || kv.value.n != 3000)
                return "a value from the future";
        }
        store_iter_free(it);
        store_snap_end(snap);
        if (sum != rev - 1) /* each write counts one key up by one */
            return "an inconsistent snapshot";
        if (!at && rev < last)
            return "time went back";
        last = at ? last : rev;
    }
    return NULL;
}

/* Follows by history alone: nothing may be missing from what an answer calls complete. */
static void *follow(void *arg)
{
    struct racer *r = arg;
    int64_t at = 1;
    struct err err;
    for (bool last = false; !last;) {
        last = atomic_load(r->stop);
        struct store_batch *b;
        int64_t next, expected = at;
        if (store_history(r->s, at, INT64_MAX, STR(""), 0, &b, &next, &err))
            return "history refused";
        for (size_t i = 0; b && i < b->count; i++)
            if (b->events[i].revision != ++expected)
                return "a gap in history";
        store_batch_unref(b);
        if (next != expected)
            return "an answer that is not complete";
        at = next;
    }
    return at == store_revision(r->s) ? NULL : "did not reach the end";
}

static void expect_next(void *arg, struct store_batch *b)
{
    int64_t *next = arg;
    for (size_t i = 0; i < b->count; i++)
        *next = b->events[i].revision == *next ? *next + 1 : -1;
}

TEST(writers_readers_and_watchers_do_not_disturb_each_other)
{
    struct store *s = open_with((struct store_config){
        .dir = fresh_dir(), .no_sync = true, .history_count = 500, .history_ms = 2});
    int64_t from;
    int64_t next = 2;
    struct store_sub *sub = store_subscribe(s, expect_next, &next, &from);
    atomic_bool stop = false;
    pthread_t writers[WRITERS], readers[4];
    struct racer w[WRITERS], r[4];
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct racer){s, i, &stop};
        pthread_create(&writers[i], NULL, count_up, &w[i]);
    }
    for (int i = 0; i < 3; i++) {
        r[i] = (struct racer){s, i, &stop};
        pthread_create(&readers[i], NULL, read_on, &r[i]);
    }
    r[3] = (struct racer){s, 3, &stop};
    pthread_create(&readers[3], NULL, follow, &r[3]);
    void *why;
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], &why);
        CHECK_STR(str_of(why), "");
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 4; i++) {
        pthread_join(readers[i], &why);
        CHECK_STR(str_of(why), "");
    }
    store_unsubscribe(sub);
    CHECK_INT(next, 2 + WRITERS * ROUNDS);
    close_fresh(s);
}
