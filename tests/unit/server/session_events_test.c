/* session_events_test.c - server/protocol/session.c where it asks, waits and stops: decisions at each
 * stage, deadlines, shutdown. The dialogues without them stand in session_test.c. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

/* ---- decisions ---- */

static enum smtp_server_verdict refuse_bob(const struct smtp_server_event *event,
                                           struct smtp_server_reply *reply)
{
    if (event->kind == SMTP_SERVER_ASK_RCPT && strncmp(event->path, "bob@", 4) == 0) {
        return smtp_server_reply(reply, 450, "4.2.1", "Later, %s", event->path);
    }
    return SMTP_ACCEPT;
}

TEST(session, a_refused_recipient_is_no_part_of_the_message)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_RCPT;
    core.decide = refuse_bob;
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<bob@y.test>\r\nDATA\r\n"
                          "RCPT TO:<a@y.test>\r\nRCPT TO:<bob@y.test>\r\nRCPT TO:<c@y.test>\r\n"
                          "DATA\r\nx\r\n.\r\n");
    expect_str(core_codes(&core), "220 250 250/2.1.0 450/4.2.1 503/5.5.1 250/2.1.5 450/4.2.1 "
                                  "250/2.1.5 354 250/2.0.0");
    expect_contains(core_output(&core), "450 4.2.1 Later, bob@y.test\r\n");
    expect_int(smtp_message_recipient_count(core.messages[0]), 2);
    expect_str(smtp_message_forward_path(core.messages[0], 0), "a@y.test");
    expect_str(smtp_message_forward_path(core.messages[0], 1), "c@y.test");
    core_clear(&core);
}

static enum smtp_server_verdict refuse_all(const struct smtp_server_event *event,
                                           struct smtp_server_reply *reply)
{
    (void)event;
    (void)reply;
    return SMTP_REFUSE;
}

static const struct {
    enum smtp_server_event_kind kind;
    const char *input;
    const char *codes;
} refusals[] = {
    {SMTP_SERVER_ASK_CONNECT, "EHLO c.test\r\nNOOP\r\nX\r\nQUIT\r\n",
     "554 503/5.5.1 503/5.5.1 503/5.5.1 221/2.0.0"}, /* RFC 5321 3.1 */
    {SMTP_SERVER_ASK_HELO, "EHLO c.test\r\nMAIL FROM:<>\r\n", "220 550/5.7.1 503/5.5.1"},
    {SMTP_SERVER_ASK_MAIL, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\n",
     "220 250 550/5.7.1 503/5.5.1"},
    {SMTP_SERVER_ASK_DATA, CORE_OPENING "DATA\r\nNOOP\r\n", CORE_OPENED "554/5.7.1 250/2.0.0"},
    {SMTP_SERVER_ASK_MESSAGE, CORE_OPENING "DATA\r\nx\r\n.\r\nRCPT TO:<b@y.test>\r\n",
     CORE_OPENED "354 554/5.7.1 503/5.5.1"},
    {SMTP_SERVER_ASK_VRFY, "VRFY x\r\n", "220 550/5.1.1"},
    {SMTP_SERVER_ASK_EXPN, "EXPN x\r\n", "220 550/5.1.1"},
    {SMTP_SERVER_ASK_UNKNOWN, "XYZZY a b\r\n", "220 500/5.5.1"},
};

TEST(session, each_stage_can_be_refused_and_leaves_the_session_in_step)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct core core = core_defaults();
        core.config.asks = 1u << refusals[i].kind;
        core.decide = refuse_all;
        core_expect(&core, refusals[i].input, strlen(refusals[i].input), refusals[i].codes,
                    (const char *const[]){NULL});
    }
}

TEST(session, what_a_hook_refuses_for_good_is_an_error_of_the_peer)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_RCPT;
    core.decide = refuse_all;
    core.config.limits.errors = 2;
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@y.test>\r\nRCPT TO:<b@y.test>\r\n"
                "NOOP\r\n",
                "220 250 250/2.1.0 550/5.1.1 550/5.1.1 421/4.7.0");
}

/* RFC 7504 3: whatever comes after 521, but for QUIT, is answered 521 */
static enum smtp_server_verdict never_mail(const struct smtp_server_event *event,
                                           struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 521, NULL, "takes no mail");
}

TEST(session, after_521_every_line_but_quit_gets_521_rfc7504_3)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_CONNECT;
    core.config.limits.command_line_octets = 64;
    core.decide = never_mail;
    CORE_EXPECT(&core,
                "EHLO c.test\r\nXYZZY\r\nNOOP\n\r\nNOOP 0123456789012345678901234567890123456789"
                "012345678901234567890123456789012345678901234567890123456789012345\r\nQUIT\r\n",
                "521 521/5.3.2 521/5.3.2 521/5.3.2 521/5.3.2 221/2.0.0");
}

static enum smtp_server_verdict hang_up(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)event;
    (void)reply;
    return SMTP_DISCONNECT;
}

TEST(session, each_stage_can_end_the_session)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct core core = core_defaults();
        core.config.asks = 1u << refusals[i].kind;
        core.decide = hang_up;
        core_open(&core);
        core_feed_text(&core, refusals[i].input);
        expect_contains(core_codes(&core),
                        refusals[i].kind == SMTP_SERVER_ASK_CONNECT ? "421" : " 421/4.3.2");
        expect_true(smtp_server_session_ended(core.session));
        core_clear(&core);
    }
}

static enum smtp_server_verdict inject(const struct smtp_server_event *event,
                                       struct smtp_server_reply *reply)
{
    if (event->kind == SMTP_SERVER_ASK_VRFY) {
        return smtp_server_reply(reply, 250, "2.1.5", "one\ntwo \r\t\x80 %0600d", 1);
    }
    return SMTP_ACCEPT;
}

TEST(session, the_text_of_a_hook_stays_one_reply_whatever_it_holds)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_VRFY;
    core.decide = inject;
    core_open(&core);
    core_feed_text(&core, "VRFY x\r\nNOOP\r\n");
    expect_str(core_codes(&core), "220 250/2.1.5 250/2.0.0");
    expect_contains(core_output(&core), "250-2.1.5 one\r\n250 2.1.5 two ??? 000");
    core_clear(&core);
}

/* ---- time ---- */

#define MS UINT64_C(1000000)

TEST(session, waits_for_a_command_five_minutes_and_then_says_421_rfc5321_4_5_3_2_7)
{
    struct core core = core_defaults();
    core_open(&core);
    uint64_t opened_ns = core.now_ns;
    expect_true(smtp_server_session_deadline_ns(core.session) == opened_ns + 300000 * MS);
    core.now_ns = opened_ns + 299999 * MS;
    core_feed_text(&core, "NOOP\r\nNO");
    smtp_server_session_expire(core.session, opened_ns + 300000 * MS); /* too early now */
    expect_str(core_codes(&core), "220 250/2.0.0");
    core.now_ns += 299999 * MS;
    core_feed_text(&core, "O"); /* a part of a command buys no time */
    smtp_server_session_expire(core.session, core.now_ns + 1 * MS);
    core_settle(&core);
    expect_str(core_codes(&core), "220 250/2.0.0 421/4.4.2");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

TEST(session, time_for_content_counts_from_its_last_octet)
{
    struct core core = core_defaults();
    core.config.limits.content_timeout_ms = 10;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\n");
    for (int i = 0; i < 100; i++) {
        core.now_ns += 9 * MS;
        smtp_server_session_expire(core.session, core.now_ns);
        core_feed_text(&core, "x");
    }
    expect_true(!smtp_server_session_ended(core.session));
    core.now_ns += 10 * MS;
    smtp_server_session_expire(core.session, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), CORE_OPENED "354 421/4.4.2");
    expect_int(core.message_count, 0);
    core_clear(&core);
}

TEST(session, an_octet_now_and_then_does_not_outlive_the_session_timeout)
{
    struct core core = core_defaults();
    core.config.limits.session_timeout_ms = 1000;
    core_open(&core);
    core_feed_text(&core, CORE_OPENING "DATA\r\n");
    for (int i = 0; i < 1001 && !smtp_server_session_ended(core.session); i++) {
        core.now_ns += 1 * MS;
        core_feed_text(&core, "x");
        smtp_server_session_expire(core.session, core.now_ns);
        core_settle(&core);
    }
    expect_str(core_codes(&core), CORE_OPENED "354 421/4.4.2");
    core_clear(&core);
}

/* A session whose first question, the connect hook's, stays open until the test answers it. */
static void open_with_a_question(struct core *core, uint64_t session_timeout_ms)
{
    struct smtp_server_event event;
    *core = core_defaults();
    core->config.asks = 1u << SMTP_SERVER_ASK_CONNECT;
    core->config.limits.session_timeout_ms = session_timeout_ms;
    core->session = smtp_server_session_new(
        &core->config,
        &(struct smtp_server_session_start){.number = 1, .peer = "127.0.0.1:1", .user = core});
    expect_true(core->session != NULL);
    smtp_server_session_open(core->session, core->now_ns);
    expect_true(smtp_server_session_next_event(core->session, &event));
}

TEST(session, time_for_a_command_counts_from_the_answer_of_a_hook_that_took_long)
{
    struct core core;
    open_with_a_question(&core, 0);
    expect_true(smtp_server_session_deadline_ns(core.session) == UINT64_MAX);
    core.now_ns += 1000000 * MS;
    smtp_server_session_expire(core.session, core.now_ns);
    smtp_server_session_answer(core.session, SMTP_ACCEPT, NULL, core.now_ns);
    expect_true(smtp_server_session_deadline_ns(core.session) == core.now_ns + 300000 * MS);
    core_settle(&core);
    expect_str(core_codes(&core), "220");
    core_clear(&core);
}

TEST(session, an_answer_that_comes_after_the_end_of_the_session_says_nothing)
{
    struct core core;
    open_with_a_question(&core, 1000);
    core.now_ns += 1000 * MS;
    expect_true(smtp_server_session_deadline_ns(core.session) == core.now_ns);
    smtp_server_session_expire(core.session, core.now_ns);
    smtp_server_session_answer(core.session, SMTP_ACCEPT, NULL, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), "421/4.4.2");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

TEST(session, shutting_down_waits_for_an_open_question)
{
    struct core core;
    open_with_a_question(&core, 0);
    smtp_server_session_shut_down(core.session, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), "");
    smtp_server_session_answer(core.session, SMTP_ACCEPT, NULL, core.now_ns);
    core_feed_text(&core, "EHLO c.test\r\n");
    expect_contains(core_codes(&core), "421/4.3.2");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

TEST(session, shutting_down_says_421_between_transactions_and_lets_an_open_one_end)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\n");
    smtp_server_session_shut_down(core.session, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), "220 250 421/4.3.2");
    core_clear(&core);

    core = core_defaults();
    core_open(&core);
    core_feed_text(&core, CORE_OPENING);
    smtp_server_session_shut_down(core.session, core.now_ns);
    core_feed_text(&core, "DATA\r\nx\r\n.\r\nNOOP\r\n");
    expect_str(core_codes(&core), CORE_OPENED "354 250/2.0.0 421/4.3.2");
    expect_int(core.message_count, 1);
    core_clear(&core);
}

/* The question was open when the server began to stop: 421 comes with the answer. */
TEST(session, shutting_down_waits_for_an_answer_and_then_says_421_whatever_it_is)
{
    static const char *const codes[] = {"220 250 250/2.1.0", "220 250 550/5.7.1 421/4.3.2"};
    for (int refused = 0; refused < 2; refused++) {
        struct core core = core_defaults();
        struct smtp_server_event event;
        core.config.asks = 1u << SMTP_SERVER_ASK_MAIL;
        core_open(&core);
        core_feed_text(&core, "EHLO c.test\r\n");
        const char mail[] = "MAIL FROM:<a@x.test>\r\n";
        expect_int(smtp_server_session_receive(core.session, mail, sizeof mail - 1, core.now_ns),
                   sizeof mail - 1);
        expect_true(smtp_server_session_next_event(core.session, &event));
        smtp_server_session_shut_down(core.session, core.now_ns);
        smtp_server_session_answer(core.session, refused ? SMTP_REFUSE : SMTP_ACCEPT, NULL,
                                   core.now_ns);
        core_settle(&core);
        expect_str(core_codes(&core), codes[refused]);
        expect_int(smtp_server_session_ended(core.session), refused);
        core_clear(&core);
    }
}
