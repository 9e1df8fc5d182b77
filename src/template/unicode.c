#include "template/unicode.h"

struct rune_shift {
    uint32_t first, last;
    int32_t delta;
    uint32_t step;
};

#include "template/unicode_tables.h"

uint32_t rune_decode(struct str s, size_t *ret_n)
{
    const unsigned char *p = (const unsigned char *)s.p;
    *ret_n = 1;
    if (s.n == 0)
        return RUNE_ERROR;
    if (p[0] < 0x80)
        return p[0];
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || s.n < n)
        return RUNE_ERROR;
    uint32_t r = p[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return RUNE_ERROR;
        r = r << 6 | (p[i] & 0x3F);
    }
    if ((n == 3 && r < 0x800) || (n == 4 && r < 0x10000) || r > RUNE_MAX ||
        (r >= 0xD800 && r < 0xE000))
        return RUNE_ERROR;
    *ret_n = n;
    return r;
}

uint32_t rune_decode_last(struct str s, size_t *ret_n)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++) {
        if (((unsigned char)s.p[s.n - n] & 0xC0) == 0x80)
            continue;
        uint32_t r = rune_decode((struct str){s.p + s.n - n, n}, ret_n);
        if (*ret_n == n)
            return r;
        break;
    }
    *ret_n = 1;
    return RUNE_ERROR;
}

void rune_put(struct buf *b, uint32_t r)
{
    if (r > RUNE_MAX || (r >= 0xD800 && r < 0xE000))
        r = RUNE_ERROR;
    if (r < 0x80) {
        buf_putc(b, (char)r);
    } else if (r < 0x800) {
        buf_putc(b, (char)(0xC0 | r >> 6));
        buf_putc(b, (char)(0x80 | (r & 0x3F)));
    } else if (r < 0x10000) {
        buf_putc(b, (char)(0xE0 | r >> 12));
        buf_putc(b, (char)(0x80 | (r >> 6 & 0x3F)));
        buf_putc(b, (char)(0x80 | (r & 0x3F)));
    } else {
        buf_putc(b, (char)(0xF0 | r >> 18));
        buf_putc(b, (char)(0x80 | (r >> 12 & 0x3F)));
        buf_putc(b, (char)(0x80 | (r >> 6 & 0x3F)));
        buf_putc(b, (char)(0x80 | (r & 0x3F)));
    }
}

size_t rune_count(struct str s)
{
    size_t count = 0, n;
    for (; s.n > 0; s = str_from(s, n), count++)
        rune_decode(s, &n);
    return count;
}

bool rune_is_valid(struct str s)
{
    size_t n;
    for (; s.n > 0; s = str_from(s, n))
        if (rune_decode(s, &n) == RUNE_ERROR && n == 1)
            return false;
    return true;
}

bool rune_in_ranges(const struct rune_range *table, size_t n, uint32_t r)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r > table[mid].last)
            low = mid + 1;
        else if (r < table[mid].first)
            high = mid;
        else
            return true;
    }
    return false;
}

static uint32_t shift(const struct rune_shift *table, size_t n, uint32_t r)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r > table[mid].last)
            low = mid + 1;
        else if (r < table[mid].first)
            high = mid;
        else if ((r - table[mid].first) % table[mid].step == 0)
            return r + (uint32_t)table[mid].delta;
        else
            return r;
    }
    return r;
}

bool rune_is_letter(uint32_t r)
{
    if (r < 0x80)
        return (r | 0x20) >= 'a' && (r | 0x20) <= 'z';
    return rune_in_ranges(letters, ARRAY_LEN(letters), r);
}

bool rune_is_digit(uint32_t r)
{
    if (r < 0x80)
        return r >= '0' && r <= '9';
    return rune_in_ranges(digits, ARRAY_LEN(digits), r);
}

bool rune_is_upper(uint32_t r)
{
    return rune_in_ranges(upper_case, ARRAY_LEN(upper_case), r);
}

bool rune_is_lower(uint32_t r)
{
    return rune_in_ranges(lower_case, ARRAY_LEN(lower_case), r);
}

/* unicode.IsSpace: White_Space. */
bool rune_is_space(uint32_t r)
{
    return (r >= 0x09 && r <= 0x0D) || r == ' ' || r == 0x85 || r == 0xA0 || r == 0x1680 ||
           (r >= 0x2000 && r <= 0x200A) || r == 0x2028 || r == 0x2029 || r == 0x202F ||
           r == 0x205F || r == 0x3000;
}

struct str rune_trim_space(struct str s)
{
    size_t n;
    while (s.n && rune_is_space(rune_decode(s, &n)))
        s = str_from(s, n);
    while (s.n && rune_is_space(rune_decode_last(s, &n)))
        s.n -= n;
    return s;
}

bool rune_is_print(uint32_t r)
{
    if (r < 0x7F)
        return r >= ' ';
    return rune_in_ranges(printable, ARRAY_LEN(printable), r);
}

uint32_t rune_to_upper(uint32_t r)
{
    return shift(to_upper, ARRAY_LEN(to_upper), r);
}

uint32_t rune_to_lower(uint32_t r)
{
    return shift(to_lower, ARRAY_LEN(to_lower), r);
}

uint32_t rune_to_title(uint32_t r)
{
    return shift(to_title, ARRAY_LEN(to_title), r);
}
