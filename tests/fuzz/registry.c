/* What registries say and users type: challenges, references, addresses; the first byte chooses. */
#include "chart/oci.h"
#include "client/registry.h"
#include "net/fetch.h"
#include "net/url.h"

static void reference(struct chart_ctx *cx, struct str text)
{
    struct oci_ref ref, again;
    if (oci_ref_parse(cx, text, &ref) != 0)
        return;
    struct str written = oci_ref_text(cx->arena, &ref);
    if (oci_ref_parse(cx, written, &again) != 0 || !str_eq(again.repository, ref.repository) ||
        !str_eq(again.tag, ref.tag))
        __builtin_trap();
}

static void address(struct arena *a, struct str text)
{
    struct url u;
    if (url_split(text, &u) && (!u.host.n || u.port > 65535))
        __builtin_trap();
    url_resolve(a, STR("http://a/b/c/d;p?q"), text);
    url_resolve(a, text, STR("../x?y"));
    fetch_proxy(a, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena a = {0};
    struct chart_ctx cx = {.arena = &a};
    if (n == 0)
        return 0;
    struct str text = {(const char *)p + 1, n - 1};
    if (p[0] % 3 == 0)
        registry_challenge_parse(&a, text);
    else if (p[0] % 3 == 1)
        reference(&cx, text);
    else
        address(&a, text);
    arena_done(&a);
    return 0;
}
