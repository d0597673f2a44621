/* rfc5321_session.c - sessions: opening, the order of commands, ending (RFC 5321 2 to 4.3). */
#include "harness/conformance/rules.h"
#include "harness/conformance/see.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static const struct smtp_task plain;

/* ---- the session begins ---- */

static void falls_back(struct smtp_check *check, const char *refusal)
{
    struct smtp_visit *visit = smtp_see_answered(check, NULL, "EHLO", refusal);
    if (visit == NULL) {
        return;
    }
    smtp_check_that(check, smtp_visit_count(visit, "HELO", NULL) > 0,
                    "expected HELO after EHLO was answered %s, came none",
                    smtp_check_show(check, smtp_span_of(refusal)));
    smtp_visit_expect_message(visit);
    smtp_see_no_parameters(visit, "MAIL");
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
}

static void ehlo_preferred(struct smtp_check *check)
{
    struct smtp_visit *visit = smtp_visit(check, &plain, NULL);
    if (visit != NULL) {
        smtp_check_that(
            check, visit->command_count > 0 && strcmp(visit->commands[0].name, "EHLO") == 0,
            "expected EHLO first, came %s",
            visit->command_count > 0 ? smtp_check_show(check, visit->commands[0].line) : "nothing");
        smtp_visit_expect(visit, SMTP_VISIT_SENT);
    }
    falls_back(check, "500 What?\r\n");
    falls_back(check, "502 Not here\r\n");
}

static void hello_before_mail(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {{.command = "EHLO", .reply = "550 No\r\n"},
                                                 {.command = "HELO", .reply = "550 No\r\n"}};
    smtp_see_needs_mail(check);
    struct smtp_visit *visit =
        smtp_visit(check, &plain, &(struct smtp_script){SMTP_SCRIPT(answers)});
    smtp_visit_expect_none(visit, "MAIL", "MAIL after EHLO and HELO were refused");
    smtp_visit_expect_not_sent(visit);
}

/** Labels of letters, digits and inner hyphens, none of them empty, one dot at least between them. */
static bool is_domain(struct smtp_span name)
{
    size_t label = 0, dots = 0;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char octet = (unsigned char)name.bytes[i];
        bool ends = i + 1 == name.len || name.bytes[i + 1] == '.';
        if (octet == '.' && label > 0) {
            dots++;
            label = 0;
            continue;
        }
        bool fits = smtp_is_letter_or_digit(octet) || (octet == '-' && label > 0 && !ends);
        if (!fits || ++label > 63) {
            return false;
        }
    }
    return dots > 0 && label > 0;
}

/** An address in brackets (RFC 5321 4.1.3); of other kinds than these two none is registered. */
static bool is_literal(struct smtp_span name)
{
    static const char tag[] = "IPv6:";
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (name.len < 2 || name.bytes[0] != '[' || name.bytes[name.len - 1] != ']') {
        return false;
    }
    bool is_ipv6 = name.len > sizeof tag && strncasecmp(name.bytes + 1, tag, sizeof tag - 1) == 0;
    size_t begin = is_ipv6 ? sizeof tag : 1, len = name.len - begin - 1;
    if (len >= sizeof text) {
        return false;
    }
    smtp_bytes_copy(text, (struct smtp_span){name.bytes + begin, len});
    text[len] = '\0';
    return strlen(text) == len && inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, address) == 1;
}

static void ehlo_argument_form(struct smtp_check *check)
{
    struct smtp_visit *visit = smtp_visit(check, &plain, NULL);
    const struct smtp_visit_command *ehlo = smtp_visit_find(visit, "EHLO", 0);
    if (ehlo == NULL) {
        smtp_check_skip(check, "the client says no EHLO");
        return;
    }
    struct smtp_span name = {ehlo->line.bytes + 5, ehlo->line.len > 5 ? ehlo->line.len - 5 : 0};
    smtp_check_that(check, is_domain(name) || is_literal(name),
                    "expected a domain with a dot, [IPv4] or [IPv6:...], came %s",
                    smtp_check_show(check, ehlo->line));
}

static void awaits_greeting(struct smtp_check *check, const struct smtp_task *task)
{
    const struct smtp_answer answers[] = {
        {.command = "connect", .delay_ms = 2 * check->quiet_ms, .reply = NULL}};
    struct smtp_visit *visit =
        smtp_visit(check, task, &(struct smtp_script){SMTP_SCRIPT(answers), .pair_lines = true});
    if (visit == NULL) {
        return;
    }
    for (size_t i = 0; i < visit->command_count; i++) {
        bool is_first = i == 0 || visit->commands[i].session != visit->commands[i - 1].session;
        smtp_check_that(check, !is_first || !visit->commands[i].early,
                        "expected nothing before the greeting, came %s",
                        smtp_check_show(check, visit->commands[i].line));
    }
    smtp_visit_expect_message(visit);
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
}

static void waits_for_greeting(struct smtp_check *check)
{
    awaits_greeting(check, &plain);
    if ((check->options->abilities & SMTP_NEEDS_IMPLICIT_TLS) != 0) {
        awaits_greeting(check, &(struct smtp_task){.tls = SMTP_TASK_IMPLICIT_TLS});
    }
}

/* ---- the order of commands ---- */

static void lock_step(struct smtp_check *check)
{
    struct smtp_visit *visit =
        smtp_visit(check, &plain, &(struct smtp_script){.hold_ms = check->quiet_ms / 2});
    if (visit == NULL) {
        return;
    }
    for (size_t i = 0; i < visit->command_count; i++) {
        smtp_check_that(
            check, !visit->commands[i].early,
            "expected one command at a time without PIPELINING, came %s before the reply to the "
            "one before it",
            smtp_check_show(check, visit->commands[i].line));
    }
    smtp_visit_expect_message(visit);
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
}

static void command_order(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {{.command = "RCPT", .reply = "550 No\r\n"}};
    struct smtp_visit *visit = smtp_visit(check, &(struct smtp_task){.message_count = 2},
                                          &(struct smtp_script){SMTP_SCRIPT(answers)});
    bool is_open = false, has_next = false;
    unsigned session = 0, mail_session = 0;
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        const struct smtp_visit_command *command = &visit->commands[i];
        is_open = is_open && command->session == session;
        session = command->session;
        bool is_mail = strcmp(command->name, "MAIL") == 0;
        smtp_check_that(check, !is_mail || !is_open,
                        "expected RSET or EHLO before the next MAIL, came %s",
                        smtp_check_show(check, command->line));
        bool resets = strcmp(command->name, "RSET") == 0 || strcmp(command->name, "EHLO") == 0 ||
                      strcmp(command->name, "HELO") == 0;
        is_open = is_mail || (is_open && !resets);
        has_next = has_next || (is_mail && mail_session == session);
        mail_session = is_mail ? session : mail_session;
    }
    if (visit != NULL && !has_next) {
        smtp_check_skip(check, "no other MAIL comes on a connection where RCPT was refused");
    }
}

static void no_content_without_354(struct smtp_check *check)
{
    static const char *const replies[] = {"250 Fine\r\n", "451 Later\r\n", "503 No\r\n",
                                          "554 No\r\n"};
    const struct smtp_task task = {.content = smtp_see_content(check, SMTP_SPAN("A line.\r\n"))};
    size_t asked = 0;
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        const struct smtp_answer answers[] = {{.command = "DATA", .reply = replies[i]}};
        struct smtp_visit *visit =
            smtp_visit(check, &task, &(struct smtp_script){SMTP_SCRIPT(answers)});
        if (visit != NULL) {
            smtp_check_that(check, !smtp_span_has_nocase(visit->clear, check->token),
                            "expected no content after DATA was answered %s, and it came",
                            smtp_check_show(check, smtp_span_of(replies[i])));
            smtp_visit_expect_not_sent(visit);
        }
        asked += smtp_visit_count(visit, "DATA", NULL);
    }
    if (asked == 0) {
        smtp_check_skip(check, "the client sends no DATA");
    }
}

/** KEYWORD or KEYWORD=value (RFC 5321 4.1.2). */
static bool is_esmtp_param(struct smtp_span word)
{
    size_t at = 0;
    while (at < word.len &&
           (smtp_is_letter((unsigned char)word.bytes[at]) ||
            smtp_is_digit((unsigned char)word.bytes[at]) || (at > 0 && word.bytes[at] == '-'))) {
        at++;
    }
    if (at == 0 || at == word.len) {
        return at > 0;
    }
    bool has_value = word.bytes[at] == '=' && at + 1 < word.len;
    for (at++; has_value && at < word.len; at++) {
        unsigned char octet = (unsigned char)word.bytes[at];
        has_value = octet > ' ' && octet != '=' && octet != 0x7f;
    }
    return has_value;
}

/** Behind the path: one space before each parameter, or nothing. */
static bool has_parameters_alone(struct smtp_span line)
{
    struct smtp_span rest = smtp_see_parameters(line);
    bool fits = rest.len == 0 || (rest.bytes[-1] == ' ' && rest.bytes[-2] == '>');
    while (fits && rest.len > 0) {
        const char *space = memchr(rest.bytes, ' ', rest.len);
        size_t len = space != NULL ? (size_t)(space - rest.bytes) : rest.len;
        fits = is_esmtp_param((struct smtp_span){rest.bytes, len});
        len += space != NULL;
        rest = (struct smtp_span){rest.bytes + len, rest.len - len};
    }
    return fits;
}

static void exact_mail_rcpt_syntax(struct smtp_check *check)
{
    static const struct {
        const char *name, *begins;
    } forms[] = {{"MAIL", "MAIL FROM:<"}, {"RCPT", "RCPT TO:<"}};
    struct smtp_visit *visit = smtp_visit(check, &plain, NULL);
    if (visit == NULL) {
        return;
    }
    for (size_t i = 0; i < visit->command_count; i++) {
        const struct smtp_visit_command *command = &visit->commands[i];
        struct smtp_span line = command->line;
        for (size_t f = 0; f < 2; f++) {
            size_t len = strlen(forms[f].begins);
            bool begins = line.len > len && strncasecmp(line.bytes, forms[f].begins, len) == 0 &&
                          memchr(line.bytes, '>', line.len) != NULL;
            smtp_check_that(check, strcmp(command->name, forms[f].name) != 0 || begins,
                            "expected %s...>, came %s", forms[f].begins,
                            smtp_check_show(check, line));
            smtp_check_that(check,
                            strcmp(command->name, forms[f].name) != 0 || has_parameters_alone(line),
                            "expected one space before each KEYWORD=value, came %s",
                            smtp_check_show(check, line));
        }
        if (line.len > 0 && line.bytes[line.len - 1] == ' ') { /* RFC 5321 4.1.1: tolerated */
            smtp_check_warn(check, "a space ends %s", smtp_check_show(check, line));
        }
        bool is_bare = strcmp(command->name, "DATA") == 0 || strcmp(command->name, "RSET") == 0 ||
                       strcmp(command->name, "QUIT") == 0;
        smtp_check_that(check, !is_bare || line.len == 4, "expected %s alone, came %s",
                        command->name, smtp_check_show(check, line));
    }
    smtp_visit_expect_message(visit);
}

/* ---- the session ends ---- */

/** The last command of each session is QUIT. */
static void expect_quit(struct smtp_check *check, const char *command, const char *reply)
{
    const struct smtp_answer answers[] = {
        {.command = "QUIT", .delay_ms = check->quiet_ms / 2, .reply = NULL},
        {.command = command, .reply = reply}};
    struct smtp_visit *visit =
        smtp_visit(check, &plain, &(struct smtp_script){SMTP_SCRIPT(answers)});
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        const struct smtp_visit_command *last = &visit->commands[i];
        bool is_last = i + 1 == visit->command_count || last[1].session != last->session;
        bool is_quit = strcmp(last->name, "QUIT") == 0;
        smtp_check_that(check, !is_last || is_quit,
                        "expected QUIT before the connection is closed, came %s last",
                        smtp_check_show(check, last->line));
        if (is_last && is_quit && last->unheard) {
            smtp_check_warn(check, "it should wait for the answer to QUIT before it closes");
        }
    }
    smtp_check_that(check, visit == NULL || visit->command_count > 0,
                    "expected QUIT, came no command at all");
}

static void quit_before_close(struct smtp_check *check)
{
    expect_quit(check, "none", NULL);
    expect_quit(check, "connect", "554 No\r\n");
    expect_quit(check, "RCPT", "550 No\r\n");
    static const struct smtp_answer answers[] = {{.command = "EHLO", .reply = "550 No\r\n"},
                                                 {.command = "HELO", .reply = "550 No\r\n"}};
    struct smtp_visit *visit =
        smtp_visit(check, &plain, &(struct smtp_script){SMTP_SCRIPT(answers)});
    smtp_check_that(check, visit == NULL || smtp_visit_count(visit, "QUIT", NULL) > 0,
                    "expected QUIT after EHLO and HELO were refused, came none");
}

static void loss(struct smtp_check *check, const struct smtp_answer *answer, const char *when)
{
    struct smtp_visit *visit =
        smtp_visit(check, &plain, &(struct smtp_script){.answers = answer, .answer_count = 1});
    bool is_asked = strcmp(answer->command, "connect") == 0 ||
                    smtp_visit_count(visit, answer->command, NULL) > 0;
    smtp_check_that(check, visit == NULL || !is_asked || visit->outcome == SMTP_VISIT_LATER,
                    "expected a temporary failure %s, came %s", when,
                    visit != NULL && visit->outcome == SMTP_VISIT_SENT ? "success"
                                                                       : "a permanent one");
}

static void connection_loss_is_temporary(struct smtp_check *check)
{
    static const char *const commands[] = {"connect", "EHLO", "MAIL", "RCPT", "DATA", "dot"};
    smtp_see_needs_mail(check);
    loss(check, &(struct smtp_answer){.command = "MAIL", .then = SMTP_THEN_CLOSE},
         "when the connection ends after MAIL");
    loss(check, &(struct smtp_answer){.command = "dot", .reply = "", .then = SMTP_THEN_CLOSE},
         "when the connection ends before the final reply");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        loss(check,
             &(struct smtp_answer){
                 .command = commands[i], .reply = "421 Gone\r\n", .then = SMTP_THEN_CLOSE},
             smtp_check_text(check, "when 421 answers %s", commands[i]));
    }
}

static const struct smtp_rule rows[] = {
    {"rfc5321/2.3.5/ehlo-argument-form", SMTP_MUST, 0,
     "The EHLO argument is a fully qualified name, or an address literal when there is "
     "none; a local nickname is not used. [known deviation: Go net/smtp sends localhost by "
     "default (memory)]",
     "Capture EHLO with default settings; the argument has a dot and valid labels, or is "
     "[IPv4] or [IPv6:...].",
     ehlo_argument_form},
    {"rfc5321/3.2/ehlo-preferred", SMTP_SHOULD, 0,
     "A session is opened with EHLO, and falls back to HELO when EHLO is not recognised.",
     "Fake server: first run answers EHLO 250; second run answers 500 (then 502) and must "
     "see HELO; the message is then sent without extensions.",
     ehlo_preferred},
    {"rfc5321/3.3/command-order", SMTP_MUST, SMTP_NEEDS_MESSAGES,
     "MAIL, then RCPT, then DATA; no second MAIL inside an open transaction.",
     "Refuse the only RCPT with 550 on a connection that has two messages to send; RSET or "
     "EHLO comes before the next MAIL.",
     command_order},
    {"rfc5321/3.3/no-content-without-354", SMTP_MUST_NOT, SMTP_NEEDS_CONTENT,
     "Message content is sent only after 354.",
     "Answer DATA in turn with 250, 451, 503 and 554; not one octet of content follows "
     "(with 250 the client must treat it as an error).",
     no_content_without_354},
    {"rfc5321/3.3/exact-mail-rcpt-syntax", SMTP_MUST, 0,
     "MAIL FROM: and RCPT TO: are followed at once by the bracketed path, with no space "
     "around the colon. [level inferred]",
     "Capture MAIL and RCPT; match the grammar octet for octet; DATA, RSET and QUIT have "
     "no argument.",
     exact_mail_rcpt_syntax},
    {"rfc5321/3.8/connection-loss-is-temporary", SMTP_SHOULD, 0,
     "A lost connection or 421 in any state counts as a temporary failure of the "
     "transaction.",
     "Drop the connection after MAIL, after DATA content and before the final reply; send "
     "421 in place of each reply; outcome temporary, never success, never permanent.",
     connection_loss_is_temporary},
    {"rfc5321/4.1.1.1/hello-before-mail", SMTP_MUST, 0,
     "No mail transaction starts before HELO or EHLO was accepted.",
     "Answer EHLO and HELO with 550; the client sends no MAIL.", hello_before_mail},
    {"rfc5321/4.1.1.10/quit-before-close", SMTP_MUST_NOT, 0,
     "The client does not close the connection before sending QUIT; it should wait for the "
     "answer. [known deviation: clients that hang up after an error are common (memory)]",
     "Watch normal ends, and ends after 554 greeting, refused EHLO, refused RCPT; QUIT is "
     "the last line and the socket stays open until 221 (delayed one second).",
     quit_before_close},
    {"rfc5321/4.3.1/waits-for-greeting", SMTP_SHOULD, 0, "Nothing is sent before the greeting.",
     "Accept the connection and stay silent five seconds; no octet arrives (in the clear, "
     "or inside TLS on an implicit-TLS port); a greeting split in several packets and "
     "lines is handled.",
     waits_for_greeting},
    {"rfc5321/4.3.1/lock-step", SMTP_MUST, 0,
     "Without PIPELINING each command waits for the reply to the one before.",
     "EHLO reply without PIPELINING, then delay each reply two seconds; never more than "
     "one command outstanding, and no content before 354.",
     lock_step},
};
SMTP_RULE_TABLE(smtp_rules_client_rfc5321_session, rows);
