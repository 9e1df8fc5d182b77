/* The replica sets of a deployment: finding, making, revising, scaling, forgetting. */
#include <math.h>
#include <stdlib.h>

#include "control/deployment.h"

#define HASH_LABEL "pod-template-hash"

enum { HISTORY_MAX = 2000 }; /* characters of the revision history annotation */

static struct str annotation(const val *obj, const char *name)
{
    return VAL_STR(obj, "metadata", "annotations", name);
}

static int64_t annotation_int(const val *obj, const char *name, int64_t otherwise)
{
    int64_t n;
    return str_to_i64(annotation(obj, name), &n) ? n : otherwise;
}

/* --- loading --- */

static int by_creation(const void *a, const void *b)
{
    const struct replica_set *x = *(struct replica_set *const *)a,
                             *y = *(struct replica_set *const *)b;
    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return str_cmp(x->name, y->name);
}

static struct replica_set *set_load(struct rollout *r, const struct item *i)
{
    struct replica_set *s = ARENA_NEW(r->v->arena, struct replica_set);
    val *obj = view_parse(r->v, i);
    *s = (struct replica_set){
        .item = i,
        .obj = obj,
        .name = i->name,
        .was = VAL_INT(obj, "spec", "replicas"),
        .actual = VAL_INT(obj, "status", "replicas"),
        .ready = VAL_INT(obj, "status", "readyReplicas"),
        .available = VAL_INT(obj, "status", "availableReplicas"),
        .created = i->created,
        .revision = annotation_int(obj, ANNOTATION_REVISION, 0),
    };
    s->replicas = s->was;
    return s;
}

/* The template without the hash label and without what null means nothing for. */
static val *plain_template(struct doc *d, const val *template)
{
    val *t = val_copy(d, template);
    val *meta = val_get(t, "metadata");
    val *labels = val_get(meta, "labels");
    val_del(labels, HASH_LABEL);
    if (val_is_obj(labels) && val_len(labels) == 0)
        val_del(meta, "labels");
    val_del(meta, "creationTimestamp");
    if (val_is_null(val_get(t, "metadata")) || val_len(meta) == 0)
        val_del(t, "metadata");
    return t;
}

static void find_new(struct rollout *r)
{
    const val *want = plain_template(r->v->doc, VAL_PATH(r->d, "spec", "template"));
    r->fresh = NULL;
    for (size_t i = 0; i < r->all_count && !r->fresh; i++) {
        const val *has = VAL_PATH(r->all[i]->obj, "spec", "template");
        if (val_eq(plain_template(r->v->doc, has), want))
            r->fresh = r->all[i];
    }
    r->old_count = 0;
    for (size_t i = 0; i < r->all_count; i++)
        if (r->all[i] != r->fresh)
            r->old[r->old_count++] = r->all[i];
}

void sets_load(struct rollout *r)
{
    struct selector selector;
    const struct item **items;
    if (selector_from_object(r->v->arena, VAL_PATH(r->d, "spec", "selector"), &selector, NULL) < 0)
        return;
    size_t n = claimable(r->v, r->owner, KIND_REPLICASETS, &selector, &items);
    n = claim(r->v, r->a, r->owner, &selector, items, n);
    r->all = arena_zalloc(r->v->arena, (n + 1) * sizeof *r->all); /* one more for a new one */
    r->old = arena_zalloc(r->v->arena, (n + 1) * sizeof *r->old);
    for (size_t i = 0; i < n; i++)
        r->all[r->all_count++] = set_load(r, items[i]);
    if (n)
        qsort(r->all, n, sizeof *r->all, by_creation);
    find_new(r);
}

/* --- sums --- */

int64_t sets_total(const struct rollout *r)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->all_count; i++)
        n += r->all[i]->replicas;
    return n;
}

int64_t sets_available(const struct rollout *r)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->all_count; i++)
        n += r->all[i]->available;
    return n;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t new_set_size(const struct rollout *r, int64_t have)
{
    if (!r->rolling)
        return r->replicas;
    int64_t total = sets_total(r), most = r->replicas + r->surge;
    if (total >= most)
        return have;
    return have + min64(most - total, r->replicas - have);
}

/* --- annotations --- */

static bool copied(struct str key)
{
    static const char *const not_copied[] = {
        "kubectl.kubernetes.io/last-applied-configuration",
        ANNOTATION_REVISION,
        ANNOTATION_HISTORY,
        ANNOTATION_DESIRED,
        ANNOTATION_MAX,
        "deprecated.deployment.rollback.to",
    };
    for (size_t i = 0; i < ARRAY_LEN(not_copied); i++)
        if (str_is(key, not_copied[i]))
            return false;
    return true;
}

static bool put_annotation(struct doc *d, val *obj, struct str key, struct str value)
{
    val *annotations = val_ensure_obj(d, val_ensure_obj(d, obj, "metadata"), "annotations");
    val *was = val_get_str(annotations, key);
    if (was && str_eq(val_str(was), value))
        return false;
    val_set_str(d, annotations, key, val_new_str(d, value));
    return true;
}

static bool put_number(struct rollout *r, val *obj, const char *key, int64_t n)
{
    return put_annotation(r->v->doc, obj, str_of(key),
                          arena_printf(r->v->arena, "%lld", (long long)n));
}

static bool copy_annotations(struct rollout *r, struct replica_set *s)
{
    bool changed = false;
    VAL_EACH (VAL_PATH(r->d, "metadata", "annotations"), key, value)
        if (copied(val_str(key)))
            changed |= put_annotation(r->v->doc, s->obj, val_str(key), val_str(value));
    return changed;
}

/* A set that becomes the new one again remembers the revisions that it had. */
static void put_history(struct rollout *r, struct replica_set *s, struct str old)
{
    struct str history = annotation(s->obj, ANNOTATION_HISTORY);
    struct str rest = history, first;
    while (rest.n && rest.n + old.n + 1 > HISTORY_MAX)
        str_next(&rest, ',', &first);
    put_annotation(r->v->doc, s->obj, STR(ANNOTATION_HISTORY),
                   rest.n ? arena_printf(r->v->arena, "%.*s,%.*s", STR_ARG(rest), STR_ARG(old))
                          : old);
}

/* SetNewReplicaSetAnnotations. */
static bool revise(struct rollout *r, struct replica_set *s, int64_t revision)
{
    bool changed = copy_annotations(r, s);
    struct str old = annotation(s->obj, ANNOTATION_REVISION);
    if (s->revision < revision) {
        if (old.n)
            put_history(r, s, old);
        changed |= put_number(r, s->obj, ANNOTATION_REVISION, revision);
        s->revision = revision;
    }
    return changed;
}

/* --- the new set --- */

/* The name's hash covers the template and the collision count: FNV-1a over the JSON in canonical
 * order. Upstream hashes Go's own printing of its structs, which nothing else can reproduce; the
 * names differ from upstream's, their form does not. */
static void set_create(struct rollout *r, int64_t revision)
{
    struct doc *d = r->v->doc;
    const val *template = VAL_PATH(r->d, "spec", "template");
    char hash[12];
    const val *collisions = VAL_PATH(r->d, "status", "collisionCount");
    hash_val(plain_template(d, template), val_is_null(collisions) ? NULL : collisions, hash);

    struct replica_set *s = ARENA_NEW(r->v->arena, struct replica_set);
    s->obj = val_new_obj(d);
    s->name = arena_printf(r->v->arena, "%.*s-%s", STR_ARG(r->name), hash);
    s->created = r->v->now;
    val *meta = val_ensure_obj(d, s->obj, "metadata");
    val_set_s(d, meta, "name", s->name);
    val_set_s(d, meta, "namespace", r->owner->ns);
    val *spec = val_ensure_obj(d, s->obj, "spec");
    if (VAL_INT(r->d, "spec", "minReadySeconds"))
        val_set_int(d, spec, "minReadySeconds", VAL_INT(r->d, "spec", "minReadySeconds"));
    val *selector = val_set(d, spec, "selector", val_copy(d, VAL_PATH(r->d, "spec", "selector")));
    val_set_z(d, val_ensure_obj(d, selector, "matchLabels"), HASH_LABEL, hash);
    val *own = val_set(d, spec, "template", val_copy(d, template));
    val *labels = val_ensure_obj(d, val_ensure_obj(d, own, "metadata"), "labels");
    val_set_z(d, labels, HASH_LABEL, hash);
    val_set(d, meta, "labels", val_copy(d, labels));
    val_push(val_ensure_arr(d, meta, "ownerReferences"), owner_ref(r->v, r->owner));

    r->all[r->all_count++] = s;
    r->fresh = s;
    s->replicas = new_set_size(r, 0);
    revise(r, s, revision);
    put_number(r, s->obj, ANNOTATION_DESIRED, r->replicas);
    put_number(r, s->obj, ANNOTATION_MAX, r->replicas + r->surge);
}

static void note_progress(struct rollout *r, const char *reason, const char *format)
{
    if (!rollout_has_deadline(r))
        return;
    struct str message = arena_printf(r->v->arena, "%s \"%.*s\"", format, STR_ARG(r->fresh->name));
    condition_set(r->v, r->conditions, "Progressing", "True", reason, message, true);
}

void sets_sync_revision(struct rollout *r, bool create)
{
    int64_t newest = 0;
    for (size_t i = 0; i < r->old_count; i++)
        if (r->old[i]->revision > newest)
            newest = r->old[i]->revision;
    if (r->fresh) {
        r->fresh->changed |= revise(r, r->fresh, newest + 1);
        int64_t min_ready = VAL_INT(r->d, "spec", "minReadySeconds");
        if (VAL_INT(r->fresh->obj, "spec", "minReadySeconds") != min_ready) {
            val_set_int(r->v->doc, val_get(r->fresh->obj, "spec"), "minReadySeconds", min_ready);
            r->fresh->changed = true;
        }
        if (!condition_find(r->conditions, "Progressing"))
            note_progress(r, "FoundNewReplicaSet", "Found new replica set");
    } else if (create) {
        set_create(r, newest + 1);
        note_progress(r, "NewReplicaSetCreated", "Created new replica set");
    } else {
        return;
    }
    struct str revision = annotation(r->fresh->obj, ANNOTATION_REVISION);
    if (!str_eq(revision, annotation(r->d, ANNOTATION_REVISION)))
        r->revision = revision;
}

/* --- scaling --- */

void set_scale(struct rollout *r, struct replica_set *s, int64_t replicas)
{
    s->replicas = replicas;
    if (!s->item)
        return;
    s->changed |= put_number(r, s->obj, ANNOTATION_DESIRED, r->replicas);
    s->changed |= put_number(r, s->obj, ANNOTATION_MAX, r->replicas + r->surge);
}

bool sets_scaling_event(const struct rollout *r)
{
    for (size_t i = 0; i < r->all_count; i++) {
        int64_t desired = annotation_int(r->all[i]->obj, ANNOTATION_DESIRED, -1);
        if (r->all[i]->replicas > 0 && desired >= 0 && desired != r->replicas)
            return true;
    }
    return false;
}

/* The only active set, or with none active the newest; NULL when several are. */
static struct replica_set *active_or_latest(struct rollout *r)
{
    struct replica_set *active = NULL;
    size_t n = 0;
    for (size_t i = 0; i < r->all_count; i++) {
        if (r->all[i]->replicas <= 0)
            continue;
        active = r->all[i];
        n++;
    }
    if (n)
        return n == 1 ? active : NULL;
    if (r->fresh)
        return r->fresh;
    return r->old_count ? r->old[r->old_count - 1] : NULL;
}

static bool saturated(const struct rollout *r)
{
    const struct replica_set *s = r->fresh;
    return s && s->replicas == r->replicas &&
           annotation_int(s->obj, ANNOTATION_DESIRED, -1) == r->replicas &&
           s->available == r->replicas;
}

static int by_size_newer(const void *a, const void *b)
{
    const struct replica_set *x = *(struct replica_set *const *)a,
                             *y = *(struct replica_set *const *)b;
    if (x->replicas != y->replicas)
        return x->replicas > y->replicas ? -1 : 1;
    return by_creation(b, a);
}

static int by_size_older(const void *a, const void *b)
{
    const struct replica_set *x = *(struct replica_set *const *)a,
                             *y = *(struct replica_set *const *)b;
    if (x->replicas != y->replicas)
        return x->replicas > y->replicas ? -1 : 1;
    return by_creation(a, b);
}

/* getReplicaSetFraction: how much the set grows when it keeps its part of the whole. */
static int64_t fraction(const struct rollout *r, const struct replica_set *s)
{
    if (r->replicas == 0)
        return -s->replicas;
    int64_t before = annotation_int(s->obj, ANNOTATION_MAX, 0);
    if (before == 0)
        before = VAL_INT(r->d, "status", "replicas");
    if (before == 0)
        return 0;
    double size = (double)(s->replicas * (r->replicas + r->surge)) / (double)before;
    return (int64_t)(size < 0 ? ceil(size - 0.5) : floor(size + 0.5)) - s->replicas;
}

static void share_out(struct rollout *r, struct replica_set **active, size_t n, int64_t to_add)
{
    int64_t added = 0;
    int64_t *size = arena_alloc(r->v->arena, (n + 1) * sizeof *size);
    for (size_t i = 0; i < n; i++) {
        int64_t part = 0, left = to_add - added;
        if (to_add != 0 && left != 0) {
            part = fraction(r, active[i]);
            if (to_add > 0 ? part > left : part < left)
                part = left;
        }
        size[i] = active[i]->replicas + part;
        added += part;
    }
    for (size_t i = 0; i < n; i++) {
        if (i == 0 && to_add != 0)
            size[i] += to_add - added;
        set_scale(r, active[i], size[i] < 0 ? 0 : size[i]);
    }
}

void sets_scale_proportionally(struct rollout *r)
{
    struct replica_set *one = active_or_latest(r);
    if (one) {
        if (one->replicas != r->replicas || sets_scaling_event(r))
            set_scale(r, one, r->replicas);
        return;
    }
    if (saturated(r)) {
        for (size_t i = 0; i < r->old_count; i++)
            if (r->old[i]->replicas > 0)
                set_scale(r, r->old[i], 0);
        return;
    }
    if (!r->rolling)
        return;
    struct replica_set **active = arena_alloc(r->v->arena, (r->all_count + 1) * sizeof *active);
    size_t n = 0;
    for (size_t i = 0; i < r->all_count; i++)
        if (r->all[i]->replicas > 0)
            active[n++] = r->all[i];
    int64_t to_add = (r->replicas > 0 ? r->replicas + r->surge : 0) - sets_total(r);
    qsort(active, n, sizeof *active, to_add > 0 ? by_size_newer : by_size_older);
    share_out(r, active, n, to_add);
}

/* --- forgetting --- */

static int by_revision(const void *a, const void *b)
{
    const struct replica_set *x = *(struct replica_set *const *)a,
                             *y = *(struct replica_set *const *)b;
    if (x->revision != y->revision)
        return x->revision < y->revision ? -1 : 1;
    return by_creation(a, b);
}

void sets_clean_up(struct rollout *r)
{
    const val *limit = VAL_PATH(r->d, "spec", "revisionHistoryLimit");
    if (val_is_null(limit) || val_int(limit) == INT32_MAX)
        return;
    struct replica_set **sets = arena_alloc(r->v->arena, (r->old_count + 1) * sizeof *sets);
    int64_t n = 0;
    for (size_t i = 0; i < r->old_count; i++)
        if (r->old[i]->item && !r->old[i]->item->deleted)
            sets[n++] = r->old[i];
    if (n <= val_int(limit))
        return;
    qsort(sets, (size_t)n, sizeof *sets, by_revision);
    for (int64_t i = 0; i < n - val_int(limit); i++) {
        const val *obj = sets[i]->obj;
        bool observed =
            VAL_INT(obj, "metadata", "generation") <= VAL_INT(obj, "status", "observedGeneration");
        if (sets[i]->actual == 0 && sets[i]->replicas == 0 && observed)
            act_delete(r->a, sets[i]->item, NULL);
    }
}

/* --- writing --- */

static void set_write(struct rollout *r, struct replica_set *s)
{
    if (s->item && !s->changed && s->replicas == s->was)
        return;
    val_set_int(r->v->doc, val_get(s->obj, "spec"), "replicas", s->replicas);
    struct action *act = s->item ? act_update(r->a, KIND_REPLICASETS, s->obj, NULL)
                                 : act_create(r->a, KIND_REPLICASETS, s->obj);
    if (s->replicas != s->was)
        act_event(r->a, act, r->owner, "Normal", "ScalingReplicaSet",
                  "Scaled %s replica set %.*s from %lld to %lld",
                  s->replicas > s->was ? "up" : "down", STR_ARG(s->name), (long long)s->was,
                  (long long)s->replicas);
}

void sets_write(struct rollout *r)
{
    for (size_t i = 0; i < r->all_count; i++)
        set_write(r, r->all[i]);
}
