/* extract_test.c - what is taken out of a message that was captured: codes, and links. */
#include "harness/smtp_harness.h"
#include "tests/support/test.h"

static const struct smtp_harness_message *sent(struct smtp_harness *harness, const char *content)
{
    const char *paths[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = paths, .forward_path_count = 1};
    struct smtp_client *client = smtp_harness_client(harness);
    expect_int(smtp_client_send(client, &envelope, smtp_content_text(content), NULL), SMTP_OK);
    const struct smtp_harness_message *message = smtp_harness_wait(harness, NULL);
    expect_true(message != NULL);
    return message;
}

TEST(extract, what_the_first_parentheses_hold_or_all_of_it)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    const struct smtp_harness_message *message =
        sent(harness, "Subject: Code 123456\n\nYour code is 654321.\nBye\n");
    expect_str(smtp_harness_extract(harness, message, "code is ([0-9]+)"), "654321");
    expect_str(smtp_harness_extract(harness, message, "[0-9]{6}"),
               "123456"); /* the subject first */
    expect_str(smtp_harness_extract(harness, message, "^Bye$"), "Bye");
    expect_str(smtp_harness_extract(harness, message, "Bye|(x)"), "");
    expect_str(smtp_harness_failure(harness), "");
    smtp_harness_stop(harness);
}

TEST(extract, why_nothing_is_found_is_told)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    const struct smtp_harness_message *message = sent(harness, "Subject: Hi\n\nHello\n");
    expect_true(smtp_harness_extract(harness, message, "x+y") == NULL);
    expect_contains(smtp_harness_failure(harness),
                    "with \"x+y\": it is not in the subject, the text or the HTML\n");
    expect_contains(smtp_harness_failure(harness), "subject \"Hi\"");
    expect_true(smtp_harness_extract(harness, message, "(") == NULL);
    expect_contains(smtp_harness_failure(harness), "with \"(\": no regular expression: ");
    smtp_harness_stop(harness);
}

TEST(extract, links_are_the_html_s_or_else_the_text_s)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    const struct smtp_harness_message *both =
        sent(harness,
             "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nSee http://text.test/.\n"
             "--b\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n"
             "<a href=3D\"http://html.test/?a=3D1&amp;b=3D2\">x</a>\n--b--\n");
    expect_str(smtp_harness_link(harness, both, 0), "http://html.test/?a=1&b=2");
    expect_true(smtp_harness_link(harness, both, 1) == NULL);
    const struct smtp_harness_message *plain =
        sent(harness, "Subject: x\n\nSee http://text.test/ and mailto:a@b.test\n");
    expect_str(smtp_harness_link(harness, plain, 1), "mailto:a@b.test");
    expect_true(smtp_harness_link(harness, plain, 2) == NULL);
    smtp_harness_stop(harness);
}
