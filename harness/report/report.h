/* report.h - what came of named checks, told in one of four forms: lines for a person, TAP 13, one
 * JSON object a line, or JUnit's XML. Knows nothing of what was checked. One thread. */
#ifndef SMTP_HARNESS_REPORT_H
#define SMTP_HARNESS_REPORT_H

#include "harness/transcript.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum smtp_report_outcome { SMTP_REPORT_PASSED, SMTP_REPORT_FAILED, SMTP_REPORT_SKIPPED };

/** "passed", "failed" or "skipped". */
const char *smtp_report_outcome_name(enum smtp_report_outcome outcome);

/** One session that was seen. */
struct smtp_report_dialogue {
    const char *title; /* above it, a line; "" */
    const struct smtp_harness_transcript *transcript;
};

/** What came of one check. Borrowed for the call. */
struct smtp_report_result {
    const char *name;
    const char *rfc; /* what it was held against, like "5321 4.5.2"; "" */
    enum smtp_report_outcome outcome;
    uint64_t elapsed_ns;
    const char *detail;                           /* why it failed or was skipped, in lines; "" */
    const struct smtp_report_dialogue *dialogues; /* what was said, where that is to be shown */
    size_t dialogue_count;
};

/** What was said, in "C: " and "S: " lines, for the forms that draw nothing; freed by the caller. NULL: nothing, or
 *  out of memory. */
char *smtp_report_dialogue_text(const struct smtp_report_result *result);

struct smtp_report;

/** A form is a row of functions. */
struct smtp_report_form {
    void (*begin)(struct smtp_report *report);
    void (*result)(struct smtp_report *report, const struct smtp_report_result *result);
    void (*end)(struct smtp_report *report);
};
extern const struct smtp_report_form smtp_report_lines;
extern const struct smtp_report_form smtp_report_tap;
extern const struct smtp_report_form smtp_report_json;
extern const struct smtp_report_form smtp_report_junit;

struct smtp_report {
    const struct smtp_report_form *form;
    FILE *out;
    bool colour;
    bool explain;     /* the lines of dialogues, where they are drawn */
    const char *name; /* of all the checks together; JUnit's alone tells it */
    int name_width;   /* of the longest name to come */
    size_t planned;
    struct smtp_report *also; /* told the same; NULL: no other */

    /* its own */
    size_t counts[3]; /* by outcome */
    uint64_t elapsed_ns;
    FILE *held; /* results that wait for the end: JUnit's sum stands before them */
    char *held_text;
    size_t held_len;
    bool memory_failed;
};

/** Whether colour is wanted: a terminal, no NO_COLOR (https://no-color.org), no TERM=dumb. */
bool smtp_report_wants_colour(FILE *out);

/** Set what is not its own, the rest is zero. What is done with a report is done with `also`. */
void smtp_report_begin(struct smtp_report *report);
void smtp_report_add(struct smtp_report *report, const struct smtp_report_result *result);
/** Tells the sum; true when nothing failed. */
bool smtp_report_end(struct smtp_report *report);
/** After the end: whether all of it could be written. */
bool smtp_report_is_whole(const struct smtp_report *report);

/** For the forms: "N passed, N failed" and, where there are any, ", N skipped". */
void smtp_report_print_sum(const struct smtp_report *report);

#endif
