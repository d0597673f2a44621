/* rfc5321_content.c - content and addresses as a client sends them (RFC 5321 2.3.8, 2.4, 4.1, 4.5.2; RFC 5322 2.1.1). */
#include "harness/conformance/rules.h"
#include "harness/conformance/see.h"

#include <stdlib.h>
#include <string.h>

/* ---- parameters and addresses ---- */

static void no_unoffered_parameter(struct smtp_check *check)
{
    const struct smtp_span eight_bit = smtp_see_content(check, SMTP_SPAN("Caf\xC3\xA9.\r\n")),
                           ascii = smtp_see_content(check, SMTP_SPAN("Coffee.\r\n"));
    struct smtp_task wishes = {.content = eight_bit};
    if ((check->options->abilities & SMTP_NEEDS_DSN) != 0) {
        wishes.envid = "check-42";
        wishes.ret = "HDRS";
        wishes.notify = "FAILURE";
    }
    struct smtp_task in_ascii = wishes;
    in_ascii.content = ascii;
    /* a client may refuse what its server does not offer, but not the last */
    const struct smtp_task tasks[] = {wishes, in_ascii, {.content = ascii}};
    size_t mails = 0;
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        struct smtp_visit *visit =
            smtp_visit(check, &tasks[i], &(struct smtp_script){.keywords = NULL});
        smtp_see_no_parameters(visit, "MAIL");
        smtp_see_no_parameters(visit, "RCPT");
        mails += smtp_visit_count(visit, "MAIL", NULL);
    }
    if (mails == 0) {
        smtp_check_skip(check, "the client sends no MAIL where no extension is offered");
    }
}

/** What a path stands for: the octets that its quoted string means. "" where the string has no end. */
static const char *unquoted(struct smtp_check *check, struct smtp_span path)
{
    char *text = smtp_check_own(check, malloc(path.len + 1), free);
    bool quoted = false;
    size_t len = 0;
    for (size_t i = 0; text != NULL && i < path.len; i++) {
        if (path.bytes[i] == '"') {
            quoted = !quoted;
            continue;
        }
        i += quoted && path.bytes[i] == '\\' && i + 1 < path.len;
        text[len++] = path.bytes[i];
    }
    if (text == NULL || quoted) {
        return "";
    }
    text[len] = '\0';
    return text;
}

/** The RCPT line of that address has exactly that path, or one that means the same (RFC 5321 4.1.2). False: the client
 *  refuses to send to it. */
static bool expect_path(struct smtp_check *check, const char *address)
{
    const char *const recipients[] = {address, NULL};
    struct smtp_visit *visit = smtp_visit(check, &(struct smtp_task){.to = recipients}, NULL);
    const struct smtp_visit_command *rcpt = smtp_visit_find(visit, "RCPT", 0);
    if (rcpt == NULL) {
        smtp_check_that(check, visit == NULL || visit->outcome != SMTP_VISIT_SENT,
                        "expected TO:<%s>, came no RCPT", address);
        return false;
    }
    struct smtp_span path = smtp_see_path(rcpt->line), wanted = smtp_span_of(address);
    bool is_same = smtp_span_equal(path, wanted);
    bool means_it = path.len > 0 && path.bytes[0] == '"' &&
                    strcmp(unquoted(check, path), unquoted(check, wanted)) == 0;
    if (smtp_check_that(check, is_same || means_it, "expected TO:<%s>, came %s", address,
                        smtp_check_show(check, rcpt->line)) &&
        !is_same) {
        smtp_check_warn(check, "TO:<%s> would do, with less quoting, came %s", address,
                        smtp_check_show(check, rcpt->line));
    }
    return true;
}

static void quoted_local_part_sent(struct smtp_check *check)
{
    bool is_seen = expect_path(check, "\"john smith\"@example.org");
    is_seen = expect_path(check, "\"a@b\"@example.org") || is_seen;
    expect_path(check, "x.y@example.org");
    if (!is_seen) {
        smtp_check_skip(check, "the client refuses recipients that need quoting");
    }
}

static void local_part_case_kept(struct smtp_check *check)
{
    if (!expect_path(check, "MiXeD@example.org")) {
        smtp_check_skip(check, "the client refuses <MiXeD@example.org>");
    }
}

/* ---- dots and ends ---- */

static void dot_stuffing(struct smtp_check *check)
{
    static const size_t marks[] = {1024, 4096, 8192, 16384};
    struct smtp_buffer body = SMTP_BUFFER(SIZE_MAX / 2);
    bool kept =
        smtp_buffer_append(&body, ".first\r\n.\r\n..\r\nmiddle\r\n.middle\r\n", 32) == SMTP_OK;
    size_t header = strlen(smtp_see_header(check));
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        while (kept &&
               header + body.len + 2 < marks[i]) { /* lines, so that a dot begins one at the mark */
            size_t left = marks[i] - header - body.len, len = left > 200 ? 100 : left;
            char line[200];
            memset(line, 'x', sizeof line);
            kept = smtp_buffer_append(&body, line, len - 2) == SMTP_OK &&
                   smtp_buffer_append(&body, "\r\n", 2) == SMTP_OK;
        }
        kept = kept && smtp_buffer_append(&body, ".mark\r\n", 7) == SMTP_OK;
    }
    kept = kept && smtp_buffer_append(&body, ".last\r\n", 7) == SMTP_OK;
    struct smtp_span octets = smtp_buffer_span(&body);
    if (kept) {
        smtp_see_expect_body(
            smtp_visit(check, &(struct smtp_task){.content = smtp_see_content(check, octets)},
                       &(struct smtp_script){.keywords = "PIPELINING;8BITMIME;SIZE"}),
            octets);
    } else {
        smtp_check_skip(check, "out of memory");
    }
    smtp_buffer_free(&body);
}

static struct smtp_visit *send_body(struct smtp_check *check, struct smtp_span body)
{
    return smtp_visit(check, &(struct smtp_task){.content = smtp_see_content(check, body)},
                      &(struct smtp_script){.keywords = "PIPELINING;8BITMIME;SIZE"});
}

static void terminator_once(struct smtp_check *check)
{
    smtp_see_expect_body(send_body(check, SMTP_SPAN("One line.\r\n")), SMTP_SPAN("One line.\r\n"));
}

/** Refused, or whole with a line end added. */
static void refused_or_completed(struct smtp_check *check, struct smtp_span body,
                                 struct smtp_span completed)
{
    struct smtp_visit *visit = send_body(check, body);
    const struct smtp_visit_message *message = visit != NULL && visit->outcome == SMTP_VISIT_SENT
                                                   ? smtp_visit_expect_message(visit)
                                                   : NULL;
    if (message != NULL && !smtp_span_has_nocase(message->content, "encoding: quoted-printable")) {
        smtp_see_expect_body(visit, completed);
    }
}

static void missing_final_crlf(struct smtp_check *check)
{
    refused_or_completed(check, SMTP_SPAN("No end"), SMTP_SPAN("No end\r\n"));
    refused_or_completed(check, SMTP_SPAN("A dot\r\n."), SMTP_SPAN("A dot\r\n.\r\n"));
    struct smtp_visit *visit = send_body(check, SMTP_SPAN("A lone CR\r"));
    if (visit != NULL && visit->outcome == SMTP_VISIT_SENT) {
        const struct smtp_visit_message *message = smtp_visit_expect_message(visit);
        smtp_check_that(check, message == NULL || smtp_see_bare(message->raw) == NULL,
                        "expected CRLF in place of the lone CR, came a bare one");
    }
}

#define BODY(octets)                                                                               \
    {                                                                                              \
        (octets), sizeof(octets) - 1                                                               \
    }

static void smuggling_no_bare_cr_lf(struct smtp_check *check)
{
    static const struct smtp_span bodies[] = {
        BODY("One\nTwo\n"),
        BODY("One\rTwo\r"),
        BODY("One\r\nTwo\nThree\rFour\r\n"),
        BODY("One\n.\nMAIL FROM:<evil@example.com>\n"),
        BODY("One\n.\r\nMAIL FROM:<evil@example.com>\r\n"),
        BODY("One\r.\rMAIL FROM:<evil@example.com>\r\n"),
        BODY("One\r\n.\nMAIL FROM:<evil@example.com>\r\n"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct smtp_visit *visit = send_body(check, bodies[i]);
        const char *shown = smtp_check_show(check, bodies[i]);
        if (visit == NULL) {
            return;
        }
        smtp_check_that(check, smtp_see_bare(visit->clear) == NULL,
                        "expected CRLF pairs alone of %s, came a bare CR or LF", shown);
        smtp_check_that(check,
                        visit->message_count <= 1 && smtp_visit_count(visit, "MAIL", "evil") == 0,
                        "expected one message of %s, came more", shown);
    }
}

/* ---- injection ---- */

static const char *const line_ends[] = {"\r\n", "\n", "\r"};

static bool is_victim(struct smtp_span line)
{
    struct smtp_span victim = SMTP_SPAN("RCPT TO:<victim");
    return line.len >= victim.len &&
           smtp_span_equal_nocase((struct smtp_span){line.bytes, victim.len}, victim);
}

static void expect_no_victim(struct smtp_check *check, const struct smtp_task *task,
                             const char *what)
{
    struct smtp_visit *visit = smtp_visit(check, task, NULL);
    if (visit == NULL) {
        return;
    }
    for (size_t i = 0; i < visit->command_count; i++) {
        smtp_check_that(check, !is_victim(visit->commands[i].line),
                        "%s: a line of its own came: %s", what,
                        smtp_check_show(check, visit->commands[i].line));
    }
    smtp_check_that(check, smtp_see_bare(visit->clear) == NULL, "%s: a bare CR or LF came", what);
    smtp_visit_expect_not_sent(visit);
}

static void crlf_injection_envelope(struct smtp_check *check)
{
    struct smtp_visit *harmless = smtp_visit(check, &(struct smtp_task){.from = NULL}, NULL);
    if (harmless != NULL) { /* it does send: what it refuses, it refuses for what is in it */
        smtp_visit_expect(harmless, SMTP_VISIT_SENT);
    }
    for (size_t i = 0; i < sizeof line_ends / sizeof *line_ends; i++) {
        const char *from =
            smtp_check_text(check, "ann@example.com>%sRCPT TO:<victim@example.com", line_ends[i]);
        expect_no_victim(check, &(struct smtp_task){.from = from}, "a line end in the sender");
        if ((check->options->abilities & SMTP_NEEDS_HELO) != 0) {
            const char *helo =
                smtp_check_text(check, "a.example%sRCPT TO:<victim@example.com>", line_ends[i]);
            expect_no_victim(check, &(struct smtp_task){.helo = helo},
                             "a line end in the EHLO name");
        }
    }
    if ((check->options->abilities & SMTP_NEEDS_TO) != 0) { /* LF parts addresses in SMTP_TO */
        const char *const to[] = {"bob@example.com>\rRCPT TO:<victim@example.com", NULL};
        expect_no_victim(check, &(struct smtp_task){.to = to}, "a line end in a recipient");
    }
}

static void no_such_parameter(struct smtp_check *check, const struct smtp_task *task,
                              const char *name)
{
    struct smtp_visit *visit = smtp_visit(check, task, NULL);
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        struct smtp_span line = visit->commands[i].line;
        smtp_check_that(check, !smtp_span_has_nocase(smtp_see_parameters(line), name),
                        "expected no %s, came %s", name, smtp_check_show(check, line));
    }
}

/** Coded as xtext it harms nobody. */
static void no_line_of_its_own(struct smtp_check *check, const struct smtp_task *task)
{
    struct smtp_visit *visit = smtp_visit(check, task, NULL);
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        struct smtp_span line = visit->commands[i].line;
        smtp_check_that(check, !is_victim(line), "a line of its own came: %s",
                        smtp_check_show(check, line));
    }
    smtp_check_that(check, visit == NULL || smtp_see_bare(visit->clear) == NULL,
                    "a bare CR or LF came");
}

static void crlf_injection_parameter(struct smtp_check *check)
{
    no_such_parameter(check, &(struct smtp_task){.from = "a@b.example> SIZE=1 X=<c"}, "X=<");
    const char *const spaced[] = {"bob@example.com> NOTIFY=NEVER X=<c", NULL};
    const char *const tabbed[] = {"bob@example.com>\tNOTIFY=NEVER", NULL};
    if ((check->options->abilities & SMTP_NEEDS_TO) != 0) {
        no_such_parameter(check, &(struct smtp_task){.to = spaced}, "NOTIFY=NEVER");
        no_such_parameter(check, &(struct smtp_task){.to = tabbed}, "NOTIFY=NEVER");
    }
    if ((check->options->abilities & SMTP_NEEDS_DSN) != 0) {
        for (size_t i = 0; i < sizeof line_ends / sizeof *line_ends; i++) {
            const char *envid =
                smtp_check_text(check, "a%sRCPT TO:<victim@example.com>", line_ends[i]);
            no_line_of_its_own(check, &(struct smtp_task){.envid = envid});
        }
        no_such_parameter(check, &(struct smtp_task){.envid = "a X=b"}, "X=b");
    }
}

/* ---- keywords, lines ---- */

static bool uses_extensions(const struct smtp_visit *visit)
{
    for (size_t i = 0; i < visit->command_count; i++) {
        const struct smtp_visit_command *command = &visit->commands[i];
        bool is_mail = strcmp(command->name, "MAIL") == 0 || strcmp(command->name, "RCPT") == 0;
        if (strcmp(command->name, "STARTTLS") == 0 ||
            (is_mail && smtp_see_parameters(command->line).len > 0)) {
            return true;
        }
    }
    return false;
}

static void ehlo_keywords_case_insensitive(struct smtp_check *check)
{
    static const struct smtp_answer none[] = {{.command = "none"}};
    struct smtp_task task = {.tls = (check->options->abilities & SMTP_NEEDS_TLS) != 0
                                        ? SMTP_TASK_STARTTLS
                                        : SMTP_TASK_CLEAR};
    if ((check->options->abilities & SMTP_NEEDS_DSN) != 0) {
        task.notify = "FAILURE";
    }
    struct smtp_visit *upper = smtp_visit(
        check, &task,
        &(struct smtp_script){SMTP_SCRIPT(none), .keywords = "SIZE;8BITMIME;DSN;STARTTLS"});
    struct smtp_visit *mixed = smtp_visit(
        check, &task,
        &(struct smtp_script){SMTP_SCRIPT(none), .keywords = "size;8bitmime;Dsn;StartTls"});
    if (upper != NULL) {
        smtp_visit_expect_message(upper);
        if (!uses_extensions(upper)) {
            smtp_check_skip(check, "the client uses none of these extensions");
        }
    }
    for (size_t i = 0; upper != NULL && mixed != NULL && i < upper->command_count; i++) {
        struct smtp_span wanted = upper->commands[i].line;
        struct smtp_span came =
            i < mixed->command_count ? mixed->commands[i].line : (struct smtp_span){"", 0};
        bool is_parameter = strcmp(upper->commands[i].name, "MAIL") == 0 ||
                            strcmp(upper->commands[i].name, "RCPT") == 0;
        smtp_check_that(
            check,
            i < mixed->command_count &&
                strcmp(upper->commands[i].name, mixed->commands[i].name) == 0 &&
                (!is_parameter || smtp_see_parameters(wanted).len == smtp_see_parameters(came).len),
            "expected %s as where the keywords are in upper case, came %s",
            smtp_check_show(check, wanted), smtp_check_show(check, came));
    }
}

#define LONG_LINE 5000
#define TEXT_LINE_OCTETS 998

static void line_998(struct smtp_check *check)
{
    char letters[LONG_LINE + 1];
    memset(letters, 'x', LONG_LINE);
    letters[LONG_LINE] = '\0';
    const char *content =
        smtp_check_text(check, "X-Long: %s\r\n%s%s\r\n", letters, smtp_see_header(check), letters);
    struct smtp_visit *visit =
        smtp_visit(check, &(struct smtp_task){.content = smtp_span_of(content)},
                   &(struct smtp_script){.keywords = "PIPELINING;8BITMIME;SIZE"});
    if (visit == NULL || visit->outcome != SMTP_VISIT_SENT) {
        return; /* refused */
    }
    const struct smtp_visit_message *message = smtp_visit_expect_message(visit);
    size_t octets = 0, longest = 0, begin = 0;
    for (size_t i = 0; message != NULL && i < message->content.len; i++) {
        octets += message->content.bytes[i] == 'x';
        if (message->content.bytes[i] == '\n') {
            longest = i - 1 - begin > longest ? i - 1 - begin : longest;
            begin = i + 1;
        }
    }
    smtp_check_that(check, longest <= TEXT_LINE_OCTETS,
                    "expected lines of 998 octets at most, came %zu", longest);
    bool is_encoded = message != NULL && (smtp_span_has_nocase(message->content, "base64") ||
                                          smtp_span_has_nocase(message->content, "=?"));
    smtp_check_that(check,
                    message == NULL || is_encoded ||
                        octets >= (smtp_span_has_nocase(message->content, "X-Long") ? 2 : 1) *
                                      (size_t)LONG_LINE,
                    "expected all of the content in shorter lines, and some of it is gone");
}

static const struct smtp_rule rows[] = {
    {"rfc5321/2.3.8/smuggling-no-bare-cr-lf", SMTP_MUST_NOT, SMTP_NEEDS_CONTENT,
     "No bare CR or bare LF is ever sent, in content or commands. [known deviation: Python "
     "smtplib sends bytes input as it is and finds line starts after LF only (source)]",
     "Hand over content with LF line ends, CR line ends, mixed ones and the sequences 0A "
     "2E 0A, 0A 2E 0D 0A, 0D 2E 0D, 0D 0A 2E 0A; the capture has only CRLF pairs, one "
     "message, or the client refuses.",
     smuggling_no_bare_cr_lf},
    {"rfc5321/2.3.8/crlf-injection-envelope", SMTP_MUST_NOT, SMTP_NEEDS_FROM,
     "Line ends inside caller-supplied arguments (sender, recipient, EHLO name) never "
     "reach the wire as such. [level inferred]",
     "Pass addresses with CRLF RCPT TO:<victim@x>, LF alone, CR alone, NUL, and percent or "
     "quoted forms, for each argument; the server sees no extra line; the client errors "
     "out.",
     crlf_injection_envelope},
    {"rfc5321/2.4/local-part-case-kept", SMTP_MUST, SMTP_NEEDS_TO,
     "Case of local parts is not altered.", "Send to <MiXeD@Example.ORG>; RCPT shows MiXeD.",
     local_part_case_kept},
    {"rfc5321/4.1.1.1/ehlo-keywords-case-insensitive", SMTP_MUST, 0,
     "Extension keywords in the EHLO reply are matched without regard to case.",
     "Offer size, 8bitmime, Dsn, StartTls; the client uses them as if in upper case.",
     ehlo_keywords_case_insensitive},
    {"rfc5321/4.1.1.3/no-unoffered-parameter", SMTP_MUST_NOT, SMTP_NEEDS_CONTENT,
     "MAIL and RCPT carry no parameter whose extension was not offered.",
     "Offer no extension, submit a message with size, 8-bit and DSN wishes, then one in "
     "ASCII without; commands have no parameter.",
     no_unoffered_parameter},
    {"rfc5321/4.1.1.4/terminator-once", SMTP_MUST_NOT, SMTP_NEEDS_CONTENT,
     "No extra CRLF is put before the final dot when the content already ends in CRLF.",
     "Send content ending in CRLF; capture ends in exactly text CRLF dot CRLF.", terminator_once},
    {"rfc5321/4.1.1.4/missing-final-crlf", SMTP_MUST, SMTP_NEEDS_CONTENT,
     "Content whose last line lacks CRLF is refused or completed with CRLF.",
     "Send content without a final line end, also content ending in a lone dot and in a "
     "lone CR; the terminator still stands on its own line.",
     missing_final_crlf},
    {"rfc5321/4.1.2/quoted-local-part-sent", SMTP_MUST, SMTP_NEEDS_TO,
     "A local part that is no dot-string is sent as a quoted string, with the least "
     "quoting needed. [level inferred]",
     "Ask the client to send to \"john smith\"@example.org, \"a@b\"@example.org and "
     "x.y@example.org; RCPT shows valid quoting, and none for the last.",
     quoted_local_part_sent},
    {"rfc5321/4.1.2/crlf-injection-parameter", SMTP_MUST_NOT, SMTP_NEEDS_FROM,
     "Caller-supplied text cannot add ESMTP parameters or close the angle bracket. [level "
     "inferred]",
     "Pass sender a@b> SIZE=1 X=<c and recipient with space and tab, and ENVID or ORCPT "
     "text with CRLF; no extra parameter or line appears.",
     crlf_injection_parameter},
    {"rfc5321/4.5.2/dot-stuffing", SMTP_MUST, SMTP_NEEDS_CONTENT,
     "A line that starts with a dot gets one more, wherever it stands. [level inferred]",
     "Send a message whose first line, a middle line and last line start with a dot, plus "
     "lines of one and two dots, plus a dot placed at each 1024, 4096, 8192 and 16384 "
     "octet write boundary; un-stuffed capture equals the input.",
     dot_stuffing},
    {"rfc5322/2.1.1/line-998", SMTP_MUST, SMTP_NEEDS_CONTENT,
     "No line of the message is longer than 998 octets without CRLF.",
     "Hand over a 5000-octet header value and body line; capture has no longer line, by "
     "folding or encoding, or the client refuses; content is not corrupted.",
     line_998},
};
SMTP_RULE_TABLE(smtp_rules_client_rfc5321_content, rows);
