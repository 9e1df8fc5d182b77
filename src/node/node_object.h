/* node_object.h: the Node object of this machine, and its lease. */
#pragma once

#include "node/pod.h"

/* Reads capacity and facts of the machine once: fills a->milli_cpu and a->memory. */
void node_measure(struct agent *a);
/* Creates the Node or brings labels, addresses, capacity and conditions up to date. */
int node_register(struct agent *a, struct err *err);
/* The status as it should be now; writes only what has changed, conditions at least every five
 * minutes. */
int node_report(struct agent *a, struct err *err);
int node_renew_lease(struct agent *a, struct err *err);

/* A lower-case machine name from uname; the address of the interface that leads outside. */
char *node_find_ip(void);
