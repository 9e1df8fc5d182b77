/* release_hooks.c: the hooks of a release: what their annotations say, and the names of events,
 * policies and phases. */
#include "release/release_internal.h"
#include "template/unicode.h"

static const char *const event_texts[] = {
    [HOOK_PRE_INSTALL] = "pre-install",
    [HOOK_POST_INSTALL] = "post-install",
    [HOOK_PRE_DELETE] = "pre-delete",
    [HOOK_POST_DELETE] = "post-delete",
    [HOOK_PRE_UPGRADE] = "pre-upgrade",
    [HOOK_POST_UPGRADE] = "post-upgrade",
    [HOOK_PRE_ROLLBACK] = "pre-rollback",
    [HOOK_POST_ROLLBACK] = "post-rollback",
    [HOOK_TEST] = "test",
};
static const char *const policy_texts[] = {"hook-succeeded", "hook-failed", "before-hook-creation"};

const struct hook_names hook_event_names = {event_texts, ARRAY_LEN(event_texts)};
const struct hook_names hook_policy_names = {policy_texts, ARRAY_LEN(policy_texts)};

uint32_t hook_bit(const struct hook_names *names, struct str text)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_is(text, names->texts[i]))
            return 1u << i;
    return 0;
}

uint32_t hook_bits(const struct hook_names *names, const struct chart_strs *texts)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < texts->n; i++)
        bits |= hook_bit(names, texts->items[i]);
    return bits;
}

static const char *const phase_texts[] = {
    [HOOK_PHASE_NONE] = "",           [HOOK_PHASE_UNKNOWN] = "Unknown",
    [HOOK_PHASE_RUNNING] = "Running", [HOOK_PHASE_SUCCEEDED] = "Succeeded",
    [HOOK_PHASE_FAILED] = "Failed",
};

const char *hook_phase_text(enum hook_phase p)
{
    return phase_texts[p];
}

enum hook_phase hook_phase_of(struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(phase_texts); i++)
        if (str_is(text, phase_texts[i]))
            return (enum hook_phase)i;
    return HOOK_PHASE_UNKNOWN;
}

/* strings.ToLower of strings.TrimSpace; what is compared to it is ASCII. */
static struct str normal(struct arena *a, struct str s)
{
    s = rune_trim_space(s);
    char *lower = arena_z(a, s);
    for (size_t i = 0; i < s.n; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] += 'a' - 'A';
    return (struct str){lower, s.n};
}

/* The parts of an annotation between commas; none when it is missing. */
static struct chart_strs read_annotation(struct chart_ctx *cx, const struct manifest *m,
                                         const char *name)
{
    struct value *v = vmap_get(m->annotations, str_of(name));
    if (!v)
        return (struct chart_strs){0};
    struct str list = value_text(*v), one;
    size_t count = 1;
    for (size_t i = 0; i < list.n; i++)
        count += list.p[i] == ',';
    struct chart_strs ret = {arena_zalloc(cx->arena, count * sizeof(*ret.items)), 0};
    for (bool more = true; more;) {
        more = str_cut(list, ',', &one, &list);
        ret.items[ret.n++] = normal(cx->arena, one);
    }
    return ret;
}

int release_hooks_from(struct chart_ctx *cx, const struct manifests *hooks, struct release *r)
{
    r->hook_count = hooks->n;
    r->hooks = arena_zalloc(cx->arena, (hooks->n + 1) * sizeof(*r->hooks));
    for (size_t i = 0; i < hooks->n; i++) {
        const struct manifest *m = &hooks->items[i];
        struct release_hook *h = &r->hooks[i];
        *h = (struct release_hook){
            .name = m->name,
            .kind = m->kind,
            .path = m->path,
            .manifest = m->content,
            .events = m->events,
            .weight = m->weight,
            .event_names = read_annotation(cx, m, "helm.sh/hook"),
            .delete_names = read_annotation(cx, m, "helm.sh/hook-delete-policy"),
            .output_log_names = read_annotation(cx, m, "helm.sh/hook-output-log-policy"),
        };
        for (size_t k = 0; k < h->event_names.n; k++)
            if (str_is(h->event_names.items[k], "test-success")) /* Helm 2's name */
                h->event_names.items[k] = STR("test");
        h->delete_policies = hook_bits(&hook_policy_names, &h->delete_names);
        h->output_log_policies = hook_bits(&hook_policy_names, &h->output_log_names);
    }
    return 0;
}
