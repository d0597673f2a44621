/* decisions_test.c - server/protocol/decisions.c: what a hook says in its own words, and what is
 * said where it says nothing. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

/* Runs the input in one session where `decide` is asked for this kind of event. */
static void run(struct core *core, enum smtp_server_event_kind kind, core_decide *decide,
                const char *input)
{
    *core = core_defaults();
    core->config.asks = 1u << kind;
    core->decide = decide;
    core_open(core);
    core_feed_text(core, input);
}

static enum smtp_server_verdict welcome(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 220, NULL, "Welcome");
}

TEST(decisions, the_greeting_takes_the_words_of_the_hook_rfc5321_4_2)
{
    struct core core;
    run(&core, SMTP_SERVER_ASK_CONNECT, welcome, "");
    expect_str(core_output(&core), "220 mx.test Welcome\r\n");
    core_clear(&core);
}

static enum smtp_server_verdict say_521(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 521, NULL, "Takes no mail");
}

TEST(decisions, a_521_greeting_is_followed_by_521_until_quit_rfc7504_3)
{
    struct core core;
    run(&core, SMTP_SERVER_ASK_CONNECT, say_521, "EHLO c.test\r\nX\r\nQUIT\r\n");
    expect_str(core_codes(&core), "521 521/5.3.2 521/5.3.2 221/2.0.0");
    expect_contains(core_output(&core), "521 mx.test Takes no mail\r\n");
    core_clear(&core);
}

static enum smtp_server_verdict say_421(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 421, NULL, "Busy");
}

TEST(decisions, a_421_greeting_ends_the_session_at_once_rfc5321_3_8)
{
    struct core core;
    run(&core, SMTP_SERVER_ASK_CONNECT, say_421, "EHLO c.test\r\n");
    expect_str(core_output(&core), "421 mx.test Busy\r\n");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

static enum smtp_server_verdict hang_up_with_554(const struct smtp_server_event *event,
                                                 struct smtp_server_reply *reply)
{
    (void)event;
    (void)smtp_server_reply(reply, 554, "5.7.1", "Not you");
    return SMTP_DISCONNECT;
}

TEST(decisions, a_session_is_ended_with_the_words_of_the_hook)
{
    struct core core;
    run(&core, SMTP_SERVER_ASK_CONNECT, hang_up_with_554, "");
    expect_str(core_output(&core), "554 mx.test Not you\r\n");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
    run(&core, SMTP_SERVER_ASK_HELO, hang_up_with_554, "EHLO c.test\r\nNOOP\r\n");
    expect_str(core_codes(&core), "220 554/5.7.1");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

static enum smtp_server_verdict say_354(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 354, NULL, "Go ahead");
}

static enum smtp_server_verdict say_250(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 250, "2.0.0", "Go ahead");
}

TEST(decisions, accepted_data_is_answered_354_whatever_the_hook_says_rfc5321_4_3_2)
{
    struct core core;
    run(&core, SMTP_SERVER_ASK_DATA, say_354, CORE_OPENING "DATA\r\n");
    expect_contains(core_output(&core), "354 Go ahead\r\n");
    core_clear(&core);
    run(&core, SMTP_SERVER_ASK_DATA, say_250, CORE_OPENING "DATA\r\nx\r\n.\r\n");
    expect_contains(core_output(&core), "354 End data with <CRLF>.<CRLF>\r\n250 ");
    core_clear(&core);
}

static enum smtp_server_verdict without_enhanced_code(const struct smtp_server_event *event,
                                                      struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 450, NULL, "Later");
}

static enum smtp_server_verdict refuse(const struct smtp_server_event *event,
                                       struct smtp_server_reply *reply)
{
    (void)event;
    (void)reply;
    return SMTP_REFUSE;
}

TEST(decisions, a_recipient_refused_without_words_is_no_such_mailbox_rfc3463_3_2)
{
    struct core core;
    run(&core, SMTP_SERVER_ASK_RCPT, refuse, CORE_OPENING "DATA\r\n");
    expect_str(core_codes(&core), "220 250 250/2.1.0 550/5.1.1 503/5.5.1");
    core_clear(&core);
}

TEST(decisions, a_hooks_reply_without_enhanced_code_gets_that_of_its_class_rfc2034_4)
{
    struct core core;
    run(&core, SMTP_SERVER_ASK_RCPT, without_enhanced_code, CORE_OPENING);
    expect_contains(core_output(&core), "450 4.0.0 Later\r\n");
    core_clear(&core);
}

static enum smtp_server_verdict say_334(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 334, NULL, "VXNlcm5hbWU6");
}

TEST(decisions, intermediate_replies_have_no_enhanced_code_rfc2034_4)
{
    struct core core;
    run(&core, SMTP_SERVER_ASK_UNKNOWN, say_334, "XAUTH LOGIN\r\n");
    expect_contains(core_output(&core), "\r\n334 VXNlcm5hbWU6\r\n");
    core_clear(&core);
}
