/* suite.h - many rules judged side by side, told in their order. */
#ifndef SMTP_HARNESS_CONFORMANCE_SUITE_H
#define SMTP_HARNESS_CONFORMANCE_SUITE_H

#include "harness/conformance/check.h"
#include "harness/report/report.h"

#include <stdatomic.h>

/** What came of one rule. Borrowed for the call that tells it. */
struct smtp_suite_result {
    const struct smtp_rule *rule;
    enum smtp_verdict verdict;
    const char *detail;  /* "" where it passed */
    const char *warning; /* "" for none */
    uint64_t elapsed_ns;
    const struct smtp_report_dialogue *dialogues;
    size_t dialogue_count;
};

/** Judges one rule; on the calling thread, which `tell` is called on as well. */
void smtp_suite_judge(const struct smtp_rule *rule, const struct smtp_check_options *options,
                      void (*tell)(void *user, const struct smtp_suite_result *result), void *user);

/** Whether the server can be connected to and begins to speak; else *error says why not. SMTP_TIMED_OUT: nothing came. */
enum smtp_status smtp_suite_can_reach(const struct smtp_check_options *options,
                                      struct smtp_error *error) SMTP_MUST_CHECK;

#define SMTP_SUITE_JOBS_MAX 256

struct smtp_suite {
    enum smtp_rule_side side;
    const struct smtp_check_options *options;
    const char *const *prefixes; /* of ids; none: all rules */
    size_t prefix_count;
    unsigned jobs; /* how many at a time, up to SMTP_SUITE_JOBS_MAX; 0: 8 */
    /** Called in the order of the rules, as soon as that is possible, one call at a time. */
    void (*tell)(void *user, const struct smtp_suite_result *result);
    void *user;
    const atomic_bool *is_over; /* once it is true no further rule is begun; NULL: it never is */
};

/** SMTP_OK, whatever the verdicts are; SMTP_NO_MEMORY, SMTP_SYSTEM_FAILED. */
enum smtp_status smtp_suite_run(const struct smtp_suite *suite) SMTP_MUST_CHECK;

#endif
