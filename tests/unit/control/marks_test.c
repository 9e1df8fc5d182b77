/* What makes a key dirty: a change of an object, and the keys that the controllers mark for it. */
#include <stdio.h>

#include "control/reconcile.h"
#include "test.h"

struct scene {
    struct picture *picture;
    struct arena arena;
    char keys[512]; /* "a b " */
};

static struct scene scene_new(void)
{
    return (struct scene){.picture = picture_new()};
}

static void scene_done(struct scene *s)
{
    picture_free(s->picture);
    arena_done(&s->arena);
}

static void mark(void *arg, struct str key)
{
    struct scene *s = arg;
    size_t n = strlen(s->keys);
    snprintf(s->keys + n, sizeof s->keys - n, "%s%.*s", n ? " " : "", STR_ARG(key));
}

/* Puts the object into the picture and answers the keys that c marks for the change. */
static struct str change(struct scene *s, const struct controller *c, enum kind kind,
                         const char *json)
{
    struct doc d = {0};
    val *v;
    struct err err;
    CHECK_OK(doc_parse_json(&d, str_of(json), &v, &err), &err);
    struct bytes *text = bytes_new(str_of(json));
    struct item *now = item_new(kind, v, text), *old;
    bool gone = val_bool(val_get(v, "gone"));
    picture_apply(s->picture, kind, now->key, gone ? NULL : item_ref(now), &old);
    const struct change change = {kind, old, gone ? NULL : now};
    struct marks m = {s->picture, &s->arena, mark, s};
    s->keys[0] = '\0';
    c->changed(&m, &change);
    item_unref(old);
    item_unref(now);
    bytes_unref(text);
    doc_done(&d);
    return str_of(s->keys);
}

#define META(name, rest)                                                                           \
    "\"metadata\":{\"namespace\":\"d\",\"name\":\"" name "\",\"uid\":\"u-" name "\"" rest "}"
#define OF_SET                                                                                     \
    ",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":"     \
    "\"ReplicaSet\",\"name\":\"web-1\",\"uid\":\"u-web-1\",\"controller\":true}]"
#define READY(s) "\"conditions\":[{\"type\":\"Ready\",\"status\":\"" s "\"}]"

TEST(a_pod_marks_its_replica_set_when_something_that_counts_has_changed)
{
    struct scene s = scene_new();
    const struct controller *c = &controller_replicaset;
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", OF_SET) "}"), "d/web-1");
    CHECK_STR(
        change(&s, c, KIND_PODS, "{" META("p", OF_SET) ",\"status\":{\"podIP\":\"10.0.0.1\"}}"),
        "");
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", OF_SET) ",\"status\":{" READY("True") "}}"),
              "d/web-1");
    CHECK_STR(change(&s, c, KIND_PODS, "{\"gone\":true," META("p", OF_SET) "}"), "d/web-1");
    scene_done(&s);
}

TEST(an_orphan_marks_the_sets_that_could_adopt_it)
{
    struct scene s = scene_new();
    const struct controller *c = &controller_replicaset;
    change(&s, c, KIND_REPLICASETS,
           "{" META("web-1", "") ",\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"web\"}}}}");
    change(&s, c, KIND_REPLICASETS,
           "{" META("db-1", "") ",\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"db\"}}}}");
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", ",\"labels\":{\"app\":\"web\"}") "}"),
              "d/web-1");
    scene_done(&s);
}

TEST(a_pod_with_an_address_marks_the_services_that_select_it)
{
    struct scene s = scene_new();
    const struct controller *c = &controller_endpointslice;
    CHECK_STR(change(&s, c, KIND_SERVICES,
                     "{" META("web", "") ",\"spec\":{\"selector\":{\"app\":\"web\"}}}"),
              "d/web");
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", OF_SET) "}"), "");
    CHECK_STR(
        change(&s, c, KIND_PODS, "{" META("p", OF_SET) ",\"status\":{\"podIP\":\"10.0.0.1\"}}"),
        "d/web");
    CHECK_STR(change(&s, c, KIND_PODS,
                     "{" META("p", OF_SET) ",\"status\":{\"podIP\":\"10.0.0.1\",\"x\":1}}"),
              "");
    scene_done(&s);
}

TEST(a_vanished_owner_marks_its_dependents_for_the_garbage_collector)
{
    struct scene s = scene_new();
    const struct controller *c = &controller_garbage;
    CHECK_STR(change(&s, c, KIND_REPLICASETS, "{" META("web-1", "") "}"), "");
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", OF_SET) "}"), "");
    CHECK_STR(change(&s, c, KIND_REPLICASETS, "{\"gone\":true," META("web-1", "") "}"), "D:d/p");
    scene_done(&s);
}

TEST(a_pod_without_a_node_gives_reason_for_a_scheduling_pass)
{
    struct scene s = scene_new();
    const struct controller *c = &controller_scheduler;
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", OF_SET) "}"), "pods");
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", OF_SET) ",\"spec\":{\"nodeName\":\"n\"}}"),
              "");
    CHECK_STR(change(&s, c, KIND_PODS,
                     "{" META("p", OF_SET) ",\"spec\":{\"nodeName\":\"n\"},\"status\":{\"phase\":"
                                           "\"Succeeded\"}}"),
              "pods");
    scene_done(&s);
}

#define USES                                                                                       \
    ",\"spec\":{\"nodeName\":\"n\",\"volumes\":[{\"persistentVolumeClaim\":{\"claimName\":\"c\"}}" \
    "]}"
#define GUARDED ",\"finalizers\":[\"kubernetes.io/pvc-protection\"]"
#define DELETED ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\""

TEST(a_pod_that_goes_marks_the_namespace_of_a_claim_that_is_being_deleted)
{
    struct scene s = scene_new();
    const struct controller *c = &controller_pvc_protection;
    CHECK_STR(change(&s, c, KIND_PERSISTENTVOLUMECLAIMS, "{" META("c", GUARDED) "}"), "");
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", "") USES "}"), "");
    CHECK_STR(change(&s, c, KIND_PODS, "{\"gone\":true," META("p", "") USES "}"), "");
    change(&s, c, KIND_PODS, "{" META("p", "") USES "}");
    change(&s, c, KIND_PODS, "{" META("q", "") "}");
    CHECK_STR(change(&s, c, KIND_PERSISTENTVOLUMECLAIMS, "{" META("c", GUARDED DELETED) "}"), "d");
    CHECK_STR(change(&s, c, KIND_PODS, "{\"gone\":true," META("q", "") "}"), "");
    CHECK_STR(change(&s, c, KIND_PODS, "{" META("p", DELETED) USES "}"), "d");
    CHECK_STR(change(&s, c, KIND_PODS, "{\"gone\":true," META("p", DELETED) USES "}"), "d");
    scene_done(&s);
}
