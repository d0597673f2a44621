/* tls.c - TLS as a client begins and trusts it (RFC 3207, RFC 8314, RFC 8689). */
#include "harness/conformance/rules.h"
#include "harness/conformance/see.h"

#include <string.h>

static const struct smtp_task secured = {.tls = SMTP_TASK_STARTTLS};

/* ---- RFC 3207 4 ---- */

/** What comes in the clear ends with STARTTLS; then the handshake succeeds and the message goes. */
static void handshake_follows(struct smtp_check *check, const char *reply)
{
    const struct smtp_answer answers[] = {
        {.command = "STARTTLS", .reply = reply, .then = SMTP_THEN_TLS}};
    struct smtp_visit *visit =
        smtp_visit(check, &secured,
                   &(struct smtp_script){SMTP_SCRIPT(answers), .keywords = "STARTTLS;PIPELINING"});
    for (size_t i = 1; visit != NULL && i < visit->command_count; i++) {
        bool follows = strcmp(visit->commands[i - 1].name, "STARTTLS") == 0;
        smtp_check_that(check, !follows || visit->commands[i].in_tls,
                        "expected the handshake after 220, came %s",
                        smtp_check_show(check, visit->commands[i].line));
    }
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
}

static void handshake_follows_220(struct smtp_check *check)
{
    handshake_follows(check, "220 Go on\r\n");
    handshake_follows(check, "220-Go\r\n220 on\r\n");
}

static void capabilities_forgotten(struct smtp_check *check)
{
    const bool can_log_in = (check->options->abilities & SMTP_NEEDS_LOGIN) != 0;
    struct smtp_task task = secured;
    task.login = can_log_in;
    struct smtp_visit *visit =
        smtp_visit(check, &task,
                   &(struct smtp_script){
                       .keywords = "STARTTLS;SIZE 1000000;8BITMIME;PIPELINING;DSN;AUTH PLAIN",
                       .tls_keywords = "",
                       .hold_ms = check->quiet_ms / 2});
    bool says_ehlo = false;
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        const struct smtp_visit_command *command = &visit->commands[i];
        if (!command->in_tls) {
            continue;
        }
        says_ehlo = says_ehlo || strcmp(command->name, "EHLO") == 0;
        smtp_check_that(check, says_ehlo, "expected EHLO first inside TLS, came %s",
                        smtp_check_show(check, command->line));
        smtp_check_that(check, !command->early,
                        "expected no grouping inside TLS, came %s before a reply",
                        smtp_check_show(check, command->line));
        smtp_check_that(check, strcmp(command->name, "AUTH") != 0,
                        "expected no AUTH inside TLS, where it is not offered");
        smtp_check_that(
            check, smtp_see_parameters(command->line).len == 0 || command->line.bytes[0] == 'E',
            "expected no parameter inside TLS, came %s", smtp_check_show(check, command->line));
    }
    smtp_check_that(check, visit == NULL || says_ehlo, "expected EHLO inside TLS, came none");
}

/** STARTTLS is not offered, or answered so; a login is offered in the clear. */
static void expect_nothing_in_clear(struct smtp_check *check, const char *reply,
                                    enum smtp_then then, const char *when)
{
    const struct smtp_answer answers[] = {{.command = "STARTTLS", .reply = reply, .then = then}};
    struct smtp_task task = secured;
    task.login = (check->options->abilities & SMTP_NEEDS_LOGIN) != 0;
    struct smtp_visit *visit =
        smtp_visit(check, &task,
                   &(struct smtp_script){SMTP_SCRIPT(answers),
                                         .keywords = reply != NULL ? "STARTTLS;AUTH PLAIN LOGIN"
                                                                   : "AUTH PLAIN LOGIN"});
    bool was_secured = false;
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        const struct smtp_visit_command *command = &visit->commands[i];
        was_secured = was_secured || command->in_tls;
        bool is_mail = strcmp(command->name, "MAIL") == 0 || strcmp(command->name, "AUTH") == 0;
        smtp_check_that(check, !is_mail || command->in_tls,
                        "TLS is demanded, %s: expected no mail in the clear, came %s", when,
                        smtp_check_show(check, command->line));
    }
    if (visit != NULL && !was_secured) { /* a client may say STARTTLS though it is not offered */
        smtp_visit_expect_not_sent(visit);
    }
}

static void tls_required_no_fallback(struct smtp_check *check)
{
    expect_nothing_in_clear(check, NULL, SMTP_THEN_GO_ON, "STARTTLS is not offered");
    expect_nothing_in_clear(check, "454 Not now\r\n", SMTP_THEN_GO_ON, "STARTTLS is answered 454");
    expect_nothing_in_clear(check, "502 No\r\n", SMTP_THEN_GO_ON, "STARTTLS is answered 502");
    expect_nothing_in_clear(check, "220 Go on\r\nno handshake at all\r\n", SMTP_THEN_GO_ON,
                            "garbage follows 220");
    expect_nothing_in_clear(check, "220 Go on\r\n", SMTP_THEN_CLOSE,
                            "the connection ends after 220");
    expect_nothing_in_clear(check,
                            "220 Go on\r\n\x15\x03\x03"
                            "\x02\x02\x28",
                            SMTP_THEN_CLOSE, "an alert follows 220");
}

/* ---- RFC 3207 6, 4.1 ---- */

static void injected(struct smtp_check *check, const char *reply)
{
    const struct smtp_answer answers[] = {
        {.command = "STARTTLS", .reply = reply, .then = SMTP_THEN_TLS},
        {.command = "EHLO",
         .from = 2,
         .delay_ms = check->quiet_ms,
         .reply = "250-check.example\r\n250 SIZE\r\n"}};
    struct smtp_task task = secured;
    task.login = (check->options->abilities & SMTP_NEEDS_LOGIN) != 0;
    struct smtp_visit *visit = smtp_visit(
        check, &task, &(struct smtp_script){SMTP_SCRIPT(answers), .keywords = "STARTTLS"});
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        const struct smtp_visit_command *command = &visit->commands[i];
        smtp_check_that(check, strcmp(command->name, "AUTH") != 0,
                        "AUTH, which was offered only in the clear behind 220, came: %s",
                        smtp_check_show(check, command->line));
        smtp_check_that(
            check, !command->in_tls || !command->early,
            "a reply from the clear was taken for one inside TLS: %s came before its time",
            smtp_check_show(check, command->line));
    }
}

static void inject_reply_after_220(struct smtp_check *check)
{
    injected(check, "220 Go on\r\n250-fake\r\n250 AUTH PLAIN LOGIN\r\n");
    injected(check, "220 Go on\r\n250 fake\r\n250 fake\r\n250 fake\r\n");
}

static void distrust(struct smtp_check *check, enum smtp_identity_flaw flaw, const char *what)
{
    struct smtp_task task = secured;
    task.login = (check->options->abilities & SMTP_NEEDS_LOGIN) != 0;
    struct smtp_visit *visit =
        smtp_visit(check, &task,
                   &(struct smtp_script){.keywords = "STARTTLS;AUTH PLAIN LOGIN",
                                         .tls_keywords = "AUTH PLAIN LOGIN",
                                         .flaw = flaw});
    if (visit != NULL) {
        smtp_visit_expect_none(
            visit, "AUTH", smtp_check_text(check, "AUTH to a server with %s certificate", what));
        smtp_visit_expect_none(
            visit, "MAIL", smtp_check_text(check, "MAIL to a server with %s certificate", what));
        smtp_visit_expect_not_sent(visit);
    }
}

static void quit_when_not_trusted(struct smtp_check *check)
{
    distrust(check, SMTP_IDENTITY_SELF_SIGNED, "a self-signed");
    distrust(check, SMTP_IDENTITY_EXPIRED, "an expired");
    distrust(check, SMTP_IDENTITY_WRONG_NAME, "another host's");
}

/* ---- RFC 8314 5.2 ---- */

static void min_confidentiality(struct smtp_check *check)
{
    static const char *const allowed[] = {"EHLO", "HELO", "STARTTLS", "QUIT", "NOOP", "RSET"};
    if ((check->options->abilities & SMTP_NEEDS_IMPLICIT_TLS) != 0) {
        struct smtp_visit *visit =
            smtp_visit(check, &(struct smtp_task){.tls = SMTP_TASK_IMPLICIT_TLS}, NULL);
        smtp_check_that(check, visit == NULL || visit->clear.len == 0,
                        "expected TLS from the first octet, came %s",
                        visit != NULL ? smtp_check_show(check, visit->clear) : "");
    }
    struct smtp_visit *visit =
        smtp_visit(check, &secured,
                   &(struct smtp_script){.keywords = "STARTTLS", .flaw = SMTP_IDENTITY_UNKNOWN_CA});
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        bool fits = false;
        for (size_t n = 0; n < sizeof allowed / sizeof *allowed; n++) {
            fits = fits || strcmp(visit->commands[i].name, allowed[n]) == 0;
        }
        smtp_check_that(check, fits, "expected EHLO, STARTTLS and QUIT alone, came %s",
                        smtp_check_show(check, visit->commands[i].line));
    }
    smtp_visit_expect_not_sent(visit);
}

/* ---- RFC 8689 ---- */

static void requiretls_only_in_tls(struct smtp_check *check)
{
    struct smtp_task task = secured;
    task.requiretls = true;
    struct smtp_visit *visit = smtp_visit(
        check, &task,
        &(struct smtp_script){.keywords = "STARTTLS;REQUIRETLS", .tls_keywords = "SIZE"});
    smtp_visit_expect_none(visit, "MAIL", "MAIL where REQUIRETLS is offered before TLS alone");
    smtp_visit_expect_not_sent(visit);
    visit = smtp_visit(check, &task,
                       &(struct smtp_script){.keywords = "STARTTLS", .tls_keywords = "REQUIRETLS"});
    const struct smtp_visit_command *mail = smtp_visit_find(visit, "MAIL", 0);
    struct smtp_span parameters =
        mail != NULL ? smtp_see_parameters(mail->line) : (struct smtp_span){"", 0};
    smtp_check_that(check,
                    visit == NULL || (smtp_span_has_nocase(parameters, "REQUIRETLS") &&
                                      !smtp_span_has_nocase(parameters, "REQUIRETLS=")),
                    "expected REQUIRETLS without a value, came %s",
                    mail != NULL ? smtp_check_show(check, mail->line) : "no MAIL");
}

static const struct smtp_rule rows[] = {
    {"rfc3207/4/handshake-follows-220", SMTP_MUST, SMTP_NEEDS_TLS,
     "After 220 to STARTTLS the next octets are the TLS handshake; STARTTLS is last in a "
     "group.",
     "[tls] Answer 220 (once as a multi-line reply); next octet is 0x16; nothing in clear "
     "text follows.",
     handshake_follows_220},
    {"rfc3207/4.1/quit-when-not-trusted", SMTP_SHOULD, SMTP_NEEDS_TLS,
     "If the certificate does not satisfy the configured check, the client sends QUIT and "
     "no mail or credentials.",
     "[tls] Present a self-signed, an expired and a wrong-name certificate with checking "
     "on; no AUTH or MAIL inside TLS.",
     quit_when_not_trusted},
    {"rfc3207/4.2/capabilities-forgotten", SMTP_MUST, SMTP_NEEDS_TLS,
     "Extensions learned before TLS are forgotten; the list from the EHLO after TLS "
     "counts; EHLO is sent again.",
     "[tls] Before TLS offer SIZE, 8BITMIME, PIPELINING, DSN, AUTH PLAIN; after TLS offer "
     "none: client sends EHLO again, uses no parameter, no grouping and no AUTH.",
     capabilities_forgotten},
    {"rfc3207/6/tls-required-no-fallback", SMTP_MUST, SMTP_NEEDS_TLS,
     "With TLS demanded by configuration no mail and no credentials pass without it.",
     "[tls] In turn: STARTTLS not offered, answered 454, 502, 220 followed by garbage or "
     "close, handshake alert; no MAIL or AUTH is ever seen in clear text.",
     tls_required_no_fallback},
    {"rfc3207/6/inject-reply-after-220", SMTP_MUST, SMTP_NEEDS_TLS,
     "Clear-text replies that arrive behind 220 to STARTTLS are not taken as replies "
     "inside TLS. [level inferred] [known deviation: a bug, not a choice: several mail "
     "clients in 2021 (memory)]",
     "[tls] One packet: 220 ready CRLF 250-fake CRLF 250 AUTH PLAIN LOGIN CRLF; handshake; "
     "answer EHLO inside TLS late and without AUTH: the client sends no AUTH and stays in "
     "step, or stops with an error. Repeat with 250 lines for MAIL and RCPT.",
     inject_reply_after_220},
    {"rfc8314/5.2/min-confidentiality", SMTP_MUST_NOT, SMTP_NEEDS_TLS,
     "A client set to demand TLS does nothing but capability discovery and STARTTLS before "
     "TLS is up, and validates the certificate (5.3).",
     "[tls] Implicit port: first octet from the client is 0x16; bad certificate: nothing "
     "but EHLO, STARTTLS and QUIT is sent and no credentials appear.",
     min_confidentiality},
    {"rfc8689/2/requiretls-only-in-tls", SMTP_MUST, SMTP_NEEDS_TLS | SMTP_NEEDS_REQUIRETLS,
     "REQUIRETLS is used only inside verified TLS and only if the EHLO reply after TLS "
     "offers it.",
     "[tls] Offer it before TLS only; after TLS only; ask for it each time: first fails "
     "without MAIL, second has the parameter without a value.",
     requiretls_only_in_tls},
};
SMTP_RULE_TABLE(smtp_rules_client_tls, rows);
