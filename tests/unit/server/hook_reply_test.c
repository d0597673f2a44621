/* hook_reply_test.c - server/reply.c: what a hook says is safe to send. */
#include "server/smtp_server.h"
#include "tests/support/test.h"

TEST(hook_reply, keeps_code_enhanced_code_and_text_and_tells_the_verdict)
{
    struct smtp_server_reply reply;
    expect_int(smtp_server_reply(&reply, 550, "5.1.1", "No such user %s", "bob"), SMTP_REFUSE);
    expect_int(reply.code, 550);
    expect_str(reply.enhanced, "5.1.1");
    expect_str(reply.text, "No such user bob");
    expect_int(smtp_server_reply(&reply, 250, NULL, "Fine"), SMTP_ACCEPT);
    expect_str(reply.enhanced, "");
    expect_int(smtp_server_reply(&reply, 354, NULL, "Go"), SMTP_ACCEPT);
    expect_int(smtp_server_reply(&reply, 450, "4.7.1", "Later"), SMTP_REFUSE);
    expect_int(smtp_server_reply(&reply, 399, NULL, "Go on"), SMTP_ACCEPT);
    expect_int(smtp_server_reply(&reply, 400, NULL, "Not now"), SMTP_REFUSE);
}

/* A CR in the text would end the line and begin a reply of the text's own. */
TEST(hook_reply, control_octets_in_the_text_become_question_marks_but_line_ends_stay)
{
    struct smtp_server_reply reply;
    expect_int(smtp_server_reply(&reply, 550, NULL, "a\r\n250 b\x7f\x01"), SMTP_REFUSE);
    expect_str(reply.text, "a?\n250 b??");
}

TEST(hook_reply, an_enhanced_code_that_is_none_or_of_another_class_is_dropped)
{
    static const char
        *const wrong[] = {"4.1.1",    "5.1",     "5.1.1.1", "5..1",      "5.1.",
                          "five",     "5.1.1 x", "5.1.1\r", "5.1000.10", "",
                          "5.1.1000", "5.01.1",  "5.1.00"}; /* RFC 3463 2: no leading zeros */
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct smtp_server_reply reply;
        expect_int(smtp_server_reply(&reply, 550, wrong[i], "x"), SMTP_REFUSE);
        expect_str(reply.enhanced, "");
    }
    struct smtp_server_reply reply;
    expect_int(smtp_server_reply(&reply, 550, "5.999.999", "x"), SMTP_REFUSE);
    expect_str(reply.enhanced, "5.999.999");
}

TEST(hook_reply, a_code_that_is_none_becomes_a_local_error)
{
    static const int wrong[] = {0, 99, 199, 600, -1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct smtp_server_reply reply;
        expect_int(smtp_server_reply(&reply, wrong[i], "2.0.0", "x"), SMTP_REFUSE);
        expect_int(reply.code, 451);
        expect_str(reply.enhanced, "");
    }
}

TEST(hook_reply, a_text_too_long_is_cut_not_overrun)
{
    struct smtp_server_reply reply;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    expect_int(smtp_server_reply(&reply, 550, NULL, "%s", text), SMTP_REFUSE);
    expect_int(strlen(reply.text), sizeof reply.text - 1);
}
