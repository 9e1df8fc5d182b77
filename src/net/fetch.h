/* fetch.h: one request after another, for code that reads from top to bottom: files from HTTP
 * servers, charts and images from registries.
 *
 *     struct fetcher *f;
 *     struct fetch_answer answer = {0};
 *     if (fetcher_new(&(struct fetch_options){.system_ca = true}, &f, &err) == 0 &&
 *         fetch(f, &(struct fetch_request){.url = STR("https://example.com/")}, &answer, &err) ==
 * 0) … answer.status, buf_str(&answer.body) … fetch_answer_done(&answer); fetcher_free(f);
 *
 * A fetcher belongs to one thread, keeps connections between requests, and follows redirects as
 * Go's client does: 301, 302 and 303 become GET, 307 and 308 keep method and body. Authorization
 * goes to the first origin only, and so does a user in the address. Proxies come from HTTP_PROXY,
 * HTTPS_PROXY and NO_PROXY, by Go's rules (golang.org/x/net/http/httpproxy): loopback addresses are
 * reached directly. Bodies are given as they are sent: no compression is asked for. */
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "net/http.h"

struct fetcher;

struct fetch_options {
    struct str ca_pem, cert_pem, key_pem; /* PEM texts; borrowed until fetcher_free */
    bool system_ca; /* trust whom the system trusts, when there is no ca_pem */
    bool insecure;
    bool direct;      /* through no proxy */
    bool http2_prior; /* plain origins speak HTTP/2 without being asked */
    bool http1_only;
    const char *user_agent;    /* NULL: "tutti/VERSION"; "": none */
    int64_t connect_ms;        /* 0: 10,000 */
    const atomic_bool *cancel; /* set by another thread: give up within 100 ms; may be NULL */
};

int fetcher_new(const struct fetch_options *options, struct fetcher **ret, struct err *err);
void fetcher_free(struct fetcher *f); /* NULL is fine */

struct fetch_request {
    const char *method; /* NULL: GET */
    struct str url;
    const struct http_header *headers;
    size_t header_count;
    struct str authorization; /* the header's value, or empty */
    struct str body;
    size_t max_body;    /* of the answer; 0: 64 MiB */
    int64_t timeout_ms; /* until the answer is whole; 0: none */
    int64_t stall_ms;   /* without a byte; 0: none */
    int max_redirects;  /* 0: 10; -1: redirects are answers */
    /* Takes the body of a 2xx answer piece by piece instead of collecting it; -1 gives up, with
     * the request's error left to the caller. */
    int (*sink)(void *arg, struct str piece);
    void *arg;
};

struct fetch_answer {
    int status;
    struct str url; /* where it came from, behind all redirects */
    const struct http_header *headers;
    size_t header_count;
    struct buf body;
    struct arena arena; /* of the above but the body */
};
/* 0 for an answer of any status. Errors in Go's words, with the method and address in front:
 * `Get "http://…": dial tcp …`. */
int fetch(struct fetcher *f, const struct fetch_request *r, struct fetch_answer *ret,
          struct err *err);
void fetch_answer_done(struct fetch_answer *a);
/* Of the answer; the first of several; empty: absent. */
struct str fetch_header(const struct fetch_answer *a, const char *lower_name);

/* The proxy for an address by the environment, or an empty string. In the arena. */
struct str fetch_proxy(struct arena *a, struct str url);
