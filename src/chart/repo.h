/* repo.h: chart repositories: an index.yaml on an HTTP server and the packed charts that it names;
 * those that the user has added (repositories.yaml), and what is cached of them. File formats and
 * places are Helm's, so that both programs share them. */
#pragma once

#include "chart/chart.h"
#include "net/fetch.h"

/* chart_fail with a file's error, which strerror begins in upper case and Go in lower. */
int chart_fail_file(struct chart_ctx *cx, const struct err *err);

/* Where the user's files lie. */
struct chart_home {
    const char *repositories;    /* repositories.yaml */
    const char *cache;           /* the folder of NAME-index.yaml and NAME-charts.txt */
    const char *registry_config; /* credentials of registries */
};

/* How a server is talked to. */
struct chart_access {
    struct str username, password;
    const char *cert_file, *key_file, *ca_file; /* NULL or empty: not given */
    bool insecure;                              /* do not verify the server */
    bool plain_http;                            /* registries: no TLS */
    bool pass_all;                              /* the password goes to other hosts, too */
    int64_t timeout_ms;                         /* 0: 120 s */
};
/* A fetcher with the certificates of an access; the caller frees it. */
int chart_fetcher(struct chart_ctx *cx, const struct chart_access *access, struct fetcher **ret);
/* GETs an http or https address, at most CHART_MAX_TOTAL bytes. Credentials are sent when the
 * address is on the server of `owner`, or pass_all is set. */
int repo_get(struct chart_ctx *cx, const struct chart_access *access, struct str owner,
             struct str url, struct str *ret);

/* --- repositories.yaml --- */
struct repo_entry {
    struct str name, url;
    struct chart_access access;
};
struct repo_file {
    struct str api_version, generated;
    struct repo_entry *items;
    size_t n;
    bool missing; /* there was no file */
};
int repo_file_read(struct chart_ctx *cx, const char *path, struct repo_file *ret);
int repo_file_write(struct chart_ctx *cx, const char *path, const struct repo_file *f);
struct repo_entry *repo_file_find(const struct repo_file *f, struct str name);
/* Replaces the entry of the same name or adds it. */
void repo_file_set(struct chart_ctx *cx, struct repo_file *f, const struct repo_entry *e);
bool repo_file_remove(struct repo_file *f, struct str name);
bool repo_entry_same(const struct repo_entry *a, const struct repo_entry *b);
/* Keeps other programs from changing the file until the descriptor is closed; -1 after
 * chart_fail. */
int repo_file_lock(struct chart_ctx *cx, const char *path);

/* --- the cache --- */
const char *repo_index_path(struct chart_ctx *cx, const struct chart_home *home, struct str name);
const char *repo_charts_path(struct chart_ctx *cx, const struct chart_home *home, struct str name);
/* Fetches index.yaml and keeps it. */
int repo_update(struct chart_ctx *cx, const struct chart_home *home, const struct repo_entry *e);
int repo_forget(struct chart_ctx *cx, const struct chart_home *home, struct str name);

/* --- addresses --- */
/* What `ref` means in the repository at `base`. */
struct str repo_url(struct chart_ctx *cx, struct str base, struct str ref);
/* Whether two addresses are one, but for slashes at the end. */
bool repo_url_same(struct str a, struct str b);
static inline bool repo_is_url(struct str s)
{
    return str_starts(s, STR("http://")) || str_starts(s, STR("https://"));
}
