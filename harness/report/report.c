/* report.c - counts, and hands over to the form. Does not know how a form looks. */
#include "harness/report/report.h"

#include "common/bytes.h"
#include "harness/lines.h"

#include <stdlib.h>
#include <unistd.h>

const char *smtp_report_outcome_name(enum smtp_report_outcome outcome)
{
    static const char *const names[] = {"passed", "failed", "skipped"};
    return names[outcome];
}

bool smtp_report_wants_colour(FILE *out)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    if (no_color != NULL && no_color[0] != '\0') {
        return false;
    }
    return isatty(fileno(out)) == 1 && term != NULL &&
           !smtp_span_equal(smtp_span_of(term), SMTP_SPAN("dumb"));
}

char *smtp_report_dialogue_text(const struct smtp_report_result *result)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    for (size_t i = 0; i < result->dialogue_count; i++) {
        const struct smtp_report_dialogue *dialogue = &result->dialogues[i];
        char *text = smtp_harness_transcript_text(dialogue->transcript);
        smtp_harness_lines_add(&lines, smtp_span_of(i > 0 ? "[session]\n" : ""));
        if (dialogue->title[0] != '\0') {
            smtp_harness_lines_print(&lines, "# %s:\n", dialogue->title);
        }
        smtp_harness_lines_add(&lines, smtp_span_of(text != NULL ? text : "# out of memory\n"));
        free(text);
    }
    return lines.buffer.len > 0 ? smtp_harness_lines_take(&lines) : NULL;
}

void smtp_report_begin(struct smtp_report *report)
{
    for (; report != NULL; report = report->also) {
        report->form->begin(report);
        fflush(report->out);
    }
}

void smtp_report_add(struct smtp_report *report, const struct smtp_report_result *result)
{
    for (; report != NULL; report = report->also) {
        report->counts[result->outcome]++;
        report->elapsed_ns += result->elapsed_ns;
        report->form->result(report, result);
        fflush(report->out);
    }
}

bool smtp_report_end(struct smtp_report *report)
{
    bool held = true;
    for (; report != NULL; report = report->also) {
        report->form->end(report);
        held = fflush(report->out) == 0 && report->counts[SMTP_REPORT_FAILED] == 0 && held;
    }
    return held;
}

bool smtp_report_is_whole(const struct smtp_report *report)
{
    return ferror(report->out) == 0 && !report->memory_failed;
}

void smtp_report_print_sum(const struct smtp_report *report)
{
    fprintf(report->out, "%zu passed, %zu failed", report->counts[SMTP_REPORT_PASSED],
            report->counts[SMTP_REPORT_FAILED]);
    if (report->counts[SMTP_REPORT_SKIPPED] > 0) {
        fprintf(report->out, ", %zu skipped", report->counts[SMTP_REPORT_SKIPPED]);
    }
    fputc('\n', report->out);
}
