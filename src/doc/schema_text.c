/* The scalars that are text in JSON: one canonical form each; and base64. */
#include "doc/quantity.h"
#include "doc/schema_internal.h"
#include "doc/time.h"
#include "doc/val_internal.h"

static void set_text(struct doc *d, val *v, struct str text)
{
    if (val_is_str(v) && str_eq(val_str(v), text))
        return;
    char *copy = doc_alloc_text(d, text.n);
    if (text.n)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    yyjson_mut_set_strn(v, copy, text.n);
}

static int canonical_quantity(struct doc *d, val *v, struct err *err)
{
    CLEANUP(buf_done) struct buf b = {0};
    struct quantity q;
    if (!val_is_str(v))
        val_write_json(v, &b); /* a number's digits; anything else is refused below */
    if (quantity_parse(val_is_str(v) ? val_str(v) : buf_str(&b), &q, err) < 0)
        return -1;
    buf_clear(&b);
    quantity_write(&q, &b);
    set_text(d, v, buf_str(&b));
    return 0;
}

static int canonical_time(struct doc *d, val *v, bool micro, struct err *err)
{
    int64_t ns;
    char text[TIME_TEXT];
    if (time_parse(val_str(v), &ns, err) < 0)
        return -1;
    if (str_starts(val_str(v), STR("0001-01-01T00:00:00")) && str_ends(val_str(v), STR("Z"))) {
        yyjson_mut_set_null(v); /* Go's zero time */
        return 0;
    }
    if (ns == INT64_MIN || ns == INT64_MAX)
        return 0; /* far from now: it stays as it was written */
    if (micro)
        time_write_micro(ns, text);
    else
        time_write(ns, text);
    set_text(d, v, str_of(text));
    return 0;
}

static int canonical_duration(struct doc *d, val *v, struct err *err)
{
    CLEANUP(buf_done) struct buf b = {0};
    int64_t ns;
    if (duration_parse(val_str(v), &ns, err) < 0)
        return -1;
    duration_write(ns, &b);
    set_text(d, v, buf_str(&b));
    return 0;
}

static int canonical_bytes(struct doc *d, val *v, struct err *err)
{
    CLEANUP(buf_done) struct buf bytes = {0};
    CLEANUP(buf_done) struct buf text = {0};
    size_t bad;
    if (base64_read(val_str(v), &bytes, &bad) < 0)
        return err_bad(err, "illegal base64 data at input byte %zu", bad);
    base64_write(buf_str(&bytes), &text);
    set_text(d, v, buf_str(&text));
    return 0;
}

int schema_canonical(const struct schema *s, struct doc *d, val *v, struct err *err)
{
    switch (s->type) {
    case SCHEMA_QUANTITY:
        return canonical_quantity(d, v, err);
    case SCHEMA_TIME:
        return canonical_time(d, v, false, err);
    case SCHEMA_MICRO_TIME:
        return canonical_time(d, v, true, err);
    case SCHEMA_DURATION:
        return canonical_duration(d, v, err);
    case SCHEMA_BYTES:
        return canonical_bytes(d, v, err);
    default:
        return 0;
    }
}

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

/* What may follow the first '=': the second one where two are needed, and line ends. */
static int read_padding(struct str text, size_t i, int digits, size_t *ret_bad)
{
    int padding = 4 - digits;
    for (; i < text.n; i++) {
        if (is_line_end(text.p[i]))
            continue;
        *ret_bad = i;
        if (digits < 2 || text.p[i] != '=' || padding-- == 0)
            return -1;
    }
    *ret_bad = text.n;
    return padding == 0 ? 0 : -1;
}

int base64_read(struct str text, struct buf *b, size_t *ret_bad)
{
    char *out = buf_reserve(b, text.n / 4 * 3 + 3);
    size_t n = 0;
    uint32_t bits = 0;
    int digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (is_line_end(text.p[i]))
            continue;
        int digit = base64_digit((unsigned char)text.p[i]);
        if (digit < 0) {
            if (read_padding(text, i, digits, ret_bad) < 0)
                return -1;
            break;
        }
        bits = bits << 6 | (uint32_t)digit;
        if (++digits < 4)
            continue;
        out[n++] = (char)(bits >> 16);
        out[n++] = (char)(bits >> 8);
        out[n++] = (char)bits;
        digits = 0;
        bits = 0;
    }
    bool padded = text.n && memchr(text.p, '=', text.n);
    if (digits && !padded) {
        *ret_bad = text.n;
        return -1;
    }
    bits <<= 6 * (4 - digits) % 24;
    if (digits >= 2)
        out[n++] = (char)(bits >> 16);
    if (digits == 3)
        out[n++] = (char)(bits >> 8);
    b->n += n;
    b->p[b->n] = '\0';
    return 0;
}

void base64_write(struct str bytes, struct buf *b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = buf_reserve(b, (bytes.n + 2) / 3 * 4);
    size_t n = 0;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t bits = (uint32_t)(unsigned char)bytes.p[i] << 16;
        if (left > 1)
            bits |= (uint32_t)(unsigned char)bytes.p[i + 1] << 8;
        if (left > 2)
            bits |= (unsigned char)bytes.p[i + 2];
        out[n++] = digits[bits >> 18];
        out[n++] = digits[bits >> 12 & 63];
        out[n++] = left > 1 ? digits[bits >> 6 & 63] : '=';
        out[n++] = left > 2 ? digits[bits & 63] : '=';
    }
    b->n += n;
    b->p[b->n] = '\0';
}
