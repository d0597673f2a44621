/* expectation_fuzz.c - the notation of expectations: any text is read or refused with a reason; what is read can be held against
 * a message and explained, and a text without a regular expression is read again as the same. Regular expressions with
 * repeated groups are left out: the C library's own compiler of them takes as long and as much as it likes. */
#include "harness/expect.h"
#include "harness/expect_term.h"
#include "tests/fuzz/captured.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static const char letter[] =
    "From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nSubject: Welcome\r\n"
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    "--b\r\nContent-Type: text/csv; name=a.csv\r\n"
    "Content-Disposition: attachment; filename=a.csv\r\n\r\n1,2\r\n--b--\r\n";

static bool is_costly(const char *text)
{
    size_t repeats = 0;
    for (const char *at = text; *at != '\0'; at++) {
        repeats += *at == '{' || *at == '*' || *at == '+' || *at == '(' || *at == '?';
    }
    return repeats > 6 || strlen(text) > 400;
}

static void check_terms(const struct smtp_harness_expectation *expectation,
                        const struct smtp_harness_message *message)
{
    size_t terms = smtp_harness_expectation_terms(expectation);
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    FUZZ_HOLDS(terms <= SMTP_HARNESS_TERMS_MAX);
    FUZZ_HOLDS(smtp_harness_expectation_held(expectation, message) <= terms);
    smtp_harness_expectation_explain(expectation, message, &lines);
    FUZZ_HOLDS(terms == 0 || lines.buffer.len > 0);
    smtp_buffer_free(&lines.buffer);
    for (uint64_t matched = 0; matched < 4; matched++) {
        bool holds = smtp_harness_expectation_count_holds(expectation, matched);
        bool sure = smtp_harness_expectation_count_is_sure(expectation, matched);
        bool can = smtp_harness_expectation_count_can_hold(expectation, matched);
        FUZZ_HOLDS(!sure || holds);
        FUZZ_HOLDS(!holds || can);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    struct smtp_harness_expectation *expectation = NULL;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    char *text = fuzz_text(fuzz_rest(&input));
    if (!is_costly(text)) {
        enum smtp_status status = smtp_harness_expectation_parse(text, &expectation, &why);
        if (status == SMTP_OK) {
            struct smtp_harness_message *message = fuzz_captured(SMTP_SPAN(letter));
            FUZZ_HOLDS(smtp_harness_expectation_terms(expectation) == 0 ||
                       strcmp(smtp_harness_expectation_text(expectation), text) == 0);
            check_terms(expectation, message);
            smtp_harness_message_free(message);
            smtp_harness_expectation_free(expectation);
        } else {
            FUZZ_HOLDS(status == SMTP_BAD_ARGUMENT && why.buffer.len > 0);
        }
    }
    smtp_buffer_free(&why.buffer);
    free(text);
    return 0;
}
