/* extensions.c - what a client does with extensions: SIZE (RFC 1870), PIPELINING (2920), CHUNKING (3030), 8BITMIME (6152), SMTPUTF8 (6531). */
#include "harness/conformance/rules.h"
#include "harness/conformance/see.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct smtp_task plain;

static struct smtp_visit *offered(struct smtp_check *check, const struct smtp_task *task,
                                  const char *keywords)
{
    return smtp_visit(check, task, &(struct smtp_script){.keywords = keywords});
}

/* ---- RFC 1870 ---- */

static void declared_size_value(struct smtp_check *check)
{
    const struct smtp_task task = {
        .content = smtp_see_content(check, SMTP_SPAN(".dots\r\n..\r\nlast\r\n"))};
    struct smtp_visit *visit = offered(check, &task, "SIZE 1000000");
    const struct smtp_visit_command *mail = smtp_visit_find(visit, "MAIL", 0);
    const struct smtp_visit_message *message = smtp_visit_expect_message(visit);
    if (message == NULL || mail == NULL) {
        return;
    }
    size_t count, len = message->content.len;
    uint64_t declared = 0;
    struct smtp_span value = smtp_see_value(mail->line, "SIZE", &count);
    if (count == 0) {
        smtp_check_skip(check, "the client declares no size, as it need not");
        return;
    }
    bool is_number = smtp_span_to_u64(value, UINT64_MAX, &declared);
    smtp_check_that(check, is_number && declared >= len && declared <= len + 1000,
                    "expected SIZE=%zu or a little more, came %s", len,
                    smtp_check_show(check, mail->line));
    if (declared != len) {
        smtp_check_warn(check, "SIZE=%" PRIu64 " of %zu octets", declared, len);
    }
}

static void size_refused(struct smtp_check *check, const char *reply,
                         enum smtp_visit_outcome outcome)
{
    const struct smtp_answer answers[] = {{.command = "MAIL", .reply = reply}};
    struct smtp_visit *visit = smtp_visit(
        check, &plain, &(struct smtp_script){SMTP_SCRIPT(answers), .keywords = "SIZE 1000000"});
    smtp_visit_expect_none(visit, "RCPT", "RCPT after MAIL was refused");
    smtp_visit_expect_none(visit, "DATA", "DATA after MAIL was refused");
    smtp_visit_expect(visit, outcome);
}

static void size_refusal_handling(struct smtp_check *check)
{
    size_refused(check, "552 5.3.4 Too big\r\n", SMTP_VISIT_REFUSED);
    size_refused(check, "452 4.3.1 No room\r\n", SMTP_VISIT_LATER);
}

/* ---- RFC 2920 ---- */

static void expect_lock_step(struct smtp_visit *visit, bool in_tls, const char *when)
{
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        const struct smtp_visit_command *command = &visit->commands[i];
        smtp_check_that(
            visit->check, command->in_tls != in_tls || !command->early,
            "expected one command at a time %s, came %s before the reply to the one before it",
            when, smtp_check_show(visit->check, command->line));
    }
    smtp_visit_expect_message(visit);
}

static void pipeline_only_if_offered(struct smtp_check *check)
{
    uint64_t hold_ms = check->quiet_ms / 2;
    struct smtp_visit *visit =
        smtp_visit(check, &plain, &(struct smtp_script){.keywords = "SIZE", .hold_ms = hold_ms});
    expect_lock_step(visit, false, "where PIPELINING is not offered");
    if ((check->options->abilities & SMTP_NEEDS_TLS) != 0) {
        visit = smtp_visit(check, &(struct smtp_task){.tls = SMTP_TASK_STARTTLS},
                           &(struct smtp_script){.keywords = "PIPELINING;STARTTLS",
                                                 .tls_keywords = "SIZE",
                                                 .hold_ms = hold_ms});
        expect_lock_step(visit, true, "where PIPELINING was offered before TLS alone");
    }
}

static bool sends_groups(const struct smtp_visit *visit)
{
    bool is_any_early = false;
    for (size_t i = 0; i < visit->command_count; i++) {
        is_any_early = is_any_early || visit->commands[i].early;
    }
    return is_any_early;
}

static void sync_commands_last(struct smtp_check *check)
{
    static const char *const last[] = {"EHLO", "DATA", "VRFY", "QUIT", "NOOP"};
    struct smtp_visit *visit =
        smtp_visit(check, &plain,
                   &(struct smtp_script){.keywords = "PIPELINING", .hold_ms = check->quiet_ms / 2});
    for (size_t i = 1; visit != NULL && i < visit->command_count; i++) {
        for (size_t n = 0; n < sizeof last / sizeof *last; n++) {
            bool follows = strcmp(visit->commands[i - 1].name, last[n]) == 0 &&
                           visit->commands[i].session == visit->commands[i - 1].session;
            smtp_check_that(check, !follows || !visit->commands[i].early,
                            "expected nothing behind %s until its reply, came %s", last[n],
                            smtp_check_show(check, visit->commands[i].line));
        }
    }
    smtp_visit_expect_message(visit);
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
    if (visit != NULL && !sends_groups(visit)) {
        smtp_check_skip(check, "the client sends one command at a time");
    }
}

static const char *const three[] = {"bob@example.com", "carol@example.com", "dave@example.com",
                                    NULL};

static void all_statuses_checked(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {
        {.command = "RCPT",
         .argument = "carol",
         .reply = "550-5.1.1 Nobody\r\n550-5.1.1 of\r\n550 5.1.1 that name\r\n"}};
    struct smtp_visit *visit =
        smtp_visit(check, &(struct smtp_task){.to = three},
                   &(struct smtp_script){SMTP_SCRIPT(answers), .keywords = "PIPELINING"});
    const struct smtp_visit_message *message =
        visit != NULL && visit->message_count > 0 ? &visit->messages[0] : NULL;
    if (message != NULL) { /* a client may also send nothing */
        smtp_check_that(check,
                        smtp_span_has_nocase(message->rcpts, "bob") &&
                            smtp_span_has_nocase(message->rcpts, "dave"),
                        "expected the message for the two that were taken, came %s",
                        smtp_check_show(check, message->rcpts));
    }
    smtp_visit_expect_not_sent(visit);
    if (visit != NULL && smtp_visit_count(visit, "RCPT", "carol") == 0) {
        smtp_check_skip(check, "the client sends no RCPT");
    }
}

static void data_accepted_no_recipients(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {{.command = "RCPT", .reply = "550 No\r\n"},
                                                 {.command = "DATA", .reply = "354 Go on\r\n"}};
    const struct smtp_task task = {.content = smtp_see_content(check, SMTP_SPAN("A line.\r\n"))};
    struct smtp_visit *visit = smtp_visit(
        check, &task, &(struct smtp_script){SMTP_SCRIPT(answers), .keywords = "PIPELINING"});
    if (visit != NULL) {
        smtp_check_that(check, !smtp_span_has_nocase(visit->clear, check->token),
                        "expected a lone dot and no content, and it came");
        smtp_visit_expect_not_sent(visit);
        if (smtp_visit_count(visit, "DATA", NULL) == 0) {
            smtp_check_skip(check, "the client sends no DATA before it knows of a recipient");
        }
    }
}

/* ---- RFC 3030 ---- */

static void bdat_only_if_offered(struct smtp_check *check)
{
    struct smtp_visit *visit = offered(check, &plain, "PIPELINING");
    smtp_visit_expect_none(visit, "BDAT", "BDAT where CHUNKING is not offered");
    visit = offered(check, &plain, "PIPELINING;CHUNKING");
    if (visit != NULL) {
        bool mixed =
            smtp_visit_count(visit, "BDAT", NULL) > 0 && smtp_visit_count(visit, "DATA", NULL) > 0;
        smtp_check_that(check, !mixed, "expected DATA or BDAT in a transaction, came both");
        smtp_visit_expect_message(visit);
        smtp_visit_expect(visit, SMTP_VISIT_SENT);
    }
}

/** A visit where CHUNKING is offered; skips where it is not used. */
static struct smtp_visit *chunked(struct smtp_check *check, const struct smtp_task *task,
                                  const char *keywords, const char *reply)
{
    const struct smtp_answer answers[] = {{.command = "BDAT", .reply = reply}};
    struct smtp_visit *visit =
        smtp_visit(check, task,
                   &(struct smtp_script){
                       .answers = answers, .answer_count = reply != NULL, .keywords = keywords});
    if (visit != NULL && smtp_visit_count(visit, "BDAT", NULL) == 0) {
        smtp_check_skip(check, "the client uses no BDAT");
    }
    return visit;
}

static void bdat_exact_count(struct smtp_check *check)
{
    const struct smtp_task task = {
        .content = smtp_see_content(check, SMTP_SPAN(".dot\r\n..\r\nTwo\nThree\r\n"))};
    struct smtp_visit *visit = chunked(check, &task, "CHUNKING;PIPELINING;8BITMIME", NULL);
    if (visit != NULL && visit->outcome != SMTP_VISIT_SENT) {
        smtp_check_skip(check, "the client does not send content with a bare LF");
    }
    const struct smtp_visit_message *message = smtp_visit_expect_message(visit);
    if (message != NULL) {
        smtp_see_expect_body(visit, SMTP_SPAN(".dot\r\n..\r\nTwo\r\nThree\r\n"));
        smtp_check_that(check, smtp_see_bare(message->raw) == NULL,
                        "expected CRLF line ends in chunks of text");
    }
}

#define MANY_CHUNKS ((size_t)1 << 20) /* octets, for those who send large ones */
#define LINE_OCTETS 64

/** A message whose body is lines of that many octets. */
static struct smtp_span large_content(struct smtp_check *check)
{
    char *body = smtp_check_own(check, malloc(MANY_CHUNKS), free);
    if (body == NULL) {
        return (struct smtp_span){"", 0};
    }
    memset(body, 'x', MANY_CHUNKS);
    for (size_t end = LINE_OCTETS; end <= MANY_CHUNKS; end += LINE_OCTETS) {
        memcpy(body + end - 2, "\r\n", 2);
    }
    return smtp_see_content(check, (struct smtp_span){body, MANY_CHUNKS});
}

/** Skips where no chunk was refused that others were to follow. */
static void need_refused_chunk(const struct smtp_visit *visit)
{
    const struct smtp_visit_command *first = smtp_visit_find(visit, "BDAT", 0);
    bool is_refused = first != NULL && first->code / 100 > 3;
    if (first != NULL && (!is_refused || smtp_span_has_nocase(first->line, "LAST"))) {
        smtp_check_skip(visit->check, "its first chunk is the last: %s",
                        smtp_check_show(visit->check, first->line));
    }
}

static void bdat_stop_after_error(struct smtp_check *check)
{
    static const char *const refusals[] = {"452 Later\r\n", "552 Too big\r\n"};
    const struct smtp_task task = {.content = large_content(check)};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct smtp_visit *visit = chunked(check, &task, "CHUNKING", refusals[i]);
        for (size_t c = 1; visit != NULL && c < visit->command_count; c++) {
            const struct smtp_visit_command *command = &visit->commands[c];
            bool follows = strcmp(visit->commands[c - 1].name, "BDAT") == 0;
            bool fits = strcmp(command->name, "RSET") == 0 || strcmp(command->name, "QUIT") == 0 ||
                        command->early;
            smtp_check_that(check, !follows || fits,
                            "expected RSET or QUIT after a refused chunk, came %s",
                            smtp_check_show(check, command->line));
        }
        smtp_visit_expect_not_sent(visit);
        need_refused_chunk(visit);
    }
}

static void binary_only_with_binarymime(struct smtp_check *check)
{
    const char *content =
        smtp_check_text(check,
                        "From: <ann@example.com>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n"
                        "Content-Type: application/octet-stream\r\n"
                        "Content-Transfer-Encoding: binary\r\n\r\nOne\nTwo\x01\xff\rThree",
                        check->token);
    struct smtp_visit *visit =
        offered(check, &(struct smtp_task){.content = smtp_span_of(content)}, "CHUNKING;8BITMIME");
    const struct smtp_visit_message *message =
        visit != NULL && visit->message_count > 0 ? &visit->messages[0] : NULL;
    if (message == NULL) {
        return; /* refused */
    }
    bool is_binary = smtp_see_bare(message->raw) != NULL ||
                     smtp_span_has_nocase(message->content, "encoding: binary");
    smtp_check_that(check, !is_binary,
                    "expected binary content to be encoded anew or refused without BINARYMIME, it "
                    "came as it was");
}

/* ---- RFC 6152, RFC 6531 ---- */

static bool has_high_octet(struct smtp_span octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        if ((unsigned char)octets.bytes[i] > 127) {
            return true;
        }
    }
    return false;
}

#define EIGHT_BIT_TEXT "Caf\xC3\xA9."

static struct smtp_task eight_bit(struct smtp_check *check)
{
    const char *content =
        smtp_check_text(check,
                        "From: <ann@example.com>\r\nTo: <bob@example.com>\r\nSubject: %s\r\n"
                        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: 8bit\r\n\r\n" EIGHT_BIT_TEXT "\r\n",
                        check->token);
    return (struct smtp_task){.content = smtp_span_of(content)};
}

static void no_8bit_unless_offered(struct smtp_check *check)
{
    struct smtp_task task = eight_bit(check);
    struct smtp_visit *visit = offered(check, &task, NULL);
    smtp_check_that(
        check, visit == NULL || !has_high_octet(visit->clear),
        "expected 8-bit content to be encoded or refused without 8BITMIME, it came as it was");
    const struct smtp_visit_message *message = visit != NULL && visit->outcome == SMTP_VISIT_SENT
                                                   ? smtp_visit_expect_message(visit)
                                                   : NULL;
    if (message != NULL) { /* without its eighth bits it is another one */
        const char *text = smtp_see_text(check, message->content);
        smtp_check_that(check, strstr(text, EIGHT_BIT_TEXT) != NULL,
                        "expected 7-bit content that stands for the same text, came %s",
                        smtp_check_show(check, smtp_see_body(message->content)));
    }
}

static void body_parameter_declared(struct smtp_check *check)
{
    struct smtp_task task = eight_bit(check);
    struct smtp_visit *visit = offered(check, &task, "8BITMIME");
    const struct smtp_visit_command *mail = smtp_visit_find(visit, "MAIL", 0);
    if (visit == NULL || !has_high_octet(visit->clear)) {
        smtp_check_skip(check, "the client sends no 8-bit content: it encodes or refuses it");
        return;
    }
    size_t count;
    struct smtp_span sent = mail != NULL ? mail->line : SMTP_SPAN("");
    struct smtp_span body = smtp_see_value(sent, "BODY", &count);
    smtp_check_that(check, count == 1 && smtp_span_equal_nocase(body, SMTP_SPAN("8BITMIME")),
                    "expected one BODY=8BITMIME, came %s",
                    mail != NULL ? smtp_check_show(check, sent) : "no MAIL");
}

#define UTF8_PATH "caf\xC3\xA9@example.com"

static void smtputf8_when_needed(struct smtp_check *check)
{
    static const char *const recipients[] = {UTF8_PATH, NULL};
    struct smtp_visit *visit =
        offered(check, &(struct smtp_task){.to = recipients}, "SMTPUTF8;8BITMIME");
    const struct smtp_visit_command *mail = smtp_visit_find(visit, "MAIL", 0);
    if (mail != NULL) {
        smtp_check_that(check, smtp_span_has_nocase(smtp_see_parameters(mail->line), "SMTPUTF8"),
                        "expected SMTPUTF8 for a UTF-8 recipient, came %s",
                        smtp_check_show(check, mail->line));
    } else {
        smtp_check_skip(check, "the client refuses a recipient in UTF-8");
    }
    visit = offered(check, &plain, "SMTPUTF8;8BITMIME");
    mail = smtp_visit_find(visit, "MAIL", 0);
    if (mail != NULL && smtp_span_has_nocase(smtp_see_parameters(mail->line), "SMTPUTF8")) {
        smtp_check_warn(check, "a message in ASCII should go without SMTPUTF8: %s",
                        smtp_check_show(check, mail->line));
    }
}

static void no_utf8_unless_offered(struct smtp_check *check)
{
    static const char *const local[] = {UTF8_PATH, NULL}, *const domain[] = {
                                                              "bob@r\xC3\xA9seau.example", NULL};
    struct smtp_visit *visit = offered(check, &(struct smtp_task){.to = local}, "8BITMIME");
    if (visit != NULL) {
        smtp_check_that(check, !has_high_octet(visit->clear),
                        "a UTF-8 local part came to a server without SMTPUTF8");
        smtp_visit_expect_not_sent(visit);
    }
    visit = offered(check, &(struct smtp_task){.to = domain}, "8BITMIME");
    if (visit != NULL) {
        smtp_check_that(check, !has_high_octet(visit->clear),
                        "a U-label came to a server without SMTPUTF8");
        const struct smtp_visit_command *rcpt = smtp_visit_find(visit, "RCPT", 0);
        smtp_check_that(check,
                        visit->outcome != SMTP_VISIT_SENT ||
                            (rcpt != NULL && smtp_span_has_nocase(rcpt->line, "xn--")),
                        "expected an A-label or a failure, came %s",
                        rcpt != NULL ? smtp_check_show(check, rcpt->line) : "none");
    }
}

static const struct smtp_rule rows[] = {
    {"rfc1870/6/declared-size-value", SMTP_SHOULD, SMTP_NEEDS_CONTENT,
     "The declared value counts header, body and CRLF but no stuffing dots or final dot, "
     "and is rather over than under the truth. [level inferred]",
     "Offer SIZE; compare the declared value with the captured un-stuffed length.",
     declared_size_value},
    {"rfc1870/6.2/size-refusal-handling", SMTP_SHOULD, 0,
     "After 552 or 452 to MAIL the client sends RSET or QUIT; 552 ends in a failure "
     "report, 452 in a later try. [level inferred]",
     "Answer MAIL 552, then 452; no RCPT or DATA follows and the outcome is permanent, "
     "then temporary.",
     size_refusal_handling},
    {"rfc2920/3/pipeline-only-if-offered", SMTP_MUST, 0,
     "Commands are sent in groups only after PIPELINING was offered in this session. "
     "[level inferred]",
     "Offer it in the first connection and not in the second; second is lock-step; also "
     "not offered after STARTTLS although offered before.",
     pipeline_only_if_offered},
    {"rfc2920/3.1/sync-commands-last", SMTP_MUST, 0,
     "EHLO, DATA, VRFY, EXPN, QUIT and NOOP stand only at the end of a group. [level "
     "inferred]",
     "Hold all replies after MAIL: nothing follows DATA until its reply.", sync_commands_last},
    {"rfc2920/3.1/all-statuses-checked", SMTP_MUST, SMTP_NEEDS_SEVERAL,
     "Each reply of a group is matched by counting and looked at.",
     "Refuse one RCPT in the middle of a group with a multi-line 550; the client reports "
     "exactly that recipient.",
     all_statuses_checked},
    {"rfc2920/3.1/data-accepted-no-recipients", SMTP_SHOULD, SMTP_NEEDS_CONTENT,
     "If all RCPT failed but DATA got 354, the client sends a lone dot and no content. "
     "[level inferred]",
     "Refuse all RCPT, answer 354 to the pipelined DATA; the client sends only dot CRLF "
     "and reports failure.",
     data_accepted_no_recipients},
    {"rfc3030/2/bdat-only-if-offered", SMTP_MUST, 0,
     "BDAT is used only when CHUNKING was offered, and DATA and BDAT are not mixed in a "
     "transaction. [level inferred]",
     "Offer it and not; watch the verbs.", bdat_only_if_offered},
    {"rfc3030/2/bdat-exact-count", SMTP_MUST, SMTP_NEEDS_CONTENT,
     "The announced size equals the octets sent; there is no dot stuffing and no final "
     "dot; text has CRLF line ends.",
     "Capture chunks of a message with leading dots and LF input; counts fit, next command "
     "starts right after.",
     bdat_exact_count},
    {"rfc3030/2/bdat-stop-after-error", SMTP_MUST_NOT, 0,
     "After a 4yz or 5yz reply to a chunk no further chunk is sent; RSET comes before "
     "anything else.",
     "Answer the first of many chunks with 452 and, in another run, 552; next line is RSET "
     "(or QUIT), chunks already pipelined excepted.",
     bdat_stop_after_error},
    {"rfc3030/3/binary-only-with-binarymime", SMTP_MUST_NOT, SMTP_NEEDS_CONTENT,
     "Binary content is not sent unless BINARYMIME was offered and declared with "
     "BODY=BINARYMIME.",
     "Offer CHUNKING alone and submit a message with binary transfer encoding; it is "
     "re-encoded or failed.",
     binary_only_with_binarymime},
    {"rfc6152/3/no-8bit-unless-offered", SMTP_MUST_NOT, SMTP_NEEDS_CONTENT,
     "Content with octets above 127 is not sent to a server that lacks 8BITMIME: it is "
     "converted to 7-bit MIME without loss or failed. [level inferred] [known deviation: "
     "Exim and qmail pass 8-bit on unchanged by design (source, documentation)]",
     "Offer no extension, submit 8-bit body; capture has no high octet and decodes to the "
     "same text, or the client refuses. Also as a relay.",
     no_8bit_unless_offered},
    {"rfc6152/3/body-parameter-declared", SMTP_MUST, SMTP_NEEDS_CONTENT,
     "8-bit content is declared with one BODY=8BITMIME. [level inferred] [known deviation: "
     "Go net/smtp sends BODY=8BITMIME for every message when offered (source); harmless]",
     "Offer 8BITMIME and submit 8-bit content; MAIL has exactly one BODY=8BITMIME.",
     body_parameter_declared},
    {"rfc6531/3.2/no-utf8-unless-offered", SMTP_MUST_NOT, SMTP_NEEDS_TO,
     "No internationalised address or header goes to a server without SMTPUTF8; an IDN "
     "domain alone may go as A-label.",
     "Do not offer it; UTF-8 local part: failure and no such octets; ASCII local part at a "
     "U-label domain: A-label or failure.",
     no_utf8_unless_offered},
    {"rfc6531/3.4/smtputf8-when-needed", SMTP_MUST, SMTP_NEEDS_TO,
     "The parameter is supplied when the envelope or header needs it, and should not be "
     "when nothing does. [known deviation: Go net/smtp adds it to every message when "
     "offered (source)]",
     "Offer SMTPUTF8; UTF-8 recipient: parameter present; plain ASCII message: absent.",
     smtputf8_when_needed},
};
SMTP_RULE_TABLE(smtp_rules_client_extensions, rows);
