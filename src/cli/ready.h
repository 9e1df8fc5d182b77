/* ready.h: questions that `tutti up` asks while it starts. Each opens a client, asks once and
 * closes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* /readyz answers "ok". */
bool ready_server(const char *data_dir);
/* The node's lease was renewed at since_ns (wall clock) or later and its Ready condition is True.
 */
bool ready_node(const char *data_dir, const char *node_name, int64_t since_ns);
/* This machine's name as a node name: lower case, what kubelet's --hostname-override would default
 * to. */
void default_node_name(char *ret, size_t size);
