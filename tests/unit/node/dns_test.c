#include "test.h"

#include "node/dns_wire.h"

/* A query as a resolver sends it: id 0x1234, recursion desired, EDNS 1232. */
static struct str query(const char *labels, size_t n, uint8_t type)
{
    static char m[512];
    size_t at = 0;
    const char head[12] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
    memcpy(m, head, 12);
    memcpy(m + 12, labels, n);
    at = 12 + n;
    const char tail[] = {0, (char)type, 0, 1, 0, 0, DNS_OPT, 4, (char)0xD0, 0, 0, 0, 0, 0, 0};
    memcpy(m + at, tail, sizeof(tail));
    return (struct str){m, at + sizeof(tail)};
}

TEST(dns_query_is_read)
{
    struct dns_query q;
    CHECK_INT(dns_parse_query(query("\3WEB\7default\3svc\0", 17, DNS_A), &q), 0);
    CHECK_STR(str_of(q.name), "web.default.svc");
    CHECK_INT(q.id, 0x1234);
    CHECK_INT(q.udp_size, 1232);
    CHECK(q.recursion_desired && q.edns && q.type == DNS_A);
}

TEST(dns_bad_queries_are_answered_or_ignored)
{
    struct dns_query q;
    CHECK_INT(dns_parse_query(STR("\x12\x34"), &q), -1);
    CHECK_INT(dns_parse_query((struct str){"\x12\x34\x80\0\0\1\0\0\0\0\0\0", 12}, &q),
              -1); /* an answer */
    CHECK_INT(dns_parse_query((struct str){"\x12\x34\x28\0\0\1\0\0\0\0\0\0", 12}, &q),
              DNS_NOTIMP); /* update */
    CHECK_INT(dns_parse_query((struct str){"\x12\x34\1\0\0\2\0\0\0\0\0\0", 12}, &q),
              DNS_FORMERR); /* two questions */
    CHECK_INT(dns_parse_query((struct str){"\x12\x34\1\0\0\1\0\0\0\0\0\0\xC0\x0C\0\1\0\1", 18}, &q),
              DNS_FORMERR); /* a name that points at itself */
    CHECK_INT(dns_parse_query((struct str){"\x12\x34\1\0\0\1\0\0\0\0\0\0\5we", 15}, &q),
              DNS_FORMERR); /* cut off */
}

TEST(dns_answer_round_trips)
{
    struct dns_query q;
    dns_parse_query(query("\1a\1b\0", 5, DNS_A), &q);
    struct dns_answer a;
    dns_answer_begin(&a, &q, 512);
    dns_answer_name(&a, "a.b", DNS_CNAME, 30, "c.d");
    dns_answer_raw(&a, "c.d", DNS_A, 5, (struct str){"\1\2\3\4", 4});
    dns_answer_srv(&a, "a.b", 30, 100, 8080, "x.y");
    dns_answer_end(&a, &q, true);
    struct str m = buf_str(&a.b);
    CHECK((uint8_t)m.p[2] == 0x85 && (uint8_t)m.p[3] == 0x80 && m.p[7] == 3 && m.p[11] == 1);
    size_t at = q.question_end;
    struct dns_record r;
    char name[DNS_NAME];
    CHECK(dns_read_record(m, &at, &r) && r.type == DNS_CNAME && r.ttl == 30);
    CHECK_STR(str_of(r.name), "a.b");
    size_t target = r.data_at;
    CHECK(dns_read_name(m, &target, name));
    CHECK_STR(str_of(name), "c.d");
    CHECK(dns_read_record(m, &at, &r) && r.type == DNS_A &&
          memcmp(m.p + r.data_at, "\1\2\3\4", 4) == 0);
    CHECK(dns_read_record(m, &at, &r) && r.type == DNS_SRV && r.data_n == 6 + 5);
    buf_done(&a.b);
}

TEST(dns_answer_is_truncated_at_its_limit)
{
    struct dns_query q;
    dns_parse_query(query("\1a\1b\0", 5, DNS_A), &q);
    struct dns_answer a;
    dns_answer_begin(&a, &q, 512);
    for (int i = 0; i < 100; i++)
        dns_answer_raw(&a, "a.b", DNS_A, 5, (struct str){"\1\2\3\4", 4});
    dns_answer_end(&a, &q, true);
    CHECK(a.b.n <= 512 && a.truncated && a.answers > 20 && (a.b.p[2] & 2));
    buf_done(&a.b);
}
