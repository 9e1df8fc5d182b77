/* kubeconfig.h: a context of a kubeconfig, as k8s.io/client-go/tools/clientcmd resolves it: inline
 * data comes before files, relative files lie beside the kubeconfig that names them. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct kubeconfig {
    char *server;          /* "https://127.0.0.1:6443" */
    char *tls_server_name; /* NULL: the server's host */
    char *ns;              /* NULL: none is set */
    char *token_file;      /* NULL: none; read again now and then, tokens rotate */
    struct buf token, ca_pem, cert_pem, key_pem;
    bool insecure;
    char *as_user;        /* NULL: nobody is impersonated */
    struct buf as_groups; /* one a line */
};

/* What a command line puts over the files; NULL and empty: nothing. */
struct kubeconfig_overrides {
    const char *path; /* the only file; NULL: those of $KUBECONFIG, or ~/.kube/config */
    const char *context, *server, *token, *ca_file, *tls_server_name, *as_user;
    const struct str *as_groups;
    size_t as_group_count;
    bool insecure;
};

/* Of several files the first that names a thing wins, and missing ones are passed over. Without
 * any, a pod finds its cluster by its service account, all else at http://localhost:8080. */
int kubeconfig_load(const struct kubeconfig_overrides *o, struct kubeconfig *ret, struct err *err);
/* One file with the context that it says is current. */
int kubeconfig_read(const char *path, struct kubeconfig *ret, struct err *err);
void kubeconfig_done(struct kubeconfig *k);
/* The first line of a token file, without blanks around it; replaces ret. */
int kubeconfig_read_token(const char *path, struct buf *ret, struct err *err);
