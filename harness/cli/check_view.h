/* check_view.h - what came of rules, for a person and as JSON; and the list of rules. Judges nothing. */
#ifndef SMTP_HARNESS_CLI_CHECK_VIEW_H
#define SMTP_HARNESS_CLI_CHECK_VIEW_H

#include "harness/cli/check_options.h"
#include "harness/conformance/suite.h"

#define SMTP_CHECK_FAILED_MAX 16 /* as many as a screen has room for */

/** How many came out how. */
struct smtp_check_sum {
    size_t verdicts[3]; /* by enum smtp_verdict */
    size_t must_failed, should_failed, warnings;
    const struct smtp_rule *failed[SMTP_CHECK_FAILED_MAX]; /* the first of them */
    size_t failed_count;
    uint64_t elapsed_ns;
    bool is_interrupted; /* before all were judged */
};

struct smtp_check_view {
    const struct smtp_check_line *line;
    FILE *out;
    bool colour;
    struct smtp_check_sum sum;
    char section[64]; /* the last one that was told */
    bool is_parted;   /* an empty line came last */
};

/** Tells one result, in the form the line asks for (not TAP), and counts it. */
void smtp_check_view_add(struct smtp_check_view *view, const struct smtp_suite_result *result);
/** Counts it and tells nothing. */
void smtp_check_view_count(struct smtp_check_view *view, const struct smtp_suite_result *result);
/** Tells the sum. elapsed_ns: of the whole run. */
void smtp_check_view_end(struct smtp_check_view *view, uint64_t elapsed_ns);
/** The rules that were asked for. */
void smtp_check_view_list(const struct smtp_check_line *line, FILE *out);
/** A result as the forms of report.h take one: detail holds the requirement, too, where it failed; it is freed by
 *  the caller and stands in the result. */
struct smtp_report_result smtp_check_view_report(const struct smtp_check_line *line,
                                                 const struct smtp_suite_result *result,
                                                 char **detail);

#endif
