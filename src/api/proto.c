#include "api/proto.h"

#include <endian.h>

#include "store/pb.h"

enum {
    LIST_ITEMS = 2,
    UNKNOWN_TYPE = 1, /* runtime.Unknown */
    UNKNOWN_RAW = 2,
    TYPE_API_VERSION = 1, /* runtime.TypeMeta */
    TYPE_KIND = 2,
    EVENT_TYPE = 1, /* metav1.WatchEvent */
    EVENT_OBJECT = 2,
    EXTENSION_RAW = 1, /* runtime.RawExtension */
};

bool proto_serves(const struct kind *k)
{
    const struct schema_field *meta = schema_field(k->k->schema, STR("metadata"));
    return meta && meta->proto;
}

int proto_put(struct str json, struct buf *b, struct err *err)
{
    struct doc d;
    val *v;
    doc_init(&d);
    int rc = doc_parse_json(&d, json, &v, err);
    if (rc == 0) {
        const struct schema *s = schema_of_kind(VAL_STR(v, "apiVersion"), VAL_STR(v, "kind"));
        rc = s ? schema_encode_proto(s, v, b, err)
               : err_set(err, 406, "NotAcceptable",
                         "object %.*s does not implement the protobuf marshalling interface and "
                         "cannot be encoded to a protobuf message",
                         STR_ARG(VAL_STR(v, "kind")));
    }
    doc_done(&d);
    return rc;
}

/* What the envelope in b is around. */
static int open_envelope(const struct buf *b, struct str *ret_version, struct str *ret_kind,
                         struct str *ret_raw, struct err *err)
{
    return schema_proto_type(buf_str(b), ret_version, ret_kind, ret_raw, err);
}

static void put_bytes(struct buf *b, uint32_t field, struct str s)
{
    if (s.n) {
        pb_bytes(b, field, s);
        return;
    }
    buf_putc(b, (char)(field << 3 | 2)); /* gogo writes empty ones as well */
    buf_putc(b, 0);
}

int proto_put_item(struct str json, struct buf *items, struct err *err)
{
    CLEANUP(buf_done) struct buf b = {0};
    struct str version, kind, raw;
    if (proto_put(json, &b, err) != 0 || open_envelope(&b, &version, &kind, &raw, err) != 0)
        return -1;
    put_bytes(items, LIST_ITEMS, raw);
    return 0;
}

int proto_put_list(struct str head, struct str items, struct buf *b, struct err *err)
{
    CLEANUP(buf_done) struct buf empty = {0}, type = {0}, all = {0};
    struct str version, kind, raw;
    if (proto_put(head, &empty, err) != 0 || open_envelope(&empty, &version, &kind, &raw, err) != 0)
        return -1;
    put_bytes(&type, TYPE_API_VERSION, version);
    put_bytes(&type, TYPE_KIND, kind);
    buf_reserve(&all, raw.n + items.n);
    buf_put(&all, raw);
    buf_put(&all, items);
    buf_reserve(b, all.n + type.n + 32);
    buf_append(b, "k8s\0", 4);
    put_bytes(b, UNKNOWN_TYPE, buf_str(&type));
    put_bytes(b, UNKNOWN_RAW, buf_str(&all));
    buf_append(b, "\x1a\0\x22\0", 4); /* contentEncoding, contentType */
    return 0;
}

struct bytes *proto_frame(const char *type, struct str object)
{
    CLEANUP(buf_done) struct buf message = {0}, extension = {0}, event = {0};
    struct err ignored;
    if (proto_put(object, &message, &ignored) != 0)
        return NULL;
    put_bytes(&extension, EXTENSION_RAW, buf_str(&message));
    put_bytes(&event, EVENT_TYPE, str_of(type));
    put_bytes(&event, EVENT_OBJECT, buf_str(&extension));
    char *p;
    struct bytes *b = bytes_new_uninit(event.n + 4, &p);
    uint32_t n = htobe32((uint32_t)event.n);
    memcpy(p, &n, sizeof(n));
    memcpy(p + 4, event.p, event.n);
    return b;
}
