/* How many keys ranges have, without walking them each time.
 *
 * A range that somebody asked for is walked once; from then on the committer's creations and
 * deletions keep its count. Of each range the newest few counts are remembered with the revisions
 * that made them, for snapshots that are a little behind. */
#include "store/internal.h"

enum {
    COUNT_RANGES = 32,
    COUNT_STEPS = 16,
};

struct count_step {
    int64_t revision, count; /* since that revision there are so many */
};

struct count_range {
    struct str start, end;                /* one allocation; end.n 0: no bound */
    struct count_step steps[COUNT_STEPS]; /* newest last */
    size_t step_count;
    bool walked; /* else the counts are differences to what the walk will find */
    uint64_t id, asked;
};

struct counts {
    pthread_mutex_t lock;
    struct count_range ranges[COUNT_RANGES];
    size_t range_count;
    int64_t upto; /* every change up to this revision is in the counts */
    uint64_t clock;
};

void counts_init(struct store *s)
{
    s->counts = NEW(struct counts);
    pthread_mutex_init(&s->counts->lock, NULL);
    s->counts->upto = s->state.revision;
}

static void drop_ranges(struct counts *c)
{
    for (size_t i = 0; i < c->range_count; i++)
        free((char *)c->ranges[i].start.p);
    c->range_count = 0;
}

void counts_forget(struct store *s)
{
    pthread_mutex_lock(&s->counts->lock);
    drop_ranges(s->counts);
    pthread_mutex_unlock(&s->counts->lock);
}

void counts_done(struct store *s)
{
    if (!s->counts)
        return;
    drop_ranges(s->counts);
    pthread_mutex_destroy(&s->counts->lock);
    free(s->counts);
}

static bool within(const struct count_range *r, struct str key)
{
    return str_cmp(key, r->start) >= 0 && (!r->end.n || str_cmp(key, r->end) < 0);
}

static void step(struct count_range *r, int64_t revision, int64_t by)
{
    struct count_step *last = &r->steps[r->step_count - 1];
    if (last->revision == revision) {
        last->count += by;
        return;
    }
    struct count_step next = {revision, last->count + by};
    if (r->step_count == COUNT_STEPS)
        memmove(r->steps, r->steps + 1, --r->step_count * sizeof(next));
    r->steps[r->step_count++] = next;
}

void counts_note(struct store *s, const struct store_batch *b, int64_t revision)
{
    struct counts *c = s->counts;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; b && c->range_count && i < b->count; i++) {
        const struct store_event *e = &b->events[i];
        if (e->type == STORE_MODIFIED)
            continue;
        for (size_t j = 0; j < c->range_count; j++)
            if (within(&c->ranges[j], e->key))
                step(&c->ranges[j], e->revision, e->type == STORE_CREATED ? 1 : -1);
    }
    c->upto = revision;
    pthread_mutex_unlock(&c->lock);
}

static struct count_range *find(struct counts *c, struct str start, struct str end)
{
    for (size_t i = 0; i < c->range_count; i++)
        if (str_eq(c->ranges[i].start, start) && str_eq(c->ranges[i].end, end))
            return &c->ranges[i];
    return NULL;
}

/* A new one, or the place of that which nobody has asked for longest; NULL: all are being walked.
 */
static struct count_range *place(struct counts *c)
{
    if (c->range_count < COUNT_RANGES)
        return &c->ranges[c->range_count++];
    struct count_range *oldest = NULL;
    for (size_t i = 0; i < COUNT_RANGES; i++)
        if (c->ranges[i].walked && (!oldest || c->ranges[i].asked < oldest->asked))
            oldest = &c->ranges[i];
    if (oldest)
        free((char *)oldest->start.p);
    return oldest;
}

static struct count_range *add(struct counts *c, struct str start, struct str end)
{
    struct count_range *r = place(c);
    if (!r)
        return NULL;
    char *copy = mem_alloc(start.n + end.n + 1);
    memcpy(copy, start.p, start.n);
    if (end.n)
        memcpy(copy + start.n, end.p, end.n);
    *r = (struct count_range){.start = {copy, start.n},
                              .end = {copy + start.n, end.n},
                              .steps = {{c->upto, 0}},
                              .step_count = 1,
                              .id = ++c->clock,
                              .asked = c->clock};
    return r;
}

static bool count_at(const struct count_range *r, int64_t revision, int64_t *ret)
{
    for (size_t i = r->step_count; i--;)
        if (r->steps[i].revision <= revision) {
            *ret = r->steps[i].count;
            return true;
        }
    return false;
}

static int64_t walk(struct store_snap *snap, struct str start, struct str end)
{
    struct store_iter *it = store_range(snap, start, end);
    struct store_kv kv;
    int64_t n = 0;
    while (store_next(it, &kv))
        n++;
    store_iter_free(it);
    return n;
}

int64_t store_count(struct store_snap *snap, struct str start, struct str end)
{
    struct counts *c = snap_store(snap)->counts;
    int64_t n, revision = store_snap_revision(snap);
    uint64_t mine = 0; /* the range that waits for what is walked here */
    bool known = false;
    pthread_mutex_lock(&c->lock);
    struct count_range *r = find(c, start, end);
    if (r) {
        r->asked = ++c->clock;
        known = r->walked && revision <= c->upto && count_at(r, revision, &n);
    } else if (revision == c->upto && (r = add(c, start, end))) {
        mine = r->id; /* what comes from now on is added to what the walk finds */
    }
    pthread_mutex_unlock(&c->lock);
    if (known)
        return n;
    n = walk(snap, start, end);
    pthread_mutex_lock(&c->lock);
    if (mine && (r = find(c, start, end)) && r->id == mine) {
        for (size_t i = 0; i < r->step_count; i++)
            r->steps[i].count += n;
        r->walked = true;
    }
    pthread_mutex_unlock(&c->lock);
    return n;
}
