#include "cel/formats.h"

#include "cel/functions.h"
#include "doc/names.h"

#define FN(name) struct cel_value name(struct eval *ev, const struct cel_value *args, size_t n)

static void note(const char *problem, struct buf *b)
{
    if (problem)
        buf_puts(b, problem);
}

static void check_name(const char *(*rule)(struct str, char[NAME_TEXT]), struct str s, bool prefix,
                       struct buf *b)
{
    char room[NAME_TEXT], masked[NAME_TEXT];
    if (prefix && s.n < NAME_TEXT)
        s = name_mask_dash(s, masked);
    note(rule(s, room), b);
}

static void check_label(struct str s, struct buf *b)
{
    check_name(name_dns1123_label, s, false, b);
}

static void check_label_prefix(struct str s, struct buf *b)
{
    check_name(name_dns1123_label, s, true, b);
}

static void check_subdomain(struct str s, struct buf *b)
{
    check_name(name_dns1123_subdomain, s, false, b);
}

static void check_subdomain_prefix(struct str s, struct buf *b)
{
    check_name(name_dns1123_subdomain, s, true, b);
}

static void check_1035(struct str s, struct buf *b)
{
    check_name(name_dns1035_label, s, false, b);
}

static void check_1035_prefix(struct str s, struct buf *b)
{
    check_name(name_dns1035_label, s, true, b);
}

static void check_qualified(struct str s, struct buf *b)
{
    check_name(name_qualified, s, false, b);
}

static void check_label_value(struct str s, struct buf *b)
{
    check_name(name_label_value, s, false, b);
}

static void check_uri(struct str s, struct buf *b)
{
    cel_url_is_request_uri(s, b);
}

static bool is_uuid(struct str s)
{
    static const int groups[] = {8, 4, 4, 4, 12};
    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        if (g > 0 && str_starts(s, STR("-")))
            s = str_from(s, 1);
        for (int i = 0; i < groups[g]; i++) {
            if (s.n == 0 || !s.p[0] || !strchr("0123456789abcdefABCDEF", s.p[0]))
                return false;
            s = str_from(s, 1);
        }
    }
    return s.n == 0;
}

static void check_uuid(struct str s, struct buf *b)
{
    if (!is_uuid(s))
        buf_puts(b, "does not match the UUID format");
}

static void check_byte(struct str s, struct buf *b)
{
    if (s.n == 0 || !cel_base64_read(s, NULL))
        buf_puts(b, "invalid base64");
}

static void check_date(struct str s, struct buf *b)
{
    char text[32];
    struct cel_value v;
    snprintf(text, sizeof text, "%.*sT00:00:00Z", (int)(s.n > 10 ? 10 : s.n), s.p ? s.p : "");
    if (s.n != 10 || !cel_timestamp_parse(str_of(text), &v))
        buf_puts(b, "invalid date");
}

static void check_datetime(struct str s, struct buf *b)
{
    struct cel_value v;
    if (!cel_timestamp_parse(s, &v))
        buf_puts(b, "invalid datetime");
}

static const struct cel_format formats[] = {
    {"dns1123Label", "DNS1123Label", 30, check_label},
    {"dns1123Subdomain", "DNS1123Subdomain", 60, check_subdomain},
    {"dns1035Label", "DNS1035Label", 30, check_1035},
    {"qualifiedName", "QualifiedName", 60, check_qualified},
    {"dns1123LabelPrefix", "DNS1123LabelPrefix", 30, check_label_prefix},
    {"dns1123SubdomainPrefix", "DNS1123SubdomainPrefix", 60, check_subdomain_prefix},
    {"dns1035LabelPrefix", "DNS1035LabelPrefix", 30, check_1035_prefix},
    {"labelValue", "LabelValue", 40, check_label_value},
    {"uri", "URI", 1103, check_uri},
    {"uuid", "uuid", 70, check_uuid},
    {"byte", "byte", 84, check_byte},
    {"date", "date", 71, check_date},
    {"datetime", "datetime", 71, check_datetime},
};

size_t cel_kube_format_regex_size(struct cel_value v)
{
    return v.format->regex_size;
}

static const struct cel_format *find_format(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_is(name, formats[i].name))
            return &formats[i];
    return NULL;
}

static struct cel_value of_format(const struct cel_format *f)
{
    return (struct cel_value){.kind = CEL_FORMAT, .format = f};
}

FN(cel_fn_format_named)
{
    (void)n;
    const struct cel_format *f = find_format(args[0].s);
    return f ? cel_optional_of(ev->a, of_format(f)) : cel_optional_none();
}

FN(cel_fn_format_constant) /* format.NAME() */
{
    (void)args;
    (void)n;
    return of_format(find_format(str_from(ev->call->name, sizeof "format." - 1)));
}

FN(cel_fn_validate)
{
    (void)n;
    struct buf b = {0};
    args[0].format->check(args[1].s, &b);
    struct cel_value problems = cel_list_new(ev, 0);
    struct str rest = cel_text(ev, &b).s, line;
    while (str_next(&rest, '\n', &line))
        cel_list_push(ev, problems, cel_string(line));
    return problems.list->n ? cel_optional_of(ev->a, problems) : cel_optional_none();
}
