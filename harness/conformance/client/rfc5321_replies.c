/* rfc5321_replies.c - replies as a client understands them, many recipients, times (RFC 5321 4.2, 4.5, 5.1; RFC 3463). */
#include "harness/conformance/rules.h"
#include "harness/conformance/see.h"

static const struct smtp_task plain;

/* ---- what a reply may look like ---- */

#define THREE(code, middle) code "-first\r\n" code "-" middle "\r\n" code " last\r\n"

static void expect_sent(struct smtp_check *check, const struct smtp_answer *answers, size_t count)
{
    struct smtp_visit *visit =
        smtp_visit(check, &plain, &(struct smtp_script){.answers = answers, .answer_count = count});
    smtp_visit_expect_message(visit);
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
}
#define EXPECT_SENT(check, rows) expect_sent((check), (rows), sizeof(rows) / sizeof *(rows))

static void multiline_reply_any_command(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {
        {.command = "connect", .reply = THREE("220", "550 5.1.1 No such user")},
        {.command = "EHLO", .reply = THREE("250", "550")},
        {.command = "MAIL", .reply = THREE("250", "550 No such user")},
        {.command = "RCPT", .reply = THREE("250", "550 No such user")},
        {.command = "DATA", .reply = THREE("354", "550 No such user")},
        {.command = "dot", .reply = THREE("250", "550 No such user")},
        {.command = "QUIT", .reply = THREE("221", "550 No such user")},
    };
    EXPECT_SENT(check, answers);
}

static void bare_code_reply(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {
        {.command = "MAIL", .reply = "250\r\n"}, {.command = "RCPT", .reply = "250\r\n"},
        {.command = "DATA", .reply = "354\r\n"}, {.command = "dot", .reply = "250\r\n"},
        {.command = "QUIT", .reply = "221\r\n"},
    };
    EXPECT_SENT(check, answers);
}

static void expect_of_rcpt(struct smtp_check *check, const char *reply,
                           enum smtp_visit_outcome outcome)
{
    struct smtp_visit *visit = smtp_see_answered(check, NULL, "RCPT", reply);
    static const char *const words[] = {"success", "a temporary failure", "a permanent failure"};
    smtp_check_that(check, visit == NULL || visit->outcome == outcome,
                    "RCPT answered %s: expected %s, came %s",
                    smtp_check_show(check, smtp_span_of(reply)), words[outcome],
                    visit != NULL ? words[visit->outcome] : "");
}

static void unknown_code_by_first_digit(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {
        {.command = "EHLO", .reply = "259 check.example\r\n"},
        {.command = "MAIL", .reply = "259 Ok\r\n"},
        {.command = "RCPT", .reply = "299 Ok\r\n"},
        {.command = "dot", .reply = "299 Ok\r\n"},
    };
    EXPECT_SENT(check, answers);
    expect_of_rcpt(check, "499 Hm\r\n", SMTP_VISIT_LATER);
    expect_of_rcpt(check, "599 Hm\r\n", SMTP_VISIT_REFUSED);
}

static void text_ignored(struct smtp_check *check)
{
    expect_of_rcpt(check, "250 User unknown 550 5.1.1\r\n", SMTP_VISIT_SENT);
    expect_of_rcpt(check, "550 OK accepted\r\n", SMTP_VISIT_REFUSED);
}

static void out_of_range_code(struct smtp_check *check)
{
    static const char *const replies[] = {"150 Hm\r\n", "650 Hm\r\n", "Hello there\r\n"};
    smtp_see_needs_mail(check);
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        const struct smtp_answer answers[] = {{.command = "MAIL", .reply = replies[i]}};
        struct smtp_visit *visit =
            smtp_visit(check, &plain, &(struct smtp_script){SMTP_SCRIPT(answers)});
        smtp_visit_expect_none(visit, "RCPT", "RCPT after a reply to MAIL that is none");
        smtp_visit_expect_none(visit, "DATA", "DATA after a reply to MAIL that is none");
        smtp_visit_expect_not_sent(visit);
    }
}

static void unknown_enhanced_code(struct smtp_check *check)
{
    expect_of_rcpt(check, "550 5.99.999 Hm\r\n", SMTP_VISIT_REFUSED);
    expect_of_rcpt(check, "450 4.7.999 Hm\r\n", SMTP_VISIT_LATER);
}

/* ---- refusals ---- */

static void rule_5yz_not_repeated(struct smtp_check *check)
{
    struct smtp_visit *visit = smtp_see_answered(check, NULL, "RCPT", "550 No\r\n");
    if (visit != NULL) {
        size_t count = smtp_visit_count(visit, "RCPT", NULL);
        smtp_check_that(check, count == 1, "expected one RCPT, refused for good, came %zu", count);
        smtp_visit_expect(visit, SMTP_VISIT_REFUSED);
    }
    static const struct smtp_answer once[] = {
        {.command = "RCPT", .from = 1, .to = 1, .reply = "450 Later\r\n"}};
    visit = smtp_visit(check, &plain, &(struct smtp_script){SMTP_SCRIPT(once)});
    smtp_check_that(
        check,
        visit == NULL || visit->outcome == SMTP_VISIT_LATER ||
            (visit->outcome == SMTP_VISIT_SENT && smtp_visit_count(visit, "RCPT", NULL) > 1),
        "expected a temporary failure or another try after 450, came neither");
}

#define TAKEN 100
#define ASKED 103

static void too_many(struct smtp_check *check, const char *reply)
{
    const char *recipients[ASKED + 1] = {NULL};
    for (size_t i = 0; i < ASKED; i++) {
        recipients[i] = smtp_check_text(check, "bob%zu@example.com", i);
    }
    const struct smtp_answer answers[] = {
        {.command = "RCPT", .from = TAKEN + 1, .to = ASKED, .reply = reply}};
    struct smtp_visit *visit =
        smtp_visit(check, &(struct smtp_task){.to = recipients},
                   &(struct smtp_script){SMTP_SCRIPT(answers), .keywords = "PIPELINING"});
    if (visit == NULL) {
        return;
    }
    bool follows = smtp_visit_count(visit, "MAIL", NULL) > 1 && visit->outcome == SMTP_VISIT_SENT;
    smtp_check_that(check, visit->message_count > 0,
                    "expected the message to go to the %d that were taken", TAKEN);
    smtp_check_that(
        check, follows || visit->outcome == SMTP_VISIT_LATER,
        "expected the other recipients to follow or to be temporary failures after %s, came %s",
        smtp_check_show(check, smtp_span_of(reply)),
        visit->outcome == SMTP_VISIT_SENT ? "success" : "a permanent failure");
}

static void rcpt_552_is_temporary(struct smtp_check *check)
{
    too_many(check, "552 Too many recipients\r\n");
    too_many(check, "452 Too many recipients\r\n");
}

static void one_copy_many_recipients(struct smtp_check *check)
{
    static const char *const recipients[] = {"bob@example.com", "carol@example.com",
                                             "dave@example.com", NULL};
    struct smtp_visit *visit = smtp_visit(check, &(struct smtp_task){.to = recipients},
                                          &(struct smtp_script){.keywords = "PIPELINING"});
    if (visit != NULL) {
        size_t mails = smtp_visit_count(visit, "MAIL", NULL),
               rcpts = smtp_visit_count(visit, "RCPT", NULL);
        smtp_check_that(
            check, mails == 1 && rcpts == 3 && visit->message_count == 1,
            "expected one transaction of three recipients, came %zu MAIL, %zu RCPT, %zu messages",
            mails, rcpts, visit->message_count);
    }
}

/* ---- times ---- */

#define MINUTE_MS ((uint64_t)60000)

static void per_command_timeout(struct smtp_check *check)
{
    static const char *const recipients[] = {"a@example.com", "b@example.com", "c@example.com",
                                             "d@example.com", "e@example.com", NULL};
    const struct smtp_answer never[] = {
        {.command = "MAIL", .delay_ms = smtp_check_slow_ms(check, 20 * MINUTE_MS), .reply = NULL}};
    struct smtp_visit *visit = smtp_visit(check, &plain, &(struct smtp_script){SMTP_SCRIPT(never)});
    if (visit != NULL) {
        smtp_check_that(check, visit->outcome != SMTP_VISIT_SENT,
                        "expected the client to give up within 20 minutes");
    }
    /* together longer than any one time, each shorter than the least (4.5.3.2) */
    const struct smtp_answer slow[] = {
        {.command = "RCPT", .delay_ms = smtp_check_slow_ms(check, 3 * MINUTE_MS), .reply = NULL}};
    visit = smtp_visit(check, &(struct smtp_task){.to = recipients},
                       &(struct smtp_script){SMTP_SCRIPT(slow)});
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
}

static void timeout_minimums(struct smtp_check *check)
{
    uint64_t five = smtp_check_slow_ms(check, 5 * MINUTE_MS - 10000);
    uint64_t two = smtp_check_slow_ms(check, 2 * MINUTE_MS - 10000);
    const struct smtp_answer answers[] = {{.command = "connect", .delay_ms = five, .reply = NULL},
                                          {.command = "MAIL", .delay_ms = five, .reply = NULL},
                                          {.command = "RCPT", .delay_ms = five, .reply = NULL},
                                          {.command = "DATA", .delay_ms = two, .reply = NULL}};
    EXPECT_SENT(check, answers);
}

static void final_reply_ten_minutes(struct smtp_check *check)
{
    const struct smtp_answer answers[] = {
        {.command = "dot",
         .delay_ms = smtp_check_slow_ms(check, 10 * MINUTE_MS - 10000),
         .reply = NULL}};
    struct smtp_visit *visit =
        smtp_visit(check, &plain, &(struct smtp_script){SMTP_SCRIPT(answers)});
    if (visit != NULL) {
        smtp_check_that(check, visit->message_count == 1, "expected one copy, came %zu",
                        visit->message_count);
        smtp_visit_expect(visit, SMTP_VISIT_SENT);
    }
}

static const struct smtp_rule rows[] = {
    {"rfc3463/2/unknown-enhanced-code", SMTP_MUST, 0,
     "An unknown subject or detail does not hide the class. [level inferred]",
     "Answer 550 5.99.999 and 450 4.99.999; permanent and temporary outcome.",
     unknown_enhanced_code},
    {"rfc5321/4.2/multiline-reply-any-command", SMTP_MUST, 0,
     "Several-line replies are handled for every command, greeting and end of data "
     "included. [level inferred]",
     "Answer every command with three lines where middle ones look like 250-550 text; the "
     "client goes on in step.",
     multiline_reply_any_command},
    {"rfc5321/4.2/unknown-code-by-first-digit", SMTP_MUST, 0,
     "An unknown code is treated by its first digit.",
     "Answer EHLO 259, MAIL 259, RCPT 299, end of data 299: delivered (DATA keeps 354, "
     "which section 3.3 demands). Answer RCPT 499 then 599: temporary then permanent "
     "failure.",
     unknown_code_by_first_digit},
    {"rfc5321/4.2/text-ignored", SMTP_MUST, 0, "Only the code decides, not the words.",
     "Answer RCPT 250 User unknown 550 5.1.1; and 550 OK accepted; the client acts on the "
     "code.",
     text_ignored},
    {"rfc5321/4.2/out-of-range-code", SMTP_SHOULD, 0,
     "A code outside 2 to 5 ends the transaction as an error.",
     "Answer MAIL with 150, then 650, then non-digit text; the client stops and does not "
     "send DATA.",
     out_of_range_code},
    {"rfc5321/4.2.1/bare-code-reply", SMTP_MUST, 0,
     "A reply with the code alone, without space or text, is understood.",
     "Answer with 250 CRLF, 354 CRLF and 221 CRLF; the message is delivered.", bare_code_reply},
    {"rfc5321/4.2.1/5yz-not-repeated", SMTP_SHOULD_NOT, 0,
     "The same request is not repeated after 5yz; 4yz is retried later or reported as "
     "temporary.",
     "Answer RCPT 550: no second RCPT for it on any connection; answer RCPT 450: reported "
     "as temporary or tried again.",
     rule_5yz_not_repeated},
    {"rfc5321/4.5.3.1.10/rcpt-552-is-temporary", SMTP_SHOULD, SMTP_NEEDS_SEVERAL,
     "552 in answer to RCPT for too many recipients is handled as 452. [known deviation: "
     "Postfix does map it (source); most libraries report it as permanent (memory)]",
     "Accept 100 RCPT, answer 552 (other run: 452) to the rest; the message goes to the "
     "100 and the rest follow in another transaction or are reported temporary.",
     rcpt_552_is_temporary},
    {"rfc5321/4.5.3.2/per-command-timeout", SMTP_MUST, SMTP_NEEDS_TIME | SMTP_NEEDS_SEVERAL,
     "There is a timeout for each command, not one for the whole transaction. [known "
     "deviation: Python smtplib has no timeout by default (source)]",
     "[slow] Never answer a command: the client gives up in finite time. Answer each of 30 "
     "commands just below the limit: it does not give up.",
     per_command_timeout},
    {"rfc5321/4.5.3.2/timeout-minimums", SMTP_SHOULD, SMTP_NEEDS_TIME,
     "Waiting times are at least: greeting, MAIL and RCPT five minutes, DATA reply two, "
     "data block three. [known deviation: user-facing libraries default to far less "
     "(memory)]",
     "[slow] Delay each reply to just below its minimum; the client still goes on.",
     timeout_minimums},
    {"rfc5321/4.5.3.2.6/final-reply-ten-minutes", SMTP_SHOULD, SMTP_NEEDS_TIME,
     "The reply to the final dot is awaited for at least ten minutes. The SHOULD stands in "
     "the parent section 4.5.3.2.",
     "[slow] Delay that reply 9 minutes 50; the client waits and reports success, with no "
     "second copy sent.",
     final_reply_ten_minutes},
    {"rfc5321/4.5.4.1/one-copy-many-recipients", SMTP_SHOULD, SMTP_NEEDS_SEVERAL,
     "Recipients on one server share one transaction.",
     "Send one message to three recipients of one server; one MAIL, three RCPT, one DATA.",
     one_copy_many_recipients},
};
SMTP_RULE_TABLE(smtp_rules_client_rfc5321_replies, rows);
