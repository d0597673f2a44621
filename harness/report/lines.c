/* lines.c - the form for a person: one aligned line a check, what went wrong below it, and at the
 * end the sum. Plain words as marks, so that it reads the same in a pipe. */
#include "harness/report/dialogue_view.h"
#include "harness/report/report.h"

#include <string.h>

#define MARGIN "      "

static const char *mark(const struct smtp_report *report, enum smtp_report_outcome outcome)
{
    static const char *const plain[] = {"ok  ", "FAIL", "skip"};
    static const char *const coloured[] = {"\033[32mok  \033[0m", "\033[1;31mFAIL\033[0m",
                                           "\033[33mskip\033[0m"};
    return report->colour ? coloured[outcome] : plain[outcome];
}

static void print_indented(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        fprintf(out, MARGIN "%.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static void begin(struct smtp_report *report)
{
    (void)report;
}

static void draw_dialogues(const struct smtp_report *report,
                           const struct smtp_report_result *result)
{
    struct smtp_dialogue_look look = smtp_dialogue_look_at(report->out, MARGIN);
    look.colour = report->colour;
    look.explain = report->explain;
    for (size_t i = 0; i < result->dialogue_count; i++) {
        const struct smtp_report_dialogue *dialogue = &result->dialogues[i];
        if (i > 0) {
            fputc('\n', report->out);
        }
        if (dialogue->title[0] != '\0') {
            fprintf(report->out, MARGIN "%s:\n", dialogue->title);
        }
        smtp_dialogue_draw(report->out, dialogue->transcript, &look);
    }
}

static void result(struct smtp_report *report, const struct smtp_report_result *result)
{
    fprintf(report->out, "%s  %-*s %8.1f ms\n", mark(report, result->outcome), report->name_width,
            result->name, (double)result->elapsed_ns / 1e6);
    print_indented(report->out, result->detail);
    draw_dialogues(report, result);
}

static void end(struct smtp_report *report)
{
    fprintf(report->out, "\n");
    smtp_report_print_sum(report);
}

const struct smtp_report_form smtp_report_lines = {begin, result, end};
