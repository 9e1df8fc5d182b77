#include "cli/cluster.h"

#include <stdio.h>

#include "base/file.h"
#include "doc/val.h"

enum { MAX_KEY_FILE = 64 * 1024 };

static const struct str cluster_key = {"/tutti/cluster", sizeof("/tutti/cluster") - 1};

/* *ret: NULL when nothing is agreed on. */
static int read_agreed(struct store *s, struct doc *d, val **ret, struct err *err)
{
    struct store_snap *snap;
    struct store_kv kv;
    *ret = NULL;
    if (store_snap_begin(s, 0, &snap, err))
        return -1;
    int rc = store_get(snap, cluster_key, &kv) == 1 ? doc_parse_json(d, kv.value, ret, err) : 0;
    store_snap_end(snap);
    return rc;
}

int cluster_ranges(struct store *s, struct ranges *ret, struct err *err)
{
    struct doc d;
    val *agreed;
    *ret = (struct ranges){0};
    if (!store_is_shared(s))
        return 0;
    doc_init(&d);
    int rc = read_agreed(s, &d, &agreed, err);
    snprintf(ret->service_cidr, sizeof(ret->service_cidr), "%.*s",
             STR_ARG(VAL_STR(agreed, "serviceCIDR")));
    snprintf(ret->pod_cidr, sizeof(ret->pod_cidr), "%.*s", STR_ARG(VAL_STR(agreed, "podCIDR")));
    doc_done(&d);
    return rc;
}

static int compare(const val *agreed, const val *own, const char *data_dir, struct err *err)
{
    if (!str_eq(VAL_STR(agreed, "authority"), VAL_STR(own, "authority")))
        return err_internal(err,
                            "this etcd cluster's servers have another certificate authority: copy "
                            "pki/ca.crt, ca.key, sa.key and sa.pub of one of them to %s/pki",
                            data_dir);
    if (!str_eq(VAL_STR(agreed, "serviceAccountKey"), VAL_STR(own, "serviceAccountKey")))
        return err_internal(err,
                            "this etcd cluster's servers sign tokens with another key: copy "
                            "pki/sa.key and sa.pub of one of them to %s/pki",
                            data_dir);
    if (!str_eq(VAL_STR(agreed, "serviceCIDR"), VAL_STR(own, "serviceCIDR")) ||
        !str_eq(VAL_STR(agreed, "podCIDR"), VAL_STR(own, "podCIDR")))
        return err_internal(err,
                            "this etcd cluster has the service range %.*s and the pod range %.*s, "
                            "%s/cluster.json has others",
                            STR_ARG(VAL_STR(agreed, "serviceCIDR")),
                            STR_ARG(VAL_STR(agreed, "podCIDR")), data_dir);
    return 0;
}

static int write_agreed(struct store *s, const val *own, struct store_write *w)
{
    struct buf b = {0};
    val_write_json(own, &b);
    struct store_op op = {.type = STORE_PUT,
                          .key = cluster_key,
                          .value = bytes_new(buf_str(&b)),
                          .revision_at = -1,
                          .expect = STORE_ABSENT};
    *w = (struct store_write){.ops = &op, .op_count = 1};
    store_commit(s, w);
    bytes_unref(op.value);
    bytes_unref(w->first_value);
    buf_done(&b);
    return w->result == STORE_FAILED ? -1 : 0;
}

static int agree(struct store *s, struct doc *d, const val *own, const char *data_dir,
                 struct err *err)
{
    val *agreed;
    struct store_write w;
    if (read_agreed(s, d, &agreed, err))
        return -1;
    if (!agreed && write_agreed(s, own, &w)) {
        *err = w.err;
        return -1;
    }
    /* Of two that start at once the other may have been first. */
    if (!agreed && w.result == STORE_CONFLICT && read_agreed(s, d, &agreed, err))
        return -1;
    return agreed ? compare(agreed, own, data_dir, err) : 0;
}

int cluster_agree(struct store *s, const char *data_dir, const struct ranges *ranges,
                  struct str ca_cert, struct err *err)
{
    if (!store_is_shared(s))
        return 0;
    struct buf path = {0}, sa = {0};
    struct doc d;
    doc_init(&d);
    buf_printf(&path, "%s/pki/sa.pub", data_dir);
    int rc = file_read(buf_z(&path), MAX_KEY_FILE, &sa, err);
    if (!rc) {
        val *own = val_new_obj(&d);
        val_set_z(&d, own, "serviceCIDR", ranges->service_cidr);
        val_set_z(&d, own, "podCIDR", ranges->pod_cidr);
        val_set_s(&d, own, "authority", ca_cert);
        val_set_s(&d, own, "serviceAccountKey", buf_str(&sa));
        rc = agree(s, &d, own, data_dir, err);
    }
    doc_done(&d);
    buf_done(&path);
    buf_done(&sa);
    return rc;
}
