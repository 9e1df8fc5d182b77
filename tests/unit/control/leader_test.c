/* Who leads, before a server that knows nothing but Leases. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "control/leader.h"
#include "test.h"

/* --- the server: one object a name, each change a new version --- */

struct lease_server {
    pthread_mutex_t lock;
    char name[4][64];
    struct buf text[4];
    long version[4];
    size_t count;
    atomic_bool silent; /* answers nothing but 504 */
};

static size_t find(struct lease_server *s, struct str name)
{
    size_t i = 0;
    while (i < s->count && !str_is(name, s->name[i]))
        i++;
    return i;
}

static struct str name_of(const struct client_request *r, const val *object)
{
    struct str rest = r->path, one, last = {0};
    if (*r->method == 'P' && r->method[1] == 'O')
        return VAL_STR(object, "metadata", "name");
    while (str_next(&rest, '/', &one))
        last = one;
    return last;
}

static void keep(struct lease_server *s, size_t i, struct doc *d, val *object)
{
    static long versions;
    s->version[i] = ++versions;
    val *meta = val_ensure_obj(d, object, "metadata");
    val_set(d, meta, "resourceVersion", val_new_strf(d, "%ld", s->version[i]));
    buf_clear(&s->text[i]);
    val_write_json(object, &s->text[i]);
}

static int answer(struct lease_server *s, const struct client_request *r, struct doc *d)
{
    struct err err;
    val *object = NULL;
    if (r->body.n)
        CHECK_OK(doc_parse_json(d, r->body, &object, &err), &err);
    struct str name = name_of(r, object);
    size_t i = find(s, name);
    if (atomic_load(&s->silent))
        return 504;
    if (strcmp(r->method, "POST") == 0) {
        if (i < s->count)
            return 409;
        snprintf(s->name[s->count++], sizeof(s->name[0]), "%.*s", STR_ARG(name));
    } else if (i == s->count) {
        return 404;
    }
    if (strcmp(r->method, "PUT") == 0) {
        char version[32];
        snprintf(version, sizeof(version), "%ld", s->version[i]);
        if (!str_is(VAL_STR(object, "metadata", "resourceVersion"), version))
            return 409;
    }
    if (object)
        keep(s, i, d, object);
    return object && *r->method == 'P' && r->method[1] == 'O' ? 201 : 200;
}

static int serve(void *self, const struct client_request *r, struct client_response *ret,
                 struct err *err)
{
    struct lease_server *s = self;
    struct doc d;
    (void)err;
    doc_init(&d);
    pthread_mutex_lock(&s->lock);
    ret->status = answer(s, r, &d);
    size_t i = s->count ? s->count - 1 : 0;
    for (size_t j = 0; j < s->count; j++)
        if (str_ends(r->path, str_of(s->name[j])))
            i = j;
    ret->body = bytes_new(ret->status < 300 ? buf_str(&s->text[i]) : STR("{}"));
    pthread_mutex_unlock(&s->lock);
    doc_done(&d);
    return 0;
}

/* --- one candidate --- */

static const char *const leases[] = {"first", "second", NULL};

struct candidate {
    struct client *client;
    struct leader *leader;
    atomic_bool leads;
    atomic_int terms;
};

static int won(void *arg)
{
    struct candidate *c = arg;
    atomic_fetch_add(&c->terms, 1);
    atomic_store(&c->leads, true);
    return 0;
}

static void lost(void *arg)
{
    atomic_store(&((struct candidate *)arg)->leads, false);
}

static void run(struct candidate *c, struct lease_server *s, const char *identity, bool alone)
{
    static const struct client_transport transport = {.call = serve};
    const struct leader_config config = {.leases = leases,
                                         .identity = identity,
                                         .alone = alone,
                                         .lease_ms = 2000,
                                         .renew_ms = 1000,
                                         .retry_ms = 50,
                                         .won = won,
                                         .lost = lost,
                                         .arg = c};
    struct err err;
    *c = (struct candidate){.client = client_new(&transport, s)};
    CHECK_OK(leader_start(c->client, world_real(), &config, &c->leader, &err), &err);
}

static void end(struct candidate *c)
{
    leader_stop(c->leader);
    client_free(c->client);
    CHECK(!atomic_load(&c->leads));
}

static bool within(int64_t ms, struct candidate *c, bool leads)
{
    int64_t until = mono_ms(world_real()) + ms;
    while (atomic_load(&c->leads) != leads && mono_ms(world_real()) < until)
        usleep(5000);
    return atomic_load(&c->leads) == leads;
}

static struct lease_server *new_server(void)
{
    static struct lease_server s;
    for (size_t i = 0; i < ARRAY_LEN(s.text); i++)
        buf_done(&s.text[i]);
    s = (struct lease_server){.lock = PTHREAD_MUTEX_INITIALIZER};
    return &s;
}

static void holder(struct lease_server *s, size_t i, struct buf *ret, int64_t *ret_transitions)
{
    struct doc d;
    val *lease;
    struct err err;
    doc_init(&d);
    pthread_mutex_lock(&s->lock);
    CHECK_OK(doc_parse_json(&d, buf_str(&s->text[i]), &lease, &err), &err);
    buf_clear(ret);
    buf_put(ret, VAL_STR(lease, "spec", "holderIdentity"));
    *ret_transitions = VAL_INT(lease, "spec", "leaseTransitions");
    pthread_mutex_unlock(&s->lock);
    doc_done(&d);
}

TEST(one_of_two_leads_and_hands_on_when_it_stops)
{
    struct lease_server *s = new_server();
    struct candidate a, b;
    struct buf who = {0};
    int64_t transitions;
    run(&a, s, "a", false);
    CHECK(within(5000, &a, true));
    run(&b, s, "b", false);
    usleep(300000);
    CHECK(!atomic_load(&b.leads));
    for (size_t i = 0; i < 2; i++) {
        holder(s, i, &who, &transitions);
        CHECK_STR(buf_str(&who), "a");
        CHECK_INT(transitions, 0);
    }
    end(&a);
    CHECK(within(1500, &b, true)); /* at once, not when the lease expires */
    holder(s, 1, &who, &transitions);
    CHECK_STR(buf_str(&who), "b");
    CHECK(transitions > 0);
    end(&b);
    holder(s, 0, &who, &transitions);
    CHECK_STR(buf_str(&who), "");
    buf_done(&who);
}

TEST(a_leader_that_cannot_renew_stops_before_another_may_begin)
{
    struct lease_server *s = new_server();
    struct candidate a;
    run(&a, s, "a", false);
    CHECK(within(5000, &a, true));
    atomic_store(&s->silent, true);
    CHECK(within(1900, &a, false));
    atomic_store(&s->silent, false);
    CHECK(within(5000, &a, true)); /* it may lead again */
    CHECK_INT(atomic_load(&a.terms), 2);
    end(&a);
}

TEST(a_leader_that_died_is_followed_when_its_lease_is_over)
{
    struct lease_server *s = new_server();
    struct candidate a, b;
    run(&a, s, "dead", false);
    CHECK(within(5000, &a, true));
    atomic_store(&s->silent, true); /* it cannot let go */
    end(&a);
    atomic_store(&s->silent, false);
    int64_t began = mono_ms(world_real());
    run(&b, s, "b", false);
    CHECK(within(10000, &b, true));
    int64_t took = mono_ms(world_real()) - began;
    CHECK(took >= 1900 && took < 3800); /* all leases at once, not one after the other */
    end(&b);
}

TEST(who_has_the_store_alone_leads_at_once_and_without_an_answer)
{
    struct lease_server *s = new_server();
    struct candidate a, b;
    run(&a, s, "dead", false);
    CHECK(within(5000, &a, true));
    atomic_store(&s->silent, true);
    end(&a);
    run(&b, s, "b", true);
    CHECK(within(1000, &b, true));
    usleep(1500000);
    CHECK(atomic_load(&b.leads));
    atomic_store(&s->silent, false);
    struct buf who = {0};
    int64_t transitions;
    for (int i = 0; i < 200 && !str_is(buf_str(&who), "b"); i++) {
        usleep(10000);
        holder(s, 0, &who, &transitions);
    }
    CHECK_STR(buf_str(&who), "b");
    CHECK_INT(atomic_load(&b.terms), 1);
    buf_done(&who);
    end(&b);
}
