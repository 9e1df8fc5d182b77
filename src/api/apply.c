/* Server-side apply: a manager says which fields it wants, the server merges them, remembers who
 * owns what in metadata.managedFields, and refuses to take a field that another one owns
 * (k8s.io/apimachinery/pkg/util/managedfields).
 *
 * Ownership by plain updates is followed from the first apply of an object on; an object that
 * nobody ever applied carries no managedFields. */
#include "api/call.h"
#include "api/core.h"
#include "api/fieldset.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* Fields that belong to nobody. */
static void strip_set(val *set)
{
    static const char *const members[] = {"f:name",
                                          "f:namespace",
                                          "f:uid",
                                          "f:resourceVersion",
                                          "f:creationTimestamp",
                                          "f:generation",
                                          "f:selfLink",
                                          "f:managedFields",
                                          "f:generateName",
                                          "f:deletionTimestamp",
                                          "f:deletionGracePeriodSeconds"};
    val *meta = val_get(set, "f:metadata");
    val_del(set, "f:apiVersion");
    val_del(set, "f:kind");
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        val_del(meta, members[i]);
    if (meta && val_len(meta) == 0)
        val_del(set, "f:metadata");
}

static struct fieldset_place top(const struct call *c)
{
    return (struct fieldset_place){c->kind->k->schema, NULL};
}

/* --- entries of managedFields --- */
static bool is_entry(const struct call *c, const val *entry, struct str manager,
                     const char *operation)
{
    return str_eq(VAL_STR(entry, "manager"), manager) &&
           str_is(VAL_STR(entry, "operation"), operation) &&
           str_eq(VAL_STR(entry, "subresource"), c->route.subresource);
}

static val *find_entry(const struct call *c, const val *entries, struct str manager,
                       const char *operation)
{
    VAL_FOR (entries, entry)
        if (is_entry(c, entry, manager, operation))
            return entry;
    return NULL;
}

static val *add_entry(struct call *c, val *entries, struct str manager, const char *operation)
{
    struct doc *d = &c->doc;
    val *entry = val_new_obj(d);
    val_set_s(d, entry, "manager", manager);
    val_set_z(d, entry, "operation", operation);
    val_set_s(d, entry, "apiVersion", c->kind->api_version);
    val_set_z(d, entry, "time", "");
    val_set_z(d, entry, "fieldsType", "FieldsV1");
    val_set(d, entry, "fieldsV1", val_new_obj(d));
    if (c->route.subresource.n)
        val_set_s(d, entry, "subresource", c->route.subresource);
    val_push(entries, entry);
    return entry;
}

static void set_fields(struct call *c, val *entry, val *set)
{
    char now[64];
    if (val_eq(val_get(entry, "fieldsV1"), set) && VAL_STR(entry, "time").n)
        return;
    meta_now(c, now);
    val_set_z(&c->doc, entry, "time", now);
    val_set(&c->doc, entry, "fieldsV1", set);
}

static void drop_empty(val *entries)
{
    for (size_t i = 0; i < val_len(entries);)
        if (val_len(val_get(val_at(entries, i), "fieldsV1")) == 0)
            val_remove_at(entries, i);
        else
            i++;
}

/* --- who changes without applying --- */
enum { MAX_UPDATERS = 10 }; /* more are joined to "ancient-changes" */

static struct str manager_of(const struct call *c)
{
    struct str head, tail;
    if (c->options.field_manager.n)
        return c->options.field_manager;
    str_cut(c->agent, '/', &head, &tail);
    if (head.n)
        return str_head(head, 128);
    return c->x ? STR("unknown") : STR("kube-controller-manager");
}

static size_t count_updaters(const val *entries)
{
    size_t n = 0;
    VAL_FOR (entries, entry)
        n += str_is(VAL_STR(entry, "operation"), "Update");
    return n;
}

/* The entry of an updater that has not changed anything for the longest. */
static size_t oldest_updater(const val *entries)
{
    size_t at = 0, oldest = 0;
    struct str first = {0};
    VAL_FOR (entries, entry) {
        struct str time = VAL_STR(entry, "time");
        if (str_is(VAL_STR(entry, "operation"), "Update") &&
            (!first.p || str_cmp(time, first) < 0)) {
            first = time;
            oldest = at;
        }
        at++;
    }
    return oldest;
}

static void cap_updaters(struct call *c, val *entries)
{
    struct doc *d = &c->doc;
    while (count_updaters(entries) > MAX_UPDATERS) {
        val *entry = val_at(entries, oldest_updater(entries));
        val *set = val_copy(d, val_get(entry, "fieldsV1"));
        struct str time = VAL_STR(entry, "time"), version = VAL_STR(entry, "apiVersion");
        val_remove_at(entries, oldest_updater(entries));
        size_t next = oldest_updater(entries);
        val *joined = val_at(entries, next);
        if (!str_eq(VAL_STR(joined, "apiVersion"), version))
            continue;
        fieldset_add(d, set, val_get(joined, "fieldsV1"));
        val_set_z(d, joined, "manager", "ancient-changes");
        if (str_cmp(time, VAL_STR(joined, "time")) > 0)
            val_set_s(d, joined, "time", time);
        val_set(d, joined, "fieldsV1", set);
        val_del(joined, "subresource");
    }
}

void apply_track_create(struct call *c, const val *obj)
{
    val *set = fieldset_of(&c->doc, top(c), obj);
    fieldset_mark_new(&c->doc, top(c), set, NULL, obj, !c->custom);
    strip_set(set);
    if (c->managed || val_len(set) == 0)
        return;
    c->managed = val_new_arr(&c->doc);
    set_fields(c, add_entry(c, c->managed, manager_of(c), "Update"), set);
}

void apply_track_update(struct call *c, val *obj, const val *old)
{
    val *entries = VAL_PATH(obj, "metadata", "managedFields");
    if (!val_len(entries))
        return;
    struct doc *d = &c->doc;
    val *all = fieldset_of(d, top(c), obj), *gone = fieldset_of(d, top(c), old);
    fieldset_subtract(gone, all);
    strip_set(all);
    strip_set(gone);
    val *changed = fieldset_changed(d, top(c), all, old, obj);
    if (!changed && val_len(gone) == 0)
        return;
    struct str manager = manager_of(c);
    VAL_FOR (entries, entry) {
        val *set = val_get(entry, "fieldsV1");
        fieldset_subtract(set, gone);
        if (changed && !is_entry(c, entry, manager, "Update"))
            fieldset_subtract(set, changed);
    }
    if (changed) {
        fieldset_mark_new(d, top(c), changed, old, obj, !c->custom);
        val *mine = find_entry(c, entries, manager, "Update");
        if (!mine)
            mine = add_entry(c, entries, manager, "Update");
        val *set = val_copy(d, val_get(mine, "fieldsV1"));
        fieldset_add(d, set, changed);
        set_fields(c, mine, set);
    }
    drop_empty(entries);
    cap_updaters(c, entries);
}

/* --- conflicts --- */
struct conflicts {
    struct call *c;
    struct buf text; /* of all: how upstream's message goes on behind the count */
    const val *entry;
    size_t count, of_entry;
    struct buf first;
};

static void note_conflict(void *arg, struct str path)
{
    struct conflicts *n = arg;
    struct doc *d = &n->c->doc;
    struct str manager = VAL_STR(n->entry, "manager"), version = VAL_STR(n->entry, "apiVersion");
    bool update = str_is(VAL_STR(n->entry, "operation"), "Update");
    struct buf who = {0};
    buf_printf(&who, "conflict with \"%.*s\"", STR_ARG(manager));
    if (VAL_STR(n->entry, "subresource").n)
        buf_printf(&who, " with subresource \"%.*s\"", STR_ARG(VAL_STR(n->entry, "subresource")));
    buf_printf(&who, " using %.*s", STR_ARG(version));
    if (update && VAL_STR(n->entry, "time").n)
        buf_printf(&who, " at %.*s", STR_ARG(VAL_STR(n->entry, "time")));
    val *cause = val_new_obj(d);
    val_set_z(d, cause, "reason", "FieldManagerConflict");
    val_set_s(d, cause, "message", buf_str(&who));
    val_set_s(d, cause, "field", path);
    val_push(n->c->details.causes, cause);
    if (n->count == 0)
        buf_printf(&n->first, "%s: %.*s", buf_z(&who), STR_ARG(path));
    if (n->of_entry++ == 0)
        buf_printf(&n->text, "%sconflicts%s:", n->text.n ? "\n" : "",
                   buf_z(&who) + strlen("conflict"));
    buf_printf(&n->text, "\n- %.*s", STR_ARG(path));
    n->count++;
    buf_done(&who);
}

static int fail_conflicts(struct conflicts *n, struct err *err)
{
    if (n->count == 0)
        return 0;
    n->c->details.none = true;
    if (n->count == 1)
        return err_set(err, 409, "Conflict", "Apply failed with 1 conflict: %s", buf_z(&n->first));
    return err_set(err, 409, "Conflict", "Apply failed with %zu conflicts: %s", n->count,
                   buf_z(&n->text));
}

/* kubectl moves an object from client-side to server-side apply without conflict with itself: what
 * its last-applied annotation names is its own (managedfields/internal/lastappliedmanager.go). */
static const val *last_applied_set(struct call *c, const val *live)
{
    struct str text = VAL_STR(live, "metadata", "annotations", LAST_APPLIED);
    struct err ignored;
    val *v;
    if (!text.n || !str_is(c->options.field_manager, "kubectl") ||
        doc_parse_json(&c->doc, text, &v, &ignored) != 0 || !val_is_obj(v))
        return NULL;
    return fieldset_of(&c->doc, top(c), v);
}

/* What the others own of it: theirs when it changes and nobody forces, else taken from them. */
static int settle(struct call *c, val *entries, const val *mine, const val *set, const val *live,
                  const val *merged, struct err *err)
{
    struct conflicts n = {.c = c};
    const val *own = last_applied_set(c, live);
    c->details.causes = val_new_arr(&c->doc);
    VAL_FOR (entries, entry) {
        if (entry == mine)
            continue;
        val *fields = val_get(entry, "fieldsV1");
        val *common = fieldset_common(&c->doc, set, fields);
        val *changed = common ? fieldset_changed(&c->doc, top(c), common, live, merged) : NULL;
        if (!changed)
            continue;
        val *disputed = val_copy(&c->doc, changed);
        if (own)
            fieldset_subtract(disputed, own);
        if (c->options.force || val_len(disputed) == 0) {
            fieldset_subtract(fields, changed);
            continue;
        }
        n.entry = entry;
        n.of_entry = 0;
        fieldset_each(disputed, note_conflict, &n);
    }
    int rc = fail_conflicts(&n, err);
    buf_done(&n.text);
    buf_done(&n.first);
    return rc;
}

/* --- the request --- */
static void list_undeclared(void *arg, struct str path)
{
    struct buf *b = arg;
    buf_printf(b, "%s%.*s: field not declared in schema", b->n ? "\n  " : "", STR_ARG(path));
}

/* Custom resources have another check of their own; it says `unknown field "spec.a"`. */
static void list_unknown(struct call *c, const val *v, struct buf *b)
{
    struct buf found = {0};
    struct err ignored;
    struct str head = STR("unknown field \""), line, rest;
    schema_check(c->kind->k->schema, &c->doc, val_copy(&c->doc, v), &found, &ignored);
    rest = buf_str(&found);
    while (str_next(&rest, '\n', &line))
        if (str_starts(line, head) && line.n > head.n + 1)
            list_undeclared(
                b, arena_printf(&c->arena, ".%.*s", (int)(line.n - head.n - 1), line.p + head.n));
    buf_done(&found);
}

/* A field that the schema does not have can be owned by nobody, whatever fieldValidation says. */
static int check_declared(struct call *c, const val *v, struct err *err)
{
    struct buf b = {0};
    if (c->custom)
        list_unknown(c, v, &b);
    else if (c->kind->k->schema) {
        val *unknown = fieldset_undeclared(&c->doc, top(c), v);
        if (unknown)
            fieldset_each(unknown, list_undeclared, &b);
    }
    if (!b.n)
        return 0;
    bool many = memchr(b.p, '\n', b.n) != NULL;
    c->details.none = true;
    err_set(err, 500, "", "failed to create typed patch object (%.*s/%.*s; %s/%s, Kind=%s): %s%s",
            STR_ARG(VAL_STR(v, "metadata", "namespace")), STR_ARG(VAL_STR(v, "metadata", "name")),
            c->kind->k->group, c->kind->k->version, c->kind->k->kind, many ? "errors:\n  " : "",
            buf_z(&b));
    buf_done(&b);
    return -1;
}

/* Keys that are there twice, in the words of upstream's YAML decoder; lines are those of
 * doc_parse_yaml_strict. */
static int check_repeated(struct call *c, struct str lines, struct err *err)
{
    struct buf b = {0};
    struct str line;
    if (!lines.n || c->options.ignore_strict)
        return 0;
    buf_puts(&b, "yaml: unmarshal errors:");
    while (str_next(&lines, '\n', &line))
        if (line.n)
            buf_printf(&b, "\n  %.*s", STR_ARG(line));
    int rc = 0;
    if (c->options.warn_strict)
        call_warn(c, "%s", buf_z(&b));
    else
        rc = err_bad(err, "error strict decoding YAML: %s", buf_z(&b));
    buf_done(&b);
    return rc;
}

static int decode_checked(struct call *c, struct buf *repeated, val **ret, struct err *err)
{
    if (!c->options.field_manager.n) {
        c->details = (struct call_details){
            .set = true, .group = STR("meta.k8s.io"), .kind = STR("PatchOptions")};
        return err_set(err, 422, "Invalid",
                       "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
                       "required for apply patch");
    }
    val *v;
    if (doc_parse_yaml_strict(&c->doc, c->body, &v, repeated, err) != 0)
        return err_prefix(err, "error decoding YAML");
    if (!val_is_obj(v))
        return err_bad(err, "error decoding YAML: the patch is no object");
    if (!str_eq(VAL_STR(v, "apiVersion"), c->kind->api_version) ||
        !str_is(VAL_STR(v, "kind"), c->kind->k->kind))
        return err_bad(err, "invalid object type: %.*s, Kind=%.*s",
                       STR_ARG(VAL_STR(v, "apiVersion")), STR_ARG(VAL_STR(v, "kind")));
    if (val_len(VAL_PATH(v, "metadata", "managedFields")))
        return err_bad(err, "metadata.managedFields must be nil");
    struct str name = VAL_STR(v, "metadata", "name");
    if (name.n && !str_eq(name, c->route.name))
        return err_bad(err,
                       "the name of the object (%.*s) does not match the name on the URL (%.*s)",
                       STR_ARG(name), STR_ARG(c->route.name));
    if (check_declared(c, v, err) != 0 || check_repeated(c, buf_str(repeated), err) != 0)
        return -1;
    val_set_s(&c->doc, val_ensure_obj(&c->doc, v, "metadata"), "name", c->route.name);
    struct buf strict = {0};
    int rc = schema_check(c->kind->k->schema, &c->doc, v, &strict, err);
    if (rc == 0)
        rc = body_strict(c, c->kind->api_version, str_of(c->kind->k->kind), buf_str(&strict), err);
    buf_done(&strict);
    *ret = v;
    return rc;
}

static int decode(struct call *c, val **ret, struct err *err)
{
    struct buf repeated = {0};
    int rc = decode_checked(c, &repeated, ret, err);
    buf_done(&repeated);
    return rc;
}

static enum call_next apply_create(struct call *c, val *applied, val *set)
{
    struct err err = {0};
    if (c->route.subresource.n)
        return call_fail(c, (fail_not_found(c, c->route.name, &err), &err));
    c->managed = val_new_arr(&c->doc);
    set_fields(c, add_entry(c, c->managed, c->options.field_manager, "Apply"), set);
    schema_default(c->kind->k->schema, &c->doc, applied);
    return write_create(c, applied, &err);
}

/* What was there when nobody kept track belongs to one that never comes back. */
static void add_unknown(struct call *c, val *entries, const val *old)
{
    val *set = fieldset_of(&c->doc, top(c), old);
    fieldset_mark_new(&c->doc, top(c), set, NULL, old, !c->custom);
    strip_set(set);
    val_del(set, "f:status");
    val *entry = add_entry(c, entries, STR("before-first-apply"), "Update");
    val_del(entry, "subresource");
    set_fields(c, entry, set);
}

static enum call_next apply_existing(struct call *c, const struct store_kv *kv, val *old,
                                     val *applied, val *set)
{
    struct err err = {0};
    struct doc *d = &c->doc;
    /* Who applies without a revision means the one that is there. */
    if (!VAL_STR(applied, "metadata", "resourceVersion").n)
        val_set_s(d, val_ensure_obj(d, applied, "metadata"), "resourceVersion",
                  VAL_STR(old, "metadata", "resourceVersion"));
    if (write_preconditions(c, applied, old, &err) != 0)
        return call_fail(c, &err);
    const val *was = VAL_PATH(old, "metadata", "managedFields");
    val *entries = was ? val_copy(d, was) : val_new_arr(d);
    if (!val_len(entries))
        add_unknown(c, entries, old);
    val *mine = find_entry(c, entries, c->options.field_manager, "Apply");
    val *merged = fieldset_merge(d, top(c), old, applied);
    if (settle(c, entries, mine, set, old, merged, &err) != 0)
        return call_fail(c, &err);
    c->details.causes = NULL;
    if (mine) {
        const val *others[32];
        size_t n = 0;
        VAL_FOR (entries, entry)
            if (entry != mine && n < ARRAY_LEN(others))
                others[n++] = val_get(entry, "fieldsV1");
        fieldset_remove(d, top(c), merged, val_get(mine, "fieldsV1"), set, others, n);
    } else {
        mine = add_entry(c, entries, c->options.field_manager, "Apply");
    }
    set_fields(c, mine, set);
    drop_empty(entries);
    c->managed = entries;
    schema_default(c->kind->k->schema, d, merged);
    int rc = write_changed(c, merged, old, kv->mod_rev, &err);
    return write_finish(c, rc, old, merged, &err);
}

enum call_next handle_apply(struct call *c)
{
    struct err err = {0};
    struct store_kv kv;
    val *applied = NULL, *old = NULL;
    if (decode(c, &applied, &err) != 0 || call_begin(c, &err) != 0)
        return call_fail(c, &err);
    val *set = fieldset_of(&c->doc, top(c), applied);
    strip_set(set);
    int found = write_load(c, &kv, &old, &err);
    if (found < 0)
        return call_fail(c, &err);
    return found ? apply_existing(c, &kv, old, applied, set) : apply_create(c, applied, set);
}
