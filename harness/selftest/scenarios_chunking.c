/* scenarios_chunking.c - BDAT in place of DATA (RFC 3030): chunks of every kind, and content that is not
 * text. */
#include "harness/selftest/scenarios.h"

#include <string.h>

static const char text[] = "Subject: Hi\n\n.\nHello\n";
#define TEXT_KEPT SMTP_SPAN("Subject: Hi\r\n\r\n.\r\nHello\r\n")

static bool one_chunk(struct smtp_trial *trial)
{
    /* no dot is stuffed, and no dot ends it */
    struct smtp_ends ends;
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            "C: BDAT 25 LAST\nC: Subject: Hi\nC:\nC: .\nC: Hello\n") &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, TEXT_KEPT);
}

static bool many_chunks(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.client.chunk_octets = 10;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_is_number(
               trial, "chunks of 10 octets",
               smtp_times(smtp_harness_transcript(ends.harness, 1), "C: BDAT 10\n"), 2) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            "C: BDAT 5 LAST\n") &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, TEXT_KEPT);
}

static bool data_where_chunking_is_off(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.keywords.chunking = false;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            "C: DATA\n") &&
           smtp_trial_is_status(trial, "smtp_client_bdat",
                                smtp_client_bdat(ends.client, "a", 1, true), SMTP_UNSUPPORTED,
                                ends.client) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, TEXT_KEPT);
}

/** A raw connection with EHLO, MAIL and RCPT said. */
static struct smtp_raw *open_wire(struct smtp_trial *trial, struct smtp_harness *harness)
{
    struct smtp_raw *wire = smtp_trial_wire(trial, harness);
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO c.example", "250") &&
                   smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250") &&
                   smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "250")
               ? wire
               : NULL;
}

static bool empty_last_chunk(struct smtp_trial *trial)
{
    /* RFC 3030 2: BDAT 0 LAST ends a message whose octets have all come */
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? open_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_says(trial, wire, "BDAT 4\r\na\r\nb") &&
           smtp_raw_answers(trial, wire, "250") &&
           smtp_raw_asks(trial, wire, "BDAT 0 LAST", "250") &&
           smtp_trial_count(trial, harness, 1) &&
           smtp_trial_captured(trial, harness, 0, ANN, BOB, SMTP_SPAN("a\r\nb"));
}

static bool failed_chunk_is_discarded(struct smtp_trial *trial)
{
    /* RFC 3030 2: the octets of a chunk that is refused are read all the same, so none is a command */
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO c.example", "250") &&
           smtp_raw_says(trial, wire, "BDAT 15 LAST\r\nMAIL FROM:<x>\r\n") &&
           smtp_raw_answers(trial, wire, "503") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "503") &&
           smtp_raw_asks(trial, wire, "NOOP", "250") && smtp_trial_count(trial, harness, 0);
}

static bool bdat_and_data_do_not_mix(struct smtp_trial *trial)
{
    /* RFC 3030 2: DATA after BDAT is 503; the transaction is the one that BDAT began */
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? open_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_says(trial, wire, "BDAT 3\r\na\r\n") &&
           smtp_raw_answers(trial, wire, "250") && smtp_raw_asks(trial, wire, "DATA", "503") &&
           smtp_raw_asks(trial, wire, "RSET", "250") && smtp_trial_count(trial, harness, 0);
}

static bool too_large_in_chunks(struct smtp_trial *trial)
{
    /* RFC 1870 6.3, RFC 3030 2: the chunk that goes over the limit is 552, those after it 503 */
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.limits.message_octets = 8;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? open_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_says(trial, wire, "BDAT 6\r\n123456") &&
           smtp_raw_answers(trial, wire, "250") && smtp_raw_says(trial, wire, "BDAT 6\r\n123456") &&
           smtp_raw_answers(trial, wire, "552") &&
           smtp_raw_asks(trial, wire, "BDAT 0 LAST", "503") &&
           smtp_raw_asks(trial, wire, "RSET", "250") && smtp_trial_count(trial, harness, 0);
}

static enum smtp_server_verdict refuse_spam(void *user,
                                            const struct smtp_server_session_info *session,
                                            struct smtp_message *message,
                                            struct smtp_server_reply *reply)
{
    size_t len;
    (void)user;
    (void)session;
    return strstr(smtp_message_content(message, &len), "spam") != NULL
               ? smtp_server_reply(reply, 554, "5.7.1", "not wanted")
               : SMTP_ACCEPT;
}

static bool last_chunk_refused(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.message = refuse_spam;
    options.client.chunk_octets = 6;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("Subject: spam\n"),
                           SMTP_REFUSED_PERMANENT, 554) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, TEXT_KEPT);
}

static bool binary_octets_kept(struct smtp_trial *trial)
{
    /* RFC 3030 3: no line end is repaired, none added, and every octet may come */
    struct smtp_ends ends;
    char octets[512];
    for (size_t i = 0; i < sizeof octets; i++) {
        octets[i] = (char)(unsigned char)(i % 256);
    }
    const char *to[] = {BOB};
    const struct smtp_mail_options mail = {.body = SMTP_BODY_BINARYMIME};
    const struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = to, .forward_path_count = 1, .mail = &mail};
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_is_ok(trial, "smtp_client_send",
                            smtp_client_send(ends.client, &envelope,
                                             smtp_content_memory(octets, sizeof octets), NULL),
                            ends.client) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            " BODY=BINARYMIME") &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB,
                               (struct smtp_span){octets, sizeof octets});
}

static bool binary_needs_bdat(struct smtp_trial *trial)
{
    /* RFC 3030 3: BODY=BINARYMIME and DATA is 503 */
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO c.example", "250") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN "> BODY=BINARYMIME", "250") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "250") &&
           smtp_raw_asks(trial, wire, "DATA", "503") &&
           smtp_raw_says(trial, wire, "BDAT 3 LAST\r\na\nb") &&
           smtp_raw_answers(trial, wire, "250") && smtp_trial_count(trial, harness, 1) &&
           smtp_trial_captured(trial, harness, 0, ANN, BOB, SMTP_SPAN("a\nb"));
}

static bool chunk_counts_that_are_none(struct smtp_trial *trial)
{
    /* where such a chunk ends is not known, so nothing behind it can be a command */
    static const char *const lines[] = {"BDAT", "BDAT -1", "BDAT 1x", "BDAT 99999999999999999999"};
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct smtp_raw *wire = harness != NULL ? open_wire(trial, harness) : NULL;
        if (wire == NULL || !smtp_raw_asks(trial, wire, lines[i], "50") ||
            !smtp_raw_closes(trial, wire)) {
            return false;
        }
    }
    return smtp_trial_count(trial, harness, 0);
}

static const struct smtp_scenario rows[] = {
    {"chunking", "3030 2", "the message as one BDAT LAST, no dot stuffed", one_chunk},
    {"chunking-many-chunks", "3030 2", "in chunks of 10 octets", many_chunks},
    {"chunking-off", "3030 2", "not offered: DATA", data_where_chunking_is_off},
    {"chunking-empty-last", "3030 2", "BDAT 0 LAST", empty_last_chunk},
    {"chunk-discarded", "3030 2", "503, and its octets are no commands", failed_chunk_is_discarded},
    {"bdat-then-data", "3030 2", "503", bdat_and_data_do_not_mix},
    {"bdat-wrong-count", "3030 2", "a count that is none: 501 and closed",
     chunk_counts_that_are_none},
    {"chunks-too-large", "1870 6.3", "552 for the one that is too much, then 503",
     too_large_in_chunks},
    {"last-chunk-refused", "3030 2", "554 to BDAT LAST, and the next message passes",
     last_chunk_refused},
    {"binary-mime", "3030 3", "every octet, and bare line ends, kept", binary_octets_kept},
    {"binary-mime-needs-bdat", "3030 3", "503 to DATA", binary_needs_bdat},
};
const struct smtp_scenario_table smtp_scenarios_chunking = {rows, sizeof rows / sizeof *rows};
