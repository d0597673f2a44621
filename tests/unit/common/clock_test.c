/* clock_test.c - common/deadline.h and common/clock.c: instants and the waits up to them. */
#include "common/clock.h"
#include "tests/support/test.h"

#include <limits.h>

TEST(deadline, a_timeout_of_0_and_one_beyond_all_time_never_come)
{
    expect_true(smtp_deadline_after(5, 0) == SMTP_NEVER);
    expect_true(smtp_deadline_after(5, 1) == 5 + SMTP_NS_PER_MS);
    expect_true(smtp_deadline_after(5, UINT64_MAX) == SMTP_NEVER);
    expect_true(smtp_deadline_after(SMTP_NEVER - SMTP_NS_PER_MS, 2) == SMTP_NEVER);
    expect_true(smtp_deadline_earlier(3, SMTP_NEVER) == 3);
    expect_true(smtp_deadline_earlier(SMTP_NEVER, 3) == 3);
}

/* Rounded up, so that nothing is woken before its time; in what poll takes. */
TEST(clock, a_wait_for_poll_is_in_whole_milliseconds_and_never_too_short)
{
    expect_int(smtp_clock_poll_ms(7, 7), 0);
    expect_int(smtp_clock_poll_ms(8, 7), 0);
    expect_int(smtp_clock_poll_ms(7, 8), 1);
    expect_int(smtp_clock_poll_ms(0, SMTP_NS_PER_MS), 1);
    expect_int(smtp_clock_poll_ms(0, SMTP_NS_PER_MS + 1), 2);
    expect_int(smtp_clock_poll_ms(0, SMTP_NEVER), -1);
    expect_int(smtp_clock_poll_ms(SMTP_NS_PER_MS, SMTP_NEVER - 1), INT_MAX);
}
