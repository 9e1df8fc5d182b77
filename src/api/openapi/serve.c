/* /openapi/v2 and /openapi/v3: the documents of openapi.h with the caching that kubectl counts on
 * (k8s.io/kube-openapi/pkg/handler3). */
#include <stdio.h>
#include <xxhash.h>

#include "api/core.h"
#include "api/crd/crd.h"
#include "api/openapi/openapi.h"
#include "api/openapi/proto.h"

static enum call_next reply_cached(struct call *c, struct buf *b, const char *etag)
{
    call_header(c, "etag", arena_printf(&c->arena, "\"%s\"", etag));
    call_header(c, "vary", STR("Accept"));
    struct str have =
        c->request ? http_request_header(c->request, "if-none-match") : (struct str){0};
    bool same = have.n == strlen(etag) + 2 && memcmp(have.p + 1, etag, have.n - 2) == 0;
    return same ? call_reply(c, 304, NULL)
                : call_reply_text(c, 200, "application/json", buf_str(b));
}

static enum call_next reply_hashed(struct call *c, struct buf *b)
{
    char etag[20];
    snprintf(etag, sizeof(etag), "%016llX", (unsigned long long)XXH3_64bits(b->p, b->n));
    return reply_cached(c, b, etag);
}

/* kubectl asks for the protobuf form alone, others for JSON; a wildcard gets JSON. */
static bool wants_proto(const struct call *c)
{
    struct str accept = c->request ? http_request_header(c->request, "accept") : (struct str){0};
    return (str_find(accept, STR(OPENAPI_PROTO_TYPE)) >= 0 ||
            str_find(accept, STR(OPENAPI_PROTO_ASKED)) >= 0) &&
           !str_starts(accept, STR("application/json"));
}

static enum call_next serve_v2(struct call *c, const struct crd_catalog *custom, struct buf *b)
{
    if (openapi_v2(custom, b) != 0)
        return call_reply_not_found_page(c);
    if (!wants_proto(c))
        return reply_hashed(c, b);
    struct doc d = {0};
    struct err err;
    struct buf proto = {0};
    val *document;
    if (doc_parse_json_max(&d, buf_str(b), b->n, &document, &err) != 0) {
        doc_done(&d);
        return call_fail(c, &err);
    }
    openapi_write_proto(document, &proto);
    doc_done(&d);
    call_header(c, "vary", STR("Accept"));
    enum call_next next = call_reply_text(c, 200, OPENAPI_PROTO_TYPE, buf_str(&proto));
    buf_done(&proto);
    return next;
}

/* A hash in the query that is no longer the document's leads to the one that is. */
static enum call_next serve_group(struct call *c, const struct crd_catalog *custom, struct str path,
                                  struct buf *b)
{
    char hash[OPENAPI_HASH_TEXT];
    struct str asked = url_query_get(&c->route.query, "hash");
    if (openapi_v3_hash(custom, path, hash) != 0)
        return call_reply_not_found_page(c);
    if (asked.n && !str_is(asked, hash)) {
        call_header(c, "location",
                    arena_printf(&c->arena, "/openapi/v3/%.*s?hash=%s", STR_ARG(path), hash));
        return call_reply_text(c, 301, "text/plain; charset=utf-8", (struct str){0});
    }
    if (openapi_v3(custom, path, b) != 0)
        return call_reply_not_found_page(c);
    return reply_cached(c, b, hash);
}

enum call_next openapi_serve(struct call *c)
{
    struct str v3 = STR("/openapi/v3/");
    struct str path = c->route.path;
    struct crd_catalog *custom = crd_catalog_get(c->api);
    struct buf b = {0};
    enum call_next next;
    if (str_is(path, "/openapi/v2"))
        next = serve_v2(c, custom, &b);
    else if (str_is(path, "/openapi/v3") || str_eq(path, v3))
        next =
            openapi_v3_index(custom, &b) == 0 ? reply_hashed(c, &b) : call_reply_not_found_page(c);
    else if (str_starts(path, v3))
        next = serve_group(c, custom, str_from(path, v3.n), &b);
    else
        next = call_reply_not_found_page(c);
    crd_catalog_unref(custom);
    buf_done(&b);
    return next;
}
