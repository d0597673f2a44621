/* server_rfc5321_replies_test.c - the rules of RFC 5321 4.1.2 to 4.3 for servers (addresses, order, replies) can fail, and
 * hold where they are kept. */
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define OPENED "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\n"
#define BEGUN OPENED "C: MAIL ...\nS: 250 Ok\nC: RCPT ...\nS: 250 Ok\n"
#define BAD_MAIL "C: MAIL ...\nS: 501 No\n"
/* the session of tour.c up to EXPN */
#define TOUR                                                                                       \
    OPENED "C: NOOP\nS: 250 Ok\nC: HELP\nS: 214 Read\nC: VRFY ...\nS: 252 Perhaps\nC: EXPN ...\n"

static bool second_sender(struct smtp_proof_mail *mail)
{
    mail->arrival.content =
        smtp_span_of(smtp_proof_text(mail, "Return-Path: <second@example.com>\r\n%.*s",
                                     (int)mail->arrival.content.len, mail->arrival.content.bytes));
    return true;
}

static bool arrives(struct smtp_proof_mail *mail)
{
    (void)mail;
    mail->copies = 1;
    return true;
}

static void accept_bare(struct smtp_harness_options *options)
{
    options->server.bare_line_end = SMTP_BARE_ACCEPT;
}

static const struct smtp_server_proof order[] = {
    {"rfc5321/4.1.2/control-chars-in-address-501", .dialogue = OPENED "C: MAIL ...\nS: 250 Ok\n",
     .detail = "expected 501"},
    {"rfc5321/4.1.2/control-chars-in-address-501",
     .dialogue = OPENED BAD_MAIL BAD_MAIL
     "C: MAIL ...\nS: 250 Ok\nC: RCPT ...\nS: 501 No\nC: DATA\nS: 354 Go on\n",
     .detail = "expected 503 or 554; came \"354"},
    {"rfc5321/4.1.2/quoted-local-part", .faults = {"rcpt *\"*: reply 550 5.1.1"},
     .detail = "<\"ann\"@"},
    {"rfc5321/4.1.2/null-reverse-path-accepted",
     .dialogue = OPENED "C: MAIL FROM:<>\nS: 550 Spam\n", .detail = "MAIL FROM:<>",
     .right_dialogue = OPENED "C: MAIL FROM:<>\nS: 530 Log in first\n", .right_verdict = SMTP_SKIP},
    {"rfc5321/4.1.2/null-reverse-path-accepted", .with = PROOF_LOGIN, .faults = {"dot: reply 500"},
     .detail = "expected 250; came \"500",
     .right_dialogue = "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 AUTH PLAIN\n"
                       "C: AUTH PLAIN ...\nS: 535 Who?\n",
     .right_verdict = SMTP_SKIP},
    {"rfc5321/4.1.2/null-reverse-path-accepted", .with = PROOF_LOGIN,
     .faults = {"rcpt: reply 550 5.7.1"}, .detail = "expected 250 or 251; came \"550",
     .right_dialogue =
         "S: 220 a.test\nC: EHLO ...\nS: 250-a.test\nS: 250 AUTH LOGIN\n"
         "C: AUTH LOGIN\nS: 538 TLS first\nC: MAIL FROM:<>\nS: 250 Ok\nC: RCPT ...\nS: 250 Ok\n"
         "C: DATA\nS: 354 Go on\nC: ...\nC: .\nS: 250 Ok\n"},
    {"rfc5321/4.1.2/null-reverse-path-accepted", .faults = {"dot: reply 550 5.7.1"},
     .detail = "expected 250; came \"550"},
    {"rfc5321/4.1.4/second-ehlo-resets",
     .dialogue = BEGUN "C: EHLO ...\nS: 250 a.test\nC: DATA\nS: 354 Go on\n",
     .detail = "expected 503 or 554; came \"354"},
    {"rfc5321/4.1.4/second-ehlo-resets", .dialogue = BEGUN "C: EHLO ...\nS: 503 Again?\n",
     .detail = "or 550; came \"503"},
    {"rfc5321/4.1.4/refused-ehlo-keeps-state",
     .dialogue = BEGUN "C: EHLO\nS: 501 A name\nC: DATA\nS: 503 What for?\n",
     .detail = "expected 354"},
    {"rfc5321/4.1.4/ehlo-ip-mismatch-no-refusal",
     .faults = {"ehlo mail.example.net: reply 550 5.7.1"}, .detail = "mail.example.net"},
    {"rfc5321/4.1.4/inquiries-before-ehlo",
     .dialogue = "S: 220 a.test\nC: NOOP\nS: 250 Ok\nC: HELP\nS: 503 EHLO first\n",
     .detail = "HELP before EHLO"},
    {"rfc5321/4.1.4/inquiries-before-ehlo", .faults = {"any NOOP*: reply 503 5.5.1"},
     .detail = "NOOP before EHLO"},
    {"rfc5321/4.1.4/inquiries-before-ehlo", .faults = {"any EXPN*: reply 503 5.5.1"},
     .detail = "EXPN x before EHLO"},
    {"rfc5321/4.1.4/inquiries-before-ehlo", .faults = {"any VRFY*: reply 503 5.5.1"},
     .detail = "VRFY x before EHLO"},
    {"rfc5321/4.1.4/inquiries-before-ehlo", .faults = {"rset: reply 503 5.5.1"},
     .detail = "RSET before EHLO"},
    {"rfc5321/4.1.4/nested-mail-no-merge", .with = PROOF_MAILDIR, .mangle = second_sender,
     .detail = "the first sender"},
    {"rfc5321/4.1.4/bad-mail-argument-501", .dialogue = OPENED "C: MAIL FROM:<a@@b>\nS: 250 Ok\n",
     .detail = "expected 501"},
};

#define LABEL                                                                                      \
    "dddddddddddddddddddddddddddddddd"                                                             \
    "ddddddddddddddddddddddddddddddd"
#define LONG_DOMAIN LABEL "." LABEL "." LABEL "." LABEL /* 255 octets */
/* a greeting that is none, and one that is */
#define GREETING(wrong, right)                                                                     \
    {                                                                                              \
        "rfc5321/4.2/greeting-form", .dialogue = "S: 220 " wrong "\n", .detail = "a domain",       \
                                     .right_dialogue = "S: 220 " right "\n"                        \
    }

static const struct smtp_server_proof replies[] = {
    {"rfc5321/4.2/greeting-form", .dialogue = "S: 220 -- hello --\n", .detail = "a domain",
     .right_dialogue = "S: 220 localhost\n"},
    GREETING("[127.0.0.1 ESMTP", "[127.0.0.1] ESMTP"),
    GREETING("mx..example.com ESMTP", "mx.example.com ESMTP"),
    GREETING("a-.b ESMTP", "a--1.b"),
    GREETING("a.-b ESMTP", "1.b-c.2"),
    GREETING("a.b- ESMTP", "[IPv6:::1] ESMTP"),
    GREETING("a.b. ESMTP", "[ipv6:2001:db8::192.0.2.1]"),
    GREETING(".a ESMTP", "a.b ESMTP [x]"),
    GREETING("[garbage] ESMTP", "a.b ready"),
    GREETING("[127.0.0.256]", "a"),
    GREETING("[::1] ESMTP", "a"),
    GREETING("[IPv6:127.0.0.1]", "a"),
    GREETING("[] ESMTP", "a"),
    GREETING("[127.0.0.1]x", "a"),
    GREETING("under_score", "a"),
    GREETING(LONG_DOMAIN "d", LONG_DOMAIN),
    {"rfc5321/4.2/one-reply-per-command",
     .dialogue = TOUR "S: 502 No\nS: 502 No\nC: RCPT ...\nS: 503 No\nC: MAIL FROM:<unclosed\n"
                      "S: 501 No\nC: MAIL ...\nS: 250 Ok\n",
     .detail = "came \"501",
     .right_dialogue = TOUR "S: 502 No\nC: RCPT ...\nS: 503 No\nC: MAIL FROM:<unclosed\n"
                            "S: 501 No\nC: RSET\nS: 250 Ok\nC: MAIL ...\nS: 530 Log in first\n",
     .right_verdict = SMTP_SKIP},
    {"rfc5321/4.2/one-reply-per-command",
     .faults = {"rcpt *" PROOF_RECIPIENT "*: reply 252 from 2"},
     .detail = "expected 250 or 251; came \"252"},
    {"rfc5321/4.2.1/multiline-same-code", .dialogue = TOUR "S: 250-One\nS: 252 Two\n",
     .detail = "one code in all lines"},
    {"rfc5321/4.2.4/no-dead-capability", .faults = {"any VRFY*: reply 502 5.5.1"},
     .detail = "VRFY"},
    {"rfc5321/4.2.4/unknown-command-500", .faults = {"any XYZZY: reply 502 5.5.1"},
     .detail = "expected 500; came \"502"},
    {"rfc5321/4.2.5/refused-data-not-delivered", .with = PROOF_MAILDIR | PROOF_REFUSES,
     .spoil = accept_bare, .mangle = arrives, .detail = "of a refused message"},
    {"rfc5321/4.3.2/reply-code-range", .dialogue = TOUR "S: 600 No\n",
     .detail = "expected codes from 2yz to 5yz, came \"600"},
    {"rfc5321/4.3.2/reply-code-range", .dialogue = TOUR "S: 250-One\nS: 650 Two\n",
     .detail = "codes from 2yz to 5yz, came \"650"},
};

TEST_WITHIN(server_rfc5321_4_1,
            each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not, 60)
{
    SMTP_SERVER_PROOFS_HOLD(order);
}

TEST_WITHIN(server_rfc5321_4_2,
            each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not, 60)
{
    SMTP_SERVER_PROOFS_HOLD(replies);
}
