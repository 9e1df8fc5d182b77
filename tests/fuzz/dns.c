#include "node/dns_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str m = {(const char *)data, size};
    struct dns_query q;
    if (dns_parse_query(m, &q) < 0)
        return 0;
    struct dns_answer a;
    dns_answer_begin(&a, &q, 512);
    dns_answer_raw(&a, q.name, DNS_A, 5, (struct str){"\1\2\3\4", 4});
    dns_answer_soa(&a, "cluster.local", 30);
    dns_answer_end(&a, &q, true);
    struct dns_query again;
    if (dns_parse_query(buf_str(&a.b), &again) != -1)
        __builtin_trap();
    buf_done(&a.b);
    return 0;
}
