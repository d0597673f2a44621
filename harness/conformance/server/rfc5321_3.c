/* rfc5321_3.c - the procedures: greeting, opening, transactions, VRFY, trace, errors (RFC 5321 3). */
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"

/* ---- 3.1, 3.2: the session begins ---- */

static void helo_no_extension_list(struct smtp_check *check)
{
    static const char *const keywords[] = {"SIZE",     "PIPELINING", "STARTTLS", "8BITMIME",
                                           "CHUNKING", "DSN",        "SMTPUTF8", "AUTH"};
    struct smtp_talk *talk = smtp_ask_fresh(check);
    smtp_talk_ask(talk, "250", "HELO check.example");
    for (size_t i = 1; i < talk->reply.line_count; i++) {
        struct smtp_span line = smtp_talk_text(talk, i);
        for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++) {
            size_t len = strlen(keywords[k]);
            bool is_keyword =
                line.len >= len &&
                smtp_span_equal_nocase((struct smtp_span){line.bytes, len},
                                       smtp_span_of(keywords[k])) &&
                (line.len == len || !smtp_is_letter_or_digit((unsigned char)line.bytes[len]));
            smtp_check_that(check, !is_keyword, "expected no keyword in the reply to HELO, came %s",
                            smtp_check_show(check, line));
        }
    }
}

static void reject_554_waits_for_quit(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_connect(check);
    if (smtp_talk_read(talk) != 554) {
        smtp_check_skip(check, "its greeting is not 554");
    }
    smtp_talk_stays_silent(talk, "after a greeting of 554");
    smtp_talk_ask(talk, "503 ~5yz", "NOOP");
    smtp_talk_ask(talk, "221", "QUIT");
    smtp_talk_ends(talk);
}

/* ---- 3.3, 3.7: transactions, and what a message may look like ---- */

static void rcpt_before_mail_503(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_ask(talk, "503", "RCPT TO:<%s>", check->recipient);
    smtp_ask_deliver(talk);
}

/** A message of its own header and body, 250 at its end. */
static void deliver_whole(struct smtp_talk *talk, const char *content)
{
    smtp_ask_data(talk);
    smtp_talk_write(talk, "%s.\r\n", content);
    smtp_talk_expect(talk, "250");
}

static void header_defects_not_refused(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    const char *subject = smtp_check_text(check, "Subject: %s\r\n", check->token);
    deliver_whole(
        talk, smtp_check_text(check, "%sFrom: <%s>\r\n\r\nNo Date.\r\n", subject, check->sender));
    deliver_whole(talk, smtp_check_text(check,
                                        "%sDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n"
                                        "No From.\r\n",
                                        subject));
    deliver_whole(talk, smtp_check_text(check,
                                        "%sFrom: <%s>\r\nSparkle: yes; =?x?\r\n\r\n"
                                        "An unknown field.\r\n",
                                        subject, check->sender));
    deliver_whole(talk, smtp_check_text(check,
                                        "%sFrom: <%s>\r\nMIME-Version: 1.0\r\n"
                                        "Content-Type: multipart/mixed; boundary=\"one\"\r\n\r\n"
                                        "--other\r\n\r\nA broken boundary.\r\n",
                                        subject, check->sender));
    smtp_ask_quit(talk);
}

static void resent_fields_not_refused(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    deliver_whole(talk,
                  smtp_check_text(check,
                                  "Resent-To: <%s>\r\nResent-Message-ID: <1@check.example>\r\n"
                                  "Resent-Sender: <other@example.net>\r\n%sResent.\r\n",
                                  check->recipient, smtp_ask_header(check)));
    smtp_ask_quit(talk);
}

static void odd_received_not_refused(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    deliver_whole(talk, smtp_check_text(check,
                                        "Received: by hand, on a postcard; no date\r\n"
                                        "%sA strange trace.\r\n",
                                        smtp_ask_header(check)));
    smtp_ask_quit(talk);
}

/* ---- 3.5, 3.8: VRFY, and what is not understood ---- */

static void vrfy_250_only_if_verified(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    int code = smtp_talk_try(talk, "VRFY %s@%s", check->token, check->domain);
    smtp_check_that(check, code != 250, "expected anything but 250 for a name nobody has, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static void unknown_command_keeps_connection(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_talk_ask(talk, "5yz", "XYZZY");
    smtp_talk_ask(talk, "5yz", "FROBNICATE now");
    smtp_talk_ask(talk, "5yz", "LOREM IPSUM");
    smtp_talk_ask(talk, "250", "NOOP");
    smtp_ask_quit(talk);
}

static const struct smtp_rule rows[] = {
    {"rfc5321/3.1/reject-554-waits-for-quit", SMTP_MUST, 0,
     "A server that greets with 554 keeps the connection open until QUIT arrives.",
     "Only if the greeting is 554: stay silent for some seconds, connection stays open; "
     "NOOP should give 503; QUIT is answered and then the connection closes.",
     reject_554_waits_for_quit},
    {"rfc5321/3.2/helo-no-extension-list", SMTP_MUST_NOT, SMTP_NEEDS_SMTP,
     "HELO is not answered with an EHLO-style capability list.",
     "Send HELO; the 250 reply carries no line whose text is an extension keyword such as "
     "SIZE, PIPELINING or STARTTLS.",
     helo_no_extension_list},
    {"rfc5321/3.3/rcpt-before-mail-503", SMTP_MUST, 0,
     "RCPT without a preceding MAIL is answered 503.",
     "EHLO, RCPT TO a valid mailbox; expect 503 and a session that still works.",
     rcpt_before_mail_503},
    {"rfc5321/3.3/header-defects-not-refused", SMTP_SHOULD_NOT, 0,
     "A message is not refused for perceived defects in its header section or MIME "
     "structure. [known deviation: OpenSMTPD refuses some as not RFC 2822 compliant "
     "(source); Gmail, Courier (memory)]",
     "Send messages without Date or From, with an unknown field and with a broken MIME "
     "boundary; 250.",
     header_defects_not_refused},
    {"rfc5321/3.3/resent-fields-not-refused", SMTP_MUST_NOT, 0,
     "Mismatched Resent- fields, or Resent-To without Resent-From or Resent-Date, are no "
     "reason for refusal.",
     "Send such a message; 250.", resent_fields_not_refused},
    {"rfc5321/3.5.3/vrfy-250-only-if-verified", SMTP_MUST_NOT, 0,
     "250 is not returned for a name whose existence was not checked.",
     "VRFY of a random well-formed name in a local domain; anything but 250.",
     vrfy_250_only_if_verified},
    {"rfc5321/3.7.2/odd-received-not-refused", SMTP_MUST_NOT, 0,
     "A strange format of existing trace fields is no reason for refusal.",
     "Send a message whose Received field is free text without date; 250.",
     odd_received_not_refused},
    {"rfc5321/3.8/unknown-command-keeps-connection", SMTP_MUST_NOT, 0,
     "Not understanding a command is no reason to close the connection. [known deviation: "
     "Exim closes on the fourth (smtp_max_unknown_commands=3); Postfix closes on CONNECT, "
     "GET, POST, header-like lines and after 20 errors (source)]",
     "Send three unknown verbs, then NOOP on the same connection; 250.",
     unknown_command_keeps_connection},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc5321_3, rows);
