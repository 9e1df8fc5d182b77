#include "cli/store_spec.h"

#include "doc/time.h"

static int parse_compaction(const char *text, struct store_config *ret, struct err *err)
{
    enum { AT_LEAST_MS = 1000 };
    int64_t ns;
    if (!text)
        return 0;
    if (duration_parse(str_of(text), &ns, err))
        return err_prefix(err, "compaction interval");
    if (ns && ns / 1000000 < AT_LEAST_MS)
        return err_bad(err, "compaction interval %s: want 0 or at least 1s", text);
    ret->history_ms = ret->etcd_compact_ms = (ns ? ns : INT64_MAX / 2) / 1000000;
    return 0;
}

int store_spec_parse(const struct store_spec *spec, struct buf *ret_dir, struct store_config *ret,
                     struct err *err)
{
    struct str text = str_of(spec->text);
    bool etcd = str_starts(text, STR("etcd="));
    const char *value = spec->text ? spec->text + 5 : "";
    *ret = (struct store_config){0};
    buf_clear(ret_dir);
    if (spec->text && !etcd && !str_starts(text, STR("lmdb=")))
        return err_bad(err, "bad store \"%s\": want lmdb=DIR or etcd=URL,URL", spec->text);
    if (spec->text && !*value)
        return err_bad(err, "bad store \"%s\": nothing behind the =", spec->text);
    if (etcd) {
        buf_printf(ret_dir, "%s/picture", spec->data_dir);
        ret->etcd_endpoints = value;
        ret->etcd_cafile = spec->cafile;
        ret->etcd_certfile = spec->certfile;
        ret->etcd_keyfile = spec->keyfile;
        ret->etcd_prefix = spec->prefix;
    } else {
        buf_printf(ret_dir, "%s/store", spec->text ? value : spec->data_dir);
    }
    ret->dir = buf_z(ret_dir);
    return parse_compaction(spec->compaction, ret, err);
}
