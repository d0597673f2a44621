/* scenarios_lmtp.c - LMTP (RFC 2033): LHLO, and an answer for each recipient once the content has come. */
#include "harness/selftest/scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char text[] = "Subject: Hi\n\nHello\n";
#define TEXT_KEPT SMTP_SPAN("Subject: Hi\r\n\r\nHello\r\n")

static void lmtp_options(struct smtp_harness_options *options)
{
    static const char *const listen[] = {"lmtp://127.0.0.1:0"};
    smtp_trial_options(options);
    options->server.listen = listen;
    options->server.listen_count = 1;
}

/** After the content: no for carol, the mailbox is full. */
static enum smtp_server_verdict refuse_carol(void *user,
                                             const struct smtp_server_session_info *session,
                                             struct smtp_message *message,
                                             struct smtp_server_reply *reply)
{
    (void)user;
    for (size_t i = 0; i < smtp_message_recipient_count(message) && session->lmtp; i++) {
        if (strcmp(smtp_message_forward_path(message, i), CAROL) == 0) {
            (void)smtp_server_reply(&reply[i], 452, "4.2.2", "mailbox full");
        }
    }
    return SMTP_ACCEPT;
}

static enum smtp_server_verdict refuse_all(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)message;
    return smtp_server_reply(reply, 554, "5.7.1", "not wanted");
}

/** Sends to bob, carol and dave; what became of carol and of the others. */
static bool sends_to_three(struct smtp_trial *trial, struct smtp_client *client,
                           enum smtp_status all, enum smtp_status of_carol,
                           enum smtp_status of_others)
{
    const char *to[] = {BOB, CAROL, DAVE};
    const struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = to, .forward_path_count = 3};
    const struct smtp_send_result *result = NULL;
    enum smtp_status status = smtp_client_send(client, &envelope, smtp_content_text(text), &result);
    if (!smtp_trial_is_status(trial, "smtp_client_send", status, all, client)) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        const struct smtp_recipient_result *one = &result->recipients[i];
        enum smtp_status expected = i == 1 ? of_carol : of_others;
        if (!smtp_trial_is_status(trial, one->forward_path, one->status, expected, NULL) ||
            !smtp_trial_is_text(trial, "the stage", smtp_client_stage_name(one->stage),
                                smtp_client_stage_name(SMTP_STAGE_DOT))) {
            return false;
        }
    }
    return true;
}

static bool delivery(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    lmtp_options(&options);
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_holds(trial, "the URL", smtp_harness_url(ends.harness),
                            "lmtp://127.0.0.1:") &&
           sends_to_three(trial, ends.client, SMTP_OK, SMTP_OK, SMTP_OK) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            "C: LHLO ") &&
           smtp_trial_expect(trial, ends.harness, "protocol=LMTP count=1") &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB " " CAROL " " DAVE, TEXT_KEPT);
}

/** One refused after the content, by DATA or by BDAT; then a second message over the same session. */
static bool partly_refused(struct smtp_trial *trial, bool chunking)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    lmtp_options(&options);
    options.server.hooks.message = refuse_carol;
    options.client.chunking = chunking;
    return smtp_trial_open(trial, &options, &ends) &&
           sends_to_three(trial, ends.client, SMTP_PARTLY_REFUSED, SMTP_REFUSED_TRANSIENT,
                          SMTP_OK) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            chunking ? " LAST\n" : "C: DATA\n") &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 2);
}

static bool partly_refused_after_data(struct smtp_trial *trial)
{
    return partly_refused(trial, false);
}

static bool partly_refused_after_bdat(struct smtp_trial *trial)
{
    return partly_refused(trial, true);
}

static bool refused_for_all(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    lmtp_options(&options);
    options.server.hooks.message = refuse_all;
    return smtp_trial_open(trial, &options, &ends) &&
           sends_to_three(trial, ends.client, SMTP_REFUSED_PERMANENT, SMTP_REFUSED_PERMANENT,
                          SMTP_REFUSED_PERMANENT) &&
           smtp_trial_is_number(
               trial, "refusals",
               smtp_times(smtp_harness_transcript(ends.harness, 1), "S: 554 5.7.1 not wanted"),
               3) &&
           smtp_trial_count(trial, ends.harness, 0);
}

static bool hello_of_the_other(struct smtp_trial *trial)
{
    /* RFC 2033 4.1: LHLO in place of HELO and EHLO; each is 500 where the other is spoken */
    struct smtp_harness_options options;
    lmtp_options(&options);
    struct smtp_harness *lmtp = smtp_trial_harness(trial, &options);
    struct smtp_harness *smtp = smtp_trial_harness(trial, NULL);
    struct smtp_raw *to_lmtp = lmtp != NULL ? smtp_trial_wire(trial, lmtp) : NULL;
    struct smtp_raw *to_smtp = smtp != NULL ? smtp_trial_wire(trial, smtp) : NULL;
    return to_lmtp != NULL && to_smtp != NULL &&
           smtp_raw_asks(trial, to_lmtp, "EHLO c.example", "500") &&
           smtp_raw_asks(trial, to_lmtp, "HELO c.example", "500") &&
           smtp_raw_asks(trial, to_lmtp, "LHLO c.example", "250") &&
           smtp_raw_asks(trial, to_smtp, "LHLO c.example", "500") &&
           smtp_raw_asks(trial, to_smtp, "EHLO c.example", "250");
}

static bool no_recipient_no_reply(struct smtp_trial *trial)
{
    /* RFC 2033 4.2: with no recipient DATA is 503, and there is nothing to answer for */
    struct smtp_harness_options options;
    lmtp_options(&options);
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "LHLO c.example", "250") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250") &&
           smtp_raw_asks(trial, wire, "DATA", "503") && smtp_raw_asks(trial, wire, "NOOP", "250") &&
           smtp_trial_count(trial, harness, 0);
}

static void remove_file(void *path)
{
    unlink(path);
    free(path);
}

static bool over_a_unix_socket(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    char url[64];
    char *path = NULL;
    if (asprintf(&path, "/tmp/smtp-harness-lmtp-%ld", (long)getpid()) < 0 ||
        smtp_trial_own(trial, path, remove_file) == NULL) {
        return false;
    }
    snprintf(url, sizeof url, "lmtp://unix:%s", path);
    const char *const listen[] = {url};
    smtp_trial_options(&options);
    options.server.listen = listen;
    options.server.listen_count = 1;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_text(trial, "the URL", smtp_harness_url(ends.harness), url) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text(text), SMTP_OK, 250) &&
           smtp_trial_expect(trial, ends.harness, "protocol=LMTP count=1");
}

static const struct smtp_scenario rows[] = {
    {"lmtp", "2033 4.1", "LHLO, three recipients, three replies", delivery},
    {"lmtp-partly-refused-data", "2033 4.2", "one of three refused after the dot",
     partly_refused_after_data},
    {"lmtp-partly-refused-bdat", "2033 4.3", "one of three refused after BDAT LAST",
     partly_refused_after_bdat},
    {"lmtp-refused-for-all", "2033 4.2", "a refusal for each recipient", refused_for_all},
    {"lmtp-no-recipient", "2033 4.2", "DATA is 503", no_recipient_no_reply},
    {"lmtp-hello", "2033 4.1", "EHLO is 500 there, LHLO is 500 elsewhere", hello_of_the_other},
    {"lmtp-unix-socket", "2033", "lmtp://unix:PATH", over_a_unix_socket},
};
const struct smtp_scenario_table smtp_scenarios_lmtp = {rows, sizeof rows / sizeof *rows};
