/* test.h - the few words every test is written in, so that one source runs under two runners:
 * Criterion, and the plain runner (plain_runner.c) where a sanitizer is on.
 * Each check prints both values and ends its test. Knows nothing of SMTP. */
#ifndef SMTP_TESTS_SUPPORT_TEST_H
#define SMTP_TESTS_SUPPORT_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** A test that may run for at most 20 seconds; the name says the behaviour it pins. */
#define TEST(suite, name) SMTP_TEST(suite, name, 20, false)
/** The same with another bound, for the few that need one. */
#define TEST_WITHIN(suite, name, seconds) SMTP_TEST(suite, name, seconds, false)
/** One that leaves its process other than it was (its limits, its environment, what it does with a signal), or measures
 *  the most memory it had: the plain runner, where tests of a suite share one, gives it its own. */
#define TEST_ALONE(suite, name) SMTP_TEST(suite, name, 20, true)
#define TEST_ALONE_WITHIN(suite, name, seconds) SMTP_TEST(suite, name, seconds, true)

/** How large a large message is: so much that memory would tell if it grew with it. Under a sanitizer, which
 *  makes each octet many times as dear, and has memory of its own, less. */
#ifdef SMTP_PLAIN_RUNNER
#define TEST_LARGE_OCTETS 2097152
#else
#define TEST_LARGE_OCTETS 33554432
#endif
#define TEST_LARGE_TEXT TEST_LARGE_TEXT_OF(TEST_LARGE_OCTETS)
#define TEST_LARGE_TEXT_OF(octets) TEST_LARGE_TEXT_OF_IT(octets)
#define TEST_LARGE_TEXT_OF_IT(octets) #octets

#ifdef SMTP_PLAIN_RUNNER

struct smtp_plain_test {
    const char *suite;
    const char *name;
    unsigned seconds;
    bool alone;
    void (*run)(void);
    struct smtp_plain_test *next;
};
void smtp_plain_register(struct smtp_plain_test *test);

#define SMTP_TEST(s, n, bound, alone)                                                              \
    static void s##_##n##_run(void);                                                               \
    __attribute__((constructor)) static void s##_##n##_register(void)                              \
    {                                                                                              \
        static struct smtp_plain_test test = {#s, #n, bound, alone, s##_##n##_run, NULL};          \
        smtp_plain_register(&test);                                                                \
    }                                                                                              \
    static void s##_##n##_run(void)

#else

#include <criterion/criterion.h>
#define SMTP_TEST(s, n, bound, alone) Test(s, n, .timeout = bound)

#endif

/** Ends the test, which failed; says where, and what. */
#define SMTP_TEST_FAIL(...) smtp_test_fail(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void smtp_test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define expect_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            SMTP_TEST_FAIL("expected to hold: %s", #condition);                                    \
        }                                                                                          \
    } while (0)

#define expect_int(actual, expected)                                                               \
    do {                                                                                           \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);                \
        if (actual_ != expected_) {                                                                \
            SMTP_TEST_FAIL("%s: expected %lld, came %lld", #actual, expected_, actual_);           \
        }                                                                                          \
    } while (0)

#define expect_str(actual, expected)                                                               \
    do {                                                                                           \
        const char *actual_ = (actual), *expected_ = (expected);                                   \
        if (actual_ == NULL || expected_ == NULL ? actual_ != expected_                            \
                                                 : strcmp(actual_, expected_) != 0) {              \
            SMTP_TEST_FAIL("%s: expected \"%s\", came \"%s\"", #actual,                            \
                           expected_ ? expected_ : "(null)", actual_ ? actual_ : "(null)");        \
        }                                                                                          \
    } while (0)

/** The text holds the part. */
#define expect_contains(text, part)                                                                \
    do {                                                                                           \
        const char *text_ = (text), *part_ = (part);                                               \
        if (text_ == NULL || strstr(text_, part_) == NULL) {                                       \
            SMTP_TEST_FAIL("%s: expected to hold \"%s\", came \"%s\"", #text, part_,               \
                           text_ ? text_ : "(null)");                                              \
        }                                                                                          \
    } while (0)

/** Octets, with their lengths: prints where the two part. */
#define expect_bytes(actual, actual_len, expected, expected_len)                                   \
    do {                                                                                           \
        const unsigned char *actual_ = (const void *)(actual),                                     \
                            *expected_ = (const void *)(expected);                                 \
        size_t alen_ = (actual_len), elen_ = (expected_len), at_ = 0;                              \
        while (at_ < alen_ && at_ < elen_ && actual_[at_] == expected_[at_]) {                     \
            at_++;                                                                                 \
        }                                                                                          \
        if (at_ != alen_ || at_ != elen_) {                                                        \
            SMTP_TEST_FAIL(                                                                        \
                "%s: %zu octets where %zu were expected; they part at octet %zu, near \"%.*s\"",   \
                #actual, alen_, elen_, at_, (int)(alen_ - at_ > 40 ? 40 : alen_ - at_),            \
                alen_ > at_ ? (const char *)actual_ + at_ : "");                                   \
        }                                                                                          \
    } while (0)

#endif
