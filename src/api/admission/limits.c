/* LimitRanger: default requests and limits of containers, bounds of pods and claims. */
#include "api/admission/admission.h"

static void sort_texts(struct str *at, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && str_cmp(at[k - 1], at[k]) > 0; k--) {
            struct str t = at[k];
            at[k] = at[k - 1];
            at[k - 1] = t;
        }
}

enum { MAX_DEFAULTS = 64 };

/* What of the defaults the container did not say itself; the names are told. */
static void default_list(struct call *c, val *container, const char *member, const val *defaults,
                         const char *what, struct buf *notes)
{
    struct str names[MAX_DEFAULTS];
    size_t n = 0;
    VAL_EACH (defaults, key, quantity) {
        val *resources = val_ensure_obj(&c->doc, container, "resources");
        val *list = val_ensure_obj(&c->doc, resources, member);
        if (val_get_str(list, val_str(key)) || n == MAX_DEFAULTS)
            continue;
        val_set_str(&c->doc, list, val_str(key), val_copy(&c->doc, quantity));
        names[n++] = val_str(key);
    }
    if (!n)
        return;
    sort_texts(names, n);
    buf_puts(notes, notes->n ? "; " : "");
    for (size_t i = 0; i < n; i++)
        buf_printf(notes, "%s%.*s", i ? ", " : "", STR_ARG(names[i]));
    buf_printf(notes, " %s %.*s", what, STR_ARG(VAL_STR(container, "name")));
}

static void default_containers(struct call *c, val *pod, const val *limit, struct buf *notes)
{
    VAL_FOR (VAL_PATH(pod, "spec", "containers"), k) {
        default_list(c, k, "requests", val_get(limit, "defaultRequest"), "request for container",
                     notes);
        default_list(c, k, "limits", val_get(limit, "default"), "limit for container", notes);
    }
    VAL_FOR (VAL_PATH(pod, "spec", "initContainers"), k) {
        default_list(c, k, "requests", val_get(limit, "defaultRequest"),
                     "request for init container", notes);
        default_list(c, k, "limits", val_get(limit, "default"), "limit for init container", notes);
    }
}

void limits_mutate(struct call *c, val *pod)
{
    struct admission_walk w;
    struct buf notes = {0};
    admission_walk_open(&w, c, "", "limitranges", c->route.ns);
    for (const val *range; (range = admission_walk_next(&w));) {
        VAL_FOR (VAL_PATH(range, "spec", "limits"), limit) {
            if (str_is(VAL_STR(limit, "type"), "Container"))
                default_containers(c, pod, limit, &notes);
        }
    }
    admission_walk_close(&w);
    if (notes.n) {
        val *meta = val_ensure_obj(&c->doc, pod, "metadata");
        val_set(&c->doc, val_ensure_obj(&c->doc, meta, "annotations"), "kubernetes.io/limit-ranger",
                val_new_strf(&c->doc, "LimitRanger plugin set: %s", buf_z(&notes)));
    }
    buf_done(&notes);
}

/* --- bounds --- */
struct bounds {
    struct call *c;
    struct str type; /* "Container", "Pod", "PersistentVolumeClaim" */
    struct usage requests, limits;
    bool claim; /* limits are not a claim's */
    struct buf *wrong;
    size_t count;
};

static const char *text(struct bounds *b, const struct quantity *q)
{
    struct buf t = {0};
    quantity_write(q, &t);
    const char *z = arena_z(&b->c->arena, buf_str(&t));
    buf_done(&t);
    return z;
}

__attribute__((format(printf, 2, 3))) static void add(struct bounds *b, const char *format, ...)
{
    va_list args;
    buf_puts(b->wrong, b->count++ ? ", " : "");
    va_start(args, format);
    buf_vprintf(b->wrong, format, args);
    va_end(args);
}

typedef void bound_fn(struct bounds *b, struct str name, const struct quantity *bound,
                      const struct quantity *request, const struct quantity *limit);

static void check_min(struct bounds *b, struct str name, const struct quantity *bound,
                      const struct quantity *request, const struct quantity *limit)
{
    struct str type = b->type;
    if (!request)
        add(b, "minimum %.*s usage per %.*s is %s.  No request is specified", STR_ARG(name),
            STR_ARG(type), text(b, bound));
    else if (quantity_cmp(request, bound) < 0)
        add(b, "minimum %.*s usage per %.*s is %s, but request is %s", STR_ARG(name), STR_ARG(type),
            text(b, bound), text(b, request));
    else if (limit && quantity_cmp(limit, bound) < 0)
        add(b, "minimum %.*s usage per %.*s is %s, but limit is %s", STR_ARG(name), STR_ARG(type),
            text(b, bound), text(b, limit));
}

static void check_max(struct bounds *b, struct str name, const struct quantity *bound,
                      const struct quantity *request, const struct quantity *limit)
{
    struct str type = b->type;
    if (!limit && !(b->claim && request))
        add(b, "maximum %.*s usage per %.*s is %s.  No %s is specified", STR_ARG(name),
            STR_ARG(type), text(b, bound), b->claim ? "request" : "limit");
    else if (limit && quantity_cmp(limit, bound) > 0)
        add(b, "maximum %.*s usage per %.*s is %s, but limit is %s", STR_ARG(name), STR_ARG(type),
            text(b, bound), text(b, limit));
    else if (request && quantity_cmp(request, bound) > 0)
        add(b, "maximum %.*s usage per %.*s is %s, but request is %s", STR_ARG(name), STR_ARG(type),
            text(b, bound), text(b, request));
}

static void check_ratio(struct bounds *b, struct str name, const struct quantity *bound,
                        const struct quantity *request, const struct quantity *limit)
{
    const char *says = text(b, bound);
    if (!request || request->nano == 0) {
        add(b,
            "%.*s max limit to request ratio per %.*s is %s, but no request is specified or "
            "request is 0",
            STR_ARG(name), STR_ARG(b->type), says);
    } else if (!limit || limit->nano == 0) {
        add(b,
            "%.*s max limit to request ratio per %.*s is %s, but no limit is specified or limit is "
            "0",
            STR_ARG(name), STR_ARG(b->type), says);
    } else {
        double ratio = (double)limit->nano / (double)request->nano;
        if (ratio > (double)bound->nano / 1e9)
            add(b, "%.*s max limit to request ratio per %.*s is %s, but provided ratio is %f",
                STR_ARG(name), STR_ARG(b->type), says, ratio);
    }
}

static void check_each(struct bounds *b, const val *list, bound_fn *fn)
{
    VAL_EACH (list, key, v) {
        struct quantity bound;
        struct err ignored;
        struct str name = val_str(key);
        if (quantity_parse(val_str(v), &bound, &ignored) != 0)
            continue;
        struct usage_item *request = usage_find(&b->requests, name);
        struct usage_item *limit = usage_find(&b->limits, name);
        fn(b, name, &bound, request ? &request->q : NULL, limit ? &limit->q : NULL);
    }
}

static void check_all(struct bounds *b, const val *limit)
{
    check_each(b, val_get(limit, "min"), check_min);
    check_each(b, val_get(limit, "max"), check_max);
    if (!b->claim)
        check_each(b, val_get(limit, "maxLimitRequestRatio"), check_ratio);
}

static void check_containers(struct bounds *b, const val *spec, const val *limit)
{
    static const char *const lists[] = {"containers", "initContainers"};
    struct arena *a = &b->c->arena;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        VAL_FOR (val_get(spec, lists[i]), k) {
            b->requests = b->limits = (struct usage){0};
            usage_read(&b->requests, a, VAL_PATH(k, "resources", "requests"));
            usage_read(&b->limits, a, VAL_PATH(k, "resources", "limits"));
            check_all(b, limit);
        }
    }
}

static void check_limit(struct bounds *b, const val *obj, const val *limit, bool pod)
{
    const val *spec = val_get(obj, "spec");
    struct arena *a = &b->c->arena;
    b->type = VAL_STR(limit, "type");
    b->requests = b->limits = (struct usage){0};
    if (pod && str_is(b->type, "Container")) {
        check_containers(b, spec, limit);
    } else if (pod && str_is(b->type, "Pod")) {
        usage_of_pod(&b->requests, a, spec, "requests");
        usage_of_pod(&b->limits, a, spec, "limits");
        check_all(b, limit);
    } else if (b->claim && str_is(b->type, "PersistentVolumeClaim")) {
        usage_read(&b->requests, a, VAL_PATH(spec, "resources", "requests"));
        check_all(b, limit);
    }
}

int limits_validate(struct call *c, const val *obj, struct err *err)
{
    bool pod = admission_is(c, "", "pods"), claim = admission_is(c, "", "persistentvolumeclaims");
    bool create = strcmp(c->route.verb, "create") == 0;
    struct str sub = c->route.subresource;
    if (!(claim && !sub.n) && !(pod && (str_is(sub, "resize") || (!sub.n && create))))
        return 0;
    struct admission_walk w;
    int rc = 0;
    admission_walk_open(&w, c, "", "limitranges", c->route.ns);
    for (const val *range; rc == 0 && (range = admission_walk_next(&w));) {
        struct buf wrong = {0};
        struct bounds b = {.c = c, .claim = claim, .wrong = &wrong};
        VAL_FOR (VAL_PATH(range, "spec", "limits"), limit) {
            check_limit(&b, obj, limit, pod);
        }
        if (b.count)
            rc = admission_forbid(c, obj, err, "%s%s%s", b.count > 1 ? "[" : "", buf_z(&wrong),
                                  b.count > 1 ? "]" : "");
        buf_done(&wrong);
    }
    admission_walk_close(&w);
    return rc;
}
