/* CustomResourceDefinition: its defaults, its names and conditions, its deletion. What it may say
 * is judged in crd_check.c, what it makes is served by crd.c. */
#include <ctype.h>

#include "api/crd/crd.h"
#include "api/kinds/kinds.h"
#include "api/raw.h"

static const val *storage_version(const val *obj)
{
    VAL_FOR (VAL_PATH(obj, "spec", "versions"), version)
        if (VAL_BOOL(version, "storage"))
            return version;
    return NULL;
}

static void defaults(struct strategy_ctx *c, val *obj)
{
    struct doc *d = c->d;
    val *spec = val_ensure_obj(d, obj, "spec"), *names = val_ensure_obj(d, spec, "names");
    struct str kind = VAL_STR(names, "kind");
    if (!VAL_STR(names, "singular").n && kind.n) {
        char *lower = arena_z(c->arena, kind);
        for (char *p = lower; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        val_set_z(d, names, "singular", lower);
    }
    if (!VAL_STR(names, "listKind").n && kind.n)
        val_set(d, names, "listKind", val_new_strf(d, "%.*sList", STR_ARG(kind)));
    if (!VAL_STR(spec, "conversion", "strategy").n)
        val_set_z(d, val_ensure_obj(d, spec, "conversion"), "strategy", "None");
}

/* --- names --- */

/* What other definitions of the group were given: two sets as objects. */
struct taken {
    val *resources, *kinds;
};

static void take_name(struct doc *d, val *set, struct str name)
{
    if (name.n)
        val_set_str(d, set, name, val_new_bool(d, true));
}

static void take_names(struct strategy_ctx *c, struct taken *t, struct str json)
{
    struct str raw = raw_path(json, "status.acceptedNames");
    val *names;
    struct err ignored;
    if (!raw.p || doc_parse_json(c->d, raw, &names, &ignored) != 0)
        return;
    take_name(c->d, t->resources, VAL_STR(names, "plural"));
    take_name(c->d, t->resources, VAL_STR(names, "singular"));
    VAL_FOR (val_get(names, "shortNames"), name)
        take_name(c->d, t->resources, val_str(name));
    take_name(c->d, t->kinds, VAL_STR(names, "kind"));
    take_name(c->d, t->kinds, VAL_STR(names, "listKind"));
}

static struct taken taken_names(struct strategy_ctx *c, struct str group)
{
    struct taken t = {val_new_obj(c->d), val_new_obj(c->d)};
    struct str prefix = STR(CRD_PREFIX);
    struct str end = arena_printf(c->arena, "%.*s%c", (int)prefix.n - 1, prefix.p, '/' + 1);
    struct store_iter *it = store_range(c->snap, prefix, end);
    struct store_kv kv;
    while (store_next(it, &kv))
        if (!str_eq(str_from(kv.key, prefix.n), c->name) &&
            str_eq(raw_text(raw_path(kv.value, "spec.group")), group))
            take_names(c, &t, kv.value);
    store_iter_free(it);
    return t;
}

struct naming {
    struct strategy_ctx *c;
    val *accepted;
    const val *wanted;
    const char *reason;
    struct str message;
};

static bool is_fresh(struct naming *n, struct str name, const val *taken, const char *reason)
{
    if (!val_get_str(taken, name))
        return true;
    n->reason = reason;
    n->message = arena_printf(n->c->arena, "\"%.*s\" is already in use", STR_ARG(name));
    return false;
}

static void accept_name(struct naming *n, const char *member, const val *taken, const char *reason)
{
    struct str name = VAL_STR(n->wanted, member);
    if (str_eq(name, VAL_STR(n->accepted, member)) || is_fresh(n, name, taken, reason))
        val_set_s(n->c->d, n->accepted, member, name);
}

static bool has_word(const val *list, struct str word)
{
    VAL_FOR (list, w)
        if (str_eq(val_str(w), word))
            return true;
    return false;
}

static void accept_list(struct naming *n, const char *member, const val *taken)
{
    const val *list = val_get(n->wanted, member);
    bool fresh = true;
    VAL_FOR (list, name)
        if (taken && !has_word(val_get(n->accepted, member), val_str(name)))
            fresh &= is_fresh(n, val_str(name), taken, "ShortNamesConflict");
    if (!fresh)
        return;
    if (val_len(list))
        val_set(n->c->d, n->accepted, member, val_copy(n->c->d, list));
    else
        val_del(n->accepted, member);
}

/* Upstream's naming and establishing controllers, at once. */
static void establish(struct strategy_ctx *c, val *obj)
{
    struct doc *d = c->d;
    val *status = val_ensure_obj(d, obj, "status");
    val *conditions = val_ensure_arr(d, status, "conditions");
    struct taken t = taken_names(c, VAL_STR(obj, "spec", "group"));
    struct naming n = {
        c, val_ensure_obj(d, status, "acceptedNames"), VAL_PATH(obj, "spec", "names"), NULL, {0}};
    accept_name(&n, "plural", t.resources, "PluralConflict");
    accept_name(&n, "singular", t.resources, "SingularConflict");
    accept_list(&n, "shortNames", t.resources);
    accept_name(&n, "kind", t.kinds, "KindConflict");
    accept_name(&n, "listKind", t.kinds, "ListKindConflict");
    accept_list(&n, "categories", NULL);
    if (n.reason)
        kind_condition_set(c, conditions, "NamesAccepted", "False", n.reason, n.message.p);
    else
        kind_condition_set(c, conditions, "NamesAccepted", "True", "NoConflicts",
                           "no conflicts found");
    if (condition_is_true(conditions, "Established"))
        return;
    if (n.reason)
        kind_condition_set(c, conditions, "Established", "False", "NotAccepted",
                           "not all names are accepted");
    else
        kind_condition_set(c, conditions, "Established", "True", "InitialNamesAccepted",
                           "the initial names have been accepted");
}

static void note_storage(struct strategy_ctx *c, val *obj)
{
    struct str name = VAL_STR(storage_version(obj), "name");
    val *stored = val_ensure_arr(c->d, val_ensure_obj(c->d, obj, "status"), "storedVersions");
    if (name.n && !has_word(stored, name))
        val_push(stored, val_new_str(c->d, name));
}

/* --- approval: groups of the community are not for everybody --- */
#define APPROVAL "api-approved.kubernetes.io"
#define APPROVAL_HELP "see https://github.com/kubernetes/enhancements/pull/1111"

static bool is_protected(struct str group)
{
    return str_is(group, "k8s.io") || str_is(group, "kubernetes.io") ||
           str_ends(group, STR(".k8s.io")) || str_ends(group, STR(".kubernetes.io"));
}

enum approval { APPROVAL_MISSING, APPROVAL_INVALID, APPROVAL_BYPASSED, APPROVAL_GIVEN };

/* An address whose scheme and host are named, or why there is none. */
static enum approval approval_of(struct str text)
{
    ssize_t host = str_find(text, STR("://"));
    if (!text.n)
        return APPROVAL_MISSING;
    if (str_starts(text, STR("unapproved")))
        return APPROVAL_BYPASSED;
    if (host <= 0 || (size_t)host + 3 == text.n || text.p[host + 3] == '/')
        return APPROVAL_INVALID;
    return APPROVAL_GIVEN;
}

/* Upstream's controller of the condition, at once. */
static void note_approval(struct strategy_ctx *c, val *obj)
{
    static const char *const reasons[] = {
        [APPROVAL_MISSING] = "MissingAnnotation",
        [APPROVAL_INVALID] = "InvalidAnnotation",
        [APPROVAL_BYPASSED] = "UnapprovedAnnotation",
        [APPROVAL_GIVEN] = "ApprovedAnnotation",
    };
    struct str value = VAL_STR(obj, "metadata", "annotations", APPROVAL);
    enum approval state = approval_of(value);
    struct str text;
    if (!is_protected(VAL_STR(obj, "spec", "group")))
        return;
    if (state == APPROVAL_GIVEN)
        text = arena_printf(c->arena, "approved in %.*s", STR_ARG(value));
    else if (state == APPROVAL_BYPASSED)
        text = arena_printf(c->arena, "not approved: \"%.*s\"", STR_ARG(value));
    else if (state == APPROVAL_MISSING)
        text =
            STR("protected groups must have approval annotation \"" APPROVAL "\", " APPROVAL_HELP);
    else
        text = arena_printf(
            c->arena,
            "protected groups must have approval annotation \"" APPROVAL
            "\" with either a URL or a reason starting with \"unapproved\", " APPROVAL_HELP);
    val *conditions = val_ensure_arr(c->d, val_ensure_obj(c->d, obj, "status"), "conditions");
    kind_condition_set(c, conditions, "KubernetesAPIApprovalPolicyConformant",
                       state == APPROVAL_GIVEN ? "True" : "False", reasons[state],
                       arena_z(c->arena, text));
}

static void check_approval(struct strategy_ctx *c, const val *obj, val *causes)
{
    static const char field[] = "metadata.annotations[" APPROVAL "]";
    struct str value = VAL_STR(obj, "metadata", "annotations", APPROVAL);
    enum approval state = approval_of(value);
    if (!is_protected(VAL_STR(obj, "spec", "group")))
        return;
    if (state == APPROVAL_MISSING)
        cause_add(c->d, causes, "FieldValueRequired", field,
                  "Required value: protected groups must have approval annotation \"" APPROVAL
                  "\", " APPROVAL_HELP);
    else if (state == APPROVAL_INVALID)
        cause_add(c->d, causes, "FieldValueInvalid", field,
                  "Invalid value: \"%.*s\": protected groups must have approval annotation "
                  "\"" APPROVAL
                  "\" with either a URL or a reason starting with \"unapproved\", " APPROVAL_HELP,
                  STR_ARG(value));
}

/* --- preparation --- */
static int prepare_create(struct strategy_ctx *c, val *obj, struct err *err)
{
    (void)err;
    val_del(obj, "status");
    establish(c, obj);
    note_storage(c, obj);
    note_approval(c, obj);
    return 0;
}

static int prepare_update(struct strategy_ctx *c, val *obj, const val *old, struct err *err)
{
    (void)err;
    bool same = val_eq(val_get(obj, "spec"), val_get(old, "spec"));
    if (!same || !condition_is_true(VAL_PATH(old, "status", "conditions"), "Established"))
        establish(c, obj);
    note_storage(c, obj);
    note_approval(c, obj);
    return 0;
}

/* --- validation --- */
static void validate(struct strategy_ctx *c, const val *obj, val *causes)
{
    const val *spec = val_get(obj, "spec");
    struct str name = VAL_STR(obj, "metadata", "name");
    struct str plural = VAL_STR(spec, "names", "plural"), group = VAL_STR(spec, "group");
    struct str wanted = arena_printf(c->arena, "%.*s.%.*s", STR_ARG(plural), STR_ARG(group));
    kind_validate_name(c, obj, causes);
    if (!str_eq(name, wanted))
        cause_add(c->d, causes, "FieldValueInvalid", "metadata.name",
                  "Invalid value: \"%.*s\": must be spec.names.plural+\".\"+spec.group",
                  STR_ARG(name));
    crd_check_spec(c, spec, NULL, false, causes);
    check_approval(c, obj, causes);
}

/* storedVersions must be served by spec.versions. */
static void check_stored(struct strategy_ctx *c, const val *obj, val *causes)
{
    size_t i = 0;
    VAL_FOR (VAL_PATH(obj, "status", "storedVersions"), stored) {
        bool found = false;
        VAL_FOR (VAL_PATH(obj, "spec", "versions"), version)
            found |= str_eq(VAL_STR(version, "name"), val_str(stored));
        char field[64];
        snprintf(field, sizeof(field), "status.storedVersions[%zu]", i++);
        if (!found)
            cause_add(c->d, causes, "FieldValueInvalid", field,
                      "Invalid value: \"%.*s\": missing from spec.versions; %.*s was previously a "
                      "storage version, and must remain in spec.versions until a storage migration "
                      "ensures no data remains persisted in %.*s and removes %.*s from "
                      "status.storedVersions",
                      STR_ARG(val_str(stored)), STR_ARG(val_str(stored)), STR_ARG(val_str(stored)),
                      STR_ARG(val_str(stored)));
    }
}

static void validate_update(struct strategy_ctx *c, const val *obj, const val *old, val *causes)
{
    bool established = condition_is_true(VAL_PATH(old, "status", "conditions"), "Established");
    crd_check_spec(c, val_get(obj, "spec"), val_get(old, "spec"), established, causes);
    check_stored(c, obj, causes);
    check_approval(c, obj, causes);
}

/* --- deletion: the janitor takes the finalizer off when no object is left --- */
static int64_t grace(struct strategy_ctx *c, val *obj, const val *delete_options, struct err *err)
{
    struct doc *d = c->d;
    (void)delete_options;
    (void)err;
    if (VAL_STR(obj, "metadata", "deletionTimestamp").n)
        return 0;
    val *finalizers = val_ensure_arr(d, val_ensure_obj(d, obj, "metadata"), "finalizers");
    if (!has_word(finalizers, STR(CRD_CLEANUP)))
        val_push(finalizers, val_new_z(d, CRD_CLEANUP));
    val *conditions = val_ensure_arr(d, val_ensure_obj(d, obj, "status"), "conditions");
    kind_condition_set(c, conditions, "Terminating", "True", "InstanceDeletionPending",
                       "CustomResourceDefinition marked for deletion; CustomResource deletion will "
                       "begin soon");
    return 0;
}

const struct strategy crd_strategy = {
    .group = "apiextensions.k8s.io",
    .resource = "customresourcedefinitions",
    .defaults = defaults,
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = validate,
    .validate_update = validate_update,
    .grace = grace,
    .spec_generation = true,
    .has_status = true,
    .status_alone = true,
    .status_on_create = true,
    .return_deleted = true,
};
