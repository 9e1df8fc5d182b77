/* format.h: the string formats that schemas of custom resources may name
 * (k8s.io/kube-openapi/pkg/validation/strfmt). */
#pragma once

#include "base/str.h"

/* False when the text is not of the format. Formats that are only hints (password, names that
 * nobody knows) take any text. Dashes in a format's name do not matter: date-time, datetime. */
bool crd_format_fits(struct str format, struct str text);
/* Upstream warns of others when a definition is written. */
bool crd_format_known(struct str format);
