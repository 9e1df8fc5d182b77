#include "test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

static struct test *first, **last = &first;
static jmp_buf back;
enum { RAN = 0, FAILED = 1, SKIPPED = 2 };

void test_register(struct test *t)
{
    *last = t;
    last = &t->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s:%d: ", file, line);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    longjmp(back, FAILED);
}

void test_skip(const char *why)
{
    printf("skipped: %s\n", why);
    longjmp(back, SKIPPED);
}

void test_check_str(const char *file, int line, struct str got, struct str want)
{
    if (!str_eq(got, want))
        test_fail(file, line, "got  \"%.*s\"\n  want \"%.*s\"", STR_ARG(got), STR_ARG(want));
}

static bool chosen(const struct test *t, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (str_starts(str_of(t->name), str_of(argv[i])))
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int counts[3] = {0};
    static const char *const words[] = {"ok", "FAIL", "skip"};
    for (struct test *volatile at = first; at; at = at->next) {
        struct test *t = at;
        if (!chosen(t, argc, argv))
            continue;
        int outcome = setjmp(back);
        if (outcome == RAN)
            t->fn();
        counts[outcome]++;
        printf("%s %s\n", words[outcome], t->name);
    }
    printf("%d passed, %d failed, %d skipped\n", counts[RAN], counts[FAILED], counts[SKIPPED]);
    return counts[FAILED] ? 1 : 0;
}
