/* rfc4954.c - AUTH (RFC 4954). */
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/scram.h"

#include <stdlib.h>

static struct smtp_talk *begin(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_for_login(check);
    smtp_ask_needs(talk, "AUTH");
    return talk;
}

static struct smtp_talk *begin_plain(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    if (smtp_check_goes_on(check) && !smtp_ask_offers_mechanism(talk, "PLAIN")) {
        smtp_check_skip(check, "AUTH PLAIN is not offered");
    }
    return talk;
}

/** AUTH PLAIN with the suite's user. */
static void log_in_by_plain(struct smtp_talk *talk, const char *codes)
{
    const struct smtp_check_options *options = talk->check->options;
    smtp_talk_secret_line(talk, "AUTH PLAIN ",
                          smtp_ask_plain(talk->check, options->user, options->password));
    smtp_talk_expect(talk, codes);
}

/* ---- when ---- */

static void auth_twice_503(struct smtp_check *check)
{
    log_in_by_plain(smtp_ask_logged_in(check), "503");
}

/** Skips where MAIL or RCPT is refused as by those who want a login first, with 530 (RFC 4954 6) or by their policy. */
static void need_no_login(struct smtp_talk *talk)
{
    if (smtp_talk_is(talk, "530 550 554")) {
        smtp_check_skip(talk->check, "it takes no mail before a login: %s",
                        smtp_check_show(talk->check, talk->reply.octets));
    }
}

static void auth_in_transaction_503(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_talk_try(talk, "MAIL FROM:<%s> AUTH=<>", check->sender);
    need_no_login(talk);
    smtp_check_that(check, smtp_talk_is(talk, "250"), "expected 250 to MAIL with AUTH=<>, came %s",
                    smtp_check_show(check, talk->reply.octets));
    log_in_by_plain(talk, "503");
    smtp_talk_try(talk, "RCPT TO:<%s>", check->recipient);
    need_no_login(talk);
    smtp_check_that(check, smtp_talk_is(talk, "250 251"),
                    "expected 250 or 251 to RCPT after the refused AUTH, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static void auth_no_reset_without_layer(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_logged_in(check);
    smtp_talk_ask(talk, "250 4yz", "MAIL FROM:<%s>", check->sender);
}

/* ---- the exchange ---- */

static void auth_unknown_mechanism_504(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_talk_ask(talk, "504", "AUTH NOSUCH");
    smtp_talk_ask(talk, "504", "AUTH nosuch dGVzdA==");
}

static void auth_empty_challenge_space(struct smtp_check *check)
{
    struct smtp_talk *talk = begin_plain(check);
    smtp_talk_ask(talk, "334", "AUTH PLAIN");
    smtp_check_that(check, smtp_span_equal(talk->reply.octets, SMTP_SPAN("334 \r\n")),
                    "expected \"334 \\r\\n\", came %s", smtp_check_show(check, talk->reply.octets));
}

static void auth_cancel_501(struct smtp_check *check)
{
    struct smtp_talk *talk = begin_plain(check);
    smtp_talk_ask(talk, "334", "AUTH PLAIN");
    smtp_talk_ask(talk, "501", "*");
    smtp_talk_ask(talk, "334", "AUTH PLAIN");
}

static void bad_base64(struct smtp_check *check, const char *response)
{
    struct smtp_talk *talk =
        begin_plain(check); /* one each: a server may close after three failures */
    smtp_talk_ask(talk, "334", "AUTH PLAIN");
    smtp_talk_ask(talk, "501", "%s", response);
}

static void auth_bad_base64_501(struct smtp_check *check)
{
    const char *user = check->options->user;
    /* a wrong password, of a length that gives padding */
    const char *wrong =
        smtp_check_text(check, "%s%s", check->token, strlen(user) % 3 == 1 ? "x" : "");
    const char *whole = smtp_ask_plain(check, user, wrong);
    size_t len = strlen(whole), padding = len - strcspn(whole, "=");
    bad_base64(check, smtp_check_text(check, "%.4s %s", whole, whole + 4));
    bad_base64(check, smtp_check_text(check, "%.4s\t%s", whole, whole + 4));
    bad_base64(check, smtp_check_text(check, "%.4s!%s", whole, whole + 4));
    bad_base64(check, "=AAA");
    bad_base64(check, "AAA=BBB");
    bad_base64(check, smtp_check_text(check, "%.*s", (int)(len - padding), whole));
}

static void auth_initial_response_not_allowed(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    if (smtp_check_goes_on(check) && !smtp_ask_offers_mechanism(talk, "CRAM-MD5")) {
        smtp_check_skip(check, "AUTH CRAM-MD5 is not offered");
    }
    smtp_talk_ask(talk, "501", "AUTH CRAM-MD5 dGVzdA==");
}

static void auth_equals_sign_empty(struct smtp_check *check)
{
    struct smtp_talk *talk = begin_plain(check);
    smtp_talk_ask(talk, "501 535", "AUTH PLAIN =");
    if (smtp_ask_offers_mechanism(talk, "EXTERNAL")) {
        smtp_talk_ask(talk, "235 535", "AUTH EXTERNAL =");
    }
}

static const char *base64_of(struct smtp_check *check, size_t octets)
{
    char *text = smtp_check_own(check, malloc(octets), free);
    if (text == NULL) {
        return "";
    }
    memset(text, 'x', octets);
    return smtp_ask_base64(check, (struct smtp_span){text, octets});
}

static void auth_long_line(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    const char *mechanism =
        smtp_ask_offers_mechanism(talk, "OAUTHBEARER") ? "OAUTHBEARER" : "PLAIN";
    if (smtp_check_goes_on(check) && !smtp_ask_offers_mechanism(talk, mechanism)) {
        smtp_check_skip(check, "neither AUTH OAUTHBEARER nor PLAIN is offered");
    }
    smtp_talk_ask(talk, "334", "AUTH %s", mechanism);
    /* as long as the mechanism's may be (4): of PLAIN three fields of 255 octets (RFC 4616 2) */
    bool has_token = mechanism[0] == 'O';
    smtp_talk_ask(talk, "235 334 535 501", "%s", base64_of(check, has_token ? 9000 : 767));
    if (talk->reply.code == 334) {
        smtp_talk_ask(talk, "5yz", "*");
    }
    smtp_talk_ask(talk, "334", "AUTH %s", mechanism);
    smtp_talk_line(talk, "%s", base64_of(check, 75000));
    int code = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
    if (smtp_talk_is_over(talk) || code == 421) {
        smtp_check_pass(check);
    }
    smtp_check_that(check, code / 100 == 5, "expected 500 to a line of 100000 octets, came %s",
                    code != 0 ? smtp_check_show(check, talk->reply.octets) : "nothing");
    smtp_talk_line(talk, "NOOP");
    code = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
    smtp_check_that(check, code == 250 || smtp_talk_is_over(talk),
                    "expected 250 to NOOP after a line of 100000 octets, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static void auth_failure_535_retry(struct smtp_check *check)
{
    struct smtp_talk *talk = begin_plain(check);
    const char *wrong = smtp_ask_plain(check, check->options->user, check->token);
    smtp_talk_ask(talk, "535", "AUTH PLAIN %s", wrong);
    smtp_talk_ask(talk, "535", "AUTH PLAIN %s", wrong);
    log_in_by_plain(talk, "235");
}

static void scram_final_in_challenge(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    struct smtp_scram scram;
    if (smtp_scram_begin(&scram, talk, "SCRAM-SHA-256", "n,,")) {
        smtp_scram_prove(&scram, NULL);
        smtp_talk_ask(talk, "334", "%s", smtp_ask_base64(check, smtp_span_of(scram.proof)));
        smtp_check_that(check, smtp_scram_is_signed(&scram),
                        "expected the server's signature (v=) in 334, came %s",
                        smtp_check_show(check, talk->reply.octets));
        smtp_talk_ask(talk, "235", "%s", "");
    }
}

/* ---- what is offered, and what is demanded ---- */

static void auth_no_plaintext_offer_without_tls(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello_clear(check);
    smtp_ask_needs(talk, "STARTTLS");
    bool offers =
        smtp_ask_offers_mechanism(talk, "PLAIN") || smtp_ask_offers_mechanism(talk, "LOGIN");
    struct smtp_span mechanisms;
    smtp_ask_parameters(talk, "AUTH", &mechanisms);
    smtp_check_that(check, !offers, "PLAIN or LOGIN is offered in the clear: AUTH %.*s",
                    (int)mechanisms.len, mechanisms.bytes);
    smtp_talk_ask(talk, "504 530 534 538 ~5yz", "AUTH PLAIN AGV2aWwAZXZpbA==");
    smtp_ask_starttls(talk);
    smtp_ask_ehlo(talk);
    if (smtp_check_goes_on(check) && !smtp_ask_offers_mechanism(talk, "PLAIN")) {
        smtp_check_skip(check, "AUTH PLAIN is not offered inside TLS either");
    }
}

static void mail_auth_parameter(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    if (smtp_talk_try(talk, "MAIL FROM:<%s>", check->sender) != 250) {
        smtp_check_skip(check, "it does not take the sender without AUTH=: %s",
                        smtp_check_show(check, talk->reply.octets));
    }
    smtp_talk_ask(talk, "250", "RSET");
    smtp_talk_ask(talk, "250", "MAIL FROM:<%s> AUTH=<>", check->sender);
    smtp_talk_ask(talk, "250", "RSET");
    smtp_talk_ask(talk, "250", "MAIL FROM:<%s> AUTH=e+3Dmc2@example.com", check->sender);
    smtp_talk_ask(talk, "250", "RSET");
    smtp_talk_ask(talk, "5yz ~250", "MAIL FROM:<%s> AUTH=bad+zz", check->sender);
}

static void auth_required_530(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_for_login(check);
    int code = smtp_talk_try(talk, "MAIL FROM:<%s>", check->sender);
    if (code == 250 && check->options->role != SMTP_ROLE_SUBMISSION) {
        smtp_check_skip(check,
                        "it takes mail without a login; --role submission says that it must not");
    }
    smtp_check_that(check, code == 530, "expected 530 to MAIL before a login, came %s",
                    smtp_check_show(check, talk->reply.octets));
    smtp_talk_ask(talk, "250", "NOOP");
    smtp_talk_ask(talk, "250", "RSET");
    smtp_talk_ask(talk, "250", "%s", smtp_ask_ehlo_line(check));
    smtp_ask_quit(talk);
}

static const struct smtp_rule rows[] = {
    {"rfc4954/4/auth-twice-503", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "AUTH after a successful AUTH is answered 503.",
     "[creds] AUTH PLAIN ok (235), AUTH PLAIN again; 503.", auth_twice_503},
    {"rfc4954/4/auth-in-transaction-503", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "AUTH inside a mail transaction is answered 503 and the transaction goes on.",
     "[creds] MAIL AUTH=<> (if allowed without login), AUTH PLAIN; 503, then RCPT works.",
     auth_in_transaction_503},
    {"rfc4954/4/auth-unknown-mechanism-504", SMTP_MUST, 0,
     "An unknown or not permitted mechanism is answered 504 (5.5.4 should go with it). "
     "[level inferred] [known deviation: Postfix answers 535 to an unknown mechanism name "
     "(memory)]",
     "AUTH NOSUCH and AUTH nosuch with an initial response; 504 each.", auth_unknown_mechanism_504},
    {"rfc4954/4/auth-empty-challenge-space", SMTP_MUST, 0,
     "A challenge without data is 334 followed by a space; a challenge holds nothing but "
     "base64.",
     "AUTH PLAIN without initial response; reply octets are exactly 334 SP CRLF; any text "
     "fails (and breaks some clients).",
     auth_empty_challenge_space},
    {"rfc4954/4/auth-cancel-501", SMTP_MUST, 0,
     "A lone asterisk cancels the exchange and is answered 501.",
     "AUTH PLAIN, 334, send *; 501, and a new AUTH may start.", auth_cancel_501},
    {"rfc4954/4/auth-bad-base64-501", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "Undecodable base64 is answered 501 (5.5.2); foreign characters and inner padding are "
     "refused, not skipped. [known deviation: lenient decoders are common (memory)]",
     "[creds] Send the right credentials with a space, a tab, an exclamation mark, =AAA, "
     "AAA=BBB, missing padding; 501 each, never 235.",
     auth_bad_base64_501},
    {"rfc4954/4/auth-initial-response-not-allowed", SMTP_MUST, 0,
     "An initial response to a mechanism where the server speaks first is answered 501 "
     "(5.7.0). [known deviation: Exim answers 553 (source)]",
     "If CRAM-MD5 is offered: AUTH CRAM-MD5 dGVzdA==; 501.", auth_initial_response_not_allowed},
    {"rfc4954/4/auth-equals-sign-empty", SMTP_MUST, 0,
     "A single = as initial response means a present but empty response; an empty line is "
     "the same in a later response. [level inferred]",
     "AUTH PLAIN =; treated as an empty PLAIN message: 501 or 535, not a new 334 prompt; "
     "AUTH EXTERNAL = accepted as empty where offered.",
     auth_equals_sign_empty},
    {"rfc4954/4/auth-long-line", SMTP_MUST, 0,
     "Base64 lines as long as the offered mechanisms need are handled (12288 octets as "
     "yardstick); longer ones get 500 (5.5.6), not a broken session.",
     "With OAUTHBEARER send a 12000-octet response: 235, 334 or 535; then 100000 octets: "
     "one 500 reply and session in step, or close.",
     auth_long_line},
    {"rfc4954/4/auth-failure-535-retry", SMTP_SHOULD, SMTP_NEEDS_LOGIN,
     "Wrong credentials give 535 (5.7.8); the connection is not dropped before three "
     "failures (section 9).",
     "[creds] Two AUTH PLAIN with a wrong password; 535 each; then the right one gives "
     "235. A close is allowed only after the third failure.",
     auth_failure_535_retry},
    {"rfc4954/4/auth-no-reset-without-layer", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "Success without a SASL security layer does not reset the session: MAIL works without "
     "a new EHLO. [level inferred]",
     "[creds] 235, then MAIL at once; 250. A new EHLO is allowed too.",
     auth_no_reset_without_layer},
    {"rfc4954/4/scram-final-in-challenge", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "Since 235 cannot carry SASL data, the SCRAM server-final message comes in a 334 and "
     "235 only after the empty client response. [level inferred]",
     "[creds] Complete SCRAM; v= arrives base64-coded in 334; send an empty line; 235 "
     "follows.",
     scram_final_in_challenge},
    {"rfc4954/5/mail-auth-parameter", SMTP_MUST, 0,
     "The AUTH parameter of MAIL is accepted even from a client that did not log in.",
     "If AUTH is offered: MAIL FROM:<a@b> AUTH=<> and AUTH=e+3Dmc2@example.com; same reply "
     "as without; AUTH=bad+zz should be refused.",
     mail_auth_parameter},
    {"rfc4954/6/auth-required-530", SMTP_SHOULD, 0,
     "Where login is needed, commands get 530, but AUTH, EHLO, HELO, NOOP, RSET and QUIT "
     "do not; for MAIL on a submission port RFC 6409 4.3 makes it a MUST. [known "
     "deviation: Exim and Postfix set-ups often refuse at RCPT with 550 or 554 instead "
     "(memory)]",
     "Submission role without login: MAIL gives 530; NOOP, RSET, EHLO work.", auth_required_530},
    {"rfc4954/9/auth-no-plaintext-offer-without-tls", SMTP_SHOULD_NOT, 0,
     "A site does not run a configuration where PLAIN or LOGIN is offered or accepted "
     "without TLS. The SHOULD NOT stands in section 4; its MUST is that there is another "
     "configuration, which one that runs does not show.",
     "[tls] EHLO before TLS lists no PLAIN or LOGIN; AUTH PLAIN in clear text is refused "
     "(504, 530, 534 or 538); after TLS PLAIN is listed.",
     auth_no_plaintext_offer_without_tls},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc4954, rows);
