/* func_case.c: sprig's functions that change the case of text, split it into words or shorten it.
 * The rules are those of strings.Title, huandu/xstrings and Masterminds/goutils, odd ones included:
 * the latter read bytes where others read runes. */
#include "functions/func_arg.h"
#include "functions/func_library.h"
#include "functions/func_random.h"
#include "template/unicode.h"

#include "functions/func_case_tables.h"

#define FN(name)                                                                                   \
    static int name(struct tmpl_exec *x, const struct value *args, size_t n, struct value *ret)

static bool is_punct(uint32_t r)
{
    return rune_in_ranges(punctuation, ARRAY_LEN(punctuation), r);
}

static bool is_number(uint32_t r)
{
    return rune_in_ranges(numbers, ARRAY_LEN(numbers), r);
}

/* The few letters that are a capital and a small one at once. */
static bool is_title(uint32_t r)
{
    return r == 0x1C5 || r == 0x1C8 || r == 0x1CB || r == 0x1F2 || (r >= 0x1F88 && r <= 0x1F8F) ||
           (r >= 0x1F98 && r <= 0x1F9F) || (r >= 0x1FA8 && r <= 0x1FAF) || r == 0x1FBC ||
           r == 0x1FCC || r == 0x1FFC;
}

static uint32_t take_rune(struct str *s)
{
    size_t size;
    uint32_t r = rune_decode(*s, &size);
    *s = str_from(*s, size);
    return r;
}

static int map_runes(struct tmpl_exec *x, struct str s, uint32_t (*map)(uint32_t),
                     struct value *ret)
{
    struct buf b = {0};
    while (s.n > 0)
        rune_put(&b, map(take_rune(&s)));
    *ret = func_take(x, &b);
    return 0;
}

FN(upper)
{
    (void)n;
    return map_runes(x, value_text(args[0]), rune_to_upper, ret);
}

FN(lower)
{
    (void)n;
    return map_runes(x, value_text(args[0]), rune_to_lower, ret);
}

/* What strings.Title holds to stand between words. */
static bool is_separator(uint32_t r)
{
    if (r < 0x80)
        return !rune_is_letter(r) && !rune_is_digit(r) && r != '_';
    return !rune_is_letter(r) && !rune_is_digit(r) && rune_is_space(r);
}

FN(title)
{
    struct str s = value_text(args[0]);
    struct buf b = {0};
    (void)n;
    for (uint32_t before = ' '; s.n > 0;) {
        uint32_t r = take_rune(&s);
        rune_put(&b, is_separator(before) ? rune_to_title(r) : r);
        before = r;
    }
    *ret = func_take(x, &b);
    return 0;
}

FN(untitle)
{
    struct str s = value_text(args[0]);
    struct buf b = {0};
    (void)n;
    for (bool first = true; s.n > 0;) {
        uint32_t r = take_rune(&s);
        bool space = rune_is_space(r);
        rune_put(&b, first && !space ? rune_to_lower(r) : r);
        first = space;
    }
    *ret = func_take(x, &b);
    return 0;
}

FN(swapcase)
{
    struct str s = value_text(args[0]);
    struct buf b = {0};
    (void)n;
    for (bool first = true; s.n > 0;) {
        uint32_t r = take_rune(&s);
        if (rune_is_upper(r) || is_title(r)) {
            r = rune_to_lower(r);
            first = false;
        } else if (rune_is_lower(r)) {
            r = first ? rune_to_title(r) : rune_to_upper(r);
            first = false;
        } else {
            first = rune_is_space(r);
        }
        rune_put(&b, r);
    }
    *ret = func_take(x, &b);
    return 0;
}

/* --- words, as xstrings sees them --- */

enum word_kind {
    WORD_NONE,
    WORD_NUMBER,
    WORD_UPPER,
    WORD_LETTERS,
    WORD_LINK,
    WORD_PUNCT,
    WORD_OTHER
};

static bool is_link(uint32_t r)
{
    return r == '-' || r == '_' || rune_is_space(r);
}

/* Letters but ideographs. */
static bool is_alphabet(uint32_t r)
{
    if (!rune_is_letter(r))
        return false;
    return !((r >= 0x4E00 && r <= 0x9FCC) || (r >= 0x3400 && r <= 0x4D85) ||
             (r >= 0x20000 && r <= 0x2B81D));
}

static bool is_small(uint32_t r)
{
    return is_alphabet(r) && !rune_is_upper(r);
}

static bool is_other(uint32_t r)
{
    return !is_link(r) && !is_alphabet(r) && !is_number(r) && !is_punct(r);
}

/* The next rune that is UTF-8, and the bytes up to its end; `before` when there is none. */
static uint32_t valid_rune(struct str s, uint32_t before, size_t *ret_n)
{
    *ret_n = 0;
    for (size_t size; s.n > 0; s = str_from(s, size)) {
        uint32_t r = rune_decode(s, &size);
        *ret_n += size;
        if (r != RUNE_ERROR)
            return r;
    }
    return before;
}

static size_t run_of(struct str s, uint32_t r, bool (*fits)(uint32_t))
{
    size_t len = 0, size;
    while (len < s.n) {
        r = valid_rune(str_from(s, len), r, &size);
        if (!fits(r))
            break;
        len += size;
    }
    return len;
}

/* After one capital: either more of them, of which the last belongs to the small letters behind
 * ("HTTPStatus" is HTTP and Status), or small letters. */
static size_t upper_run(struct str s, uint32_t first)
{
    size_t size, len = 0, last = 0;
    uint32_t r = valid_rune(s, first, &size);
    if (!rune_is_upper(r))
        return run_of(s, first, is_small);
    while (len < s.n) {
        r = valid_rune(str_from(s, len), r, &size);
        if (!rune_is_upper(r))
            return is_alphabet(r) ? len - last : len;
        last = size;
        len += size;
    }
    return len;
}

struct word {
    enum word_kind kind;
    struct str text;
};

static struct word next_word(struct str *s)
{
    struct word w = {WORD_NONE, *s};
    if (s->n == 0)
        return w;
    size_t size, len = 0;
    uint32_t r = valid_rune(*s, RUNE_ERROR, &size);
    struct str rest = str_from(*s, size);
    if (r == RUNE_ERROR) {
        len = 0;
    } else if (is_link(r)) {
        w.kind = WORD_LINK;
        len = run_of(rest, r, is_link);
    } else if (is_punct(r)) {
        w.kind = WORD_PUNCT;
        len = run_of(rest, r, is_punct);
    } else if (rune_is_upper(r)) {
        w.kind = WORD_UPPER;
        len = rest.n ? upper_run(rest, r) : 0;
    } else if (is_alphabet(r)) {
        w.kind = WORD_LETTERS;
        len = run_of(rest, r, is_small);
    } else if (is_number(r)) {
        w.kind = WORD_NUMBER;
        len = run_of(rest, r, is_number);
    } else {
        w.kind = WORD_OTHER;
        len = run_of(rest, r, is_other);
    }
    w.text = str_head(*s, size + len);
    *s = str_from(*s, size + len);
    return w;
}

static void put_word(struct buf *b, enum word_kind kind, struct str s, char link)
{
    if (kind != WORD_UPPER && kind != WORD_LINK) {
        buf_put(b, s);
        return;
    }
    while (s.n > 0) {
        uint32_t r = take_rune(&s);
        rune_put(b, is_link(r) ? (uint32_t)link : rune_is_upper(r) ? rune_to_lower(r) : r);
    }
}

static bool joins(enum word_kind kind)
{
    return kind == WORD_LINK || kind == WORD_PUNCT;
}

/* Numbers and what follows them without a break. */
static struct word put_joined(struct buf *b, struct word w, struct str *rest, char link)
{
    while (w.kind == WORD_LETTERS || w.kind == WORD_NUMBER) {
        put_word(b, w.kind, w.text, link);
        w = next_word(rest);
    }
    if (w.kind != WORD_NONE && !joins(w.kind))
        buf_putc(b, link);
    return w;
}

/* Behind a word stands a number: it goes with the word ("Bld4Floor" is bld4 floor), unless small
 * letters follow it ("HTTP2xx" is http 2xx). */
static struct word put_number(struct buf *b, struct word w, struct str *rest, char link)
{
    struct word number = w;
    w = next_word(rest);
    if (w.kind != WORD_LETTERS) {
        put_word(b, WORD_NUMBER, number.text, link);
        if (!joins(w.kind))
            buf_putc(b, link);
        return w;
    }
    buf_putc(b, link);
    put_word(b, WORD_NUMBER, number.text, link);
    return put_joined(b, w, rest, link);
}

static int linked_words(struct tmpl_exec *x, struct str s, char link, struct value *ret)
{
    struct buf b = {0};
    struct word w = next_word(&s);
    while (s.n > 0) {
        if (w.kind != WORD_LINK)
            put_word(&b, w.kind, w.text, link);
        struct word before = w;
        w = next_word(&s);
        if (before.kind == WORD_NUMBER)
            w = put_joined(&b, w, &s, link);
        else if (before.kind == WORD_LINK)
            put_word(&b, before.kind, before.text, link);
        else if (before.kind == WORD_PUNCT)
            continue;
        else if (w.kind != WORD_NUMBER && !joins(w.kind))
            buf_putc(&b, link);
        else if (w.kind == WORD_NUMBER && s.n > 0)
            w = put_number(&b, w, &s, link);
    }
    if (w.text.n > 0)
        put_word(&b, w.kind, w.text, link);
    *ret = func_take(x, &b);
    return 0;
}

FN(snakecase)
{
    (void)n;
    return linked_words(x, value_text(args[0]), '_', ret);
}

FN(kebabcase)
{
    (void)n;
    return linked_words(x, value_text(args[0]), '-', ret);
}

/* xstrings.ToPascalCase: links vanish but leading and doubled ones, what follows them is a capital;
 * of a run of capitals only the first stays. */
static void pascal(struct buf *b, struct str s)
{
    uint32_t r = 0, before;
    bool upper = false, found = false;
    while (s.n > 0 && !found) {
        r = take_rune(&s);
        found = !is_link(r);
        if (!found)
            rune_put(b, r);
    }
    if (found) {
        upper = rune_is_upper(r);
        r = rune_to_upper(r);
    }
    while (s.n > 0) {
        before = r;
        r = take_rune(&s);
        if (is_link(r) && is_link(before)) {
            rune_put(b, before);
        } else if (is_link(before)) {
            upper = rune_is_upper(r);
            r = rune_to_upper(r);
        } else {
            if (upper && rune_is_upper(r))
                r = rune_to_lower(r);
            else
                upper = false;
            rune_put(b, before);
        }
    }
    rune_put(b, r);
}

FN(camelcase)
{
    struct buf b = {0};
    (void)n;
    if (args[0].n > 0)
        pascal(&b, value_text(args[0]));
    *ret = func_take(x, &b);
    return 0;
}

/* --- goutils: bytes, read as Latin-1 where they become runes --- */

FN(initials)
{
    struct buf b = {0};
    bool gap = true;
    (void)n;
    for (size_t i = 0; i < args[0].n; i++) {
        uint32_t c = (unsigned char)args[0].p[i];
        bool space = rune_is_space(c);
        if (!space && gap)
            rune_put(&b, c);
        gap = space;
    }
    *ret = func_take(x, &b);
    return 0;
}

FN(nospace)
{
    struct buf b = {0};
    bool any = false;
    (void)n;
    for (size_t i = 0; i < args[0].n; i++) {
        uint32_t c = (unsigned char)args[0].p[i];
        any = any || rune_is_space(c);
        if (!rune_is_space(c))
            rune_put(&b, c);
    }
    *ret = func_take(x, &b);
    if (!any)
        *ret = args[0];
    return 0;
}

static void wrap_lines(struct buf *b, struct str s, int64_t width, struct str line_break,
                       bool long_words)
{
    size_t limit = width < 1 ? 1 : (size_t)width;
    while (s.n > limit) {
        if (s.p[0] == ' ') {
            s = str_from(s, 1);
            continue;
        }
        const char *space = memrchr(s.p, ' ', limit + 1);
        size_t len, skip = 1;
        if (space) {
            len = (size_t)(space - s.p);
        } else if (long_words) {
            len = limit;
            skip = 0;
        } else {
            space = memchr(s.p + limit, ' ', s.n - limit);
            if (space == NULL)
                break;
            len = (size_t)(space - s.p);
        }
        buf_put(b, str_head(s, len));
        buf_put(b, line_break);
        s = str_from(s, len + skip);
    }
    buf_put(b, s);
}

FN(wrap)
{
    struct buf b = {0};
    (void)n;
    wrap_lines(&b, value_text(args[1]), args[0].i, STR("\n"), false);
    return func_take_spent(x, &b, ret);
}

FN(wrap_with)
{
    struct buf b = {0};
    struct str sep = args[1].n ? value_text(args[1]) : STR("\n");
    (void)n;
    if (tmpl_spend(x, args[2].n * sep.n) < 0)
        return -1;
    wrap_lines(&b, value_text(args[2]), args[0].i, sep, true);
    *ret = func_take(x, &b);
    return 0;
}

/* goutils.AbbreviateFull; too narrow a width gives nothing. */
static void abbreviate(struct buf *b, struct str s, int64_t offset, int64_t width)
{
    int64_t len = (int64_t)s.n;
    if (len == 0 || width < 4)
        return;
    if (len <= width) {
        buf_put(b, s);
        return;
    }
    if (offset > len)
        offset = len;
    if (len - offset < width - 3)
        offset = len - (width - 3);
    if (offset <= 4) {
        buf_put(b, str_head(s, (size_t)(width - 3)));
        buf_puts(b, "...");
        return;
    }
    if (width < 7)
        return;
    buf_puts(b, "...");
    if (offset + width - 3 < len)
        abbreviate(b, str_from(s, (size_t)offset), 0, width - 3);
    else
        buf_put(b, str_from(s, (size_t)(len - (width - 3))));
}

FN(abbrev)
{
    struct buf b = {0};
    (void)n;
    if (args[0].i < 4) {
        *ret = args[1];
        return 0;
    }
    abbreviate(&b, value_text(args[1]), 0, args[0].i);
    *ret = func_take(x, &b);
    return 0;
}

FN(abbrevboth)
{
    int64_t left = args[0].i, right = args[1].i;
    struct buf b = {0};
    (void)n;
    if (right < 4 || (left > 0 && right < 7)) {
        *ret = args[2];
        return 0;
    }
    abbreviate(&b, value_text(args[2]), left, right);
    *ret = func_take(x, &b);
    return 0;
}

FN(shuffle)
{
    struct str s = value_text(args[0]);
    size_t count = rune_count(s);
    uint32_t *runes = arena_alloc(tmpl_arena(x), (count + 1) * sizeof(*runes));
    (void)n;
    for (size_t i = 0; i < count; i++)
        runes[i] = take_rune(&s);
    for (size_t i = count; i > 1; i--) {
        if (i % 65536 == 0 && tmpl_check_time(x) < 0)
            return -1;
        size_t j = (size_t)func_random_below(i);
        uint32_t r = runes[i - 1];
        runes[i - 1] = runes[j];
        runes[j] = r;
    }
    struct buf b = {0};
    for (size_t i = 0; i < count; i++)
        rune_put(&b, runes[i]);
    *ret = func_take(x, &b);
    return 0;
}

const struct func func_cases[] = {
    {"abbrev", abbrev, {&type_int, &type_string}, &type_string},
    {"abbrevboth", abbrevboth, {&type_int, &type_int, &type_string}, &type_string},
    {"camelcase", camelcase, {&type_string}, &type_string},
    {"initials", initials, {&type_string}, &type_string},
    {"kebabcase", kebabcase, {&type_string}, &type_string},
    {"lower", lower, {&type_string}, &type_string},
    {"nospace", nospace, {&type_string}, &type_string},
    {"shuffle", shuffle, {&type_string}, &type_string},
    {"snakecase", snakecase, {&type_string}, &type_string},
    {"swapcase", swapcase, {&type_string}, &type_string},
    {"title", title, {&type_string}, &type_string},
    {"untitle", untitle, {&type_string}, &type_string},
    {"upper", upper, {&type_string}, &type_string},
    {"wrap", wrap, {&type_int, &type_string}, &type_string},
    {"wrapWith", wrap_with, {&type_int, &type_string, &type_string}, &type_string},
    {0},
};
