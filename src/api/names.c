#include "api/names.h"

typedef const char *rule(struct str s, char room[NAME_TEXT]);

static rule *const rules[] = {
    [NAME_SUBDOMAIN] = name_dns1123_subdomain,
    [NAME_LABEL] = name_dns1123_label,
    [NAME_LABEL_1035] = name_dns1035_label,
    [NAME_PATH] = name_path_segment,
    [NAME_QUALIFIED] = name_qualified,
    [NAME_LABEL_VALUE] = name_label_value,
    [NAME_CONFIG_KEY] = name_config_map_key,
    [NAME_ENV] = name_env_var_relaxed,
    [NAME_PORT] = name_port_name,
    [NAME_HTTP_HEADER] = name_http_header,
    [NAME_IP] = name_ip_sloppy,
};

const char *name_error(enum name_form form, struct str s, char room[NAME_TEXT])
{
    return rules[form](s, room);
}

const char *name_error_prefix(enum name_form form, struct str s, char room[NAME_TEXT])
{
    char masked[NAME_TEXT];
    if (form <= NAME_LABEL_1035)
        s = name_mask_dash(s, masked);
    return name_error(form, s, room);
}
