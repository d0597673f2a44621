/* tap.c - the form for test runners: the Test Anything Protocol, version 13. Details and dialogues
 * are diagnostics ("# " lines). */
#include "harness/report/report.h"

#include <stdlib.h>
#include <string.h>

static void print_diagnostics(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        fprintf(out, "# %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

/** Behind "#" stand directives, and a line end ends the name. */
static void print_name(FILE *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '#' || *name == '\\') {
            fputc('\\', out);
        }
        fputc((unsigned char)*name < ' ' ? ' ' : *name, out);
    }
}

static void begin(struct smtp_report *report)
{
    fprintf(report->out, "TAP version 13\n1..%zu\n", report->planned);
}

static void result(struct smtp_report *report, const struct smtp_report_result *result)
{
    size_t number = report->counts[0] + report->counts[1] + report->counts[2];
    bool failed = result->outcome == SMTP_REPORT_FAILED;
    fprintf(report->out, "%s %zu - ", failed ? "not ok" : "ok", number);
    print_name(report->out, result->name);
    if (result->outcome == SMTP_REPORT_SKIPPED) {
        fprintf(report->out, " # SKIP %.*s", (int)strcspn(result->detail, "\n"), result->detail);
    }
    fputc('\n', report->out);
    if (failed) {
        print_diagnostics(report->out, result->detail);
    }
    char *dialogue = smtp_report_dialogue_text(result);
    if (dialogue != NULL) {
        print_diagnostics(report->out, dialogue);
    }
    free(dialogue);
}

static void end(struct smtp_report *report)
{
    fputs("# ", report->out);
    smtp_report_print_sum(report);
}

const struct smtp_report_form smtp_report_tap = {begin, result, end};
