/* failure.h - why an assertion failed, in lines fit for a test's log. */
#ifndef SMTP_HARNESS_FAILURE_H
#define SMTP_HARNESS_FAILURE_H

#include "harness/expect.h"
#include "harness/harness.h"

/** "what: why", and nothing more: for what is no assertion. */
void smtp_harness_fail(struct smtp_harness *harness, const char *what, const char *why);

/** Makes the lines the failure, the last session's transcript behind them. */
void smtp_harness_fail_with(struct smtp_harness *harness, struct smtp_harness_lines *lines);

/** The line(s) that say which message it is: number, envelope, subject. */
void smtp_harness_describe(const struct smtp_harness_message *message,
                           struct smtp_harness_lines *lines);

/** The view from `first` on of which most terms hold, the newest of several, and how it differs. */
void smtp_harness_show_nearest(struct smtp_harness *harness, size_t first,
                               const struct smtp_harness_expectation *expectation,
                               struct smtp_harness_lines *lines);

#endif
