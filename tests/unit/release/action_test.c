#include "little_api.h"

#define MAPS "/api/v1/namespaces/ns/configmaps"

static const char maps[] =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
    "data: {revision: '{{ .Release.Revision }}', v: '{{ .Values.v }}'}\n"
    "{{- if .Values.more }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: "
    "{name: more}\n{{- end }}\n";

static struct vmap *values(struct bench *b, const char *key, const char *text)
{
    struct vmap *m = vmap_new(&b->arena, 1);
    if (key)
        vmap_set(m, str_of(key), value_z(text));
    return m;
}

static int install(struct bench *b, const char *template, const char *key, const char *text)
{
    struct action_install o = {.name = STR("web"), .how.timeout_ms = 5000};
    struct release *r;
    return action_install(&b->x, bench_chart(b, template), values(b, key, text), &o, &r);
}

static int upgrade(struct bench *b, const char *template, const char *key, const char *text,
                   const struct action_upgrade *with)
{
    struct action_upgrade o = with ? *with : (struct action_upgrade){0};
    struct release *r;
    o.name = STR("web");
    o.how.timeout_ms = 5000;
    return action_upgrade(&b->x, bench_chart(b, template), values(b, key, text), &o, &r);
}

static const struct release *revision(struct bench *b, int version)
{
    struct release *r = NULL;
    CHECK(storage_get(b->x.storage, STR("web"), version, &r) == STORAGE_OK);
    return r;
}

static void check_status(struct bench *b, int version, enum release_status status,
                         const char *description)
{
    const struct release *r = revision(b, version);
    CHECK_STR(str_of(release_status_text(r->status)), release_status_text(status));
    CHECK_STR(r->description, description);
}

TEST(an_installed_release_owns_its_objects)
{
    struct bench b;
    bench_init(&b);
    CHECK_INT(install(&b, maps, "v", "1"), 0);
    const char *json = little_get(&b.api, MAPS "/web");
    CHECK(strstr(json, "\"app.kubernetes.io/managed-by\":\"Helm\""));
    CHECK(strstr(json, "\"meta.helm.sh/release-name\":\"web\""));
    CHECK(strstr(json, "\"meta.helm.sh/release-namespace\":\"ns\""));
    check_status(&b, 1, RELEASE_DEPLOYED, "Install complete");
    CHECK_INT(install(&b, maps, "v", "1"), -1);
    CHECK_STR(b.cx.error, "cannot re-use a name that is still in use");
    bench_done(&b);
}

TEST(objects_of_others_are_not_taken)
{
    struct bench b;
    bench_init(&b);
    little_set(
        &b.api, MAPS "/web",
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"web\",\"labels\":{"
        "\"app.kubernetes.io/managed-by\":\"Helm\"},\"annotations\":{"
        "\"meta.helm.sh/release-name\":\"other\"}}}");
    CHECK_INT(install(&b, maps, NULL, NULL), -1);
    CHECK_STR(
        b.cx.error,
        "Unable to continue with install: ConfigMap \"web\" in namespace \"ns\" exists and cannot "
        "be imported into the current release: invalid ownership metadata; annotation validation "
        "error: key \"meta.helm.sh/release-name\" must equal \"web\": current value is \"other\"; "
        "annotation validation error: missing key \"meta.helm.sh/release-namespace\": must be set "
        "to \"ns\"");
    bench_done(&b);
}

TEST(an_installation_that_fails_is_recorded_and_an_atomic_one_is_undone)
{
    struct bench b;
    struct release *r;
    bench_init(&b);
    b.api.refuse = "POST " MAPS;
    CHECK_INT(install(&b, maps, NULL, NULL), -1);
    check_status(&b, 1, RELEASE_FAILED,
                 "Release \"web\" failed: 1 error occurred:\n\t* it is forbidden\n\n");
    struct action_install o = {
        .name = STR("web"), .replace = true, .how = {.atomic = true, .timeout_ms = 5000}};
    CHECK_INT(action_install(&b.x, bench_chart(&b, maps), values(&b, NULL, NULL), &o, &r), -1);
    CHECK_STR(b.cx.error, "release web failed, and has been uninstalled due to atomic being set: 1 "
                          "error occurred:\n\t* it is forbidden\n\n");
    CHECK(storage_last(b.x.storage, STR("web"), &r) == STORAGE_NOT_FOUND);
    bench_done(&b);
}

TEST(upgrades_and_rollbacks_follow_each_other)
{
    struct bench b;
    struct action_rollback back = {.name = STR("web"), .version = 1, .timeout_ms = 5000};
    bench_init(&b);
    CHECK_INT(install(&b, maps, "more", "yes"), 0);
    CHECK_INT(upgrade(&b, maps, "v", "2", NULL), 0);
    CHECK_STR(str_of(little_get(&b.api, MAPS "/more")), "");
    check_status(&b, 1, RELEASE_SUPERSEDED, "Install complete");
    check_status(&b, 2, RELEASE_DEPLOYED, "Upgrade complete");
    CHECK_INT(action_rollback(&b.x, &back), 0);
    CHECK(little_get(&b.api, MAPS "/more")[0]);
    check_status(&b, 2, RELEASE_SUPERSEDED, "Upgrade complete");
    check_status(&b, 3, RELEASE_DEPLOYED, "Rollback to 1");
    back.version = 9;
    CHECK_INT(action_rollback(&b.x, &back), -1);
    CHECK_STR(b.cx.error, "release has no 9 version");
    bench_done(&b);
}

TEST(a_failed_upgrade_leaves_the_deployed_revision_deployed)
{
    struct bench b;
    bench_init(&b);
    CHECK_INT(install(&b, maps, "v", "1"), 0);
    b.api.refuse = "PATCH";
    CHECK_INT(upgrade(&b, maps, "v", "2", NULL), -1);
    CHECK_STR(b.cx.error, "cannot patch \"web\" with kind ConfigMap: it is forbidden");
    check_status(&b, 1, RELEASE_DEPLOYED, "Install complete");
    check_status(
        &b, 2, RELEASE_FAILED,
        "Upgrade \"web\" failed: cannot patch \"web\" with kind ConfigMap: it is forbidden");
    b.api.refuse = NULL;
    CHECK_INT(upgrade(&b, maps, "v", "3", NULL), 0);
    bench_done(&b);
}

TEST(an_atomic_upgrade_goes_back)
{
    struct bench b;
    struct action_upgrade o = {.how.atomic = true, .cleanup_on_fail = true};
    bench_init(&b);
    CHECK_INT(install(&b, maps, "v", "1"), 0);
    b.api.refuse = "POST " MAPS;
    CHECK_INT(upgrade(&b, maps, "more", "yes", &o), -1);
    CHECK_STR(b.cx.error, "release web failed, and has been rolled back due to atomic being set: "
                          "failed to create resource: it is forbidden");
    check_status(&b, 3, RELEASE_DEPLOYED, "Rollback to 1");
    CHECK(strstr(little_get(&b.api, MAPS "/web"), "\"v\":\"1\""));
    bench_done(&b);
}

TEST(what_was_interrupted_is_not_built_upon)
{
    struct bench b;
    struct release pending = {.name = STR("web"),
                              .namespace = STR("ns"),
                              .version = 1,
                              .status = RELEASE_PENDING_UPGRADE};
    bench_init(&b);
    CHECK(storage_create(b.x.storage, &pending) == STORAGE_OK);
    CHECK_INT(upgrade(&b, maps, NULL, NULL, NULL), -1);
    CHECK_STR(b.cx.error, "another operation (install/upgrade/rollback) is in progress");
    CHECK(strstr(buf_z(&b.warnings), "tutti helm rollback web"));
    bench_done(&b);
}

static bool yes(void *arg)
{
    bool *now = arg;
    return *now;
}

TEST(an_interruption_leaves_a_failed_release)
{
    struct bench b;
    bool now = true;
    bench_init(&b);
    struct cluster_watcher w = {.interrupted = yes, .arg = &now};
    cluster_watch(b.x.cluster, &w);
    CHECK_INT(install(&b, maps, NULL, NULL), -1);
    CHECK_STR(b.cx.error, "context canceled");
    check_status(&b, 1, RELEASE_FAILED, "Release \"web\" failed: context canceled");
    bench_done(&b);
}

TEST(values_are_those_of_before_unless_new_ones_are_given)
{
    struct bench b;
    struct action_upgrade reuse = {.reuse_values = true}, reset = {.reset_values = true};
    bench_init(&b);
    CHECK_INT(install(&b, maps, "v", "1"), 0);
    CHECK_INT(upgrade(&b, maps, NULL, NULL, NULL), 0);
    CHECK(strstr(little_get(&b.api, MAPS "/web"), "\"v\":\"1\""));
    CHECK_INT(upgrade(&b, maps, "more", "yes", &reuse), 0);
    CHECK_INT(vmap_len(revision(&b, 3)->config), 2);
    CHECK_INT(upgrade(&b, maps, NULL, NULL, &reset), 0);
    CHECK_INT(vmap_len(revision(&b, 4)->config), 0);
    bench_done(&b);
}

/* --- uninstalling --- */
TEST(a_release_ends_with_its_objects_and_records)
{
    struct bench b;
    struct str info;
    struct release *r;
    struct action_uninstall o = {.name = STR("web"), .cascade = "background", .timeout_ms = 5000};
    bench_init(&b);
    CHECK_INT(
        install(&b,
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: "
                "{helm.sh/resource-policy: keep}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: "
                "{name: gone}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: first}\n",
                NULL, NULL),
        0);
    buf_clear(&b.api.log);
    CHECK_INT(action_uninstall(&b.x, &o, &info), 0);
    CHECK_STR(info, "These resources were kept due to the resource policy:\n[ConfigMap] kept\n");
    CHECK_STR(buf_str(&b.api.log),
              "DELETE /api/v1/namespaces/ns/services/first\nDELETE " MAPS "/gone\n");
    CHECK(storage_last(b.x.storage, STR("web"), &r) == STORAGE_NOT_FOUND);
    CHECK_INT(action_uninstall(&b.x, &o, &info), -1);
    CHECK_STR(b.cx.error, "uninstall: Release not loaded: web: release: not found");
    o.ignore_not_found = true;
    CHECK_INT(action_uninstall(&b.x, &o, &info), 0);
    bench_done(&b);
}

/* --- hooks --- */
static const char hooks[] =
    "{{- range list \"b\" \"a\" }}\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ . }}\n  "
    "annotations:\n    helm.sh/hook: pre-install\n    helm.sh/hook-weight: '{{ if eq . \"a\" "
    "}}-1{{ else "
    "}}3{{ end }}'\n    helm.sh/hook-delete-policy: hook-succeeded\nstatus: {phase: {{ "
    "$.Values.phase }}}"
    "\n{{- end }}\n";

TEST(hooks_run_by_weight_and_go_by_their_policy)
{
    struct bench b;
    bench_init(&b);
    CHECK_INT(install(&b, hooks, "phase", "Succeeded"), 0);
#define PODS "/api/v1/namespaces/ns/pods"
    CHECK_STR(buf_str(&b.api.log),
              "POST " PODS "\nPOST " PODS "\nDELETE " PODS "/b\nDELETE " PODS "/a\n");
    const struct release *r = revision(&b, 1);
    CHECK_INT(r->hook_count, 2);
    CHECK(r->hooks[0].phase == HOOK_PHASE_SUCCEEDED && r->hooks[0].completed.ns);
    bench_done(&b);
}

TEST(a_failed_hook_fails_the_release)
{
    struct bench b;
    bench_init(&b);
    CHECK_INT(install(&b, hooks, "phase", "Failed"), -1);
    CHECK_STR(b.cx.error, "failed pre-install: 1 error occurred:\n\t* pod a failed\n\n");
    CHECK(revision(&b, 1)->status == RELEASE_FAILED);
    bench_done(&b);
}

TEST(tests_are_chosen_by_name)
{
    struct bench b;
    struct release *r;
    struct str name = STR("b");
    struct action_test o = {.name = STR("web"), .only = {&name, 1}, .timeout_ms = 5000};
    bench_init(&b);
    CHECK_INT(
        install(
            &b,
            "{{- range list \"a\" \"b\" }}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: {{ "
            ". }}, annotations: {helm.sh/hook: test}}\nstatus: {phase: Succeeded}\n{{- end }}\n",
            NULL, NULL),
        0);
    buf_clear(&b.api.log);
    CHECK_INT(action_test(&b.x, &o, &r), 0);
    CHECK_STR(buf_str(&b.api.log), "DELETE " PODS "/b\nPOST " PODS "\n");
    CHECK_INT(r->hook_count, 2);
    bench_done(&b);
}
