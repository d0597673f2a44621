/* rfc2033.c - LMTP (RFC 2033). */
#include "harness/conformance/ask.h"
#include "harness/conformance/name.h"
#include "harness/conformance/rules.h"

static void lmtp_no_helo(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_fresh(check);
    smtp_talk_ask(talk, "500 ~5yz", "EHLO check.example");
    smtp_talk_ask(talk, "500 ~5yz", "HELO check.example");
    smtp_ask_ehlo(talk);
    smtp_check_that(
        check, smtp_ask_offers(talk, "PIPELINING") && smtp_ask_offers(talk, "ENHANCEDSTATUSCODES"),
        "expected PIPELINING and ENHANCEDSTATUSCODES in the reply to LHLO, came %s",
        smtp_check_show(check, talk->reply.octets));
}

static void lmtp_data_no_recipient_503(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_mail(talk);
    smtp_ask_bad_recipient(talk);
    smtp_talk_ask(talk, "503", "DATA");
}

/** RCPT a, unknown, b, a. */
static void name_recipients(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    smtp_ask_begin(talk);
    smtp_ask_bad_recipient(talk);
    smtp_ask_rcpt(talk, check->other_recipient);
    smtp_ask_rcpt(talk, check->recipient);
}

/** Three replies for a, b, a, and no more. Where a reply names another recipient than its own, it is not in order. */
static void expect_replies(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    const char *const order[] = {check->recipient, check->other_recipient, check->recipient};
    for (size_t i = 0; i < 3; i++) {
        smtp_talk_expect(talk, "250 4yz 5yz");
        const char *other =
            order[i] == check->recipient ? check->other_recipient : check->recipient;
        smtp_check_that(check,
                        !smtp_name_stands_in(talk->reply.octets, other) ||
                            smtp_name_stands_in(talk->reply.octets, order[i]),
                        "expected the reply for <%s>, came %s", order[i],
                        smtp_check_show(check, talk->reply.octets));
    }
    smtp_ask_in_step(talk);
}

static void lmtp_reply_per_recipient(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    name_recipients(talk);
    smtp_talk_step(talk, "354", "DATA");
    smtp_talk_write(talk, "%s", smtp_ask_message(check));
    expect_replies(talk);
}

static void lmtp_bdat_last_replies(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_needs(talk, "CHUNKING");
    name_recipients(talk);
    const char *header = smtp_ask_header(check);
    smtp_talk_write(talk, "BDAT %zu\r\n%s", strlen(header), header);
    smtp_talk_expect(talk, "250");
    smtp_talk_write(talk, "BDAT 9 LAST\r\nA line.\r\n");
    expect_replies(talk);
    smtp_ask_mail(talk);
    smtp_ask_bad_recipient(talk);
    smtp_talk_write(talk, "BDAT 3 LAST\r\nxyz");
    smtp_talk_ask(talk, "250", "NOOP");
    smtp_ask_quit(talk);
}

static const struct smtp_rule rows[] = {
    {"rfc2033/4.1/lmtp-no-helo", SMTP_MUST_NOT, SMTP_NEEDS_LMTP,
     "An LMTP server does not answer HELO or EHLO with 2yz; LHLO takes their place.",
     "EHLO and HELO: 500 preferred; LHLO: 250 list with PIPELINING and ENHANCEDSTATUSCODES "
     "(section 5).",
     lmtp_no_helo},
    {"rfc2033/4.2/lmtp-data-no-recipient-503", SMTP_MUST, SMTP_NEEDS_LMTP,
     "DATA with no accepted recipient is answered 503.",
     "LHLO, MAIL, RCPT unknown, DATA; 503, not 554 and not 354.", lmtp_data_no_recipient_503},
    {"rfc2033/4.2/lmtp-reply-per-recipient", SMTP_MUST, SMTP_NEEDS_LMTP | SMTP_NEEDS_OTHER,
     "After the final dot there is one reply per accepted RCPT, in order, repeats "
     "included. [level inferred]",
     "RCPT a, unknown, b, a; dot: exactly three replies in the order a, b, a; then NOOP "
     "gives one reply.",
     lmtp_reply_per_recipient},
    {"rfc2033/4.3/lmtp-bdat-last-replies", SMTP_MUST, SMTP_NEEDS_LMTP | SMTP_NEEDS_OTHER,
     "BDAT LAST yields one reply per accepted RCPT and none at all when there is none; "
     "other chunks one each. [level inferred]",
     "If CHUNKING is offered: RCPT a, unknown, b, a, then a chunk: one reply, then BDAT LAST: "
     "three replies in that order; in a new transaction with no accepted RCPT send BDAT 3 "
     "LAST plus octets, then NOOP: the only reply is that of NOOP.",
     lmtp_bdat_last_replies},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc2033, rows);
