/* kubeconfig.h: the current context of a kubeconfig, as k8s.io/client-go/tools/clientcmd resolves
 * it: inline data comes before files, relative files lie beside the kubeconfig. */
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
};

int kubeconfig_read(const char *path, struct kubeconfig *ret, struct err *err);
void kubeconfig_done(struct kubeconfig *k);
/* The first line of a token file, without blanks around it; replaces ret. */
int kubeconfig_read_token(const char *path, struct buf *ret, struct err *err);
