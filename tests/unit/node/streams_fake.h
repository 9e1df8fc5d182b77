/* streams_fake.h: an agent that runs commands as processes of this machine, for the HTTP server of
 * a node. Pod "web" in namespace "default" has the container "c"; its log and the run before are
 * files of the folder. */
#pragma once

#include "node/streams.h"

struct agent {
    const char *folder; /* log files: 1.log, and 0.log of the run before */
    const char *netns;  /* NULL: the host's */
    bool running, tty;
};
