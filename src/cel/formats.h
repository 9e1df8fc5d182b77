/* formats.h: the formats that expressions can name. */
#pragma once

#include "cel/kube.h"

struct cel_format {
    const char *name, *title;
    size_t regex_size; /* of upstream's pattern, for the cost */
    /* Appends what is wrong, one problem a line. */
    void (*check)(struct str s, struct buf *problems);
};

void cel_kube_ip_write(struct cel_value v, struct buf *b);
void cel_kube_semver_write(const struct cel_semver *v, struct buf *b);
