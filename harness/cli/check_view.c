/* check_view.c - see check_view.h. */
#include "harness/cli/check_view.h"

#include "harness/lines.h"
#include "harness/report/dialogue_told.h"
#include "harness/report/dialogue_view.h"
#include "harness/report/text_json.h"

#include <stdlib.h>
#include <string.h>

#define MARGIN "        "
#define DIALOGUE_MARGIN "  " /* it takes all the columns it can get */
/* Of a failure, without -v: what fits a screen, as the failure is at the end. */
#define LINES_SHOWN 30
#define CONNECTIONS_SHOWN 2
#define COLUMNS 80
#define SLUG_WIDTH 36

static const char *const verdict_words[] = {"pass", "fail", "skip"};

/** "RFC 5321 4.5.2" of "rfc5321/4.5.2/dot-unstuffing". */
static void name_section(const char *id, char *text, size_t size)
{
    size_t len = smtp_rule_section_len(id);
    bool is_rfc = strncmp(id, "rfc", 3) == 0;
    snprintf(text, size, "%s%.*s", is_rfc ? "RFC " : "", (int)(len - (is_rfc ? 3 : 0)),
             id + (is_rfc ? 3 : 0));
    for (char *slash = strchr(text, '/'); slash != NULL; slash = strchr(slash, '/')) {
        *slash = ' ';
    }
}

/* ---- words in lines ---- */

/** The words of `text` within the columns, each line behind the margin; line ends of its own stay. */
static void print_words(FILE *out, const char *margin, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, " \n");
        bool is_full = column > 0 && column + 1 + len > COLUMNS;
        if (column == 0 || is_full) {
            fprintf(out, "%s%s", column > 0 ? "\n" : "", margin);
            column = strlen(margin);
        } else {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)len, text);
        column += len;
        text += len;
        if (*text == '\n') {
            fputc('\n', out);
            column = 0;
        }
        text += *text != '\0';
    }
    fputs(column > 0 ? "\n" : "", out);
}

static void print_labelled(FILE *out, const char *label, const char *text)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_lines_print(&lines, "%s: %s", label, text);
    char *whole = smtp_harness_lines_take(&lines);
    if (whole != NULL) {
        print_words(out, MARGIN, whole);
    }
    free(whole);
}

/* ---- for a person ---- */

static const char *mark(const struct smtp_check_view *view, const struct smtp_suite_result *result)
{
    static const char *const plain[] = {"ok  ", "FAIL", "skip", "warn"};
    static const char *const coloured[] = {"\033[32mok  \033[0m", "\033[1;31mFAIL\033[0m",
                                           "\033[2mskip\033[0m", "\033[33mwarn\033[0m"};
    bool warns = result->verdict == SMTP_PASS && result->warning[0] != '\0';
    size_t i = warns ? 3 : (size_t)result->verdict;
    return view->colour ? coloured[i] : plain[i];
}

/** The last connections, and one that the detail quotes a line of. */
static size_t first_shown(const struct smtp_suite_result *result, const char *told)
{
    size_t count = result->dialogue_count;
    size_t first = count > CONNECTIONS_SHOWN ? count - CONNECTIONS_SHOWN : 0;
    for (size_t i = count; told != NULL && i-- > 0;) {
        if (smtp_dialogue_tells(told, result->dialogues[i].transcript)) {
            return i < first ? i : first;
        }
    }
    return first;
}

static void draw(struct smtp_check_view *view, const struct smtp_suite_result *result)
{
    struct smtp_dialogue_look look = smtp_dialogue_look_at(view->out, DIALOGUE_MARGIN);
    size_t count = result->dialogue_count, first = 0; /* with -v all are shown */
    look.colour = view->colour;
    look.explain = view->line->explain;
    if (!view->line->verbose) {
        look.brief = LINES_SHOWN;
        look.told = result->verdict == SMTP_FAIL ? result->detail : NULL;
        first = first_shown(result, look.told);
    }
    if (first > 0) {
        fprintf(view->out, "\n" DIALOGUE_MARGIN "(%zu connection%s before; -v shows all)\n", first,
                first == 1 ? "" : "s");
    }
    for (size_t i = first; i < count; i++) {
        fprintf(view->out, "\n");
        smtp_dialogue_draw(view->out, result->dialogues[i].transcript, &look);
    }
    view->is_parted = count > 0;
    fputs(count > 0 ? "\n" : "", view->out);
}

static void tell_verdict(const struct smtp_check_view *view, const struct smtp_suite_result *result)
{
    const struct smtp_rule *rule = result->rule;
    bool is_timed = result->verdict != SMTP_SKIP;
    fprintf(view->out, "  %s  %-*s %-*s", mark(view, result), SLUG_WIDTH,
            rule->id + smtp_rule_section_len(rule->id) + 1, is_timed ? 10 : 0,
            smtp_rule_level_name(rule->level));
    if (is_timed) {
        fprintf(view->out, " %9.1f ms", (double)result->elapsed_ns / 1e6);
    }
    fputc('\n', view->out);
}

static void tell_person(struct smtp_check_view *view, const struct smtp_suite_result *result)
{
    char section[sizeof view->section];
    const struct smtp_rule *rule = result->rule;
    name_section(rule->id, section, sizeof section);
    if (strcmp(section, view->section) != 0) {
        bool needs_parting = view->section[0] != '\0' && !view->is_parted;
        fprintf(view->out, "%s%s\n", needs_parting ? "\n" : "", section);
        memcpy(view->section, section, sizeof section);
    }
    tell_verdict(view, result);
    view->is_parted = false;
    if (result->verdict == SMTP_FAIL) {
        print_labelled(view->out, "rule", rule->requirement);
        print_labelled(view->out, "here", result->detail);
    } else if (result->verdict == SMTP_SKIP) {
        print_words(view->out, MARGIN, result->detail);
    }
    if (result->warning[0] != '\0') {
        print_labelled(view->out, "warning", result->warning);
    }
    if (result->verdict == SMTP_FAIL || view->line->verbose) {
        draw(view, result);
    }
    fflush(view->out);
}

/** What failed, once more: it has gone from the screen. */
static void list_failed(const struct smtp_check_view *view)
{
    const struct smtp_check_sum *sum = &view->sum;
    for (size_t i = 0; i < sum->failed_count; i++) {
        if (i == 0) {
            fprintf(view->out, "%sFailed:\n", view->is_parted ? "" : "\n");
        }
        fprintf(view->out, "  %-62s %s\n", sum->failed[i]->id,
                smtp_rule_level_name(sum->failed[i]->level));
    }
    if (sum->verdicts[SMTP_FAIL] > sum->failed_count) {
        fprintf(view->out, "  and %zu more\n", sum->verdicts[SMTP_FAIL] - sum->failed_count);
    }
}

static void end_person(const struct smtp_check_view *view)
{
    const struct smtp_check_sum *sum = &view->sum;
    list_failed(view);
    fprintf(view->out, "\n%zu passed, %zu failed (%zu MUST, %zu SHOULD), %zu skipped",
            sum->verdicts[SMTP_PASS], sum->verdicts[SMTP_FAIL], sum->must_failed,
            sum->should_failed, sum->verdicts[SMTP_SKIP]);
    if (sum->warnings > 0) {
        fprintf(view->out, "; %zu warning%s", sum->warnings, sum->warnings == 1 ? "" : "s");
    }
    fprintf(view->out, "; %.1f s%s\n", (double)sum->elapsed_ns / 1e9,
            sum->is_interrupted ? "; interrupted" : "");
}

/* ---- as JSON ---- */

static void print_object(FILE *out, json_t *object)
{
    if (object != NULL) {
        json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc('\n', out);
        fflush(out);
        json_decref(object);
    }
}

static double ms_of(uint64_t elapsed_ns)
{
    uint64_t elapsed_us = elapsed_ns / 1000;
    return (double)elapsed_us / 1000.0;
}

static const char *side_word(const struct smtp_check_line *line)
{
    return line->side == SMTP_RULE_SERVER ? "server" : "client";
}

static void tell_json(const struct smtp_check_view *view, const struct smtp_suite_result *result)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:f}", "id", result->rule->id, "side",
                  side_word(view->line), "level", smtp_rule_level_name(result->rule->level),
                  "result", verdict_words[result->verdict], "detail",
                  smtp_report_json_string(result->detail), "ms", ms_of(result->elapsed_ns));
    if (object != NULL && result->warning[0] != '\0') {
        json_object_set_new(object, "warning", smtp_report_json_string(result->warning));
    }
    const struct smtp_report_result shown = {.dialogues = result->dialogues,
                                             .dialogue_count = result->dialogue_count};
    bool is_shown = result->verdict == SMTP_FAIL || view->line->verbose;
    char *dialogue = is_shown ? smtp_report_dialogue_text(&shown) : NULL;
    if (object != NULL && dialogue != NULL) {
        json_object_set_new(object, "dialogue", smtp_report_json_string(dialogue));
    }
    free(dialogue);
    print_object(view->out, object);
}

static void end_json(const struct smtp_check_view *view)
{
    const struct smtp_check_sum *sum = &view->sum;
    print_object(view->out,
                 json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:b}", "side",
                           side_word(view->line), "passed", (json_int_t)sum->verdicts[SMTP_PASS],
                           "failed", (json_int_t)sum->verdicts[SMTP_FAIL], "skipped",
                           (json_int_t)sum->verdicts[SMTP_SKIP], "must_failed",
                           (json_int_t)sum->must_failed, "should_failed",
                           (json_int_t)sum->should_failed, "warnings", (json_int_t)sum->warnings,
                           "ms", ms_of(sum->elapsed_ns), "interrupted", (int)sum->is_interrupted));
}

/* ---- both ---- */

void smtp_check_view_count(struct smtp_check_view *view, const struct smtp_suite_result *result)
{
    struct smtp_check_sum *sum = &view->sum;
    sum->verdicts[result->verdict]++;
    sum->warnings += result->warning[0] != '\0';
    if (result->verdict == SMTP_FAIL) {
        bool is_must = smtp_rule_counts(result->rule->level, false);
        sum->must_failed += is_must;
        sum->should_failed += !is_must;
        if (sum->failed_count < SMTP_CHECK_FAILED_MAX) {
            sum->failed[sum->failed_count++] = result->rule;
        }
    }
}

void smtp_check_view_add(struct smtp_check_view *view, const struct smtp_suite_result *result)
{
    smtp_check_view_count(view, result);
    if (view->line->json) {
        tell_json(view, result);
    } else {
        tell_person(view, result);
    }
}

void smtp_check_view_end(struct smtp_check_view *view, uint64_t elapsed_ns)
{
    view->sum.elapsed_ns = elapsed_ns;
    if (view->line->json) {
        end_json(view);
    } else {
        end_person(view);
    }
}

struct smtp_report_result smtp_check_view_report(const struct smtp_check_line *line,
                                                 const struct smtp_suite_result *result,
                                                 char **detail)
{
    static const enum smtp_report_outcome outcomes[] = {SMTP_REPORT_PASSED, SMTP_REPORT_FAILED,
                                                        SMTP_REPORT_SKIPPED};
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    bool failed = result->verdict == SMTP_FAIL;
    if (failed) {
        smtp_harness_lines_print(&lines, "rule: %s\nhere: ", result->rule->requirement);
    }
    smtp_harness_lines_add(&lines, smtp_span_of(result->detail));
    if (result->warning[0] != '\0') {
        smtp_harness_lines_print(&lines, "%swarning: %s", result->detail[0] != '\0' ? "\n" : "",
                                 result->warning);
    }
    *detail = lines.buffer.len > 0 ? smtp_harness_lines_take(&lines) : NULL;
    bool is_shown = failed || line->verbose;
    bool counts = smtp_rule_counts(result->rule->level, line->strict);
    return (struct smtp_report_result){
        .name = result->rule->id,
        .rfc = smtp_rule_level_name(result->rule->level),
        /* a SHOULD that does not count fails nobody's build: it is told as skipped */
        .outcome = failed && !counts ? SMTP_REPORT_SKIPPED : outcomes[result->verdict],
        .elapsed_ns = result->elapsed_ns,
        .detail = *detail != NULL ? *detail : "",
        .dialogues = result->dialogues,
        .dialogue_count = is_shown ? result->dialogue_count : 0};
}

/* ---- the list ---- */

void smtp_check_view_list(const struct smtp_check_line *line, FILE *out)
{
    for (size_t i = 0; smtp_rule_at(line->side, i) != NULL; i++) {
        const struct smtp_rule *rule = smtp_rule_at(line->side, i);
        if (!smtp_rule_is_selected(rule->id, line->only.items, line->only.count)) {
            continue;
        }
        if (line->json) {
            print_object(out, json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", rule->id, "side",
                                        side_word(line), "level", smtp_rule_level_name(rule->level),
                                        "requirement", rule->requirement, "check", rule->check));
        } else {
            fprintf(out, "%s  %s\n", rule->id, smtp_rule_level_name(rule->level));
            print_words(out, "    ", rule->requirement);
            print_words(out, "    ", rule->check);
        }
    }
}
