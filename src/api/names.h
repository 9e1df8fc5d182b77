/* names.h: which rule of doc/names.h a name, key or value of an object has to keep. */
#pragma once

#include "doc/names.h"

enum name_form {
    NAME_SUBDOMAIN,   /* RFC 1123 subdomain: most kinds' metadata.name */
    NAME_LABEL,       /* RFC 1123 label: namespaces, containers */
    NAME_LABEL_1035,  /* as before, beginning with a letter: services */
    NAME_PATH,        /* any path segment: roles and bindings */
    NAME_QUALIFIED,   /* label and annotation keys, finalizers, resource names */
    NAME_LABEL_VALUE, /* a label's value */
    NAME_CONFIG_KEY,  /* a key of a ConfigMap's or Secret's data */
    NAME_ENV,         /* an environment variable (relaxed: printable ASCII without '=') */
    NAME_PORT,        /* a container port's name */
    NAME_HTTP_HEADER,
    NAME_IP, /* an IPv4 or IPv6 address, as fields older than the strict rule take it */
};

/* NULL: fine. Otherwise what is wrong, one message a line, in the caller's room. */
const char *name_error(enum name_form form, struct str s, char room[NAME_TEXT]);
/* The same for metadata.generateName, which may end in what would not be allowed at the end. */
const char *name_error_prefix(enum name_form form, struct str s, char room[NAME_TEXT]);
