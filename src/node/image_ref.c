/* Image references, after github.com/distribution/reference. */
#include <string.h>

#include "node/image.h"

enum { MAX_NAME = 255, MAX_TAG = 128 };

static bool lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool alnum(char c)
{
    return lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* alphanumerics with separators ".", "_", "__" or dashes between them */
static bool component_ok(struct str s)
{
    if (s.n == 0 || !lower_alnum(s.p[0]) || !lower_alnum(s.p[s.n - 1]))
        return false;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i], before = s.p[i - 1];
        if (lower_alnum(c) || c == '-')
            continue;
        if (c == '_' && (lower_alnum(before) || (before == '_' && lower_alnum(s.p[i - 2]))))
            continue;
        if (c == '.' && lower_alnum(before) && lower_alnum(s.p[i + 1]))
            continue;
        return false;
    }
    for (size_t i = 1; i + 1 < s.n; i++)
        if (s.p[i] == '-' &&
            (s.p[i - 1] == '.' || s.p[i - 1] == '_' || s.p[i + 1] == '.' || s.p[i + 1] == '_'))
            return false;
    return true;
}

static bool repository_ok(struct str s)
{
    struct str rest = s, part;
    if (s.n == 0 || s.p[s.n - 1] == '/')
        return false;
    while (str_next(&rest, '/', &part))
        if (!component_ok(part))
            return false;
    return true;
}

static bool tag_ok(struct str s)
{
    if (s.n == 0 || s.n > MAX_TAG || (!alnum(s.p[0]) && s.p[0] != '_'))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!alnum(s.p[i]) && !strchr("_.-", s.p[i]))
            return false;
    return true;
}

static bool registry_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!alnum(s.p[i]) && !strchr(".-:[]", s.p[i]))
            return false;
    return s.n > 0 && s.n <= MAX_NAME && (alnum(s.p[0]) || s.p[0] == '[') &&
           str_find(s, STR("..")) < 0;
}

bool image_digest_ok(struct str digest)
{
    if (!str_starts(digest, STR("sha256:")) || digest.n != strlen("sha256:") + 64)
        return false;
    for (size_t i = strlen("sha256:"); i < digest.n; i++)
        if (!strchr("0123456789abcdef", digest.p[i]) || !digest.p[i])
            return false;
    return true;
}

static int bad(struct str text, struct err *err)
{
    return err_set(err, 400, "InvalidImageName",
                   "couldn't parse image name \"%.*s\": invalid reference format",
                   STR_ARG(str_head(text, 300)));
}

int image_ref_parse(struct arena *a, struct str text, struct image_ref *ret, struct err *err)
{
    struct str name = text, digest = {0}, tag = {0}, head, tail;
    ssize_t at = str_find_char(text, '@');
    if (memchr(text.n ? text.p : "", '\0', text.n))
        return bad(text, err);
    if (at >= 0) {
        digest = str_from(text, (size_t)at + 1);
        name = str_head(text, (size_t)at);
        if (!image_digest_ok(digest))
            return bad(text, err);
    }
    size_t last = name.n;
    while (last > 0 && name.p[last - 1] != '/' && name.p[last - 1] != ':')
        last--;
    if (last > 0 && name.p[last - 1] == ':') {
        tag = str_from(name, last);
        name = str_head(name, last - 1);
        if (!tag_ok(tag))
            return bad(text, err);
    }
    /* The first part is a registry when it looks like a host: a dot, a port, capitals or localhost.
     */
    bool host = false;
    struct str registry = STR("docker.io");
    if (str_cut(name, '/', &head, &tail)) {
        host = str_is(head, "localhost");
        for (size_t i = 0; i < head.n; i++)
            host |= head.p[i] == '.' || head.p[i] == ':' || (head.p[i] >= 'A' && head.p[i] <= 'Z');
    }
    if (host) {
        registry = str_is(head, "index.docker.io") ? STR("docker.io") : head;
        name = tail;
    }
    if (!registry_ok(registry) || !repository_ok(name) || registry.n + 1 + name.n > MAX_NAME)
        return bad(text, err);
    bool official = str_is(registry, "docker.io") && str_find_char(name, '/') < 0;
    ret->registry = arena_dup(a, registry);
    ret->repository =
        official ? arena_printf(a, "library/%.*s", STR_ARG(name)) : arena_dup(a, name);
    ret->digest = arena_dup(a, digest);
    ret->tag = tag.n || digest.n ? arena_dup(a, tag) : STR("latest");
    return 0;
}

void image_ref_write(const struct image_ref *r, struct buf *b)
{
    buf_printf(b, "%.*s/%.*s", STR_ARG(r->registry), STR_ARG(r->repository));
    if (r->digest.n)
        buf_printf(b, "@%.*s", STR_ARG(r->digest));
    else
        buf_printf(b, ":%.*s", STR_ARG(r->tag));
}

const char *image_default_policy(struct str text)
{
    struct arena a = {0};
    struct image_ref ref;
    const char *policy = "IfNotPresent";
    if (image_ref_parse(&a, text, &ref, NULL) == 0 && str_is(ref.tag, "latest"))
        policy = "Always";
    arena_done(&a);
    return policy;
}
