/* record_fuzz.c - a session written as a dialogue: whatever was said, in whatever order, the file is one that can be read. */
#include "harness/dialogue/steps.h"
#include "harness/record.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

/* Each part is an octet that says what it is, and text up to LF. The first is a greeting: of a session in which nothing was said
 * there is nothing to play. */
static void hear(struct smtp_harness_transcript *transcript, struct fuzz_input *input)
{
    static const enum smtp_server_log_kind kinds[] = {SMTP_LOG_COMMAND, SMTP_LOG_REPLY,
                                                      SMTP_LOG_CONTENT, SMTP_LOG_NOTE,
                                                      SMTP_LOG_TLS,     SMTP_LOG_CLOSE};
    bool closed = false;
    const struct smtp_server_log_entry connected = {
        .kind = SMTP_LOG_CONNECT, .text = "127.0.0.1:1", .len = 11};
    smtp_harness_transcript_add(transcript, &connected);
    const struct smtp_server_log_entry greeting = {
        .kind = SMTP_LOG_REPLY, .text = "220 mx.test", .len = 11};
    smtp_harness_transcript_add(transcript, &greeting);
    while (input->len > 0 && !closed) {
        unsigned bits = fuzz_octet(input);
        struct smtp_server_log_entry entry = {.kind = kinds[bits % 6],
                                              .pipelined = (bits & 128) != 0};
        struct smtp_span text = fuzz_part(input, '\n');
        if (entry.kind == SMTP_LOG_CONTENT && (bits & 64) == 0) { /* with its LF */
            text.len += text.len > 0 && input->len > 0;
        }
        if (entry.kind == SMTP_LOG_TLS) { /* which nothing but such a reply leads to */
            smtp_harness_transcript_add(transcript, &greeting);
        }
        char *copy = fuzz_copy(text);
        entry.text = copy;
        entry.len = text.len;
        smtp_harness_transcript_add(transcript, &entry);
        free(copy);
        closed = entry.kind == SMTP_LOG_CLOSE;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    struct smtp_harness_transcript *transcript = smtp_harness_transcript_new();
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    struct smtp_dialogue *dialogue = NULL;
    FUZZ_HOLDS(transcript != NULL);
    hear(transcript, &input);
    char *text = smtp_harness_record_text(transcript),
         *told = smtp_harness_transcript_text(transcript);
    FUZZ_HOLDS(text != NULL && told != NULL);
    enum smtp_status status = smtp_dialogue_parse(&dialogue, "x.smtp", smtp_span_of(text), &why);
    char *reason = smtp_harness_lines_take(&why);
    if (status != SMTP_OK) {
        fprintf(stderr, "%s\n%s\n", text, reason);
        fuzz_breach(__FILE__, __LINE__, "what was written cannot be read");
    }
    smtp_dialogue_free(dialogue);
    free(reason);
    free(text);
    free(told);
    smtp_harness_transcript_free(transcript);
    return 0;
}
