/* reply_test.c - server/protocol/reply.c: the grammar of replies (RFC 5321 4.2.1, 4.5.3.1.5). */
#include "server/protocol/reply.h"
#include "tests/support/test.h"

#define LINE_MAX_OCTETS 512

static void expect_reply(int code, const char *enhanced, const char *text, const char *wanted)
{
    struct smtp_buffer out = SMTP_BUFFER(SIZE_MAX);
    expect_int(smtp_reply_append(&out, code, enhanced, text, false), SMTP_OK);
    struct smtp_span came = smtp_buffer_span(&out);
    expect_bytes(came.bytes, came.len, wanted, strlen(wanted));
    smtp_buffer_free(&out);
}

TEST(reply, all_lines_but_the_last_have_a_hyphen_and_each_its_enhanced_code_rfc2034_4)
{
    expect_reply(250, NULL, "a", "250 a\r\n");
    expect_reply(250, NULL, "", "250 \r\n");
    expect_reply(550, "5.1.1", "a\n\nb", "550-5.1.1 a\r\n550-5.1.1 \r\n550 5.1.1 b\r\n");
}

TEST(reply, what_is_not_printable_ascii_is_masked_rfc5321_4_2)
{
    expect_reply(250, NULL, " ~\x1f\x7f\x80\xff\r", "250  ~?????\r\n");
}

TEST(reply, a_line_has_512_octets_at_most_and_no_fewer_than_fit_rfc5321_4_5_3_1_5)
{
    char text[2 * LINE_MAX_OCTETS], wanted[LINE_MAX_OCTETS + 1];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    memset(wanted, 'x', sizeof wanted);
    memcpy(wanted, "250 ", 4);
    memcpy(wanted + LINE_MAX_OCTETS - 2, "\r\n", 3);
    expect_reply(250, NULL, text, wanted);
    memcpy(wanted, "250 2.0.0 ", 10);
    expect_reply(250, "2.0.0", text, wanted);
}
