#include "node/downward.h"

#include <stdlib.h>

#include "doc/quantity.h"

/* strconv.Quote for what labels and annotations hold. */
static void put_quoted(struct buf *b, struct str s)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_puts(b, "\\n");
        else if (c == '\t')
            buf_puts(b, "\\t");
        else if (c == '\r')
            buf_puts(b, "\\r");
        else if (c < ' ' || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '"');
}

struct pair {
    struct str key, value;
};

static int compare(const void *a, const void *b)
{
    return str_cmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static void put_map(struct buf *b, const val *map)
{
    size_t n = 0;
    CLEANUP(mem_freep)
    struct pair *pairs = mem_realloc_array(NULL, val_len(map) + 1, sizeof(*pairs));
    VAL_EACH (map, key, value)
        pairs[n++] = (struct pair){val_str(key), val_str(value)};
    qsort(pairs, n, sizeof(*pairs), compare);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_putc(b, '\n');
        buf_put(b, pairs[i].key);
        buf_putc(b, '=');
        put_quoted(b, pairs[i].value);
    }
}

/* metadata.labels['key'] */
static bool subscript(struct str path, struct str *ret_field, struct str *ret_key)
{
    ssize_t open = str_find(path, STR("['"));
    if (open < 0 || !str_ends(path, STR("']")))
        return false;
    *ret_field = str_head(path, (size_t)open);
    struct str rest = str_from(path, (size_t)open + 2);
    *ret_key = str_head(rest, rest.n - 2);
    return true;
}

int downward_field(const struct downward *d, struct str path, struct buf *b, struct err *err)
{
    const val *meta = val_get(d->pod, "metadata"), *spec = val_get(d->pod, "spec");
    struct str field, key;
    if (subscript(path, &field, &key)) {
        if (!str_is(field, "metadata.labels") && !str_is(field, "metadata.annotations"))
            return err_bad(err, "fieldPath \"%.*s\" does not support subscript", STR_ARG(field));
        const char *name = str_is(field, "metadata.labels") ? "labels" : "annotations";
        buf_put(b, val_str(val_get_str(val_get(meta, name), key)));
        return 0;
    }
    if (str_is(path, "metadata.name"))
        buf_put(b, VAL_STR(meta, "name"));
    else if (str_is(path, "metadata.namespace"))
        buf_put(b, VAL_STR(meta, "namespace"));
    else if (str_is(path, "metadata.uid"))
        buf_put(b, VAL_STR(meta, "uid"));
    else if (str_is(path, "metadata.labels"))
        put_map(b, val_get(meta, "labels"));
    else if (str_is(path, "metadata.annotations"))
        put_map(b, val_get(meta, "annotations"));
    else if (str_is(path, "spec.nodeName"))
        buf_put(b, VAL_STR(spec, "nodeName"));
    else if (str_is(path, "spec.serviceAccountName"))
        buf_put(b, VAL_STR(spec, "serviceAccountName"));
    else if (str_is(path, "status.hostIP") || str_is(path, "status.hostIPs"))
        buf_puts(b, d->host_ip);
    else if (str_is(path, "status.podIP"))
        buf_puts(b, d->pod_ip_count ? d->pod_ips[0] : "");
    else if (str_is(path, "status.podIPs"))
        for (size_t i = 0; i < d->pod_ip_count; i++)
            buf_printf(b, "%s%s", i ? "," : "", d->pod_ips[i]);
    else
        return err_bad(err, "unsupported fieldPath: %.*s", STR_ARG(path));
    return 0;
}

static const val *find_container(const val *spec, struct str name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        VAL_FOR (val_get(spec, lists[i]), c)
            if (str_eq(VAL_STR(c, "name"), name))
                return c;
    return NULL;
}

static int64_t divide_up(int64_t value, int64_t by)
{
    return by <= 0 ? value : value / by + (value % by > 0);
}

int downward_resource(const struct downward *d, const val *container, const val *ref, struct buf *b,
                      struct err *err)
{
    struct str resource = VAL_STR(ref, "resource"), kind, name, divisor = VAL_STR(ref, "divisor");
    struct quantity by, have = {0};
    if (VAL_STR(ref, "containerName").n)
        container = find_container(val_get(d->pod, "spec"), VAL_STR(ref, "containerName"));
    if (!container)
        return err_bad(err, "container %.*s not found", STR_ARG(VAL_STR(ref, "containerName")));
    str_cut(resource, '.', &kind, &name);
    bool limit = str_is(kind, "limits"), cpu = str_is(name, "cpu");
    if (!limit && !str_is(kind, "requests"))
        return err_bad(err, "unsupported container resource : %.*s", STR_ARG(resource));
    if (quantity_parse(divisor.n && !str_is(divisor, "0") ? divisor : STR("1"), &by, err))
        return -1;
    const val *set = val_get(val_get(container, "resources"), limit ? "limits" : "requests");
    struct str text = val_str(val_get_str(set, name));
    if (!text.n && !limit)
        text = val_str(val_get_str(VAL_PATH(container, "resources", "limits"), name));
    if (text.n && quantity_parse(text, &have, err))
        return -1;
    int64_t value = cpu ? quantity_milli(&have) : quantity_value(&have);
    if (!text.n && limit)
        value = cpu ? d->node_milli_cpu : str_is(name, "memory") ? d->node_memory : 0;
    buf_put_i64(b, divide_up(value, cpu ? quantity_milli(&by) : quantity_value(&by)));
    return 0;
}
