/* What an etcd member sends: watch responses and ranges, with values in them. */
#include <stddef.h>
#include <stdint.h>

#include "store/etcd_rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_value(struct str stored)
{
    struct etcd_mark mark;
    struct str value = etcd_get_value(stored, &mark);
    if (mark.revision_at > (int64_t)value.n)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str message = {(const char *)data, n};
    struct etcd_watch_response watch;
    struct etcd_header header;
    struct etcd_event event;
    struct etcd_kv kv;
    etcd_get_watch(message, &watch);
    etcd_get_header(message, &header);
    etcd_range_more(message);
    struct pb_reader r = {message};
    while (pb_next(&r))
        if (r.field == WATCH_RESPONSE_EVENTS && etcd_get_event(r.bytes, &event))
            read_value(event.kv.value);
    r = (struct pb_reader){message};
    while (etcd_next_kv(&r, &kv))
        read_value(kv.value);
    read_value(message);
    return 0;
}
