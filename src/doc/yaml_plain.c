/* yaml_plain.c: a reader of ordinary YAML: one document of block mappings and sequences, with
 * plain, quoted, literal and folded scalars, `{}`, and sequences of words between brackets on one
 * line.
 *
 * It accepts nothing of which it is not certain that libyaml reads the same: tabs, anchors, tags,
 * directives, a second document, a colon where none belongs are left to libyaml, and so are errors.
 * Every reading function returns NULL then. After a node the cursor is at the next content, which
 * begins a line. */
#include "base/mem.h"
#include "doc/val_internal.h"
#include "doc/yaml_node.h"

struct scan {
    struct doc *doc;
    struct arena *nodes;
    const char *p, *end;
    int line;
    int column; /* of the content at p, which is the first of its line; -1: at the end */
    int depth;
    struct buf text; /* of the scalar being read */
};

/* --- lines --- */
static bool is_line_end(const struct scan *s, const char *p)
{
    return p == s->end || *p == '\n';
}

static bool is_blank_or_end(const struct scan *s, const char *p)
{
    return is_line_end(s, p) || *p == ' ';
}

static const char *skip_spaces(const struct scan *s, const char *p)
{
    while (p < s->end && *p == ' ')
        p++;
    return p;
}

static const char *find_line_end(const struct scan *s, const char *p)
{
    const char *newline = memchr(p, '\n', (size_t)(s->end - p));
    return newline ? newline : s->end;
}

/* From a line's start to what is neither blank nor a comment. */
static void to_content(struct scan *s)
{
    for (;;) {
        const char *start = s->p;
        s->p = skip_spaces(s, start);
        s->column = (int)(s->p - start);
        if (s->p < s->end && *s->p == '#')
            s->p = find_line_end(s, s->p);
        else if (!is_line_end(s, s->p))
            return;
        if (s->p == s->end)
            break;
        s->p++;
        s->line++;
    }
    s->column = -1;
}

/* Nothing but a comment may follow on this line. */
static bool end_line(struct scan *s)
{
    const char *p = skip_spaces(s, s->p);
    if (p > s->p && p < s->end && *p == '#')
        p = find_line_end(s, p);
    if (!is_line_end(s, p))
        return false;
    s->p = p;
    if (p < s->end) {
        s->p++;
        s->line++;
    }
    to_content(s);
    return true;
}

/* Takes the breaks of a fold, up to the next text or the end; returns how many. */
static size_t take_breaks(struct scan *s)
{
    size_t breaks = 0;
    while (s->p < s->end && *s->p == '\n') {
        breaks++;
        s->p = skip_spaces(s, s->p + 1);
    }
    s->line += (int)breaks;
    return breaks;
}

static void put_breaks(struct buf *b, size_t n)
{
    while (n-- > 0)
        buf_putc(b, '\n');
}

static void put_fold(struct buf *b, size_t breaks)
{
    if (breaks == 1)
        buf_putc(b, ' ');
    else
        put_breaks(b, breaks - 1);
}

/* --- nodes --- */
static struct node *new_node(struct scan *s, enum node_kind kind)
{
    struct node *n = ARENA_NEW(s->nodes, struct node);
    n->kind = kind;
    n->line = s->line;
    return n;
}

static void set_text(struct scan *s, struct node *n, struct str text)
{
    char *copy = doc_alloc_text(s->doc, text.n);
    if (text.n)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    n->text = (struct str){copy, text.n};
}

static struct node *read_block(struct scan *s, int indent);

/* --- scalars --- */
static bool is_plain_start(const struct scan *s, const char *p)
{
    if (is_blank_or_end(s, p))
        return false;
    return *p == '-' || *p == ':' ? !is_blank_or_end(s, p + 1)
                                  : strchr("?,[]{}#&*!|>'\"%@`", *p) == NULL;
}

/* The part of a plain scalar on this line, without the blanks around; p stands behind it. */
static bool take_plain_line(struct scan *s, struct str *ret, bool *ret_comment)
{
    const char *start = s->p, *p = start;
    *ret_comment = false;
    for (; !is_line_end(s, p); p++) {
        if (*p == ':' && is_blank_or_end(s, p + 1))
            return false;
        if (*p == '#' && p > start && p[-1] == ' ') {
            *ret_comment = true;
            break;
        }
    }
    while (p > start && p[-1] == ' ')
        p--;
    s->p = p;
    *ret = (struct str){start, (size_t)(p - start)};
    return true;
}

/* Where a plain scalar goes on: a later line that is indented deeper than its parent. */
static const char *find_continuation(const struct scan *s, int indent)
{
    const char *p = skip_spaces(s, s->p), *start = p;
    while (p < s->end && *p == '\n') {
        start = p + 1;
        p = skip_spaces(s, start);
    }
    return p < s->end && p - start > indent && *p != '#' ? p : NULL;
}

static struct node *read_plain(struct scan *s, int indent)
{
    struct node *n = new_node(s, SCALAR);
    struct str part;
    bool comment;
    n->implicit = true;
    if (!is_plain_start(s, s->p) || !take_plain_line(s, &part, &comment))
        return NULL;
    if (comment || !find_continuation(s, indent)) {
        set_text(s, n, part);
        return end_line(s) ? n : NULL;
    }
    buf_clear(&s->text);
    buf_put(&s->text, part);
    while (!comment && find_continuation(s, indent)) {
        s->p = skip_spaces(s, s->p);
        put_fold(&s->text, take_breaks(s));
        if (!take_plain_line(s, &part, &comment))
            return NULL;
        buf_put(&s->text, part);
    }
    set_text(s, n, buf_str(&s->text));
    return end_line(s) ? n : NULL;
}

/* What the character after a backslash stands for; 0: something rarer. */
static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case '"':
    case '\\':
    case '/':
        return c;
    default:
        return 0;
    }
}

/* Up to and with the closing quote; what stands behind it is the caller's. */
static struct node *read_quoted(struct scan *s)
{
    struct node *n = new_node(s, SCALAR);
    char quote = *s->p++;
    buf_clear(&s->text);
    for (;;) {
        const char *start = s->p, *p = start;
        while (p < s->end && *p != quote && *p != '\n' && (*p != '\\' || quote == '\''))
            p++;
        if (p == s->end)
            return NULL;
        s->p = p;
        while (*s->p == '\n' && p > start && p[-1] == ' ')
            p--;
        buf_append(&s->text, start, (size_t)(p - start));
        if (*s->p == '\n') {
            put_fold(&s->text, take_breaks(s));
            continue;
        }
        bool more = s->p + 1 < s->end;
        char c = *s->p == '\\' && more ? unescape(s->p[1]) : 0;
        if (quote == '\'' && more && s->p[1] == quote)
            c = quote;
        if (!c && *s->p == '\\')
            return NULL;
        s->p += c ? 2 : 1;
        if (!c)
            break;
        buf_putc(&s->text, c);
    }
    set_text(s, n, buf_str(&s->text));
    return n;
}

/* How far the lines of a block scalar are indented; -1: a blank line makes that doubtful. */
static int find_width(const struct scan *s)
{
    const char *p = s->p;
    ptrdiff_t most = 0;
    for (;;) {
        const char *start = p;
        p = skip_spaces(s, p);
        ptrdiff_t width = p - start;
        if (p == s->end)
            return -1;
        if (*p != '\n')
            return width >= most ? (int)width : -1;
        most = width > most ? width : most;
        p++;
    }
}

/* Takes empty lines and the indentation of the next; returns how many lines. */
static size_t take_empty_lines(struct scan *s, int width)
{
    size_t lines = 0;
    for (;;) {
        for (s->column = 0; s->column < width && s->p < s->end && *s->p == ' '; s->column++)
            s->p++;
        if (s->p == s->end || *s->p != '\n')
            return lines;
        lines++;
        s->line++;
        s->p++;
    }
}

/* `|` and `>`. A folded line break becomes a blank, but not beside lines that are indented more. */
static struct node *read_block_scalar(struct scan *s, int indent)
{
    struct node *n = new_node(s, SCALAR);
    bool folded = *s->p++ == '>';
    char chomping = s->p < s->end && (*s->p == '-' || *s->p == '+') ? *s->p++ : '\0';
    if (s->p == s->end || *s->p != '\n')
        return NULL;
    s->p++;
    s->line++;
    int width = find_width(s);
    if (width < 0)
        return NULL;
    if (width <= indent) /* it is empty */
        width = indent + 1;
    buf_clear(&s->text);
    bool broken = false, was_blank = false; /* the line before: has it an end, begins it so */
    size_t empty = take_empty_lines(s, width);
    while (s->column == width && s->p < s->end) {
        bool blank = *s->p == ' ';
        if (broken && (!folded || was_blank || blank))
            buf_putc(&s->text, '\n');
        else if (broken && empty == 0)
            buf_putc(&s->text, ' ');
        put_breaks(&s->text, empty);
        was_blank = blank;
        const char *end = find_line_end(s, s->p);
        buf_append(&s->text, s->p, (size_t)(end - s->p));
        broken = end < s->end;
        s->p = end + broken;
        s->line += broken;
        empty = take_empty_lines(s, width);
    }
    if (broken && chomping != '-')
        buf_putc(&s->text, '\n');
    if (chomping == '+')
        put_breaks(&s->text, empty);
    set_text(s, n, buf_str(&s->text));
    s->p -= s->column;
    to_content(s);
    return n;
}

/* --- flow --- */
static bool is_word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '.' || c == '/';
}

static struct node *read_flow_item(struct scan *s)
{
    if (s->p < s->end && (*s->p == '"' || *s->p == '\''))
        return read_quoted(s);
    const char *start = s->p;
    while (s->p < s->end && (is_word_char(*s->p) || (*s->p == '-' && s->p > start)))
        s->p++;
    if (s->p == start)
        return NULL;
    struct node *n = new_node(s, SCALAR);
    n->implicit = true;
    set_text(s, n, (struct str){start, (size_t)(s->p - start)});
    return n;
}

static struct node *read_flow_sequence(struct scan *s)
{
    struct node *n = new_node(s, SEQUENCE), **at = &n->first;
    s->p = skip_spaces(s, s->p + 1);
    while (s->p < s->end && (*s->p != ']' || n->count > 0)) {
        struct node *item = read_flow_item(s);
        if (!item)
            return NULL;
        *at = item;
        at = &item->next;
        n->count++;
        s->p = skip_spaces(s, s->p);
        if (s->p == s->end || *s->p != ',')
            break;
        s->p = skip_spaces(s, s->p + 1);
    }
    if (s->p == s->end || *s->p != ']')
        return NULL;
    s->p++;
    return n;
}

static struct node *read_empty_mapping(struct scan *s)
{
    struct node *n = new_node(s, MAPPING);
    s->p = skip_spaces(s, s->p + 1);
    if (s->p == s->end || *s->p != '}')
        return NULL;
    s->p++;
    return n;
}

/* --- blocks --- */
static bool is_dash(const struct scan *s)
{
    return s->p < s->end && *s->p == '-' && is_blank_or_end(s, s->p + 1);
}

/* A scalar or flow collection to the end of its last line. */
static struct node *read_inline(struct scan *s, int indent)
{
    struct node *n;
    switch (*s->p) {
    case '|':
    case '>':
        return read_block_scalar(s, indent);
    case '\'':
    case '"':
        n = read_quoted(s);
        break;
    case '[':
        n = read_flow_sequence(s);
        break;
    case '{':
        n = read_empty_mapping(s);
        break;
    default:
        return read_plain(s, indent);
    }
    return n && end_line(s) ? n : NULL;
}

/* The length of the key that stands here, with its quotes and without its colon; 0: there is none.
 */
static size_t key_length(const struct scan *s)
{
    enum { MAX_KEY = 1000 }; /* libyaml's limit is 1024 characters */
    const char *p = s->p, *limit = s->end - p > MAX_KEY ? p + MAX_KEY : s->end;
    if (p < limit && (*p == '"' || *p == '\'')) {
        for (p++; p < limit && *p != *s->p;)
            if (*p == '\\' || *p == '\n')
                return 0;
            else
                p++;
        bool ends = p < limit && p + 1 < s->end && p[1] == ':' && is_blank_or_end(s, p + 2);
        return ends ? (size_t)(p + 1 - s->p) : 0;
    }
    if (!is_plain_start(s, p))
        return 0;
    for (; p < limit && *p != '\n'; p++) {
        if (*p == ':' && is_blank_or_end(s, p + 1))
            return p[-1] == ' ' ? 0 : (size_t)(p - s->p);
        if (*p == '#' && p > s->p && p[-1] == ' ')
            return 0;
    }
    return 0;
}

static struct node *read_key(struct scan *s)
{
    size_t length = key_length(s);
    if (length == 0)
        return NULL;
    struct node *n = new_node(s, SCALAR);
    struct str text = {s->p, length};
    n->implicit = *s->p != '"' && *s->p != '\'';
    set_text(s, n, n->implicit ? text : (struct str){text.p + 1, text.n - 2});
    s->p += length + 1;
    return n;
}

static struct node *new_null(struct scan *s, int line)
{
    struct node *n = new_node(s, SCALAR);
    n->line = line;
    n->implicit = true;
    set_text(s, n, (struct str){0});
    return n;
}

static struct node *read_sequence(struct scan *s)
{
    struct node *n = new_node(s, SEQUENCE), **at = &n->first;
    int column = s->column;
    do {
        int line = s->line;
        const char *dash = s->p++;
        struct node *item;
        if (end_line(s)) {
            item = s->column > column ? read_block(s, column) : new_null(s, line);
        } else {
            s->p = skip_spaces(s, s->p);
            s->column = column + (int)(s->p - dash);
            item = read_block(s, column);
        }
        if (!item)
            return NULL;
        *at = item;
        at = &item->next;
        n->count++;
    } while (s->column == column && is_dash(s));
    return s->column <= column ? n : NULL;
}

/* The value of a key; a sequence may stand as far to the left as the key. */
static struct node *read_value(struct scan *s, int column)
{
    int line = s->line;
    if (end_line(s)) {
        bool nested = s->column > column || (s->column == column && is_dash(s));
        return nested ? read_block(s, column) : new_null(s, line);
    }
    s->p = skip_spaces(s, s->p);
    return read_inline(s, column);
}

static struct node *read_mapping(struct scan *s)
{
    struct node *n = new_node(s, MAPPING), **at = &n->first;
    int column = s->column;
    do {
        struct node *key = read_key(s);
        struct node *value = key ? read_value(s, column) : NULL;
        if (!value)
            return NULL;
        *at = key;
        key->next = value;
        at = &value->next;
        n->count += 2;
    } while (s->column == column);
    return s->column < column ? n : NULL;
}

static struct node *read_block(struct scan *s, int indent)
{
    if (s->depth >= DOC_MAX_DEPTH)
        return NULL;
    s->depth++;
    struct node *n = is_dash(s)      ? read_sequence(s)
                     : key_length(s) ? read_mapping(s)
                                     : read_inline(s, indent);
    s->depth--;
    return n;
}

/* --- whole texts --- */
static bool is_ordinary_rune(const unsigned char *p) /* of the first bytes of valid UTF-8 */
{
    if (p[0] == 0xC2)
        return p[1] >= 0xA0; /* no control characters, no U+0085 */
    if (p[0] == 0xE2)
        return p[1] != 0x80 || (p[2] != 0xA8 && p[2] != 0xA9); /* line breaks */
    return p[0] != 0xEF || (p[1] == 0xBB ? p[2] != 0xBF : p[1] != 0xBF || p[2] < 0xBE);
}

static bool is_ordinary(struct str text)
{
    const unsigned char *p = (const unsigned char *)text.p, *end = p + text.n;
    if (utf8_valid(text) != text.n)
        return false;
    for (; p < end; p++) {
        if (*p < ' ' ? *p != '\n' : *p == 0x7F)
            return false;
        if (*p >= 0xC0 && !is_ordinary_rune(p))
            return false;
        if (*p == '\n' && end - p > 3 &&
            (memcmp(p + 1, "---", 3) == 0 || memcmp(p + 1, "...", 3) == 0))
            return false; /* more documents */
    }
    return true;
}

struct node *yaml_read_plain(struct doc *doc, struct arena *nodes, struct str text)
{
    struct scan s = {.doc = doc, .nodes = nodes, .line = 1};
    if (str_starts(text, STR("---\n"))) {
        text = str_from(text, 4);
        s.line++;
    }
    if (text.n == 0 || str_starts(text, STR("---")) || str_starts(text, STR("...")) ||
        !is_ordinary(text))
        return NULL;
    s.p = text.p;
    s.end = text.p + text.n;
    to_content(&s);
    bool block = s.column >= 0 && (is_dash(&s) || key_length(&s) > 0);
    struct node *root = block ? read_block(&s, -1) : NULL;
    buf_done(&s.text);
    return s.column < 0 ? root : NULL;
}
