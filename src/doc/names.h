/* names.h: the rules for names that all kinds share, with upstream's messages
 * (k8s.io/apimachinery/pkg/util/validation).
 *
 * Each function answers NULL when the value is right, else what is wrong with it, in the caller's
 * room. Where upstream returns several messages they stand one a line: `str_next(&rest, '\n',
 * &line)` walks them. The text is what stands behind `Invalid value: "x": `. Any thread. */
#pragma once

#include "base/str.h"

enum { NAME_TEXT = 1024 };

const char *name_dns1123_label(struct str s, char room[NAME_TEXT]);
const char *name_dns1123_subdomain(struct str s, char room[NAME_TEXT]);
const char *name_dns1035_label(struct str s, char room[NAME_TEXT]);
const char *name_wildcard_subdomain(struct str s, char room[NAME_TEXT]); /* "*.example.com" */
const char *name_qualified(struct str s, char room[NAME_TEXT]);          /* label keys */
const char *name_label_value(struct str s, char room[NAME_TEXT]);
const char *name_path_segment(struct str s, char room[NAME_TEXT]); /* most kinds' least rule */
const char *name_port_name(struct str s, char room[NAME_TEXT]);
const char *name_config_map_key(struct str s, char room[NAME_TEXT]);
const char *name_env_var(struct str s, char room[NAME_TEXT]);         /* strict */
const char *name_env_var_relaxed(struct str s, char room[NAME_TEXT]); /* since 1.34 for pods */
const char *name_c_identifier(struct str s, char room[NAME_TEXT]);
const char *name_percent(struct str s, char room[NAME_TEXT]);
const char *name_http_header(struct str s, char room[NAME_TEXT]);
const char *name_ip(struct str s, char room[NAME_TEXT]);        /* strict and canonical */
const char *name_ip_sloppy(struct str s, char room[NAME_TEXT]); /* fields older than the rule */
const char *name_cidr(struct str s, char room[NAME_TEXT]);
const char *name_cidr_sloppy(struct str s, char room[NAME_TEXT]);
const char *name_in_range(int64_t value, int64_t low, int64_t high, char room[NAME_TEXT]);
const char *name_port_number(int64_t port, char room[NAME_TEXT]);

/* What a generateName is checked as: a dash at the end is taken for a letter to come. */
struct str name_mask_dash(struct str prefix, char room[NAME_TEXT]);
