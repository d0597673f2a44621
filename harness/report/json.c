/* json.c - the form for programs: one JSON object a line, the sum as the last one. */
#include "harness/report/report.h"
#include "harness/report/text.h"
#include "harness/report/text_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

json_t *smtp_report_json_string(const char *text)
{
    json_t *string = json_string(text);
    if (string != NULL) {
        return string;
    }
    char *escaped = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&escaped, &len);
    if (out == NULL) {
        return json_null();
    }
    smtp_text_escape(out, text, strlen(text));
    fclose(out);
    string = json_string(escaped);
    free(escaped);
    return string;
}

static double ms_of(uint64_t elapsed_ns)
{
    uint64_t elapsed_us = elapsed_ns / 1000; /* precise enough */
    return (double)elapsed_us / 1000.0;
}

static void print_line(FILE *out, json_t *object)
{
    if (object != NULL) {
        json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc('\n', out);
        json_decref(object);
    }
}

static void begin(struct smtp_report *report)
{
    (void)report;
}

static void result(struct smtp_report *report, const struct smtp_report_result *result)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:f, s:o}", "name", result->name, "rfc", result->rfc, "result",
                  smtp_report_outcome_name(result->outcome), "ms", ms_of(result->elapsed_ns),
                  "detail", smtp_report_json_string(result->detail));
    char *dialogue = smtp_report_dialogue_text(result);
    if (object != NULL && dialogue != NULL) {
        json_object_set_new(object, "dialogue", smtp_report_json_string(dialogue));
    }
    free(dialogue);
    print_line(report->out, object);
}

static void end(struct smtp_report *report)
{
    print_line(report->out, json_pack("{s:I, s:I, s:I, s:f}", "passed",
                                      (json_int_t)report->counts[SMTP_REPORT_PASSED], "failed",
                                      (json_int_t)report->counts[SMTP_REPORT_FAILED], "skipped",
                                      (json_int_t)report->counts[SMTP_REPORT_SKIPPED], "ms",
                                      ms_of(report->elapsed_ns)));
}

const struct smtp_report_form smtp_report_json = {begin, result, end};
