/* dialogue_told_test.c - which lines a failure's detail is about. */
#include "harness/report/dialogue_told.h"
#include "tests/support/test.h"

#include <stdio.h>

static bool is_told(const char *detail, const char *line)
{
    return smtp_dialogue_is_told(detail, smtp_span_of(line));
}

TEST(dialogue_told, are_lines_that_a_detail_quotes_whole_or_behind_their_code)
{
    expect_true(is_told("came \"MAIL FROM:<a>\"", "MAIL FROM:<a>"));
    expect_true(is_told("came \"250-a.test\\r\\n250 SIZE 9\\r\\n\"", "250-a.test"));
    expect_true(is_told("came \"250-a.test\\r\\n250 SIZE 9\\r\\n\"", "250 SIZE 9"));
    expect_true(is_told("came \"SIZE 9\"", "250-SIZE 9"));
    expect_true(is_told("without parameters, came \"yes\"", "250-SMTPUTF8 yes"));
    expect_true(is_told("it is offered: AUTH PLAIN", "250-AUTH PLAIN"));
    expect_true(is_told("\"SIZE 99\", not \"SIZE 9\"", "250 SIZE 9"));
    expect_true(is_told("came \"a\\x01b\"", "a\001b"));
}

TEST(dialogue_told, are_neither_parts_of_what_is_quoted_nor_empty_lines)
{
    expect_true(!is_told(NULL, "MAIL FROM:<a>"));
    expect_true(!is_told("came \"SIZE 99\"", "250-SIZE 9"));
    expect_true(!is_told("came \"\"", ""));
    expect_true(!is_told("came \"250 2.0.0 OK\"", "250 2.1.0 OK"));
    expect_true(!is_told("came \"a b\"", "DATA b"));
}

TEST(dialogue_told, of_a_long_line_its_beginning_is_compared)
{
    char line[301], detail[301];
    memset(line, 'x', 300);
    line[300] = '\0';
    snprintf(detail, sizeof detail, "came \"%.200s\"... (300 octets)", line);
    expect_true(is_told(detail, line));
    expect_true(!is_told("came \"xxx\"... (300 octets)", line));
}

TEST(dialogue_told, a_session_is_told_of_where_one_of_its_lines_is)
{
    static const char text[] = "MAIL FROM:<a>";
    const struct smtp_server_log_entry entry = {
        .kind = SMTP_LOG_COMMAND, .text = text, .len = sizeof text - 1};
    struct smtp_harness_transcript *transcript = smtp_harness_transcript_new();
    expect_true(transcript != NULL);
    smtp_harness_transcript_add(transcript, &entry);
    expect_true(smtp_dialogue_tells("came \"MAIL FROM:<a>\"", transcript));
    expect_true(!smtp_dialogue_tells("came \"MAIL FROM:<b>\"", transcript));
    expect_true(!smtp_dialogue_tells(NULL, transcript));
    smtp_harness_transcript_free(transcript);
}
