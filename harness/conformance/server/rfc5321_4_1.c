/* rfc5321_4_1.c - addresses, and the order of commands (RFC 5321 4.1.2, 4.1.4). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"

/* ---- 4.1.2: what an argument may be ---- */

static void control_chars_in_address_501(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_put_literal(talk, "MAIL FROM:<a\0b@example.com>\r\n");
    smtp_talk_expect(talk, "501 ~5yz");
    smtp_talk_put_literal(talk, "MAIL FROM:<a\x7f@example.com>\r\n");
    smtp_talk_expect(talk, "501 ~5yz");
    smtp_ask_mail(talk);
    smtp_talk_ask(talk, "501 ~5yz",
                  "RCPT TO:<a\x01"
                  "b@%s>",
                  check->domain);
    smtp_talk_ask(talk, "503 554", "DATA");
}

/** Its local part between double quotes, with a backslash before its second octet where `escaped`. */
static const char *quoted(struct smtp_check *check, const char *address, bool escaped)
{
    size_t at = strcspn(address, "@");
    return at > 1 && escaped ? smtp_check_text(check, "\"%.1s\\%.*s\"%s", address, (int)at - 1,
                                               address + 1, address + at)
                             : smtp_check_text(check, "\"%.*s\"%s", (int)at, address, address + at);
}

static void quoted_local_part(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    if (smtp_check_goes_on(check) && check->recipient[0] == '"') {
        smtp_check_skip(check, "the recipient is quoted already");
    }
    smtp_ask_begin(talk);
    smtp_talk_step(talk, "250 251", "RCPT TO:<%s>", quoted(check, check->recipient, false));
    smtp_talk_step(talk, "250 251", "RCPT TO:<%s>", quoted(check, check->recipient, true));
}

static void null_reverse_path_accepted(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_step(talk, "250", "MAIL FROM:<>");
    smtp_ask_rcpt(talk, check->recipient);
    smtp_ask_send(talk);
}

/* ---- 4.1.4: the order of commands ---- */

static void second_ehlo_resets(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_begin(talk);
    smtp_talk_ask(talk, "250 500 501 502 550", "%s", smtp_ask_ehlo_line(check));
    if (smtp_check_goes_on(check) && talk->reply.code != 250) {
        smtp_check_pass(check);
    }
    smtp_talk_ask(talk, "503 554", "DATA");
    smtp_ask_deliver(talk);
}

static void refused_ehlo_keeps_state(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_begin(talk);
    if (smtp_talk_try(talk, check->options->lmtp ? "LHLO" : "EHLO") == 250) {
        smtp_check_skip(check, "it takes EHLO without an argument");
    }
    smtp_ask_send(talk);
}

static void ehlo_ip_mismatch_no_refusal(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_fresh(check);
    smtp_talk_ask(talk, "250",
                  check->options->lmtp ? "LHLO mail.example.net" : "EHLO mail.example.net");
    smtp_ask_keep_keywords(talk);
    smtp_ask_log_in_if_told(talk);
    smtp_ask_deliver(talk);
}

static void inquiries_before_ehlo(struct smtp_check *check)
{
    static const char *const inquiries[] = {"NOOP", "HELP", "EXPN x", "VRFY x", "RSET"};
    struct smtp_talk *talk = smtp_ask_fresh(check);
    for (size_t i = 0; i < sizeof inquiries / sizeof *inquiries; i++) {
        smtp_talk_try(talk, "%s", inquiries[i]);
        smtp_check_that(check, talk->reply.code != 503,
                        "expected %s before EHLO to be served, came %s", inquiries[i],
                        smtp_check_show(check, talk->reply.octets));
    }
}

/** The first transaction is still there, its sender too. */
static void first_goes_on(struct smtp_talk *talk, const char *second)
{
    struct smtp_check *check = talk->check;
    smtp_ask_send(talk);
    struct smtp_arrival arrival;
    if (!smtp_arrivals_wait(check, &arrival)) {
        return;
    }
    const char *returned = smtp_check_text(check, "Return-Path: <%s>", second);
    bool is_seen = arrival.mail.len > 0;
    smtp_check_that(check, !is_seen || !smtp_span_has(arrival.mail, second),
                    "expected the first sender, came %s", smtp_check_show(check, arrival.mail));
    smtp_check_that(check, !smtp_span_has(arrival.content, returned),
                    "expected the first sender, came the second");
}

static void nested_mail_no_merge(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    const char *second = smtp_ask_sender(check, "second");
    smtp_ask_begin(talk);
    smtp_talk_ask(talk, "250 503", "MAIL FROM:<%s>", second);
    if (talk->reply.code == 503) {
        first_goes_on(talk, second);
    } else {
        smtp_talk_ask(talk, "503 554", "DATA");
    }
}

static void bad_mail_argument_501(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_ask(talk, "501 ~5yz", "MAIL FROM:<a@@b>");
    smtp_talk_ask(talk, "501 ~5yz", "MAIL FROM:<unclosed");
    smtp_talk_ask(talk, "503", "RCPT TO:<%s>", check->recipient);
    smtp_ask_mail(talk);
}

static const struct smtp_rule rows[] = {
    {"rfc5321/4.1.2/control-chars-in-address-501", SMTP_MUST, 0,
     "A command with character codes that the syntax forbids is refused with 501.",
     "RCPT TO:<a(01)b@local> and MAIL with a NUL or DEL inside the address; expect 501 "
     "(another 5yz is reported as a wrong code) and nothing accepted.",
     control_chars_in_address_501},
    {"rfc5321/4.1.2/quoted-local-part", SMTP_MUST, 0,
     "Quoted local parts are parsed and all spellings of one local part are treated as "
     "equal.",
     "RCPT TO:<\"user\"@local> and RCPT TO:<\"u\\ser\"@local>; same reply as RCPT "
     "TO:<user@local> for a valid user.",
     quoted_local_part},
    {"rfc5321/4.1.2/null-reverse-path-accepted", SMTP_MUST, 0,
     "MAIL FROM:<> is valid and a message sent with it is accepted for a valid local "
     "mailbox. [level inferred] [known deviation: some sites refuse bounces as anti-spam "
     "policy (memory)]",
     "MAIL FROM:<>, RCPT valid, DATA, message; 250 at each step.", null_reverse_path_accepted},
    {"rfc5321/4.1.4/second-ehlo-resets", SMTP_MUST, 0,
     "A later EHLO, when accepted, resets the session: sender, recipients and data of an "
     "open transaction are dropped. Refusing it with a code other than 500, 501, 502 or "
     "550 is wrong. [known deviation: OpenSMTPD answers 503 to any second EHLO or HELO "
     "(source)]",
     "EHLO, MAIL, RCPT, EHLO (250), then DATA: expect 503 or 554, not 354; a fresh MAIL "
     "gives 250.",
     second_ehlo_resets},
    {"rfc5321/4.1.4/refused-ehlo-keeps-state", SMTP_MUST, 0,
     "An EHLO that is refused leaves the session state as it was, open transaction "
     "included.",
     "EHLO, MAIL, RCPT (250 each), then EHLO with no argument; if it is refused, DATA must "
     "still give 354. If it is accepted the case is inconclusive.",
     refused_ehlo_keeps_state},
    {"rfc5321/4.1.4/ehlo-ip-mismatch-no-refusal", SMTP_MUST_NOT, 0,
     "Mail is not refused merely because the EHLO name does not belong to the client "
     "address. [known deviation: many sites refuse on purpose through HELO checks, e.g. "
     "Exim helo_verify_hosts, off by default (source)]",
     "Introduce yourself with a well-formed name that does not map to your address; a "
     "message for a valid local mailbox is accepted.",
     ehlo_ip_mismatch_no_refusal},
    {"rfc5321/4.1.4/inquiries-before-ehlo", SMTP_SHOULD, 0,
     "NOOP, HELP, EXPN, VRFY and RSET are served before any EHLO instead of being refused "
     "with 503. [known deviation: OpenSMTPD answers RSET before HELO with 503 (source)]",
     "Right after 220 send each; a 503 is a warning.", inquiries_before_ehlo},
    {"rfc5321/4.1.4/nested-mail-no-merge", SMTP_MUST, SMTP_NEEDS_ARRIVALS,
     "A second MAIL inside an open transaction is answered 503 with the first transaction "
     "intact, or starts a clean one; recipients of the two are never mixed. [level "
     "inferred] [known deviation: qmail resets silently and answers 250 (source); the text "
     "in 3.3 and 4.1.1.2 allows that reading]",
     "[sink] MAIL a, RCPT r1, MAIL b: after 503, DATA still serves a and r1; after 250, "
     "DATA without a new RCPT must not give 354 for r1.",
     nested_mail_no_merge},
    {"rfc5321/4.1.4/bad-mail-argument-501", SMTP_MUST, 0,
     "A MAIL argument that is not acceptable as syntax is answered 501 and no transaction "
     "is opened. [known deviation: 555 instead of 501 from qmail (source) and Gmail "
     "(memory)]",
     "Send MAIL FROM:<a@@b> and MAIL FROM:<unclosed; expect 501 each, then RCPT gives 503, "
     "then a correct MAIL gives 250. Other 5yz codes are reported as a wrong code.",
     bad_mail_argument_501},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_4_1, rows);
