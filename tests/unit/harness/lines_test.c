/* lines_test.c - harness/lines.c: texts of others inside our own. */
#include "harness/lines.h"
#include "tests/support/test.h"

static void expect_quoted(const char *text, size_t max, const char *expected)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_lines_quote(&lines, smtp_span_of(text), max);
    char *came = smtp_harness_lines_take(&lines);
    expect_str(came, expected);
    free(came);
}

TEST(lines, a_quoted_text_is_cut_between_letters_and_says_its_length)
{
    expect_quoted("abc", 3, "\"abc\"");
    expect_quoted("abcd", 3, "\"abc\"... (4 octets)");
    expect_quoted("a\xc3\xb6\xc3\xbc", 4, "\"a\xc3\xb6\"... (5 octets)");
    expect_quoted("\xe2\x82\xac", 2, "\"\"... (3 octets)");
    expect_quoted("a\r\nb\x01", 10, "\"a\\r\\nb\\x01\"");
}
