/* junit.c - the form for build servers: the XML that Jenkins, GitLab and others take as JUnit's. The sum stands in
 * front, so the results wait in memory until the end. All of it is ASCII: what XML cannot hold, or may be read
 * wrong, is escaped as in the other forms. */
#include "harness/report/report.h"
#include "harness/report/text.h"

#include <stdlib.h>
#include <string.h>

static void print_octet(FILE *out, unsigned char octet)
{
    static const char *const named[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\\'] = "\\"};
    char text[5];
    if (octet < 128 && named[octet] != NULL) {
        fputs(named[octet], out);
        return;
    }
    size_t len = smtp_text_escape_octet(octet, text);
    fwrite(text, 1, len, out);
}

/** Lines stay lines. */
static void print_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        *text == '\n' ? (void)fputc('\n', out) : print_octet(out, (unsigned char)*text);
    }
}

/** Of an attribute, whose line ends would be read as blanks: the first line. */
static void print_attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    for (; *value != '\0' && *value != '\n'; value++) {
        print_octet(out, (unsigned char)*value);
    }
    fputc('"', out);
}

static void print_seconds(FILE *out, uint64_t elapsed_ns)
{
    fprintf(out, " time=\"%.6f\"", (double)elapsed_ns / 1e9);
}

static void begin(struct smtp_report *report)
{
    report->held = open_memstream(&report->held_text, &report->held_len);
}

static void print_outcome(FILE *out, const struct smtp_report_result *result)
{
    if (result->outcome == SMTP_REPORT_FAILED) {
        fputs("\n      <failure type=\"failed\"", out);
        print_attribute(out, "message", result->detail);
        fputc('>', out);
        print_text(out, result->detail);
        fputs("</failure>", out);
    }
    if (result->outcome == SMTP_REPORT_SKIPPED) {
        fputs("\n      <skipped", out);
        print_attribute(out, "message", result->detail);
        fputs("/>", out);
    }
    char *dialogue = smtp_report_dialogue_text(result);
    if (dialogue != NULL) {
        fputs("\n      <system-out>", out);
        print_text(out, dialogue);
        fputs("</system-out>", out);
    }
    free(dialogue);
}

static void result(struct smtp_report *report, const struct smtp_report_result *result)
{
    FILE *out = report->held;
    if (out == NULL) {
        return;
    }
    fputs("    <testcase", out);
    print_attribute(out, "name", result->name);
    print_attribute(out, "classname", report->name);
    print_seconds(out, result->elapsed_ns);
    fputc('>', out);
    print_outcome(out, result);
    fputs("\n    </testcase>\n", out);
}

static void print_suite(const struct smtp_report *report, const char *element)
{
    const size_t *counts = report->counts;
    fprintf(report->out, "<%s", element);
    print_attribute(report->out, "name", report->name);
    fprintf(report->out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\"",
            counts[0] + counts[1] + counts[2], counts[SMTP_REPORT_FAILED],
            counts[SMTP_REPORT_SKIPPED]);
    print_seconds(report->out, report->elapsed_ns);
    fputs(">\n", report->out);
}

static void end(struct smtp_report *report)
{
    bool whole = report->held != NULL && fclose(report->held) == 0;
    if (whole) {
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", report->out);
        print_suite(report, "testsuites");
        fputs("  ", report->out);
        print_suite(report, "testsuite");
        fwrite(report->held_text, 1, report->held_len, report->out);
        fputs("  </testsuite>\n</testsuites>\n", report->out);
    }
    report->memory_failed = !whole;
    free(report->held_text);
}

const struct smtp_report_form smtp_report_junit = {begin, result, end};
