/* checks.c - the comparisons of a scenario: what was expected, what came, and where the two part.
 * Does not know how the ends are made. */
#include "harness/report/text.h"
#include "harness/selftest/trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCERPT_OCTETS 48 /* enough to recognise a place by */

bool smtp_trial_is_true(struct smtp_trial *trial, const char *what, bool held)
{
    return held || smtp_trial_fail(trial, "%s: expected to hold, does not", what);
}

bool smtp_trial_is_number(struct smtp_trial *trial, const char *what, uint64_t came,
                          uint64_t expected)
{
    return came == expected ||
           smtp_trial_fail(trial, "%s\n  expected  %" PRIu64 "\n  came      %" PRIu64, what,
                           expected, came);
}

/** Fails with two excerpts, escaped. */
static bool fail_with(struct smtp_trial *trial, const char *what, struct smtp_span came,
                      struct smtp_span expected)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return smtp_trial_fail(trial, "%s: not as expected", what);
    }
    fprintf(out, "%s\n  expected  ", what);
    smtp_text_escape(out, expected.bytes, expected.len);
    fputs("\n  came      ", out);
    smtp_text_escape(out, came.bytes, came.len);
    fclose(out);
    smtp_trial_fail(trial, "%s", text);
    free(text);
    return false;
}

bool smtp_trial_is_text(struct smtp_trial *trial, const char *what, const char *came,
                        const char *expected)
{
    if (came == NULL) {
        came = "(nothing)";
    }
    return strcmp(came, expected) == 0 ||
           fail_with(trial, what, smtp_span_of(came), smtp_span_of(expected));
}

bool smtp_trial_holds(struct smtp_trial *trial, const char *what, const char *came,
                      const char *expected_part)
{
    if (came != NULL && strstr(came, expected_part) != NULL) {
        return true;
    }
    char expected[256];
    snprintf(expected, sizeof expected, "something with \"%s\"", expected_part);
    return fail_with(trial, what, smtp_span_of(came != NULL ? came : "(nothing)"),
                     smtp_span_of(expected));
}

static struct smtp_span excerpt(struct smtp_span span, size_t at)
{
    size_t from = at > EXCERPT_OCTETS / 4 ? at - EXCERPT_OCTETS / 4 : 0;
    size_t left = span.len > from ? span.len - from : 0;
    return (struct smtp_span){span.bytes + (left > 0 ? from : 0),
                              left < EXCERPT_OCTETS ? left : EXCERPT_OCTETS};
}

bool smtp_trial_is_octets(struct smtp_trial *trial, const char *what, struct smtp_span came,
                          struct smtp_span expected)
{
    if (smtp_span_equal(came, expected)) {
        return true;
    }
    size_t at = 0;
    while (at < came.len && at < expected.len && came.bytes[at] == expected.bytes[at]) {
        at++;
    }
    char where[160];
    snprintf(where, sizeof where, "%s: %zu octets where %zu were expected; they part at octet %zu",
             what, came.len, expected.len, at);
    return fail_with(trial, where, excerpt(came, at), excerpt(expected, at));
}

bool smtp_trial_is_status(struct smtp_trial *trial, const char *what, enum smtp_status came,
                          enum smtp_status expected, const struct smtp_client *client)
{
    if (came == expected) {
        return true;
    }
    const char *message = client != NULL ? smtp_client_error(client)->message : "";
    return smtp_trial_fail(trial, "%s\n  expected  %s\n  came      %s%s%s", what,
                           smtp_status_name(expected), smtp_status_name(came),
                           message[0] != '\0' ? ": " : "", message);
}

bool smtp_trial_is_ok(struct smtp_trial *trial, const char *what, enum smtp_status came,
                      const struct smtp_client *client)
{
    return smtp_trial_is_status(trial, what, came, SMTP_OK, client);
}

size_t smtp_times(const char *text, const char *part)
{
    size_t times = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        times++;
    }
    return times;
}

/* ---- raw octets ---- */

bool smtp_raw_says(struct smtp_trial *trial, struct smtp_raw *wire, const char *text)
{
    return smtp_trial_is_status(trial, "writing raw octets", smtp_raw_say(wire, text, strlen(text)),
                                SMTP_OK, NULL);
}

bool smtp_raw_answers(struct smtp_trial *trial, struct smtp_raw *wire, const char *code)
{
    struct smtp_span reply;
    char what[64];
    snprintf(what, sizeof what, "a reply that begins with %s", code);
    if (!smtp_trial_is_status(trial, what, smtp_raw_hear_reply(wire, &reply), SMTP_OK, NULL)) {
        return false;
    }
    size_t len = strlen(code);
    return (reply.len >= len && memcmp(reply.bytes, code, len) == 0) ||
           fail_with(trial, "the reply", reply, smtp_span_of(code));
}

bool smtp_raw_asks(struct smtp_trial *trial, struct smtp_raw *wire, const char *line,
                   const char *code)
{
    return smtp_raw_says(trial, wire, line) && smtp_raw_says(trial, wire, "\r\n") &&
           smtp_raw_answers(trial, wire, code);
}

bool smtp_raw_closes(struct smtp_trial *trial, struct smtp_raw *wire)
{
    return smtp_trial_is_status(trial, "the end of the connection", smtp_raw_hear_close(wire),
                                SMTP_OK, NULL);
}

bool smtp_peer_heard(struct smtp_trial *trial, struct smtp_peer *peer, struct smtp_span expected)
{
    struct smtp_span heard;
    return smtp_trial_is_ok(trial, "the script", smtp_peer_finish(peer, &heard), NULL) &&
           smtp_trial_is_octets(trial, "what the peer heard", heard, expected);
}

/* ---- messages ---- */

bool smtp_trial_send(struct smtp_trial *trial, struct smtp_client *client, const char *forward_path,
                     struct smtp_content content, enum smtp_status expected, int code)
{
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = &forward_path, .forward_path_count = 1};
    const struct smtp_send_result *result = NULL;
    enum smtp_status status = smtp_client_send(client, &envelope, content, &result);
    if (!smtp_trial_is_status(trial, "smtp_client_send", status, expected, client)) {
        return false;
    }
    return code == 0 || smtp_trial_is_number(trial, "the code of the last reply",
                                             (uint64_t)result->final_reply.code, (uint64_t)code);
}

bool smtp_trial_expect(struct smtp_trial *trial, struct smtp_harness *harness,
                       const char *expectation)
{
    return smtp_harness_expect(harness, expectation) == SMTP_OK ||
           smtp_trial_fail(trial, "%s", smtp_harness_failure(harness));
}

bool smtp_trial_arrives(struct smtp_trial *trial, const struct smtp_ends *ends,
                        const char *expectation)
{
    return smtp_trial_send(trial, ends->client, "bob@example.com",
                           smtp_content_text("Subject: sealed\n\n.\n"), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends->harness, 1) &&
           smtp_trial_captured(trial, ends->harness, 0, "ann@example.com", "bob@example.com",
                               SMTP_SPAN("Subject: sealed\r\n\r\n.\r\n")) &&
           smtp_trial_expect(trial, ends->harness, expectation);
}

bool smtp_trial_count(struct smtp_trial *trial, struct smtp_harness *harness, size_t count)
{
    enum smtp_status status = smtp_harness_wait_count(harness, count);
    return smtp_trial_is_status(trial, "waiting for the messages", status, SMTP_OK, NULL) &&
           smtp_trial_is_number(trial, "messages captured",
                                smtp_mailbox_captured(smtp_harness_mailbox(harness)), count);
}

/** Every forward-path, parted by ' ', into text. */
static void join_forward_paths(const struct smtp_message *message, char *text, size_t capacity)
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < smtp_message_recipient_count(message) && len < capacity; i++) {
        len += (size_t)snprintf(text + len, capacity - len, "%s%s", i > 0 ? " " : "",
                                smtp_message_forward_path(message, i));
    }
}

bool smtp_trial_captured(struct smtp_trial *trial, struct smtp_harness *harness, size_t i,
                         const char *reverse_path, const char *forward_paths,
                         struct smtp_span content)
{
    const struct smtp_harness_message *captured = smtp_harness_message(harness, i);
    if (captured == NULL) {
        return smtp_trial_fail(trial, "message %zu was not captured", i + 1);
    }
    const struct smtp_message *message = smtp_harness_envelope(captured);
    char paths[1024];
    struct smtp_span octets;
    join_forward_paths(message, paths, sizeof paths);
    octets.bytes = smtp_message_content(message, &octets.len);
    return smtp_trial_is_text(trial, "the reverse-path", smtp_message_reverse_path(message),
                              reverse_path) &&
           smtp_trial_is_text(trial, "the forward-paths", paths, forward_paths) &&
           smtp_trial_is_octets(trial, "the content", octets, content);
}
