/* message_test.c - the view of a captured message: RFC 5322 header fields, RFC 2045-2047, RFC 2231.
 */
#include "captured.h"
#include "common/bytes.h"
#include "harness/message.h"
#include "tests/support/test.h"

#include <stdio.h>

TEST(message, header_fields_are_found_in_any_case_unfolded_and_decoded)
{
    struct smtp_harness_message *message =
        CAPTURED("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n from =?iso-8859-1?b?TfxuY2hlbg==?=\r\n"
                 "To: a@x.test\r\nX-Empty:\r\nto: b@x.test\r\n\r\nHello\r\n");
    expect_str(smtp_harness_header(message, "SUBJECT"), "Gr\303\274\303\237e from M\303\274nchen");
    expect_str(smtp_harness_header_at(message, "To", 0), "a@x.test");
    expect_str(smtp_harness_header_at(message, "To", 1), "b@x.test");
    expect_str(smtp_harness_header_at(message, "To", 2), NULL);
    expect_str(smtp_harness_header(message, "X-Empty"), "");
    expect_str(smtp_harness_header(message, "Cc"), NULL);
    expect_str(smtp_harness_header(message, "Content-Type"), NULL);
    smtp_harness_message_free(message);
}

TEST(message, the_fields_of_the_content_are_there_too)
{
    struct smtp_harness_message *message =
        CAPTURED("Content-Type: text/html; charset=utf-8\r\nSubject: a\r\n\r\n<p>hi\r\n");
    expect_str(smtp_harness_header(message, "content-type"), "text/html; charset=utf-8");
    expect_str(smtp_harness_html(message), "<p>hi\n");
    expect_str(smtp_harness_text(message), NULL);
    smtp_harness_message_free(message);
}

TEST(message, alternatives_and_attachments_are_decoded)
{
    struct smtp_harness_message *message = CAPTURED(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\nnobody reads "
        "this\r\n"
        "--out\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n"
        "--in\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 =\r\nau lait\r\n"
        "--in\r\nContent-Type: TEXT/HTML; charset=utf-8\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nPGI+aGk8L2I+\r\n--in--\r\n"
        "--out\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename*=utf-8''na%C3%AFve.bin\r\n\r\nAAEC/w==\r\n"
        "--out\r\nContent-Type: text/plain; name=\"=?utf-8?q?=C3=A9t=C3=A9.txt?=\"\r\n\r\nnot the "
        "text\r\n"
        "--out--\r\n");
    expect_int(smtp_harness_part_count(message), 4);
    expect_str(smtp_harness_text(message), "caf\303\251 au lait");
    expect_str(smtp_harness_html(message), "<b>hi</b>");
    expect_str(smtp_harness_part(message, 1)->content_type, "text/html");
    expect_true(!smtp_harness_part(message, 1)->attachment);
    const struct smtp_harness_part *binary = smtp_harness_part(message, 2);
    expect_str(binary->content_type, "application/octet-stream");
    expect_str(binary->name, "na\303\257ve.bin");
    expect_true(binary->attachment);
    expect_bytes(binary->bytes, binary->size_bytes + 1, "\0\1\2\377", 5);
    const struct smtp_harness_part *named = smtp_harness_part(message, 3);
    expect_str(named->name, "\303\251t\303\251.txt");
    expect_true(named->attachment);
    expect_true(smtp_harness_part(message, 4) == NULL);
    smtp_harness_message_free(message);
}

TEST(message, rfc2231_names_in_pieces_are_put_together)
{
    struct smtp_harness_message *message = CAPTURED(
        "Content-Type: application/pdf\r\nContent-Disposition: attachment;\r\n"
        " filename*0*=iso-8859-1''Rechnung%20f%FC;\r\n filename*1=\"r Ann.pdf\"\r\n\r\n%PDF\r\n");
    expect_str(smtp_harness_part(message, 0)->name, "Rechnung f\303\274r Ann.pdf");
    expect_str(smtp_harness_text(message), NULL);
    smtp_harness_message_free(message);
}

TEST(message, a_forwarded_message_is_one_leaf_and_its_text_is_not_the_text)
{
    struct smtp_harness_message *message =
        CAPTURED("Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                 "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nold text\r\n"
                 "--b\r\n\r\nnew text\r\n--b--\r\n");
    expect_int(smtp_harness_part_count(message), 2);
    expect_str(smtp_harness_part(message, 0)->content_type, "message/rfc822");
    expect_contains(smtp_harness_part(message, 0)->bytes, "Subject: inner\r\n\r\nold text");
    expect_str(smtp_harness_text(message), "new text");
    expect_str(smtp_harness_header(message, "Subject"), "outer");
    smtp_harness_message_free(message);
}

TEST(message, an_empty_message_has_no_header_and_an_empty_text)
{
    struct smtp_harness_message *message = captured("", 0);
    expect_str(smtp_harness_header(message, "Subject"), NULL);
    expect_str(smtp_harness_text(message), "");
    expect_str(smtp_harness_html(message), NULL);
    expect_int(smtp_harness_part_count(message), 1);
    expect_int(smtp_harness_part(message, 0)->size_bytes, 0);
    smtp_harness_message_free(message);
}

TEST(message, octets_that_are_no_header_are_all_text)
{
    struct smtp_harness_message *message = CAPTURED("just words\r\n\r\nand more\r\n");
    expect_str(smtp_harness_text(message), "just words\n\nand more\n");
    smtp_harness_message_free(message);
}

TEST(message, a_header_without_a_body_and_a_body_without_a_header_are_read)
{
    struct smtp_harness_message *header = CAPTURED("Subject: alone");
    struct smtp_harness_message *body = CAPTURED("\r\nalone\r\n");
    expect_str(smtp_harness_header(header, "subject"), "alone");
    expect_str(smtp_harness_text(header), "");
    expect_str(smtp_harness_text(body), "alone\n");
    smtp_harness_message_free(header);
    smtp_harness_message_free(body);
}

TEST(message, eight_bit_without_a_charset_is_utf8_or_else_latin1)
{
    struct smtp_harness_message *utf8 = CAPTURED("Subject: caf\303\251\r\n\r\nth\303\251\r\n");
    struct smtp_harness_message *latin1 = CAPTURED("Subject: caf\351\r\n\r\nth\351\r\n");
    expect_str(smtp_harness_header(utf8, "Subject"), "caf\303\251");
    expect_str(smtp_harness_text(utf8), "th\303\251\n");
    expect_str(smtp_harness_header(latin1, "Subject"), "caf\303\251");
    expect_str(smtp_harness_text(latin1), "th\303\251\n");
    smtp_harness_message_free(utf8);
    smtp_harness_message_free(latin1);
}

TEST(message, an_unknown_or_false_charset_still_gives_a_text)
{
    struct smtp_harness_message *unknown =
        CAPTURED("Content-Type: text/plain; charset=x-martian\r\n\r\nplain \351\r\n");
    struct smtp_harness_message *untrue =
        CAPTURED("Content-Type: text/plain; charset=utf-8\r\n\r\nbad \351\r\n");
    expect_str(smtp_harness_text(unknown), "plain \303\251\n");
    expect_str(smtp_harness_text(untrue), "bad \303\251\n");
    smtp_harness_message_free(unknown);
    smtp_harness_message_free(untrue);
}

TEST(message, nul_octets_stay_in_the_part)
{
    struct smtp_harness_message *message = CAPTURED("Subject: a\0b\r\n\r\nx\0y\r\n");
    expect_str(smtp_harness_header(message, "Subject"), "a");
    const struct smtp_harness_part *part = smtp_harness_part(message, 0);
    expect_bytes(part->bytes, part->size_bytes, "x\0y\r\n", 5);
    expect_str(smtp_harness_text(message), "x");
    smtp_harness_message_free(message);
}

TEST(message, a_multipart_without_parts_shows_what_it_holds)
{
    struct smtp_harness_message *message =
        CAPTURED("Content-Type: multipart/mixed\r\n\r\nno boundary anywhere\r\n");
    expect_int(smtp_harness_part_count(message), 1);
    expect_str(smtp_harness_part(message, 0)->content_type, "multipart/mixed");
    expect_contains(smtp_harness_part(message, 0)->bytes, "no boundary anywhere");
    expect_str(smtp_harness_text(message), NULL);
    smtp_harness_message_free(message);
}

/* What GMime or this file would do by recursion has a bound. */
static struct smtp_harness_message *nested(const char *format_of_level, unsigned levels)
{
    struct smtp_buffer all = SMTP_BUFFER(SIZE_MAX);
    for (unsigned i = 0; i < levels; i++) {
        char level[128];
        int len = snprintf(level, sizeof level, format_of_level, i, i);
        expect_int(smtp_buffer_append(&all, level, (size_t)len), SMTP_OK);
    }
    expect_int(smtp_buffer_append(&all, "\r\nend", 5), SMTP_OK);
    struct smtp_span span = smtp_buffer_span(&all);
    struct smtp_harness_message *message = captured(span.bytes, span.len);
    smtp_buffer_free(&all);
    return message;
}

TEST(message, parts_nested_without_end_are_cut_off)
{
    struct smtp_harness_message *multiparts =
        nested("Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", 20000);
    expect_int(smtp_harness_part_count(multiparts), 1);
    smtp_harness_message_free(multiparts);
    struct smtp_harness_message *messages =
        nested("Content-Type: message/rfc822\r\nX: %u %u\r\n\r\n", 20000);
    expect_int(smtp_harness_part_count(messages), 1);
    expect_str(smtp_harness_part(messages, 0)->content_type, "message/rfc822");
    smtp_harness_message_free(messages);
}

TEST(message, any_cut_of_a_multipart_can_be_read)
{
    static const char whole[] =
        "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"
        "--b\r\nContent-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\n"
        "/v8AaABp\r\n--b\r\nContent-Disposition: attachment; filename*0*=utf-8''a%C3; "
        "filename*1=\"b\r\n\r\nx\r\n"
        "--b--\r\n";
    for (size_t len = 0; len < sizeof whole; len++) {
        struct smtp_harness_message *message = captured(whole, len);
        expect_true(smtp_harness_part_count(message) >= 1);
        smtp_harness_message_free(message);
    }
}

TEST(message, the_text_is_the_first_text_part_that_is_no_attachment)
{
    struct smtp_harness_message *message =
        CAPTURED("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                 "--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nattached\r\n"
                 "--b\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--\r\n");
    expect_str(smtp_harness_text(message), "first");
    expect_int(smtp_harness_part_count(message), 3);
    smtp_harness_message_free(message);
    message = CAPTURED("Content-Type: text/plain; name=a.txt\r\n\r\nattached\r\n");
    expect_true(smtp_harness_text(message) == NULL);
    expect_str(smtp_harness_part(message, 0)->name, "a.txt");
    expect_true(smtp_harness_part(message, 0)->attachment);
    smtp_harness_message_free(message);
}
