/* patch_internal.h: what applying and making strategic merge patches share. */
#pragma once

#include "doc/patch.h"

/* What a list or an object is merged by. */
struct patch_rule {
    const struct schema *schema; /* of the object, or of the list's elements */
    bool merge, replace, retain_keys;
    struct str key; /* empty: a list of scalars */
};

/* The rule of a member of an object; fails for fields that the schema does not know. */
int patch_find_rule(const struct schema *s, struct str name, bool list, struct patch_rule *ret,
                    struct err *err);
int patch_fail_no_key(const val *element, struct str key, struct err *err);
