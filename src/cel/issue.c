#include "cel/ast.h"

void cel_issue_addv(struct compiler *c, uint32_t at, const char *format, va_list args)
{
    if (c->issue_count >= MAX_ISSUES)
        return;
    struct buf b = {0};
    buf_vprintf(&b, format, args);
    struct issue *issue = ARENA_NEW(c->a, struct issue);
    issue->at = at;
    issue->text = arena_dup(c->a, buf_str(&b));
    buf_done(&b);
    if (c->last)
        c->last->next = issue;
    else
        c->issues = issue;
    c->last = issue;
    c->issue_count++;
}

void cel_issue_add(struct compiler *c, uint32_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cel_issue_addv(c, at, format, args);
    va_end(args);
}

static size_t char_size(struct str s)
{
    unsigned char first = (unsigned char)s.p[0];
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return n <= s.n ? n : s.n;
}

/* A dot or a caret, as wide as the character above it. */
static void put_marks(struct str before, struct str rest, struct buf *b)
{
    while (before.n > 0) {
        size_t n = char_size(before);
        buf_puts(b, n > 1 ? "．" : ".");
        before = str_from(before, n);
    }
    buf_puts(b, rest.n > 0 && char_size(rest) > 1 ? "＾" : "^");
}

static size_t count_chars(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

enum { MAX_SNIPPET = 16384 };

static void write_issue(const struct compiler *c, const struct issue *issue, struct buf *b)
{
    struct str text = c->text;
    size_t at = issue->at < text.n ? issue->at : text.n;
    size_t begin = at, end = at, line = 1;
    while (begin > 0 && text.p[begin - 1] != '\n')
        begin--;
    while (end < text.n && text.p[end] != '\n')
        end++;
    for (size_t i = 0; i < begin; i++)
        line += text.p[i] == '\n';
    struct str snippet = {text.p + begin, end - begin};
    struct str before = {snippet.p, at - begin};
    buf_printf(b, "ERROR: <input>:%zu:%zu: %.*s", line, count_chars(before) + 1,
               STR_ARG(issue->text));
    if (count_chars(snippet) > MAX_SNIPPET)
        return;
    buf_puts(b, "\n | ");
    for (size_t i = 0; i < snippet.n; i++)
        buf_putc(b, snippet.p[i] == '\t' ? ' ' : snippet.p[i]);
    buf_puts(b, "\n | ");
    put_marks(before, str_from(snippet, before.n), b);
}

void cel_issues_write(const struct compiler *c, struct buf *b)
{
    const struct issue *sorted[MAX_ISSUES];
    size_t n = 0;
    for (const struct issue *i = c->issues; i; i = i->next) {
        size_t k = n++;
        for (; k > 0 && sorted[k - 1]->at > i->at; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = i;
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(b, '\n');
        write_issue(c, sorted[i], b);
    }
}
