/* exec_results.c - see exec_results.h. Reports into files are put together in memory, so that they are whole. */
#include "harness/cli/exec_results.h"

#include "common/clock.h"
#include "harness/cli/whole_file.h"
#include "harness/failure.h"
#include "harness/report/dialogue_view.h"
#include "harness/report/message_json.h"
#include "harness/report/report.h"
#include "harness/report/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM SMTP_EXEC_PROGRAM
#define NAME_SIZE 256     /* of a result, the rest is cut off */
#define NAME_WIDTH_MAX 56 /* in columns; longer ones stand out */
#define NO_MAIL "no mail is sent"

/* ---- judging ---- */

static void note(struct smtp_exec_results *results, struct smtp_exec_judgement *judgement,
                 enum smtp_status status, uint64_t begin_ns)
{
    judgement->elapsed_ns = smtp_clock_now_ns() - begin_ns;
    judgement->why = status != SMTP_OK ? smtp_harness_failure(results->harness) : "";
}

void smtp_exec_judge(void *user)
{
    struct smtp_exec_results *results = user;
    const struct smtp_exec_options *options = results->options;
    for (size_t i = 0; i < options->expect.count; i++) {
        uint64_t begin_ns = smtp_clock_now_ns();
        note(results, &results->expected[i],
             smtp_harness_expect_until(results->harness, options->expect.items[i],
                                       results->deadline_ns),
             begin_ns);
    }
    if (options->none) {
        uint64_t begin_ns = smtp_clock_now_ns();
        note(results, &results->none, smtp_harness_expect_none(results->harness, NULL, 0),
             begin_ns);
    }
}

bool smtp_exec_held(const struct smtp_exec_results *results)
{
    bool held = !results->options->none || results->none.why[0] == '\0';
    for (size_t i = 0; i < results->options->expect.count; i++) {
        held = held && results->expected[i].why[0] == '\0';
    }
    return held;
}

/* ---- telling ---- */

/** One line, whatever was typed. */
static const char *name_of(const char *text, const char *behind, char name[NAME_SIZE])
{
    size_t len = 0;
    for (; *text != '\0' && len + 5 < NAME_SIZE; text++) {
        unsigned char octet = (unsigned char)*text;
        if (octet < ' ' || octet == 127) {
            len += smtp_text_escape_octet(octet, name + len);
        } else {
            name[len++] = *text;
        }
    }
    snprintf(name + len, NAME_SIZE - len, "%s", behind);
    return name;
}

static void tell_command(const struct smtp_exec_results *results, struct smtp_report *report)
{
    char name[NAME_SIZE], detail[160] = "";
    if (results->timed_out) {
        snprintf(detail, sizeof detail, "it took longer than %" PRIu64 " s (--timeout)",
                 results->options->timeout_s);
    } else if (results->end_signal != 0) {
        snprintf(detail, sizeof detail, "it was killed by SIG%s (signal %d)",
                 sigabbrev_np(results->end_signal) != NULL ? sigabbrev_np(results->end_signal)
                                                           : "?",
                 results->end_signal);
    } else if (results->exit_status != 0) {
        snprintf(detail, sizeof detail, "it ended with %d", results->exit_status);
    }
    const struct smtp_report_result result = {
        .name = name_of(results->command, " ends with 0", name),
        .rfc = "",
        .outcome = detail[0] == '\0' ? SMTP_REPORT_PASSED : SMTP_REPORT_FAILED,
        .elapsed_ns = results->elapsed_ns,
        .detail = detail,
    };
    smtp_report_add(report, &result);
}

static void tell_judgement(struct smtp_report *report, const char *text,
                           const struct smtp_exec_judgement *judgement)
{
    char name[NAME_SIZE];
    const struct smtp_report_result result = {
        .name = name_of(text, "", name),
        .rfc = "",
        .outcome = judgement->why[0] == '\0' ? SMTP_REPORT_PASSED : SMTP_REPORT_FAILED,
        .elapsed_ns = judgement->elapsed_ns,
        .detail = judgement->why,
    };
    smtp_report_add(report, &result);
}

static void tell_messages_as_json(const struct smtp_exec_results *results, FILE *out)
{
    const struct smtp_harness_message *message;
    for (size_t i = 0; (message = smtp_harness_message(results->harness, i)) != NULL; i++) {
        json_t *object = smtp_report_message(
            message, smtp_message_number(smtp_harness_envelope(message)), false);
        if (object != NULL) {
            json_dumpf(object, out, JSON_COMPACT);
            fputc('\n', out);
            json_decref(object);
        }
    }
}

/** Where nothing is expected: what came. */
static void tell_messages(const struct smtp_exec_results *results, FILE *out)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    const struct smtp_harness_message *message;
    for (size_t i = 0; (message = smtp_harness_message(results->harness, i)) != NULL; i++) {
        smtp_harness_describe(message, &lines);
    }
    char *text = smtp_harness_lines_take(&lines);
    fputs(text == NULL ? "out of memory\n" : text[0] == '\0' ? "no mail came\n" : text, out);
    free(text);
}

static void tell_dialogue(const struct smtp_exec_results *results, FILE *out, uint64_t number,
                          const struct smtp_harness_transcript *transcript)
{
    if (results->options->json) {
        char *dialogue = smtp_harness_transcript_text(transcript);
        json_t *object =
            json_pack("{s:I, s:s?}", "session", (json_int_t)number, "dialogue", dialogue);
        json_dumpf(object, out, JSON_COMPACT);
        fputc('\n', out);
        json_decref(object);
        free(dialogue);
        return;
    }
    const char *margin = results->options->tap ? "# " : "";
    struct smtp_dialogue_look look = smtp_dialogue_look_at(out, margin);
    look.explain = results->options->explain;
    look.colour = look.colour && !results->options->tap;
    fprintf(out, "%ssession %" PRIu64 "\n", margin, number);
    smtp_dialogue_draw(out, transcript, &look);
}

static void tell_dialogues(const struct smtp_exec_results *results, FILE *out)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts(results->harness);
    uint64_t last = smtp_harness_transcripts_last(all);
    for (uint64_t number = 1; number <= last; number++) {
        struct smtp_harness_transcript *transcript = smtp_harness_transcript_copy(all, number);
        if (transcript != NULL) {
            tell_dialogue(results, out, number, transcript);
        }
        smtp_harness_transcript_free(transcript);
    }
}

static int name_width(const struct smtp_exec_results *results)
{
    size_t longest = strlen(results->command) + strlen(" ends with 0");
    for (size_t i = 0; i < results->options->expect.count; i++) {
        size_t len = strlen(results->options->expect.items[i]);
        longest = len > longest ? len : longest;
    }
    longest = results->options->none && longest < strlen(NO_MAIL) ? strlen(NO_MAIL) : longest;
    return longest < NAME_WIDTH_MAX ? (int)longest : NAME_WIDTH_MAX;
}

static void tell_into(const struct smtp_exec_results *results, struct smtp_report *report)
{
    const struct smtp_exec_options *options = results->options;
    FILE *out = report->out;
    if (options->json) {
        tell_messages_as_json(results, out);
    }
    smtp_report_begin(report);
    tell_command(results, report);
    for (size_t i = 0; i < options->expect.count; i++) {
        tell_judgement(report, options->expect.items[i], &results->expected[i]);
    }
    if (options->none) {
        tell_judgement(report, NO_MAIL, &results->none);
    }
    if (options->verbose || options->explain) {
        tell_dialogues(results, out);
    }
    if (!options->tap && !options->json && !options->none && options->expect.count == 0) {
        tell_messages(results, out);
    }
    smtp_report_end(report);
}

bool smtp_exec_tell(const struct smtp_exec_results *results)
{
    const struct smtp_exec_options *options = results->options;
    struct smtp_cli_kept text = {.stream = NULL}, xml = {.stream = NULL};
    if ((options->report != NULL && !smtp_cli_keep(&text)) ||
        (options->junit != NULL && !smtp_cli_keep(&xml))) {
        fprintf(stderr, PROGRAM ": out of memory\n");
        smtp_cli_put(PROGRAM, &text, NULL);
        return false;
    }
    struct smtp_report junit = {.form = &smtp_report_junit, .out = xml.stream, .name = PROGRAM};
    FILE *out = options->report != NULL ? text.stream : stderr;
    struct smtp_report report = {
        .form = options->tap    ? &smtp_report_tap
                : options->json ? &smtp_report_json
                                : &smtp_report_lines,
        .out = out,
        .colour = options->report == NULL && smtp_report_wants_colour(out),
        .name = PROGRAM,
        .name_width = name_width(results),
        .planned = 1 + options->expect.count + options->none,
        .also = options->junit != NULL ? &junit : NULL,
    };
    tell_into(results, &report);
    bool whole =
        smtp_report_is_whole(&report) && (options->junit == NULL || smtp_report_is_whole(&junit));
    bool told = smtp_cli_put(PROGRAM, &text, options->report),
         told_xml = smtp_cli_put(PROGRAM, &xml, options->junit);
    return whole && told && told_xml;
}
