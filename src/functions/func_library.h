/* func_library.h: the functions that Helm 3.22 gives to templates: sprig v3.3 without env and
 * expandenv, and Helm's own. `include` and `tpl` are template.h's tmpl_helm_funcs; `lookup` answers
 * an empty map here, as without a cluster, and a render with one replaces it.
 *
 * Each table ends with a NULL name. What Go's versions panic with is an error here, as
 * text/template makes it one. */
#pragma once

#include "template/template.h"

/* Adds all of the tables below to a set. */
void func_library_add(struct tmpl_set *s);

extern const struct func func_strings[]; /* trim, indent, quote, split, … */
extern const struct func func_cases[];   /* upper, title, camelcase, wrap, abbrev, … */
extern const struct func func_lists[];   /* list, first, append, has, … */
extern const struct func func_dicts[];   /* dict, get, set, keys, dig, deepCopy, … */
extern const struct func func_merges[];  /* merge, mergeOverwrite, … */
extern const struct func func_maths[];   /* int, add, until, round, … */
extern const struct func func_floats[];  /* addf, divf, … */
extern const struct func func_dates[];   /* now, date, duration, … */
extern const struct func func_semvers[]; /* semver, semverCompare */
extern const struct func func_regexes[];
extern const struct func func_urls[];      /* urlParse, urlJoin, getHostByName */
extern const struct func func_paths[];     /* base, dir, clean, … */
extern const struct func func_encodings[]; /* b64enc, sha256sum, … */
extern const struct func func_cryptos[];   /* bcrypt, derivePassword, randAlpha, … */
extern const struct func func_certs[];     /* genCA, genPrivateKey, … */
extern const struct func func_flows[];     /* default, ternary, typeOf, fail, required, … */
extern const struct func func_dns[];       /* getHostByName that asks; not part of the library */
extern const struct func func_data[];      /* toYaml, fromJson, toToml, … */

/* `required` and `fail` as `helm lint` has them: they let everything pass. Not part of
 * func_library_add. */
extern const struct func func_lint[];

/* What Helm looks for in an error, to show a chart's own message alone. */
#define FUNC_MESSAGE_START "HELM_ERR_START"
#define FUNC_MESSAGE_END "HELM_ERR_END"
