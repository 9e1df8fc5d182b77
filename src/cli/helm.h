/* helm.h: what the files of `tutti helm` share: flags in Helm's manner, and the steps that several
 * subcommands take. */
#pragma once

#include "chart/chart.h"
#include "chart/download.h"
#include "chart/render.h"
#include "client/client.h"
#include "release/storage.h"

/* --- flags, as spf13/pflag reads them --- */
enum helm_flag_kind {
    HELM_SWITCH, /* bool */
    HELM_TEXT,   /* const char * */
    HELM_INT,    /* int64_t */
    HELM_LIST,   /* struct chart_strs, one word each */
    HELM_COMMAS, /* struct chart_strs, words may hold several between commas */
};

struct helm_flag {
    const char *name;
    char letter; /* 0: none */
    enum helm_flag_kind kind;
    void *to;         /* NULL: taken and ignored */
    const char *bare; /* HELM_TEXT: the value of the flag without one; NULL: it needs one */
};

/* Takes the flags out of argv; *ret_n words are left. The tables end with a NULL name; `common` may
 * be NULL. */
int helm_flags(struct chart_ctx *cx, const struct helm_flag *own, const struct helm_flag *common,
               int argc, char **argv, int *ret_n);

/* --- flags that several subcommands have --- */
struct helm_values {
    struct chart_strs files, set, set_string, set_file, set_json, set_literal;
};
/* The entries of a table of flags for them. */
#define HELM_VALUES_FLAGS(v)                                                                       \
    {"values", 'f', HELM_COMMAS, &(v).files}, {"set", 0, HELM_LIST, &(v).set},                     \
        {"set-string", 0, HELM_LIST, &(v).set_string}, {"set-file", 0, HELM_LIST, &(v).set_file},  \
        {"set-json", 0, HELM_LIST, &(v).set_json},                                                 \
    {                                                                                              \
        "set-literal", 0, HELM_LIST, &(v).set_literal                                              \
    }
/* -f and --set: what the user wants, merged. */
int helm_merge_values(struct chart_ctx *cx, const struct helm_values *v, struct vmap **ret);

/* --- what all subcommands share: the flags of `helm` itself, over the environment --- */
struct helm_settings {
    const char *namespace, *kubeconfig, *kube_context, *kube_apiserver, *kube_token, *kube_as_user,
        *kube_ca_file, *kube_tls_server_name; /* NULL: not given */
    struct chart_strs kube_as_groups;
    const char *registry_config, *repository_config, *repository_cache;
    bool kube_insecure, debug;
};

/* A run of one subcommand; the chart_ctx that all functions get is the one in here. */
struct helm_session {
    struct chart_ctx cx;
    struct helm_settings settings;
    const char *command; /* as it was called */
    struct str path;     /* "repo add" */
    struct buf *out;     /* where help goes */
    bool lists_flags;    /* flags are not read but listed: those that begin with flags_of */
    struct str flags_of;
    bool helped; /* a command was asked for help, or for its flags: its -1 is no failure */
};
/* Runs the command that words begin with. */
int helm_run_words(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
struct helm_settings *helm_settings(struct chart_ctx *cx);
void helm_settings_init(struct helm_settings *s);
enum { HELM_SETTINGS_FLAGS = 17 };
void helm_settings_flags(struct helm_settings *s, struct helm_flag ret[HELM_SETTINGS_FLAGS]);

/* As `common` of helm_flags: the flags above, which go into the session's settings. */
extern const struct helm_flag helm_common_flags[];

/* --timeout: a Go duration, in milliseconds; text NULL: otherwise_ms. */
int helm_timeout(struct chart_ctx *cx, const char *text, int64_t otherwise_ms, int64_t *ret_ms);
/* "expected at most two arguments, unexpected arguments: …", when there are more than NAME and
 * CHART. */
int helm_refuse_rest(struct chart_ctx *cx, int argc, char **argv);

/* The cluster that flags, environment and kubeconfig name; nothing is asked yet. The caller frees
 * the client. The second: in another context of the same kubeconfig. */
int helm_connect(struct chart_ctx *cx, struct client **ret);
int helm_connect_context(struct chart_ctx *cx, const char *context, struct client **ret);

/* A file's content; Go's error text. */
int helm_read_file(struct chart_ctx *cx, struct str path, struct str *ret);

/* --namespace, HELM_NAMESPACE, that of the kubeconfig's context, or "default". */
const char *helm_namespace(struct chart_ctx *cx);

/* --- where charts come from --- */
struct chart_home helm_home(struct chart_ctx *cx);
/* $HELM_kind_HOME, $XDG_kind_HOME/helm or a folder below the home: helm_folder(cx, "DATA",
 * ".local/share"). */
const char *helm_folder(struct chart_ctx *cx, const char *kind, const char *below);
/* ~/.gnupg/pubring.gpg, or that of GNUPGHOME. */
const char *helm_default_keyring(struct chart_ctx *cx);

/* What the flags say about where a chart comes from; NULL: not given. */
struct helm_source {
    const char *repo, *version, *keyring, *username, *password, *cert_file, *key_file, *ca_file;
    bool devel, verify, insecure, plain_http, pass_all;
};
#define HELM_ACCESS_FLAGS(s)                                                                       \
    {"ca-file", 0, HELM_TEXT, &(s).ca_file, NULL},                                                 \
        {"cert-file", 0, HELM_TEXT, &(s).cert_file, NULL},                                         \
        {"insecure-skip-tls-verify", 0, HELM_SWITCH, &(s).insecure, NULL},                         \
        {"key-file", 0, HELM_TEXT, &(s).key_file, NULL},                                           \
        {"password", 0, HELM_TEXT, &(s).password, NULL},                                           \
        {"plain-http", 0, HELM_SWITCH, &(s).plain_http, NULL},                                     \
    {                                                                                              \
        "username", 0, HELM_TEXT, &(s).username, NULL                                              \
    }
#define HELM_SOURCE_FLAGS(s)                                                                       \
    HELM_ACCESS_FLAGS(s), {"devel", 0, HELM_SWITCH, &(s).devel, NULL},                             \
        {"keyring", 0, HELM_TEXT, &(s).keyring, NULL},                                             \
        {"pass-credentials", 0, HELM_SWITCH, &(s).pass_all, NULL},                                 \
        {"repo", 0, HELM_TEXT, &(s).repo, NULL}, {"verify", 0, HELM_SWITCH, &(s).verify, NULL},    \
    {                                                                                              \
        "version", 0, HELM_TEXT, &(s).version, NULL                                                \
    }
struct chart_access helm_access(const struct helm_source *source);
struct chart_source helm_chart_source(struct chart_ctx *cx, const struct helm_source *source);
/* A path as it is, anything else fetched into the cache; verified when that is asked for. */
int helm_locate_chart(struct chart_ctx *cx, const char *name, const struct helm_source *source,
                      const char **ret);
/* Go's filepath.Abs, but for ".." inside. */
const char *helm_absolute(struct chart_ctx *cx, const char *path);

/* Prints a prompt and reads a line from stdin; a silent one is not shown while it is typed. */
int helm_ask(struct chart_ctx *cx, const char *prompt, bool silent, struct str *ret);
/* All of stdin, without the newline at its end: --password-stdin. */
int helm_read_password(struct chart_ctx *cx, const char **ret);

/* Executes a template of one line, as --name-template and --template are. */
int helm_run_template(struct chart_ctx *cx, const char *name, const char *text, struct value dot,
                      struct buf *out);
int helm_find_post_renderer(struct chart_ctx *cx, const char *name, const char **ret);
/* Sends the manifests through a program (--post-renderer). */
int helm_post_render(struct chart_ctx *cx, const char *program, const struct chart_strs *args,
                     struct buf *manifests);

/* Brings charts/ up to what Chart.yaml asks for, or to what the lock fixes. */
struct helm_dependency_options {
    struct helm_source source;
    bool skip_refresh, from_lock;
};
int helm_dependency_fetch(struct chart_ctx *cx, const char *path,
                          const struct helm_dependency_options *o, struct buf *out);
/* The same as `dependency update` without flags. */
int helm_dependency_update(struct chart_ctx *cx, const char *path, struct buf *out);

/* chartutil.ValidateReleaseName. */
bool helm_is_release_name(struct str s);

/* --- releases that a cluster keeps --- */
struct helm_records {
    struct client *client;
    struct cluster *cluster;
    struct storage *storage;
    const char *namespace;
};
/* Connects, makes sure that the cluster answers, and opens the storage of a namespace ("": all)
 * that HELM_DRIVER names. history_max: storage.h. To be closed in any case. */
int helm_records_open(struct chart_ctx *cx, const char *namespace, int history_max,
                      struct helm_records *ret);
/* The same in a context of the kubeconfig (NULL: as the flags say); namespace NULL: as the flags or
 * that context say. */
int helm_records_open_in(struct chart_ctx *cx, const char *context, const char *namespace,
                         struct helm_records *ret);
void helm_records_close(struct helm_records *r);
/* A revision of a release; 0: the last. */
int helm_release_content(struct chart_ctx *cx, struct storage *s, const char *name,
                         int64_t revision, struct release **ret);

/* --- printing: tables, JSON and YAML --- */
enum helm_format { HELM_TABLE, HELM_JSON, HELM_YAML };
/* -o: NULL is a table. */
int helm_format_of(struct chart_ctx *cx, const char *text, enum helm_format *ret);
/* A value as JSON or YAML, as `format` says; a table is YAML. */
int helm_put_value(struct chart_ctx *cx, struct value v, enum helm_format format, struct buf *out);
/* JSON text likewise. */
int helm_put_json(struct chart_ctx *cx, struct str json, enum helm_format format, struct buf *out);

enum { HELM_COLUMNS = 8 };
struct helm_table {
    struct arena *arena;
    size_t columns;
    size_t max_width; /* of a column; 0: any */
    struct str (*rows)[HELM_COLUMNS];
    size_t n, cap;
};
void helm_table_add(struct helm_table *t, const struct str cells[]);
/* As gosuri/uitable prints it: columns as wide as their widest line, tabs between. */
void helm_table_put(const struct helm_table *t, struct buf *out);

/* A time of a release in a Go layout, in the zone that it was written in. */
void helm_put_time(struct chart_ctx *cx, struct release_time t, const char *layout,
                   struct buf *out);
struct str helm_chart_name(struct arena *a, const struct release *r); /* "demo-0.1.0" */
struct str helm_app_version(const struct release *r);
/* Whether stdout is a terminal that likes colours. */
bool helm_colours(void);

/* What `status`, `get all`, `install` and `upgrade` print of a release. */
struct helm_shown {
    bool debug, description, resources, metadata, hide_notes;
};
int helm_put_release(struct chart_ctx *cx, const struct release *r, enum helm_format format,
                     struct helm_shown shown, struct buf *out);

/* --- the commands: what is printed goes to out --- */
int helm_complete(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_completion(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_plugin(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_create(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_dependency(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_diff(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_drift(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_env(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_get(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_history(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_install(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_lint(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_list(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_package(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_pull(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_push(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_registry(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_repo(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_rollback(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_search(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_show(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_status(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_template(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_test(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_uninstall(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_upgrade(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_verify(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
int helm_version(struct chart_ctx *cx, int argc, char **argv, struct buf *out);
