/* test.h: the unit-test harness.
 *
 *     TEST(buf_appends) { … CHECK(b.n == 3); CHECK_STR(buf_str(&b), "abc"); }
 *
 * A test registers itself; test_main.c runs all of a program's tests, each printing `ok NAME` or
 * `FAIL NAME`, and closes with "N passed, N failed". A failed check ends its test. Arguments choose
 * tests by prefix. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct test {
    const char *name;
    void (*fn)(void);
    struct test *next;
};
void test_register(struct test *t);
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void test_check_str(const char *file, int line, struct str got, struct str want);
_Noreturn void test_skip(const char *why); /* counts as skipped */

#define TEST(id)                                                                                   \
    static void test_##id(void);                                                                   \
    __attribute__((constructor)) static void register_##id(void)                                   \
    {                                                                                              \
        static struct test t = {#id, test_##id, NULL};                                             \
        test_register(&t);                                                                         \
    }                                                                                              \
    static void test_##id(void)

#define CHECK(cond) ((cond) ? (void)0 : test_fail(__FILE__, __LINE__, "%s", #cond))
#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        long long got_ = (long long)(got), want_ = (long long)(want);                              \
        if (got_ != want_)                                                                         \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #got, got_, want_);              \
    } while (0)
#define CHECK_STR(got, want) test_check_str(__FILE__, __LINE__, (got), str_of(want))
/* A call that must succeed, with the error's message when it does not. */
#define CHECK_OK(call, err)                                                                        \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            test_fail(__FILE__, __LINE__, "%s: %s", #call, (err)->message);                        \
    } while (0)
