/* failure.c - see failure.h. Knows: what a reader of a test's log needs to see first, and how much
 * of it. Does not know: when an assertion fails. */
#include "harness/failure.h"

#include <stdlib.h>
#include <string.h>

/* Of a transcript: how it began, and how it ended, about a screen in all. */
#define FIRST_LINES 12
#define LAST_LINES 28
#define LINE_SHOWN_MAX 160    /* octets of one line of it */
#define SUBJECT_SHOWN_MAX 100 /* octets */
#define PATHS_SHOWN_MAX 5

static void set_failure(struct smtp_harness *harness, struct smtp_harness_lines *lines)
{
    const char *text = smtp_harness_keep_text(harness, smtp_harness_lines_take(lines));
    harness->failure = text != NULL ? text : "the call failed, and memory to say why is short\n";
}

void smtp_harness_fail(struct smtp_harness *harness, const char *what, const char *why)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_lines_print(&lines, "%s: %s\n", what, why);
    set_failure(harness, &lines);
}

/* ---- the transcript ---- */

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    return count;
}

static void show_line(struct smtp_harness_lines *lines, struct smtp_span line)
{
    bool clipped = line.len > LINE_SHOWN_MAX;
    line.len = clipped ? LINE_SHOWN_MAX : line.len;
    smtp_harness_lines_print(lines, "  %.*s%s\n", (int)line.len, line.bytes,
                             clipped ? " [...]" : "");
}

static void show_excerpt(struct smtp_harness_lines *lines, const char *text)
{
    size_t count = count_lines(text);
    size_t left_out = count > FIRST_LINES + LAST_LINES ? count - FIRST_LINES - LAST_LINES : 0;
    for (size_t i = 0; i < count; i++) {
        const char *end = strchr(text, '\n');
        if (left_out > 0 && i == FIRST_LINES) {
            smtp_harness_lines_print(lines, "  [... %zu lines]\n", left_out);
        }
        if (i < FIRST_LINES || i >= FIRST_LINES + left_out) {
            show_line(lines, (struct smtp_span){text, (size_t)(end - text)});
        }
        text = end + 1;
    }
}

static void show_last_session(struct smtp_harness *harness, struct smtp_harness_lines *lines)
{
    uint64_t number = smtp_harness_transcripts_last(harness->transcripts);
    struct smtp_harness_transcript *copy =
        smtp_harness_transcript_copy(harness->transcripts, number);
    char *text = copy != NULL ? smtp_harness_transcript_text(copy) : NULL;
    smtp_harness_transcript_free(copy);
    if (text == NULL) {
        smtp_harness_lines_print(lines, "there was no session: nobody connected\n");
        return;
    }
    smtp_harness_lines_print(lines, "the last session, number %llu:\n", (unsigned long long)number);
    show_excerpt(lines, text);
    free(text);
}

static void show_faults(struct smtp_harness *harness, struct smtp_harness_lines *lines)
{
    const char *plan = smtp_harness_faults(harness);
    if (plan[0] != '\0') {
        smtp_harness_lines_print(lines, "the faults:\n");
    }
    for (const char *end; (end = strchr(plan, '\n')) != NULL; plan = end + 1) {
        show_line(lines, (struct smtp_span){plan, (size_t)(end - plan)});
    }
}

void smtp_harness_fail_with(struct smtp_harness *harness, struct smtp_harness_lines *lines)
{
    show_faults(harness, lines);
    show_last_session(harness, lines);
    set_failure(harness, lines);
}

/* ---- messages ---- */

void smtp_harness_describe(const struct smtp_harness_message *message,
                           struct smtp_harness_lines *lines)
{
    const struct smtp_message *envelope = smtp_harness_envelope(message);
    smtp_harness_lines_print(lines, "message %llu, from <%s> to",
                             (unsigned long long)smtp_message_number(envelope),
                             smtp_message_reverse_path(envelope));
    size_t count = smtp_message_recipient_count(envelope);
    for (size_t i = 0; i < count && i < PATHS_SHOWN_MAX; i++) {
        smtp_harness_lines_print(lines, "%s <%s>", i > 0 ? "," : "",
                                 smtp_message_forward_path(envelope, i));
    }
    if (count > PATHS_SHOWN_MAX) {
        smtp_harness_lines_print(lines, " and %zu more", count - PATHS_SHOWN_MAX);
    }
    const char *subject = smtp_harness_header(message, "Subject");
    if (subject == NULL) {
        smtp_harness_lines_print(lines, ", no subject\n");
        return;
    }
    smtp_harness_lines_print(lines, ", subject ");
    smtp_harness_lines_quote(lines, smtp_span_of(subject), SUBJECT_SHOWN_MAX);
    smtp_harness_lines_print(lines, "\n");
}

void smtp_harness_show_nearest(struct smtp_harness *harness, size_t first,
                               const struct smtp_harness_expectation *expectation,
                               struct smtp_harness_lines *lines)
{
    const struct smtp_harness_message *nearest = NULL;
    size_t most = 0;
    for (size_t i = first; i < smtp_harness_view_count(harness); i++) {
        const struct smtp_harness_message *view = smtp_harness_view(harness, i);
        size_t held = smtp_harness_expectation_held(expectation, view);
        if (held < smtp_harness_expectation_terms(expectation) &&
            (nearest == NULL || held >= most)) {
            nearest = view;
            most = held;
        }
    }
    if (nearest != NULL) {
        smtp_harness_lines_print(lines, "nearest: ");
        smtp_harness_describe(nearest, lines);
        smtp_harness_expectation_explain(expectation, nearest, lines);
    }
}
