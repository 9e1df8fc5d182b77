/* Values to YAML through libyaml's emitter, with the choices that go-yaml v2 makes: plain where it
 * would read back as a string, literal for lines, double quotes otherwise. */
#include <stdio.h>
#include <yaml.h>

#include "doc/val.h"
#include "doc/val_internal.h"
#include "doc/yaml_scalar.h"

static int append(void *arg, unsigned char *p, size_t n)
{
    buf_append(arg, p, n);
    return 1;
}

static void emit(yaml_emitter_t *e, yaml_event_t *event, int made)
{
    if (!made || !yaml_emitter_emit(e, event))
        abort(); /* memory, or events out of order */
}

static void emit_scalar(yaml_emitter_t *e, struct str s, yaml_scalar_style_t style)
{
    yaml_event_t event;
    int made = yaml_scalar_event_initialize(
        &event, NULL, NULL, (const yaml_char_t *)(s.p ? s.p : ""), (int)s.n, 1, 1, style);
    emit(e, &event, made);
}

static void emit_string(yaml_emitter_t *e, struct str s)
{
    if (utf8_valid(s) < s.n) { /* the emitter refuses it */
        struct buf clean = {0};
        utf8_put(s, &clean);
        emit_string(e, buf_str(&clean));
        buf_done(&clean);
        return;
    }
    yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
    if (str_find_char(s, '\n') >= 0)
        style = YAML_LITERAL_SCALAR_STYLE;
    else if (yaml_resolve(s).kind != YAML_STR || yaml_is_base60(s))
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    emit_scalar(e, s, style);
}

/* A number goes through its JSON text, in which a whole real is an integer. */
static void emit_number(yaml_emitter_t *e, const val *v)
{
    struct buf text = {0};
    val_write_json(v, &text);
    struct yaml_scalar read = yaml_resolve(buf_str(&text));
    if (read.kind == YAML_FLOAT) {
        buf_clear(&text);
        real_write_short(read.r, false, &text);
    }
    emit_scalar(e, buf_str(&text), YAML_PLAIN_SCALAR_STYLE);
    buf_done(&text);
}

/* --- the order of keys: letters after others, runs of digits by value (go-yaml's sorter.go) --- */

/* The next character; U+FFFD for a byte that is none. */
static uint32_t next_rune(struct str *s)
{
    unsigned char c = (unsigned char)s->p[0];
    if (c >= 0x80 && utf8_valid(str_head(*s, 4)) == 0) {
        *s = str_from(*s, 1);
        return 0xfffd;
    }
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t rune = n == 1 ? c : c & (0x7fu >> n);
    for (size_t i = 1; i < n && i < s->n; i++)
        rune = rune << 6 | ((unsigned char)s->p[i] & 0x3f);
    *s = str_from(*s, n);
    return rune;
}

/* Beyond ASCII all count as letters but for the blocks of signs, which is right for nearly all
 * text. */
static bool is_letter(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } signs[] = {
        {0x80, 0xa9},       {0xab, 0xb4},     {0xb6, 0xb9},     {0xbb, 0xbf},
        {0xd7, 0xd7},       {0xf7, 0xf7},     {0x300, 0x36f},   {0x2000, 0x2070},
        {0x20a0, 0x20ff},   {0x2190, 0x2bff}, {0x3000, 0x3004}, {0x3008, 0x3020},
        {0xe000, 0xf8ff},   {0xfe00, 0xfe2f}, {0xfff9, 0xfffd}, {0x1d000, 0x1d24f},
        {0x1f000, 0x1faff},
    };
    if (c < 0x80)
        return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (c >= signs[i].first && c <= signs[i].last)
            return false;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint64_t run_value(struct str s, uint64_t start, size_t *ret_digits)
{
    size_t n = 0;
    for (; n < s.n && is_digit(s.p[n]); n++)
        start = start * 10 + (uint64_t)(s.p[n] - '0');
    *ret_digits = n;
    return start;
}

/* Whether digits other than 0 stand right before the place where two keys differ. */
static bool inside_number(struct str s, size_t at)
{
    while (at > 0 && is_digit(s.p[at - 1]))
        if (s.p[--at] != '0')
            return true;
    return false;
}

static int compare_at(struct str a, struct str b, struct str rest_a, struct str rest_b)
{
    struct str after_a = rest_a, after_b = rest_b;
    uint32_t ca = next_rune(&after_a), cb = next_rune(&after_b);
    bool letter_a = is_letter(ca), letter_b = is_letter(cb);
    if (letter_a && letter_b)
        return ca < cb ? -1 : 1;
    if (letter_a || letter_b)
        return letter_b ? -1 : 1;
    bool zero = ca == '0' || cb == '0';
    uint64_t start = zero && inside_number(a, a.n - rest_a.n);
    size_t digits_a, digits_b;
    uint64_t na = run_value(rest_a, start, &digits_a), nb = run_value(rest_b, start, &digits_b);
    (void)b;
    if (na != nb)
        return (int64_t)na < (int64_t)nb ? -1 : 1; /* which overflows as Go's does */
    if (digits_a != digits_b)
        return digits_a < digits_b ? -1 : 1;
    return ca < cb ? -1 : 1;
}

static int compare_keys(const void *x, const void *y)
{
    struct str a = val_str(*(val *const *)x), b = val_str(*(val *const *)y);
    struct str rest_a = a, rest_b = b;
    while (rest_a.n && rest_b.n) {
        struct str before_a = rest_a, before_b = rest_b;
        if (next_rune(&rest_a) != next_rune(&rest_b))
            return compare_at(a, b, before_a, before_b);
    }
    return (rest_a.n > 0) - (rest_b.n > 0);
}

static void emit_value(yaml_emitter_t *e, const val *v);

static void emit_object(yaml_emitter_t *e, const val *v)
{
    yaml_event_t event;
    emit(e, &event,
         yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
    CLEANUP(mem_freep) val **keys = mem_realloc_array(NULL, val_len(v) + 1, sizeof *keys);
    size_t count = 0;
    VAL_EACH (v, key, member)
        keys[count++] = key;
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && compare_keys(&keys[i], &keys[i + 1]) == 0)
            continue;
        emit_string(e, val_str(keys[i]));
        emit_value(e, val_get_str(v, val_str(keys[i])));
    }
    emit(e, &event, yaml_mapping_end_event_initialize(&event));
}

static void emit_value(yaml_emitter_t *e, const val *v)
{
    yaml_event_t event;
    if (val_is_obj(v)) {
        emit_object(e, v);
    } else if (val_is_arr(v)) {
        emit(
            e, &event,
            yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
        VAL_FOR (v, item)
            emit_value(e, item);
        emit(e, &event, yaml_sequence_end_event_initialize(&event));
    } else if (val_is_str(v)) {
        emit_string(e, val_str(v));
    } else if (val_is_num(v)) {
        emit_number(e, v);
    } else {
        emit_scalar(e,
                    val_is_null(v) ? STR("null")
                    : val_bool(v)  ? STR("true")
                                   : STR("false"),
                    YAML_PLAIN_SCALAR_STYLE);
    }
}

void val_write_yaml(const val *v, struct buf *b)
{
    yaml_emitter_t e;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&e))
        abort();
    yaml_emitter_set_output(&e, append, b);
    yaml_emitter_set_unicode(&e, 1);
    yaml_emitter_set_width(&e, 80);
    emit(&e, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(&e, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    emit_value(&e, v);
    emit(&e, &event, yaml_document_end_event_initialize(&event, 1));
    /* Not ended by a stream-end event: after a "|+" scalar that would add a "..." line. */
    yaml_emitter_flush(&e);
    yaml_emitter_delete(&e);
}
