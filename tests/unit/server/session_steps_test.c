/* session_steps_test.c - the core asks before each step is done (SMTP_SERVER_ASK_STEP), where it is asked to:
 * whole, octet by octet, and cut at every offset. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

static struct core asked_about(core_decide *decide)
{
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_STEP;
    core.decide = decide;
    return core;
}

static bool is_command(const struct smtp_server_event *event, const char *verb)
{
    return event->kind == SMTP_SERVER_ASK_STEP && event->step->kind == SMTP_STEP_COMMAND &&
           strcmp(event->step->verb, verb) == 0;
}

static bool is_step(const struct smtp_server_event *event, enum smtp_server_step_kind kind)
{
    return event->kind == SMTP_SERVER_ASK_STEP && event->step->kind == kind;
}

TEST(session_steps, accepted_steps_change_nothing)
{
    struct core core = asked_about(NULL);
    CORE_EXPECT(&core,
                CORE_OPENING
                "DATA\r\n..a\r\nb\r\n.\r\nMAIL FROM:<a@x.test>\r\n"
                "RCPT TO:<b@y.test>\r\nBDAT 3\r\n.\r\nBDAT 2 LAST\r\nhiNOOP\r\nQUIT\r\n",
                CORE_OPENED "354 250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0 250/2.0.0 250/2.0.0 "
                            "221/2.0.0",
                ".a\r\nb\r\n", ".\r\nhi");
}

static enum smtp_server_verdict refuse_rcpt(const struct smtp_server_event *event,
                                            struct smtp_server_reply *reply)
{
    return is_command(event, "RCPT") ? smtp_server_reply(reply, 450, "4.7.1", "Later")
                                     : SMTP_ACCEPT;
}

TEST(session_steps, a_refused_command_is_not_done)
{
    struct core core = asked_about(refuse_rcpt);
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nRSET\r\n",
                "220 250 250/2.1.0 450/4.7.1 503/5.5.1 250/2.0.0");
}

static enum smtp_server_verdict refuse_bdat(const struct smtp_server_event *event,
                                            struct smtp_server_reply *reply)
{
    return is_command(event, "BDAT") ? smtp_server_reply(reply, 452, NULL, "Full") : SMTP_ACCEPT;
}

TEST(session_steps, the_octets_of_a_refused_chunk_are_dropped_before_it_is_told)
{
    struct core core = asked_about(refuse_bdat);
    CORE_EXPECT(&core, CORE_OPENING "BDAT 8\r\nQUIT\r\n\r\nBDAT 0 LAST\r\nNOOP\r\nBDAT x\r\n",
                CORE_OPENED "452/4.0.0 452/4.0.0 250/2.0.0 501/5.5.4");
}

static enum smtp_server_verdict refuse_data(const struct smtp_server_event *event,
                                            struct smtp_server_reply *reply)
{
    return is_command(event, "DATA") ? smtp_server_reply(reply, 451, NULL, "No") : SMTP_ACCEPT;
}

TEST(session_steps, no_content_follows_a_refused_data)
{
    struct core core = asked_about(refuse_data);
    CORE_EXPECT(&core, CORE_OPENING "DATA\r\nNOOP\r\n", CORE_OPENED "451/4.0.0 250/2.0.0");
}

static enum smtp_server_verdict refuse_end(const struct smtp_server_event *event,
                                           struct smtp_server_reply *reply)
{
    return is_step(event, SMTP_STEP_END_OF_CONTENT) ? smtp_server_reply(reply, 554, "5.6.0", "No")
                                                    : SMTP_ACCEPT;
}

TEST(session_steps, a_refused_end_of_content_captures_nothing_and_ends_the_transaction)
{
    struct core core = asked_about(refuse_end);
    CORE_EXPECT(&core,
                CORE_OPENING "DATA\r\na\r\n.\r\nMAIL FROM:<a@x.test>\r\n"
                             "RCPT TO:<b@y.test>\r\nBDAT 2 LAST\r\nhiMAIL FROM:<a@x.test>\r\n",
                CORE_OPENED "354 554/5.6.0 250/2.1.0 250/2.1.5 554/5.6.0 250/2.1.0");
}

TEST(session_steps, a_refused_end_is_told_for_each_recipient_with_lmtp)
{
    struct core core = asked_about(refuse_end);
    core.lmtp = true;
    CORE_EXPECT(&core,
                "LHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"
                "RCPT TO:<c@y.test>\r\nDATA\r\na\r\n.\r\nNOOP\r\n",
                "220 250 250/2.1.0 250/2.1.5 250/2.1.5 354 554/5.6.0 554/5.6.0 250/2.0.0");
}

static enum smtp_server_verdict refuse_greeting(const struct smtp_server_event *event,
                                                struct smtp_server_reply *reply)
{
    return is_step(event, SMTP_STEP_GREETING) ? smtp_server_reply(reply, 554, NULL, "No")
                                              : SMTP_ACCEPT;
}

TEST(session_steps, after_a_refused_greeting_only_quit_is_left)
{
    struct core core = asked_about(refuse_greeting);
    CORE_EXPECT(&core, "NOOP\r\nQUIT\r\n", "554 503/5.5.1 221/2.0.0");
}

static enum smtp_server_verdict disconnect_noop(const struct smtp_server_event *event,
                                                struct smtp_server_reply *reply)
{
    (void)smtp_server_reply(reply, 421, NULL, "Gone");
    return is_command(event, "NOOP") ? SMTP_DISCONNECT : SMTP_ACCEPT;
}

TEST(session_steps, a_step_may_end_the_session)
{
    struct core core = asked_about(disconnect_noop);
    core.config.asks = 1u << SMTP_SERVER_ASK_STEP;
    CORE_EXPECT(&core, "NOOP\r\nQUIT\r\n", "220 421/4.0.0");
}

/* ---- what may be seen of a step ---- */

static char seen[2048];

static enum smtp_server_verdict look(const struct smtp_server_event *event,
                                     struct smtp_server_reply *reply)
{
    size_t at = strlen(seen);
    (void)reply;
    if (event->kind == SMTP_SERVER_ASK_STEP) {
        const struct smtp_server_step *step = event->step;
        snprintf(seen + at, sizeof seen - at, "%d %s [%s] %zu %d\n", (int)step->kind, step->verb,
                 step->argument,
                 step->message != NULL ? smtp_message_recipient_count(step->message) : 99,
                 (int)step->content_octets);
    }
    return SMTP_ACCEPT;
}

TEST(session_steps,
     a_step_tells_its_verb_and_where_content_is_near_the_envelope_and_how_much_there_is)
{
    struct core core = asked_about(look);
    seen[0] = '\0';
    core_open(&core);
    core_feed_text(&core, "ehlo  c.test \r\nmail FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n\r\n");
    core_feed_text(&core, "DATA\r\na\r\n..b\r\n.\r\n");
    expect_str(seen, "2  [] 99 0\n"
                     "3 EHLO [c.test] 99 0\n"
                     "3 MAIL [FROM:<a@x.test>] 99 0\n"
                     "3 RCPT [TO:<b@y.test>] 99 0\n"
                     "3  [] 99 0\n"
                     "3 DATA [] 1 0\n"
                     "4  [] 1 3\n"
                     "4  [] 1 7\n"
                     "5  [] 1 0\n");
    core_clear(&core);
}

TEST(session_steps, no_secret_is_ever_seen)
{
    struct core core = asked_about(look);
    core.config.mechanisms_clear = "PLAIN";
    core.config.mechanisms_tls = "PLAIN";
    seen[0] = '\0';
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\nAUTH PLAIN c2VjcmV0\r\nauth\tplain\tc2VjcmV0\r\n"
                          "AUTH PLAIN\tc2VjcmV0\r\n AUTH PLAIN c2VjcmV0\r\nAUTH PLAIN\r\n");
    core_feed_text(&core, "c2VjcmV0\r\nc2VjcmV0\r\nNOOP\r\n");
    core_feed_text(&core, "RSET\nAUTH PLAIN c2VjcmV0\r\n\rauth plain c2VjcmV0\r\nRSET\r\n");
    expect_contains(seen, "3 AUTH [PLAIN]");
    expect_contains(seen, "3 *** []");
    expect_contains(seen, "3 NOOP []");
    expect_true(strcasestr(seen, "c2Vjcm") == NULL);
    core_clear(&core);
}

static struct smtp_server_auth_answer log_in(const struct smtp_server_event *event, unsigned steps)
{
    (void)event, (void)steps;
    return (struct smtp_server_auth_answer){.step = SMTP_SERVER_AUTH_ACCEPTED, .identity = "ann"};
}

/* Its reply may be another one than 235. */
TEST(session_steps, no_secret_is_seen_behind_a_login_either)
{
    struct core core = asked_about(look);
    core.config.mechanisms_clear = "PLAIN";
    core.config.mechanisms_tls = "PLAIN";
    core.answer_auth = log_in;
    seen[0] = '\0';
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\nAUTH PLAIN c2VjcmV0\r\nc2VjcmV0\r\nNOOP\r\nXYZZY\r\n");
    expect_contains(core_output(&core), "235 ");
    expect_contains(seen, "3 *** []");
    expect_contains(seen, "3 XYZZY []");
    expect_true(strcasestr(seen, "c2Vjcm") == NULL);
    core_clear(&core);
}

/* ---- time, and the end while a step is open ---- */

static void open_step(struct core *core)
{
    struct smtp_server_event event;
    static const char line[] = "MAIL FROM:<a@x.test>\r\nNOOP\r\n";
    core_open(core);
    core_feed_text(core, "EHLO c.test\r\n");
    expect_int(smtp_server_session_receive(core->session, line, sizeof line - 1, core->now_ns), 22);
    expect_true(smtp_server_session_next_event(core->session, &event));
    expect_true(is_command(&event, "MAIL"));
}

TEST(session_steps, an_open_step_takes_no_octets_and_only_the_sessions_time_runs)
{
    struct core core = asked_about(NULL);
    open_step(&core);
    expect_true(!smtp_server_session_wants_input(core.session));
    expect_int(smtp_server_session_deadline_ns(core.session), 3601000000000);
    smtp_server_session_answer(core.session, SMTP_ACCEPT, NULL, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), "220 250 250/2.1.0");
    expect_int(smtp_server_session_deadline_ns(core.session), 301000000000);
    smtp_server_session_keep_waiting(core.session, true, core.now_ns);
    expect_int(smtp_server_session_deadline_ns(core.session), 3601000000000);
    smtp_server_session_keep_waiting(core.session, false, core.now_ns);
    expect_int(smtp_server_session_deadline_ns(core.session), 301000000000);
    core_clear(&core);
}

TEST(session_steps, a_session_whose_time_is_over_ends_with_its_step_open)
{
    struct core core = asked_about(NULL);
    open_step(&core);
    smtp_server_session_expire(core.session, 3601000000000);
    expect_true(smtp_server_session_ended(core.session));
    smtp_server_session_answer(core.session, SMTP_ACCEPT, NULL, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), "220 250 421/4.4.2");
    core_clear(&core);
}

/* ---- pipelined commands, RFC 2920 ---- */

static bool last_pipelined;
static struct smtp_server_session *logging;

static void note_pipelined(void *user, enum smtp_server_log_kind kind, struct smtp_span text)
{
    (void)user;
    (void)text;
    if (kind == SMTP_LOG_COMMAND && logging != NULL) {
        size_t at = strlen(seen);
        last_pipelined = smtp_server_session_pipelined(logging);
        snprintf(seen + at, sizeof seen - at, "%.4s%s ", text.bytes, last_pipelined ? "+" : "");
    }
}

TEST(session_steps, a_command_that_came_before_the_reply_to_the_one_before_is_told_as_pipelined)
{
    for (int asks = 0; asks < 2; asks++) {
        struct core core = asks ? asked_about(NULL) : core_defaults();
        seen[0] = '\0';
        logging = NULL;
        core.config.log = note_pipelined;
        core_open(&core);
        logging = core.session;
        core_feed_text(&core, "EHLO c.test\r\n");
        core_feed_text(&core, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
        core_feed_text(&core, "a\r\n.\r\n");
        core_feed_text(&core, "RSET\r\nNO");
        core_feed_text(&core, "OP\r\n");
        core_feed_text(&core, "QUIT\r\n");
        logging = NULL;
        expect_str(seen, "EHLO MAIL RCPT+ DATA+ RSET NOOP+ QUIT ");
        core_clear(&core);
    }
}
