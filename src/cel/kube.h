/* kube.h: the values of the Kubernetes libraries. */
#pragma once

#include "cel/eval.h"

struct cel_url {
    struct str text; /* as url.URL.String() writes it */
    struct str scheme, host, hostname, port, path, query;
};

struct cel_ip {
    bool v6;
    uint8_t prefix; /* of a CIDR */
    unsigned char bytes[16];
};

struct cel_semver {
    uint64_t major, minor, patch;
    struct str pre, build; /* without the signs in front */
};

struct cel_check {
    struct cel_question question;
};

struct cel_decision {
    struct cel_answer answer;
};

/* Two values of one kind of library. */
struct cel_value cel_kube_equal(struct cel_value x, struct cel_value y);
uint64_t cel_kube_ip_size(struct cel_value v);
size_t cel_kube_format_regex_size(struct cel_value v);
int cel_kube_semver_compare(const struct cel_semver *x, const struct cel_semver *y);
void cel_kube_write(struct cel_value v, struct buf *b); /* the value's own text */
bool cel_base64_read(struct str s, struct buf *out);    /* out: NULL only checks */
bool cel_url_is_request_uri(struct str s, struct buf *ret_problem);
