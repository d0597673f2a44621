/* explain_test.c - what is said of lines, and that nothing of what this project speaks is left without. */
#include "harness/report/explain.h"
#include "harness/smtp_harness.h"
#include "tests/support/test.h"

#include <stdio.h>

/* ---- one line ---- */

static void expect_said(struct smtp_harness_lines *lines, const char *expected)
{
    char *text = smtp_harness_lines_take(lines);
    expect_str(text, expected);
    free(text);
}

static void expect_command(const char *line, const char *expected)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_explain_command(&lines, smtp_span_of(line));
    expect_said(&lines, expected);
}

static void expect_reply(const char *verb, const char *line, const char *expected)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_explain_reply(&lines, smtp_span_of(verb), smtp_span_of(line));
    expect_said(&lines, expected);
}

TEST(explain, a_command_is_explained_with_its_parameters)
{
    expect_command("quit", "ends the session; the server answers and closes (RFC 5321 4.1.1.10)");
    expect_command(
        "MAIL FROM:<a@b.test> SIZE=9 AUTH=<> X-OWN=1",
        "begins a message; failures are reported to the reverse-path (RFC 5321 4.1.1.2); "
        "SIZE: so many octets are to come, so that it can be refused early (RFC 1870 6); "
        "AUTH: who submitted the message first; <>: nobody vouches (RFC 4954 5)");
    expect_command(
        "RCPT TO:<\"a > SIZE\"@b.test> NOTIFY=NEVER",
        "names one recipient; each is accepted or refused on its own (RFC 5321 4.1.1.3); "
        "NOTIFY: when the sender is told: SUCCESS, FAILURE, DELAY, NEVER (RFC 3461 4.1)");
    expect_command("XCLIENT ADDR=192.0.2.1",
                   "a trusted proxy tells whom it speaks for (Postfix XCLIENT_README); "
                   "ADDR: the client's address (Postfix XCLIENT_README)");
}

TEST(explain, a_reply_is_explained_by_what_it_answers)
{
    expect_reply("", "220 mx.test", "the server names itself and is ready (RFC 5321 4.2)");
    expect_reply("starttls", "220 go",
                 "go on: the TLS handshake comes next, then EHLO again (RFC 3207 4)");
    expect_reply("RCPT", "250 ok", "this recipient is accepted (RFC 5321 3.3)");
    expect_reply(".", "250 ok",
                 "the message is accepted: from here on it is the server's duty (RFC 5321 6.1)");
    expect_reply("X-OWN", "250 ok", "done (RFC 5321 4.2.3)");
    expect_reply("X-OWN", "599 what",
                 "refused for good: the same again will not do (RFC 5321 4.2.1)");
}

TEST(explain, enhanced_codes_are_explained_by_class_and_subject)
{
    expect_reply("RCPT", "550-5.1.1 no",
                 "no such mailbox, or no mail for it from here (RFC 5321 3.3); "
                 "5.1.1: permanent failure of addressing (RFC 3463 2)");
    expect_reply("RSET", "250 2.99.0 ok",
                 "nothing of the message is left (RFC 5321 4.1.1.5); 2.99.0: success (RFC 3463 2)");
}

TEST(explain, what_is_not_known_or_not_whole_is_left_alone)
{
    static const char *const replies[] = {"",         "2",           "25x ok",     "999 ok",
                                          "250",      "250 ",        "250 5.",     "250 5.1",
                                          "250 5.1.", "250 1.2.3 a", "250 5.1.1x", "250 .1.1"};
    expect_command("", "");
    expect_command("XYZZY SIZE=1", "");
    expect_command("MAIL", "begins a message; failures are reported to the reverse-path (RFC 5321 "
                           "4.1.1.2)");
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        expect_reply("RCPT", replies[i], i < 4 ? "" : "this recipient is accepted (RFC 5321 3.3)");
    }
}

/* ---- nothing missing ---- */

static bool has(const struct smtp_explanation *rows, const char *word)
{
    while (rows->word != NULL && strcmp(rows->word, word) != 0) {
        rows++;
    }
    return rows->word != NULL;
}

TEST(explain, every_code_of_5321_4_2_3_and_of_the_extensions_has_a_sentence)
{
    static const char *const codes[] = {
        "211", "214", "220", "221", "250", "251", "252", "354", "421", "450", "451",
        "452", "455", "500", "501", "502", "503", "504", "550", "551", "552", "553",
        "554", "555", "235", "334", "432", "454", "530", "534", "535", "538", /* RFC 4954 6, RFC 3207 4 */
        "521", "556",                                                         /* RFC 7504 */
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!has(smtp_explain_codes, codes[i])) {
            SMTP_TEST_FAIL("no sentence for %s", codes[i]);
        }
    }
}

TEST(explain, what_hangs_on_the_server_s_options_has_a_sentence_too)
{
    static const char *const verbs[] = {"AUTH", "EXPN", "LHLO"};
    static const char *const keywords[] = {"AUTH", "STARTTLS", "REQUIRETLS", "EXPN", "XCLIENT"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        expect_true(has(smtp_explain_verbs, verbs[i]));
    }
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        expect_true(has(smtp_explain_keywords, keywords[i]));
    }
}

TEST(explain, rows_are_one_sentence_and_say_where_to_read_on)
{
    const struct smtp_explanation *const tables[] = {smtp_explain_verbs, smtp_explain_parameters,
                                                     smtp_explain_codes, smtp_explain_keywords,
                                                     smtp_explain_enhanced};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (const struct smtp_explanation *row = tables[t]; row->word != NULL; row++) {
            size_t len = strlen(row->text);
            if (len == 0 || len > 80 || row->text[len - 1] == '.' || row->rfc[0] == '\0') {
                SMTP_TEST_FAIL("the row of %s: \"%s\" (%s)", row->word, row->text, row->rfc);
            }
            for (const struct smtp_explanation *again = row + 1; again->word != NULL; again++) {
                if (strcmp(row->word, again->word) == 0) {
                    SMTP_TEST_FAIL("%s is there twice", row->word);
                }
            }
        }
    }
}

/** What this server offers and understands, with all that can be switched on. */
static struct smtp_harness *start_with_everything(void)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    memset(&options.server.keywords, true, sizeof options.server.keywords);
    struct smtp_harness *harness = smtp_harness_start(&options, NULL);
    expect_true(harness != NULL);
    return harness;
}

static void expect_offered_keyword(struct smtp_span line)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_explain_keyword(&lines, line);
    if (lines.buffer.len == 0) {
        SMTP_TEST_FAIL("no sentence for %.*s", (int)line.len, line.bytes);
    }
    smtp_buffer_free(&lines.buffer);
}

static void expect_verbs(const char *text)
{
    size_t count = 0;
    for (const char *at = strstr(text, "EHLO"); at != NULL && *at != '\0'; count++) {
        char verb[16];
        size_t len = strcspn(at, " \r\n");
        expect_true(len < sizeof verb);
        snprintf(verb, sizeof verb, "%.*s", (int)len, at);
        if (!has(smtp_explain_verbs, verb)) {
            SMTP_TEST_FAIL("no sentence for %s", verb);
        }
        at += len + strspn(at + len, " \r\n");
    }
    expect_true(count >= 12);
}

TEST(explain, every_keyword_and_verb_of_this_server_has_a_sentence)
{
    struct smtp_harness *harness = start_with_everything();
    struct smtp_client *client = smtp_harness_client(harness);
    expect_true(client != NULL);
    expect_int(smtp_client_ehlo(client), SMTP_OK);
    expect_int(smtp_client_help(client, NULL), SMTP_OK);
    expect_verbs(smtp_client_reply(client)->text);
    const char *transcript = smtp_harness_transcript(harness, 1);
    const char *at = transcript != NULL ? strstr(transcript, "S: 250-") : NULL;
    expect_contains(transcript, "S: 250-");
    size_t count = 0;
    for (at = strchr(at, '\n') + 1; strncmp(at, "S: 250", 6) == 0; count++) {
        size_t len = strcspn(at, "\n");
        expect_offered_keyword((struct smtp_span){at + 3, len - 3});
        at += len + 1;
    }
    expect_true(count >= 14);
    smtp_harness_stop(harness);
}
