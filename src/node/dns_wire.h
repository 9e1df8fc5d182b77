/* dns_wire.h: DNS messages (RFC 1035, EDNS of RFC 6891), bytes in, bytes out.
 *
 * Names are texts in lower case, labels joined by dots, without the final one; the root is "".
 * Labels with dots or NUL inside are refused: no name that the cluster serves has them. */
#pragma once

#include "base/buf.h"

enum {
    DNS_NAME = 256,
    DNS_UDP_MIN = 512,
    DNS_MAX = 65535,
    DNS_CLASS_IN = 1,
};
enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_OPT = 41,
    DNS_ANY = 255,
};
enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5
};

struct dns_query {
    uint16_t id;
    bool recursion_desired, edns;
    uint16_t udp_size; /* what the asker can take; 512 without EDNS */
    char name[DNS_NAME];
    uint16_t type, class;
    size_t question_end; /* byte offset behind the question */
};

/* 0; or an rcode that the answer must have (the id is filled when there are two bytes at least);
 * -1: not a query, no answer at all. */
int dns_parse_query(struct str message, struct dns_query *ret);

/* Reads the name at *at and moves *at behind it. Pointers lead backwards only. */
bool dns_read_name(struct str message, size_t *at, char ret[DNS_NAME]);

struct dns_record {
    char name[DNS_NAME];
    uint16_t type, class;
    uint32_t ttl;
    size_t data_at, data_n; /* in the message */
};
/* Reads the record at *at and moves *at behind it. */
bool dns_read_record(struct str message, size_t *at, struct dns_record *ret);

/* An answer under way. Records beyond the limit are left out and the truncation bit is set. */
struct dns_answer {
    struct buf b;
    size_t limit;
    uint16_t answers, authorities;
    bool truncated, edns;
    enum dns_rcode rcode;
};
void dns_answer_begin(struct dns_answer *a, const struct dns_query *q, size_t limit);
void dns_answer_raw(struct dns_answer *a, const char *name, enum dns_type type, uint32_t ttl,
                    struct str data);
void dns_answer_name(struct dns_answer *a, const char *name, enum dns_type type, uint32_t ttl,
                     const char *target); /* CNAME, PTR */
void dns_answer_srv(struct dns_answer *a, const char *name, uint32_t ttl, unsigned weight,
                    unsigned port, const char *target);
void dns_answer_soa(struct dns_answer *a, const char *zone,
                    uint32_t ttl); /* into the authority section; after all answers */
/* Sets flags and counts; b is then the message. */
void dns_answer_end(struct dns_answer *a, const struct dns_query *q, bool authoritative);
