#include "api/names.h"

#include <arpa/inet.h>

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253, PORT_NAME_MAX = 15 };

#define LABEL_RE "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define QNAME_RE "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
#define QNAME_TEXT                                                                                 \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "    \
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "         \
    "validation is '" QNAME_RE "')"
#define SUBDOMAIN_TEXT                                                                             \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "   \
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "  \
    "for validation is '" LABEL_RE "(\\." LABEL_RE ")*')"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower_alnum(char c)
{
    return is_lower(c) || is_digit(c);
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool is_label(struct str s)
{
    if (s.n == 0 || !is_lower_alnum(s.p[0]) || !is_lower_alnum(s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

static const char *label_error(struct str s)
{
    if (s.n > LABEL_MAX)
        return "must be no more than 63 characters";
    if (is_label(s))
        return NULL;
    return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
           "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
           "regex used for validation is '" LABEL_RE "')";
}

static const char *label_1035_error(struct str s)
{
    if (s.n > LABEL_MAX)
        return "must be no more than 63 characters";
    if (is_label(s) && is_lower(s.p[0]))
        return NULL;
    return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with "
           "an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
           "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
}

static bool is_subdomain(struct str s)
{
    struct str label;
    bool more = true;
    while (more) {
        more = str_cut(s, '.', &label, &s);
        if (!is_label(label))
            return false;
    }
    return true;
}

static const char *subdomain_error(struct str s)
{
    if (s.n > SUBDOMAIN_MAX)
        return "must be no more than 253 characters";
    return is_subdomain(s) ? NULL : SUBDOMAIN_TEXT;
}

static const char *path_error(struct str s)
{
    if (str_is(s, "."))
        return "may not be '.'";
    if (str_is(s, ".."))
        return "may not be '..'";
    if (str_find_char(s, '/') >= 0)
        return "may not contain '/'";
    if (str_find_char(s, '%') >= 0)
        return "may not contain '%'";
    return NULL;
}

static bool is_qualified_part(struct str s)
{
    if (s.n == 0 || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
            return false;
    return true;
}

static const char *qualified_error(struct str s)
{
    struct str prefix, name = s, rest;
    if (str_find_char(s, '/') >= 0) {
        str_cut(s, '/', &prefix, &rest);
        if (str_find_char(rest, '/') >= 0)
            return "a qualified name " QNAME_TEXT " with an optional DNS subdomain prefix and '/' "
                   "(e.g. 'example.com/MyName')";
        if (prefix.n == 0)
            return "prefix part must be non-empty";
        if (prefix.n > SUBDOMAIN_MAX)
            return "prefix part must be no more than 253 characters";
        if (!is_subdomain(prefix))
            return "prefix part " SUBDOMAIN_TEXT;
        name = rest;
    }
    if (name.n == 0)
        return "name part must be non-empty";
    if (name.n > LABEL_MAX)
        return "name part must be no more than 63 characters";
    return is_qualified_part(name) ? NULL : "name part " QNAME_TEXT;
}

static const char *label_value_error(struct str s)
{
    if (s.n > LABEL_MAX)
        return "must be no more than 63 characters";
    if (s.n == 0 || is_qualified_part(s))
        return NULL;
    return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' "
           "or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
           "'my_value',  or '12345', regex used for validation is '(" QNAME_RE ")?')";
}

static const char *config_key_error(struct str s)
{
    if (s.n > SUBDOMAIN_MAX)
        return "must be no more than 253 characters";
    bool ok = s.n > 0;
    for (size_t i = 0; ok && i < s.n; i++)
        ok = is_alnum(s.p[i]) || s.p[i] == '-' || s.p[i] == '_' || s.p[i] == '.';
    if (!ok)
        return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
               "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
               "'[-._a-zA-Z0-9]+')";
    if (str_is(s, "."))
        return "must not be '.'";
    if (str_is(s, ".."))
        return "must not be '..'";
    return str_starts(s, STR("..")) ? "must not start with '..'" : NULL;
}

static const char *env_error(struct str s)
{
    if (s.n == 0)
        return "environment variable name must be non-empty";
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e || s.p[i] == '=')
            return "a valid environment variable name must consist only of printable ASCII "
                   "characters other than '='";
    return NULL;
}

static const char *port_error(struct str s)
{
    if (s.n > PORT_NAME_MAX)
        return "must be no more than 15 characters";
    bool letter = false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_lower_alnum(s.p[i]) && s.p[i] != '-')
            return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
        letter = letter || is_lower(s.p[i]);
    }
    if (!letter)
        return "must contain at least one letter (a-z)";
    if (str_find(s, STR("--")) >= 0)
        return "must not contain consecutive hyphens";
    if (s.p[0] == '-' || s.p[s.n - 1] == '-')
        return "must not begin or end with a hyphen";
    return NULL;
}

static const char *header_error(struct str s)
{
    bool ok = s.n > 0;
    for (size_t i = 0; ok && i < s.n; i++)
        ok = is_alnum(s.p[i]) || s.p[i] == '-';
    return ok ? NULL
              : "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
                "'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
}

static const char *ip_error(struct str s)
{
    char z[INET6_ADDRSTRLEN];
    unsigned char address[16];
    if (s.n > 0 && s.n < sizeof(z)) {
        memcpy(z, s.p, s.n);
        z[s.n] = 0;
        if (strlen(z) == s.n && (inet_pton(AF_INET, z, address) || inet_pton(AF_INET6, z, address)))
            return NULL;
    }
    return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

const char *name_error(enum name_form form, struct str s)
{
    switch (form) {
    case NAME_SUBDOMAIN:
        return subdomain_error(s);
    case NAME_LABEL:
        return label_error(s);
    case NAME_LABEL_1035:
        return label_1035_error(s);
    case NAME_PATH:
        return path_error(s);
    case NAME_QUALIFIED:
        return qualified_error(s);
    case NAME_LABEL_VALUE:
        return label_value_error(s);
    case NAME_CONFIG_KEY:
        return config_key_error(s);
    case NAME_ENV:
        return env_error(s);
    case NAME_PORT:
        return port_error(s);
    case NAME_HTTP_HEADER:
        return header_error(s);
    case NAME_IP:
        return ip_error(s);
    }
    return NULL;
}

const char *name_error_prefix(enum name_form form, struct str s)
{
    char z[SUBDOMAIN_MAX + 2];
    if (form > NAME_LABEL_1035 || s.n == 0 || s.n > SUBDOMAIN_MAX || s.p[s.n - 1] != '-')
        return name_error(form, s);
    memcpy(z, s.p, s.n); /* upstream's maskTrailingDash */
    z[s.n - 1] = 'a';
    return name_error(form, (struct str){z, s.n});
}
