/* further.c - LMTP (RFC 2033), 521 and 556 (7504), LIMITS (9422), as a client minds them. */
#include "harness/conformance/rules.h"
#include "harness/conformance/see.h"

#include <string.h>
#include <strings.h>

static const char *const three[] = {"bob@example.com", "carol@example.com", "dave@example.com",
                                    NULL};

/* ---- RFC 2033 ---- */

static void lmtp_partial_replies(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {
        {.command = "dot", .reply = "250 2.0.0 Ok\r\n", .then = SMTP_THEN_CLOSE}};
    struct smtp_visit *visit = smtp_visit(
        check, &(struct smtp_task){.lmtp = true, .to = three},
        &(struct smtp_script){SMTP_SCRIPT(answers), .keywords = "PIPELINING;ENHANCEDSTATUSCODES"});
    smtp_visit_expect(visit, SMTP_VISIT_LATER);
}

static void lmtp_counts_accepted_only(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {
        {.command = "RCPT", .argument = "carol", .reply = "550 5.1.1 Nobody\r\n"},
        {.command = "dot", .reply = "250 2.0.0 Ok\r\n452-4.2.2 Over\r\n452 4.2.2 quota\r\n"}};
    struct smtp_visit *visit = smtp_visit(
        check, &(struct smtp_task){.lmtp = true, .to = three},
        &(struct smtp_script){SMTP_SCRIPT(answers), .keywords = "PIPELINING;ENHANCEDSTATUSCODES"});
    if (visit == NULL) {
        return;
    }
    const struct smtp_visit_command *hello = smtp_visit_find(visit, "EHLO", 0);
    smtp_check_that(
        check,
        hello != NULL && hello->line.len >= 4 && strncasecmp(hello->line.bytes, "LHLO", 4) == 0,
        "expected LHLO, came %s", hello != NULL ? smtp_check_show(check, hello->line) : "none");
    smtp_check_that(check, smtp_visit_count(visit, "QUIT", NULL) == 1,
                    "expected the session to stay in step up to QUIT, it did not");
    smtp_visit_expect_not_sent(visit);
}

/* ---- RFC 7504 ---- */

static void greeting_521_permanent(struct smtp_check *check)
{
    smtp_see_needs_mail(check);
    struct smtp_visit *visit = smtp_see_answered(check, NULL, "connect", "521 No mail here\r\n");
    smtp_visit_expect_none(visit, "MAIL", "MAIL after a greeting of 521");
    smtp_check_that(check, visit == NULL || visit->session_count == 1,
                    "expected one connection, for a host that greets with 521 is not tried again, "
                    "came %u",
                    visit != NULL ? visit->session_count : 0);
    smtp_visit_expect(visit, SMTP_VISIT_REFUSED);
    static const struct smtp_answer answers[] = {
        {.command = "RCPT", .from = 1, .to = 1, .reply = "556 5.1.10 Null MX\r\n"}};
    bool several = (check->options->abilities & SMTP_NEEDS_SEVERAL) != 0;
    visit = smtp_visit(check, &(struct smtp_task){.to = several ? three : NULL},
                       &(struct smtp_script){SMTP_SCRIPT(answers)});
    smtp_visit_expect(visit, SMTP_VISIT_REFUSED);
}

/* ---- RFC 9422 ---- */

static void limits_latest_ehlo(struct smtp_check *check)
{
    struct smtp_visit *visit = smtp_visit(
        check, &(struct smtp_task){.tls = SMTP_TASK_STARTTLS, .to = three},
        &(struct smtp_script){.keywords = "STARTTLS;LIMITS RCPTMAX=1", .tls_keywords = "SIZE"});
    if (visit != NULL) {
        size_t mails = smtp_visit_count(visit, "MAIL", NULL);
        smtp_check_that(check, mails == 1,
                        "expected one transaction, for the limit of before TLS is none, came %zu",
                        mails);
        smtp_visit_expect(visit, SMTP_VISIT_SENT);
    }
}

static void skip_without_ehlo(struct smtp_visit *visit)
{
    if (visit != NULL && smtp_visit_count(visit, "EHLO", NULL) == 0) {
        smtp_check_skip(visit->check, "the client says no EHLO, so that it knows of no LIMITS");
    }
}

static void limits_unknown_ignored(struct smtp_check *check)
{
    struct smtp_visit *visit = smtp_visit(
        check, &(struct smtp_task){.to = three},
        &(struct smtp_script){.keywords = "LIMITS FOO=1 RCPTMAX=0 MAILMAX=abc RCPTDOMAINMAX=1"});
    if (visit != NULL) {
        size_t mails = smtp_visit_count(visit, "MAIL", NULL);
        smtp_check_that(
            check, mails == 1,
            "expected one transaction, for no limit is well formed but that of domains, came %zu",
            mails);
        smtp_visit_expect(visit, SMTP_VISIT_SENT);
        skip_without_ehlo(visit);
    }
}

static void limits_respected(struct smtp_check *check)
{
    static const char *const five[] = {"a@example.com", "b@example.com", "c@example.com",
                                       "d@example.com", "e@example.com", NULL};
    struct smtp_task task = {.to = five};
    task.message_count = (check->options->abilities & SMTP_NEEDS_MESSAGES) != 0 ? 3 : 1;
    struct smtp_visit *visit =
        smtp_visit(check, &task, &(struct smtp_script){.keywords = "LIMITS RCPTMAX=2 MAILMAX=2"});
    size_t mails = 0, rcpts = 0;
    unsigned session = 0;
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        const struct smtp_visit_command *command = &visit->commands[i];
        bool is_mail = strcmp(command->name, "MAIL") == 0;
        mails = (command->session == session ? mails : 0) + is_mail;
        rcpts = (is_mail ? 0 : rcpts) + (strcmp(command->name, "RCPT") == 0);
        session = command->session;
        smtp_check_that(check, mails <= 2, "expected 2 MAIL a session (MAILMAX=2), came a third");
        smtp_check_that(check, rcpts <= 2,
                        "expected 2 RCPT a transaction (RCPTMAX=2), came a third");
    }
    if (visit != NULL && visit->outcome == SMTP_VISIT_SENT) {
        size_t count = smtp_visit_count(visit, "RCPT", NULL);
        smtp_check_that(check, count == 5 * task.message_count,
                        "expected a RCPT for each recipient, came %zu", count);
    }
    skip_without_ehlo(visit);
}

static const struct smtp_rule rows[] = {
    {"rfc2033/4.2/lmtp-counts-accepted-only", SMTP_MUST, SMTP_NEEDS_LMTP | SMTP_NEEDS_SEVERAL,
     "The client says LHLO and reads one reply for each accepted RCPT, multi-line replies "
     "counted as one. [level inferred]",
     "Refuse the second of three RCPT; send 250, then a two-line 452; first ok, third "
     "temporary, second permanent, session in step.",
     lmtp_counts_accepted_only},
    {"rfc2033/5/lmtp-partial-replies", SMTP_MUST, SMTP_NEEDS_LMTP | SMTP_NEEDS_SEVERAL,
     "If the connection ends after some of the replies, those count and the rest are "
     "temporary failures.",
     "Accept three RCPT, answer 250 once and close; first delivered, other two temporary.",
     lmtp_partial_replies},
    {"rfc7504/3/greeting-521-permanent", SMTP_MUST, 0,
     "521 at connect and 556 at RCPT are permanent failures: no transaction is tried and "
     "the host is not retried. [level inferred]",
     "Greet with 521: no MAIL and no other connection follows, outcome permanent; answer "
     "RCPT 556: permanent for that recipient only.",
     greeting_521_permanent},
    {"rfc9422/3.6/limits-latest-ehlo", SMTP_MUST, SMTP_NEEDS_TLS | SMTP_NEEDS_SEVERAL,
     "Limits of an earlier EHLO are dropped at the next one, even when that gives none.",
     "[tls] RCPTMAX=1 before STARTTLS, none after; three recipients go in one transaction.",
     limits_latest_ehlo},
    {"rfc9422/3.7/limits-unknown-ignored", SMTP_MUST, SMTP_NEEDS_SEVERAL,
     "Unknown or malformed limits are ignored one by one.",
     "Offer LIMITS FOO=1 RCPTMAX=0 MAILMAX=abc RCPTDOMAINMAX=1; mail still flows as if "
     "only the valid one was given.",
     limits_unknown_ignored},
    {"rfc9422/4.2/limits-respected", SMTP_SHOULD, SMTP_NEEDS_SEVERAL,
     "Known limits are kept: RCPTMAX counts all RCPT commands, refused ones too; MAILMAX "
     "counts all MAIL commands. [level inferred]",
     "Offer RCPTMAX=2 MAILMAX=2 and submit three messages with five recipients; captures "
     "stay within, using more transactions and connections.",
     limits_respected},
};
SMTP_RULE_TABLE(smtp_rules_client_further, rows);
