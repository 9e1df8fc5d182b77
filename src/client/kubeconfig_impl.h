/* kubeconfig_impl.h: the halves of reading a kubeconfig: the files, and programs that they name. */
#pragma once

#include "client/kubeconfig.h"
#include "doc/val.h"

/* Runs a user's `exec` and takes the token or the certificate that it prints. */
int kubeconfig_run_plugin(const val *exec, struct kubeconfig *k, struct err *err);
