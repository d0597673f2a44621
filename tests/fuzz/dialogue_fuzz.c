/* dialogue_fuzz.c - the dialogue notation: any text is read or refused with a reason that names a place; a line that is sent is
 * what the same line expects. */
#include "harness/dialogue/match.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

/* What a line sends is what it matches, and it learns nothing new of what it said itself. */
static void check_line(const struct smtp_dialogue *dialogue, const struct smtp_dialogue_step *step,
                       struct smtp_dialogue_names *names)
{
    const struct smtp_dialogue_part *parts = smtp_dialogue_parts(dialogue, step);
    struct smtp_buffer out = SMTP_BUFFER((size_t)1 << 20);
    struct smtp_span unknown = {"", 0};
    bool plain = true;
    for (size_t i = 0; i < step->part_count; i++) {
        plain = plain && parts[i].kind == SMTP_DIALOGUE_LITERAL;
    }
    enum smtp_status status = smtp_dialogue_render(dialogue, step, names, &out, &unknown);
    FUZZ_HOLDS(status == SMTP_OK || !plain);
    if (status == SMTP_OK && out.len > 0) {
        size_t len = 0;
        enum smtp_dialogue_match match =
            smtp_dialogue_match(dialogue, step, names, smtp_buffer_span(&out), true, &len);
        FUZZ_HOLDS(len <= out.len);
        FUZZ_HOLDS(!plain || (match == SMTP_DIALOGUE_MATCHES && len == out.len));
        len = 0;
        struct smtp_span half = {smtp_buffer_span(&out).bytes, out.len / 2};
        match = smtp_dialogue_match(dialogue, step, names, half, false, &len);
        FUZZ_HOLDS(!plain || step->has_crlf || match != SMTP_DIALOGUE_DIFFERS);
        FUZZ_HOLDS(len <= half.len);
    }
    (void)smtp_dialogue_is_open(dialogue, step, names);
    smtp_buffer_free(&out);
}

static void check_steps(const struct smtp_dialogue *dialogue)
{
    struct smtp_dialogue_names names = SMTP_DIALOGUE_NAMES;
    size_t sessions = 1;
    names.host = SMTP_SPAN("127.0.0.1");
    names.port = SMTP_SPAN("25");
    for (size_t i = 0; i < smtp_dialogue_step_count(dialogue); i++) {
        const struct smtp_dialogue_step *step = smtp_dialogue_step_at(dialogue, i);
        FUZZ_HOLDS(step->line > 0);
        sessions += step->kind == SMTP_DIALOGUE_SESSION && i > 0;
        if (step->kind == SMTP_DIALOGUE_SAY) {
            check_line(dialogue, step, &names);
        }
    }
    FUZZ_HOLDS(smtp_dialogue_session_count(dialogue) >= 1);
    FUZZ_HOLDS(smtp_dialogue_session_count(dialogue) <= sessions);
    smtp_dialogue_names_free(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    struct smtp_dialogue *dialogue = NULL;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    char *copy = fuzz_copy(fuzz_rest(&input));
    enum smtp_status status =
        smtp_dialogue_parse(&dialogue, "x.smtp", (struct smtp_span){copy, len}, &why);
    free(copy);
    char *reason = smtp_harness_lines_take(&why);
    if (status == SMTP_OK) {
        check_steps(dialogue);
        smtp_dialogue_free(dialogue);
    } else {
        FUZZ_HOLDS(status == SMTP_BAD_ARGUMENT);
        FUZZ_HOLDS(reason != NULL && strncmp(reason, "x.smtp:", 7) == 0);
        FUZZ_HOLDS(dialogue == NULL);
    }
    free(reason);
    return 0;
}
