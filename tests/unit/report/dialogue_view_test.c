/* dialogue_view_test.c - whole pictures of sessions, row by row. */
#include "harness/report/dialogue_rows.h"
#include "harness/report/dialogue_view.h"
#include "harness/report/explain.h"
#include "tests/support/test.h"

#include <stdio.h>

#define MS UINT64_C(1000000)

struct entry {
    enum smtp_server_log_kind kind;
    unsigned ms; /* since the first line */
    bool pipelined;
    const char *text;
};

static char *draw_entries(const struct entry *entries, size_t count,
                          const struct smtp_dialogue_look *look)
{
    struct smtp_harness_transcript *transcript = smtp_harness_transcript_new();
    char *picture = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&picture, &len);
    expect_true(transcript != NULL && out != NULL);
    for (size_t i = 0; i < count; i++) {
        const struct smtp_server_log_entry entry = {
            .kind = entries[i].kind,
            .pipelined = entries[i].pipelined,
            .time_ns = 500 * MS + entries[i].ms * MS,
            .text = entries[i].text,
            .len = strlen(entries[i].text),
        };
        smtp_harness_transcript_add(transcript, &entry);
    }
    smtp_dialogue_draw(out, transcript, look);
    expect_int(fclose(out), 0);
    smtp_harness_transcript_free(transcript);
    return picture;
}

static void expect_picture(const struct entry *entries, size_t count,
                           struct smtp_dialogue_look look, const char *expected)
{
    look.margin = look.margin != NULL ? look.margin : "";
    char *picture = draw_entries(entries, count, &look);
    expect_str(picture, expected);
    free(picture);
}
#define EXPECT_PICTURE(entries, expected, ...)                                                     \
    expect_picture(entries, sizeof(entries) / sizeof *(entries),                                   \
                   (struct smtp_dialogue_look){__VA_ARGS__}, expected)

static const struct entry pipelined[] = {
    {SMTP_LOG_CONNECT, 0, false, "127.0.0.1:40112"},
    {SMTP_LOG_REPLY, 0, false, "220 mx.test"},
    {SMTP_LOG_COMMAND, 1, false, "EHLO a.test"},
    {SMTP_LOG_REPLY, 2, false, "250-mx.test"},
    {SMTP_LOG_REPLY, 2, false, "250 PIPELINING"},
    {SMTP_LOG_COMMAND, 3, false, "MAIL FROM:<a@a.test>"},
    {SMTP_LOG_REPLY, 3, false, "250 ok"},
    {SMTP_LOG_COMMAND, 3, true, "RCPT TO:<b@b.test>"},
    {SMTP_LOG_REPLY, 4, false, "550 5.1.1 no"},
    {SMTP_LOG_COMMAND, 4, true, "DATA"},
    {SMTP_LOG_REPLY, 4, false, "503 5.5.1 none"},
    {SMTP_LOG_COMMAND, 5, false, "QUIT"},
    {SMTP_LOG_REPLY, 6, false, "221 bye"},
    {SMTP_LOG_CLOSE, 10250, false, "QUIT"},
};

TEST(dialogue_view, time_direction_and_pipelined_groups_are_marked)
{
    EXPECT_PICTURE(pipelined,
                   "   0.0    # connected: 127.0.0.1:40112\n"
                   "   0.0                            ←─ 220 mx.test\n"
                   "   1.0    EHLO a.test             ─→\n"
                   "   2.0                            ←─ 250-mx.test\n"
                   "   2.0                            ←─ 250 PIPELINING\n"
                   "   3.0  ┌ MAIL FROM:<a@a.test>    ─→\n"
                   "   3.0  │                         ←─ 250 ok\n"
                   "   3.0  ├ RCPT TO:<b@b.test>      ─→\n"
                   "   4.0  │                         ←─ 550 5.1.1 no\n"
                   "   4.0  └ DATA                    ─→\n"
                   "   4.0                            ←─ 503 5.5.1 none\n"
                   "   5.0    QUIT                    ─→\n"
                   "   6.0                            ←─ 221 bye\n"
                   " 10250    # closed: QUIT\n",
                   .columns = 60);
}

TEST(dialogue_view, ascii_alone_does_as_well)
{
    static const struct entry entries[] = {
        {SMTP_LOG_COMMAND, 0, false, "STARTTLS"}, {SMTP_LOG_REPLY, 1, false, "220 go"},
        {SMTP_LOG_TLS, 2, false, "TLSv1.3"},      {SMTP_LOG_COMMAND, 3, false, "NOOP"},
        {SMTP_LOG_COMMAND, 3, true, "NOOP"},      {SMTP_LOG_COMMAND, 3, true, "RSET"},
    };
    EXPECT_PICTURE(entries,
                   "|    0.0    STARTTLS               ->\n"
                   "|    1.0                           <- 220 go\n"
                   "|    2.0 === TLS: TLSv1.3 ==================================\n"
                   "|    3.0 #/ NOOP                   ->\n"
                   "|    3.0 #+ NOOP                   ->\n"
                   "|    3.0 #\\ RSET                   ->\n",
                   .margin = "| ", .columns = 60, .ascii = true);
}

TEST(dialogue_view, content_is_shown_by_its_first_lines_and_its_octets)
{
    static const struct entry entries[] = {
        {SMTP_LOG_COMMAND, 0, false, "DATA"},
        {SMTP_LOG_REPLY, 0, false, "354 go"},
        {SMTP_LOG_CONTENT, 1, false, "Subject: a\r\n\r\n1\r\n2\r\n..3\r\n4\r\n5\r\n6"},
        {SMTP_LOG_CONTENT, 2, false, "\r\n.\r\n"},
        {SMTP_LOG_REPLY, 3, false, "250 ok"},
        {SMTP_LOG_COMMAND, 4, false, "BDAT 3 LAST"},
        {SMTP_LOG_CONTENT, 4, false, ".\r\n"},
        {SMTP_LOG_REPLY, 5, false, "250 ok"},
    };
    EXPECT_PICTURE(entries,
                   "   0.0    DATA                    ─→\n"
                   "   0.0                            ←─ 354 go\n"
                   "          Subject: a              ─→\n"
                   "                                  ─→\n"
                   "          1                       ─→\n"
                   "          2                       ─→\n"
                   "          ..3                     ─→\n"
                   "          4                       ─→\n"
                   "   2.0    (+2 lines, 34 octets)\n"
                   "   2.0    .                       ─→\n"
                   "   3.0                            ←─ 250 ok\n"
                   "   4.0    BDAT 3 LAST             ─→\n"
                   "          .                       ─→\n"
                   "   4.0    (3 octets)\n"
                   "   5.0                            ←─ 250 ok\n",
                   .columns = 60);
}

TEST(dialogue_view, in_brief_it_is_the_last_lines_and_of_a_reply_the_first_and_the_last)
{
    static const struct entry entries[] = {
        {SMTP_LOG_REPLY, 0, false, "220 mx"},        {SMTP_LOG_TLS, 1, false, "TLSv1.3, X"},
        {SMTP_LOG_COMMAND, 1, false, "EHLO a"},      {SMTP_LOG_REPLY, 2, false, "250-mx"},
        {SMTP_LOG_REPLY, 2, false, "250-8BITMIME"},  {SMTP_LOG_REPLY, 2, false, "250-SIZE 9"},
        {SMTP_LOG_REPLY, 2, false, "250 HELP"},      {SMTP_LOG_COMMAND, 3, false, "HELP"},
        {SMTP_LOG_REPLY, 4, false, "214-There is"},  {SMTP_LOG_REPLY, 4, false, "214-no"},
        {SMTP_LOG_REPLY, 4, false, "214 help here"}, {SMTP_LOG_COMMAND, 5, false, "QUIT"},
    };
    EXPECT_PICTURE(entries,
                   "(3 lines before)\n"
                   "   2.0 ║                          ←─ 250-mx\n"
                   "   2.0 ║                             (+2 lines)\n"
                   "   2.0 ║                          ←─ 250 HELP\n"
                   "   3.0 ║  HELP                    ─→\n"
                   "   4.0 ║                          ←─ 214-There is\n"
                   "   4.0 ║                             214-no\n"
                   "   4.0 ║                          ←─ 214 help here\n"
                   "   5.0 ║  QUIT                    ─→\n",
                   .columns = 60, .brief = 8);
}

TEST(dialogue_view, in_brief_what_a_failure_quotes_is_shown_in_any_case)
{
    static const struct entry entries[] = {
        {SMTP_LOG_REPLY, 0, false, "220 mx"},       {SMTP_LOG_COMMAND, 1, false, "EHLO a"},
        {SMTP_LOG_REPLY, 2, false, "250-mx"},       {SMTP_LOG_REPLY, 2, false, "250-8BITMIME"},
        {SMTP_LOG_REPLY, 2, false, "250-SIZE 9"},   {SMTP_LOG_REPLY, 2, false, "250-SIZE 99"},
        {SMTP_LOG_REPLY, 2, false, "250 HELP"},     {SMTP_LOG_COMMAND, 3, false, "DATA"},
        {SMTP_LOG_REPLY, 4, false, "354 go"},       {SMTP_LOG_CONTENT, 5, false, "1\r\n2\r\n3\r\n"},
        {SMTP_LOG_CONTENT, 5, false, "4\r\n5\r\n"}, {SMTP_LOG_CONTENT, 5, false, "6\r\n7\r\n.\r\n"},
        {SMTP_LOG_REPLY, 6, false, "250 ok"},
    };
    EXPECT_PICTURE(entries,
                   "(4 lines before)\n"
                   "   2.0                            ←─ 250-SIZE 9\n"
                   "(5 lines before)\n"
                   "          2                       ─→\n"
                   "          3                       ─→\n"
                   "          4                       ─→\n"
                   "          5                       ─→\n"
                   "          6                       ─→\n"
                   "   5.0    (+1 lines, 21 octets)\n"
                   "   5.0    .                       ─→\n"
                   "   6.0                            ←─ 250 ok\n",
                   .columns = 60, .brief = 8, .told = "expected none, came \"SIZE 9\"");
    EXPECT_PICTURE(entries,
                   "(9 lines before)\n"
                   "          3                       ─→\n"
                   "          4                       ─→\n"
                   "          5                       ─→\n"
                   "          6                       ─→\n"
                   "          7                       ─→\n"
                   "   5.0    (21 octets)\n"
                   "   5.0    .                       ─→\n"
                   "   6.0                            ←─ 250 ok\n",
                   .columns = 60, .brief = 8, .told = "expected 1, came \"6\\r\\n7\\r\\n\"");
}

TEST(dialogue_view, long_lines_go_on_below_and_control_octets_are_escaped)
{
    static const struct entry entries[] = {
        {SMTP_LOG_COMMAND, 0, false, "MAIL FROM:<ann@example.com> BODY=8BITMIME SIZE=1"},
        {SMTP_LOG_REPLY, 0, false, "550 \033[31mred\a \\ \303\251"},
        {SMTP_LOG_COMMAND, 0, false,
         "AUTH 0123456789012345678901234567890123456789012345678901234567890123456789"
         "012345678901234567890123456789"},
        {SMTP_LOG_NOTE, 0, false,
         "fault: the reply to MAIL comes 50 ms late, by the rule mail: delay 50"},
    };
    EXPECT_PICTURE(entries,
                   "   0.0    MAIL FROM:<ann@example. ─→\n"
                   "            com> BODY=8BITMIME\n"
                   "            SIZE=1\n"
                   "   0.0                            ←─ 550 \\x1B[31mred\\x07 \\\\\n"
                   "                                       \\xC3\\xA9\n"
                   "   0.0    AUTH 012345678901234567 ─→\n"
                   "            890123456789012345678\n"
                   "            901234567890123456789\n"
                   "            01234567890123456789…\n"
                   "   0.0    # fault: the reply to MAIL comes 50 ms late, by\n"
                   "            the rule mail: delay 50\n",
                   .columns = 60);
}

TEST(dialogue_view, no_escape_is_broken)
{
    static const struct entry entries[] = {
        {SMTP_LOG_COMMAND, 0, false,
         "123456789012345678901\303\251\\567890123456789\303\251\303\251\303\251\303\251"
         "1234567\303\251\303\251\303\251\303\251\303\251\303\251"}};
    EXPECT_PICTURE(entries,
                   "   0.0    123456789012345678901   ─→\n"
                   "            \\xC3\\xA9\\\\56789012345\n"
                   "            6789\\xC3\\xA9\\xC3\\xA9\n"
                   "            \\xC3\\xA9\\xC3\\xA91234…\n",
                   .columns = 60);
}

static const struct entry login[] = {
    {SMTP_LOG_REPLY, 0, false, "220 mx.test"},    {SMTP_LOG_COMMAND, 1, false, "EHLO a"},
    {SMTP_LOG_REPLY, 1, false, "250-mx.test"},    {SMTP_LOG_REPLY, 1, false, "250-X-OWN"},
    {SMTP_LOG_REPLY, 1, false, "250 DSN"},        {SMTP_LOG_COMMAND, 2, false, "AUTH LOGIN"},
    {SMTP_LOG_REPLY, 2, false, "334 VXNlcjo="},   {SMTP_LOG_COMMAND, 3, false, "***"},
    {SMTP_LOG_REPLY, 3, false, "235 2.7.0 ok"},   {SMTP_LOG_COMMAND, 4, false, "RCPT TO:<b@b>"},
    {SMTP_LOG_COMMAND, 4, true, "RCPT TO:<c@b>"}, {SMTP_LOG_COMMAND, 4, true, "DATA"},
    {SMTP_LOG_REPLY, 5, false, "250 ok"},         {SMTP_LOG_REPLY, 5, false, "250 ok"},
    {SMTP_LOG_REPLY, 5, false, "354 go"},         {SMTP_LOG_CONTENT, 5, false, ".\r\n"},
    {SMTP_LOG_COMMAND, 5, true, "QUIT"},          {SMTP_LOG_REPLY, 6, false, "250 ok"},
    {SMTP_LOG_REPLY, 6, false, "221 bye"},
};

/** The explanations in their order, each with what stands before it. */
TEST(dialogue_view, each_reply_is_explained_as_the_answer_to_its_command)
{
    static const char *const order[] = {"220 mx.test",
                                        "ready (RFC 5321 4.2)",
                                        "EHLO a",
                                        "(RFC 5321 4.1.1.1)",
                                        "250-mx.test",
                                        "greets;",
                                        "250-X-OWN\n",
                                        "250 DSN\n",
                                        "(RFC 3461 3)",
                                        "AUTH LOGIN",
                                        "(RFC 4954 4)",
                                        "334 VXNlcjo=",
                                        "a challenge",
                                        "***",
                                        "answers the challenge",
                                        "235 2.7.0 ok",
                                        "logged in (RFC 4954 6); 2.7.0: success of security",
                                        "<b@b>",
                                        "names one recipient",
                                        "<c@b>",
                                        "DATA",
                                        "asks to send",
                                        "250 ok",
                                        "this recipient is accepted",
                                        "250 ok\n",
                                        "354 go",
                                        "go on: content",
                                        "| .  ",
                                        "ends the content",
                                        "QUIT",
                                        "ends the session",
                                        "250 ok",
                                        "the message is accepted",
                                        "221 bye",
                                        "the server closes"};
    struct smtp_dialogue_look look = {.margin = "", .columns = 118, .ascii = true, .explain = true};
    char *picture = draw_entries(login, sizeof login / sizeof *login, &look);
    const char *at = picture;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const char *found = strstr(at, order[i]);
        if (found == NULL) {
            SMTP_TEST_FAIL("expected \"%s\" in \"%s\", from \"%.60s\" on", order[i], picture, at);
        }
        at = found + strlen(order[i]);
    }
    free(picture);
}

TEST(dialogue_view, explanations_stand_beside_where_there_is_room)
{
    static const struct entry entries[] = {{SMTP_LOG_COMMAND, 0, false, "QUIT"},
                                           {SMTP_LOG_REPLY, 1, false, "221 2.0.0 bye"}};
    EXPECT_PICTURE(entries,
                   "   0.0    QUIT                           ─→                                 │ "
                   "ends the session; the server answers and\n"
                   "                                                                            │ "
                   "  closes (RFC 5321 4.1.1.10)\n"
                   "   1.0                                   ←─ 221 2.0.0 bye                   │ "
                   "the server closes the connection\n"
                   "                                                                            │ "
                   "  (RFC 5321 4.1.1.10); 2.0.0: success of\n"
                   "                                                                            │ "
                   "  no particular kind (RFC 3463 2)\n",
                   .columns = 120, .explain = true);
    EXPECT_PICTURE(
        entries,
        "   0.0    QUIT                              ─→\n"
        "          · ends the session; the server answers and closes (RFC 5321 4.1.1.10)\n"
        "   1.0                                      ←─ 221 2.0.0 bye\n"
        "          · the server closes the connection (RFC 5321 4.1.1.10); 2.0.0: success\n"
        "              of no particular kind (RFC 3463 2)\n",
        .columns = 80, .explain = true);
}

static void expect_all_said(const char *text, size_t columns)
{
    struct smtp_dialogue_row row = {.time = "", .text = SMTP_SPAN("X"), .explained = text};
    struct smtp_dialogue_look look = {
        .margin = "", .columns = columns, .ascii = true, .explain = true};
    char *picture = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&picture, &len);
    expect_true(out != NULL);
    smtp_dialogue_row_draw(out, &look, &row);
    expect_int(fclose(out), 0);
    const char *at = picture; /* every word of the text, in its order */
    while (*text != '\0') {
        char word[80];
        size_t word_len = strcspn(text, " ");
        expect_true(word_len < sizeof word);
        snprintf(word, sizeof word, "%.*s", (int)word_len, text);
        at = strstr(at, word);
        if (at == NULL) {
            SMTP_TEST_FAIL("no \"%s\" at %zu columns in \"%s\"", word, columns, picture);
        }
        at += word_len;
        text += word_len + strspn(text + word_len, " ");
    }
    free(picture);
}

TEST(dialogue_view, no_row_of_the_tables_is_clipped)
{
    const struct smtp_explanation *const tables[] = {smtp_explain_verbs, smtp_explain_parameters,
                                                     smtp_explain_codes, smtp_explain_keywords,
                                                     smtp_explain_enhanced};
    struct smtp_harness_lines parameters = SMTP_HARNESS_LINES;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (const struct smtp_explanation *row = tables[t]; row->word != NULL; row++) {
            expect_all_said(row->text, 80);
            expect_all_said(row->text, 120);
        }
    }
    smtp_explain_command(
        &parameters, SMTP_SPAN("MAIL FROM:<> SIZE=1 BODY=7BIT SMTPUTF8 RET=FULL ENVID=1 AUTH=<> "
                               "REQUIRETLS HOLDFOR=1 BY=1;R MT-PRIORITY=1"));
    char *text = smtp_harness_lines_take(&parameters);
    expect_all_said(text, SMTP_DIALOGUE_COLUMNS_MIN);
    expect_all_said(text, 80);
    expect_all_said(text, 120);
    free(text);
}

/** No octet, width or margin makes a row wider than the look says. */
TEST(dialogue_view, no_row_is_wider_than_the_look)
{
    for (size_t columns = SMTP_DIALOGUE_COLUMNS_MIN; columns <= SMTP_DIALOGUE_COLUMNS_MAX;
         columns++) {
        struct smtp_dialogue_look look = {.margin = columns % 2 ? "" : "      ",
                                          .columns = columns,
                                          .ascii = true,
                                          .explain = columns % 3};
        char *picture = draw_entries(login, sizeof login / sizeof *login, &look);
        for (const char *at = picture; *at != '\0'; at += strcspn(at, "\n") + 1) {
            expect_true(strcspn(at, "\n") <= columns);
        }
        free(picture);
    }
}
