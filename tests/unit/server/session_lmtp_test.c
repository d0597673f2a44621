/* session_lmtp_test.c - LMTP (RFC 2033) against the core: LHLO, and a reply for each recipient at the end
 * of a message, by DATA and by BDAT, accepted or not. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define HELLO "LHLO client.test\r\n"
#define MAIL "MAIL FROM:<s@x.test>\r\n"
#define A "RCPT TO:<a@y.test>\r\n"
#define B "RCPT TO:<b@y.test>\r\n"
#define UNKNOWN "RCPT TO:<unknown@y.test>\r\n"
/* three recipients, the first of them twice */
#define OPENING HELLO MAIL A UNKNOWN B A
#define OPENED "220 250 250/2.1.0 250/2.1.5 550/5.1.1 250/2.1.5 250/2.1.5 "

static enum smtp_server_verdict refuse_unknown(const struct smtp_server_event *event)
{
    bool unknown = event->kind == SMTP_SERVER_ASK_RCPT && strncmp(event->path, "unknown@", 8) == 0;
    return unknown ? SMTP_REFUSE : SMTP_ACCEPT;
}

static enum smtp_server_verdict decide(const struct smtp_server_event *event,
                                       struct smtp_server_reply *reply)
{
    (void)reply;
    return refuse_unknown(event);
}

static struct core lmtp(void)
{
    struct core core = core_defaults();
    core.lmtp = true;
    core.config.asks = 1u << SMTP_SERVER_ASK_RCPT;
    core.decide = decide;
    return core;
}

/* ---- LHLO ---- */

TEST(session, lhlo_takes_the_place_of_helo_and_ehlo_rfc2033_4_1)
{
    struct core core = lmtp();
    CORE_EXPECT(&core,
                "EHLO c.test\r\nHELO c.test\r\nMAIL FROM:<>\r\nlhlo c.test\r\nEHLO c.test\r\n"
                "MAIL FROM:<>\r\nLHLO c.test\r\nMAIL FROM:<>\r\n",
                "220 500/5.5.1 500/5.5.1 503/5.5.1 250 500/5.5.1 250/2.1.0 250 250/2.1.0");
    CORE_EXPECT(&core, "LHLO\r\nLHLO bad_name\r\nNOOP\r\n", "220 501/5.5.4 501/5.5.4 250/2.0.0");
    core.lmtp = false;
    CORE_EXPECT(&core, "LHLO c.test\r\nMAIL FROM:<>\r\n", "220 500/5.5.1 503/5.5.1");
}

TEST(session, what_is_said_of_the_protocol_names_lmtp)
{
    struct core core = lmtp();
    core_open(&core);
    core_feed_text(&core, "MAIL FROM:<>\r\nHELP\r\n");
    expect_contains(core_output(&core), "220 mx.test LMTP\r\n503 5.5.1 Send LHLO first\r\n");
    expect_contains(core_output(&core), " LHLO ");
    expect_true(strstr(core_output(&core), "HELO") == NULL);
    core_clear(&core);
    core = lmtp();
    core.config.greeting_text = "of our own";
    core_open(&core);
    expect_contains(core_output(&core), "220 mx.test of our own\r\n");
    core_clear(&core);
}

TEST(session, lmtp_offers_pipelining_and_enhanced_status_codes_in_any_case_rfc2033_5)
{
    struct core core = lmtp();
    core.config.keywords = (struct smtp_server_keywords){0};
    core_open(&core);
    core_feed_text(&core, "LHLO c.test\r\nNOOP\r\n");
    expect_contains(core_output(&core), "250-PIPELINING\r\n");
    expect_contains(core_output(&core), "ENHANCEDSTATUSCODES\r\n");
    expect_contains(core_output(&core), "250 2.0.0 OK\r\n");
    core_clear(&core);
}

TEST(session, a_message_by_lmtp_says_so_rfc3848_1)
{
    static const struct smtp_tls_facts facts = {.version = "TLSv1.3", .cipher = "x"};
    struct core core = lmtp();
    for (int tls = 0; tls < 2; tls++) {
        core.implicit_tls = tls ? &facts : NULL;
        struct core one = core;
        core_open(&one);
        core_feed_text(&one, OPENING "DATA\r\nx\r\n.\r\n");
        expect_str(smtp_message_protocol(one.messages[0]), tls ? "LMTPS" : "LMTP");
        core_clear(&one);
    }
}

static struct smtp_server_auth_answer let_in(const struct smtp_server_event *event, unsigned steps)
{
    (void)event;
    (void)steps;
    return (struct smtp_server_auth_answer){.step = SMTP_SERVER_AUTH_ACCEPTED, .identity = "ann"};
}

TEST(session, a_message_by_lmtp_of_somebody_logged_in_says_so_rfc3848_1)
{
    static const struct smtp_tls_facts facts = {.version = "TLSv1.3", .cipher = "x"};
    struct core core = lmtp();
    core.config.mechanisms_clear = core.config.mechanisms_tls = "PLAIN";
    core.answer_auth = let_in;
    for (int tls = 0; tls < 2; tls++) {
        core.implicit_tls = tls ? &facts : NULL;
        struct core one = core;
        core_open(&one);
        core_feed_text(&one, HELLO "AUTH PLAIN AGEAYg==\r\n" MAIL A "DATA\r\nx\r\n.\r\n");
        expect_str(smtp_message_protocol(one.messages[0]), tls ? "LMTPSA" : "LMTPA");
        core_clear(&one);
    }
}

/* ---- DATA ---- */

TEST(session, data_without_an_accepted_recipient_gets_503_rfc2033_4_2)
{
    struct core core = lmtp();
    CORE_EXPECT(&core, HELLO MAIL UNKNOWN "DATA\r\nNOOP\r\n",
                "220 250 250/2.1.0 550/5.1.1 503/5.5.1 250/2.0.0");
}

TEST(session, the_final_dot_gets_a_reply_for_each_recipient_rfc2033_4_2)
{
    struct core core = lmtp();
    CORE_EXPECT(&core, OPENING "DATA\r\nx\r\n.\r\nNOOP\r\n" MAIL A "DATA\r\ny\r\n.\r\n",
                OPENED "354 250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0 250/2.1.0 250/2.1.5 354 "
                       "250/2.0.0",
                "x\r\n", "y\r\n");
}

TEST(session, refused_content_gets_a_reply_for_each_recipient_rfc2033_4_2)
{
    struct core core = lmtp();
    core.config.limits.message_octets = 10;
    CORE_EXPECT(&core, OPENING "DATA\r\na\nb\r\n.\r\nNOOP\r\n",
                OPENED "354 554/5.6.0 554/5.6.0 554/5.6.0 250/2.0.0");
    CORE_EXPECT(&core, OPENING "DATA\r\nfar too large\r\n.\r\nNOOP\r\n",
                OPENED "354 552/5.3.4 552/5.3.4 552/5.3.4 250/2.0.0");
    core.config.limits.text_line_octets = 5;
    CORE_EXPECT(&core, OPENING "DATA\r\nlong\r\n.\r\nNOOP\r\n",
                OPENED "354 500/5.6.0 500/5.6.0 500/5.6.0 250/2.0.0");
}

static enum smtp_server_verdict second_is_full(const struct smtp_server_event *event,
                                               struct smtp_server_reply *reply)
{
    if (event->kind == SMTP_SERVER_ASK_MESSAGE) {
        (void)smtp_server_reply(&reply[1], 452, "4.2.2", "%s is full",
                                smtp_message_forward_path(event->message, 1));
        (void)smtp_server_reply(&reply[2], 250, "2.1.5", "It is there");
    }
    return refuse_unknown(event);
}

TEST(session, each_recipient_has_a_reply_of_its_own_in_order_rfc2033_4_2)
{
    struct core core = lmtp();
    core.decide = second_is_full;
    CORE_EXPECT(&core, OPENING "DATA\r\nx\r\n.\r\nNOOP\r\n",
                OPENED "354 250/2.0.0 452/4.2.2 250/2.1.5 250/2.0.0", "x\r\n");
    CORE_EXPECT(&core, OPENING "BDAT 3 LAST\r\nx\r\nNOOP\r\n",
                OPENED "250/2.0.0 452/4.2.2 250/2.1.5 250/2.0.0", "x\r\n");
    core_open(&core);
    core_feed_text(&core, OPENING "DATA\r\nx\r\n.\r\n");
    expect_contains(core_output(&core), "250 2.0.0 Message accepted\r\n"
                                        "452 4.2.2 b@y.test is full\r\n250 2.1.5 It is there\r\n");
    core_clear(&core);
}

static enum smtp_server_verdict refuse_message(const struct smtp_server_event *event,
                                               struct smtp_server_reply *reply)
{
    if (event->kind == SMTP_SERVER_ASK_MESSAGE) {
        return smtp_server_reply(reply, 451, "4.3.0", "Not now");
    }
    return refuse_unknown(event);
}

TEST(session, a_message_that_a_hook_refuses_is_refused_for_each_recipient_rfc2033_4_2)
{
    struct core core = lmtp();
    core.decide = refuse_message;
    CORE_EXPECT(&core, OPENING "DATA\r\nx\r\n.\r\nNOOP\r\n",
                OPENED "354 451/4.3.0 451/4.3.0 451/4.3.0 250/2.0.0");
    CORE_EXPECT(&core, OPENING "BDAT 1 LAST\r\nxNOOP\r\n",
                OPENED "451/4.3.0 451/4.3.0 451/4.3.0 250/2.0.0");
}

static enum smtp_server_verdict hang_up(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    (void)reply;
    return event->kind == SMTP_SERVER_ASK_MESSAGE ? SMTP_DISCONNECT : refuse_unknown(event);
}

TEST(session, a_hook_that_hangs_up_at_a_message_does_so_for_each_recipient)
{
    struct core core = lmtp();
    core.decide = hang_up;
    CORE_EXPECT(&core, OPENING "DATA\r\nx\r\n.\r\nNOOP\r\n",
                OPENED "354 421/4.3.2 421/4.3.2 421/4.3.2");
}

TEST(session, an_answer_without_a_reply_is_the_librarys_own_for_each_recipient)
{
    struct core core = lmtp();
    struct smtp_server_event event;
    const char end[] = "x\r\n.\r\n";
    core_open(&core);
    core_feed_text(&core, OPENING "DATA\r\n");
    (void)smtp_server_session_receive(core.session, end, sizeof end - 1, core.now_ns);
    expect_true(smtp_server_session_next_event(core.session, &event));
    smtp_message_release(event.message);
    smtp_server_session_answer(core.session, SMTP_ACCEPT, NULL, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), OPENED "354 250/2.0.0 250/2.0.0 250/2.0.0");
    core_clear(&core);
}

static enum smtp_server_verdict wordy(const struct smtp_server_event *event,
                                      struct smtp_server_reply *reply)
{
    if (event->kind == SMTP_SERVER_ASK_MESSAGE) {
        for (size_t i = 0; i < smtp_message_recipient_count(event->message); i++) {
            (void)smtp_server_reply(&reply[i], 550, "5.100.100", "%0390d", (int)i);
            memset(reply[i].text, '\n', 380); /* each a line */
        }
    }
    return SMTP_ACCEPT;
}

TEST(session, the_replies_of_as_many_recipients_as_may_be_find_room)
{
    enum { RECIPIENTS = 300 };
    for (size_t limit = 0; limit <= RECIPIENTS; limit += RECIPIENTS) {
        struct core core = lmtp();
        core.config.limits.recipients = limit;
        core.config.asks = 0;
        core.decide = wordy;
        core_open(&core);
        core_feed_text(&core, HELLO MAIL);
        for (int i = 0; i < RECIPIENTS; i++) {
            core_feed_text(&core, A);
        }
        core_feed_text(&core, "DATA\r\nx\r\n.\r\nNOOP\r\n");
        size_t replies = 0;
        for (const char *at = core_output(&core); (at = strstr(at, "550 5.100.100 ")); at++) {
            replies++;
        }
        expect_int(replies, RECIPIENTS);
        expect_true(strstr(core_output(&core), "\r\n250 2.0.0 OK\r\n") != NULL);
        core_clear(&core);
    }
}

/* ---- BDAT ---- */

TEST(session, bdat_last_gets_a_reply_for_each_recipient_and_other_chunks_one_rfc2033_4_3)
{
    struct core core = lmtp();
    CORE_EXPECT(&core, OPENING "BDAT 1\r\nxBDAT 0\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n" MAIL A,
                OPENED "250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0 250/2.1.0 "
                       "250/2.1.5",
                "x\r\n");
}

TEST(session, bdat_last_without_a_recipient_gets_no_reply_rfc2033_4_3)
{
    struct core core = lmtp();
    CORE_EXPECT(&core,
                HELLO MAIL "BDAT 3 LAST\r\nxyzNOOP\r\n" MAIL UNKNOWN "BDAT 3 LAST\r\nxyz"
                           "NOOP\r\n" MAIL A "BDAT 1 LAST\r\nx",
                "220 250 250/2.1.0 250/2.0.0 250/2.1.0 550/5.1.1 250/2.0.0 250/2.1.0 250/2.1.5 "
                "250/2.0.0",
                "x");
    /* MAIL was refused: who pipelines counts the recipients accepted, which are none */
    CORE_EXPECT(&core, HELLO "MAIL FROM:<bad\r\n" A "BDAT 3 LAST\r\nxyzNOOP\r\n",
                "220 250 501/5.5.4 503/5.5.1 250/2.0.0");
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, HELLO MAIL "BDAT 3 LAST\r\nxyz");
    expect_contains(core_log(&core), "N:BDAT LAST without a recipient has no reply with LMTP\n");
    core_clear(&core);
}

/* No reply at its end, then: 421 stands alone, as that of the session. */
TEST(session, a_session_that_ends_in_such_a_chunk_says_nothing_of_it_rfc2033_4_3)
{
    struct core core = lmtp();
    core_open(&core);
    core_feed_text(&core, HELLO MAIL "BDAT 3 LAST\r\nx");
    core.now_ns = smtp_server_session_deadline_ns(core.session);
    smtp_server_session_expire(core.session, core.now_ns);
    core_settle(&core);
    expect_true(smtp_server_session_ended(core.session));
    expect_str(core_codes(&core), "220 250 250/2.1.0");
    core_clear(&core);
}

TEST(session, a_chunk_that_is_not_the_last_gets_one_reply_without_a_recipient_too_rfc2033_4_3)
{
    struct core core = lmtp();
    CORE_EXPECT(&core, HELLO MAIL "BDAT 3\r\nxyzBDAT 3 LAST\r\nxyzNOOP\r\n",
                "220 250 250/2.1.0 503/5.5.1 250/2.0.0");
}

TEST(session, a_refused_last_chunk_gets_a_reply_for_each_recipient_rfc2033_4_3)
{
    struct core core = lmtp();
    core.config.limits.message_octets = 10;
    CORE_EXPECT(&core, OPENING "BDAT 1\r\nxBDAT 2 LAST\r\n\n\nNOOP\r\n",
                OPENED "250/2.0.0 554/5.6.0 554/5.6.0 554/5.6.0 250/2.0.0");
    CORE_EXPECT(&core, OPENING "BDAT 11 LAST\r\n12345678901NOOP\r\n",
                OPENED "552/5.3.4 552/5.3.4 552/5.3.4 250/2.0.0");
    /* one chunk failed, and so does the last, for all */
    CORE_EXPECT(&core, OPENING "BDAT 2\r\n\n\nBDAT 1 LAST\r\nxNOOP\r\n",
                OPENED "554/5.6.0 503/5.5.1 503/5.5.1 503/5.5.1 250/2.0.0");
    CORE_EXPECT(&core, OPENING "BDAT 1 LOST\r\nxBDAT 1 LAST X\r\nxRSET\r\nNOOP\r\n",
                OPENED "501/5.5.4 501/5.5.4 250/2.0.0 250/2.0.0");
}

static enum smtp_server_verdict no_data(const struct smtp_server_event *event,
                                        struct smtp_server_reply *reply)
{
    if (event->kind == SMTP_SERVER_ASK_DATA) {
        return smtp_server_reply(reply, 451, "4.3.2", "Not now");
    }
    return refuse_unknown(event);
}

TEST(session, a_last_chunk_that_the_data_hook_refuses_gets_a_reply_for_each_recipient_rfc2033_4_3)
{
    struct core core = lmtp();
    core.config.asks |= 1u << SMTP_SERVER_ASK_DATA;
    core.decide = no_data;
    CORE_EXPECT(&core, OPENING "BDAT 1 LAST\r\nxNOOP\r\n" MAIL A "DATA\r\nNOOP\r\n",
                OPENED "451/4.3.2 451/4.3.2 451/4.3.2 250/2.0.0 250/2.1.0 250/2.1.5 451/4.3.2 "
                       "250/2.0.0");
}

static enum smtp_server_verdict refuse_message_for_good(const struct smtp_server_event *event,
                                                        struct smtp_server_reply *reply)
{
    for (size_t i = 0; event->kind == SMTP_SERVER_ASK_MESSAGE && i < 3; i++) {
        (void)smtp_server_reply(&reply[i], 550, "5.2.1", "Nobody reads this");
    }
    return refuse_unknown(event);
}

TEST(session, a_message_that_every_recipient_refuses_is_one_error_of_the_peer)
{
    struct core core = lmtp();
    core.config.limits.errors = 3;
    core.decide = refuse_message_for_good;
    CORE_EXPECT(&core, OPENING "DATA\r\nx\r\n.\r\nNOOP\r\n",
                OPENED "354 550/5.2.1 550/5.2.1 550/5.2.1 250/2.0.0", "x\r\n");
    CORE_EXPECT(&core, OPENING "DATA\r\na\nb\r\n.\r\nNOOP\r\nX\r\n",
                OPENED "354 554/5.6.0 554/5.6.0 554/5.6.0 250/2.0.0 500/5.5.1 421/4.7.0");
}
