/* rfc2920.c - command pipelining (RFC 2920). */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/settled.h"
#include "harness/conformance/volley.h"

static struct smtp_talk *begin(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_needs(talk, "PIPELINING");
    return talk;
}

/** Skips where the refused recipient is accepted. */
static void need_refusal(struct smtp_talk *talk)
{
    smtp_ask_mail(talk);
    smtp_ask_bad_recipient(talk);
    smtp_talk_ask(talk, "250", "RSET");
}

static const char *mail(struct smtp_check *check)
{
    return smtp_check_text(check, "MAIL FROM:<%s>\r\n", check->sender);
}

static const char *rcpt(struct smtp_check *check)
{
    return smtp_check_text(check, "RCPT TO:<%s>\r\n", check->recipient);
}

static const char *bad(struct smtp_check *check)
{
    return smtp_check_text(check, "RCPT TO:<%s>\r\n", check->bad_recipient);
}

static void finish_content(struct smtp_talk *talk)
{
    smtp_talk_write(talk, "%s", smtp_ask_message(talk->check));
    smtp_talk_expect(talk, "250");
}

static void pipeline_in_order(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    need_refusal(talk);
    smtp_talk_write(talk, "%s%s%s%sDATA\r\n", mail(check), rcpt(check), bad(check), rcpt(check));
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "250 251");
    smtp_talk_expect(talk, "4yz 5yz");
    smtp_talk_expect(talk, "250 251");
    smtp_talk_expect(talk, "354");
    finish_content(talk);
}

/** The replies to a refused MAIL, RSET and a transaction. */
static void expect_group(struct smtp_talk *talk)
{
    smtp_talk_expect(talk, "5yz");
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "250 251");
    smtp_talk_expect(talk, "354");
    finish_content(talk);
}

static void input_never_lost(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    const char *group = smtp_check_text(check, "MAIL FROM:<unclosed\r\nRSET\r\n%s%sDATA\r\n",
                                        mail(check), rcpt(check));
    smtp_talk_write(talk, "%s", group);
    expect_group(talk);
    size_t len = strlen(group);
    for (size_t cut = 1; cut < len && smtp_volley_has_time(check, cut, len); cut++) {
        smtp_talk_write(talk, "%.*s", (int)cut, group);
        smtp_talk_write(talk, "%s", group + cut);
        expect_group(talk);
    }
    smtp_ask_quit(talk);
}

static void data_only_with_recipients(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    need_refusal(talk);
    smtp_talk_write(talk, "%s%sDATA\r\n", mail(check), bad(check));
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "4yz 5yz");
    smtp_talk_expect(talk, "503 554");
    smtp_talk_ask(talk, "250", "RSET");
    smtp_talk_write(talk, "%s%s%sDATA\r\n", mail(check), rcpt(check), bad(check));
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "250 251");
    smtp_talk_expect(talk, "4yz 5yz");
    smtp_talk_expect(talk, "354");
    finish_content(talk);
}

static void empty_message_not_sent(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_ask_mail_from(talk, smtp_ask_sender(check, check->token));
    smtp_ask_bad_recipient(talk);
    if (smtp_talk_try(talk, "DATA") == 354) {
        smtp_talk_ask(talk, "4yz 5yz ~2yz", ".");
    }
    struct smtp_arrival arrival;
    bool came = smtp_arrivals_notified_soon(check, &arrival);
    smtp_check_that(check, !came && smtp_settled(check) == 0,
                    "expected no mail at all of a message with no recipient, and some came");
}

static void flush_when_input_empty(struct smtp_check *check)
{
    static const char *const ends[] = {"NOOP\r\n", "XYZZY\r\n", "VRFY postmaster\r\n", ""};
    struct smtp_talk *talk = begin(check);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        smtp_talk_write(talk, "%s%s%s", mail(check), rcpt(check), ends[i]);
        size_t wanted = ends[i][0] != '\0' ? 3 : 2, came = 0;
        while (came < wanted && smtp_talk_read_if(talk, 1000) != 0) {
            came++;
        }
        smtp_check_that(
            check, came == wanted,
            "expected %zu replies within a second to a group that ends in %s, came %zu", wanted,
            ends[i][0] != '\0' ? smtp_check_show(check, smtp_span_of(ends[i])) : "RCPT", came);
        smtp_talk_ask(talk, "250", "RSET");
    }
}

static void content_then_next_transaction(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check);
    smtp_talk_write(talk, "%s%sDATA\r\n", mail(check), rcpt(check));
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "250 251");
    smtp_talk_expect(talk, "354");
    smtp_talk_write(talk, "%s%s%sDATA\r\n", smtp_ask_message(check), mail(check), rcpt(check));
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "250 251");
    smtp_talk_expect(talk, "354");
    smtp_talk_write(talk, "%sQUIT\r\n", smtp_ask_message(check));
    smtp_talk_expect(talk, "250");
    smtp_talk_expect(talk, "221");
    smtp_talk_ends(talk);
}

static const struct smtp_rule rows[] = {
    {"rfc2920/3.1/content-then-next-transaction", SMTP_MUST, 0,
     "Content, final dot and the next MAIL and RCPT may share a packet. [level inferred]",
     "Two whole transactions with content and next commands glued together; both are "
     "accepted, in step.",
     content_then_next_transaction},
    {"rfc2920/3.2/pipeline-in-order", SMTP_MUST, 0, "Replies come in the order of the commands.",
     "Send MAIL, RCPT good, RCPT bad, RCPT good, DATA in one packet; replies match "
     "position by position.",
     pipeline_in_order},
    {"rfc2920/3.2/input-never-lost", SMTP_MUST_NOT, 0,
     "Input already received is never thrown away, also not after a failed command or at "
     "process hand-over.",
     "One packet: EHLO alone first; then refused MAIL, RSET, MAIL, RCPT, DATA in one "
     "packet; every command gets its reply. Repeat with the stream cut at each octet.",
     input_never_lost},
    {"rfc2920/3.2/data-only-with-recipients", SMTP_SHOULD, 0,
     "354 is given if and only if a valid recipient was accepted before.",
     "Pipeline MAIL, RCPT bad, DATA: DATA gets 503 or 554; MAIL, RCPT good, RCPT bad, "
     "DATA: 354.",
     data_only_with_recipients},
    {"rfc2920/3.2/empty-message-not-sent", SMTP_MUST_NOT, SMTP_NEEDS_ARRIVALS,
     "If DATA was accepted with no valid recipient and an empty message follows, nothing "
     "is sent to anyone.",
     "[sink] MAIL, RCPT unknown, DATA; if 354 comes send a lone dot: no mail of any kind "
     "appears (the final code should be a failure).",
     empty_message_not_sent},
    {"rfc2920/3.2/flush-when-input-empty", SMTP_MUST, 0,
     "All held replies are sent as soon as the input is used up; replies to EHLO, DATA, "
     "QUIT, NOOP, VRFY and unknown commands are not held.",
     "Send groups ending in RCPT, NOOP, and an unknown verb and then stay silent; all "
     "replies arrive within a second.",
     flush_when_input_empty},
};
SMTP_RULE_TABLE(smtp_rules_server_rfc2920, rows);
