/* linediff.c: Myers' O(ND) algorithm: walks over diagonals k = x - y, each step one more deletion
 * or insertion, until both ends are met; the furthest points of all steps are kept to go back. */
#include "release/linediff.h"

#include "base/mem.h"

struct lines {
    struct str *items;
    size_t n;
};

static struct lines split(struct arena *a, struct str text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == '\n';
    struct lines l = {arena_zalloc(a, count * sizeof(*l.items)), 0};
    for (struct str line; text.n;) {
        str_cut(text, '\n', &line, &text);
        l.items[l.n++] = line;
    }
    return l;
}

/* One step of the script: what happens to a line. */
struct edit {
    char what; /* ' ', '-', '+' */
    struct str line;
};
struct edits {
    struct edit *items;
    size_t n;
};

static void add(struct edits *e, char what, struct str line)
{
    e->items[e->n++] = (struct edit){what, line};
}

/* Goes back from the ends through the points of `depth` steps; edits come out in reverse. */
static void walk_back(const struct lines *a, const struct lines *b, int *const *trace, int depth,
                      struct edits *out)
{
    int x = (int)a->n, y = (int)b->n;
    for (int d = depth; d >= 0; d--) {
        const int *v = trace[d] + d + 1; /* v[k] for -d-1 <= k <= d+1 */
        int k = x - y;
        bool down = k == -d || (k != d && v[k - 1] < v[k + 1]);
        int before_k = down ? k + 1 : k - 1;
        int before_x = d ? v[before_k] : 0, before_y = d ? before_x - before_k : 0;
        while (x > before_x && y > before_y) {
            add(out, ' ', a->items[x - 1]);
            x--, y--;
        }
        if (d == 0)
            break;
        if (down)
            add(out, '+', b->items[--y]);
        else
            add(out, '-', a->items[--x]);
    }
}

/* The number of steps; -1: too many. trace[d] holds the furthest x of each diagonal before step d.
 */
static int find_script(struct arena *arena, const struct lines *a, const struct lines *b,
                       int **trace)
{
    int n = (int)a->n, m = (int)b->n;
    int *v = arena_zalloc(arena, (2 * LINEDIFF_MAX + 5) * sizeof(*v));
    v += LINEDIFF_MAX + 2;
    for (int d = 0; d <= LINEDIFF_MAX && d <= n + m; d++) {
        trace[d] = arena_alloc(arena, (size_t)(2 * d + 3) * sizeof(**trace));
        memcpy(trace[d], v - d - 1, (size_t)(2 * d + 3) * sizeof(**trace));
        for (int k = -d; k <= d; k += 2) {
            bool down = k == -d || (k != d && v[k - 1] < v[k + 1]);
            int x = d == 0 ? 0 : down ? v[k + 1] : v[k - 1] + 1, y = x - k;
            while (x < n && y < m && str_eq(a->items[x], b->items[y]))
                x++, y++;
            v[k] = x;
            if (x >= n && y >= m)
                return d;
        }
    }
    return -1;
}

static void reverse(struct edits *e)
{
    for (size_t i = 0; i < e->n / 2; i++) {
        struct edit swap = e->items[i];
        e->items[i] = e->items[e->n - 1 - i];
        e->items[e->n - 1 - i] = swap;
    }
}

static struct edits compare(struct arena *arena, struct lines a, struct lines b)
{
    struct edits e = {arena_alloc(arena, (a.n + b.n + 1) * sizeof(*e.items)), 0};
    size_t head = 0, tail = 0;
    while (head < a.n && head < b.n && str_eq(a.items[head], b.items[head]))
        add(&e, ' ', a.items[head++]);
    while (tail < a.n - head && tail < b.n - head &&
           str_eq(a.items[a.n - 1 - tail], b.items[b.n - 1 - tail]))
        tail++;
    struct lines x = {a.items + head, a.n - head - tail}, y = {b.items + head, b.n - head - tail};
    int **trace = arena_alloc(arena, (LINEDIFF_MAX + 1) * sizeof(*trace));
    struct edits middle = {e.items + e.n, 0};
    int depth = x.n + y.n < INT32_MAX ? find_script(arena, &x, &y, trace) : -1;
    if (depth >= 0) {
        walk_back(&x, &y, trace, depth, &middle);
        reverse(&middle);
    } else {
        for (size_t i = 0; i < x.n; i++)
            add(&middle, '-', x.items[i]);
        for (size_t i = 0; i < y.n; i++)
            add(&middle, '+', y.items[i]);
    }
    e.n += middle.n;
    for (size_t i = a.n - tail; i < a.n; i++)
        add(&e, ' ', a.items[i]);
    return e;
}

/* --- hunks --- */
static void put_line(const struct edit *e, bool colour, struct buf *out)
{
    const char *start = !colour || e->what == ' ' ? "" : e->what == '-' ? "\033[31m" : "\033[32m";
    buf_puts(out, start);
    buf_putc(out, e->what);
    buf_put(out, e->line);
    buf_puts(out, *start ? "\033[0m\n" : "\n");
}

/* "-3,7", or "-3" for one line; of no lines, the line before. */
static void put_range(char sign, size_t first, size_t count, struct buf *out)
{
    buf_printf(out, "%c%zu", sign, count ? first : first - 1);
    if (count != 1)
        buf_printf(out, ",%zu", count);
}

/* The end of the hunk around the change at `from`: equal lines that would join two are inside. */
static size_t hunk_end(const struct edits *e, size_t from, size_t around)
{
    size_t end = from, equal = 0;
    for (size_t i = from; i < e->n; i++) {
        equal = e->items[i].what == ' ' ? equal + 1 : 0;
        if (equal == 0)
            end = i + 1;
        else if (around < SIZE_MAX / 2 && equal > 2 * around)
            break;
    }
    return around < e->n - end ? end + around : e->n;
}

void linediff_put(struct str before, struct str after, struct linediff_style style, struct buf *out)
{
    struct arena arena = {0};
    struct edits e = compare(&arena, split(&arena, before), split(&arena, after));
    size_t lines[2] = {1, 1}; /* numbers of the next lines */
    for (size_t i = 0, done = 0; i < e.n; i++) {
        if (e.items[i].what == ' ')
            continue;
        size_t start = i - done > style.around ? i - style.around : done;
        size_t end = hunk_end(&e, i, style.around), counts[2] = {0};
        lines[0] += start - done;
        lines[1] += start - done;
        for (size_t k = start; k < end; k++) {
            counts[0] += e.items[k].what != '+';
            counts[1] += e.items[k].what != '-';
        }
        buf_puts(out, style.colour ? "\033[36m@@ " : "@@ ");
        put_range('-', lines[0], counts[0], out);
        buf_putc(out, ' ');
        put_range('+', lines[1], counts[1], out);
        buf_puts(out, style.colour ? " @@\033[0m\n" : " @@\n");
        for (size_t k = start; k < end; k++)
            put_line(&e.items[k], style.colour, out);
        lines[0] += counts[0];
        lines[1] += counts[1];
        done = end;
        i = end - 1;
    }
    arena_done(&arena);
}
