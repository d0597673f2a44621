/* utf8_test.c - common/utf8.c */
#include "common/utf8.h"
#include "tests/support/test.h"

TEST(utf8, well_formed_characters_are_taken_whole_rfc3629_4)
{
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        {"\xc2\x80", 2},         {"\xdf\xbf", 2},         {"\xe0\xa0\x80", 3},
        {"\xe1\x80\x80", 3},     {"\xed\x9f\xbf", 3},     {"\xee\x80\x80", 3},
        {"\xef\xbf\xbf", 3},     {"\xf0\x90\x80\x80", 4}, {"\xf3\x80\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4}, {"\xc3\xa9x", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_int(smtp_utf8_sequence(smtp_span_of(rows[i].text)), rows[i].len);
        expect_true(smtp_is_utf8(smtp_span_of(rows[i].text)));
    }
}

TEST(utf8, ill_formed_ones_are_not_rfc3629_4)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xc3",
        "\xc3x",
        "\xe0\x9f\xbf",
        "\xe1\x80",
        "\xe1\x80x",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf1\x80\x80",
        "\xff",
        "\xfe",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect_int(smtp_utf8_sequence(smtp_span_of(bad[i])), 0);
        expect_true(!smtp_is_utf8(smtp_span_of(bad[i])));
        expect_true(smtp_has_eight_bit(smtp_span_of(bad[i])));
    }
    expect_int(smtp_utf8_sequence(SMTP_SPAN("a")), 0);
    expect_int(smtp_utf8_sequence(SMTP_SPAN("")), 0);
    expect_int(smtp_utf8_character(SMTP_SPAN("a")), 1);
    expect_int(smtp_utf8_character(SMTP_SPAN("\xc3\xa9")), 2);
    expect_int(smtp_utf8_character(SMTP_SPAN("\x80")), 0);
    expect_int(smtp_utf8_character(SMTP_SPAN("")), 0);
    expect_int(smtp_utf8_character((struct smtp_span){"\xf0\x9f\x98\x80", 3}), 0);
    expect_int(smtp_utf8_sequence((struct smtp_span){"\xc3\xa9", 1}),
               0); /* nothing behind it is read */
    expect_int(smtp_utf8_sequence((struct smtp_span){"\xe1\x80\x80", 2}), 0);
    expect_true(smtp_is_utf8(SMTP_SPAN("")) && smtp_is_utf8(SMTP_SPAN("a\x7f\0z")));
    expect_true(!smtp_has_eight_bit(SMTP_SPAN("a\x7f\0z")));
}

TEST(utf8, an_octet_above_127_is_found_wherever_it_stands)
{
    char text[25];
    for (size_t len = 0; len <= sizeof text; len++) {
        memset(text, 'a', sizeof text);
        expect_true(!smtp_has_eight_bit((struct smtp_span){text, len}));
        for (size_t at = 0; at < len; at++) {
            text[at] = '\x80';
            expect_true(smtp_has_eight_bit((struct smtp_span){text, len}));
            text[at] = 'a';
        }
    }
}
