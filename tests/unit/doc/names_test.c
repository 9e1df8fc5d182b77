#include "doc/names.h"

#include "base/mem.h"
#include "test.h"

#define LABEL_RULE                                                                                 \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "   \
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "     \
    "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define SUBDOMAIN_RULE                                                                             \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "   \
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "  \
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

typedef const char *check_fn(struct str, char room[NAME_TEXT]);

TEST(names_are_judged_in_upstreams_words)
{
    static const struct {
        check_fn *check;
        const char *name, *verdict; /* NULL: right */
    } table[] = {
        {name_dns1123_label, "a-1", NULL},
        {name_dns1123_label, "a.b", "must not contain dots"},
        {name_dns1123_label, "A", LABEL_RULE},
        {name_dns1123_label, "", LABEL_RULE},
        {name_dns1123_label, "-a", LABEL_RULE},
        {name_dns1123_subdomain, "a.b-c.1", NULL},
        {name_dns1123_subdomain, "a..b", SUBDOMAIN_RULE},
        {name_dns1123_subdomain, "a.", SUBDOMAIN_RULE},
        {name_dns1123_subdomain, "a_b", SUBDOMAIN_RULE},
        {name_dns1035_label, "a1", NULL},
        {name_dns1035_label, "1a",
         "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with "
         "an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
         "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"},
        {name_wildcard_subdomain, "*.a.b", NULL},
        {name_qualified, "a.b/C_d", NULL},
        {name_qualified, "/b", "prefix part must be non-empty"},
        {name_label_value, "", NULL},
        {name_label_value, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "must be no more than 63 characters"},
        {name_path_segment, "..", "may not be '..'"},
        {name_path_segment, "a/b%", "may not contain '/'\nmay not contain '%'"},
        {name_port_name, "http-1", NULL},
        {name_port_name, "a--b", "must not contain consecutive hyphens"},
        {name_port_name, "80", "must contain at least one letter (a-z)"},
        {name_config_map_key, "a.B_c-1", NULL},
        {name_config_map_key, "..a", "must not start with '..'"},
        {name_env_var_relaxed, "a b", NULL},
        {name_env_var_relaxed, "a=b",
         "a valid environment variable name must consist only of printable ASCII characters other "
         "than '='"},
        {name_percent, "10%", NULL},
        {name_percent, "10",
         "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  "
         "or '93%', regex used for validation is '[0-9]+%')"},
        {name_c_identifier, "a_1", NULL},
        {name_http_header, "X-A", NULL},
        {name_ip, "10.0.0.1", NULL},
        {name_ip, "::1", NULL},
        {name_ip, "10.0.0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"},
        {name_ip, "010.0.0.1", "must not have leading 0s"},
        {name_ip, "::ffff:10.0.0.1", "must not be an IPv4-mapped IPv6 address"},
        {name_ip, "2001:DB8::0", "must be in canonical form (\"2001:db8::\")"},
        {name_ip_sloppy, "010.0.0.1", NULL},
        {name_cidr, "10.0.0.0/8", NULL},
        {name_cidr, "10.0.0.1/8", "must not have bits set beyond the prefix length"},
        {name_cidr, "10.0.0.0/33",
         "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char room[NAME_TEXT];
        const char *verdict = table[i].check(str_of(table[i].name), room);
        CHECK_STR(str_of(verdict ? verdict : "right"),
                  table[i].verdict ? table[i].verdict : "right");
    }
}

TEST(numbers_have_ranges)
{
    char room[NAME_TEXT];
    CHECK(name_port_number(80, room) == NULL);
    CHECK_STR(str_of(name_port_number(0, room)), "must be between 1 and 65535, inclusive");
}

TEST(a_dash_at_the_end_stands_for_what_is_generated)
{
    char room[NAME_TEXT], verdict[NAME_TEXT];
    CHECK_STR(name_mask_dash(STR("web-"), room), "wea");
    CHECK_STR(name_mask_dash(STR("web"), room), "web");
    CHECK(name_dns1123_label(name_mask_dash(STR("web-"), room), verdict) == NULL);
}
