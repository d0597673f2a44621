/* waiting.c - the calls that wait for mail and assert on it. They look at views on the caller's
 * thread and block in one place, the mailbox. Does not know: how a failure is worded beyond its
 * first lines. */
#include "common/clock.h"
#include "harness/failure.h"

#include <stdlib.h>

#define WAIT_MS_MAX UINT64_C(1000000000) /* eleven days: for ever, without overflow */
#define SHOWN_MAX 5                      /* messages too many, one line each */

static uint64_t deadline_after(uint64_t wait_ms)
{
    return smtp_clock_now_ns() + (wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX) * SMTP_NS_PER_MS;
}

static uint64_t left_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = smtp_clock_now_ns();
    return now_ns < deadline_ns ? (deadline_ns - now_ns + SMTP_NS_PER_MS - 1) / SMTP_NS_PER_MS : 0;
}

/* What smtp_mailbox_clear removed is no longer there to match. */
static bool is_there(struct smtp_harness *harness, const struct smtp_harness_message *view)
{
    uint64_t number = smtp_message_number(smtp_harness_envelope(view));
    struct smtp_message *captured = smtp_mailbox_get(smtp_harness_mailbox(harness), number);
    smtp_message_release(captured);
    return captured != NULL;
}

static bool matches(struct smtp_harness *harness,
                    const struct smtp_harness_expectation *expectation, size_t i)
{
    const struct smtp_harness_message *view = smtp_harness_view(harness, i);
    return smtp_harness_expectation_held(expectation, view) ==
               smtp_harness_expectation_terms(expectation) &&
           is_there(harness, view);
}

/* The next view from *i on that matches; *i is then behind it. NULL: none before the deadline. */
static const struct smtp_harness_message *
next_match(struct smtp_harness *harness, const struct smtp_harness_expectation *expectation,
           size_t *i, uint64_t deadline_ns)
{
    for (;; (*i)++) {
        if (*i == smtp_harness_view_count(harness) &&
            !smtp_harness_collect(harness, left_ms(deadline_ns))) {
            return NULL;
        }
        if (matches(harness, expectation, *i)) {
            return smtp_harness_view(harness, (*i)++);
        }
    }
}

/* ---- failing ---- */

static void begin(struct smtp_harness *harness)
{
    harness->failure = "";
}

static void say_captured(struct smtp_harness *harness, struct smtp_harness_lines *lines)
{
    unsigned long long captured = smtp_mailbox_captured(smtp_harness_mailbox(harness));
    smtp_harness_lines_print(lines,
                             captured == 0   ? "no message was captured\n"
                             : captured == 1 ? "1 message was captured\n"
                                             : "%llu messages were captured\n",
                             captured);
}

static void fail_wait(struct smtp_harness *harness,
                      const struct smtp_harness_expectation *expectation)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_lines_print(&lines, "expected within %llu ms: %s\n",
                             (unsigned long long)harness->wait_ms,
                             smtp_harness_expectation_text(expectation));
    say_captured(harness, &lines);
    if (harness->waited > 0) {
        smtp_harness_lines_print(
            &lines,
            "an earlier wait took or passed %zu of them; smtp_harness_expect looks at all\n",
            harness->waited);
    }
    smtp_harness_show_nearest(harness, harness->waited, expectation, &lines);
    smtp_harness_fail_with(harness, &lines);
}

static void show_matches(struct smtp_harness *harness,
                         const struct smtp_harness_expectation *expectation, uint64_t matched,
                         struct smtp_harness_lines *lines)
{
    uint64_t shown = 0;
    for (size_t i = 0; i < smtp_harness_view_count(harness) && shown < SHOWN_MAX; i++) {
        if (matches(harness, expectation, i)) {
            smtp_harness_lines_print(lines, "matches: ");
            smtp_harness_describe(smtp_harness_view(harness, i), lines);
            shown++;
        }
    }
    if (matched > shown) {
        smtp_harness_lines_print(lines, "and %llu more\n", (unsigned long long)(matched - shown));
    }
}

static void fail_expect(struct smtp_harness *harness,
                        const struct smtp_harness_expectation *expectation, uint64_t matched)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_lines_print(&lines, "expected within %llu ms: %s\n",
                             (unsigned long long)harness->wait_ms,
                             smtp_harness_expectation_text(expectation));
    say_captured(harness, &lines);
    smtp_harness_lines_print(&lines, "%llu matched\n", (unsigned long long)matched);
    show_matches(harness, expectation, matched, &lines);
    if (smtp_harness_expectation_count_can_hold(expectation, matched)) { /* too few */
        smtp_harness_show_nearest(harness, 0, expectation, &lines);
    }
    smtp_harness_fail_with(harness, &lines);
}

static struct smtp_harness_expectation *parse(struct smtp_harness *harness, const char *notation)
{
    begin(harness);
    struct smtp_harness_expectation *expectation;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_harness_expectation_parse(notation, &expectation, &why);
    char *text = smtp_harness_lines_take(&why);
    if (status != SMTP_OK) {
        const char *kept = smtp_harness_keep_text(harness, text);
        harness->failure = kept != NULL && kept[0] != '\0' ? kept : "out of memory\n";
        return NULL;
    }
    free(text);
    return expectation;
}

/* For the calls that are about one message. */
static struct smtp_harness_expectation *parse_without_count(struct smtp_harness *harness,
                                                            const char *notation)
{
    struct smtp_harness_expectation *expectation = parse(harness, notation);
    if (expectation != NULL && smtp_harness_expectation_counts(expectation)) {
        smtp_harness_fail(harness, notation, "count is for smtp_harness_expect alone");
        smtp_harness_expectation_free(expectation);
        return NULL;
    }
    return expectation;
}

/* ---- the calls ---- */

const struct smtp_harness_message *smtp_harness_wait(struct smtp_harness *harness,
                                                     const char *expectation)
{
    struct smtp_harness_expectation *parsed = parse_without_count(harness, expectation);
    if (parsed == NULL) {
        return NULL;
    }
    size_t i = harness->waited;
    const struct smtp_harness_message *message =
        next_match(harness, parsed, &i, deadline_after(harness->wait_ms));
    if (message != NULL) {
        harness->waited = i;
    } else {
        fail_wait(harness, parsed);
    }
    smtp_harness_expectation_free(parsed);
    return message;
}

enum smtp_status smtp_harness_wait_count(struct smtp_harness *harness, size_t count)
{
    begin(harness);
    struct smtp_mailbox *mailbox = smtp_harness_mailbox(harness);
    enum smtp_status status = smtp_mailbox_wait(mailbox, count, harness->wait_ms);
    if (status != SMTP_OK) {
        struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
        smtp_harness_lines_print(&lines, "expected within %llu ms: %zu messages; there are %zu\n",
                                 (unsigned long long)harness->wait_ms, count,
                                 smtp_mailbox_count(mailbox));
        smtp_harness_fail_with(harness, &lines);
    }
    return status;
}

/* Counts the matches, the newest first, as what a test expects came last as a rule: among all there are, unless fewer
 * settle it. Waits for more while their number can still come right. */
static bool count_comes_right(struct smtp_harness *harness,
                              const struct smtp_harness_expectation *expectation,
                              uint64_t deadline_ns, uint64_t *matched)
{
    size_t seen = 0;
    for (;;) {
        while (smtp_harness_collect(harness, 0)) {
        }
        size_t count = smtp_harness_view_count(harness);
        for (size_t i = count; i > seen; i--) {
            *matched += matches(harness, expectation, i - 1);
            if (smtp_harness_expectation_count_is_sure(expectation, *matched)) {
                return true;
            }
        }
        seen = count;
        if (smtp_harness_expectation_count_holds(expectation, *matched)) {
            return true;
        }
        if (!smtp_harness_expectation_count_can_hold(expectation, *matched) ||
            !smtp_harness_collect(harness, left_ms(deadline_ns))) {
            return false;
        }
    }
}

enum smtp_status smtp_harness_expect(struct smtp_harness *harness, const char *expectation)
{
    return smtp_harness_expect_until(harness, expectation, deadline_after(harness->wait_ms));
}

enum smtp_status smtp_harness_expect_until(struct smtp_harness *harness, const char *expectation,
                                           uint64_t deadline_ns)
{
    struct smtp_harness_expectation *parsed = parse(harness, expectation);
    if (parsed == NULL) {
        return SMTP_BAD_ARGUMENT;
    }
    uint64_t matched = 0;
    bool held = count_comes_right(harness, parsed, deadline_ns, &matched);
    if (!held) {
        fail_expect(harness, parsed, matched);
    }
    smtp_harness_expectation_free(parsed);
    return held ? SMTP_OK : SMTP_NOT_AS_EXPECTED;
}

enum smtp_status smtp_harness_expect_none(struct smtp_harness *harness, const char *expectation,
                                          uint64_t within_ms)
{
    struct smtp_harness_expectation *parsed = parse_without_count(harness, expectation);
    if (parsed == NULL) {
        return SMTP_BAD_ARGUMENT;
    }
    size_t i = harness->waited;
    const struct smtp_harness_message *message =
        next_match(harness, parsed, &i, deadline_after(within_ms));
    if (message != NULL) {
        struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
        smtp_harness_lines_print(
            &lines, "expected none within %llu ms: %s\ncame: ", (unsigned long long)within_ms,
            smtp_harness_expectation_text(parsed));
        smtp_harness_describe(message, &lines);
        smtp_harness_fail_with(harness, &lines);
    }
    smtp_harness_expectation_free(parsed);
    return message == NULL ? SMTP_OK : SMTP_NOT_AS_EXPECTED;
}

const char *smtp_harness_failure(const struct smtp_harness *harness)
{
    return harness->failure;
}
