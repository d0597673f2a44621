/* scenarios_envelope.c - the envelope: who gets a message, and each way of being refused. */
#include "harness/selftest/scenarios.h"

#include <stdio.h>
#include <string.h>

static const char text[] = "Subject: Hi\n\nHello\n";
#define TEXT_KEPT SMTP_SPAN("Subject: Hi\r\n\r\nHello\r\n")

/** Refuses by the local part: "bob" for good, "carol" for now. */
static enum smtp_server_verdict refuse_some(void *user,
                                            const struct smtp_server_session_info *session,
                                            const char *forward_path, const char *parameters,
                                            struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)parameters;
    if (strcmp(forward_path, BOB) == 0) {
        return smtp_server_reply(reply, 550, "5.1.1", "no such user");
    }
    if (strcmp(forward_path, CAROL) == 0) {
        return smtp_server_reply(reply, 450, "4.2.1", "come back later");
    }
    return SMTP_ACCEPT;
}

static bool open_refusing(struct smtp_trial *trial, struct smtp_ends *ends)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.rcpt = refuse_some;
    options.client.chunking = false; /* a chunk may be on its way before RCPT is answered */
    return smtp_trial_open(trial, &options, ends);
}

/** Sends the text to `count` recipients and hands out the result. */
static bool send_to(struct smtp_trial *trial, struct smtp_client *client, const char *const *to,
                    size_t count, enum smtp_status expected, const struct smtp_send_result **result)
{
    struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = to, .forward_path_count = count};
    enum smtp_status status = smtp_client_send(client, &envelope, smtp_content_text(text), result);
    return smtp_trial_is_status(trial, "smtp_client_send", status, expected, client) &&
           smtp_trial_is_number(trial, "results", (*result)->recipient_count, count);
}

/** What became of one recipient: its path, the stage, and the code of the reply that decided it. */
static bool result_is(struct smtp_trial *trial, const struct smtp_recipient_result *result,
                      const char *path, enum smtp_status status, enum smtp_client_stage stage,
                      int code)
{
    return smtp_trial_is_text(trial, "the recipient", result->forward_path, path) &&
           smtp_trial_is_status(trial, path, result->status, status, NULL) &&
           smtp_trial_is_text(trial, "the stage", smtp_client_stage_name(result->stage),
                              smtp_client_stage_name(stage)) &&
           smtp_trial_is_number(trial, "the code", (uint64_t)result->reply.code, (uint64_t)code);
}

static bool several_recipients(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    const struct smtp_send_result *result;
    const char *to[] = {BOB, CAROL, DAVE};
    return smtp_trial_open(trial, NULL, &ends) &&
           send_to(trial, ends.client, to, 3, SMTP_OK, &result) &&
           smtp_trial_is_number(trial, "accepted", result->accepted_count, 3) &&
           result_is(trial, &result->recipients[2], DAVE, SMTP_OK, SMTP_STAGE_DOT, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB " " CAROL " " DAVE, TEXT_KEPT);
}

static bool recipient_refused_at_once(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    const struct smtp_send_result *result;
    const char *to[] = {BOB, DAVE};
    return open_refusing(trial, &ends) &&
           send_to(trial, ends.client, to, 2, SMTP_PARTLY_REFUSED, &result) &&
           result_is(trial, &result->recipients[0], BOB, SMTP_REFUSED_PERMANENT, SMTP_STAGE_RCPT,
                     550) &&
           smtp_trial_is_text(trial, "its text", result->recipients[0].reply.text,
                              "no such user") &&
           smtp_trial_is_number(trial, "its enhanced detail",
                                (uint64_t)result->recipients[0].reply.enhanced.detail, 1) &&
           result_is(trial, &result->recipients[1], DAVE, SMTP_OK, SMTP_STAGE_DOT, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, DAVE, TEXT_KEPT);
}

static bool recipient_refused_for_now(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    const struct smtp_send_result *result;
    const char *to[] = {DAVE, CAROL};
    return open_refusing(trial, &ends) &&
           send_to(trial, ends.client, to, 2, SMTP_PARTLY_REFUSED, &result) &&
           result_is(trial, &result->recipients[0], DAVE, SMTP_OK, SMTP_STAGE_DOT, 250) &&
           result_is(trial, &result->recipients[1], CAROL, SMTP_REFUSED_TRANSIENT, SMTP_STAGE_RCPT,
                     450) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, DAVE, TEXT_KEPT);
}

static bool all_recipients_refused(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    const struct smtp_send_result *result;
    const char *mixed[] = {BOB, CAROL}, *gone[] = {BOB};
    /* for now: one of the two may be accepted later */
    return open_refusing(trial, &ends) &&
           send_to(trial, ends.client, mixed, 2, SMTP_REFUSED_TRANSIENT, &result) &&
           send_to(trial, ends.client, gone, 1, SMTP_REFUSED_PERMANENT, &result) &&
           smtp_trial_is_true(trial, "no content goes out",
                              strstr(smtp_harness_transcript(ends.harness, 1), "Hello") == NULL) &&
           smtp_trial_send(trial, ends.client, DAVE, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, DAVE, TEXT_KEPT);
}

static bool null_reverse_path(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    const char *to[] = {BOB};
    struct smtp_envelope envelope = {.forward_paths = to, .forward_path_count = 1};
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_is_status(
               trial, "smtp_client_send",
               smtp_client_send(ends.client, &envelope, smtp_content_text(text), NULL), SMTP_OK,
               ends.client) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, "", BOB, TEXT_KEPT);
}

static bool unusual_addresses(struct smtp_trial *trial)
{
    /* RFC 5321 4.1.2 and 4.5.1: quoted, literal, postmaster alone; case kept (2.4) */
    struct smtp_ends ends;
    const struct smtp_send_result *result;
    const char *to[] = {"\"b o b\"@example.com", "bob@[127.0.0.1]", "Postmaster",
                        "BOB+tag@Example.COM"};
    return smtp_trial_open(trial, NULL, &ends) &&
           send_to(trial, ends.client, to, 4, SMTP_OK, &result) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(
               trial, ends.harness, 0, ANN,
               "\"b o b\"@example.com bob@[127.0.0.1] Postmaster BOB+tag@Example.COM", TEXT_KEPT);
}

static bool too_many_recipients(struct smtp_trial *trial)
{
    /* RFC 5321 4.5.3.1.10: 452, and those accepted before stay */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    const struct smtp_send_result *result;
    const char *to[] = {BOB, CAROL, DAVE};
    smtp_trial_options(&options);
    options.server.limits.recipients = 2;
    options.server.keywords.limits = false; /* a client that read the limit keeps to it */
    return smtp_trial_open(trial, &options, &ends) &&
           send_to(trial, ends.client, to, 3, SMTP_PARTLY_REFUSED, &result) &&
           result_is(trial, &result->recipients[1], CAROL, SMTP_OK, SMTP_STAGE_DOT, 250) &&
           result_is(trial, &result->recipients[2], DAVE, SMTP_REFUSED_TRANSIENT, SMTP_STAGE_RCPT,
                     452) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB " " CAROL, TEXT_KEPT);
}

static bool open_small(struct smtp_trial *trial, struct smtp_ends *ends)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.limits.message_octets = 100;
    return smtp_trial_open(trial, &options, ends);
}

static bool size_refused_at_mail(struct smtp_trial *trial)
{
    /* RFC 1870 6.1: 552 to a declared size that is too much; a client that read the limit in the
     * EHLO reply does not even ask */
    struct smtp_ends ends;
    char large[200];
    memset(large, 'x', sizeof large);
    return open_small(trial, &ends) &&
           smtp_trial_is_status(trial, "MAIL with SIZE=101",
                                smtp_client_mail(ends.client, ANN, "SIZE=101"),
                                SMTP_REFUSED_PERMANENT, ends.client) &&
           smtp_trial_is_number(trial, "its code", (uint64_t)smtp_client_reply(ends.client)->code,
                                552) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_memory(large, sizeof large),
                           SMTP_UNSUPPORTED, 0) &&
           smtp_trial_is_true(trial, "no content goes out",
                              strstr(smtp_harness_transcript(ends.harness, 1), "xxxx") == NULL) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, TEXT_KEPT);
}

/** 200 octets, without saying so before. */
static ssize_t read_large(void *user, char *bytes, size_t capacity)
{
    size_t *left = user;
    size_t len = *left < capacity ? *left : capacity;
    memset(bytes, 'x', len);
    *left -= len;
    return (ssize_t)len;
}

static bool size_refused_after_content(struct smtp_trial *trial)
{
    /* RFC 1870 4: no size was declared, so the content itself shows it */
    struct smtp_ends ends;
    size_t left = 200;
    return open_small(trial, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_callback(read_large, &left),
                           SMTP_REFUSED_PERMANENT, 552) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, TEXT_KEPT);
}

static enum smtp_server_verdict refuse_message(void *user,
                                               const struct smtp_server_session_info *session,
                                               struct smtp_message *message,
                                               struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    size_t len;
    if (strstr(smtp_message_content(message, &len), "spam") != NULL) {
        return smtp_server_reply(reply, 554, "5.7.1", "not wanted");
    }
    return SMTP_ACCEPT;
}

static bool content_refused_by_hook(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.message = refuse_message;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("Subject: spam\n\n"),
                           SMTP_REFUSED_PERMANENT, 554) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, TEXT_KEPT);
}

static bool send_message_bcc_removed(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    const char *message = "From: Ann <ann@example.com>\nTo: Bob <bob@example.com>\n"
                          "Cc: carol@example.com\nBcc: Dave <dave@example.com>,\n"
                          " erin@example.com\nSubject: Hi\n\nBcc: stays in the body\n";
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_is_status(
               trial, "smtp_client_send_message",
               smtp_client_send_message(ends.client, smtp_content_text(message), NULL), SMTP_OK,
               ends.client) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(
               trial, ends.harness, 0, ANN, BOB " " CAROL " " DAVE " erin@example.com",
               SMTP_SPAN("From: Ann <ann@example.com>\r\nTo: Bob <bob@example.com>\r\n"
                         "Cc: carol@example.com\r\nSubject: Hi\r\n\r\n"
                         "Bcc: stays in the body\r\n"));
}

static const struct smtp_scenario rows[] = {
    {"several-recipients", "5321 3.3", "one message, three recipients, one copy",
     several_recipients},
    {"recipient-refused-at-once", "5321 3.3", "550 for one, the message for the other",
     recipient_refused_at_once},
    {"recipient-refused-for-now", "5321 3.3", "450 for one, the message for the other",
     recipient_refused_for_now},
    {"all-recipients-refused", "5321 3.3", "nobody accepted: no content, the session goes on",
     all_recipients_refused},
    {"null-reverse-path", "5321 4.5.5", "a notification, from <>", null_reverse_path},
    {"unusual-addresses", "5321 4.1.2", "quoted, literal, postmaster alone, upper case",
     unusual_addresses},
    {"too-many-recipients-452", "5321 4.5.3.1.10",
     "beyond the limit 452; the others get the message", too_many_recipients},
    {"size-refused-at-mail", "1870 6.1", "a declared size beyond the limit: 552 to MAIL",
     size_refused_at_mail},
    {"size-refused-after-content", "1870 6.3", "an undeclared one: 552 after the dot",
     size_refused_after_content},
    {"content-refused-by-hook", "5321 4.2.5", "554 after the dot, and the next message passes",
     content_refused_by_hook},
    {"send-message-bcc-removed", "5322 3.6.3", "envelope from the header; Bcc is not sent",
     send_message_bcc_removed},
};
const struct smtp_scenario_table smtp_scenarios_envelope = {rows, sizeof rows / sizeof *rows};
