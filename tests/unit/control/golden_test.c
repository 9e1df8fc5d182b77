/* Replays tests/golden/control: what a controller sees, and what it answers.
 *
 * A case is one YAML document:
 *     controller: replicaset         its name
 *     key: default/web               what is looked at
 *     now: "2026-01-01T00:00:00Z"    the clock
 *     config: {podCIDR: …, rootCA: …}
 *     failure: {verb: create, kind: Pod, code: 403, reason: …, message: …, name: …}
 *     unseen: [ … ]                  objects that only the server knows, for live reads
 *     objects: [ … ]                 the picture
 *     want: [ … ]                    the actions in order; events; {requeueMs: n}
 * GOLDEN_UPDATE=1 writes `want` anew; read the difference before committing it. Names with random
 * parts are the same each time, as the world of a case counts instead of drawing. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "control/control.h"
#include "control/reconcile.h"
#include "doc/time.h"
#include "doc/schema.h"
#include "test.h"

#ifndef GOLDEN_DIR
#define GOLDEN_DIR "tests/golden/control"
#endif

struct golden {
    const char *path;
    struct doc doc;
    val *root;
    struct picture *picture;
    struct arena arena;
    struct control_config config;
    struct world world;
    unsigned drawn;
    int64_t now;
};

/* --- a world that counts --- */

static int64_t golden_mono(struct world *w)
{
    (void)w;
    return 0;
}

static int64_t golden_wall(struct world *w)
{
    return CONTAINER_OF(w, struct golden, world)->now;
}

static void golden_random(struct world *w, void *p, size_t n)
{
    struct golden *g = CONTAINER_OF(w, struct golden, world);
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = (unsigned char)(g->drawn++ * 37);
}

/* --- the picture --- */

static const struct kind_info *kind_info_of(const val *object)
{
    enum kind k = kind_find(VAL_STR(object, "apiVersion"), VAL_STR(object, "kind"));
    return k == KIND_COUNT ? NULL : &kind_infos[k];
}

static void show(struct golden *g, val *object)
{
    const struct kind_info *k = kind_info_of(object);
    if (!k)
        test_fail(g->path, 0, "unknown kind %.*s", STR_ARG(VAL_STR(object, "kind")));
    struct buf b = {0};
    val_write_json(object, &b);
    struct bytes *json = bytes_new(buf_str(&b));
    struct item *i = item_new((enum kind)(k - kind_infos), object, json), *old;
    picture_apply(g->picture, i->kind, arena_dup(&g->arena, i->key), i, &old);
    item_unref(old);
    bytes_unref(json);
    buf_done(&b);
}

static bool is_at(const val *object, const char *path)
{
    const struct kind_info *k = kind_info_of(object);
    struct buf b = {0};
    if (!k)
        return false;
    char ns[256], name[256];
    snprintf(ns, sizeof ns, "%.*s", STR_ARG(VAL_STR(object, "metadata", "namespace")));
    snprintf(name, sizeof name, "%.*s", STR_ARG(VAL_STR(object, "metadata", "name")));
    resource_path(k->resource, *ns ? ns : NULL, name, NULL, &b);
    bool at = str_is(buf_str(&b), path);
    if (!at && *ns) { /* a list of the namespace? */
        buf_clear(&b);
        resource_path(k->resource, ns, NULL, NULL, &b);
        at = str_starts(str_of(path), buf_str(&b)) && path[b.n] == '?';
    }
    buf_done(&b);
    return at;
}

static int live_get(void *self, const char *path, struct doc *d, val **ret, struct err *err)
{
    struct golden *g = self;
    bool list = strchr(path, '?') != NULL;
    val *found = list ? val_new_obj(d) : NULL;
    val *items = list ? val_ensure_arr(d, found, "items") : NULL;
    static const char *const from[] = {"objects", "unseen"};
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        VAL_FOR (val_get(g->root, from[i]), o) {
            if (!is_at(o, path))
                continue;
            if (list)
                val_push(items, val_copy(d, o));
            else
                found = val_copy(d, o);
        }
    }
    if (!found)
        return err_set(err, 404, "NotFound", "%s not found", path);
    *ret = found;
    return 0;
}

/* --- the answer --- */

static const char *const verbs[] = {"create", "update", "patch", "delete", "post", "deleteAll"};

static val *write_event(struct doc *d, const struct act_event *e)
{
    val *v = val_new_obj(d);
    val_set(d, v, "event",
            val_new_strf(d, "%s %s %.*s: %.*s", e->type, e->reason,
                         STR_ARG(e->about ? e->about->key : e->name), STR_ARG(e->message)));
    return v;
}

static val *write_action(struct doc *d, const struct action *a)
{
    val *v = val_new_obj(d);
    val_set(d, v, verbs[a->verb],
            val_new_strf(d, "%s%s%s %.*s%s%.*s", a->resource->name, a->sub ? "/" : "",
                         a->sub ? a->sub : "", STR_ARG(a->ns), a->ns.n && a->name.n ? "/" : "",
                         STR_ARG(a->name)));
    if (a->phase)
        val_set_int(d, v, "phase", a->phase);
    val *object = a->object ? val_copy(d, a->object) : NULL;
    if (a->verb == ACT_UPDATE && a->sub && str_is(str_of(a->sub), "status"))
        val_set(d, v, "status", val_copy(d, val_get(object, "status")));
    else if (object)
        val_set(d, v, "object", object);
    if (a->event)
        val_set(d, v, "then", val_copy(d, val_get(write_event(d, a->event), "event")));
    return v;
}

static void write_events(struct doc *d, const struct event_list *l, val *to)
{
    if (!l)
        return;
    write_events(d, l->next, to);
    val_push(to, write_event(d, l->event));
}

static val *write_actions(struct doc *d, const struct actions *a)
{
    val *list = val_new_arr(d);
    write_events(d, a->events, list);
    for (const struct action *at = a->first; at; at = at->next)
        val_push(list, write_action(d, at));
    if (a->requeue_ms >= 0) {
        val *v = val_new_obj(d);
        val_set_int(d, v, "requeueMs", a->requeue_ms);
        val_push(list, v);
    }
    return list;
}

/* --- running --- */

static const struct controller *controller_of(struct golden *g)
{
    struct str name = VAL_STR(g->root, "controller");
    for (size_t i = 0; controllers[i]; i++)
        if (str_is(name, controllers[i]->name))
            return controllers[i];
    test_fail(g->path, 0, "no controller %.*s", STR_ARG(name));
}

static void read_failure(const val *from, struct failure *f)
{
    *f = (struct failure){
        .kind = KIND_COUNT,
        .code = (int)VAL_INT(from, "code"),
        .reason = VAL_STR(from, "reason"),
        .message = VAL_STR(from, "message"),
        .name = VAL_STR(from, "name"),
    };
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (str_is(VAL_STR(from, "verb"), verbs[i]))
            f->verb = (enum act_verb)i;
    for (int k = 0; k < KIND_COUNT; k++)
        if (str_is(VAL_STR(from, "kind"), kind_infos[k].kind))
            f->kind = (enum kind)k;
}

static void load(struct golden *g)
{
    struct buf text = {0};
    struct err err = {0};
    CHECK_OK(file_read(g->path, 1 << 20, &text, &err), &err);
    if (doc_parse_yaml(&g->doc, buf_str(&text), &g->root, &err) < 0)
        test_fail(g->path, err.line, "%s", err.message);
    buf_done(&text);
    g->picture = picture_new();
    g->world = (struct world){golden_mono, golden_wall, golden_random};
    time_parse(VAL_STR(g->root, "now"), &g->now, NULL);
    struct str cidr = VAL_STR(g->root, "config", "podCIDR");
    g->config = (struct control_config){
        .ca_pem = VAL_STR(g->root, "config", "rootCA"),
        .pod_cidr = cidr.n ? arena_z(&g->arena, cidr) : NULL,
        .terminated_pods = (int)VAL_INT(g->root, "config", "terminatedPods"),
    };
    VAL_FOR (val_get(g->root, "objects"), o)
        show(g, o);
}

static void update(struct golden *g, val *got)
{
    val_set(&g->doc, g->root, "want", got);
    static const char *const order[] = {"controller", "key",    "now",     "config",
                                        "failure",    "unseen", "objects", "want"};
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        val *part = val_get(g->root, order[i]);
        if (!part)
            continue;
        val *one = val_new_obj(&g->doc);
        val_set(&g->doc, one, order[i], val_copy(&g->doc, part));
        val_write_yaml(one, &b);
    }
    struct err err;
    CHECK_OK(file_write(g->path, buf_str(&b), 0644, &err), &err);
    buf_done(&b);
}

static void compare(struct golden *g, const val *got)
{
    const val *want = val_get(g->root, "want");
    if (val_eq(got, want) || (val_len(got) == 0 && val_len(want) == 0))
        return;
    struct buf a = {0}, b = {0};
    val_write_yaml(got, &a);
    val_write_yaml(want, &b);
    printf("%s\n--- got\n%s--- want\n%s", g->path, buf_z(&a), buf_z(&b));
    buf_done(&a);
    buf_done(&b);
    test_fail(g->path, 0, "other actions than wanted");
}

static void run_case(const char *path)
{
    struct golden g = {.path = path};
    load(&g);
    const struct controller *c = controller_of(&g);
    struct view_live live = {live_get, &g};
    struct failure failure;
    struct doc doc = {0};
    doc_init(&doc);
    struct view v = {.picture = g.picture,
                     .arena = &g.arena,
                     .doc = &doc,
                     .world = &g.world,
                     .live = &live,
                     .config = &g.config,
                     .now = g.now};
    if (val_get(g.root, "failure")) {
        read_failure(val_get(g.root, "failure"), &failure);
        v.failure = &failure;
    }
    struct actions a;
    actions_init(&a, &v);
    c->reconcile(&v, VAL_STR(g.root, "key"), &a);
    val *got = write_actions(&g.doc, &a);
    if (getenv("GOLDEN_UPDATE"))
        update(&g, got);
    else
        compare(&g, got);
    view_done(&v);
    doc_done(&doc);
    picture_free(g.picture);
    arena_done(&g.arena);
    doc_done(&g.doc);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run_folder(const char *controller)
{
    char dir[512], path[1024], *names[512];
    snprintf(dir, sizeof dir, "%s/%s", GOLDEN_DIR, controller);
    DIR *d = opendir(dir);
    CHECK(d != NULL);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d)) && n < ARRAY_LEN(names);)
        if (str_ends(str_of(e->d_name), STR(".yaml")))
            names[n++] = mem_strdup(e->d_name);
    closedir(d);
    CHECK(n > 0);
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        free(names[i]);
        run_case(path);
    }
    printf("%s: %zu cases\n", controller, n);
}

TEST(deployment_rolls_scales_pauses_and_reports)
{
    run_folder("deployment");
}

TEST(replicaset_keeps_as_many_pods_as_asked_for)
{
    run_folder("replicaset");
}

TEST(endpointslice_tells_who_answers)
{
    run_folder("endpointslice");
}

TEST(endpoints_tell_the_same_in_the_old_form)
{
    run_folder("endpoints");
}

TEST(namespace_takes_its_content_along)
{
    run_folder("namespace");
}

TEST(namespaces_have_an_account_and_the_root_certificate)
{
    run_folder("serviceaccount");
}

TEST(garbage_is_what_lost_its_owners)
{
    run_folder("garbage");
}

TEST(nodes_are_watched_and_tainted)
{
    run_folder("node-lifecycle");
}

TEST(taints_evict)
{
    run_folder("taint-eviction");
}

TEST(podgc_buries_pods)
{
    run_folder("podgc");
}

TEST(nodes_get_their_ranges)
{
    run_folder("node-ipam");
}

TEST(scheduler_filters_scores_and_explains)
{
    run_folder("scheduler");
}

TEST(budgets_tell_how_many_pods_may_go)
{
    run_folder("disruption");
}

TEST(claims_and_volumes_in_use_outlive_their_deletion)
{
    run_folder("pvc-protection");
    run_folder("pv-protection");
}

TEST(replication_controllers_keep_as_many_pods_as_asked_for)
{
    run_folder("replication");
}
