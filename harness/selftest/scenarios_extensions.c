/* scenarios_extensions.c - what a message can ask for beyond being delivered, from the client's options to what
 * was captured; each where it is offered and where it is not. */
#include "harness/selftest/scenarios.h"

#include <stdio.h>
#include <string.h>

static const char text[] = "Subject: Hi\n\nHello\n";
#define TEXT_KEPT SMTP_SPAN("Subject: Hi\r\n\r\nHello\r\n")

/** One message to one recipient with these options. */
static bool sends(struct smtp_trial *trial, const struct smtp_ends *ends, const char *to,
                  const struct smtp_mail_options *mail, const struct smtp_rcpt_options *rcpt,
                  enum smtp_status expected)
{
    const struct smtp_envelope envelope = {.reverse_path = ANN,
                                           .forward_paths = &to,
                                           .forward_path_count = 1,
                                           .mail = mail,
                                           .rcpt = rcpt};
    enum smtp_status status =
        smtp_client_send(ends->client, &envelope, smtp_content_text(text), NULL);
    return smtp_trial_is_status(trial, "smtp_client_send", status, expected, ends->client);
}

/** The only message has these parameters with MAIL and RCPT. */
static bool has_parameters(struct smtp_trial *trial, struct smtp_harness *harness, const char *mail,
                           const char *rcpt)
{
    if (!smtp_trial_count(trial, harness, 1) ||
        !smtp_trial_captured(trial, harness, 0, ANN, BOB, TEXT_KEPT)) {
        return false;
    }
    const struct smtp_message *message = smtp_harness_envelope(smtp_harness_message(harness, 0));
    return smtp_trial_holds(trial, "the parameters of MAIL", smtp_message_mail_parameters(message),
                            mail) &&
           smtp_trial_is_text(trial, "the parameters of RCPT",
                              smtp_message_rcpt_parameters(message, 0), rcpt);
}

/** Sent where `keywords` are on: captured with the parameters. Where they are off: not sent at all, and by
 *  whoever says it all the same, 555. */
static bool on_and_off(struct smtp_trial *trial, const struct smtp_server_keywords *on,
                       const struct smtp_server_keywords *off, const struct smtp_mail_options *mail,
                       const char *parameter)
{
    struct smtp_ends with, without;
    struct smtp_harness_options options;
    char line[200];
    smtp_trial_options(&options);
    options.server.keywords = *on;
    if (!smtp_trial_open(trial, &options, &with) ||
        !sends(trial, &with, BOB, mail, NULL, SMTP_OK) ||
        !has_parameters(trial, with.harness, parameter, "")) {
        return false;
    }
    options.server.keywords = *off;
    snprintf(line, sizeof line, "MAIL FROM:<" ANN "> %s", parameter);
    if (!smtp_trial_open(trial, &options, &without) ||
        !sends(trial, &without, BOB, mail, NULL, SMTP_UNSUPPORTED) ||
        !smtp_trial_count(trial, without.harness, 0)) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_wire(trial, without.harness);
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO c.example", "250") &&
           smtp_raw_asks(trial, wire, line, "555");
}

/** The server's default keywords, for one to be changed. */
static struct smtp_server_keywords default_keywords(void)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    return options.server.keywords;
}

static bool future_release(struct smtp_trial *trial)
{
    struct smtp_server_keywords on = default_keywords(), off = on;
    const struct smtp_mail_options mail = {.hold_for_s = 3600};
    on.future_release = true;
    return on_and_off(trial, &on, &off, &mail, "HOLDFOR=3600");
}

static bool deliver_by(struct smtp_trial *trial)
{
    struct smtp_server_keywords on = default_keywords(), off = on;
    const struct smtp_mail_options mail = {
        .deliver_by = SMTP_DELIVER_BY_NOTIFY, .deliver_by_trace = true, .deliver_by_s = 120};
    on.deliver_by = true;
    return on_and_off(trial, &on, &off, &mail, "BY=120;NT");
}

static bool mt_priority(struct smtp_trial *trial)
{
    struct smtp_server_keywords on = default_keywords(), off = on;
    const struct smtp_mail_options mail = {.has_priority = true, .priority = -4};
    on.mt_priority = true;
    return on_and_off(trial, &on, &off, &mail, "MT-PRIORITY=-4");
}

static bool dsn_return(struct smtp_trial *trial)
{
    struct smtp_server_keywords on = default_keywords(), off = on;
    const struct smtp_mail_options mail = {.dsn_return = SMTP_DSN_RETURN_HEADERS};
    off.dsn = false;
    return on_and_off(trial, &on, &off, &mail, "RET=HDRS");
}

static bool dsn_kept_as_given(struct smtp_trial *trial)
{
    /* RFC 3461 4: xtext for what is no plain ASCII, or '+' or '=' */
    struct smtp_ends ends;
    const struct smtp_mail_options mail = {.dsn_return = SMTP_DSN_RETURN_FULL,
                                           .dsn_envelope_id = "a+b=c d"};
    const struct smtp_rcpt_options rcpt = {.notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE,
                                           .original_recipient = "b+ob@example.com"};
    return smtp_trial_open(trial, NULL, &ends) && sends(trial, &ends, BOB, &mail, &rcpt, SMTP_OK) &&
           has_parameters(trial, ends.harness, "RET=FULL ENVID=a+2Bb+3Dc+20d",
                          "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bob@example.com");
}

static bool dsn_bad_values(struct smtp_trial *trial)
{
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO c.example", "250") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<> ENVID=a+2", "501") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<> ENVID=a+2b", "501") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<> RET=ALL", "501") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<> ENVID=a RET=FULL", "250") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB "> NOTIFY=NEVER,DELAY", "501") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB "> ORCPT=bob@example.com", "501") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB "> NOTIFY=NEVER", "250");
}

static bool smtputf8(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    return smtp_trial_open(trial, NULL, &ends) &&
           sends(trial, &ends, "jörg@bücher.example", NULL, NULL, SMTP_OK) &&
           smtp_trial_expect(trial, ends.harness,
                             "to=jörg@bücher.example protocol=UTF8SMTP count=1") &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            " SMTPUTF8");
}

static bool smtputf8_off(struct smtp_trial *trial, struct smtp_ends *ends)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.keywords.smtputf8 = false;
    return smtp_trial_open(trial, &options, ends);
}

static bool a_labels(struct smtp_trial *trial)
{
    /* RFC 6531 3.2: without SMTPUTF8 a domain can be written in A-labels (RFC 5890) */
    struct smtp_ends ends;
    return smtputf8_off(trial, &ends) &&
           sends(trial, &ends, "bob@bücher.example", NULL, NULL, SMTP_OK) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, "bob@xn--bcher-kva.example", TEXT_KEPT);
}

static bool local_part_needs_smtputf8(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    return smtputf8_off(trial, &ends) &&
           sends(trial, &ends, "jörg@example.com", NULL, NULL, SMTP_UNSUPPORTED) &&
           smtp_trial_holds(trial, "the error", smtp_client_error(ends.client)->message,
                            "SMTPUTF8") &&
           sends(trial, &ends, BOB, NULL, NULL, SMTP_OK) &&
           smtp_trial_count(trial, ends.harness, 1);
}

static bool require_tls(struct smtp_trial *trial)
{
    /* RFC 8689 2: offered under TLS alone, and asked for where the certificate was verified */
    struct smtp_ends sealed, plain;
    struct smtp_harness_options options;
    const struct smtp_mail_options mail = {.require_tls = true};
    smtp_trial_tls_options(&options);
    return smtp_trial_open(trial, &options, &sealed) &&
           sends(trial, &sealed, BOB, &mail, NULL, SMTP_OK) &&
           has_parameters(trial, sealed.harness, "REQUIRETLS", "") &&
           smtp_trial_open(trial, NULL, &plain) &&
           sends(trial, &plain, BOB, &mail, NULL, SMTP_BAD_STATE) &&
           smtp_trial_count(trial, plain.harness, 0);
}

static bool limits_split(struct smtp_trial *trial)
{
    /* RFC 9422: RCPTMAX=2, five recipients, three transactions */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    const char *to[] = {"a@example.com", "b@example.com", "c@example.com", "d@example.com",
                        "e@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = to, .forward_path_count = 5};
    const struct smtp_send_result *result = NULL;
    smtp_trial_options(&options);
    options.server.limits.recipients = 2;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_ok(
               trial, "smtp_client_send",
               smtp_client_send(ends.client, &envelope, smtp_content_text(text), &result),
               ends.client) &&
           smtp_trial_is_number(trial, "results", result->recipient_count, 5) &&
           smtp_trial_is_number(trial, "accepted", result->accepted_count, 5) &&
           smtp_trial_count(trial, ends.harness, 3) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, "a@example.com b@example.com",
                               TEXT_KEPT) &&
           smtp_trial_captured(trial, ends.harness, 2, ANN, "e@example.com", TEXT_KEPT);
}

static bool mailmax(struct smtp_trial *trial)
{
    /* RFC 9422: MAILMAX=1; the client does not try a second, over a new session it goes */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.limits.messages = 1;
    if (!smtp_trial_open(trial, &options, &ends) ||
        !sends(trial, &ends, BOB, NULL, NULL, SMTP_OK) ||
        !sends(trial, &ends, BOB, NULL, NULL, SMTP_LIMIT_EXCEEDED)) {
        return false;
    }
    ends.client = smtp_harness_connect(ends.harness);
    return smtp_trial_is_true(trial, "a new session", ends.client != NULL) &&
           sends(trial, &ends, BOB, NULL, NULL, SMTP_OK) &&
           smtp_trial_count(trial, ends.harness, 2);
}

static bool auth_parameter(struct smtp_trial *trial)
{
    /* RFC 4954 5: who submitted it, in xtext */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    const struct smtp_server_user users[] = {{"ann", "secret"}};
    const struct smtp_mail_options mail = {.auth = "e+mc2@example.com"};
    smtp_trial_options(&options);
    options.server.auth.users = users;
    options.server.auth.user_count = 1;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_ok(trial, "login", smtp_client_login(ends.client, "ann", "secret"),
                            ends.client) &&
           sends(trial, &ends, BOB, &mail, NULL, SMTP_OK) &&
           has_parameters(trial, ends.harness, "AUTH=e+2Bmc2@example.com", "");
}

static bool eight_bit_not_offered(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.keywords.eight_bit_mime = false;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_ok(trial, "EHLO", smtp_client_ehlo(ends.client), ends.client) &&
           smtp_trial_is_true(trial, "neither SMTPUTF8 nor BINARYMIME is offered without 8BITMIME",
                              !smtp_client_has_extension(ends.client, "SMTPUTF8") &&
                                  !smtp_client_has_extension(ends.client, "BINARYMIME")) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("\n\xC3\xA4\n"),
                           SMTP_UNSUPPORTED, 0) &&
           smtp_trial_count(trial, ends.harness, 0);
}

static bool all_keywords_off(struct smtp_trial *trial)
{
    /* a server of RFC 5321 alone: nothing is asked for, and no reply has an enhanced code */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.keywords = (struct smtp_server_keywords){.pipelining = false};
    options.server.tls.mode = SMTP_SERVER_TLS_OFF;
    if (!smtp_trial_open(trial, &options, &ends) ||
        !sends(trial, &ends, BOB, NULL, NULL, SMTP_OK) ||
        !smtp_trial_is_status(trial, "MAIL with SIZE",
                              smtp_client_mail(ends.client, ANN, "SIZE=10"), SMTP_UNSUPPORTED,
                              ends.client) ||
        !has_parameters(trial, ends.harness, "", "")) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_wire(trial, ends.harness);
    return wire != NULL &&
           smtp_trial_is_number(trial, "enhanced codes",
                                smtp_times(smtp_harness_transcript(ends.harness, 1), " 2."), 0) &&
           smtp_raw_asks(trial, wire, "EHLO c.example", "250 ") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<> SIZE=1", "555") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<> BODY=7BIT", "555") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<> SMTPUTF8", "555") &&
           smtp_raw_asks(trial, wire, "BDAT 0 LAST", "50") &&
           smtp_raw_asks(trial, wire, "VRFY bob", "502") &&
           smtp_raw_asks(trial, wire, "EXPN list", "502") &&
           smtp_raw_asks(trial, wire, "HELP", "502");
}

static const struct smtp_scenario rows[] = {
    {"smtputf8", "6531 3.4", "an address that is not ASCII", smtputf8},
    {"smtputf8-a-labels", "5891 5", "not offered: the domain in A-labels", a_labels},
    {"smtputf8-local-part", "6531 3.2", "not offered: nothing is sent", local_part_needs_smtputf8},
    {"dsn", "3461 4", "RET, ENVID, NOTIFY and ORCPT kept as given", dsn_kept_as_given},
    {"dsn-off", "3461 4.3", "not sent, 555", dsn_return},
    {"dsn-bad-values", "3461 4", "501, xtext too", dsn_bad_values},
    {"requiretls", "8689 2", "under verified TLS alone", require_tls},
    {"limits-split", "9422", "RCPTMAX=2: five recipients in three transactions", limits_split},
    {"limits-mailmax", "9422", "MAILMAX=1: a second message needs a new session", mailmax},
    {"future-release", "4865 4", "HOLDFOR, and off: not sent, 555", future_release},
    {"deliver-by", "2852 4", "BY, and off: not sent, 555", deliver_by},
    {"mt-priority", "6710 4.1", "MT-PRIORITY, and off: not sent, 555", mt_priority},
    {"auth-parameter", "4954 5", "AUTH= of MAIL, in xtext", auth_parameter},
    {"eight-bit-not-offered", "6152 3", "8-bit content is not sent", eight_bit_not_offered},
    {"all-keywords-off", "5321 4.1.1.11", "a server without any extension", all_keywords_off},
};
const struct smtp_scenario_table smtp_scenarios_extensions = {rows, sizeof rows / sizeof *rows};
