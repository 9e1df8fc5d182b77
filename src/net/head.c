#include "net/head.h"

enum { KEEP_TEXT = 4096, KEEP_FIELDS = 32 };

void head_done(struct head *h)
{
    buf_done(&h->text);
    free(h->headers);
    *h = (struct head){0};
}

void head_clear(struct head *h)
{
    h->count = 0;
    buf_clear(&h->text);
    if (h->text.cap > KEEP_TEXT || h->cap > KEEP_FIELDS)
        head_done(h);
}

bool head_fits(const struct head *h, size_t more)
{
    return more <= HEAD_MAX && h->text.n + h->count * HEAD_FIELD_COST + more <= HEAD_MAX;
}

size_t head_text(struct head *h, struct str s)
{
    size_t at = h->text.n;
    buf_put(&h->text, s);
    return at;
}

static const char *offset(const struct head *h)
{
    return (const char *)(uintptr_t)h->text.n;
}

void head_add(struct head *h)
{
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->headers = mem_realloc_array(h->headers, h->cap, sizeof(struct http_header));
    }
    h->headers[h->count++] = (struct http_header){{offset(h), 0}, {offset(h), 0}};
}

void head_name(struct head *h, struct str part)
{
    char *to = buf_reserve(&h->text, part.n);
    for (size_t i = 0; i < part.n; i++) {
        char c = part.p[i];
        to[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    h->text.n += part.n;
    struct http_header *f = &h->headers[h->count - 1];
    f->name.n += part.n;
    f->value.p = offset(h);
}

void head_value(struct head *h, struct str part)
{
    buf_put(&h->text, part);
    h->headers[h->count - 1].value.n += part.n;
}

struct str head_at(const struct head *h, size_t at, size_t n)
{
    return (struct str){buf_z(&h->text) + at, n};
}

void head_finish(struct head *h)
{
    for (size_t i = 0; i < h->count; i++) {
        struct http_header *f = &h->headers[i];
        f->name.p = buf_z(&h->text) + (uintptr_t)f->name.p;
        f->value.p = buf_z(&h->text) + (uintptr_t)f->value.p;
    }
}

struct str head_find(const struct http_header *headers, size_t count, const char *lower_name)
{
    struct str name = str_of(lower_name);
    for (size_t i = 0; i < count; i++)
        if (str_eq(headers[i].name, name))
            return headers[i].value;
    return (struct str){0};
}
